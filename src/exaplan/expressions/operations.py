"""What the little language can compute: three-valued closures that check the kinds of their operands.

Each maker returns a function of the values. ``fail`` is called with a problem and raises the error of the place.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Never

Values = Mapping[str, Any]
Run = Callable[[Values], Any]
Fail = Callable[[str], Never]

TROUBLE = (ZeroDivisionError, OverflowError, TypeError, ValueError)


def trouble(error: Exception) -> str:
    """A failed computation in words."""
    if isinstance(error, ZeroDivisionError):
        return "division by zero"
    return "the result is too large" if isinstance(error, OverflowError) else str(error)


def describe(value: Any) -> str:
    """A value in words, for errors."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)[:40]


# ----------------------------------------------------------------------------------------------- numbers


def number(value: Any) -> float:
    """The value if it is a number; TypeError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{describe(value)} is not a number")
    return float(value)


def finite(value: Any) -> float:
    """The value if it is real and finite."""
    if isinstance(value, complex):
        raise ValueError("a root of a negative number")
    if not math.isfinite(value):
        raise OverflowError
    return float(value)


ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}
CALLS: Mapping[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "log": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "round": lambda x, digits=0.0: round(x, int(digits)),
}


def binary(left: Run, right: Run, operation: Callable[[float, float], Any], fail: Fail) -> Run:
    """left operation right; unknown where a side is."""

    def run(values: Values) -> float | None:
        a, b = left(values), right(values)
        if a is None or b is None:
            return None
        try:
            return finite(operation(number(a), number(b)))
        except TROUBLE as error:
            fail(trouble(error))

    return run


def signed(inner: Run, sign: float, fail: Fail) -> Run:
    """A sign before a number."""

    def run(values: Values) -> float | None:
        value = inner(values)
        if value is None:
            return None
        try:
            return sign * number(value)
        except TypeError as error:
            fail(str(error))

    return run


def called(name: str, parts: list[Run], fail: Fail) -> Run:
    """A function of numbers; unknown where one of them is."""
    call = CALLS[name]

    def run(values: Values) -> float | None:
        given = [part(values) for part in parts]
        if any(value is None for value in given):
            return None
        try:
            return finite(call(*map(number, given)))
        except TROUBLE as error:
            fail(trouble(error))

    return run


# -------------------------------------------------------------------------------------------- comparisons


def _comparable(left: Any, right: Any) -> None:
    if isinstance(left, str) != isinstance(right, str) or isinstance(left, bool) != isinstance(right, bool):
        raise TypeError(f"{describe(left)} cannot be compared with {describe(right)}")


def _ordered(left: Any, right: Any) -> None:
    _comparable(left, right)
    if isinstance(left, bool) or not isinstance(left, str | int | float):
        raise TypeError(f"{describe(left)} has no order")


def _less(left: Any, right: Any) -> bool:
    if left.__class__ is not float or right.__class__ is not float:
        _ordered(left, right)
    return bool(left < right)


def _at_most(left: Any, right: Any) -> bool:
    if left.__class__ is not float or right.__class__ is not float:
        _ordered(left, right)
    return bool(left <= right)


def _equal(left: Any, right: Any) -> bool:
    if left.__class__ is not right.__class__:
        _comparable(left, right)
    return bool(left == right)


def _inside(left: Any, right: Any) -> bool:
    if right.__class__ is not frozenset and (isinstance(right, str) or not isinstance(right, Collection)):
        raise TypeError(f"{describe(right)} is not a list")
    return left in right


COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: _less,
    ast.LtE: _at_most,
    ast.Gt: lambda a, b: _less(b, a),
    ast.GtE: lambda a, b: _at_most(b, a),
    ast.Eq: _equal,
    ast.NotEq: lambda a, b: not _equal(a, b),
    ast.In: _inside,
    ast.NotIn: lambda a, b: not _inside(a, b),
}


def compared(left: Run, right: Run, compare: Callable[[Any, Any], bool], fail: Fail) -> Run:
    """A comparison; unknown where a side is."""

    def run(values: Values) -> bool | None:
        a = left(values)
        if a is None:
            return None
        b = right(values)
        if b is None:
            return None
        try:
            return compare(a, b)
        except TypeError as error:
            fail(str(error))

    return run


def compared_name(name: str, right: Any, compare: Callable[[Any, Any], bool], fail: Fail) -> Run:
    """`compared` of a name with a constant, the most frequent comparison, without the calls in between."""

    def run(values: Values) -> bool | None:
        value = values.get(name)
        if value is None:
            return None
        try:
            return compare(value, right)
        except TypeError as error:
            fail(str(error))

    return run


def difference(left: Run, right: Run) -> Run:
    """left - right of a comparison of numbers; None of anything else."""

    def run(values: Values) -> float | None:
        a, b = left(values), right(values)
        both = isinstance(a, int | float) and isinstance(b, int | float)
        return float(a - b) if both else None

    return run


# --------------------------------------------------------------------------------------------------- logic


def negation(inner: Run, fail: Fail) -> Run:
    """not: unknown stays unknown."""

    def run(values: Values) -> bool | None:
        value = inner(values)
        if value is None:
            return None
        if value is not True and value is not False:
            fail(f"{describe(value)} is neither true nor false")
        return value is False

    return run


def conjunction(parts: list[Run], fail: Fail) -> Run:
    """Kleene's and: false if one is false, else unknown if one is unknown."""
    return _junction(parts, True, fail)


def disjunction(parts: list[Run], fail: Fail) -> Run:
    """Kleene's or: true if one is true, else unknown if one is unknown."""
    return _junction(parts, False, fail)


def _junction(parts: list[Run], neutral: bool, fail: Fail) -> Run:
    decisive = not neutral

    def run(values: Values) -> bool | None:
        known: bool | None = neutral
        for part in parts:
            value = part(values)
            if value is decisive:
                return not neutral
            if value is None:
                known = None
            elif value is not neutral:
                fail(f"{describe(value)} is neither true nor false")
        return known

    return run
