"""Time of served operators: laws, hand-counted bytes, and what bounds them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rows import GEMM, HARDWARE, RATES, REDUCES, ROWS, TUNE

from exaplan.perf.roofline import ChipRates
from exaplan.perf.serving import operators as ops
from exaplan.perf.serving.inputs import ALL, COLUMNS, EXCHANGE, OWN
from exaplan.perf.serving.pack import row

TOKENS = st.floats(1.0, 20000.0)


def product(m: float, weight: float = 2.0, rates: ChipRates = RATES, groups: float = 1.0) -> float:
    return ops.product_time(m, 8192.0, 8192.0, groups, weight, 2.0, rates, GEMM, 1.0)


def test_few_rows_cost_their_weights() -> None:
    """One row through 8192 x 8192 reads 134 MB of 16-bit weights; 4-bit ones take a quarter of that time."""
    streaming = 2.0 * 8192 * 8192 / (3e12 * 0.8)
    assert product(1.0) == pytest.approx(GEMM.floor + streaming, rel=0.01)
    assert product(1.0, weight=0.5) - GEMM.floor == pytest.approx(streaming / 4, rel=0.02)


@given(TOKENS, st.floats(1.0, 4.0))
def test_more_rows_never_take_less(m: float, more: float) -> None:
    """Products are monotone in rows."""
    assert product(m * more) >= product(m) * (1.0 - 1e-12)


@given(TOKENS, st.floats(1.0, 4.0))
def test_more_bandwidth_is_never_slower(m: float, more: float) -> None:
    """Products are monotone in bandwidth."""
    assert product(m, rates=RATES._replace(bandwidth=3e12 * more)) <= product(m)


def test_rows_of_a_tile_grow_in_steps() -> None:
    """Up to four rows as they are, eight, then steps of sixteen up to the tile."""
    assert [ops.tile_rows(r, 128.0) for r in (0.5, 1.0, 3.2, 4.0, 5.0, 9.0, 17.0, 500.0)] == [
        1.0, 1.0, 4.0, 4.0, 8.0, 16.0, 32.0, 128.0,
    ]  # fmt: skip


@given(TOKENS, st.floats(0.0, 3.0), st.sampled_from([(8.0, 128.0, 8.0), (32.0, 256.0, 8.0), (128.0, 128.0, 4.0)]))
def test_experts_hit_stay_within_those_there_are(tokens: float, skew: float, size: tuple[float, float, float]) -> None:
    """Between one token's share and all local ones; uneven picking hits fewer; the busiest rank hits more."""
    local, experts, top = size
    hit = ops.touched(local, experts, top, tokens, skew)
    assert local * top / experts * 0.5 <= hit <= local * (1.0 + 1e-12)
    assert hit <= ops.touched(local, experts, top, tokens, 0.0) * (1.0 + 1e-9)
    assert hit <= ops.busiest(local, experts, top, tokens, skew) <= local * (1.0 + 1e-12)


def test_one_token_hits_its_own_experts() -> None:
    """top of all experts for one token evenly picked; a model of one expert reads it."""
    assert ops.touched(128.0, 128.0, 8.0, 1.0, 0.0) == pytest.approx(8.0)
    assert ops.touched(4.0, 4.0, 4.0, 1.0, 0.2) == 4.0


@given(st.floats(512.0, 4e8), st.floats(1.0, 3.0), st.sampled_from([2.0, 4.0, 8.0]), st.sampled_from([0.0, 2097152.0]))
def test_all_reduces_are_monotone(size: float, more: float, ranks: float, limit: float) -> None:
    """More bytes never take less, at the change from one shot to two as well."""
    fit = REDUCES._replace(limit=limit)
    assert ops.small_all_reduce(size * more, ranks, 450e9, fit) >= ops.small_all_reduce(size, ranks, 450e9, fit) * (
        1.0 - 1e-12
    )


