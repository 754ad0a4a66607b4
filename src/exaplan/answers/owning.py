"""What owning a cluster costs, and what making a chip of one's own costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from exaplan.nouns import Cluster


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Item:
    """One line of a bill. value, low, high [USD, or USD/s for a running one]; source id; formula: how it follows."""

    name: str
    value: float
    low: float
    high: float
    source: str = ""
    formula: str = ""


@dataclass(frozen=True)
class Owned:
    """Owning a cluster of whole nodes. capital: what is paid up front, by part (chips, host, network, storage,
    facility) [USD]; running: what each second costs, by part (depreciation, financing, electricity, cooling, water,
    staff, maintenance, colocation) [USD/s], all chips.

    life [s], wacc [1/year], residual [share of the capital], utilisation [ratio]. it_power [W of all nodes], power [W
    at the meter]. per: unit -> (value, low, high): chip [USD up front per chip], hour [USD per chip-hour used], flop
    [USD per FLOP at peak and utilisation], token (where a work is asked), year. rent [USD per chip-hour, None:
    unknown]; break_even [s of use after which owning is cheaper; None: never or no rent]. carbon: grid, embodied [kg
    CO2e per year]. water [m3/s of cooling water through the exchanger for sea or river cooling; None: not so cooled].
    """

    cluster: Cluster
    cooling: str
    capital: tuple[Item, ...]
    running: tuple[Item, ...]
    life: float
    wacc: float
    residual: float
    utilisation: float
    it_power: float
    power: float
    per: Mapping[str, tuple[float, float, float]] = field(default_factory=_nothing)
    rent: float | None = None
    break_even: float | None = None
    carbon: Mapping[str, float | None] = field(default_factory=_nothing)
    water: float | None = None
    assumptions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """A chip of one's own against one that is for sale. once: design, masks, software, tools [USD]; unit: wafer, yield
    loss, memory, packaging, test, board [USD per chip]; cost [USD per chip without what is paid once].

    dies [good dies per wafer], yield_share [ratio]. rival: name of the chip that it replaces; ratio: own chips that do
    the work of one rival (by the figure named in ``measure``); rival_price [USD]; volume: chips of one's own from which
    making is cheaper than buying (None: never), low, high; wafers [at that volume]. asked [chips, None: no volume was],
    each: (value, low, high) of what one costs at that volume, what is paid once included [USD].
    """

    name: str
    title: str
    once: tuple[Item, ...]
    unit: tuple[Item, ...]
    cost: float
    low: float
    high: float
    dies: float
    yield_share: float
    rival: str
    ratio: float
    measure: str
    rival_price: float
    volume: float | None
    volume_low: float | None
    volume_high: float | None
    wafers: float | None
    assumptions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    asked: float | None = None
    each: tuple[float, float, float] | None = None
