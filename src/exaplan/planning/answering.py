"""The Answer: everything that report/ shows, with what binds, what was assumed and where the numbers came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exaplan import case as cases
from exaplan.answers import Answer, Point, Priced, Relief, Tried
from exaplan.catalog import fits, tuning
from exaplan.models.count import parameters
from exaplan.nouns import Verdict
from exaplan.planning.accounting import whole_inputs
from exaplan.planning.drafts import Draft, Goal
from exaplan.planning.failures import checkpoint_every
from exaplan.planning.limits import unchecked
from exaplan.planning.pricing import power_known, quotes_of
from exaplan.planning.resolving import Setting
from exaplan.planning.tracing import inputs_of


def answer(
    setting: Setting,
    priced: tuple[Priced, ...],
    best: Draft,
    goal: Goal,
    *,
    rejected: Mapping[str, int],
    considered: int = 1,
    rate: float | None = None,
    binding: tuple[str, ...] = (),
    relief: tuple[Relief, ...] = (),
    front: tuple[Point, ...] = (),
    tried: tuple[Tried, ...] = (),
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    verdicts: tuple[Verdict, ...] = (),
) -> Answer:
    """Everything that report/ shows. ``setting``: of the best plan, the first of ``priced``, with its draft."""
    ask, cluster = setting.ask, setting.cluster
    resolved = ask.resolved()
    if not ask.open_count:
        resolved.setdefault("cluster", {})["count"] = cluster.count
    return Answer(
        kind="training",
        ask=resolved,
        model=setting.model,
        chip=cluster.chip,
        node=cluster.node,
        cluster=cluster,
        count=cluster.count,
        estimates=priced,
        binding=binding,
        relief=relief,
        rejected=rejected,
        considered=considered,
        rate=rate,
        assumptions=(*setting.assumptions, *assumptions(setting, best), *notes),
        defaults=ask.defaults(),
        warnings=(*unchecked(best, goal.bounds), *warnings),
        inputs={**inputs_of(setting, priced[0].estimate), **whole_inputs(setting, best, priced[0])},
        provenance=provenance(setting),
        objective=ask.objective,
        searched=len(tried) > 1 or (bool(tried) and ask.open_count),
        front=front,
        tried=tried,
        verdicts=verdicts,
    )


def assumptions(setting: Setting, best: Draft) -> list[str]:
    """What had to be assumed, and what could not be told."""
    chip, notes = setting.cluster.chip, []
    if not setting.case.framework:
        notes.append("framework unknown: the pooled fit over all frameworks; the range is that of software never seen")
    if not fits.measured(cases.architecture_of(setting.cluster)):
        notes.append(f"no kernel of {chip.architecture} was measured: curves inherited, range widened")
    if not power_known(setting):
        notes.append(f"the power of {chip.name} and of its node is unknown, so energy and carbon are unknown")
    if best.steps is not None:
        notes += _prices(setting, best)
    return notes


def _prices(setting: Setting, best: Draft) -> list[str]:
    """How the plan is paid, or why that is unknown."""
    chip, terms = setting.cluster.chip, setting.ask.cluster.terms
    if best.bill is None:
        what = "price" if terms == "any" else terms
        why = " while its power is unknown" if quotes_of(setting) else ""
        return [
            f"no {what} of {chip.name} is known{why}, so cost is unknown: give cluster.node a node file "
            "with `rent`, or --catalog a folder with prices.csv"
        ]
    return [*_owned(setting, best), *_elsewhere(setting, best), *_supply(setting, best)]


def _elsewhere(setting: Setting, best: Draft) -> list[str]:
    """That a price is another country's."""
    quote, country = best.bill.quote if best.bill else None, best.option.cluster.site.country
    if quote is None or quote.place in ("", country):
        return []
    dated = f" ({quote.figure.date})" if quote.figure.date else ""
    return [f"the price of {setting.cluster.chip.name} is of {quote.place}{dated}: none of {country} is known"]


def _supply(setting: Setting, best: Draft) -> list[str]:
    """What a searched answer does not know: whether the chips are to be had."""
    if not setting.ask.open_count or best.bill is None or best.bill.quote.terms == "own":
        return []
    chips = f"{best.option.cluster.count:,} {setting.cluster.chip.name}"
    return [f"whether {chips} are to be had at that price and for that time was not checked: limits.count caps them"]


def budget_notes(shown: Sequence[Draft], goal: Goal) -> list[str]:
    """That a budget holds at the quoted prices, where the sources of a price differ."""
    if goal.bounds.money is None:
        return []
    spans: dict[str, str] = {}
    for item in shown:
        quote = item.bill.quote if item.bill else None
        if quote and quote.high > quote.rate > 0.0:
            name = item.option.cluster.chip.name
            spans[name] = f"{name} {quote.low / quote.rate:.0%} to {quote.high / quote.rate:.0%}"
    told = ", ".join(spans.values())
    return (
        [f"the budget holds at the quoted price; what the sources of prices span is not in it: {told}"] if told else []
    )


def _owned(setting: Setting, best: Draft) -> list[str]:
    """How a purchase or a fleet is charged."""
    bill = best.bill
    if bill is not None and bill.quote.terms == "buy":
        years = (setting.catalog.ownership["lifetime"].value or 0.0) / (365.25 * 86400.0)
        if bill.whole:
            return [
                "bought chips cost the run their whole price, upkeep and electricity; interest and resale are no cash"
            ]
        worn = (
            f"what wears off evenly over {years:.3g} years less resale, interest, building, staff, repair, electricity"
        )
        return [f"bought chips cost the run {worn}"]
    return ["the chips are there already: the run costs its electricity"] if bill and bill.quote.terms == "own" else []


def provenance(setting: Setting) -> dict[str, Any]:
    """Fits, tuning and failure record behind the numbers."""
    arch = cases.architecture_of(setting.cluster)
    return {
        "fits": {"architecture": arch, "gemm": fits.record("gemm")["input"], "training": tuning.record()["input"]},
        "tuning": setting.case.tuning._asdict(),
        "framework": setting.case.framework or "pooled",
        "checkpoint_interval": checkpoint_every(parameters(setting.model)[0], setting.cluster.count),
    }
