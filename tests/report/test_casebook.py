"""What is shown of the casebook: as a table, one by one, in English and Chinese, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from made_answers import cases

from exaplan.answers.casebook import VERDICTS
from exaplan.catalog import Catalog, load
from exaplan.report import casebook, schemas, screen, to_json
from exaplan.report.words import speaking, words

Golden = Callable[[str, str], None]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_cases_are_drawn(language: str, catalog: Catalog, golden: Golden) -> None:
    """The table, and one case with claim, computation, answer, verdict and sources."""
    with speaking(language):
        table, one = screen.draw(casebook.cases_view(cases())), screen.draw(casebook.case_view(cases()[0], catalog))
    golden(f"made_cases_{language}.txt", table)
    golden(f"made_case_{language}.txt", one)


def test_the_chinese_casebook_has_no_english_words_of_ours(catalog: Catalog) -> None:
    """In Chinese only names, units, formulas, sources and commands stay in Latin letters."""
    with speaking("zh"):
        told = screen.draw(casebook.cases_view(cases()))
    for text in ("H100", "MW", "exaplan cases NAME", "--json", "barge-power", "rule-date", "AI"):
        told = told.replace(text, "")
    assert not re.search(r"[A-Za-z]{2,}", told), told


@pytest.mark.parametrize("verdict", VERDICTS)
def test_each_verdict_has_words_in_each_language(verdict: str) -> None:
    """holds, wrong, garbled, misattributed, not sourced, not computable."""
    key = verdict.replace(" ", "_")
    assert words("en")["cases"]["verdicts"][key] == verdict
    assert re.search("[\u4e00-\u9fff]", words("zh")["cases"]["verdicts"][key])


def test_the_json_of_a_case_has_the_keys_of_the_contract(catalog: Catalog) -> None:
    """The published schemas accept it; texts stand in both languages; unknown sources keep their id."""
    both = json.loads(to_json.text(casebook.cases_json(cases(), catalog)))
    jsonschema.validate(both, schemas.schema("cases"))
    one = json.loads(to_json.text(casebook.case_json(cases()[0], catalog)))
    jsonschema.validate(one, schemas.schema("case"))
    for key in ("name", "claim", "ask", "answer", "range", "verdict", "sources"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({other: one[other] for other in one if other != key}, schemas.schema("case"))
    assert (one["answer"], one["range"], one["verdict"]) == (12.75, [11.25, 12.75], "wrong")
    assert one["texts"]["claim"]["zh"].startswith("这艘") and one["claim"] == "The barge takes 100 MW."
    assert [source["id"] for source in one["sources"]] == ["epoch-prices", "unheard-of"]
    assert both["cases"][1]["answer"] is True and both["cases"][1]["range"] == [None, None]


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (12.75, "MW", "12.75 MW"),
        (10_200.0, "W", "10.2 kW"),
        (0.12345678, "ratio", "0.1235"),
        (9.9e18, "FLOP/s", "9.9 EFLOP/s"),
        (1250, "", "1,250"),
        (2023.0, "year", "2023"),
        (0, "", "0"),
        (True, "", "yes"),
        (False, "", "no"),
        (None, "W", "–"),  # noqa: RUF001
        ("2023-10-17", "", "2023-10-17"),
        (["a100", "h100"], "", "a100, h100"),
    ],
)
def test_any_answer_is_written(value: Any, unit: str, told: str) -> None:
    """Numbers to four digits with their unit, truths, dates, lists."""
    assert casebook.value_text(value, unit) == told


def test_cases_are_found_by_any_of_their_words() -> None:
    """Name, claim, verdict, in either language, in any case of letters."""
    barge, year = cases()
    assert casebook.matches(barge, "BARGE") and casebook.matches(barge, "海上") and casebook.matches(year, "holds")
    assert not casebook.matches(year, "barge")


def test_an_answer_without_range_has_none() -> None:
    """Equal or unknown ends are no range."""
    barge = cases()[0]
    assert casebook.answer_text(barge) == "12.75 MW (11.25 to 12.75 MW)"
    assert casebook.answer_text(replace(barge, low=None)) == "12.75 MW"
    assert casebook.answer_text(replace(barge, low=12.75)) == "12.75 MW"


@pytest.mark.parametrize(
    ("value", "unit", "english", "chinese"),
    [
        (23.5, "million USD", "$23.5M", "2,350 万美元"),
        (277.0, "billion USD", "$277B", "2,770 亿美元"),
        (2062.36, "billion USD", "$2.062T", "2.062 万亿美元"),
        (6.242e8, "USD", "$624.2M", "6.242 亿美元"),
        (-3.0e9, "USD", "-$3B", "-30 亿美元"),
        (142_137_752.0, "GPUs", "142,137,752 GPUs", "1.421 亿块 GPU"),
        (2_700_000.0, "CNY", "2,700,000 CNY", "270 万元人民币"),
        (9_000.0, "USD", "$9k", "$9k"),
        (1.47e7, "W", "14.7 MW", "14.7 MW"),
        (4.8e12, "B/s", "4.8 TB/s", "4.8 TB/s"),
        (40_000.0, "h", "40,000 h", "40,000 小时"),
        (2028.409, "year", "2028.4", "2028.4"),
        (2024.0, "fiscal year", "2024 fiscal year", "2024 财年"),
    ],
)
def test_amounts_are_written_as_each_language_counts(value: float, unit: str, english: str, chinese: str) -> None:
    """Prefixes in English; in Chinese ten thousands and hundred millions, but for units with prefixes and times."""
    assert casebook.value_text(value, unit) == english
    with speaking("zh"):
        assert casebook.value_text(value, unit) == chinese


def test_a_bare_ratio_is_named_and_told_in_percent() -> None:
    """Unit 1 is told in percent, with what it is; other units tell it themselves; a verdict in words needs no name."""
    share = replace(cases()[0], ask={"answer": "tax"}, answer=1.625, unit="1", low=0.78, high=2.94, claimed=0.25)
    assert casebook.named_text(share) == "tax: 162.5% (78% to 294%)"
    assert casebook.claimed_text(share) == "25%"
    assert casebook.named_text(replace(share, unit="x")) == "tax: 1.625 x (0.78 to 2.94 x)"
    assert casebook.named_text(replace(share, unit="MW")).startswith("1.625 MW")
    assert casebook.named_text(replace(share, answer="licence", unit="", low=None)) == "licence"
    with speaking("zh"):
        assert casebook.named_text(share).startswith("税")


def test_a_case_says_its_inputs_once(catalog: Catalog) -> None:
    """Inputs in one table, steps with formulas, the rules of the verdict; sources a line each, without address."""
    rules = [{"if": "whole < 50", "then": "wrong"}, {"else": "holds"}]
    barge = replace(cases()[0], ask={**cases()[0].ask, "verdict": rules})
    told = screen.draw(casebook.case_view(barge, catalog))
    assert told.count("node dgx-h100 power") == 1 and told.count("servers * power / 1e6") == 1
    assert "wrong if whole < 50" in told and "else holds" in told
    assert "https://" not in told and "epoch-prices: Epoch AI hardware prices\n" in told


def test_large_ends_in_chinese_keep_their_unit() -> None:
    """2 万 at the low end and 1 亿 at the high end are not of one unit."""
    wide = replace(cases()[0], answer=3.0e5, unit="CNY", low=2.0e4, high=1.0e8, claimed=None)
    with speaking("zh"):
        assert casebook.answer_text(wide) == "30 万元人民币（2 万元人民币 至 1 亿元人民币）"  # noqa: RUF001
