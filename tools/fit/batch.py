"""Many published runs at once through the compiled step: one call evaluates all rows under given tunings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exaplan.perf.inputs import Tuning
from exaplan.perf.kernel import compiled, numba
from exaplan.perf.step import step_terms


def make_batch(cases: Sequence[tuple[Any, ...]]) -> Any:
    """A callable(tunings (n, fields)) -> step times (n,), for cases of (operators, blocks, layers, cut, hw, job)."""
    held = numba().typed.List()
    for case in cases:
        held.append(case)
    step = compiled(step_terms)

    @numba().njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def loop(items: Any, tunings: NDArray[np.float64], out: NDArray[np.float64]) -> None:
        for i in range(len(items)):
            ops, blocks, layers, cut, hw, job = items[i]
            t = tunings[i]
            tune = Tuning(
                t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11], t[12], t[13], t[14], t[15],
                t[16], t[17], t[18], t[19], t[20], t[21], t[22],
            )  # fmt: skip
            out[i] = step(ops, blocks, layers, cut, hw, job, tune).total

    def evaluate(tunings: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.empty(len(held))
        loop(held, np.ascontiguousarray(tunings), out)
        return out

    return evaluate
