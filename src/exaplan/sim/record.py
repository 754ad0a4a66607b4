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
    BATCHES,
    BUCKETS,
    COUNT,
    FIRST,
    FIRST_START,
    GOOD,
    LAST_END,
    LATENCY,
    MODEL,
    NOW,
    NUMBER,
    OUTPUT,
    PROMISED,
    PROMPT,
    QUEUE,
    QUEUED,
    SKETCHES,
    SKETCHES_AT,
    SPACED,
    SUM_IN,
    SUM_LATENCY,
    SUM_OUT,
    SUM_QUEUE,
    SUM_TPOT,
    SUM_TTFT,
    TALLIES_AT,
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
    buckets = s.whole[BUCKETS]
    if buckets > 0:
        s.whole[s.whole[SKETCHES_AT] + (batch * SKETCHES + kind) * buckets + bucket(value, buckets)] += 1


def record(s: State, slot: int) -> None:
    """Book a request that has ended now, unless it belongs to the warm-up."""
    if s.whole[slot + NUMBER] < s.whole[WARM]:
        return
    batch = s.whole[BATCH]
    row = s.whole[TALLIES_AT] + batch * TALLY_COLUMNS
    now, arrived, output = s.real[NOW], s.real[slot + ARRIVED], s.whole[slot + OUTPUT]
    latency = now - arrived
    ttft, tpot, queue = latency, 0.0, 0.0
    if s.whole[MODEL] == 1:
        ttft, queue = s.real[slot + FIRST] - arrived, s.real[slot + ADMITTED] - s.real[slot + QUEUED]
        if output > 1:
            tpot = (now - s.real[slot + FIRST]) / (output - 1)
            s.real[row + SPACED] += 1.0
            s.real[row + SUM_TPOT] += tpot
            sketch(s, batch, TPOT, tpot)
    s.real[row + SUM_IN] += s.whole[slot + PROMPT]
    s.real[row + SUM_OUT] += output
    book(s, batch, row, ttft, tpot, latency, queue)
    s.real[row + UNTIL] = now
    s.real[FIRST_START] = min(s.real[FIRST_START], arrived)
    s.real[LAST_END] = now
    if s.real[row + COUNT] >= s.whole[BATCH_SIZE]:
        turn_batch(s)


def book(s: State, batch: int, row: int, ttft: float, tpot: float, latency: float, queue: float) -> None:
    """Add the times of a request to a batch."""
    s.real[row + COUNT] += 1.0
    s.real[row + SUM_TTFT] += ttft
    s.real[row + SUM_LATENCY] += latency
    s.real[row + SUM_QUEUE] += queue
    if ttft <= s.real[PROMISED + TTFT] and tpot <= s.real[PROMISED + TPOT] and latency <= s.real[PROMISED + LATENCY]:
        s.real[row + GOOD] += 1.0
    sketch(s, batch, TTFT, ttft)
    sketch(s, batch, LATENCY, latency)
    sketch(s, batch, QUEUE, queue)


def turn_batch(s: State) -> None:
    """Go on to the next batch; when none is left, join neighbours and double the size."""
    batches, buckets = s.whole[BATCHES], SKETCHES * s.whole[BUCKETS]
    if s.whole[BATCH] + 1 < batches:
        s.whole[BATCH] += 1
        return
    half = batches // 2
    for batch in range(half):
        join_batches(s, batch, buckets)
    for place in range(s.whole[TALLIES_AT] + half * TALLY_COLUMNS, s.whole[TALLIES_AT] + batches * TALLY_COLUMNS):
        s.real[place] = 0.0
    for place in range(s.whole[SKETCHES_AT] + half * buckets, s.whole[SKETCHES_AT] + batches * buckets):
        s.whole[place] = 0
    s.whole[BATCH] = half
    s.whole[BATCH_SIZE] *= 2


def join_batches(s: State, batch: int, buckets: int) -> None:
    """Put two batches into one, which takes the place ``batch``."""
    target = s.whole[TALLIES_AT] + batch * TALLY_COLUMNS
    source = s.whole[TALLIES_AT] + 2 * batch * TALLY_COLUMNS
    until = s.real[source + TALLY_COLUMNS + UNTIL]
    for column in range(TALLY_COLUMNS):
        s.real[target + column] = s.real[source + column] + s.real[source + TALLY_COLUMNS + column]
    s.real[target + UNTIL] = until
    target = s.whole[SKETCHES_AT] + batch * buckets
    source = s.whole[SKETCHES_AT] + 2 * batch * buckets
    for place in range(buckets):
        s.whole[target + place] = s.whole[source + place] + s.whole[source + buckets + place]
