"""Strict reading of YAML 1.2 and JSON: every file, ours or a user's, enters here.

Reading is by events, so nothing is constructed that was not checked first: no aliases (no alias bombs), no tags
(no code), no duplicate keys, no deep nesting, no infinite numbers. Scalars follow the YAML 1.2 core schema: ``no``
and ``on`` are text, ``989e12`` is a number, dates stay text. A `Document` is plain values plus the place of each.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exaplan.errors import InputError, Place

SIZE_LIMIT = 4 * 2**20
DEPTH_LIMIT = 48

Keys = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True)
class Document:
    """A file's content as plain values (dict, list, str, int, float, bool, None) and where each of them stands."""

    value: Any
    file: str
    places: Mapping[Keys, tuple[int, int]]
    text: str = ""

    def place(self, *keys: str | int) -> Place:
        """Where the value under ``keys`` stands; a missing key is placed at its nearest parent."""
        for length in range(len(keys), -1, -1):
            spot = self._spot(keys[:length])
            if spot:
                return Place(self.file, spot[0], spot[1], dotted(keys) or None)
        return Place(self.file, field=dotted(keys) or None)

    def _spot(self, keys: Keys) -> tuple[int, int] | None:
        """Line and column (from 1); JSON has no marks, so a key that occurs once is searched."""
        if keys in self.places or not self.text or not keys:
            return self.places.get(keys)
        found = list(re.finditer(re.escape(json.dumps(str(keys[-1]))) + r"\s*:", self.text))
        if len(found) != 1:
            return None
        start = found[0].start()
        return self.text.count("\n", 0, start) + 1, start - (self.text.rfind("\n", 0, start) + 1) + 1


def dotted(keys: Keys) -> str:
    """``("chips", 2, "peak")`` as ``chips[2].peak``."""
    out = ""
    for key in keys:
        out += f"[{key}]" if isinstance(key, int) else f".{key}" if out else str(key)
    return out


def read_yaml(path: str | Path) -> Document:
    """Read one YAML document strictly; InputError names file, line, column, field and remedy."""
    return parse_yaml(read_text(path), str(path))


def read_json(path: str | Path) -> Document:
    """Read one JSON document with the same limits (for a Hugging Face ``config.json``)."""
    return parse_json(read_text(path), str(path))


# ------------------------------------------------------------------------------------------------- bytes


def read_text(path: str | Path) -> str:
    """The text of a regular UTF-8 file of at most 4 MiB; the size is checked before anything is read."""
    place = Place(str(path))
    raw = _read_bytes(Path(path), place)
    if not raw.strip():
        raise InputError("the file is empty", hint="write at least one `key: value` line", place=place)
    if b"\0" in raw:
        raise InputError("this is a binary file, not text", hint="give a YAML or JSON text file", place=place)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        hint = "save the file as UTF-8 (is it a binary file?)"
        raise InputError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8", hint=hint, place=Place(str(path), line)
        ) from None


def _read_bytes(path: Path, place: Place) -> bytes:
    try:
        info = path.stat()
        _check_kind(info.st_mode, place)
        _check_size(info.st_size, place)
        with path.open("rb") as file:
            raw = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        hint = "check the spelling; a relative path is relative to the file that names it"
        raise InputError("no such file", hint=hint, place=place) from None
    except PermissionError:
        hint = "give yourself read permission (chmod u+r)"
        raise InputError("the file may not be read", hint=hint, place=place) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"the file cannot be read ({reason})", hint="check path and disk", place=place) from None
    _check_size(len(raw), place)
    return raw


def _check_kind(mode: int, place: Place) -> None:
    if stat.S_ISDIR(mode):
        raise InputError("this is a directory, not a file", hint="name a file inside it", place=place)
    if not stat.S_ISREG(mode):
        raise InputError("this is a device or pipe, not a file", hint="write it to a file first", place=place)


def _check_size(size: int, place: Place) -> None:
    if size > SIZE_LIMIT:
        problem = f"the file has {size:,} bytes; at most {SIZE_LIMIT:,} are read"
        raise InputError(problem, hint="is this the right file? descriptions are a few kB", place=place)


# -------------------------------------------------------------------------------------------------- YAML


def parse_yaml(text: str, file: str = "<text>") -> Document:
    """Parse one YAML 1.2 document from text; ``file`` is only named in errors."""
    builder = _Builder(file)
    try:
        value = builder.document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        hint = "check indentation, quotes and brackets near this line"
        raise InputError(f"not valid YAML: {error.problem or error.context}", hint=hint, place=place) from None
    except (yaml.YAMLError, UnicodeError) as error:
        problem = f"not valid YAML: {getattr(error, 'reason', None) or error}"
        raise InputError(problem, hint="remove control characters; save as UTF-8 text", place=Place(file)) from None
    return Document(value, file, builder.places)


