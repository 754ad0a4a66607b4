"""A missing figure: its axis is broken where a test of the rules turns, and each piece is decided by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from exaplan.catalog.laws import Active, Regime
from exaplan.nouns import Missing, Outcome
from exaplan.rules.deciding import Decision, decide

# Name in a test -> field of the chip, its unit, and the SI size of one unit of the test.
FIELDS = {
    "TPP": ("peak", "TPP", 1.0),
    "PD": ("applicable_area", "m2", 1e-6),
    "IO": ("io_bandwidth", "B/s", 1e9),
    "DRAM_BW": ("bandwidth", "B/s", 1e9),
    "DENSITY": ("die_area", "m2", 1e-6),
    "data_center": ("data_center", "0 or 1", 1.0),
    "planar": ("applicable_area", "m2", 1e-6),
}
NEEDED = {"PD": "PD needed", "IO": "I/O needed", "TPP": "TPP needed", "data_center": "marketing needed"}
# Which unknown is settled first: the others may hang on it.
AXES = ("TPP", "data_center", "PD", "IO", "DRAM_BW", "DENSITY", "planar")

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of an axis: SI bounds of the field, and values to decide with."""

    low: float
    high: float
    values: Values


def resolve(regime: Regime, values: Values, letters: str) -> tuple[Decision, tuple[Missing, ...]]:
    """The decision, and what is missing where outcomes differ (in verdict or in class)."""
    first = decide(regime, dict(values), letters)
    if not first.missing:
        return first, ()
    axes, found = [], set(first.missing)
    leaves: list[Decision] = []
    missing: list[Missing] = []
    for axis in AXES:
        if axis not in found or (axis == "planar" and "PD" in found):
            continue
        pieces = [(piece, *_settle(regime, piece.values, letters)) for piece in _pieces(regime, values, axis)]
        found |= {name for _, _, names in pieces for name in names}
        axes.append(axis)
        leaves += [leaf for _, leaf, _ in pieces]
        missing.append(Missing(FIELDS[axis][0], FIELDS[axis][1], _outcomes([(p, leaf) for p, leaf, _ in pieces])))
    return _common(first, leaves, tuple(axes)), tuple(one for one in missing if _differs(one.outcomes))


def _settle(regime: Regime, values: Values, letters: str) -> tuple[Decision, frozenset[str]]:
    """The decision of one piece, and what it hangs on besides."""
    first = decide(regime, dict(values), letters)
    return (resolve(regime, values, letters)[0], first.missing) if first.missing else (first, frozenset())


def _outcomes(pieces: list[tuple[Piece, Decision]]) -> tuple[Outcome, ...]:
    """The pieces of an axis with their class and verdict, neighbours that agree put together."""
    out: list[Outcome] = []
    for piece, leaf in sorted(pieces, key=lambda pair: (pair[0].low, pair[0].high)):
        made = Outcome(piece.low, piece.high, leaf.class_name, leaf.verdict)
        last = out[-1] if out else None
        if last and (last.class_name, last.verdict) == (made.class_name, made.verdict) and last.high == made.low > 0:
            made = Outcome(last.low, made.high, made.class_name, made.verdict)
            out.pop()
        out.append(made)
    return tuple(out)


def _differs(outcomes: Iterable[Outcome]) -> bool:
    return len({(one.class_name, one.verdict) for one in outcomes}) > 1


def _common(first: Decision, leaves: list[Decision], axes: tuple[str, ...]) -> Decision:
    """What all pieces agree on; the rest is unknown."""
    verdicts = {leaf.verdict for leaf in leaves}
    reviews = {leaf.review for leaf in leaves}
    classes = {leaf.class_name for leaf in leaves}
    needed = next((NEEDED[axis] for axis in axes if axis in NEEDED), "figures needed")
    class_name = classes.pop() if len(classes) == 1 else needed
    verdict = verdicts.pop() if len(verdicts) == 1 else "unknown"
    review = reviews.pop() if verdict != "unknown" and len(reviews) == 1 else ""
    return replace(first, verdict=verdict, review=review, class_name=class_name)


# ---------------------------------------------------------------------------------------------------- axes


def _pieces(regime: Regime, values: Values, axis: str) -> list[Piece]:
    if axis == "data_center":
        return [Piece(float(flag), float(flag), {**values, axis: flag}) for flag in (False, True)]
    if axis in ("PD", "planar"):
        return _areas(regime, values)
    size = FIELDS[axis][2]
    area = values.get("AREA") if axis == "TPP" else None
    extra = [turn * area for turn in _turns(regime, values, "PD")] if area else []

    def put(at: float) -> Values:
        return {**values, axis: at, "PD": at / area} if area else {**values, axis: at}

    edges = [0.0, *sorted({turn for turn in (*_turns(regime, values, axis), *extra) if turn > 0}), math.inf]
    return [Piece(low * size, high * size, put(_middle(low, high))) for low, high in _pairs(edges)]


def _areas(regime: Regime, values: Values) -> list[Piece]:
    """Pieces of the applicable area [m2]: none at all (planar), then between the areas at which PD crosses a line.

    Without performance every area has PD 0; where it is unknown each PD may come with any area.
    """
    pieces = [Piece(0.0, 0.0, {**values, "PD": 0.0, "planar": True})]
    performance = values.get("TPP")
    if performance == 0:
        return [*pieces, Piece(0.0, math.inf, {**values, "PD": 0.0, "planar": False})]
    densities = [math.inf, *sorted({turn for turn in _turns(regime, values, "PD") if turn > 0}, reverse=True), 0.0]
    for high, low in _pairs(densities):
        small = performance / high * 1e-6 if performance and high < math.inf else 0.0
        large = performance / low * 1e-6 if performance and low > 0 else math.inf
        pieces.append(Piece(small, large, {**values, "PD": _middle(low, high), "planar": False}))
    return pieces


def _pairs(edges: list[float]) -> list[tuple[float, float]]:
    return list(pairwise(edges))


def _middle(low: float, high: float) -> float:
    return (low + high) / 2 if high < math.inf else low * 2 + 1


def _turns(regime: Regime, values: Values, name: str) -> tuple[float, ...]:
    """Where any test of the regime turns along one axis."""
    return tuple({turn for active in _tests(regime) for turn in active.when.turns(name, values)})


def _tests(regime: Regime) -> Iterator[Active]:
    yield from regime.classes
    yield from regime.requirements
    for actives in (*regime.exceptions.values(), *regime.reviews.values()):
        yield from actives
