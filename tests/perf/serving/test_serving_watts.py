"""Power of a chip that serves: what draws it, its bounds, and the FLOPs and bytes that it is counted from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan.perf.roofline import ChipRates
from exaplan.perf.serving import attention as at
from exaplan.perf.serving import inputs as to
from exaplan.perf.serving.operators import touched
from exaplan.perf.serving.power import (
    ServingPower,
    Spent,
    decode_work,
    lagging,
    operator_work,
    product_work,
    prompt_work,
    serving_power,
    share_drawn,
)

FIT = ServingPower(idle=0.1, waiting=0.2, traffic=0.3, busy=0.4, compute=0.5, memory=0.3, experts=0.1, low=0.2)
SECONDS = st.floats(0.0, 1.0)
RATES = ChipRates(*(1.0 for _ in ChipRates._fields))._replace(peak=1e15, bandwidth=2e12)
LOW = RATES._replace(peak=2e15)


def hardware() -> to.ServeHardware:
    """A chip of 1 PFLOP/s (2 in the format of the weights) and 2 TB/s; curves take no part in what is counted."""
    empty: dict[str, Any] = dict.fromkeys(to.ServeHardware._fields)
    return to.ServeHardware(**empty | {"high": RATES, "low": LOW})


def operator(kind: int, **columns: float) -> list[float]:
    """A row of an operator with the columns that are given."""
    row = [0.0] * to.COLUMNS
    row[to.KIND] = float(kind)
    for name, value in columns.items():
        row[getattr(to, name)] = value
    return row


def kind(**columns: float) -> list[float]:
    """A kind of attention layer with the columns that are given."""
    row = [0.0] * at.COLUMNS
    for name, value in columns.items():
        row[getattr(at, name)] = value
    return row


def test_each_second_draws_what_it_is_spent_in() -> None:
    """A quarter waiting, a quarter traffic, half at work with half of peak and bandwidth: by hand 0.525."""
    spent = Spent(total=4.0, waiting=1.0, traffic=1.0, compute=1.0, memory=1.0)
    assert share_drawn(spent, FIT) == pytest.approx((0.2 + 0.3 + 2 * 0.4 + 0.5 + 0.3) / 4.0)


def test_grouped_products_draw_on_top() -> None:
    """Half the time in experts of a scaled format: their two shares for that half, by hand."""
    spent = Spent(2.0, 0.0, 0.0, 0.0, 0.0, experts=1.0, low=1.0)
    assert share_drawn(spent, FIT) == pytest.approx(0.4 + 0.5 * (0.1 + 0.2))


@given(st.integers(1, 64), st.integers(1, 8), st.floats(1.0, 4096.0), st.integers(1, 16), st.sampled_from([0.0, 0.5]))
def test_the_mean_chip_waits_for_the_busiest(local: int, top: int, tokens: float, ranks: int, skew: float) -> None:
    """A share of the time; none on one chip, none where every chip reads all of its experts."""
    row = operator(to.GROUPED, GROUPS=float(local), EXPERTS=float(local * ranks), TOP=float(min(top, local * ranks)))
    assert 0.0 <= lagging(row, tokens, skew) < 1.0
    assert lagging(row, 1e12, 0.0) == pytest.approx(0.0, abs=1e-6)
    row[to.EXPERTS] = row[to.GROUPS]
    assert lagging(row, tokens, skew) == pytest.approx(0.0, abs=1e-9)


def test_the_busiest_of_chips_as_drawn() -> None:
    """Against draws of the same: 16 experts on 8 chips, one of them for each of 8 tokens, within 15%."""
    draws = np.random.default_rng(5).integers(0, 16, size=(4000, 8))
    hit = np.zeros((4000, 16), dtype=bool)
    np.put_along_axis(hit, draws, True, axis=1)
    counts = hit.reshape(4000, 8, 2).sum(axis=2)
    row = operator(to.GROUPED, GROUPS=2.0, EXPERTS=16.0, TOP=1.0)
    assert 1.0 - lagging(row, 8.0, 0.0) == pytest.approx(counts.mean() / counts.max(axis=1).mean(), rel=0.15)


def test_nothing_to_do_draws_the_rest() -> None:
    """An iteration of no time rests; an engine that is not used waits with its job loaded."""
    nothing = Spent(0.0, 0.0, 0.0, 0.0, 0.0)
    assert share_drawn(nothing, FIT) == FIT.idle
    assert serving_power(700.0, nothing, FIT, used=0.0) == pytest.approx(700.0 * FIT.waiting)


@given(SECONDS, SECONDS, SECONDS, SECONDS, SECONDS)
def test_power_lies_between_rest_and_tdp(
    total: float, waiting: float, traffic: float, flops: float, moved: float
) -> None:
    """Whatever the time is said to be spent in."""
    assert FIT.idle <= share_drawn(Spent(total, waiting, traffic, flops, moved), FIT) <= 1.0


@given(st.floats(0.1, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_work_in_the_same_time_draws_more(total: float, flops: float, more: float) -> None:
    """Power never falls with FLOPs or with bytes, nor rises with waiting."""
    base = Spent(total, 0.0, 0.0, flops * total, 0.0)
    assert share_drawn(base._replace(compute=base.compute + more), FIT) >= share_drawn(base, FIT)
    assert share_drawn(base._replace(memory=more), FIT) >= share_drawn(base, FIT)
    assert share_drawn(base._replace(waiting=total), FIT) <= share_drawn(base, FIT) + 1e-12


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_use_lies_between_waiting_and_work(used: float, flops: float) -> None:
    """The average of work and of waiting, weighted by time."""
    spent = Spent(1.0, 0.0, 0.0, flops, 0.0)
    power = serving_power(1000.0, spent, FIT, used)
    assert 200.0 - 1e-9 <= power <= 1000.0 * share_drawn(spent, FIT) + 1e-9
    assert power == pytest.approx(1000.0 * (used * share_drawn(spent, FIT) + (1.0 - used) * 0.2))


def test_product_counts_two_flops_and_each_byte_once() -> None:
    """2 m n k, and weights, input and 16-bit output."""
    assert product_work(4.0, 8.0, 16.0, 2.0, 1.0, 2.0) == (2 * 4 * 8 * 16, 1 * 2 * 8 * 16 + 2 * 4 * 16 + 2 * 4 * 8)


def test_products_run_at_the_peak_of_their_format() -> None:
    """The same product in the format of the weights takes half the time at its peak."""
    row = operator(to.PRODUCT, ROWS=1.0, N=1024.0, K=1024.0, GROUPS=1.0, WEIGHT=2.0, INPUT=2.0)
    high, moved = operator_work(row, 64.0, hardware())
    row[to.LOW] = 1.0
    low, same = operator_work(row, 64.0, hardware())
    assert high == pytest.approx(2.0 * 64 * 1024 * 1024 / 1e15) and low == pytest.approx(high / 2.0)
    assert moved == same == pytest.approx((2.0 * 1024 * 1024 + 4.0 * 64 * 1024) / 2e12)


def test_only_experts_that_a_token_picked_are_read() -> None:
    """8 of 128 for one token; nearly all for many."""
    row = operator(
        to.GROUPED, ROWS=8.0, N=1e3, K=1e3, GROUPS=128.0, EXPERTS=128.0, TOP=8.0, WEIGHT=2.0, INPUT=2.0
    )  # fmt: skip
    one, many = (operator_work(row, tokens, hardware())[1] * 2e12 for tokens in (1.0, 1000.0))
    assert one == pytest.approx(2.0 * 8 * 1e6 + 2 * 2.0 * 8 * 1e3)
    assert many == pytest.approx(2.0 * touched(128.0, 128.0, 8.0, 1000.0, 0.0) * 1e6 + 2 * 2.0 * 8e3 * 1e3)


def test_passes_move_and_traffic_does_no_work() -> None:
    """A pass counts its bytes, a scan both, a reduction neither; nothing is counted of no tokens."""
    assert operator_work(operator(to.PASS, MOVED=4.0), 10.0, hardware()) == (0.0, 40.0 / 2e12)
    assert operator_work(operator(to.SCAN, MOVED=4.0, K=6.0), 10.0, hardware()) == (60.0 / 1e15, 40.0 / 2e12)
    assert operator_work(operator(to.REDUCE, MOVED=4.0, RANKS=8.0), 10.0, hardware()) == (0.0, 0.0)
    assert operator_work(operator(to.PASS, MOVED=4.0), 0.0, hardware()) == (0.0, 0.0)


def test_decode_reads_the_cache_of_its_window() -> None:
    """Two layers of three sequences: every cached token of a full layer, 128 of a layer with that window."""
    full = kind(COUNT=2.0, HEADS=4.0, KEY=64.0, VALUE=64.0, CACHE=256.0, STATE=100.0, WIDTH=1.0)
    flops, moved = decode_work(full, 3.0, 1000.0)
    assert moved == 2 * 3 * (1000 * 256 + 100) and flops == 2 * 2 * 3 * 1000 * 4 * 128
    full[at.WINDOW] = 128.0
    assert decode_work(full, 3.0, 1000.0)[1] == 2 * 3 * (128 * 256 + 100)


def test_prompts_count_half_the_square() -> None:
    """A prompt of s tokens works on about s / 2 keys each; a layer without attention on prompts counts nothing."""
    row = kind(COUNT=1.0, P_HEADS=8.0, P_KEY=128.0, P_VALUE=128.0, P_TILE=0.0, CACHE=512.0)
    flops, moved = prompt_work(row, 1000.0, 0.0)
    assert flops == pytest.approx(2 * 1000 * 500 * 8 * 256) and moved == 2 * 1000 * 8 * 256
    assert prompt_work(row, 0.0, 10.0) == (0.0, 0.0) and prompt_work(kind(COUNT=1.0), 10.0, 0.0) == (0.0, 0.0)


def test_rows_may_be_arrays() -> None:
    """The event loop's tables are numpy arrays."""
    row = np.array(operator(to.PASS, MOVED=4.0))
    assert operator_work(row, 10.0, hardware()) == (0.0, 40.0 / 2e12)  # type: ignore[arg-type]
