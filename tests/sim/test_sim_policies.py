"""What each policy does to requests, and which fleets and traffic are refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_sim import POLICY, count, load, pool, table

from exaplan import sim
from exaplan.errors import InputError
from exaplan.nouns.serving import Autoscale, Lengths, Promise, Traffic
from exaplan.sim import columns as at
from exaplan.sim import drive
from exaplan.sim.summary import all_replicas
from exaplan.sim.trends import grows, half_width, start_up, student

ONE = Lengths("fixed", 1.0)
LONG = Lengths("fixed", 100.0)


def told(requests: sim.Load, fleet: sim.Fleet, **options: object) -> object:
    """Summary of a run."""
    return sim.summary(sim.run(requests, fleet, 1, **options))  # type: ignore[arg-type]


def test_chunks_let_decoding_go_on() -> None:
    """A long prompt in one piece holds the tokens of others up; in chunks it does not."""
    steps, requests = (
        table(1e-3, 0.05),
        load(400, rate=0.5, prompt=Lengths("fixed", 600.0), output=Lengths("fixed", 20.0)),
    )
    whole = sim.run(requests, sim.Fleet(pool(steps=steps, batching=1, max_tokens=1000)))
    chunks = sim.run(requests, sim.Fleet(pool(steps=steps, max_tokens=50)))
    assert sim.quantile(whole, "tpot", 95.0) > 1.2 * sim.quantile(chunks, "tpot", 95.0)


def test_a_static_batch_makes_newcomers_wait() -> None:
    """Continuous batching starts a request at once; a static batch ends first."""
    requests = load(500, rate=8.0)
    static, mixed = (sim.summary(sim.run(requests, sim.Fleet(pool(batching=kind)))) for kind in (2, 0))
    assert static.queue.mean > 5.0 * mixed.queue.mean


def test_admission_of_whole_answers_never_preempts() -> None:
    """With room kept for the longest output nobody is preempted; without, some are."""
    requests = load(300, arrivals="closed", users=12)
    safe, bold = (sim.summary(sim.run(requests, sim.Fleet(pool(whole=kind, kv_tokens=480)))) for kind in (1, 0))
    assert safe.preemptions == 0 < bold.preemptions


def test_swapping_computes_nothing_twice() -> None:
    """Recomputing computes more tokens than prompts have; swapping does not, as long as host memory has room."""
    requests = load(300, arrivals="closed", users=12)
    again = sim.run(requests, sim.Fleet(pool(kv_tokens=480)))
    swapped = sim.run(requests, sim.Fleet(pool(kv_tokens=480, swap=1, host_tokens=4000)))
    full = sim.run(requests, sim.Fleet(pool(kv_tokens=480, swap=1, host_tokens=16)))
    assert count(again, at.TOKENS_COMPUTED) > count(again, at.TOKENS_IN)
    assert count(swapped, at.TOKENS_COMPUTED) == count(swapped, at.TOKENS_IN)
    assert count(swapped, at.SWAPS) == count(swapped, at.PREEMPTIONS) > 0
    assert count(full, at.SWAPS) < count(full, at.PREEMPTIONS)


def test_accepted_drafts_shorten_answers() -> None:
    """With k drafted tokens of acceptance a, a step makes (1 - a^(k+1)) / (1 - a) tokens on average."""
    requests = load(2000, arrivals="closed", users=4, output=Lengths("fixed", 400.0), prompt=ONE)
    steps = table(0.0, 0.01, width=4.0)
    run = sim.summary(sim.run(requests, sim.Fleet(pool(steps=steps, draft=3, accept=0.7, kv_tokens=10_000))))
    tokens = (1.0 - 0.7**4) / (1.0 - 0.7)
    assert run.tpot.mean == pytest.approx(0.01 / tokens, rel=0.01)


def test_a_common_prefix_is_computed_once() -> None:
    """Of 50 requests with 96 tokens in common all but the first few find them in the cache."""
    requests = load(50, rate=1.0, prefix=96)
    run = sim.run(requests, sim.Fleet(pool(prefix=1)))
    assert count(run, at.TOKENS_HIT) == 49 * 96
    assert count(sim.run(requests, sim.Fleet(pool())), at.TOKENS_HIT) == 0


@pytest.mark.parametrize(
    ("history", "prompts"), [("full", [100, 210, 320]), ("window", [100, 160, 160]), ("none", [100] * 3)]
)
def test_history_makes_prompts_longer(history: str, prompts: list[int]) -> None:
    """Three turns of 100 tokens and answers of 10: all is repeated, the last 60 tokens of it, or nothing."""
    requests = load(
        3, rate=1.0, turns=3, think=1.0, history=history, keep=60, prompt=LONG, output=Lengths("fixed", 10.0)
    )
    result = sim.run(requests, sim.Fleet(pool()))
    assert count(result, at.TOKENS_IN) == sum(prompts)


def test_only_an_uncut_history_is_found_in_the_cache() -> None:
    """Full history is cached; a window whose beginning was cut off is not."""
    shares = {}
    for history in ("full", "window"):
        requests = load(40, rate=0.2, turns=4, think=1.0, history=history, keep=60, prompt=LONG)
        shares[history] = sim.summary(sim.run(requests, sim.Fleet(pool(prefix=1)))).cached
    assert shares["full"] > 0.4 and shares["window"] == 0.0


def test_host_memory_brings_evicted_caches_back() -> None:
    """With more sessions than the cache holds, a host tier finds what was evicted."""
    requests = load(400, arrivals="closed", users=30, turns=5, think=2.0)
    without, tier = (
        sim.summary(sim.run(requests, sim.Fleet(pool(prefix=1, host_tokens=size)))) for size in (0, 40_000)
    )
    assert tier.replicas["tokens_from_host"] > 0.0 == without.replicas["tokens_from_host"]
    assert tier.cached > 1.3 * without.cached


def test_routers_share_requests_out() -> None:
    """Round robin gives each replica its turn; by prefix more is cached than by load."""
    requests = load(400, rate=8.0, turns=5, think=1.0)
    cached = {}
    for router in ("round-robin", "least-loaded", "prefix"):
        fleet = sim.Fleet(pool(4, router, prefix=1, kv_tokens=8000))
        cached[router] = sim.summary(sim.run(requests, fleet, 1)).cached
    assert cached["prefix"] > 1.5 * cached["round-robin"]
    assert cached["prefix"] > 1.2 * cached["least-loaded"]


def test_the_prefix_router_gives_way_when_loads_drift_apart() -> None:
    """With no tolerance it balances; with a large one it follows the cache."""
    requests = load(400, rate=30.0, turns=5, think=0.1)
    base = pool(4, "prefix", prefix=1, kv_tokens=8000)
    strict, loose = (
        sim.summary(sim.run(requests, sim.Fleet(dataclasses.replace(base, near=near, ratio=1.0)), 1)).cached
        for near in (0.0, 1000.0)
    )
    assert loose > strict


def test_replicas_come_and_go() -> None:
    """A burst starts replicas, which are paid for while they start; afterwards they stop, one by one."""
    whens = np.concatenate([np.arange(100) * 0.01, 60.0 + np.arange(20) * 10.0])
    rows = np.tile(np.array([[100, 30, -1]]), (120, 1))
    fleet = sim.Fleet(pool(), autoscale=Autoscale(1, 4, 8.0, 2.0, 5.0))
    result = sim.run(sim.fixed_load(rows, whens=whens), fleet)
    run = sim.summary(result)
    assert run.replicas["starts"] == run.replicas["stops"] == 3.0
    assert 1.0 < run.replicas["mean"] < 2.0 and max(run.series["replicas"]) > 3.0
    assert [result.state.whole[row + at.STATUS] for row in all_replicas(result.state)].count(at.ON) == 1


def test_prefill_elsewhere_sends_the_cache() -> None:
    """The first token comes when the cache has come: 100 tokens at 1,000/s and 0.05 s, after 10 ms of prompt."""
    requests = load(1, rate=1.0, prompt=LONG, output=Lengths("fixed", 5.0))
    run = sim.summary(sim.run(requests, sim.Fleet(pool(), pool(), sim.Transfer(1000.0, 0.05))))
    assert run.ttft.mean == pytest.approx(0.01 + 0.05 + 0.1)
    assert run.tpot.mean == pytest.approx(0.01) and run.replicas["tokens_sent"] == 100.0


def test_too_long_requests_are_refused_by_reason() -> None:
    """Longer than the context, or than the whole cache: counted, and the rest is served."""
    rows = np.array([[100, 10, -1], [200_000, 10, -1], [1_700, 10, -1], [50, 5, -1]])
    run = sim.summary(sim.run(sim.fixed_load(rows, whens=np.arange(4.0)), sim.Fleet(pool())))
    assert run.requests == 2 and run.unfinished == 0
    assert run.refused == {"longer than the context": 1, "longer than the KV cache": 1}


def test_refused_users_ask_again() -> None:
    """A closed loop goes on after a refusal, to its limit."""
    rows = np.array([[100, 10, -1], [200_000, 10, -1]] * 5)
    run = sim.summary(sim.run(sim.fixed_load(rows, users=2), sim.Fleet(pool())))
    assert run.requests == run.refused["longer than the context"] == 5


def test_overload_is_told() -> None:
    """Beyond what it can do the queue grows to the end; below it does not, and a closed loop never does."""
    over, under = (sim.summary(sim.run(load(20_000, rate=rate), sim.Fleet(pool()))) for rate in (45.0, 20.0))
    assert not over.stable and under.stable
    assert sim.summary(sim.run(load(2000, arrivals="closed", users=100), sim.Fleet(pool()))).stable


def test_goodput_counts_who_keeps_the_promise() -> None:
    """The share that keeps a promise of the median first token is about half; another promise needs another run."""
    requests, fleet = load(5000, rate=12.0), sim.Fleet(pool())
    limit = sim.quantile(sim.run(requests, fleet), "ttft", 50.0)
    promise = Promise(ttft=limit)
    result = sim.run(requests, fleet, promise=promise)
    run = sim.summary(result, promise)
    assert run.kept == pytest.approx(0.5, abs=0.05)
    assert run.goodput == pytest.approx(run.kept * run.throughput["requests"])
    assert result.quantile("ttft", 50.0) == limit
    with pytest.raises(InputError, match="another promise"):
        sim.summary(result, Promise(ttft=9.0))


def test_ctrl_c_keeps_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is stopped keeps its figures and says so; who is still there counts in Little's law."""
    slices = []

    def stopped(self: drive.Kernel, s: object) -> int:
        slices.append(1)
        if len(slices) > 6:
            raise KeyboardInterrupt
        return int(self.loop(s, self.table, self.policy, self.first, self.way, 400))

    monkeypatch.setattr(drive.Kernel, "slice", stopped)
    fleet = sim.Fleet(pool(), stations=(sim.Station("a", 1, 0.02),))
    run = sim.summary(sim.run(load(5000, rate=40.0), fleet))
    assert "Ctrl-C" in run.partial and 0 < run.requests < 5000 and run.unfinished > 0
    assert run.little == pytest.approx(1.0, rel=1e-9)


