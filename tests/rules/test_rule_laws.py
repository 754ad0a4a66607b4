"""Laws that hold for every chip and every deal, whatever the rules say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan import rules
from exaplan.catalog import load
from exaplan.nouns import Chip, Deal
from exaplan.rules.deciding import ORDER

CATALOG = load()
BOOK = CATALOG.rules
CHIPS = [CATALOG.chips[name] for name in CATALOG.chips]
PLACES = ("CN", "HK", "MO", "VN", "SA", "AE", "KH", "IL", "SG", "MY", "FR", "RU", "XZ", "US")
DAYS = st.dates(date(2022, 7, 1), date(2026, 9, 25)).map(date.isoformat)
CLOSE = [
    time.isoformat() for day in BOOK.days for time in (date.fromisoformat(day), date.fromisoformat(day) - timedelta(1))
]
ANY_DAY = st.one_of(DAYS, st.sampled_from(CLOSE))


@st.composite
def chips(draw: st.DrawFn) -> Chip:
    """A chip with random facts, some of them unknown; TPP in the range where rules look."""
    tpp = draw(st.floats(100, 30000))
    unknown = draw(st.sets(st.sampled_from(["applicable_area", "io_bandwidth", "data_center"]), max_size=2))
    facts: dict[str, object] = {
        "applicable_area": draw(st.one_of(st.just(0.0), st.floats(50e-6, 3000e-6))),
        "io_bandwidth": draw(st.floats(1e10, 3e12)),
        "data_center": draw(st.booleans()),
    }
    return Chip(
        name="made", vendor=draw(st.sampled_from(["NVIDIA", "Huawei", "", "Google"])), architecture="test",
        peak=MappingProxyType({"fp16": tpp / 16 * 1e12}), memory=1e9, bandwidth=draw(st.floats(1e10, 9e12)),
        link_bandwidth=None, domain=1, power=None, die_area=None, processors=0, release="2020",
        **{key: None if key in unknown else value for key, value in facts.items()},
    )  # fmt: skip


@st.composite
def deals(draw: st.DrawFn) -> Deal:
    """A deal in a place that rules tell apart, on a day at or beside a change."""
    return Deal(
        to=draw(st.sampled_from(PLACES)),
        on=draw(ANY_DAY),
        headquarters=draw(st.sampled_from(("", "CN", "US", "FR"))),
        origin=draw(st.sampled_from(("US", "TW"))),
        end_user=draw(st.sampled_from(("", "Biren", "Acme"))),
        buyer=draw(st.sampled_from(("private", "state-funded"))),
        letters=draw(st.sampled_from(("all", "addressees"))),
    )


def rated(chip: Chip, tpp: float) -> Chip:
    """The same chip with another total processing performance."""
    return replace(chip, peak=MappingProxyType({"fp16": tpp / 16 * 1e12}))


@settings(max_examples=300, deadline=None)
@given(chips(), deals(), st.floats(1.0, 30.0))
def test_more_performance_never_makes_a_chip_freer(chip: Chip, deal: Deal, factor: float) -> None:
    """Under one rule set, only TPP raised: the verdict stays or gets stricter (where both are known)."""
    before = rules.check(chip, deal, BOOK).verdict
    after = rules.check(rated(chip, (rules.tpp(chip)[0] or 0) * factor), deal, BOOK).verdict
    if "unknown" not in (before, after):
        assert ORDER.index(after) >= ORDER.index(before)


@settings(max_examples=300, deadline=None)
@given(chips(), deals())
def test_a_later_rule_never_changes_the_verdict_of_an_earlier_day(chip: Chip, deal: Deal) -> None:
    """Dropping every rule that was announced after the day leaves the whole verdict as it is."""
    known = BOOK.known(deal.on)
    assert rules.check(chip, deal, BOOK) == rules.check(chip, deal, known)


@settings(max_examples=300, deadline=None)
@given(chips(), deals())
def test_unknown_only_where_outcomes_differ(chip: Chip, deal: Deal) -> None:
    """`unknown` comes with a missing figure whose outcomes differ in verdict, and each outcome can be had."""
    found = rules.check(chip, deal, BOOK)
    verdicts = {outcome.verdict for one in found.missing for outcome in one.outcomes}
    assert (found.verdict == "unknown") == (len(verdicts) > 1 or "unknown" in verdicts)
    for one in found.missing:
        assert len({(outcome.class_name, outcome.verdict) for outcome in one.outcomes}) > 1
        for outcome in one.outcomes:
            value = outcome.low if outcome.high == float("inf") else (outcome.low + outcome.high) / 2
            value = value * 2 + 1e-6 if outcome.high == float("inf") else value
            filled = replace(chip, **{one.field: bool(value) if one.field == "data_center" else value})
            again = rules.check(filled, deal, BOOK)
            assert (again.verdict, again.class_name) == (outcome.verdict, outcome.class_name)


@settings(max_examples=150, deadline=None)
@given(chips(), deals(), st.sampled_from(list(BOOK.rules)))
def test_leaving_out_a_rule_that_is_not_known_yet_changes_nothing(chip: Chip, deal: Deal, name: str) -> None:
    """A counterfactual without a rule of the future is the fact itself, but for its own warning."""
    if BOOK.rules[name].announced > deal.on:
        one = rules.check(chip, deal, BOOK)
        other = rules.check(chip, replace(deal, without=(name,)), BOOK)
        assert (one.verdict, one.class_name, one.clauses) == (other.verdict, other.class_name, other.clauses)


@pytest.mark.parametrize("to", PLACES)
def test_no_rule_at_all_leaves_every_chip_free(to: str) -> None:
    """Without any rule nothing is controlled: the reference of the AI tax."""
    deal = Deal(to, "2026-06-01", headquarters="CN", end_user="Biren", without=tuple(BOOK.rules))
    assert {rules.check(chip, deal, BOOK).verdict for chip in CHIPS} == {"free"}
