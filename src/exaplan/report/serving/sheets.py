"""The tables of a serving answer as plain cells, so that the terminal and the page show the same figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from exaplan.answers import Offer
from exaplan.answers.serving import Quantiles, Served, ServePlan, ServePoint, Simulated
from exaplan.report.screen import amount, percent
from exaplan.report.serving import told
from exaplan.report.serving.named import (
    NAMES,
    NONE,
    at_percentile,
    deployment_text,
    formats_text,
    metric_name,
)
from exaplan.report.sheets import Sheet, parts_text
from exaplan.report.words import phrase, word

RANKS = ("mean", "p50", "p90", "p95", "p99", "largest")
POINTS = 12  # of the front on the screen


class Row(NamedTuple):
    """One figure of a plan: key of its words and of its range, value and how it is written."""

    key: str
    value: float | None
    show: Callable[[float | None], str]


def seconds(value: float | None) -> str:
    """A time for people."""
    return amount(told.known(value), "time")


def money(value: float | None) -> str:
    """USD for people."""
    return amount(told.known(value), "money")


def rate(value: float | None) -> str:
    """A number per second for people."""
    return NONE if told.known(value) is None else word("serving.per_second", rate=told.rate_text(value))


# --------------------------------------------------------------------------------------------------- plans


def plans_sheet(served: Served) -> Sheet:
    """The plans, best first."""
    sites = {plan.cluster.site.name for plan in served.plans}
    made = [_plan_row(rank, plan, served, len(sites) > 1) for rank, plan in enumerate(served.plans, start=1)]
    left = ("deployment", "formats", "site")
    return Sheet(tuple(made[0]), [list(cells.values()) for cells in made], left=left, tight=True)


def _plan_row(rank: int, plan: ServePlan, served: Served, sited: bool) -> dict[str, str]:
    return {
        "rank": str(rank),
        "chip": plan.cluster.chip.name,
        "chips": f"{plan.deployment.chips:,}",
        **({"site": plan.cluster.site.name} if sited else {}),
        "deployment": deployment_text(plan.deployment),
        "formats": formats_text(plan.deployment.settings),
        **{name: _with_upper(plan, name, served) for name in _times(served)},
        told.flow_column(served): told.rate_text(plan.metrics.get("throughput")),
        "cost_hour": money(told.cost_hour(plan)),
        "cost_million": money(plan.per_million.get("output")),
        "token_energy": told.joules(plan.per_token.get("energy")),
    }


def _times(served: Served) -> list[str]:
    """The times that the plans are compared by: to the first token and per token; of samples the latency."""
    known = [name for name in ("ttft", "tpot") if any(name in plan.metrics for plan in served.plans)]
    return known or ["latency"]


def _with_upper(plan: ServePlan, name: str, served: Served) -> str:
    """A metric at the promise's percentile with the upper end of its range: ``360 ms (600 ms)``."""
    at = at_percentile(name, served.promise)
    key = at if at in plan.metrics else name
    high = plan.ranges.get(key, (None, None))[1]
    value = seconds(plan.metrics.get(key))
    return value if high is None else f"{value} ({seconds(high)})"


def caption(served: Served) -> str:
    """What the plans are ordered by, and what TTFT and TPOT are."""
    return word(
        "serving.caption",
        objective=word(f"serving.objectives.{served.objective}"),
        percentile=f"{served.promise.percentile:g}",
    )


# ------------------------------------------------------------------------------------------------ one plan


def whole_sheet(served: Served, plan: ServePlan, title: str = "") -> Sheet:
    """The figures of one plan with their 80% intervals, and what was promised."""
    rows, known = [], told.spans(plan)
    for row in figures(served, plan):
        low, high = known.get(row.key, (None, None))
        ends = ("" if end is None else row.show(end) for end in (low, high))
        promised = _promised(row.key, served)
        rows.append([_named(served, row.key), row.show(row.value), *ends, promised])
    return Sheet(("", "value", "low", "high", "promise"), rows, title)


def _named(served: Served, key: str) -> str:
    """A figure in words; of samples the throughput is no tokens."""
    return metric_name("samples" if key == "throughput" and told.makes_samples(served) else key)


def _promised(key: str, served: Served) -> str:
    given = {at_percentile(name, served.promise): value for name, value in served.promise.given.items()}
    return seconds(given[key]) if key in given else ""


