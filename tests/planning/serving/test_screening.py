"""The quick look: Little's law on one copy, against closed forms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.planning.serving.screening import (
    Bound,
    Demand,
    Looker,
    at_rate,
    capacity,
    expected_tokens,
    greatest,
    holds,
    stay,
    users,
)

from .made import BASE, EACH, policy, table

DEMAND = Demand(read=256.0, past=0.0, output=64.0, context=288.0, held=288.0)
COPY = Looker(table(), policy(), DEMAND)


def test_a_copy_answers_what_littles_law_says() -> None:
    """lambda = 1 / (n T0 / B + D) and TPOT = T0 + D B / n, with T0 = a + b B and D = b p."""
    for batch in (1.0, 8.0, 64.0):
        found = COPY.point(batch)
        decode, prompt = BASE + EACH * batch, EACH * 256.0
        assert found.decode == pytest.approx(decode) and found.prompt == pytest.approx(prompt)
        assert found.rate == pytest.approx(1.0 / (64.0 * decode / batch + prompt))
        assert found.tpot == pytest.approx(decode + prompt * batch / 64.0)
        assert found.rate * 64.0 * found.time == pytest.approx(batch)


def test_prompts_first_pay_a_whole_iteration() -> None:
    """Where prompts go first, each takes an iteration of its own: a + b p."""
    found = Looker(table(), policy(batching=1), DEMAND).point(8.0)
    assert found.prompt == pytest.approx(BASE + EACH * 256.0)


def test_a_prompt_beyond_a_chunk_takes_several_iterations() -> None:
    """1,024 tokens in pieces of what 512 leave: the first token comes that many iterations later."""
    short, long = COPY.point(8.0), Looker(table(), policy(), DEMAND._replace(read=1024.0)).point(8.0)
    assert long.ttft > short.ttft + 2.0 * short.decode


def test_speculation_yields_the_published_number_of_tokens() -> None:
    """e = (1 - a^(k + 1)) / (1 - a): 3 tokens at 0.8 give 2.952; without drafts one."""
    assert expected_tokens(3, 0.8) == pytest.approx(2.952) and expected_tokens(0, 0.8) == 1.0
    assert expected_tokens(3, 1.0) == 4.0


def test_the_cache_and_the_cap_bound_the_batch() -> None:
    """No more sequences than the engine takes, nor than the KV cache holds; none where not one has room."""
    assert COPY.most == 256
    assert Looker(table(), policy(kv_tokens=2880), DEMAND).most == 10
    assert Looker(table(), policy(kv_tokens=100), DEMAND).curve() == ()


def test_the_point_of_a_rate_answers_it() -> None:
    """What is read off the curve at a rate has that rate; beyond the capacity there is none."""
    curve = COPY.curve()
    found = at_rate(curve, 0.5 * capacity(curve))
    assert found is not None and found.rate == pytest.approx(0.5 * capacity(curve))
    assert at_rate(curve, 1.01 * capacity(curve)) is None


def test_the_greatest_rate_is_at_the_edge_of_the_bound() -> None:
    """At the greatest rate the bound holds, a little further it does not."""
    curve, bound = COPY.curve(), Bound(tpot=0.012)
    found = greatest(curve, bound, 64.0)
    assert found is not None and found.tpot == pytest.approx(0.012, rel=1e-3) and holds(found, bound, 64.0)
    beyond = at_rate(curve, 1.01 * found.rate)
    assert beyond is not None and not holds(beyond, bound, 64.0)


def test_a_bound_below_one_request_alone_has_no_rate() -> None:
    """TPOT below an iteration with one sequence is never kept."""
    assert greatest(COPY.curve(), Bound(tpot=0.5 * BASE), 64.0) is None


def test_users_follow_the_response_time_law() -> None:
    """N = X (R + Z)."""
    point = COPY.point(8.0)
    assert users(point, 64.0, 5.0) == pytest.approx(point.rate * (stay(point, 64.0) + 5.0))


@settings(max_examples=40, deadline=None)
@given(st.floats(1.0, 128.0), st.floats(1.0, 2.0))
def test_a_larger_batch_answers_more_and_slower(batch: float, times: float) -> None:
    """Rate and time per token both grow with the batch."""
    small, large = COPY.point(batch), COPY.point(batch * times)
    assert large.rate >= small.rate * (1.0 - 1e-9) and large.tpot >= small.tpot * (1.0 - 1e-9)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.011, 0.2), st.floats(1.0, 3.0))
def test_a_looser_bound_never_answers_less(tpot: float, times: float) -> None:
    """A promise that allows more leaves room for at least as many requests."""
    curve = COPY.curve()
    tight, loose = (greatest(curve, Bound(tpot=value), 64.0) for value in (tpot, tpot * times))
    assert loose is not None and (tight is None or loose.rate >= tight.rate * (1.0 - 1e-6))
    assert math.isfinite(loose.ttft)
