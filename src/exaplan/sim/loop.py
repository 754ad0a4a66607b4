"""The event loop: arrivals, iterations and what follows, in slices that Python may end."""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy, StepTable
from exaplan.sim.columns import (
    ADMITTED,
    AREA_INSIDE,
    ARRIVED,
    BEHIND,
    BUSY,
    CHUNK,
    CLOSED,
    CUT,
    DONE,
    END,
    EXTRA,
    FINISHED,
    FIRST,
    HEAP,
    HIT,
    HISTORY,
    INSIDE,
    ISSUED,
    ITERATION,
    KEY,
    LAST_ROWS,
    LAST_WHENS,
    LIMIT,
    MADE,
    NEED,
    NONE,
    NOW,
    NUMBER,
    OUTPUT,
    PRIVATE,
    PROMPT,
    QUEUED,
    REFUSED_CACHE,
    REFUSED_CONTEXT,
    REPLICA,
    RETURN,
    ROW,
    ROW_OUTPUT,
    ROW_PROMPT,
    ROWS,
    SLOTS_LEFT,
    STATE,
    STAYS,
    THINKING,
    TICKED,
    TOKENS_IN,
    TURN,
    WAIT_HEAD,
    WAITING,
    WAITS,
    WHEN,
    WHENS,
    BLOCKS,
)
from exaplan.sim.memory import blocks_of
from exaplan.sim.queues import append, drop_event, give_slot, note, push_event, take_slot
from exaplan.sim.record import record
from exaplan.sim.replica import begin
from exaplan.sim.state import State
from exaplan.sim.steps import end_iteration

# What ``advance`` ends with.
OVER, SLICE, MORE_ROWS, MORE_WHENS, MORE_SLOTS, MORE_EVENTS, MORE_ENTRIES = range(7)
NEVER = 1e300  # later than anything [s]


def lacking(s: State) -> int:
    """What the driver must bring before the next event, SLICE where nothing is wanted."""
    if s.counts[ROW] >= s.counts[ROWS] and s.counts[LAST_ROWS] == 0:
        return MORE_ROWS
    if s.counts[WHEN] >= s.counts[WHENS] and s.counts[LAST_WHENS] == 0:
        return MORE_WHENS
    if s.counts[SLOTS_LEFT] < 1:
        return MORE_SLOTS
    if s.counts[HEAP] + s.finishes.shape[1] + 4 > s.event_times.shape[0]:
        return MORE_EVENTS
    return SLICE


def tick(s: State, now: float) -> None:
    """Bring the clock and the sums over time up to ``now``."""
    s.clocks[AREA_INSIDE] += s.counts[INSIDE] * (now - s.clocks[NOW])
    s.clocks[NOW] = now


def next_when(s: State) -> float:
    """When the next request comes from outside. [s]"""
    if s.counts[WHEN] < s.counts[WHENS] and s.counts[ISSUED] < s.counts[LIMIT]:
        return float(s.whens[s.counts[WHEN]])
    return NEVER


def next_event(s: State) -> float:
    """Time of the first event of the heap. [s]"""
    return float(s.event_times[0]) if s.counts[HEAP] > 0 else NEVER


def fresh(s: State, slot: int, arrived: float) -> None:
    """Write a request that arrives into its row; lengths come from the next of ``rows``."""
    row = s.counts[ROW]
    s.counts[ROW] = row + 1
    prompt, output = s.rows[row, ROW_PROMPT], s.rows[row, ROW_OUTPUT]
    for column in (DONE, CHUNK, HIT, MADE, EXTRA, PRIVATE):
        s.slots[slot, column] = 0
    s.slots[slot, PROMPT] = prompt
    s.slots[slot, NEED] = prompt
    s.slots[slot, OUTPUT] = output
    s.slots[slot, NUMBER] = s.counts[ISSUED]
    s.counts[ISSUED] += 1
    s.times[slot, ARRIVED] = arrived
    s.times[slot, QUEUED] = s.clocks[NOW]
    s.times[slot, ADMITTED] = -1.0
    s.times[slot, FIRST] = -1.0


