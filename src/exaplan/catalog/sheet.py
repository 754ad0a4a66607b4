"""Figures out of a read file: each with its unit, its bounds and its source, or an error that names the place.

In the catalogue a figure is ``{value: 80 GiB, source: id}`` (+ ``low``, ``high``, ``date``, ``note``); no source, no
load. In a user's own file a bare ``80 GiB`` is enough: the file itself is then the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Never

from exaplan import units
from exaplan.catalog.loader import Document
from exaplan.errors import CatalogError, InputError, Place
from exaplan.nouns import Figure, Source

FIGURE_KEYS = ("value", "source", "low", "high", "date", "note")
UNSOURCED = "write `{value: ..., source: id}` with an id of sources.yaml (no source, no load)"


@dataclass(frozen=True, slots=True)
class Bound:
    """What a field may hold: its dimension (a key of units.DIMENSIONS) and the plausible SI range."""

    dimension: str
    least: float
    most: float
    note: str = ""


@dataclass(frozen=True)
class Sheet:
    """One noun being read: the part of ``document`` under ``root``, the sources it may cite, and its own source.

    own: id of the file itself where it is a user's (then bare values are allowed); "" for catalogue files.
    """

    document: Document
    sources: Mapping[str, Source]
    own: str = ""
    root: tuple[str | int, ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        """The mapping that describes the noun."""
        value = self.document.value
        for key in self.root:
            value = value[key]
        if not isinstance(value, dict):
            self.fail(f"expected `key: value` lines, found {describe(value)}", "see `exaplan schema` for the format")
        return value

    def place(self, *keys: str | int) -> Place:
        """Where a field stands in the file."""
        return self.document.place(*self.root, *keys)

    def fail(self, problem: str, hint: str, *keys: str | int) -> Never:
        """Raise an error that names file, line, column and field."""
        kind = InputError if self.own else CatalogError
        raise kind(problem, hint=hint, place=self.place(*keys))

    # ------------------------------------------------------------------------------------------ plain fields

    def allow(self, fields: Iterable[str], *keys: str) -> None:
        """Refuse unknown fields, with the nearest known one."""
        known = list(fields)
        for key in self._at(keys):
            if key not in known:
                near = get_close_matches(key, known, 1)
                hint = f"did you mean `{near[0]}`?" if near else "known fields: " + ", ".join(known)
                self.fail(f"unknown field `{key}`", hint, *keys, key)

    def text(self, key: str, default: str | None = None) -> str:
        """A word or line of text; required unless a default is given."""
        value = self.body.get(key)
        if value is None:
            if default is None:
                self.fail(f"the field `{key}` is missing", f"add a line `{key}: ...`", key)
            return default
        if not isinstance(value, str | int | float) or isinstance(value, bool) or not str(value).strip():
            self.fail(f"`{key}` is {describe(value)}, not a word", f"write `{key}: some-name`", key)
        return str(value).strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of words; empty when absent."""
        value = self.body.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str | int) for item in value):
            self.fail(f"`{key}` is {describe(value)}, not a list of words", f"write `{key}: [one, two]`", key)
        return tuple(str(item) for item in value)

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self.body.get(key, default)
        if not isinstance(value, bool):
            self.fail(f"`{key}` is {describe(value)}, not true or false", f"write `{key}: true` or `{key}: false`", key)
        return value

    # --------------------------------------------------------------------------------------------- figures

    def figure(self, bound: Bound, *keys: str, required: bool = False) -> Figure | None:
        """The figure under ``keys`` in SI; None when absent; its ``value`` is None when stated as unknown."""
        *parents, key = keys
        raw = self._at(parents).get(key)
        if raw is None:
            if required or (not self.own and key in self._at(parents)):
                self.fail(f"the field `{key}` is missing", self._example(bound, key), *keys)
            return None
        found = self._full(raw, bound, keys) if isinstance(raw, dict) else self._bare(raw, bound, keys)
        if required and found.value is None:
            self.fail(f"`{key}` may not be unknown", self._example(bound, key), *keys)
        return found

    def _bare(self, raw: Any, bound: Bound, keys: tuple[str, ...]) -> Figure:
        if not self.own:
            self.fail(f"the figure `{keys[-1]}` has no source", UNSOURCED, *keys)
        return Figure(self._number(raw, bound, keys), self.own)

    def _full(self, raw: dict[str, Any], bound: Bound, keys: tuple[str, ...]) -> Figure:
        self.allow(FIGURE_KEYS, *keys)
        source = self.cite(raw.get("source"), *keys, "source")
        if "value" not in raw:
            self.fail("the figure has no `value`", "write `value: null` where it is unknown", *keys)
        note = str(raw.get("note") or "")
        if raw["value"] is None and not note and not self.own:
            self.fail("an unknown figure needs a `note` that says why", "add `note: reason`", *keys)
        value, low, high = (
            None if raw.get(part) is None else self._number(raw[part], bound, (*keys, part))
            for part in ("value", "low", "high")
        )
        self._order(value, low, high, keys)
        return Figure(value, source, low, high, str(raw.get("date") or ""), note)

    def cite(self, source: Any, *keys: str) -> str:
        """A source id that exists; the user's file is its own source."""
        if source is None and self.own:
            return self.own
        if source is None:
            self.fail("the figure has no source", UNSOURCED, *keys)
        if str(source) not in self.sources:
            near = get_close_matches(str(source), list(self.sources), 1)
            hint = (f"did you mean `{near[0]}`? " if near else "") + "add it to sources.yaml"
            self.fail(f"unknown source `{source}`", hint, *keys)
        return str(source)

    def _number(self, raw: Any, bound: Bound, keys: tuple[str, ...]) -> float:
        if isinstance(raw, bool | list | dict):
            self.fail(f"`{keys[-1]}` is {describe(raw)}, not a quantity", self._example(bound, keys[-1]), *keys)
        value = units.parse(raw, bound.dimension, self.place(*keys))
        if not bound.least <= value <= bound.most:
            least, most = (units.show(edge, bound.dimension) for edge in (bound.least, bound.most))
            hint = f"plausible values lie between {least} and {most}{bound.note}"
            self.fail(f"`{keys[-1]}` = {raw} is not plausible", hint, *keys)
        return value

    def _order(self, value: float | None, low: float | None, high: float | None, keys: tuple[str, ...]) -> None:
        chain = [part for part in (low, value, high) if part is not None]
        if chain != sorted(chain):
            self.fail("low, value and high are not in order", "low <= value <= high", *keys)

    def _example(self, bound: Bound, key: str) -> str:
        example = units.DIMENSIONS[bound.dimension].example
        return f"write `{key}: {example}`" if self.own else f"write `{key}: {{value: {example}, source: id}}`"

    def _at(self, keys: Iterable[str]) -> dict[str, Any]:
        value: Any = self.body
        for key in keys:
            value = value.get(key) or {}
        if not isinstance(value, dict):
            self.fail(f"expected `key: value` lines, found {describe(value)}", "indent the fields below it", *keys)
        return value


def describe(value: Any) -> str:
    """What a value is, in words, for errors."""
    names = {dict: "a mapping", list: "a list", bool: "true or false", type(None): "nothing"}
    return names.get(type(value)) or f"`{str(value)[:40]}`"
