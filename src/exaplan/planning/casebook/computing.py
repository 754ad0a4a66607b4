"""From a claim to its answer: inputs, steps, range and verdict. Nothing here knows any one case.

The range of the answer is one input at a time: each input with a low or high end is set to it, the logarithms of the
answer's deviations add in quadrature (up and down apart); where the answer is or becomes zero or negative, or is
no number, the ends are those of all corners of the inputs' ranges (Taylor 1997, An Introduction to Error Analysis).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from typing import Any

from exaplan.catalog.cases import Claim
from exaplan.errors import InputError
from exaplan.planning.casebook.values import Known, entering, number, shown
from exaplan.planning.casebook.wording import worded

CORNERS = 10  # inputs with a range, of which all corners are tried; of more only one at a time
Span = tuple[float | None, float | None]


def run(claim: Claim, values: Mapping[str, Any]) -> dict[str, Any]:
    """All values with those of the steps."""
    out = dict(values)
    for step in claim.steps:
        out[step.name] = step.formula(out)
    return out


def span(claim: Claim, known: Mapping[str, Known]) -> Span:
    """[low, high] of the answer; None, None where it is no number or has no range."""
    values = entering(known.values())
    base = number(run(claim, values)[claim.answer])
    ends = {name: _ends(item) for name, item in known.items() if _ends(item)}
    if base is None or not ends:
        return None, None
    try:
        single = {name: [_at(claim, values, {name: end}) for end in found] for name, found in ends.items()}
        low, high = _quadrature(base, single) or _corners(claim, values, base, ends)
    except InputError:
        return None, None  # an end of a range leaves what the steps can compute: no range is told
    return (None, None) if low == high else (low, high)


def _ends(item: Known) -> list[float]:
    if item.kind != "number":
        return []
    return [end for end in (item.low, item.high) if end is not None and end != item.value]


def _at(claim: Claim, values: Mapping[str, Any], ends: Mapping[str, float]) -> float | None:
    return number(run(claim, {**values, **ends})[claim.answer])


def _quadrature(base: float, single: Mapping[str, list[float | None]]) -> Span | None:
    """exp(+- sqrt(sum of squared log deviations)) around the answer; None where a value is not of its sign."""
    found = [[value for value in item if value is not None] for item in single.values()]
    if base == 0 or any(value / base <= 0 for item in found for value in item):
        return None
    logs = [[math.log(value / base) for value in item] for item in found]
    ends = (base * math.exp(-_norm(logs, -1.0)), base * math.exp(_norm(logs, 1.0)))
    return min(ends), max(ends)


def _norm(logs: list[list[float]], sign: float) -> float:
    """Root of the sum of squares of what each input does in one direction."""
    return math.hypot(*(max([0.0, *(sign * value for value in item)]) for item in logs))


def _corners(claim: Claim, values: Mapping[str, Any], base: float, ends: Mapping[str, list[float]]) -> Span:
    names = list(ends)
    choices = [[values[name], *ends[name]] for name in names]
    if len(names) > CORNERS:
        tried: Any = ({name: end} for name in names for end in ends[name])
    else:
        tried = (dict(zip(names, corner, strict=True)) for corner in itertools.product(*choices))
    found = [base, *(value for corner in tried if (value := _at(claim, values, corner)) is not None)]
    return min(found), max(found)


def rule_on(claim: Claim, values: Mapping[str, Any], dates: Collection[str]) -> tuple[str, dict[str, str]]:
    """The verdict and its reason in every language: the first rule that holds, ``else`` at last.

    dates: names whose values are counts of days, told as dates.
    """
    for ruling in claim.rulings:
        if ruling.when is None or ruling.when(values) is True:
            return ruling.verdict, {name: worded(text, values, dates, name) for name, text in ruling.because.items()}
    raise InputError("no rule of the verdict holds", hint="end with an `else`")  # the reader asks for one


def told(claim: Claim, values: Mapping[str, Any], answer: Any, claimed: Any) -> dict[str, Any]:
    """Results of the steps, and how the answer compares with what is claimed."""
    out = {step.name: shown(values[step.name], step.unit) for step in claim.steps}
    if claimed is None or answer is None:
        return out
    first, second = number(answer), number(claimed)
    if first is not None and second is not None:
        return out | ({"deviation": first / second - 1} if second else {"difference": first})
    return out | {"as_claimed": answer == claimed}
