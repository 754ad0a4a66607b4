"""Which replica a request goes to, and how many replicas there are.

The prefix router is the cache-aware policy of SGLang's router [1]: the replica that holds most of the session, unless
loads have drifted apart: most > least + NEAR and most > RATIO least; then the least loaded one.
[1] SGLang, sgl-router, policies/cache_aware: a system is imbalanced when both conditions hold.
"""

from __future__ import annotations

from exaplan.sim.cache import clear, find
from exaplan.sim.columns import (
    ACTIVE,
    BY_PREFIX,
    DELAY,
    DRAINING,
    E_BLOCKS,
    E_HOST,
    FIRST_POOL,
    IDLE,
    IDLE_TIME,
    INSIDE,
    KEY,
    LEAST_ON,
    LOW_SINCE,
    MAIN,
    NEAR,
    NONE,
    NOW,
    OFF,
    ON,
    POOL,
    RATIO,
    READY,
    REPLICA_COLUMNS,
    REPLICAS,
    REPLICAS_AT,
    ROUND_FIRST,
    ROUND_MAIN,
    ROUND_ROBIN,
    ROUTER,
    RUNS,
    SCALED,
    SINCE,
    STARTING,
    STARTS,
    STATUS,
    STOPS,
    TARGET,
    TIMER,
    UP,
    WAITS,
)
from exaplan.sim.queues import push_event
from exaplan.sim.state import State


def replica_at(s: State, index: int) -> int:
    """Address of a replica."""
    return int(s.whole[REPLICAS_AT] + index * REPLICA_COLUMNS)


def load_of(s: State, replica: int) -> int:
    """Requests at a replica."""
    return int(s.whole[replica + WAITS] + s.whole[replica + RUNS])


def takes(s: State, replica: int, pool: int) -> bool:
    """Whether a replica belongs to the pool and takes requests."""
    return bool(s.whole[replica + POOL] == pool and s.whole[replica + STATUS] == ON)


def least_loaded(s: State, pool: int) -> int:
    """The replica with the fewest requests, the first of equals."""
    best, least = NONE, 0
    for index in range(s.whole[REPLICAS]):
        replica = replica_at(s, index)
        if takes(s, replica, pool):
            load = load_of(s, replica)
            if best == NONE or load < least:
                best, least = replica, load
    return best


def round_robin(s: State, pool: int) -> int:
    """The next replica of the round."""
    column = ROUND_FIRST if pool == FIRST_POOL else ROUND_MAIN
    index = s.whole[column]
    for _ in range(s.whole[REPLICAS]):
        index = (index + 1) % s.whole[REPLICAS]
        if takes(s, replica_at(s, index), pool):
            break
    s.whole[column] = index
    return replica_at(s, index)


def by_prefix(s: State, pool: int, key: int) -> int:
    """The replica that holds most of the session, unless loads have drifted apart."""
    least = least_loaded(s, pool)
    if key == NONE:
        return least
    most, best, held = 0, least, 0
    for index in range(s.whole[REPLICAS]):
        replica = replica_at(s, index)
        if takes(s, replica, pool):
            most = max(most, load_of(s, replica))
            entry = find(s, replica, key)
            if entry != NONE and s.whole[entry + E_BLOCKS] + s.whole[entry + E_HOST] > held:
                best, held = replica, s.whole[entry + E_BLOCKS] + s.whole[entry + E_HOST]
    low = load_of(s, least)
    apart = most > low + s.real[NEAR] and most > s.real[RATIO] * low
    return least if apart else best


def route(s: State, slot: int, pool: int) -> int:
    """The replica of a pool that a request goes to."""
    if s.whole[REPLICAS] == 1:
        return replica_at(s, 0)
    if s.whole[ROUTER] == ROUND_ROBIN:
        return round_robin(s, pool)
    if s.whole[ROUTER] == BY_PREFIX:
        return by_prefix(s, pool, s.whole[slot + KEY])
    return least_loaded(s, pool)


def count_status(s: State, status: int) -> int:
    """Replicas of the main pool in this status."""
    count = 0
    for index in range(s.whole[REPLICAS]):
        replica = replica_at(s, index)
        if s.whole[replica + POOL] == MAIN and s.whole[replica + STATUS] == status:
            count += 1
    return count


def scale(s: State) -> None:
    """Start a replica when the requests per replica pass the target; begin to count idle time below half of it."""
    if s.whole[SCALED] == 0:
        return
    on, starting = count_status(s, ON), count_status(s, STARTING)
    if s.whole[INSIDE] > s.real[TARGET] * (on + starting):
        start(s)
    if s.whole[INSIDE] < 0.5 * s.real[TARGET] * on and on > s.whole[LEAST_ON]:
        if s.real[LOW_SINCE] < 0.0:
            s.real[LOW_SINCE] = s.real[NOW]
            push_event(s, s.real[NOW] + s.real[IDLE_TIME], IDLE, s.whole[TIMER])
    elif s.real[LOW_SINCE] >= 0.0:
        s.real[LOW_SINCE] = -1.0
        s.whole[TIMER] += 1


def start(s: State) -> None:
    """Switch the first replica on that is off; it is paid for from now, and works after the start-up delay."""
    for index in range(s.whole[REPLICAS]):
        replica = replica_at(s, index)
        if s.whole[replica + POOL] == MAIN and s.whole[replica + STATUS] == OFF:
            s.whole[replica + STATUS] = STARTING
            s.real[replica + SINCE] = s.real[NOW]
            s.whole[STARTS] += 1
            s.whole[ACTIVE] += 1
            push_event(s, s.real[NOW] + s.real[DELAY], READY, replica)
            return


def stop(s: State, timer: int) -> None:
    """The idle time is over: the least loaded replica takes no more requests, and goes when it is empty."""
    if timer != s.whole[TIMER] or s.real[LOW_SINCE] < 0.0:
        return
    s.real[LOW_SINCE] = -1.0
    s.whole[TIMER] += 1
    replica = least_loaded(s, MAIN)
    s.whole[replica + STATUS] = DRAINING
    s.whole[STOPS] += 1
    switch_off(s, replica)
    scale(s)


def switch_off(s: State, replica: int) -> None:
    """Switch a draining replica off once it is empty; its cache is lost."""
    if s.whole[replica + STATUS] == DRAINING and load_of(s, replica) == 0:
        s.whole[replica + STATUS] = OFF
        s.real[replica + UP] += s.real[NOW] - s.real[replica + SINCE]
        s.whole[ACTIVE] -= 1
        clear(s, replica)
