"""Runs of a few requests whose every iteration is counted by hand, in the plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sim import POLICY, leaks, load, table

from exaplan import sim
from exaplan.nouns.serving import Autoscale, Lengths
from exaplan.perf.serving import attention
from exaplan.perf.serving.inputs import Policy, StepTable
from exaplan.sim import build, columns
from exaplan.sim.bench import Bench
from exaplan.sim.nouns import Chunk, fixed_load
from exaplan.sim.record import LEAST, bucket
from exaplan.sim.summary import all_replicas, middle, quantile_of, reals, wholes
from exaplan.sim.trends import grows, start_up

NEVER_BINDS = 1e30  # a rate


def column(**changes: float) -> np.ndarray:
    """One kind of attention layer of which only what is named takes time."""
    made = np.zeros((1, attention.COLUMNS))
    for name in ("RATE", "STREAM", "P_RATE", "P_STREAM"):
        made[0, getattr(attention, name)] = NEVER_BINDS
    usual = {"count": 1.0, "scale": 1.0, "p_scale": 1.0, "kv_heads": 1.0, "corner": 1.0, "p_corner": 1.0, "p_cut": 1.0}
    for name, value in {**usual, **changes}.items():
        made[0, getattr(attention, name.upper())] = value
    return made


SEEN = column(cache=1.0, stream=1.0)  # 1 s per token that a decoding sequence sees
BEHIND = column(p_heads=1.0, p_tile=128.0, p_up=1.0)  # 1 s per token that stands before a chunk


def run(
    requests: list[tuple[int, int]], whens: list[float], steps: StepTable, *stations: sim.Station, **policy: float
) -> sim.Result:
    """Requests (prompt, output) that come at these times to one replica."""
    rows = np.array([(prompt, output, -1) for prompt, output in requests])
    fleet = sim.Fleet(sim.Pool(steps, POLICY._replace(**policy)), stations=stations)  # type: ignore[arg-type]
    return sim.run(fixed_load(rows, whens=np.array(whens)), fleet, plain=True)


def told(*args: object, **policy: float) -> object:
    """Summary of such a run."""
    return sim.summary(run(*args, **policy))  # type: ignore[arg-type]


def bench(steps: StepTable, isl: int, osl: int, **changes: float) -> Bench:
    """Two requests of one user after one that warms up."""
    policy: Policy = POLICY._replace(**changes)  # type: ignore[arg-type]
    return sim.bench(steps, policy, isl, osl, 1, requests=2, warm=1, low=1.0, plain=True)


def test_a_decoding_step_sees_its_own_token() -> None:
    """Prompt of 10: the three steps see 11, 12 and 13 tokens beside 10 ms each."""
    found = bench(table()._replace(attention=SEEN), 10, 4)
    assert found.ttft == pytest.approx(0.01) and found.tpot == pytest.approx(12.01)
    assert found.latency == pytest.approx(36.04)


def test_a_chunk_stands_behind_those_before_it() -> None:
    """Prompt of 10 in pieces of 4, 4 and 2 behind 0, 4 and 8 tokens."""
    found = bench(table()._replace(attention=BEHIND), 10, 1, max_tokens=4)
    assert found.ttft == pytest.approx(3 * 0.01 + 12.0)


def test_a_benchmark_measures_after_its_warm_up() -> None:
    """Two answers of 4 tokens in 4 iterations each and half a second before: 8 tokens in 1.08 s."""
    found = bench(table(request=0.5), 10, 4)
    assert found.ttft == pytest.approx(0.51) and found.latency == pytest.approx(0.54)
    assert found.throughput == pytest.approx(8 / 1.08)


def test_a_static_batch_computes_the_seats_of_those_that_have_ended() -> None:
    """Two prompts of 10, answers of 2 and 4: prompts 2 s; steps of 22, then 2 x 12 and 2 x 13 tokens, 2 s of logits."""
    steps = table()._replace(attention=SEEN, head=np.arange(1025.0))
    found = told([(1, 1), (10, 2), (10, 4)], [0.0, 0.001, 0.001], steps, batching=2)
    first, one, other = 1.01, 2 * 2.01 + 22, 4 * 2.01 + 22 + 24 + 26
    assert found.latency.mean == pytest.approx((first + one + other + 2 * (first - 0.001)) / 3)  # type: ignore[attr-defined]


def test_drafted_tokens_take_room_and_time_of_an_iteration() -> None:
    """Beside two tokens of a drafting sequence 10 of 12 are left: 34 prompt tokens take 4 iterations, 42 s in all."""
    steps = table(1.0, 0.0, width=2.0)
    found = told([(4, 50), (34, 1)], [0.0, 1.0], steps, max_tokens=12, draft=1)
    assert found.ttft.mean == pytest.approx((4 + 3 + 42) / 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("watermark", "waits"), [(0, False), (160, True)])
def test_admission_keeps_blocks_free(watermark: int, waits: bool) -> None:
    """Of 100 blocks 75 are in use and 19 are wanted: let in at once, or after the first where 10 must stay free."""
    found = told([(1200, 40), (300, 1)], [0.0, 0.001], table(), watermark=watermark, max_tokens=4096)
    assert (found.queue.mean > 0.15) == waits and found.preemptions == 0  # type: ignore[attr-defined]


def test_a_prompt_that_fills_the_cache_exactly_is_served() -> None:
    """160 tokens are ten blocks of 16, not eleven; one more token is one too many."""
    fits = told([(159, 1)], [0.0], table(), kv_tokens=160, watermark=0, max_tokens=200)
    refused = told([(160, 1)], [0.0], table(), kv_tokens=160, watermark=0, max_tokens=200)
    assert fits.requests == 1 and not fits.refused  # type: ignore[attr-defined]
    assert refused.refused == {"longer than the KV cache": 1}  # type: ignore[attr-defined]


def test_no_more_sequences_than_the_cap() -> None:
    """Two of three requests at a time: the third waits for an end, 3 iterations after they start."""
    requests, whens = [(1, 1), (10, 3), (10, 3), (10, 3)], [0.0, 0.001, 0.001, 0.001]
    two = told(requests, whens, table(), max_seqs=2)
    three = told(requests, whens, table(), max_seqs=3)
    assert two.queue.mean * 4 == pytest.approx(3 * 0.009 + 0.03)  # type: ignore[attr-defined]
    assert three.queue.mean * 4 == pytest.approx(3 * 0.009)  # type: ignore[attr-defined]


def test_time_at_a_station_is_not_time_in_the_queue() -> None:
    """One second of retrieval before the model: in TTFT and latency, not in its queue."""
    found = told([(10, 1)], [0.0], table(), sim.Station("search", 1, 1.0))
    assert found.queue.mean == 0.0 and found.latency.mean == pytest.approx(1.01)  # type: ignore[attr-defined]
    assert found.ttft.mean == pytest.approx(1.01)  # type: ignore[attr-defined]


def test_a_swapped_cache_goes_and_comes_at_the_rate_of_the_host() -> None:
    """Six blocks for two answers of 33 behind 32: at 48 tokens the second goes, 4.8 s at 10 tokens/s, waits for the end
    of the first, and comes back in 4.8 s for its last 16 steps."""
    requests, whens = [(1, 1), (32, 33), (32, 33)], [0.0, 0.001, 0.001]
    found = told(requests, whens, table(), kv_tokens=96, watermark=0, swap=1, host_tokens=4000, host_rate=10.0)
    gone = 0.02 + 16 * 0.01
    second = gone + 4.8 + 4.8 + 16 * 0.01 - 0.001
    assert found.latency.mean == pytest.approx((0.01 + 0.339 + second) / 3)  # type: ignore[attr-defined]
    assert found.preemptions == 1  # type: ignore[attr-defined]


def test_a_preempted_answer_is_computed_again_with_its_last_token() -> None:
    """The same without swapping: 32 + 17 tokens are read anew beside the three prompts."""
    requests, whens = [(1, 1), (32, 33), (32, 33)], [0.0, 0.001, 0.001]
    result = run(requests, whens, table(), kv_tokens=96, watermark=0)
    assert result.state.whole[columns.TOKENS_COMPUTED] == 1 + 32 + 32 + 49


def test_a_session_leaves_the_blocks_of_its_whole_history() -> None:
    """Three turns of 32 and 16: 143 tokens in the cache at the end are eight full blocks, counted once."""
    requests = load(3, rate=1.0, turns=3, prompt=Lengths("fixed", 32.0), output=Lengths("fixed", 16.0))
    result = sim.run(requests, sim.Fleet(sim.Pool(table(), POLICY._replace(prefix=1, max_tokens=4096))), plain=True)
    (replica,) = all_replicas(result.state)
    assert result.state.whole[replica + columns.CACHED] == 8 and result.state.whole[columns.TOKENS_HIT] == 32 + 80


def test_drafted_tokens_need_blocks_before_they_are_checked() -> None:
    """A context of 14 and three accepted drafts that end the answer: 17 tokens are two blocks."""
    result = run([(14, 4)], [0.0], table(width=4.0), draft=3, accept=1.0)
    assert result.state.whole[columns.PEAK] == 2


def test_a_replica_that_is_starting_counts() -> None:
    """Target of 2: of four requests the third starts a replica, and with that on its way the fourth starts none."""
    rows = np.array([(10, 50, -1)] * 4)
    fleet = sim.Fleet(sim.Pool(table(), POLICY), autoscale=Autoscale(1, 4, 2.0, 100.0))
    result = sim.run(fixed_load(rows, whens=np.array([0.0, 0.001, 0.002, 0.003])), fleet, plain=True)
    assert result.state.whole[columns.STARTS] == 1


@pytest.mark.parametrize(("users", "stops"), [(3, 0), (1, 1)])
def test_replicas_stay_above_half_of_their_target(users: int, stops: int) -> None:
    """Two replicas with a target of 2 after a burst of 8: three users keep both, one lets one go after 5 s."""
    burst, rest = [(10, 20, -1)] * 8, [(10, 400, -1), (10, 100, -1), (10, 400, -1)][:users]
    whens = np.concatenate((np.full(8, 0.001), np.full(users, 0.5)))
    fleet = sim.Fleet(sim.Pool(table(), POLICY), autoscale=Autoscale(1, 2, 2.0, 0.1, 3.0))
    result = sim.run(fixed_load(np.array(burst + rest), whens=whens), fleet, plain=True)
    before = result.state.real[columns.AREA_ACTIVE] < 2.0 * (result.state.real[columns.NOW] - 0.6)
    assert before == bool(stops) and result.state.whole[columns.STARTS] == 1


def test_slow_links_to_host_memory_take_their_time() -> None:
    """Caches that are swapped in, or brought back for a session, come at the rate of the host's link."""
    crowd = load(60, arrivals="closed", users=12)
    talk = load(60, rate=4.0, turns=4, think=0.3, prompt=Lengths("fixed", 200.0), output=Lengths("fixed", 8.0))
    for requests, options in (
        (crowd, {"kv_tokens": 480, "swap": 1, "host_tokens": 4000}),
        (talk, {"kv_tokens": 1600, "prefix": 1, "host_tokens": 40_000}),
    ):
        quick, slow = (
            sim.run(requests, sim.Fleet(sim.Pool(table(), POLICY._replace(**options, host_rate=rate))), plain=True)
            for rate in (1e9, 200.0)
        )
        assert sim.summary(slow).latency.mean > 1.2 * sim.summary(quick).latency.mean


