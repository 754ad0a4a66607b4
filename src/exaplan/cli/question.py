"""From what stands on the command line to an ``Ask``: file or bundled name, then flags, then ``--set``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exaplan.cli.flags import FLAGS
from exaplan.errors import ExaplanError, InputError, Place

Keys = tuple[str | int, ...]


PATHS = {"model", "node", "fabric", "engine"}
SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
LISTS = {"chip", "site"}
THRESHOLD = "advanced-computing-2023.tpp=4800 (`exaplan rules` lists the names)"
Said = str | list[str] | None  # what a flag was given
REPLACES: Mapping[str, tuple[str, ...]] = {
    "chip": ("cluster.name", "cluster.node", "cluster.fleet"),
    "fleet": ("cluster.name", "cluster.chip", "cluster.node", "cluster.count"),
    "rate": ("work.users", "work.trace", "work.think"),
    "users": ("work.rate", "work.trace", "work.arrivals", "work.burst"),
    "trace": tuple(
        f"work.{name}"
        for name in ("rate", "users", "prompt", "output", "arrivals", "burst", "think", "turns", "history", "keep")
    ),
}  # a flag -> the fields of the ask that it takes the place of


@dataclass
class Draft:
    """An ask under construction: plain values, the file that they came from, and what was put over them."""

    value: Any
    document: Any = None
    folder: Path | None = None
    over: dict[Keys, str] = field(default_factory=dict)

    def place(self, *keys: str | int) -> Place:
        """The flag that set a value, or its line in the file."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.over:
                return Place(self.over[keys[:length]], field=_dotted(keys))
        inside = [origin for put, origin in self.over.items() if keys and put[: len(keys)] == keys]
        if inside and not self._in_file(keys[0]):
            return Place(inside[0], field=_dotted(keys))  # a group that a flag made
        if self.document is None:
            return Place(field=_dotted(keys) or None)
        found: Place = self.document.place(*keys)
        return found

    def _in_file(self, key: str | int) -> bool:
        return self.document is not None and isinstance(self.document.value, dict) and key in self.document.value

    def put(self, keys: Sequence[str], value: Any, origin: str) -> None:
        """Set one field; groups on the way are made."""
        group = self.value
        for key in keys[:-1]:
            if not isinstance(group, dict):
                break
            if isinstance(group.get(key), str) and key in ("cluster", "engine"):
                group[key] = {"name": group[key]}
            if group.get(key) is None:
                group[key] = {}
            group = group[key]
        if not isinstance(group, dict):
            return  # an ask or a group that is no mapping is refused where it is parsed
        for other in _other_spellings(*keys):
            group.pop(other, None)
        group[keys[-1]] = value
        self.over[tuple(keys)] = origin

    def drop(self, paths: Sequence[str]) -> None:
        """Take fields out of the ask that a flag takes the place of."""
        for path in paths:
            above, _, name = path.partition(".")
            part = self.value.get(above) if isinstance(self.value, dict) else None
            if above == "cluster" and isinstance(part, str):
                self.value["cluster"] = {}
            if not isinstance(part, dict):
                continue
            if path == "cluster.fleet" and part.get("fleet"):
                part.pop("terms", None)
            for spelling in (name, *_other_spellings(above, name)):
                part.pop(spelling, None)


def _dotted(keys: Sequence[str | int]) -> str:
    from exaplan.ask import dotted

    return dotted(tuple(keys))


def _other_spellings(*keys: str) -> list[str]:
    """Names under which the same field may stand in a file."""
    from exaplan.ask import SPELLINGS

    known = SPELLINGS.get(".".join(keys[:-1]), {})
    return [other for other, name in known.items() if name == keys[-1]]


def read(reference: str | None, flags: Mapping[str, Said], sets: Sequence[str], catalog: Any) -> Any:
    """The Ask that a command line means."""
    from exaplan import ask

    draft = _base(reference, catalog)
    _put_flags(draft, flags)
    for text in sets:
        _put_set(draft, text)
    if reference is None and "model" not in draft.value:
        hint = "name an ask (`exaplan asks` lists them), give its path, or say it with --model, --chip and --count"
        raise InputError("nothing was asked", hint=hint)
    return ask.parse(draft.value, draft.place, draft.folder)


def cluster_of(flags: Mapping[str, Said], catalog: Any) -> Any:
    """One cluster out of the flags about it alone, by the rules that hold for an ask."""
    from exaplan.ask import check_single
    from exaplan.planning.resolving import find_cluster

    question = read(None, {"model": "none", **flags}, (), catalog)
    check_single(question)
    return find_cluster(question, catalog)


def _base(reference: str | None, catalog: Any) -> Draft:
    """What the file or the bundled ask says, still plain."""
    from exaplan.catalog.folder import is_path

    if reference is None:
        return Draft({})
    if is_path(reference):
        return from_file(Path(reference))
    document = catalog.ask(reference, place=Place("ASK"))
    return Draft(deepcopy(document.value), document, Path(document.file).parent)


