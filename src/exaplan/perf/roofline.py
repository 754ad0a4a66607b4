"""Time of one kernel on one chip: matrix products, attention, and memory-bound passes.

Every function is a pure scalar formula: floats (and named tuples of floats) in, seconds out, ``math`` only, no
loops over tiles, so that the same source runs as plain Python and inside a compiled loop. Coefficients come from
``data/fits`` (see ``tools/fit``). Sizes are counts of elements, bytes are bytes, rates are per second.

The form is the roofline of Williams, Waterman and Patterson, "Roofline: an insightful visual performance model",
CACM 52(4), 2009, doi:10.1145/1498765.1498785, with two corrections for shape: tiles and waves are whole (NVIDIA,
"Matrix Multiplication Background User's Guide", docs.nvidia.com/deeplearning/performance), and the two roofs join
smoothly instead of with a corner.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class ChipRates(NamedTuple):
    """What the roofs are made of.

    peak [FLOP/s, dense, of the number format in use], bandwidth [B/s of main memory], processors [SMs, compute
    units or cores that tiles are dealt to; 0 = unknown, wave quantisation is then left out].
    """

    peak: float
    bandwidth: float
    processors: float


class GemmFit(NamedTuple):
    """Efficiency curve of matrix products, one per (architecture, number format).

    peak [fraction of the dense peak reached by large products], ramp [elements of k that starting and ending a tile
    costs], memory [fraction of bandwidth], wave [0-1, share of the last wave's idle time that is paid], corner
    [exponent of the smooth maximum], floor [s, shortest kernel], split [shortest piece of k where tiles do not fill the
    chip], tile_m, tile_n [elements], spread [relative standard deviation of measured around this].
    """

    peak: float
    ramp: float
    memory: float
    wave: float
    corner: float
    floor: float
    split: float
    tile_m: float
    tile_n: float
    spread: float


class AttentionFit(NamedTuple):
    """Efficiency curve of fused (flash) attention, one per architecture.

    peak [fraction of the dense peak for long sequences at head size 128], size [elements: the head size at which half
    of the asymptote is reached], ramp [keys per query at which half of it is reached], memory [fraction of bandwidth],
    corner [exponent of the smooth maximum], floor [s], tile [queries per block], tail [blocks per processor lost while
    the last ones finish], backward [backward efficiency as a fraction of forward], spread [relative std dev].
    """

    peak: float
    size: float
    ramp: float
    memory: float
    corner: float
    floor: float
    tile: float
    tail: float
    backward: float
    spread: float


class VectorFit(NamedTuple):
    """Efficiency of memory-bound passes, one per architecture.

    memory [fraction of bandwidth for large arrays], ramp [s: time added by launch and tail, in which bandwidth is not
    used], floor [s, shortest kernel], spread [relative standard deviation].
    """

    memory: float
    ramp: float
    floor: float
    spread: float


def smooth_max(a: float, b: float, power: float) -> float:
    """(a^p + b^p)^(1/p): the larger of two times, with the corner where both count rounded off; p [-] >= 1."""
    high, low = max(a, b), min(a, b)
    if high <= 0.0:
        return 0.0
    return high * float((1.0 + (low / high) ** power) ** (1.0 / power))


def round_up(value: float, step: float) -> float:
    """The smallest multiple of ``step`` that is not less than ``value`` [elements]."""
    return math.ceil(value / step) * step


def tile_side(size: float, tile: float) -> float:
    """Side of a tile [elements] for ``size`` elements: ``tile``, or the size in steps of 16 where that is smaller."""
    return min(tile, round_up(max(size, 1.0), 16.0))


def wave_loss(tiles: float, processors: float, wave: float) -> float:
    """Time with whole waves over time with perfectly shared work, 1 <= loss; tiles >= processors [count].

    loss = 1 + wave (ceil(w) / w - 1), w = tiles / processors. ``wave`` = 1 pays the whole tail of the last wave,
    0 none (persistent kernels and a second tile shape hide a part of it).
    """
    waves = tiles / processors
    return 1.0 + wave * (math.ceil(waves) / waves - 1.0)


def depth_done(tiles: float, k: float, processors: float, fit: GemmFit) -> float:
    """Elements of k that all processors walk through together [tiles x elements], for ``tiles`` of depth k.

    Enough tiles: tiles (k + ramp), and the tail of the last wave. Fewer tiles than processors: tiles are split along
    k, but no processor is done before one piece, processors min(k, split). Never falls as tiles or k grow.
    """
    whole = tiles * (k + fit.ramp)
    if processors <= 0.0:
        return whole
    if tiles >= processors:
        return whole * wave_loss(tiles, processors, fit.wave)
    return max(whole, processors * min(k, fit.split))


def matmul_bytes(m: float, n: float, k: float, groups: float, in_bytes: float, out_bytes: float) -> float:
    """Bytes that a product must move: both inputs read once, the output written once [B]; weights of every group."""
    return in_bytes * (m * k + groups * n * k) + out_bytes * m * n


def matmul_time(
    m: float, n: float, k: float, groups: float, in_bytes: float, out_bytes: float, rates: ChipRates, fit: GemmFit
) -> float:
    """Time [s] of y[m, n] = x[m, k] W[k, n], or of ``groups`` such products that share the m rows evenly.

    m [rows in total over all groups], n, k [elements], groups [count, 1 = an ordinary product], in_bytes, out_bytes
    [B per element of inputs and of the output].

    t = floor + smooth_max(compute, memory)
    compute = 2 tile_m tile_n depth_done(tiles, k) / (peak e),  tiles whole in m and n, of every group
    memory  = bytes / (bandwidth e_memory)
    """
    if m <= 0.0 or n <= 0.0 or k <= 0.0:
        return 0.0
    rows = m / groups
    side_m, side_n = tile_side(rows, fit.tile_m), tile_side(n, fit.tile_n)
    across, down = math.ceil(rows / side_m), math.ceil(n / side_n)
    depth = depth_done(groups * across * down, k, rates.processors, fit)
    compute = 2.0 * side_m * side_n * depth / (rates.peak * fit.peak)
    memory = matmul_bytes(m, n, k, groups, in_bytes, out_bytes) / (rates.bandwidth * fit.memory)
    return fit.floor + smooth_max(compute, memory, fit.corner)


def attended_keys(seq_q: float, seq_kv: float, window: float, causal: bool, tile: float) -> float:
    """Mean keys per query that a blocked kernel works on [tokens], the waste of half-masked blocks included.

    The queries are the last ``seq_q`` of ``seq_kv`` positions. Causal: (seq_kv - seq_q) + seq_q / 2, and half a
    ``tile`` more, because the block on the diagonal is computed whole. window > 0: at most window + tile keys.
    """
    keys = seq_kv
    if causal:
        keys = min(seq_kv, seq_kv - 0.5 * seq_q + 0.5 * tile)
        if window > 0.0:
            early = min(window, seq_q) / seq_q if seq_q >= seq_kv else 0.0
            keys = min(keys, window * (1.0 - 0.5 * early) + tile)
    elif window > 0.0:
        keys = min(seq_kv, window + tile)
    return keys


def attention_flops(batch: float, seq_q: float, keys: float, heads: float, qk_dim: float, v_dim: float) -> float:
    """FLOPs [2 x MAC] of the two products of attention: 2 batch heads seq_q keys (qk_dim + v_dim)."""
    return 2.0 * batch * heads * seq_q * keys * (qk_dim + v_dim)


def attention_bytes(
    batch: float, seq_q: float, seq_kv: float, heads: float, kv_heads: float, qk_dim: float, v_dim: float
) -> float:
    """Bytes [B, 16-bit elements] of q, k, v read once and the output written once."""
    return 2.0 * batch * (seq_q * heads + seq_kv * kv_heads) * (qk_dim + v_dim)


def attention_roofs(
    batch: float,
    seq_q: float,
    seq_kv: float,
    heads: float,
    kv_heads: float,
    qk_dim: float,
    v_dim: float,
    window: float,
    causal: bool,
    rates: ChipRates,
    fit: AttentionFit,
    work: float,
    traffic: float,
) -> float:
    """Time [s] of ``work`` times the FLOPs and ``traffic`` times the bytes of forward attention."""
    keys = attended_keys(seq_q, seq_kv, window, causal, fit.tile)
    dim = 0.5 * (qk_dim + v_dim)
    rate = rates.peak * fit.peak * (128.0 + fit.size) / 128.0 * dim / (dim + fit.size) * keys / (keys + fit.ramp)
    blocks = batch * heads * max(1.0, seq_q / fit.tile)
    idle = max(1.0 + fit.tail * rates.processors / blocks, rates.processors / blocks)
    compute = work * attention_flops(batch, seq_q, keys, heads, qk_dim, v_dim) / rate * idle
    moved = traffic * attention_bytes(batch, seq_q, seq_kv, heads, kv_heads, qk_dim, v_dim)
    return fit.floor + smooth_max(compute, moved / (rates.bandwidth * fit.memory), fit.corner)


def attention_time(
    batch: float,
    seq_q: float,
    seq_kv: float,
    heads: float,
    kv_heads: float,
    qk_dim: float,
    v_dim: float,
    window: float,
    causal: bool,
    rates: ChipRates,
    fit: AttentionFit,
) -> float:
    """Forward time [s] of fused (flash) attention over a prompt; softmax runs inside the kernel.

    batch [sequences], seq_q, seq_kv [tokens; queries are the last seq_q positions], heads, kv_heads [count],
    qk_dim, v_dim [elements per head], window [tokens, 0 = all], causal (blocks above the diagonal are skipped);
    rates.peak is that of 16-bit products.

    t = floor + smooth_max(FLOPs(keys) / (peak e(dim) keys / (keys + ramp)) idle, bytes / (bandwidth e_memory))
    e(dim) = e_128 (1 + size / 128) dim / (dim + size),  dim = (qk_dim + v_dim) / 2
    idle = 1 + tail processors / blocks, blocks = batch heads max(1, seq_q / tile)
    Form: T. Dao, "FlashAttention-2", arXiv:2307.08691.
    """
    if batch <= 0.0 or seq_q <= 0.0 or heads <= 0.0:
        return 0.0
    return attention_roofs(batch, seq_q, seq_kv, heads, kv_heads, qk_dim, v_dim, window, causal, rates, fit, 1.0, 1.0)


def attention_backward_time(
    batch: float,
    seq_q: float,
    seq_kv: float,
    heads: float,
    kv_heads: float,
    qk_dim: float,
    v_dim: float,
    window: float,
    causal: bool,
    rates: ChipRates,
    fit: AttentionFit,
) -> float:
    """Backward time [s] of fused attention: 2.5 x the forward FLOPs (five products for two) at a lower efficiency.

    Arguments as in ``attention_time``. The forward curve is divided by ``fit.backward`` (published backward over
    forward FLOP/s); q, k, v, o, do are read and dq, dk, dv written: about 2.5 x the forward bytes.
    """
    if batch <= 0.0 or seq_q <= 0.0 or heads <= 0.0:
        return 0.0
    work = 2.5 / fit.backward
    return attention_roofs(batch, seq_q, seq_kv, heads, kv_heads, qk_dim, v_dim, window, causal, rates, fit, work, 2.5)


def vector_time(moved: float, rates: ChipRates, fit: VectorFit) -> float:
    """Time [s] of a memory-bound pass over ``moved`` bytes (reads + writes): max(floor, ramp + bytes / (bw e))."""
    if moved <= 0.0:
        return 0.0
    return max(fit.floor, fit.ramp + moved / (rates.bandwidth * fit.memory))


def unfused_attention_time(
    batch: float,
    seq_q: float,
    seq_kv: float,
    heads: float,
    qk_dim: float,
    v_dim: float,
    passes: float,
    products: float,
    rates: ChipRates,
    gemm: GemmFit,
    vector: VectorFit,
) -> float:
    """Time [s] of attention that stores its s x s matrix: batched products, and passes over the matrix.

    passes [s x s elements read or written by scale, mask, softmax and dropout, per element; 16-bit: forward about
    8 unfused, 4 with a fused scale-mask-softmax; backward about the same], products [1 forward: QK' and PV; 2
    backward: two products for each]. No causal skipping. V. Korthikanti et al., arXiv:2205.05198, section 4.1 lists the
    stored tensors: softmax output 2 a s^2 b, dropout mask a s^2 b, dropout output 2 a s^2 b bytes.
    """
    pairs = batch * heads
    if pairs <= 0.0 or seq_q <= 0.0:
        return 0.0
    scores = matmul_time(pairs * seq_q, seq_kv, qk_dim, pairs, 2.0, 2.0, rates, gemm)
    values = matmul_time(pairs * seq_q, v_dim, seq_kv, pairs, 2.0, 2.0, rates, gemm)
    return products * (scores + values) + vector_time(2.0 * passes * pairs * seq_q * seq_kv, rates, vector)
