"""The quick look against sums done by hand: prompts in pieces, waits, drafts, bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from exaplan.nouns.serving import Lengths, Traffic
from exaplan.perf.serving import attention
from exaplan.perf.serving.inputs import Host, StepTable
from exaplan.planning.serving.demand import demand_of, moments
from exaplan.planning.serving.screening import Bound, Demand, Looker, Point, capacity, greatest, stay
from exaplan.planning.serving.sizing import at_percentile

from .made import BASE, EACH, policy, table
from .test_sizing import times

DEMAND = Demand(read=256.0, past=0.0, output=64.0, context=288.0, held=288.0)
UP = 1e-6  # [s per token]


def attending(**changes: float) -> StepTable:
    """Iterations with one kind of attention layer, of which only what is named takes time."""
    made = np.zeros((1, attention.COLUMNS))
    usual = dict.fromkeys(("rate", "stream", "p_rate", "p_stream"), 1e30)
    usual |= dict.fromkeys(("count", "scale", "p_scale", "kv_heads", "corner", "p_corner", "p_cut"), 1.0)
    for name, value in {**usual, **changes}.items():
        made[0, getattr(attention, name.upper())] = value
    return table()._replace(attention=made)


def test_the_first_token_waits_for_an_iteration_and_for_prompts_before_it() -> None:
    """Half an iteration, an M/G/1 wait at the share of the chunk budget in use, the prompt itself, and the host."""
    steps = table()._replace(host=Host(0.0, 0.0, 0.0, 0.0, 0.2))
    found = Looker(steps, policy(), DEMAND._replace(spread=3.0)).point(8.0)
    decode, prompt = BASE + EACH * 8, EACH * 256
    mean, busy = (64 * decode / 8 + prompt) * 8 / 64, 8 / 64 * 256 / 512
    wait = 0.5 * mean + 0.5 * (1 + 3) * busy / (1 - busy) * (decode + prompt)
    assert found.busy == pytest.approx(busy) and found.ttft == pytest.approx(0.2 + wait + decode + prompt)


def test_prompts_first_load_the_copy_by_their_time() -> None:
    """Where prompts go first, the wait is that of their own iterations."""
    found = Looker(table(), policy(batching=1), DEMAND).point(8.0)
    prompt = BASE + EACH * 256
    busy = found.rate * prompt
    assert found.busy == pytest.approx(busy)
    assert found.ttft == pytest.approx(0.5 * found.time + 0.5 * busy / (1 - busy) * prompt + prompt)


def test_pieces_of_a_prompt_stand_behind_each_other() -> None:
    """1,024 tokens beside 8 sequences: three pieces in 504 each, behind 100 cached tokens and those before them."""
    steps = attending(p_heads=1.0, p_tile=128.0, p_up=UP)
    found = Looker(steps, policy(), DEMAND._replace(read=1024.0, past=100.0, extra=0.05))
    prompt, pieces = found.prompt(8.0)
    assert pieces == 3.0
    assert prompt == pytest.approx(1024 * EACH + UP * (3 * 100 + 1024 / 3 * (0 + 1 + 2)) + 0.05)
    alone, one = Looker(steps, policy(chunked=0), DEMAND._replace(read=1024.0, past=100.0)).prompt(8.0)
    assert one == 1.0 and alone == pytest.approx(1024 * EACH + UP * 100)


def test_short_prompts_share_an_iteration() -> None:
    """Prompts first: four of 100 tokens in one iteration pay a quarter of its start each."""
    found = Looker(table(), policy(batching=1), DEMAND._replace(read=100.0))
    assert found.prompt(8.0, 4.0)[0] == pytest.approx((BASE + 400 * EACH) / 4)
    assert found.prompt(8.0, 100.0)[0] == pytest.approx((BASE + 512 * EACH) / 5.12)


def test_decoding_sequences_see_their_contexts() -> None:
    """8 sequences of 288 tokens at 1 us a token."""
    found = Looker(attending(cache=1.0, stream=1.0 / UP), policy(), DEMAND)
    assert found.decode(8.0) == pytest.approx(BASE + EACH * 8 + 8 * 288 * UP)


def test_drafts_shorten_an_answer_and_widen_an_iteration() -> None:
    """Three drafted tokens at 0.8: 2.952 tokens a step of four times the tokens."""
    found = Looker(table()._replace(width=4.0), policy(draft=3, accept=0.8), DEMAND)
    decode, prompt, steps = BASE + EACH * 32, EACH * 256, 64 / 2.952
    point = found.point(8.0)
    assert found.budget(8.0) == 480.0 and point.decode == pytest.approx(decode)
    assert point.rate == pytest.approx(1 / (steps * decode / 8 + prompt))
    assert point.tpot == pytest.approx((decode + prompt * 8 / steps) / 2.952)


def test_the_watermark_is_no_room() -> None:
    """3,168 tokens of which 288 stay free hold ten sequences of 288."""
    assert Looker(table(), policy(kv_tokens=3168, watermark=288), DEMAND).most == 10


def test_the_first_token_is_no_step() -> None:
    """An answer of 11 tokens takes its first and ten steps."""
    assert stay(Point(1.0, 1.0, 0.1, 1.0, 0.1, 0.1, 0.1, 0.1), 11.0) == pytest.approx(2.0)


def test_a_copy_is_loaded_as_far_as_its_bound_says() -> None:
    """Half of the capacity, between the points of the curve and where only one request fits."""
    curve = Looker(table(), policy(), DEMAND).curve()
    found = greatest(curve, Bound(load=0.5), 64.0)
    assert found is not None and found.rate == pytest.approx(0.5 * capacity(curve), rel=1e-4)
    narrow = Looker(table(), policy(kv_tokens=300), DEMAND).curve()
    lone = greatest(narrow, Bound(load=0.5), 64.0)
    assert (
        {point.batch for point in narrow} == {1.0}
        and lone is not None
        and lone.rate == pytest.approx(0.5 * narrow[0].rate)
    )


# --------------------------------------------------------------------------------------------------- demand


def test_the_longest_of_a_lognormal_length_is_its_p99() -> None:
    """exp(2.33 sigma) above the mean where no bound is given, sigma^2 = log(1 + cv^2)."""
    assert moments(Lengths("lognormal", 100.0, cv=2.0)).most == pytest.approx(100 * math.exp(2.33 * math.log(5) ** 0.5))


def test_prompts_spread_as_their_lengths() -> None:
    """The squared coefficient of variation; the longest request of a window, of full history, and alone."""
    lengths = {"prompt": Lengths("lognormal", 100.0, cv=2.0, high=400), "output": Lengths("fixed", 50.0)}
    assert demand_of(Traffic(**lengths, rate=1.0), False).spread == pytest.approx(4.0)
    window = Traffic(**lengths, rate=1.0, turns=3, history="window", keep=600)
    assert demand_of(window, False).longest == 600 + 450
    assert demand_of(Traffic(**lengths, rate=1.0, turns=3), False).longest == 3 * 450
    assert demand_of(Traffic(**lengths, rate=1.0, prefix=70), False).longest == 70 + 450


def test_percentiles_lie_between_by_the_logarithm_of_what_is_above() -> None:
    """100 - sqrt(50) is half-way between p90 and p95; below p50 in proportion."""
    found = times(1.0)
    middle = 100.0 - math.sqrt(50.0)
    assert at_percentile(found, middle) == pytest.approx(0.5 * (found.p90 + found.p95))
    third = 100.0 - 5.0 ** (2 / 3)  # a third of the way from p95 to p99
    assert at_percentile(found, third) == pytest.approx(found.p95 + (found.p99 - found.p95) / 3)
    assert at_percentile(found, 25.0) == pytest.approx(0.5 * found.p50)
