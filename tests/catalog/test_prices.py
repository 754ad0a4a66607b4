"""Prices: what a row may say, in which currency and with which VAT, and how a series is read on a day."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan.catalog import DATA, Catalog, load
from exaplan.catalog.days import YEAR
from exaplan.catalog.duties import Duties, DutyTable
from exaplan.catalog.exchange import Exchange, Rate
from exaplan.catalog.folder import Layer
from exaplan.catalog.prices import (
    COLUMNS,
    HOME,
    KINDS,
    QUANTILE,
    Price,
    Terms,
    pick,
    read_prices,
    read_volatility,
    reading,
)
from exaplan.errors import CatalogError, InputError
from exaplan.nouns import Figure

from .written import write

CATALOG = load()
SALE = ("chip", "server", "system")


def row(date: str, value: float, sigma: float = 0.0, note: str = "", place: str = "US", kind: str = "rent") -> Price:
    """An observation of item x."""
    confidence = "low" if note else "high"
    return Price("x", kind, place, date, None, value, None, "", "s", confidence, note, volatility=sigma)


# ---------------------------------------------------------------------------------------------------- a series


def test_the_price_of_a_day_is_the_latest_before_it() -> None:
    """Prices are picked by date; before the first known one, the first is taken; unknown items have none."""
    rows = [row("2023", 3.0), row("2024-05", 2.0)]
    found = [pick(rows, "x", "rent", day) for day in ("2020", "2023-07", "2024-05-01", "")]
    assert [price.mid for price in found if price] == [3.0, 3.0, 2.0, 2.0]
    assert pick(rows, "y", "rent") is None and pick(rows, "x", "chip") is None
    assert reading(rows, "y", "rent") is None


def test_the_h100_rental_series_does_not_decay() -> None:
    """It falls to 1.70 in October 2025 and rises to 2.35 in March 2026, as published, and stands there."""
    days = ("2023-06-22", "2024-10", "2025-10-15", "2025-12-31", "2026-03-20", "2026-04-30")
    found = [CATALOG.price("h100-sxm", "rent", day) for day in days]
    assert [figure.value for figure in found if figure] == [4.4, 2.99, 1.7, 1.7, 2.35, 2.35]


def test_the_range_widens_with_the_distance_in_time() -> None:
    """Ends move apart by exp(1.2816 sigma sqrt(t)): at a year with sigma 0.5 by 1.90, before and after alike."""
    rows = [row("2024-03-01", 2.0, 0.5)]
    for day in ("2025-03-01", "2023-03-02"):
        found = reading(rows, "x", "rent", day)
        assert found and found.distance == pytest.approx(YEAR, rel=2e-3) and found.figure.value == 2.0
        assert found.figure.high == pytest.approx(2.0 * 1.8980, rel=1e-3)
        assert found.figure.low == pytest.approx(2.0 / 1.8980, rel=1e-3)
    near = reading(rows, "x", "rent", "2024-03-01")
    assert near and (near.distance, near.figure.low, near.figure.high, near.observations) == (0.0, None, None, 1)


@given(st.lists(st.integers(0, 3000), min_size=2, max_size=6, unique=True), st.floats(0.05, 2.0))
def test_a_farther_day_is_never_surer(days: list[int], sigma: float) -> None:
    """Beyond the last observation the range holds that of every nearer day."""
    from datetime import date

    asked = [date.fromordinal(date(2024, 1, 1).toordinal() + day).isoformat() for day in sorted(days)]
    found = [reading([row("2024-01-01", 3.0, sigma)], "x", "rent", day) for day in asked]
    spans = [one.figure for one in found if one]
    for near, far in pairwise(spans):
        assert (far.low or 3.0) <= (near.low or 3.0) <= 3.0 <= (near.high or 3.0) <= (far.high or 3.0)
        assert (near.value, far.value) == (3.0, 3.0)


def test_a_month_or_year_holds_all_of_its_days() -> None:
    """An observation of a month stands without widening on each of its days, and begins to widen the day after."""
    rows = [row("2025-10", 1.7, 0.5)]
    inside, after = (reading(rows, "x", "rent", day) for day in ("2025-10-31", "2025-11-01"))
    assert inside and inside.distance == 0.0 and inside.figure.high is None
    assert after and after.distance == 86400.0 and after.figure.high and after.figure.high > 1.7


def test_a_place_without_prices_reads_those_of_home() -> None:
    """The place's own series, else the home market's, else any; the reading says whose it is."""
    rows = [row("2024", 2.0), row("2023", 9.0, place="CN")]
    found = [reading(rows, "x", "rent", "2024-05", place) for place in ("CN", "DE", "US")]
    assert [one.price.place for one in found if one] == ["CN", "US", "US"]
    assert [one.observations for one in found if one] == [1, 1, 1]


def test_a_claim_is_told_and_never_read() -> None:
    """Rows that only repeat the article stay in the table, and no reading takes their value."""
    claims = [price for price in CATALOG.prices if price.claim]
    assert {(price.item, price.mid) for price in claims} == {("rtx-4090", 30000.0), ("h800-sxm", 437500.0)}
    for price in claims:
        assert CATALOG.source(price.source).kind in ("press", "estimate")
        found = CATALOG.reading(price.item, price.kind, price.date, price.place)
        assert found is None or not found.price.claim
    assert reading([row("2024", 2.0, note="claim, not independently sourced")], "x", "rent") is None


def test_a_street_price_is_read_only_where_it_is_asked_for() -> None:
    """No kind that a plan may pay ever reads a price from outside the maker's channels."""
    street = [price for price in CATALOG.prices if price.kind.startswith("street")]
    assert len(street) >= 7 and {price.place for price in street} == {"CN"}
    for price in street:
        for kind in (*SALE, "rent", "list"):
            found = CATALOG.reading(price.item, kind, price.date, price.place)
            assert found is None or found.price.kind == kind
    for word in ("grey", "street", "smuggl"):
        assert not any(word in price.note.lower() for price in CATALOG.prices if price.kind in SALE)
    assert CATALOG.reading("b200", "street-server", "2025-07", "CN").figure.high == 61125.0  # type: ignore[union-attr]


