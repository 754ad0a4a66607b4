"""The queues of theory come out within 1%."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_sim import load, pool, table

from exaplan import sim
from exaplan.nouns.serving import Lengths, Traffic

NEAR = 0.01
ONE = Lengths("fixed", 1.0)


def stations(*servers: sim.Station) -> sim.Fleet:
    """A fleet of stations alone."""
    return sim.Fleet(None, stations=servers)


def open_run(fleet: sim.Fleet, rate: float, n: int, seed: int = 1, prompt: Lengths = ONE) -> sim.Result:
    """Poisson arrivals of one-token answers."""
    return sim.run(load(n, seed, prompt, ONE, rate=rate), fleet, seed)


def erlang_c(servers: int, offered: float) -> float:
    """Chance that a request waits in M/M/c: Erlang's second formula."""
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = offered * blocked / (server + offered * blocked)
    return blocked / (1.0 - offered / servers * (1.0 - blocked))


def poisson_below(count: int, mean: float) -> float:
    """P(N < count) of a Poisson variable."""
    return sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1.0)) for k in range(count))


def wait_of_mdc(servers: int, rate: float, service: float) -> float:
    """Mean wait of M/D/c. Every c-th request sees E_c/D/1, whose mean wait is sum E[S_k+] / k (Spitzer's identity)."""
    wait = 0.0
    for k in range(1, 400):
        span, erlangs = k * service, servers * k
        come, more = 1.0 - poisson_below(erlangs, rate * span), 1.0 - poisson_below(erlangs + 1, rate * span)
        wait += (span * come - erlangs / rate * more) / k
    return wait


def test_one_exponential_server_waits_as_in_theory() -> None:
    """M/M/1: W = 1 / (mu - lambda), and the 90th percentile of an exponential of this mean."""
    told = sim.summary(open_run(stations(sim.Station("only", 1, 1.0, "exponential")), 0.6, 1_500_000))
    assert told.latency.mean == pytest.approx(1.0 / 0.4, rel=NEAR)
    assert told.latency.p90 == pytest.approx(math.log(10.0) / 0.4, rel=1.5 * NEAR)
    assert told.by_stage["only"].mean == pytest.approx(told.latency.mean, rel=NEAR)


def test_several_exponential_servers_wait_as_in_theory() -> None:
    """M/M/c: W = 1 / mu + C(c, a) / (c mu - lambda), Erlang C."""
    told = sim.summary(open_run(stations(sim.Station("many", 4, 1.0, "exponential")), 3.0, 1_500_000))
    assert told.latency.mean == pytest.approx(1.0 + erlang_c(4, 3.0) / (4.0 - 3.0), rel=NEAR)


@pytest.mark.parametrize("servers", [1, 2, 5])
def test_fixed_service_times_wait_as_in_theory(servers: int) -> None:
    """M/D/c at 80% load: the wait of E_c/D/1 by Spitzer's identity; for c = 1 that is Pollaczek-Khinchine."""
    wait = wait_of_mdc(servers, 0.8 * servers, 1.0)
    if servers == 1:
        assert wait == pytest.approx(0.8 / (2.0 * 0.2), rel=1e-5)
    told = sim.summary(open_run(stations(sim.Station("fixed", servers, 1.0)), 0.8 * servers, 1_500_000))
    assert told.latency.mean - 1.0 == pytest.approx(wait, rel=NEAR)


def test_lognormal_service_times_wait_as_in_theory() -> None:
    """M/G/1: Wq = lambda E[S^2] / (2 (1 - rho)), Pollaczek and Khinchine, with lognormal times of cv 0.7."""
    told = sim.summary(open_run(stations(sim.Station("some", 1, 1.0, "lognormal", 0.7)), 0.6, 1_500_000))
    assert told.latency.mean - 1.0 == pytest.approx(0.6 * (1.0 + 0.49) / (2.0 * 0.4), rel=NEAR)


def test_a_replica_of_one_sequence_is_a_queue_of_theory() -> None:
    """M/G/1 through the engine: prompts of 1 to 1,000 tokens, 1 ms a token, one at a time."""
    steps = table(1e-3, 0.0)
    fleet = sim.Fleet(pool(steps=steps, max_seqs=1, max_tokens=4096))
    prompts = Lengths("uniform", 0.0, 0.0, 1, 1000)
    told = sim.summary(open_run(fleet, 1.2, 1_000_000, prompt=prompts))
    times = np.arange(1, 1001) * 1e-3
    wait = 1.2 * (times**2).mean() / (2.0 * (1.0 - 1.2 * times.mean()))
    assert told.queue.mean == pytest.approx(wait, rel=NEAR)
    assert told.latency.mean == pytest.approx(wait + times.mean(), rel=NEAR)


