"""Words on a screen: the same keys in every language, and an unknown language is refused."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import exaplan
from exaplan.catalog import load
from exaplan.catalog.loader import Document
from exaplan.errors import InputError
from exaplan.report.words import (
    languages,
    local,
    phrase,
    rule_title,
    speak,
    speaking,
    spoken,
    translations,
    word,
    words,
)

REPORT = Path(exaplan.__file__).parent / "report"
HOLE = re.compile(r"\{(\w+)\}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def flat(found: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and words."""
    for key, value in found.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def test_every_language_has_the_same_keys() -> None:
    """No key of English is missing in another language, and none is there that English lacks."""
    english = dict(flat(words("en")))
    for language in languages():
        other = dict(flat(words(language)))
        assert sorted(english.keys() - other.keys()) == [], f"missing in {language}"
        assert sorted(other.keys() - english.keys()) == [], f"only in {language}"


def test_every_language_fills_the_same_holes() -> None:
    """A translation names the same fields as the English words, and all are text."""
    english = dict(flat(words("en")))
    for language in languages():
        other = dict(flat(words(language)))
        assert [key for key, text in other.items() if not isinstance(text, str)] == []
        wrong = {key for key, text in other.items() if set(HOLE.findall(text)) != set(HOLE.findall(english[key]))}
        assert wrong <= {"headline.bind", "headline.binds"}, language


def test_phrases_fill_the_same_holes() -> None:
    """A sentence and its translation stand for the same fields."""
    for english, told in translations("zh")["phrases"].items():
        assert set(HOLE.findall(told)) <= set(HOLE.findall(english)), english
        assert CHINESE.search(told) or english in ("Meta",), english


def test_every_key_that_the_reports_use_has_words() -> None:
    """No view falls back to a bare key: every literal key of ``word`` and every column is in the words."""
    known, missing = dict(flat(words("en"))), []
    for file in sorted(REPORT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "word":
                key = node.args[0]
                if isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value not in known:
                    missing.append((file.name, key.value))
    assert missing == []


def test_words_are_spoken_in_the_language_that_was_set() -> None:
    """For a while, or from then on; English is where it starts."""
    assert spoken() == "en" and word("law.yes") == "yes"
    with speaking("zh"):
        assert spoken() == "zh" and word("law.yes") == "是"
    assert word("law.yes") == "yes"
    speak("zh")
    try:
        assert word("law.through", date="2026-09-25") == "规则读至 2026-09-25。"
    finally:
        speak("en")


@pytest.mark.parametrize("language", ["de", "", "../en", "zh-CN", "EN"])
def test_an_unknown_language_is_refused(language: str) -> None:
    """The known ones stand in the hint; nothing is read from a path."""
    with pytest.raises(InputError) as caught, speaking(language):
        pass
    assert "known: en, zh" in caught.value.hint and "--lang" in str(caught.value)
    if language == "zh-CN":
        assert "did you mean zh?" in caught.value.hint


def test_a_missing_key_is_readable() -> None:
    """A key without words is shown by its last part, in every language."""
    with speaking("zh"):
        assert word("nothing.of_the_kind") == "of the kind"
        assert rule_title("no-such-rule", "No such rule") == "No such rule"


def test_phrases_are_translated_with_their_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole sentences, and sentences with something in the middle, which is translated itself; others stay."""
    from exaplan.report import words as module

    found = {"a licence": "许可证", "{what} for {place}": "{place}的{what}"}
    monkeypatch.setattr(module, "translations", lambda language: {"phrases": found})
    module._phrases.cache_clear()
    try:
        assert phrase("a licence") == "a licence"
        with speaking("zh"):
            assert phrase("a licence") == "许可证"
            assert phrase("a licence for CN") == "CN的许可证"
            assert phrase("something else") == "something else"
            assert phrase("some-rule: a licence; something else") == "some-rule：许可证；something else"  # noqa: RUF001
            assert phrase("some-rule: something else") == "some-rule: something else"
    finally:
        module._phrases.cache_clear()


def test_texts_by_language_fall_back_to_english() -> None:
    """The spoken language, else English, else any, else nothing."""
    with speaking("zh"):
        assert local({"en": "yes", "zh": "是"}) == "是"
        assert local({"en": "yes"}) == "yes"
    assert local({"zh": "是"}) == "是" and local({}) == ""


def test_every_word_of_the_rules_is_there_in_chinese() -> None:
    """Titles, clauses, policies, notes and summaries of every rule: none is left in English."""
    book, left = load().rules, []
    for rule in book.rules.values():
        texts = [rule.summary, rule.status, rule.note, *(each.note for each in rule.thresholds.values())]
        for clause in rule.provisions:
            texts += [clause.title, clause.review, clause.policy, clause.note, clause.base]
        with speaking("zh"):
            titled = [rule_title(rule.name, rule.title)]
            left += [text for text in (*titled, *map(phrase, texts)) if text and not SAME.search(text)]
    assert left == []


def test_every_word_of_the_cases_is_there_in_chinese() -> None:
    """Notes and units of every case: none is left in English but names and symbols of units."""
    left = []
    for case in map(claim_of, load().cases.values()):
        notes = [*case.get("notes", ()), *(item.get("note", "") for item in parts(case, "inputs"))]
        units = [
            case.get("unit", ""),
            *(item.get("unit", "") for kind in ("inputs", "steps") for item in parts(case, kind)),
        ]
        with speaking("zh"):
            left += [phrase(text) for text in notes if text and not CHINESE.search(phrase(text)) and text != "Meta"]
            left += [phrase(unit) for unit in units if not CHINESE.search(phrase(unit)) and unit not in SYMBOLS]
    assert left == []


SAME = re.compile(r"[\u4e00-\u9fff]|^3A090[.abc12]*$")
SYMBOLS = (
    "",
    "1",
    "x",
    "%",
    "W",
    "m",
    "kg",
    "kg/m3",
    "kg/oz",
    "1/s",
    "FLOP",
    "B",
    "FLOP/s",
    "H100e",
    "MW",
    "W/m2",
    "J",
    "s",
)


def claim_of(document: Document) -> Mapping[str, Any]:
    """A case as it is written."""
    return document.value


def parts(case: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """Its inputs or steps that are more than a value."""
    return [item for item in (case.get(kind) or {}).values() if isinstance(item, Mapping)]


def test_the_notes_of_prices_in_china_are_told_in_chinese() -> None:
    """A Chinese reader sees first what was paid at home."""
    with speaking("zh"):
        bare = {row.note for row in load().prices if row.place == "CN" and row.note and phrase(row.note) == row.note}
    assert not bare
