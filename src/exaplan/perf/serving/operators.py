"""Time of one operator of a served model on one chip, for the tokens of one iteration. Pure scalar functions.

A row holds what one chip does (perf/serving/inputs.py); tokens are those of its attention rank, or of all of them.
Forms are rooflines as in perf/roofline.py, with coefficients fitted on measured kernels of engines
(data/fits/serving_*.yaml).
"""

from __future__ import annotations

import math

from exaplan.perf.network import all_gather, all_reduce, expert_exchange, hierarchical_all_reduce, send_receive
from exaplan.perf.roofline import ChipRates, GemmFit, depth_done, round_up, smooth_max, tile_side, vector_time
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
    ExchangeFit,
    K,
    N,
    ReduceFit,
    Row,
    ServeHardware,
    ServeTuning,
)


def tile_rows(rows: float, tile: float) -> float:
    """Rows of a tile [elements]: up to 4 rows run as so many matrix-vector products, up to 8 in the narrow side of the
    matrix engine (m16n8k16 with operands swapped), more in steps of 16 up to ``tile``."""
    if rows <= 4.0:
        return max(1.0, math.ceil(rows))
    return min(tile, round_up(rows, 8.0 if rows <= 8.0 else 16.0))


def product_time(
    m: float,
    n: float,
    k: float,
    groups: float,
    weight: float,
    given: float,
    rates: ChipRates,
    fit: GemmFit,
    work: float,
) -> float:
    """Time [s] of y[m, n] = x[m, k] W[k, n] with weights of their own width, or of ``groups`` such products.

    m [rows in total], weight, given [B per element of W and of x; y is written in 16 bit], work: factor on the compute
    roof. As ``roofline.matmul_time``, which has one width for both inputs.
    """
    if m <= 0.0 or n <= 0.0 or k <= 0.0:
        return 0.0
    rows = m / groups
    side_m, side_n = tile_rows(rows, fit.tile_m), tile_side(n, fit.tile_n)
    tiles = groups * math.ceil(rows / side_m) * math.ceil(n / side_n)
    depth = depth_done(tiles, k, rates.processors, fit)
    compute = work * 2.0 * side_m * side_n * depth / (rates.peak * fit.peak)
    moved = weight * groups * n * k + given * m * k + 2.0 * m * n
    return fit.floor + smooth_max(compute, moved / (rates.bandwidth * fit.memory), fit.corner)


def touched(local: float, experts: float, top: float, tokens: float, skew: float) -> float:
    """Expected number of a chip's ``local`` experts that any of ``tokens`` tokens picks [count].

    Evenly picked: local (1 - (1 - top / experts)^tokens). With popularities that vary as a gamma distribution of mean 1
    and variance ``skew``: local (1 - (1 - skew tokens log(1 - top / experts))^(-1 / skew)), the negative binomial.
    """
    if top >= experts:
        return local
    draws = -tokens * math.log(1.0 - top / experts)
    if skew <= 1e-3:
        return local * (1.0 - math.exp(-draws))
    return local * (1.0 - math.pow(1.0 + skew * draws, -1.0 / skew))


def busiest(local: float, experts: float, top: float, tokens: float, skew: float) -> float:
    """Experts hit on the rank that reads most of them [count]: all ranks wait for it.

    min(local, mean + sqrt(2 ln R) sd) over R = experts / local ranks, sd = sqrt(local h (1 - h)) with h the chance that
    an expert is hit: the expected largest of R normal draws (H. A. David, Order Statistics, 1970).
    """
    mean = touched(local, experts, top, tokens, skew)
    ranks = experts / local
    if ranks <= 1.0:
        return mean
    hit = mean / local
    return min(local, mean + math.sqrt(2.0 * math.log(ranks) * local * hit * (1.0 - hit)))


def reached(rates: ChipRates, cores: float, stream: float) -> ChipRates:
    """Rates of a chip whose ``cores`` stream no more than ``stream`` [B/s] each; 0 cores: no such limit.

    Matrix-vector kernels that keep few loads in flight are bound by each core's own reach (Little's law: bytes in
    flight over latency), not by the memory, on chips with much bandwidth per core.
    """
    if cores <= 0.0:
        return rates
    return ChipRates(rates.peak, min(rates.bandwidth, cores * stream), rates.processors)


def plain_product(row: Row, tokens: float, hw: ServeHardware, tune: ServeTuning) -> float:
    """A dense product: every row of the iteration through one matrix. [s]"""
    m = tokens * row[ROWS]
    if row[LOW] > 0.0:
        rates = reached(hw.low, hw.cores, tune.stream / hw.gemm_low.memory)
        return tune.products_low * product_time(
            m, row[N], row[K], row[GROUPS], row[WEIGHT], row[INPUT], rates, hw.gemm_low, tune.compute
        )
    rates = reached(hw.high, hw.cores, tune.stream / hw.gemm.memory)
    return tune.products * product_time(
        m, row[N], row[K], row[GROUPS], row[WEIGHT], row[INPUT], rates, hw.gemm, tune.compute
    )