def figures(served: Served, plan: ServePlan) -> Iterable[Row]:
    """The figures of a plan, in the order in which they are told."""
    metrics = plan.metrics
    times = [key for name in NAMES for key in (at_percentile(name, served.promise), name)]
    yield from (Row(key, metrics[key], seconds) for key in times if key in metrics)
    rates = ("throughput", "requests", "capacity", "goodput")
    yield from (Row(name, metrics[name], rate) for name in rates if name in metrics)
    yield Row("memory", plan.memory, lambda value: amount(value, "bytes"))
    yield Row("power", plan.power, lambda value: amount(value, "power"))
    yield Row("cost_hour", told.cost_hour(plan), money)
    if told.makes_samples(served):
        yield Row("cost_sample", plan.per_token.get("cost"), money)
        yield Row("energy_sample", plan.per_token.get("energy"), told.joules)
    else:
        yield from (Row(f"per_million_{name}", plan.per_million.get(name), money) for name in ("output", "total"))
        yield Row("energy_token", plan.per_token.get("energy"), told.joules)
    yield Row("time", plan.time, seconds)
    yield Row("cost", plan.cost, money)
    yield Row("energy", plan.energy, lambda value: amount(value, "energy"))
    yield Row("carbon", plan.carbon, lambda value: amount(value, "mass"))
    if plan.capital:
        yield Row("capital", plan.capital, money)


def terms_sheet(terms: Mapping[str, float], words: str, dimension: str, whole: float, title: str) -> Sheet:
    """Terms with their sizes and shares of ``whole`` (of which they are all, or a part), largest first, and their
    sum."""
    found = sorted(((name, value) for name, value in terms.items() if value), key=lambda item: -abs(item[1]))
    rows = [
        [word(f"{words}.{name}"), _signed(value, dimension), percent(value / whole if whole else None)]
        for name, value in found
    ]
    total = sum(terms.values())
    summed = amount(total, dimension)
    if dimension == "bytes":
        summed = word("estimate.of_memory", used=summed, whole=amount(whole, dimension))
    rows.append([word("estimate.total"), summed, percent(total / whole if whole else None)])
    return Sheet(("term", "bytes" if dimension == "bytes" else "seconds", "share"), rows, title)


def _signed(value: float, dimension: str) -> str:
    return ("-" if value < 0 else "") + amount(abs(value), dimension)


def iteration_sheet(plan: ServePlan) -> Sheet:
    """A typical iteration, term by term."""
    whole = sum(plan.breakdown.values())
    return terms_sheet(plan.breakdown, "serving.terms", "time", whole, word("serving.iteration"))


def memory_sheet(plan: ServePlan) -> Sheet:
    """Memory of a chip, term by term, against what it has."""
    whole = plan.cluster.chip.memory
    return terms_sheet(plan.memory_terms, "serving.memory_terms", "bytes", whole, word("estimate.memory"))


def front_sheet(served: Served, most: int | None = POINTS) -> Sheet:
    """The points of throughput against latency that no other beats, by chip, the fastest for a user first."""
    found = sorted((point for point in served.front if point.front), key=lambda point: -point.speed)
    rows = [
        [
            point.chip,
            f"{point.chips:,}",
            deployment_text(point.deployment),
            f"{point.load:,}",
            told.rate_text(point.throughput),
            told.rate_text(point.speed),
            seconds(point.ttft),
            seconds(point.tpot),
            money(point.cost),
        ]
        for point in _thinned(found, most)
    ]
    columns = ("chip", "chips", "deployment", "load", "chip_rate", "user_speed", "ttft", "tpot", "cost_million")
    return Sheet(columns, rows, word("serving.front"), ("deployment",), tight=True)


def _thinned(found: list[ServePoint], most: int | None) -> list[ServePoint]:
    """At most so many of them, evenly, with both ends."""
    if most is None or len(found) <= most:
        return found
    return [found[round(at * (len(found) - 1) / (most - 1))] for at in range(most)]


def offers_sheet(plan: ServePlan) -> Sheet:
    """Every known way to pay for a plan, the chosen one marked."""
    rows = [_offer_row(offer, offer.terms == plan.terms) for offer in plan.offers]
    columns = ("terms", "cost", "low", "high", "capital", "parts", "price")
    return Sheet(columns, rows, word("serving.offers"), ("parts", "price"), tight=True)


def _offer_row(offer: Offer, taken: bool) -> list[str]:
    ends = ["" if end is None else money(end) for end in (offer.low, offer.high)]
    price = ", ".join(part for part in (offer.source, offer.date, offer.place) if part)
    upfront = money(offer.capital) if offer.capital else ""
    return [f"{'> ' if taken else ''}{offer.terms}", money(offer.cost), *ends, upfront, parts_text(offer), price]


