"""The verbs: what is ranked first, what relief is worth, what an answer records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import exaplan
from exaplan.nouns import Layout, Limits
from exaplan.perf.step import Terms
from exaplan.planning import estimate, plan
from exaplan.planning.answering import assumptions, binding
from exaplan.planning.checking import MEMORY_MARGIN
from exaplan.planning.choosing import best_of, rank
from exaplan.planning.pricing import price
from exaplan.planning.relief import objective, relieve
from exaplan.search import Found
from exaplan.search import search as searched

from .asked import CATALOG, asked, setting

FIXED = {"tp": 2, "cp": 1, "micro_batch": 1}


def found_of(memory: list[float], time: list[float]) -> Found:
    """Three layouts with memory [share of the chip's] and time [s] as given."""
    layouts = (Layout(dp=8, tp=2, etp=2), Layout(dp=4, tp=4, etp=4), Layout(dp=2, tp=8, etp=8))
    whole = setting().case.hardware.memory
    return Found(layouts, np.array(time), np.array(memory) * whole, {"odd": 3})


def test_ranking_leaves_out_what_does_not_fit() -> None:
    """A layout above the memory margin is counted as rejected; the rest is ordered by the upper end of its range."""
    found = found_of([0.5, 0.99, 0.6], [1.0, 0.5, 2.0])
    rejected, order = rank(setting(), found)
    assert rejected == {"odd": 3, "memory": 1} and 0.95 <= MEMORY_MARGIN < 0.99
    assert order == [0, 2]
    assert sorted(rank(setting(), found, 1.1)[1]) == [0, 1, 2]


def test_the_best_are_those_within_every_limit() -> None:
    """A limit passes over the quicker layout that breaks it; where all break it, the first is the nearest miss."""
    made, found = setting(), found_of([0.5, 0.5, 0.5], [1.0, 2.0, 3.0])
    items = [price(made, layout) for layout in found.layouts]
    powers = [item.estimate.power * 16 for item in items]
    bounds = Limits(power=min(powers) * 1.0001)
    assert best_of(made, found, [0, 1, 2], 3, bounds) == [items[powers.index(min(powers))]]
    assert best_of(made, found, [0, 1, 2], 3, Limits(power=1.0)) == [items[0]]
    assert best_of(made, found, [0, 1, 2], 2, Limits()) == items[:2]


def test_a_plan_is_the_quickest_that_was_found() -> None:
    """The first plan has the lowest upper end of all that fit, and every plan keeps what the ask fixed."""
    answer = plan(asked(layout=FIXED), CATALOG, top=3)
    highs = [item.estimate.high for item in answer.estimates]
    assert highs == sorted(highs) and len(highs) == 3
    assert all(item.estimate.layout.tp == 2 and item.estimate.layout.chips == 16 for item in answer.estimates)
    assert answer.considered > answer.rejected.get("memory", 0) and answer.rate and answer.rate > 0


def test_several_chunks_are_interleaved() -> None:
    """A layout with model chunks carries the schedule that makes them worth it; one chunk is plain 1F1B."""
    found = searched(setting().case, 16, {"pp": 4, "tp": 1, "cp": 1, "micro_batch": 1, "recompute": "none"})
    by_chunks = {(layout.vpp > 1, layout.schedule) for layout in found.layouts}
    assert by_chunks == {(False, "1f1b"), (True, "interleaved")}
    kept = searched(setting().case, 16, {"pp": 4, "tp": 1, "vpp": 2, "micro_batch": 1, "schedule": "1f1b"})
    assert {layout.schedule for layout in kept.layouts} == {"interleaved"}


def test_relief_never_harms() -> None:
    """Memory and chips are relieved in every plan; more is never slower, twice the chips about halve the time."""
    answer = plan(asked(layout=FIXED), CATALOG, top=1)
    worth = {item.limit: item for item in answer.relief}
    assert set(worth) == {"memory", "chips"}
    assert all(item.after <= item.before == answer.estimates[0].time for item in answer.relief)
    assert 0.45 < worth["chips"].after / worth["chips"].before < 0.75


def test_a_limit_within_one_step_is_relieved() -> None:
    """A deadline that the best plan only just meets is solved again with a tenth more; a far one is not."""
    time = plan(asked(layout=FIXED), CATALOG, top=1).estimates[0].time
    assert time
    near = plan(asked(layout=FIXED, limits={"deadline": f"{1.02 * time:.3f} s"}), CATALOG, top=1)
    far = plan(asked(layout=FIXED, limits={"deadline": f"{2 * time:.3f} s"}), CATALOG, top=1)
    assert "deadline" in near.binding and "deadline" in {item.limit for item in near.relief}
    assert "deadline" not in far.binding and "deadline" not in {item.limit for item in far.relief}


def test_a_large_search_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound, relief of the chips is left out and the answer says so."""
    monkeypatch.setattr("exaplan.planning.relief.QUICK", 2)
    made = setting(layout=FIXED)
    found = found_of([0.5, 0.5, 0.5], [1.0, 2.0, 3.0])
    relief, notes = relieve(made, found, price(made, found.layouts[0]))
    assert [item.limit for item in relief] == ["memory"] and "relief of `chips` is not worked out" in notes[0]


def test_degrees_that_are_all_given_leave_no_relief_by_chips() -> None:
    """Twice the chips have no layout with the asked degrees, so nothing is claimed."""
    given = {"dp": 8, "tp": 2, "pp": 1, "cp": 1, "micro_batch": 1}
    answer = plan(asked(layout=given), CATALOG, top=1)
    assert "chips" not in {item.limit for item in answer.relief}


@pytest.mark.parametrize(("name", "field"), [("cost", "cost"), ("energy", "energy"), ("carbon", "carbon")])
def test_relief_is_told_in_the_objective(name: str, field: str) -> None:
    """The objective of the ask is what relief is measured in; time is that of a step where no tokens are given."""
    made = setting(objective=name)
    item = price(made, Layout(dp=8, tp=2, etp=2))
    assert objective(made, item) == getattr(item, field)
    bare = setting(objective=name, work={"seq_len": 4096, "global_batch": 128})
    step = price(bare, Layout(dp=8, tp=2, etp=2))
    assert objective(bare, step) == step.estimate.step_time


def test_an_answer_says_what_was_assumed() -> None:
    """Unknown framework, an architecture without kernels, and a chip without rent each have their line."""
    plain = "\n".join(assumptions(setting()))
    odd = "\n".join(assumptions(setting(cluster={"chip": "mi355x", "count": 16})))
    assert "framework unknown" in plain and "no rent" not in plain and "curves inherited" not in plain
    assert "no rent of mi355x is known" in odd and "curves inherited" in odd


def test_what_binds() -> None:
    """Chips always bind; memory where it shut layouts out; money and power when they are nearly spent."""
    made = setting(limits={"money": "$1M", "power": "1 MW"})
    item = price(made, Layout(dp=8, tp=2, etp=2))
    assert binding(made, item, {}) == ("chips",)
    assert binding(made, replace(item, cost=0.97e6), {"memory": 4}) == ("memory", "money", "chips")
    hot = replace(item, estimate=replace(item.estimate, power=0.97e6 / 16))
    assert binding(made, hot, {}) == ("power", "chips")


def test_a_limit_that_cannot_be_checked_is_a_warning() -> None:
    """Without tokens no deadline can be held; the answer says so and does not pretend."""
    work = {"seq_len": 4096, "global_batch": 128}
    bare = plan(asked(work=work, layout=FIXED, limits={"deadline": "1 d", "power": "1 MW"}), CATALOG, top=1)
    assert bare.warnings == ("the limit on deadline was not checked: give work.tokens or work.steps",)
    assert plan(asked(layout=FIXED, limits={"deadline": "30 d"}), CATALOG, top=1).warnings == ()


def test_every_term_has_its_inputs() -> None:
    """Each term of step and memory is recorded with what its formula was given, and figures with their source."""
    answer = estimate(asked(layout={"dp": 2, "tp": 4, "pp": 2, "vpp": 2, "micro_batch": 1}), CATALOG)
    made = answer.estimates[0].estimate
    wanted = {name for name in Terms._fields if name != "total"} | {f"memory.{name}" for name in made.memory_terms}
    assert set(answer.inputs) == wanted and all(answer.inputs.values())
    product = answer.inputs["product"]
    assert product["chip.peak.bf16 [FLOP/s]"] == answer.chip.peak["bf16"]
    assert product["chip.peak.bf16 source"] == answer.chip.figures["peak.bf16"].source
    assert product["model FLOPs per chip and step [FLOP]"] == pytest.approx(made.flops / 16)
    assert answer.inputs["bubble"]["vpp, model chunks per rank [count]"] == 2
    assert answer.inputs["transfer"]["node.network [B/s]"] == answer.node.network


@pytest.mark.parametrize("name", ["llama-3.1-405b-as-published", "deepseek-v3-as-published"])
def test_the_published_layouts_fit(name: str) -> None:
    """What was really trained fits the memory it was trained in (arXiv:2407.21783, arXiv:2412.19437)."""
    question = CATALOG.ask(name)
    plain = {key: value for key, value in question.value.items() if key not in ("name", "title")}
    answer = exaplan.estimate(exaplan.parse(plain, question.place), CATALOG)
    made = answer.estimates[0].estimate
    assert 0.5 * answer.chip.memory < made.memory < answer.chip.memory


def test_the_face_has_only_what_it_says() -> None:
    """Every name of ``__all__`` can be had from the face; another one is an AttributeError."""
    assert set(exaplan.__all__) <= set(dir(exaplan))
    assert exaplan.plan is plan and exaplan.estimate is estimate
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        exaplan.simulate  # noqa: B018
