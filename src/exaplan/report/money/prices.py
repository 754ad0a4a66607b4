"""Dated prices for the terminal: the rows as they were published, and what a series reads on a day."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from exaplan.catalog import Catalog, Price
from exaplan.catalog.prices import Reading
from exaplan.report import citing
from exaplan.report.money.to_json import fact_only
from exaplan.report.screen import amount, heading, table
from exaplan.report.sheets import NONE
from exaplan.report.words import phrase, word

MARK = "*"  # of a price that is reported as a fact only


def prices_view(
    rows: Sequence[Price], readings: Sequence[Reading], catalog: Catalog, on: str = ""
) -> list[RenderableType]:
    """What ``exaplan prices`` prints."""
    ordered = sorted(rows, key=lambda row: (row.item, row.kind, row.place, row.date))
    used = [*(row.source for row in rows), *(reading.price.source for reading in readings)]
    facts = any(map(fact_only, rows)) or any(fact_only(reading.price) for reading in readings)
    return [
        *_readings(readings, on),
        *_rows(ordered),
        *([Text(word("prices.street", mark=MARK), style="yellow")] if facts else []),
        Text(word("prices.gaps"), style="dim"),
        *citing.sources(used, catalog),
    ]


def _readings(readings: Sequence[Reading], on: str) -> list[RenderableType]:
    if not readings:
        return []
    columns = ("item", "kind", "place", "value", "low", "high", "observed", "distance", "n", "source")
    left = ("kind", "place", "observed", "source")
    title = word("prices.reading", on=on or word("prices.latest"))
    return [table(columns, [_reading(reading) for reading in readings], title, left, tight=True)]


def _reading(reading: Reading) -> list[str]:
    price, figure = reading.price, reading.figure
    ends = [dollars(end) for end in (figure.value, figure.low, figure.high)]
    far = amount(reading.distance, "time", 2) if reading.distance else word("prices.same_day")
    return [price.item, _kind(price), price.place, *ends, price.date, far, str(reading.observations), price.source]


def _rows(rows: Sequence[Price]) -> list[RenderableType]:
    if not rows:
        return [Text(word("prices.none"))]
    columns = ("item", "kind", "place", "date", "low", "value", "high", "unit", "vat", "usd", "source", "note")
    left, fixed = ("kind", "source", "note"), ("place", "date", "unit", "vat")
    return [
        heading(word("prices.rows", count=len(rows))),
        table(columns, map(_row, rows), left=left, tight=True, fixed=fixed),
    ]


def _row(row: Price) -> list[str]:
    """A price as it was published, and what that is in dollars without VAT."""
    ends = ["" if end is None else f"{end:,.10g}" for end in (row.low, row.mid, row.high)]
    usd = dollars(row.figure.value)
    note = word("prices.claim", note=phrase(row.note)) if row.claim else phrase(row.note)
    taxed = word(f"prices.vat.{row.vat}")
    return [row.item, _kind(row), row.place, row.date, *ends, row.unit, taxed, usd, row.source, note]


def _kind(row: Price) -> str:
    return word(f"prices.kinds.{row.kind}") + (f" {MARK}" if fact_only(row) else "")


def dollars(value: float | None) -> str:
    """Dollars with cents below a thousand."""
    if value is None:
        return NONE
    return f"${value:,.2f}" if abs(value) < 1000 else f"${value:,.0f}"
