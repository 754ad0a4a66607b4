"""The kinds of value in an ask: quantities with units, whole numbers, dates, names, the fleet; and their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from exaplan import units
from exaplan.errors import InputError, Place

Keys = tuple[str | int, ...]
PlaceOf = Callable[..., Place]

DATE = "2027-03-01"  # an example, for messages
FLEET = "64xA100,8xH100"
LONGEST = 3.2e10  # s, about 1,000 years
YEARS = range(1990, 2200)

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_DATE_LIKE = re.compile(r"\d+\s*[-/.]\s*\d+\s*[-/.]\s*\d+|\d{4}-\d{2}\Z")
_SCALED = re.compile(r"[\d.,_]+\s*(?P<scale>[A-Za-z]+)\Z")
_MANY = re.compile(r"(?P<count>[\d_]+)(?:\s*[xX*\u00d7]\s*|\s+)(?P<chip>[^\s,]+)\Z")
_EACH = re.compile(r"(?P<chip>[^\s,]+?)(?:\s+[xX]\s*|\s*[*\u00d7:]\s*)(?P<count>[\d_]+)\Z")


def dotted(keys: Keys) -> str:
    """``("work", "tokens")`` as ``work.tokens``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def nowhere(*keys: str | int) -> Place:
    """The place of a value that stands in no file."""
    return Place(field=dotted(keys) or None)


class Origin(NamedTuple):
    """Where an ask came from: the place of each value, and the folder that its paths are relative to."""

    place: PlaceOf
    folder: Path | None


def wrong(problem: str, hint: str) -> PydanticCustomError:
    """A refusal that pydantic carries to ``parse`` together with the path of the field."""
    return PydanticCustomError("exaplan", "{problem}", {"problem": problem, "hint": hint})


# ------------------------------------------------------------------------------------------------ quantities


@dataclass(frozen=True, slots=True)
class _Quantity:
    """Reads one quantity with its unit and keeps it inside [least, most] (SI)."""

    dimension: str
    least: float
    most: float

    def __call__(self, value: Any) -> float | None:
        return None if value is None else self.read(value, value)

    def read(self, value: Any, shown: Any) -> float:
        """The SI value; a refusal shows what was written, ``shown``."""
        try:
            number = units.parse(value, self.dimension)
        except InputError as error:
            raise wrong(error.problem, error.hint) from None
        if not self.least <= number <= self.most:
            raise wrong(f"{shown!r} is {self._side(number)}", f"write it like {self._example()}")
        return number

    def _side(self, number: float) -> str:
        low, limit = number < self.least, self.least if number < self.least else self.most
        if low and number == 0:
            return "zero, and it must be more"
        return f"{'below' if low else 'above'} what is possible ({units.show(limit, self.dimension)})"

    def _example(self) -> str:
        return units.DIMENSIONS[self.dimension].example

    def schema(self) -> dict[str, Any]:
        """What the JSON schema says of such a value."""
        bare = units.DIMENSIONS[self.dimension].bare
        kind: Any = ["string", "number"] if bare else "string"
        return {"type": kind, "description": f"{self.dimension}, like {self._example()}"}


def whole(least: int, most: int) -> Any:
    """A whole number in [least, most]."""
    quantity = _Quantity("count", least, most)

    def read(value: Any) -> int | None:
        number = quantity(value)
        return None if number is None else int(number)

    schema = {"type": ["integer", "string"], "minimum": least, "maximum": most}
    return (BeforeValidator(read), WithJsonSchema(schema))


def measured(dimension: str, least: float, most: float) -> Any:
    """A quantity with its unit, in [least, most] (SI)."""
    quantity = _Quantity(dimension, least, most)
    return (BeforeValidator(quantity), WithJsonSchema(quantity.schema()))


def renamed(names: Mapping[str, str]) -> Any:
    """Other spellings of the words of a choice."""
    return BeforeValidator(lambda value: names.get(value.strip().lower(), value) if isinstance(value, str) else value)


_MONEY = _Quantity("money", 1e-6, 1e15)
_DURATION = _Quantity("time", 1e-9, LONGEST)


def _money(value: Any) -> float | None:
    """US dollars; `2M` is 2 million of them, a bare number is not read: was 2 meant, or 2 million?"""
    scaled = _SCALED.match(value.strip()) if isinstance(value, str) else None
    if scaled and scaled["scale"] in units.units("money"):
        return _MONEY.read(f"${scaled[0]}", value)
    return _MONEY(value)


