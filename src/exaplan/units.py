"""What people write (`80 GiB`, `900 GB/s`, `$129k`, `90 d`) to SI floats and back. Only this file knows prefixes.

An allow-list: a unit that is not in the table of the asked dimension is refused, and so is a bare number where a
unit is needed. ``parse(show(value, dimension, digits=17), dimension) == value`` up to rounding of the last bit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from typing import NamedTuple

from exaplan.errors import InputError, Place

LONGEST = 80  # characters; nobody writes a quantity longer than that

_DECIMAL = {"": "1"} | {letter: f"1e{power}" for letter, power in zip("kMGTPEZY", range(3, 27, 3), strict=True)}
_BINARY = {f"{letter}i": str(1024**power) for power, letter in enumerate("KMGTPE", start=1)}
_SCALES = {
    name: size
    for names, size in (("k K", "1e3"), ("M mn million", "1e6"), ("B bn G billion", "1e9"), ("T tn trillion", "1e12"))
    for name in names.split()
}
_LENGTHS = (
    ("ns", "1e-9"), ("us", "1e-6"), ("ms", "1e-3"), ("s sec second seconds", "1"), ("min minute minutes", "60"),
    ("h hr hour hours", "3600"), ("d day days", "86400"), ("wk week weeks", "604800"), ("y yr year years", "31557600"),
)  # fmt: skip
_SECONDS = {name: size for names, size in _LENGTHS for name in names.split()}
_CURRENCIES = {"¥": "CNY or JPY", "元": "CNY", "RMB": "CNY", "€": "EUR", "£": "GBP", "₩": "KRW", "₹": "INR"} | {
    code: code for code in ("CNY", "JPY", "EUR", "GBP", "KRW", "INR", "CHF", "TWD", "AUD", "CAD")
}
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*)?(?:\.\d+)?(?:[eE][+-]?\d{1,4})?(?![\d.,])")
_DOLLAR = re.compile(r"^(?:US\$|\$|USD)\s*|\s*USD(?=$|\s*/)")
_SPELLING = str.maketrans({"µ": "u", "μ": "u", "²": "2", "\u00a0": " ", "\u202f": " ", "−": "-"})  # noqa: RUF001


class _Unit(NamedTuple):
    """SI value of one unit as numerator / denominator, exact."""

    numerator: Decimal
    denominator: Decimal


@dataclass(frozen=True, slots=True)
class Dimension:
    """How one kind of quantity is written. ``ladder``: the units that ``show`` picks from, small to large."""

    name: str
    si: str
    example: str
    ladder: tuple[str, ...]
    bare: bool = False
    dollar: bool = False
    whole: bool = False
    glued: bool = False


def _unit(numerator: str, denominator: str = "1") -> _Unit:
    return _Unit(Decimal(numerator), Decimal(denominator))


def _prefixed(
    *bases: str, prefixes: Mapping[str, str], times: str = "1", over: str = "1"
) -> Iterator[tuple[str, _Unit]]:
    for base in bases:
        for prefix, factor in prefixes.items():
            yield prefix + base, _Unit(Decimal(factor) * Decimal(times), Decimal(over))


_ALL_DIMENSIONS = (
    Dimension("bytes", "B", "80 GiB or 80 GB", ("B", "kB", "MB", "GB", "TB", "PB", "EB")),
    Dimension("bandwidth", "B/s", "900 GB/s or 400 Gb/s", ("B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s", "EB/s")),
    Dimension("flops", "FLOP", "1e25 FLOP", ("FLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP")),
    Dimension("rate", "FLOP/s", "989 TFLOP/s", ("FLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s", "EFLOP/s")),
    Dimension("power", "W", "3.2 kW", ("W", "kW", "MW", "GW", "TW")),
    Dimension("energy", "J", "1 MWh or 3.6 GJ", ("J", "Wh", "kWh", "MWh", "GWh", "TWh")),
    Dimension("time", "s", "90 d, 30 min or 4.1 s", ("ns", "us", "ms", "s", "min", "h", "d", "y")),
    Dimension("money", "USD", "$129k or 2M USD", ("", "k", "M", "B", "T"), dollar=True, glued=True),
    Dimension("area", "m2", "814 mm2", ("mm2", "m2", "km2")),
    Dimension("tokens", "tokens", "15T tokens", ("", "k", "M", "B", "T"), bare=True, glued=True),
    Dimension("count", "", "16,384", ("",), bare=True, whole=True),
    Dimension("ratio", "", "1.1 or 85%", ("",), bare=True),
    Dimension("carbon", "kg/J", "0.4 kg/kWh", ("g/kWh", "kg/kWh")),
    Dimension("mass", "kg", "120 t", ("g", "kg", "t", "kt", "Mt")),
    Dimension("price_energy", "USD/J", "$0.08/kWh", ("/kWh",), dollar=True, glued=True),
    Dimension("frequency", "1/s", "20/s or 1200/min", ("/s",), glued=True),
    Dimension("price_time", "USD/s", "$2.35/h", ("/h",), dollar=True, glued=True),
)
DIMENSIONS: Mapping[str, Dimension] = {dimension.name: dimension for dimension in _ALL_DIMENSIONS}


def _data_units() -> dict[str, dict[str, _Unit]]:
    both = _DECIMAL | _BINARY
    bits = dict(_prefixed("b/s", "bps", "bit/s", prefixes=_DECIMAL, over="8"))
    return {
        "bytes": dict(_prefixed("B", prefixes=both)),
        "bandwidth": dict(_prefixed("B/s", prefixes=both)) | bits,
        "flops": dict(_prefixed("FLOP", "FLOPs", prefixes=_DECIMAL)),
        "rate": dict(_prefixed("FLOP/s", "FLOPS", "FLOPs/s", prefixes=_DECIMAL)),
    }


def _physical_units() -> dict[str, dict[str, _Unit]]:
    upward = {key: _DECIMAL[key] for key in ("", "k", "M", "G", "T")}
    watt_hours = dict(_prefixed("Wh", prefixes=upward, times="3600"))
    mass = {"g": _unit("1e-3"), "kg": _unit("1"), "t": _unit("1e3"), "kt": _unit("1e6"), "Mt": _unit("1e9")}
    carbon = {
        f"{grams}{of}/{per}": _Unit(mass[grams].numerator, size.numerator)
        for grams in ("g", "kg", "t")
        for of in ("", "CO2", "CO2e")
        for per, size in watt_hours.items()
    }
    return {
        "power": dict(_prefixed("W", prefixes=upward)),
        "energy": dict(_prefixed("J", prefixes=_DECIMAL)) | watt_hours,
        "time": {name: _unit(size) for name, size in _SECONDS.items()},
        "area": {"mm2": _unit("1e-6"), "cm2": _unit("1e-4"), "m2": _unit("1"), "km2": _unit("1e6")},
        "mass": mass | {f"{name}{of}": size for name, size in mass.items() for of in ("CO2", "CO2e")},
        "carbon": carbon,
        "price_energy": {f"/{name}": _Unit(Decimal(1), size.numerator) for name, size in watt_hours.items()},
    }


def _number_units() -> dict[str, dict[str, _Unit]]:
    scales = {name: _unit(size) for name, size in _SCALES.items()}
    one = {"": _unit("1")}
    words = {f"{name}{tail}": size for name, size in (one | scales).items() for tail in ("", "tokens", "token")}
    hour = _Unit(Decimal(1), Decimal(_SECONDS["h"]))
    spans = {name: size for name, size in _SECONDS.items() if float(size) >= 1}
    events = ("", "requests", "request", "req", "queries", "query")
    owners = ("", "GPU-", "gpu-", "chip-", "node-")
    return {
        "money": one | scales,
        "tokens": words,
        "count": one,
        "ratio": one | {"%": _unit("1", "100"), "x": _unit("1")},
        "frequency": {
            f"{what}/{per}": _Unit(Decimal(1), Decimal(size)) for what in events for per, size in spans.items()
        }
        | {name: _unit("1") for name in ("rps", "qps", "QPS", "RPS", "Hz")},
        "price_time": {f"/{owner}{name}": hour for owner in owners for name in ("h", "hr", "hour")},
    }


@cache
def units(dimension: str) -> Mapping[str, _Unit]:
    """All spellings of the units of ``dimension``, with the size of each in SI."""
    return (_data_units() | _physical_units() | _number_units())[dimension]


def parse(
    text: object, dimension: str, place: Place | None = None, *, rates: Mapping[str, float] | None = None
) -> float:
    """The SI value [unit of the dimension] of what a person wrote, or InputError with the place and an example.

    dimension: a key of ``DIMENSIONS``. rates: USD per unit of other currencies that are allowed here, e.g.
    ``{"CNY": 0.14}``; without a rate an amount in another currency is refused, because one would be guessed.
    """
    kind = DIMENSIONS[dimension]
    written = _written(text, kind, place)
    if kind.dollar:
        written, rate = _without_currency(written, kind, place, rates or {})
    else:
        rate = 1.0
    number, rest = _split(written, text, kind, place)
    unit = _find_unit(rest, text, kind, place)
    return _checked(number * unit.numerator / unit.denominator, rate, text, kind, place)


def _refuse(problem: str, kind: Dimension, place: Place | None, hint: str = "") -> InputError:
    return InputError(problem, hint=hint or f"write it like {kind.example}", place=place)


def _written(text: object, kind: Dimension, place: Place | None) -> str:
    """What was given as clean text; numbers only where the dimension has no unit."""
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        shown = "nothing" if text is None else f"{text!r}"[:LONGEST]
        raise _refuse(f"{kind.name} expected, got {shown}", kind, place)
    clean = " ".join(str(text).translate(_SPELLING).split())
    if not clean or len(clean) > LONGEST:
        got = f"a text of {len(clean)} characters" if clean else "nothing"
        raise _refuse(f"{kind.name} expected, got {got}", kind, place)
    if re.match(r"[+-]?(nan|inf(inity)?)\b|[+-]?\.(nan|inf)\b", clean, re.IGNORECASE):
        raise _refuse(f"{clean!r} is not a finite number", kind, place)
    return clean


def _without_currency(
    written: str, kind: Dimension, place: Place | None, rates: Mapping[str, float]
) -> tuple[str, float]:
    """(amount without its currency sign, USD per unit of it); money always says its currency."""
    if written[:1] == "-":
        amount, found = _DOLLAR.subn("", written[1:].strip(), count=1)
        if found:
            return f"-{amount.strip()}", 1.0  # a sign before the currency: what is below zero is refused by its value
    rest, found = _DOLLAR.subn("", written, count=1)
    if found:
        return rest.strip(), 1.0
    for sign, code in _CURRENCIES.items():
        if sign in written:
            known = [rates[key] for key in {sign, *code.split(" or ")} if key in rates]
            if len(known) == 1:
                return written.replace(sign, "").strip(), known[0]
            raise _refuse(
                f"{written!r} is in {code}, and no exchange rate is given for it",
                kind,
                place,
                f"convert it to US dollars with a rate that you trust, and write it like {kind.example}",
            )
    raise _refuse(f"{written!r} has no currency", kind, place)


def _split(written: str, text: object, kind: Dimension, place: Place | None) -> tuple[Decimal, str]:
    """(number, what stands after it)."""
    found = _NUMBER.match(written)
    digits = found.group().replace(",", "").replace("_", "") if found else ""
    try:
        number = Decimal(digits)
    except InvalidOperation:
        comma = re.search(r"\d,\d", written)
        hint = "write a decimal point, and commas only between thousands, as in 16,384" if comma else ""
        raise _refuse(f"{text!r} does not start with a number", kind, place, hint) from None
    if number.is_signed() and number != 0:
        raise _refuse(f"{text!r} is negative, and {kind.name} cannot be", kind, place)
    return number, written[len(found.group()) if found else 0 :].strip()


def _find_unit(rest: str, text: object, kind: Dimension, place: Place | None) -> _Unit:
    table = units(kind.name)
    unit = table.get(rest) or table.get(rest.replace(" ", ""))
    if unit is not None:
        return unit
    if not rest:
        field = (place.field if place else None) or "this"
        raise _refuse(f"{text!r} has no unit, and {field} needs one ({kind.name.replace('_', ' of ')})", kind, place)
    raise _refuse(f"{rest!r} is not a unit of {kind.name}{_owner(rest, kind)}", kind, place, _suggest(rest, kind))


def _owner(rest: str, kind: Dimension) -> str:
    """The remark " (it is a unit of power)", where another dimension knows the unit."""
    others = [name for name in DIMENSIONS if rest not in _SCALES and rest in units(name)]
    return f" (it is a unit of {others[0]})" if others else ""


def _suggest(rest: str, kind: Dimension) -> str:
    """A hint that names the likely unit: same letters in another case first, then similar ones."""
    table = [name for name in units(kind.name) if name]
    same = [name for name in table if name.lower() == rest.lower()]
    near = same or get_close_matches(rest, table, n=3, cutoff=0.6)
    if kind.name == "count" and rest in _SCALES:
        return f"write the whole number out, like {kind.example}"
    ask = f"did you mean {' or '.join(near[:3])}? " if near else ""
    return f"{ask}write it like {kind.example}"


def _checked(value: Decimal, rate: float, text: object, kind: Dimension, place: Place | None) -> float:
    result = float(value) * rate
    if not math.isfinite(result):
        raise _refuse(f"{text!r} is too large", kind, place)
    if kind.whole and result != int(result):
        raise _refuse(f"{text!r} is not a whole number", kind, place)
    return result


def show(value: float | None, dimension: str, digits: int = 4) -> str:
    """``value`` [SI] as people write it, ``digits`` significant; None -> "unknown". ``parse`` reads it back."""
    if value is None:
        return "unknown"
    kind = DIMENSIONS[dimension]
    if kind.whole:
        return f"{round(value):,}"
    unit = kind.si if kind.name == "flops" and value >= 1e18 else _rung(value, kind)
    size = units(kind.name)[unit]
    number = _plain(float(Decimal(value) * size.denominator / size.numerator), digits)
    return ("$" if kind.dollar else "") + number + ("" if kind.glued or not unit else " ") + unit


def _rung(value: float, kind: Dimension) -> str:
    """The largest unit of the ladder in which ``value`` is at least 1; the SI unit for zero."""
    table = units(kind.name)
    best = kind.ladder[0]
    if value == 0 and kind.si in kind.ladder:
        return kind.si
    for unit in kind.ladder:
        if abs(value) * float(table[unit].denominator) >= float(table[unit].numerator):
            best = unit
    return best


def _plain(number: float, digits: int) -> str:
    """``number`` with ``digits`` significant digits (17: as many as it needs), commas from 10,000."""
    short = repr(number).removesuffix(".0") if digits >= 17 else f"{number:.{digits}g}"
    text = short.replace("e+", "e")
    if "e" in text and abs(number) < 1e15:
        text = f"{float(text):.0f}" if abs(number) >= 1 else text
    if "e" not in text and abs(number) >= 1e4:
        whole, _, part = text.partition(".")
        text = f"{int(whole):,}" + (f".{part}" if part else "")
    return text
