"""A question turned into the numbers that perf/ works on: hardware, job and cut, with the fits of the catalogue."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from exaplan.catalog import fits, tuning
from exaplan.catalog.cooling import cooling
from exaplan.errors import InputError, Place
from exaplan.nouns import Cluster, Layout, Model, Training
from exaplan.perf.inputs import DUALPIPE, INTERLEAVED, ONE_F_ONE_B, ZERO_BUBBLE, Cut, Hardware, Job, Tuning
from exaplan.perf.pack import Packed, pack, recompute_mask
from exaplan.perf.power import PowerFit, Watts, capped_clock
from exaplan.perf.roofline import AttentionFit, ChipRates

SCHEDULES = {"1f1b": ONE_F_ONE_B, "interleaved": INTERLEAVED, "zero-bubble": ZERO_BUBBLE, "dualpipe": DUALPIPE}

# precision of the matrix products -> (peak it runs at, kernel curve, bytes per operand with its scales)
PRECISIONS = {
    "fp32": ("fp32", "bf16", 4.0),
    "tf32": ("tf32", "bf16", 4.0),
    "fp16": ("fp16", "bf16", 2.0),
    "bf16": ("bf16", "bf16", 2.0),
    "fp8": ("fp8", "fp8", 1.0),
    "fp8-block": ("fp8", "fp8-block", 1.03125),
    "mxfp8": ("fp8", "mxfp8", 1.03125),
    "nvfp4": ("fp4", "nvfp4", 0.5625),
}
LOW = ("fp8", "fp8-block", "mxfp8", "nvfp4")


@dataclass(frozen=True)
class Case:
    """One model, work and cluster, ready for every layout: packed operators, hardware, job, tuning."""

    model: Model
    training: Training
    cluster: Cluster
    packed: Packed
    hardware: Hardware
    tuning: Tuning
    framework: str
    master_bytes: float
    grad_bytes: float
    node_aware: int
    dropout: bool = False
    keeps_low: int = 0


def architecture_of(cluster: Cluster) -> str:
    """Key of the fits of a chip's architecture."""
    return cluster.chip.architecture


def peak_of(cluster: Cluster, number_format: str) -> float:
    """Dense peak of a chip in a number format; refuses formats that the chip is not known to have. [FLOP/s]"""
    found = cluster.chip.peak.get(number_format)
    if found is None:
        known = ", ".join(sorted(cluster.chip.peak))
        raise InputError(
            f"chip {cluster.chip.name} has no known dense peak for {number_format}",
            hint=f"it has: {known}; choose a precision among them, or add the peak to your own chip file",
            place=Place(field="work.precision"),
        )
    return found


def fabric_kind(cluster: Cluster) -> str:
    """Which fitted or prior curve the scale-out level takes, by the fabric's name and kind."""
    name = cluster.fabric.name.lower()
    if cluster.fabric.kind == "torus":
        return "torus"
    for kind in ("roce", "efa", "ethernet"):
        if kind in name:
            return kind
    return "infiniband"


def attention_fit(architecture: str, kernel: str) -> AttentionFit:
    """Curve of fused attention; an older kernel than the one measured runs at its published share of that rate."""
    fit = fits.attention(architecture)
    return fit._replace(peak=fit.peak * fits.kernel_share(architecture, kernel))


def link_of(cluster: Cluster, domain: int) -> float:
    """Scale-up bandwidth of a chip, one direction. [B/s]; unknown is refused where chips share a domain."""
    found = cluster.node.link_bandwidth or cluster.chip.link_bandwidth
    if found is None and domain > 1:
        raise InputError(
            f"the scale-up bandwidth of {cluster.node.name} is unknown, and {domain} chips share a domain",
            hint="give link_bandwidth in your own chip or node file, or domain: 1",
            place=Place(field="cluster.node"),
        )
    return found or cluster.node.network or 1.0  # a domain of one chip never uses it


def clock_of(cluster: Cluster) -> float:
    """Clock of a power-capped chip over its usual one; 1 without a cap. [1]"""
    cap, tdp = cluster.power_cap, cluster.chip.power
    if cap is None:
        return 1.0
    place = Place(field="cluster.power_cap")
    if tdp is None:
        hint = "give the chip's power in your own chip file, or leave out the cap"
        raise InputError(
            f"the TDP of {cluster.chip.name} is unknown, so a power cap says nothing", hint=hint, place=place
        )
    idle = float(tuning.yaml_data("fits/power.yaml")["coefficients"]["idle"])
    if not idle * tdp < cap <= tdp:
        hint = f"use a cap above {idle * tdp:.0f} W and up to {tdp:.0f} W"
        raise InputError(
            f"{cluster.chip.name} draws {idle * tdp:.0f} W idle and {tdp:.0f} W at most", hint=hint, place=place
        )
    return capped_clock(cap, tdp, idle)


