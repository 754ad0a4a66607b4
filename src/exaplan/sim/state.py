"""The whole state of a run, in arrays: what the compiled event loop reads and writes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exaplan.sim import columns as at

Whole = NDArray[np.int64]
Real = NDArray[np.float64]


class State(NamedTuple):
    """Everything that an event may read or change.

    slots: (requests, SLOT_COLUMNS), times: (requests, TIME_COLUMNS), one row per request in the system; replicas,
    spans: one row per replica; phase: (replicas, block), decoding requests by the step [mod block] at which they need
    one more block; finishes: (replicas, sequences, 2), a heap of (last step, request) of each replica; event_times,
    events: (events,), (events, 3): a heap by time, then order; rows: (rows, 3), thinks, whens: the requests to come; counts, clocks:
    see columns; log: (entries, 4) of (time, kind, request, value), empty where nobody compares events.
    """

    slots: Whole
    times: Real
    replicas: Whole
    spans: Real
    phase: Whole
    finishes: Whole
    event_times: Real
    events: Whole
    rows: Whole
    thinks: Real
    whens: Real
    counts: Whole
    clocks: Real
    tallies: Real
    sketches: Whole
    promise: Real
    log: Real
