"""What a service earns at a price."""

from __future__ import annotations

import pytest

from exaplan import cost
from exaplan.planning.serving.business import margin_of
from exaplan.planning.serving.question import question_of

from .made import CATALOG, asked
from .test_sizing import run

PERIOD = 2_592_000.0


def test_no_price_no_business() -> None:
    """Nothing is told where nothing is sold."""
    assert margin_of(question_of(asked(), CATALOG), 100.0, run(0.5)) == {}


def test_subscribers_pay_for_their_questions() -> None:
    """10 requests/s are 86,400 people asking ten times a day; 20 USD each a month."""
    made = question_of(asked({"price": {"subscription": "$20", "queries": 10}}), CATALOG)
    found = margin_of(made, 50_000.0, run(0.5, rate=10.0))
    people = 86_400.0
    assert found["subscribers"] == pytest.approx(people)
    assert found["revenue"] == pytest.approx(people * 20.0 * PERIOD / cost.MONTH)
    each = 50_000.0 / (10.0 * PERIOD)
    assert found["per_query"] == pytest.approx(each) and found["margin"] == pytest.approx(found["revenue"] - 50_000.0)
    assert found["per_subscriber"] == pytest.approx(20.0 - 10 * 30.4375 * each)
    assert found["break_even"] == pytest.approx(20.0 / (30.4375 * each))
    assert found["margin_share"] == pytest.approx(found["margin"] / found["revenue"])


def test_tokens_are_sold_in_and_out() -> None:
    """4,000 tokens/s read at 1 USD and 1,000 written at 5 USD per million."""
    made = question_of(asked({"price": {"input": "$1", "output": "$5"}}), CATALOG)
    found = margin_of(made, 1000.0, run(0.5, rate=10.0))
    assert found["revenue"] == pytest.approx((4000 * 1.0 + 1000 * 5.0) / 1e6 * PERIOD)
    assert "subscribers" not in found


def test_an_unknown_cost_leaves_the_margin_unknown() -> None:
    """Revenue is known, what is left is not."""
    made = question_of(asked({"price": {"subscription": "$20", "queries": 10}}), CATALOG)
    found = margin_of(made, None, run(0.5))
    assert found["margin"] is None and found["per_subscriber"] is None and found["break_even"] is None
    assert found["revenue"] is not None
