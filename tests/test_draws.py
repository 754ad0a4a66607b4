"""Ranges: what makes a prediction less sure, its width, and products of intervals."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_inputs import JOB

from exaplan import draws
from exaplan.catalog import fits, tuning
from exaplan.draws import Doubt, Interval
from exaplan.perf.step import Terms

TERMS = Terms(*[float(2**i) for i in range(16)], 2.0**16 - 1.0)
SURE = Doubt("hopper", "fused", False, 0)
FACTORS = {"": {"factor": 1.5, "repeat": 0.02, "recentred": 0.15}, "a|b": {"factor": 2.0}}


def parts(**changes: Any) -> dict[str, float]:
    """Parts of one step for a job, terms or doubt that differ in ``changes``."""
    job = JOB._replace(**{k: v for k, v in changes.items() if k in JOB._fields})
    doubt = SURE._replace(**{k: v for k, v in changes.items() if k in SURE._fields})
    return draws.parts(changes.get("terms", TERMS), job, doubt)


@pytest.fixture
def factors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conformal factors of round numbers: 1.5 as shipped, 2 for a fold."""
    monkeypatch.setattr(tuning, "ranges", lambda fold="": FACTORS[fold])


@pytest.fixture
def sigmas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Own uncertainties: 3% and 4%."""
    table = {"parts": {"one": {"value": 0.03}, "comm": {"value": 0.04}}, "young": []}
    monkeypatch.setattr(tuning, "yaml_data", lambda name: table)


# ------------------------------------------------------------------------------------------------------- parts


def test_a_well_known_case_has_no_doubts_of_its_own() -> None:
    """Dense, 16 bit, measured chip, today's kernels, nothing left blank: only shares of the step count."""
    found = parts()
    assert found["one"] == 1.0
    for name in ("low", "fine", "moe", "old", "young", "unmeasured", "lora", "blanks"):
        assert found[name] == 0.0, name


def test_each_doubt_has_its_part() -> None:
    """Number format, experts, adapters, and blanks (in quadrature, three at most) each raise their own part."""
    matrix = (TERMS.product + TERMS.recompute) / TERMS.total
    passes = (TERMS.vector + TERMS.optimizer) / TERMS.total
    assert parts(is_low=1)["low"] == pytest.approx(matrix)
    assert parts(is_low=1, low_bytes=1.0)["fine"] == 0.0
    assert parts(is_low=1, low_bytes=1.03125)["fine"] == pytest.approx(matrix)
    assert parts(low_bytes=1.03125)["fine"] == 0.0
    assert parts(experts=8)["moe"] == pytest.approx(matrix + passes)
    assert parts(lora=True)["lora"] == 1.0
    assert [parts(blanks=n)["blanks"] ** 2 for n in (1, 3, 9)] == pytest.approx([1.0, 3.0, 3.0])


def test_shares_cover_the_step_once() -> None:
    """Products, attention, passes, traffic, experts' traffic and waiting are all of a step, and no second twice."""
    found = parts()
    shares = [found[name] for name in ("product", "attention", "vector", "comm", "ep", "wait")]
    assert sum(shares) == pytest.approx(1.0) and min(shares) > 0.0


def test_each_second_lies_in_its_share() -> None:
    """Terms are powers of two, so a share shows which of them it holds."""
    found = {name: round(value * TERMS.total) for name, value in parts().items()}
    names = ("tp", "cp", "fsdp", "contention", "dp", "transfer")
    assert found["comm"] == sum(getattr(TERMS, name) for name in names)
    assert found["wait"] == TERMS.bubble + TERMS.straggle + TERMS.host + TERMS.floor
    assert found["product"] == TERMS.product + TERMS.recompute
    assert (found["ep"], found["attention"]) == (TERMS.ep, TERMS.attention)


def test_an_empty_step_has_parts() -> None:
    """No time: shares are not divided by zero."""
    assert parts(terms=Terms(*[0.0] * 17))["comm"] == 0.0


def test_older_attention_kernels_are_less_sure() -> None:
    """A kernel below the measured one's rate raises the attention part; unknown names and the measured one do not."""
    curves = fits.record("attention_kernels")["curves"]["hopper"]
    old = next(name for name, entry in curves.items() if float(entry["share"]) < 1.0)
    assert parts(kernel=old)["old"] == pytest.approx(TERMS.attention / TERMS.total)
    assert not draws.is_old(Doubt("hopper", "fused", False, 0)) and not draws.is_old(Doubt("hopper", "", False, 0))


