"""Heaps and linked lists: waiting requests, admitted ones, events in time."""

from __future__ import annotations

from exaplan.sim.columns import (
    AHEAD,
    BEHIND,
    EVENT_COLUMNS,
    EVENTS_AT,
    FINISH_AT,
    FINISHES,
    HEAP,
    LINES,
    LOG,
    LOG_AT,
    LOG_COLUMNS,
    NEWER,
    NONE,
    OLDER,
    ORDER,
    RUN_HEAD,
    RUN_TAIL,
    SLOTS_LEFT,
    V_KIND,
    V_ORDER,
    V_TIME,
    V_WHO,
    VACANT_SLOT,
)
from exaplan.sim.state import State


def push_event(s: State, time: float, kind: int, who: int) -> None:
    """An event to come; equal times go in the order in which they were made."""
    base, place, order = s.whole[EVENTS_AT], s.whole[HEAP], s.whole[ORDER]
    s.whole[HEAP] = place + 1
    s.whole[ORDER] = order + 1
    while place > 0:
        above = (place - 1) >> 1
        if s.real[base + above * EVENT_COLUMNS + V_TIME] <= time:
            break
        move_event(s, base + above * EVENT_COLUMNS, base + place * EVENT_COLUMNS)
        place = above
    event = base + place * EVENT_COLUMNS
    s.real[event + V_TIME] = time
    s.whole[event + V_ORDER] = order
    s.whole[event + V_KIND] = kind
    s.whole[event + V_WHO] = who


def move_event(s: State, source: int, target: int) -> None:
    """Copy one event of the heap."""
    s.real[target + V_TIME] = s.real[source + V_TIME]
    s.whole[target + V_ORDER] = s.whole[source + V_ORDER]
    s.whole[target + V_KIND] = s.whole[source + V_KIND]
    s.whole[target + V_WHO] = s.whole[source + V_WHO]


def sooner(s: State, a: int, b: int) -> bool:
    """Whether event ``a`` comes before ``b``."""
    if s.real[a + V_TIME] != s.real[b + V_TIME]:
        return bool(s.real[a + V_TIME] < s.real[b + V_TIME])
    return bool(s.whole[a + V_ORDER] < s.whole[b + V_ORDER])


def drop_event(s: State) -> None:
    """Take the first event away."""
    base, size = s.whole[EVENTS_AT], s.whole[HEAP] - 1
    s.whole[HEAP] = size
    last = base + size * EVENT_COLUMNS
    place = 0
    while 2 * place + 1 < size:
        below = base + (2 * place + 1) * EVENT_COLUMNS
        if 2 * place + 2 < size and sooner(s, below + EVENT_COLUMNS, below):
            below += EVENT_COLUMNS
        if not sooner(s, below, last):
            break
        move_event(s, below, base + place * EVENT_COLUMNS)
        place = (below - base) // EVENT_COLUMNS
    move_event(s, last, base + place * EVENT_COLUMNS)


def push_finish(s: State, replica: int, step: int, slot: int) -> None:
    """A request that makes its last token at this decode step of the replica; ties go by address."""
    place = s.whole[replica + FINISHES]
    s.whole[replica + FINISHES] = place + 1
    sift_up(s, s.whole[replica + FINISH_AT], place, step, slot)


def before(s: State, at: int, step: int, slot: int) -> bool:
    """Whether the entry at this address goes before (step, slot)."""
    return bool(s.whole[at] < step or (s.whole[at] == step and s.whole[at + 1] < slot))


def sift_up(s: State, heap: int, place: int, step: int, slot: int) -> None:
    """Put (step, slot) at or above ``place``."""
    while place > 0:
        above = (place - 1) >> 1
        if before(s, heap + 2 * above, step, slot):
            break
        s.whole[heap + 2 * place] = s.whole[heap + 2 * above]
        s.whole[heap + 2 * place + 1] = s.whole[heap + 2 * above + 1]
        place = above
    s.whole[heap + 2 * place] = step
    s.whole[heap + 2 * place + 1] = slot


