"""What a serving answer says in sentences: the decision first, then what holds it back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from exaplan import units
from exaplan.answers import Relief
from exaplan.answers.serving import Served, ServePlan, Simulated
from exaplan.report.screen import amount, percent
from exaplan.report.serving.named import (
    at_percentile,
    deployment_text,
    engine_text,
    formats_text,
    lengths_text,
    metric_name,
)
from exaplan.report.verdicts import brief
from exaplan.report.words import phrase, word

SMALL = 0.005  # a relief that gains less than this share of the objective is worth nothing worth saying
#: objective -> dimension of Relief.before and after
OBJECTIVES = {"cost": "money", "chips": "count", "energy": "energy", "carbon": "mass", "throughput": "rate"}
HOUR = 3600.0


def title(served: Served) -> str:
    """Model and the chips of the best plan."""
    cluster = served.plans[0].cluster
    chips = f"{served.plans[0].deployment.chips:,}"
    return word("plan.title", model=served.model.name, count=chips, chip=cluster.chip.name)


def place_line(plan: ServePlan) -> str:
    """Nodes, network and site."""
    cluster = plan.cluster
    names = {"node": cluster.node.name, "fabric": cluster.fabric.name, "site": cluster.site.name}
    return word("plan.subtitle", nodes=f"{nodes_of(plan):,}", **names)


def nodes_of(plan: ServePlan) -> int:
    """Nodes that the chips of a plan fill, the last perhaps in part. [count]"""
    return -(-plan.deployment.chips // plan.cluster.node.chips)


def traffic_line(served: Served) -> str:
    """What comes: how often, how long, and what is promised."""
    traffic = served.traffic
    lengths = {"prompt": lengths_text(traffic.prompt), "output": lengths_text(traffic.output)}
    sized = [] if traffic.arrivals == "trace" else [word("serving.lengths", **lengths)]
    told = word("law.comma").join([_arrivals(served), *sized, *_sessions(served)])
    given = [
        f"{metric_name(at_percentile(name, served.promise))} {amount(value, 'time')}"
        for name, value in served.promise.given.items()
    ]
    promised = word("law.comma").join(given)
    return f"{told}{word('law.semicolon')}{word('serving.promised', given=promised)}" if given else told


def _arrivals(served: Served) -> str:
    traffic = served.traffic
    if traffic.arrivals == "trace":
        return word("serving.arrivals.trace", trace=Path(traffic.trace).name)
    if traffic.users is not None:
        return word("serving.arrivals.closed", users=f"{traffic.users:,}", think=amount(traffic.think, "time"))
    if traffic.rate is None:
        return word("serving.arrivals.most")
    kind = word(f"serving.arrivals.{traffic.arrivals}")
    return word("serving.arrivals.open", rate=rate_text(traffic.rate), kind=kind)


def _sessions(served: Served) -> list[str]:
    traffic = served.traffic
    told = [word("serving.prefix", tokens=f"{traffic.prefix:,}")] if traffic.prefix else []
    history = word(f"serving.history.{traffic.history}")
    return told + ([word("serving.turns", turns=traffic.turns, history=history)] if traffic.turns > 1 else [])


def rate_text(value: float | None) -> str:
    """A number per second for people, without its unit."""
    return amount(value, "tokens")


# --------------------------------------------------------------------------------------------- the decision


def headline(served: Served) -> str:
    """The answer in one sentence."""
    plan = served.plans[0]
    parts = [*_speed(served, plan), *_flow(served, plan), *_money(served, plan)]
    told = word("law.colon").join(filter(None, (_take(served, plan), word("law.comma").join(parts))))
    held = _held(served)
    told = word("law.semicolon").join([told, held] if held else [told])
    return f"{told[0].upper()}{told[1:]}{word('law.stop')}"


def _take(served: Served, plan: ServePlan) -> str:
    cluster = plan.cluster
    where = {"chips": f"{plan.deployment.chips:,}", "chip": cluster.chip.name}
    where |= {"nodes": f"{nodes_of(plan):,}", "node": cluster.node.name}
    settings = plan.deployment.settings
    how = {"deployment": deployment_text(plan.deployment), "engine": settings.engine, "formats": formats_text(settings)}
    verb = plan.terms if plan.terms and served.verb == "plan" else "run"
    paid = {"capital": amount(plan.capital, "money")} if verb == "buy" else {}
    return word(f"serving.take.{verb}", **where, **how, **paid)


def _speed(served: Served, plan: ServePlan) -> Iterator[str]:
    """TTFT and TPOT at the promise's percentile, or their means where that is all there is; and what else is kept."""
    names = dict.fromkeys(("ttft", "tpot", *served.promise.given))
    for name in names:
        at = at_percentile(name, served.promise)
        key = at if at in plan.metrics else name
        if key in plan.metrics:
            yield f"{metric_name(key)} {upper(plan, key, 'time')}"