def test_the_course_of_time_adds_up() -> None:
    """Rates of the time series sum to what was done, shares lie between 0 and 1."""
    result = sim.run(load(5000, rate=12.0), sim.Fleet(pool()))
    run = sim.summary(result)
    spans = np.diff([0.0, *run.series["time"]])
    assert np.dot(spans, run.series["requests"]) == pytest.approx(5000)
    assert np.dot(spans, run.series["output_tokens"]) == pytest.approx(count(result, at.TOKENS_OUT))
    assert 0.0 < run.kv["mean"] <= run.kv["peak"] <= 1.0 and 0.0 < run.busy <= 1.0
    assert max(run.series["kv"]) <= 1.0 and run.batch > 1.0


def test_percentiles_are_those_of_the_requests() -> None:
    """They rise with their rank, the mean is known within 5%, and there is no time per token without tokens."""
    result = sim.run(
        load(200_000, rate=0.5, prompt=ONE, output=ONE), sim.Fleet(None, stations=(sim.Station("a", 1, 1.0),))
    )
    run = sim.summary(result)
    assert run.latency.p50 <= run.latency.p90 <= run.latency.p95 <= run.latency.p99 <= run.latency.largest
    assert run.latency.error["mean"] < 0.05 * run.latency.mean
    assert np.isnan(run.tpot.mean) and run.tpot.n == 0