def test_a_replica_with_fixed_iterations_is_a_queue_of_theory() -> None:
    """M/D/1 through the engine: every answer takes three iterations of 10 ms, one request at a time."""
    fleet = sim.Fleet(pool(max_seqs=1))
    result = sim.run(load(800_000, 1, ONE, Lengths("fixed", 3.0), rate=0.7 / 0.03), fleet)
    told = sim.summary(result)
    assert told.queue.mean == pytest.approx(0.7 * 0.03 / (2.0 * 0.3), rel=NEAR)
    assert told.tpot.mean == pytest.approx(0.01, rel=1e-9)


def test_users_that_think_are_machines_that_break() -> None:
    """Closed loop of 8 users thinking 4 s at one exponential server: throughput of the machine-repair model."""
    users, think, service = 8, 4.0, 1.0
    weights = [math.factorial(users) / math.factorial(users - k) * (service / think) ** k for k in range(users + 1)]
    rate = (1.0 - weights[0] / sum(weights)) / service
    fleet = stations(sim.Station("repair", 1, service, "exponential"))
    told = sim.summary(sim.run(load(800_000, arrivals="closed", users=users, think=think), fleet))
    assert told.throughput["requests"] == pytest.approx(rate, rel=NEAR)
    assert told.latency.mean == pytest.approx(users / rate - think, rel=NEAR)


def test_a_closed_network_follows_mean_value_analysis() -> None:
    """Closed loop over two exponential stations: Reiser and Lavenberg's mean value analysis."""
    times, think, users = (1.0, 0.6), 2.0, 6
    lengths = [0.0, 0.0]
    rate = 0.0
    for count in range(1, users + 1):
        stays = [time * (1.0 + length) for time, length in zip(times, lengths, strict=True)]
        rate = count / (think + sum(stays))
        lengths = [rate * stay for stay in stays]
    fleet = stations(*(sim.Station(str(place), 1, time, "exponential") for place, time in enumerate(times)))
    told = sim.summary(sim.run(load(600_000, arrivals="closed", users=users, think=think), fleet))
    assert told.throughput["requests"] == pytest.approx(rate, rel=NEAR)
    assert told.by_stage["0"].mean == pytest.approx(lengths[0] / rate, rel=NEAR)


@pytest.mark.parametrize("burst", [0.5, 2.0])
def test_bursty_gaps_vary_as_asked(burst: float) -> None:
    """Gamma gaps have the mean and the spread that the traffic asks for."""
    from exaplan.nouns.serving import Traffic

    traffic = Traffic(prompt=ONE, output=ONE, arrivals="bursty", rate=4.0, burst=burst)
    whens = np.concatenate([chunk.whens for chunk in sim.traffic.make(traffic, 300_000).chunks()])
    gaps = np.diff(whens)
    assert gaps.mean() == pytest.approx(0.25, rel=0.02)
    assert gaps.std() / gaps.mean() == pytest.approx(burst, rel=0.02)


def test_rates_are_those_of_the_load() -> None:
    """Neither the luck of the gaps nor the time in which the system fills moves the rate that is told."""
    steady = sim.traffic.make(Traffic(Lengths("fixed", 100.0), Lengths("fixed", 100.0), rate=1.0), 1000, seed=0)
    found = sim.summary(sim.run(steady, sim.Fleet(pool())))
    assert found.stable and found.throughput["requests"] == pytest.approx(1.0, rel=0.01)
    assert found.throughput["output_tokens"] == pytest.approx(100.0, rel=0.01)


def test_the_rate_of_an_overloaded_run_is_that_of_all_of_it() -> None:
    """Requests over the time of the run: those that end together at the end are no rate."""
    many = sim.traffic.make(Traffic(Lengths("fixed", 100.0), Lengths("fixed", 100.0), rate=1e4), 2000, seed=0)
    found = sim.summary(sim.run(many, sim.Fleet(pool())))
    assert not found.stable
    assert found.throughput["requests"] == pytest.approx(found.requests / found.duration)