def upper(plan: ServePlan, key: str, dimension: str) -> str:
    """``360 ms (upper end 600 ms)``."""
    value, high = amount(plan.metrics[key], dimension), plan.ranges.get(key, (None, None))[1]
    return value if high is None else word("headline.upper", value=value, high=amount(high, dimension))


def makes_samples(served: Served) -> bool:
    """Whether samples are made (images, videos), which have no tokens."""
    work = served.ask.get("work")
    return isinstance(work, Mapping) and bool(work.get("generation"))


def flow_column(served: Served) -> str:
    """What the throughput counts."""
    return "samples_rate" if makes_samples(served) else "token_rate"


def _flow(served: Served, plan: ServePlan) -> Iterator[str]:
    if "throughput" in plan.metrics:
        key = "serving.samples" if makes_samples(served) else "serving.flow"
        yield word(key, rate=rate_text(plan.metrics["throughput"]))


def _money(served: Served, plan: ServePlan) -> Iterator[str]:
    hour, million = cost_hour(plan), plan.per_million.get("output")
    if hour is not None:
        yield word("serving.hour", cost=amount(hour, "money"))
    if makes_samples(served):
        if plan.per_token.get("cost") is not None:
            yield word("serving.sample", cost=amount(plan.per_token["cost"], "money"))
        return
    if million is not None:
        yield word("serving.million", cost=amount(million, "money"))
    if plan.per_token.get("energy") is not None:
        yield word("serving.joules", energy=joules(plan.per_token["energy"]))


def joules(value: float | None) -> str:
    """Energy of a token: joules, never watt-hours."""
    return "–" if value is None else f"{value:.3g} J"  # noqa: RUF001


def cost_hour(plan: ServePlan) -> float | None:
    """What serving costs. [USD/h]"""
    return plan.cost / plan.time * HOUR if plan.cost is not None and plan.time else None


def spans(plan: ServePlan) -> dict[str, tuple[float, float]]:
    """The 80% intervals of a plan, and those that follow from its cost and energy: by the hour and by the token."""
    found = dict(plan.ranges)
    shares = {"cost_hour": ("cost", cost_hour(plan)), "energy_token": ("energy", plan.per_token.get("energy"))}
    shares |= {f"per_million_{name}": ("cost", value) for name, value in plan.per_million.items()}
    for name, (whole, value) in shares.items():
        total, ends = getattr(plan, whole), plan.ranges.get(whole)
        if value is not None and total and ends is not None:
            found.setdefault(name, (value * ends[0] / total, value * ends[1] / total))
    return found


def _held(served: Served) -> str:
    """Which limits bind, and what relief of the most valuable of them gives."""
    if not served.binding:
        return ""
    named = [limit_name(name) for name in served.binding]
    told = word("headline.binds" if len(named) == 1 else "headline.bind", limits=_and(named))
    worth = [item for item in served.relief if item.limit in served.binding and gain(served, item) > SMALL]
    if not worth:
        return told
    best = max(worth, key=lambda item: gain(served, item))
    before, after = ends(served, best)
    key = "headline.without_law" if best.limit == "law" else "headline.gives_of"
    given = word(key, limit=limit_name(best.limit), step=phrase(best.step), before=before, after=after)
    return f"{told}{word('law.colon')}{given}"


def _and(names: list[str]) -> str:
    return word("headline.and").join(filter(None, (word("law.comma").join(names[:-1]), names[-1])))


def limit_name(name: str) -> str:
    """A limit in words: a promise by its name, others as with training."""
    return word(f"serving.limits.{name}")


def binding_lines(served: Served) -> list[str]:
    """What binds, in words."""
    return [limit_name(name) for name in served.binding] or [word("plan.none")]


# ---------------------------------------------------------------------------------------- what holds it back


def gain(served: Served, item: Relief) -> float:
    """What a relief is worth, as a share of the objective before it [ratio, > 0 is better]."""
    if not item.before:
        return 0.0
    change = item.after / item.before - 1
    return change if served.objective == "throughput" else -change