@pytest.mark.parametrize(
    ("fleet", "said"),
    [
        (sim.Fleet(), "serves nothing"),
        (sim.Fleet(pool(), pool()), "need replicas that decode and a link"),
        (sim.Fleet(pool(router="random")), "unknown router 'random'"),
        (sim.Fleet(pool(0)), "each is at least 1|0 replicas"),
        (sim.Fleet(pool(kv_tokens=8)), "holds 8 tokens, less than one block"),
        (sim.Fleet(pool(swap=1, host_rate=0.0)), "needs a transfer rate"),
        (sim.Fleet(None, stations=(sim.Station("x", 0, 1.0),)), "station x: 0 servers"),
        (sim.Fleet(pool(), autoscale=Autoscale(2, 1, 1.0, 0.0)), "between 2 and 1 replicas"),
    ],
)
def test_fleets_that_cannot_serve_are_refused(fleet: sim.Fleet, said: str) -> None:
    """Each with what is wrong."""
    with pytest.raises(InputError, match=said):
        sim.run(load(rate=1.0), fleet)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate": 0.0}, "requests come at 0.0/s"),
        ({"rate": None}, "requests come at None/s"),
        ({"arrivals": "closed"}, "without users"),
        ({"arrivals": "rain", "rate": 1.0}, "unknown arrivals 'rain'"),
        ({"arrivals": "bursty", "rate": 1.0, "burst": 0.0}, "gaps vary by 0"),
        ({"rate": 1.0, "history": "some"}, "unknown history 'some'"),
        ({"rate": 1.0, "turns": 0}, "turns below 1"),
        ({"rate": 1.0, "prompt": Lengths("normal", 1.0)}, "unknown kind 'normal'"),
        ({"rate": 1.0, "prompt": Lengths("uniform", 0.0, 0.0, 5, 4)}, "from 5 to 4 tokens"),
        ({"rate": 1.0, "output": Lengths("fixed", 0.0)}, "0 tokens on average"),
        ({"rate": 1.0, "output": Lengths("lognormal", 5.0, -1.0)}, "negative spread"),
    ],
)
def test_traffic_that_makes_no_sense_is_refused(changes: dict[str, object], said: str) -> None:
    """Each with what is wrong."""
    traffic = Traffic(**({"prompt": ONE, "output": ONE} | changes))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said):
        sim.traffic.make(traffic, 10)


