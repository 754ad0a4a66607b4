"""One replica: what its next iteration holds, and what follows when it ends."""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy, StepTable
from exaplan.perf.serving.iteration import iteration_time, prefill_attention_time
from exaplan.sim.chance import accepted
from exaplan.sim.columns import (
    ADMITTED,
    BEGAN,
    BEHIND,
    BUSY,
    CHUNK,
    CONTEXT,
    DECODES,
    DECODING,
    DONE,
    END,
    EXTRA,
    FILL_HEAD,
    FINISHES,
    HIT,
    ITERATIONS,
    LATE,
    MADE,
    NEED,
    NEWER,
    NONE,
    NOW,
    OUTPUT,
    OUTPUTS,
    PREEMPTIONS,
    PREFILLING,
    PRIVATE,
    RUN_HEAD,
    RUN_TAIL,
    RUNNING,
    RUNS,
    SEATS,
    SPENT,
    START,
    STATE,
    STEP,
    STEPPING,
    STEPS,
    TOKENS_AGAIN,
    TOKENS_IN,
    TOKENS_OUT,
    WAIT_HEAD,
    WAITING,
    WAITS,
)
from exaplan.sim.memory import blocks_of, claim, release, room, wanted
from exaplan.sim.queues import append, delist, drop_finish, enlist, find_finish, prepend, push_finish, unlink
from exaplan.sim.state import State

MIXED, PROMPTS_FIRST, STATIC = range(3)


def made_of(s: State, replica: int, slot: int) -> int:
    """Output tokens that a request has made so far."""
    if s.slots[slot, STATE] != DECODING:
        return int(s.slots[slot, MADE])
    return int(s.slots[slot, MADE] + s.replicas[replica, STEP] - s.slots[slot, START] + s.slots[slot, EXTRA])


def context_of(s: State, replica: int, slot: int) -> int:
    """Tokens of a decoding request that stand in the KV cache."""
    steps = s.replicas[replica, STEP] - s.slots[slot, START]
    return int(s.slots[slot, NEED] + steps + s.slots[slot, EXTRA])


def phase_of(s: State, slot: int, block: int) -> int:
    """Step [mod block] at which a decoding request needs one more block: its context fills the last one."""
    return int((s.slots[slot, START] - s.slots[slot, NEED]) % block)


def grows(policy: Policy) -> bool:
    """Whether decoding requests claim blocks as they go, all in step."""
    return policy.whole == 0 and policy.draft == 0


def join(s: State, replica: int, slot: int, policy: Policy) -> None:
    """A request whose prompt is computed starts to decode."""
    step = s.replicas[replica, STEP]
    s.slots[slot, STATE] = DECODING
    s.slots[slot, START] = step
    s.slots[slot, EXTRA] = 0
    s.replicas[replica, DECODES] += 1
    s.replicas[replica, CONTEXT] += s.slots[slot, NEED]
    if grows(policy):
        s.phase[replica, phase_of(s, slot, policy.block)] += 1
    if policy.draft == 0:
        push_finish(s, replica, step + s.slots[slot, OUTPUT] - s.slots[slot, MADE], slot)


def leave(s: State, replica: int, slot: int, policy: Policy) -> None:
    """A request stops decoding; what it made and holds is written down."""
    context = context_of(s, replica, slot)
    made = made_of(s, replica, slot)
    if grows(policy):
        s.phase[replica, phase_of(s, slot, policy.block)] -= 1
        s.slots[slot, PRIVATE] = blocks_of(context, policy.block) - s.slots[slot, HIT] // policy.block
    s.replicas[replica, DECODES] -= 1
    s.replicas[replica, CONTEXT] -= context
    s.slots[slot, MADE] = made
    s.slots[slot, NEED] = context
    s.slots[slot, STATE] = PREFILLING


