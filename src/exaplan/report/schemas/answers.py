"""The JSON schemas of what ``plan``, ``estimate``, ``validate``, ``compare`` and the lists give back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from exaplan.answers import SCHEMA_VERSION
from exaplan.nouns import Layout
from exaplan.report.schemas.law import verdict
from exaplan.report.schemas.parts import (
    COUNT,
    MAYBE,
    MAYBE_TERMS,
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


def plan() -> Schema:
    """The answer of ``plan`` and ``estimate``."""
    relief = record({"limit": TEXT, "step": TEXT, "before": NUMBER, "after": NUMBER})
    tried = record({"chip": TEXT, "node": TEXT, "counts": listed(COUNT), "considered": COUNT, "reason": TEXT})
    return record(
        {
            "schema_version": {"const": SCHEMA_VERSION},
            "kind": TEXT,
            "plans": listed(_one_plan()),
            "binding": listed(record({"limit": TEXT})),
            "relief": listed(relief),
            "rejected": named(COUNT),
            "considered": COUNT,
            "rate": MAYBE,
            "objective": TEXT,
            "searched": TYPES["bool"],
            "front": listed(_point()),
            "tried": listed(tried),
            "provenance": provenance(),
        },
        {"verdicts": listed(verdict())},
    )


def _where() -> Schema:
    """Keys that a plan and a point of the front share: on what, how it is cut, and what it takes."""
    layout = record({item.name: TYPES[str(item.type)] for item in fields(Layout)})
    totals = dict.fromkeys(("time", "cost", "energy", "carbon", "memory"), MAYBE)
    return {"chip": TEXT, "chips": COUNT, "node": TEXT, "nodes": COUNT, "layout": layout, **totals}


def _ranges() -> Schema:
    """The 80% intervals of a plan; those of the cost are there where a price is known."""
    spans = {"cost": RANGE | {"description": "over the time and what the sources of the price span"}}
    quoted = "over the time, at the quoted price: ranked and held against a budget"
    spans["cost_quoted"] = RANGE | {"description": quoted}
    return named(RANGE) | {"properties": spans}


def _one_plan() -> Schema:
    metrics = {"step_time": NUMBER, **dict.fromkeys(("mfu", "goodput", "tokens", "throughput"), MAYBE)}
    offer = record(
        {"terms": TERMS, "cost": NUMBER, "capital": NUMBER, "parts": named(NUMBER), "low": MAYBE, "high": MAYBE}
        | {"source": TEXT, "date": TEXT, "place": TEXT, "break_even": MAYBE}
    )
    pair: Schema = {"type": "array", "minItems": 2, "maxItems": 2}
    nearest = record(
        {"row_id": TEXT, "source": TEXT, "title": TEXT, "distance": NUMBER, "differs": named(pair), "error": MAYBE}
    )
    return record(
        _where()
        | {"power": MAYBE, "metrics": record(metrics), "range": _ranges(), "terms": MAYBE_TERMS, "capital": MAYBE}
        | {"offers": listed(offer), "site": TEXT, "fabric": TEXT, "breakdown": named(MAYBE)}
        | {"memory_breakdown": named(MAYBE), "nearest_run": {"anyOf": [nearest, {"type": "null"}]}},
        {"flops": MAYBE, "price_source": {"type": ["string", "null"]}, "assumptions": WORDS},
    )


def _point() -> Schema:
    return record(
        _where()
        | {
            "range": record(dict.fromkeys(("time", "cost", "cost_quoted"), RANGE)),
            "step_time": NUMBER,
            "terms": MAYBE_TERMS,
        }
        | {"tokens": MAYBE, "missed": WORDS, "front": TYPES["bool"]}
    )


def provenance() -> Schema:
    """What every answer of a question carries: inputs, version, figures, sources."""
    words = {"date": TEXT, "note": TEXT, "word": TEXT}
    figure = record({"value": MAYBE, "source": TEXT}, {"low": NUMBER, "high": NUMBER, **words})
    source = record({"title": TEXT, "address": TEXT, "date": TEXT, "kind": TEXT})
    return record(
        {
            "inputs": OPEN,
            "version": TEXT,
            "catalogue": TEXT,
            "seed": COUNT,
            "assumptions": WORDS,
            "defaults": WORDS,
            "terms": named(OPEN),
            "figures": listed(figure),
            "sources": named(source),
        }
    )


def validate() -> Schema:
    """The scores of ``validate``."""
    ratios = ("median_abs_error", "mean_abs_error", "bias", "coverage", "winkler")
    score = record({"n": COUNT} | dict.fromkeys(ratios, MAYBE))
    numbers = dict.fromkeys(("predicted", "measured", "error", "low", "high"), MAYBE)
    row = record({"row_id": TEXT, "quantity": TEXT, **numbers}, {"source": TEXT, "scored": {"type": "boolean"}})
    return record(
        {"schema_version": {"const": SCHEMA_VERSION}, "rows": listed(row), "summary": named(score)}
        | {"by_source": named(score), "skipped": named(COUNT)},
        {"groups": named(named(score)), "skipped_rows": listed(record({"row": TEXT, "reason": TEXT})), "notes": WORDS}
        | {
            "peers": named(record({"title": TEXT, "of": TEXT, "address": TEXT}, dict.fromkeys(("tpot", "ttft"), RANGE)))
        },
    )


def compare() -> Schema:
    """What differs between two plans."""
    pair = record({"name": TEXT, "a": {}, "b": {}})
    flag: Schema = {"type": ["boolean", "null"]}
    change = record({"name": TEXT, "a": MAYBE, "b": MAYBE, "ratio": MAYBE, "overlap": flag})
    moved = record({"inputs": WORDS, "figures": named(MAYBE), "share": named(NUMBER), "refused": TEXT})
    lists = {"choices": pair, "figures": change, "inputs": pair, "made": pair, "alone": moved, "path": moved}
    flags = dict.fromkeys(("same", "reproduced"), TYPES["bool"])
    return record(
        {"schema_version": {"const": SCHEMA_VERSION}, "kind": TEXT, "notes": WORDS, **flags}
        | {name: listed(items) for name, items in lists.items()}
    )


def listing(kind: str) -> Callable[[], Schema]:
    """A list of things that have names."""
    return lambda: record({"schema_version": {"const": SCHEMA_VERSION}, kind: listed(record({"name": TEXT}))})
