"""The JSON schemas of prices, of the AI tax, and of what owning a cluster or making a chip costs."""

from __future__ import annotations

from exaplan.answers import SCHEMA_VERSION
from exaplan.report.schemas.law import MAYBE_TEXT, VERSION, verdict
from exaplan.report.schemas.parts import (
    COUNT,
    MAYBE,
    NUMBER,
    OPEN,
    RANGE,
    TERMS,
    TEXT,
    TYPES,
    WORDS,
    Schema,
    listed,
    named,
    record,
)

SOURCES = named(record(dict.fromkeys(("title", "address", "date", "kind"), TEXT)))
PART_NAMES = ("capability", "price", "duties", "quantity")
OR_NULL: Schema = {"type": "null"}


def prices() -> Schema:
    """Rows of the price table, and what they read on a day."""
    words = dict.fromkeys(("item", "kind", "place", "date", "unit", "source", "confidence", "note"), TEXT)
    row = record(
        words | {"low": MAYBE, "mid": MAYBE, "high": MAYBE},
        {"fact_only": TYPES["bool"], "claim": TYPES["bool"]}
        | {
            "vat": {"enum": ["incl", "excl", "unknown"]},
            "currency": TEXT,
            "usd": record({"value": MAYBE, "range": RANGE}),
        },
    )
    reading = record(
        {"item": TEXT, "kind": TEXT, "place": TEXT, "date": TEXT, "value": MAYBE, "range": RANGE, "source": TEXT}
        | {"distance": NUMBER | {"description": "from the observation to the day asked [s]"}, "observations": COUNT},
        {"fact_only": TYPES["bool"]},
    )
    return record(VERSION | {"prices": listed(row), "on": TEXT, "readings": listed(reading), "sources": SOURCES})


def _parts() -> Schema:
    return record(dict.fromkeys(PART_NAMES, MAYBE))


def _run() -> Schema:
    """A plan on one side of the tax."""
    return record(
        {"chip": TEXT, "chips": COUNT, "node": TEXT, "nodes": COUNT, "site": TEXT, "layout": OPEN}
        | dict.fromkeys(("time", "cost", "energy", "carbon", "capital"), MAYBE)
        | {"terms": {"enum": [*TERMS["enum"], None]}, "range": named(RANGE), "offers": listed(OPEN)},
        {"price_source": MAYBE_TEXT},
    )


def _side() -> Schema:
    plan: Schema = {"anyOf": [_run(), OR_NULL]}
    return record(
        {"tax": MAYBE, "parts": _parts(), "range": RANGE, "reference": plan, "local": plan}
        | {"time_ratio": MAYBE, "why": TEXT, "notes": WORDS}
    )


def tax() -> Schema:
    """The answer of ``tax``; at the top stands the way to pay that is told first."""
    plan: Schema = {"anyOf": [_run(), OR_NULL]}
    even = record({"chip": TEXT, "price": MAYBE, "now": MAYBE, "throughput": MAYBE, "note": TEXT})
    point = record({"on": TEXT, "tax": MAYBE, "range": RANGE, "parts": _parts(), "sides": named(OPEN)})
    return record(
        {"schema_version": {"const": SCHEMA_VERSION}, "to": TEXT, "on": TEXT, "headquarters": TEXT, "terms": TEXT}
        | {"tax": MAYBE, "parts": _parts(), "range": RANGE, "reference": plan, "local": plan}
        | {"break_even": listed(even), "sides": named(_side()), "series": listed(point)}
        | {"verdicts": listed(verdict()), "counterfactual": TEXT, "assumptions": WORDS, "warnings": WORDS}
        | {"provenance": OPEN, "advice": TEXT}
    )


def _bill() -> Schema:
    return listed(
        record({"name": TEXT, "value": NUMBER, "low": NUMBER, "high": NUMBER, "source": TEXT, "formula": TEXT})
    )


def own() -> Schema:
    """The answer of ``own``: USD, USD/s, s, W."""
    rates = dict.fromkeys(("life", "wacc", "residual", "utilisation", "it_power", "power"), NUMBER)
    return record(
        VERSION
        | {"chip": TEXT, "chips": COUNT, "node": TEXT, "nodes": COUNT, "site": TEXT, "cooling": TEXT}
        | {"capital": _bill(), "running": _bill(), **rates}
        | {"per": named(record({"value": MAYBE, "range": RANGE})), "rent": MAYBE, "break_even": MAYBE}
        | {"carbon": OPEN, "water": MAYBE, "assumptions": WORDS, "sources": SOURCES}
    )


def make() -> Schema:
    """The answer of ``make``: USD, and USD per chip."""
    return record(VERSION | _made())


def makes() -> Schema:
    """The answer of ``make`` for all designs."""
    return record(VERSION | {"designs": listed(record(_made()))})


def _made() -> Schema:
    return (
        {"name": TEXT, "title": TEXT, "once": _bill(), "unit": _bill(), "cost": NUMBER, "range": RANGE}
        | {"dies": NUMBER, "yield_share": NUMBER, "rival": TEXT, "ratio": NUMBER, "measure": TEXT}
        | {"rival_price": NUMBER, "volume": MAYBE, "volume_range": RANGE, "wafers": MAYBE}
        | {"assumptions": WORDS, "sources": SOURCES}
    )
