"""A served model on chips as the numbers that perf/serving works on: one replica of an engine, and its step table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exaplan.case import architecture_of, clock_of, fabric_kind, link_of
from exaplan.catalog import fits, serving_fits
from exaplan.catalog.tuning import yaml_data
from exaplan.errors import InputError, Place
from exaplan.models.serving import whole
from exaplan.nouns import Cluster, Model
from exaplan.nouns.serving import Engine, Replica, Settings, Traffic
from exaplan.perf.kernel import compiled
from exaplan.perf.roofline import ChipRates
from exaplan.perf.serving import iteration as loop
from exaplan.perf.serving import memory as bytes_of
from exaplan.perf.serving import pack
from exaplan.perf.serving.inputs import (
    ALL,
    OWN,
    TERMS,
    DecodeFit,
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
BATCHING = {"mixed": 0, "prefill-first": 1, "static": 2}
LONGEST = 131072  # served context of models that state only what they were first trained on [tokens]
UNBOUND = 1 << 40  # context of a model without positions of its own


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


def peak(cluster: Cluster, key: str, field: str) -> float:
    """Peak that products in a format run at [FLOP/s]; a chip without that format is refused."""
    peaks = cluster.chip.peak
    found = peaks.get(key)
    if found is None and key in ("bf16", "fp16"):
        found = peaks.get("fp16") or peaks.get("bf16")
    if found is None:
        known = ", ".join(sorted(peaks)) or "none"
        hint = f"it has: {known}; choose a format among them, or a weight-only one (int4-wo, int8-wo)"
        problem = f"chip {cluster.chip.name} has no known dense peak for {key}"
        raise InputError(problem, hint=hint, place=Place(field=field))
    return found * clock_of(cluster)


@lru_cache(maxsize=512)
def hardware(cluster: Cluster, engine: str, weights: str) -> ServeHardware:
    """Numbers of a chip and its links for an engine family and a format of the weights."""
    form, chip, node, arch = serving_fits.weight_format(weights), cluster.chip, cluster.node, architecture_of(cluster)
    if not chip.bandwidth:
        raise InputError(
            f"the memory bandwidth of {chip.name} is unknown",
            hint="give bandwidth in your own chip file",
            place=Place(field="cluster.chip"),
        )
    domain = max(1, min(node.domain, cluster.count))
    link = link_of(cluster, domain)
    processors = float(chip.processors)
    high = ChipRates(peak(cluster, "bf16", "cluster.chip"), chip.bandwidth, processors)
    low = ChipRates(peak(cluster, form.peak, "work.precision"), chip.bandwidth, processors)
    curve = serving_fits.product(arch, form.curve, chip.name)
    return ServeHardware(
        high=high,
        low=low,
        gemm=serving_fits.product(arch, "bf16", chip.name),
        gemm_low=curve,
        grouped=serving_fits.grouped(arch, form.curve, chip.name),
        vector=fits.vector(arch),
        small=serving_fits.small_reduce(engine, arch),
        inner=fits.link(arch),
        outer=fits.fabric(fabric_kind(cluster), cluster.fabric.in_network),
        experts=fits.experts(arch),
        quick=serving_fits.exchange(arch),
        domain=float(domain),
        link=link,
        network=node.network or link,
    )


def checked(model: Model, cluster: Cluster, replica: Replica) -> None:
    """Refuses layouts that no engine can run."""
    ranks = replica.tp * replica.dp
    if min(replica.tp, replica.pp, replica.cp, replica.ep, replica.dp) < 1:
        raise InputError(
            "parts of a layout are at least 1", hint="leave out what is not cut", place=Place(field="layout")
        )
    if ranks % replica.ep:
        problem = f"ep {replica.ep} does not divide tp x dp = {ranks}"
        raise InputError(problem, hint="choose a divisor", place=Place(field="layout.ep"))
    if replica.ep > 1 and not model.experts:
        hint = "leave out ep"
        raise InputError(f"{model.name} has no experts to spread", hint=hint, place=Place(field="layout.ep"))
    if replica.chips > cluster.node.domain and cluster.node.network is None:
        problem = f"the scale-out bandwidth of node {cluster.node.name} is unknown, and {replica.chips} chips need it"
        raise InputError(problem, hint="name a node with a known network", place=Place(field="cluster.node"))


def cutting(model: Model, cluster: Cluster, settings: Settings, replica: Replica) -> pack.Cutting:
    """How the model is cut over the chips of a replica."""
    form = serving_fits.weight_format(settings.formats.weights)
    widths = pack.Widths(form.bytes, form.input, form.scope)
    return pack.Cutting(replica, cluster.node.domain, widths, settings.lora or (0, 0))


def chosen(engine: Engine, settings: Settings, name: str) -> float:
    """A setting, or the engine's own default."""
    found = getattr(settings, name)
    return float(getattr(engine, name) if found is None else found)


def typical_context(traffic: Traffic | None) -> float:
    """Tokens of a sequence when it is half done [tokens]; 4,096 where nothing is said."""
    return traffic.prefix + traffic.prompt.mean + 0.5 * traffic.output.mean if traffic else 4096.0


