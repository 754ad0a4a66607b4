"""The AI tax of a serving question: both plans are shown as what they are."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from made_answers import OFFERS, side, tax
from made_served import plan

from exaplan.answers.tax import Tax
from exaplan.catalog import Catalog, load
from exaplan.nouns.serving import Deployment, Replica, Settings
from exaplan.report import answered, schemas, screen, to_json


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


@pytest.fixture(scope="module")
def taxed(catalog: Catalog) -> Tax:
    """A service that is dearer where it may not have the chips it would like."""
    mine = plan(catalog, Deployment(Replica(tp=8), 3, Settings("vllm-v1")), "a100-sxm-80gb", cost=1.5e6, terms="buy",
                offers=(replace(OFFERS[1], place="CN"),))  # fmt: skip
    free = plan(catalog, cost=1.0e6, terms="buy", offers=())
    bought = replace(side(catalog), reference=free, local=mine, time_ratio=None)
    made = tax(catalog)
    return replace(made, sides={**made.sides, "buy": bought}, series=())


def test_both_deployments_are_told(taxed: Tax, catalog: Catalog) -> None:
    """Copies, degrees and engine of both sides, and the price of the one that names it."""
    text = screen.draw(answered.view("tax", taxed, catalog))
    assert "2 x tp 4" in text and "3 x tp 8" in text and "8 h100-sxm" in text and "24 a100-sxm-80gb" in text
    assert "vllm-v1, fp8, KV fp8" in text and "epoch-prices" in text


def test_the_json_holds_both_deployments(taxed: Tax, catalog: Catalog) -> None:
    """The published schema accepts it; layouts are those of services."""
    document = json.loads(to_json.text(answered.document(taxed, catalog)))
    jsonschema.validate(document, schemas.schema("tax"))
    assert document["reference"]["layout"]["dp"] == 2 and document["local"]["chips"] == 24
    assert document["local"]["price_source"] == "epoch-prices" and document["reference"]["price_source"] is None


def test_a_tax_on_training_has_no_row_for_an_engine(catalog: Catalog) -> None:
    """Nothing is shown that neither plan has."""
    assert "engine" not in screen.draw(answered.view("tax", tax(catalog), catalog))
