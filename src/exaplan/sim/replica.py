"""One replica: who is let in, and what its next iteration holds."""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy, StepTable
from exaplan.perf.serving.iteration import iteration_time, prefill_attention_time
from exaplan.sim.batch import grow, join
from exaplan.sim.columns import (
    ADMITTED,
    BEHIND,
    BROUGHT,
    BUSY,
    CHUNK,
    CONTEXT,
    DECODES,
    DONE,
    END,
    FILL_HEAD,
    FIRST,
    HIT,
    HOST_VACANT,
    ITERATIONS,
    LAND_HEAD,
    LINK,
    LOADED,
    LOADING,
    LOADS,
    NEED,
    NONE,
    NOW,
    OUTPUTS,
    PREFILLING,
    RUNNING,
    RUNS,
    SEATS,
    SENDER,
    SENT,
    SPENT,
    STATE,
    STEPPING,
    SWAPPED,
    TOKENS_HIT,
    TOKENS_HOST,
    TOKENS_SENT,
    TRANSFER_LATENCY,
    TRANSFER_RATE,
    WAIT_HEAD,
    WAITS,
    WORKING,
)
from exaplan.sim.memory import look, spare, take, wanted
from exaplan.sim.queues import append, enlist, push_event, unlink
from exaplan.sim.state import State

MIXED, PROMPTS_FIRST, STATIC = range(3)


def may_enter(s: State, replica: int, policy: Policy) -> bool:
    """Whether the first waiting request can be let in: a free sequence, and blocks beyond the watermark."""
    if s.whole[replica + WAITS] == 0 or s.whole[replica + RUNS] >= policy.max_seqs:
        return False
    slot = s.whole[replica + WAIT_HEAD]
    look(s, replica, slot, policy)
    margin = policy.watermark // policy.block if s.whole[replica + RUNS] > 0 else 0
    return wanted(s, slot, policy) + margin <= spare(s, replica, slot)


def enter(s: State, replica: int, policy: Policy) -> int:
    """Let the first waiting request in. Its prompt is queued for computing, or its cache starts to come."""
    slot = int(s.whole[replica + WAIT_HEAD])
    unlink(s, replica, WAIT_HEAD, slot)
    take(s, replica, slot, policy)
    s.whole[replica + WAITS] -= 1
    s.whole[replica + RUNS] += 1
    s.whole[RUNNING] += 1
    if s.real[slot + ADMITTED] < 0.0:
        s.real[slot + ADMITTED] = s.real[NOW]
        s.whole[TOKENS_HIT] += s.whole[slot + HIT] + s.whole[slot + BROUGHT]
    s.whole[slot + DONE] = s.whole[slot + HIT] + s.whole[slot + BROUGHT]
    if s.whole[slot + STATE] == SWAPPED or s.whole[slot + SENDER] != NONE or s.whole[slot + BROUGHT] > 0:
        fetch(s, replica, slot, policy)
    else:
        s.whole[slot + STATE] = PREFILLING
        enlist(s, replica, slot)
        append(s, replica, FILL_HEAD, slot)
    return slot


def fetch(s: State, replica: int, slot: int, policy: Policy) -> None:
    """Bring a cache from host memory or from a prefill replica; a link carries one at a time."""
    sender = s.whole[slot + SENDER]
    start = max(s.real[NOW], s.real[replica + LINK])
    if sender != NONE:
        start = max(start, s.real[sender + LINK])
        s.whole[TOKENS_SENT] += s.whole[slot + NEED]
        end = start + s.real[TRANSFER_LATENCY] + s.whole[slot + NEED] / s.real[TRANSFER_RATE]
        s.real[sender + LINK] = end
        s.whole[slot + DONE] = s.whole[slot + NEED]
    elif s.whole[slot + STATE] == SWAPPED:
        end = start + s.whole[slot + NEED] / policy.host_rate
        s.whole[slot + DONE] = s.whole[slot + NEED]
        s.whole[replica + HOST_VACANT] += s.whole[slot + SENT]
        s.whole[slot + SENT] = 0
    else:
        end = start + s.whole[slot + BROUGHT] / policy.host_rate
        s.whole[TOKENS_HOST] += s.whole[slot + BROUGHT]
    s.real[replica + LINK] = end
    s.whole[slot + STATE] = LOADING
    s.whole[replica + LOADS] += 1
    push_event(s, end, LOADED, slot)


def land(s: State, replica: int, policy: Policy) -> None:
    """Requests whose cache has come go on: with the rest of their prompts, or with decoding."""
    while s.whole[replica + LAND_HEAD] != NONE:
        slot = s.whole[replica + LAND_HEAD]
        unlink(s, replica, LAND_HEAD, slot)
        enlist(s, replica, slot)
        if s.whole[slot + DONE] < s.whole[slot + NEED]:
            s.whole[slot + STATE] = PREFILLING
            append(s, replica, FILL_HEAD, slot)
            continue
        if s.real[slot + FIRST] < 0.0:
            s.real[slot + FIRST] = s.real[NOW]
        join(s, replica, slot, policy)


