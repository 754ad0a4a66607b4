"""The verbs: what is ranked first, what relief is worth, what binds, what an answer records."""

from __future__ import annotations

import pytest

import exaplan
from exaplan.errors import NoPlan
from exaplan.perf.step import Terms
from exaplan.planning import estimate, plan
from exaplan.search import search

from .asked import CATALOG, asked, setting

FIXED = {"tp": 2, "cp": 1, "micro_batch": 1}


def test_a_plan_is_the_quickest_that_was_found() -> None:
    """The first plan has the lowest upper end of all that fit, and every plan keeps what the ask fixed."""
    answer = plan(asked(layout=FIXED), CATALOG, top=3)
    highs = [item.estimate.high for item in answer.estimates]
    assert highs == sorted(highs) and len(highs) == 3
    assert all(item.estimate.layout.tp == 2 and item.estimate.layout.chips == 16 for item in answer.estimates)
    assert answer.considered > 10 and answer.rate and answer.rate > 0


def test_several_chunks_are_interleaved() -> None:
    """A layout with model chunks carries the schedule that makes them worth it; one chunk is plain 1F1B."""
    fixed = {"pp": 4, "tp": 1, "cp": 1, "micro_batch": 1, "recompute": "none"}
    (found,) = search(setting().case, (16,), fixed, keep=50)
    assert {(layout.vpp > 1, layout.schedule) for layout in found.layouts} == {(False, "1f1b"), (True, "interleaved")}


def test_relief_never_harms() -> None:
    """Memory and chips are relieved in every plan; more is never slower, twice the chips about halve the time."""
    answer = plan(asked(layout=FIXED), CATALOG, top=1)
    worth = {item.limit: item for item in answer.relief}
    assert {"memory", "chips"} <= set(worth)
    assert all(item.after <= item.before == answer.estimates[0].time for item in answer.relief)
    assert 0.45 < worth["chips"].after / worth["chips"].before < 0.75
    assert "chips" in answer.binding


def test_a_limit_that_is_nearly_spent_binds() -> None:
    """A deadline that the best plan only just meets binds, a far one does not; both are solved again with more."""
    high = plan(asked(layout=FIXED), CATALOG, top=1).estimates[0].ranges["time"][1]
    near = plan(asked(layout=FIXED, limits={"deadline": f"{1.02 * high:.3f} s"}), CATALOG, top=1)
    far = plan(asked(layout=FIXED, limits={"deadline": f"{2 * high:.3f} s"}), CATALOG, top=1)
    assert "deadline" in near.binding and "deadline" not in far.binding
    assert all("deadline" in {item.limit for item in answer.relief} for answer in (near, far))


def test_degrees_that_are_all_given_leave_no_relief_by_chips() -> None:
    """Twice the chips have no layout with the asked degrees, so nothing is claimed."""
    given = {"dp": 8, "tp": 2, "pp": 1, "cp": 1, "micro_batch": 1}
    answer = plan(asked(layout=given), CATALOG, top=1)
    assert "chips" not in {item.limit for item in answer.relief}


@pytest.mark.parametrize("name", ["cost", "energy", "carbon", "time"])
def test_relief_is_told_in_the_objective(name: str) -> None:
    """The objective of the ask is what relief is measured in; without tokens it is the time of a step."""
    answer = plan(asked(objective=name, layout=FIXED), CATALOG, top=1)
    assert {item.before for item in answer.relief} == {getattr(answer.estimates[0], name)}
    bare = plan(asked(objective=name, layout=FIXED, work={"seq_len": 4096, "global_batch": 128}), CATALOG, top=1)
    assert {item.before for item in bare.relief} == {bare.estimates[0].estimate.step_time}


def test_a_batch_that_dp_has_used_up_binds() -> None:
    """16 sequences over 64 chips of a small model: a batch of 32 for the same tokens is done sooner."""
    work = {"tokens": "1B", "seq_len": 2048, "global_batch": 16}
    cluster = {"chip": "h100-sxm", "count": 64}
    answer = plan(asked(work=work, cluster=cluster, layout={"tp": 1, "cp": 1}), CATALOG, top=1)
    worth = {item.limit: item.after / item.before for item in answer.relief}
    assert worth["batch"] < 0.9 and "batch" in answer.binding


def test_an_answer_says_what_was_assumed() -> None:
    """Unknown framework, an architecture without kernels, and a chip without price each have their line."""
    plain = "\n".join(plan(asked(layout=FIXED), CATALOG, 1).assumptions)
    odd = "\n".join(
        plan(asked(layout=FIXED, cluster={"chip": "br100", "count": 8, "terms": "rent"}), CATALOG, 1).assumptions
    )
    assert "framework unknown" in plain and "is known" not in plain and "curves inherited" not in plain
    assert "no rent of br100 is known" in odd and "curves inherited" in odd


def test_limits_hold_by_the_upper_end() -> None:
    """Between the expected time and its upper end a deadline holds only where the ask says so, with a warning."""
    best = plan(asked(layout=FIXED), CATALOG, top=1).estimates[0]
    between = f"{0.5 * (best.time + best.ranges['time'][1]):.3f} s"
    with pytest.raises(NoPlan) as caught:
        plan(asked(layout=FIXED, limits={"deadline": between}), CATALOG, top=1)
    assert "limits.hold: expected" in caught.value.hint and "upper end" in caught.value.nearest
    hopeful = plan(asked(layout=FIXED, limits={"deadline": between, "hold": "expected"}), CATALOG, top=1)
    assert hopeful.estimates[0].estimate == best.estimate
    assert any("by the expected value only" in line for line in hopeful.warnings)


def test_a_limit_that_cannot_be_checked_is_a_warning() -> None:
    """A budget says nothing of a chip whose rent nobody knows; the answer says so and does not pretend."""
    bare = asked(cluster={"chip": "b100", "count": 16, "terms": "rent"}, limits={"money": "$1M"})
    made = plan(bare, CATALOG, 1)
    assert made.warnings == ("the limit on money was not checked: cost is unknown",)
    assert "money" not in {item.limit for item in made.relief}
    assert plan(asked(layout=FIXED, limits={"deadline": "30 d"}), CATALOG, top=1).warnings == ()


def test_every_term_has_its_inputs() -> None:
    """Each term of step and memory is recorded with what its formula was given, and figures with their source."""
    answer = estimate(asked(layout={"dp": 2, "tp": 4, "pp": 2, "vpp": 2, "micro_batch": 1}), CATALOG)
    made = answer.estimates[0].estimate
    wanted = {name for name in Terms._fields if name != "total"} | {f"memory.{name}" for name in made.memory_terms}
    wanted |= {"time", "goodput", "cost", "energy", "carbon", "power"}
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
    with pytest.raises(AttributeError, match="no attribute 'buildout'"):
        exaplan.buildout  # type: ignore[attr-defined]  # noqa: B018
