"""What is simulated: requests to come, the fleet that serves them, and what a run leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from exaplan.nouns.serving import Autoscale, Promise
from exaplan.perf.serving.inputs import Policy, StepTable
from exaplan.sim.state import Real, State, Whole

WITHOUT_END = 2**62


class Chunk(NamedTuple):
    """Some requests to come. rows: (n, 3) of prompt, output [tokens] and session (-1 = none); thinks: (n,) [s] that a
    user thinks after it; whens: (m,) [s] at which requests, or sessions, come from outside (empty in a closed loop)."""

    rows: Whole
    thinks: Real
    whens: Real


@dataclass(frozen=True)
class Load:
    """Requests to come, in chunks, so that any number of them needs little memory.

    chunks: gives the chunks anew. users: of a closed loop, 0 = open arrivals. limit: requests at most. turns, prefix,
    history (full | window | none), keep: as in nouns.serving.Traffic. traced: rows name their sessions, and a prompt
    holds the whole of what came before it in its session.
    """

    chunks: Callable[[], Iterator[Chunk]]
    users: int = 0
    limit: int = WITHOUT_END
    turns: int = 1
    prefix: int = 0
    history: str = "full"
    keep: int = 0
    traced: bool = False


@dataclass(frozen=True)
class Station:
    """Servers before the model: embedding, search, reranking, or the whole work of a sample.

    law of the service times: fixed | exponential | lognormal, mean [s], cv [standard deviation over mean; lognormal].
    """

    name: str
    servers: int
    mean: float
    law: str = "fixed"
    cv: float = 0.0


@dataclass(frozen=True)
class Pool:
    """Equal replicas: what an iteration takes, how they schedule, and how requests are shared out.

    router: round-robin | least-loaded | prefix (the replica that holds most of the session's cache, unless loads differ
    by more than ``near`` requests and by more than the ``ratio``; the defaults are those of SGLang's router, recalled).
    """

    table: StepTable
    policy: Policy
    replicas: int = 1
    router: str = "least-loaded"
    near: float = 64.0
    ratio: float = 1.5


@dataclass(frozen=True)
class Transfer:
    """How KV caches go from prefill replicas to decode replicas: rate [tokens/s] of a link, latency [s] of each."""

    rate: float
    latency: float = 0.0


@dataclass(frozen=True)
class Fleet:
    """What serves. pool: replicas (None = stations alone); with ``prefill`` the pool only decodes, and prompts are read
    there and their caches sent over; autoscale: ``pool.replicas`` does not count, ``autoscale.most`` does."""

    pool: Pool | None = None
    prefill: Pool | None = None
    transfer: Transfer | None = None
    autoscale: Autoscale | None = None
    stations: tuple[Station, ...] = ()


@dataclass(frozen=True)
class Result:
    """A run: its final state, and what it was of. partial: why it was cut off ("" = it was not)."""

    state: State
    load: Load
    fleet: Fleet
    seed: int
    promise: Promise
    partial: str = ""
    stages: tuple[str, ...] = field(default=())

    def quantile(self, name: str, percentile: float) -> float:
        """A percentile [0-100] of ttft, tpot, latency or queue [s], of the steady part of the run."""
        from exaplan.sim.summary import quantile

        return quantile(self, name, percentile)


def fixed_load(rows: Whole, thinks: Real | None = None, whens: Real | None = None, users: int = 0) -> Load:
    """A load from arrays: see Chunk."""
    chunk = Chunk(rows, np.zeros(len(rows)) if thinks is None else thinks, np.zeros(0) if whens is None else whens)
    return Load(chunks=lambda: iter((chunk,)), users=users, limit=len(rows))
