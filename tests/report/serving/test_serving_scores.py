"""The score of serving beside what other predictors publish of themselves."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from made_answers import validation

from exaplan.answers import Score, Validation
from exaplan.report import schemas, scores, screen, to_json
from exaplan.report.peers import QUANTITIES, peers
from exaplan.report.words import speaking, word


def scored(**changes: Score) -> Validation:
    """A validation of serving rows."""
    tpot, ttft = Score(3000, 0.1, 0.13, 0.01, 0.8, 0.4), Score(3000, 0.18, 0.27, -0.02, 0.79, 0.9)
    return replace(validation(), summary={"tpot": tpot, "ttft": ttft, **changes})


def test_our_errors_stand_above_those_of_the_peers() -> None:
    """Mean with median of ours; a number or a span of theirs; where each is published, or that no page was found."""
    text = screen.draw(scores.validation_view(scored()))
    table = text[text.index("beside what others publish") :]
    assert "13.0% (median 10.0%)" in table and "27.0% (median 18.0%)" in table
    assert table.index("exaplan") < table.index("NVIDIA AIConfigurator") < table.index("sources")
    assert "27% … 31%" in table and "52% … 57%" in table and "https://arxiv.org/abs/2601.06288" in table
    assert "no public page found" in table


def test_training_scores_have_no_peers() -> None:
    """Nor do serving quantities without a row; what only one of them has is a dash."""
    assert "beside what others publish" not in screen.draw(scores.validation_view(validation()))
    empty = replace(validation(), summary={"tpot": Score(0, 0.0, 0.0, 0.0, 0.0, 0.0)})
    assert "beside what others publish" not in screen.draw(scores.validation_view(empty))
    half = replace(scored(), summary={"tpot": scored().summary["tpot"]})
    assert "–" in screen.draw(scores.validation_view(half))  # noqa: RUF001


def test_a_recorded_score_is_compared_too() -> None:
    """Where the rows themselves are not at hand, the score that a group keeps of them stands beside the peers."""
    kept = replace(validation(), groups={"recorded": {"tpot": scored().summary["tpot"]}})
    text = screen.draw(scores.validation_view(kept))
    assert "13.0% (median 10.0%)" in text[text.index("beside what others publish") :]


def test_the_json_holds_the_peers() -> None:
    """By name with their spans, by the published schema; none beside training scores."""
    document = json.loads(to_json.text(to_json.validation_json(scored())))
    jsonschema.validate(document, schemas.schema("validate"))
    assert document["peers"]["aiconfigurator"]["ttft"] == [0.52, 0.57]
    assert to_json.validation_json(validation())["peers"] == {}


def test_every_peer_says_what_it_was_measured_on() -> None:
    """Spans are ratios in order; addresses are https or absent; the Chinese table is Chinese."""
    for name, peer in peers().items():
        assert peer["title"] and peer["of"] and peer["address"].partition(":")[0] in ("https", ""), name
        for quantity in QUANTITIES:
            low, high = peer[quantity]
            assert 0.0 < low <= high < 5.0
    with speaking("zh"):
        text = screen.draw(scores.validation_view(scored()))
        assert word("validate.peers") in text and "measured points" not in text


@pytest.mark.parametrize("name", ["ttft", "tpot", "ttft_disagg", "tpot_disagg", "throughput", "latency", "power"])
def test_every_quantity_has_a_name(name: str) -> None:
    """In both languages, never the bare key."""
    with speaking("zh"):
        assert word(f"quantities.{name}") != name.replace("_", " ")
    assert "_" not in word(f"quantities.{name}")
