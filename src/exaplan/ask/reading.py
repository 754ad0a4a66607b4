"""From plain values and their places to an ``Ask``. Every refusal is an InputError with file:line, field and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from exaplan.ask.law import LawAsk
from exaplan.ask.schema import Ask, FleetItem
from exaplan.ask.together import check_together
from exaplan.ask.values import Keys, Origin, PlaceOf, dotted, nowhere, read_date
from exaplan.errors import InputError, Place

LATER_KINDS = ("serving", "generation", "control", "simulation")
LATER_KEYS = {"system": "whole systems", "scenario": "build-outs"}
LABELS = ("name", "title", "aliases", "replaces", "note")  # of a bundled ask; they change no answer
SPELLINGS = {
    "cluster": {"chips": "chip", "nodes": "node", "place": "site"},
    "limits": {"budget": "money", "max_count": "count"},
    "law": {
        "place": "to",
        "destination": "to",
        "country": "to",
        "date": "on",
        "day": "on",
        "hq": "headquarters",
        "from": "origin",
        "entity": "end_user",
        "max_count": "count",
    },
    "work": {"batch": "global_batch", "sequence_length": "seq_len", "lora_rank": "rank"},
}


def parse(value: Any, place: PlaceOf | None = None, folder: Path | None = None) -> Ask:
    """An Ask from plain values. ``place(*keys)`` tells where a value stands; ``folder``: paths are relative to it."""
    where = place or nowhere
    if not isinstance(value, Mapping):
        raise InputError("an ask is a mapping of fields", hint="start with `model: llama-3.1-8b`", place=where())
    spelled = _spelled(value, where)
    _refuse_later(spelled, where)
    try:
        ask = Ask.model_validate(spelled)
    except ValidationError as error:
        raise _first_error(error, where) from None
    ask._origin = Origin(where, folder)
    check_together(ask)
    return ask.dated(ask.start) if ask.start else ask


def parse_law(value: Mapping[str, Any], place: PlaceOf | None = None) -> LawAsk:
    """Only the part about export rules; ``place("law", field)`` tells where a value stands."""
    where = place or nowhere
    try:
        return LawAsk.model_validate(dict(value))
    except ValidationError as error:
        raise _first_error(error, where, "law") from None


def parse_day(value: Any, place: Place) -> date | None:
    """A day, or None where there is none; InputError at ``place`` for anything else."""
    try:
        return read_date(value)
    except PydanticCustomError as error:
        context = error.context or {}
        raise InputError(str(context["problem"]), hint=str(context["hint"]), place=place) from None


def paths() -> tuple[str, ...]:
    """Every field that an ask can have, dotted."""
    return tuple(dotted(keys) for keys in _fields(Ask, ()))


def _fields(part: type[BaseModel], above: Keys) -> Iterator[Keys]:
    for name, info in part.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields(inner, (*above, name))
        else:
            yield (*above, name)


def _spelled(value: Mapping[str, Any], where: PlaceOf) -> dict[str, Any]:
    """The mapping with accepted other spellings replaced; ``cluster: NAME`` names a bundled cluster."""
    out = dict(value)
    if isinstance(out.get("cluster"), str):
        out["cluster"] = {"name": out["cluster"]}
    for part, others in SPELLINGS.items():
        inner = out.get(part)
        if isinstance(inner, Mapping):
            both = [(key, others[key]) for key in inner if key in others and others[key] in inner]
            if both:
                problem = f"`{both[0][0]}` and `{both[0][1]}` say the same thing"
                raise InputError(problem, hint="keep one of them", place=where(part, both[0][0]))
            out[part] = {others.get(key, key): item for key, item in inner.items()}
    return {key: item for key, item in out.items() if item is not None and key not in LABELS}


def _refuse_later(value: Mapping[str, Any], where: PlaceOf) -> None:
    for key, what in LATER_KEYS.items():
        if key in value:
            problem = f"`{key}` ({what}) is not answered by this version: it comes later"
            raise InputError(problem, hint="ask with `model`, `work` and `cluster`", place=where(key))
    work = value.get("work")
    kind = work.get("kind") if isinstance(work, Mapping) else None
    if kind in LATER_KINDS:
        problem = f"work of kind {kind!r} is not answered by this version"
        hint = f"kind: training works; {', '.join(LATER_KINDS)} come later"
        raise InputError(problem, hint=hint, place=where("work", "kind"))


def _first_error(error: ValidationError, where: PlaceOf, *above: str) -> InputError:
    """The first complaint of pydantic as one of ours: an unknown key before anything else."""
    found = error.errors(include_url=False)
    first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])
    inner = tuple(key for key in first["loc"] if not (isinstance(key, str) and key in ("str", "dict[str,any]")))
    keys: Keys = (*above, *inner)
    problem, hint = _explain(first["type"], first, keys)
    return InputError(problem, hint=hint, place=where(*keys))


def _explain(kind: str, item: Mapping[str, Any], keys: Keys) -> tuple[str, str]:
    """(problem, remedy) of one of pydantic's complaints."""
    if kind == "exaplan":
        context = item["ctx"]
        return str(context["problem"]).replace("this needs one", f"{dotted(keys)} needs one"), str(context["hint"])
    if kind == "extra_forbidden":
        return f"`{keys[-1]}` is not a field of {dotted(keys[:-1]) or 'an ask'}", _nearest(keys)
    if kind == "missing":
        return f"`{dotted(keys)}` is missing", _MISSING[str(keys[-1])]
    if kind == "literal_error":
        return f"{item['input']!r} is not one of {item['ctx']['expected']}", "choose one of them"
    if kind in ("string_type", "dict_type") and "cluster" not in keys[:-1] and keys[0] != "model":
        return f"{item['input']!r} is not a text", "see `exaplan schema ask`"
    if kind in ("string_type", "dict_type"):
        return f"{item['input']!r} is not a name", "write a name of the catalogue or the path of your own file"
    if kind == "bool_type":
        return f"{item['input']!r} is neither true nor false", "write true or false"
    if kind in ("model_type", "model_attributes_type"):
        return f"{item['input']!r} is not a group of fields", f"write fields below `{dotted(keys)}:`, indented"
    return f"{item['input']!r}: {item['msg'].lower()}", "see `exaplan schema ask`"


_MISSING = {
    "model": "add `model: llama-3.1-8b` (a name of `exaplan models`, or the path of a config.json)",
    "chip": "add `chip: a100-sxm-80gb` (a name of `exaplan chips`, or the path of a chip file)",
    "count": "say how many there are, like 64",
}


def _nearest(keys: Keys) -> str:
    """The nearest field of the same group, or of any group, or the list of what the group has."""
    head, last = dotted(tuple(key for key in keys[:-1] if isinstance(key, str))), str(keys[-1])
    known = {*paths(), *(f"cluster.fleet.{name}" for name in FleetItem.model_fields)}
    groups = {path.rpartition(".")[0] for path in paths()} - {""}
    here = sorted({path for path in known if path.rpartition(".")[0] == head} | (set() if head else groups))
    near = get_close_matches(last, [path.rpartition(".")[2] for path in here], n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    elsewhere = [path for path in paths() if path.rpartition(".")[2] == last]
    if elsewhere:
        return f"it stands under `{elsewhere[0].rpartition('.')[0]}:`"
    return "known: " + ", ".join(path.rpartition(".")[2] for path in here)
