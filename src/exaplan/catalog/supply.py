"""Chips that can be had by year and place (data/supply.csv): what no money buys more of.

One row: chips of one kind that a place got in a year (``year``) or has got up to the end of it (``stock``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exaplan.catalog.folder import Layer
from exaplan.catalog.loader import read_text
from exaplan.errors import CatalogError, Place
from exaplan.nouns import Figure, Source

FILE = "supply.csv"
COLUMNS = ("chip", "place", "year", "kind", "low", "mid", "high", "source", "confidence", "note")
KINDS = {"year": "chips of the year", "stock": "chips in all up to the end of the year"}
EVERYWHERE = "XX"  # of the whole world; ISO 3166 keeps XX for such use
YEAR, COUNTRY = re.compile(r"(19|20)\d\d"), re.compile(r"[A-Z]{2}")
CONFIDENCE = ("high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Supply:
    """One row. low, mid, high [chips]; kind: year | stock; place: ISO 3166, XX = the world."""

    chip: str
    place: str
    year: str
    kind: str
    low: float | None
    mid: float | None
    high: float | None
    source: str
    confidence: str
    note: str

    @property
    def figure(self) -> Figure:
        """The row as a figure; where only ends are known the value is their middle. Its note says what is counted."""
        ends = [end for end in (self.low, self.high) if end is not None]
        value = self.mid if self.mid is not None else sum(ends) / len(ends)
        note = "; ".join(part for part in (KINDS[self.kind], self.note) if part)
        return Figure(value, self.source, self.low, self.high, self.year, note)


@dataclass(frozen=True)
class SupplyTable:
    """All rows of all layers."""

    rows: tuple[Supply, ...] = ()

    def at(self, chip: str, place: str, on: str = "") -> Figure | None:
        """Chips of that name to be had at a place in the year of a day (ISO; "" = the latest year known).

        The place's own row, else the world's; chips of the year rather than the stock. None: not known, which is no
        limit. A year without a row stays unknown: nothing is carried over.
        """
        named = [row for row in self.rows if row.chip == chip and row.place in (place, EVERYWHERE)]
        year = on[:4] or max((row.year for row in named), default="")
        found = [row for row in named if row.year == year]
        best = min(found, key=lambda row: (row.place == EVERYWHERE, row.kind != "year"), default=None)
        return best.figure if best else None


def read_supply(
    layers: tuple[Layer, ...], sources: Mapping[str, Source], chips: Mapping[str, object] | None = None
) -> SupplyTable:
    """The table of all layers; ``chips``: the known names (None: not checked)."""
    files = [layer.folder / FILE for layer in layers]
    return SupplyTable(tuple(row for file in files if file.is_file() for row in _rows(file, sources, chips)))


def _rows(file: Path, sources: Mapping[str, Source], chips: Mapping[str, object] | None) -> list[Supply]:
    rows = csv.DictReader(read_text(file).splitlines())
    if tuple(rows.fieldnames or ()) != COLUMNS:
        hint = "the columns are: " + ",".join(COLUMNS)
        raise CatalogError("the columns of the supply table are wrong", hint=hint, place=Place(str(file), 1))
    return [_row(row, Place(str(file), rows.line_num), sources, chips) for row in rows]


def _row(
    row: dict[str, str], place: Place, sources: Mapping[str, Source], chips: Mapping[str, object] | None
) -> Supply:
    checks = (
        (chips is None or row["chip"] in chips, f"unknown chip `{row['chip']}`", "`exaplan chips` lists all"),
        (
            bool(COUNTRY.fullmatch(row["place"])),
            f"place `{row['place']}` is not a country",
            "ISO 3166, or XX = the world",
        ),
        (bool(YEAR.fullmatch(row["year"])), f"`{row['year']}` is not a year", "write 2025"),
        (row["kind"] in KINDS, f"unknown kind `{row['kind']}`", f"kinds: {', '.join(KINDS)}"),
        (row["source"] in sources, f"unknown source `{row['source']}`", "add it to sources.yaml (no source, no load)"),
        (row["confidence"] in CONFIDENCE, f"unknown confidence `{row['confidence']}`", ", ".join(CONFIDENCE)),
    )
    for fine, problem, hint in checks:
        if not fine:
            raise CatalogError(problem, hint=hint, place=place)
    low, mid, high = (_count(row[end], place) for end in ("low", "mid", "high"))
    known = [end for end in (low, mid, high) if end is not None]
    if not known or known != sorted(known):
        raise CatalogError("low, mid and high are missing or not in order", hint="low <= mid <= high", place=place)
    texts = {name: row[name] for name in COLUMNS if name not in ("low", "mid", "high")}
    return Supply(low=low, mid=mid, high=high, **texts)


def _count(text: str, place: Place) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value < 1e10:
        raise CatalogError(f"`{text}` is not a number of chips", hint="write it plainly, e.g. 200000", place=place)
    return value
