"""``exaplan show``: every figure of one thing of the catalogue, with its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any, NamedTuple

from rich.console import RenderableType
from rich.text import Text

from exaplan import units
from exaplan.answers import SCHEMA_VERSION
from exaplan.catalog import Catalog, Price
from exaplan.catalog.hardware import NAMES
from exaplan.errors import InputError, Place
from exaplan.nouns import Figure
from exaplan.nouns.serving import Variant
from exaplan.report.listings import Row, cluster_json, engine_json, model_json, noun_json
from exaplan.report.provenance import figure_json, source_json
from exaplan.report.screen import heading, listed, table
from exaplan.report.to_json import plain
from exaplan.report.words import word

SWITCHES = ("chunked", "share_of_free", "prefix_cache", "graphs", "overlap")  # of an engine
WORDS = (*NAMES, *SWITCHES, "batching", "admission", "preemption")  # figures that are words or truths
KINDS = ("chips", "nodes", "clusters", "models", "engines", "fabrics", "sites", "asks")
DIMENSIONS = {
    "memory": "bytes",
    "bandwidth": "bandwidth",
    "link_bandwidth": "bandwidth",
    "network": "bandwidth",
    "power": "power",
    "die_area": "area",
    "applicable_area": "area",
    "io_bandwidth": "bandwidth",
    "price": "money",
    "latency": "time",
    "electricity": "price_energy",
    "carbon": "carbon",
    "domain": "count",
    "chips": "count",
    "processors": "count",
    "leaf": "count",
    "count": "count",
    "published.parameters": "tokens",
    "published.active": "tokens",
}


class Found(NamedTuple):
    """One thing of the catalogue that bears a name."""

    kind: str
    name: str
    noun: Any


def find(name: str, catalog: Catalog) -> list[Found]:
    """Everything of that name or alias, of whatever kind; InputError with the nearest names otherwise."""
    found = list(_matches(name, catalog))
    if found:
        return found
    names = {known.lower(): known for kind in KINDS for known in getattr(catalog, kind)}
    near = [names[key] for key in get_close_matches(name.lower(), list(names), 3, 0.5)]
    lists = "`exaplan chips`, `nodes`, `models`, `engines`, `asks` list all"
    hint = (f"did you mean {', '.join(near)}? " if near else "") + lists
    raise InputError(f"nothing is called `{name}`", hint=hint, place=Place("NAME"))


def _matches(name: str, catalog: Catalog) -> Iterator[Found]:
    for kind in KINDS:
        shelf = getattr(catalog, kind)
        known = shelf.resolve(name)
        if known is not None:
            yield Found(kind, known, shelf[known])


def show_json(found: list[Found], catalog: Catalog) -> Row:
    """The things with all their figures and sources, as JSON."""
    return {"schema_version": SCHEMA_VERSION, "found": [_one_json(item, catalog) for item in found]}


def _one_json(item: Found, catalog: Catalog) -> Row:
    figures = getattr(item.noun, "figures", {})
    prices = prices_of(item, catalog)
    used = sorted({figure.source for figure in figures.values()} | {price.source for price in prices})
    return {
        "kind": item.kind,
        "name": item.name,
        "fields": fields_of(item),
        "figures": {field: figure_json(figure) for field, figure in figures.items()},
        "prices": [asdict(price) for price in prices],
        "sources": {name: source_json(catalog.source(name)) for name in used},
    }


def prices_of(item: Found, catalog: Catalog) -> list[Price]:
    """The dated prices of a chip or node, oldest first."""
    if item.kind not in ("chips", "nodes"):
        return []
    return sorted((row for row in catalog.prices if row.item == item.name), key=lambda row: (row.kind, row.date))


def fields_of(item: Found) -> Row:
    """The plain fields of a thing."""
    if item.kind == "models":
        return model_json(item.noun) | {"spec": plain(dict(item.noun.spec))}
    if item.kind == "asks":
        return dict(plain(item.noun.value))
    if item.kind == "clusters":
        return cluster_json(item.noun)
    if item.kind == "engines":
        return engine_json(item.noun) | {"variants": list(map(_variant, item.noun.variants))}
    return noun_json(item.noun)


def _variant(variant: Variant) -> str:
    """``max_tokens 8192 (server, from 75.2 GB, chip h100)``: what holds, and where."""
    low, high = variant.memory
    where = [variant.usage, f"from {units.show(low, 'bytes')}" if low else "", f"chip {variant.chip}"]
    where += [f"below {units.show(high, 'bytes')}" if high else "", f"not {variant.without}"]
    where += [f"since {variant.since}", f"before {variant.before}"]
    told = ", ".join(part for part in where if part and not part.endswith(" "))
    return f"{' '.join(f'{name} {value}' for name, value in variant.changes.items())} ({told})"


def show_view(found: list[Found], catalog: Catalog) -> list[RenderableType]:
    """The things as tables."""
    return [part for item in found for part in _one_view(item, catalog)]


def _one_view(item: Found, catalog: Catalog) -> Iterator[RenderableType]:
    yield heading(word("show.kind", kind=item.kind.rstrip("s"), name=item.name))
    figures = getattr(item.noun, "figures", {})
    if item.kind == "models":
        row = model_json(item.noun)
        total, active = (units.show(row[key], "tokens") for key in ("params", "active"))
        yield Text(word("show.parameters", total=total, active=active))
    roots = {field.partition(".")[0] for field in figures}
    fields = fields_of(item)
    spec = fields.pop("spec", {})
    others = [*fields.items(), *((field, value) for field, value in spec.items() if value)]
    unsourced = {field: value for field, value in others if field not in roots and value not in (None, "", [], {})}
    yield from (Text(line) for line in _plain_lines(unsourced))
    if figures:
        words = spec | _stated(item.noun)
        rows = [[field, *_figure_cells(field, figure, words)] for field, figure in figures.items()]
        yield table(("field", "value", "low", "high", "source", "note"), rows, left=("source", "note"))
    prices = prices_of(item, catalog)
    if prices:
        columns = ("kind", "place", "date", "low", "value", "high", "unit", "vat", "usd", "source", "note")
        fixed = ("place", "date", "unit", "vat")
        yield table(columns, map(_price_row, prices), word("show.prices"), ("source", "note"), True, fixed)
    used = {figure.source for figure in figures.values()} | {row.source for row in prices}
    yield from listed(word("explain.sources"), _source_lines(used, catalog))


def _plain_lines(values: Mapping[str, Any], indent: str = "  ") -> Iterator[str]:
    for field, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}{field}:"
            yield from _plain_lines(value, indent + "  ")
        else:
            yield f"{indent}{field}: {', '.join(map(str, value)) if isinstance(value, list) else value}"


def _stated(noun: Any) -> dict[str, str]:
    """What is stated of a chip as a word or a truth, not as a quantity."""
    found = {name: getattr(noun, name, None) for name in WORDS}
    return {name: _word(value) for name, value in found.items() if value not in (None, "")}


def _word(value: Any) -> str:
    return word("law.yes" if value else "law.no") if isinstance(value, bool) else str(value)


def _figure_cells(field: str, figure: Figure, spec: Mapping[str, Any]) -> list[str]:
    """value, low, high, source and note; a figure that is a word has it in the spec or in its note."""
    values = [quantity(field, end) for end in (figure.value, figure.low, figure.high)]
    note = " ".join(part for part in (figure.date, figure.note) if part)
    told = str(spec[field]) if field in WORDS and field in spec else values[0]
    told = told or (str(spec[field]) if field in spec else "unknown")
    return [told, values[1], values[2], figure.source, note]


def quantity(field: str, value: float | None) -> str:
    """A figure of that field for people; "" where there is none."""
    if value is None:
        return ""
    if field == "release":
        return f"{value:.0f}"
    if field == "rent":
        return f"${value:,.2f}/h"
    dimension = "rate" if field.startswith("peak") else DIMENSIONS.get(field)
    return units.show(value, dimension) if dimension else f"{value:,.6g}"


def _price_row(row: Price) -> list[str]:
    """A price as it was published, and what that is in US dollars without VAT."""
    ends = ["" if end is None else f"{end:,.10g}" for end in (row.low, row.mid, row.high)]
    usd = "" if row.figure.value is None else f"{row.figure.value:,.2f}"
    return [row.kind, row.place, row.date, *ends, row.unit, word(f"prices.vat.{row.vat}"), usd, row.source, row.note]


def _source_lines(used: Iterable[str], catalog: Catalog) -> Iterator[str]:
    for name in sorted(used):
        source = catalog.source(name)
        yield " · ".join(part for part in (f"{name}: {source.title}", source.address, source.date, source.kind) if part)
