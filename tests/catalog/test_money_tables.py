"""Exchange rates, duties with VAT, and the chips that can be had: values, days, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaplan.catalog import Catalog, load
from exaplan.catalog.days import YEAR, gap, holding, is_day, span
from exaplan.catalog.exchange import read_fx
from exaplan.catalog.folder import Layer
from exaplan.catalog.supply import COLUMNS, read_supply
from exaplan.errors import CatalogError, InputError
from exaplan.nouns import Source

from .written import write

CATALOG = load()
SOURCES = {"s": Source("s", "t", "a", "2024", "press")}


# -------------------------------------------------------------------------------------------------------- days


def test_a_date_is_a_span_of_days() -> None:
    """A leap February has 29 days, a year ends on 31 December, a day is one day."""
    assert [part.isoformat() for part in span("2024-02")] == ["2024-02-01", "2024-02-29"]
    assert span("2023")[1].isoformat() == "2023-12-31" and span("2023-10-17")[0] == span("2023-10-17")[1]


@pytest.mark.parametrize(
    "text", ["", "soon", "24", "2024-13", "2024-02-30", "2024-2", "2023-11..2025", "2024-01-01-01"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    """Neither words nor days that no calendar has."""
    assert not is_day(text)
    with pytest.raises(ValueError) as caught:
        span(text)
    assert caught.value.args


def test_a_gap_is_between_the_spans() -> None:
    """Nothing within the month; from its end forwards, from its beginning backwards."""
    assert gap("2024-02", "2024-02-15") == gap("2024", "") == 0.0
    assert gap("2024-02", "2024-03-10") == 10 * 86400.0 == gap("2024-02", "2024-01-22")
    assert gap("2020", "2024-12-31") == pytest.approx(4 * YEAR, rel=1e-2)
    assert holding([], str, "2024") is None


# ---------------------------------------------------------------------------------------------------- exchange


@pytest.mark.parametrize(
    ("currency", "on", "per_dollar"),
    [("CNY", "2023", 7.0809), ("CNY", "2022", 6.7290), ("EUR", "2023", 1 / 1.0817), ("GBP", "2022", 1 / 1.2371),
     ("JPY", "2023-07-01", 140.5001), ("KRW", "2023", 1306.7637), ("INR", "2022", 78.5792)],
)  # fmt: skip
def test_rates_are_those_of_the_federal_reserve(currency: str, on: str, per_dollar: float) -> None:
    """Averages of a year as release G.5A of 1 February 2024 prints them, within 0.3%."""
    assert 1.0 / (CATALOG.fx.rate(currency, on).value or 1.0) == pytest.approx(per_dollar, rel=3e-3)


def test_a_rate_of_a_day_is_that_of_its_month() -> None:
    """A day takes its month; a year the average of its months with their range; a later day the last one."""
    day, year = CATALOG.fx.rate("CNY", "2023-10-20"), CATALOG.fx.rate("CNY", "2023")
    assert day.value == pytest.approx(1 / 7.3071, rel=1e-4) and (day.date, day.note) == ("2023-10", "")
    assert year.low and year.value and year.high and year.low < year.value < year.high
    late = CATALOG.fx.rate("CNY", "2031-01-01")
    assert late.value == CATALOG.fx.rate("CNY").value and "none nearer" in late.note
    assert CATALOG.fx.rate("USD", "1999").value == 1.0 and CATALOG.fx.currencies[0] == "USD"


def test_an_unknown_currency_names_the_nearest() -> None:
    """The remedy holds the known ones."""
    with pytest.raises(InputError, match="no exchange rate of `CNX`") as caught:
        CATALOG.fx.rate("CNX")
    assert "CNY" in caught.value.hint and "fx.csv" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("CNY,2024-13,7.2,s", "not a date"),
        ("YUAN,2024,7.2,s", "not a foreign currency"),
        ("USD,2024,1,s", "not a foreign currency"),
        ("CNY,2024,-7.2,s", "not an exchange rate"),
        ("CNY,2024,seven,s", "not an exchange rate"),
        ("CNY,2024,7.2,nobody", "unknown source"),
        ("CNY,2023,7.1,s", "stands twice"),
    ],
)
def test_a_bad_rate_names_its_line(tmp_path: Path, line: str, says: str) -> None:
    """Each line is checked; the message names file, line and remedy."""
    write(tmp_path, "fx.csv", f"currency,date,per_dollar,source\nCNY,2023,7.0,s\n{line}\n")
    with pytest.raises(CatalogError, match=says) as caught:
        read_fx((Layer(tmp_path),), SOURCES)
    assert caught.value.place.line == 3 and caught.value.hint


def test_other_columns_of_rates_are_refused(tmp_path: Path) -> None:
    """The header is part of the format."""
    write(tmp_path, "fx.csv", "a,b\n1,2\n")
    with pytest.raises(CatalogError, match="columns"):
        read_fx((Layer(tmp_path),), SOURCES)


def test_an_overlay_adds_a_currency(tmp_path: Path) -> None:
    """A user's rate joins ours, and the folder is its source."""
    write(tmp_path, "fx.csv", "currency,date,per_dollar,source\nCHF,2024,0.88,\n")
    overlay = load(tmp_path)
    found = overlay.fx.rate("CHF", "2024-05")
    assert found.value == pytest.approx(1 / 0.88) and overlay.source(found.source).kind == "user"
    assert overlay.fx.rate("CNY") == CATALOG.fx.rate("CNY")


