"""Serving answers as JSON: the keys are a contract (``report/schemas/serving.py``), values in SI and USD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from exaplan.answers import SCHEMA_VERSION
from exaplan.answers.serving import Quantiles, Served, ServePlan, ServePoint, Simulated
from exaplan.catalog import Catalog
from exaplan.nouns.serving import Deployment, Engine, Promise, Replica, Settings, Traffic
from exaplan.report.serving.named import OVERRIDES, chosen, engine_of
from exaplan.report.serving.provenance import collect
from exaplan.report.serving.told import cost_hour, nodes_of, spans
from exaplan.report.to_json import fields_of, finite, offer_json, plain, tried_json, verdict_json


def served_json(served: Served, catalog: Catalog) -> dict[str, Any]:
    """The answer of ``plan`` and ``simulate`` for serving; a simulation has the keys of its run at the top, too."""
    run = served.plans[0].run if served.verb == "simulate" else None
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": served.kind,
        "verb": served.verb,
        **(run_json(run) if run else {}),
        "plans": [plan_json(served, plan, catalog) for plan in served.plans],
        "traffic": traffic_json(served.traffic),
        "promise": promise_json(served.promise),
        "binding": [{"limit": limit} for limit in served.binding],
        "relief": [asdict(relief) for relief in served.relief],
        "rejected": dict(served.rejected),
        "considered": served.considered,
        "rate": finite(served.rate),
        "objective": served.objective,
        "front": [point_json(point) for point in served.front],
        "tried": [tried_json(tried) for tried in served.tried],
        "verdicts": [verdict_json(verdict) for verdict in served.verdicts],
        "provenance": plain(collect(served, catalog)),
    }


def plan_json(served: Served, plan: ServePlan, catalog: Catalog) -> dict[str, Any]:
    """One way to serve."""
    cluster = plan.cluster
    engine = engine_of(served, plan, getattr(catalog, "engines", None))
    return {
        "chip": cluster.chip.name,
        "chips": plan.deployment.chips,
        "node": cluster.node.name,
        "nodes": nodes_of(plan),
        "fabric": cluster.fabric.name,
        "site": cluster.site.name,
        "layout": layout_json(plan.deployment, engine),
        "prefill": prefill_json(plan.deployment),
        "engine": engine_json(plan.deployment.settings, engine),
        "autoscale": plain(fields_of(plan.deployment.autoscale)) if plan.deployment.autoscale else None,
        **{name: finite(getattr(plan, name)) for name in ("time", "cost", "energy", "carbon", "memory", "power")},
        "cost_hour": finite(cost_hour(plan)),
        "terms": plan.terms or None,
        "capital": finite(plan.capital),
        "offers": [offer_json(offer) for offer in plan.offers],
        "metrics": numbers(plan.metrics),
        "range": {name: [finite(low), finite(high)] for name, (low, high) in spans(plan).items()},
        "breakdown": numbers(plan.breakdown),
        "memory_breakdown": numbers(plan.memory_terms),
        "per_token": numbers(plan.per_token),
        "per_million": numbers(plan.per_million),
        "margin": numbers(plan.margin),
        "missed": list(plan.missed),
        "simulation": run_json(plan.run) if plan.run else None,
    }


def numbers(found: Mapping[str, float | None]) -> dict[str, float | None]:
    """Name -> value, null where it is unknown or not finite."""
    return {name: finite(value) for name, value in found.items()}


def layout_json(deployment: Deployment, engine: Engine | None) -> dict[str, Any]:
    """How one copy is cut, in the keys that training has, too: dp = copies, micro_batch = sequences of an iteration."""
    cut = replica_json(deployment.replica)
    sequences = chosen(deployment.settings, engine)["max_seqs"]
    return {"dp": deployment.replicas, **cut, "vpp": 1, "micro_batch": sequences, "recompute": "none", "zero": 0}


def replica_json(replica: Replica) -> dict[str, int]:
    """The degrees of one copy; attention_dp: ranks that hold whole attention and their own requests."""
    named = {name: getattr(replica, name) for name in ("tp", "pp", "cp", "ep")}
    return {**named, "attention_dp": replica.dp}


def prefill_json(deployment: Deployment) -> dict[str, int] | None:
    """The copies that read prompts, where others decode; null where all do both."""
    if deployment.prefill is None:
        return None
    return {"replicas": deployment.prefill_replicas, **replica_json(deployment.prefill)}


def engine_json(settings: Settings, engine: Engine | None) -> dict[str, Any]:
    """The engine and everything that it runs with, its own values filled in; null where those are not known."""
    own = ("family", "versions", "batching", "admission", "preemption", "block", "graphs", "overlap")
    return {
        "name": settings.engine,
        **{name: getattr(engine, name, None) for name in own},
        **{name: plain(value) for name, value in chosen(settings, engine).items()},
        "set": [name for name in OVERRIDES if getattr(settings, name) is not None],
        "weights": settings.formats.weights,
        "kv": settings.formats.kv,
        "router": settings.router,
        "offload": finite(settings.offload),
        "speculative": plain(fields_of(settings.speculative)) if settings.speculative else None,
        "lora": {"adapters": settings.lora[0], "rank": settings.lora[1]} if settings.lora else None,
    }


def traffic_json(traffic: Traffic) -> dict[str, Any]:
    """Requests as they come."""
    found = fields_of(traffic)
    lengths = {name: plain(fields_of(found.pop(name))) for name in ("prompt", "output")}
    return lengths | {name: plain(value) for name, value in found.items()}


def promise_json(promise: Promise) -> dict[str, Any]:
    """What is promised, each at the percentile [s]."""
    return {name: plain(value) for name, value in fields_of(promise).items()}


def point_json(point: ServePoint) -> dict[str, Any]:
    """One point of throughput against latency."""
    found = {name: finite(getattr(point, name)) for name in ("load", "throughput", "speed", "ttft", "tpot", "cost")}
    put = point.deployment
    cut = {"layout": layout_json(put, None), "prefill": prefill_json(put), "weights": put.settings.formats.weights}
    return {"chip": point.chip, "chips": point.chips, **cut, **found, "front": point.front}


# ---------------------------------------------------------------------------------------------- simulation


def run_json(run: Simulated) -> dict[str, Any]:
    """A simulation: times [s], rates [1/s], shares [0-1]."""
    plain_names = ("duration", "warm", "goodput", "kept", "batch", "busy", "cached", "little")
    counts = ("requests", "unfinished", "iterations", "preemptions", "seed")
    return {
        **{name: getattr(run, name) for name in counts},
        **{name: finite(getattr(run, name)) for name in plain_names},
        "stable": run.stable,
        "partial": run.partial,
        "throughput": numbers(run.throughput),
        **{name: quantiles_json(getattr(run, name)) for name in ("ttft", "tpot", "latency", "queue")},
        "kv": numbers(run.kv),
        "refused": dict(run.refused),
        "series": {name: [finite(value) for value in values] for name, values in run.series.items()},
        "by_stage": {name: quantiles_json(found) for name, found in run.by_stage.items()},
        "replicas": numbers(run.replicas),
    }


def quantiles_json(found: Quantiles) -> dict[str, Any]:
    """Percentiles of one quantity; error: half-width of the 95% confidence interval of each, null where unknown."""
    names = ("mean", "p50", "p90", "p95", "p99", "largest")
    return {"n": found.n, **{name: finite(getattr(found, name)) for name in names}, "error": numbers(found.error)}
