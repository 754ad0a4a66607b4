"""What holding hardware costs, per unit: money tied up, the hall, its people, repair and water, each with its range.

Every figure is (value, low, high); what is worked out of several spans what each of them alone moves, in quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from exaplan import cost
from exaplan.catalog import Catalog, tuning
from exaplan.catalog.cooling import cooling
from exaplan.nouns import Cluster, Figure

Span = tuple[float, float, float]
NOTHING: Span = (0.0, 0.0, 0.0)
MEGA, KILO, MONTH = 1e6, 1e3, cost.YEAR / 12.0


class Money(NamedTuple):
    """Capital per USD of hardware. [1/s each] wear: straight line; residual (below 0); financing; all: their sum."""

    wear: float
    residual: float
    financing: float
    all: Span


class Hall(NamedTuple):
    """A hall per W of IT. price [USD/W]; rent: its annuity [USD/s W]; staff, repair, water, colocation [USD/s W]."""

    price: Span
    rent: Span
    staff: Span
    repair: Span
    water: Span
    colocation: Span


def span_of(figure: Figure) -> Span:
    """(value, low, high) of a figure, the ends never inside the value."""
    value = figure.value or 0.0
    low = value if figure.low is None else min(value, figure.low)
    return value, low, value if figure.high is None else max(value, figure.high)


def scaled(span: Span, factor: float) -> Span:
    """A span times a number that is known."""
    return span[0] * factor, span[1] * factor, span[2] * factor


def swing(made: Callable[..., float], **given: Span) -> Span:
    """A function of named spans: its value, and what each span moves it by to either side, in quadrature.

    Never beyond what it is with every span at its worse end: what is a product of positive spans stays positive.
    """
    middle = {name: span[0] for name, span in given.items()}
    value = made(**middle)
    down, up = [0.0], [0.0]
    least, most = dict(middle), dict(middle)
    for name, span in given.items():
        ends = sorted((made(**{**middle, name: end}) - value, end) for end in span[1:])
        if ends[0][0] < 0.0:
            least[name] = ends[0][1]
        if ends[1][0] > 0.0:
            most[name] = ends[1][1]
        down.append(min(0.0, ends[0][0]))
        up.append(max(0.0, ends[1][0]))
    low = max(value - math.hypot(*down), made(**least))
    return value, min(value, low), max(value, min(value + math.hypot(*up), made(**most)))


def money_of(owning: Mapping[str, Figure]) -> Money:
    """What a dollar of hardware costs per second over its life."""
    life, wacc, residual = (span_of(owning[name]) for name in ("lifetime", "wacc", "residual"))
    whole = swing(_annuity, wacc=wacc, life=life, residual=residual)
    wear, back = 1.0 / life[0], -residual[0] / life[0]
    return Money(wear, back, whole[0] - wear - back, whole)


def _annuity(wacc: float, life: float, residual: float) -> float:
    return cost.annuity_rate(1.0, wacc, life, residual)


def hall_of(owning: Mapping[str, Figure], cooling: str) -> Hall:
    """What a watt of IT costs in a hall cooled that way."""
    price, wacc, life = (span_of(owning[name]) for name in (f"{cooling}.facility", "wacc", "facility_lifetime"))
    many, paid, repair = (span_of(owning[name]) for name in ("staff", "staff_cost", "facility_maintenance"))
    fresh = NOTHING if cooling == "sea-water" else span_of(owning["water"])
    return Hall(
        price,
        swing(lambda capital, wacc, life: cost.annuity_rate(capital, wacc, life), capital=price, wacc=wacc, life=life),
        swing(lambda many, paid: cost.people(1.0, many / MEGA) * paid / cost.YEAR, many=many, paid=paid),
        swing(lambda price, share: price * share / cost.YEAR, price=price, share=repair),
        scaled(fresh, span_of(owning["load"])[0]),
        scaled(span_of(owning["colocation"]), 1.0 / KILO / MONTH),
    )


@lru_cache(maxsize=8)
def money(catalog: Catalog) -> Money:
    """`money_of` the figures of a catalogue."""
    return money_of(catalog.ownership)


@lru_cache(maxsize=32)
def hall(catalog: Catalog, cooling: str) -> Hall:
    """`hall_of` the figures of a catalogue."""
    return hall_of(catalog.ownership, cooling)


def node_power(cluster: Cluster) -> float | None:
    """Rated power of a node. [W]; its chips' with what nodes have beside them where it is unknown; None: both are."""
    if cluster.node.power:
        return cluster.node.power
    beside = 1.0 + float(tuning.yaml_data("fits/power.yaml")["node"]["beside"])
    return cluster.chip.power * cluster.node.chips * beside if cluster.chip.power else None


def cooling_of(catalog: Catalog, cluster: Cluster) -> str:
    """How a node is cooled unless asked otherwise: by liquid where it is made so, or beyond what air carries away."""
    power, limit = node_power(cluster) or 0.0, catalog.ownership["air.limit"].value or math.inf
    return "liquid" if power > limit or cooling(cluster.node.name) == "liquid" else "air"


# ---------------------------------------------------------------------------------------------------------- network


def tiers_of(catalog: Catalog, cluster: Cluster) -> int:
    """Tiers of switches of a cluster. [count]"""
    return tiers_with(int(catalog.ownership["switch_ports"].value or 0), cluster)


def tiers_with(radix: int, cluster: Cluster) -> int:
    """Tiers of switches with that many ports: -1 for a single node; a rail joins the nodes, a plain tree every chip."""
    nodes = -(-cluster.count // cluster.node.chips)
    if nodes <= 1:
        return -1
    ends = nodes if cluster.fabric.kind == "rail" else cluster.count
    return cost.network_tiers(ends, radix)


def cluster_network(cluster: Cluster) -> bool:
    """Whether the network can be priced by its switches and links: its rate is known, and it is no torus."""
    return cluster.node.network is not None and cluster.fabric.kind != "torus"


def network_of(catalog: Catalog, cluster: Cluster, tiers: int, server: Span) -> Span:
    """Switches, cables and optics per chip. [USD]; a share of the ``server`` where the network's rate is unknown."""
    owning, rate = catalog.ownership, cluster.node.network
    if tiers < 0:
        return NOTHING
    if rate is None or not cluster_network(cluster):
        share = span_of(owning["network_share"])
        return swing(lambda price, share: cost.purchase_price(price, share) - price, price=server, share=share)
    size = rate / (owning["port_rate"].value or rate)
    radix, thin = int(owning["switch_ports"].value or 0), cluster.fabric.oversubscription

    def made(switch: float, link: float) -> float:
        return size * cost.network_price(tiers, radix, switch, link, thin)

    return swing(made, switch=span_of(owning["switch_price"]), link=span_of(owning["link_price"]))