def test_a_list_price_stands_beside_cheaper_rents() -> None:
    """What a hyperscaler lists is a kind of its own where the same item was rented out for less in that year."""
    for price in (price for price in CATALOG.prices if price.kind == "list"):
        year = [
            one for one in CATALOG.prices if (one.item, one.kind) == (price.item, "rent") and price.date[:4] in one.date
        ]
        assert year, price
    assert CATALOG.price("h100-sxm", "list", "2025-03-17").value == 11.06  # type: ignore[union-attr]


# --------------------------------------------------------------------------------------------- currency and VAT


def test_a_price_known_by_its_ends_takes_the_middle() -> None:
    """Only low and high: the figure is their mean, the range stays."""
    figure = Price("x", "rent", "US", "2024", 2.0, None, 4.0, "", "s", "", "").figure
    assert (figure.value, figure.low, figure.high) == (3.0, 2.0, 4.0)


def test_the_figure_is_in_dollars_without_vat() -> None:
    """12,999 CNY with 13% VAT at 7.2 CNY per dollar are 1,597.7 USD; without VAT stated, anything between."""

    def price(vat: str) -> Figure:
        return Price(
            "x", "chip", "CN", "2024", None, 12999.0, None, "CNY", "s", "high", "", vat, "CNY", 1 / 7.2, 0.13
        ).figure

    assert price("incl").value == pytest.approx(12999 / 1.13 / 7.2)
    assert price("excl").value == pytest.approx(12999 / 7.2)
    unknown = price("unknown")
    assert unknown.low == pytest.approx(12999 / 1.13 / 7.2) and unknown.high == pytest.approx(12999 / 7.2)
    assert unknown.value == pytest.approx(12999 / math.sqrt(1.13) / 7.2)
    assert "CNY 12,999" in unknown.note and "13%" in unknown.note and "taken off" in price("incl").note


def test_the_launch_price_of_a_card_is_that_of_its_twin_without_vat() -> None:
    """RTX 4090: 12,999 CNY with VAT of October 2022 are its 1,599 USD within 2%; 4090 D of December 2023 the same."""
    home = CATALOG.price("rtx-4090", "chip", "2022-10", "US")
    china = CATALOG.price("rtx-4090", "chip", "2022-10", "CN")
    cut = CATALOG.price("rtx-4090-d", "chip", "2023-12-28", "CN")
    assert home and home.value == 1599.0
    assert china and china.value == pytest.approx(1599.0, rel=0.02)
    assert cut and cut.value == pytest.approx(1599.0, rel=0.02)


def test_published_prices_of_china_are_there() -> None:
    """Servers of eight as Caixin and Zhidongxi printed them, per chip in CNY; their note says what the server cost."""
    expected = {
        ("h800-sxm", "server", "2023-10-16"): 2.3e6 / 8,
        ("h800-sxm", "server", "2023-10-20"): 2.7e6 / 8,
        ("a800-sxm-80gb", "server", "2023-10-20"): 1.45e6 / 8,
        ("h200-sxm", "server", "2026-01"): 1.5e6 / 8,
        ("b300", "street-server", "2026-06"): 8e6 / 8,
        ("rtx-4090", "street", "2023-10-20"): 29000.0,
        ("a100-pcie-80gb", "street", "2023-06"): 150000.0,
    }
    found = {(price.item, price.kind, price.date): price for price in CATALOG.prices if price.place == "CN"}
    for key, value in expected.items():
        assert (found[key].mid, found[key].currency) == (value, "CNY"), key