class _Builder:
    """Turns parser events into plain values, refusing what YAML allows but a description never needs."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Keys, tuple[int, int]] = {}

    def document(self, events: Iterator[Any]) -> Any:
        """The value of the only document of the stream."""
        value, documents = None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, (), "a second document starts here", "keep one document per file (no `---`)")
                value = self._value(next(events), events, ())
        if not documents:
            hint = "write at least one `key: value` line"
            raise InputError("the file holds no value (only comments?)", hint=hint, place=Place(self.file))
        return value

    def _value(self, event: Any, events: Iterator[Any], keys: Keys) -> Any:
        self.places.setdefault(keys, (event.start_mark.line + 1, event.start_mark.column + 1))
        self._check(event, keys)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, keys)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, keys)
        return self._mapping(events, keys)

    def _check(self, event: Any, keys: Keys) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            name = event.anchor
            self._refuse(event, keys, f"anchors and aliases (`&{name}`, `*{name}`) are not read", "write the value out")
        if event.tag and event.tag != "!":
            self._refuse(event, keys, f"the tag `{event.tag}` is not read", "remove the tag; write a plain value")
        if len(keys) > DEPTH_LIMIT:
            self._refuse(event, keys, f"nested deeper than {DEPTH_LIMIT} levels", "flatten the file")

    def _sequence(self, events: Iterator[Any], keys: Keys) -> list[Any]:
        out: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            out.append(self._value(event, events, (*keys, len(out))))
        return out

    def _mapping(self, events: Iterator[Any], keys: Keys) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            name = self._key(event, keys)
            here = (*keys, name)
            if name in out:
                first = self.places[here][0]
                self._refuse(event, here, f"the key `{name}` stands twice (first on line {first})", "keep one of them")
            self.places[here] = (event.start_mark.line + 1, event.start_mark.column + 1)
            out[name] = self._value(next(events), events, here)
        return out

    def _key(self, event: Any, keys: Keys) -> str:
        self._check(event, keys)
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, keys, "a list or mapping cannot be a key", "use a plain word as key")
        if event.value == "<<" and event.implicit[0]:
            self._refuse(event, keys, "merge keys (`<<`) are not read", "write the values out")
        return str(event.value)

    def _scalar(self, event: Any, keys: Keys) -> Any:
        if not event.implicit[0]:
            return event.value
        try:
            return resolve(event.value)
        except ValueError as error:
            self._refuse(event, keys, str(error), "write a finite number")

    def _refuse(self, event: Any, keys: Keys, problem: str, hint: str) -> Any:
        mark = event.start_mark
        place = Place(self.file, mark.line + 1, mark.column + 1, dotted(keys[:8]) or None)
        raise InputError(problem, hint=hint, place=place)


def resolve(text: str) -> Any:
    """A plain scalar by the YAML 1.2 core schema; ValueError for numbers that are not finite."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text) or _FLOAT.match(text):
        return _number(text)
    if _BASED.match(text):
        return int(text, 0)
    if _SPECIAL.match(text):
        raise ValueError(f"`{text}` is not a finite number")
    return text


def _number(text: str) -> int | float:
    if len(text) > 400:
        raise ValueError(f"a number of {len(text)} digits is not read")
    if _INT.match(text):
        return int(text)
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"`{text}` is too large for a number")
    return number


# -------------------------------------------------------------------------------------------------- JSON


def parse_json(text: str, file: str = "<text>") -> Document:
    """Parse one JSON document from text; duplicate keys, NaN, Infinity and deep nesting are refused."""
    _check_depth(text, file)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_number,
            parse_int=_number,
        )
    except json.JSONDecodeError as error:
        place = Place(file, error.lineno, error.colno)
        raise InputError(f"not valid JSON: {error.msg}", hint="check commas and quotes here", place=place) from None
    except _Duplicate as error:
        hint = "keep one of them"
        place = Document(None, file, {}, text).place()
        raise InputError(f"the key `{error}` stands twice in one object", hint=hint, place=place) from None
    except ValueError as error:
        raise InputError(str(error), hint="write a finite number", place=Place(file)) from None
    return Document(value, file, {(): (1, 1)}, text)


class _Duplicate(Exception):
    """A key that stands twice in one JSON object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise _Duplicate(key)
        out[key] = value
    return out


def _refuse_constant(name: str) -> float:
    """Refuse the constants (NaN, Infinity) that Python's json would accept."""
    raise ValueError(f"`{name}` is not a finite number")


def _check_depth(text: str, file: str) -> None:
    depth = 0
    for token in _JSON_TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
        if depth > DEPTH_LIMIT:
            line = text.count("\n", 0, token.start()) + 1
            problem = f"nested deeper than {DEPTH_LIMIT} levels"
            raise InputError(problem, hint="is this the right file?", place=Place(file, line))
