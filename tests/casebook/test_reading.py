"""A case file is read strictly: whatever is wrong is refused with file, line, field and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaplan.catalog import load
from exaplan.catalog.cases import claim
from exaplan.catalog.loader import parse_yaml
from exaplan.catalog.sheet import Sheet
from exaplan.errors import CatalogError, InputError
from exaplan.planning import casebook

CATALOG = load()
GOOD = """\
name: good
title: {en: A title, zh: 标题}
claim: {en: It is said., zh: 据说}
article: own-estimate
topic: price
inputs:
  price: {value: 12, unit: USD, low: 10, high: 15, source: own-estimate}
  day: {value: 2024-01-31, source: own-estimate}
  peak: {ask: chip, name: h100-sxm, field: peak.bf16}
steps:
  twice: 2 * price
  since: {is: day - 30, unit: date}
answer: twice
unit: USD
claimed: 20
verdict:
  - {if: answer > claimed, then: wrong, because: {en: "{answer:.0f}", zh: "{answer:.0f}元"}}
  - {else: holds, because: {en: Fine., zh: 好}}
"""


def sheet(text: str, own: str = "") -> Sheet:
    return Sheet(parse_yaml(text, "case.yaml"), CATALOG.sources, own)


def test_a_good_file_is_read() -> None:
    """Every part of a case arrives: inputs in order, steps, answer, claim and rules."""
    found = claim(sheet(GOOD))
    assert [item.name for item in found.inputs] == ["price", "day", "peak"]
    assert [step.name for step in found.steps] == ["twice", "since"]
    assert (found.answer, found.unit, found.topic) == ("twice", "USD", "price")
    assert [rule.verdict for rule in found.rulings] == ["wrong", "holds"]
    assert found.inputs[2].ask == "chip"


WRONG = [
    ("topic: price", "topic: prize", "topic", "none of what there is"),
    ("topic: price", "subject: price", "subject", "unknown field"),
    ("article: own-estimate", "article: nowhere", "article", "unknown source"),
    ("title: {en: A title, zh: 标题}", "title: {en: A title}", "title", "in each language"),
    ("title: {en: A title, zh: 标题}", "title: A title", "title", "in each language"),
    ("title: {en: A title, zh: 标题}", "title: {en: A title, zh: 标题, fr: Titre}", "title", "in each language"),
    (", source: own-estimate}\n  day", "}\n  day", "price.source", "no source"),
    ("high: 15, source: own-estimate", "high: 15, source: nowhere", "price.source", "unknown source"),
    ("unit: USD, low", "low", "price", "no unit"),
    ("value: 12, ", "", "price", "no `value`"),
    ("value: 12", "value: null", "price", "says why"),
    ("value: 12", "value: [1, 2]", "price.value", "a list"),
    ("low: 10", "low: 13", "price", "not in order"),
    ("low: 10", "low: ten", "price.low", "not a number"),
    ("low: 10", "lowest: 10", "price.lowest", "unknown field"),
    ("value: 2024-01-31", "value: 2024-01-31, low: 3", "day.low", "not a number"),
    ("  price: {", "  Price: {", "Price", "cannot be a name"),
    ("  price: {", "  answer: {", "answer", "cannot be a name"),
    ("  price: {", "  true: {", "true", "cannot be a name"),
    ("ask: chip", "ask: oracle", "peak.ask", "cannot be asked"),
    (", field: peak.bf16", "", "peak", "needs `field`"),
    ("field: peak.bf16", "field: peak.bf16, colour: red", "peak.colour", "unknown field"),
    ("name: h100-sxm", "name: =later", "peak.name", "no earlier input"),
    ("2 * price", "2 * prize", "steps.twice", "unknown name `prize`"),
    ("2 * price", "2 *", "steps.twice", "cannot be read"),
    ("2 * price", "__import__('os')", "steps.twice", "not part of the language"),
    ("twice: 2 * price", "twice: [2]", "steps.twice", "not an expression"),
    ("twice: 2 * price", "price: 2 * price", "steps.price", "an input already"),
    ("{is: day - 30, unit: date}", "{is: day - 30, units: date}", "steps.since.units", "unknown field"),
    ("answer: twice", "answer: thrice", "answer", "none of what there is"),
    ("claimed: 20", "claimed: much", "claimed", "unknown name `much`"),
    ("if: answer > claimed", "if: answer > claim", "verdict[0].if", "unknown name `claim`"),
    ("then: wrong", "then: false", "verdict[0]", "unknown verdict"),
    ("then: wrong", "so: wrong", "verdict[0].so", "unknown field"),
    ("then: wrong, ", "", "verdict[0]", "no `then`"),
    ("en: Fine., ", "", "verdict[1].because", "in each language"),
    ('en: "{answer:.0f}"', 'en: "{anser:.0f}"', "verdict[0].because.en", "names nothing"),
    ('en: "{answer:.0f}"', 'en: "{answer:x}"', "verdict[0].because.en", "no way to write"),
    ("  - {else: holds, because: {en: Fine., zh: 好}}\n", "", "verdict", "says `else`"),
    ("inputs:\n", "inputs: 3\nsteps_of:\n", "steps_of", "unknown field"),
]


@pytest.mark.parametrize(("old", "new", "field", "problem"), WRONG, ids=[f"{w[2]}: {w[3]}" for w in WRONG])
def test_what_is_wrong_is_refused_with_its_place(old: str, new: str, field: str, problem: str) -> None:
    """An error of a case of the catalogue names the file, the line, the field and what is wrong."""
    assert GOOD.count(old) == 1
    with pytest.raises(InputError, match=r"case\.yaml:") as caught:
        claim(sheet(GOOD.replace(old, new)))
    assert problem in caught.value.problem
    assert caught.value.hint
    assert caught.value.place.line is not None
    assert str(caught.value.place.field).endswith(field)


@pytest.mark.parametrize("body", ["inputs: 3", "inputs: {}", "inputs: null"])
def test_inputs_are_lines(body: str) -> None:
    """A case without inputs is none."""
    start, end = GOOD.index("inputs:"), GOOD.index("steps:")
    with pytest.raises(CatalogError, match="inputs"):
        claim(sheet(GOOD[:start] + body + "\n" + GOOD[end:]))


@pytest.mark.parametrize("body", ["verdict: holds", "verdict: []", "verdict: [holds]"])
def test_verdicts_are_rules(body: str) -> None:
    """A verdict cannot be written down: only rules that lead to one can."""
    with pytest.raises(CatalogError, match="no list of rules"):
        claim(sheet(GOOD[: GOOD.index("verdict:")] + body + "\n"))


def test_an_own_file_needs_no_source(tmp_path: Path) -> None:
    """In a user's own file bare values, one language and no article are enough; the file is the source."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\ntitle: Mine\nclaim: A dozen is ten.\ninputs:\n  dozen: 12\n  told: {value: 10, unit: eggs}\n"
        "steps: {share: told / dozen}\nanswer: share\nverdict:\n"
        "  - {if: share < 0.9, then: wrong, because: It is not.}\n"
        "  - {else: holds, because: It is.}\n",
        encoding="utf-8",
    )
    found = casebook.answer(CATALOG, str(file))
    assert found.verdict == "wrong"
    assert found.reason == {"en": "It is not.", "zh": "It is not."}
    assert found.sources == (f"user:{file}",)
    assert casebook.answer(CATALOG, "mine.yaml", {"told": 12}, near=tmp_path).verdict == "holds"