def _named(value: Any) -> Any:
    """A name or a path: a text that is not empty."""
    if isinstance(value, str) and not value.strip():
        raise wrong("an empty text is not a name", "write a name or the path of a file, or leave the field out")
    return value


Named = Annotated[str, BeforeValidator(_named)]
Count = Annotated[int, *whole(1, 100_000_000)]
Degree = Annotated[int, *whole(1, 10_000_000)]
OrZero = Annotated[int, *whole(0, 10_000_000)]
SeqLen = Annotated[int, *whole(1, 100_000_000)]
Tokens = Annotated[float, *measured("tokens", 1.0, 1e18)]
Money = Annotated[float, BeforeValidator(_money), WithJsonSchema(_MONEY.schema())]
Power = Annotated[float, *measured("power", 1e-3, 1e15)]
Duration = Annotated[float, *measured("time", 1e-9, LONGEST)]
Reference = str | dict[str, Any]


# ----------------------------------------------------------------------------------------------------- dates


def read_date(value: Any) -> date | None:
    """A day, written like 2027-03-01."""
    if value is None or type(value) is date:
        return value
    written = value.strip() if isinstance(value, str) else ""
    try:
        made = date.fromisoformat(written) if _DATE.match(written) else None
    except ValueError as error:
        raise wrong(f"{value!r} is not a date ({error})", f"write it like {DATE} (year-month-day)") from None
    if made is None:
        raise wrong(f"{value!r} is not a date", f"write it like {DATE} (year-month-day)")
    if made.year not in YEARS:
        raise wrong(f"{value!r} is outside {YEARS[0]} to {YEARS[-1]}", f"write it like {DATE} (year-month-day)")
    return made


def _deadline(value: Any) -> float | date | None:
    """A duration [s], or the day on which the run must be done."""
    if type(value) is date or (isinstance(value, str) and _DATE_LIKE.match(value.strip())):
        return read_date(value)
    try:
        units.parse(value, "time")
    except InputError as error:
        raise wrong(error.problem, f"{error.hint}, or as a day like {DATE}") from None
    return _DURATION(value)


_DAY = {"type": "string", "description": f"a day, like {DATE}"}
_WHEN = {"type": "string", "description": f"time, like 90 d, or a day like {DATE} (then `start` is needed)"}
Day = Annotated[date, PlainValidator(read_date), WithJsonSchema(_DAY)]
Deadline = Annotated[float | date, PlainValidator(_deadline), WithJsonSchema(_WHEN)]


# ----------------------------------------------------------------------------------------- names and the fleet


def _names(value: Any) -> Any:
    """One reference, or several as a tuple without repeats; a list of one is that one."""
    if value is None or isinstance(value, dict):
        return value
    named = list(value) if isinstance(value, (list, tuple)) else [value]
    odd = [item for item in named if not isinstance(item, str) or not item.strip()]
    if odd:
        raise wrong(f"{odd[0]!r} is not a name", "write a name of the catalogue or the path of your own file")
    if not named:
        raise wrong("the list is empty", "name at least one, or leave the field out")
    several = tuple(dict.fromkeys(named))
    return several if len(several) > 1 else several[0]


_NAMES = {"type": ["string", "array"], "items": {"type": "string"}, "description": "a name, or a list of names"}
Names = Annotated[str | dict[str, Any] | tuple[str, ...], PlainValidator(_names), WithJsonSchema(_NAMES)]


def fleet_items(text: str) -> list[dict[str, Any]]:
    """``64xA100, 8 x H100`` as items of a fleet; InputError with an example for anything else."""
    hint = f"write it like {FLEET} (count x chip, without commas inside a number)"
    if not text.strip():
        raise InputError("the fleet is empty", hint=hint)
    return [_item(piece.strip(), hint) for piece in text.split(",")]


def _item(piece: str, hint: str) -> dict[str, Any]:
    found = _MANY.match(piece) or _EACH.match(piece)
    if found is None:
        raise InputError(f"{piece!r} is not a number of chips", hint=hint)
    return {"chip": found["chip"], "count": found["count"]}


def read_fleet(value: Any) -> Any:
    """Items as mappings; text is read like the flag."""
    if isinstance(value, str):
        try:
            return fleet_items(value)
        except InputError as error:
            raise wrong(error.problem, error.hint) from None
    if value is None or (isinstance(value, (list, tuple)) and value):
        return value
    if isinstance(value, (list, tuple)):
        raise wrong("the fleet is empty", f"write it like {FLEET}, or leave it out and name chips")
    raise wrong(f"{value!r} is not a fleet", f"write it like {FLEET}, or as a list of {{chip: NAME, count: 64}}")
