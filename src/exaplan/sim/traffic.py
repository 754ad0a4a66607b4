"""Loads made from a description of traffic: arrivals, lengths, users and sessions, all from one seed."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from exaplan.errors import InputError, Place
from exaplan.nouns.serving import Lengths, Traffic
from exaplan.sim import columns as at
from exaplan.sim.nouns import Chunk, Load
from exaplan.sim.state import Real, Whole

SIZE = 65_536  # requests made at a time
SMALLEST = 1e-300  # sum of gaps that are all none: of very bursty arrivals


def make(traffic: Traffic, n: int, seed: int = 0) -> Load:
    """``n`` requests of this traffic. A trace is read by ``traces.read``.

    ``prompt`` is what a user writes anew: prefix and history come on top. With sessions ``rate`` is still of requests:
    sessions come at rate / turns.
    """
    check(traffic, n)
    return Load(
        chunks=lambda: chunks(traffic, n, seed),
        users=(traffic.users or 0) if traffic.arrivals == "closed" else 0,
        limit=n,
        turns=traffic.turns,
        prefix=traffic.prefix,
        history=traffic.history,
        keep=traffic.keep,
    )


def check(traffic: Traffic, n: int) -> None:
    """Refuse traffic that never comes, or never ends."""
    place = Place(field="work")
    if n < 1:
        raise InputError(f"{n} requests to simulate", hint="at least 1", place=place)
    if traffic.arrivals == "closed":
        if not traffic.users or traffic.users < 1:
            raise InputError("a closed loop without users", hint="give the number of users", place=place)
    elif traffic.arrivals not in ("poisson", "bursty", "uniform"):
        raise InputError(
            f"unknown arrivals {traffic.arrivals!r}", hint="poisson, bursty, uniform, closed or trace", place=place
        )
    elif not traffic.rate or not 0.0 < traffic.rate < math.inf:
        raise InputError(f"requests come at {traffic.rate}/s", hint="give a rate above 0", place=place)
    if traffic.arrivals == "bursty" and traffic.burst <= 0.0:
        raise InputError(f"gaps vary by {traffic.burst:g} of their mean", hint="a burst above 0", place=place)
    if traffic.history not in ("full", "window", "none"):
        raise InputError(f"unknown history {traffic.history!r}", hint="full, window or none", place=place)
    if traffic.turns < 1 or traffic.prefix < 0 or traffic.keep < 0 or traffic.think < 0.0:
        raise InputError("turns below 1, or negative prefix, history or think time", place=place)
    for name, lengths in (("prompt", traffic.prompt), ("output", traffic.output)):
        check_lengths(lengths, Place(field=f"work.{name}"))


def check_lengths(lengths: Lengths, place: Place) -> None:
    """Refuse a distribution that cannot be drawn from."""
    if lengths.kind not in ("fixed", "uniform", "lognormal"):
        raise InputError(f"unknown kind {lengths.kind!r}", hint="fixed, uniform or lognormal", place=place)
    if lengths.kind == "uniform" and not 1 <= lengths.low <= lengths.high:
        raise InputError(f"from {lengths.low} to {lengths.high} tokens", hint="1 <= low <= high", place=place)
    if lengths.kind != "uniform" and not 1.0 <= lengths.mean < math.inf:
        raise InputError(f"{lengths.mean:g} tokens on average", hint="at least 1", place=place)
    if lengths.cv < 0.0 or (lengths.high and lengths.low > lengths.high):
        raise InputError("a negative spread, or low above high", place=place)


def draw(lengths: Lengths, chance: np.random.Generator, count: int) -> Whole:
    """Lengths [tokens], 1 at least. A lognormal is cut to its bounds, which may move its mean."""
    if lengths.kind == "fixed":
        return np.full(count, max(1, round(lengths.mean)), np.int64)
    if lengths.kind == "uniform":
        return chance.integers(lengths.low, lengths.high + 1, count)
    variance = math.log(1.0 + lengths.cv**2)
    drawn = chance.lognormal(math.log(lengths.mean) - 0.5 * variance, math.sqrt(variance), count)
    return np.clip(np.rint(drawn), max(1, lengths.low), lengths.high or 2**31).astype(np.int64)


def gaps(traffic: Traffic, chance: np.random.Generator, count: int) -> Real:
    """Times between arrivals of requests, or of sessions [s]: exponential, gamma, or all equal.

    Scaled to their mean, so that ``count`` of them take as long as the rate says: exponential ones are then a Poisson
    process of which the last arrival is known (the others lie as evenly drawn points do), and no luck of the draw makes
    the load of a short run another than the asked one.
    """
    mean = traffic.turns / (traffic.rate or 1.0)
    if traffic.arrivals == "uniform":
        return np.full(count, mean)
    shape = traffic.burst**-2 if traffic.arrivals == "bursty" else 1.0
    drawn = chance.standard_gamma(shape, count)
    return np.asarray(drawn * (mean * count / max(float(drawn.sum()), SMALLEST)))


def chunks(traffic: Traffic, n: int, seed: int) -> Iterator[Chunk]:
    """The requests, some at a time; lengths, gaps and think times have streams of their own."""
    streams = [np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(4)]
    is_open = traffic.arrivals != "closed"
    clock = 0.0
    for first in range(0, n, SIZE):
        count = min(SIZE, n - first)
        rows = np.full((count, at.ROW_COLUMNS), at.NONE, np.int64)
        rows[:, at.ROW_PROMPT] = draw(traffic.prompt, streams[0], count)
        rows[:, at.ROW_OUTPUT] = draw(traffic.output, streams[1], count)
        whens = np.zeros(0)
        if is_open:
            whens = clock + np.cumsum(gaps(traffic, streams[2], -(-count // traffic.turns)))
            clock = float(whens[-1])
        yield Chunk(rows, streams[3].exponential(traffic.think, count), whens)
