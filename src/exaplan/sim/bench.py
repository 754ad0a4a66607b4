"""The protocol of published measurements: a closed loop of users without think time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from exaplan.errors import InputError
from exaplan.perf.kernel import compiled
from exaplan.perf.serving.inputs import Policy, StepTable
from exaplan.sim import build
from exaplan.sim import columns as at
from exaplan.sim.loop import OVER, advance
from exaplan.sim.queues import push_event, take_slot
from exaplan.sim.state import State, Whole

WITHOUT_END = 2**62


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
    cached: int = 0,
    plain: bool = False,
) -> Bench:
    """Serve ``requests`` x ``concurrency`` requests after ``warm`` x ``concurrency`` others.

    Lengths [tokens] are even over the whole numbers of [low, 1] x isl and osl. drained: the warm-ups end before the
    measured requests start all at once, as load generators do; else one loop goes on. cached [tokens of each prompt
    that the prefix cache holds].
    """
    if concurrency < 1 or isl < 1 or osl < 1:
        raise InputError(f"a benchmark of {concurrency} users, {isl:g} tokens in and {osl:g} out measures nothing")
    first = warm * concurrency
    s = build.state(policy, slots=concurrency + 1, sketches=False, batches=1, seed=seed)
    s = s._replace(rows=lengths(isl, osl, low, first + requests * concurrency, seed), thinks=np.zeros(1))
    s = s._replace(thinks=np.zeros(len(s.rows)))
    s.counts[at.ROWS] = len(s.rows)
    s.counts[at.CLOSED] = 1
    s.counts[at.WARM] = first
    s.counts[at.BATCH_SIZE] = WITHOUT_END
    if drained and first > 0:
        rounds(s, concurrency, first, table, policy, plain)
    rounds(s, concurrency, len(s.rows), table, policy, plain)
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


def rounds(s: State, users: int, limit: int, table: StepTable, policy: Policy, plain: bool) -> None:
    """Start all users and run until the limit of requests is served."""
    s.counts[at.LIMIT] = limit
    for _ in range(users):
        push_event(s, s.clocks[at.NOW] + table.host.request, at.RETURN, take_slot(s))
    run = advance if plain else compiled(advance)
    if run(s, table, policy, WITHOUT_END) != OVER:
        raise InputError("the benchmark did not end")


def means(s: State) -> Bench:
    """Means of the only batch; NaN where nothing was measured."""
    tally = s.tallies[0]
    if tally[at.COUNT] == 0.0:
        return Bench(np.nan, np.nan, 0.0, np.nan)
    ttft, latency = tally[at.SUM_TTFT] / tally[at.COUNT], tally[at.SUM_LATENCY] / tally[at.COUNT]
    tpot = tally[at.SUM_TPOT] / tally[at.SPACED] if tally[at.SPACED] > 0.0 else np.nan
    span = s.clocks[at.LAST_END] - s.clocks[at.FIRST_START]
    return Bench(float(ttft), float(tpot), float(tally[at.SUM_OUT] / span), float(latency))
