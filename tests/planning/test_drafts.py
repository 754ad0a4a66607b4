"""Drafts: the plain arithmetic of time, money and limits, and the front."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan.nouns import Figure, Layout, Limits
from exaplan.planning.drafts import Bill, Goal, draft, goal_of, option_of, rank_of, shown_value, value_of
from exaplan.planning.front import undominated
from exaplan.planning.limits import amount, excess, missed, needs, unchecked
from exaplan.planning.offers import OWN, Quote

from .asked import asked, setting

CLUSTER = setting().cluster
LAYOUT = Layout(dp=8, tp=2, etp=2)
DAY = 86400.0
RENT = Quote("rent", 2.0 / 3600, 2.0 / 3600, 2.0 / 3600, 0.0, 0.0, 0.0, {}, False, False, Figure(2.0, "user"))
BUY = Quote("buy", 1e-4, 1e-4, 1e-4, 1e4, 1e4, 1e4, {}, True, True, Figure(8e4, "user"), wear=1e-4)
GOAL = Goal(Limits(), True, "time", 1000.0, False, 1e6)


def made(goal: Goal = GOAL, quotes: tuple[Quote, ...] = (RENT,), step: float = 10.0, watts: float | None = 16e3):
    """A draft of 16 chips whose step takes ``step`` seconds, a tenth more at the upper end."""
    return draft(option_of(CLUSTER, quotes, 8e9), LAYOUT, step, 1.1 * step, 6e10, watts, goal)


def test_a_run_by_hand() -> None:
    """1,000 steps of 10 s over goodput; $2 an hour for 16 chips; the upper end adds the logs of both doubts."""
    item = made()
    good = item.option.goodput
    assert item.time == pytest.approx(1e4 / good) and item.tokens == 1e9
    assert item.cost == pytest.approx(2.0 / 3600 * 16 * item.time)
    up = math.hypot(math.log(1.1), item.option.lost)
    assert item.time_high == pytest.approx(item.time * math.exp(up)) and item.held == item.time_high
    assert item.cash == pytest.approx(item.cost_high) and item.energy == pytest.approx(16e3 * item.time)
    assert made(replace(GOAL, upper=False)).held == item.time


def test_the_most_steps_fill_the_tightest_limit() -> None:
    """Without tokens: whole steps up to the deadline or the money, whichever is reached first."""
    goal = replace(GOAL, steps=None, most=True, objective="throughput")
    days = made(replace(goal, bounds=Limits(deadline=DAY)))
    money = made(replace(goal, bounds=Limits(deadline=DAY, money=100.0)))
    assert days.steps == math.floor(DAY / (days.held / days.steps)) and days.held <= DAY < days.held * (
        1 + 1 / days.steps
    )
    assert money.steps and days.steps and money.steps < days.steps and money.cash is not None
    assert money.cash <= 100.0 < money.cash * (1 + 1 / money.steps)
    assert shown_value(money, goal) == money.tokens == -(value_of(money, goal) or 0.0)


def test_nothing_bounds_an_unknown_price() -> None:
    """A budget alone says nothing of chips without a price: one step is answered and the limit is unchecked."""
    goal = replace(GOAL, steps=None, most=True, objective="throughput", bounds=Limits(money=1e6))
    item = made(goal, quotes=())
    assert item.steps is None and item.cost is None and missed(item, goal.bounds) == ()
    assert "the limit on money was not checked: give work.tokens or work.steps" in unchecked(item, goal.bounds)


@given(st.floats(0.0, 1e7), st.floats(0.0, 1.0), st.floats(1e-6, 1.0), st.floats(1.0, 1e8))
def test_what_money_affords_is_what_is_paid(base: float, wear: float, running: float, money: float) -> None:
    """The time that a sum pays for costs that sum, and not less for longer; a base beyond the sum is not paid."""
    bill = Bill(BUY, base, wear, running, True)
    time = bill.affords(money)
    if money < base:
        assert time == 0.0
    else:
        assert bill.paid(time) == pytest.approx(money) and bill.paid(1.01 * time + 1.0) > money * (1 - 1e-9)


def test_a_purchase_is_paid_again_after_its_lifetime() -> None:
    """$10,000 a chip over 1e8 s: a run of 2e8 s needs twice of it."""
    bill = Bill(BUY, 16e4, 16e-4, 0.0, True)
    assert bill.paid(1e7) == 16e4 and bill.paid(2e8) == pytest.approx(32e4)
    assert replace_whole(bill).cost(1e7) == pytest.approx(16e3)


def test_a_purchase_runs_its_upkeep_and_electricity() -> None:
    """Sixteen chips by whole nodes: price, wear, upkeep at its expected value, electricity at the meter, and the rest
    of the rate, which is no cash."""
    quote = BUY._replace(rate=5e-4, wear=1e-4, upkeep=(2e-4, 1e-4, 4e-4))
    bill = made(quotes=(quote,)).bill
    assert bill is not None and (bill.base, bill.wear) == pytest.approx((16e4, 16e-4))
    assert bill.running == pytest.approx(16 * 2e-4 + 16e3 * CLUSTER.site.electricity)
    assert bill.more == pytest.approx(16 * 2e-4)
    assert bill.cost(1e6) == pytest.approx(1e6 * (16 * 5e-4 + 16e3 * CLUSTER.site.electricity))


def replace_whole(bill: Bill) -> Bill:
    """The same bill, of which the run is charged what wears off."""
    return bill._replace(whole=False)


def test_the_cheapest_offer_that_holds_the_money() -> None:
    """What wears off of a purchase is cheaper than rent, but its price must be at hand."""
    quotes = (RENT, BUY)
    assert made(quotes=quotes).bill.quote is BUY
    assert made(replace(GOAL, bounds=Limits(money=1000.0)), quotes).bill.quote is RENT
    assert made(replace(GOAL, by_cash=True), quotes).bill.quote is RENT
    assert made(quotes=(OWN,)).cost == pytest.approx(made().energy * CLUSTER.site.electricity)


@pytest.mark.parametrize(("objective", "field"), [("time", "time_high"), ("cost", "cost_high")])
def test_the_objective_is_the_upper_end(objective: str, field: str) -> None:
    """What is made small is the upper end; what is told is the expected value."""
    goal = replace(GOAL, objective=objective)
    item = made(goal)
    assert value_of(item, goal) == getattr(item, field)
    assert shown_value(item, goal) == getattr(item, objective) < getattr(item, field)


def test_throughput_of_a_given_run_is_tokens_per_second() -> None:
    """1e9 tokens over the time; the quickest ranks first."""
    goal = replace(GOAL, objective="throughput")
    item = made(goal)
    assert shown_value(item, goal) == pytest.approx(1e9 / item.time)
    assert rank_of(item, goal) < rank_of(made(goal, step=11.0), goal)


def test_energy_and_carbon_are_ranked_at_the_upper_end() -> None:
    """Joules at the upper end of the time, and those times what the grid of the place emits; unknown power: neither."""
    item, dark = made(), made(watts=None)
    joules = 16e3 * item.time_high
    assert value_of(item, replace(GOAL, objective="energy")) == pytest.approx(joules)
    assert value_of(item, replace(GOAL, objective="carbon")) == pytest.approx(joules * CLUSTER.site.carbon)
    assert value_of(dark, replace(GOAL, objective="energy")) is None
    assert value_of(dark, replace(GOAL, objective="carbon")) is None


def test_unknown_figures_rank_last() -> None:
    """Energy where the power is unknown: behind any known one."""
    goal = replace(GOAL, objective="energy")
    assert rank_of(made(goal, watts=None, step=1.0), goal) > rank_of(made(goal, step=100.0), goal)


def test_needs_and_excess_of_each_limit() -> None:
    """What a draft takes of deadline, money, power and count, over what is allowed."""
    item = made()
    bounds = Limits(money=1.0, power=8e3, deadline=DAY, count=64)
    assert excess(item, "power", bounds) == 2.0 and excess(item, "count", bounds) == 0.25
    assert needs(item, "deadline") == item.held and missed(item, bounds) == ("money", "power")


def test_amounts_are_in_a_persons_units() -> None:
    """Days and hours, dollars, MW and kW, chips."""
    told = [amount("deadline", 2 * DAY), amount("deadline", 7200.0), amount("money", 1234567.0), amount("power", 2e6)]
    assert told == ["2 d", "2 h", "$1,234,567", "2 MW"] and amount("count", 16384.0) == "16,384 chips"
    assert amount("money", 0.05) == "$0.05" and amount("power", 900.0) == "0.9 kW"
    assert [amount("deadline", value) for value in (1e-9, 45.0, 1800.0, 123.4 * DAY)] == [
        "1 ns",
        "45 s",
        "30 min",
        "123 d",
    ]


def test_goals_are_read_from_the_ask() -> None:
    """Steps of the tokens; hold; terms any counts cash."""
    goal = goal_of(asked(limits={"hold": "expected"}))
    assert goal.steps == pytest.approx(10e9 / (128 * 4096)) and not goal.upper and goal.by_cash and not goal.most
    assert not goal_of(asked(cluster={"chip": "h100-sxm", "count": 16, "terms": "buy"})).by_cash


ROWS = st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 3), max_size=12)


@given(ROWS)
def test_the_front_by_definition(rows: list[tuple[float, ...]]) -> None:
    """A row is on the front where no other is at most as large in all columns and smaller in one."""
    wanted = [
        not any(all(a <= b for a, b in zip(other, row, strict=True)) and other != row for other in rows) for row in rows
    ]
    assert undominated(rows) == wanted