def preempt(s: State, replica: int, slot: int, policy: Policy) -> None:
    """A request loses its blocks and waits again, before all others, to compute its tokens anew."""
    if s.slots[slot, STATE] == DECODING:
        if policy.draft == 0:
            drop_finish(s, replica, find_finish(s, replica, slot))
        leave(s, replica, slot, policy)
        s.slots[slot, NEED] += 1
    else:
        unlink(s, replica, FILL_HEAD, slot)
    release(s, replica, s.slots[slot, PRIVATE])
    delist(s, replica, slot)
    s.slots[slot, PRIVATE] = 0
    s.slots[slot, HIT] = 0
    s.slots[slot, DONE] = 0
    s.slots[slot, STATE] = WAITING
    s.replicas[replica, RUNS] -= 1
    s.replicas[replica, WAITS] += 1
    s.counts[RUNNING] -= 1
    s.counts[PREEMPTIONS] += 1
    prepend(s, replica, WAIT_HEAD, slot)


def grow(s: State, replica: int, policy: Policy) -> int:
    """Claim the blocks of the next decode step, preempting the newest requests for want of room. [preempted]"""
    if policy.whole == 1:
        return 0
    preempted = 0
    while s.replicas[replica, DECODES] > 0:
        need = needed(s, replica, policy)
        if need <= room(s, replica):
            take_growth(s, replica, need, policy)
            break
        preempt(s, replica, s.replicas[replica, RUN_TAIL], policy)
        preempted += 1
    return preempted


def needed(s: State, replica: int, policy: Policy) -> int:
    """Blocks that the next decode step adds."""
    if policy.draft == 0:
        return int(s.phase[replica, s.replicas[replica, STEP] % policy.block])
    total = 0
    slot = s.replicas[replica, RUN_HEAD]
    while slot != NONE:
        if s.slots[slot, STATE] == DECODING:
            total += lookahead(s, replica, slot, policy)
        slot = s.slots[slot, NEWER]
    return total


