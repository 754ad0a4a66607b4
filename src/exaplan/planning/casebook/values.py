"""Values of a case: what an input is (number, text, date, truth or unknown) and how it enters an expression.

A date enters as its count of days; ``price`` has beside it ``price.low`` and ``price.high``, the ends of its range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from exaplan.catalog.cases import DATE, Input
from exaplan.errors import InputError, Place
from exaplan.expressions import day

KINDS = ("number", "text", "date", "truth", "unknown")


@dataclass(frozen=True)
class Known:
    """An input with its value. kind: one of ``KINDS``; value: as it is shown (a date as ISO text).

    low, high: of a number; sources: ids; origin: what it was asked of ("" = a figure of the case's file).
    """

    name: str
    kind: str
    value: Any
    unit: str = ""
    low: float | None = None
    high: float | None = None
    sources: tuple[str, ...] = ()
    date: str = ""
    note: str = ""
    origin: str = ""


def kind_of(value: Any) -> str:
    """What a plain value is."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    return "date" if isinstance(value, str) and _is_date(value) else "text"


def number(value: Any) -> float | None:
    """A number, or None for everything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_date(text: str) -> bool:
    if not DATE.match(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def own(item: Input) -> Known:
    """A figure of the case's own file."""
    sources = (item.source,) if item.source else ()
    kind = kind_of(item.value)
    return Known(item.name, kind, item.value, item.unit, item.low, item.high, sources, item.date, item.note)


def changed(known: Known, value: Any, place: Place) -> Known:
    """The same input with another value; the ends of its range keep their distance (by ratio)."""
    kind = kind_of(value)
    if kind != known.kind and "unknown" not in (kind, known.kind):
        if not (kind == "date" and known.kind == "text"):
            problem = f"`{known.name}` is a {known.kind}, and {value!r} is a {kind}"
            raise InputError(problem, hint=f"give a {known.kind}, like {known.value!r}", place=place)
        kind = "text"
    if kind != "number" or known.kind != "number" or not known.value:
        return replace(known, kind=kind, value=value, low=None, high=None)
    factor = value / known.value
    ends = sorted(end * factor for end in (known.low, known.high) if end is not None)
    low = ends[0] if ends and (known.low is not None or factor < 0) else None
    high = ends[-1] if ends and (known.high is not None or factor < 0) else None
    return replace(known, value=float(value), low=low, high=high)


def entering(known: Iterable[Known]) -> dict[str, Any]:
    """Name -> value as the expressions see it, with ``name.low`` and ``name.high``."""
    out: dict[str, Any] = {}
    for item in known:
        value = day(item.value) if item.kind == "date" else item.value
        low = item.low if item.low is not None else value
        high = item.high if item.high is not None else value
        out |= {item.name: value, f"{item.name}.low": low, f"{item.name}.high": high}
    return out


def shown(value: Any, unit: str) -> Any:
    """A result as it is told: a count of days as ISO date where its unit says so."""
    if unit != "date" or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return iso(value)


def iso(days: float) -> str:
    """An ISO date out of a count of days; InputError beyond the calendar."""
    try:
        return date.fromordinal(round(days)).isoformat()
    except (ValueError, OverflowError):
        raise InputError(f"{days:g} days are no date", hint="check the dates that enter this step") from None


def sources_of(known: Iterable[Known]) -> tuple[str, ...]:
    """Every source id, in the order of the inputs."""
    return tuple(dict.fromkeys(source for item in known for source in item.sources))


def given_of(known: Mapping[str, Known]) -> dict[str, Any]:
    """Name -> value as a question of a later input sees it (``on: =day``)."""
    return {name: item.value for name, item in known.items()}
