"""Power of a running step: shares of the TDP, the rest of the node, its power supplies, and the site."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.perf.power import PowerFit, Watts, capped_clock, chip_power, step_power, wall_power
from exaplan.perf.step import Terms

FIT = PowerFit(idle=0.1, product=0.9, memory=0.6, traffic=0.4, waiting=0.2)
WATTS = Watts(1, 1000.0, math.inf, 12000.0, 8.0, 1.2, FIT, host=0.5, supply=0.96)
share = st.floats(0.0, 1.0)


def test_each_kind_of_work_draws_its_share() -> None:
    """A step of one kind alone draws that kind's share of the TDP."""
    assert chip_power(700.0, 2.0, 0.0, 0.0, 2.0, FIT) == pytest.approx(630.0)
    assert chip_power(700.0, 0.0, 2.0, 0.0, 2.0, FIT) == pytest.approx(420.0)
    assert chip_power(700.0, 0.0, 0.0, 2.0, 2.0, FIT) == pytest.approx(280.0)
    assert chip_power(700.0, 0.0, 0.0, 0.0, 2.0, FIT) == pytest.approx(140.0)


def test_shares_are_weighed_by_time() -> None:
    """Half products, a quarter memory-bound, an eighth each of traffic and waiting: 0.45 + 0.15 + 0.05 + 0.025."""
    assert chip_power(1000.0, 2.0, 1.0, 0.5, 4.0, FIT) == pytest.approx(675.0)


def test_an_empty_step_idles() -> None:
    """No time: idle power, not a division by zero."""
    assert chip_power(1000.0, 0.0, 0.0, 0.0, 0.0, FIT) == pytest.approx(100.0)


def test_power_stays_between_idle_and_tdp() -> None:
    """Weights beyond 1 are capped at the TDP, weights below idle are raised to it."""
    assert chip_power(700.0, 1.0, 0.0, 0.0, 1.0, FIT._replace(product=1.3)) == 700.0
    assert chip_power(700.0, 0.0, 0.0, 0.0, 1.0, FIT._replace(waiting=0.01)) == pytest.approx(70.0)


def test_work_beyond_the_step_does_not_wait_negatively() -> None:
    """Overlapped work of more seconds than the step leaves no waiting: 0.6 x 0.9 + 0.6 x 0.6 = 0.9."""
    assert chip_power(1000.0, 0.6, 0.6, 0.0, 1.0, FIT) == pytest.approx(900.0)


@settings(max_examples=100, deadline=None)
@given(share, share, share, st.floats(0.1, 100.0))
def test_only_shares_matter(product: float, memory: float, traffic: float, total: float) -> None:
    """The same shares of a longer step draw the same power, between rest and TDP."""
    parts = (product / 3.0, memory / 3.0, traffic / 3.0)
    long = chip_power(700.0, *(part * total for part in parts), total, FIT)
    assert long == pytest.approx(chip_power(700.0, *parts, 1.0, FIT)) and 70.0 <= long <= 700.0


@settings(max_examples=100, deadline=None)
@given(share, share, st.floats(0.0, 0.5))
def test_more_matrix_work_in_the_same_time_draws_more(product: float, traffic: float, more: float) -> None:
    """Time moved from waiting to products never lowers the power."""
    few, many = product / 4.0, product / 4.0 + more
    assert chip_power(700.0, many, 0.0, traffic / 4.0, 1.0, FIT) >= chip_power(700.0, few, 0.0, traffic / 4.0, 1.0, FIT)


def test_wall_power_adds_the_host_the_supplies_and_the_site() -> None:
    """Half of the 500 W that a 12 kW node of eight is rated for beside each chip, 96% supplies, PUE 1.2."""
    assert wall_power(600.0, WATTS) == pytest.approx(1.2 * (600.0 + 250.0) / 0.96)
    assert wall_power(600.0, WATTS._replace(supply=1.0, pue=1.0)) == pytest.approx(850.0)
    assert wall_power(600.0, WATTS._replace(supply=1.0, pue=1.0, host=0.0)) == pytest.approx(600.0)


def test_a_node_below_its_chips_adds_nothing() -> None:
    """A node rated below its chips' TDP does not take power away."""
    assert wall_power(600.0, WATTS._replace(node=5000.0, supply=1.0)) == pytest.approx(720.0)


def test_a_capped_clock_follows_the_cube_law() -> None:
    """1 at the TDP; an eighth of the dynamic power halves the clock; never above 1 and never 0."""
    assert capped_clock(700.0, 700.0, 0.1) == pytest.approx(1.0)
    assert capped_clock(70.0 + 630.0 / 8.0, 700.0, 0.1) == pytest.approx(0.5)
    assert capped_clock(900.0, 700.0, 0.1) == 1.0
    assert capped_clock(10.0, 700.0, 0.1) == pytest.approx(0.1)


# ---------------------------------------------------------------------------------------------------- of a step

STEP = Terms(*[0.0] * 16, 10.0)._replace(product=2.0, attention=1.0, vector=1.5, optimizer=0.5, tp=2.0, bubble=3.0)


def wall(chip: float) -> float:
    """Watts at the meter of WATTS."""
    return 1.2 * (chip + 250.0) / 0.96


def test_power_of_a_step_is_that_of_its_terms() -> None:
    """3 s of matrix work, 2 s of passes, 2 s of traffic and 3 s of waiting in 10 s: 53% of 1,000 W."""
    assert step_power(STEP, WATTS) == pytest.approx(wall(270.0 + 120.0 + 80.0 + 60.0))


@pytest.mark.parametrize("term", ["tp", "cp", "ep", "fsdp", "contention", "transfer", "dp"])
def test_every_kind_of_traffic_counts_as_traffic(term: str) -> None:
    """One second of any exposed traffic in ten draws 0.1 x 0.4 of the TDP."""
    step = Terms(*[0.0] * 16, 10.0)._replace(product=9.0, **{term: 1.0})
    assert step_power(step, WATTS) == pytest.approx(wall(810.0 + 40.0))


@pytest.mark.parametrize("term", ["bubble", "host", "straggle", "floor"])
def test_the_rest_of_a_step_waits(term: str) -> None:
    """One second of waiting in ten draws 0.1 x 0.2 of the TDP."""
    step = Terms(*[0.0] * 16, 10.0)._replace(product=9.0, **{term: 1.0})
    assert step_power(step, WATTS) == pytest.approx(wall(810.0 + 20.0))


def test_what_is_computed_again_draws_as_what_it_repeats() -> None:
    """2.5 s again of 5 s of work: 4.5 s of matrix work, 3 s of passes, 2 s of traffic, 0.5 s of waiting."""
    again = STEP._replace(recompute=2.5, bubble=0.5)
    assert step_power(again, WATTS) == pytest.approx(wall(405.0 + 180.0 + 80.0 + 10.0))


def test_a_cap_holds_the_chip_alone() -> None:
    """400 W a chip at most; the rest of the node draws on; a cap above what is drawn changes nothing."""
    assert step_power(STEP, WATTS._replace(cap=400.0)) == pytest.approx(wall(400.0))
    assert step_power(STEP, WATTS._replace(cap=600.0)) == step_power(STEP, WATTS)


def test_unknown_ratings_have_unknown_power() -> None:
    """nan, not 0 W."""
    assert math.isnan(step_power(STEP, WATTS._replace(known=0)))