def widest(model: Model, replica: Replica) -> float:
    """Elements per token of the widest product of a layer on a chip."""
    return max(
        (op.n * (op.rows if op.cut == "expert" else 1.0) for b in model.blocks for op in b.operators), default=0
    ) / (replica.tp)


def memory_terms(
    model: Model, cluster: Cluster, engine: Engine, settings: Settings, replica: Replica, weights: float
) -> tuple[dict[str, float], float]:
    """(name -> B per chip without the cache, B that are left for the cache)."""
    record = yaml_data("serving_memory.yaml")
    seqs, tokens = chosen(engine, settings, "max_seqs"), chosen(engine, settings, "max_tokens")
    vocab = model.vocab / replica.tp
    activations = bytes_of.activation_bytes(tokens, model.hidden, widest(model, replica), seqs, vocab)
    graphs = float(record["graphs"]["value"]) if engine.graphs else 0.0
    context = float(record["context"]["value"])
    inside = engine.family not in ("sglang",)
    share = chosen(engine, settings, "memory_share")
    memory = cluster.chip.memory
    room = bytes_of.cache_room(memory, share, engine.share_of_free, weights, activations, graphs + context, inside)
    terms = {"weights": weights, "activations": activations, "graphs": graphs, "context": context}
    return terms, room


def policy_of(
    model: Model, engine: Engine, settings: Settings, replica: Replica, kv_tokens: int, offload: float, rate: float
) -> Policy:
    """Numbers for the event loop."""
    spec = settings.speculative
    return Policy(
        batching=BATCHING[engine.batching],
        chunked=int(chosen(engine, settings, "chunked")),
        max_seqs=int(chosen(engine, settings, "max_seqs")) * replica.dp,
        max_tokens=int(chosen(engine, settings, "max_tokens")) * replica.dp,
        kv_tokens=kv_tokens,
        block=engine.block,
        watermark=int(engine.watermark * max(0, kv_tokens)),
        whole=int(engine.admission == "whole"),
        swap=int(engine.preemption == "swap"),
        prefix=int(chosen(engine, settings, "prefix_cache")),
        host_tokens=int(offload),
        host_rate=rate,
        draft=spec.length if spec else 0,
        accept=spec.acceptance if spec else 0.0,
        max_context=max(model.max_seq, LONGEST) if model.max_seq else UNBOUND,
    )


def host_of(tune: ServeTuning) -> Host:
    """What the host adds."""
    return Host(tune.host_base, tune.host_sequence, tune.host_chunk, tune.overlap, tune.request)


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
    arch, formats = architecture_of(cluster), settings.formats
    chip = hardware(cluster, engine.family, formats.weights)
    found = tune or serving_fits.tuning(engine.name, arch, formats.weights, model.experts > 0)
    spec, width = settings.speculative, serving_fits.kv_bytes(formats.kv)
    kinds = pack.kinds(model)
    weights = pack.weight_bytes(model, cut, spec.length if spec and spec.draft == "mtp" else 0)
    if draft is not None:
        weights += pack.weight_bytes(draft, cut)
    token = bytes_of.cache_token(kinds, replica.tp, replica.pp, width, typical_context(traffic))
    terms, room = memory_terms(model, cluster, engine, settings, replica, weights)
    seqs = chosen(engine, settings, "max_seqs")
    state = bytes_of.state_bytes(kinds, replica.tp, replica.pp) * seqs
    terms["state"], room = state, room - state
    kv_tokens = int(replica.dp * room / token) if token > 0.0 else (UNBOUND if room > 0.0 else 0)
    terms["kv"] = max(0.0, room) if token > 0.0 else 0.0
    drafted = float(spec.length) if spec else 0.0
    whole_token = max(1.0, token * replica.tp * replica.pp)
    link = float(yaml_data("fits/goodput.yaml")["host_link"]["value"])
    policy = policy_of(
        model,
        engine,
        settings,
        replica,
        kv_tokens,
        settings.offload / whole_token,
        replica.chips * link / whole_token,
    )
    return ServeCase(
        model=model,
        cluster=cluster,
        engine=engine,
        settings=settings,
        replica=replica,
        layers=pack.layer_table(model, cut),
        head=pack.head_table(model, cut),
        draft=draft_rows(model, cut, settings, draft),
        attention=attention_table(
            kinds,
            cut,
            chip,
            fits.attention(arch),
            decoding(model, arch, formats.kv, engine.family),
            width,
            1.0 + drafted,
            found,
            model,
        ),
        hardware=chip,
        tuning=found,
        host=host_of(found),
        weights=weights,
        kv_token=token,
        kv_tokens=kv_tokens,
        memory_terms=terms,
        policy=policy,
        needs=sum(terms.values()) - terms["kv"],
        graph=float(yaml_data("serving_memory.yaml")["graph_tokens"]["value"]) if engine.graphs else 0.0,
        width=1.0 + drafted,
    )


def decoding(model: Model, architecture: str, cache: str, engine: str) -> DecodeFit:
    """Curve of a model's decoding attention."""
    if whole(model, "kv_lora_rank"):
        return serving_fits.latent_attention(architecture)
    return serving_fits.decode_attention(architecture, cache, engine)


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
    host = loop.host_time(case.host, shape.seqs, shape.chunks)
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
        "outputs": float(np.ceil((shape.seqs + chunks) / ranks)),
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
