"""The protocol of published measurements: a closed loop of users without think time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from exaplan.errors import InputError
from exaplan.perf.serving.inputs import Policy, StepTable
from exaplan.sim import build
from exaplan.sim import columns as at
from exaplan.sim.drive import Kernel
from exaplan.sim.loop import OVER
from exaplan.sim.nouns import WITHOUT_END, Chunk, Fleet, Pool
from exaplan.sim.queues import push_event, take_slot
from exaplan.sim.requests import new_session
from exaplan.sim.state import State, Whole


class Bench(NamedTuple):
    """Means over the measured requests [s], and their output tokens per second from first start to last end."""

    ttft: float
    tpot: float
    throughput: float
    latency: float


def bench(
    table: StepTable,
    policy: Policy,
    isl: float,
    osl: float,
    concurrency: int,
    seed: int = 0,
    *,
    requests: int = 10,
    warm: int = 2,
    low: float = 0.8,
    drained: bool = True,
    plain: bool = False,
) -> Bench:
    """Serve ``requests`` x ``concurrency`` requests after ``warm`` x ``concurrency`` others.

    Lengths [tokens] are even over the whole numbers of [low, 1] x isl and osl. drained: the warm-ups end before the
    measured requests start all at once, as load generators do; else one loop goes on.
    """
    if concurrency < 1 or isl < 1 or osl < 1:
        raise InputError(f"a benchmark of {concurrency} users, {isl:g} tokens in and {osl:g} out measures nothing")
    first = warm * concurrency
    kernel = Kernel(Fleet(Pool(table, policy)), plain)
    s = build.state([policy], [at.MAIN], slots=concurrency + 1, buckets=0, bins=2, batches=1, seed=seed)
    rows = lengths(isl, osl, low, first + requests * concurrency, seed)
    s = build.with_chunk(s, Chunk(rows, np.zeros(len(rows)), np.zeros(0)))
    s.whole[at.CLOSED], s.whole[at.WARM], s.whole[at.BATCH_SIZE] = 1, first, WITHOUT_END
    s.real[at.LATE] = table.host.request
    if drained and first > 0:
        serve(s, concurrency, first, kernel)
    serve(s, concurrency, len(rows), kernel)
    return means(s)


def lengths(isl: float, osl: float, low: float, count: int, seed: int) -> Whole:
    """Rows of requests: whole numbers, even over [low, 1] of the nominal lengths."""
    chance = np.random.default_rng(seed)
    rows = np.empty((count, 3), np.int64)
    for column, nominal in ((at.ROW_PROMPT, isl), (at.ROW_OUTPUT, osl)):
        top = max(1, round(nominal))
        rows[:, column] = chance.integers(max(1, round(low * nominal)), top + 1, count)
    rows[:, at.ROW_KEY] = at.NONE
    return rows


def serve(s: State, users: int, limit: int, kernel: Kernel) -> None:
    """Start all users and run until the limit of requests is served."""
    s.whole[at.LIMIT] = limit
    for _ in range(users):
        slot = take_slot(s)
        new_session(s, slot)
        push_event(s, s.real[at.NOW] + s.real[at.LATE], at.RETURN, slot)
    while kernel.slice(s) != OVER:
        continue


def means(s: State) -> Bench:
    """Means of the only batch; NaN where nothing was measured."""
    tally = s.real[s.whole[at.TALLIES_AT] :]
    if tally[at.COUNT] == 0.0:
        return Bench(np.nan, np.nan, 0.0, np.nan)
    ttft, latency = tally[at.SUM_TTFT] / tally[at.COUNT], tally[at.SUM_LATENCY] / tally[at.COUNT]
    tpot = tally[at.SUM_TPOT] / tally[at.SPACED] if tally[at.SPACED] > 0.0 else np.nan
    span = s.real[at.LAST_END] - s.real[at.FIRST_START]
    return Bench(float(ttft), float(tpot), float(tally[at.SUM_OUT] / span), float(latency))
