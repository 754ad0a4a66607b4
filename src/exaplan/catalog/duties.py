"""Import duties and VAT by place and day (data/duties.yaml), each figure with its source.

A place (ISO 3166; EU = the usual member state) has a list of periods: ``since`` (ISO date), ``vat`` and ``customs``
[ratio] on chips and servers. What a rule of export law takes on top (tariffs of a proclamation, shares of revenue)
stands in that rule, not here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exaplan.catalog.days import is_day
from exaplan.catalog.folder import Layer
from exaplan.catalog.loader import Document, read_yaml
from exaplan.catalog.sheet import Bound, Sheet
from exaplan.errors import CatalogError
from exaplan.nouns import Figure, Source

FILE = "duties.yaml"
SHARE = Bound("ratio", 0.0, 2.0, " (13% or 0.13)")
COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Duties:
    """vat: on the price with duty; customs: on the price at the border [ratio]; since: ISO date."""

    vat: Figure
    customs: Figure
    since: str = ""


@dataclass(frozen=True)
class DutyTable:
    """Duties by place and day."""

    periods: Mapping[str, Sequence[Duties]] = field(default_factory=dict)

    def at(self, place: str, on: str = "") -> Duties | None:
        """Those that hold at a place on a day ("" = the latest); None: not known, which is not zero."""
        held = [period for period in self.periods.get(place, ()) if not on or period.since <= on]
        return held[-1] if held else None


def read_duties(layers: tuple[Layer, ...], sources: Mapping[str, Source]) -> DutyTable:
    """The table of all layers; an overlay's place takes the place of ours."""
    out: dict[str, Sequence[Duties]] = {}
    for layer in layers:
        if (layer.folder / FILE).is_file():
            out |= _places(read_yaml(layer.folder / FILE), sources, layer.own)
    return DutyTable(out)


def _places(document: Document, sources: Mapping[str, Source], own: str) -> dict[str, Sequence[Duties]]:
    if not isinstance(document.value, dict):
        raise CatalogError("expected one key per place", hint="write `CN:` and its periods", place=document.place())
    return {place: _periods(document, place, sources, own) for place in document.value}


def _periods(document: Document, place: str, sources: Mapping[str, Source], own: str) -> Sequence[Duties]:
    raw = document.value[place]
    if not COUNTRY.fullmatch(place) or not isinstance(raw, list) or not raw:
        hint = "write `CN:` (ISO 3166) and a list of periods, `- since: 2019-04-01`"
        raise CatalogError(f"`{place}` is not a place with its periods", hint=hint, place=document.place(place))
    found = [_period(Sheet(document, sources, own, (place, index))) for index in range(len(raw))]
    if [period.since for period in found] != sorted({period.since for period in found}):
        hint = "each period begins later than the one before it"
        raise CatalogError(f"the periods of {place} are not in order", hint=hint, place=document.place(place))
    return tuple(found)


def _period(sheet: Sheet) -> Duties:
    sheet.allow(("since", "vat", "customs"))
    since = sheet.text("since")
    if not is_day(since):
        sheet.fail(f"`{since}` is not a date", "write `since: 2019-04-01`", "since")
    vat, customs = (sheet.figure(SHARE, key, required=True) for key in ("vat", "customs"))
    return Duties(vat or Figure(None, ""), customs or Figure(None, ""), since)
