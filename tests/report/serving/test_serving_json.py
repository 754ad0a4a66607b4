"""The JSON of serving answers: its keys are a contract, and its schema is published."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from made_answers import answer
from made_served import disaggregated, engine, overloaded, plan, quantiles, served, simulated

from exaplan.answers.serving import Served
from exaplan.catalog import Catalog, load
from exaplan.nouns import Figure
from exaplan.report import answered, schemas, to_json
from exaplan.report.serving.to_json import quantiles_json

PLAN_KEYS = (
    "chip", "chips", "nodes", "layout", "engine", "time", "cost", "energy", "carbon", "memory", "metrics", "range",
    "breakdown", "per_million", "margin",
)  # fmt: skip
TOP_KEYS = ("kind", "plans", "binding", "relief", "front", "rejected", "considered", "rate", "provenance")
RUN_KEYS = (
    "requests", "duration", "throughput", "ttft", "tpot", "latency", "kv", "preemptions", "goodput", "series", "stable",
    "partial", "little",
)  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


def written(made: Served, catalog: Catalog) -> dict[str, Any]:
    """The document as it comes back from a file."""
    return dict(json.loads(to_json.text(answered.document(made, catalog))))


@pytest.mark.parametrize("make", [served, disaggregated])
def test_a_plan_has_the_keys_of_the_contract(make: Any, catalog: Catalog) -> None:
    """The published schema accepts it, and needs every promised key."""
    document, validator = written(make(catalog), catalog), jsonschema.Draft202012Validator(schemas.schema("plan"))
    validator.validate(document)
    for key in TOP_KEYS:
        assert not validator.is_valid({other: document[other] for other in document if other != key}), key
    for key in PLAN_KEYS:
        broken = {
            **document,
            "plans": [{other: value for other, value in document["plans"][0].items() if other != key}],
        }
        assert not validator.is_valid(broken), key


@pytest.mark.parametrize("make", [overloaded, lambda catalog: served(catalog, "simulate")])
def test_a_simulation_has_the_keys_of_the_contract(make: Any, catalog: Catalog) -> None:
    """Its run stands at the top; every promised key is needed, and percentiles by their names."""
    document, validator = written(make(catalog), catalog), jsonschema.Draft202012Validator(schemas.schema("simulate"))
    validator.validate(document)
    assert {"mean", "p50", "p90", "p99"} <= document["ttft"].keys()
    assert {"requests", "output_tokens", "total_tokens"} == document["throughput"].keys()
    for key in RUN_KEYS:
        assert not validator.is_valid({other: document[other] for other in document if other != key}), key


def test_each_kind_is_held_to_its_own_schema(catalog: Catalog) -> None:
    """A training document that calls itself serving is refused, and the other way round."""
    schema = schemas.schema("plan")
    training = json.loads(to_json.text(to_json.answer_json(answer(catalog), catalog)))
    jsonschema.validate(training, schema)
    for document, kind in ((training, "serving"), (written(served(catalog), catalog), "training")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, "kind": kind}, schema)


def test_the_layout_speaks_the_words_of_training(catalog: Catalog) -> None:
    """dp is copies, micro_batch the sequences of an iteration; attention ranks have a key of their own."""
    layout = written(disaggregated(catalog), catalog)["plans"][0]
    assert layout["layout"] | {"micro_batch": 128} == layout["layout"]
    assert {key: layout["layout"][key] for key in ("dp", "tp", "pp", "ep", "attention_dp")} == {
        "dp": 1, "tp": 4, "pp": 1, "ep": 8, "attention_dp": 2,
    }  # fmt: skip
    assert layout["prefill"] == {"replicas": 2, "tp": 2, "pp": 2, "cp": 1, "ep": 1, "attention_dp": 1}
    assert layout["autoscale"]["most"] == 4 and layout["engine"]["speculative"]["draft"] == "mtp"


def test_what_was_set_is_told_from_the_engines_own(catalog: Catalog) -> None:
    """Values are filled in from the engine; ``set`` names those that the plan fixes."""
    first = written(served(catalog), catalog)["plans"][0]["engine"]
    assert (first["max_seqs"], first["memory_share"]) == (128, 0.9)
    assert sorted(first["set"]) == ["max_seqs", "max_tokens", "prefix_cache"]


def test_what_is_not_finite_is_null(catalog: Catalog) -> None:
    """Unknown confidence, unknown cost and infinite times are null, never NaN."""
    found = quantiles_json(quantiles(1.0, told=False))
    assert set(found["error"].values()) == {None}
    run = simulated(ttft=replace(quantiles(1.0), p99=math.inf), little=math.nan)
    document = written(served(catalog, "simulate", plans=(plan(catalog, run=run, cost=None),)), catalog)
    assert (document["ttft"]["p99"], document["little"], document["plans"][0]["cost"]) == (None, None, None)
    assert document["plans"][0]["cost_hour"] is None
    jsonschema.validate(document, schemas.schema("simulate"))


def test_figures_and_sources_of_the_engine_are_in_the_provenance(catalog: Catalog) -> None:
    """The engine's figures, the prices and what the terms cite are spelled out."""
    found = written(served(catalog), catalog)["provenance"]
    kinds = {(figure["kind"], figure["name"], figure["field"]) for figure in found["figures"]}
    assert ("engine", "vllm-v1", "max_seqs") in kinds and ("chip", "h100-sxm", "memory") in kinds
    assert {"mercatus-2026", "epoch-prices"} <= found["sources"].keys()
    assert found["terms"]["products"]["tokens"] == 55.0 and found["fits"] == {"kernels": "abc"}
    said = replace(served(catalog), engine=engine(figures={"batching": Figure(None, "mercatus-2026")}))
    batching = next(item for item in written(said, catalog)["provenance"]["figures"] if item["field"] == "batching")
    assert batching["word"] == "mixed"


def test_a_cost_per_hour_is_cost_over_time(catalog: Catalog) -> None:
    """In USD per hour; its range is that of the cost, and so are those by the token; what has its own keeps it."""
    first = written(served(catalog), catalog)["plans"][0]
    assert first["range"]["cost_hour"] == pytest.approx([end / 2.592e6 * 3600 for end in (3.6e4, 5.2e4)])
    assert first["range"]["energy_token"] == pytest.approx([1.5 * 0.85, 1.5 * 1.15])
    assert first["range"]["per_million_output"] == [2.7, 3.9]
    assert first["cost_hour"] == pytest.approx(4.1e4 / 2.592e6 * 3600)


def test_the_front_names_how_each_point_is_served(catalog: Catalog) -> None:
    """Chip, layout, formats and load of every point; which of them nothing beats."""
    front = written(served(catalog), catalog)["front"]
    assert len(front) == 10 and sum(point["front"] for point in front) == 5
    assert front[0]["layout"]["tp"] == 4 and front[0]["load"] == 1 and front[0]["weights"] == "fp8"
