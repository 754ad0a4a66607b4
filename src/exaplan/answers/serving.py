"""What the serving verbs give back: simulations and plans, in SI and USD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from exaplan.answers import Offer, Relief, Tried
from exaplan.nouns import Cluster, Model, Verdict
from exaplan.nouns.serving import Deployment, Engine, Promise, Traffic


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Quantiles:
    """One quantity over requests [s, or tokens]: mean and percentiles; error: name -> half-width of the 95% confidence
    interval of each (batch means), NaN where too few requests tell."""

    n: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    largest: float
    error: Mapping[str, float] = field(default_factory=_nothing)


@dataclass(frozen=True)
class Simulated:
    """One run of the simulator.

    requests: that finished; refused: that can never be served (longer than the context, or than the KV cache) by
    reason; unfinished: still in the system when it ended. duration [s], warm [s left out of all statistics].
    stable: False where the queue grew until the end: then no steady percentile exists, and figures tell of this run
    alone. throughput: name -> 1/s (requests, output_tokens, total_tokens). ttft, tpot, latency, queue [s]. goodput
    [requests/s that keep every promise], kept [share of requests that do]. kv: name -> share of the cache in use (mean,
    peak) and tokens of capacity. batch: mean sequences in an iteration; busy: share of time that replicas work.
    preemptions [count], cached [share of prompt tokens found in the prefix cache]. series: name -> values over
    ``series["time"]``. little: arrival rate x mean time in system over mean requests in system (1 by Little's law).
    partial: cut off by the user or the limit of rows. by_stage: stage of a pipeline -> Quantiles of time in it.
    """

    requests: int
    duration: float
    warm: float
    stable: bool
    throughput: Mapping[str, float]
    ttft: Quantiles
    tpot: Quantiles
    latency: Quantiles
    queue: Quantiles
    kv: Mapping[str, float]
    goodput: float
    kept: float
    batch: float
    busy: float
    preemptions: int
    cached: float
    little: float
    seed: int
    refused: Mapping[str, int] = field(default_factory=_nothing)
    unfinished: int = 0
    iterations: int = 0
    partial: str = ""
    series: Mapping[str, tuple[float, ...]] = field(default_factory=_nothing)
    by_stage: Mapping[str, Quantiles] = field(default_factory=_nothing)
    replicas: Mapping[str, float] = field(default_factory=_nothing)


@dataclass(frozen=True)
class ServePlan:
    """One way to serve, with what it gives and takes. None = unknown.

    cluster: chips, node, place (count = chips paid for or used). memory [B per chip in use at most], memory_terms: name
    -> B (weights, kv, activations, graphs, reserve). metrics: name -> value in SI: ttft, tpot, latency (means), and
    ttft_pNN, tpot_pNN, latency_pNN at the promise's percentile; throughput [output tokens/s], requests [1/s], capacity
    [requests/s at which the promise breaks], goodput. time [s that cost, energy and carbon are counted over]. cost
    [USD], energy [J at the meter], carbon [kg CO2e], power [W at the meter, all chips], per_token: name -> per output
    token (cost [USD], energy [J]); per_million: USD per million tokens (output, total). ranges: name -> 80% interval.
    breakdown: term -> s of a typical iteration. run: the simulation. margin: business figures where a price is given
    (revenue, cost, margin [USD per period], break_even: queries per user and period at which it is zero, ...).
    missed: promises and limits that it breaks (() = it holds them all).
    """

    cluster: Cluster
    deployment: Deployment
    memory: float
    memory_terms: Mapping[str, float]
    metrics: Mapping[str, float]
    time: float
    cost: float | None
    energy: float | None
    carbon: float | None
    power: float | None
    breakdown: Mapping[str, float]
    run: Simulated | None = None
    per_token: Mapping[str, float | None] = field(default_factory=_nothing)
    per_million: Mapping[str, float | None] = field(default_factory=_nothing)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=_nothing)
    offers: tuple[Offer, ...] = ()
    terms: str = ""
    capital: float | None = None
    margin: Mapping[str, float | None] = field(default_factory=_nothing)
    missed: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServePoint:
    """One point of the front of throughput against latency: a deployment of one chip type at one load.

    throughput [output tokens/s per chip], speed [tokens/s that one user sees: 1 / TPOT], ttft, tpot [s, mean], load
    [sequences at a time per replica], cost [USD per million output tokens]. front: nothing is better in one and at
    least as good in the rest.
    """

    chip: str
    chips: int
    deployment: Deployment
    load: int
    throughput: float
    speed: float
    ttft: float
    tpot: float
    cost: float | None
    front: bool = False


@dataclass(frozen=True)
class Served:
    """The answer of ``plan`` or ``simulate`` for serving: plans, best first, and how they were chosen.

    Fields of the same name as in ``Answer`` mean the same. engine: of the best plan.
    """

    ask: Mapping[str, Any]
    model: Model
    engine: Engine
    traffic: Traffic
    promise: Promise
    plans: tuple[ServePlan, ...]
    kind: str = "serving"
    verb: str = "plan"
    binding: tuple[str, ...] = ()
    relief: tuple[Relief, ...] = ()
    rejected: Mapping[str, int] = field(default_factory=_nothing)
    considered: int = 1
    rate: float | None = None
    front: tuple[ServePoint, ...] = ()
    tried: tuple[Tried, ...] = ()
    assumptions: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=_nothing)
    provenance: Mapping[str, Any] = field(default_factory=_nothing)
    objective: str = "cost"
    verdicts: tuple[Verdict, ...] = ()
