"""Dated prices by item and place, read as time series: the observation that holds, wider the further it lies in time.

A row keeps its price as published, with its currency and what it says of VAT; `Price.figure` is that price in US
dollars without VAT. Nothing decays and nothing is interpolated: a gap stays a gap (`docs/method/prices.md`).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from exaplan.catalog.days import YEAR, gap, holding, is_day
from exaplan.catalog.duties import DutyTable
from exaplan.catalog.exchange import Exchange, read_fx
from exaplan.catalog.folder import Layer
from exaplan.catalog.loader import read_text, read_yaml
from exaplan.errors import CatalogError, InputError, Place
from exaplan.nouns import Figure

__all__ = [
    "COLUMNS", "HOME", "KINDS", "Exchange", "Price", "Reading", "Terms", "pick", "read_fx", "read_prices",
    "read_volatility", "reading",
]  # fmt: skip

COLUMNS = ("item", "kind", "place", "date", "low", "mid", "high", "unit", "vat", "source", "confidence", "note")
HOME = "US"  # whose prices stand for a place without prices of its own
COUNTRY = re.compile(r"[A-Z]{2}")
UNION = "EU"  # a code that ISO 3166 reserves for the union, whose prices are those of no one member
# what a price of a kind is for, behind its currency: USD/chip-h, CNY/chip, USD
KINDS: Mapping[str, tuple[str, ...]] = {
    "rent": ("/chip-h",),
    "list": ("/chip-h",),
    "chip": ("", "/chip"),
    "server": ("/chip",),
    "system": ("", "/system"),
    "cost": ("", "/chip"),
    "street": ("/chip",),
    "street-server": ("/chip",),
}
RENTS = ("rent", "list")
VATS = ("incl", "excl", "unknown")
CONFIDENCE = ("high", "medium", "low")
GRADES, NO_SOURCE = ", ".join(CONFIDENCE), "add it to sources.yaml (no source, no load)"
CLAIM = "claim"  # how the note of a row begins that repeats a claim without an independent source
CURRENCIES = re.compile(r"[A-Z]{3}|[$€¥£₩₹]")
SIGNS = {"$": "USD", "€": "EUR", "¥": "CNY", "£": "GBP", "₩": "KRW", "₹": "INR"}
QUANTILE = 1.2816  # of the normal distribution: 80% lie within this many standard deviations


@dataclass(frozen=True)
class Terms:
    """What turns published prices into dollars without VAT: exchange rates, VAT by place; volatility by kind
    [1/sqrt(year)], the standard deviation of the logarithm of a price a year away. countries: ISO codes that a row may
    name (none: any two letters); items: what it may be of, for the nearest name of one that is misspelt."""

    fx: Exchange = field(default_factory=Exchange)
    duties: DutyTable = field(default_factory=DutyTable)
    volatility: Mapping[str, float] = field(default_factory=dict)
    countries: Collection[str] = ()
    items: Callable[[], Collection[str]] = tuple


@dataclass(frozen=True, slots=True)
class Price:
    """One dated price as published: low, mid, high in its ``currency``.

    kind: rent [per chip-hour], list [per chip-hour: what a hyperscaler lists, beside cheaper market rents], chip,
    server [per chip with its share of the server], system [of a node]; cost [per chip: what making it is estimated to
    cost its owner, which nobody offers]; street, street-server [per chip: outside the maker's channels, facts only].

    item: the name of a chip or node; date: ISO, a prefix (year, month) where the day is not known; vat: incl, excl or
    unknown. rate [USD per unit of the currency at that date], tax [VAT of the place at that date; None = unknown],
    volatility [1/sqrt(year)] of its kind.
    """

    item: str
    kind: str
    place: str
    date: str
    low: float | None
    mid: float | None
    high: float | None
    unit: str
    source: str
    confidence: str
    note: str
    vat: str = "excl"
    currency: str = "USD"
    rate: float = 1.0
    tax: float | None = None
    volatility: float = 0.0

    @property
    def figure(self) -> Figure:
        """The price in US dollars without VAT; where only the ends are known, the value is their middle.

        Unknown whether VAT is in it: anything from all of it to none (value: the geometric middle).
        """
        ends = [end for end in (self.low, self.high) if end is not None]
        value = self.mid if self.mid is not None else sum(ends) / len(ends) if ends else None
        least, most = self._scales
        low = self.low if self.low is not None or least == most else value
        high = self.high if self.high is not None or least == most else value
        return Figure(
            _times(value, math.sqrt(least * most)), self.source, _times(low, least), _times(high, most), self.date,
            "; ".join(part for part in (self.note, self.published) if part),
        )  # fmt: skip

    @property
    def _scales(self) -> tuple[float, float]:
        """Least and most dollars without VAT in one unit of the published price."""
        net = self.rate / (1.0 + (self.tax or 0.0))
        return {"incl": (net, net), "unknown": (net, self.rate)}.get(self.vat, (self.rate, self.rate))

    @property
    def published(self) -> str:
        """How the price was published, in words; "" where that is dollars without VAT."""
        mid = next((part for part in (self.mid, self.low, self.high) if part is not None), 0.0)
        says = [] if self.currency == "USD" else [f"{self.currency} {mid:,.10g} at {self.rate:.4g} USD"]
        if self.vat == "incl" and self.tax:
            says.append(f"VAT of {self.tax:.0%} taken off")
        elif self.vat == "unknown" and self.tax:
            says.append(f"not said whether VAT of {self.tax:.0%} is in it")
        return ", ".join(says)

    @property
    def claim(self) -> bool:
        """Whether the row repeats a claim that no independent source carries: told, never read as a value."""
        return self.confidence == "low" and self.note.startswith(CLAIM)


def _times(value: float | None, scale: float) -> float | None:
    return None if value is None else value if scale == 1.0 else value * scale


# ---------------------------------------------------------------------------------------------- reading the series


@dataclass(frozen=True, slots=True)
class Reading:
    """What a series reads on a day: ``figure`` in US dollars without VAT, the observation that holds, its distance in
    time from that day [s], and how many observations the series has."""

    figure: Figure
    price: Price
    distance: float
    observations: int


def reading(prices: Iterable[Price], item: str, kind: str, on: str = "", place: str = HOME) -> Reading | None:
    """The reading of a series on a day (ISO; "" = latest); None where nobody published such a price.

    The observation that holds is the latest by then, or the earliest where all come later. Its ends move apart by
    exp(1.2816 sigma sqrt(t)): 80% of the logarithms of a price t years away, sigma fitted on these series
    (``data/fits/prices.yaml``). Within the day, month or year that the observation names, t = 0 and it stands as it is.
    """
    series = _series(prices, item, kind, place)
    price = holding(series, _dated, on)
    if price is None:
        return None
    distance = gap(price.date, on)
    spread = math.exp(QUANTILE * price.volatility * math.sqrt(distance / YEAR))
    return Reading(_widened(price.figure, spread), price, distance, len(series))


def pick(prices: Iterable[Price], item: str, kind: str, on: str = "", place: str = HOME) -> Price | None:
    """The observation that holds on a day: `reading` without its range. A street price only where it is asked for."""
    return holding(_series(prices, item, kind, place), _dated, on)


def _series(prices: Iterable[Price], item: str, kind: str, place: str) -> Sequence[Price]:
    """The observations of a place; where it has none those of ``HOME``, else of any place. Claims are left out."""
    found = [row for row in prices if row.item == item and row.kind == kind and not row.claim]
    return next((near for where in (place, HOME) if (near := [row for row in found if row.place == where])), found)


def _dated(price: Price) -> str:
    return price.date


def _widened(figure: Figure, spread: float) -> Figure:
    if spread == 1.0 or figure.value is None:
        return figure
    low, high = (figure.value if end is None else end for end in (figure.low, figure.high))
    return replace(figure, low=low / spread, high=high * spread)


# ------------------------------------------------------------------------------------------------ reading the file


def read_volatility(layers: tuple[Layer, ...]) -> Mapping[str, float]:
    """Kind of price -> its volatility [1/sqrt(year)] (``fits/prices.yaml``); none where a layer has no such fit."""
    out: dict[str, float] = {}
    for layer in layers:
        if (file := layer.folder / "fits" / "prices.yaml").is_file():
            fitted = read_yaml(file).value["kinds"]
            out |= {kind: float(entry["volatility"]) for entry in fitted.values() for kind in entry["of"]}
    return out


def read_prices(
    file: Path, sources: Collection[str], named: Callable[[str], bool], terms: Terms | None = None
) -> tuple[Price, ...]:
    """All rows of a price table; each needs a known source, a date, a currency and an item that is ``named``."""
    rows = csv.DictReader(read_text(file).splitlines())
    if tuple(rows.fieldnames or ()) != COLUMNS:
        hint = "the columns are: " + ",".join(COLUMNS)
        raise CatalogError("the columns of the price table are wrong", hint=hint, place=Place(str(file), 1))
    known = terms or Terms()
    return tuple(_price(row, Place(str(file), rows.line_num), sources, named, known) for row in rows)


def _price(
    row: dict[str, str], place: Place, sources: Collection[str], named: Callable[[str], bool], terms: Terms
) -> Price:
    if None in row or None in row.values():
        problem = "the line has too many or too few cells"
        raise CatalogError(problem, hint="put text with commas in quotes", place=place)
    _check(row, place, sources, named, terms)
    currency = _currency(row, replace(place, field="unit"))
    low, mid, high = (_amount(row[end], currency, replace(place, field=end)) for end in ("low", "mid", "high"))
    known = [end for end in (low, mid, high) if end is not None]
    if not known or known != sorted(known):
        raise CatalogError("low, mid and high are missing or not in order", hint="low <= mid <= high", place=place)
    texts = {name: row[name] for name in COLUMNS if name not in ("low", "mid", "high")}
    duties = terms.duties.at(row["place"], row["date"])
    tax = duties.vat.value if duties else None
    if row["vat"] == "incl" and tax is None:
        hint = "add the place to duties.yaml, or write the price without VAT (`excl`)"
        problem = f"the VAT of {row['place']} in {row['date']} is not known"
        raise CatalogError(problem, hint=hint, place=replace(place, field="vat"))
    rate, sigma = (
        _rate(terms.fx, currency, row["date"], replace(place, field="unit")),
        terms.volatility.get(row["kind"], 0.0),
    )
    return Price(low=low, mid=mid, high=high, **texts, currency=currency, rate=rate, tax=tax, volatility=sigma)


def _check(
    row: dict[str, str], place: Place, sources: Collection[str], named: Callable[[str], bool], terms: Terms
) -> None:
    """Refuse what is not known or not said, with the column and the remedy."""
    dates, country = "write the date as 2024, 2024-07 or 2024-07-31", row["place"]
    known = bool(COUNTRY.fullmatch(country)) and (not terms.countries or country in (*terms.countries, UNION))
    checks = (
        ("item", named(row["item"]), f"unknown item `{row['item']}`", ""),
        ("source", row["source"] in sources, f"unknown source `{row['source']}`", NO_SOURCE),
        ("kind", row["kind"] in KINDS, f"kind `{row['kind']}` is not known", f"kinds: {', '.join(KINDS)}"),
        ("date", bool(row["date"]), "the price has no date", dates),
        ("date", is_day(row["date"]), f"date `{row['date']}` is not known", dates),
        ("place", known, f"place `{country}` is not a country", "ISO 3166: US, DE, CN"),
        ("vat", row["vat"] in VATS, f"`{row['vat']}` does not say whether VAT is in the price", " or ".join(VATS)),
        ("confidence", row["confidence"] in CONFIDENCE, f"unknown confidence `{row['confidence']}`", GRADES),
    )  # fmt: skip
    for column, fine, problem, hint in checks:
        if not fine:
            told = hint or _nearest(row["item"], terms)
            raise CatalogError(problem, hint=told, place=replace(place, field=column))


def _nearest(item: str, terms: Terms) -> str:
    """The remedy for an unknown item."""
    near = get_close_matches(item, list(terms.items()), 3, 0.6)
    told = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{told}name a chip of `exaplan chips` or a node of `exaplan nodes`"


def _currency(row: dict[str, str], place: Place) -> str:
    """The currency that the unit begins with; the rest must fit the kind."""
    unit, kind = row["unit"], row["kind"]
    examples = " or ".join(f"CNY{end}" for end in KINDS[kind])
    found = CURRENCIES.findall(unit)
    if not found:
        raise CatalogError("the price has no currency", hint=f"write the unit as {examples}", place=place)
    if len(found) > 1:
        hint = "one row per currency, converted by nobody"
        raise CatalogError(f"unit `{unit}` mixes currencies", hint=hint, place=place)
    if not unit.startswith(found[0]) or unit[len(found[0]) :] not in KINDS[kind]:
        hint = f"a {kind} stands in {examples}"
        raise CatalogError(f"unit `{unit}` of a {kind} is not read", hint=hint, place=place)
    sign: str = found[0]
    return SIGNS.get(sign, sign)


def _amount(text: str, currency: str, place: Place) -> float | None:
    """A plain number; a currency beside it must be that of the row."""
    if not text:
        return None
    for found in CURRENCIES.findall(text):
        if SIGNS.get(found, found) != currency:
            hint = "one currency per row: give the others rows of their own"
            raise CatalogError(f"`{text}` beside {currency}: mixed currencies in a row", hint=hint, place=place)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value < 0:
        raise CatalogError(f"`{text}` is negative", hint="a price is above zero", place=place)
    if not 0 < value < 1e13:
        hint = "write a plain number, its currency in the column `unit`"
        raise CatalogError(f"`{text}` is not a price", hint=hint, place=place)
    return value


def _rate(fx: Exchange, currency: str, on: str, place: Place) -> float:
    try:
        return fx.rate(currency, on).value or 1.0
    except InputError as error:
        raise CatalogError(error.problem, hint=error.hint, place=place) from error
