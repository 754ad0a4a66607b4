"""Decoding requests of a replica: who joins and leaves, and the blocks that a step adds.

All of them make one token a step, so nothing is done per request in a step: a heap holds the step at which each ends,
``phase`` counts how many need one more block at a step [mod block], and the sum of contexts grows by their number. Only
speculation, where each advances by its own luck, goes through them one by one.
"""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy
from exaplan.sim.cache import vacate_host
from exaplan.sim.columns import (
    CONTEXT,
    DECODES,
    DECODING,
    DONE,
    EXTRA,
    FILL_HEAD,
    HIT,
    HOST_BLOCKS,
    HOST_VACANT,
    LINK,
    MADE,
    NEED,
    NEWER,
    NONE,
    NOW,
    OUTPUT,
    PHASE_AT,
    PREEMPTIONS,
    PRIVATE,
    RUN_HEAD,
    RUN_TAIL,
    RUNNING,
    RUNS,
    SENT,
    START,
    STATE,
    STEP,
    SWAPPED,
    SWAPS,
    WAIT_HEAD,
    WAITING,
    WAITS,
)
from exaplan.sim.memory import blocks_of, claim, room, untake
from exaplan.sim.queues import delist, drop_finish, find_finish, prepend, push_finish, unlink
from exaplan.sim.state import State


def advanced(s: State, replica: int, slot: int) -> int:
    """Tokens that a decoding request has made since it joined."""
    return int(s.whole[replica + STEP] - s.whole[slot + START] + s.whole[slot + EXTRA])


def phase_of(s: State, slot: int, block: int) -> int:
    """Step [mod block] at which a decoding request needs one more block: its context fills the last one."""
    return int((s.whole[slot + START] - s.whole[slot + NEED]) % block)


def in_step(policy: Policy) -> bool:
    """Whether decoding requests claim blocks as they go, all in step."""
    return policy.whole == 0 and policy.draft == 0


def join(s: State, replica: int, slot: int, policy: Policy) -> None:
    """A request whose prompt is computed starts to decode."""
    step = s.whole[replica + STEP]
    s.whole[slot + STATE] = DECODING
    s.whole[slot + START] = step
    s.whole[slot + EXTRA] = 0
    s.whole[replica + DECODES] += 1
    s.whole[replica + CONTEXT] += s.whole[slot + NEED]
    if in_step(policy):
        s.whole[s.whole[replica + PHASE_AT] + phase_of(s, slot, policy.block)] += 1
    if policy.draft == 0:
        push_finish(s, replica, step + s.whole[slot + OUTPUT] - s.whole[slot + MADE], slot)


def leave(s: State, replica: int, slot: int, policy: Policy) -> None:
    """A request stops decoding; NEED becomes the tokens that it has in the cache, MADE those that it has made."""
    more = advanced(s, replica, slot)
    if in_step(policy):
        s.whole[s.whole[replica + PHASE_AT] + phase_of(s, slot, policy.block)] -= 1
        context = s.whole[slot + NEED] + more
        s.whole[slot + PRIVATE] = blocks_of(context, policy.block) - s.whole[slot + HIT] // policy.block
    s.whole[slot + MADE] += more
    s.whole[slot + NEED] += more
    s.whole[replica + DECODES] -= 1
    s.whole[replica + CONTEXT] -= s.whole[slot + NEED]


def swap_out(s: State, replica: int, slot: int, policy: Policy) -> bool:
    """Send the cache of a request to host memory; False where it has no room. Its blocks are free at once."""
    blocks = blocks_of(s.whole[slot + NEED], policy.block)
    if blocks > s.whole[replica + HOST_BLOCKS] or not vacate_host(s, replica, blocks):
        return False
    s.whole[replica + HOST_VACANT] -= blocks
    s.whole[slot + SENT] = blocks
    start = max(s.real[NOW], s.real[replica + LINK])
    s.real[replica + LINK] = start + s.whole[slot + NEED] / policy.host_rate
    s.whole[SWAPS] += 1
    return True


def preempt(s: State, replica: int, slot: int, policy: Policy) -> None:
    """A request loses its blocks and waits before all others: to compute its tokens anew, or to be swapped in."""
    state = WAITING
    if s.whole[slot + STATE] == DECODING:
        if policy.draft == 0:
            drop_finish(s, replica, find_finish(s, replica, slot))
        leave(s, replica, slot, policy)
        if policy.swap == 1 and swap_out(s, replica, slot, policy):
            state = SWAPPED
        else:
            s.whole[slot + NEED] += 1
    else:
        unlink(s, replica, FILL_HEAD, slot)
    untake(s, replica, slot)
    delist(s, replica, slot)
    s.whole[slot + DONE] = 0
    s.whole[slot + STATE] = state
    s.whole[replica + RUNS] -= 1
    s.whole[replica + WAITS] += 1
    s.whole[RUNNING] -= 1
    s.whole[PREEMPTIONS] += 1
    prepend(s, replica, WAIT_HEAD, slot)


def grow(s: State, replica: int, policy: Policy) -> int:
    """Claim the blocks of the next decode step, preempting the newest requests for want of room. [preempted]"""
    if policy.whole == 1:
        return 0
    preempted = 0
    while s.whole[replica + DECODES] > 0:
        need = needed(s, replica, policy)
        if need <= room(s, replica):
            if policy.draft > 0:
                book(s, replica, policy)
            if need > 0:
                claim(s, replica, need)
            break
        preempt(s, replica, s.whole[replica + RUN_TAIL], policy)
        preempted += 1
    return preempted


def needed(s: State, replica: int, policy: Policy) -> int:
    """Blocks that the next decode step adds."""
    if policy.draft == 0:
        return int(s.whole[s.whole[replica + PHASE_AT] + s.whole[replica + STEP] % policy.block])
    total = 0
    slot = s.whole[replica + RUN_HEAD]
    while slot != NONE:
        if s.whole[slot + STATE] == DECODING:
            total += lookahead(s, replica, slot, policy)
        slot = s.whole[slot + NEWER]
    return total


def lookahead(s: State, replica: int, slot: int, policy: Policy) -> int:
    """Blocks that a request lacks for its next token and the drafted ones, as far as it wants them."""
    more = advanced(s, replica, slot)
    left = s.whole[slot + OUTPUT] - s.whole[slot + MADE] - more
    tokens = s.whole[slot + NEED] + more + min(1 + policy.draft, left)
    return int(max(0, blocks_of(tokens, policy.block) - s.whole[slot + HIT] // policy.block - s.whole[slot + PRIVATE]))


def book(s: State, replica: int, policy: Policy) -> None:
    """Note the blocks of the next speculative step with each request."""
    slot = s.whole[replica + RUN_HEAD]
    while slot != NONE:
        if s.whole[slot + STATE] == DECODING:
            s.whole[slot + PRIVATE] += lookahead(s, replica, slot, policy)
        slot = s.whole[slot + NEWER]
