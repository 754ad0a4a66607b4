"""A case of the casebook out of its file: a claim, the inputs and steps that compute it, and rules of the verdict.

Strict: unknown keys, missing sources, unknown names and faulty expressions are refused with file, line and column.
An input is a figure of the file's own, ``{value: 12999, unit: CNY, source: id}``, or is asked of the catalogue,
``{ask: price, item: h100-sxm, kind: chip, on: =day}``; ``=day`` stands for the value of an earlier input.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from exaplan.answers.casebook import VERDICTS
from exaplan.catalog.sheet import Sheet, describe
from exaplan.errors import Place
from exaplan.expressions import WORDS, Expression, parse

LANGUAGES = ("en", "zh")
KEYS = ("name", "title", "claim", "article", "topic", "inputs", "steps", "answer", "unit", "claimed", "verdict")
EXTRA = ("aliases", "replaces", "note", "notes", "later")
FIGURE = ("value", "unit", "low", "high", "source", "date", "note")
ENDS = ("low", "high")  # of an input or of the answer, as `price.low`
TOPICS = ("law", "price", "hardware", "money", "company", "dates", "supply", "words", "other")
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
HOLE = re.compile(r"\{([a-z][a-z0-9_.]*)(?:\*([0-9.e+-]+))?(?::([^{}]*))?\}")  # {name}, {name:.1f}, {name*1e-6:.1f}
SPEC = re.compile(r"[+]?,?(\.\d)?[fge%]?\Z")

STEP = (
    "node", "engine", "release", "usage", "weights", "kv", "tp", "pp", "dp", "ep", "seqs", "context", "prompt", "past",
)  # fmt: skip

# What an input may be asked of, and with which fields: the needed ones, then those that may be left out.
ASKS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "chip": (("name", "field"), ()),
        "node": (("name", "field"), ()),
        "site": (("name", "field"), ()),
        "price": (("item", "kind", "on"), ("place",)),
        "fx": (("currency", "on"), ()),
        "duty": (("place", "on", "field"), ()),
        "check": (("chip", "to", "on", "field"), ("headquarters", "end_user", "origin", "buyer", "letters", "without")),
        "checks": (("to", "on"), ("chips", "headquarters", "verdict", "class", "rule", "without", "letters")),
        "rule": (("name", "field"), ()),
        "rules": (("field",), ()),
        "entity": (("name", "on"), ()),
        "own": (("count", "field"), ("chip", "node", "site", "on", "cooling", "utilisation")),
        "make": (("design", "field"), ("rival", "volume", "on")),
        "tax": (("name", "to", "on", "field"), ("count", "terms")),
        "model": (("name", "field"), ()),
        "step": (("model", "chip", "field"), STEP),
        "serve": (("name", "field"), ()),
    }
)


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Input:
    """One input. value: number, text, ISO date or truth (None: unknown, or looked up); ask: what it is asked of
    ("" = a figure of the file); given: the fields of the question."""

    name: str
    value: Any
    unit: str = ""
    low: float | None = None
    high: float | None = None
    source: str = ""
    date: str = ""
    note: str = ""
    ask: str = ""
    given: Mapping[str, Any] = field(default_factory=_nothing)
    place: Place = field(default_factory=Place)


@dataclass(frozen=True)
class Step:
    """One intermediate result; unit "" = none told, ``date`` = a count of days that is shown as a date."""

    name: str
    formula: Expression
    unit: str = ""


@dataclass(frozen=True)
class Ruling:
    """If ``when`` holds (None = otherwise) the verdict is this one; because: language -> text with ``{name:.1f}``."""

    when: Expression | None
    verdict: str
    because: Mapping[str, str]


@dataclass(frozen=True)
class Claim:
    """A case as written: what is claimed where, how it is computed, and when it holds."""

    name: str
    title: Mapping[str, str]
    claim: Mapping[str, str]
    article: str
    topic: str
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    answer: str
    unit: str
    claimed: Expression | None
    rulings: tuple[Ruling, ...]
    notes: tuple[str, ...]
    file: str


def claim(sheet: Sheet) -> Claim:
    """A Claim out of its file."""
    sheet.allow((*KEYS, *EXTRA))
    inputs = _inputs(sheet)
    names = _names(inputs)
    steps = _steps(sheet, names)
    answer = _one_of(sheet, "answer", [*(item.name for item in inputs), *(step.name for step in steps)])
    claimed = _formula(sheet, names, "claimed") if sheet.body.get("claimed") is not None else None
    told = {*names, "answer", *(f"answer.{end}" for end in ENDS), *(["claimed"] if claimed else [])}
    later = sheet.text("later", "")
    return Claim(
        name=sheet.text("name"),
        title=_languages(sheet, "title"),
        claim=_languages(sheet, "claim"),
        article=sheet.cite(sheet.body.get("article"), "article"),
        topic=_one_of(sheet, "topic", TOPICS) if "topic" in sheet.body else "other",
        inputs=inputs,
        steps=steps,
        answer=answer,
        unit=sheet.text("unit", ""),
        claimed=claimed,
        rulings=_rulings(sheet, told),
        notes=(*sheet.texts("notes"), *([f"later: {later}"] if later else [])),
        file=sheet.document.file,
    )


# ---------------------------------------------------------------------------------------------- inputs, steps


def _inputs(sheet: Sheet) -> tuple[Input, ...]:
    body = _mapping(sheet, "inputs", required=True)
    found: dict[str, Input] = {}
    for name, raw in body.items():
        _checked_name(sheet, name, "inputs", name)
        found[name] = _input(sheet, name, raw, list(found))
    return tuple(found.values())


def _input(sheet: Sheet, name: str, raw: Any, before: list[str]) -> Input:
    if not isinstance(raw, dict):
        if not sheet.own:
            problem = f"the input `{name}` has no source"
            sheet.fail(problem, "write `{value: ..., unit: ..., source: id}`", "inputs", name)
        raw = {"value": raw, **({"unit": "1"} if isinstance(raw, int | float) else {})}
    return _asked(sheet, name, raw, before) if "ask" in raw else _figure(sheet, name, raw)


def _figure(sheet: Sheet, name: str, raw: Mapping[str, Any]) -> Input:
    at = ("inputs", name)
    if name in _mapping(sheet, "inputs", required=True) and isinstance(sheet.body["inputs"][name], dict):
        sheet.allow(FIGURE, *at)
    if "value" not in raw:
        sheet.fail(f"the input `{name}` has no `value`", "write `value: null` and a `note` where it is unknown", *at)
    value, note = raw["value"], str(raw.get("note") or "")
    if isinstance(value, list | dict):
        sheet.fail(f"`value` is {describe(value)}", "write one number, word, date, true or false", *at, "value")
    if value is None and not note:
        sheet.fail("an unknown input needs a `note` that says why", "add `note: reason`", *at)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and not raw.get("unit"):
        sheet.fail(f"the number `{value}` has no unit", "write `unit: USD` (`unit: 1` for a ratio or count)", *at)
    low, high = (_end(sheet, raw, end, number, at) for end in ENDS)
    if number and not (low if low is not None else value) <= value <= (high if high is not None else value):
        sheet.fail("low, value and high are not in order", "low <= value <= high", *at)
    return Input(
        name=name,
        value=float(value) if number else value,
        unit=str(raw.get("unit") or ""),
        low=low,
        high=high,
        source=sheet.cite(raw.get("source"), *at, "source"),
        date=str(raw.get("date") or ""),
        note=note,
        place=sheet.place(*at),
    )


def _end(sheet: Sheet, raw: Mapping[str, Any], end: str, number: bool, at: tuple[str, ...]) -> float | None:
    value = raw.get(end)
    if value is None:
        return None
    if not number or isinstance(value, bool) or not isinstance(value, int | float):
        sheet.fail(f"`{end}` is {describe(value)}, not a number beside a number", "leave it out", *at, end)
    return float(value)


def _asked(sheet: Sheet, name: str, raw: Mapping[str, Any], before: list[str]) -> Input:
    """An input that is asked of the catalogue, of the rules, or of `own` and `make`."""
    kind = str(raw["ask"])
    if kind not in ASKS:
        sheet.fail(f"`{kind}` cannot be asked", "asks: " + ", ".join(ASKS), "inputs", name, "ask")
    needed, optional = ASKS[kind]
    sheet.allow(("ask", "note", *needed, *optional), "inputs", name)
    for key in needed:
        if raw.get(key) is None:
            sheet.fail(f"`ask: {kind}` needs `{key}`", f"add `{key}: ...`", "inputs", name)
    given = {key: value for key, value in raw.items() if key not in ("ask", "note")}
    for key, value in given.items():
        if isinstance(value, str) and value.startswith("=") and value[1:] not in before:
            hint = "earlier inputs: " + (", ".join(before) or "none")
            sheet.fail(f"`{value}` names no earlier input", hint, "inputs", name, key)
    return Input(
        name,
        None,
        note=str(raw.get("note") or ""),
        ask=kind,
        given=MappingProxyType(given),
        place=sheet.place("inputs", name),
    )


def _names(inputs: Collection[Input]) -> set[str]:
    """What the steps may mention: the inputs, and the ends of their ranges."""
    return {part for item in inputs for part in (item.name, *(f"{item.name}.{end}" for end in ENDS))}


def _steps(sheet: Sheet, names: set[str]) -> tuple[Step, ...]:
    out = []
    for name, raw in _mapping(sheet, "steps").items():
        _checked_name(sheet, name, "steps", name)
        if name in names:
            sheet.fail(f"`{name}` is an input already", "choose another name", "steps", name)
        keys: tuple[str, ...] = ("steps", name)
        if isinstance(raw, dict):
            sheet.allow(("is", "unit"), *keys)
            keys = (*keys, "is")
        unit = str(raw.get("unit") or "") if isinstance(raw, dict) else ""
        out.append(Step(name, _formula(sheet, names, *keys), unit))
        names.add(name)
    return tuple(out)


def _formula(sheet: Sheet, names: Collection[str], *keys: str | int) -> Expression:
    value: Any = sheet.body
    for key in keys:
        value = value[key] if isinstance(key, int) else value.get(key)
    if value is None or isinstance(value, list | dict):
        sheet.fail(f"`{keys[-1]}` is {describe(value)}, not an expression", "write a formula: `price / before`", *keys)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return parse(text, names, place=sheet.place(*keys))


# --------------------------------------------------------------------------------------------------- verdicts


def _rulings(sheet: Sheet, names: Collection[str]) -> tuple[Ruling, ...]:
    raw = sheet.body.get("verdict")
    if not isinstance(raw, list) or not raw or not all(isinstance(item, dict) for item in raw):
        hint = "write `verdict:` with lines `- {if: answer > 2, then: wrong, because: {en: ..., zh: ...}}`"
        sheet.fail("the case has no list of rules for its verdict", hint, "verdict")
    out = tuple(_ruling(sheet, names, index, item) for index, item in enumerate(raw))
    if out[-1].when is not None or any(item.when is None for item in out[:-1]):
        sheet.fail("the last rule, and only it, says `else`", "end with `- {else: holds, because: ...}`", "verdict")
    return out


def _ruling(sheet: Sheet, names: Collection[str], index: int, raw: Mapping[str, Any]) -> Ruling:
    known = ("else", "because") if "else" in raw else ("if", "then", "because")
    for key in raw:
        if key not in known:
            sheet.fail(f"unknown field `{key}`", "a rule has " + ", ".join(known), "verdict", index, key)
    for key in known:
        if key not in raw:
            sheet.fail(f"the rule has no `{key}`", "a rule has " + ", ".join(known), "verdict", index)
    verdict = str(raw.get("then", raw.get("else")))
    if verdict not in VERDICTS:
        sheet.fail(f"unknown verdict `{verdict}`", "verdicts: " + ", ".join(VERDICTS), "verdict", index)
    when = None if "else" in raw else _formula(sheet, names, "verdict", index, "if")
    because = _spoken(sheet, raw["because"], "verdict", index, "because")
    _check_holes(sheet, because, names, index)
    return Ruling(when, verdict, because)


def _check_holes(sheet: Sheet, because: Mapping[str, str], names: Collection[str], index: int) -> None:
    for language, text in because.items():
        for name, _, spec in HOLE.findall(text):
            at = ("verdict", index, "because", language)
            if name not in names:
                sheet.fail(f"`{{{name}}}` names nothing", "names: " + ", ".join(sorted(names)), *at)
            if not SPEC.match(spec):
                sheet.fail(f"`{spec}` is no way to write a number", "write {name:.1f}, {name:,.0f} or {name:.0%}", *at)


# ------------------------------------------------------------------------------------------------------ words


def _languages(sheet: Sheet, key: str) -> Mapping[str, str]:
    return _spoken(sheet, sheet.body.get(key), key)


def _spoken(sheet: Sheet, raw: Any, *keys: str | int) -> Mapping[str, str]:
    """A text in every language; a user's own file may write it once."""
    if isinstance(raw, str) and sheet.own:
        raw = dict.fromkeys(LANGUAGES, raw)
    missing = not isinstance(raw, dict) or [name for name in LANGUAGES if not str(raw.get(name) or "").strip()]
    if missing or set(raw) - set(LANGUAGES):
        sheet.fail(f"`{keys[-1]}` needs a text in each language", "write `{en: ..., zh: ...}`", *keys)
    return MappingProxyType({name: " ".join(str(raw[name]).split()) for name in LANGUAGES})


def _mapping(sheet: Sheet, key: str, required: bool = False) -> Mapping[str, Any]:
    raw = sheet.body.get(key)
    if raw is None and not required:
        return {}
    if not isinstance(raw, dict) or not raw:
        sheet.fail(f"`{key}` is {describe(raw)}", f"write `{key}:` and lines `name: ...` below it", key)
    return raw


def _one_of(sheet: Sheet, key: str, known: Collection[str]) -> str:
    value = sheet.text(key)
    if value not in known:
        sheet.fail(f"`{key}: {value}` is none of what there is", "known: " + ", ".join(known), key)
    return value


def _checked_name(sheet: Sheet, name: str, *keys: str) -> None:
    if not NAME.match(name) or name in (*WORDS, "answer", "claimed"):
        sheet.fail(f"`{name}` cannot be a name here", "use small letters, digits and _, and no reserved word", *keys)