# ------------------------------------------------------------------------------------------------------ duties


@pytest.mark.parametrize(
    ("place", "on", "vat"),
    [("CN", "2023-10-20", 0.13), ("CN", "2018-06-01", 0.16), ("DE", "2024-01-01", 0.19), ("FI", "2024-08-31", 0.24),
     ("FI", "2024-09-01", 0.255), ("JP", "2024-01-01", 0.10), ("KR", "", 0.10), ("SG", "2023-06-01", 0.08),
     ("SG", "", 0.09),
     ("IN", "2024-01-01", 0.18), ("GB", "", 0.20), ("HK", "", 0.0), ("AE", "2024-01-01", 0.05), ("US", "", 0.0)],
)  # fmt: skip
def test_vat_is_that_of_the_day(place: str, on: str, vat: float) -> None:
    """Standard rates with the days on which they changed."""
    found = CATALOG.duties.at(place, on)
    assert found and found.vat.value == pytest.approx(vat) and CATALOG.source(found.vat.source).title


def test_computers_cross_most_borders_free_of_duty() -> None:
    """The Information Technology Agreement: zero at every place that is a party to it."""
    for place in ("CN", "DE", "JP", "KR", "TW", "IN", "SG", "GB", "US"):
        found = CATALOG.duties.at(place, "2024-01-01")
        assert found and found.customs.value == 0.0 and found.customs.source


def test_unknown_duties_are_not_zero() -> None:
    """A place that was not read, and a day before its first period, have none at all."""
    assert CATALOG.duties.at("KP") is None and CATALOG.duties.at("CN", "1999-01-01") is None


def test_every_member_of_the_european_union_lies_in_the_range_of_eu() -> None:
    """Where no member state is said, the range holds them all but Hungary's edge itself."""
    union = CATALOG.duties.at("EU")
    assert union and union.vat.low == pytest.approx(0.17) and union.vat.high == pytest.approx(0.27)
    for place in ("AT", "BE", "DE", "DK", "ES", "FR", "HU", "IE", "IT", "LU", "NL", "PL", "SE"):
        found = CATALOG.duties.at(place)
        assert found and found.vat.value is not None and 0.17 <= found.vat.value <= 0.27, place


