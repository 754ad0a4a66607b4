"""Ways to pay for chips: rent, purchase, or electricity alone, each per chip and second with its source.

A purchase costs what its hardware wears off (data/ownership.yaml), what the money in it costs, the hall, its people,
repair and water, and electricity on top; a rent includes all of it. What is sold only as whole nodes is paid as whole
nodes. Prices of the grey market are never offers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from exaplan import cost, draws
from exaplan.catalog import Catalog
from exaplan.catalog.duties import Duties
from exaplan.catalog.prices import HOME
from exaplan.nouns import Chip, Cluster, Figure, Node
from exaplan.planning import burden
from exaplan.planning.burden import Span

HOUR = 3600.0
RENTED, BOUGHT = ("rent",), ("server", "system", "chip")  # kinds of prices
RUNGS = (-1, 0, 1, 2, 3, 4)  # tiers of switches that a purchase is priced for


@dataclass(frozen=True)
class Basis:
    """Whose prices hold. place: ISO code ("" = the site's country). duties: import duty and VAT of the site's country
    are put on a price asked elsewhere (``vat`` False: VAT is recovered). parent: where the chip has no price at that
    place, that of the chip it is cut down from holds."""

    place: str = ""
    duties: bool = False
    parent: bool = False
    vat: bool = True


PLAIN = Basis()


class Quote(NamedTuple):
    """One way to pay. rate [USD per chip-second, electricity aside] = sum of parts; capital [USD per chip, up front].

    low, high, least, largest: what the sources of rate and capital span. electric: electricity comes on top; whole:
    paid by whole nodes; place: country of the price. wear: of the capital over its life; upkeep: hall, staff, repair
    and water, paid as they come [USD per chip-second, with its ends]; the rest of the rate (interest less resale) is no
    cash. ladder: tiers of switches -> the same quote with the network that so many chips need;
    radix: ports of a switch.
    """

    terms: str
    rate: float
    low: float
    high: float
    capital: float
    least: float
    largest: float
    parts: Mapping[str, float]
    electric: bool
    whole: bool
    figure: Figure
    place: str = ""
    wear: float = 0.0
    upkeep: Span = burden.NOTHING
    ladder: Mapping[int, Quote] = MappingProxyType({})
    radix: int = 0


class Asked(NamedTuple):
    """A price that is asked: its figure, what of it a chip is [1/chips], its country; ``bare``: of the chip alone."""

    figure: Figure
    unit: float
    place: str
    bare: bool = False


OWN = Quote("own", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, {}, True, False, Figure(None, ""))


def quotes(
    catalog: Catalog,
    cluster: Cluster,
    terms: str = "any",
    on: str = "",
    fleet: bool = False,
    basis: Basis = PLAIN,
) -> list[Quote]:
    """Every known way to pay for the chips of a cluster on a day (ISO; "" = latest prices), under the asked terms."""
    if fleet or terms == "own":
        return [OWN]
    found = [_rent(catalog, cluster, on, basis) if terms != "buy" else None, _buy(catalog, cluster, on, terms, basis)]
    return [quote for quote in found if quote]


def billed(quote: Quote, cluster: Cluster, nodes: int) -> int:
    """Chips that are paid for."""
    return nodes * cluster.node.chips if quote.whole else cluster.count


def fitted(quote: Quote, cluster: Cluster) -> Quote:
    """The quote with the network that the count of a cluster needs."""
    if not quote.ladder:
        return quote
    made = quote.ladder[min(burden.tiers_with(quote.radix, cluster), max(quote.ladder))]
    return made._replace(ladder=quote.ladder, radix=quote.radix)


def least_cash(quote: Quote, time: float) -> float:
    """Cash per chip of a use of ``time`` [s] with the cheapest network, electricity aside: a lower bound. [USD]"""
    if not quote.electric:
        return quote.rate * time
    return min(max(one.capital, one.wear * time) + one.upkeep[0] * time for one in (quote, *quote.ladder.values()))


def notes(catalog: Catalog, cluster: Cluster, on: str = "", basis: Basis = PLAIN) -> tuple[str, ...]:
    """What prices on a basis take for granted, in words."""
    country, told = cluster.site.country, []
    if basis.duties and catalog.duties.at(country, on) is None:
        told.append(f"import duty and VAT of {country} are not known: none is counted")
    if any(_seller(catalog, cluster, basis, kinds)[1] is not cluster.chip for kinds in (RENTED, BOUGHT)):
        told.append(f"{cluster.chip.name} has no price there: that of {cluster.chip.parent} is taken")
    return tuple(told)


# ------------------------------------------------------------------------------------------------------ whose price


def _place(cluster: Cluster, basis: Basis) -> str:
    return basis.place or cluster.site.country


def _seller(catalog: Catalog, cluster: Cluster, basis: Basis, kinds: tuple[str, ...]) -> tuple[Node, Chip]:
    """(node, chip) whose prices hold: the parent's where asked and the chip itself has no such price at that place."""
    node, chip, place = cluster.node, cluster.chip, _place(cluster, basis)
    if not (basis.parent and chip.parent and chip.parent in catalog.chips):
        return node, chip
    names = (chip.name, node.name)
    priced = any(row.item in names and row.kind in kinds and row.place == place for row in catalog.prices)
    if priced or (place == HOME and (node.rent if kinds == RENTED else node.price) is not None):
        return node, chip
    parent = catalog.chips[chip.parent]
    return catalog.default_node(parent), parent


def _rent(catalog: Catalog, cluster: Cluster, on: str, basis: Basis) -> Quote | None:
    """Rent of the node where it is an offer with a rent of its own, else the usual rent of the chip."""
    node, (_, chip) = cluster.node, _seller(catalog, cluster, basis, RENTED)
    if node.rent is not None and "rent" in node.figures and chip is cluster.chip:
        asked, whole = Asked(node.figures["rent"], 1.0 / node.chips / HOUR, ""), True
    else:
        found = _read(catalog, chip.name, "rent", on, _place(cluster, basis), 1.0 / HOUR)
        if found is None:
            return None
        asked, whole = found, False
    value, low, high = burden.scaled(burden.span_of(asked.figure), asked.unit)
    rate = _duties(catalog, cluster, on, basis)
    parts = {"rent": value} | ({"vat": value * _vat(rate, basis)} if rate and _vat(rate, basis) else {})
    more = sum(parts.values()) / value
    figure, place = asked.figure, asked.place
    return Quote("rent", value * more, low * more, high * more, 0.0, 0.0, 0.0, parts, False, whole, figure, place)


def _duties(catalog: Catalog, cluster: Cluster, on: str, basis: Basis) -> Duties | None:
    return catalog.duties.at(cluster.site.country, on) if basis.duties else None


def _vat(rate: Duties | None, basis: Basis) -> float:
    return (rate.vat.value or 0.0) if rate and basis.vat else 0.0


def _buy(catalog: Catalog, cluster: Cluster, on: str, terms: str, basis: Basis) -> Quote | None:
    """Purchase of the servers at their price, or of the chips with the host's share, with all that owning costs."""
    if terms == "rent" or rented_out(cluster.node):
        return None
    asked = asked_price(catalog, cluster, on, basis)
    if asked is None:
        return None
    duties = _duties(catalog, cluster, on, basis)
    ladder = {tiers: _bought(catalog, cluster, asked, tiers, duties, basis) for tiers in RUNGS}
    radix = int(catalog.ownership["switch_ports"].value or 0)
    return fitted(ladder[RUNGS[0]]._replace(ladder=ladder, radix=radix), cluster)


def rented_out(node: Node) -> bool:
    """Whether a node is an instance that is only rented out."""
    return node.rent is not None and node.price is None


def asked_price(catalog: Catalog, cluster: Cluster, on: str = "", basis: Basis = PLAIN) -> Asked | None:
    """What is asked for the servers of a cluster, else for its chips; None: unknown."""
    node, chip = _seller(catalog, cluster, basis, BOUGHT)
    place = _place(cluster, basis)
    server = _server(catalog, node, chip, on, place)
    if server:
        return server
    found = _read(catalog, chip.name, "chip", on, place, 1.0)
    return found._replace(bare=True) if found else None


def _read(catalog: Catalog, item: str, kind: str, on: str, place: str, unit: float) -> Asked | None:
    """What the series of a price reads on a day at a place, in USD without VAT; None: nobody published one."""
    found = catalog.reading(item, kind, on, place)
    return Asked(found.figure, unit, found.price.place) if found and found.figure.value else None


def _server(catalog: Catalog, node: Node, chip: Chip, on: str, place: str) -> Asked | None:
    """The newest known price of the node or of its kind of server."""
    own, mine = node.figures.get("price"), 1.0 / node.chips
    found = []
    if own is not None and own.value is not None:
        user = own.source.startswith("user")
        if not own.date:
            return Asked(own, mine, "" if user else HOME)  # a node file's own: prices of the catalogue are dated
        listed = any(row.item == node.name and row.kind == "system" for row in catalog.prices)
        if user or not listed:  # what the table lists has its place, currency and VAT there
            found.append(Asked(own, mine, "" if user else HOME))
    for name, kind, unit in ((node.name, "system", mine), (chip.name, "server", 1.0)):
        row = _read(catalog, name, kind, on, place, unit)
        found += [row] if row else []
    return _newest(found, on, place)


def _newest(found: list[Asked], on: str, place: str) -> Asked | None:
    """The newest up to a day, of the place itself before all others; the first of a later day where all are later."""
    near = [item for item in found if item.place == place] if place != HOME else []
    known = near or found
    early = [item for item in known if not on or item.figure.date <= on]
    if early or not known:
        return max(early, key=lambda item: item.figure.date, default=None)
    return min(known, key=lambda item: item.figure.date)


# --------------------------------------------------------------------------------------------------------- purchase


class Hardware(NamedTuple):
    """What is paid up front per chip. [USD] parts: chips and host or servers, network, storage, duties, vat; net: all
    but duties and VAT; total: their sum. Host, storage, duties and VAT follow from a price: the range of a sum moves
    them with it."""

    parts: Mapping[str, Span]
    net: Span
    total: Span


def hardware(
    catalog: Catalog, cluster: Cluster, asked: Asked, tiers: int, duties: Duties | None = None, basis: Basis = PLAIN
) -> Hardware:
    """The hardware of a cluster with so many tiers of switches, at the price that is asked."""
    owning = catalog.ownership
    found, server = _servers(catalog, asked)
    stored = burden.span_of(owning["storage_share"])
    found["network"] = burden.network_of(catalog, cluster, tiers, server)
    found["storage"] = burden.swing(lambda price, share: price * share, price=server, share=stored)
    kept = burden.swing(lambda price, share: price * (1.0 + share), price=server, share=stored)
    net = cost.spread([kept, found["network"]])
    taxes = _taxes(cluster, asked, server[0], net[0], duties, basis)
    found |= {name: burden.scaled(net, share) for name, share in taxes.items() if share}
    return Hardware(MappingProxyType(found), net, burden.scaled(net, 1.0 + sum(taxes.values())))


def _servers(catalog: Catalog, asked: Asked) -> tuple[dict[str, Span], Span]:
    """(servers, or chips and host; their sum) per chip. [USD]"""
    price = burden.scaled(burden.span_of(asked.figure), asked.unit)
    if not asked.bare:
        return {"servers": price}, price
    share = burden.span_of(catalog.ownership["host_share"])
    rest = burden.swing(lambda chip, share: cost.server_price(chip, share) - chip, chip=price, share=share)
    found = {"chips": price} | ({"host": rest} if rest[2] else {})
    return found, burden.swing(cost.server_price, chip=price, host_share=share)


def _taxes(
    cluster: Cluster, asked: Asked, server: float, net: float, duties: Duties | None, basis: Basis
) -> dict[str, float]:
    """Duty on what comes from abroad and VAT on hardware and duty, over the hardware. [ratio]"""
    if duties is None:
        return {}
    country = cluster.site.country
    abroad = server * (asked.place not in ("", country)) + (net - server) * (country != HOME)
    customs = (duties.customs.value or 0.0) * abroad / net
    return {"duties": customs, "vat": _vat(duties, basis) * (1.0 + customs)}


def _bought(catalog: Catalog, cluster: Cluster, asked: Asked, tiers: int, duties: Duties | None, basis: Basis) -> Quote:
    """A purchase per chip with a network of that many tiers, and what owning it costs."""
    paid = hardware(catalog, cluster, asked, tiers, duties, basis)
    capital, tied, kept = paid.total, burden.money(catalog), _upkeep(catalog, cluster, paid.net[0])
    parts = {name: span[0] * tied.wear for name, span in paid.parts.items()}
    parts |= {"residual": tied.residual * capital[0], "financing": tied.financing * capital[0]}
    parts |= {name: span[0] for name, span in kept.items()}
    held = draws.product(draws.Interval(*capital[1:]), capital[0], draws.Interval(*tied.all[1:]), tied.all[0])
    upkeep = cost.spread(list(kept.values()))
    rate = cost.spread([(capital[0] * tied.all[0], *held), upkeep])
    return Quote(
        terms="buy",
        rate=rate[0],
        low=rate[1],
        high=rate[2],
        capital=capital[0],
        least=capital[1],
        largest=capital[2],
        parts=parts,
        electric=True,
        whole=not asked.bare,
        figure=asked.figure,
        place=asked.place,
        wear=capital[0] * tied.wear,
        upkeep=upkeep,
    )


def _upkeep(catalog: Catalog, cluster: Cluster, hardware: float) -> dict[str, Span]:
    """Hall, staff, maintenance and water per chip. [USD/s]; ``hardware`` [USD per chip, ex duties and VAT]."""
    power = (burden.node_power(cluster) or 0.0) / cluster.node.chips
    hall = burden.hall(catalog, burden.cooling_of(catalog, cluster))
    repair = burden.scaled(burden.span_of(catalog.ownership["maintenance"]), hardware / cost.YEAR)
    return {
        "facility": burden.scaled(hall.rent, power),
        "staff": burden.scaled(hall.staff, power),
        "maintenance": cost.spread([repair, burden.scaled(hall.repair, power)]),
        "water": burden.scaled(hall.water, power),
    }
