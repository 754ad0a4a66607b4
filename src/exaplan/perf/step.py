"""One training step: stages into a pipeline, gradients into an optimizer, and all terms into one time and one
memory."""

from __future__ import annotations

import math
from typing import NamedTuple

from exaplan.perf.block import block_cost
from exaplan.perf.inputs import DUALPIPE, Cut, Hardware, Job, Table, Tuning, Whole
from exaplan.perf.memory import (
    MemoryTerms,
    gradients_bytes,
    logits_bytes,
    optimizer_bytes,
    reserve_bytes,
    total_memory,
    weights_bytes,
)
from exaplan.perf.parallel import gradient_reduce, parameter_gather, stage_transfer, state_ranks
from exaplan.perf.pipeline import bubble, in_flight
from exaplan.perf.roofline import vector_time
from exaplan.perf.stage import EMPTY_STAGE, StageCost, add_stage, chunk_size, layer_cost, unhidden


class Terms(NamedTuple):
    """A step, term by term [s]; they add up to ``total``."""

    product: float
    attention: float
    vector: float
    recompute: float
    tp: float
    cp: float
    ep: float
    fsdp: float
    contention: float
    bubble: float
    transfer: float
    dp: float
    optimizer: float
    host: float
    straggle: float
    floor: float
    total: float


def rank_cost(layers: Whole, costs: tuple[StageCost, ...], rank: int, cut: Cut) -> StageCost:
    """All layers of one pipeline rank. layers[i] is the kind of layer i, costs[kind] its cost.

    costs has four entries (kinds of layer); a model with fewer repeats the last.
    """
    total, chunks, start = EMPTY_STAGE, cut.pp * cut.vpp, 0
    kinds = [0.0, 0.0, 0.0, 0.0]
    for chunk in range(chunks):
        size = chunk_size(chunk, chunks, len(layers))
        if chunk % cut.pp == rank:
            for i in range(start, start + size):
                kinds[layers[i]] += 1.0
        start += size
    for kind in range(4):
        if kinds[kind] > 0.0:
            total = add_stage(total, costs[kind], kinds[kind])
    return total


def kind_cost(
    ops: Table, blocks: Whole, kind: int, tokens: float, cut: Cut, hw: Hardware, job: Job, tune: Tuning
) -> StageCost:
    """Cost of one layer of a kind; blocks[kind] = (first, last) operator. Whole-layer recompute saves only its
    input."""
    first, last = int(blocks[kind, 0]), int(blocks[kind, 1])
    cost = block_cost(ops, first, last, tokens, cut, hw, job, tune)
    return layer_cost(ops, first, last, cost, tokens, cut, hw, job, tune)


def without_recompute(cut: Cut) -> Cut:
    """The same layout with nothing recomputed."""
    return Cut(
        cut.dp,
        cut.tp,
        cut.pp,
        cut.vpp,
        cut.cp,
        cut.ep,
        cut.etp,
        cut.micro_batch,
        0,
        0.0,
        cut.zero,
        cut.zero_group,
        cut.sequence_parallel,
        cut.schedule,
        cut.ulysses,
        cut.offload,
        cut.graphs,
    )


def edge_cost(
    ops: Table, blocks: Whole, kind: int, tokens: float, cut: Cut, hw: Hardware, job: Job, tune: Tuning
) -> StageCost:
    """Cost of the embedding or the head, which are never recomputed."""
    return kind_cost(ops, blocks, kind, tokens, without_recompute(cut), hw, job, tune)


def stage_cost(
    layers: Whole, costs: tuple[StageCost, ...], embedding: StageCost, head: StageCost, rank: int, cut: Cut
) -> StageCost:
    """One pipeline stage: its layers, with the embedding on the first and the head on the last. [StageCost]"""
    cost = rank_cost(layers, costs, rank, cut)
    if rank == 0:
        cost = add_stage(cost, embedding, 1.0)
    if rank == cut.pp - 1:
        cost = add_stage(cost, head, 1.0)
    return cost


