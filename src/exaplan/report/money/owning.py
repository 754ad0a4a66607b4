"""What owning a cluster costs and what making a chip of one's own costs, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from exaplan.answers.owning import Item, Made, Owned
from exaplan.catalog import Catalog
from exaplan.cost import spread
from exaplan.report import citing
from exaplan.report.money.prices import dollars
from exaplan.report.money.to_json import nodes_of
from exaplan.report.screen import amount, heading, percent, table
from exaplan.report.sheets import NONE
from exaplan.report.words import phrase, word

HOUR, YEAR = 3600.0, 31_557_600.0  # s
Ends = tuple[float, float, float]  # value, low, high
LEFT = ("source", "formula")
BUILDING = "facility"  # the part of the capital that outlives the hardware


def owned_view(owned: Owned, catalog: Catalog) -> list[RenderableType]:
    """What ``exaplan own`` prints."""
    cluster = owned.cluster
    names = {"count": f"{cluster.count:,}", "chip": cluster.chip.name, "site": cluster.site.name}
    names |= {
        "nodes": f"{nodes_of(owned):,}",
        "node": cluster.node.name,
        "cooling": word(f"own.coolings.{owned.cooling}"),
    }
    return [
        heading(word("own.title", **names)),
        Text(word("own.where", **names), style="dim"),
        Text(""),
        Text(_owning_sentence(owned), style="bold"),
        Text(""),
        bill(owned.capital, word("own.capital"), ends=_whole(owned, "chip", float(owned.cluster.count))),
        bill(owned.running, word("own.running"), HOUR, _whole(owned, "year", 1.0 / YEAR)),
        _per(owned),
        *(Text(line) for line in _hall(owned)),
        *(Text(line) for line in _figures(owned)),
        *citing.told("plan.assumptions", owned.assumptions),
        *citing.sources((*owned.sources, *_cited((*owned.capital, *owned.running))), catalog, short=True),
    ]


def _owning_sentence(owned: Owned) -> str:
    whole = total(owned.capital)[0]
    chip = whole / owned.cluster.count if owned.cluster.count else 0.0
    told = word("own.headline", capital=amount(whole, "money"), chip=amount(chip, "money"))
    hourly = owned.per.get("hour")
    told += word("own.hourly", hour=dollars(hourly[0])) if hourly else ""
    if owned.rent is None:
        return told + word("own.no_rent")
    rent = dollars(owned.rent)
    if owned.break_even is None:
        return told + word("own.never", rent=rent)
    return told + word("own.even", rent=rent, time=amount(owned.break_even, "time"))


def bill(items: Sequence[Item], title: str, seconds: float = 1.0, ends: Ends | None = None) -> RenderableType:
    """The lines of a bill with their shares of it and their sum; running ones [USD/s] times ``seconds``.

    ends: (value, low, high) of the sum, where its parts are not independent of each other.
    """
    whole = ends or total(items)
    rows: list[Sequence[object]] = [_line(item, whole[0], seconds) for item in items]
    sums = [_money(end * seconds) for end in whole]
    rows.append([Text(word("estimate.total"), style="bold"), *sums, "100%", "", ""])
    return table(("item", "value", "low", "high", "share", "formula", "source"), rows, title, LEFT, tight=True)


def _whole(owned: Owned, unit: str, times: float) -> Ends | None:
    """The sum of a bill by what one unit costs: there each figure moves all lines that follow from it at once."""
    ends = owned.per.get(unit)
    return None if ends is None else (ends[0] * times, ends[1] * times, ends[2] * times)


def total(items: Sequence[Item]) -> Ends:
    """The sum of a bill whose lines are known independently of each other. [as the lines]"""
    return spread([(item.value, item.low, item.high) for item in items])


def _line(item: Item, whole: float, seconds: float) -> list[object]:
    ends = [_money(getattr(item, name) * seconds) for name in ("value", "low", "high")]
    share = percent(item.value / whole) if whole else NONE
    return [part_name(item.name), *ends, share, phrase(item.formula), item.source]


def part_name(name: str) -> str:
    """A part of a bill, spelled out."""
    return word(f"parts.{name}")


def _money(value: float) -> str:
    shown = dollars(abs(value)) if abs(value) < 1000 else amount(abs(value), "money")
    return f"-{shown}" if value < 0 else shown


def _per(owned: Owned) -> RenderableType:
    rows = [[word(f"own.per.{name}"), *(_each(end) for end in ends)] for name, ends in owned.per.items()]
    return table(("per", "value", "low", "high"), rows, word("own.each"))


def _hall(owned: Owned) -> Iterator[str]:
    """How much of the building the figure with its share of it counts."""
    whole, counted = owned.per.get("chip"), owned.per.get("all-in")
    building = sum(item.value for item in owned.capital if item.name == BUILDING) / max(owned.cluster.count, 1)
    if whole is None or counted is None or not building:
        return
    hardware = whole[0] - building
    hall = counted[0] - hardware
    told = {"all": counted[0], "hardware": hardware, "part": hall, "building": building}
    yield word("own.hall", share=percent(hall / building, 0), **{name: _each(value) for name, value in told.items()})


def _each(value: float | None) -> str:
    if value is None:
        return NONE
    return amount(value, "money") if 0 < abs(value) < 0.01 or abs(value) >= 1000 else dollars(value)


def _figures(owned: Owned) -> Iterator[str]:
    """Power, life and money's price, carbon and water."""
    names = {"it": amount(owned.it_power, "power"), "power": amount(owned.power, "power")}
    yield word("own.power", each=amount(owned.it_power / max(owned.cluster.count, 1), "power"), **names)
    rates = {"life": amount(owned.life, "time"), "wacc": percent(owned.wacc)}
    yield word("own.rates", residual=percent(owned.residual), used=percent(owned.utilisation, 0), **rates)
    carbon = [f"{word(f'own.carbon.{name}')} {told}" for name, told in _emitted(owned)]
    if carbon:
        yield word("own.emits", parts=word("law.comma").join(carbon))
    if owned.water is not None:
        yield word("own.water", flow=f"{owned.water:,.3g}")


