"""The whole state of a run in two arrays: what the compiled event loop reads and writes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Real = NDArray[np.float64]


class State(NamedTuple):
    """Everything that an event may read or change: counts and links in ``whole``, times and sums in ``real``.

    A request, a replica, an entry of the cache is known by its address: the place of its first column in both arrays;
    ``columns`` names what stands behind it. The counters of the run begin at 0, and say where everything else begins.
    Two arrays, because compiled code pays for each array that it hands to a function.
    """

    whole: Whole
    real: Real
