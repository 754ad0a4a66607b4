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


@dataclass(frozen=True)
class Margin:
    """Upper end of the range over the expected value: of ttft, tpot, latency and of the time of an iteration [1]."""

    ttft: float = 1.0
    tpot: float = 1.0
    latency: float = 1.0

    def of(self, name: str) -> float:
        """Of a quantity."""
        return float(getattr(self, name))


class Range:
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
        traffic = self.traffic(rate)
        share = 1.0 if self.asked.ask.autoscale() or traffic.arrivals in ("closed", "trace") else _share(setup)
        if share < 1.0:
            setup, traffic = _part(setup, share), replace(traffic, rate=(traffic.rate or 0.0) * share)
        load = self.load(traffic, requests)
        result = sim.run(load, self.fleet(setup), self.asked.ask.seed)
        return sim.summary(result, self.asked.promise)
