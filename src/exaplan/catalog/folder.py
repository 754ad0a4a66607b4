"""Lazy mappings from names to nouns: a file is read when its noun is asked for, not before.

A `Shelf` holds the nouns of one kind. Layers stack (the catalogue, then an overlay): a later layer may only shadow
a name that it declares with ``replaces:``. Names are found by their own spelling, by alias, ignoring case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from exaplan.catalog.loader import Document, read_yaml
from exaplan.catalog.sheet import Sheet
from exaplan.errors import CatalogError, InputError, Place
from exaplan.nouns import Source

Noun = TypeVar("Noun")
SUFFIXES = (".yaml", ".yml", ".json")
LISTS = {"designs": "make"}  # commands that list a kind under another name than its own


@dataclass(frozen=True)
class Layer:
    """One data folder: the catalogue itself, or an overlay whose files are their own source (``own``)."""

    folder: Path
    own: str = ""


@dataclass(frozen=True)
class Entry:
    """Where one noun stands: its file, the keys inside it, and the layer."""

    file: Path
    root: tuple[str, ...]
    layer: Layer


def files_of(layer: Layer, kind: str) -> dict[str, Entry]:
    """Nouns of one file each: ``kind/name.yaml``."""
    return {file.stem: Entry(file, (), layer) for file in sorted((layer.folder / kind).glob("*.yaml"))}


def entries_of(layer: Layer, kind: str) -> dict[str, Entry]:
    """Nouns that share one file ``kind.yaml``, one top-level key each."""
    file = layer.folder / f"{kind}.yaml"
    if not file.is_file():
        return {}
    document = read_yaml(file)
    if not isinstance(document.value, dict):
        raise CatalogError("expected one key per name", hint="write `name:` and its fields", place=document.place())
    return {name: Entry(file, (name,), layer) for name in document.value}


class Shelf(Mapping[str, Noun], Generic[Noun]):
    """All nouns of one kind by name, read on demand; ``find`` also knows aliases and explains what is missing."""

    def __init__(
        self,
        kind: str,
        layers: tuple[Layer, ...],
        build: Callable[[Sheet], Noun],
        sources: Callable[[], Mapping[str, Source]],
        listing: Callable[[Layer, str], dict[str, Entry]] = files_of,
    ) -> None:
        self.kind, self._layers, self._build, self._sources, self._listing = kind, layers, build, sources, listing
        self._made: dict[str, Noun] = {}

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Name -> where it stands; shadowing without ``replaces:`` is refused."""
        out: dict[str, Entry] = {}
        for layer in self._layers:
            for name, entry in self._listing(layer, self.kind).items():
                if name in out:
                    self._check_replaces(name, entry)
                out[name] = entry
        return out

    def _check_replaces(self, name: str, entry: Entry) -> None:
        sheet = self.sheet(entry)
        if sheet.body.get("replaces") != name:
            hint = f"rename it, or say so with a line `replaces: {name}`"
            raise CatalogError(f"`{name}` would shadow a name of the catalogue", hint=hint, place=sheet.place())

    def sheet(self, entry: Entry) -> Sheet:
        """The sheet of an entry, ready for its builder."""
        return Sheet(_read(entry.file), self._sources(), entry.layer.own, entry.root)

    def __getitem__(self, name: str) -> Noun:
        if name not in self._made:
            entry = self.entries[name]
            sheet = self.sheet(entry)
            if not entry.root and sheet.text("name") != name:
                sheet.fail(f"the name differs from the file name `{name}`", f"write `name: {name}`", "name")
            self._made[name] = self._build(sheet)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def spellings(self) -> dict[str, str]:
        """Every accepted spelling (folded) -> name. Reads every file of the kind; two owners are refused."""
        out = {fold(name): name for name in self.entries}
        for name, entry in self.entries.items():
            sheet = self.sheet(entry)
            for alias in sheet.texts("aliases"):
                owner = out.setdefault(fold(alias), name)
                if owner != name:
                    sheet.fail(f"the alias `{alias}` already means `{owner}`", "choose another alias", "aliases")
        return out

    def resolve(self, name: str) -> str | None:
        """The catalogue name of a spelling; None when unknown."""
        return name if name in self.entries else self.spellings.get(fold(name))

    def find(self, name: str, place: Place | None = None) -> Noun:
        """The noun of that name or alias; InputError with the nearest names otherwise."""
        known = self.resolve(name)
        if known is None:
            raise InputError(f"unknown {self.singular} `{name}`", hint=self.advice(name), place=place)
        return self[known]

    @property
    def singular(self) -> str:
        """The kind in singular, for messages."""
        return self.kind.rstrip("s")

    def advice(self, name: str) -> str:
        """The nearest names and what else can be done."""
        start = [spelling for spelling in self.spellings if spelling.startswith(fold(name))]
        near = start + get_close_matches(fold(name), list(self.spellings), 6, 0.5)
        names = list(dict.fromkeys(self.spellings[spelling] for spelling in near))[:3]
        ask = f"did you mean {', '.join(names)}? " if names else ""
        return f"{ask}`exaplan {LISTS.get(self.kind, self.kind)}` lists all; a path to a file of your own also works"


_DOCUMENTS: dict[tuple[Path, int], Document] = {}


def _read(file: Path) -> Document:
    """A file of the catalogue, read once as long as it does not change."""
    key = (file, file.stat().st_mtime_ns)
    if key not in _DOCUMENTS:
        _DOCUMENTS[key] = read_yaml(file)
    return _DOCUMENTS[key]


def fold(name: str) -> str:
    """A spelling without case, and with `-` for blanks and underscores."""
    return "-".join(name.lower().replace("_", " ").split())


def is_path(name: str) -> bool:
    """Whether a value names a user's own file rather than something of the catalogue."""
    return "/" in name or "\\" in name or name.lower().endswith(SUFFIXES)
