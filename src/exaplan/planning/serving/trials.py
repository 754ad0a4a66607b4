"""Deployments put to the test of the simulator: each run is made once, of as many requests as its tail needs."""

from __future__ import annotations

from dataclasses import replace

from exaplan import sim
from exaplan.answers.serving import Simulated
from exaplan.nouns.serving import Traffic
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
        traffic = self.asked.traffic
        if rate is not None:
            traffic = replace(
                traffic, rate=rate, arrivals="poisson" if traffic.arrivals == "closed" else traffic.arrivals
            )
        if traffic.rate is not None and not self.asked.ask.autoscale() and setup.replicas > MOST_COPIES:
            share = MOST_COPIES / setup.replicas
            traffic, setup = replace(traffic, rate=traffic.rate * share), _part(setup, share)
        load = self._load(traffic, requests)
        return sim.summary(
            sim.run(load, fleet_of(self.asked, setup, traffic.rate), self.asked.ask.seed), self.asked.promise
        )

    def _load(self, traffic: Traffic, requests: int) -> sim.Load:
        if traffic.arrivals == "trace":
            return sim.traces.read(traffic.trace)
        return sim.traffic.make(traffic, requests, self.asked.ask.seed)


def _part(setup: Setup, share: float) -> Setup:
    """A smaller deployment with the same load on each copy, as nearly as whole copies allow."""
    prompts = max(1, round(setup.prefill_replicas * share)) if setup.prefill else 0
    return Setup(setup.copy, max(1, round(setup.replicas * share)), setup.prefill, prompts)
