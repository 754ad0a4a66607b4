"""Inference engines (data/engines.yaml): what each release does where nobody says otherwise, every default sourced.

A default that depends on the chip's memory, on the release or on the use (server, offline batch) is a `Variant`;
``fitted`` gives the engine as it would start on a chip.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from exaplan.catalog.sheet import Bound, Sheet
from exaplan.nouns import Chip, Figure
from exaplan.nouns.serving import Engine, Variant

COUNT = Bound("count", 1, 1e7)
SHARE = Bound("ratio", 0.0, 1.0)
NUMBERS = {"max_seqs": COUNT, "max_tokens": COUNT, "block": COUNT, "memory_share": SHARE, "watermark": SHARE}
WHOLE = ("max_seqs", "max_tokens", "block")
FLAGS = ("chunked", "share_of_free", "prefix_cache", "graphs", "overlap")
CHOICES = {
    "batching": ("mixed", "prefill-first", "static"),
    "admission": ("now", "whole"),
    "preemption": ("recompute", "swap"),
}
FIELDS = (*NUMBERS, *FLAGS, *CHOICES)
CONDITIONS = ("usage", "memory_from", "memory_below", "since", "before", "chip", "without")
USAGES = ("server", "offline")
MEMORY = Bound("bytes", 0.0, 1e15)
PLAIN = ("name", "title", "family", "versions", "release", "aliases", "replaces", "note", "variants")

Values = dict[str, Any]
Figures = dict[str, Figure]


def engine(sheet: Sheet) -> Engine:
    """An Engine out of its entry; every default of `FIELDS` is required."""
    sheet.allow((*PLAIN, *FIELDS))
    values, figures = _values(sheet)
    for key in FIELDS:
        if key not in values:
            sheet.fail(f"the field `{key}` is missing", f"write `{key}: {{value: ..., source: id}}`", key)
    return Engine(
        name=sheet.text("name", str(sheet.root[-1]) if sheet.root else None),
        family=sheet.text("family"),
        versions=sheet.text("versions", ""),
        release=sheet.text("release", ""),
        aliases=sheet.texts("aliases"),
        variants=_variants(sheet),
        figures=MappingProxyType(figures),
        **values,
    )


def fitted(engine: Engine, chip: Chip | None = None, usage: str = "server", release: str = "") -> Engine:
    """The engine with the defaults that it takes on ``chip`` in this use and release ("" = the entry's own).

    Later variants win over earlier ones.
    """
    release = release or engine.release
    changes: Values = {}
    figures = dict(engine.figures)
    for variant in engine.variants:
        if _holds(variant, chip, usage, release):
            changes |= variant.changes
            figures |= variant.figures
    return replace(engine, **changes, release=release, figures=MappingProxyType(figures))


def version(text: str) -> tuple[int, ...]:
    """The numbers of a release in order ("0.5.6.post2" -> (0, 5, 6)), for comparing; () where it names none.

    What follows a letter (rc3, post2, dev12) does not count; a nightly or development build has no number.
    """
    found = re.match(r"[vb]?(\d+(?:\.\d+)*)", text.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _holds(variant: Variant, chip: Chip | None, usage: str, release: str) -> bool:
    """Whether every condition of the variant is met; an unknown release counts as the newest."""
    least, below = variant.memory
    if variant.usage and variant.usage != usage:
        return False
    if not _within(version(release), version(variant.since), version(variant.before)):
        return False
    if chip is None:
        return not (least or below or variant.chip or variant.without)
    if chip.memory < least or (below and chip.memory >= below):
        return False
    named = f"{chip.name} {' '.join(chip.aliases)} {chip.vendor}".lower()
    return bool(re.search(variant.chip, named)) and not (variant.without and re.search(variant.without, named))


def _within(release: tuple[int, ...], since: tuple[int, ...], before: tuple[int, ...]) -> bool:
    if not release:
        return not before
    return release >= since and not (before and release >= before)


def _variants(sheet: Sheet) -> tuple[Variant, ...]:
    entries = sheet.body.get("variants") or []
    if not isinstance(entries, list):
        sheet.fail("`variants` is not a list", "write `- {memory_from: 70 GiB, max_seqs: ...}` lines", "variants")
    return tuple(_variant(replace(sheet, root=(*sheet.root, "variants", at))) for at in range(len(entries)))


def _variant(sheet: Sheet) -> Variant:
    sheet.allow((*CONDITIONS, *FIELDS, "note"))
    usage = sheet.text("usage", "")
    if usage and usage not in USAGES:
        sheet.fail(f"unknown use `{usage}`", "uses: " + ", ".join(USAGES), "usage")
    values, figures = _values(sheet)
    if not values:
        sheet.fail("a variant changes nothing", "give at least one of " + ", ".join(FIELDS))
    return Variant(
        changes=MappingProxyType(values),
        usage=usage,
        memory=(_memory(sheet, "memory_from"), _memory(sheet, "memory_below")),
        since=sheet.text("since", ""),
        before=sheet.text("before", ""),
        chip=_pattern(sheet, "chip"),
        without=_pattern(sheet, "without"),
        figures=MappingProxyType(figures),
    )


def _memory(sheet: Sheet, key: str) -> float:
    """A bound on the chip's memory [B]: a condition, not a figure, so it needs no source of its own."""
    if key not in sheet.body:
        return 0.0
    return replace(sheet, own="condition")._bare(sheet.body[key], MEMORY, (key,)).value or 0.0


def _pattern(sheet: Sheet, key: str) -> str:
    text = sheet.text(key, "")
    try:
        re.compile(text)
    except re.error as error:
        sheet.fail(f"`{text}` is not a pattern: {error}", "write a part of the chip's name", key)
    return text


def _values(sheet: Sheet) -> tuple[Values, Figures]:
    """The stated defaults: plain values and their figures (1 or 0 for flags, None for words)."""
    values: Values = {}
    figures: Figures = {}
    readers: Mapping[str, Callable[[Sheet, str], tuple[Any, Figure]]] = {
        **dict.fromkeys(NUMBERS, _number),
        **dict.fromkeys(FLAGS, _flag),
        **dict.fromkeys(CHOICES, _choice),
    }
    for key, read in readers.items():
        if key in sheet.body:
            values[key], figures[key] = read(sheet, key)
    return values, figures


def _number(sheet: Sheet, key: str) -> tuple[Any, Figure]:
    found = sheet.figure(NUMBERS[key], key, required=True)
    if found is None or found.value is None:
        sheet.fail(f"`{key}` may not be unknown", f"write `{key}: {{value: ..., source: id}}`", key)
    return (int(found.value) if key in WHOLE else found.value), found


def _word(sheet: Sheet, key: str) -> tuple[object, str, str]:
    """A plain value with its source and note; in a user's own file the bare value is enough."""
    raw = sheet.body[key]
    if not isinstance(raw, dict):
        if not sheet.own:
            sheet.fail(f"`{key}` has no source", f"write `{key}: {{value: ..., source: id}}`", key)
        return raw, sheet.own, ""
    sheet.allow(("value", "source", "note"), key)
    return raw.get("value"), sheet.cite(raw.get("source"), key), str(raw.get("note") or "")


def _flag(sheet: Sheet, key: str) -> tuple[Any, Figure]:
    value, source, note = _word(sheet, key)
    if not isinstance(value, bool):
        sheet.fail(f"`{value}` is not true or false", "write `true` or `false`", key)
    return value, Figure(float(value), source, note=note)


def _choice(sheet: Sheet, key: str) -> tuple[Any, Figure]:
    value, source, note = _word(sheet, key)
    if value not in CHOICES[key]:
        sheet.fail(f"unknown {key} `{value}`", f"{key}: " + ", ".join(CHOICES[key]), key)
    return value, Figure(None, source, note=f"{value}; {note}" if note else str(value))
