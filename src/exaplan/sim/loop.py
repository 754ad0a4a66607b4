"""The event loop: arrivals, iterations and what follows, in slices that Python may end."""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy, StepTable
from exaplan.sim.clock import tick
from exaplan.sim.columns import (
    AREA_INSIDE,
    ARRIVED,
    BEHIND,
    BUSY,
    CLOSE,
    CLOSED,
    DUE_AT,
    DUES,
    END,
    ENTRIES_LEFT,
    EVENTS,
    EVENTS_AT,
    FINISHED,
    FIRST,
    FIRST_POOL,
    HEAP,
    IDLE,
    INSIDE,
    ISSUED,
    ITERATION,
    LAND_HEAD,
    LAST_ROWS,
    LAST_WHENS,
    LATE,
    LIMIT,
    LOADED,
    LOADS,
    MAIN,
    MODEL,
    MOST_SEQS,
    NONE,
    NOW,
    NUMBER,
    ON,
    OUTPUT,
    POOL,
    PROMPT,
    QUEUED,
    READY,
    REPLICA,
    REPLICAS,
    RETURN,
    ROW,
    ROWS,
    SENDER,
    SENDING,
    SENT,
    SERVED,
    SLOTS_LEFT,
    SPLIT,
    STARTING,
    STATE,
    STATION_COLUMNS,
    STATIONS,
    STATIONS_AT,
    STATUS,
    STAYS,
    TOKENS_IN,
    V_KIND,
    V_TIME,
    V_WHO,
    WAIT_HEAD,
    WAITING,
    WAITS,
    WHEN,
    WHENS,
    WHENS_AT,
)
from exaplan.sim.memory import release
from exaplan.sim.queues import append, drop_event, give_slot, note, push_event, take_slot
from exaplan.sim.record import record
from exaplan.sim.replica import begin
from exaplan.sim.requests import fresh, new_session, refused, rest
from exaplan.sim.routing import replica_at, route, scale, stop, switch_off
from exaplan.sim.state import State
from exaplan.sim.stations import served, visit
from exaplan.sim.steps import end_iteration

# What ``advance`` ends with.
OVER, SLICE, MORE_ROWS, MORE_WHENS, MORE_SLOTS, MORE_EVENTS, MORE_ENTRIES = range(7)
NEVER = 1e300  # later than anything [s]


def lacking(s: State) -> int:
    """What the driver must bring before an iteration ends, SLICE where nothing is wanted."""
    most = s.whole[MOST_SEQS] + 4
    if s.whole[HEAP] + most > s.whole[EVENTS]:
        return MORE_EVENTS
    if s.whole[ENTRIES_LEFT] < most:
        return MORE_ENTRIES
    return SLICE


def wanting(s: State) -> int:
    """The same before any event."""
    if s.whole[ROW] >= s.whole[ROWS] and s.whole[LAST_ROWS] == 0:
        return MORE_ROWS
    if s.whole[WHEN] >= s.whole[WHENS] and s.whole[LAST_WHENS] == 0:
        return MORE_WHENS
    if s.whole[SLOTS_LEFT] < 1:
        return MORE_SLOTS
    return lacking(s)


def is_open(s: State) -> bool:
    """Whether more requests may come."""
    return bool(s.whole[ISSUED] < s.whole[LIMIT] and s.whole[ROW] < s.whole[ROWS])


def next_when(s: State) -> float:
    """When the next request from outside is in the queue of the model. [s]"""
    if s.whole[WHEN] < s.whole[WHENS] and is_open(s):
        return float(s.real[s.whole[WHENS_AT] + s.whole[WHEN]] + s.real[LATE])
    return NEVER


def next_event(s: State) -> float:
    """Time of the first event of the heap. [s]"""
    return float(s.real[s.whole[EVENTS_AT] + V_TIME]) if s.whole[HEAP] > 0 else NEVER


def arrive(s: State, slot: int, arrived: float, policy: Policy, way: Policy) -> None:
    """A request comes: it is refused, or goes to the first station, or to the model."""
    fresh(s, slot, arrived)
    if s.whole[MODEL] == 1 and hopeless(s, slot, policy, way):
        rest(s, slot, False)
        return
    s.whole[INSIDE] += 1
    s.real[AREA_INSIDE] += s.real[NOW] - arrived
    if s.whole[STATIONS] > 0:
        visit(s, slot, s.whole[STATIONS_AT])
    else:
        send(s, slot, s.whole[SPLIT])
    scale(s)


def hopeless(s: State, slot: int, policy: Policy, way: Policy) -> bool:
    """Whether no replica can ever serve a request. Prefill replicas stand last and make one token."""
    if refused(s, slot, replica_at(s, 0), s.whole[slot + OUTPUT], policy):
        return True
    return s.whole[SPLIT] == 1 and refused(s, slot, replica_at(s, s.whole[REPLICAS] - 1), 1, way)


def send(s: State, slot: int, pool: int) -> None:
    """A request joins the queue of a replica."""
    replica = route(s, slot, pool)
    s.whole[slot + STATE] = WAITING
    s.whole[slot + REPLICA] = replica
    append(s, replica, WAIT_HEAD, slot)
    s.whole[replica + WAITS] += 1
    wake(s, replica)


def wake(s: State, replica: int) -> None:
    """Note that an idle replica may have work: it begins when the event is over."""
    if s.whole[replica + BUSY] == 0:
        s.whole[s.whole[DUE_AT] + s.whole[DUES]] = replica
        s.whole[DUES] += 1