def test_street_yuan_are_the_dollars_that_bloomberg_printed() -> None:
    """29,000 CNY in October 2023 were 3,970 USD."""
    price = next(one for one in CATALOG.prices if one.item == "rtx-4090" and one.date == "2023-10-20")
    assert price.mid and price.mid * price.rate == pytest.approx(3970.0, rel=0.01)


# ------------------------------------------------------------------------------------------------------- names


def test_prices_know_chips_and_nodes_by_any_spelling() -> None:
    """A rent falls from 2023 to 2025; systems are priced by node."""
    early, late = CATALOG.price("H100", "rent", "2023-10-31"), CATALOG.price("h100-sxm", "rent", "2025-03-03")
    assert early and late and early.value and late.value and early.value > late.value > 1.0
    assert CATALOG.source(late.source).id == "epoch-prices"
    system = CATALOG.price("DGX-1", "system")
    assert system and system.value == 129_000.0
    assert CATALOG.price("ascend-910", "rent") is None


# ---------------------------------------------------------------------------------------------------- bad rows

GOOD = "x,rent,US,2024,,2,,USD/chip-h,excl,s,high,"
KNOWN = Terms(
    Exchange({"CNY": (Rate("CNY", "2024", 7.2, "s"),)}),
    DutyTable({"CN": (Duties(Figure(0.13, "s"), Figure(0.0, "s"), "2019-04-01"),)}),
)


def read(tmp_path: Path, *lines: str) -> tuple[Price, ...]:
    text = "\n".join((",".join(COLUMNS), *lines)) + "\n"
    return read_prices(write(tmp_path, "prices.csv", text), {"s"}, bool, KNOWN)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (GOOD.replace(",s,", ",nobody,"), "unknown source `nobody`"),
        (GOOD.replace("rent", "gift"), "kind `gift` is not known"),
        (GOOD.replace("2024", "soon"), "date `soon` is not known"),
        (GOOD.replace("2024", "2024-13"), "date `2024-13` is not known"),
        (GOOD.replace("2024", ""), "the price has no date"),
        (GOOD.replace("USD/chip-h", ""), "the price has no currency"),
        (GOOD.replace("USD/chip-h", "/chip-h"), "the price has no currency"),
        (GOOD.replace("USD/chip-h", "USD/CNY"), "unit `USD/CNY` mixes currencies"),
        (GOOD.replace("USD/chip-h", "USD/chip"), "unit `USD/chip` of a rent is not read"),
        (GOOD.replace(",rent,", ",chip,"), "unit `USD/chip-h` of a chip is not read"),
        (GOOD.replace("USD", "XAU"), "no exchange rate of `XAU`"),
        (GOOD.replace(",excl,", ",maybe,"), "`maybe` does not say whether VAT is in the price"),
        (GOOD.replace(",excl,", ",,"), "does not say whether VAT"),
        (GOOD.replace(",excl,", ",incl,"), "the VAT of US in 2024 is not known"),
        (GOOD.replace(",2,", ",free,"), "`free` is not a price"),
        (GOOD.replace(",2,", ",nan,"), "`nan` is not a price"),
        (GOOD.replace(",2,", ",0,"), "`0` is not a price"),
        (GOOD.replace(",2,", ",-1,"), "`-1` is negative"),
        (GOOD.replace(",2,", ",¥14,"), "mixed currencies in a row"),
        (GOOD.replace(",,2,", ",14 CNY,2,"), "mixed currencies in a row"),
        (GOOD.replace(",2,", ",,"), "missing or not in order"),
        (GOOD.replace(",,2,", ",3,2,"), "missing or not in order"),
        (GOOD.replace(",US,", ",Germany,"), "place `Germany` is not a country"),
        (GOOD.replace("x,", ",", 1), "unknown item ``"),
        (GOOD.replace("high", "sure"), "unknown confidence `sure`"),
        (GOOD + ",more", "too many or too few cells"),
        ("x,rent,US", "too many or too few cells"),
    ],
)
def test_a_bad_price_row_names_its_line_and_the_remedy(tmp_path: Path, line: str, says: str) -> None:
    """A price table is checked row by row: file, line, what is wrong and what to do."""
    with pytest.raises(CatalogError) as caught:
        read(tmp_path, GOOD, line)
    assert says in caught.value.problem and caught.value.hint
    assert (caught.value.place.line, Path(str(caught.value.place.file)).name) == (3, "prices.csv")