def refused(s: State, slot: int, replica: int, policy: Policy) -> bool:
    """Whether a request can never be served; counted by reason."""
    tokens = s.slots[slot, PROMPT] + s.slots[slot, OUTPUT]
    if tokens > policy.max_context:
        s.counts[REFUSED_CONTEXT] += 1
        return True
    if blocks_of(tokens, policy.block) > s.replicas[replica, BLOCKS]:
        s.counts[REFUSED_CACHE] += 1
        return True
    return False


def arrive(s: State, slot: int, arrived: float, table: StepTable, policy: Policy) -> None:
    """A request comes: it is refused, or waits at a replica."""
    fresh(s, slot, arrived)
    replica = 0
    if refused(s, slot, replica, policy):
        rest(s, slot, policy, table)
        return
    s.counts[INSIDE] += 1
    s.clocks[AREA_INSIDE] += s.clocks[NOW] - arrived
    s.slots[slot, STATE] = WAITING
    s.slots[slot, REPLICA] = replica
    append(s, replica, WAIT_HEAD, slot)
    s.replicas[replica, WAITS] += 1
    if s.replicas[replica, BUSY] == 0:
        wake(s, replica, table, policy)


def wake(s: State, replica: int, table: StepTable, policy: Policy) -> None:
    """Start an iteration of an idle replica."""
    if begin(s, replica, table, policy):
        push_event(s, s.spans[replica, END], ITERATION, replica)


def depart(s: State, slot: int, policy: Policy, table: StepTable) -> None:
    """A request has its answer."""
    record(s, slot)
    s.counts[INSIDE] -= 1
    s.counts[FINISHED] += 1
    s.counts[TOKENS_IN] += s.slots[slot, PROMPT]
    s.clocks[STAYS] += s.clocks[NOW] - s.times[slot, ARRIVED]
    rest(s, slot, policy, table)


def rest(s: State, slot: int, policy: Policy, table: StepTable) -> None:
    """A user thinks until the next request; a row that nobody uses is free."""
    if s.counts[CLOSED] == 1:
        s.slots[slot, STATE] = THINKING
        think = s.thinks[s.counts[ROW] - 1]
        push_event(s, s.clocks[NOW] + think + table.host.request, RETURN, slot)
    else:
        give_slot(s, slot)


def finish(s: State, replica: int, table: StepTable, policy: Policy) -> None:
    """End the running iteration of a replica."""
    ended = end_iteration(s, replica, policy)
    while ended != NONE:
        behind = s.slots[ended, BEHIND]
        note(s, s.clocks[NOW], 1, s.slots[ended, NUMBER], s.times[ended, FIRST])
        depart(s, ended, policy, table)
        ended = behind


def work(s: State, replica: int, table: StepTable, policy: Policy, left: int) -> int:
    """End an iteration and run those that follow until something else happens. [iterations]"""
    count = 1
    finish(s, replica, table, policy)
    horizon = min(next_event(s), next_when(s) + table.host.request)
    while begin(s, replica, table, policy):
        end = s.spans[replica, END]
        if end >= horizon or count >= left or lacking(s) != SLICE:
            push_event(s, end, ITERATION, replica)
            return count
        tick(s, end)
        finish(s, replica, table, policy)
        horizon = min(horizon, next_event(s))
        count += 1
    return count


def advance(s: State, table: StepTable, policy: Policy, limit: int) -> int:
    """Run at most about ``limit`` events; what ended it."""
    left = limit
    while left > 0:
        code = lacking(s)
        if code != SLICE:
            return code
        when, event = next_when(s) + table.host.request, next_event(s)
        if when >= NEVER and event >= NEVER:
            return OVER
        left -= 1
        if when <= event:
            tick(s, when)
            s.counts[WHEN] += 1
            arrive(s, take_slot(s), when - table.host.request, table, policy)
            continue
        kind, who = s.events[0, 1], s.events[0, 2]
        drop_event(s)
        tick(s, event)
        if kind == ITERATION:
            left -= work(s, who, table, policy, left)
        elif kind == RETURN:
            if s.counts[ISSUED] < s.counts[LIMIT]:
                arrive(s, who, event - table.host.request, table, policy)
            else:
                give_slot(s, who)
    return SLICE