def drop_finish(s: State, replica: int, place: int) -> None:
    """Take the entry at ``place`` out of the heap of last steps."""
    heap, size = s.whole[replica + FINISH_AT], s.whole[replica + FINISHES] - 1
    s.whole[replica + FINISHES] = size
    step, slot = s.whole[heap + 2 * size], s.whole[heap + 2 * size + 1]
    while 2 * place + 1 < size:
        below = heap + 2 * (2 * place + 1)
        if 2 * place + 2 < size and before(s, below + 2, s.whole[below], s.whole[below + 1]):
            below += 2
        if not before(s, below, step, slot):
            break
        s.whole[heap + 2 * place] = s.whole[below]
        s.whole[heap + 2 * place + 1] = s.whole[below + 1]
        place = (below - heap) >> 1
    if place < size:
        sift_up(s, heap, place, step, slot)


def find_finish(s: State, replica: int, slot: int) -> int:
    """Where a request stands in the heap of last steps; NONE where it does not."""
    heap = s.whole[replica + FINISH_AT]
    for place in range(s.whole[replica + FINISHES]):
        if s.whole[heap + 2 * place + 1] == slot:
            return place
    return NONE


def append(s: State, replica: int, head: int, slot: int) -> None:
    """Put a request at the end of a queue of a replica; ``head`` is its column, the next one holds the tail."""
    tail = s.whole[replica + head + 1]
    s.whole[slot + AHEAD] = tail
    s.whole[slot + BEHIND] = NONE
    if tail == NONE:
        s.whole[replica + head] = slot
    else:
        s.whole[tail + BEHIND] = slot
    s.whole[replica + head + 1] = slot


def prepend(s: State, replica: int, head: int, slot: int) -> None:
    """Put a request at the front of a queue."""
    first = s.whole[replica + head]
    s.whole[slot + AHEAD] = NONE
    s.whole[slot + BEHIND] = first
    if first == NONE:
        s.whole[replica + head + 1] = slot
    else:
        s.whole[first + AHEAD] = slot
    s.whole[replica + head] = slot


def unlink(s: State, replica: int, head: int, slot: int) -> None:
    """Take a request out of a queue, wherever it stands."""
    ahead, behind = s.whole[slot + AHEAD], s.whole[slot + BEHIND]
    if ahead == NONE:
        s.whole[replica + head] = behind
    else:
        s.whole[ahead + BEHIND] = behind
    if behind == NONE:
        s.whole[replica + head + 1] = ahead
    else:
        s.whole[behind + AHEAD] = ahead


def enlist(s: State, replica: int, slot: int) -> None:
    """Put a request at the new end of the admitted ones."""
    newest = s.whole[replica + RUN_TAIL]
    s.whole[slot + OLDER] = newest
    s.whole[slot + NEWER] = NONE
    if newest == NONE:
        s.whole[replica + RUN_HEAD] = slot
    else:
        s.whole[newest + NEWER] = slot
    s.whole[replica + RUN_TAIL] = slot


def delist(s: State, replica: int, slot: int) -> None:
    """Take a request out of the admitted ones."""
    older, newer = s.whole[slot + OLDER], s.whole[slot + NEWER]
    if older == NONE:
        s.whole[replica + RUN_HEAD] = newer
    else:
        s.whole[older + NEWER] = newer
    if newer == NONE:
        s.whole[replica + RUN_TAIL] = older
    else:
        s.whole[newer + OLDER] = older


def take_slot(s: State) -> int:
    """A free row for a request; the driver sees to it that there is one."""
    slot = s.whole[VACANT_SLOT]
    s.whole[VACANT_SLOT] = s.whole[slot + BEHIND]
    s.whole[SLOTS_LEFT] -= 1
    return int(slot)


def give_slot(s: State, slot: int) -> None:
    """Make a row free again."""
    s.whole[slot + BEHIND] = s.whole[VACANT_SLOT]
    s.whole[VACANT_SLOT] = slot
    s.whole[SLOTS_LEFT] += 1


def note(s: State, kind: int, slot: int, time: float, value: float) -> None:
    """Write an event to the log, while it has room."""
    if s.whole[LOG] < s.whole[LINES]:
        line = s.whole[LOG_AT] + s.whole[LOG] * LOG_COLUMNS
        s.real[line] = time
        s.real[line + 1] = kind
        s.real[line + 2] = slot
        s.real[line + 3] = value
        s.whole[LOG] += 1
