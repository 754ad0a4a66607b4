"""How far predictions are from measurements: errors, coverage and the interval score, overall and by group."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from exaplan.answers import Score, Scored

ALPHA = 0.2  # the intervals are meant to hold 80% of the time
SKIPPED = 1.0  # error of a scoring row that could not be predicted


def interval_score(row: Scored) -> float:
    """Winkler's score of a log interval: width + 2 / alpha x miss. [log ratio; lower is better]

    Gneiting and Raftery 2007, "Strictly proper scoring rules", doi:10.1198/016214506000001437, equation 43.
    """
    low, high, truth = math.log(row.low), math.log(row.high), math.log(row.measured)
    return (high - low) + 2.0 / ALPHA * (max(0.0, low - truth) + max(0.0, truth - high))


def score(rows: Sequence[Scored], skipped: int = 0) -> Score:
    """Summary of rows; skipped scoring rows count as 100% error."""
    errors = [abs(row.error) for row in rows] + [SKIPPED] * skipped
    if not errors:
        return Score(0, math.nan, math.nan, math.nan, math.nan, math.nan)
    held = sum(row.low <= row.measured <= row.high for row in rows)
    return Score(
        n=len(errors),
        median_abs_error=statistics.median(errors),
        mean_abs_error=statistics.fmean(errors),
        bias=statistics.median(row.error for row in rows) if rows else math.nan,
        coverage=held / len(errors),
        winkler=statistics.fmean(interval_score(row) for row in rows) if rows else math.nan,
    )


def constant_ratio(rows: Sequence[Scored], coverage: float) -> float:
    """Interval score of [predicted / c, predicted c] with the one c that covers the same share of these rows."""
    gaps = sorted(abs(math.log(row.measured / row.predicted)) for row in rows)
    if not gaps:
        return math.nan
    width = gaps[min(len(gaps) - 1, max(0, math.ceil(coverage * len(gaps)) - 1))]
    return statistics.fmean(2.0 * width + 2.0 / ALPHA * max(0.0, gap - width) for gap in gaps)


def by(
    rows: Iterable[Scored], key: Callable[[Scored], str], skipped: Mapping[str, int] = MappingProxyType({})
) -> Mapping[str, Score]:
    """Score of every group of rows; ``skipped``: scoring rows of a group that could not be predicted."""
    groups: dict[str, list[Scored]] = {name: [] for name in skipped}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {name: score(groups[name], skipped.get(name, 0)) for name in sorted(groups)}
