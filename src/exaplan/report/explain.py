"""``exaplan explain``: a term of a plan.json with its formula, its inputs and the sources of its figures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from rich.console import RenderableType
from rich.text import Text

from exaplan.answers import SCHEMA_VERSION
from exaplan.errors import InputError, Place
from exaplan.planning.comparing import documents
from exaplan.report.provenance import cited_in
from exaplan.report.screen import amount, heading, listed, percent, table
from exaplan.report.serving.terms import is_number as _is_number
from exaplan.report.serving.terms import told as serving_terms
from exaplan.report.serving.told import joules
from exaplan.report.shown import quantity
from exaplan.report.terms import formulas
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


#: figures of the whole run that are explained like a term, with their dimension
WHOLE: Mapping[str, str] = {
    "time": "time",
    "goodput": "ratio",
    "cost": "money",
    "energy": "energy",
    "carbon": "mass",
    "power": "power",
}


SERVING = "serving"
PLAIN = {"joules": " J", "per_second": "/s", "number": ""}  # what is written as a number, with its unit


class Term(NamedTuple):
    """One term of the best plan: its value [SI or USD], of which total (None: a figure of its own), their dimension.

    ends: its 80% interval, where it has one; terms: how it is paid, of a cost.
    """

    name: str
    value: float
    total: float | None
    dimension: str
    ends: tuple[float, float] | None = None
    terms: str = ""


def check(value: Any, place: Place) -> Mapping[str, Any]:
    """The plan that ``explain`` was given; InputError where the file is something else."""
    plan = documents.check(value, place.file or "plan")
    best = plan["plans"][0]
    parts = [best.get("breakdown"), best.get("memory_breakdown", {})]
    totals = (best.get("memory"), *(() if plan["kind"] == SERVING else (best["metrics"].get("step_time"),)))
    known = (item for part in parts if isinstance(part, Mapping) for item in part.values())
    if not all(isinstance(part, Mapping) for part in parts) or not all(map(_is_number, (*totals, *known))):
        hint = "make one with `exaplan plan ... --out plan.json`"
        raise InputError("this plan.json holds no terms", hint=hint, place=Place(place.file, field="plans"))
    return plan


def terms_of(plan: Mapping[str, Any]) -> dict[str, Term]:
    """All terms of the best plan: of its step or iteration, then of its memory, then the figures of the whole."""
    best = plan["plans"][0]
    if plan["kind"] == SERVING:
        return {item.name: Term(*item) for item in serving_terms(best)}
    step, memory = best["metrics"]["step_time"], best["memory"]
    terms = [Term(name, value, step, "time") for name, value in best["breakdown"].items()]
    kept = best.get("memory_breakdown", {})
    terms += [Term(f"memory.{name}", value, memory, "bytes") for name, value in kept.items()]
    return {term.name: term for term in (*terms, *_whole(best))}


def _whole(best: Mapping[str, Any]) -> Iterator[Term]:
    """The figures of the whole run that are known; power is that of one chip."""
    for name, dimension in WHOLE.items():
        value = best["metrics"].get(name, best.get(name))
        if _is_number(value):
            yield Term(name, value, None, dimension, _ends(best["range"].get(name)), str(best.get("terms") or ""))


def _ends(found: Any) -> tuple[float, float] | None:
    return (found[0], found[1]) if isinstance(found, list) and len(found) == 2 and all(map(_is_number, found)) else None


def explain(plan: Mapping[str, Any], term: str | None = None) -> dict[str, Any]:
    """Where the figures of a plan (its JSON) came from: of one term, or of all."""
    place = Place("plan")
    return explain_json(check(plan, place), term, place)


def explain_json(plan: Mapping[str, Any], name: str | None, place: Place) -> dict[str, Any]:
    """The explanation as JSON: each term with value, formula and inputs; figures and sources."""
    provenance = plan["provenance"]
    return {
        "schema_version": SCHEMA_VERSION,
        "terms": [_term_json(term, provenance, plan["kind"]) for term in _chosen(plan, name, place)],
        "figures": provenance.get("figures", []),
        "sources": provenance.get("sources", {}),
        "made": {key: provenance.get(key) for key in ("version", "catalogue", "seed")},
    }


def _term_json(term: Term, provenance: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        "term": term.name,
        "value": term.value,
        "total": term.total,
        "range": None if term.ends is None else list(term.ends),
        "formulas": [{"function": path, "text": text} for path, text in formulas(term.name, term.terms, kind)],
        "inputs": provenance.get("terms", {}).get(term.name, {}),
    }


def explain_view(plan: Mapping[str, Any], name: str | None, place: Place) -> list[RenderableType]:
    """The explanation for people."""
    provenance = plan["provenance"]
    made = {key: provenance.get(key) for key in ("version", "seed")}
    parts: list[RenderableType] = []
    for term in _chosen(plan, name, place):
        parts += _term_view(term, provenance, plan["kind"])
    parts += _of_one(provenance, name) if name in WHOLE else _of_all(provenance, name is None)
    hashed = str(provenance.get("catalogue", ""))[:12]
    return [*parts, Text(word("explain.made", hash=hashed, **made), style="dim")]


def _of_all(provenance: Mapping[str, Any], asked: bool) -> list[RenderableType]:
    """What all terms of the step and the memory rest on, and what was ``asked``."""
    recorded = {key: value for key, value in provenance.items() if key not in COLLECTED}
    return [
        *(listed(word("explain.asked"), _asked(provenance.get("inputs", {}))) if asked else ()),
        *listed(word("explain.recorded"), _asked(recorded)),
        _figures(provenance),
        *listed(word("explain.sources"), _sources(provenance)),
    ]


def _of_one(provenance: Mapping[str, Any], name: str | None) -> list[RenderableType]:
    """The sources that the inputs of one figure cite."""
    cited = set(cited_in(provenance.get("terms", {}).get(name, {})))
    return listed(word("explain.sources"), _sources(provenance, cited))


def _chosen(plan: Mapping[str, Any], name: str | None, place: Place) -> list[Term]:
    terms = terms_of(plan)
    if name is None:
        return list(terms.values())
    if name in terms:
        return [terms[name]]
    near = get_close_matches(name, list(terms), 3, 0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "its terms: " + ", ".join(terms)
    raise InputError(f"the plan has no term `{name}`", hint=hint, place=Place(place.file, field="TERM"))


def _term_view(term: Term, provenance: Mapping[str, Any], kind: str) -> list[RenderableType]:
    found = formulas(term.name, term.terms, kind)
    lines: list[RenderableType] = [heading(word("explain.term", term=term.name))]
    lines.append(Text(f"  {word('explain.result')}: {_result(term)}"))
    for path, text in found:
        lines.append(Text(f"  {word('explain.formula')}: {path}"))
        lines += [Text(f"    {line}", style="dim") for line in text.splitlines()]
    lines += [] if found else [Text(f"  {word('explain.none')}", style="dim")]
    inputs = provenance.get("terms", {}).get(term.name, {})
    given = [f"  {line}" for line in _asked(inputs)]
    return [*lines, *listed(f"  {word('explain.inputs')}", given), Text("")]


def _result(term: Term) -> str:
    """The value with its share of its total, or with its range."""
    value = ("-" if term.value < 0 else "") + _amount(abs(term.value), term.dimension)
    if term.total is not None:
        share = percent(term.value / term.total) if term.total else "–"  # noqa: RUF001
        return f"{value} ({word('explain.share', share=share, total=_amount(term.total, term.dimension))})"
    if term.ends is None:
        return value
    low, high = (_amount(end, term.dimension) for end in term.ends)
    return f"{value} ({word('page.span', low=low, high=high)})"


def _amount(value: float, dimension: str) -> str:
    if dimension in PLAIN:
        return joules(value) if dimension == "joules" else f"{value:,.4g}{PLAIN[dimension]}"
    return percent(value) if dimension == "ratio" else amount(value, dimension)


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


def _sources(provenance: Mapping[str, Any], cited: Collection[str] | None = None) -> Iterator[str]:
    """The sources, or only those that are ``cited``."""
    found = provenance.get("sources", {})
    for name, source in ((name, found[name]) for name in found if cited is None or name in cited):
        parts = (f"{name}: {source.get('title', '')}", source.get("address"), source.get("date"), source.get("kind"))
        yield " · ".join(part for part in parts if part)
