"""What it costs to own a cluster: what is paid up front, what each second costs, and what a unit of its work costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from exaplan import cost
from exaplan.answers.owning import Item, Owned
from exaplan.catalog import Catalog
from exaplan.catalog.days import gap
from exaplan.errors import InputError
from exaplan.nouns import Cluster, Figure
from exaplan.planning import burden, offers
from exaplan.planning.burden import NOTHING, Span, scaled, span_of, swing
from exaplan.planning.owned import Held, held_of, owning_of

FORMATS = ("bf16", "fp16", "fp32", "int8")  # whose peak a cost per FLOP is told at, the first that is known


def own(
    catalog: Catalog,
    cluster: Cluster,
    *,
    on: str = "",
    cooling: str = "",
    utilisation: float | None = None,
    facility: str = "own",
    wacc: float | None = None,
    lifetime: float | None = None,
    residual: float | None = None,
    tokens: float | None = None,
    watts: float | None = None,
    basis: offers.Basis = offers.PLAIN,
) -> Owned:
    """The bill of owning a cluster on a day (ISO; "" = latest prices).

    cooling: air | liquid | sea-water ("" = by the power of a node). facility: own | colocation. wacc [1/year],
    lifetime [s], residual [share], utilisation [share of hours used]: instead of data/ownership.yaml. tokens [1/s of
    the whole cluster in use]: for the cost of a token. watts: measured draw of all IT [W] instead of load x rating.
    """
    given = {"utilisation": utilisation, "wacc": wacc, "lifetime": lifetime, "residual": residual}
    owning = owning_of(catalog, given)
    held = held_of(catalog, cluster, owning, on, cooling, facility, watts, basis)
    capital, running = tuple(_capital(held)), tuple(_running(held))
    used = held.figure("utilisation")
    quote = _rent(held)
    rent = quote.rate * offers.HOUR if quote else None
    even = _break_even(held, rent, running)
    return Owned(
        cluster=replace(cluster, count=held.count),
        cooling=held.cooling,
        capital=capital,
        running=running,
        life=held.figure("lifetime")[0],
        wacc=held.figure("wacc")[0],
        residual=held.figure("residual")[0],
        utilisation=used[0],
        it_power=held.power,
        power=held.draw[0] * held.pue[0],
        per=_per(held, tokens),
        rent=rent,
        break_even=even,
        carbon=_carbon(held),
        water=_flow(held),
        assumptions=tuple(_assumptions(held, quote, even)),
        sources=_sources(held, capital, running),
    )


# ------------------------------------------------------------------------------------------------------------- capital


def _capital(held: Held) -> Iterator[Item]:
    """What is paid up front, of all chips."""
    for name, span in _hardware(held).parts.items():
        yield _item(name, scaled(span, held.count), *_origin(held, name))
    if held.hall == "own":
        price = held.figure(f"{held.cooling}.facility")
        formula = "rated power of IT x price per W"
        hall = swing(lambda price: cost.facility_price(held.power, price), price=price)
        yield _item("facility", hall, held.owning[f"{held.cooling}.facility"].source, formula)


def _hardware(held: Held) -> offers.Hardware:
    """Per chip. [USD]"""
    catalog, cluster, basis = held.catalog, held.cluster, held.basis
    duties = catalog.duties.at(cluster.site.country, held.on) if basis.duties else None
    return offers.hardware(catalog, cluster, held.asked, burden.tiers_of(catalog, cluster), duties, basis)


def _origin(held: Held, part: str) -> tuple[str, str]:
    """(source, formula) of a part of the hardware."""
    price, network = held.asked.figure.source, burden.cluster_network(held.cluster)
    known = {
        "chips": (price, "price of the chip x chips"),
        "servers": (price, "price of the servers"),
        "host": (held.owning["host_share"].source, "chips x host share"),
        "network": (held.owning["switch_price" if network else "network_share"].source, _network(held, network)),
        "storage": (held.owning["storage_share"].source, "servers x storage share"),
    }
    duties = held.catalog.duties.at(held.cluster.site.country, held.on)
    if duties is not None:
        known["duties"] = (duties.customs.source, "duty of the country x what comes from abroad")
        known["vat"] = (duties.vat.source, "VAT of the country x hardware and duty")
    return known[part]


def _network(held: Held, known: bool) -> str:
    if not known:
        return "servers x network share"
    tiers = max(0, burden.tiers_of(held.catalog, held.cluster))
    return f"switches and links of {tiers} tiers of a fat tree, by the rate of the network"


def _item(name: str, span: Span, source: str = "", formula: str = "") -> Item:
    return Item(name, *span, source, formula)


# ------------------------------------------------------------------------------------------------------------- running


def _running(held: Held) -> Iterator[Item]:
    """What each second costs, used or not, of all chips. [USD/s]"""
    bought = _bought(held)
    life, residual = held.figure("lifetime"), held.figure("residual")
    wear = swing(lambda c, n, r: (1.0 - r) * c / n, c=bought, n=life, r=residual)
    interest = swing(cost.financing, capital=bought, wacc=held.figure("wacc"), life=life, residual=residual)
    hall = burden.hall_of(held.owning, held.cooling)
    if held.hall == "own":
        owned = _hall(held, hall)
        wear, interest = cost.spread([wear, owned[0]]), cost.spread([interest, owned[1]])
    else:
        source = held.owning["colocation"].source
        yield _item("colocation", scaled(hall.colocation, held.power), source, "rated power x price per kW and month")
    yield _item("depreciation", wear, held.owning["lifetime"].source, "(capital - resale) / life")
    yield _item("financing", interest, held.owning["wacc"].source, "annuity - depreciation")
    yield from _energy(held)
    yield from _upkeep(held, hall)


def _bought(held: Held) -> Span:
    """All hardware. [USD]"""
    return scaled(_hardware(held).total, held.count)


def _hall(held: Held, hall: burden.Hall) -> tuple[Span, Span]:
    """(straight line, interest) of the hall over its own life. [USD/s]"""
    price, life = scaled(hall.price, held.power), held.figure("facility_lifetime")
    wear = swing(lambda capital, life: capital / life, capital=price, life=life)
    return wear, swing(cost.financing, capital=price, wacc=held.figure("wacc"), life=life)


def _energy(held: Held) -> Iterator[Item]:
    """Electricity of IT, and that of cooling and conversion."""
    figure = _electricity(held)
    paid = swing(lambda p, u: p * u, p=held.draw, u=span_of(figure))
    cooled = swing(lambda p, x, u: cost.air_overhead(p, x) * u, p=held.draw, x=held.pue, u=span_of(figure))
    yield _item("electricity", paid, figure.source, "power of IT in use x price")
    yield _item("cooling", cooled, figure.source, "power of IT in use x (PUE - 1) x price")


def _electricity(held: Held) -> Figure:
    """Price of electricity at the place. [USD/J]"""
    site = held.cluster.site
    return replace(site.figures.get("electricity") or Figure(site.electricity, ""), value=site.electricity)


def _upkeep(held: Held, hall: burden.Hall) -> Iterator[Item]:
    """Water, staff and maintenance; a colocated hall brings its own people and repair."""
    own = held.hall == "own"
    net = scaled(_hardware(held).net, held.count)
    repair = swing(lambda c, m: c * m / cost.YEAR, c=net, m=held.figure("maintenance"))
    fixed = cost.spread([repair, scaled(hall.repair, held.power if own else 0.0)])
    if hall.water != NOTHING:
        used = scaled(held.figure("water"), held.draw[0])
        yield _item("water", used, held.owning["water"].source, "power of IT in use x price of its water")
    if own:
        formula = "rated power x people per MW x cost of one"
        yield _item("staff", scaled(hall.staff, held.power), held.owning["staff"].source, formula)
    yield _item("maintenance", fixed, held.owning["maintenance"].source, "share of the price per year")


# ------------------------------------------------------------------------------------------------------------ per unit


def _cash(held: Held) -> Span:
    """All that is paid up front. [USD]"""
    hall = scaled(held.figure(f"{held.cooling}.facility"), held.power if held.hall == "own" else 0.0)
    return cost.spread([_bought(held), hall])


def _rate(held: Held) -> Span:
    """All running costs. [USD/s]; each figure moves every part that it is in at once."""
    hardware = _hardware(held)
    own, net = held.hall == "own", hardware.net[0] / hardware.total[0]

    def land(**of: float) -> float:
        if not own:
            return of["colocation"] / burden.KILO / burden.MONTH
        hall = of["facility"] * (cost.annuity_rate(1.0, of["wacc"], of["long"]) + of["mend"] / cost.YEAR)
        return hall + cost.people(1.0, of["staff"] / burden.MEGA) * of["staff_cost"] / cost.YEAR

    def made(bought: float, draw: float, pue: float, energy: float, **of: float) -> float:
        tied = cost.annuity_rate(bought, of["wacc"], of["lifetime"], of["residual"])
        repair = bought * net * of["maintenance"] / cost.YEAR
        return tied + repair + draw * (pue * energy + of["fresh"]) + held.power * land(**of)

    names = ("wacc", "lifetime", "residual", "maintenance", "staff", "staff_cost", "colocation")
    more = {"facility": f"{held.cooling}.facility", "long": "facility_lifetime", "mend": "facility_maintenance"}
    given = {name: held.figure(more.get(name, name)) for name in (*names, *more)}
    fresh = NOTHING if held.cooling == "sea-water" else held.figure("water")
    given |= {"bought": _bought(held), "draw": held.draw, "pue": held.pue, "fresh": fresh}
    return swing(made, energy=span_of(_electricity(held)), **given)


def _per(held: Held, tokens: float | None) -> dict[str, Span]:
    """What a chip, an hour, a year, a FLOP and a token cost. [USD]"""
    rate, used, count = _rate(held), held.figure("utilisation"), held.count
    second = swing(lambda r, u: cost.per_used(r, u), r=rate, u=used)
    found = {
        "chip": scaled(_cash(held), 1.0 / count),
        "all-in": scaled(_all_in(held), 1.0 / count),
        "hour": scaled(second, offers.HOUR / count),
        "year": scaled(rate, cost.YEAR),
    }
    peak = next((held.cluster.chip.peak[name] for name in FORMATS if name in held.cluster.chip.peak), None)
    if peak:
        found["flop"] = scaled(second, 1.0 / (peak * count))
    if tokens is not None:
        if not tokens > 0.0:
            raise InputError(f"{tokens:g} tokens per second are not positive", hint="give those of the whole cluster")
        found["token"] = scaled(second, 1.0 / tokens)
    return found


def _all_in(held: Held) -> Span:
    """Hardware, and what its life wears off a hall. [USD]"""
    price = scaled(held.figure(f"{held.cooling}.facility"), held.power)
    life, long = held.figure("lifetime"), held.figure("facility_lifetime")
    worn = swing(lambda price, life, long: price * life / long, price=price, life=life, long=long)
    return cost.spread([_bought(held), worn])


def _rent(held: Held) -> offers.Quote | None:
    """What the chips are rented for; None: unknown."""
    found = offers.quotes(held.catalog, held.cluster, "rent", held.on, basis=held.basis)
    return found[0] if found else None


def _break_even(held: Held, rent: float | None, running: tuple[Item, ...]) -> float | None:
    """Seconds of use after which the hardware has cost less cash than renting; None where it wears out before."""
    if rent is None:
        return None
    used = held.figure("utilisation")[0]
    cash = sum(item.value for item in running if item.name not in ("depreciation", "financing"))
    if held.hall == "own":
        cash += burden.hall_of(held.owning, held.cooling).rent[0] * held.power
    time = cost.break_even(_bought(held)[0], rent / offers.HOUR * held.count, cost.per_used(cash, used))
    return None if time is None or time > used * held.figure("lifetime")[0] else time


def _carbon(held: Held) -> dict[str, float | None]:
    """Of electricity at the meter, and of making the hardware over its life. [kg CO2e per year]"""
    grid = cost.carbon_emitted(held.draw[0] * held.pue[0] * cost.YEAR, held.cluster.site.carbon)
    made = held.figure("embodied")
    years = held.figure("lifetime")[0] / cost.YEAR
    low, value, high = (made[end] * held.count / years for end in (1, 0, 2))
    return {"grid": grid, "embodied": value, "embodied low": low, "embodied high": high}


def _flow(held: Held) -> float | None:
    """Sea water that carries all heat away. [m3/s]"""
    if held.cooling != "sea-water":
        return None
    water = (held.figure(f"sea-water.{name}")[0] for name in ("density", "capacity", "rise"))
    return cost.cooling_flow(held.draw[0] * held.pue[0], *water)


# --------------------------------------------------------------------------------------------------------------- told


def _assumptions(held: Held, rent: offers.Quote | None, even: float | None) -> Iterator[str]:
    """What was taken for granted, in words."""
    share = held.figure("load")[0]
    yield f"nodes in use draw {share:.0%} of their rated power" if held.draw[1] != held.draw[2] else "draw as measured"
    yield from _dated(held.asked.figure, "purchase price", held.on)
    yield from _dated(rent.figure, "rent", held.on) if rent else ()
    yield from offers.notes(held.catalog, held.cluster, held.on, held.basis)
    if held.cluster.count % held.cluster.node.chips and not held.asked.bare:
        yield f"whole nodes are bought: {held.count:,} chips"
    if rent is None:
        yield "no rent of this chip is known, so there is no break-even"
    elif even is None:
        yield "the hardware wears out before it has cost less cash than renting"
    worn = held.figure("lifetime")[0] / held.figure("facility_lifetime")[0]
    yield f"all-in: hardware and {worn:.0%} of the hall, what its life wears off; chip: hardware and the whole hall"
    yield "embodied carbon is that of an eight-chip server per chip, whatever the chip"
    flow = _flow(held)
    if flow is not None:
        head, pump = held.figure("sea-water.head")[0], held.figure("sea-water.pump")[0]
        power = cost.pump_power(flow, held.figure("sea-water.density")[0], head, pump)
        yield f"the pumps of the sea water take {power / 1e3:,.0f} kW of what the PUE holds"


def _dated(figure: Figure, what: str, on: str) -> Iterator[str]:
    """That a price is of another day than the one asked."""
    days = gap(figure.date, on) / 86400.0 if figure.date else 0.0
    if days:
        yield f"the {what} is of {figure.date}, {days:,.0f} days from the day asked"


def _sources(held: Held, capital: tuple[Item, ...], running: tuple[Item, ...]) -> tuple[str, ...]:
    site = held.cluster.site.figures
    wet = held.cooling == "sea-water"
    used = ["embodied", "utilisation", "load"] + ["sea-water.density", "sea-water.capacity", "sea-water.rise"] * wet
    used += [f"{held.cooling}.pue"] * (held.cooling != "air")
    named = [item.source for item in (*capital, *running)] + [held.owning[name].source for name in used]
    named += [site[name].source for name in ("pue", "carbon") if name in site]
    return tuple(dict.fromkeys(name for name in named if name and name != "user"))
