"""What the law does to the question itself: where the asker's own chips may not be had, all usable ones are tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple

from exaplan.ask import Ask
from exaplan.catalog import Catalog
from exaplan.errors import InputError, NoPlan
from exaplan.nouns import Cluster
from exaplan.planning.candidates import Candidate, Choice, candidates, clusters_of, early
from exaplan.planning.drafts import Draft, Goal, rank_of
from exaplan.planning.legal import AnyAsk, Law, no_chip, usual_site
from exaplan.planning.limits import amount, chips_of


class Opened(NamedTuple, Generic[AnyAsk]):
    """The ask as it is answered. swapped: other chips than the named ones are tried; told: what was done; warned: what
    must be read before all else."""

    ask: AnyAsk
    swapped: bool = False
    told: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()


def opened(ask: AnyAsk, catalog: Catalog, law: Law | None) -> Opened[AnyAsk]:
    """The ask, with every chip in question where the law keeps out all that it names. The number of chips stays the
    asked one."""
    if ask.bound and ask.terms == "own":
        return Opened(ask, told=("the chips are there already: the law was not applied to them",))
    if law is None or ask.every_chip:
        return Opened(ask)
    clusters = list(clusters_of(ask, catalog))
    reasons = [law.reason(item.chip) or early(ask, item.chip, bound=True, several=False) for item in clusters]
    if not all(reasons):
        return Opened(ask)
    count = None if ask.open_count else clusters[0].count
    site = ask.cluster.site or usual_site(ask, catalog)
    named = {"chip": None, "node": None, "name": None, "count": count, "site": site}
    made = ask.model_copy(update={"cluster": ask.cluster.model_copy(update=named)})
    return Opened(made, True, warned=(_swapped(clusters, reasons, count),))


def _swapped(clusters: Sequence[Cluster], reasons: Sequence[str], count: int | None) -> str:
    """That other chips were taken than asked, and why."""
    why = "; ".join(f"{item.chip.name}: {reason}" for item, reason in zip(clusters, reasons, strict=True))
    kept = f", {count:,} of each as asked" if count else ""
    return f"NOT THE ASKED CHIP: {why}. All chips that the law leaves were tried instead{kept}"


def check_lawful(law: Law | None, cluster: Cluster) -> None:
    """Refuse one cluster whose chip the law keeps out."""
    if law and law.reason(cluster.chip):
        raise no_chip(f"the cluster: {cluster.chip.name}", [law.verdict(cluster.chip)])


def free_of(ask: Ask, catalog: Catalog, law: Law | None, choice: Choice, swapped: bool) -> tuple[Candidate, ...]:
    """What would be tried without the law; () where it keeps nothing out. ``ask``: as it was asked."""
    if law is None or not (swapped or choice.barred):
        return ()
    if not swapped:
        return (*choice.tried, *choice.barred)
    try:
        found = candidates(ask, catalog).tried
    except InputError:  # the asked chips could not be tried anyway, e.g. for want of a price
        return ()
    return tuple(item for item in found if not early(ask, item.setting.cluster.chip, bound=True, several=False))


def blamed(error: NoPlan, best: Draft | None) -> NoPlan:
    """A refusal under the law, which is blamed, too, where the question has the answer ``best`` without it."""
    if best is None:
        return error
    return NoPlan(
        f"{error.problem} with the chips that the law leaves; without the law {chips_of(best)} would do",
        limit=f"{error.limit} and law",
        nearest=error.nearest,
        hint=error.hint,
    )


def law_cost(best: Draft, free: Draft | None, goal: Goal) -> tuple[str, ...]:
    """What the law did to time and cost, in words; () where it kept nothing better out. ``free``: the best plan without
    it."""
    if free is None or rank_of(free, goal) >= rank_of(best, goal):
        return ()
    step = goal.steps is None and best.steps is None
    times = (best.step, free.step) if step else (best.time, free.time)
    parts = [f"{chips_of(best)} instead of {chips_of(free)}", _against("deadline", *times)]
    if not step and best.cost is not None and free.cost is not None:
        parts.append(_paid(best, free, best.cost, free.cost))
    return (f"what the law cost: {'; '.join(parts)}",)


def _paid(best: Draft, free: Draft, mine: float, other: float) -> str:
    """Both costs; where the two plans are paid in different ways no ratio, but the run's share of a purchase."""
    ways = [item.bill.quote.terms if item.bill else "" for item in (best, free)]
    if ways[0] == ways[1]:
        return _against("money", mine, other)
    told = f"{amount('money', mine)}{_share(best)} instead of {amount('money', other)}{_share(free)}"
    return f"{told}, {ways[0]} instead of {ways[1]}"


def _share(item: Draft) -> str:
    """That a cost is a whole purchase, and what of it the run wears off; "" where it is not."""
    bill = item.bill
    if bill is None or not bill.whole or not bill.base:
        return ""
    worn = bill._replace(whole=False).cost(item.time)
    return f" (the whole purchase, of which this run wears off {amount('money', worn)})"


def _against(name: str, mine: float, free: float) -> str:
    """Two amounts and the first over the second."""
    share = f" ({mine / free - 1.0:+.0%})" if free else ""
    return f"{amount(name, mine)} instead of {amount(name, free)}{share}"