def from_file(path: Path) -> Draft:
    """A draft out of an ask file, or out of a plan.json, which holds its ask."""
    from exaplan.catalog.loader import read_json, read_yaml

    document = (read_json if path.suffix == ".json" else read_yaml)(path)
    value = deepcopy(document.value)
    if isinstance(value, dict) and "model_type" in value:
        hint = f"give it as the model: --model {path}"
        raise InputError("this is a model's config.json, not an ask", hint=hint, place=document.place())
    if isinstance(value, dict) and isinstance(value.get("provenance"), dict) and "inputs" in value["provenance"]:
        return Draft(_asked(value["provenance"], path.parent), None, path.parent)
    return Draft(value, document, path.parent)


def _asked(provenance: Mapping[str, Any], folder: Path) -> Any:
    """The question of a plan.json without what was taken by default, where that default is still the same.

    So its answer tells the same defaults again, and those that follow from other fields follow from changed ones; what
    the planner chose from its catalogue (the last day of the rules, the usual site of a place) stays as it was.
    """
    bare, told = provenance["inputs"], provenance.get("defaults")
    if not (isinstance(bare, dict) and isinstance(told, list)):
        return bare
    meant = _resolved(bare, folder)
    for line in told:
        without = _without(bare, str(line).partition(" = ")[0].split("."))
        bare = without if _resolved(without, folder) == meant else bare
    return bare


def _without(value: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The mapping without one field of it or of one of its groups."""
    *above, name = keys
    if not above:
        return {key: item for key, item in value.items() if key != name}
    inner = value.get(above[0])
    return {**value, above[0]: _without(inner, keys[1:])} if isinstance(inner, Mapping) else dict(value)


def _resolved(value: Any, folder: Path) -> Any:
    """What an ask comes to; the value itself where it is refused."""
    from exaplan.ask import parse

    try:
        return parse(value, folder=folder).resolved()
    except ExaplanError:
        return value


def _put_flags(draft: Draft, flags: Mapping[str, Said]) -> None:
    given = {name: value for name, value in flags.items() if value is not None}
    for name in REPLACES.keys() & given:
        draft.drop(_replaced(draft, name, {".".join(FLAGS[other].keys) for other in given}))
    for name, value in given.items():
        origin, keys = f"--{name.replace('_', '-')}", FLAGS[name].keys
        if FLAGS[name].many:
            for text in [value] if isinstance(value, str) else value:
                entry, number = named(text, origin)
                draft.put((*keys, entry), number, origin)
        else:
            draft.put(keys, _value(name, str(value), draft.folder), origin)


def _replaced(draft: Draft, name: str, said: set[str]) -> list[str]:
    """The fields that a flag takes the place of; a rate does so of a pause only where that was of users."""
    work = draft.value.get("work") if isinstance(draft.value, dict) else None
    sessions = isinstance(work, dict) and work.get("turns") is not None
    kept = {"work.think"} if name == "rate" and sessions else set()
    return [path for path in REPLACES[name] if path not in said | kept]


def named(text: str, origin: str, example: str = THRESHOLD) -> tuple[str, str]:
    """``advanced-computing-2023.tpp=4800``: a name and what it is to be."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise InputError(f"{text!r} is not NAME=VALUE", hint=f"write it like {origin} {example}", place=Place(origin))
    return name.strip(), value.strip()


def _value(name: str, value: str, folder: Path | None) -> Any:
    """What a flag puts into the ask: paths made relative to its folder, lists taken apart."""
    if name in PATHS:
        return _from_here(value, folder)
    if name in LISTS:
        pieces = [value] if os.path.isfile(value) else value.split(",")
        named = [_from_here(piece.strip(), folder) for piece in pieces]
        return named if len(named) > 1 else named[0]
    if name == "trace":
        return _file_from_here(value, folder)
    if name in ("prompt", "output"):
        return _lengths(name, value)
    if name == "disaggregated":
        return SWITCHES.get(value.strip().lower(), value)
    return _fleet(value, folder) if name == "fleet" else value


def _lengths(name: str, text: str) -> Any:
    """A pair or a mapping of lengths, written as YAML; a number or a range stays text."""
    if not text.strip().startswith(("[", "{")):
        return text
    from exaplan.catalog.loader import parse_yaml

    return parse_yaml(text, f"--{name}").value


def _fleet(text: str, folder: Path | None) -> Any:
    """The items of a fleet; text that is none is refused where the ask is parsed."""
    from exaplan.ask import fleet_items

    try:
        return [{**item, "chip": _from_here(item["chip"], folder)} for item in fleet_items(text)]
    except InputError:
        return text


def _from_here(value: str, folder: Path | None) -> str:
    """A path of the command line, made relative to the folder of the ask; a name stays."""
    from exaplan.catalog.folder import is_path

    return _file_from_here(value, folder) if is_path(value) else value


def _file_from_here(value: str, folder: Path | None) -> str:
    """A file named on the command line, made relative to the folder of the ask."""
    if folder is None or Path(value).is_absolute():
        return value
    return os.path.join(os.path.relpath(".", folder), value)


def _put_set(draft: Draft, text: str) -> None:
    """``--set work.tokens=1T``; the value is read as YAML, so lists and null work too."""
    from exaplan.catalog.loader import parse_yaml

    name, sign, value = text.partition("=")
    keys = name.strip().split(".")
    if not sign or not all(keys):
        raise InputError(f"{text!r} sets nothing", hint="write it like --set work.tokens=1T", place=Place("--set"))
    draft.put(keys, parse_yaml(value, "--set").value if value.strip() else None, f"--set {name}")
