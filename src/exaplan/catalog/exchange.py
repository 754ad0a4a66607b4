"""Exchange rates (data/fx.csv): units of a currency per US dollar, averages of a month or a year."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from statistics import fmean

from exaplan.catalog.days import gap, holding, is_day
from exaplan.catalog.folder import Layer
from exaplan.catalog.loader import read_text
from exaplan.errors import CatalogError, InputError, Place
from exaplan.nouns import Figure, Source

FILE = "fx.csv"
COLUMNS = ("currency", "date", "per_dollar", "source")
CURRENCY = re.compile(r"[A-Z]{3}")
DOLLAR = "USD"


@dataclass(frozen=True, slots=True)
class Rate:
    """Units of a currency per US dollar, averaged over a month or a year."""

    currency: str
    date: str
    per_dollar: float
    source: str


@dataclass(frozen=True)
class Exchange:
    """Rates by currency, each series by date."""

    series: Mapping[str, Sequence[Rate]] = field(default_factory=dict)

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that can be read, the dollar first."""
        return (DOLLAR, *sorted(self.series))

    def rate(self, currency: str, on: str = "", place: Place | None = None) -> Figure:
        """US dollars per unit of a currency on a day (ISO; a month or year: the average of it, with its range).

        The latest rate by then holds; before the first one, the first ("" = the latest of all).
        """
        if currency == DOLLAR:
            return Figure(1.0, "")
        if currency not in self.series:
            raise InputError(f"no exchange rate of `{currency}`", hint=self._advice(currency), place=place)
        rows = self.series[currency]
        inside = [row for row in rows if on and row.date.startswith(on)]
        if len(inside) > 1:
            return _mean(inside, on)
        row = holding(rows, lambda rate: rate.date, on)
        if row is None:
            raise InputError(f"no exchange rate of `{currency}`", hint=self._advice(currency), place=place)
        note = "" if gap(row.date, on) == 0.0 else f"the rate of {row.date}: none nearer is known"
        return Figure(1.0 / row.per_dollar, row.source, date=row.date, note=note)

    def _advice(self, currency: str) -> str:
        near = get_close_matches(currency.upper(), self.currencies, 1)
        return (f"did you mean {near[0]}? " if near else "") + f"known: {', '.join(self.currencies)}; more in {FILE}"


def _mean(rows: Sequence[Rate], on: str) -> Figure:
    """The average over a span of days, with its lowest and highest month."""
    values = [1.0 / row.per_dollar for row in rows]
    return Figure(fmean(values), rows[0].source, min(values), max(values), on, "average of its months")


def read_fx(layers: tuple[Layer, ...], sources: Mapping[str, Source]) -> Exchange:
    """The rates of all layers; a later layer's rate of the same currency and date takes the place of an earlier's."""
    found: dict[tuple[str, str], Rate] = {}
    for layer in layers:
        if (layer.folder / FILE).is_file():
            found |= _rates(layer.folder / FILE, sources, layer.own)
    series: dict[str, list[Rate]] = {}
    for row in sorted(found.values(), key=lambda row: row.date):
        series.setdefault(row.currency, []).append(row)
    return Exchange(series)


def _rates(file: Path, sources: Mapping[str, Source], own: str) -> dict[tuple[str, str], Rate]:
    rows = csv.DictReader(read_text(file).splitlines())
    if tuple(rows.fieldnames or ()) != COLUMNS:
        hint = "the columns are: " + ",".join(COLUMNS)
        raise CatalogError("the columns of the exchange rates are wrong", hint=hint, place=Place(str(file), 1))
    out: dict[tuple[str, str], Rate] = {}
    for row in rows:
        place = Place(str(file), rows.line_num)
        rate = _rate(row, place, sources, own)
        if (rate.currency, rate.date) in out:
            hint = "one line per currency and month or year"
            raise CatalogError(f"{rate.currency} of {rate.date} stands twice", hint=hint, place=place)
        out[rate.currency, rate.date] = rate
    return out


def _rate(row: dict[str, str], place: Place, sources: Mapping[str, Source], own: str) -> Rate:
    if not CURRENCY.fullmatch(row["currency"]) or row["currency"] == DOLLAR:
        hint = "three letters as in ISO 4217, e.g. CNY; the dollar itself needs no rate"
        raise CatalogError(f"`{row['currency']}` is not a foreign currency", hint=hint, place=place)
    if not is_day(row["date"]):
        raise CatalogError(f"`{row['date']}` is not a date", hint="write 2024-07 or 2024", place=place)
    source = row["source"] or own
    if source not in sources:
        raise CatalogError(
            f"unknown source `{source}`", hint="add it to sources.yaml (no source, no load)", place=place
        )
    try:
        value = float(row["per_dollar"])
    except ValueError:
        value = float("nan")
    if not 0.0 < value < 1e9:
        hint = "write units of the currency per US dollar, e.g. 7.18 for CNY"
        raise CatalogError(f"`{row['per_dollar']}` is not an exchange rate", hint=hint, place=place)
    return Rate(row["currency"], row["date"], value, source)
