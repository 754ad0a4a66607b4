"""What a reader is told beside the figures: what was assumed, what to mind, what each figure was worked out from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exaplan.answers.serving import ServePlan
from exaplan.case import architecture_of
from exaplan.catalog import fits
from exaplan.planning.drafts import Goal
from exaplan.planning.limits import amount, unchecked
from exaplan.planning.serving.paying import Drafted
from exaplan.planning.serving.pipeline import retrieval_of
from exaplan.planning.serving.question import Question
from exaplan.planning.serving.trials import MOST_COPIES
from exaplan.planning.tracing import figure_inputs

OVERLOAD = "overload: the queue grew until the end, so figures tell of this run alone"
MANY = 0.01  # share of requests that are thrown out and begun again from which it is told
PARTED = 0.9  # share of prompts in the cache from which it is told


def assumptions(asked: Question, item: Drafted) -> Iterator[str]:
    """What had to be assumed, and what could not be told."""
    yield from asked.notes
    setup, chip = item.setup, item.kind.chip
    if not fits.measured(architecture_of(item.kind.cluster)):
        yield f"no kernel of {chip.architecture} was measured: curves inherited, range widened"
    if item.made.watts is None:
        yield f"the power of {chip.name} and of its node is unknown, so energy and carbon are unknown"
    if setup.replicas > MOST_COPIES and asked.ask.autoscale() is None and asked.traffic.rate is not None:
        yield f"{MOST_COPIES} of {setup.replicas:,} copies were simulated, with their share of the requests"
    if (scaled := asked.ask.autoscale()) is not None:
        mean = run_mean(item)
        yield f"{mean:.3g} of {scaled.least:,} to {scaled.most:,} copies are on in the mean: these are paid"
    yield from _paid(asked, item)
    yield from _documents(asked, item)


def run_mean(item: Drafted) -> float:
    """Copies that are on, mean over a run. [count]"""
    return float(item.held.run.replicas.get("mean", item.setup.replicas))


def _paid(asked: Question, item: Drafted) -> Iterator[str]:
    """How the plan is paid, or why that is unknown."""
    bill, name = item.made.bill, item.kind.name
    if bill is None:
        terms = asked.ask.cluster.terms
        what = "price" if terms == "any" else terms
        why = " while its power is unknown" if item.kind.quotes.get(item.cluster.site.name) else ""
        yield (
            f"no {what} of {name} is known{why}, so cost is unknown: give cluster.node a node file with `rent`, or "
            "--catalog a folder with prices.csv"
        )
        return
    country, quote = item.cluster.site.country, bill.quote
    if quote.terms == "buy":
        yield "bought chips cost the period what wears off less resale, interest, building, staff, repair, electricity"
    if quote.terms == "own":
        yield "the chips are there already: the period costs its electricity"
    if quote.place not in ("", country):
        dated = f" ({quote.figure.date})" if quote.figure.date else ""
        yield f"the price of {name} is of {quote.place}{dated}: none of {country} is known"


def _documents(asked: Question, item: Drafted) -> Iterator[str]:
    """Where the documents lie, and how long it takes to read them first."""
    found = retrieval_of(asked, item.kind)
    if found is None:
        return
    chips = item.setup.copy.chips
    size = found.index / 1e9
    yield f"each copy holds the whole index, {found.vectors:,.0f} vectors of {size:.3g} GB, in the memory of its chips"
    first = found.indexing(item.setup.chips)
    if first is None:
        yield "no model that embeds is named: the vector of a question takes no time"
    else:
        yield f"embedding all documents first takes {amount('deadline', first)} on these chips"
    if chips > 1 and found.rag.rerank:
        yield "embedding and ranking run on one chip of a copy each, search on all of them"


def warnings(asked: Question, item: Drafted, goal: Goal) -> Iterator[str]:
    """What a reader should mind of the best plan."""
    run = item.held.run
    yield from unchecked(item.made, goal.bounds)
    for reason, number in run.refused.items():
        yield f"{number:,} requests were refused: {reason}"
    if run.partial:
        yield f"the run was cut off: {run.partial}"
    done = max(1, run.requests)
    if run.preemptions > MANY * done:
        share = run.preemptions / done
        yield f"the KV cache is short: {share:.0%} of the requests were thrown out of it and begun again"


def inputs_of(asked: Question, item: Drafted, plan: ServePlan) -> dict[str, Mapping[str, Any]]:
    """Term -> {name with its unit: value} of the best plan."""
    copy, cluster, run = item.setup.copy, item.cluster, item.held.run
    demand, policy, chip = copy.demand, copy.policy, cluster.chip
    shape = {
        "sequences in an iteration, mean [count]": run.batch,
        "tokens that a decoding sequence sees, mean [tokens]": demand.context,
        "tokens of a prompt that are computed, mean [tokens]": demand.read,
        "tokens of an answer, mean [tokens]": demand.output,
        "tensor ranks [count]": copy.replica.tp,
        "pipeline stages [count]": copy.replica.pp,
        "weights per chip [B]": copy.case.weights,
        "KV cache per token and chip [B]": copy.case.kv_token,
        **figure_inputs(chip, "bandwidth", "B/s"),
        **figure_inputs(chip, "memory", "B"),
    }
    engine = {
        "sequences at a time, at most [count]": policy.max_seqs,
        "tokens of an iteration, at most [tokens]": policy.max_tokens,
        "KV cache of a copy [tokens]": policy.kv_tokens,
    }
    found: dict[str, Mapping[str, Any]] = dict.fromkeys(plan.breakdown, shape)
    host = copy.case.host._asdict()
    found["host"] = {**shape, **{f"host.{name} [fits/serving.yaml]": value for name, value in host.items()}}
    found["capacity"] = {**shape, **engine, "copies [count]": item.setup.replicas}
    return found | _money(item)


def _money(item: Drafted) -> dict[str, Mapping[str, Any]]:
    made, cluster = item.made, item.cluster
    found: dict[str, Mapping[str, Any]] = {}
    if made.watts is not None:
        found["energy"] = {
            "power of all chips at the meter [W]": made.watts,
            "time [s]": made.time,
            **figure_inputs(cluster.site, "pue", "ratio"),
        }
        found["carbon"] = {"energy [J]": made.energy, **figure_inputs(cluster.site, "carbon", "kg CO2e/J")}
    if made.bill is not None:
        quote = made.bill.quote
        found["cost"] = {
            "terms": quote.terms,
            "chips paid [count]": cluster.count,
            "price source": quote.figure.source,
            "price date": quote.figure.date,
            "rate of a chip, electricity aside [USD/s]": quote.rate,
            "time [s]": made.time,
            **figure_inputs(cluster.site, "electricity", "USD/J"),
        }
    return found
