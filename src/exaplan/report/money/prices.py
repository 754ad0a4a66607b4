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

MANY = 12  # series from which on all rows share one table
FAR = 31_557_600.0  # s from which on a reading is little more than a guess
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
        *_far(readings),
        *_rows(ordered),
        *([Text(word("prices.street", mark=MARK), style="yellow")] if facts else []),
        Text(word("prices.gaps"), style="dim"),
        *citing.sources(used, catalog, short=True),
    ]


def _readings(readings: Sequence[Reading], on: str) -> list[RenderableType]:
    if not readings:
        return []
    names = {reading.price.item for reading in readings}
    columns: tuple[str, ...] = ("kind", "place", "value", "low", "high", "observed", "distance", "n", "source")
    title = word("prices.reading", on=on or word("prices.latest"))
    rows = [_reading(reading) for reading in readings]
    if len(names) == 1:
        title, rows = f"{names.pop()}{word('law.comma')}{title}", [row[1:] for row in rows]
    else:
        columns = ("item", *columns)
    return [table(columns, rows, title, ("kind", "place", "source"), True, ("observed",))]


def _far(readings: Sequence[Reading]) -> list[RenderableType]:
    """Which readings lie so far from any price that they say little."""
    several = len({reading.price.item for reading in readings}) > 1
    far = [reading.price for reading in readings if reading.distance > FAR]
    named = (" ".join((*((price.item,) if several else ()), _kind(price), price.place)) for price in far)
    return [Text(word("prices.far", names=word("law.comma").join(named)), style="yellow")] if far else []


def _reading(reading: Reading) -> list[str]:
    price, figure = reading.price, reading.figure
    ends = [dollars(end) for end in (figure.value, figure.low, figure.high)]
    far = amount(reading.distance, "time", 2) if reading.distance else word("prices.same_day")
    return [price.item, _kind(price), price.place, *ends, price.date, far, str(reading.observations), price.source]


def _rows(rows: Sequence[Price]) -> list[RenderableType]:
    """Each series by itself with its notes; where there are many, all rows in one table without them."""
    if not rows:
        return [Text(word("prices.none"))]
    title = heading(word("prices.rows", count=len(rows)))
    series: dict[tuple[str, ...], list[Price]] = {}
    for row in rows:
        series.setdefault((row.item, row.kind, row.place, row.unit, row.vat), []).append(row)
    if len(series) > MANY:
        return [title, _whole(rows), Text(word("prices.more"), style="dim")]
    return [title, *(_series(found) for found in series.values())]


def _series(rows: Sequence[Price]) -> RenderableType:
    """The prices of one thing, kind and place over time, as they were published and in dollars without VAT."""
    first = rows[0]
    parts = (first.item, _kind(first), first.place, first.unit, word(f"prices.taxed.{first.vat}"))
    foreign = any(row.currency != "USD" or row.vat != "excl" for row in rows)
    columns = ("date", "low", "value", "high", *(("usd",) if foreign else ()), "source", "note")
    cells = [[row.date, *_ends(row), *([dollars(row.figure.value)] if foreign else []), *_told(row)] for row in rows]
    return table(columns, cells, word("law.comma").join(parts), ("source", "note"), True)


def _whole(rows: Sequence[Price]) -> RenderableType:
    columns = ("item", "kind", "place", "date", "low", "value", "high", "unit", "vat", "source")
    cells = [
        [row.item, _kind(row), row.place, row.date, *_ends(row), row.unit, word(f"prices.vat.{row.vat}"), row.source]
        for row in rows
    ]
    return table(columns, cells, "", ("kind", "source"), True, ("place", "date", "unit", "vat"))


def _ends(row: Price) -> list[str]:
    return ["" if end is None else f"{end:,.10g}" for end in (row.low, row.mid, row.high)]


def _told(row: Price) -> list[str]:
    """Source and note; a claim is named as one."""
    return [row.source, word("prices.claim", note=phrase(row.note)) if row.claim else phrase(row.note)]


def _kind(row: Price) -> str:
    return word(f"prices.kinds.{row.kind}") + (f" {MARK}" if fact_only(row) else "")


def dollars(value: float | None) -> str:
    """Dollars with cents below a thousand."""
    if value is None:
        return NONE
    return f"${value:,.2f}" if abs(value) < 1000 else f"${value:,.0f}"
