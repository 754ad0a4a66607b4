"""Deployments put to the test of the simulator: each run is made once, of as many requests as its tail needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from exaplan import sim
from exaplan.answers.serving import Quantiles, Simulated
from exaplan.nouns.serving import Promise, Traffic
from exaplan.planning.serving.copies import DECODE, Copy
from exaplan.planning.serving.question import Question

QUICK = 3000  # requests of a run of the search
MOST_COPIES = 8  # copies that are simulated: more behave alike, and are run as so many with their share of the requests


@dataclass(frozen=True, eq=False)
class Setup:
    """A deployment: copies, and those that read prompts for them where they only write."""

    copy: Copy
    replicas: int
    prefill: Copy | None = None
    prefill_replicas: int = 0

    @property
    def chips(self) -> int:
        """Chips of all copies."""
        more = self.prefill.chips * self.prefill_replicas if self.prefill else 0
        return self.copy.chips * self.replicas + more

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it itself."""
        return (id(self.copy), self.replicas, id(self.prefill), self.prefill_replicas)


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
            traffic = replace(traffic, rate=rate, arrivals="poisson" if traffic.arrivals == "closed" else traffic.arrivals)
        if traffic.rate is not None and not self.asked.ask.autoscale() and setup.replicas > MOST_COPIES:
            share = MOST_COPIES / setup.replicas
            traffic, setup = replace(traffic, rate=traffic.rate * share), _part(setup, share)
        load = self._load(traffic, requests)
        return sim.summary(sim.run(load, self.fleet(setup), self.asked.ask.seed), self.asked.promise)

    def _load(self, traffic: Traffic, requests: int) -> sim.Load:
        if traffic.arrivals == "trace":
            return sim.traces.read(traffic.trace)
        return sim.traffic.make(traffic, requests, self.asked.ask.seed)

    def fleet(self, setup: Setup) -> sim.Fleet:
        """A deployment as the simulator takes it."""
        router, ask = setup.copy.settings.router, self.asked.ask
        pool = sim.Pool(setup.copy.table, setup.copy.policy, setup.replicas, router)
        stations = stations_of(self.asked, setup)
        if setup.prefill is None:
            return sim.Fleet(pool, autoscale=ask.autoscale(), stations=stations)
        prompts = sim.Pool(setup.prefill.table, setup.prefill.policy, setup.prefill_replicas, router)
        return sim.Fleet(pool, prefill=prompts, transfer=transfer_of(setup), stations=stations)


def _part(setup: Setup, share: float) -> Setup:
    """A smaller deployment with the same load on each copy, as nearly as whole copies allow."""
    prompts = max(1, round(setup.prefill_replicas * share)) if setup.prefill else 0
    return Setup(setup.copy, max(1, round(setup.replicas * share)), setup.prefill, prompts)
