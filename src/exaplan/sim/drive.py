"""Runs the event loop from Python: slice by slice, with more rows and more room where it asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from exaplan.errors import InputError
from exaplan.nouns.serving import Promise
from exaplan.perf.kernel import compiled
from exaplan.perf.serving.attention import COLUMNS
from exaplan.perf.serving.inputs import Host, Policy, StepTable
from exaplan.sim import build
from exaplan.sim import columns as at
from exaplan.sim.loop import MORE_ENTRIES, MORE_EVENTS, MORE_ROWS, MORE_SLOTS, MORE_WHENS, OVER, advance
from exaplan.sim.nouns import Chunk, Fleet, Load, Result
from exaplan.sim.queues import push_event, take_slot
from exaplan.sim.requests import new_session
from exaplan.sim.routing import replica_at
from exaplan.sim.state import State

SLICE_EVENTS = 200_000  # some tenths of a second compiled: how long Ctrl-C may take
PLAIN_EVENTS = 5_000
ROUTERS = {"round-robin": at.ROUND_ROBIN, "least-loaded": at.LEAST_LOADED, "prefix": at.BY_PREFIX}
LAWS = {"fixed": at.FIXED, "exponential": at.EXPONENTIAL, "lognormal": at.LOGNORMAL}
HISTORIES = {"full": at.FULL, "window": at.WINDOW, "none": at.NO_HISTORY}
STOPPED = "stopped by the user (Ctrl-C)"

NO_POLICY = Policy(0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1.0, 0, 0.0, 2**40)
NO_TABLE = StepTable(
    np.zeros(1), np.zeros(1), np.zeros((0, COLUMNS)), np.zeros(1), Host(0.0, 0.0, 0.0, 0.0, 0.0), 1.0, 1.0
)


class Kernel:
    """The compiled loop, or its plain twin, with the tables and policies of the pools."""

    def __init__(self, fleet: Fleet, plain: bool) -> None:
        main, way = fleet.pool, fleet.prefill or fleet.pool
        self.table = main.table if main else NO_TABLE
        self.policy = main.policy if main else NO_POLICY
        self.first = way.table if way else NO_TABLE
        self.way = way.policy if way else NO_POLICY
        if fleet.prefill:
            self.policy = self.policy._replace(prefix=0)
        self.loop = advance if plain else compiled(advance)
        self.events = PLAIN_EVENTS if plain else SLICE_EVENTS

    def slice(self, s: State) -> int:
        """One slice; what ended it."""
        return int(self.loop(s, self.table, self.policy, self.first, self.way, self.events))


def run(
    load: Load,
    fleet: Fleet,
    seed: int = 0,
    plain: bool = False,
    promise: Promise | None = None,
    *,
    warm: int = 0,
    log: int = 0,
) -> Result:
    """Simulate a load on a fleet until every request is served; Ctrl-C keeps what was done so far.

    warm: requests that no statistic counts (beside the start-up that ``summary`` finds itself). log: lines of events to
    keep. plain: without compiling, the same events in the same order.
    """
    check(fleet)
    kept = promise or Promise()
    s = start(load, fleet, seed, kept, log)
    s.whole[at.WARM] = warm
    kernel = Kernel(fleet, plain)
    chunks = load.chunks()
    partial = ""
    try:
        s = supplied(s, chunks, load)
        seat_users(s, load)
        while True:
            code = kernel.slice(s)
            if code == OVER:
                break
            s = helped(s, code, chunks, load)
    except KeyboardInterrupt:
        partial = STOPPED
    return Result(s, load, fleet, seed, kept, partial, tuple(station.name for station in fleet.stations))


def helped(s: State, code: int, chunks: Iterator[Chunk], load: Load) -> State:
    """Bring what the loop asked for."""
    if code in (MORE_ROWS, MORE_WHENS):
        return supplied(s, chunks, load)
    if code == MORE_SLOTS:
        return build.with_slots(s)
    if code == MORE_EVENTS:
        return build.with_events(s)
    return build.with_entries(s) if code == MORE_ENTRIES else s


def supplied(s: State, chunks: Iterator[Chunk], load: Load) -> State:
    """The next chunk of requests; without one the load has ended."""
    chunk = next(chunks, None)
    if chunk is None:
        s.whole[at.LAST_ROWS] = s.whole[at.LAST_WHENS] = 1
        return s
    s = build.with_chunk(s, chunk)
    s.whole[at.LAST_ROWS] = s.whole[at.LAST_WHENS] = 0
    if load.users > 0:
        s.whole[at.LAST_WHENS] = 1
    return s


def seat_users(s: State, load: Load) -> None:
    """The users of a closed loop all come at once."""
    for _ in range(min(load.users, load.limit)):
        slot = take_slot(s)
        new_session(s, slot)
        push_event(s, s.real[at.NOW] + s.real[at.LATE], at.RETURN, slot)


def start(load: Load, fleet: Fleet, seed: int, promise: Promise, log: int = 0) -> State:
    """The empty system of a load and a fleet."""
    policies, pools = members(fleet)
    slots = 1 << max(10, (load.users + 1).bit_length())
    s = build.state(policies, pools, seed=seed, slots=slots, stations=len(fleet.stations), lines=log)
    whole, real = s
    whole[at.LIMIT], whole[at.CLOSED], whole[at.TURNS] = load.limit, load.users > 0, load.turns
    whole[at.PREFIX_TOKENS], whole[at.KEEP], whole[at.TRACED] = load.prefix, load.keep, load.traced
    whole[at.HISTORY_KIND] = HISTORIES[load.history]
    whole[at.MODEL], whole[at.SPLIT] = fleet.pool is not None, fleet.prefill is not None
    for column, limit in ((at.TTFT, promise.ttft), (at.TPOT, promise.tpot), (at.LATENCY, promise.latency)):
        real[at.PROMISED + column] = np.inf if limit is None else limit
    if fleet.pool:
        whole[at.ROUTER] = ROUTERS[fleet.pool.router]
        real[at.NEAR], real[at.RATIO] = fleet.pool.near, fleet.pool.ratio
        real[at.LATE] = (fleet.prefill or fleet.pool).table.host.request
    if fleet.transfer:
        real[at.TRANSFER_RATE], real[at.TRANSFER_LATENCY] = fleet.transfer.rate, fleet.transfer.latency
    put_autoscale(s, fleet)
    put_stations(s, fleet)
    return s


def members(fleet: Fleet) -> tuple[list[Policy], list[int]]:
    """Policy and pool of each replica: those that serve first."""
    policies: list[Policy] = []
    pools: list[int] = []
    if fleet.pool:
        count = fleet.autoscale.most if fleet.autoscale else fleet.pool.replicas
        policies += [fleet.pool.policy] * count
        pools += [at.MAIN] * count
    if fleet.prefill:
        policies += [fleet.prefill.policy] * fleet.prefill.replicas
        pools += [at.FIRST_POOL] * fleet.prefill.replicas
    return policies, pools


def put_autoscale(s: State, fleet: Fleet) -> None:
    """Switch the replicas beyond the least number off."""
    scaling = fleet.autoscale
    if scaling is None:
        return
    for index in range(scaling.least, scaling.most):
        s.whole[replica_at(s, index) + at.STATUS] = at.OFF
    s.whole[at.ACTIVE] -= scaling.most - scaling.least
    s.whole[at.SCALED], s.whole[at.LEAST_ON] = 1, scaling.least
    s.real[at.TARGET], s.real[at.DELAY], s.real[at.IDLE_TIME] = scaling.target, scaling.delay, scaling.idle


def put_stations(s: State, fleet: Fleet) -> None:
    """Write the stations down."""
    for index, station in enumerate(fleet.stations):
        row = int(s.whole[at.STATIONS_AT]) + index * at.STATION_COLUMNS
        s.whole[row + at.S_SERVERS], s.whole[row + at.S_LAW] = station.servers, LAWS[station.law]
        s.whole[row + at.S_HEAD] = s.whole[row + at.S_TAIL] = at.NONE
        s.real[row + at.S_MEAN], s.real[row + at.S_CV] = station.mean, station.cv


def check(fleet: Fleet) -> None:
    """Refuse a fleet that cannot serve at all."""
    if fleet.pool is None and not fleet.stations:
        raise InputError("a fleet without replicas and without stations serves nothing")
    if fleet.prefill and (fleet.pool is None or fleet.transfer is None or fleet.transfer.rate <= 0.0):
        raise InputError(
            "prefill replicas need replicas that decode and a link between them",
            hint="give Fleet.pool and Fleet.transfer with a rate in tokens per second",
        )
    for pool in (fleet.pool, fleet.prefill):
        if pool is not None:
            check_pool(pool.policy, pool.replicas, pool.router)
    for station in fleet.stations:
        if station.servers < 1 or station.mean <= 0.0 or station.law not in LAWS:
            raise InputError(
                f"station {station.name}: {station.servers} servers, {station.mean:g} s, law {station.law!r}",
                hint=f"at least one server, a positive mean time, and one of {', '.join(LAWS)}",
            )
    scaling = fleet.autoscale
    if scaling and not (1 <= scaling.least <= scaling.most and scaling.target > 0.0 and scaling.delay >= 0.0):
        raise InputError(
            f"autoscaling between {scaling.least} and {scaling.most} replicas at {scaling.target:g} requests each",
            hint="1 <= least <= most, a positive target, a delay of 0 s or more",
        )


def check_pool(policy: Policy, replicas: int, router: str) -> None:
    """Refuse a pool that can never run an iteration."""
    if router not in ROUTERS:
        raise InputError(f"unknown router {router!r}", hint=f"one of {', '.join(ROUTERS)}")
    if replicas < 1 or policy.max_seqs < 1 or policy.max_tokens < 1 or policy.block < 1:
        raise InputError(
            f"{replicas} replicas of {policy.max_seqs} sequences, {policy.max_tokens} tokens an iteration, blocks of "
            f"{policy.block} tokens",
            hint="each is at least 1",
        )
    if policy.kv_tokens < policy.block:
        raise InputError(
            f"the KV cache holds {policy.kv_tokens} tokens, less than one block of {policy.block}",
            hint="more or larger chips, smaller number formats of weights or KV cache, or a larger memory share",
        )
    if (policy.swap == 1 or policy.host_tokens > 0) and policy.host_rate <= 0.0:
        raise InputError("host memory for the KV cache needs a transfer rate", hint="set Policy.host_rate [tokens/s]")