def cut(s: State, slot: int, budget: int, alone: bool, policy: Policy) -> int:
    """Tokens of a prompt that the iteration takes. One that may not be cut goes whole, as the only prompt even beyond
    the budget, as engines without chunks that raise it to the longest prompt."""
    left = s.whole[slot + NEED] - s.whole[slot + DONE]
    if policy.chunked == 1 or left <= budget:
        return int(min(left, budget))
    return int(left) if alone else 0


def next_prompt(s: State, replica: int, budget: int, alone: bool, policy: Policy) -> int:
    """Let in waiting requests up to one whose prompt fits the budget; NONE where there is none."""
    while may_enter(s, replica, policy):
        slot = s.whole[replica + WAIT_HEAD]
        s.whole[slot + DONE] = s.whole[slot + HIT] + s.whole[slot + BROUGHT]
        comes = s.whole[slot + STATE] == SWAPPED or s.whole[slot + SENDER] != NONE
        if not comes and cut(s, slot, budget, alone, policy) == 0:
            return NONE
        enter(s, replica, policy)
        if s.whole[slot + STATE] == PREFILLING:
            return int(slot)
    return NONE


def fill(s: State, replica: int, budget: int, admit: bool, table: StepTable, policy: Policy) -> tuple[int, int, float]:
    """Put prompt chunks into the iteration, begun prompts first. [tokens, chunks, s of their attention]"""
    tokens, chunks, time = 0, 0, 0.0
    slot = int(s.whole[replica + FILL_HEAD])
    while tokens < budget:
        if slot == NONE and admit:
            slot = next_prompt(s, replica, budget - tokens, chunks == 0, policy)
        if slot == NONE:
            break
        chunk = cut(s, slot, budget - tokens, chunks == 0, policy)
        if chunk == 0:
            break
        s.whole[slot + CHUNK] = chunk
        time += prefill_attention_time(table, float(chunk), float(s.whole[slot + DONE]))
        tokens += chunk
        chunks += 1
        if s.whole[slot + DONE] + chunk == s.whole[slot + NEED]:
            s.whole[replica + OUTPUTS] += 1
        slot = int(s.whole[slot + BEHIND])
    return tokens, chunks, time


def seat(s: State, replica: int, policy: Policy) -> None:
    """Form a static batch when the last one has ended."""
    if s.whole[replica + RUNS] == 0:
        while may_enter(s, replica, policy):
            enter(s, replica, policy)
        s.whole[replica + SEATS] = s.whole[replica + RUNS]


def begin(s: State, replica: int, table: StepTable, policy: Policy) -> bool:
    """Start the next iteration of an idle replica; False where it has nothing to do. END is set."""
    if s.whole[replica + LAND_HEAD] != NONE:
        land(s, replica, policy)
    s.whole[replica + OUTPUTS] = 0
    steps, tokens, chunks, prompts = 0, 0, 0, 0.0
    if policy.batching == MIXED:
        preempted = grow(s, replica, policy)
        steps = int(s.whole[replica + DECODES])
        budget = policy.max_tokens - int(steps * table.width)
        if s.whole[replica + WAITS] > 0 or s.whole[replica + FILL_HEAD] != NONE:
            tokens, chunks, prompts = fill(s, replica, budget, preempted == 0, table, policy)
    else:
        if policy.batching == STATIC:
            seat(s, replica, policy)
        admit = policy.batching == PROMPTS_FIRST
        if s.whole[replica + WAITS] > 0 or s.whole[replica + FILL_HEAD] != NONE:
            tokens, chunks, prompts = fill(s, replica, policy.max_tokens, admit, table, policy)
        if chunks == 0 and may_step(s, replica, policy):
            grow(s, replica, policy)
            steps = int(s.whole[replica + DECODES])
    working = 1 if steps + chunks > 0 else 0
    s.whole[WORKING] += working - s.whole[replica + BUSY]
    s.whole[replica + BUSY] = working
    if working == 1:
        schedule(s, replica, steps, tokens, chunks, prompts, table, policy)
    return working == 1


def may_step(s: State, replica: int, policy: Policy) -> bool:
    """Whether decoding goes on: a static batch waits for caches on their way."""
    return policy.batching != STATIC or s.whole[replica + LOADS] == 0


def schedule(
    s: State, replica: int, steps: int, tokens: int, chunks: int, prompts: float, table: StepTable, policy: Policy
) -> None:
    """Set when the iteration ends. A static batch computes the seats of those that have ended as well."""
    seqs, context = float(steps), 0.0
    if steps > 0:
        context = float(s.whole[replica + CONTEXT] + steps)
    if policy.batching == STATIC and steps > 0:
        context *= s.whole[replica + SEATS] / seqs
        seqs = float(s.whole[replica + SEATS])
    outputs = seqs + s.whole[replica + OUTPUTS]
    time = iteration_time(table, tokens + seqs * table.width, outputs, seqs, context, prompts, float(chunks))
    s.real[replica + SPENT] += time
    s.real[replica + END] = s.real[NOW] + time
    s.whole[replica + STEPPING] = 1 if steps > 0 else 0
    s.whole[ITERATIONS] += 1