def tried_sheet(served: Served, most: int | None = None) -> Sheet:
    """The chip types that were in question, those among the plans first, and why each other one is not."""
    found = sorted(served.tried, key=lambda item: bool(item.reason))
    rows = [
        [item.chip, item.node, f"{item.considered:,}", phrase(item.reason) or word("plan.shown")]
        for item in found[:most]
    ]
    if most is not None and len(found) > most:
        rows.append([word("plan.tried_more", count=f"{len(found) - most:,}"), "", "", ""])
    return Sheet(("chip", "node", "deployments", "outcome"), rows, word("serving.tried"), ("node", "outcome"))


def margin_sheet(plan: ServePlan) -> Sheet:
    """What is left of a price, and at how many queries nothing is."""
    rows = [[word(f"serving.margin.{name}"), _business(name, value)] for name, value in plan.margin.items()]
    return Sheet(("", "value"), rows, word("serving.business"))


def _business(name: str, value: float | None) -> str:
    if value is None:
        return NONE
    if name.endswith("share"):
        return percent(value)
    return f"{value:,.1f}" if name in COUNTED else ("-" if value < 0 else "") + money(abs(value))


COUNTED = ("break_even", "queries", "subscribers", "users", "per_user")


# ---------------------------------------------------------------------------------------------- simulation


def quantiles_sheet(run: Simulated) -> Sheet:
    """Times by percentile, each with the half-width of its 95% confidence interval."""
    named = {word(f"serving.metrics.{name}"): getattr(run, name) for name in (*NAMES, "queue")}
    named |= {word("serving.stage", name=phrase(name)): found for name, found in run.by_stage.items()}
    rows = [[name, *(_sure(found, rank) for rank in RANKS)] for name, found in named.items()]
    return Sheet(("", *RANKS), rows, word("serving.percentiles"))


def _sure(found: Quantiles, rank: str) -> str:
    value, half = told.known(getattr(found, rank)), told.known(found.error.get(rank))
    return seconds(value) if half is None or value is None else f"{seconds(value)} ±{told.half_width(half)}"


def facts_sheet(served: Served, run: Simulated) -> Sheet:
    """What else a simulation counts."""
    rows = [[word(f"serving.facts.{name}"), text] for name, text in _facts(served, run) if text]
    return Sheet(("", "value"), rows, word("serving.counted"), ("value",))


def _facts(served: Served, run: Simulated) -> Iterable[tuple[str, str]]:
    yield "requests", f"{run.requests:,}"
    yield "unfinished", f"{run.unfinished:,}" if run.unfinished else ""
    warm = word("serving.after", duration=seconds(run.duration), warm=seconds(run.warm))
    yield "duration", warm if run.warm else seconds(run.duration)
    for name in ("requests", "output_tokens", "total_tokens"):
        yield f"{name}_rate", rate(run.throughput.get(name)) if name in run.throughput else ""
    if served.promise.given:
        yield "goodput", f"{rate(run.goodput)} ({percent(told.known(run.kept))})"
    yield "kv", _kv(run)
    yield "batch", number(run.batch, "{:,.1f}")
    yield "busy", percent(told.known(run.busy))
    yield "iterations", f"{run.iterations:,}" if run.iterations else ""
    yield "preemptions", f"{run.preemptions:,}"
    yield "cached", percent(told.known(run.cached))
    yield "replicas", _fleet(run)
    yield "little", number(run.little, "{:.4f}")


def _fleet(run: Simulated) -> str:
    """Copies over the run, and what was moved between them; what is nothing is left out."""
    known = {name: value for name, value in run.replicas.items() if told.known(value)}
    return word("law.comma").join(
        f"{word(f'serving.fleet.{name}')} {amount(value, 'tokens')}" for name, value in known.items()
    )


def number(value: float, form: str) -> str:
    """A plain number; a dash where it is none."""
    return NONE if told.known(value) is None else form.format(value)


def _kv(run: Simulated) -> str:
    shares = [word(f"serving.{name}", share=percent(run.kv[name])) for name in ("mean", "peak") if name in run.kv]
    capacity = run.kv.get("tokens")
    told_ = word("law.comma").join(shares)
    return word("serving.of_tokens", shares=told_, tokens=told.tokens_text(capacity)) if capacity else told_
