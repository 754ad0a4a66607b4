"""Average electrical power of a chip that serves, from what an iteration's time is spent in. Pure scalar functions.

P = TDP (c_waiting t_waiting + c_traffic t_traffic + c_busy t_busy + c_experts t_experts + c_low t_low + c_compute
t_peak + c_memory t_bus) / t, within [idle, 1] TDP. t_busy: what is left of the iteration t once the chip has waited for
the host and for other chips, t_experts, t_low of it in grouped products, and in those of scaled formats; t_peak: what
its FLOPs take at the peak of their format, t_bus: what its bytes take at the full bandwidth of the memory. The last two
are the energy of work done, the others that of time passed: an energy roofline (J. Choi et al. 2013, "A roofline model
of energy", doi:10.1109/IPDPS.2013.77). The coefficients stand in data/fits/serving_power.yaml with their rows.
"""

from __future__ import annotations

from typing import NamedTuple

from exaplan.perf.serving.attention import (
    CACHE,
    COUNT,
    HEADS,
    INDEX,
    KEY,
    P_HEADS,
    P_KEY,
    P_TILE,
    P_VALUE,
    STATE,
    TOP,
    VALUE,
    WIDTH,
    WINDOW,
    prompt_keys,
    seen,
)
from exaplan.perf.serving.inputs import (
    EXPERTS,
    GROUPED,
    GROUPS,
    INPUT,
    KIND,
    LOW,
    MOVED,
    PASS,
    PRODUCT,
    ROWS,
    SCAN,
    WEIGHT,
    K,
    N,
    Row,
    ServeHardware,
)
from exaplan.perf.serving.inputs import TOP as TOP_EXPERTS
from exaplan.perf.serving.operators import busiest, touched


class ServingPower(NamedTuple):
    """Shares of the TDP drawn [1]: at rest; while waiting for the host with a job loaded; while other chips are
    awaited; while kernels run; and on top of that by FLOPs at the peak, by bytes at full bandwidth, in grouped products
    of routed experts (whole tiles of few rows), and again in those whose weights have scales."""

    idle: float
    waiting: float
    traffic: float
    busy: float
    compute: float
    memory: float
    experts: float
    low: float


class Spent(NamedTuple):
    """What an iteration of one chip is spent in. [s]

    total; waiting: for the host; traffic: exposed traffic, and waiting for the busiest chip; compute: what its FLOPs
    take at the peak of their format; memory: what its bytes take at full bandwidth; experts: in grouped products, low:
    in those below 16 bit.
    """

    total: float
    waiting: float
    traffic: float
    compute: float
    memory: float
    experts: float = 0.0
    low: float = 0.0


def energy_drawn(spent: Spent, fit: ServingPower) -> float:
    """Energy of an iteration over the TDP, unbounded. [s] Plain arithmetic: arrays of iterations will do, too."""
    busy = spent.total - spent.waiting - spent.traffic
    time = spent.waiting * fit.waiting + spent.traffic * fit.traffic + busy * fit.busy
    return (
        time
        + spent.compute * fit.compute
        + spent.memory * fit.memory
        + spent.experts * fit.experts
        + spent.low * fit.low
    )


def share_drawn(spent: Spent, fit: ServingPower) -> float:
    """Average power over the TDP. [1]"""
    if spent.total <= 0.0:
        return fit.idle
    return min(1.0, max(fit.idle, energy_drawn(spent, fit) / spent.total))


def serving_power(tdp: float, spent: Spent, fit: ServingPower, used: float = 1.0) -> float:
    """Average power of a chip [W] that runs such iterations the share ``used`` of the time and rests otherwise.

    Between iterations the engine is loaded and waits: it draws what waiting draws.
    """
    return tdp * (used * share_drawn(spent, fit) + (1.0 - used) * max(fit.idle, fit.waiting))


def product_work(m: float, n: float, k: float, groups: float, weight: float, given: float) -> tuple[float, float]:
    """(FLOPs, bytes) of ``operators.product_time``."""
    return 2.0 * m * n * k, weight * groups * n * k + given * m * k + 2.0 * m * n


def operator_work(row: Row, tokens: float, hw: ServeHardware, skew: float = 0.0) -> tuple[float, float]:
    """(compute, memory) of one operator once, for ``tokens`` tokens: seconds at the peak and at full bandwidth. [s]

    skew: of the popularity of experts (``operators.touched``).
    """
    if tokens <= 0.0:
        return 0.0, 0.0
    kind, low = row[KIND], row[LOW] > 0.0
    rates = hw.low if low else hw.high
    flops, moved = 0.0, 0.0
    if kind == PRODUCT:
        flops, moved = product_work(tokens * row[ROWS], row[N], row[K], row[GROUPS], row[WEIGHT], row[INPUT])
    elif kind == GROUPED:
        m = tokens * row[ROWS]
        hit = max(min(1.0, m), touched(row[GROUPS], row[EXPERTS], row[TOP_EXPERTS], tokens, skew))
        flops, moved = product_work(m, row[N], row[K], hit, row[WEIGHT], row[INPUT])
    elif kind == PASS:
        moved = row[MOVED] * tokens
    elif kind == SCAN:
        flops, moved = row[K] * tokens, row[MOVED] * tokens
    return flops / rates.peak, moved / rates.bandwidth


def lagging(row: Row, tokens: float, skew: float) -> float:
    """Share of the time of a chip's grouped products that it waits for the chip with the most experts hit [1].

    1 - mean / most, both of ``operators``: what an iteration takes is that of the busiest chip.
    """
    mean = touched(row[GROUPS], row[EXPERTS], row[TOP_EXPERTS], tokens, skew)
    most = busiest(row[GROUPS], row[EXPERTS], row[TOP_EXPERTS], tokens, skew)
    return 1.0 - mean / most if most > 0.0 else 0.0


def decode_work(row: Row, seqs: float, context: float) -> tuple[float, float]:
    """(FLOPs, bytes) of all layers of a kind of attention for ``seqs`` sequences of ``context`` tokens each."""
    keys = seen(context, row[WINDOW], row[TOP])
    moved = seqs * (keys * row[CACHE] + row[STATE] + context * row[INDEX])
    flops = 2.0 * row[WIDTH] * seqs * keys * row[HEADS] * (row[KEY] + row[VALUE])
    return row[COUNT] * flops, row[COUNT] * moved


def prompt_work(row: Row, chunk: float, past: float) -> tuple[float, float]:
    """(FLOPs, bytes) of all layers of a kind of attention for a chunk of a prompt behind ``past`` cached tokens."""
    if chunk <= 0.0 or row[P_HEADS] <= 0.0:
        return 0.0, 0.0
    keys = prompt_keys(chunk, past, row[WINDOW], row[TOP], row[P_TILE])
    width = row[P_HEADS] * (row[P_KEY] + row[P_VALUE])
    return row[COUNT] * 2.0 * chunk * keys * width, row[COUNT] * (2.0 * chunk * width + past * row[CACHE])
