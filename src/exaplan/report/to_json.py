"""Answers as JSON: the keys are a contract (``report/schemas.py``), values in SI and USD."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from exaplan.answers import SCHEMA_VERSION, Answer, Nearest, Offer, Point, Priced, Score, Scored, Tried, Validation
from exaplan.catalog import Catalog
from exaplan.nouns import Deal, Layout, Missing, Verdict
from exaplan.report.asked import throughput
from exaplan.report.peers import peers_json
from exaplan.report.provenance import collect, program_version
from exaplan.report.words import words


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
        "objective": answer.objective,
        "searched": answer.searched,
        "front": [point_json(point) for point in answer.front],
        "tried": [tried_json(tried) for tried in answer.tried],
        "verdicts": [verdict_json(verdict) for verdict in answer.verdicts],
        "provenance": plain(collect(answer, catalog)),
    }


def plan_json(answer: Answer, priced: Priced) -> dict[str, Any]:
    """One plan: a layout with its time, cost, energy, carbon, memory, each with a range."""
    estimate, cluster = priced.estimate, priced.cluster or answer.cluster
    return {
        "chip": cluster.chip.name,
        "chips": estimate.layout.chips,
        "node": cluster.node.name,
        "nodes": priced.nodes,
        "fabric": cluster.fabric.name,
        "site": cluster.site.name,
        "layout": layout_json(estimate.layout),
        "time": finite(priced.time),
        "cost": finite(priced.cost),
        "energy": finite(priced.energy),
        "carbon": finite(priced.carbon),
        "memory": finite(estimate.memory),
        "power": finite(estimate.power),
        "terms": priced.terms or None,
        "capital": finite(priced.capital),
        "offers": [offer_json(offer) for offer in priced.offers],
        "metrics": metrics_json(answer, priced),
        "range": ranges_json(answer, priced),
        "breakdown": {term: finite(value) for term, value in estimate.breakdown.items()},
        "memory_breakdown": {term: finite(value) for term, value in estimate.memory_terms.items()},
        "flops": finite(estimate.flops),
        "price_source": priced.price_source or None,
        "nearest_run": nearest_json(priced.nearest) if priced.nearest else None,
        "assumptions": list(estimate.assumptions),
    }


def metrics_json(answer: Answer, priced: Priced) -> dict[str, Any]:
    """What is particular to training; throughput [tokens/s while it steps]."""
    estimate = priced.estimate
    return {
        "step_time": finite(estimate.step_time),
        "mfu": finite(estimate.mfu),
        "goodput": finite(priced.goodput),
        "tokens": finite(priced.tokens),
        "throughput": finite(throughput(answer, estimate.step_time)),
    }


def ranges_json(answer: Answer, priced: Priced) -> dict[str, list[float | None]]:
    """The 80% intervals by the name of the figure; throughput's ends are those of the step time."""
    estimate = priced.estimate
    found = {"step_time": (estimate.low, estimate.high)} | dict(priced.ranges)
    made = {name: [finite(low), finite(high)] for name, (low, high) in found.items()}
    slow, fast = throughput(answer, estimate.high), throughput(answer, estimate.low)
    return made if slow is None else {"throughput": [finite(slow), finite(fast)], **made}


def offer_json(offer: Offer) -> dict[str, Any]:
    """One way to pay."""
    return {name: plain(value) for name, value in fields_of(offer).items()}


def nearest_json(nearest: Nearest) -> dict[str, Any]:
    """The published run most like a plan; differs: name -> [plan's value, run's value]."""
    return {name: plain(value) for name, value in fields_of(nearest).items()}


def point_json(point: Point) -> dict[str, Any]:
    """The best layout of one chip at one count; of the ranges only the upper ends are known."""
    return {
        "chip": point.chip,
        "chips": point.count,
        "node": point.node,
        "nodes": point.nodes,
        "layout": layout_json(point.layout),
        "time": finite(point.time),
        "cost": finite(point.cost),
        "energy": finite(point.energy),
        "carbon": finite(point.carbon),
        "range": {
            "time": [None, finite(point.time_high)],
            "cost": [None, finite(point.cost_top)],
            "cost_quoted": [None, finite(point.cost_high)],
        },
        "step_time": finite(point.step_time),
        "memory": finite(point.memory),
        "terms": point.terms or None,
        "tokens": finite(point.tokens),
        "missed": list(point.missed),
        "front": point.front,
    }


def tried_json(tried: Tried) -> dict[str, Any]:
    """What became of one chip type."""
    return {name: plain(value) for name, value in fields_of(tried).items()}


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
        "peers": peers_json(validation),
    }


def row_json(row: Scored) -> dict[str, Any]:
    """One scored row."""
    return {name: plain(value) for name, value in asdict(row).items()}


def scores_json(scores: Mapping[str, Score]) -> dict[str, Any]:
    """Scores by name."""
    return {name: plain(asdict(score)) for name, score in scores.items()}


def advice() -> str:
    """What every output about law says; in English, since the words of JSON do not depend on the language."""
    return str(words()["law"]["advice"])


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """One verdict with everything that it stands on."""
    return {
        "chip": verdict.chip,
        **deal_json(verdict.deal),
        "verdict": verdict.verdict,
        "review": verdict.review,
        "class": verdict.class_name,
        "clauses": [plain(fields_of(clause)) for clause in verdict.clauses],
        "missing": [missing_json(missing) for missing in verdict.missing],
        "rules_through": verdict.rules_through,
        "assumes": list(verdict.assumes),
        "warnings": list(verdict.warnings),
        "duties": [plain(fields_of(duty)) for duty in verdict.duties],
        "facts": plain(verdict.facts),
        "advice": advice(),
    }


def deal_json(deal: Deal) -> dict[str, Any]:
    """Who gets it, where and when; headquarters are those of the destination where none were named."""
    found: dict[str, Any] = plain(fields_of(deal))
    return found | {"headquarters": deal.headquarters or deal.to}


def missing_json(missing: Missing) -> dict[str, Any]:
    """An unknown figure, and what each of its values would mean; null where a range has no end."""
    outcomes = [
        {"low": finite(one.low), "high": finite(one.high), "class": one.class_name, "verdict": one.verdict}
        for one in missing.outcomes
    ]
    return {"field": missing.field, "unit": missing.unit, "outcomes": outcomes}


def fields_of(thing: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, as they are (``asdict`` cannot copy a read-only mapping)."""
    return {item.name: getattr(thing, item.name) for item in fields(thing)}


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
