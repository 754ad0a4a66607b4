"""A served model on chips as the numbers that perf/serving works on: one replica of an engine, and its step table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exaplan.case import architecture_of
from exaplan.case.serving_parts import (
    UNBOUND,
    budget,
    checked,
    cutting,
    decoding,
    hardware,
    host_of,
    policy_of,
    typical_context,
)
from exaplan.catalog import fits, serving_fits
from exaplan.catalog.tuning import yaml_data
from exaplan.nouns import Cluster, Model
from exaplan.nouns.serving import Engine, Replica, Settings, Traffic
from exaplan.perf.kernel import compiled
from exaplan.perf.serving import iteration as loop
from exaplan.perf.serving import pack
from exaplan.perf.serving.inputs import (
    ALL,
    OWN,
    TERMS,
    Host,
    Policy,
    ServeHardware,
    ServeTuning,
    StepTable,
    Table,
)
from exaplan.perf.serving.kinds import attention_table
from exaplan.perf.serving.table import filled, launched, term_times

KNEE, STRIDE = 1024, 64  # entries of a table: every token up to here, then every so many


class Shape(NamedTuple):
    """One iteration: prompt tokens behind ``past`` cached ones in ``chunks`` pieces, and decoding sequences of
    ``context`` tokens in all."""

    prefill_tokens: float
    past: float
    chunks: float
    seqs: float
    context: float


@dataclass(frozen=True)
class ServeCase:
    """One replica of a model on an engine, ready for every iteration.

    layers, head, draft: rows of operators; attention: kinds of layers; weights [B per chip], kv_token [B per token and
    chip], kv_tokens [capacity of the replica in tokens; <= 0: it does not fit], memory_terms [B per chip], needs [B per
    chip at least].
    """

    model: Model
    cluster: Cluster
    engine: Engine
    settings: Settings
    replica: Replica
    layers: Table
    head: Table
    draft: Table
    attention: Table
    hardware: ServeHardware
    tuning: ServeTuning
    host: Host
    weights: float
    kv_token: float
    kv_tokens: int
    memory_terms: Mapping[str, float]
    policy: Policy
    needs: float
    graph: float
    width: float


def serve(
    model: Model,
    cluster: Cluster,
    engine: Engine,
    settings: Settings,
    replica: Replica,
    traffic: Traffic | None = None,
    tune: ServeTuning | None = None,
    draft: Model | None = None,
) -> ServeCase:
    """One replica of a model under an engine. ``tune`` overrides the fitted tuning; ``draft``: the drafting model."""
    checked(model, cluster, replica)
    cut = cutting(model, cluster, settings, replica)
    arch, formats, spec = architecture_of(cluster), settings.formats, settings.speculative
    chip = hardware(cluster, engine.family, formats.weights)
    found = tune or serving_fits.tuning(engine.name, arch, formats.weights, model.experts > 0)
    width, queries = serving_fits.kv_bytes(formats.kv), 1.0 + (spec.length if spec else 0)
    weights = pack.weight_bytes(model, cut, spec.length if spec and spec.draft == "mtp" else 0)
    weights += pack.weight_bytes(draft, cut) if draft is not None else 0.0
    room = budget(model, cluster, engine, settings, replica, weights, typical_context(traffic))
    reading, decode = fits.attention(arch), decoding(model, arch, formats.kv, engine.family)
    return ServeCase(
        model=model,
        cluster=cluster,
        engine=engine,
        settings=settings,
        replica=replica,
        layers=pack.layer_table(model, cut),
        head=pack.head_table(model, cut),
        draft=draft_rows(model, cut, settings, draft),
        attention=attention_table(pack.kinds(model), cut, chip, reading, decode, width, queries, found),
        hardware=chip,
        tuning=found,
        host=host_of(found),
        weights=weights,
        kv_token=room.token,
        kv_tokens=room.tokens,
        memory_terms=room.terms,
        policy=policy_of(model, engine, settings, replica, room),
        needs=sum(room.terms.values()) - room.terms["kv"],
        graph=float(yaml_data("serving_memory.yaml")["graph_tokens"]["value"]) if engine.graphs else 0.0,
        width=queries,
    )


def draft_rows(model: Model, cut: pack.Cutting, settings: Settings, draft: Model | None) -> Table:
    """Operators that draft; none with n-grams or without speculation."""
    spec = settings.speculative
    if spec is None or spec.draft == "ngram":
        return pack.table([])
    return pack.draft_table(draft or model, cut, spec.length, draft is None)


def step_table(case: ServeCase) -> StepTable:
    """Times of all iterations of a replica."""
    fill = compiled(filled)
    seqs = max(1, case.policy.max_seqs // case.replica.dp)
    tokens = max(8192, case.policy.max_tokens // case.replica.dp) + seqs * int(case.width)
    long = KNEE + -(-tokens // STRIDE)
    wide = KNEE + -(-tokens * case.replica.dp // STRIDE)
    hw, tune, graph = case.hardware, case.tuning, case.graph
    ends = min(4096, int(seqs * case.width)) + 1
    nowhere = float(1 << 40)
    return StepTable(
        linear=fill(case.layers, float(OWN), long + 1, float(KNEE), float(STRIDE), graph, hw, tune),
        head=fill(case.head, float(OWN), ends, nowhere, 1.0, nowhere, hw, tune),
        attention=case.attention,
        draft=fill(case.draft, float(OWN), ends, nowhere, 1.0, nowhere, hw, tune),
        host=case.host,
        dp=float(case.replica.dp),
        stages=float(case.replica.pp),
        experts=fill(case.layers, float(ALL), wide + 1, float(KNEE), float(STRIDE), graph, hw, tune),
        knee=float(KNEE),
        stride=float(STRIDE),
        width=case.width,
        cut=float(case.replica.cp),
    )


def iteration(case: ServeCase, shape: Shape) -> float:
    """Time of one iteration, without a table of all of them. [s]"""
    return sum(terms(case, shape).values())


def terms(case: ServeCase, shape: Shape) -> dict[str, float]:
    """Time of one iteration term by term; the terms sum to it. [s]

    host: what the chip waits for the host.
    """
    at = loads(case, shape)
    made = dict.fromkeys((*TERMS, "attention_decode", "attention_prefill", "host"), 0.0)
    for rows, side, tokens, knee in (
        (case.layers, OWN, at["own"], float(KNEE)),
        (case.layers, ALL, at["all"], float(KNEE)),
        (case.head, OWN, at["outputs"], float(UNBOUND)),
        (case.draft, OWN, at["seqs"], float(UNBOUND)),
    ):
        for name, value in between(case, rows, float(side), tokens, knee).items():
            made[name] += value
    table = bare(case)
    made["attention_decode"] = loop.decode_attention_time(table, shape.seqs, shape.context)
    if shape.prefill_tokens:
        chunks = max(1.0, shape.chunks)
        one = loop.prefill_attention_time(table, shape.prefill_tokens / chunks, shape.past)
        made["attention_prefill"] = one * chunks / max(1.0, min(at["ranks"], chunks))
    chip = sum(made.values())
    host = loop.host_time(case.host, shape.seqs, at["chunks"], float(case.replica.dp))
    made["host"] += max(chip + (1.0 - case.host.overlap) * host, host) - chip if at["own"] > 0.0 else 0.0
    return made


def between(case: ServeCase, rows: Table, side: float, tokens: float, knee: float) -> dict[str, float]:
    """Terms of the operators of one side, interpolated between the entries that a table has. [s]"""
    low = float(math.floor(tokens)) if tokens <= knee else knee + (tokens - knee) // STRIDE * STRIDE
    step = 1.0 if low < knee else float(STRIDE)
    part = (tokens - low) / step
    first = at_entry(case, rows, side, low)
    if part == 0.0:
        return first
    second = at_entry(case, rows, side, low + step)
    return {name: value + part * (second[name] - value) for name, value in first.items()}


def at_entry(case: ServeCase, rows: Table, side: float, tokens: float) -> dict[str, float]:
    """Terms of one entry of a table; host: where no graph replays the kernels and the host launches slower. [s]"""
    found = compiled(term_times)(rows, side, tokens, len(TERMS), case.hardware, case.tuning)
    made = {name: float(value) for name, value in zip(TERMS, found, strict=True)}
    eager = rows is case.layers and tokens > case.graph
    slow = launched(rows, side) * case.tuning.launch if eager else 0.0
    return made | {"host": max(0.0, slow - sum(made.values()))}


def loads(case: ServeCase, shape: Shape) -> dict[str, float]:
    """Tokens of the fullest rank and of all, outputs and sequences of a rank, as ``iteration_time`` shares them."""
    chunks = max(1.0, shape.chunks) if shape.prefill_tokens else 0.0
    batches = min(float(case.replica.pp), max(1.0, shape.seqs + chunks))
    ranks = case.replica.dp * batches
    seqs = float(np.ceil(shape.seqs / ranks))
    own = seqs * case.width + shape.prefill_tokens / (case.replica.cp * max(1.0, min(ranks, chunks)))
    total = (shape.prefill_tokens + shape.seqs * case.width) / batches
    return {
        "own": own,
        "all": total,
        "seqs": seqs,
        "ranks": ranks,
        "chunks": chunks,
        "outputs": float(np.ceil((shape.seqs + chunks) / ranks)) * case.width,
    }


def bare(case: ServeCase) -> StepTable:
    """A table of attention and host alone."""
    none = np.zeros(1)
    return StepTable(
        none, none, case.attention, none, case.host, float(case.replica.dp), float(case.replica.pp), width=case.width
    )


def iterations(case: ServeCase, shapes: NDArray[np.float64], table: StepTable | None = None) -> NDArray[np.float64]:
    """Times of many iterations, shape (n,) [s]; shapes: rows of ``Shape``, shape (n, 5)."""
    times = compiled(loop.shape_times)(table or step_table(case), np.asarray(shapes, dtype=np.float64))
    return np.asarray(times)