def test_nothing_to_simulate_is_refused() -> None:
    """No requests, or a benchmark without users."""
    with pytest.raises(InputError, match="0 requests"):
        sim.traffic.make(Traffic(prompt=ONE, output=ONE, rate=1.0), 0)
    with pytest.raises(InputError, match="measures nothing"):
        sim.bench(table(), POLICY, 10, 10, 0)


def test_lognormal_lengths_have_their_mean_and_spread() -> None:
    """Uncut they do; cut they stay inside."""
    chance = np.random.default_rng(1)
    free = sim.traffic.draw(Lengths("lognormal", 1000.0, 0.5), chance, 200_000)
    assert free.mean() == pytest.approx(1000.0, rel=0.01) and free.std() / free.mean() == pytest.approx(0.5, rel=0.02)
    cut = sim.traffic.draw(Lengths("lognormal", 1000.0, 0.5, 500, 2000), chance, 1000)
    assert cut.min() == 500 and cut.max() == 2000


def test_confidence_and_trends() -> None:
    """Student's points of tables; a start-up is found and cut; noise does not grow, a ramp does."""
    assert student(5) == pytest.approx(2.571, rel=2e-3) and student(30) == pytest.approx(2.042, rel=1e-3)
    chance = np.random.default_rng(3)
    values = chance.normal(5.0, 1.0, 30)
    assert half_width(values) == pytest.approx(2.045 * values.std(ddof=1) / 30**0.5, rel=1e-3)
    assert np.isnan(half_width(values[:3]))
    assert start_up(np.concatenate((np.linspace(0.0, 4.0, 8), values + 10.0))) >= 8
    assert start_up(values[:5]) == 0
    assert grows(np.arange(20.0) + chance.normal(0.0, 1.0, 20), 100.0)
    assert not grows(chance.normal(50.0, 5.0, 20), 100.0)
    assert not grows(np.arange(20.0), 1e6)
