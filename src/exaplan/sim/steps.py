"""The end of an iteration: tokens made, prompts completed, requests that end."""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy
from exaplan.sim.batch import advanced, join, leave
from exaplan.sim.chance import accepted
from exaplan.sim.columns import (
    BEHIND,
    CHUNK,
    CONTEXT,
    DECODES,
    DECODING,
    DONE,
    ENDED,
    EXTRA,
    FILL_HEAD,
    FINISH_AT,
    FINISHES,
    FIRST,
    FIRST_POOL,
    MADE,
    NEED,
    NEWER,
    NONE,
    NOW,
    OUTPUT,
    POOL,
    PRIVATE,
    RUN_HEAD,
    RUNNING,
    RUNS,
    SENDER,
    SENDING,
    SENT,
    STATE,
    STEP,
    STEPPING,
    STEPS,
    TOKENS_COMPUTED,
    TOKENS_OUT,
)
from exaplan.sim.memory import adopt, keep, untake
from exaplan.sim.queues import delist, drop_finish, unlink
from exaplan.sim.state import State


def step_all(s: State, replica: int) -> None:
    """Every decoding request makes one token."""
    decodes = s.whole[replica + DECODES]
    s.whole[replica + STEP] += 1
    s.whole[replica + CONTEXT] += decodes
    s.whole[TOKENS_OUT] += decodes


def step_each(s: State, replica: int, policy: Policy) -> None:
    """Every decoding request makes one token and those of the drafted ones that are accepted."""
    s.whole[replica + STEP] += 1
    slot = s.whole[replica + RUN_HEAD]
    while slot != NONE:
        if s.whole[slot + STATE] == DECODING:
            left = s.whole[slot + OUTPUT] - s.whole[slot + MADE] - advanced(s, replica, slot)
            more = min(accepted(s, policy.draft, policy.accept), left)
            s.whole[slot + EXTRA] += more
            s.whole[replica + CONTEXT] += 1 + more
            s.whole[TOKENS_OUT] += 1 + more
        slot = s.whole[slot + NEWER]


def retire(s: State, replica: int, slot: int, policy: Policy, ended: int) -> int:
    """A request has its last token: what it holds is cached or free. It heads the chain of those that ended."""
    keep(s, replica, slot, policy)
    untake(s, replica, slot)
    withdraw(s, replica, slot)
    s.whole[slot + STATE] = ENDED
    s.whole[slot + BEHIND] = ended
    return slot


def withdraw(s: State, replica: int, slot: int) -> None:
    """Take a request out of the admitted ones."""
    delist(s, replica, slot)
    s.whole[replica + RUNS] -= 1
    s.whole[RUNNING] -= 1


def hand_over(s: State, replica: int, slot: int, policy: Policy, ended: int) -> int:
    """A prefill replica is done with a request; the blocks that its cache does not take are kept until sent."""
    keep(s, replica, slot, policy)
    s.whole[slot + SENT] = s.whole[slot + PRIVATE]
    s.whole[slot + PRIVATE] = 0
    untake(s, replica, slot)
    withdraw(s, replica, slot)
    s.whole[slot + SENDER] = replica
    s.whole[slot + STATE] = SENDING
    s.whole[slot + BEHIND] = ended
    return slot


def last_steps(s: State, replica: int, policy: Policy, ended: int) -> int:
    """Retire the requests whose last token was made in this step."""
    if policy.draft > 0:
        return last_of_each(s, replica, policy, ended)
    step = s.whole[replica + STEP]
    heap = s.whole[replica + FINISH_AT]
    while s.whole[replica + FINISHES] > 0 and s.whole[heap] == step:
        slot = int(s.whole[heap + 1])
        drop_finish(s, replica, 0)
        leave(s, replica, slot, policy)
        ended = retire(s, replica, slot, policy, ended)
    return ended


def last_of_each(s: State, replica: int, policy: Policy, ended: int) -> int:
    """The same with speculation: every decoding request is looked at."""
    slot = int(s.whole[replica + RUN_HEAD])
    while slot != NONE:
        newer = int(s.whole[slot + NEWER])
        made = s.whole[slot + MADE] + advanced(s, replica, slot)
        if s.whole[slot + STATE] == DECODING and made >= s.whole[slot + OUTPUT]:
            leave(s, replica, slot, policy)
            ended = retire(s, replica, slot, policy, ended)
        slot = newer
    return ended


def complete(s: State, replica: int, slot: int, policy: Policy, ended: int) -> int:
    """A prompt is computed: it yields a token, the first one unless the request was preempted before."""
    unlink(s, replica, FILL_HEAD, slot)
    adopt(s, replica, slot, policy)
    s.whole[slot + MADE] += 1
    s.whole[TOKENS_OUT] += 1
    last = s.whole[slot + MADE] >= s.whole[slot + OUTPUT]
    if s.whole[replica + POOL] == FIRST_POOL and not last:
        return hand_over(s, replica, slot, policy, ended)
    if s.real[slot + FIRST] < 0.0:
        s.real[slot + FIRST] = s.real[NOW]
    if last:
        return retire(s, replica, slot, policy, ended)
    join(s, replica, slot, policy)
    return ended


def chunks_done(s: State, replica: int, policy: Policy, ended: int) -> int:
    """Book the prompt chunks of the iteration."""
    slot = int(s.whole[replica + FILL_HEAD])
    while slot != NONE and s.whole[slot + CHUNK] > 0:
        behind = int(s.whole[slot + BEHIND])
        s.whole[TOKENS_COMPUTED] += s.whole[slot + CHUNK]
        s.whole[slot + DONE] += s.whole[slot + CHUNK]
        s.whole[slot + CHUNK] = 0
        if s.whole[slot + DONE] >= s.whole[slot + NEED]:
            ended = complete(s, replica, slot, policy, ended)
        slot = behind
    return ended


def end_iteration(s: State, replica: int, policy: Policy) -> int:
    """Book an iteration. The first of the requests that ended or are sent on, chained by BEHIND, or NONE."""
    ended = NONE
    if s.whole[replica + STEPPING] == 1:
        s.whole[STEPS] += s.whole[replica + DECODES]
        if policy.draft == 0:
            step_all(s, replica)
        else:
            step_each(s, replica, policy)
        ended = last_steps(s, replica, policy, ended)
    if s.whole[replica + FILL_HEAD] != NONE:
        ended = chunks_done(s, replica, policy, ended)
    return ended
