"""The event loop: conservation, determinism, and the compiled loop equal to its plain twin, event for event."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_sim import FEW, POLICY, SHORT, count, leaks, load, pool, table

from exaplan import sim
from exaplan.nouns.serving import Autoscale
from exaplan.sim import columns as at

TIGHT = {"kv_tokens": 480}
FLEETS: dict[str, tuple[sim.Load, sim.Fleet]] = {
    "mixed": (load(rate=5.0), sim.Fleet(pool())),
    "prompts first": (load(rate=5.0), sim.Fleet(pool(batching=1))),
    "static": (load(rate=5.0), sim.Fleet(pool(batching=2))),
    "not chunked": (load(rate=5.0), sim.Fleet(pool(chunked=0))),
    "whole": (load(rate=9.0), sim.Fleet(pool(whole=1, kv_tokens=800))),
    "recompute": (load(arrivals="closed", users=12), sim.Fleet(pool(**TIGHT))),
    "recompute, prompts first": (load(arrivals="closed", users=12), sim.Fleet(pool(batching=1, **TIGHT))),
    "swap": (load(arrivals="closed", users=12), sim.Fleet(pool(swap=1, host_tokens=1000, **TIGHT))),
    "speculation": (
        load(arrivals="closed", users=12),
        sim.Fleet(pool(steps=table(width=4.0), draft=3, accept=0.6, **TIGHT)),
    ),
    "sessions": (
        load(arrivals="closed", users=5, turns=4, prefix=40, think=0.5),
        sim.Fleet(pool(2, "prefix", prefix=1, kv_tokens=3200)),
    ),
    "host tier": (
        load(arrivals="closed", users=9, turns=4, prefix=40, think=0.5),
        sim.Fleet(pool(2, "prefix", prefix=1, host_tokens=3000)),
    ),
    "window": (
        load(rate=4.0, turns=5, prefix=40, think=0.5, history="window", keep=100),
        sim.Fleet(pool(2, "round-robin", prefix=1)),
    ),
    "apart": (load(rate=9.0), sim.Fleet(pool(2), pool(2), sim.Transfer(1e5, 0.001))),
    "apart and tight": (
        load(rate=19.0, prefix=30),
        sim.Fleet(pool(**TIGHT), pool(2, prefix=1, **TIGHT), sim.Transfer(1e4, 0.001)),
    ),
    "autoscale": (load(200, rate=9.0), sim.Fleet(pool(), autoscale=Autoscale(1, 4, 4.0, 2.0, 3.0))),
    "stations": (
        load(rate=5.0),
        sim.Fleet(
            pool(), stations=(sim.Station("a", 2, 0.1, "exponential"), sim.Station("b", 1, 0.05, "lognormal", 2.0))
        ),
    ),
}  # fmt: skip


def same(a: sim.Result, b: sim.Result) -> bool:
    """Whether two runs end in the same state, with the same log."""
    return np.array_equal(a.state.whole, b.state.whole) and np.array_equal(a.state.real, b.state.real, equal_nan=True)


@pytest.mark.parametrize("name", FLEETS)
def test_the_compiled_loop_equals_the_plain_one(name: str) -> None:
    """Every policy: each event of the compiled loop happens in the plain one, at the same time to the last bit."""
    requests, fleet = FLEETS[name]
    fast, plain = sim.run(requests, fleet, 3, log=1000), sim.run(requests, fleet, 3, plain=True, log=1000)
    assert count(fast, at.LOG) == count(fast, at.FINISHED) > 0
    assert same(fast, plain)


@pytest.mark.parametrize("name", FLEETS)
def test_nothing_is_lost(name: str) -> None:
    """Every policy: all requests are answered, tokens are made once, blocks are free again, Little's law holds."""
    requests, fleet = FLEETS[name]
    result = sim.run(requests, fleet, 3)
    chunk = next(requests.chunks())
    assert count(result, at.FINISHED) == requests.limit
    assert count(result, at.TOKENS_OUT) == chunk.rows[:, at.ROW_OUTPUT].sum()
    assert count(result, at.TOKENS_IN) >= chunk.rows[:, at.ROW_PROMPT].sum()
    assert list(leaks(result)) == []
    assert sim.summary(result).little == pytest.approx(1.0, rel=1e-9)


def test_without_caches_and_preemption_every_prompt_token_is_computed_once() -> None:
    """What prompts ask for is what iterations compute."""
    result = sim.run(load(rate=5.0), sim.Fleet(pool()))
    assert count(result, at.TOKENS_COMPUTED) == count(result, at.TOKENS_IN)


def test_what_the_cache_holds_is_not_computed() -> None:
    """Tokens found in the cache and tokens computed add up to what was asked for."""
    requests, fleet = FLEETS["sessions"]
    result = sim.run(requests, fleet, 3)
    hit, computed = count(result, at.TOKENS_HIT), count(result, at.TOKENS_COMPUTED)
    assert hit > 0 and hit + computed == count(result, at.TOKENS_IN)