@lru_cache(maxsize=256)
def hardware(cluster: Cluster, precision: str, kernel: str = "") -> Hardware:
    """Hardware numbers of a cluster for a precision. Unknown scale-out bandwidth is refused beyond one node."""
    arch, chip, node = architecture_of(cluster), cluster.chip, cluster.node
    peak_format, curve, _ = PRECISIONS[precision]
    wide = "fp16" if precision == "fp16" else "bf16"
    high = chip.peak.get(wide) or chip.peak.get("fp16") or chip.peak.get("bf16") or peak_of(cluster, wide)
    domain = min(node.domain, cluster.count)
    link = link_of(cluster, domain)
    network, held = node.network, tuning.yaml_data("fits/memory.yaml")
    if network is None:
        if cluster.count > node.domain:
            raise InputError(
                f"the scale-out bandwidth of node {node.name} is unknown, and {cluster.count} chips need more than one",
                hint="name a node with a known network, or give your own node file",
                place=Place(field="cluster.node"),
            )
        network = link
    processors, clock = float(chip.processors), clock_of(cluster)
    return Hardware(
        high=ChipRates(clock * high, chip.bandwidth, processors),
        low=ChipRates(clock * peak_of(cluster, peak_format), chip.bandwidth, processors),
        gemm=fits.matmul(arch, "bf16", chip.name),
        gemm_low=fits.matmul(arch, curve, chip.name),
        attention=attention_fit(arch, kernel),
        vector=fits.vector(arch),
        inner=fits.link(arch),
        outer=fits.fabric(fabric_kind(cluster), cluster.fabric.in_network),
        memory=chip.memory,
        domain=max(1, domain),
        link=link,
        network=network,
        leaf=cluster.fabric.leaf,
        oversubscription=cluster.fabric.oversubscription,
        in_network=int(cluster.fabric.in_network),
        processors=processors,
        host_link=float(tuning.yaml_data("fits/goodput.yaml")["host_link"]["value"]),
        experts=fits.experts(arch),
        context=float(held["context"]["value"]),
        fragmentation=float(held["fragmentation"]["value"]),
    )


@lru_cache(maxsize=256)
def watts(cluster: Cluster) -> Watts:
    """What the power of a chip of a cluster follows from; the TDP of a chip whose power is unknown is its node's, and
    a node whose rating is unknown is rated as others are for their chips."""
    node, chips = cluster.node.power, float(cluster.node.chips)
    tdp = cluster.chip.power or (node / chips if node else None)
    record = tuning.yaml_data("fits/power.yaml")
    fit = PowerFit(**{name: float(value) for name, value in record["coefficients"].items()})
    host, supply = float(record["node"][cooling(cluster.node.name)]), float(record["node"]["supply"])
    if tdp is None:
        return Watts(0, 0.0, 0.0, 0.0, chips, 1.0, fit, host, supply)
    cap = cluster.power_cap or math.inf
    rated = node or tdp * chips * (1.0 + float(record["node"]["beside"]))
    return Watts(1, tdp, cap, rated, chips, cluster.site.pue, fit, host, supply)


def make(
    model: Model, training: Training, cluster: Cluster, tune: Tuning | None = None, *, dropout: bool | None = None
) -> Case:
    """A Case; ``tune`` overrides the shipped tuning (tools/fit and folds do), ``dropout`` what the framework does."""
    if training.precision not in PRECISIONS:
        hint = "known: " + ", ".join(PRECISIONS)
        raise InputError(f"unknown precision {training.precision!r}", hint=hint, place=Place(field="work.precision"))
    fused, software = training.attention != "unfused", tuning.generation_named(training.framework)
    drops = bool(software.get("dropout", False)) if dropout is None else dropout
    found = tune or tuning.tuning(architecture_of(cluster), training.framework, training.precision, model.experts > 0)
    return Case(
        model,
        training,
        cluster,
        pack(model, training.seq_len, fused, drops),
        hardware(cluster, training.precision, training.attention),
        found,
        training.framework,
        12.0,
        4.0,
        int(software.get("dispatcher") == "node-aware"),
        drops,
        int(software.get("activations") == "low"),
    )


def software_layout(framework: str) -> dict[str, Any]:
    """Fields of a Layout that a named framework generation had no choice in: sequence_parallel, zero."""
    software = tuning.generation_named(framework)
    return {name: software[name] for name in ("sequence_parallel", "zero") if name in software}


def schedules_of(framework: str) -> tuple[str, ...]:
    """Pipeline schedules of a named framework generation beside 1F1B and interleaved."""
    return tuple(tuning.generation_named(framework).get("schedules", ()))


def job(case: Case, layout: Layout) -> Job:
    """The Job of a layout. FSDP reduces gradients in 16 bit, Megatron's optimizer in 32 bit."""
    training, model = case.training, case.model
    return Job(
        seq=training.seq_len,
        batch=training.global_batch,
        is_low=int(training.precision in LOW),
        low_bytes=PRECISIONS[training.precision][2],
        fused=int(training.attention != "unfused"),
        master_bytes=case.master_bytes,
        grad_bytes=2.0 if layout.zero >= 3 else case.grad_bytes,
        dropout=int(case.dropout),
        hidden=model.hidden,
        experts=model.experts,
        top_k=max(1, model.top_k),
        chips=layout.chips,
        node_aware=case.node_aware,
        keeps_low=case.keeps_low,
    )


def cut(layout: Layout, graphs: bool = False) -> Cut:
    """A Layout as numbers."""
    mask, whole = recompute_mask(layout.recompute)
    schedule = layout.schedule
    if schedule == "1f1b" and layout.vpp > 1:
        schedule = "interleaved"
    return Cut(
        dp=layout.dp,
        tp=layout.tp,
        pp=layout.pp,
        vpp=layout.vpp,
        cp=layout.cp,
        ep=layout.ep,
        etp=layout.etp,
        micro_batch=layout.micro_batch,
        recompute=mask,
        whole=whole,
        zero=layout.zero,
        zero_group=layout.zero_group,
        sequence_parallel=int(layout.sequence_parallel and layout.tp > 1),
        schedule=SCHEDULES[schedule],
        ulysses=int(layout.cp_kind == "ulysses"),
        offload=int(layout.offload),
        graphs=int(graphs),
    )
