"""How many copies keep the promise: a first number by the quick look, then simulations up or down from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from exaplan.answers.serving import Quantiles, Simulated
from exaplan.nouns.serving import Promise
from exaplan.planning.drafts import SLACK
from exaplan.planning.serving.copies import Copy
from exaplan.planning.serving.doubt import Margin
from exaplan.planning.serving.screening import Bound
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.trials import QUICK, Bench

FULL = 0.98  # share of what a copy can answer that is tried at most
CLOSE = 0.02  # relative width within which the greatest rate, and a large number of copies, is found
WIDEN = 1.25  # between the first two rates; its square, and so on, until both sides are known
STEPS = 12  # numbers of copies that are simulated at most
KNOWN = {50.0: "p50", 90.0: "p90", 95.0: "p95", 99.0: "p99"}


@dataclass(frozen=True, eq=False)
class Held:
    """A deployment with its run and how far it is from each promise: name -> value held against it over the promise.

    rate [requests/s]: of the run, where it was not the asked one.
    """

    setup: Setup
    run: Simulated
    excess: dict[str, float]
    rate: float | None = None

    @property
    def holds(self) -> bool:
        """Whether every promise is kept and the queue does not grow."""
        return self.run.stable and all(value <= SLACK for value in self.excess.values())


def at_percentile(found: Quantiles, percentile: float) -> float:
    """A percentile of a quantity; between those that are known, along the logarithm of the share above. [s]"""
    if percentile in KNOWN:
        return float(getattr(found, KNOWN[percentile]))
    marks = sorted((math.log(100.0 - p), float(getattr(found, name))) for p, name in KNOWN.items())
    place = math.log(100.0 - percentile)
    for (low, first), (high, second) in pairwise(marks):
        if place <= high:
            return max(0.0, first + (second - first) * (place - low) / (high - low))
    return found.p50 * percentile / 50.0


def excess_of(run: Simulated, promise: Promise, margin: Margin) -> dict[str, float]:
    """Name of a promise -> what is held against it over what is promised. [ratio]"""
    return {
        name: at_percentile(getattr(run, name), promise.percentile) * margin.of(name) / allowed
        for name, allowed in promise.given.items()
    }


def bound_of(promise: Promise, margin: Margin, load: float = FULL) -> Bound:
    """What means may be at most where percentiles are promised: a first guess, on the hopeful side."""
    given = {name: allowed / margin.of(name) for name, allowed in promise.given.items()}
    return Bound(**{name: given.get(name, math.inf) for name in ("ttft", "tpot", "latency")}, load=load / margin.slow)


class Sizer:
    """Sizes deployments for a rate. [requests/s]"""

    def __init__(self, bench: Bench, promise: Promise, requests: int = QUICK) -> None:
        self.bench, self.promise, self.requests = bench, promise, requests

    def tested(self, setup: Setup, margin: Margin, requests: int = 0, rate: float | None = None) -> Held:
        """A deployment put to the test."""
        run = self.bench.run(setup, requests or self.requests, rate)
        return Held(setup, run, excess_of(run, self.promise, margin), rate)

    def fewest(self, copy: Copy, margin: Margin, first: int, most: int) -> Held | None:
        """The fewest copies up to ``most`` that keep the promise, from a first number on; None where none does."""
        if first > most:
            return None
        low, high, best = 0, most + 1, None
        at, stride = first, 1
        for _ in range(STEPS):
            found = self.tested(Setup(copy, at), margin)
            if found.holds:
                best, high = found, at
            else:
                low = at
                if self._hopeless(found):
                    return best
            if high - low <= max(1, int(CLOSE * high)):
                break
            at, stride = _next(low, high, at, stride, most)
        return best

    def greatest(self, setup: Setup, margin: Margin, about: float) -> Held | None:
        """A deployment at the greatest rate that keeps the promise, within 2%; None where no rate does. [requests/s]"""
        low, high, best = 0.0, math.inf, None
        rate, factor = about, WIDEN
        for _ in range(STEPS + 4):
            found = self.tested(setup, margin, rate=rate)
            if found.holds:
                best, low = found, rate
            else:
                high = rate
            if high < math.inf and high - low <= CLOSE * high:
                break
            rate = rate * factor if math.isinf(high) else 0.5 * (low + high) if low else rate / factor
            factor = min(4.0, factor * factor)
        return best

    def _hopeless(self, found: Held) -> bool:
        """Whether more copies cannot help: even where requests never wait, their own time is too long."""
        copy = found.setup.copy
        alone = copy.curve[0] if copy.curve else None
        if alone is None or found.setup.prefill is not None:
            return False
        least = Bound(*(getattr(self.promise, name) or math.inf for name in ("ttft", "tpot", "latency")))
        whole = alone.ttft + alone.tpot * max(0.0, copy.demand.output - 1.0)
        return alone.ttft > 1.5 * least.ttft or alone.tpot > 1.5 * least.tpot or whole > 1.5 * least.latency


def _next(low: int, high: int, at: int, stride: int, most: int) -> tuple[int, int]:
    """(number of copies to try next, how far the step after it goes): outwards until both sides are known."""
    if high > most:  # nothing holds yet
        return min(most, low + stride), 2 * stride
    if low == 0:
        return max(1, high - stride), 2 * stride
    return (low + high) // 2, stride
