"""A request comes, with what its session adds to it, and goes, leaving the session to its next one."""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy
from exaplan.sim.columns import (
    ADMITTED,
    ARRIVED,
    BLOCKS,
    BROUGHT,
    CHUNK,
    CLOSED,
    CUT,
    DONE,
    EXTRA,
    FIRST,
    FULL,
    HISTORY,
    HISTORY_KIND,
    HIT,
    ISSUED,
    KEEP,
    KEY,
    KEYS,
    LATE,
    MADE,
    MATCH,
    NEED,
    NONE,
    NOW,
    NUMBER,
    OUTPUT,
    OWN,
    PREFIX_TOKENS,
    PRIVATE,
    PROMPT,
    QUEUED,
    REFUSED_CACHE,
    REFUSED_CONTEXT,
    RETURN,
    ROW,
    ROW_COLUMNS,
    ROW_KEY,
    ROW_OUTPUT,
    ROW_PROMPT,
    ROW_THINK,
    ROWS_AT,
    SENDER,
    SENT,
    SHARED,
    STATE,
    THINK,
    THINKING,
    TRACED,
    TURN,
    TURNS,
    WINDOW,
)
from exaplan.sim.memory import blocks_of
from exaplan.sim.queues import give_slot, push_event
from exaplan.sim.state import State


def new_session(s: State, slot: int) -> None:
    """The request after this is the first of a session."""
    s.whole[slot + TURN] = 0
    s.whole[slot + HISTORY] = 0
    s.whole[slot + CUT] = 0
    s.whole[slot + KEY] = NONE
    if s.whole[TURNS] > 1:
        s.whole[slot + KEY] = s.whole[KEYS]
        s.whole[KEYS] += 1


def fresh(s: State, slot: int, arrived: float) -> None:
    """Write a request that arrives into its row; lengths come from the next of ``rows``."""
    row = s.whole[ROWS_AT] + s.whole[ROW] * ROW_COLUMNS
    s.whole[ROW] += 1
    before = s.whole[PREFIX_TOKENS] + s.whole[slot + HISTORY]
    prompt = before + s.whole[row + ROW_PROMPT]
    s.whole[slot + PROMPT] = prompt
    s.whole[slot + NEED] = prompt
    s.whole[slot + OUTPUT] = s.whole[row + ROW_OUTPUT]
    s.whole[slot + MATCH] = s.whole[PREFIX_TOKENS] if s.whole[slot + CUT] == 1 else before
    if s.whole[TRACED] == 1:
        s.whole[slot + KEY] = s.whole[row + ROW_KEY]
        s.whole[slot + MATCH] = prompt
    for column in (DONE, CHUNK, HIT, BROUGHT, MADE, EXTRA, PRIVATE, SENT):
        s.whole[slot + column] = 0
    for column in (SHARED, OWN, SENDER):
        s.whole[slot + column] = NONE
    s.whole[slot + NUMBER] = s.whole[ISSUED]
    s.whole[ISSUED] += 1
    s.real[slot + THINK] = s.real[row + ROW_THINK]
    s.real[slot + ARRIVED] = arrived
    s.real[slot + QUEUED] = s.real[NOW]
    s.real[slot + ADMITTED] = -1.0
    s.real[slot + FIRST] = -1.0


def refused(s: State, slot: int, replica: int, output: int, policy: Policy) -> bool:
    """Whether a replica can never serve a request of which it makes ``output`` tokens; counted by reason."""
    if s.whole[slot + PROMPT] + s.whole[slot + OUTPUT] > policy.max_context:
        s.whole[REFUSED_CONTEXT] += 1
        return True
    if blocks_of(s.whole[slot + PROMPT] + output, policy.block) > s.whole[replica + BLOCKS]:
        s.whole[REFUSED_CACHE] += 1
        return True
    return False


def remember(s: State, slot: int) -> None:
    """What the next request of the session repeats of this one."""
    history = s.whole[slot + PROMPT] - s.whole[PREFIX_TOKENS] + s.whole[slot + OUTPUT]
    kind = s.whole[HISTORY_KIND]
    if kind == FULL:
        s.whole[slot + HISTORY] = history
    elif kind == WINDOW:
        s.whole[slot + CUT] = 1 if history > s.whole[KEEP] else 0
        s.whole[slot + HISTORY] = min(history, s.whole[KEEP])


def rest(s: State, slot: int, answered: bool) -> None:
    """A user thinks until the next request of the session, or of a new one; a row that nobody uses is free."""
    s.whole[slot + TURN] += 1
    if answered and s.whole[slot + TURN] < s.whole[TURNS]:
        remember(s, slot)
    elif s.whole[CLOSED] == 1:
        new_session(s, slot)
    else:
        give_slot(s, slot)
        return
    s.whole[slot + STATE] = THINKING
    push_event(s, s.real[NOW] + s.real[slot + THINK] + s.real[LATE], RETURN, slot)
