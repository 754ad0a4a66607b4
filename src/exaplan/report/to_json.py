"""Answers as JSON: the keys are a contract (``report/schemas.py``), values in SI and USD."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from exaplan.answers import Answer, Priced, Score, Scored, Validation
from exaplan.catalog import Catalog
from exaplan.nouns import Layout
from exaplan.report.provenance import collect, program_version

SCHEMA_VERSION = 1
METRICS = ("step_time", "mfu", "goodput")


def text(value: Any) -> str:
    """JSON text with a stable order; a number that is not finite is an error of ours, never written."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def answer_json(answer: Answer, catalog: Catalog) -> dict[str, Any]:
    """The answer of ``plan`` and ``estimate``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": answer.kind,
        "plans": [plan_json(answer, priced) for priced in answer.estimates],
        "binding": [{"limit": limit} for limit in answer.binding],
        "relief": [asdict(relief) for relief in answer.relief],
        "rejected": dict(answer.rejected),
        "considered": answer.considered,
        "rate": finite(answer.rate),
        "provenance": plain(collect(answer, catalog)),
    }


def plan_json(answer: Answer, priced: Priced) -> dict[str, Any]:
    """One plan: a layout with its time, cost, energy, carbon, memory, each with a range."""
    estimate = priced.estimate
    ranges = {"step_time": (estimate.low, estimate.high)} | dict(priced.ranges)
    return {
        "chip": answer.chip.name,
        "chips": estimate.layout.chips,
        "node": answer.node.name,
        "nodes": priced.nodes,
        "layout": layout_json(estimate.layout),
        "time": finite(priced.time),
        "cost": finite(priced.cost),
        "energy": finite(priced.energy),
        "carbon": finite(priced.carbon),
        "memory": finite(estimate.memory),
        "power": finite(estimate.power),
        "metrics": {
            "step_time": finite(estimate.step_time),
            "mfu": finite(estimate.mfu),
            "goodput": finite(priced.goodput),
        },
        "range": {name: [finite(low), finite(high)] for name, (low, high) in ranges.items()},
        "breakdown": {term: finite(value) for term, value in estimate.breakdown.items()},
        "memory_breakdown": {term: finite(value) for term, value in estimate.memory_terms.items()},
        "flops": finite(estimate.flops),
        "price_source": priced.price_source or None,
        "assumptions": list(estimate.assumptions),
    }


def layout_json(layout: Layout) -> dict[str, Any]:
    """Every field of a layout."""
    return asdict(layout)


def validation_json(validation: Validation) -> dict[str, Any]:
    """The scores of ``validate``."""
    skipped: dict[str, int] = {}
    for _, reason in validation.skipped:
        skipped[reason] = skipped.get(reason, 0) + 1
    return {
        "schema_version": SCHEMA_VERSION,
        "version": program_version(),
        "input_hash": validation.input_hash,
        "rows": [row_json(row) for row in validation.rows],
        "summary": scores_json(validation.summary),
        "by_source": scores_json(validation.by_source),
        "groups": {name: scores_json(scores) for name, scores in validation.groups.items()},
        "publishers_mean": {name: finite(value) for name, value in validation.publishers_mean.items()},
        "skipped": skipped,
        "skipped_rows": [{"row": row, "reason": reason} for row, reason in validation.skipped],
        "notes": list(validation.notes),
    }


def row_json(row: Scored) -> dict[str, Any]:
    """One scored row."""
    return {name: plain(value) for name, value in asdict(row).items()}


def scores_json(scores: Mapping[str, Score]) -> dict[str, Any]:
    """Scores by name."""
    return {name: plain(asdict(score)) for name, score in scores.items()}


def finite(value: float | None) -> float | None:
    """The value, or null where it is unknown or not finite."""
    return None if value is None or not math.isfinite(value) else value


def plain(value: Any) -> Any:
    """Nested mappings and tuples as dicts and lists; other objects as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, float):
        return finite(value)
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
