"""What one pipeline rank does for one micro-batch: which layers it holds, their time, communication and state."""

from __future__ import annotations

from typing import NamedTuple

from exaplan.perf.block import BlockCost
from exaplan.perf.inputs import (
    ATTENTION,
    CUT,
    DUALPIPE,
    EXPERT,
    HEADS,
    KIND,
    KV_HEADS,
    MATMUL,
    ROW,
    Cut,
    Hardware,
    Job,
    K,
    N,
    Table,
    Tuning,
)
from exaplan.perf.parallel import (
    context_forward,
    expert_exchange,
    gradient_reduce,
    parameter_gather,
    state_ranks,
    tensor_backward,
    tensor_forward,
)


class StageCost(NamedTuple):
    """One rank, one micro-batch (all its chunks). Times [s] exposed, saved [B], parameters [elements]."""

    product: float
    attention: float
    vector: float
    recompute: float
    forward: float
    backward: float
    weight: float
    tp: float
    cp: float
    ep: float
    fsdp: float
    hidden: float
    kernels: float
    saved: float
    shared: float
    expert: float
    trained_shared: float
    trained_expert: float
    largest: float


EMPTY_STAGE = StageCost(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def chunk_size(chunk: int, chunks: int, layers: int) -> int:
    """Layers in a model chunk: as even as can be, the spare ones in the middle.

    First and last chunk come off lighter, as they also hold embedding and loss; with (layers + 2) % chunks == 0 this is
    Megatron-LM's account_for_embedding_in_pipeline_split.
    """
    base, spare = layers // chunks, layers % chunks
    start = (chunks - spare + 1) // 2
    return base + (1 if start <= chunk < start + spare else 0)


def count_rows(ops: Table, first: int, last: int) -> float:
    """Tensor-parallel regions of a block: its row-cut products. [count]"""
    regions = 0.0
    for i in range(first, last):
        if ops[i, KIND] == MATMUL and ops[i, CUT] == ROW:
            regions += 1.0
    return regions


def has_experts(ops: Table, first: int, last: int) -> bool:
    """Whether a block routes tokens to experts."""
    for i in range(first, last):
        if ops[i, CUT] == EXPERT:
            return True
    return False


def context_width(ops: Table, first: int, last: int, cut: Cut) -> float:
    """Elements per token that context parallelism moves for the attention of a block. [elements]"""
    width = 0.0
    for i in range(first, last):
        if ops[i, KIND] == ATTENTION:
            keys = max(1.0, ops[i, KV_HEADS] / cut.tp) * (ops[i, N] + ops[i, K])
            heads = ops[i, HEADS] / cut.tp * (ops[i, N] + ops[i, K])
            width += keys + heads if cut.ulysses == 1 else keys
    return width


def unhidden(comm: float, window: float, leak: float) -> float:
    """Exposed part of a transfer that may hide behind ``window`` s of compute: leak share plus what does not fit.
    [s]"""
    return leak * min(comm, window) + max(0.0, comm - window)


def sharded_time(cost: BlockCost, cut: Cut, hw: Hardware, job: Job, tune: Tuning) -> tuple[float, float]:
    """ZeRO-3 traffic of a layer for one micro-batch: (exposed, hidden). [s]

    Gather before forward and again before backward, scatter of the gradients after it; each hides behind the
    compute of the neighbouring layer. Under a pipeline the parameters stay gathered for the whole step (see
    gradient_time), as torchtitan does to spare a gather per micro-batch.
    """
    if cut.zero < 3 or cut.pp > 1:
        return 0.0, 0.0
    ranks, stride = state_ranks(cut), 1.0 * cut.tp
    expert_ranks = max(1.0, ranks * cut.tp / (cut.ep * cut.etp))
    gather = parameter_gather(cost.shared, ranks, stride, 2.0, hw)
    gather += parameter_gather(cost.expert, expert_ranks, 1.0 * cut.ep * cut.etp, 2.0, hw)
    whole = 1.0 * cut.dp * cut.cp
    scatter = gradient_reduce(cost.trained_shared, whole, ranks, stride, cut, hw, job)
    scatter += gradient_reduce(
        cost.trained_expert,
        max(1.0, whole * cut.tp / (cut.ep * cut.etp)),
        expert_ranks,
        1.0 * cut.ep * cut.etp,
        cut,
        hw,
        job,
    )
    total = 2.0 * gather + scatter
    exposed = unhidden(gather, cost.forward, tune.fsdp) + unhidden(
        gather + scatter, cost.backward + cost.recompute, tune.fsdp
    )
    return exposed, total - exposed


def exposed_exchange(exchange: float, cost: BlockCost, cut: Cut, tune: Tuning) -> float:
    """Dispatch and combine that compute does not hide. [s]

    DualPipe runs them beside the compute of the other direction (DeepSeek-AI 2024, arXiv:2412.19437, section 3.2.1).
    """
    if cut.schedule == DUALPIPE:
        return unhidden(exchange, cost.forward + cost.backward, tune.contention)
    return tune.ep * exchange


def layer_cost(
    ops: Table, first: int, last: int, cost: BlockCost, tokens: float, cut: Cut, hw: Hardware, job: Job, tune: Tuning
) -> StageCost:
    """A layer with its communication.

    Recomputing the whole layer repeats its forward communication and keeps its input. Tensor traffic of the backward
    pass hides behind the weight gradients (Korthikanti et al. 2022, arXiv:2205.05198, section 4.2.2); frozen weights
    have none.
    """
    passes = 2.0 + cut.whole
    regions = count_rows(ops, first, last)
    ahead = tune.tp * regions * tensor_forward(tokens, cut, hw, job)
    behind = regions * tensor_backward(tokens, cut, hw, job)
    tp = (1.0 + cut.whole) * ahead + min(1.0, tune.tp) * unhidden(behind, cost.weight, tune.contention)
    ep = 0.0
    if has_experts(ops, first, last):
        ep = exposed_exchange(2.0 * passes * expert_exchange(tokens, cut, hw, job, 2.0), cost, cut, tune)
    ring = context_forward(tokens, context_width(ops, first, last, cut), cut, hw)
    cp = unhidden((passes + 1.0) * ring, cost.attention, tune.cp)
    fsdp, hidden = sharded_time(cost, cut, hw, job, tune)
    forward_comm = ahead + ep / passes + cp / (passes + 1.0) + fsdp / 3.0
    backward_comm = tp + ep + cp + fsdp - forward_comm
    slow = tune.contention * hidden
    kept = cut.whole * 2.0 * tokens * job.hidden / (cut.tp if cut.sequence_parallel == 1 else 1)
    return StageCost(
        cost.product,
        cost.attention,
        cost.vector,
        cost.recompute,
        cost.forward + forward_comm,
        cost.backward + cost.recompute + backward_comm + slow,
        cost.weight,
        tp,
        cp,
        ep,
        fsdp,
        slow,
        cost.kernels,
        cost.saved + kept,
        cost.shared,
        cost.expert,
        cost.trained_shared,
        cost.trained_expert,
        cost.shared + cost.expert,
    )


def add_stage(a: StageCost, b: StageCost, times: float) -> StageCost:
    """a + times * b, field by field; largest is the maximum."""
    return StageCost(
        a.product + times * b.product,
        a.attention + times * b.attention,
        a.vector + times * b.vector,
        a.recompute + times * b.recompute,
        a.forward + times * b.forward,
        a.backward + times * b.backward,
        a.weight + times * b.weight,
        a.tp + times * b.tp,
        a.cp + times * b.cp,
        a.ep + times * b.ep,
        a.fsdp + times * b.fsdp,
        a.hidden + times * b.hidden,
        a.kernels + times * b.kernels,
        a.saved + times * b.saved,
        a.shared + times * b.shared,
        a.expert + times * b.expert,
        a.trained_shared + times * b.trained_shared,
        a.trained_expert + times * b.trained_expert,
        max(a.largest, b.largest if times > 0.0 else 0.0),
    )