def test_sessions_come_so_that_requests_come_at_the_rate() -> None:
    """8 requests/s in sessions of 4: two sessions a second."""
    whens = np.concatenate([chunk.whens for chunk in load(40_000, rate=8.0, turns=4).chunks()])
    assert len(whens) == 10_000 and np.diff(whens).mean() == pytest.approx(0.5, rel=0.03)


def test_a_common_prefix_is_no_history() -> None:
    """Two turns of 10 behind 50 tokens in common, answers of 5: prompts of 60 and 75."""
    requests = load(2, rate=1.0, turns=2, prefix=50, prompt=Lengths("fixed", 10.0), output=Lengths("fixed", 5.0))
    result = sim.run(requests, sim.Fleet(sim.Pool(table(), POLICY)), plain=True)
    assert result.state.whole[columns.TOKENS_IN] == 60 + 75


def test_at_least_one_token_of_a_prompt_is_computed() -> None:
    """A prompt of two blocks that its session has cached whole: one block is found, the other computed again."""
    rows = np.array([(32, 1, 0), (32, 1, 0)])
    requests = sim.Load(lambda: iter((Chunk(rows, np.zeros(2), np.array([0.0, 1.0])),)), limit=2, traced=True)
    result = sim.run(requests, sim.Fleet(sim.Pool(table(), POLICY._replace(prefix=1))), plain=True)
    whole = result.state.whole
    assert (whole[columns.TOKENS_HIT], whole[columns.TOKENS_COMPUTED], whole[columns.FINISHED]) == (16, 48, 2)


