"""What is known of each launch format, from data/launch/FORMAT.yaml: version, chips, and every flag with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from exaplan.catalog.tuning import yaml_data

NAMES = ("megatron", "torchtitan", "deepspeed", "nemo", "slurm", "skypilot")
#: Formats of what serves.
SERVERS = ("vllm", "sglang", "trtllm", "llama.cpp")
#: Formats that wrap the command of another one, whose chips and flags are theirs too.
WRAPS: Mapping[str, str] = {"slurm": "megatron", "skypilot": "megatron"}


@dataclass(frozen=True, slots=True)
class Flag:
    """One setting of a program: what of the plan it sets, where that is documented, and for which version."""

    name: str
    sets: str
    address: str
    version: str


@cache
def table(name: str) -> Mapping[str, Any]:
    """The file of a format as it stands."""
    made: Mapping[str, Any] = yaml_data(f"launch/{name}.yaml")
    return made


def program(name: str) -> str:
    """The program's own name, with its version."""
    return f"{table(name)['program']} {table(name)['version']}"


def own_flags(name: str) -> dict[str, Flag]:
    """The flags of the file of that name alone."""
    made, out = table(name), {}
    for flag, entry in made["flags"].items():
        address = made["files"].get(entry["source"], entry["source"])
        out[flag] = Flag(flag, entry["sets"], address, str(entry.get("version", made["version"])))
    return out


def flags(name: str) -> dict[str, Flag]:
    """Every flag that the format may write: its own, of what it wraps, and of the launcher it calls."""
    out: dict[str, Flag] = {}
    for part in (WRAPS.get(name, ""), *table(name).get("with", ()), name):
        out |= own_flags(part) if part else {}
    return out


def taken(name: str) -> str:
    """Flags that fix a layout which the format can always express."""
    return str(table(WRAPS.get(name, name))["taken"])


def needs(name: str) -> dict[str, Any]:
    """Fields of a layout that a plan made for the format is held to, where the asker left them open."""
    return dict(table(WRAPS.get(name, name)).get("needs", {}))


def vendors(name: str) -> tuple[str, ...]:
    """Vendors whose chips the format runs on."""
    return tuple(table(WRAPS.get(name, name))["vendors"])


def formats_for(vendor: str, names: tuple[str, ...] = NAMES) -> tuple[str, ...]:
    """Formats (of training, or those given) that run on chips of that vendor."""
    return tuple(name for name in names if vendor in vendors(name))


def elsewhere(vendor: str) -> str:
    """What trains on that vendor's chips without a launch file from here, with its address; "" for none known."""
    found = table("elsewhere")["vendors"].get(vendor)
    return f"{found['program']} ({found['address']})" if found else ""


def host_chips(node: str, chips: int) -> int:
    """Chips under one operating system in a node: all of them, but for racks (data/launch/hosts.yaml). [count]"""
    return int(table("hosts")["nodes"].get(node, {"chips": chips})["chips"])
