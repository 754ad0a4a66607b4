"""Arrays of a run: made, and enlarged when the loop asks for more."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from exaplan.perf.serving.inputs import Policy
from exaplan.sim import columns as at
from exaplan.sim.state import Real, State, Whole

BUCKETS = 3100  # 1 us to a year, at 1% each
BATCHES = 64


def chained(slots: Whole, first: int) -> None:
    """Link the rows from ``first`` on as free ones."""
    slots[first:, at.BEHIND] = np.arange(first + 1, slots.shape[0] + 1)
    slots[-1, at.BEHIND] = at.NONE


def empty_replicas(policy: Policy, count: int) -> Whole:
    """Replicas that have nothing to do, all on."""
    made = np.zeros((count, at.REPLICA_COLUMNS), np.int64)
    for column in (at.WAIT_HEAD, at.FILL_HEAD, at.RUN_HEAD, at.LAND_HEAD, at.OLDEST, at.HOST_OLDEST):
        made[:, column : column + 2] = at.NONE
    made[:, at.PREFIX] = at.NONE
    made[:, at.BLOCKS] = made[:, at.VACANT] = policy.kv_tokens // policy.block
    made[:, at.HOST_VACANT] = policy.host_tokens // policy.block
    made[:, at.STATUS] = at.ON
    return made


def state(
    policy: Policy, *, replicas: int = 1, slots: int = 1024, seed: int = 0, sketches: bool = True, batches: int = BATCHES
) -> State:
    """An empty system."""
    places = np.zeros((slots, at.SLOT_COLUMNS), np.int64)
    chained(places, 0)
    counts = np.zeros(at.COUNT_COLUMNS, np.int64)
    counts[at.SLOTS_LEFT] = slots
    counts[at.BATCH_SIZE] = 64
    counts[at.SEED_1] = 1 + seed * 7919 % 2147483561
    counts[at.SEED_2] = 1 + (seed * 104729 + 12345) % 2147483397
    counts[at.LAST_ROWS] = counts[at.LAST_WHENS] = 1
    counts[at.LIMIT] = 2**62
    clocks = np.zeros(at.CLOCK_COLUMNS)
    clocks[at.FIRST_START] = np.inf
    return State(
        slots=places,
        times=np.zeros((slots, at.TIME_COLUMNS)),
        replicas=empty_replicas(policy, replicas),
        spans=np.zeros((replicas, at.SPAN_COLUMNS)),
        phase=np.zeros((replicas, policy.block), np.int64),
        finishes=np.zeros((replicas, policy.max_seqs + 1, 2), np.int64),
        event_times=np.zeros(slots + policy.max_seqs + 64),
        events=np.zeros((slots + policy.max_seqs + 64, 3), np.int64),
        rows=np.zeros((0, 3), np.int64),
        thinks=np.zeros(0),
        whens=np.zeros(0),
        counts=counts,
        clocks=clocks,
        tallies=np.zeros((batches, at.TALLY_COLUMNS)),
        sketches=np.zeros((batches, at.SKETCHES, BUCKETS if sketches else 0), np.int64),
        promise=np.full(3, np.inf),
        log=np.zeros((0, 4)),
    )
