"""Model files: dimensions grouped by the source that states them, or a plain mapping in a user's own file.

A bundled file looks like

    name: llama-3.1-8b
    family: llama
    sources: [{id, title, address, date, kind}]
    dimensions:
      - source: id            # every dimension below was read there
        layers: 32
        vocab: {value: 128256, low: 128000, note: why}
    published:                # what others say the sum is; for tests, never for prediction
      - source: id
        parameters: 8.03e9

A user's file may give ``dimensions`` as one mapping without sources (the file is the source), or the fields at the top.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from exaplan.errors import CatalogError, InputError, Place
from exaplan.models.spec import Spec, spec_from_mapping
from exaplan.models.transformer import build
from exaplan.nouns import Figure, Model, Source

#: Keys of a model file that are no dimensions.
HEADER = ("name", "family", "aliases", "replaces", "note", "sources", "dimensions", "published")
PUBLISHED = ("parameters", "active")
FIGURE = ("value", "low", "high", "date", "note")
SOURCE = ("id", "title", "address", "date", "kind")


def model_from_mapping(mapping: Mapping[str, Any], place: Place | None = None, own: str = "") -> Model:
    """The Model of a model file, with a Figure for every dimension that the file states.

    ``own``: the source id of a user's file ("" = a catalogue file, where every dimension needs a source).
    """
    at = place or Place()
    spec, figures = spec_and_figures(mapping, at, own)
    return replace(build(spec), figures=MappingProxyType(figures))


def spec_and_figures(
    mapping: Mapping[str, Any], place: Place | None = None, own: str = ""
) -> tuple[Spec, dict[str, Figure]]:
    """Spec, and field -> Figure (``value`` None for words; ``published.parameters`` for what others count)."""
    at = place or Place()
    known = {source.id for source in sources_of(mapping, at)}
    figures: dict[str, Figure] = {}
    values: dict[str, Any] = {key: mapping[key] for key in ("name", "family") if key in mapping}
    for source, key, raw in _stated(mapping, "dimensions", at):
        if key in values:
            raise _wrong(at, key, "is stated twice", "keep one source's figure, with low and high")
        values[key], figures[key] = _figure(raw, _cited(source, known, own, at, key), key, at)
    for source, key, raw in _stated(mapping, "published", at):
        if key not in PUBLISHED:
            raise _wrong(at, key, "is no published count", f"known: {', '.join(PUBLISHED)}")
        figures[f"published.{key}"] = _figure(raw, _cited(source, known, own, at, key), key, at)[1]
    return spec_from_mapping(values, at), figures


def sources_of(mapping: Mapping[str, Any], place: Place | None = None) -> tuple[Source, ...]:
    """The sources that a model file brings along."""
    at = place or Place()
    made = []
    for entry in mapping.get("sources") or ():
        if not isinstance(entry, Mapping) or set(entry) != set(SOURCE):
            raise _wrong(at, "sources", f"needs exactly {', '.join(SOURCE)} in every entry", "complete the entry")
        made.append(Source(**{key: str(entry[key]) for key in SOURCE}))
    return tuple(made)


def _stated(mapping: Mapping[str, Any], part: str, at: Place) -> Iterator[tuple[str, str, Any]]:
    """(source id, field, raw value) of every stated figure; fields at the top of a user's file count as dimensions."""
    stated = mapping.get(part)
    groups = stated if isinstance(stated, list) else [] if stated is None else [stated]
    if part == "dimensions":
        groups = [*groups, {key: value for key, value in mapping.items() if key not in HEADER}]
    for group in groups:
        if not isinstance(group, Mapping):
            raise _wrong(
                at, part, f"needs groups of fields, got {group!r}", "write `- source: id` and the fields below"
            )
        yield from ((str(group.get("source", "")), str(key), raw) for key, raw in group.items() if key != "source")


def _cited(source: str, known: set[str], own: str, at: Place, key: str) -> str:
    if not source and own:
        return own
    if source not in known and not own:
        problem = f"cites the unknown source {source!r}" if source else "has no source"
        raise _wrong(at, key, problem, "add it to `sources`: no source, no load", CatalogError)
    return source


def _figure(raw: Any, source: str, key: str, at: Place) -> tuple[Any, Figure]:
    """The plain value and its Figure."""
    full = raw if isinstance(raw, Mapping) else {"value": raw}
    if "value" not in full or set(full) - set(FIGURE):
        raise _wrong(
            at, key, f"needs value (and {', '.join(FIGURE[1:])}), got {raw!r}", "write `{value: ..., low: ...}`"
        )
    value = full["value"]
    number = None if isinstance(value, (bool, str)) or value is None else float(value)
    bounds = {side: float(full[side]) for side in ("low", "high") if side in full}
    words = {side: str(full[side]) for side in ("date", "note") if side in full}
    return value, Figure(number, source, **bounds, **words)  # type: ignore[arg-type]


def _wrong(at: Place, key: str, problem: str, hint: str, kind: type[InputError] = InputError) -> InputError:
    return kind(f"`{key}` {problem}", hint=hint, place=replace(at, field=key))
