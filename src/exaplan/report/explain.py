"""``exaplan explain``: a term of a plan.json with its formula, its inputs and the sources of its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from rich.console import RenderableType
from rich.text import Text

from exaplan.errors import InputError, Place
from exaplan.report.screen import amount, heading, listed, percent, table
from exaplan.report.shown import quantity
from exaplan.report.terms import formulas
from exaplan.report.to_json import SCHEMA_VERSION
from exaplan.report.words import word

#: what ``provenance.collect`` writes; everything else was recorded by the verb (fits, tuning, ...)
COLLECTED = (
    "inputs",
    "version",
    "catalogue",
    "seed",
    "assumptions",
    "defaults",
    "warnings",
    "terms",
    "figures",
    "sources",
)


class Term(NamedTuple):
    """One term of the best plan: its value [s or B], of which total, and the dimension of both."""

    name: str
    value: float
    total: float
    dimension: str


def check(value: Any, place: Place) -> Mapping[str, Any]:
    """The plan that ``explain`` was given; InputError where the file is something else."""
    hint = "make one with `exaplan plan ... --out plan.json`"
    if not isinstance(value, Mapping) or not {"plans", "provenance"} <= value.keys() or not value["plans"]:
        raise InputError("this is not a plan.json", hint=hint, place=place)
    if value.get("schema_version") != SCHEMA_VERSION:
        problem = f"this plan.json has schema_version {value.get('schema_version')}; {SCHEMA_VERSION} is read"
        raise InputError(problem, hint=hint, place=place)
    return value


def terms_of(plan: Mapping[str, Any]) -> dict[str, Term]:
    """All terms of the best plan: of its step, then of its memory."""
    best = plan["plans"][0]
    step, memory = best["metrics"]["step_time"], best["memory"]
    terms = [Term(name, value, step, "time") for name, value in best["breakdown"].items()]
    kept = best.get("memory_breakdown", {})
    terms += [Term(f"memory.{name}", value, memory, "bytes") for name, value in kept.items()]
    return {term.name: term for term in terms}


def explain(plan: Mapping[str, Any], term: str | None = None) -> dict[str, Any]:
    """Where the figures of a plan (its JSON) came from: of one term, or of all."""
    place = Place("plan")
    return explain_json(check(plan, place), term, place)


def explain_json(plan: Mapping[str, Any], name: str | None, place: Place) -> dict[str, Any]:
    """The explanation as JSON: each term with value, formula and inputs; figures and sources."""
    provenance = plan["provenance"]
    return {
        "schema_version": SCHEMA_VERSION,
        "terms": [_term_json(term, provenance) for term in _chosen(plan, name, place)],
        "figures": provenance.get("figures", []),
        "sources": provenance.get("sources", {}),
        "made": {key: provenance.get(key) for key in ("version", "catalogue", "seed")},
    }


def _term_json(term: Term, provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "term": term.name,
        "value": term.value,
        "total": term.total,
        "formulas": [{"function": path, "text": text} for path, text in formulas(term.name)],
        "inputs": provenance.get("terms", {}).get(term.name, {}),
    }


def explain_view(plan: Mapping[str, Any], name: str | None, place: Place) -> list[RenderableType]:
    """The explanation for people."""
    provenance = plan["provenance"]
    made = {key: provenance.get(key) for key in ("version", "seed")}
    parts: list[RenderableType] = []
    for term in _chosen(plan, name, place):
        parts += _term_view(term, provenance)
    if name is None:
        parts += listed(word("explain.asked"), _asked(provenance.get("inputs", {})))
    recorded = {key: value for key, value in provenance.items() if key not in COLLECTED}
    parts += listed(word("explain.recorded"), _asked(recorded))
    parts += [_figures(provenance), *listed(word("explain.sources"), _sources(provenance))]
    hashed = str(provenance.get("catalogue", ""))[:12]
    return [*parts, Text(word("explain.made", hash=hashed, **made), style="dim")]


def _chosen(plan: Mapping[str, Any], name: str | None, place: Place) -> list[Term]:
    terms = terms_of(plan)
    if name is None:
        return list(terms.values())
    if name in terms:
        return [terms[name]]
    near = get_close_matches(name, list(terms), 3, 0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "its terms: " + ", ".join(terms)
    raise InputError(f"the plan has no term `{name}`", hint=hint, place=Place(place.file, field="TERM"))


def _term_view(term: Term, provenance: Mapping[str, Any]) -> list[RenderableType]:
    found = formulas(term.name)
    share = percent(term.value / term.total) if term.total else "–"  # noqa: RUF001
    total = amount(term.total, term.dimension)
    value = ("-" if term.value < 0 else "") + amount(abs(term.value), term.dimension)
    lines: list[RenderableType] = [heading(word("explain.term", term=term.name))]
    lines.append(Text(f"  {word('explain.result')}: {value} ({word('explain.share', share=share, total=total)})"))
    for path, text in found:
        lines.append(Text(f"  {word('explain.formula')}: {path}"))
        lines += [Text(f"    {line}", style="dim") for line in text.splitlines()]
    lines += [] if found else [Text(f"  {word('explain.none')}", style="dim")]
    inputs = provenance.get("terms", {}).get(term.name, {})
    given = [f"  {line}" for line in _asked(inputs)]
    return [*lines, *listed(f"  {word('explain.inputs')}", given), Text("")]


def _asked(value: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _asked(item, f"{above}{key}.")
        else:
            yield f"{above}{key} = {item:.6g}" if isinstance(item, float) else f"{above}{key} = {item}"


def _figures(provenance: Mapping[str, Any]) -> RenderableType:
    rows = []
    for item in provenance.get("figures", []):
        value = quantity(item["field"], item["value"]) or item.get("word") or item.get("note") or "unknown"
        rows.append([f"{item['kind']} {item['name']}", item["field"], value, item["source"]])
    return table(("name", "field", "value", "source"), rows, word("explain.figures"), left=("field", "source"))


def _sources(provenance: Mapping[str, Any]) -> Iterator[str]:
    for name, source in provenance.get("sources", {}).items():
        parts = (f"{name}: {source.get('title', '')}", source.get("address"), source.get("date"), source.get("kind"))
        yield " · ".join(part for part in parts if part)
