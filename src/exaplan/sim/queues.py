"""Heaps and linked lists over rows of arrays: waiting requests, admitted ones, events in time."""

from __future__ import annotations

from exaplan.sim.columns import (
    AHEAD,
    BEHIND,
    HEAP,
    LOG,
    NEWER,
    NONE,
    OLDER,
    ORDER,
    RUN_HEAD,
    RUN_TAIL,
    VACANT_SLOT,
    SLOTS_LEFT,
    FINISHES,
)
from exaplan.sim.state import Real, State, Whole


def push_event(s: State, time: float, kind: int, who: int) -> None:
    """An event to come; equal times go in the order in which they were made."""
    place = s.counts[HEAP]
    order = s.counts[ORDER]
    s.counts[HEAP] = place + 1
    s.counts[ORDER] = order + 1
    while place > 0:
        above = (place - 1) >> 1
        if s.event_times[above] <= time:
            break
        move_event(s, above, place)
        place = above
    s.event_times[place] = time
    s.events[place, 0] = order
    s.events[place, 1] = kind
    s.events[place, 2] = who


def move_event(s: State, source: int, target: int) -> None:
    """Copy one row of the heap."""
    s.event_times[target] = s.event_times[source]
    s.events[target, 0] = s.events[source, 0]
    s.events[target, 1] = s.events[source, 1]
    s.events[target, 2] = s.events[source, 2]


def sooner(times: Real, events: Whole, a: int, b: int) -> bool:
    """Whether event ``a`` comes before ``b``."""
    return bool(times[a] < times[b] or (times[a] == times[b] and events[a, 0] < events[b, 0]))


def drop_event(s: State) -> None:
    """Take the first event away."""
    size = s.counts[HEAP] - 1
    s.counts[HEAP] = size
    place = 0
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size and sooner(s.event_times, s.events, below + 1, below):
            below += 1
        if not sooner(s.event_times, s.events, below, size):
            break
        move_event(s, below, place)
        place = below
    move_event(s, size, place)


def push_finish(s: State, replica: int, step: int, slot: int) -> None:
    """A request that makes its last token at this decode step of the replica; ties go by request row."""
    heap = s.finishes[replica]
    place = s.replicas[replica, FINISHES]
    s.replicas[replica, FINISHES] = place + 1
    sift_up(heap, place, step, slot)


def sift_up(heap: Whole, place: int, step: int, slot: int) -> None:
    """Put (step, slot) at or above ``place``."""
    while place > 0:
        above = (place - 1) >> 1
        if heap[above, 0] < step or (heap[above, 0] == step and heap[above, 1] < slot):
            break
        heap[place, 0] = heap[above, 0]
        heap[place, 1] = heap[above, 1]
        place = above
    heap[place, 0] = step
    heap[place, 1] = slot


def drop_finish(s: State, replica: int, place: int) -> None:
    """Take the entry at ``place`` out of the heap of last steps."""
    heap = s.finishes[replica]
    size = s.replicas[replica, FINISHES] - 1
    s.replicas[replica, FINISHES] = size
    step, slot = heap[size, 0], heap[size, 1]
    while place < size:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size and lower(heap, below + 1, heap[below, 0], heap[below, 1]):
            below += 1
        if not lower(heap, below, step, slot):
            break
        heap[place, 0] = heap[below, 0]
        heap[place, 1] = heap[below, 1]
        place = below
    if place < size:
        sift_up(heap, place, step, slot)


def lower(heap: Whole, place: int, step: int, slot: int) -> bool:
    """Whether the entry at ``place`` goes before (step, slot)."""
    return bool(heap[place, 0] < step or (heap[place, 0] == step and heap[place, 1] < slot))


def find_finish(s: State, replica: int, slot: int) -> int:
    """Where a request stands in the heap of last steps; NONE where it does not."""
    for place in range(s.replicas[replica, FINISHES]):
        if s.finishes[replica, place, 1] == slot:
            return place
    return NONE


def append(s: State, replica: int, head: int, slot: int) -> None:
    """Put a request at the end of a queue of a replica; ``head`` is its column, the next one holds the tail."""
    tail = s.replicas[replica, head + 1]
    s.slots[slot, AHEAD] = tail
    s.slots[slot, BEHIND] = NONE
    if tail == NONE:
        s.replicas[replica, head] = slot
    else:
        s.slots[tail, BEHIND] = slot
    s.replicas[replica, head + 1] = slot


def prepend(s: State, replica: int, head: int, slot: int) -> None:
    """Put a request at the front of a queue."""
    first = s.replicas[replica, head]
    s.slots[slot, AHEAD] = NONE
    s.slots[slot, BEHIND] = first
    if first == NONE:
        s.replicas[replica, head + 1] = slot
    else:
        s.slots[first, AHEAD] = slot
    s.replicas[replica, head] = slot


def unlink(s: State, replica: int, head: int, slot: int) -> None:
    """Take a request out of a queue, wherever it stands."""
    ahead, behind = s.slots[slot, AHEAD], s.slots[slot, BEHIND]
    if ahead == NONE:
        s.replicas[replica, head] = behind
    else:
        s.slots[ahead, BEHIND] = behind
    if behind == NONE:
        s.replicas[replica, head + 1] = ahead
    else:
        s.slots[behind, AHEAD] = ahead


def enlist(s: State, replica: int, slot: int) -> None:
    """Put a request at the new end of the admitted ones."""
    newest = s.replicas[replica, RUN_TAIL]
    s.slots[slot, OLDER] = newest
    s.slots[slot, NEWER] = NONE
    if newest == NONE:
        s.replicas[replica, RUN_HEAD] = slot
    else:
        s.slots[newest, NEWER] = slot
    s.replicas[replica, RUN_TAIL] = slot


def delist(s: State, replica: int, slot: int) -> None:
    """Take a request out of the admitted ones."""
    older, newer = s.slots[slot, OLDER], s.slots[slot, NEWER]
    if older == NONE:
        s.replicas[replica, RUN_HEAD] = newer
    else:
        s.slots[older, NEWER] = newer
    if newer == NONE:
        s.replicas[replica, RUN_TAIL] = older
    else:
        s.slots[newer, OLDER] = older


def take_slot(s: State) -> int:
    """A free row for a request; the driver sees to it that there is one."""
    slot = s.counts[VACANT_SLOT]
    s.counts[VACANT_SLOT] = s.slots[slot, BEHIND]
    s.counts[SLOTS_LEFT] -= 1
    return slot


def give_slot(s: State, slot: int) -> None:
    """Make a row free again."""
    s.slots[slot, BEHIND] = s.counts[VACANT_SLOT]
    s.counts[VACANT_SLOT] = slot
    s.counts[SLOTS_LEFT] += 1


def note(s: State, time: float, kind: int, slot: int, value: float) -> None:
    """Write an event to the log, while it has room."""
    line = s.counts[LOG]
    if line < s.log.shape[0]:
        s.log[line, 0] = time
        s.log[line, 1] = kind
        s.log[line, 2] = slot
        s.log[line, 3] = value
        s.counts[LOG] = line + 1
