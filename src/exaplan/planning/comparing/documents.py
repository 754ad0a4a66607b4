"""Two plan.json documents: whether they are what they should be, and in what they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exaplan.answers import SCHEMA_VERSION
from exaplan.errors import InputError, Place
from exaplan.planning.comparing.parts import Change, Difference, Figures

CHOICES = ("chip", "chips", "node", "nodes", "fabric", "site", "terms")
FIGURES = ("time", "cost", "capital", "energy", "carbon", "memory", "power")
METRICS = ("tokens", "step_time", "mfu", "goodput")
UNSAID = ("set",)  # of an engine: which of its values the plan fixes, told by the inputs
SERVING = "serving"  # the kind of plan whose metrics are those that its promise names
MADE = ("version", "catalogue", "fits", "seed")  # of the provenance: what a document was made with


def check(value: Any, file: str) -> Mapping[str, Any]:
    """A plan document; InputError with the file where it is something else."""
    place, hint = Place(file), "make one with `exaplan plan ... --out plan.json`"
    keys = {"kind", "plans", "provenance"}
    if not isinstance(value, Mapping) or not keys <= value.keys():
        raise InputError("this is not a plan.json", hint=hint, place=place)
    if value.get("schema_version") != SCHEMA_VERSION:
        problem = f"this plan.json has schema_version {value.get('schema_version')}; {SCHEMA_VERSION} is read"
        raise InputError(problem, hint=hint, place=Place(file, field="schema_version"))
    plans, provenance = value["plans"], value["provenance"]
    if not isinstance(plans, list) or not plans or not _is_plan(plans[0]):
        raise InputError("this plan.json holds no plan", hint=hint, place=Place(file, field="plans"))
    if not isinstance(provenance, Mapping) or not isinstance(provenance.get("inputs"), Mapping):
        problem = "this plan.json does not say what was asked"
        raise InputError(problem, hint=hint, place=Place(file, field="provenance.inputs"))
    return value


def _is_plan(plan: Any) -> bool:
    parts = ("layout", "metrics", "range")
    return isinstance(plan, Mapping) and all(isinstance(plan.get(part), Mapping) for part in parts)


def choices_of(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What the best plans choose differently: hardware, place, terms, and each field of the layout."""
    a, b = first["plans"][0], second["plans"][0]
    pairs = [(name, a.get(name), b.get(name)) for name in CHOICES]
    for part in ("layout", "prefill", "engine"):
        mine, other = ({} if plan.get(part) is None else plan[part] for plan in (a, b))
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            names = [name for name in dict.fromkeys([*mine, *other]) if name not in UNSAID]
            pairs += [(f"{part}.{name}", mine.get(name), other.get(name)) for name in names]
    return tuple(Difference(*pair) for pair in pairs if pair[1] != pair[2])


def changes_of(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every figure that one of the best plans has."""
    a, b = first["plans"][0], second["plans"][0]
    told, other = figures_of(a, first["kind"]), figures_of(b, first["kind"])
    names = (*FIGURES, *METRICS) if first["kind"] != SERVING else (*told, *(name for name in other if name not in told))
    pairs = [(name, told.get(name), other.get(name)) for name in names]
    known = [pair for pair in pairs if pair[1] is not None or pair[2] is not None]
    return tuple(Change(name, x, y, _ratio(x, y), _overlap(a, b, name)) for name, x, y in known)


def figures_of(plan: Mapping[str, Any], kind: str = "training") -> Figures:
    """The figures that one plan of a document speaks of; None: it says that they are unknown."""
    both = ((FIGURES, plan), (tuple(plan["metrics"]) if kind == SERVING else METRICS, plan["metrics"]))
    return {name: _number(part[name]) for names, part in both for name in names if name in part}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _ratio(a: float | None, b: float | None) -> float | None:
    return b / a if a and b is not None else None


def _overlap(a: Mapping[str, Any], b: Mapping[str, Any], name: str) -> bool | None:
    """Whether the 80% ranges of a figure touch; None where a plan has none."""
    ranges = [plan["range"].get(name) for plan in (a, b)]
    ends = [_number(end) for pair in ranges if isinstance(pair, list) for end in pair]
    known = [end for end in ends if end is not None]
    return known[0] <= known[3] and known[2] <= known[1] if len(known) == 4 else None


def made_of(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Difference, ...]:
    """In what version, catalogue and fits the documents differ."""
    a, b = (_made(document["provenance"]) for document in (first, second))
    return tuple(Difference(name, a[name], b[name]) for name in MADE if a[name] != b[name])


def _made(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What a document was made with; which architecture's fits were taken follows from the chip."""
    out = {name: provenance.get(name) for name in MADE}
    fits = out["fits"]
    kept = {key: value for key, value in fits.items() if key != "architecture"} if isinstance(fits, Mapping) else fits
    return out | {"fits": kept}


def made_notes(made: tuple[Difference, ...]) -> Iterator[str]:
    """What else differs between two documents than the question: program, catalogue, fits."""
    names = {"version": "versions of exaplan", "catalogue": "catalogues", "fits": "fits"}
    told = [names[item.name] for item in made if item.name in names]
    if told:
        yield f"the two plans were made with different {', '.join(told)}"