def lookahead(s: State, replica: int, slot: int, policy: Policy) -> int:
    """Blocks that a request lacks for the next token and the drafted ones, of which no more are kept than it wants."""
    left = s.slots[slot, OUTPUT] - made_of(s, replica, slot)
    tokens = context_of(s, replica, slot) + min(1 + policy.draft, left)
    return max(0, blocks_of(tokens, policy.block) - s.slots[slot, HIT] // policy.block - s.slots[slot, PRIVATE])


def take_growth(s: State, replica: int, need: int, policy: Policy) -> None:
    """Book the blocks of the next decode step."""
    if policy.draft > 0:
        slot = s.replicas[replica, RUN_HEAD]
        while slot != NONE:
            if s.slots[slot, STATE] == DECODING:
                s.slots[slot, PRIVATE] += lookahead(s, replica, slot, policy)
            slot = s.slots[slot, NEWER]
    if need > 0:
        claim(s, replica, need)


def may_enter(s: State, replica: int, policy: Policy) -> bool:
    """Whether the first waiting request can be let in: a free sequence, and blocks beyond the watermark."""
    if s.replicas[replica, WAITS] == 0 or s.replicas[replica, RUNS] >= policy.max_seqs:
        return False
    slot = s.replicas[replica, WAIT_HEAD]
    spare = policy.watermark // policy.block if s.replicas[replica, RUNS] > 0 else 0
    return wanted(s, slot, s.slots[slot, MADE], policy) + spare <= room(s, replica)


def enter(s: State, replica: int, policy: Policy) -> int:
    """Let the first waiting request in: its blocks are claimed, its prompt is queued for computing."""
    slot = s.replicas[replica, WAIT_HEAD]
    blocks = wanted(s, slot, s.slots[slot, MADE], policy)
    unlink(s, replica, WAIT_HEAD, slot)
    claim(s, replica, blocks)
    s.slots[slot, PRIVATE] = blocks
    s.slots[slot, DONE] = s.slots[slot, HIT]
    s.slots[slot, STATE] = PREFILLING
    s.replicas[replica, WAITS] -= 1
    s.replicas[replica, RUNS] += 1
    s.counts[RUNNING] += 1
    if s.times[slot, ADMITTED] < 0.0:
        s.times[slot, ADMITTED] = s.clocks[NOW]
    enlist(s, replica, slot)
    append(s, replica, FILL_HEAD, slot)
    return int(slot)


def cut(s: State, slot: int, budget: int, whole_budget: int, policy: Policy) -> int:
    """Tokens of a prompt that the iteration takes; a prompt that may not be cut goes whole, or alone if too long."""
    left = s.slots[slot, NEED] - s.slots[slot, DONE]
    if policy.chunked == 1 or left <= budget:
        return int(min(left, budget))
    return int(left) if budget == whole_budget else 0


def fill(s: State, replica: int, budget: int, admit: bool, table: StepTable, policy: Policy) -> tuple[int, int, float]:
    """Put prompt chunks into the iteration, begun prompts first. [tokens, chunks, s of their attention]"""
    tokens, chunks, time = 0, 0, 0.0
    slot = s.replicas[replica, FILL_HEAD]
    while tokens < budget:
        if slot == NONE:
            if not admit or not may_enter(s, replica, policy):
                break
            head = s.replicas[replica, WAIT_HEAD]
            s.slots[head, DONE] = s.slots[head, HIT]
            if cut(s, head, budget - tokens, policy.max_tokens, policy) == 0:
                break
            slot = enter(s, replica, policy)
        chunk = cut(s, slot, budget - tokens, policy.max_tokens, policy)
        if chunk == 0:
            break
        s.slots[slot, CHUNK] = chunk
        time += prefill_attention_time(table, float(chunk), float(s.slots[slot, DONE]))
        tokens += chunk
        chunks += 1
        if s.slots[slot, DONE] + chunk == s.slots[slot, NEED]:
            s.replicas[replica, OUTPUTS] += 1
        slot = s.slots[slot, BEHIND]
    return tokens, chunks, time


def seat(s: State, replica: int, policy: Policy) -> None:
    """Form a static batch when the last one has ended."""
    if s.replicas[replica, RUNS] == 0:
        while may_enter(s, replica, policy):
            enter(s, replica, policy)
        s.replicas[replica, SEATS] = s.replicas[replica, RUNS]


def begin(s: State, replica: int, table: StepTable, policy: Policy) -> bool:
    """Start the next iteration of an idle replica; False where it has nothing to do. ``END`` is set."""
    s.replicas[replica, OUTPUTS] = 0
    steps = 0
    if policy.batching == MIXED:
        preempted = grow(s, replica, policy)
        steps = s.replicas[replica, DECODES]
        budget = policy.max_tokens - int(steps * table.width)
        tokens, chunks, prompts = fill(s, replica, budget, preempted == 0, table, policy)
    else:
        if policy.batching == STATIC:
            seat(s, replica, policy)
        tokens, chunks, prompts = fill(
            s, replica, policy.max_tokens, policy.batching == PROMPTS_FIRST, table, policy
        )
        if chunks == 0:
            grow(s, replica, policy)
            steps = s.replicas[replica, DECODES]
    if steps + chunks == 0:
        s.replicas[replica, BUSY] = 0
        return False
    schedule(s, replica, steps, tokens, chunks, prompts, table, policy)
    return True


def schedule(
    s: State, replica: int, steps: int, tokens: int, chunks: int, prompts: float, table: StepTable, policy: Policy
) -> None:
    """Set when the iteration ends. A static batch computes the seats of those that have ended as well."""
    seqs, context = float(steps), float(s.replicas[replica, CONTEXT] + steps)
    if policy.batching == STATIC and steps > 0:
        context *= s.replicas[replica, SEATS] / seqs
        seqs = float(s.replicas[replica, SEATS])
    outputs = seqs + s.replicas[replica, OUTPUTS]
    all_tokens = tokens + seqs * table.width
    time = iteration_time(table, all_tokens, outputs, seqs, context if steps > 0 else 0.0, prompts, float(chunks))
    time += s.spans[replica, LATE]
    s.spans[replica, LATE] = 0.0
    s.spans[replica, BEGAN] = s.clocks[NOW]
    s.spans[replica, SPENT] += time
    s.spans[replica, END] = s.clocks[NOW] + time
    s.replicas[replica, STEPPING] = 1 if steps > 0 else 0
    s.replicas[replica, BUSY] = 1
    s.counts[ITERATIONS] += 1
