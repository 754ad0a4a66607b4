"""``explain`` and ``compare`` of serving documents: formulas of every term, and which input moves what."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from made_answers import answer
from made_served import plan, served

from exaplan.answers.serving import Served
from exaplan.catalog import Catalog, load
from exaplan.errors import InputError, Place
from exaplan.nouns.serving import Deployment, Replica, Settings
from exaplan.planning.comparing import compare, explaining
from exaplan.report import answered, comparison, explain, screen, terms, to_json
from exaplan.report.serving.terms import SERVING, functions

HERE = Place("plan.json")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


def written(made: Served, catalog: Catalog) -> dict[str, Any]:
    """The document as it comes back from a file."""
    return dict(json.loads(to_json.text(answered.document(made, catalog))))


@pytest.mark.parametrize("term", [*SERVING, "ttft", "tpot_p99", "latency_p99.9"])
def test_every_formula_is_a_function_with_its_docstring(term: str) -> None:
    """Each registered path exists and says what it computes, in units."""
    found = terms.formulas(term, kind="serving")
    assert found
    for path, text in found:
        assert text, path
        module, _, name = path.rpartition(".")
        body = getattr(import_module(module), name)
        assert inspect.getdoc(getattr(body, "py_func", body)) == text


def test_every_term_of_the_step_model_has_a_formula() -> None:
    """The terms of an iteration by the names of the step model."""
    from exaplan.case.serving import TERMS

    named = {str(name) for name in TERMS} | {"attention_decode", "attention_prefill", "host"}
    assert [name for name in sorted(named) if not functions(name)] == []


@pytest.mark.parametrize("verb", ["plan", "simulate"])
def test_terms_and_figures_are_explained(verb: str, catalog: Catalog) -> None:
    """Shares of the iteration and of the memory, ranges of the figures, formulas, inputs and sources."""
    document = written(served(catalog, verb), catalog)
    text = screen.draw(explain.explain_view(explain.check(document, HERE), None, HERE))
    assert "term products\n  result: 12 ms (41.4% of 29 ms)\n" in text
    assert "term memory.weights\n  result: 35 GB (48.6% of 72 GB)" in text
    assert "term ttft_p99\n  result: 360 ms (80% range 200 ms to 600 ms)" in text
    assert "term throughput\n  result: 5,094/s" in text and "term energy_token\n  result: 1.5 J" in text
    assert "exaplan.perf.serving.operators.product_time" in text and "tokens = 55" in text


def test_one_term_is_explained_alone(catalog: Catalog) -> None:
    """As JSON with its formulas; how a cost is paid decides its formula; a misspelt term names the nearest."""
    document = written(served(catalog), catalog)
    made = explain.explain(document, "attention_decode")
    assert [term["term"] for term in made["terms"]] == ["attention_decode"]
    assert made["terms"][0]["total"] == pytest.approx(0.029) and made["terms"][0]["formulas"]
    paid = explain.explain(document, "cost")["terms"][0]
    assert "exaplan.cost.rent_cost" in [item["function"] for item in paid["formulas"]]
    with pytest.raises(InputError, match="no term `atention_decode`") as caught:
        explain.explain(document, "atention_decode")
    assert "did you mean attention_decode" in caught.value.hint


def test_a_document_without_terms_is_refused(catalog: Catalog) -> None:
    """Words where numbers should be, and a breakdown that is none."""
    document = written(served(catalog), catalog)
    for broken in ({"breakdown": "fast"}, {"breakdown": {"products": "12 ms"}}, {"memory": None}):
        best = {**document["plans"][0], **broken}
        with pytest.raises(InputError, match="holds no terms"):
            explain.check({**document, "plans": [best]}, HERE)


# ------------------------------------------------------------------------------------------------ compare


def other(catalog: Catalog) -> Served:
    """The same question for twice the load: one more copy, dearer, slower."""
    base = served(catalog)
    put = Deployment(Replica(tp=4), 3, Settings("vllm-v1"))
    metrics = {**base.plans[0].metrics, "ttft_p99": 0.5, "requests": 40.0, "throughput": 10_000.0}
    ask = {**base.ask, "work": {**base.ask["work"], "rate": "40/s"}}
    best = plan(catalog, put, cost=6.2e4, metrics=metrics, energy=3.0e10)
    return replace(base, ask=ask, plans=(best,))


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch, catalog: Catalog) -> None:
    """Questions are answered by the hand-made answers, by their rate."""

    def answers(question: Mapping[str, Any], known: Catalog, verb: str) -> Any:
        made = {"20/s": served, "40/s": other}[question["work"]["rate"]](known)
        return explaining.served(made)

    monkeypatch.setattr(explaining, "_solved", answers)


@pytest.mark.usefixtures("solved")
def test_two_services_are_compared(catalog: Catalog) -> None:
    """What was asked and chosen differently, every figure, and the input that moves them all."""
    found = compare(written(served(catalog), catalog), written(other(catalog), catalog), catalog)
    assert found.kind == "serving" and found.reproduced
    assert [item.name for item in found.inputs] == ["work.rate"]
    choices = {item.name: (item.a, item.b) for item in found.choices}
    assert choices["layout.dp"] == (2, 3) and choices["chips"] == (8, 12) and "engine.set" not in choices
    ratios = {item.name: item.ratio for item in found.figures}
    assert ratios["requests"] == pytest.approx(2.0) and ratios["ttft_p99"] == pytest.approx(0.5 / 0.36)
    (moved,) = found.path
    assert (
        moved.inputs == ("work.rate",) and moved.share["cost"] == 1.0 and moved.factor["requests"] == pytest.approx(2)
    )


@pytest.mark.usefixtures("solved")
def test_a_comparison_is_told_cost_first(catalog: Catalog) -> None:
    """The cost, then what is promised, each in its own unit, in the tables, too."""
    found = compare(written(served(catalog), catalog), written(other(catalog), catalog), catalog)
    lines = list(comparison.headlines(found))
    assert lines[0].startswith("cost of the period: $41k -> $62k (x 1.51); 100% of the movement by work.rate")
    assert lines[1].startswith("p99 TTFT: 360 ms -> 500 ms")
    text = screen.draw(comparison.comparison_view(found))
    assert "requests that keep the promise" in text and "20/s" in text and "40/s" in text
    assert max(map(len, text.splitlines())) <= screen.WIDTH


def test_the_same_service_is_the_same(catalog: Catalog) -> None:
    """Nothing is solved again where nothing differs."""
    document = written(served(catalog), catalog)
    assert compare(document, document, catalog).same


def test_kinds_and_verbs_are_not_mixed(catalog: Catalog) -> None:
    """A service and a training run, a plan and a simulation: refused with the file."""
    document = written(served(catalog), catalog)
    training = json.loads(to_json.text(to_json.answer_json(answer(catalog), catalog)))
    with pytest.raises(InputError, match="A is a plan for serving, B one for training"):
        compare(document, training, catalog)
    with pytest.raises(InputError, match="A is a plan document, B a simulate document"):
        compare(document, written(served(catalog, "simulate"), catalog), catalog)
