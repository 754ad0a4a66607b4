"""Scores in closed form: errors, coverage, Winkler's interval score, groups."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.answers import Scored
from exaplan.truth.score import by, constant_ratio, interval_score, score


def row(predicted: float, measured: float, low: float = 0.0, high: float = 0.0, source: str = "s") -> Scored:
    """A scored row; its interval is a factor e around the prediction unless given."""
    low, high = low or predicted / math.e, high or predicted * math.e
    return Scored("r", "step_time", predicted, measured, predicted / measured - 1.0, low, high, source)


def test_inside_the_interval_only_its_width_counts() -> None:
    """[1, e^2] around a truth of e scores 2."""
    assert interval_score(row(math.e, math.e, 1.0, math.e**2)) == pytest.approx(2.0)
    assert interval_score(row(math.e, 1.0, 1.0, math.e**2)) == pytest.approx(2.0)


def test_a_miss_costs_ten_times_its_distance() -> None:
    """2 / alpha = 10 per unit of log ratio beyond either end."""
    assert interval_score(row(math.e, math.e**3, 1.0, math.e**2)) == pytest.approx(2.0 + 10.0)
    assert interval_score(row(math.e, math.exp(-0.5), 1.0, math.e**2)) == pytest.approx(2.0 + 5.0)


def test_summary_of_three_rows() -> None:
    """Errors of +100%, -50% and 0: median 50%, mean 50%, bias 0; two of three intervals hold."""
    rows = [row(2.0, 1.0), row(1.0, 2.0, 0.9, 1.1), row(1.0, 1.0)]
    found = score(rows)
    assert found.n == 3
    assert found.median_abs_error == pytest.approx(0.5) and found.mean_abs_error == pytest.approx(0.5)
    assert found.bias == pytest.approx(0.0) and found.coverage == pytest.approx(2.0 / 3.0)
    miss = math.log(1.1 / 0.9) + 10.0 * math.log(2.0 / 1.1)
    assert found.winkler == pytest.approx((2.0 + miss + 2.0) / 3.0)


def test_skipped_rows_count_as_100_percent() -> None:
    """They raise n, median and mean, and hold in no interval; bias and Winkler are of the predicted ones."""
    rows = [row(1.1, 1.0), row(1.0, 1.0)]
    found = score(rows, 2)
    assert found.n == 4
    assert found.mean_abs_error == pytest.approx((0.1 + 0.0 + 1.0 + 1.0) / 4.0)
    assert found.median_abs_error == pytest.approx((0.1 + 1.0) / 2.0)
    assert found.coverage == pytest.approx(0.5)
    assert (found.bias, found.winkler) == (score(rows).bias, score(rows).winkler)


def test_nothing_to_score() -> None:
    """No rows: n = 0 and nan; only skipped rows: 100% error, nothing held."""
    nothing = score([])
    assert nothing.n == 0 and math.isnan(nothing.mean_abs_error) and math.isnan(nothing.coverage)
    skipped = score([], 3)
    assert (skipped.n, skipped.mean_abs_error, skipped.median_abs_error, skipped.coverage) == (3, 1.0, 1.0, 0.0)
    assert math.isnan(skipped.bias) and math.isnan(skipped.winkler)


def test_bias_is_the_signed_median() -> None:
    """Two of three predicted too high: the bias is positive, and not an absolute value."""
    assert score([row(1.2, 1.0), row(1.1, 1.0), row(0.5, 1.0)]).bias == pytest.approx(0.1)
    assert score([row(0.8, 1.0), row(0.9, 1.0), row(1.5, 1.0)]).bias == pytest.approx(-0.1)


def test_ends_of_the_interval_hold() -> None:
    """A measurement on either end is covered."""
    assert score([row(1.0, 2.0, 1.0, 2.0), row(1.0, 1.0, 1.0, 2.0)]).coverage == 1.0


def test_constant_ratio_of_equal_coverage() -> None:
    """Gaps of 1, 2, 3 and 4: the ratio that covers half is e^2; the score is 2 x 2 plus ten times what is missed."""
    rows = [row(1.0, math.exp(gap)) for gap in (4.0, 1.0, -3.0, -2.0)]
    assert constant_ratio(rows, 0.5) == pytest.approx(4.0 + 10.0 * (0.0 + 0.0 + 1.0 + 2.0) / 4.0)
    assert constant_ratio(rows, 1.0) == pytest.approx(8.0)
    assert constant_ratio(rows, 0.0) == pytest.approx(2.0 + 10.0 * (1.0 + 2.0 + 3.0) / 4.0)
    assert math.isnan(constant_ratio([], 0.8))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=20), st.floats(0.0, 1.0))
def test_constant_ratio_covers_what_was_asked(ratios: list[float], coverage: float) -> None:
    """The constant interval is one of the rows' own gaps, so its score is at least twice the median of hits' widths."""
    rows = [row(1.0, ratio) for ratio in ratios]
    gaps = [abs(math.log(ratio)) for ratio in ratios]
    found = constant_ratio(rows, coverage)
    scores = [statistics.fmean(2 * w + 10 * max(0.0, gap - w) for gap in gaps) for w in gaps]
    assert min(scores) - 1e-9 <= found <= max(scores) + 1e-9


def test_groups_are_scored_apart() -> None:
    """By key, in order of name; skipped rows of a group count there, even where nothing of it was predicted."""
    rows = [row(1.1, 1.0, source="b"), row(1.3, 1.0, source="a"), row(1.0, 1.0, source="b")]
    found = by(rows, lambda item: item.source, {"b": 1, "c": 2})
    assert list(found) == ["a", "b", "c"]
    assert found["a"].mean_abs_error == pytest.approx(0.3)
    assert found["b"].n == 3 and found["b"].mean_abs_error == pytest.approx(1.1 / 3.0)
    assert found["c"].n == 2 and found["c"].mean_abs_error == 1.0
    assert by([], lambda item: item.source) == {}