def step_stages(
    ops: Table, blocks: Whole, layers: Whole, cut: Cut, hw: Hardware, job: Job, tune: Tuning
) -> tuple[StageCost, StageCost, StageCost, float]:
    """(slowest rank, first stage, last stage, sum of times over ranks [s]), per micro-batch.

    blocks rows: up to four kinds of layer, then embedding, then head. Under DualPipe a rank holds stages r and p - 1 -
    r and gives each half of its micro-batches (DeepSeek-AI 2024, arXiv:2412.19437, section 3.2.1).
    """
    tokens = cut.micro_batch * job.seq / cut.cp
    last_kind = len(blocks) - 3
    costs = (
        kind_cost(ops, blocks, 0, tokens, cut, hw, job, tune),
        kind_cost(ops, blocks, min(1, last_kind), tokens, cut, hw, job, tune),
        kind_cost(ops, blocks, min(2, last_kind), tokens, cut, hw, job, tune),
        kind_cost(ops, blocks, min(3, last_kind), tokens, cut, hw, job, tune),
    )
    embedding = edge_cost(ops, blocks, last_kind + 1, tokens, cut, hw, job, tune)
    head = edge_cost(ops, blocks, last_kind + 2, tokens, cut, hw, job, tune)
    first = stage_cost(layers, costs, embedding, head, 0, cut)
    last = stage_cost(layers, costs, embedding, head, cut.pp - 1, cut)
    slowest, total, worst = EMPTY_STAGE, 0.0, -1.0
    for rank in range(cut.pp):
        cost = stage_cost(layers, costs, embedding, head, rank, cut)
        if cut.schedule == DUALPIPE:
            mirror = stage_cost(layers, costs, embedding, head, cut.pp - 1 - rank, cut)
            cost = add_stage(add_stage(EMPTY_STAGE, cost, 0.5), mirror, 0.5)
        time = cost.forward + cost.backward
        total += time
        if time > worst:
            worst, slowest = time, cost
    return slowest, first, last, total


def gradient_time(stage: StageCost, cut: Cut, hw: Hardware, job: Job, tune: Tuning) -> float:
    """Exposed data-parallel traffic once per step: reduction behind the last backward, gather behind the first forward.
    [s]

    ZeRO-3 without a pipeline moves its parameters per micro-batch instead (stage.sharded_time).
    """
    if cut.zero >= 3 and cut.pp == 1:
        return 0.0
    whole, group = 1.0 * cut.dp * cut.cp, state_ranks(cut)
    stride, wide = 1.0 * cut.tp, 1.0 * cut.ep * cut.etp
    expert_whole = max(1.0, whole * cut.tp / wide)
    reduce = gradient_reduce(stage.trained_shared, whole, group, stride, cut, hw, job)
    reduce += gradient_reduce(stage.trained_expert, expert_whole, expert_whole, wide, cut, hw, job)
    gather = 0.0
    if cut.zero >= 1:
        gather = parameter_gather(stage.trained_shared, group, stride, 2.0, hw)
        gather += parameter_gather(stage.trained_expert, expert_whole, wide, 2.0, hw)
    return unhidden(reduce, stage.backward, tune.dp) + unhidden(gather, stage.forward, tune.dp)


def optimizer_time(stage: StageCost, cut: Cut, hw: Hardware, job: Job, tune: Tuning) -> float:
    """Gradient norm, clipping and Adam over this rank's share of the state. [s]

    Bytes: gradient read for the norm and again, master weights and two moments read and written, 16-bit weight written.
    Offload (Ren et al. 2021, ZeRO-Offload, arXiv:2101.06840): gradients cross the host link down and 16-bit weights up;
    the processor's own time is taken as hidden.
    """
    shared, expert = stage.trained_shared, stage.trained_expert
    if cut.zero >= 1:
        shared /= state_ranks(cut)
        expert /= max(1.0, 1.0 * cut.dp * cut.cp * cut.tp / (cut.ep * cut.etp))
    each = 2.0 * job.grad_bytes + 2.0 * job.master_bytes + 2.0
    if cut.offload == 1:
        return (shared + expert) * max(job.grad_bytes, 2.0) / hw.host_link
    return tune.optimizer * vector_time((shared + expert) * each, hw.high, hw.vector)


