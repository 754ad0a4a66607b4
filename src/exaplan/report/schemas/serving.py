"""The JSON schemas of what ``plan`` and ``simulate`` give back for serving."""

from __future__ import annotations

from exaplan.answers import SCHEMA_VERSION
from exaplan.report.schemas.law import verdict
from exaplan.report.schemas.parts import (
    COUNT,
    MAYBE,
    MAYBE_TERMS,
    NUMBER,
    OPEN,
    RANGE,
    TERMS,
    TEXT,
    TYPES,
    WORDS,
    Schema,
    listed,
    named,
    record,
)

BOOL = TYPES["bool"]
MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
NULL: Schema = {"type": "null"}
TIMES = ("ttft", "tpot", "latency")


def plan() -> Schema:
    """The answer of ``plan`` for serving."""
    return record(_shared({"const": "plan"}), {"verdicts": listed(verdict())})


def simulate() -> Schema:
    """The answer of ``simulate``: its run at the top, and in ``plans`` what it takes."""
    return record({**_shared({"const": "simulate"}), **_run()}, {"verdicts": listed(verdict())})


def either(training: Schema, serving: Schema) -> Schema:
    """The schema of what is one or the other, by its ``kind``; the keys that both need are needed at the top."""
    names: dict[str, Schema] = {name: {} for name in (*training["properties"], *serving["properties"])}
    both = [name for name in training["required"] if name in serving["required"]]
    kind: Schema = {"properties": {"kind": {"const": "serving"}}}
    return record(names) | {"required": both, "if": kind, "then": serving, "else": training}


def _shared(verb: Schema) -> dict[str, Schema]:
    from exaplan.report.schemas.answers import provenance

    relief = record({"limit": TEXT, "step": TEXT, "before": NUMBER, "after": NUMBER})
    tried = record({"chip": TEXT, "node": TEXT, "counts": listed(COUNT), "considered": COUNT, "reason": TEXT})
    return {
        "schema_version": {"const": SCHEMA_VERSION},
        "kind": {"const": "serving"},
        "verb": verb,
        "plans": listed(_plan()) | {"minItems": 1},
        "traffic": _traffic(),
        "promise": record(dict.fromkeys(TIMES, MAYBE) | {"percentile": NUMBER}),
        "binding": listed(record({"limit": TEXT})),
        "relief": listed(relief),
        "rejected": named(COUNT),
        "considered": COUNT,
        "rate": MAYBE,
        "objective": TEXT,
        "front": listed(_point()),
        "tried": listed(tried),
        "provenance": provenance(),
    }


def _cut() -> dict[str, Schema]:
    return dict.fromkeys(("tp", "pp", "cp", "ep", "attention_dp"), COUNT)


def _where() -> dict[str, Schema]:
    """Keys that a plan and a point of the front share: on what, and how it is cut."""
    told = (
        "dp: copies of the model; attention_dp: attention ranks inside a copy; micro_batch: sequences in an iteration"
    )
    layout = record({"dp": COUNT, **_cut(), "vpp": COUNT, "micro_batch": MAYBE_COUNT, "recompute": TEXT, "zero": COUNT})
    prefill: Schema = {"anyOf": [record({"replicas": COUNT, **_cut()}), NULL]}
    return {"chip": TEXT, "chips": COUNT, "layout": layout | {"description": told}, "prefill": prefill}


def _plan() -> Schema:
    offer = record(
        {"terms": TERMS, "cost": NUMBER, "capital": NUMBER, "parts": named(NUMBER), "low": MAYBE, "high": MAYBE}
        | {"source": TEXT, "date": TEXT, "place": TEXT, "break_even": MAYBE}
    )
    totals = dict.fromkeys(("time", "cost", "energy", "carbon", "memory", "power", "cost_hour", "capital"), MAYBE)
    terms = dict.fromkeys(("metrics", "breakdown", "memory_breakdown", "per_token", "per_million", "margin"))
    metrics = named(MAYBE) | {"properties": dict.fromkeys((*TIMES, "throughput"), MAYBE)}
    return record(
        {**_where(), "node": TEXT, "nodes": COUNT, "fabric": TEXT, "site": TEXT, "engine": _engine()}
        | {"autoscale": {"anyOf": [OPEN, NULL]}, **totals, "terms": MAYBE_TERMS, "offers": listed(offer)}
        | {**{name: named(MAYBE) for name in terms}, "metrics": metrics, "range": named(RANGE), "missed": WORDS}
        | {"simulation": {"anyOf": [record(_run()), NULL]}}
    )


def _engine() -> Schema:
    speculative: Schema = {"anyOf": [record({"length": COUNT, "acceptance": NUMBER, "draft": TEXT}), NULL]}
    lora: Schema = {"anyOf": [record({"adapters": COUNT, "rank": COUNT}), NULL]}
    flag: Schema = {"type": ["boolean", "null"]}
    return record(
        {"name": TEXT, "max_seqs": MAYBE_COUNT, "max_tokens": MAYBE_COUNT, "chunked": flag, "prefix_cache": flag}
        | {"memory_share": MAYBE, "weights": TEXT, "kv": TEXT, "router": TEXT, "offload": MAYBE, "set": WORDS}
        | {"speculative": speculative, "lora": lora}
    )


def _point() -> Schema:
    figures = dict.fromkeys(("throughput", "speed", "ttft", "tpot", "cost"), MAYBE)
    return record({**_where(), "weights": TEXT, "load": COUNT, **figures, "front": BOOL})


def _traffic() -> Schema:
    lengths = record({"kind": TEXT, "mean": NUMBER, "cv": NUMBER, "low": COUNT, "high": COUNT})
    return record(
        {"prompt": lengths, "output": lengths, "arrivals": TEXT, "rate": MAYBE, "users": MAYBE_COUNT, "think": NUMBER}
        | {"turns": COUNT, "prefix": COUNT, "history": TEXT, "trace": TEXT}
    )


def _run() -> dict[str, Schema]:
    """A simulation: times [s], rates [1/s], shares [0-1]."""
    ranks = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "largest"), MAYBE)
    told = "half-width of the 95% confidence interval of each; null: too few requests tell"
    quantiles = record({"n": COUNT, **ranks, "error": named(MAYBE) | {"description": told}})
    rates = record(dict.fromkeys(("requests", "output_tokens", "total_tokens"), MAYBE))
    little = MAYBE | {"description": "arrival rate x mean time in the system over mean number in it"}
    stable = BOOL | {"description": "false: the queue grew to the end, and no steady percentile exists"}
    return {
        **dict.fromkeys(("requests", "unfinished", "iterations", "preemptions", "seed"), COUNT),
        **dict.fromkeys(("duration", "warm", "goodput", "kept", "batch", "busy", "cached"), MAYBE),
        "little": little,
        "stable": stable,
        "partial": TEXT | {"description": "why the run was cut off; empty: it was not"},
        "throughput": rates,
        **dict.fromkeys((*TIMES, "queue"), quantiles),
        "kv": named(MAYBE),
        "refused": named(COUNT),
        "series": named(listed(MAYBE)),
        "by_stage": named(quantiles),
        "replicas": named(MAYBE),
    }
