"""Which functions compute which term and which figure of a serving plan: ``explain`` prints their docstrings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

OPERATORS, ATTENTION, LOOP = "perf.serving.operators.", "perf.serving.attention.", "perf.serving.iteration."
MEMORY = "perf.serving.memory."
RUN = "answers.serving.Simulated"

#: term of an iteration, ``memory.`` and term of the memory, or figure -> functions below ``exaplan``
SERVING: Mapping[str, tuple[str, ...]] = {
    "products": (OPERATORS + "product_time", OPERATORS + "plain_product"),
    "experts": (OPERATORS + "grouped_product", OPERATORS + "touched", OPERATORS + "busiest"),
    "attention_decode": (LOOP + "decode_attention_time", ATTENTION + "decode_kind_time", ATTENTION + "seen"),
    "attention_prefill": (LOOP + "prefill_attention_time", ATTENTION + "prompt_kind_time", ATTENTION + "prompt_keys"),
    "vector": (OPERATORS + "operator_time",),
    "tp": (OPERATORS + "reduce_time", OPERATORS + "small_all_reduce"),
    "ep": (OPERATORS + "exchange_time", OPERATORS + "low_latency_time"),
    "pp": (OPERATORS + "send_time",),
    "head": (OPERATORS + "plain_product", OPERATORS + "operator_time"),
    "draft": (OPERATORS + "operator_time",),
    "host": (LOOP + "host_time", LOOP + "iteration_time"),
    "memory.weights": ("perf.serving.pack.weight_bytes",),
    "memory.kv": (MEMORY + "cache_token", MEMORY + "token_bytes", MEMORY + "cache_room"),
    "memory.activations": (MEMORY + "activation_bytes",),
    "memory.graphs": (MEMORY + "cache_room",),
    "memory.context": (MEMORY + "cache_room",),
    "memory.state": (MEMORY + "state_bytes",),
    "memory.reserve": (MEMORY + "cache_room",),
    "throughput": (RUN, LOOP + "iteration_time"),
    "requests": (RUN,),
    "goodput": (RUN,),
    "capacity": ("planning.serving.sizing.excess_of", RUN),
    "cost_hour": ("cost.serving.per_token",),
    "per_million.output": ("cost.serving.per_million",),
    "per_million.total": ("cost.serving.per_million",),
    "energy_token": ("cost.serving.per_token",),
    "power": ("perf.serving.power.serving_power", "perf.serving.power.share_drawn", "perf.power.wall_power"),
    "margin": ("cost.serving.margin",),
    "break_even": ("cost.serving.break_even_queries",),
}
#: figures that a simulation gives, at a percentile or as a mean
SIMULATED = ("ttft", "tpot", "latency")
RATES = ("throughput", "requests", "goodput", "capacity")
#: figures of the whole period, with their dimension
WHOLE: Mapping[str, str] = {"cost": "money", "energy": "energy", "carbon": "mass", "power": "power"}


class Told(NamedTuple):
    """One term or figure: its value [SI or USD], of which total (None: a figure of its own), dimension, 80% interval,
    and how it is paid."""

    name: str
    value: float
    total: float | None
    dimension: str
    ends: tuple[float, float] | None = None
    terms: str = ""


def functions(term: str) -> tuple[str, ...]:
    """Paths below ``exaplan`` of the functions that compute a term; () where none is registered."""
    if term in SERVING:
        return SERVING[term]
    return (RUN, LOOP + "iteration_time") if term.partition("_p")[0] in SIMULATED else ()


def told(plan: Mapping[str, Any]) -> Iterator[Told]:
    """The terms of the iteration, then of the memory, then the figures, of the best plan of a document."""
    breakdown, memory = numbers(plan["breakdown"]), numbers(plan.get("memory_breakdown", {}))
    whole = sum(breakdown.values())
    yield from (Told(name, value, whole, "time") for name, value in breakdown.items())
    yield from (Told(f"memory.{name}", value, plan["memory"], "bytes") for name, value in memory.items())
    ranges = plan["range"]
    for name, value in numbers(plan["metrics"]).items():
        yield Told(name, value, None, "per_second" if name in RATES else "time", _ends(ranges.get(name)))
    for name, dimension in WHOLE.items():
        if is_number(plan.get(name)):
            yield Told(name, plan[name], None, dimension, _ends(ranges.get(name)), str(plan.get("terms") or ""))
    yield from _prices(plan)


def _prices(plan: Mapping[str, Any]) -> Iterator[Told]:
    """What an hour, a million tokens and a token take, and the business."""
    if is_number(plan.get("cost_hour")):
        yield Told("cost_hour", plan["cost_hour"], None, "money")
    for name, value in numbers(plan.get("per_million", {})).items():
        yield Told(f"per_million.{name}", value, None, "money", _ends(plan["range"].get(f"per_million_{name}")))
    energy = plan.get("per_token", {}).get("energy")
    if is_number(energy):
        yield Told("energy_token", energy, None, "joules")
    for name, value in numbers(plan.get("margin", {})).items():
        if name in SERVING:
            yield Told(name, value, None, "money" if name == "margin" else "number")


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """What is a number of a part of a document."""
    return {name: value for name, value in found.items() if is_number(value)}


def is_number(value: Any) -> bool:
    """Whether a value of a document is a number (a truth is none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _ends(found: Any) -> tuple[float, float] | None:
    return (found[0], found[1]) if isinstance(found, list) and len(found) == 2 and all(map(is_number, found)) else None
