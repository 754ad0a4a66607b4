"""What an input asks of the catalogue is what the catalogue answers, with its sources; wrong questions are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exaplan import rules
from exaplan.catalog import load
from exaplan.catalog.cases import Input
from exaplan.errors import InputError, Place
from exaplan.nouns import Deal
from exaplan.planning import casebook, owning
from exaplan.planning.casebook.asking import Desk
from exaplan.planning.casebook.looking import look
from exaplan.planning.casebook.values import Known

CATALOG = load()


def ask(kind: str, before: dict[str, Known] | None = None, /, **given: Any) -> Known:
    return look(Input("it", None, ask=kind, given=given, place=Place("made.yaml", 7)), Desk(CATALOG), before or {})


def test_chips_nodes_and_sites_answer_with_their_figures() -> None:
    """A figure of the catalogue comes with its value in SI, its ends and its source."""
    chip = CATALOG.chip("h100-sxm")
    found = ask("chip", name="h100-sxm", field="peak.fp64")
    figure = chip.figures["peak.fp64"]
    assert (found.value, found.low, found.sources, found.unit) == (figure.value, figure.low, (figure.source,), "FLOP/s")
    assert ask("chip", name="h100-sxm", field="release").value == chip.release
    assert ask("chip", name="h100-sxm", field="tpp").value == rules.tpp(chip)[0]
    assert ask("node", name="hgx-h100", field="power").value == CATALOG.node("hgx-h100").power
    assert ask("site", name="us-average", field="pue").value == CATALOG.site("us-average").pue


def test_a_release_without_a_day_is_its_first() -> None:
    """Of a year or month alone the first day is taken, and a note says so."""
    found = ask("chip", name="l20", field="release")
    assert len(found.value) == 10
    assert len(CATALOG.chip("l20").release) == 10 or "not known" in found.note


def test_prices_rates_and_duties_are_those_of_the_day() -> None:
    """Prices, exchange rates and duties are asked by day and place."""
    reading = CATALOG.reading("h100-sxm", "chip", "2024-02-24")
    assert reading is not None
    assert ask("price", item="h100-sxm", kind="chip", on="2024-02-24").value == reading.figure.value
    assert ask("fx", currency="CNY", on="2023-10-20").value == CATALOG.fx.rate("CNY", "2023-10-20").value
    assert ask("duty", place="CN", on="2023-10-20", field="vat").value == pytest.approx(0.13)


def test_a_price_of_elsewhere_says_so() -> None:
    """Where a place has no price of its own the note names the place whose price it is."""
    assert "price of US" in ask("price", item="h100-sxm", kind="chip", on="2024-02-24", place="Germany").note


def test_checks_are_those_of_the_rules() -> None:
    """A check answers with the verdict, class and facts of `rules.check`; a list with the chips that fit."""
    verdict = rules.check(CATALOG.chip("a800-sxm-80gb"), Deal(to="CN", on="2023-11-17"), CATALOG.rules)
    chip, on = "a800-sxm-80gb", "2023-11-17"
    assert ask("check", chip=chip, to="China", on=on, field="verdict").value == verdict.verdict
    assert ask("check", chip=chip, to="CN", on=on, field="class").value == verdict.class_name
    assert ask("check", chip=chip, to="CN", on=on, field="tpp").value == verdict.facts["tpp"]
    assert "advanced-computing-2023" in ask("check", chip=chip, to="CN", on=on, field="rules").value
    listed = ask("checks", chips=["h100-sxm", "h20"], to="CN", on=on, verdict=["denial", "licence"])
    assert listed.value == "h100-sxm"
    assert ask("checks", chips=["h20"], to="CN", on=on, verdict="denial").value == "none"


def test_a_counterfactual_check_leaves_rules_out() -> None:
    """Without the rule of 2023 an A800 is not under it."""
    found = ask(
        "check", chip="a800-sxm-80gb", to="CN", on="2023-12-01", field="rules", without=["advanced-computing-2023"]
    )
    assert "advanced-computing-2023" not in found.value


def test_rules_and_companies_are_asked_by_name() -> None:
    """A rule answers with its days and thresholds, the list of companies by any of their names and by the day."""
    assert ask("rule", name="advanced-computing-2023", field="announced").value == "2023-10-17"
    assert ask("rule", name="advanced-computing-2023", field="tpp").value == 4800
    assert ask("rules", field="through").value == CATALOG.rules.through
    assert ask("rules", field="count").value == len(CATALOG.rules.rules)
    assert ask("entity", name="壁仞", on="2023-11-20").value == "Biren"
    assert ask("entity", name="壁仞", on="2023-10-01").value == "none"


def test_owning_and_making_answer_with_their_bills() -> None:
    """`own` and `make` answer with the figures of their own answers, ends included."""
    cluster = CATALOG.assemble(CATALOG.chip("h100-sxm"), 64)
    owned = owning.own(CATALOG, cluster, on="2024-06-01")
    found = ask("own", chip="h100-sxm", count=64, on="2024-06-01", field="power")
    assert found.value == owned.power
    capital = ask("own", node="hgx-h100", count=64, on="2024-06-01", field="capital")
    assert capital.value == pytest.approx(sum(item.value for item in owned.capital))
    assert capital.low is not None
    assert capital.low < capital.value
    made = ask("make", design="tigris", field="cost", volume=1e6)
    assert made.low is not None
    assert made.low < made.value
    assert ask("make", design="tigris", field="once").value > 1e8


def test_a_question_may_take_earlier_inputs() -> None:
    """`=day` in a question is the value of the input `day`, and the origin shows it."""
    before = {"day": Known("day", "date", "2023-10-17")}
    found = ask("check", before, chip="a800-sxm-80gb", to="CN", on="=day", field="verdict")
    assert found.origin == "check a800-sxm-80gb CN 2023-10-17 verdict"
    assert found.value == "free"


@pytest.mark.parametrize(
    ("kind", "given", "problem"),
    [
        ("chip", {"name": "h100-sxm", "field": "colour"}, "no figure `colour`"),
        ("chip", {"name": "h999", "field": "memory"}, "unknown chip"),
        ("price", {"item": "h100-sxm", "kind": "gift", "on": "2024-01-01"}, "no price of kind `gift`"),
        ("fx", {"currency": "ZZZ", "on": "2024-01-01"}, "ZZZ"),
        ("duty", {"place": "CN", "on": "2024-01-01", "field": "tithe"}, "no `tithe`"),
        ("check", {"chip": "h20", "to": "Atlantis", "on": "2024-01-01", "field": "verdict"}, "Atlantis"),
        ("check", {"chip": "h20", "to": "CN", "on": "2024-01-01", "field": "mood"}, "has no `mood`"),
        ("rule", {"name": "no-such-rule", "field": "announced"}, "no-such-rule"),
        ("rule", {"name": "letters-2022", "field": "colour"}, "has no `colour`"),
        ("rules", {"field": "colour"}, "have no `colour`"),
        ("own", {"chip": "h100-sxm", "count": 8, "field": "soul"}, "no figure `soul`"),
        ("own", {"chip": "h100-sxm", "count": 0, "field": "power"}, "no number of chips"),
        ("own", {"chip": "h100-sxm", "count": "many", "field": "power"}, "no number of chips"),
        ("make", {"design": "no-such-design", "field": "cost"}, "no-such-design"),
        ("tax", {"name": "llama-2-70b-lora", "to": "CN", "on": "2024-01-15", "field": "soul"}, "no figure `soul`"),
        ("tax", {"name": "no-such-ask", "to": "CN", "on": "2024-01-15", "field": "buy.tax"}, "no-such-ask"),
        ("make", {"design": "tigris", "field": "soul"}, "no figure `soul`"),
    ],
)
def test_wrong_questions_are_refused(kind: str, given: dict[str, Any], problem: str) -> None:
    """A question that the catalogue cannot answer is an error with a remedy."""
    with pytest.raises(InputError, match=problem) as caught:
        ask(kind, **given)
    assert caught.value.hint


def test_what_is_shared_is_asked_once() -> None:
    """Whole answers that several inputs and cases take figures of are computed once at a desk."""
    desk = Desk(CATALOG)
    for name in ("power", "capital", "power"):
        given = {"chip": "h100-sxm", "count": 8, "field": name}
        look(Input("it", None, ask="own", given=given), desk, {})
    assert len(desk.memory) == 1


def test_a_users_file_is_asked_anew(tmp_path: Path) -> None:
    """A path is relative to the case; what names a file is not remembered, for the file may have changed."""
    file, desk = tmp_path / "mine.yaml", Desk(CATALOG)
    found = []
    for bandwidth in (4, 5):
        text = "name: mine\narchitecture: hopper\npeak: {bf16: 500 TFLOP/s}\nmemory: 96 GiB\n"
        file.write_text(f"{text}bandwidth: {bandwidth} TB/s\n", encoding="utf-8")
        given, place = {"name": "mine.yaml", "field": "bandwidth"}, Place(str(tmp_path / "case.yaml"))
        item = Input("it", None, ask="chip", given=given, place=place)
        found.append(look(item, desk, {}).value)
    assert found == [4e12, 5e12]


def test_an_unknown_input_cannot_be_changed() -> None:
    """A change names an input of the case; the nearest one is offered."""
    with pytest.raises(InputError, match="no input `prise`") as caught:
        casebook.answer(CATALOG, "h100-price-and-cost", {"prise": 3})
    assert "price" in caught.value.hint


def test_a_change_of_a_day_asks_again() -> None:
    """With the day before the rule the same case comes out otherwise."""
    found = casebook.answer(CATALOG, "list-of-2023", {"day": "2023-10-16"})
    assert found.results["list_right"] is False
    assert found.verdict == "wrong"
