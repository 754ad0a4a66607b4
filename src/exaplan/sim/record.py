"""What is kept of a request that ended: sums and sketches of its times, batch by batch.

Memory is bounded: a sketch counts values in buckets that are 1% wide, and when all batches are full, neighbours are
joined, so that any number of requests ends in some dozens of batches of equal size.
"""

from __future__ import annotations

import math

from exaplan.sim.columns import (
    ADMITTED,
    ARRIVED,
    BATCH,
    BATCH_SIZE,
    COUNT,
    FIRST,
    FIRST_START,
    GOOD,
    LAST_END,
    LATENCY,
    NOW,
    NUMBER,
    OUTPUT,
    PROMPT,
    QUEUE,
    QUEUED,
    SKETCHES,
    SPACED,
    SUM_IN,
    SUM_LATENCY,
    SUM_OUT,
    SUM_QUEUE,
    SUM_TPOT,
    SUM_TTFT,
    TALLY_COLUMNS,
    TPOT,
    TTFT,
    UNTIL,
    WARM,
)
from exaplan.sim.state import State

LEAST = 1e-6  # values below it share a bucket [s]
STEPS_PER_E = 100.0  # buckets per factor e: each is 1% wide, so that its middle is off by 0.5% at most


def bucket(value: float, buckets: int) -> int:
    """Bucket of a value: equal steps of its logarithm, from LEAST on."""
    if value <= LEAST:
        return 0
    return min(buckets - 1, 1 + int(STEPS_PER_E * math.log(value / LEAST)))


def sketch(s: State, batch: int, kind: int, value: float) -> None:
    """Count a value in a sketch."""
    buckets = s.sketches.shape[2]
    if buckets > 0:
        s.sketches[batch, kind, bucket(value, buckets)] += 1


def record(s: State, slot: int) -> None:
    """Book a request that has ended now, unless it belongs to the warm-up."""
    if s.slots[slot, NUMBER] < s.counts[WARM]:
        return
    now, arrived, output = s.clocks[NOW], s.times[slot, ARRIVED], s.slots[slot, OUTPUT]
    ttft, latency = s.times[slot, FIRST] - arrived, now - arrived
    queue = s.times[slot, ADMITTED] - s.times[slot, QUEUED]
    batch = s.counts[BATCH]
    row = s.tallies[batch]
    tpot = 0.0
    if output > 1:
        tpot = (now - s.times[slot, FIRST]) / (output - 1)
        row[SPACED] += 1.0
        row[SUM_TPOT] += tpot
        sketch(s, batch, TPOT, tpot)
    row[COUNT] += 1.0
    row[SUM_TTFT] += ttft
    row[SUM_LATENCY] += latency
    row[SUM_QUEUE] += queue
    row[SUM_IN] += s.slots[slot, PROMPT]
    row[SUM_OUT] += output
    row[UNTIL] = now
    if ttft <= s.promise[TTFT] and tpot <= s.promise[TPOT] and latency <= s.promise[LATENCY]:
        row[GOOD] += 1.0
    sketch(s, batch, TTFT, ttft)
    sketch(s, batch, LATENCY, latency)
    sketch(s, batch, QUEUE, queue)
    s.clocks[FIRST_START] = min(s.clocks[FIRST_START], arrived)
    s.clocks[LAST_END] = max(s.clocks[LAST_END], now)
    if row[COUNT] >= s.counts[BATCH_SIZE]:
        turn_batch(s)


def turn_batch(s: State) -> None:
    """Go on to the next batch; when none is left, join neighbours and double the size."""
    batches = s.tallies.shape[0]
    if s.counts[BATCH] + 1 < batches:
        s.counts[BATCH] += 1
        return
    half = batches // 2
    for batch in range(half):
        join_batches(s, 2 * batch, batch)
    for batch in range(half, batches):
        s.tallies[batch, :] = 0.0
        s.sketches[batch, :, :] = 0
    s.counts[BATCH] = half
    s.counts[BATCH_SIZE] *= 2


def join_batches(s: State, source: int, target: int) -> None:
    """Put batches ``source`` and the next one into ``target``."""
    until = s.tallies[source + 1, UNTIL]
    for column in range(TALLY_COLUMNS):
        s.tallies[target, column] = s.tallies[source, column] + s.tallies[source + 1, column]
    s.tallies[target, UNTIL] = until
    for kind in range(SKETCHES):
        for place in range(s.sketches.shape[2]):
            s.sketches[target, kind, place] = s.sketches[source, kind, place] + s.sketches[source + 1, kind, place]