def weight_cast_time(stage: StageCost, m: float, cut: Cut, hw: Hardware, job: Job) -> float:
    """Quantising 16-bit weights in the two layouts of forward and backward: 2 B read, 2 low_bytes written each. [s]

    Once a step, as the result is kept between micro-batches; under ZeRO-3 after every gather, so ``m`` times.
    """
    if job.is_low == 0:
        return 0.0
    times = m if cut.zero >= 3 and cut.pp == 1 else 1.0
    return times * vector_time((2.0 + 2.0 * job.low_bytes) * (stage.shared + stage.expert), hw.high, hw.vector)


def micro_batches(cut: Cut, job: Job) -> float:
    """Micro-batches per data rank and step. [count]"""
    return max(1.0, job.batch / (1.0 * cut.dp * cut.micro_batch))


def host_time(stage: StageCost, cut: Cut, tune: Tuning) -> float:
    """Time the host needs to launch one micro-batch: operators x (forward + 2 backward + recompute). [s]"""
    if cut.graphs == 1:
        return 0.0
    return tune.host * stage.kernels * (3.0 + cut.whole)


def step_terms(ops: Table, blocks: Whole, layers: Whole, cut: Cut, hw: Hardware, job: Job, tune: Tuning) -> Terms:
    """Time of one training step, term by term. [s]

    T = ((m t_slowest + bubble + transfers) + dp + optimizer)(1 + straggle log2 nodes) + floor, m micro-batches.
    """
    slowest, first, last, total = step_stages(ops, blocks, layers, cut, hw, job, tune)
    m = micro_batches(cut, job)
    device = slowest.forward + slowest.backward
    host = max(0.0, host_time(slowest, cut, tune) - device)
    busy = m * (device + host)
    scale = (device + host) / device if device > 0.0 else 1.0
    idle = bubble(
        cut.schedule, cut.pp, slowest.forward * scale, slowest.backward * scale, slowest.weight, total * scale, cut.vpp
    )
    tokens = cut.micro_batch * job.seq / cut.cp
    hop = stage_transfer(tokens, cut, hw, job)
    transfer = 2.0 * hop * (tune.pp * m * cut.vpp + (cut.pp - 1.0))
    heavier = first if first.trained_shared + first.trained_expert > last.trained_shared + last.trained_expert else last
    dp = gradient_time(heavier, cut, hw, job, tune)
    optimizer = optimizer_time(heavier, cut, hw, job, tune) + weight_cast_time(heavier, m, cut, hw, job)
    work = tune.overall * (busy + idle + transfer + dp + optimizer)
    straggle = work * tune.straggle * math.log2(max(1.0, job.chips / hw.domain))
    o = tune.overall
    return Terms(
        o * m * slowest.product,
        o * m * slowest.attention,
        o * m * slowest.vector,
        o * m * slowest.recompute,
        o * m * slowest.tp,
        o * m * slowest.cp,
        o * m * slowest.ep,
        o * m * slowest.fsdp,
        o * m * slowest.hidden,
        o * idle,
        o * transfer,
        o * dp,
        o * optimizer,
        o * m * host,
        straggle,
        tune.floor,
        work + straggle + tune.floor,
    )


def stored(held: float, trained: float, job: Job) -> float:
    """Held parameters as if all were 16-bit: frozen ones are kept in the low format where there is one. [elements]"""
    frozen = held - trained
    return trained + frozen * (job.low_bytes / 2.0 if job.is_low == 1 else 1.0)


