"""Money and energy of a service, against sums done by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan import cost


def test_a_million_tokens_cost_what_a_second_of_them_does() -> None:
    """8 chips at 2 USD/h and 5,000 tokens/s: 0.889 USD per million."""
    hour = 3600.0
    assert cost.per_million(16.0, 5000.0, hour) == pytest.approx(16.0 / (5000.0 * hour) * 1e6)
    assert cost.per_token(1000.0, 10.0, 10.0) == 10.0


def test_no_token_has_no_price() -> None:
    """Without tokens or time there is nothing to divide by."""
    assert cost.per_million(1.0, 0.0, 1.0) is None and cost.per_token(1.0, 1.0, 0.0) is None


def test_tokens_are_sold_by_the_million() -> None:
    """1,000 in at 3 USD and 500 out at 15 USD per million: 1.05 cents."""
    assert cost.token_revenue(1000.0, 500.0, 3.0, 15.0) == pytest.approx(0.0105)


def test_subscribers_ask_so_often_a_day() -> None:
    """One request a second is 86,400 a day: 8,640 people who ask ten times."""
    assert cost.subscribers(1.0, 10.0) == pytest.approx(8640.0)


def test_a_subscriber_leaves_what_his_questions_do_not_cost() -> None:
    """20 USD a month, 10 questions a day of 1 cent: 20 - 3.04."""
    assert cost.margin(20.0, 10.0, 0.01) == pytest.approx(20.0 - 10 * 30.4375 * 0.01)


def test_at_the_break_even_nothing_is_left() -> None:
    """The margin of as many questions as break even is zero; questions that pay for themselves have none."""
    queries = cost.break_even_queries(20.0, 0.01)
    assert queries is not None and cost.margin(20.0, queries, 0.01) == pytest.approx(0.0)
    assert cost.break_even_queries(20.0, 0.01, 0.01) is None


@given(st.floats(0.1, 100.0), st.floats(1e-5, 1.0), st.floats(1.0, 3.0))
def test_dearer_questions_break_even_earlier(subscription: float, each: float, times: float) -> None:
    """The number of questions falls as each costs more."""
    first, second = (cost.break_even_queries(subscription, value) for value in (each, each * times))
    assert first is not None and second is not None and second <= first * (1.0 + 1e-9)
