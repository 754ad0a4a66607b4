"""From plain values and their places to an ``Ask`` or ``ServeAsk``.

Every refusal is an InputError with file:line, field and remedy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from exaplan.ask.base import BaseAsk, FleetItem
from exaplan.ask.law import LawAsk
from exaplan.ask.schema import Ask
from exaplan.ask.serving import ServeAsk
from exaplan.ask.serving_together import check_serving
from exaplan.ask.together import check_together
from exaplan.ask.values import Keys, Origin, PlaceOf, dotted, nowhere, read_date
from exaplan.errors import InputError, Place

LATER_KINDS = ("generation", "control", "simulation")
KINDS: Mapping[str, type[BaseAsk]] = {"training": Ask, "serving": ServeAsk}
SERVING_MARKS = ("rate", "users", "trace", "prompt")  # any of them in `work` says that the ask is about serving
LATER_KEYS = {"system": "whole systems", "scenario": "build-outs"}
AnyAsk = TypeVar("AnyAsk", bound=BaseAsk)
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
    "work": {
        "batch": "global_batch",
        "sequence_length": "seq_len",
        "lora_rank": "rank",
        "qps": "rate",
        "concurrency": "users",
        "isl": "prompt",
        "input": "prompt",
        "osl": "output",
    },
    "engine": {"memory_utilization": "memory_share", "gpu_memory_utilization": "memory_share"},
}


def parse(value: Any, place: PlaceOf | None = None, folder: Path | None = None) -> Ask | ServeAsk:
    """An Ask (training) or a ServeAsk from plain values: by ``work.kind``, else serving where the traffic is given.

    ``place(*keys)`` tells where a value stands; ``folder``: paths are relative to it.
    """
    where = place or nowhere
    if not isinstance(value, Mapping):
        raise InputError("an ask is a mapping of fields", hint="start with `model: llama-3.1-8b`", place=where())
    spelled = _spelled(value, where)
    _refuse_later(spelled, where)
    if kind_of(spelled) == "serving":
        served = _read(ServeAsk, spelled, where)
        served._origin = Origin(where, folder)
        check_serving(served)
        return served.dated(served.start) if served.start else served
    ask = _read(Ask, spelled, where)
    ask._origin = Origin(where, folder)
    check_together(ask)
    return ask.dated(ask.start) if ask.start else ask


def kind_of(value: Mapping[str, Any]) -> str:
    """serving or training: what ``work.kind`` says, else whether `work` holds traffic."""
    work = value.get("work")
    if not isinstance(work, Mapping):
        return "training"
    kind = work.get("kind")
    if kind is not None:
        return "serving" if kind == "serving" else "training"
    return "serving" if any(work.get(name) is not None for name in SERVING_MARKS) else "training"


def json_schema(kind: str = "") -> dict[str, Any]:
    """The JSON schema of an ask: of ``kind`` training or serving; "" = of either."""
    if kind:
        return KINDS[kind].model_json_schema()
    made: dict[str, Any] = TypeAdapter(Ask | ServeAsk).json_schema()
    return {"title": "Ask", **made}


def _read(kind: type[AnyAsk], value: Mapping[str, Any], where: PlaceOf) -> AnyAsk:
    try:
        return kind.model_validate(dict(value))
    except ValidationError as error:
        raise _first_error(error, where, kind=kind) from None


def parse_law(value: Mapping[str, Any], place: PlaceOf | None = None) -> LawAsk:
    """Only the part about export rules; ``place("law", field)`` tells where a value stands."""
    where = place or nowhere
    try:
        return LawAsk.model_validate(dict(value))
    except ValidationError as error:
        raise _first_error(error, where, "law", kind=Ask) from None


def parse_day(value: Any, place: Place) -> date | None:
    """A day, or None where there is none; InputError at ``place`` for anything else."""
    try:
        return read_date(value)
    except PydanticCustomError as error:
        context = error.context or {}
        raise InputError(str(context["problem"]), hint=str(context["hint"]), place=place) from None


def paths(kind: str = "") -> tuple[str, ...]:
    """Every field that an ask can have, dotted; ``kind``: training or serving, "" = of either."""
    kinds = [KINDS[kind]] if kind else list(KINDS.values())
    return tuple(dict.fromkeys(dotted(keys) for one in kinds for keys in _fields(one, ())))


def _fields(part: type[BaseModel], above: Keys) -> Iterator[Keys]:
    for name, info in part.model_fields.items():
        inner = _group(info.annotation)
        if inner is not None:
            yield from _fields(inner, (*above, name))
        else:
            yield (*above, name)


def _group(annotation: Any) -> type[BaseModel] | None:
    """The group of fields that a field is, also where it may be left out."""
    for option in (annotation, *get_args(annotation)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _spelled(value: Mapping[str, Any], where: PlaceOf) -> dict[str, Any]:
    """The mapping with accepted other spellings replaced; ``cluster: NAME`` and ``engine: NAME`` name one."""
    out = dict(value)
    for part in ("cluster", "engine"):
        if isinstance(out.get(part), str):
            out[part] = {"name": out[part]}
    for part, others in SPELLINGS.items():
        inner = out.get(part)
        if isinstance(inner, Mapping):
            both = [(key, others[key]) for key in inner if key in others and others[key] in inner]
            if both:
                problem = f"`{both[0][0]}` and `{both[0][1]}` say the same thing"
                raise InputError(problem, hint="keep one of them", place=where(part, both[0][0]))
            out[part] = {others.get(key, key): item for key, item in inner.items()}
    model = out.get("model")
    empty = model == {} or (isinstance(model, str) and not model.strip())
    left = {"model", *LABELS} if empty else LABELS
    return {key: item for key, item in out.items() if item is not None and key not in left}


def _refuse_later(value: Mapping[str, Any], where: PlaceOf) -> None:
    for key, what in LATER_KEYS.items():
        if key in value:
            problem = f"`{key}` ({what}) is not answered by this version: it comes later"
            raise InputError(problem, hint="ask with `model`, `work` and `cluster`", place=where(key))
    work = value.get("work")
    kind = work.get("kind") if isinstance(work, Mapping) else None
    if isinstance(kind, str) and kind in LATER_KINDS:
        problem = f"work of kind {kind!r} is not answered by this version"
        hint = f"kind: training and serving work; {', '.join(LATER_KINDS)} come later"
        raise InputError(problem, hint=hint, place=where("work", "kind"))
    if kind is not None and (not isinstance(kind, str) or kind not in KINDS):
        known = ", ".join(map(repr, KINDS))
        raise InputError(f"{kind!r} is not one of {known}", hint="choose one of them", place=where("work", "kind"))


def _first_error(error: ValidationError, where: PlaceOf, *above: str, kind: type[BaseAsk]) -> InputError:
    """The first complaint of pydantic as one of ours: an unknown key before anything else."""
    found = error.errors(include_url=False)
    first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])
    inner = tuple(key for key in first["loc"] if not (isinstance(key, str) and key in ("str", "dict[str,any]")))
    keys: Keys = (*above, *inner)
    problem, hint = _explain(first["type"], first, keys, kind)
    return InputError(problem, hint=hint, place=where(*keys))


def _explain(kind: str, item: Mapping[str, Any], keys: Keys, ask: type[BaseAsk]) -> tuple[str, str]:
    """(problem, remedy) of one of pydantic's complaints."""
    if kind == "exaplan":
        context = item["ctx"]
        return str(context["problem"]).replace("this needs one", f"{dotted(keys)} needs one"), str(context["hint"])
    if kind == "extra_forbidden":
        return _other_kind(keys, ask) or (_unknown(keys), _nearest(keys, ask))
    if kind == "missing":
        return f"`{dotted(keys)}` is missing", _MISSING.get(str(keys[-1]), "see `exaplan schema ask`")
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


