"""The questions behind two plans, and the pieces of them that can be moved from one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from exaplan.planning.comparing.parts import Difference, Flat


class Input(NamedTuple):
    """Fields of the question that are moved together; name: that of the first that differs."""

    name: str
    fields: tuple[str, ...]


# Fields that say one thing between them: moved one by one they contradict each other.
TOGETHER = (
    ("work.tokens", "work.steps"),
    ("work.method", "work.rank", "work.targets"),
    ("cluster.chip", "cluster.node", "cluster.name", "cluster.fleet"),
    ("limits.deadline", "start"),
    ("work.rate", "work.users", "work.trace", "work.think", "work.arrivals", "work.burst"),
    ("work.turns", "work.history", "work.keep"),
)
WITH_HARDWARE = ("cluster.count", "cluster.terms")  # where a cluster of the catalogue or a fleet says them, too
APART = ("work", "cluster", "limits")  # parts whose fields are moved one by one; others move whole


def flat(question: Mapping[str, Any]) -> Flat:
    """A question with the fields of its parts side by side: ``work.tokens``, ``layout``, ..."""
    out: dict[str, Any] = {}
    for name, value in question.items():
        if name in APART and isinstance(value, Mapping):
            out |= {f"{name}.{key}": item for key, item in value.items()}
        else:
            out[name] = value
    return out


def nested(question: Flat) -> dict[str, Any]:
    """A question as it is asked."""
    out: dict[str, Any] = {}
    for name, value in question.items():
        part, _, key = name.partition(".")
        if key:
            out.setdefault(part, {})[key] = value
        else:
            out[name] = value
    return out


def inputs_of(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Every field of the questions that differs."""
    a, b = flat(first["provenance"]["inputs"]), flat(second["provenance"]["inputs"])
    return tuple(Difference(name, a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name))


def movable(a: Flat, b: Flat) -> list[Input]:
    """What differs, in the order of the question, in pieces that can be moved."""
    names = [name for name in {**a, **b} if a.get(name) != b.get(name)]
    found: dict[tuple[str, ...], str] = {}
    for name in names:
        found.setdefault(_together(name, a, b), name)
    return [Input(name, fields) for fields, name in found.items()]


def _together(name: str, a: Flat, b: Flat) -> tuple[str, ...]:
    hardware: tuple[str, ...] = TOGETHER[2]
    if any(question.get(key) for question in (a, b) for key in ("cluster.name", "cluster.fleet")):
        hardware += WITH_HARDWARE
    groups = (*TOGETHER[:2], hardware, *TOGETHER[3:])
    return next((group for group in groups if name in group), (name,))


def moved(a: Flat, b: Flat, fields: tuple[str, ...]) -> Flat:
    """Question ``a`` with these fields as in ``b``, in the order of ``a``."""
    out = {name: b[name] if name in fields else value for name, value in a.items() if name not in fields or name in b}
    return out | {name: b[name] for name in fields if name in b}