PERIOD = "CN:\n  - since: 2019-04-01\n    vat: {value: 13%, source: s}\n    customs: {value: 0%, source: s}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PERIOD.replace("13%", "300%"), "not plausible"),
        (PERIOD.replace("13%", "-1%"), "negative"),
        (PERIOD.replace("2019-04-01", "spring"), "not a date"),
        (PERIOD.replace("since", "from"), "unknown field"),
        (PERIOD.replace(", source: s}\n    customs", "}\n    customs"), "no source"),
        (PERIOD.replace("    customs: {value: 0%, source: s}\n", ""), "missing"),
        (PERIOD + PERIOD.split("\n", 1)[1], "not in order"),
        (PERIOD.replace("CN", "China"), "not a place"),
        ("CN: 13%\n", "not a place"),
        ("- CN\n", "one key per place"),
    ],
)
def test_a_bad_table_of_duties_names_its_place(tmp_path: Path, text: str, says: str) -> None:
    """Each mistake is told with its file, its line and what to do."""
    write(tmp_path, "sources.yaml", "s: {title: t, address: a, date: 2024, kind: press}\n")
    write(tmp_path, "duties.yaml", text)
    with pytest.raises(InputError, match=says) as caught:
        Catalog((Layer(tmp_path),)).duties  # noqa: B018
    assert caught.value.hint and caught.value.place.line


# ------------------------------------------------------------------------------------------------------ supply


def test_chips_to_be_had_by_place_and_year() -> None:
    """200,000 Ascend 910B in China in 2024; 100 to 300 thousand 910C in 2025; stocks say that they are stocks."""
    made = CATALOG.supply.at("ascend-910b", "CN", "2024-07-01")
    more = CATALOG.supply.at("ascend-910c", "CN", "2025-03-01")
    stock = CATALOG.supply.at("h20", "CN", "2025-12-31")
    assert made and made.value == 200e3 and made.note.startswith("chips of the year")
    assert more and (more.low, more.value, more.high) == (100e3, 200e3, 300e3)
    assert stock and stock.value == 1.49e6 and stock.note.startswith("chips in all")
    for figure in (made, more, stock):
        assert CATALOG.source(figure.source).title and figure.date


def test_a_year_that_nobody_counted_is_unknown() -> None:
    """Nothing is carried from year to year or from place to place; the world's row stands for any place."""
    assert CATALOG.supply.at("ascend-910b", "CN", "2021-01-01") is None
    assert CATALOG.supply.at("ascend-910b", "DE", "2024-01-01") is None
    assert CATALOG.supply.at("wse-3", "CN") is None
    world = CATALOG.supply.at("h100-sxm", "DE", "2024-06-01")
    assert world and (world.low, world.value, world.high) == (1.5e6, 1.75e6, 2e6)
    assert CATALOG.supply.at("ascend-910c", "CN") == CATALOG.supply.at("ascend-910c", "CN", "2026-01-01")


LINE = "x,CN,2024,year,,5,,s,low,note"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (LINE.replace("x,", "y,", 1), "unknown chip `y`"),
        (LINE.replace("CN", "China"), "not a country"),
        (LINE.replace("2024", "24"), "not a year"),
        (LINE.replace("year", "week"), "unknown kind"),
        (LINE.replace(",s,", ",nobody,"), "unknown source"),
        (LINE.replace("low", "sure"), "unknown confidence"),
        (LINE.replace(",5,", ",-5,"), "not a number of chips"),
        (LINE.replace(",5,", ",many,"), "not a number of chips"),
        (LINE.replace(",5,", ",,"), "missing or not in order"),
        (LINE.replace(",,5,", ",9,5,"), "missing or not in order"),
    ],
)
def test_a_bad_row_of_supply_names_its_line(tmp_path: Path, line: str, says: str) -> None:
    """Each row is checked; the message names file, line and remedy."""
    write(tmp_path, "supply.csv", ",".join(COLUMNS) + f"\n{LINE}\n{line}\n")
    with pytest.raises(CatalogError, match=says) as caught:
        read_supply((Layer(tmp_path),), SOURCES, {"x": 1})
    assert caught.value.place.line == 3 and caught.value.hint


def test_other_columns_of_supply_are_refused(tmp_path: Path) -> None:
    """The header is part of the format."""
    write(tmp_path, "supply.csv", "a,b\n1,2\n")
    with pytest.raises(CatalogError, match="columns"):
        read_supply((Layer(tmp_path),), SOURCES)