def rank_memory(stage: StageCost, flight: float, logits: float, cut: Cut, hw: Hardware, job: Job) -> MemoryTerms:
    """Memory of one pipeline rank. [B]; flight: micro-batches in flight."""
    ranks = state_ranks(cut)
    wide = max(1.0, 1.0 * cut.dp * cut.cp * cut.tp / (cut.ep * cut.etp))
    weights = weights_bytes(stored(stage.shared, stage.trained_shared, job), cut, ranks)
    weights += weights_bytes(stored(stage.expert, stage.trained_expert, job), cut, wide)
    gradients = gradients_bytes(stage.trained_shared, cut, job, ranks) + gradients_bytes(
        stage.trained_expert, cut, job, wide
    )
    optimizer = optimizer_bytes(stage.trained_shared, cut, job, ranks) + optimizer_bytes(
        stage.trained_expert, cut, job, wide
    )
    tokens = cut.micro_batch * job.seq / cut.cp
    buffers = 4.0 * tokens * job.hidden
    if job.experts > 0:
        buffers += 4.0 * tokens / cut.tp * job.top_k * job.hidden
    if cut.zero >= 3:
        buffers += 2.0 * (2.0 + job.grad_bytes) * stage.largest
    if cut.whole > 0.0:
        buffers += 34.0 * tokens * job.hidden / cut.tp
    activations = stage.saved * flight
    used = weights + gradients + optimizer + activations + logits + buffers
    reserve = reserve_bytes(hw, used)
    return MemoryTerms(weights, gradients, optimizer, activations, logits, buffers, reserve)


def step_memory(
    ops: Table, blocks: Whole, layers: Whole, vocab: float, cut: Cut, hw: Hardware, job: Job, tune: Tuning
) -> MemoryTerms:
    """Memory of the fullest rank, the first or the last. [B]"""
    _, first, last, _ = step_stages(ops, blocks, layers, cut, hw, job, tune)
    m, tokens = micro_batches(cut, job), cut.micro_batch * job.seq / cut.cp
    logits = logits_bytes(tokens, vocab, cut)
    if cut.schedule == DUALPIPE and cut.pp > 1:
        return dualpipe_memory(first, last, m, logits, cut, hw, job)
    deep = in_flight(cut.schedule, cut.pp, 0.0, cut.vpp, m)
    front = rank_memory(first, deep, logits if cut.pp == 1 else 0.0, cut, hw, job)
    shallow = in_flight(cut.schedule, cut.pp, cut.pp - 1.0, cut.vpp, m)
    back = rank_memory(last, shallow, logits, cut, hw, job)
    return front if total_memory(front) >= total_memory(back) else back


def dualpipe_memory(
    first: StageCost, last: StageCost, m: float, logits: float, cut: Cut, hw: Hardware, job: Job
) -> MemoryTerms:
    """Memory of the outer ranks under DualPipe, which hold the first and the last stage at once. [B]

    p micro-batches of the first stage and one of the last are in flight, p + 1 in all; parameters of both stages are
    held (arXiv:2412.19437, table 2: 2x parameters, p + 1 activations).
    """
    whole = add_stage(first, last, 1.0)
    kept = min(m, 1.0 * cut.pp) * first.saved + last.saved
    flight = kept / whole.saved if whole.saved > 0.0 else 0.0
    return rank_memory(whole, flight, logits, cut, hw, job)


def layout_score(
    ops: Table,
    blocks: Whole,
    layers: Whole,
    vocab: float,
    cut: Cut,
    hw: Hardware,
    job: Job,
    tune: Tuning,
) -> tuple[float, float]:
    """(step time [s], memory [B]) of one layout."""
    memory = total_memory(step_memory(ops, blocks, layers, vocab, cut, hw, job, tune))
    return step_terms(ops, blocks, layers, cut, hw, job, tune).total, memory
