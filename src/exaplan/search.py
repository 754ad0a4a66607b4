"""Layouts of one cluster: enumerate the legal ones, score each, keep the best.

Legal means that the degrees divide what they cut; too big for the memory is found by scoring and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exaplan import case as cases
from exaplan.case import Case
from exaplan.nouns import Layout
from exaplan.perf import kernel
from exaplan.perf.memory import total_memory
from exaplan.perf.step import layout_score, step_memory, step_terms

MICRO_BATCHES = (1, 2, 4, 8, 16, 32)
RECOMPUTES = ("none", "selective", "full")
LIGHT = (
    "layernorm,mla_up_proj,mlp_act,moe_act"  # cheap to compute again, large to keep (arXiv:2412.19437, section 3.2.3)
)
UNCHUNKED = ("zero-bubble", "dualpipe")  # schedules with one model chunk per stage
PLAIN_LIMIT = 400  # below this many layouts plain Python is quicker than loading the compiler
COLD_LIMIT = 6000  # and below this many it is quicker than compiling for the first time


@dataclass(frozen=True)
class Found:
    """All layouts that were scored: step time [s], memory [B]; rejected counts the rest by reason."""

    layouts: tuple[Layout, ...]
    time: NDArray[np.float64]
    memory: NDArray[np.float64]
    rejected: Mapping[str, int]


def divisors(number: int, limit: int) -> list[int]:
    """Divisors of ``number`` up to ``limit``, ascending."""
    return [d for d in range(1, min(number, limit) + 1) if number % d == 0]


def tensor_degrees(case: Case, count: int) -> list[int]:
    """Degrees that divide the attention heads and stay within a scale-up domain; keys are shared or copied evenly."""
    heads = [op for block in case.model.blocks for op in block.operators if op.kind == "attention"]
    within = [tp for tp in divisors(count, min(64, case.hardware.domain)) if divides_heads(case, tp)]
    return [tp for tp in within if all(op.kv_heads % tp == 0 or tp % op.kv_heads == 0 for op in heads)]


def divides_heads(case: Case, tp: int) -> bool:
    """Whether a tensor degree divides the heads of every attention and scan."""
    heads = (op for block in case.model.blocks for op in block.operators if op.kind in ("attention", "scan"))
    return all(op.heads % tp == 0 for op in heads)


def chunk_degrees(layers: int, pp: int, micro_batches: int) -> list[int]:
    """Model chunks per pipeline rank; interleaving needs micro-batches in multiples of pp. [count]

    Even chunks only, or even once embedding and head count as a layer each (Llama 3: 126 layers over 16 ranks x 8).
    """
    if pp == 1 or micro_batches % pp:
        return [1]
    most = (layers + 2) // pp
    return [v for v in range(1, most + 1) if v == 1 or layers % (pp * v) == 0 or (layers + 2) % (pp * v) == 0]


def expert_degrees(case: Case, ranks: int) -> list[int]:
    """Expert-parallel degrees: divide the experts and the ranks of a stage."""
    if case.model.experts == 0:
        return [1]
    return [ep for ep in divisors(case.model.experts, ranks) if ranks % ep == 0]


def context_degrees(case: Case, ranks: int) -> list[int]:
    """Context-parallel degrees: powers of two that leave at least 1,024 tokens a rank."""
    return [cp for cp in (1, 2, 4, 8, 16, 32, 64) if ranks % cp == 0 and case.training.seq_len // cp >= 1024] or [1]


def _values(fixed: Mapping[str, Any], name: str, choices: Any) -> list[Any]:
    return [fixed[name]] if name in fixed else list(choices)


def layouts(case: Case, count: int, fixed: Mapping[str, Any], rejected: Counter[str]) -> Iterator[Layout]:
    """Every legal layout of ``count`` chips that keeps the ``fixed`` fields."""
    layers, batch = len(case.model.layers), case.training.global_batch
    for tp in _values(fixed, "tp", tensor_degrees(case, count)):
        if count % tp:
            rejected["degrees do not divide the chips"] += 1
            continue
        if not divides_heads(case, tp):
            rejected["tp does not divide the attention heads"] += 1
            continue
        for pp in _values(fixed, "pp", divisors(count // tp, layers)):
            if count % (tp * pp) or pp > layers:
                rejected["degrees do not divide the chips"] += 1
                continue
            for cp in _values(fixed, "cp", context_degrees(case, count // (tp * pp))):
                dp, left = divmod(count, tp * pp * cp)
                if left or dp != fixed.get("dp", dp):
                    rejected["degrees do not divide the chips"] += 1
                elif batch % dp:
                    rejected["batch does not divide over dp"] += 1
                else:
                    yield from _inner(case, Layout(dp=dp, tp=tp, pp=pp, cp=cp), batch // dp, fixed, rejected)


def _inner(case: Case, outer: Layout, share: int, fixed: Mapping[str, Any], rejected: Counter[str]) -> Iterator[Layout]:
    """The rest of a layout: micro-batch, chunks, experts, sharding and recompute; ``share`` sequences a data rank."""
    ranks = outer.dp * outer.cp * outer.tp
    for micro in _values(fixed, "micro_batch", MICRO_BATCHES):
        if share % micro:
            rejected["batch does not divide over micro-batches"] += 1
            continue
        for vpp in _values(fixed, "vpp", chunk_degrees(len(case.model.layers), outer.pp, share // micro)):
            if vpp > 1 and fixed.get("schedule") in UNCHUNKED:
                rejected["the schedule has one model chunk per stage"] += 1
                continue
            if vpp > 1 and (outer.pp == 1 or outer.pp * vpp > len(case.model.layers) + 2):
                rejected["more model chunks than a pipeline of these layers has"] += 1
                continue
            for ep in _values(fixed, "ep", expert_degrees(case, ranks)):
                etp = fixed.get("etp", 1 if ep > 1 else outer.tp)
                if reason := _no_experts(case, ep, etp, ranks):
                    rejected[reason] += 1
                    continue
                schedule = "interleaved" if vpp > 1 else "1f1b"
                made = replace(outer, micro_batch=micro, vpp=vpp, ep=ep, etp=etp, schedule=schedule)
                yield from _states(case, made, fixed)


def _no_experts(case: Case, ep: int, etp: int, ranks: int) -> str:
    """Why the experts cannot be cut so; "" where they can."""
    if ep > 1 and (case.model.experts == 0 or case.model.experts % ep):
        return "ep does not divide the experts"
    return "experts do not divide over ranks" if ranks % (ep * etp) else ""


def _states(case: Case, layout: Layout, fixed: Mapping[str, Any]) -> Iterator[Layout]:
    recomputes = (*RECOMPUTES, LIGHT) if case.model.experts else RECOMPUTES
    sharded = (1, 3) if layout.pp == 1 and layout.dp * layout.cp > 1 else (1,)
    rest = {name: fixed[name] for name in REST if name in fixed}
    if layout.vpp > 1 and rest.get("schedule") == "1f1b":
        rest["schedule"] = "interleaved"
    for zero in _values(fixed, "zero", sharded):
        for recompute in _values(fixed, "recompute", recomputes):
            yield replace(layout, zero=zero, recompute=recompute, **rest)


REST = ("zero_group", "sequence_parallel", "schedule", "cp_kind", "offload")


def arguments(case: Case, layout: Layout) -> tuple[Any, ...]:
    """What step_terms takes for a layout, without the tuning."""
    return (*case.packed, cases.cut(layout), case.hardware, cases.job(case, layout))


def score_plain(case: Case, found: list[Layout]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Time and memory of layouts by the plain functions."""
    time, memory = np.empty(len(found)), np.empty(len(found))
    for i, layout in enumerate(found):
        ops, blocks, kinds, cut, hw, job = arguments(case, layout)
        time[i] = step_terms(ops, blocks, kinds, cut, hw, job, case.tuning).total
        memory[i] = total_memory(step_memory(ops, blocks, kinds, case.model.vocab, cut, hw, job, case.tuning))
    return time, memory


def score_compiled(case: Case, found: list[Layout]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Time and memory of layouts by the compiled functions; the same numbers."""
    scorer = kernel.compiled(layout_score)
    time, memory = np.empty(len(found)), np.empty(len(found))
    for i, layout in enumerate(found):
        ops, blocks, kinds, cut, hw, job = arguments(case, layout)
        time[i], memory[i] = scorer(ops, blocks, kinds, float(case.model.vocab), cut, hw, job, case.tuning)
    return time, memory


def search(case: Case, count: int, fixed: Mapping[str, Any], *, may_compile: bool = True) -> Found:
    """Score every legal layout of ``count`` chips.

    Without ``may_compile`` a cold kernel is left cold where plain Python is quicker than compiling.
    """
    rejected: Counter[str] = Counter()
    found = list(layouts(case, count, fixed, rejected))
    limit = PLAIN_LIMIT if may_compile or not kernel.is_cold() else COLD_LIMIT
    scorer = score_plain if len(found) <= limit else score_compiled
    time, memory = scorer(case, found)
    return Found(tuple(found), time, memory, dict(rejected))
