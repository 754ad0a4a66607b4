"""The end of an iteration: tokens made, prompts completed, requests that end."""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy
from exaplan.sim.chance import accepted
from exaplan.sim.columns import (
    BEHIND,
    CHUNK,
    CONTEXT,
    DECODES,
    DECODING,
    DONE,
    EXTRA,
    FILL_HEAD,
    FINISHES,
    FIRST,
    HIT,
    LAND_HEAD,
    MADE,
    NEED,
    NEWER,
    NONE,
    NOW,
    OUTPUT,
    PREFILLING,
    PRIVATE,
    RESTING,
    RUN_HEAD,
    RUNNING,
    RUNS,
    STATE,
    STEP,
    STEPPING,
    STEPS,
    TOKENS_AGAIN,
    TOKENS_OUT,
)
from exaplan.sim.memory import release
from exaplan.sim.queues import append, delist, drop_finish, unlink
from exaplan.sim.replica import join, leave, made_of
from exaplan.sim.state import State


def step_all(s: State, replica: int) -> None:
    """Every decoding request makes one token."""
    decodes = s.replicas[replica, DECODES]
    s.replicas[replica, STEP] += 1
    s.replicas[replica, CONTEXT] += decodes
    s.counts[TOKENS_OUT] += decodes


def step_each(s: State, replica: int, policy: Policy) -> None:
    """Every decoding request makes one token and those of the drafted ones that are accepted."""
    s.replicas[replica, STEP] += 1
    slot = s.replicas[replica, RUN_HEAD]
    while slot != NONE:
        if s.slots[slot, STATE] == DECODING:
            left = s.slots[slot, OUTPUT] - made_of(s, replica, slot)
            more = min(accepted(s, policy.draft, policy.accept), left)
            s.slots[slot, EXTRA] += more
            s.replicas[replica, CONTEXT] += 1 + more
            s.counts[TOKENS_OUT] += 1 + more
        slot = s.slots[slot, NEWER]


def retire(s: State, replica: int, slot: int, ended: int) -> int:
    """A request has its last token: blocks and sequence are free. It heads the chain of those that ended."""
    release(s, replica, s.slots[slot, PRIVATE])
    s.slots[slot, PRIVATE] = 0
    delist(s, replica, slot)
    s.replicas[replica, RUNS] -= 1
    s.counts[RUNNING] -= 1
    s.slots[slot, STATE] = RESTING
    s.slots[slot, BEHIND] = ended
    return slot


def last_steps(s: State, replica: int, policy: Policy, ended: int) -> int:
    """Retire the requests whose last token was made in this step."""
    if policy.draft == 0:
        step = s.replicas[replica, STEP]
        while s.replicas[replica, FINISHES] > 0 and s.finishes[replica, 0, 0] == step:
            slot = s.finishes[replica, 0, 1]
            drop_finish(s, replica, 0)
            leave(s, replica, slot, policy)
            ended = retire(s, replica, slot, ended)
        return ended
    slot = s.replicas[replica, RUN_HEAD]
    while slot != NONE:
        newer = s.slots[slot, NEWER]
        if s.slots[slot, STATE] == DECODING and made_of(s, replica, slot) >= s.slots[slot, OUTPUT]:
            leave(s, replica, slot, policy)
            ended = retire(s, replica, slot, ended)
        slot = newer
    return ended


def complete(s: State, replica: int, slot: int, policy: Policy, ended: int) -> int:
    """A prompt is computed: it yields a token, the first one unless the request was preempted before."""
    unlink(s, replica, FILL_HEAD, slot)
    s.slots[slot, MADE] += 1
    s.counts[TOKENS_OUT] += 1
    if s.times[slot, FIRST] < 0.0:
        s.times[slot, FIRST] = s.clocks[NOW]
    if s.slots[slot, MADE] >= s.slots[slot, OUTPUT]:
        return retire(s, replica, slot, ended)
    join(s, replica, slot, policy)
    return ended


def chunks_done(s: State, replica: int, policy: Policy, ended: int) -> int:
    """Book the prompt chunks of the iteration."""
    slot = s.replicas[replica, FILL_HEAD]
    while slot != NONE and s.slots[slot, CHUNK] > 0:
        behind = s.slots[slot, BEHIND]
        s.slots[slot, DONE] += s.slots[slot, CHUNK]
        s.slots[slot, CHUNK] = 0
        if s.slots[slot, DONE] >= s.slots[slot, NEED]:
            ended = complete(s, replica, slot, policy, ended)
        slot = behind
    return ended


def end_iteration(s: State, replica: int, policy: Policy) -> int:
    """Book an iteration. The first of the requests that ended, chained by BEHIND, or NONE."""
    ended = NONE
    if s.replicas[replica, STEPPING] == 1:
        s.counts[STEPS] += s.replicas[replica, DECODES]
        if policy.draft == 0:
            step_all(s, replica)
        else:
            step_each(s, replica, policy)
        ended = last_steps(s, replica, policy, ended)
    if s.replicas[replica, FILL_HEAD] != NONE:
        ended = chunks_done(s, replica, policy, ended)
    return ended
