"""The lines of a chart of TPP against performance density: which class holds where."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from types import MappingProxyType
from typing import Any

from exaplan.catalog.laws import Book, Regime
from exaplan.nouns import Deal
from exaplan.rules.deciding import UNCONTROLLED, decide
from exaplan.rules.facts import Facts


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the chart in which one class holds.

    tpp [1], pd [1/mm2]; inf = open; io_low [B/s]: the least I/O for it.
    """

    class_name: str
    tpp_low: float
    tpp_high: float
    pd_low: float
    pd_high: float
    data_center: bool
    io_low: float = 0.0


def thresholds(deal: Deal, book: Book) -> tuple[Mapping[str, Any], ...]:
    """The rectangles of all classes on the day of the deal, for data-centre chips and others; uncontrolled left out.

    Keys: class, tpp_low, tpp_high [1], pd_low, pd_high [1/mm2], data_center, io_low [B/s].
    """
    regime = book.regime(deal.on, deal.without, deal.thresholds)
    boxes = [box for flag in (True, False) for box in _boxes(regime, flag)]
    return tuple(MappingProxyType({"class": box.class_name, **_bounds(box)}) for box in boxes)


def _bounds(box: Box) -> dict[str, Any]:
    return {key: value for key, value in asdict(box).items() if key != "class_name"}


def _boxes(regime: Regime, data_center: bool) -> list[Box]:
    blank = _blank(data_center)
    tpps, pds, ios = (_edges(regime, name, blank) for name in ("TPP", "PD", "IO"))
    io = ios[-2] * 2 + 1
    out: list[Box] = []
    for (low, high), (thin, dense) in product(pairwise(tpps), pairwise(pds)):
        values = {**blank, "TPP": _inside(low, high), "PD": _inside(thin, dense), "IO": io}
        name = decide(regime, values).class_name
        if name and name != UNCONTROLLED:
            out.append(Box(name, low, high, thin, dense, data_center, ios[-2] * 1e9))
    return _merged(out)


def _blank(data_center: bool) -> dict[str, Any]:
    """Values that meet no requirement: only classes are looked at."""
    names = Facts.__dataclass_fields__
    out: dict[str, Any] = dict.fromkeys((*names, "maker", "maker_hq", "to", "hq", "origin", "buyer", "end_user"), "")
    out |= {"DRAM_BW": 0.0, "DENSITY": 0.0, "planar": False, "memory_package": False, "data_center": data_center}
    return out | {"listed": False, "maker_listed": False, "export": False}


def _edges(regime: Regime, name: str, values: dict[str, Any]) -> list[float]:
    turns = {turn for active in regime.classes for turn in active.when.turns(name, values)}
    return [0.0, *sorted(turn for turn in turns if turn > 0), math.inf]


def _inside(low: float, high: float) -> float:
    return (low + high) / 2 if high < math.inf else low * 2 + 1


def _merged(boxes: list[Box]) -> list[Box]:
    """Neighbours of one class put together, first along PD, then along TPP."""
    for axis, other in (("pd", "tpp"), ("tpp", "pd")):
        boxes = _merge(sorted(boxes, key=lambda box: _key(box, axis, other)), axis, other)
    return boxes


def _key(box: Box, axis: str, other: str) -> tuple[Any, ...]:
    return box.class_name, getattr(box, f"{other}_low"), getattr(box, f"{other}_high"), getattr(box, f"{axis}_low")


def _merge(boxes: list[Box], axis: str, other: str) -> list[Box]:
    out: list[Box] = []
    for box in boxes:
        last = out[-1] if out else None
        if (
            last
            and _key(last, axis, other)[:3] == _key(box, axis, other)[:3]
            and _ends(last, axis) == _starts(box, axis)
        ):
            box = _grown(last, box, axis)
            out.pop()
        out.append(box)
    return out


def _ends(box: Box, axis: str) -> float:
    return float(getattr(box, f"{axis}_high"))


def _starts(box: Box, axis: str) -> float:
    return float(getattr(box, f"{axis}_low"))


def _grown(one: Box, two: Box, axis: str) -> Box:
    if axis == "pd":
        return Box(one.class_name, one.tpp_low, one.tpp_high, one.pd_low, two.pd_high, one.data_center, one.io_low)
    return Box(one.class_name, one.tpp_low, two.tpp_high, one.pd_low, one.pd_high, one.data_center, one.io_low)
