"""The commands about money: prices, owning, making a chip, the tax and the casebook, and how each refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from commands import refused, run, told

import exaplan
from exaplan.answers.tax import BreakEven, Tax, TaxPoint, TaxSide
from exaplan.ask import Ask
from exaplan.catalog import load
from exaplan.nouns import Deal

ALONE = {
    "check": ("A800", "--to", "CN"),
    "chips": ("--to", "CN"),
    "rules": (),
    "prices": ("h100",),
    "own": ("--chip", "h100"),
    "make": ("dojo",),
    "cases": ("dearer-than-gold",),
}


@pytest.mark.parametrize("name", ALONE)
def test_each_command_stands_alone(name: str) -> None:
    """In a process of its own, where nothing is imported before it."""
    command = [sys.executable, "-m", "exaplan", name, *ALONE[name], "--lang", "zh"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "exaplan:" not in done.stderr, done.stderr


# ---------------------------------------------------------------------------------------------------- prices


def test_prices_are_told_with_their_sources() -> None:
    """All rows of a chip, street prices among them, and what holds on a day."""
    made = told("prices", "prices", "h100", "--on", "2024-01-15")
    kinds = {row["kind"] for row in made["prices"]}
    assert {"rent", "chip"} <= kinds and all(row["source"] in made["sources"] for row in made["prices"])
    assert made["readings"] and all(reading["value"] for reading in made["readings"])
    assert "h100-sxm" in run("prices", "h100").stdout
    assert len(told("prices", "prices")["prices"]) == len(load().prices)


def test_prices_are_filtered_by_place_and_kind() -> None:
    """A place in any spelling; a street price is told as a published fact."""
    rows = told("prices", "prices", "--place", "中国", "--kind", "street")["prices"]
    assert rows and {(row["place"], row["kind"]) for row in rows} == {("CN", "street")}
    asked = ("prices", "--place", "China", "--kind", "street")
    assert "street" in run(*asked).stdout
    header, *lines = run(*asked, "--csv").stdout.splitlines()
    assert {"item", "kind", "currency", "vat", "source"} <= set(header.split(",")) and len(lines) >= len(rows)


PRICES = [
    (("h10",), "ITEM: ", "h100"),
    (("--kind", "gift"), "--kind: unknown kind of price 'gift'", "street"),
    (("--place", "Chnia"), "--place: unknown place `Chnia`", "China"),
    (("--json", "--csv"), "--json and --csv exclude each other", "keep one"),
    (("--on", "2024"), "--on: '2024' is not a date", "2027-03-01"),
]


@pytest.mark.parametrize(("args", "said", "remedy"), PRICES)
def test_a_wrong_question_about_prices_is_refused(args: tuple[str, ...], said: str, remedy: str) -> None:
    """The argument, the value and the remedy."""
    message = refused("prices", *args)
    assert said in message and remedy in message


def test_a_price_of_an_overlay_needs_a_currency_and_a_date(tmp_path: Path) -> None:
    """A row without either, or in money that has no rate, is refused with its line; nothing is guessed."""
    header = load().layers[0].folder.joinpath("prices.csv").read_text().splitlines()[0]
    names = header.split(",")
    good = dict.fromkeys(names, "") | {"item": "h100-sxm", "kind": "chip", "mid": "30000", "unit": "USD/chip"}
    good |= {"place": "US", "date": "2024-01", "source": f"user:{tmp_path}", "confidence": "read"}
    for field, value in (("unit", "chip"), ("unit", "florin/chip"), ("date", ""), ("mid", "-5")):
        row = good | {field: value}
        (tmp_path / "prices.csv").write_text(f"{header}\n{','.join(row[name] for name in names)}\n")
        assert "prices.csv:2" in refused("prices", "h100", "--catalog", str(tmp_path))


# ------------------------------------------------------------------------------------------------------- own


def test_owning_is_told_in_parts(tmp_path: Path) -> None:
    """One node where no count is given; JSON, file and table say the same."""
    path = tmp_path / "own.json"
    made = told("own", "own", "--chip", "h100", "--on", "2024-01-15", "--out", str(path))
    assert json.loads(path.read_text()) == made
    shown = run("own", "--node", "hgx-h100", "--count", "64", "--cooling", "liquid", "--utilisation", "70%")
    assert shown.exit_code == 0 and "64" in shown.stdout


def test_what_owning_is_reckoned_with_can_be_said() -> None:
    """A longer life is cheaper by the hour, and a dearer capital is dearer."""
    usual = ("own", "--chip", "h100", "--on", "2024-01-15")

    def hour(*more: str) -> float:
        return float(json.loads(run(*usual, *more, "--json").stdout)["per"]["hour"]["value"])

    assert hour("--life", "8 years") < hour("--life", "2 years")
    assert hour("--wacc", "20%") > hour("--wacc", "5%")


OWN = [
    ((), "`cluster.chip` is missing", "--chip"),
    (("--chip", "h10"), "cluster.chip: ", "h100"),
    (("--chip", "h100", "--count", "0"), "--count: cluster.count: '0' is zero", "16,384"),
    (("--chip", "h100,a100"), "leaves a choice (h100, a100)", "one chip"),
    (("--chip", "h100", "--site", "mars"), "cluster.site: ", ""),
    (("--chip", "h100", "--life", "-4 years"), "--life: '-4 years' is negative", "90 d"),
    (("--chip", "h100", "--life", "4"), "--life: '4' has no unit", "90 d"),
    (("--chip", "h100", "--utilisation", "much"), "--utilisation: 'much' is not a share", "70%"),
    (("--chip", "h100", "--utilisation", "0"), "--utilisation: a utilisation of 0", "0.8"),
    (("--chip", "h100", "--utilisation", "150%"), "--utilisation: a utilisation of 1.5", "0.8"),
    (("--chip", "h100", "--utilisation", "nan"), "--utilisation: a utilisation of nan", "0.8"),
    (("--chip", "h100", "--residual", "-5%"), "--residual: a residual value of -0.05", "0.99"),
    (("--chip", "h100", "--wacc", "-1"), "--wacc: a cost of capital of -100.0%", "9%"),
    (("--chip", "h100", "--wacc", "inf"), "--wacc: a cost of capital of inf%", "9%"),
    (("--chip", "h100", "--life", "-5y"), "--life: '-5y' is negative", "90 d"),
    (("--chip", "h100", "--life", "0 y"), "--life: a life of 0 y", "5 y"),
    (("--chip", "h100", "--cooling", "lava"), "--cooling: unknown way of cooling `lava`", "liquid"),
    (("--chip", "gb200", "--cooling", "air"), "--cooling: air does not carry away the 132 kW", "liquid"),
    (("--chip", "h100", "--facility", "tent"), "--facility: unknown facility `tent`", "colocation"),
    (("--chip", "h100", "--on", "soon"), "--on: 'soon' is not a date", "2027-03-01"),
    (("--chip", "h100", "--out", "no/such/x.json"), "--out: there is no folder", "mkdir"),
]


@pytest.mark.parametrize(("args", "said", "remedy"), OWN)
def test_a_wrong_question_about_owning_is_refused(args: tuple[str, ...], said: str, remedy: str) -> None:
    """The flag, the value and the remedy."""
    message = refused("own", *args)
    assert said in message and remedy in message


def test_a_negative_life_in_a_file_is_refused(tmp_path: Path) -> None:
    """The overlay's own ownership.yaml, by file, line and field; a life that can be is taken."""
    (tmp_path / "ownership.yaml").write_text("lifetime: -4 years\n")
    own = ("own", "--chip", "h100", "--catalog", str(tmp_path))
    assert "ownership.yaml:1:1: lifetime: '-4 years' is negative" in refused(*own)
    (tmp_path / "ownership.yaml").write_text("lifetime: 8 years\n")
    assert "life 8 y" in run(*own).stdout


