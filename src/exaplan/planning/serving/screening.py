"""A quick look at one copy: what a batch of so many sequences takes, and so how many requests it answers.

Little's law instead of a clock. With B sequences decoding, an iteration without prompts takes T0(B) and a prompt adds
D(B); a request decodes n times, B at a time, so a copy answers

    lambda(B) = 1 / (n T0(B) / B + D(B))      TPOT(B) = T0(B) / e + D(B) B / (n e)

with e tokens per decoding. Means only: percentiles and queues are what the simulator is for. J. D. C. Little 1961, "A
proof for the queuing formula L = lambda W", doi:10.1287/opre.9.3.383.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from exaplan.perf import kernel
from exaplan.perf.serving import iteration
from exaplan.perf.serving.inputs import Policy, StepTable

MIXED, FIRST, STATIC = range(3)  # Policy.batching
RATIO = 2.0**0.5  # between the batches that are looked at


class Demand(NamedTuple):
    """What a mean request takes of a copy.

    read [tokens of the prompt that are computed], past [tokens that are there already: prefix cache], output [tokens
    written], context [tokens that a decoding sequence sees, mean over its steps], held [tokens of KV that a request
    takes while it runs], spread: squared coefficient of variation of what is read, longest [tokens of the longest
    request], extra [s of the copy's chips that a request takes beside the model: retrieval].
    """

    read: float
    past: float
    output: float
    context: float
    held: float
    spread: float = 0.0
    longest: float = 0.0
    extra: float = 0.0


class Point(NamedTuple):
    """A copy with ``batch`` sequences decoding: rate [requests/s], tpot, ttft [s, means, with the wait of random
    arrivals], time [s of a mean iteration], decode, prompt [s: T0, D], busy [share of the chunk budget in use]."""

    batch: float
    rate: float
    tpot: float
    ttft: float
    time: float
    decode: float
    prompt: float
    busy: float


def expected_tokens(draft: int, accept: float) -> float:
    """Tokens that one decoding yields with ``draft`` drafted ones, each accepted with ``accept`` given those before.

    e = (1 - a^(k + 1)) / (1 - a). Y. Leviathan, M. Kalman and Y. Matias 2023, "Fast inference from transformers via
    speculative decoding", arXiv:2211.17192, equation 1.
    """
    if draft <= 0:
        return 1.0
    return float(draft + 1) if accept >= 1.0 else (1.0 - accept ** (draft + 1)) / (1.0 - accept)


class Looker:
    """The formulas of one copy, compiled once for the process."""

    def __init__(self, table: StepTable, policy: Policy, demand: Demand) -> None:
        self.table, self.policy, self.demand = table, policy, demand
        self.step = kernel.compiled(iteration.iteration_time)
        self.reading = kernel.compiled(iteration.prefill_attention_time)
        self.yields = expected_tokens(policy.draft, policy.accept)

    @property
    def most(self) -> int:
        """Sequences that run at once at most: by the engine's cap and by the KV cache. [count]"""
        held = max(1.0, self.demand.held)
        return int(min(self.policy.max_seqs, max(0, self.policy.kv_tokens - self.policy.watermark) // held))

    def decode(self, batch: float) -> float:
        """T0: an iteration that only decodes. [s]"""
        tokens = batch * self.table.width
        return float(self.step(self.table, tokens, batch, batch, batch * self.demand.context, 0.0, 0.0))

    def prompt(self, batch: float, several: float = 1.0) -> tuple[float, float]:
        """(D: what a prompt adds to the iterations, iterations that it is spread over), ``several`` prompts sharing
        one where they are short. [s, count]"""
        demand, policy = self.demand, self.policy
        budget = self.budget(batch)
        many = max(1.0, min(several, budget / max(1.0, demand.read)))
        beside = batch if policy.batching == MIXED else 0.0
        base = self.decode(beside) if beside else 0.0
        if demand.read <= 0.0:
            return demand.extra, 1.0
        pieces = math.ceil(demand.read / budget) if policy.chunked else 1
        size = demand.read / pieces
        last = self._chunk(beside, size, demand.past + demand.read - size, many, last=True) - base
        spent = last
        if pieces > 1:  # what a piece takes grows evenly with what was read before it
            first = self._chunk(beside, size, demand.past, many, last=False) - base
            spent = 0.5 * pieces * (first + last)
        return spent / many + demand.extra, float(pieces)

    def _chunk(self, beside: float, size: float, past: float, many: float, last: bool) -> float:
        """An iteration with a piece of ``many`` prompts beside decoding sequences. [s]"""
        attention = many * float(self.reading(self.table, size, past))
        tokens, outputs = beside * self.table.width + many * size, beside + (many if last else 0.0)
        return float(self.step(self.table, tokens, outputs, beside, beside * self.demand.context, attention, many))

    def budget(self, batch: float) -> float:
        """Prompt tokens that an iteration has room for. [tokens]"""
        used = batch * self.table.width if self.policy.batching == MIXED else 0.0
        return max(1.0, self.policy.max_tokens - used)

    def point(self, batch: float) -> Point:
        """The copy with ``batch`` sequences decoding."""
        times = max(1.0, self.demand.output / self.yields)
        decode = self.decode(batch)
        prompt, pieces = self.prompt(batch, batch / times)
        cycle = times * decode / batch + prompt
        mean = cycle * batch / times
        rate = 1.0 / cycle
        reading = pieces * decode + prompt if self.policy.batching == MIXED else prompt
        busy = min(0.999, self._load(rate, prompt, pieces, mean))
        wait = 0.5 * mean + 0.5 * (1.0 + self.demand.spread) * busy / (1.0 - busy) * reading
        return Point(batch, rate, mean / self.yields, self._early() + wait + reading, mean, decode, prompt, busy)

    def _early(self) -> float:
        return float(self.table.host.request)

    def _load(self, rate: float, prompt: float, pieces: float, mean: float) -> float:
        """Share of what prompts may take that they do take: of the chunk budget, or of the time. [1]"""
        if self.policy.batching == MIXED:
            whole = pieces if self.policy.chunked and pieces > 1 else self.demand.read / max(1, self.policy.max_tokens)
            return rate * mean * whole
        return rate * prompt

    def curve(self) -> tuple[Point, ...]:
        """Points from one sequence to the most; () where not even one has room."""
        most = self.most
        if most < 1:
            return ()
        sizes = [1.0]
        while sizes[-1] * RATIO < most:
            sizes.append(sizes[-1] * RATIO)
        return tuple(self.point(size) for size in (*sizes, float(most)) if size <= most)


def at_rate(curve: Sequence[Point], rate: float) -> Point | None:
    """The point at which a copy answers ``rate`` [requests/s]; None beyond what it can."""
    for low, high in zip((None, *curve), curve, strict=False):
        if rate <= high.rate:
            return high if low is None or high.rate <= low.rate else _between(low, high, rate)
    return None


def _between(low: Point, high: Point, rate: float) -> Point:
    share = (rate - low.rate) / (high.rate - low.rate)
    return Point(*(first + share * (last - first) for first, last in zip(low, high, strict=True)))


def capacity(curve: Sequence[Point]) -> float:
    """The most requests that a copy answers. [1/s]"""
    return max((point.rate for point in curve), default=0.0)


class Bound(NamedTuple):
    """What a mean may be at most so that a percentile may hold: ttft, tpot, latency [s; inf = not promised], and
    what share of its capacity a copy may be loaded to [1]."""

    ttft: float = math.inf
    tpot: float = math.inf
    latency: float = math.inf
    load: float = 1.0


def greatest(curve: Sequence[Point], bound: Bound, output: float) -> Point | None:
    """The point of the greatest rate at which a copy keeps the bounds; None where it never does."""
    top, best = capacity(curve) * bound.load, None
    for point in curve:
        if point.rate > top or not holds(point, bound, output) or (best and point.rate < best.rate):
            break
        best = point
    if best is None:
        return _lightest(curve, bound, output)
    after = curve[curve.index(best) + 1] if curve.index(best) + 1 < len(curve) else None
    if after is None or after.rate <= best.rate:
        return best
    low, high = best.rate, min(after.rate, top)
    for _ in range(20):
        middle = 0.5 * (low + high)
        found = _between(best, after, middle)
        low, high = (middle, high) if holds(found, bound, output) else (low, middle)
    return _between(best, after, low)


def _lightest(curve: Sequence[Point], bound: Bound, output: float) -> Point | None:
    """A copy that only one request fits into at a time, loaded as far as its bound says."""
    if not curve or not holds(curve[0], bound, output):
        return None
    first = curve[0]
    return first._replace(rate=first.rate * bound.load)


def holds(point: Point, bound: Bound, output: float) -> bool:
    """Whether the means keep the bounds."""
    return point.ttft <= bound.ttft and point.tpot <= bound.tpot and stay(point, output) <= bound.latency


def stay(point: Point, output: float) -> float:
    """Time that a request is in the copy. [s] TTFT + (o - 1) TPOT"""
    return point.ttft + point.tpot * max(0.0, output - 1.0)


def users(point: Point, output: float, think: float) -> float:
    """Users that keep a copy at a point: X (R + Z), the interactive response time law. [count]

    E. D. Lazowska et al. 1984, "Quantitative system performance", section 3.5.
    """
    return point.rate * (stay(point, output) + think)