def begin_due(s: State, table: StepTable, policy: Policy, first: StepTable, way: Policy) -> None:
    """Begin iterations of the replicas that have got work."""
    while s.whole[DUES] > 0:
        s.whole[DUES] -= 1
        replica = s.whole[s.whole[DUE_AT] + s.whole[DUES]]
        if s.whole[replica + BUSY] == 0 and start(s, replica, table, policy, first, way):
            push_event(s, s.real[replica + END], ITERATION, replica)


def start(s: State, replica: int, table: StepTable, policy: Policy, first: StepTable, way: Policy) -> bool:
    """Begin an iteration with the table and the policy of the replica's pool."""
    if s.whole[replica + POOL] == FIRST_POOL:
        return begin(s, replica, first, way)
    return begin(s, replica, table, policy)


def depart(s: State, slot: int) -> None:
    """A request has its answer."""
    note(s, SERVED, s.whole[slot + NUMBER], s.real[NOW], s.real[slot + FIRST])
    record(s, slot)
    s.whole[INSIDE] -= 1
    s.whole[FINISHED] += 1
    s.whole[TOKENS_IN] += s.whole[slot + PROMPT]
    s.real[STAYS] += s.real[NOW] - s.real[slot + ARRIVED]
    rest(s, slot, True)
    scale(s)


def finish(s: State, replica: int, policy: Policy, way: Policy) -> None:
    """End the running iteration of a replica."""
    own = way if s.whole[replica + POOL] == FIRST_POOL else policy
    slot = end_iteration(s, replica, own)
    while slot != NONE:
        behind = s.whole[slot + BEHIND]
        if s.whole[slot + STATE] == SENDING:
            send(s, slot, MAIN)
        else:
            depart(s, slot)
        slot = behind
    if s.whole[replica + STATUS] != ON:
        switch_off(s, replica)


def loaded(s: State, slot: int) -> None:
    """The cache of a request has come; what the sender held of it is free."""
    replica, sender = s.whole[slot + REPLICA], s.whole[slot + SENDER]
    s.whole[replica + LOADS] -= 1
    append(s, replica, LAND_HEAD, slot)
    if sender != NONE:
        release(s, sender, s.whole[slot + SENT])
        s.whole[slot + SENT] = 0
        s.whole[slot + SENDER] = NONE
        wake(s, sender)
    wake(s, replica)


def work(s: State, replica: int, table: StepTable, policy: Policy, first: StepTable, way: Policy, left: int) -> int:
    """End an iteration and run those that follow until something else happens. [iterations]"""
    count = 1
    finish(s, replica, policy, way)
    while start(s, replica, table, policy, first, way):
        end = s.real[replica + END]
        busy = s.whole[DUES] > 0 or count >= left or lacking(s) != SLICE
        if busy or end >= next_event(s) or end >= next_when(s):
            push_event(s, end, ITERATION, replica)
            break
        tick(s, end)
        finish(s, replica, policy, way)
        count += 1
    return count


def handle(s: State, kind: int, who: int, policy: Policy, way: Policy) -> None:
    """Any event but the end of an iteration."""
    if kind == RETURN:
        if is_open(s):
            if s.whole[CLOSED] == 1:
                s.real[CLOSE] = s.real[NOW]
            arrive(s, who, s.real[NOW] - s.real[LATE], policy, way)
        else:
            give_slot(s, who)
    elif kind == LOADED:
        loaded(s, who)
    elif kind == SERVED:
        leave_station(s, who)
    elif kind == READY:
        if s.whole[who + STATUS] == STARTING:
            s.whole[who + STATUS] = ON
    elif kind == IDLE:
        stop(s, who)


def leave_station(s: State, slot: int) -> None:
    """A service is over: the request goes to the next station, to the model, or away."""
    station = served(s, slot)
    if station < s.whole[STATIONS_AT] + s.whole[STATIONS] * STATION_COLUMNS:
        visit(s, slot, station)
    elif s.whole[MODEL] == 1:
        s.real[slot + QUEUED] = s.real[NOW]
        send(s, slot, s.whole[SPLIT])
    else:
        depart(s, slot)


def advance(s: State, table: StepTable, policy: Policy, first: StepTable, way: Policy, limit: int) -> int:
    """Run about ``limit`` events; what ended it.

    table, policy: of the replicas that serve; first, way: of those that read prompts (the same where there are none).
    """
    left = limit
    while left > 0:
        code = wanting(s)
        if code != SLICE:
            return code
        when, event = next_when(s), next_event(s)
        if when >= NEVER and event >= NEVER:
            return OVER
        left -= 1
        if when <= event:
            tick(s, when)
            s.whole[WHEN] += 1
            s.real[CLOSE] = when
            slot = take_slot(s)
            new_session(s, slot)
            arrive(s, slot, when - s.real[LATE], policy, way)
        else:
            top = s.whole[EVENTS_AT]
            kind, who = s.whole[top + V_KIND], s.whole[top + V_WHO]
            drop_event(s)
            tick(s, event)
            if kind == ITERATION:
                left -= work(s, who, table, policy, first, way, left)
            else:
                handle(s, kind, who, policy, way)
        if s.whole[DUES] > 0:
            begin_due(s, table, policy, first, way)
    return SLICE
