"""A chip of one's own against one that is for sale: what is paid once, what each costs, and from how many it pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exaplan import cost
from exaplan.answers.owning import Item, Made
from exaplan.catalog import Catalog
from exaplan.catalog.designs import ONCE, Design
from exaplan.errors import InputError, Place
from exaplan.nouns import Chip
from exaplan.planning.burden import Span, scaled, span_of, swing


@dataclass(frozen=True)
class Rival:
    """The chip for sale: its price [USD] and how many own chips do the work of one [1]."""

    chip: Chip
    price: Span
    ratio: Span
    source: str
    date: str


def make(catalog: Catalog, name: str, rival: str = "", volume: float | None = None, on: str = "") -> Made:
    """A design of the catalogue or of a file against a chip for sale.

    rival: name of that chip ("" = the design's own); volume [chips]: also the cost of each of so many; on: ISO date of
    the rival's price ("" = latest).
    """
    design = catalog.design(name)
    if volume is not None and not volume > 0.0:
        raise InputError(f"a volume of {volume:g} chips is not positive", hint="give the chips to be made, e.g. 100000")
    spans = {key: span_of(figure) for key, figure in design.figures.items()}
    _fits(spans)
    against = _rival(catalog, design, spans, rival, on)
    once, unit = _once(design, spans), unit_cost(spans)
    total = cost.spread([(item.value, item.low, item.high) for item in once])
    least, value, most = _volumes(total, unit, against)
    share = _usable(_middle(spans))
    wafers = None if value is None else value * spans["dies"][0] / _good(_middle(spans)) / spans["package_yield"][0]
    return Made(
        name=design.name,
        title=design.title,
        once=once,
        unit=tuple(_unit(design, spans)),
        cost=unit[0],
        low=unit[1],
        high=unit[2],
        dies=_good(_middle(spans)),
        yield_share=share,
        rival=against.chip.name,
        ratio=against.ratio[0],
        measure=design.measure,
        rival_price=against.price[0],
        volume=value,
        volume_low=least,
        volume_high=most,
        wafers=wafers,
        assumptions=tuple(_assumptions(design, against)),
        sources=tuple(dict.fromkeys(_sources(design, against))),
        asked=volume,
        each=None if volume is None else swing(cost.with_once, unit=unit, once=total, volume=(volume,) * 3),
    )


def _fits(spans: Mapping[str, Span]) -> None:
    """Refuse a die that no wafer holds, by the ends of both areas."""
    wafer, die = spans["wafer_area"][1], spans["die_area"][2]
    if cost.dies_per_wafer(wafer, die) <= 0.0:
        problem = f"no die of {die * 1e6:,.0f} mm2 fits on a wafer of {wafer * 1e6:,.0f} mm2"
        hint = "give the area of one die of many; dies of a whole wafer are not counted by this formula"
        raise InputError(problem, hint=hint, place=Place(field="die_area"))


# --------------------------------------------------------------------------------------------------------------- rival


def _rival(catalog: Catalog, design: Design, spans: Mapping[str, Span], rival: str, on: str) -> Rival:
    """The chip for sale with its price on the day; InputError where price or peak is unknown."""
    chip = catalog.chip(rival or design.rival)
    figure, peak = catalog.price(chip.name, "chip", on), chip.peak.get(design.measure)
    if figure is None or figure.value is None:
        hint = "name another rival, or give its price in the prices.csv of a --catalog folder"
        raise InputError(f"no price of {chip.name} alone is known", hint=hint)
    if peak is None:
        hint = f"name a rival whose dense {design.measure} peak is known"
        raise InputError(f"the {design.measure} peak of {chip.name} is unknown", hint=hint)
    return Rival(chip, span_of(figure), swing(lambda own: peak / own, own=spans["peak"]), figure.source, figure.date)


# ----------------------------------------------------------------------------------------------------------------- cost


def _middle(spans: Mapping[str, Span]) -> dict[str, float]:
    return {name.replace(".", "_"): span[0] for name, span in spans.items()}


def _usable(given: Mapping[str, float]) -> float:
    """Share of dies that are sold."""
    whole = cost.yield_negative_binomial(given["die_area"], given["defects"], given["clustering"])
    return cost.usable_share(whole, given["salvage"])


def _good(given: Mapping[str, float]) -> float:
    """Dies of a wafer that are sold."""
    return cost.dies_per_wafer(given["wafer_area"], given["die_area"]) * _usable(given)


def _made(**given: float) -> float:
    """Cost of a chip. [USD]"""
    die = given["unit_wafer"] / _good(given)
    rest = given["unit_test"] + given["unit_board"]
    packed = given["unit_memory"], given["unit_packaging"], given["package_yield"]
    return cost.chip_cost(die, given["dies"], *packed, rest) * (1.0 + given["margin"])


def unit_cost(spans: Mapping[str, Span]) -> Span:
    """Cost of a chip without what is paid once. [USD]"""
    names = ("peak", *(f"once.{name}" for name in ONCE))
    return swing(_made, **{name.replace(".", "_"): span for name, span in spans.items() if name not in names})


def _once(design: Design, spans: Mapping[str, Span]) -> tuple[Item, ...]:
    """What is paid before the first chip. [USD]"""
    figures = design.figures
    return tuple(Item(name, *spans[f"once.{name}"], figures[f"once.{name}"].source) for name in ONCE)


def _unit(design: Design, spans: Mapping[str, Span]) -> Iterator[Item]:
    """What a chip costs, by part; the parts sum to the cost. [USD]"""
    given = _middle(spans)
    gross = cost.dies_per_wafer(given["wafer_area"], given["die_area"])
    whole = given["dies"] * given["unit_wafer"] / gross
    die = given["dies"] * given["unit_wafer"] / _good(given)
    packed = die + given["unit_memory"] + given["unit_packaging"]
    figures = design.figures
    yield Item(
        "wafer", *scaled(spans["unit.wafer"], given["dies"] / gross), figures["unit.wafer"].source, "wafer / its dies"
    )
    yield _exact("yield loss", die - whole, figures["defects"].source, "dies that are thrown away")
    for name in ("memory", "packaging"):
        yield Item(name, *spans[f"unit.{name}"], figures[f"unit.{name}"].source)
    lost = packed / given["package_yield"] - packed
    yield _exact("packaging loss", lost, figures["package_yield"].source, "packages that are thrown away")
    for name in ("test", "board"):
        yield Item(name, *spans[f"unit.{name}"], figures[f"unit.{name}"].source)
    if given["margin"]:
        rest = packed + lost + given["unit_test"] + given["unit_board"]
        yield Item("margin", *scaled(spans["margin"], rest), figures["margin"].source, "of partners over the cost")


def _exact(name: str, value: float, source: str, formula: str) -> Item:
    """A part whose range stands in the total alone."""
    return Item(name, value, value, value, source, formula)


def _volumes(once: Span, unit: Span, rival: Rival) -> tuple[float | None, float | None, float | None]:
    """(low, value, high) of the volume at break-even; None: never.

    low: everything paid once and per chip at its low end and the rival dear; high: the other way round.
    """
    price, ratio = rival.price, rival.ratio
    return (
        cost.break_even_volume(once[1], unit[1], price[2], ratio[1]),
        cost.break_even_volume(once[0], unit[0], price[0], ratio[0]),
        cost.break_even_volume(once[2], unit[2], price[1], ratio[2]),
    )


# ----------------------------------------------------------------------------------------------------------------- told


def _assumptions(design: Design, rival: Rival) -> Iterator[str]:
    """What was taken for granted, in words."""
    if design.note:
        yield design.note
    name, day = rival.chip.name, rival.date or "an unknown day"
    yield f"work is compared by the dense {design.measure} peak: {rival.ratio[0]:.2f} own chips do that of one {name}"
    yield f"the price of {name} is that of {day}; power, network and software upkeep are left out"


def _sources(design: Design, rival: Rival) -> Iterator[str]:
    yield design.source
    yield from (figure.source for figure in design.figures.values())
    yield rival.source