def grouped_product(row: Row, tokens: float, hw: ServeHardware, tune: ServeTuning) -> float:
    """Routed experts of one chip: only those that a token picked are read. [s]

    rows = tokens top / (ranks the experts are spread over) x imbalance; ``ROWS`` holds that per token.
    """
    m = tokens * row[ROWS] * (tune.imbalance if row[GROUPS] < row[EXPERTS] else 1.0)
    hit = max(min(1.0, m), busiest(row[GROUPS], row[EXPERTS], row[TOP], tokens, tune.skew))
    rates = hw.low if row[LOW] > 0.0 else hw.high
    fit = hw.grouped if row[LOW] > 0.0 else hw.gemm
    work = tune.compute * tune.packing
    time = product_time(m, row[N], row[K], hit, row[WEIGHT], row[INPUT], rates, fit, work)
    return tune.experts * time + tune.grouped


def small_all_reduce(size: float, ranks: float, link: float, fit: ReduceFit) -> float:
    """All-reduce by direct reads of every peer's buffer (one shot) or of its shard and then of the results (two). [s]

    one: base + hop (p - 1) + (p - 1) size / (link e1); two: late + late_hop (p - 1) + 2 (p - 1) / p size / (link e2).
    Engines take one shot up to a size x ranks (vLLM: 2 MiB; two shots are never quicker than the largest one shot), or
    the quicker (limit = 0).
    """
    peers = ranks - 1.0
    once = size if fit.limit <= 0.0 or ranks <= 2.0 else min(size, fit.limit / ranks)
    one = fit.base + peers * fit.hop + peers * once / (link * fit.one)
    two = fit.late + peers * fit.late_hop + 2.0 * peers / ranks * size / (link * fit.two)
    if ranks <= 2.0:
        return one
    if fit.limit > 0.0:
        return one if size * ranks < fit.limit else max(one, two)
    return min(one, two)


def reduce_time(size: float, ranks: float, outer: float, hw: ServeHardware) -> float:
    """All-reduce of ``size`` bytes over ``ranks`` chips of a domain in each of ``outer`` domains. [s]"""
    if outer > 1.0:
        return hierarchical_all_reduce(size, ranks, outer, hw.link, hw.network, hw.inner, hw.outer)
    if ranks <= 1.0 or size <= 0.0:
        return 0.0
    return min(small_all_reduce(size, ranks, hw.link, hw.small), all_reduce(size, ranks, hw.link, hw.inner))


def low_latency_time(
    tokens: float, width: float, top: float, inner: float, outer: float, link: float, network: float, fit: ExchangeFit
) -> float:
    """One way of the low-latency exchange: every copy of a token goes straight to its expert's rank. [s]

    t = base + node log2(outer) + max(inside / (link e_in), outside / (network e_out)); tokens [per rank], width [B of a
    token], top copies, inner x outer [ranks in a domain, domains]. DeepEP (github.com/deepseek-ai/DeepEP), low-latency
    kernels.
    """
    ranks = inner * outer
    if ranks <= 1.0 or tokens <= 0.0:
        return 0.0
    sent = tokens * width * top
    outside = sent * (outer - 1.0) / outer
    stream = max((sent - outside) / (link * fit.inner), outside / (network * fit.outer) if outer > 1.0 else 0.0)
    return fit.base + fit.node * math.log2(outer) + stream


def one_way(row: Row, own: float, width: float, hw: ServeHardware) -> float:
    """Dispatch or combine for ``own`` tokens of a rank, by the quicker of both kernels. [s]"""
    inner, outer = row[RANKS], row[OUTER]
    usual = expert_exchange(own, width, row[TOP], inner, outer, 0.0, hw.link, hw.network, hw.experts)
    return min(usual, low_latency_time(own, width, row[TOP], inner, outer, hw.link, hw.network, hw.quick))


def exchange_time(row: Row, tokens: float, hw: ServeHardware) -> float:
    """Tokens of every attention rank to their experts and back: dispatch and combine, or all to all ranks. [s]

    tokens: of all attention ranks; INPUT [B per element sent], N width, TOP copies (0: experts are not spread, every
    rank needs every token), RANKS x OUTER ranks of the experts. Gathering all tokens on all ranks and reducing the
    results (all-gather, reduce-scatter) is taken inside a domain where it is quicker.
    """
    ranks = row[RANKS] * row[OUTER]
    own = tokens / row[GROUPS]
    gathered = reduce_time(2.0 * row[N] * tokens, row[RANKS], row[OUTER], hw)
    if row[TOP] <= 0.0 or ranks <= 1.0:
        return gathered
    sent = one_way(row, own, row[INPUT] * row[N], hw) + one_way(row, own, 2.0 * row[N], hw)
    return sent if row[OUTER] > 1.0 else min(sent, gathered)


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