def test_a_bad_cell_names_its_column_and_the_nearest_item(tmp_path: Path) -> None:
    """The column stands in the place, a misspelt item gets the nearest name, and a country must exist."""
    terms = replace(KNOWN, countries={"US", "CN"}, items=lambda: ("h800-sxm",))
    table = "\n".join((",".join(COLUMNS), "{}")) + "\n"
    cases = {
        "item": (GOOD.replace("x,", "h800-sxmm,", 1), "did you mean h800-sxm?"),
        "place": (GOOD.replace(",US,", ",ZZ,"), "ISO 3166"),
        "mid": (GOOD.replace(",2,", ",-1,"), "above zero"),
        "unit": (GOOD.replace("USD/chip-h", "USD/chip"), "CNY/chip-h"),
    }
    for column, (line, says) in cases.items():
        file = write(tmp_path, "prices.csv", table.format(line))
        with pytest.raises(CatalogError) as caught:
            read_prices(file, {"s"}, lambda item: item in ("x", "h800-sxm"), terms)
        assert caught.value.place.field == column and says in caught.value.hint


def test_a_good_row_in_another_currency_is_read(tmp_path: Path) -> None:
    """Yuan become dollars at the rate of the row's date, and VAT is taken off."""
    (price,) = read(tmp_path, "x,street,CN,2024-05,,7200,,CNY/chip,incl,s,medium,seen")
    assert (price.currency, price.tax) == ("CNY", 0.13) and price.rate == pytest.approx(1 / 7.2)
    assert price.figure.value == pytest.approx(1000.0 / 1.13)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    """The header is part of the format: a table without the column of VAT is not read."""
    for header in ("a,b", ",".join(name for name in COLUMNS if name != "vat")):
        with pytest.raises(CatalogError, match="columns"):
            read_prices(write(tmp_path, "prices.csv", header + "\n1,2\n"), {"s"}, bool)


# ------------------------------------------------------------------------------------------------------ the fit


def test_every_kind_has_a_volatility() -> None:
    """The fit names each kind once; rents move more than purchases."""
    sigma = read_volatility((Layer(DATA),))
    assert set(sigma) == set(KINDS) and all(0.05 < value < 1.5 for value in sigma.values())
    assert sigma["rent"] > sigma["chip"]


def test_the_fitted_volatility_holds_80_percent_of_our_pairs() -> None:
    """Recomputed here from the table: each item weighing the same, 75 to 85% of rents lie in the range."""
    sigma, share = read_volatility((Layer(DATA),))["rent"], []
    for item in {price.item for price in CATALOG.prices if price.kind == "rent"}:
        rows = [
            one
            for one in CATALOG.prices
            if (one.item, one.kind, one.place) == (item, "rent", HOME) and one.confidence != "low"
        ]
        hits = [
            hit for i, one in enumerate(rows) for other in rows[i + 1 :] if (hit := held(one, other, sigma)) is not None
        ]
        share += [sum(hits) / len(hits)] if hits else []
    assert 0.75 <= sum(share) / len(share) <= 0.85


def held(one: Price, other: Price, sigma: float) -> bool | None:
    """Whether the range of one holds the other; None where they are nearer than a month or further than three years."""
    from exaplan.catalog.days import span

    first, last = ((span(price.date)[0].toordinal() + span(price.date)[1].toordinal()) / 2 for price in (one, other))
    years = abs(first - last) / 365.25
    if not 30 / 365.25 <= years <= 3.0 or not one.figure.value or not other.figure.value:
        return None
    return abs(math.log(one.figure.value / other.figure.value)) <= QUANTILE * sigma * math.sqrt(years)


def test_the_fit_was_made_on_this_table() -> None:
    """The record holds the hash of the table that it was fitted on: change prices.csv, fit again."""
    import hashlib

    from exaplan.catalog import read_yaml

    record = read_yaml(DATA / "fits" / "prices.yaml").value
    for name, digest in record["input"].items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest, "python tools/fit/prices.py"
    assert record["rows"] == len(CATALOG.prices)
    assert 0.7 < record["kinds"]["rent"]["left_out"]["coverage"] < 0.9


def test_an_overlay_may_price_its_own_chip(tmp_path: Path) -> None:
    """A user's table in another currency is read with our rates; a wrong currency is told at its line."""
    from .written import MINE

    write(tmp_path, "chips/mine.yaml", MINE)
    write(tmp_path, "sources.yaml", "me: {title: my own, address: none, date: 2026, kind: user}\n")
    file = write(tmp_path, "prices.csv", ",".join(COLUMNS) + "\nmine,chip,DE,2025-06,,10000,,EUR,excl,me,high,offer\n")
    found = load(tmp_path).price("mine", "chip", "2025-06", "DE")
    assert found and found.value == pytest.approx(11500.0, rel=0.03)
    file.write_text(file.read_text(encoding="utf-8").replace("EUR", "EUX"), encoding="utf-8")
    with pytest.raises(InputError, match="did you mean EUR"):
        Catalog(load(tmp_path).layers).prices  # noqa: B018
