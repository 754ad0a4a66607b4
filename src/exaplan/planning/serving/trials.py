"""Deployments put to the test of the simulator: each run is made once, of as many requests as its tail needs."""

from __future__ import annotations

import math
from dataclasses import replace

from exaplan import sim
from exaplan.answers.serving import Simulated
from exaplan.nouns.serving import Traffic
from exaplan.planning.serving.doubt import centre_of, centred
from exaplan.planning.serving.question import Question
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.wiring import fleet_of

QUICK = 3000  # requests of a run of the search
MOST_COPIES = 8  # copies that are simulated: more behave alike, and are run as so many with their share of the requests


class Bench:
    """Runs simulations of a question and remembers them."""

    def __init__(self, asked: Question) -> None:
        self.asked = asked
        self.runs = 0
        self._known: dict[tuple[object, ...], Simulated] = {}

    def run(self, setup: Setup, requests: int = QUICK, rate: float | None = None) -> Simulated:
        """A run of a deployment; ``rate`` [requests/s]: instead of the asked one."""
        key = (*setup.key, requests, rate)
        if key not in self._known:
            self.runs += 1
            self._known[key] = self._made(setup, requests, rate)
        return self._known[key]

    def _made(self, setup: Setup, requests: int, rate: float | None) -> Simulated:
        asked, traffic = self.asked, self.asked.traffic
        if rate is not None:
            arrivals = "poisson" if asked.seen.arrivals == "closed" else asked.seen.arrivals
            traffic = replace(asked.seen, rate=rate, users=None, arrivals=arrivals)
        whole = setup.replicas
        if traffic.rate is not None and asked.ask.autoscale() is None and whole > MOST_COPIES:
            setup = _part(setup)
            traffic = replace(traffic, rate=traffic.rate * setup.replicas / whole)
        load = self._load(traffic, requests)
        fleet = fleet_of(asked, setup, traffic.rate)
        centre = centre_of(setup.copy)
        promise = asked.promise
        if promise.ttft is not None:  # what is simulated is held against what it stands for
            promise = replace(promise, ttft=promise.ttft / centre)
        result = sim.run(load, fleet, asked.ask.seed, promise=promise)
        return centred(_scaled(sim.summary(result), whole / setup.replicas), centre)

    def _load(self, traffic: Traffic, requests: int) -> sim.Load:
        if traffic.arrivals == "trace":
            return sim.traces.read(traffic.trace, requests)
        return sim.traffic.make(traffic, requests, self.asked.ask.seed)


def _part(setup: Setup) -> Setup:
    """A smaller deployment with the same load on each copy, as nearly as whole copies allow."""
    share = MOST_COPIES / setup.replicas
    prompts = max(1, math.ceil(setup.prefill_replicas * share)) if setup.prefill else 0
    return Setup(setup.copy, MOST_COPIES, setup.prefill, prompts)


def _scaled(run: Simulated, times: float) -> Simulated:
    """The run of so many times the copies that were simulated."""
    if times == 1.0:
        return run
    rates = {name: value * times for name, value in run.throughput.items()}
    return replace(run, throughput=rates, goodput=run.goodput * times)