# ------------------------------------------------------------------------------------------------------ make


def test_a_chip_of_ones_own_is_told() -> None:
    """One design as JSON and as a table; without a name every design."""
    assert told("make", "make", "dojo")["name"] == "dojo"
    assert "dojo" in run("make", "dojo").stdout.lower()
    names = [made["name"] for made in json.loads(run("make", "--json").stdout)["designs"]]
    assert names == list(load().designs)
    assert told("make", "make", "dojo", "--rival", "h100", "--volume", "1e6")["rival"] == "h100-sxm"


MAKE = [
    (("doojo",), "doojo", "dojo"),
    (("nope",), "unknown design `nope`", "`exaplan make` lists all"),
    (("dojo", "--rival", "h10"), "h10", "h100"),
    (("dojo", "--volume", "0"), "--volume: '0' chips are none", "whole number"),
    (("dojo", "--volume", "many"), "--volume: 'many'", ""),
    (("dojo", "--on", "then"), "--on: 'then' is not a date", "2027-03-01"),
]


@pytest.mark.parametrize(("args", "said", "remedy"), MAKE)
def test_a_wrong_question_about_making_is_refused(args: tuple[str, ...], said: str, remedy: str) -> None:
    """An unknown design or rival, and no chips."""
    message = refused("make", *args)
    assert said in message and remedy in message


# --------------------------------------------------------------------------------------------------- the tax


@pytest.fixture
def taxed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Ask, date | None, str]]:
    """Replace the verb by one that gives a hand-made tax; returns what it was asked."""
    seen: list[tuple[Ask, date | None, str]] = []
    parts = {"capability": 0.2, "price": 0.1, "duties": 0.15, "quantity": 0.0}
    side = TaxSide("buy", 0.45, parts, 0.3, 0.6, why="")
    none = TaxSide("rent", None, why="no rent is known there")

    def verb(question: Ask, catalog: Any, *, since: date | None = None, step: str = "quarter") -> Tax:
        seen.append((question, since, step))
        sides, deal = {"buy": side, "rent": none}, Deal("CN", "2024-01-15")
        even = (BreakEven("ascend-910b", 9000.0, 15000.0, 1.7),)
        return Tax(question.resolved(), deal, "buy", sides, even, (TaxPoint("2024-01-15", sides),))

    monkeypatch.setattr(exaplan, "tax", verb)
    return seen


