"""From drafts to what an answer shows: metrics with ranges, money per token, the typical iteration, the business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from exaplan import cost
from exaplan.answers.serving import ServePlan, Simulated
from exaplan.case import serving as cases
from exaplan.nouns.serving import Deployment, Settings
from exaplan.planning.pricing import offers_of
from exaplan.planning.serving.business import margin_of
from exaplan.planning.serving.copies import DECODE, PREFILL, Copy
from exaplan.planning.serving.doubt import ranges_of
from exaplan.planning.serving.paying import Drafted, ranges
from exaplan.planning.serving.question import Question
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.sizing import at_percentile

TIMES = ("ttft", "tpot", "latency")
HOUR = 3600.0


def served(asked: Question, item: Drafted, capacity: float | None = None) -> ServePlan:
    """A draft as a plan that is shown. ``capacity``: the greatest rate that keeps the promise, where it was found."""
    run, made, setup = item.held.run, item.made, item.setup
    metrics = metrics_of(asked, run)
    if capacity is not None:
        metrics["capacity"] = capacity
    written = run.throughput["output_tokens"]
    every = run.throughput["total_tokens"]
    return ServePlan(
        cluster=item.cluster,
        deployment=deployment_of(asked, setup),
        memory=made.memory,
        memory_terms=setup.copy.case.memory_terms,
        metrics=metrics,
        time=made.time,
        cost=made.cost,
        energy=made.energy,
        carbon=made.carbon,
        power=made.watts,
        breakdown=typical(setup.copy, run),
        run=run,
        per_token={
            "cost": None if made.cost is None else cost.per_token(made.cost, written, made.time),
            "energy": None if made.energy is None else cost.per_token(made.energy, written, made.time),
        },
        per_million={
            "output": None if made.cost is None else cost.per_million(made.cost, written, made.time),
            "total": None if made.cost is None else cost.per_million(made.cost, every, made.time),
        },
        ranges=ranges_told(item, metrics, written),
        offers=offers_of(made) if made.bill else (),
        terms=made.bill.quote.terms if made.bill else "",
        capital=made.bill.base if made.bill else None,
        margin=margin_of(asked, made.cost, run),
        missed=(*(name for name, value in item.held.excess.items() if value > 1.0), *item.missed),
    )


def deployment_of(asked: Question, setup: Setup) -> Deployment:
    """The noun of a deployment."""
    return Deployment(
        replica=setup.copy.replica,
        replicas=setup.replicas,
        settings=settled(setup.copy),
        prefill=setup.prefill.replica if setup.prefill else None,
        prefill_replicas=setup.prefill_replicas,
        autoscale=asked.ask.autoscale(),
    )


def settled(copy: Copy) -> Settings:
    """The settings of a copy with what the engine itself chose."""
    own, engine = copy.settings, copy.kind.engine
    return replace(
        own,
        max_seqs=engine.max_seqs if own.max_seqs is None else own.max_seqs,
        max_tokens=engine.max_tokens if own.max_tokens is None else own.max_tokens,
        chunked=engine.chunked if own.chunked is None else own.chunked,
        prefix_cache=engine.prefix_cache if own.prefix_cache is None else own.prefix_cache,
        memory_share=engine.memory_share if own.memory_share is None else own.memory_share,
    )


# ------------------------------------------------------------------------------------------------- figures


def metrics_of(asked: Question, run: Simulated) -> dict[str, float]:
    """Name -> value in SI: means, the promised percentile of each, throughput."""
    percentile = asked.promise.percentile
    found = {name: getattr(run, name).mean for name in TIMES}
    found |= {f"{name}_p{percentile:g}": at_percentile(getattr(run, name), percentile) for name in TIMES}
    return found | {
        "throughput": run.throughput["output_tokens"],
        "requests": run.throughput["requests"],
        "goodput": run.goodput,
    }


def ranges_told(item: Drafted, metrics: Mapping[str, float], written: float) -> dict[str, tuple[float, float]]:
    """80% intervals of metrics, cost, energy and carbon; ``written`` [tokens/s].

    What is asked for comes out: throughput has none unless the deployment is full.
    """
    known, out = ranges_of(item.setup.copy), ranges(item)
    for name, value in metrics.items():
        low, high = known.get(name.split("_p")[0], (1.0, 1.0)) if name != "throughput" else (1.0, 1.0)
        if (low, high) != (1.0, 1.0):
            out[name] = (value * low, value * high)
    if "capacity" in metrics:
        low, high = known["throughput"]
        out["capacity"] = (metrics["capacity"] * low, metrics["capacity"] * high)
    if "cost" in out and written > 0.0:
        times = {"cost_hour": HOUR / item.made.time, "per_million_output": cost.MILLION / (written * item.made.time)}
        out |= {name: (out["cost"][0] * each, out["cost"][1] * each) for name, each in times.items()}
    return out


def typical(copy: Copy, run: Simulated) -> dict[str, float]:
    """Term -> s of a mean iteration: prompts come into some of them, a decoding sequence is half done."""
    demand, seqs = copy.demand, max(1.0, run.batch)
    came = seqs * copy.looker.yields / demand.output
    held = cases.Shape(0.0, 0.0, 0.0, seqs, seqs * demand.context)
    mixed = held._replace(prefill_tokens=max(1.0, came) * demand.read, past=demand.past, chunks=max(1.0, came))
    if copy.role == DECODE:
        return cases.terms(copy.case, held)
    if copy.role == PREFILL:
        return cases.terms(copy.case, mixed._replace(seqs=0.0, context=0.0))
    share = min(1.0, came)
    one, other = cases.terms(copy.case, held), cases.terms(copy.case, mixed)
    return {name: float((1.0 - share) * value + share * other[name]) for name, value in one.items()}