def test_a_sender_passes_one_cache_on_at_a_time() -> None:
    """Two prompts of 100 read together, for a replica each: 0.15 s on the link of the sender one after the other."""
    rows = np.array([(1, 1, -1), (100, 2, -1), (100, 2, -1)])
    pool = sim.Pool(table(), POLICY._replace(max_tokens=4096), 2)
    fleet = sim.Fleet(pool, prefill=sim.Pool(table(), pool.policy), transfer=sim.Transfer(1000.0, 0.05))
    found = sim.summary(sim.run(fixed_load(rows, whens=np.array([0.0, 0.001, 0.001])), fleet, plain=True))
    assert found.ttft.mean == pytest.approx((0.01 + 0.179 + 0.329) / 3)


def test_a_replica_that_goes_loses_its_cache() -> None:
    """Sessions cached on the chip and in host memory of replicas that come and go: no block is lost."""
    requests = load(60, rate=9.0, turns=4, think=0.5, prefix=40)
    pool = sim.Pool(table(), POLICY._replace(prefix=1, host_tokens=3000), router="prefix")
    result = sim.run(requests, sim.Fleet(pool, autoscale=Autoscale(1, 4, 2.0, 0.5, 0.5)), plain=True)
    assert result.state.whole[columns.STOPS] > 0 and list(leaks(result)) == []
    for replica in all_replicas(result.state):
        if result.state.whole[replica + columns.STATUS] == columns.OFF:
            whole = result.state.whole
            assert whole[replica + columns.CACHED] == 0 and whole[replica + columns.HOST_OLDEST] == columns.NONE
            assert whole[replica + columns.HOST_VACANT] == whole[replica + columns.HOST_BLOCKS]