TAX = ("tax", "--model", "llama-3.1-8b", "--tokens", "1T", "--to", "CN", "--on", "2024-01-15")


def test_the_tax_is_told_in_every_form(taxed: list[Any], tmp_path: Path) -> None:
    """Table, JSON by its schema, file and chart."""
    made = told("tax", *TAX)
    assert made["tax"] == 0.45 and made["parts"]["duties"] == 0.15
    path, chart = tmp_path / "tax.json", tmp_path / "tax.vl.json"
    shown = run(*TAX, "--out", str(path), "--report", str(chart))
    assert shown.exit_code == 0 and "45" in shown.stdout and "not legal advice" in shown.stdout
    assert json.loads(path.read_text()) == made and "$schema" in json.loads(chart.read_text())


def test_the_tax_hears_every_flag(taxed: list[Any]) -> None:
    """The law, the series, and the work."""
    more = ("--from", "2023-01-01", "--step", "year", "--without", "a,b", "--threshold", "a.tpp=1")
    who = ("--buyer", "state-funded", "--end-user", "Biren", "--headquarters", "SG", "--accept", "licence")
    how = ("--origin", "TW", "--letters", "addressees", "--available", "2,000", "--vat", "recovered")
    assert run(*TAX, *more, *who, *how).exit_code == 0
    (question, since, step) = taxed[0]
    law = question.law
    assert (question.tokens, law.to, law.on) == (1e12, "CN", date(2024, 1, 15))
    assert (since, step, law.without, law.thresholds) == (date(2023, 1, 1), "year", ("a", "b"), {"a.tpp": 1.0})
    assert (law.origin, law.letters, law.count, law.vat) == ("TW", "addressees", 2000, "recovered")
    assert (law.buyer, law.end_user, law.headquarters, law.accept) == ("state-funded", "Biren", "SG", ("licence",))


TAXES = [
    (("--from", "then"), "--from: 'then' is not a date", "2027-03-01"),
    (("--step", "day"), "--step: 'day' is not a step", "quarter"),
    (("--to", ""), "--to: law.to: '' is not a place", "China"),
    (("--threshold", "tpp"), "--threshold: 'tpp' is not NAME=VALUE", "exaplan rules"),
    (("--accept", "denial"), "--accept: law.accept: a chip whose licence would be denied", "--without"),
    (("--lang", "xx"), "--lang: there are no words", "zh"),
    (("--report", "tax.pdf"), "--report: ", ".vl.json"),
]


@pytest.mark.parametrize(("args", "said", "remedy"), TAXES)
def test_a_wrong_question_about_the_tax_is_refused(
    args: tuple[str, ...], said: str, remedy: str, taxed: list[Any]
) -> None:
    """Before anything is computed."""
    message = refused(*TAX, *args)
    assert said in message and remedy in message and not taxed


def test_a_tax_needs_a_destination_and_an_amount() -> None:
    """The real verb: without a place there is no rule, without tokens no work to be taxed."""
    assert "--to" in refused("tax", "--model", "llama-3.1-8b", "--tokens", "1T")
    assert "tokens" in refused("tax", "--model", "llama-3.1-8b", "--to", "CN", "--on", "2024-01-15")


# ------------------------------------------------------------------------------------------------ the casebook


def test_the_casebook_is_told() -> None:
    """All cases as a table and JSON; one alone; only those with a text."""
    every = told("cases", "cases")["cases"]
    name = every[0]["name"]
    assert len(every) == len(load().cases) and name in run("cases").stdout
    assert told("case", "cases", name)["name"] == name
    assert every[0]["sources"] and run("cases", name).exit_code == 0
    found = told("cases", "cases", "--find", name)["cases"]
    assert 0 < len(found) < len(every)
    assert run("cases", "--csv").stdout.startswith("name,")


def test_a_case_is_asked_again_with_another_input() -> None:
    """--set changes an input of one case, and its answer moves."""
    name = "dearer-than-gold"
    usual = told("case", "cases", name)
    price = next(given["value"] for given in usual["inputs"] if given["name"] == "price")
    dearer = told("case", "cases", name, "--set", f"price={3 * price}")
    assert dearer["answer"] == pytest.approx(3 * usual["answer"])


CASES = [
    (("no-such-case",), "no-such-case", ""),
    (("--set", "a=1"), "--set: --set is about the inputs of one case", "cases NAME"),
    (("--lang", "xx"), "--lang: there are no words", "zh"),
]


@pytest.mark.parametrize(("args", "said", "remedy"), CASES)
def test_a_wrong_question_to_the_casebook_is_refused(args: tuple[str, ...], said: str, remedy: str) -> None:
    """An unknown case, an input of no case."""
    message = refused("cases", *args)
    assert said in message and remedy in message


def test_an_unknown_input_of_a_case_is_refused() -> None:
    """By the case, with what it has."""
    name = next(iter(load().cases))
    assert "nonsense" in refused("cases", name, "--set", "nonsense=1")
    assert "--set: 'nonsense' is not NAME=VALUE" in refused("cases", name, "--set", "nonsense")