def _emitted(owned: Owned) -> Iterator[tuple[str, str]]:
    """Each kind of carbon with its mass, and its range where one is known."""
    numbers = {name: float(value) for name, value in owned.carbon.items() if isinstance(value, (int, float))}
    for name, value in numbers.items():
        if name.endswith((" low", " high")):
            continue
        told, low, high = amount(value, "mass"), numbers.get(f"{name} low"), numbers.get(f"{name} high")
        if low is not None and high is not None:
            told = word("tax.ends", value=told, low=amount(low, "mass"), high=amount(high, "mass"))
        yield name, told


# -------------------------------------------------------------------------------------------------- making


def made_view(made: Made, catalog: Catalog) -> list[RenderableType]:
    """What ``exaplan make`` prints."""
    names = {"rival": made.rival, "price": dollars(made.rival_price), "measure": phrase(made.measure)}
    return [
        heading(phrase(made.title) or made.name),
        Text(""),
        Text(made_sentence(made), style="bold"),
        Text(""),
        bill(made.unit, word("make.unit"), ends=(made.cost, made.low, made.high)),
        bill(made.once, word("make.once")),
        *(Text(line) for line in _wafer_lines(made)),
        Text(word("make.rival", ratio=f"{made.ratio:,.3g}", **names)),
        *citing.told("plan.assumptions", made.assumptions),
        *citing.sources((*made.sources, *_cited((*made.once, *made.unit))), catalog, short=True),
    ]


def mades_view(mades: Sequence[Made], catalog: Catalog) -> list[RenderableType]:
    """Several chips of one's own in one table."""
    columns = ("name", "title", "cost_each", "low", "high", "paid_once", "rival", "volume")
    rows = [_made_row(made) for made in mades]
    used = [name for made in mades for name in made.sources]
    return [
        table(columns, rows, word("make.designs"), ("title",), fixed=("rival",)),
        Text(word("make.more"), style="dim"),
        *citing.sources(used, catalog, short=True),
    ]


def _made_row(made: Made) -> list[str]:
    ends = [dollars(value) for value in (made.cost, made.low, made.high)]
    once = amount(total(made.once)[0], "money")
    return [made.name, phrase(made.title), *ends, once, made.rival, count(made.volume)]


def _cited(items: Iterable[Item]) -> Iterator[str]:
    return (item.source for item in items)


def made_sentence(made: Made) -> str:
    """What one costs to make, and from how many on that is cheaper than buying."""
    ends = (dollars(made.low), dollars(made.high))
    told = word("make.headline", cost=dollars(made.cost), low=ends[0], high=ends[1])
    if made.volume is None:
        return told + word("make.never", rival=made.rival)
    volume = {"volume": count(made.volume), "low": count(made.volume_low), "high": count(made.volume_high)}
    return told + word("make.even", rival=made.rival, **volume)


def count(value: float | None) -> str:
    """A number of chips; ``no number`` where none is enough."""
    return word("make.no_number") if value is None else f"{value:,.0f}"


def _wafer_lines(made: Made) -> Iterator[str]:
    yield word("make.dies", dies=f"{made.dies:,.0f}", share=percent(made.yield_share))
    if made.asked is not None and made.each is not None:
        value, low, high = map(dollars, made.each)
        yield word("make.asked", volume=count(made.asked), value=value, low=low, high=high)
    if made.wafers is not None:
        yield word("make.wafers", wafers=f"{made.wafers:,.0f}")