def test_a_seed_makes_a_run() -> None:
    """The same seed gives the same run, another seed another one."""
    fleet = sim.Fleet(pool())
    runs = [sim.run(load(rate=5.0, seed=seed), fleet, seed) for seed in (4, 4, 5)]
    assert same(runs[0], runs[1]) and not same(runs[0], runs[2])


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_small_case_is_the_same_compiled_and_plain(data: st.DataObject) -> None:
    """Random policies, caches, users and sessions: both loops agree, and nothing leaks."""
    whole = st.integers(0, 1)
    changes: dict[str, Any] = {name: data.draw(whole, name) for name in ("chunked", "whole", "swap", "prefix")}
    changes |= {
        "batching": data.draw(st.integers(0, 2), "batching"),
        "max_seqs": data.draw(st.integers(1, 6), "seqs"),
        "max_tokens": data.draw(st.integers(8, 200), "tokens"),
        "block": data.draw(st.sampled_from([1, 4, 16]), "block"),
        "kv_tokens": data.draw(st.integers(300, 1500), "kv"),
        "host_tokens": data.draw(st.sampled_from([0, 500]), "host"),
        "draft": data.draw(st.integers(0, 2), "draft"),
        "accept": 0.5,
    }
    traffic: dict[str, Any] = {"turns": data.draw(st.integers(1, 3), "turns"), "think": 0.1}
    traffic |= {"prefix": data.draw(st.sampled_from([0, 24]), "prefix")}
    traffic |= data.draw(st.sampled_from([{"rate": 8.0}, {"arrivals": "closed", "users": 5}]), "arrivals")
    router = data.draw(st.sampled_from(["round-robin", "prefix"]), "router")
    own = pool(data.draw(st.integers(1, 2), "replicas"), router, **changes)
    apart = data.draw(st.booleans(), "apart")
    fleet = sim.Fleet(own, pool(**changes), sim.Transfer(1e4, 0.01)) if apart else sim.Fleet(own)
    requests = load(20, 2, **traffic)
    fast, plain = sim.run(requests, fleet, 1, log=50), sim.run(requests, fleet, 1, plain=True, log=50)
    assert same(fast, plain)
    refused = count(fast, at.REFUSED_CACHE) + count(fast, at.REFUSED_CONTEXT)
    assert count(fast, at.FINISHED) + refused <= 20
    assert list(leaks(fast)) == []


def test_the_benchmark_serves_each_user_in_turn() -> None:
    """With one user a request takes its prompt's iterations and one step per further token."""
    found = sim.bench(table(), POLICY._replace(max_tokens=1000), 100, 11, 1, low=1.0)
    assert found.ttft == pytest.approx(0.01)
    assert found.tpot == pytest.approx(0.01)
    assert found.latency == pytest.approx(0.11)
    assert found.throughput == pytest.approx(11 / 0.11)


def test_the_benchmark_is_the_same_plain() -> None:
    """The protocol of measurements, compiled and plain, to the last bit; each seed draws other lengths."""
    fast = sim.bench(table(request=0.003), POLICY, 150, 20, 6, 1)
    assert fast == sim.bench(table(request=0.003), POLICY, 150, 20, 6, 1, plain=True)
    assert fast != sim.bench(table(request=0.003), POLICY, 150, 20, 6, 2)


def test_an_opening_burst_waits_longer() -> None:
    """Measured requests that start all at once wait longer for their first token than those of a loop that goes on."""
    burst, steady = (sim.bench(table(1e-3), POLICY, 150, 20, 8, drained=drained).ttft for drained in (True, False))
    assert burst > 1.1 * steady


def test_a_benchmark_that_is_refused_measures_nothing() -> None:
    """Prompts longer than the cache give NaN, not a loop without end."""
    found = sim.bench(table(), POLICY._replace(kv_tokens=64), 150, 20, 2)
    assert np.isnan(found.ttft) and found.throughput == 0.0


def test_many_requests_need_more_room_and_get_it() -> None:
    """A burst of more requests, sessions and events than fit at first is served like any other."""
    requests = load(5000, rate=5000.0, turns=2, prefix=32)
    result = sim.run(requests, sim.Fleet(pool(2, prefix=1, kv_tokens=40_000, max_seqs=64)))
    assert count(result, at.FINISHED) == 5000 and list(leaks(result)) == []


def test_lengths_are_drawn_within_their_bounds() -> None:
    """Uniform lengths stay in their range, and each value can come."""
    rows = next(load(20_000, rate=1.0).chunks()).rows
    assert rows[:, at.ROW_PROMPT].min() == SHORT.low and rows[:, at.ROW_PROMPT].max() == SHORT.high
    assert set(rows[:, at.ROW_OUTPUT]) == set(range(FEW.low, FEW.high + 1))