def ends(served: Served, item: Relief) -> tuple[str, str]:
    """The objective before and after, for people."""
    return objective_text(served, item.before), objective_text(served, item.after)


def objective_text(served: Served, value: float) -> str:
    """A value of the objective."""
    dimension = OBJECTIVES.get(served.objective, "money")
    return word("serving.per_second", rate=rate_text(value)) if dimension == "rate" else amount(value, dimension)


def relief_line(served: Served, item: Relief) -> str:
    """One line: the limit, the step, the objective before and after, and the share gained."""
    before, after = ends(served, item)
    worth = gain(served, item)
    told = word("plan.better", share=percent(worth)) if worth > SMALL else word("plan.no_gain")
    if item.limit == "law":
        return word("plan.relief_law", before=before, after=after, gain=told)
    limit = limit_name(item.limit)
    return word("plan.relief_line", limit=limit, step=phrase(item.step), before=before, after=after, gain=told)


def law_lines(served: Served) -> Iterator[str]:
    """What the export rules say of the chips of the plans; nothing where no law was asked for."""
    if served.verdicts:
        yield from (brief(verdict) for verdict in served.verdicts)
        yield word("law.through", date=served.verdicts[0].rules_through)
        yield word("law.advice")


def counts_line(served: Served) -> str:
    """How many deployments were looked at, how fast, and why the others fell; "" for one."""
    if served.considered <= 1:
        return ""
    told = word("serving.considered", considered=f"{served.considered:,}")
    told += " " + word("plan.rate", rate=f"{served.rate:,.0f}") if served.rate else ""
    reasons = sorted(served.rejected.items(), key=lambda item: -item[1])
    rejected = word("law.comma").join(f"{count:,} {phrase(reason)}" for reason, count in reasons if count)
    return told + (f"{word('law.semicolon')}{word('plan.rejected')}{word('law.colon')}{rejected}" if rejected else "")


def missed_line(plan: ServePlan) -> str:
    """Which promises and limits a plan breaks; "" for none."""
    named = [limit_name(name) for name in plan.missed]
    return word("serving.missed", names=word("law.comma").join(named)) if named else ""


def warnings(served: Served) -> list[str]:
    """The warnings, each once."""
    return [phrase(text) for text in dict.fromkeys(served.warnings)]


def assumed(served: Served) -> list[str]:
    """What is assumed, each once."""
    return [phrase(text) for text in dict.fromkeys(served.assumptions)]


def best_line(served: Served) -> str:
    """The best plan's deployment and engine in full."""
    plan = served.plans[0]
    return f"#1: {deployment_text(plan.deployment)}; {engine_text(plan.deployment.settings, served.engine)}"


# --------------------------------------------------------------------------------------------- a simulation


def outcome(served: Served, run: Simulated) -> str:
    """A simulation in one sentence."""
    parts = [word("serving.answered", rate=rate_text(run.throughput.get("requests")))]
    for name in ("ttft", "tpot"):
        found = getattr(run, name)
        ends_ = {"p50": amount(known(found.p50), "time"), "p99": amount(known(found.p99), "time")}
        parts.append(word("serving.middle", name=word(f"serving.metrics.{name}"), **ends_))
    if served.promise.given:
        parts.append(word("serving.kept", share=percent(known(run.kept))))
    told = word("law.comma").join(parts)
    return f"{told[0].upper()}{told[1:]}{word('law.stop')}"


def known(value: float | None) -> float | None:
    """The value; None where it is not a number."""
    return None if value is None or math.isnan(value) else value


def half_width(value: float) -> str:
    """A half-width in two digits, rounded before its unit is chosen (1 ms, never 1000 us)."""
    return amount(float(f"{value:.2g}"), "time", 2)


def cautions(run: Simulated) -> list[str]:
    """What must be known before any figure of a run is read: cut off, or never steady."""
    told = [word("serving.cut", why=phrase(run.partial))] if run.partial else []
    return [*told, *([] if run.stable else [word("serving.unstable")])]


def refused_lines(run: Simulated) -> list[str]:
    """Requests that could not be served, by reason."""
    return [f"{count:,} {phrase(reason)}" for reason, count in run.refused.items() if count]


def tokens_text(value: float | None) -> str:
    """A number of tokens for people."""
    return "–" if value is None else units.show(value, "tokens")  # noqa: RUF001