def test_an_overlay_brings_cases_of_its_own(tmp_path: Path) -> None:
    """A folder laid over the catalogue adds its cases to the book, each its own source."""
    (tmp_path / "cases").mkdir()
    text = GOOD.replace("name: good", "name: mine").replace("article: own-estimate\n", "")
    (tmp_path / "cases" / "mine.yaml").write_text(text, encoding="utf-8")
    catalog = load(tmp_path)
    assert "mine" in {item.name for item in casebook.every(catalog)}
    assert casebook.answer(catalog, "mine").article == f"user:{tmp_path}"


def test_a_bare_value_is_refused_in_the_catalogue() -> None:
    """No source, no load."""
    with pytest.raises(CatalogError, match="has no source"):
        claim(sheet(GOOD.replace("  day: {value: 2024-01-31, source: own-estimate}", "  day: 2024-01-31")))


def test_an_unknown_case_has_neighbours() -> None:
    """A misspelt name is answered with the nearest ones; a missing file is told."""
    with pytest.raises(InputError, match="unknown case `bsfc`") as caught:
        casebook.answer(CATALOG, "bsfc")
    assert "bsfcc" in caught.value.hint
    with pytest.raises(InputError, match="no such file"):
        casebook.answer(CATALOG, "nowhere.yaml")
