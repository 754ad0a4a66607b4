"""Time of one operator of a served model on one chip, for the tokens of one iteration. Pure scalar functions.

A row holds what one chip does (perf/serving/inputs.py); tokens are those of its attention rank, or of all of them.
"""

from __future__ import annotations

import math

from exaplan.perf.network import all_gather, all_reduce, expert_exchange, hierarchical_all_reduce, send_receive
from exaplan.perf.roofline import ChipRates, GemmFit, depth_done, smooth_max, tile_side, vector_time
from exaplan.perf.serving.inputs import (
    EXCHANGE,
    EXPERTS,
    GATHER,
    GROUPED,
    GROUPS,
    INPUT,
    KIND,
    LOW,
    MOVED,
    OUTER,
    PASS,
    PRODUCT,
    RANKS,
    REDUCE,
    ROWS,
    SEND,
    TOP,
    WEIGHT,
    K,
    N,
    ReduceFit,
    Row,
    ServeHardware,
    ServeTuning,
)


def product_time(
    m: float,
    n: float,
    k: float,
    groups: float,
    weight: float,
    given: float,
    rates: ChipRates,
    fit: GemmFit,
    read: float,
    work: float,
) -> float:
    """Time [s] of y[m, n] = x[m, k] W[k, n] with weights of their own width, or of ``groups`` such products.

    m [rows in total], weight, given [B per element of W and of x; y is written in 16 bit], read, work: factors on the
    memory and the compute roof. As ``roofline.matmul_time``, which has one width for both inputs.
    """
    if m <= 0.0 or n <= 0.0 or k <= 0.0:
        return 0.0
    rows = m / groups
    side_m, side_n = tile_side(rows, fit.tile_m), tile_side(n, fit.tile_n)
    tiles = groups * math.ceil(rows / side_m) * math.ceil(n / side_n)
    depth = depth_done(tiles, k, rates.processors, fit)
    compute = work * 2.0 * side_m * side_n * depth / (rates.peak * fit.peak)
    moved = weight * groups * n * k + given * m * k + 2.0 * m * n
    return fit.floor + smooth_max(compute, read * moved / (rates.bandwidth * fit.memory), fit.corner)


def touched(local: float, experts: float, top: float, tokens: float) -> float:
    """Expected number of a chip's ``local`` experts that any of ``tokens`` tokens picks [count].

    Every token picks ``top`` different ones of all ``experts``, evenly: local (1 - (1 - top / experts)^tokens).
    """
    return local * (1.0 - math.pow(max(0.0, 1.0 - top / experts), tokens))


def plain_product(row: Row, tokens: float, hw: ServeHardware, tune: ServeTuning) -> float:
    """A dense product: every row of the iteration through one matrix. [s]"""
    m = tokens * row[ROWS]
    if row[LOW] > 0.0:
        read = tune.products_low
        work = read * tune.compute
        return product_time(m, row[N], row[K], row[GROUPS], row[WEIGHT], row[INPUT], hw.low, hw.gemm_low, read, work)
    read = tune.products
    work = read * tune.compute
    return product_time(m, row[N], row[K], row[GROUPS], row[WEIGHT], row[INPUT], hw.high, hw.gemm, read, work)


def grouped_product(row: Row, tokens: float, hw: ServeHardware, tune: ServeTuning) -> float:
    """Routed experts of one chip: only those that a token picked are read. [s]

    rows = tokens top / (ranks the experts are spread over) x imbalance; ``ROWS`` holds that per token.
    """
    m = tokens * row[ROWS] * (tune.imbalance if row[GROUPS] < row[EXPERTS] else 1.0)
    hit = max(min(1.0, m), touched(row[GROUPS], row[EXPERTS], row[TOP], tokens))
    rates = hw.low if row[LOW] > 0.0 else hw.high
    work = tune.experts * tune.compute
    return product_time(m, row[N], row[K], hit, row[WEIGHT], row[INPUT], rates, hw.grouped, tune.experts, work)


def small_all_reduce(size: float, ranks: float, link: float, fit: ReduceFit) -> float:
    """All-reduce by direct reads of every peer's buffer (one shot) or of its shard (two shots), the quicker. [s]

    one shot: base + (p - 1) (hop + size / (link e)); two shots: 2 base' and 2 (p - 1) / p size.
    """
    rate = link * fit.shot
    one = fit.base + (ranks - 1.0) * fit.hop + (ranks - 1.0) * size / rate
    two = 1.5 * fit.base + (ranks - 1.0) * fit.hop + 2.0 * (ranks - 1.0) / ranks * size / rate
    return min(one, two)


def reduce_time(size: float, ranks: float, outer: float, hw: ServeHardware) -> float:
    """All-reduce of ``size`` bytes over ``ranks`` chips of a domain in each of ``outer`` domains. [s]"""
    if outer > 1.0:
        return hierarchical_all_reduce(size, ranks, outer, hw.link, hw.network, hw.inner, hw.outer)
    if ranks <= 1.0 or size <= 0.0:
        return 0.0
    return min(small_all_reduce(size, ranks, hw.link, hw.small), all_reduce(size, ranks, hw.link, hw.inner))


def exchange_time(row: Row, tokens: float, hw: ServeHardware) -> float:
    """Tokens of every attention rank to their experts and back: dispatch and combine. [s]

    tokens: of all attention ranks; INPUT [B per element sent], N width, TOP, RANKS x OUTER ranks of the experts.
    """
    ranks = row[RANKS] * row[OUTER]
    own = tokens / row[GROUPS]
    there = expert_exchange(
        own, row[INPUT] * row[N], row[TOP], row[RANKS], row[OUTER], 0.0, hw.link, hw.network, hw.experts
    )
    back = expert_exchange(own, 2.0 * row[N], row[TOP], row[RANKS], row[OUTER], 0.0, hw.link, hw.network, hw.experts)
    if row[OUTER] > 1.0:
        return there + back
    gathered = 2.0 * all_gather(own * ranks * 2.0 * row[N], ranks, hw.link, hw.inner)
    return min(there + back, gathered)


def send_time(size: float, outer: float, hw: ServeHardware) -> float:
    """Activations to the next pipeline stage, over the network where stages lie in other nodes. [s]"""
    return send_receive(size, hw.network, hw.outer) if outer > 1.0 else send_receive(size, hw.link, hw.inner)


def operator_time(row: Row, tokens: float, hw: ServeHardware, tune: ServeTuning) -> float:
    """One operator once, for ``tokens`` tokens [of this rank, or of all where SIDE says so]. [s]"""
    kind = row[KIND]
    if tokens <= 0.0:
        return 0.0
    if kind == PRODUCT:
        return plain_product(row, tokens, hw, tune)
    if kind == GROUPED:
        return grouped_product(row, tokens, hw, tune)
    if kind == PASS:
        return tune.vector * vector_time(row[MOVED] * tokens, hw.high, hw.vector)
    if kind == REDUCE:
        return tune.collective * reduce_time(row[MOVED] * tokens, row[RANKS], row[OUTER], hw)
    if kind == GATHER:
        return tune.collective * all_gather(row[MOVED] * tokens, row[RANKS], hw.link, hw.inner)
    if kind == EXCHANGE:
        return tune.exchange * exchange_time(row, tokens, hw)
    if kind == SEND:
        return send_time(row[MOVED] * tokens, row[OUTER], hw)
    return tune.vector * (row[K] * tokens / hw.high.peak + vector_time(row[MOVED] * tokens, hw.high, hw.vector))
