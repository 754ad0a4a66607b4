"""Pipeline schedules: from the times of the stages to the time of all micro-batches. Pure scalar functions.

Stages hold consecutive model chunks; ``forward`` and ``backward`` are times of one micro-batch on the slowest rank
(all its chunks), ``total`` the sum over ranks of forward + backward.

[1] Narayanan et al. 2021, "Efficient large-scale language model training on GPU clusters using Megatron-LM",
    arXiv:2104.04473, section 2.2: bubble (p - 1)(t_f + t_b) for 1F1B, divided by v when interleaved.
[2] Qi et al. 2023, "Zero bubble pipeline parallelism", arXiv:2401.10241, table 1: ZB-H1 bubble (p - 1)(t_f + t_b -
    t_w), t_b the input-gradient part and t_w the weight-gradient part of the backward pass.
[3] DeepSeek-AI 2024, "DeepSeek-V3 technical report", arXiv:2412.19437, table 2: DualPipe bubble
    (p / 2 - 1)(t_fb + t_b - 3 t_w), t_b the whole backward pass, t_fb forward and backward overlapped.
"""

from __future__ import annotations

from exaplan.perf.inputs import DUALPIPE, INTERLEAVED, ZERO_BUBBLE


def bubble_1f1b(stages: float, forward: float, backward: float, chunks: float) -> float:
    """Idle time of a rank, (p - 1)(t_f + t_b) / v. [s] Source [1]."""
    return (stages - 1.0) * (forward + backward) / chunks


def bubble_zero(stages: float, forward: float, backward: float, weight: float) -> float:
    """ZB-H1: (p - 1)(t_f + t_b - 2 t_w) with t_b the whole backward, t_w its weight part (>= 0). [s] Source [2]."""
    return (stages - 1.0) * max(0.0, forward + backward - 2.0 * weight)


def bubble_dualpipe(stages: float, forward: float, backward: float, weight: float) -> float:
    """DualPipe: (p / 2 - 1)(t_f + t_b + t_b - 3 t_w), never negative. [s] Source [3], no time won by overlap."""
    return max(0.0, stages / 2.0 - 1.0) * max(0.0, forward + 2.0 * backward - 3.0 * weight)


def fill_time(slowest: float, total: float, chunks: float) -> float:
    """Fill and drain of uneven stages: a micro-batch crosses all ranks once, (sum - slowest) / v. [s]

    Equals bubble_1f1b when the stages are equal.
    """
    return max(0.0, total - slowest) / chunks


def bubble(
    schedule: int, stages: float, forward: float, backward: float, weight: float, total: float, chunks: float
) -> float:
    """Idle time of the slowest rank for a schedule. [s]

    forward, backward, weight: of the slowest rank; total: sum over ranks; chunks: model chunks per rank. Uneven
    stages shrink or stretch the published bubble by (total - slowest) / ((p - 1) slowest).
    """
    if stages <= 1.0:
        return 0.0
    slowest = forward + backward
    if schedule == ZERO_BUBBLE or schedule == DUALPIPE:
        even = total / (stages * slowest) if slowest > 0.0 else 1.0
        if schedule == ZERO_BUBBLE:
            return even * bubble_zero(stages, forward, backward, weight)
        return even * bubble_dualpipe(stages, forward, backward, weight)
    return fill_time(slowest, total, chunks if schedule == INTERLEAVED else 1.0)


def in_flight(schedule: int, stages: float, rank: float, chunks: float, micro_batches: float) -> float:
    """Micro-batches whose activations rank ``rank`` (0 = first) holds at the peak, in whole-rank units.

    1F1B and ZB-H1: min(m, p - rank). Interleaved: min(m v, v p + p - 2 rank - 1) / v (source [1], section 2.2.1 and
    Korthikanti et al. 2022, arXiv:2205.05198, section 4.2.3: p (1 + (p - 1) / (p v)) on rank 0). DualPipe: p + 1
    (source [3]).
    """
    if schedule == DUALPIPE:
        return min(micro_batches, stages + 1.0)
    if schedule == INTERLEAVED and chunks > 1.0:
        return min(micro_batches * chunks, chunks * stages + stages - 2.0 * rank - 1.0) / chunks
    return min(micro_batches, stages - rank)
