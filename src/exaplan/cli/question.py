"""From what stands on the command line to an ``Ask``: file or bundled name, then flags, then ``--set``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from exaplan.errors import ExaplanError, InputError, Place

Keys = tuple[str | int, ...]


class Flag(NamedTuple):
    """One flag of ``plan`` and ``estimate``: the field of the ask that it sets, and what ``--help`` says."""

    keys: tuple[str, ...]
    help: str
    panel: str
    also: str = ""  # another spelling of the flag
    many: bool = False  # it may stand several times


MODEL, WORK, CLUSTER, LAYOUT, LIMITS = "Model", "Work", "Cluster", "Layout (fixed where given)", "Limits and choice"
LAW = "Law: only what may be had there (analysis, not legal advice)"

FLAGS: Mapping[str, Flag] = {
    "model": Flag(("model",), "Name of `exaplan models`, or path of a config.json or model file.", MODEL),
    "tokens": Flag(("work", "tokens"), "Tokens of the whole run, like 15T.", WORK),
    "steps": Flag(("work", "steps"), "Or its steps.", WORK),
    "seq_len": Flag(("work", "seq_len"), "Tokens in a sequence.", WORK),
    "global_batch": Flag(("work", "global_batch"), "Sequences in a step.", WORK),
    "precision": Flag(("work", "precision"), "bf16, fp16, fp8, fp8-block, mxfp8, nvfp4, fp32, tf32.", WORK),
    "method": Flag(("work", "method"), "full or lora.", WORK),
    "rank": Flag(("work", "rank"), "Rank of the LoRA adapters.", WORK),
    "framework": Flag(("work", "framework"), "Generation of the training framework.", WORK),
    "attention": Flag(("work", "attention"), "fused or unfused.", WORK),
    "chip": Flag(("cluster", "chip"), "Names of `exaplan chips`, or files; a,b to choose from. None: all.", CLUSTER),
    "count": Flag(("cluster", "count"), "Chips in the cluster; searched if left out and limits are given.", CLUSTER),
    "node": Flag(("cluster", "node"), "Name of `exaplan nodes`, or path of a node file.", CLUSTER),
    "fabric": Flag(("cluster", "fabric"), "The network between nodes.", CLUSTER),
    "fleet": Flag(("cluster", "fleet"), "What you have, like 64xA100,8xH100; the best of them is chosen.", CLUSTER),
    "site": Flag(
        ("cluster", "site"), "Where it stands: PUE, electricity, carbon; a,b to choose from.", CLUSTER, "--place"
    ),
    "terms": Flag(("cluster", "terms"), "any (the offer of least cash), rent, buy, or own (already there).", CLUSTER),
    "dp": Flag(("layout", "dp"), "Data-parallel replicas.", LAYOUT),
    "tp": Flag(("layout", "tp"), "Tensor parallelism.", LAYOUT),
    "pp": Flag(("layout", "pp"), "Pipeline stages.", LAYOUT),
    "vpp": Flag(("layout", "vpp"), "Model chunks per stage.", LAYOUT),
    "cp": Flag(("layout", "cp"), "Context parallelism.", LAYOUT),
    "ep": Flag(("layout", "ep"), "Expert parallelism.", LAYOUT),
    "etp": Flag(("layout", "etp"), "Tensor parallelism inside experts.", LAYOUT),
    "micro_batch": Flag(("layout", "micro_batch"), "Sequences in a micro-batch.", LAYOUT),
    "recompute": Flag(("layout", "recompute"), "none, selective, full, or module names.", LAYOUT),
    "zero": Flag(("layout", "zero"), "Sharding of states, 0 to 3 (3 = FSDP).", LAYOUT),
    "schedule": Flag(("layout", "schedule"), "1f1b, interleaved, zero-bubble or dualpipe.", LAYOUT),
    "budget": Flag(("limits", "money"), "Money at most, like $2M.", LIMITS),
    "power": Flag(("limits", "power"), "Power at most, like 10 MW.", LIMITS),
    "deadline": Flag(("limits", "deadline"), "Time at most, like 90 d, or a day like 2027-03-01.", LIMITS),
    "max_count": Flag(("limits", "count"), "Chips at most where counts are searched (16,384).", LIMITS),
    "hold": Flag(("limits", "hold"), "A limit holds at the upper end of the range (upper), or expected.", LIMITS),
    "start": Flag(("start",), "Day on which the run starts and whose prices count.", LIMITS),
    "objective": Flag(
        ("objective",), "time, cost, energy, carbon or throughput; by what is limited if left out.", LIMITS
    ),
    "to": Flag(("law", "to"), "Where the chips go, like CN, China or 中国.", LAW),
    "on": Flag(("law", "on"), "Day whose rules (and, without --start, prices) count, like 2024-01-15.", LAW),
    "headquarters": Flag(("law", "headquarters"), "Of the buyer or its parent; the destination if left out.", LAW),
    "origin": Flag(("law", "origin"), "Whence the chips are shipped; the US if left out.", LAW),
    "end_user": Flag(("law", "end_user"), "Name to look up in the entity list.", LAW),
    "buyer": Flag(("law", "buyer"), "private or state-funded.", LAW),
    "letters": Flag(("law", "letters"), "Letters to single makers bind all makers, or the addressees.", LAW),
    "accept": Flag(("law", "accept"), "Verdicts that are planned with: free,notify, or with licence, unknown.", LAW),
    "without": Flag(("law", "without"), "Rules that are left out: names of `exaplan rules`, a,b.", LAW),
    "threshold": Flag(
        ("law", "thresholds"), "RULE.NAME=NUMBER instead of the encoded number; may be repeated.", LAW, many=True
    ),
    "available": Flag(("law", "count"), "The most chips that are to be had there.", LAW),
    "vat": Flag(("law", "vat"), "Value-added tax is paid, or recovered by the buyer.", LAW),
    "step_time": Flag(("observed", "step_time"), "Your own measured step time; recentres the answer.", LIMITS),
    "seed": Flag(("seed",), "Seed of the draws.", LIMITS),
}
PATHS = {"model", "node", "fabric"}
LISTS = {"chip", "site"}
THRESHOLD = "advanced-computing-2023.tpp=4800 (`exaplan rules` lists the names)"
Said = str | list[str] | None  # what a flag was given
REPLACES: Mapping[str, tuple[str, ...]] = {
    "chip": ("name", "node", "fleet"),
    "fleet": ("name", "chip", "node", "count"),
}  # a flag -> what it takes the place of in the cluster of the ask


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
        if self.document is None:
            return Place(field=_dotted(keys) or None)
        found: Place = self.document.place(*keys)
        return found

    def put(self, keys: Sequence[str], value: Any, origin: str) -> None:
        """Set one field; groups on the way are made."""
        group = self.value
        for key in keys[:-1]:
            if not isinstance(group, dict):
                break
            if isinstance(group.get(key), str) and key == "cluster":
                group[key] = {"name": group[key]}
            group = group[key] if group.get(key) is not None else group.setdefault(key, {})
        if not isinstance(group, dict):
            return  # an ask or a group that is no mapping is refused where it is parsed
        for other in _other_spellings(*keys):
            group.pop(other, None)
        group[keys[-1]] = value
        self.over[tuple(keys)] = origin

    def drop(self, names: Sequence[str]) -> None:
        """Take fields out of the cluster that another flag takes the place of."""
        part = self.value.get("cluster") if isinstance(self.value, dict) else None
        if isinstance(part, str):
            self.value["cluster"] = {}
        if not isinstance(part, dict):
            return
        if "fleet" in names and part.get("fleet"):
            part.pop("terms", None)
        for name in names:
            for spelling in (name, *_other_spellings("cluster", name)):
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
        draft.drop([other for other in REPLACES[name] if other not in given])
    for name, value in given.items():
        origin, keys = f"--{name.replace('_', '-')}", FLAGS[name].keys
        if FLAGS[name].many:
            for text in [value] if isinstance(value, str) else value:
                entry, number = named(text, origin)
                draft.put((*keys, entry), number, origin)
        else:
            draft.put(keys, _value(name, str(value), draft.folder), origin)


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
    return _fleet(value, folder) if name == "fleet" else value


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

    if folder is None or not is_path(value) or Path(value).is_absolute():
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
