"""Prompts and answers on copies of their own: pools of both that keep pace, with the KV cache sent between them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from exaplan.planning.serving.copies import DECODE, PREFILL, Copy, Shop
from exaplan.planning.serving.doubt import margin_of
from exaplan.planning.serving.kinds import Kind
from exaplan.planning.serving.question import Question
from exaplan.planning.serving.screening import Point
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.sizing import Held, Sizer, bound_of

FEW = 2  # copies of each role that are paired
ROUNDS = 8  # deployments of a pair that are simulated at most
LOADED = 0.8  # share of its time that a pool of prompts is busy at most, where nothing says otherwise


def deployments(shop: Shop, sizer: Sizer, kind: Kind) -> Iterator[Held]:
    """The cheapest deployments of a chip type with prompts apart, simulated."""
    asked = shop.asked
    readers = sorted(shop.copies(kind, PREFILL), key=lambda copy: copy.chips * prompt_time(copy))
    readers = [copy for copy in readers if prompt_time(copy) <= (asked.promise.ttft or math.inf)][:FEW]
    writers = sorted(_writers(asked, shop, kind), key=lambda pair: pair[0].chips / pair[1].rate)[:FEW]
    for reader in readers:
        for writer, point in writers:
            held = paired(asked, sizer, reader, writer, point)
            if held:
                yield held


def _writers(asked: Question, shop: Shop, kind: Kind) -> Iterator[tuple[Copy, Point]]:
    for own in shop.copies(kind, DECODE):
        for copy in (own, *shop.tuned(own)):
            bound = bound_of(asked.promise, margin_of(copy, asked.upper))._replace(ttft=math.inf)
            point = copy.greatest(bound)
            if point:
                yield copy, point


def prompt_time(copy: Copy) -> float:
    """A mean prompt read alone. [s]"""
    return copy.looker.prompt(0.0)[0]


def readers_for(rate: float, reader: Copy, ttft: float | None) -> int:
    """Copies that read prompts fast enough that the wait and the prompt fit into the promise: M/D/1 on each. [count]

    W = S rho / (2 (1 - rho)); with W <= T - S: rho <= 2 (T - S) / (S + 2 (T - S)).
    """
    each = prompt_time(reader)
    spare = (ttft or math.inf) - each
    busy = min(LOADED, 2.0 * spare / (each + 2.0 * spare)) if math.isfinite(spare) else LOADED
    return max(1, math.ceil(rate * each / max(0.05, busy)))


def paired(asked: Question, sizer: Sizer, reader: Copy, writer: Copy, point: Point) -> Held | None:
    """The fewest copies of both that keep the promise, from matched rates on: the pool that its promise says lacks
    grows by one copy at a time."""
    rate, margin = rate_of(asked, point), margin_of(writer, asked.upper)
    given = asked.ask.layout
    reads = given.prefill.replicas or readers_for(rate, reader, asked.promise.ttft)
    writes = given.replicas or max(1, math.ceil(rate / point.rate))
    best: Held | None = None
    for _ in range(ROUNDS):
        setup = Setup(writer, writes, reader, reads)
        if setup.chips > writer.kind.most:
            break
        found = sizer.tested(setup, margin)
        if found.holds:
            return fewer(asked, sizer, found)
        if given.prefill.replicas and given.replicas:
            return found
        best = found
        more = 1 if given.prefill.replicas is None and _reading_lacks(found) else 0
        if given.replicas is None and not more:
            writes += max(1, writes // 8)
        reads += max(more, more * reads // 8)
    return best


def fewer(asked: Question, sizer: Sizer, held: Held) -> Held:
    """The same deployment without the copies that it does not need, first of those that write, then of those that
    read."""
    given, margin = asked.ask.layout, margin_of(held.setup.copy, asked.upper)
    for writes, fixed in ((True, given.replicas), (False, given.prefill.replicas)):
        for _ in range(0 if fixed else ROUNDS):
            setup = smaller(held.setup, writes)
            found = sizer.tested(setup, margin) if setup else None
            if found is None or not found.holds:
                break
            held = found
    return held


def smaller(setup: Setup, writes: bool) -> Setup | None:
    """An eighth less of the copies that write, or of those that read; None where only one is left."""
    now = setup.replicas if writes else setup.prefill_replicas
    less = now - max(1, now // 8)
    if less < 1:
        return None
    return replace(setup, replicas=less) if writes else replace(setup, prefill_replicas=less)


def rate_of(asked: Question, point: Point) -> float:
    """Requests that come. [1/s]"""
    traffic = asked.seen
    if traffic.users is None:
        return traffic.rate or point.rate
    return traffic.users / (traffic.think + point.tpot * asked.traffic.output.mean)


def _reading_lacks(found: Held) -> bool:
    """Whether the first token is what comes too late, rather than those after it."""
    excess = found.excess
    return excess.get("ttft", 0.0) >= max((value for name, value in excess.items() if name != "ttft"), default=1.0)
