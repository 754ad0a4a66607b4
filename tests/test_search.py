"""Layouts of one cluster: all legal ones and no others, fixed fields kept, reasons counted, scores those of perf/."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_inputs import BUSY, DENSE, HYBRID, PLAIN, ROUTED

from exaplan import case as cases
from exaplan import search
from exaplan.case import Case
from exaplan.catalog import load
from exaplan.nouns import Layout, Model, Training
from exaplan.perf.memory import total_memory
from exaplan.perf.step import step_memory, step_terms

MODELS = {model.name: model for model in (DENSE, ROUTED, HYBRID)}
SHELF = load()
CHIPS = SHELF.assemble(SHELF.chip("h100-sxm"), 16)


def case_of(model: Model, batch: int = 32, seq: int = 4096) -> Case:
    """A case on plain hardware (domains of eight)."""
    made = cases.make(model, Training(seq_len=seq, global_batch=batch), CHIPS, BUSY)
    return replace(made, hardware=PLAIN)


def found(case: Case, count: int, **fixed: Any) -> tuple[list[Layout], Counter[str]]:
    """(layouts, rejected) of an enumeration."""
    rejected: Counter[str] = Counter()
    return list(search.layouts(case, count, fixed, rejected)), rejected


def brute_force(case: Case, count: int) -> set[Layout]:
    """Every layout by trying all degrees against the rules, one by one."""
    model, training, out = case.model, case.training, set()
    heads = [op for block in model.blocks for op in block.operators if op.kind in ("attention", "scan")]
    layers, batch = len(model.layers), training.global_batch
    for tp, pp, cp in product(range(1, count + 1), repeat=3):
        if count % (tp * pp * cp) or tp > 8 or pp > layers:
            continue
        if any(op.heads % tp for op in heads):
            continue
        if any(op.kv_heads % tp and tp % op.kv_heads for op in heads if op.kind == "attention"):
            continue
        if cp not in (1, 2, 4, 8) or (cp > 1 and training.seq_len // cp < 1024):
            continue
        dp = count // (tp * pp * cp)
        for micro, vpp, ep in product((1, 2, 4, 8, 16, 32), range(1, layers + 3), range(1, max(1, model.experts) + 1)):
            ranks = dp * cp * tp
            if batch % dp or (batch // dp) % micro or ranks % ep or (model.experts or 1) % ep:
                continue
            etp = 1 if ep > 1 else tp
            if ranks % (ep * etp):
                continue
            chunks = pp * vpp
            even = layers % chunks == 0 or (layers + 2) % chunks == 0
            if vpp > 1 and (pp == 1 or batch // dp // micro % pp or chunks > layers + 2 or not even):
                continue
            settings_ = ("none", "selective", "full", *((search.LIGHT,) if model.experts else ()))
            for zero, recompute in product((1, 3), settings_):
                if zero == 3 and (pp > 1 or dp * cp == 1):
                    continue
                schedule = "interleaved" if vpp > 1 else "1f1b"
                out.add(Layout(dp=dp, tp=tp, pp=pp, vpp=vpp, cp=cp, ep=ep, etp=etp, micro_batch=micro,
                               recompute=recompute, zero=zero, schedule=schedule))  # fmt: skip
    return out


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(sorted(MODELS)),
    st.integers(1, 16),
    st.sampled_from([1, 6, 8, 12, 32]),
    st.sampled_from([512, 4096]),
)
def test_enumeration_equals_brute_force(name: str, count: int, batch: int, seq: int) -> None:
    """All legal layouts, each once, and no other."""
    case = case_of(MODELS[name], batch, seq)
    layouts, _ = found(case, count)
    assert len(set(layouts)) == len(layouts)
    assert set(layouts) == brute_force(case, count)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(MODELS)), st.sampled_from([1, 2, 6, 8, 16, 24, 64]), st.sampled_from([6, 64, 96]))
def test_every_layout_is_legal(name: str, count: int, batch: int) -> None:
    """Degrees multiply to the chips and divide heads, batch and experts."""
    model = MODELS[name]
    for layout in found(case_of(model, batch), count)[0]:
        assert layout.chips == count
        assert batch % (layout.dp * layout.micro_batch) == 0
        assert 16 % layout.tp == 0 and layout.tp <= 8
        assert layout.dp * layout.cp * layout.tp % (layout.ep * layout.etp) == 0
        assert (model.experts or 1) % layout.ep == 0


def test_divisors() -> None:
    """Ascending, up to the limit."""
    assert search.divisors(12, 100) == [1, 2, 3, 4, 6, 12]
    assert search.divisors(12, 4) == [1, 2, 3, 4]


def test_keys_may_be_copied_but_not_split_unevenly() -> None:
    """8 key groups: tp 16 copies each twice; 6 groups on 4 ranks have no even share."""
    case = replace(case_of(DENSE), hardware=PLAIN._replace(domain=16))
    assert search.tensor_degrees(case, 16) == [1, 2, 4, 8, 16]
    blocks = tuple(
        replace(block, operators=tuple(replace(op, kv_heads=6 if op.kv_heads else 0) for op in block.operators))
        for block in DENSE.blocks
    )
    odd = replace(case, model=replace(DENSE, blocks=blocks))
    assert search.tensor_degrees(odd, 16) == [1, 2]


def test_tensor_degrees_stay_in_the_domain() -> None:
    """No tensor group crosses the network."""
    assert max(search.tensor_degrees(case_of(DENSE), 64)) == 8
    assert search.tensor_degrees(case_of(DENSE), 2) == [1, 2]


def test_chunks_need_micro_batches_in_multiples_of_the_stages() -> None:
    """8 layers on 2 stages: 1, 2 and 4 chunks, and 5 by the embedding rule; one only with 3 micro-batches."""
    assert search.chunk_degrees(8, 2, 4) == [1, 2, 4, 5]
    assert search.chunk_degrees(8, 2, 3) == [1]
    assert search.chunk_degrees(8, 1, 4) == [1]
    assert 8 in search.chunk_degrees(126, 16, 16)


def test_context_degrees_leave_a_thousand_tokens() -> None:
    """cp up to seq / 1024; 1 for short sequences, however few the ranks."""
    assert search.context_degrees(case_of(DENSE, seq=8192), 64) == [1, 2, 4, 8]
    assert search.context_degrees(case_of(DENSE, seq=8192), 6) == [1, 2]
    assert search.context_degrees(case_of(DENSE, seq=512), 64) == [1]


def test_expert_degrees_divide_experts_and_ranks() -> None:
    """16 experts on 24 ranks: 1, 2, 4, 8; a dense model: 1."""
    assert search.expert_degrees(case_of(ROUTED), 24) == [1, 2, 4, 8]
    assert search.expert_degrees(case_of(DENSE), 24) == [1]


# ------------------------------------------------------------------------------------------------ fixed fields


@pytest.mark.parametrize(
    "fixed",
    [
        {"tp": 4}, {"pp": 2}, {"dp": 2}, {"cp": 2}, {"micro_batch": 2}, {"pp": 2, "vpp": 2}, {"recompute": "mlp_act"},
        {"zero": 2}, {"zero_group": 4}, {"sequence_parallel": False}, {"schedule": "zero-bubble"}, {"offload": True},
        {"cp_kind": "ulysses", "cp": 2},
    ],
    ids=str,
)  # fmt: skip
def test_fixed_fields_are_kept(fixed: dict[str, Any]) -> None:
    """Whatever the asker gave stays; the rest is searched."""
    layouts, _ = found(case_of(DENSE), 8, **fixed)
    assert layouts and all(getattr(layout, name) == value for layout in layouts for name, value in fixed.items())
    free = {name for name in ("tp", "pp", "dp", "micro_batch", "recompute") if name not in fixed}
    assert any(len({getattr(layout, name) for layout in layouts}) > 1 for name in free)


def test_fixed_expert_degrees_are_kept() -> None:
    """ep and etp as given; others that divide nothing are rejected."""
    layouts, _ = found(case_of(ROUTED), 8, ep=4, etp=2, tp=2)
    assert layouts and {(layout.ep, layout.etp) for layout in layouts} == {(4, 2)}


def test_fixed_1f1b_over_chunks_is_named_interleaved() -> None:
    """Several chunks under 1F1B are the interleaved schedule."""
    layouts, _ = found(case_of(DENSE), 8, pp=2, schedule="1f1b")
    assert {layout.schedule for layout in layouts if layout.vpp > 1} == {"interleaved"}
    assert {layout.schedule for layout in layouts if layout.vpp == 1} == {"1f1b"}


# ------------------------------------------------------------------------------------------------------ reasons


@pytest.mark.parametrize(
    ("fixed", "batch", "reason"),
    [
        ({"tp": 3}, 32, "degrees do not divide the chips"),
        ({"pp": 16}, 32, "degrees do not divide the chips"),
        ({"dp": 3}, 32, "degrees do not divide the chips"),
        ({"tp": 1, "pp": 1, "cp": 3}, 32, "degrees do not divide the chips"),
        ({"dp": 8}, 6, "batch does not divide over dp"),
        ({"dp": 2, "micro_batch": 4}, 6, "batch does not divide over micro-batches"),
        ({"tp": 2, "pp": 4, "ep": 16}, 32, "experts do not divide over ranks"),
        ({"tp": 4, "pp": 1, "ep": 4, "etp": 4}, 32, "experts do not divide over ranks"),
    ],
)
def test_what_cannot_be_is_counted_by_reason(fixed: dict[str, Any], batch: int, reason: str) -> None:
    """A wish that no layout can keep is an empty answer with its reason, not an exception."""
    layouts, rejected = found(case_of(ROUTED, batch), 8, **fixed)
    assert layouts == [] and rejected[reason] > 0


def test_open_searches_count_what_they_leave_out() -> None:
    """A batch of six on eight chips leaves out micro-batches and replicas that do not divide it."""
    layouts, rejected = found(case_of(DENSE, batch=6), 8)
    assert layouts
    assert rejected["batch does not divide over dp"] > 0
    assert rejected["batch does not divide over micro-batches"] > 0


# ------------------------------------------------------------------------------------------------------- scores


def test_scores_are_those_of_the_formulas() -> None:
    """Time is the total of the terms, memory the total of its terms, layout by layout."""
    case = case_of(DENSE)
    got = search.search(case, 2, {})
    assert len(got.layouts) == len(got.time) == len(got.memory) > 10
    for i in range(0, len(got.layouts), 7):
        ops, blocks, kinds, cut, hw, job = search.arguments(case, got.layouts[i])
        assert got.time[i] == step_terms(ops, blocks, kinds, cut, hw, job, BUSY).total
        memory = step_memory(ops, blocks, kinds, case.model.vocab, cut, hw, job, BUSY)
        assert got.memory[i] == total_memory(memory)


def test_both_scorers_agree() -> None:
    """Above the limit the compiled scorer takes over, with the same numbers."""
    case = case_of(ROUTED)
    layouts, _ = found(case, 8)
    assert len(layouts) > search.PLAIN_LIMIT
    some = layouts[::40]
    for plain, fast in zip(search.score_plain(case, some), search.score_compiled(case, some), strict=True):
        np.testing.assert_allclose(fast, plain, rtol=1e-12)


def test_many_layouts_go_to_the_compiled_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to PLAIN_LIMIT layouts are scored plainly; up to COLD_LIMIT where compiling is not worth it."""
    used: list[str] = []

    def scorer(name: str) -> Any:
        def score(case: Case, layouts: list[Layout]) -> tuple[Any, Any]:
            used.append(name)
            return np.zeros(len(layouts)), np.zeros(len(layouts))

        return score

    monkeypatch.setattr(search, "score_plain", scorer("plain"))
    monkeypatch.setattr(search, "score_compiled", scorer("compiled"))
    many = len(found(case_of(ROUTED), 8)[0])
    assert search.PLAIN_LIMIT < many < search.COLD_LIMIT
    search.search(case_of(DENSE), 2, {})
    search.search(case_of(ROUTED), 8, {})
    for cold in (False, True):
        monkeypatch.setattr(search.kernel, "is_cold", lambda cold=cold: cold)
        search.search(case_of(ROUTED), 8, {}, may_compile=False)
    assert used == ["plain", "compiled", "compiled", "plain"]


def test_nothing_legal_is_empty() -> None:
    """No layout: empty arrays and the reasons."""
    got = search.search(case_of(DENSE), 8, {"tp": 3})
    assert got.layouts == () and len(got.time) == 0 and got.rejected


def test_a_wish_is_counted_once() -> None:
    """One degree that divides nothing is one rejection."""
    assert sum(found(case_of(DENSE, 96), 24, tp=3, pp=1, cp=1)[1].values()) == 1