_INSTEAD = {
    "work.seq_len": "the lengths of a request are work.prompt and work.output",
    "work.global_batch": "the requests of an iteration are engine.max_seqs",
    "work.tokens": "work.requests says how many requests are simulated, and work.rate how many come",
    "work.steps": "work.requests says how many requests are simulated, and work.rate how many come",
    "work.method": "adapters are work.lora: {adapters: 8, rank: 16}",
    "work.rank": "adapters are work.lora: {adapters: 8, rank: 16}",
    "work.targets": "adapters are work.lora: {adapters: 8, rank: 16}",
    "work.framework": "the engine is engine.name (`exaplan engines`)",
    "layout.micro_batch": "the requests of an iteration are engine.max_seqs",
    "limits.deadline": "the time that a request may take is work.slo.latency",
}


def _other_kind(keys: Keys, ask: type[BaseAsk]) -> tuple[str, str] | None:
    """(problem, remedy) where the field belongs to the other kind of ask; None where neither has it."""
    path, serving = dotted(keys), ask is ServeAsk
    others = paths("training" if serving else "serving")
    if not any(other == path or other.startswith(f"{path}.") for other in others):
        return None
    if serving:
        what = _INSTEAD.get(path, "leave it out")
        return f"`{path}` is a field of a training ask, and this one is about serving", what
    hint = "write `kind: serving` under work, and say how requests come: --rate 20/s, --users 200 or --trace FILE"
    return f"`{path}` is a field of a serving ask, and this one is about training", hint


def _unknown(keys: Keys) -> str:
    return f"`{keys[-1]}` is not a field of {dotted(keys[:-1]) or 'an ask'}"


def _nearest(keys: Keys, ask: type[BaseAsk]) -> str:
    """The nearest field of the same group, or of any group, or the list of what the group has."""
    head, last = dotted(tuple(key for key in keys[:-1] if isinstance(key, str))), str(keys[-1])
    every = paths("serving" if ask is ServeAsk else "training")
    known = {*every, *(f"cluster.fleet.{name}" for name in FleetItem.model_fields)}
    groups = {path.rpartition(".")[0] for path in every} - {""}
    here = sorted({path for path in known if path.rpartition(".")[0] == head} | (set() if head else groups))
    near = get_close_matches(last, [path.rpartition(".")[2] for path in here], n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    elsewhere = [path for path in every if path.rpartition(".")[2] == last]
    if elsewhere:
        return f"it stands under `{elsewhere[0].rpartition('.')[0]}:`"
    return "known: " + ", ".join(path.rpartition(".")[2] for path in here)
