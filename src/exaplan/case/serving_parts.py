"""What a served case is put together from: hardware with its curves, memory, the engine's policy."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from exaplan.case import architecture_of, clock_of, fabric_kind, link_of
from exaplan.catalog import fits, serving_fits
from exaplan.catalog.tuning import yaml_data
from exaplan.errors import InputError, Place
from exaplan.models.serving import whole
from exaplan.nouns import Cluster, Model
from exaplan.nouns.serving import Engine, Replica, Settings, Traffic
from exaplan.perf.roofline import ChipRates
from exaplan.perf.serving import memory as bytes_of
from exaplan.perf.serving import pack
from exaplan.perf.serving.inputs import DecodeFit, Host, Policy, ServeHardware, ServeTuning

BATCHING = {"mixed": 0, "prefill-first": 1, "static": 2}
CORE_BOUND = ("llama.cpp",)  # engine families whose matrix-vector kernels are bound by each core's own reach
UNBOUND = 1 << 40  # context of a model without positions of its own


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
        cores=processors if engine in CORE_BOUND else 0.0,
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
    return pack.Cutting(replica, cluster.node.domain, widths, estimates(), settings.lora or (0, 0))


@cache
def estimates() -> pack.Estimates:
    """Figures of our own estimate that cutting takes."""
    known = yaml_data("serving_estimates.yaml")
    return pack.Estimates(*(float(known[name]["value"]) for name in pack.Estimates._fields))


def longest(model: Model) -> int:
    """Tokens of the longest request that is served; models without positions of their own have no limit. [tokens]"""
    least = int(yaml_data("serving_estimates.yaml")["served_context"]["value"])
    return max(model.max_seq, least) if model.max_seq else UNBOUND


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
    held = record["light"] if engine.family in record["light"]["engines"] else record
    seqs, tokens = chosen(engine, settings, "max_seqs"), chosen(engine, settings, "max_tokens")
    vocab = model.vocab / replica.tp
    activations = bytes_of.activation_bytes(tokens, model.hidden, widest(model, replica), seqs, vocab)
    graphs = float(held["graphs"]["value"]) if engine.graphs else 0.0
    context = float(held["context"]["value"])
    inside = engine.family not in ("sglang",)
    share = chosen(engine, settings, "memory_share")
    memory = cluster.chip.memory
    room = bytes_of.cache_room(memory, share, engine.share_of_free, weights, activations, graphs + context, inside)
    terms = {"weights": weights, "activations": activations, "graphs": graphs, "context": context}
    return terms, room


class Room(NamedTuple):
    """Memory of a replica: terms [B per chip], token [B per token and chip], tokens [capacity; <= 0: does not fit],
    seqs [sequences of a rank that may run at once], host_tokens [that host memory holds], host_rate [tokens/s]."""

    terms: dict[str, float]
    token: float
    tokens: int
    seqs: int
    host_tokens: int
    host_rate: float


def budget(
    model: Model,
    cluster: Cluster,
    engine: Engine,
    settings: Settings,
    replica: Replica,
    weights: float,
    context: float,
) -> Room:
    """What memory leaves for the cache, for sequences of ``context`` tokens."""
    kinds, width = pack.kinds(model), serving_fits.kv_bytes(settings.formats.kv)
    token = bytes_of.cache_token(kinds, replica.tp, replica.pp, width, context)
    state = bytes_of.state_bytes(kinds, replica.tp, replica.pp)
    terms, room = memory_terms(model, cluster, engine, settings, replica, weights)
    seqs = bytes_of.running(room, state, token * context, chosen(engine, settings, "max_seqs"))
    terms["state"] = state * seqs
    room -= terms["state"]
    terms["kv"] = max(0.0, room) if token > 0.0 else 0.0
    tokens = int(replica.dp * room / token) if token > 0.0 else (UNBOUND if room > 0.0 else 0)
    whole_token = max(1.0, token * replica.tp * replica.pp)
    link = float(yaml_data("fits/goodput.yaml")["host_link"]["value"])
    return Room(
        terms, token, tokens, int(seqs), int(settings.offload / whole_token), replica.chips * link / whole_token
    )


def policy_of(model: Model, engine: Engine, settings: Settings, replica: Replica, room: Room) -> Policy:
    """Numbers for the event loop."""
    spec = settings.speculative
    return Policy(
        batching=BATCHING[engine.batching],
        chunked=int(chosen(engine, settings, "chunked")),
        max_seqs=room.seqs * replica.dp,
        max_tokens=int(chosen(engine, settings, "max_tokens")) * replica.dp,
        kv_tokens=room.tokens,
        block=engine.block,
        watermark=int(engine.watermark * max(0, room.tokens)),
        whole=int(engine.admission == "whole"),
        swap=int(engine.preemption == "swap"),
        prefix=int(chosen(engine, settings, "prefix_cache")),
        host_tokens=room.host_tokens,
        host_rate=room.host_rate,
        draft=spec.length if spec else 0,
        accept=spec.acceptance if spec else 0.0,
        max_context=longest(model),
    )


def host_of(tune: ServeTuning) -> Host:
    """What the host adds."""
    return Host(tune.host_base, tune.host_sequence, tune.host_chunk, tune.overlap, tune.request)


def decoding(model: Model, architecture: str, cache: str, engine: str) -> DecodeFit:
    """Curve of a model's decoding attention."""
    if whole(model, "kv_lora_rank"):
        return serving_fits.latent_attention(architecture)
    return serving_fits.decode_attention(architecture, cache, engine)
