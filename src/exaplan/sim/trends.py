"""When a run has left its start-up, whether it grows without end, and how sure a mean is.

[1] K. P. White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69 (1997) 323.
[2] M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions" (1964), 26.7.5.
"""

from __future__ import annotations

import math

import numpy as np

from exaplan.sim.state import Real

NORMAL_95 = 1.959963985  # two-sided 95% point of the normal distribution
SURE = 3.0  # standard errors by which the trend of the queue must be positive
PILED = 0.02  # least share of the arriving requests that pile up, for the queue to be called growing


def student(freedom: int) -> float:
    """Two-sided 95% point of Student's t: series 26.7.5 of [2], good to 0.5% from 3 degrees of freedom on."""
    z, n = NORMAL_95, float(freedom)
    first, second = (z**3 + z) / 4.0, (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
    return z + first / n + second / n**2 + third / n**3


def half_width(values: Real) -> float:
    """Half-width of the 95% confidence interval of a mean of nearly independent values."""
    if len(values) < 4:
        return math.nan
    return student(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))


def start_up(means: Real) -> int:
    """How many batches at the beginning to leave out: those that make the standard error of the rest smallest [1].

    At most a third of them; none of fewer than ten.
    """
    if len(means) < 10:
        return 0
    scores = [means[first:].var() / (len(means) - first) for first in range(len(means) // 3 + 1)]
    return int(np.argmin(scores))


def grows(inside: Real, arrivals: float) -> bool:
    """Whether the number in the system grows until the end.

    A line is fitted to the mean number in each of equal spans of the second half of the run. It grows when the slope is
    positive by SURE standard errors and more than PILED of the requests that came meanwhile have piled up. The errors
    of neighbouring spans are correlated; the standard error is widened by sqrt((1 + r) / (1 - r)), r their correlation.
    """
    time = np.arange(len(inside)) - (len(inside) - 1) / 2.0
    slope = float((time * inside).sum() / (time**2).sum())
    residual = inside - inside.mean() - slope * time
    variance = float((residual**2).sum() / (len(inside) - 2) / (time**2).sum())
    power = float((residual**2).sum())
    near = float((residual[1:] * residual[:-1]).sum()) / power if power > 0.0 else 0.0
    near = min(0.9, max(0.0, near))
    error = math.sqrt(variance * (1.0 + near) / (1.0 - near))
    return slope > SURE * error and slope * len(inside) > PILED * arrivals