def test_inherited_curves_are_less_sure() -> None:
    """An architecture without measurements is as much wider as its curves are; a measured one not at all."""
    extra = fits.matmul("volta", "bf16").spread - fits.matmul("hopper", "bf16").spread
    assert draws.kernel_spread("hopper") == 0.0 < extra
    assert parts(architecture="volta")["unmeasured"] == pytest.approx(extra)


def test_young_architectures_are_named_in_the_record() -> None:
    """Each architecture on the list of new ones raises its part."""
    for name in tuning.yaml_data("fits/ranges.yaml")["young"]:
        assert parts(architecture=name)["young"] == 1.0


# ------------------------------------------------------------------------------------------------------ widths


def test_independent_doubts_add_in_quadrature(sigmas: None) -> None:
    """3% of all and 4% of all: 5%; 4% of half: less."""
    assert draws.scale({"one": 1.0, "comm": 1.0}) == pytest.approx(0.05)
    assert draws.scale({"one": 1.0, "comm": 0.5}) == pytest.approx(math.hypot(0.03, 0.02))


def test_interval_is_the_factor_times_the_scale(sigmas: None, factors: None) -> None:
    """t exp(-c s) to t exp(c s), c that of the fold."""
    found = {"one": 1.0, "comm": 1.0}
    assert draws.interval(10.0, found) == pytest.approx((10.0 * math.exp(-0.075), 10.0 * math.exp(0.075)))
    assert draws.interval(10.0, found, "a|b") == pytest.approx((10.0 * math.exp(-0.1), 10.0 * math.exp(0.1)))


def test_every_part_has_a_shipped_uncertainty() -> None:
    """The record names a positive sigma for each part, so none is left out of the width."""
    table = tuning.yaml_data("fits/ranges.yaml")["parts"]
    assert set(table) == set(parts())
    calm = draws.scale(parts())
    assert calm > 0.0
    for changes in ({"experts": 8}, {"is_low": 1}, {"lora": True}, {"blanks": 2}, {"architecture": "volta"}):
        assert draws.scale(parts(**changes)) > calm, changes


def test_observed_intervals(factors: None) -> None:
    """The asker's own layout again: repeat noise; another layout: how rows of one group differ."""
    assert draws.observed_interval(10.0, True) == pytest.approx((10.0 * math.exp(-0.02), 10.0 * math.exp(0.02)))
    assert draws.observed_interval(10.0, False) == pytest.approx((10.0 * math.exp(-0.15), 10.0 * math.exp(0.15)))


# ---------------------------------------------------------------------------------------------------- products


def test_half_widths_add_in_quadrature() -> None:
    """[1/e^3, e^3] x [1/e^4, e^4] is [1/e^5, e^5] around the product."""
    first = Interval(2.0 * math.exp(-3.0), 2.0 * math.exp(3.0))
    second = Interval(5.0 * math.exp(-4.0), 5.0 * math.exp(4.0))
    got = draws.product(first, 2.0, second, 5.0)
    assert got == pytest.approx((10.0 * math.exp(-5.0), 10.0 * math.exp(5.0)))


def test_both_sides_add_apart() -> None:
    """Lower sides with lower, upper with upper."""
    got = draws.product(Interval(1.0 / math.e, 1.0), 1.0, Interval(2.0, 2.0 * math.e**2), 2.0)
    assert got == pytest.approx((2.0 / math.e, 2.0 * math.e**2))


def test_a_sure_factor_scales_the_range() -> None:
    """No second interval, or one that touches zero: the first, scaled."""
    assert draws.product(Interval(1.0, 3.0), 2.0, None, 10.0) == (10.0, 30.0)
    assert draws.product(Interval(1.0, 3.0), 2.0, Interval(0.0, 20.0), 10.0) == (10.0, 30.0)
    assert draws.product(Interval(1.0, 3.0), 2.0, Interval(0.0, 0.0), 0.0) == (0.0, 0.0)


@settings(max_examples=100, deadline=None)
@given(st.floats(0.1, 10.0), st.floats(1.0, 3.0), st.floats(0.1, 10.0), st.floats(1.0, 3.0))
def test_products_widen(value: float, up: float, factor: float, wide: float) -> None:
    """A product's range holds the product and is at least as wide as either factor's, at most as both."""
    got = draws.product(Interval(value / up, value * up), value, Interval(factor / wide, factor * wide), factor)
    ratio = got.high / (value * factor)
    assert max(up, wide) <= ratio * (1.0 + 1e-9) and ratio <= up * wide * (1.0 + 1e-9)
    assert got.low <= value * factor * (1.0 + 1e-9)
