"""The fewest copies, with runs that are made up: what holds from a number on."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan.answers.serving import Quantiles, Simulated
from exaplan.nouns.serving import Promise
from exaplan.planning.serving.copies import Copy
from exaplan.planning.serving.doubt import EXPECTED, Margin
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.sizing import Sizer, at_percentile, bound_of, excess_of
from exaplan.planning.serving.trials import Bench


def times(value: float) -> Quantiles:
    """A quantity whose p99 is ``value``."""
    return Quantiles(1000, value / 3, value / 4, value / 2, value / 1.5, value, 2 * value)


def run(ttft: float, stable: bool = True, rate: float = 10.0) -> Simulated:
    """A run with so long a p99 of the first token."""
    return Simulated(
        1000, 100.0, 10.0, stable, {"requests": rate, "output_tokens": 100 * rate, "total_tokens": 500 * rate},
        times(ttft), times(0.02), times(2.0), times(0.1), {}, rate, 1.0, 8.0, 0.5, 0, 0.0, 1.0, 0,
    )  # fmt: skip


class Made:
    """A bench on which a load per copy above a limit makes the queue grow, and the wait falls with the copies."""

    def __init__(self, limit: float, rate: float = 10.0) -> None:
        self.limit, self.rate = limit, rate
        self.tried: list[int] = []

    def run(self, setup: Setup, requests: int = 0, rate: float | None = None) -> Simulated:
        """A run of a deployment."""
        self.tried.append(setup.replicas)
        load = (rate or self.rate) / setup.replicas / self.limit
        return run(math.inf if load >= 1.0 else 0.1 / (1.0 - load), load < 1.0, rate or self.rate)


def sizer(made: Made, ttft: float = 1.0) -> Sizer:
    return Sizer(cast(Bench, made), Promise(ttft=ttft))


def copy() -> Copy:
    """A copy that is quick enough alone."""
    point = SimpleNamespace(ttft=0.1, tpot=0.02)
    return cast(Copy, SimpleNamespace(curve=(point,), demand=SimpleNamespace(output=100.0), chips=1))


@given(st.floats(0.3, 8.0), st.integers(1, 60))
def test_the_fewest_copies_are_found_from_any_first_number(limit: float, first: int) -> None:
    """p99 = 0.1 / (1 - load) <= 1 s wherever the search starts: load <= 0.9."""
    made = Made(limit)
    found = sizer(made).fewest(copy(), EXPECTED, first, 64)
    wanted = math.ceil(10.0 / (0.9 * limit) - 1e-9)
    if found is not None:
        assert found.holds and found.setup.replicas >= wanted
    if found is not None and len(made.tried) < 12:
        assert found.setup.replicas == wanted
    assert len(made.tried) <= 12


def test_no_more_copies_than_are_to_be_had() -> None:
    """Where the fewest are more than the most, there is none."""
    assert sizer(Made(0.5)).fewest(copy(), EXPECTED, 1, 10) is None
    assert sizer(Made(0.5)).fewest(copy(), EXPECTED, 12, 10) is None


def test_copies_that_are_too_slow_alone_are_given_up() -> None:
    """Where a request alone takes 1.5 times the promise, more copies are not tried."""
    slow, made = copy(), Made(0.1)
    slow.curve[0].ttft = 2.0  # type: ignore[misc]
    assert sizer(made).fewest(slow, EXPECTED, 1, 64) is None and made.tried == [1]


def test_the_greatest_rate_is_found_within_two_percent() -> None:
    """5 copies of at most 4 requests/s each, 90% loaded: 18 requests/s, from above and from below."""
    for about in (1.0, 17.0, 50.0):
        found = sizer(Made(4.0)).greatest(Setup(copy(), 5), EXPECTED, about)
        assert found is not None and found.rate == pytest.approx(18.0, rel=0.03) and found.rate <= 18.0 + 1e-9


def test_a_promise_is_held_by_the_upper_end() -> None:
    """The percentile times the upper end of its range, over what is promised."""
    found = excess_of(run(0.5), Promise(ttft=1.0, tpot=0.02), Margin(ttft=1.5, tpot=1.2))
    assert found == {"ttft": pytest.approx(0.75), "tpot": pytest.approx(1.2)}


def test_a_growing_queue_never_holds() -> None:
    """However good the figures of a run that is not stable are."""
    held = sizer(Made(1.0)).tested(Setup(copy(), 1), EXPECTED)
    assert not held.run.stable and not held.holds


def test_percentiles_between_the_known_ones() -> None:
    """Known ones as they are; others between their neighbours, in order."""
    found = times(1.0)
    assert at_percentile(found, 99.0) == found.p99 and at_percentile(found, 50.0) == found.p50
    values = [at_percentile(found, p) for p in (50.0, 70.0, 90.0, 93.0, 95.0, 97.0, 99.0)]
    assert values == sorted(values) and found.p95 < values[5] < found.p99


def test_means_are_bounded_by_what_percentiles_may_be() -> None:
    """The bound of the quick look: the promise over its upper end, inf where none is made."""
    bound = bound_of(Promise(tpot=0.05), Margin(tpot=1.25, slow=1.1))
    assert bound.tpot == pytest.approx(0.04) and math.isinf(bound.ttft) and bound.load == pytest.approx(0.98 / 1.1)
