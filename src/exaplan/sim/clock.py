"""Time: integrals of what is in the system, and their course in bins."""

from __future__ import annotations

from exaplan.sim.columns import (
    ACTIVE,
    AREA_ACTIVE,
    AREA_INSIDE,
    AREA_RUNNING,
    AREA_USED,
    AREA_WAITING,
    AREA_WORKING,
    B_ACTIVE,
    B_FINISHED,
    B_IN,
    B_INSIDE,
    B_ISSUED,
    B_ITERATIONS,
    B_OUT,
    B_RUNNING,
    B_STEPS,
    B_TIME,
    B_USED,
    B_WAITING,
    B_WORKING,
    BIN,
    BIN_COLUMNS,
    BIN_END,
    BIN_WIDTH,
    BINS,
    FINISHED,
    INSIDE,
    ISSUED,
    ITERATIONS,
    NOW,
    RUNNING,
    SERIES_AT,
    STEPS,
    TOKENS_IN,
    TOKENS_OUT,
    USED,
    WORKING,
)
from exaplan.sim.state import State


def pass_time(s: State, time: float) -> None:
    """Add a span in which nothing changes to the integrals."""
    span = time - s.real[NOW]
    inside, running = s.whole[INSIDE], s.whole[RUNNING]
    s.real[AREA_INSIDE] += inside * span
    s.real[AREA_WAITING] += (inside - running) * span
    s.real[AREA_RUNNING] += running * span
    s.real[AREA_USED] += s.whole[USED] * span
    s.real[AREA_WORKING] += s.whole[WORKING] * span
    s.real[AREA_ACTIVE] += s.whole[ACTIVE] * span
    s.real[NOW] = time


def tick(s: State, now: float) -> None:
    """Bring the clock up to ``now``, closing the bins that end before."""
    while s.real[BIN_END] <= now:
        pass_time(s, s.real[BIN_END])
        close_bin(s)
    pass_time(s, now)


def close_bin(s: State) -> None:
    """Write integrals and counters down; when the bins are full, every second one is dropped and they widen."""
    snapshot(s, s.whole[BIN])
    s.whole[BIN] += 1
    if s.whole[BIN] == s.whole[BINS]:
        half = s.whole[BINS] // 2
        base = s.whole[SERIES_AT]
        for place in range(half):
            for column in range(BIN_COLUMNS):
                s.real[base + place * BIN_COLUMNS + column] = s.real[base + (2 * place + 1) * BIN_COLUMNS + column]
        s.whole[BIN] = half
        s.real[BIN_WIDTH] *= 2.0
    s.real[BIN_END] += s.real[BIN_WIDTH]


def snapshot(s: State, place: int) -> None:
    """Integrals and counters as they are now."""
    row = s.whole[SERIES_AT] + place * BIN_COLUMNS
    s.real[row + B_TIME] = s.real[NOW]
    s.real[row + B_INSIDE] = s.real[AREA_INSIDE]
    s.real[row + B_WAITING] = s.real[AREA_WAITING]
    s.real[row + B_RUNNING] = s.real[AREA_RUNNING]
    s.real[row + B_USED] = s.real[AREA_USED]
    s.real[row + B_WORKING] = s.real[AREA_WORKING]
    s.real[row + B_ACTIVE] = s.real[AREA_ACTIVE]
    s.real[row + B_OUT] = s.whole[TOKENS_OUT]
    s.real[row + B_IN] = s.whole[TOKENS_IN]
    s.real[row + B_FINISHED] = s.whole[FINISHED]
    s.real[row + B_ISSUED] = s.whole[ISSUED]
    s.real[row + B_ITERATIONS] = s.whole[ITERATIONS]
    s.real[row + B_STEPS] = s.whole[STEPS]
