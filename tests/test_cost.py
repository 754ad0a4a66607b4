"""Money, energy and carbon: the formulas, against hand-worked and published values, and their laws."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan import cost
from exaplan.errors import InputError

YEAR = cost.YEAR
RATES = st.just(0.0) | st.floats(1e-6, 0.5)
LIVES = st.floats(0.5, 40.0).map(lambda years: years * YEAR)
WAFER = math.pi * 0.15**2  # m2, a wafer of 300 mm


def test_rent_is_rate_times_chips_times_time() -> None:
    """$2 per chip-hour, 100 chips, 3 hours: $600."""
    assert cost.rent_cost(2.0 / 3600.0, 100.0, 3.0 * 3600.0) == pytest.approx(600.0)


def test_energy_is_power_times_time() -> None:
    """8 kW at the meter over an hour: 8 kWh."""
    assert cost.energy_used(8000.0, 3600.0) == pytest.approx(8.0 * 3.6e6)


def test_carbon_is_energy_times_intensity() -> None:
    """8 kWh at 0.4 kg/kWh: 3.2 kg."""
    assert cost.carbon_emitted(8.0 * 3.6e6, 0.4 / 3.6e6) == pytest.approx(3.2)


def test_electricity_is_energy_times_price() -> None:
    """8 kWh at $0.10: 80 cents."""
    assert cost.electricity_cost(8.0 * 3.6e6, 0.10 / 3.6e6) == pytest.approx(0.8)


def test_a_run_takes_longer_than_its_steps() -> None:
    """100 steps of 3 s at a goodput of 75%: 400 s; server and network are shares on top of the chip."""
    assert cost.run_time(100.0, 3.0, 0.75) == pytest.approx(400.0)
    assert cost.purchase_price(cost.server_price(100.0, 0.4), 0.5) == pytest.approx(210.0)


# ---------------------------------------------------------------------------------------------------------- capital


def test_capital_recovery_is_that_of_the_tables() -> None:
    """Compound interest tables: A/P at 8% is 0.25046 over 5 and 0.10185 over 20 years; A/F at 8% and 5 is 0.17046."""
    assert cost.capital_recovery(0.08, 5 * YEAR) == pytest.approx(0.25046, abs=5e-6)
    assert cost.capital_recovery(0.08, 20 * YEAR) == pytest.approx(0.10185, abs=5e-6)
    assert cost.sinking_fund(0.08, 5 * YEAR) == pytest.approx(0.17046, abs=5e-6)


def test_an_annuity_repays_the_capital() -> None:
    """The payments and the resale, discounted, are worth the price: present value of 3 years at 10%."""
    paid = cost.annuity(1000.0, 0.10, 3 * YEAR, 0.2)
    assert sum(paid / 1.1**year for year in (1, 2, 3)) + 200.0 / 1.1**3 == pytest.approx(1000.0)


@given(RATES, LIVES, st.floats(0.0, 0.9))
def test_interest_is_what_an_annuity_adds_to_the_wear(wacc: float, life: float, residual: float) -> None:
    """Financing is never below zero, and none where capital costs nothing."""
    more = cost.financing(1e6, wacc, life, residual)
    whole = cost.annuity_rate(1e6, wacc, life, residual)
    assert more >= -1e-9 and whole - more == pytest.approx((1.0 - residual) * 1e6 / life)
    assert cost.financing(1e6, 0.0, life, residual) == pytest.approx(0.0, abs=1e-9)


@given(RATES, st.floats(1e-3, 0.2), LIVES)
def test_dearer_capital_never_costs_less(wacc: float, step: float, life: float) -> None:
    """The annuity rises with the cost of capital and falls with the life."""
    assert cost.capital_recovery(wacc + step, life) > cost.capital_recovery(wacc, life)
    assert cost.capital_recovery(wacc, life * (1.0 + step)) < cost.capital_recovery(wacc, life)


@pytest.mark.parametrize(
    ("wacc", "life", "residual", "word"),
    [
        (0.1, 0.0, 0.0, "life"),
        (0.1, -YEAR, 0.0, "life"),
        (0.1, math.nan, 0.0, "life"),
        (-0.01, YEAR, 0.0, "cost of capital"),
        (0.1, YEAR, -0.1, "residual"),
        (0.1, YEAR, 1.0, "residual"),
    ],
)
def test_impossible_terms_are_refused(wacc: float, life: float, residual: float, word: str) -> None:
    """No life, capital that costs less than nothing, a resale above the price: an error that says so, with a hint."""
    with pytest.raises(InputError, match=word) as error:
        cost.annuity(1.0, wacc, life, residual)
    assert error.value.hint


@pytest.mark.parametrize("used", [0.0, -0.2, 1.01])
def test_a_utilisation_is_a_share(used: float) -> None:
    """Outside (0, 1] is refused; half the hours in use cost twice as much each."""
    assert cost.per_used(3.0, 0.5) == 6.0
    with pytest.raises(InputError, match="utilisation"):
        cost.per_used(1.0, used)


def test_break_even_is_when_cash_is_the_same() -> None:
    """$36,000 against $3/h saved: 12,000 h; never where running alone costs the rent."""
    assert cost.break_even(36_000.0, 4.0 / 3600.0, 1.0 / 3600.0) == pytest.approx(12_000 * 3600.0)
    assert cost.break_even(1.0, 1.0, 1.0) is None
    assert cost.straight_line(1000.0, YEAR, 5 * YEAR) == pytest.approx(200.0)


def test_ranges_of_a_sum_add_in_quadrature() -> None:
    """3 below and 4 below make 5 below; what is exact adds nothing."""
    assert cost.spread([(10.0, 7.0, 10.0), (20.0, 16.0, 25.0), (1.0, 1.0, 1.0)]) == (31.0, 26.0, 36.0)


# -------------------------------------------------------------------------------------------------------------- hall


def test_sea_water_that_cools_a_megawatt() -> None:
    """1 MW at 8 K and the heat of sea water: 30.5 litres a second; 15 m of head take 6.0 kW of pumps at 75%."""
    flow = cost.cooling_flow(1e6, 1025.0, 3995.0, 8.0)
    assert flow == pytest.approx(0.03053, rel=1e-3)
    assert cost.pump_power(flow, 1025.0, 15.0, 0.75) == pytest.approx(6137.0, rel=1e-3)


def test_a_hall_is_bought_by_the_watt() -> None:
    """2 MW at $11.7 a watt, a PUE of 1.25, one and a half people a megawatt."""
    assert cost.facility_price(2e6, 11.7) == pytest.approx(23.4e6)
    assert cost.air_overhead(2e6, 1.25) == pytest.approx(0.5e6)
    assert cost.people(2e6, 1.5e-6) == pytest.approx(3.0)


# ----------------------------------------------------------------------------------------------------------- network


@pytest.mark.parametrize(
    ("nodes", "switches", "price"),
    [(2, 0, 810), (64, 8, 1883), (128, 48, 4248), (2048, 768, 4248), (4096, 2560, 6613), (16384, 10240, 6613)],
)
def test_switches_and_links_of_published_clusters(nodes: int, switches: int, price: float) -> None:
    """The worksheet of H100 clusters (August 2024): switches exactly, price of the network per chip within 3%."""
    tiers = cost.network_tiers(nodes, 64)
    assert cost.switch_share(tiers, 64) * nodes * 8 == pytest.approx(switches)
    link = 810.0 if nodes == 2 else 1280.0
    assert cost.network_price(tiers, 64, 36_000.0, link) == pytest.approx(price, rel=0.03)


@given(st.integers(1, 10**6), st.sampled_from([8, 32, 64, 128]), st.floats(1.0, 8.0))
def test_a_larger_network_never_costs_less_an_end(count: int, radix: int, thin: float) -> None:
    """Tiers and price per endpoint never fall with the count; oversubscription never makes it dearer."""
    tiers, more = cost.network_tiers(count, radix), cost.network_tiers(2 * count, radix)
    assert tiers <= more and cost.endpoints(radix, max(tiers, 1)) >= count
    full = cost.network_price(tiers, radix, 1000.0, 10.0)
    assert full <= cost.network_price(more, radix, 1000.0, 10.0)
    assert cost.network_price(tiers, radix, 1000.0, 10.0, thin) <= full


# ----------------------------------------------------------------------------------------------------------- silicon


def test_dies_of_known_size_on_a_wafer() -> None:
    """100 mm2 on 300 mm: 652 by the formula (640 to 660 by die calculators); an H100 die (814 mm2) 67.7."""
    assert cost.dies_per_wafer(WAFER, 100e-6) == pytest.approx(652.2, abs=0.5)
    assert cost.dies_per_wafer(WAFER, 814e-6) == pytest.approx(67.7, abs=0.1)
    assert cost.dies_per_wafer(WAFER, WAFER) == 0.0


def test_yield_models_agree_where_they_should() -> None:
    """17.92 mm2 at 0.1 per cm2: 98.2% by all; Murphy at A D = 1 is 0.3996; many clusters tend to Poisson."""
    die, defects = 17.92e-6, 1000.0
    assert cost.yield_negative_binomial(die, defects, 3.0) == pytest.approx(0.982, abs=5e-4)
    assert cost.yield_murphy(die, defects) == pytest.approx(0.982, abs=5e-4)
    assert cost.yield_murphy(1e-3, 1000.0) == pytest.approx(0.39958, abs=1e-5)
    assert cost.yield_negative_binomial(1e-3, 1000.0, 1e9) == pytest.approx(math.exp(-1.0))
    assert cost.yield_murphy(0.0, 1000.0) == 1.0


@given(st.floats(1e-6, 1e-3), st.floats(0.0, 5e3), st.floats(1.0, 2e3), st.floats(0.5, 20.0), st.floats(0.0, 1.0))
def test_more_defects_never_yield_more(die: float, defects: float, more: float, alpha: float, salvage: float) -> None:
    """Yield falls with the density of defects, lies in (0, 1], and salvage never lowers what can be sold."""
    clean = cost.yield_negative_binomial(die, defects, alpha)
    dirty = cost.yield_negative_binomial(die, defects + more, alpha)
    assert 0.0 < dirty <= clean <= 1.0
    assert clean <= cost.usable_share(clean, salvage) <= 1.0 + 1e-12
    assert cost.yield_murphy(die, defects + more) <= cost.yield_murphy(die, defects)


@given(st.floats(1e6, 1e10), st.floats(10.0, 1e5), st.floats(1.0, 1e7), st.floats(1.0, 1e6))
def test_more_volume_never_raises_the_cost_of_a_chip(once: float, unit: float, volume: float, more: float) -> None:
    """What is paid once is shared by more chips."""
    assert unit <= cost.with_once(unit, once, volume + more) <= cost.with_once(unit, once, volume)


@given(st.floats(1e6, 1e10), st.floats(10.0, 1e5), st.floats(10.0, 1e6), st.floats(0.1, 0.99), st.floats(0.1, 10.0))
def test_a_cheaper_rival_never_lowers_the_volume(
    once: float, unit: float, price: float, share: float, ratio: float
) -> None:
    """At break-even both ways cost the same; against a cheaper rival it takes more chips, or it never pays."""
    volume = cost.break_even_volume(once, unit, price, ratio)
    cheaper = cost.break_even_volume(once, unit, share * price, ratio)
    if volume is None:
        assert cheaper is None and price / ratio <= unit
        return
    assert once + unit * volume == pytest.approx(price * volume / ratio)
    assert cheaper is None or cheaper >= volume


def test_a_chip_is_what_works_of_its_parts() -> None:
    """Two dies of 300, memory 1,000, packaging 400, of which 80% work, and 500 of test and board: 3,000."""
    assert cost.chip_cost(300.0, 2.0, 1000.0, 400.0, 0.8, 500.0) == pytest.approx(3000.0)