def test_joined_batches_keep_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """When all batches are full neighbours are joined: sums, counts and sketches are those of one large batch."""
    requests = load(700, rate=5.0, output=Lengths("fixed", 2.0), prompt=Lengths("fixed", 20.0))
    fleet = sim.Fleet(sim.Pool(table(), POLICY))
    usual = sim.run(requests, fleet, plain=True)
    monkeypatch.setattr(build, "FIRST_BATCH", 1)
    small = sim.run(requests, fleet, plain=True)
    assert small.state.whole[columns.BATCH_SIZE] > 1
    tallies, sketches = [], []
    for result in (usual, small):
        batches, buckets = (int(result.state.whole[column]) for column in (columns.BATCHES, columns.BUCKETS))
        rows = reals(result.state, columns.TALLIES_AT, batches, columns.TALLY_COLUMNS)
        tallies.append(rows.sum(axis=0)[: columns.UNTIL])
        sketches.append(wholes(result.state, columns.SKETCHES_AT, batches, columns.SKETCHES, buckets).sum(axis=0))
        ends = rows[rows[:, columns.COUNT] > 0, columns.UNTIL]
        assert (np.diff(ends) > 0.0).all() and ends[-1] == result.state.real[columns.LAST_END]
    np.testing.assert_allclose(tallies[0], tallies[1])
    np.testing.assert_array_equal(sketches[0], sketches[1])


# -------------------------------------------------------------------------------------------------- trends


def test_a_run_that_swings_from_the_start_has_no_start_up() -> None:
    """Leaving batches out widens the error of the mean unless they are unlike the rest [White 1997]."""
    assert start_up(np.tile([0.0, 1.0], 15)) == 0 and start_up(np.concatenate(([9.0], np.tile([0.0, 1.0], 15)))) == 1


def test_slow_swings_are_no_growth() -> None:
    """A slope of four standard errors of independent spans is less than three where neighbours are alike."""
    swings, quick = np.repeat([1.0, -1.0, -1.0, 1.0], 5), np.tile([1.0, -1.0, -1.0, 1.0], 5)
    slope = 4.0 * math.sqrt(20.0 / 18.0 / (np.arange(20.0) - 9.5).__pow__(2).sum()) * np.arange(20.0)
    assert grows(quick + slope, 1.0) and not grows(swings + slope, 1.0)


# ------------------------------------------------------------------------------------------------- sketches


@given(st.floats(LEAST * 1.001, 1e4))
def test_the_middle_of_a_bucket_is_near_what_fell_into_it(value: float) -> None:
    """Buckets are 1% wide, so that their middle is off by 0.5% at most."""
    assert middle(bucket(value, 10_000)) == pytest.approx(value, rel=0.00502)


def test_percentiles_are_of_the_rank_above() -> None:
    """Rank ceil(p n): of two values p50 is the first, p51 the second; of none there is none."""
    counts = np.array([0, 1, 1, 0])
    assert quantile_of(counts, 50.0) == middle(1) and quantile_of(counts, 51.0) == middle(2)
    assert math.isnan(quantile_of(np.zeros(4, np.int64), 50.0)) and bucket(1e300, 100) == 99