def test_a_lone_rank_reduces_nothing() -> None:
    """One rank has nobody to reduce with; two nodes go over the network."""
    assert ops.reduce_time(1e6, 1.0, 1.0, HARDWARE) == 0.0
    assert ops.reduce_time(1e6, 8.0, 2.0, HARDWARE) > ops.reduce_time(1e6, 8.0, 1.0, HARDWARE)


def test_low_latency_exchange_counts_every_copy() -> None:
    """128 tokens of 7 KB to 8 experts in a node of 8: 7.3 MB at the links' share; other nodes add hops and network."""
    fit = HARDWARE.quick
    inside = ops.low_latency_time(128.0, 7168.0, 8.0, 8.0, 1.0, 450e9, 50e9, fit)
    assert inside == pytest.approx(1e-5 + 128 * 7168 * 8 / (450e9 * 0.6))
    outside = ops.low_latency_time(128.0, 7168.0, 8.0, 8.0, 2.0, 450e9, 50e9, fit)
    assert outside == pytest.approx(1.6e-5 + 128 * 7168 * 8 / 2 / (50e9 * 0.9))
    assert ops.low_latency_time(128.0, 7168.0, 8.0, 1.0, 1.0, 450e9, 50e9, fit) == 0.0


def test_experts_that_are_not_spread_need_every_token() -> None:
    """Without expert parallelism attention ranks gather and reduce, and never take the exchange."""
    shape = {"n": 7168.0, "groups": 8.0, "ranks": 8.0, "given": 1.0}
    spread, whole = row(EXCHANGE, "ep", 1.0, ALL, top=8.0, **shape), row(EXCHANGE, "ep", 1.0, ALL, top=0.0, **shape)
    assert ops.exchange_time(whole, 4096.0, HARDWARE) == ops.reduce_time(2.0 * 7168 * 4096, 8.0, 1.0, HARDWARE)
    assert ops.exchange_time(spread, 4096.0, HARDWARE) <= ops.exchange_time(whole, 4096.0, HARDWARE)


def test_cores_bound_engines_that_say_so() -> None:
    """80 cores of 10 GB/s stream 800 GB/s, whatever the memory could."""
    assert ops.reached(RATES, 0.0, 1e10) is RATES
    assert ops.reached(RATES, 80.0, 1e10).bandwidth == 8e11
    assert ops.reached(RATES, 132.0, 1e12).bandwidth == RATES.bandwidth


@pytest.mark.parametrize("name", ROWS)
@given(tokens=TOKENS, more=st.floats(1.0, 3.0))
def test_every_kind_of_row_is_monotone_in_tokens(name: str, tokens: float, more: float) -> None:
    """More tokens never take less; none take nothing."""
    one = ops.operator_time(ROWS[name], tokens, HARDWARE, TUNE)
    assert math.isfinite(one) and one > 0.0
    assert ops.operator_time(ROWS[name], tokens * more, HARDWARE, TUNE) >= one * (1.0 - 1e-9)
    assert ops.operator_time(ROWS[name], 0.0, HARDWARE, TUNE) == 0.0


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("products", "product"), ("products_low", "low"), ("experts", "grouped"), ("vector", "pass"),
        ("collective", "reduce"), ("exchange", "exchange"),
    ],
)  # fmt: skip
def test_factors_of_tuning_scale_their_terms(field: str, name: str) -> None:
    """Twice the factor, twice the time of the rows it stands for (grouped products: beside their fixed part)."""
    single = TUNE._replace(grouped=0.0)
    before = ops.operator_time(ROWS[name], 100.0, HARDWARE, single)
    after = ops.operator_time(ROWS[name], 100.0, HARDWARE, single._replace(**{field: 2.0 * getattr(single, field)}))
    assert after == pytest.approx(2.0 * before)


def test_rows_have_all_columns() -> None:
    """A row is as wide as its columns, and its side stands where the tables look."""
    assert {len(line) for line in ROWS.values()} == {COLUMNS}
    assert ROWS["grouped"][3] == ALL and ROWS["pass"][3] == OWN
