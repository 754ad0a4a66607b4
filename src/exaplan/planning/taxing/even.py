"""Where a domestic chip ends the tax: the price, or the speed, at which its plan costs what the reference costs.

Cost of a row is linear in the price of the chip, C = a p + b, so the price at which it costs C0 is (C0 - b) / a; of all
rows that meet the deadline the dearest such price counts. A chip f times as fast needs 1/f of the time, money and
energy with the same power, so a row needs f = max(C / C0, time / deadline); of all rows the least f counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from exaplan.answers.tax import BreakEven
from exaplan.catalog import Catalog
from exaplan.catalog.prices import Price
from exaplan.nouns import Cluster
from exaplan.planning.offers import Quote, asked_price, quotes
from exaplan.planning.standing import timely, with_prices
from exaplan.planning.taxing.field import Entry, Field, Row
from exaplan.planning.taxing.market import Day
from exaplan.planning.taxing.question import Question
from exaplan.planning.taxing.sides import Best

PROBES = (1.0, 2.0)  # prices per chip that the straight line is drawn through, over today's or that of nothing [ratio]
UNKNOWN = 10_000.0  # a first price of a chip without one: any will do, the line is straight [USD]


def domestic(asked: Question, names: Iterable[str]) -> list[str]:
    """Chips whose maker sits in the destination."""
    return [name for name in names if asked.law.domestic(asked.catalog.chips[name])]


def break_even(asked: Question, field: Field, day: Day, reference: Best | None) -> Iterator[BreakEven]:
    """One entry per domestic chip that was released, by name."""
    for name in sorted(domestic(asked, field.entries)):
        entry = field.entries[name]
        if day.out(entry.chip):
            yield _of(asked, entry, day, reference)


def _of(asked: Question, entry: Entry, day: Day, reference: Best | None) -> BreakEven:
    name, cluster = entry.chip.name, entry.cluster
    basis = day.market.taxed
    found = asked_price(day.market.until(day.on), cluster, day.on, basis)
    found = found if found and timely(found.figure.date, day.on) else None
    now = None if found is None else (found.figure.value or 0.0) * found.unit
    if reference is None:
        return BreakEven(name, None, now, None, "there is no reference to compare with")
    if not entry.rows:
        return BreakEven(name, None, now, None, "no layout fits its memory at any count that was searched")
    bare = found is None or found.bare
    price, note = _price(asked, entry, day, reference.cost, now or UNKNOWN, bare), ""
    if not entry.fit:
        note = "no count that was searched meets the deadline at its own speed"
    elif price is None:
        note = "not even free of charge: the rest of what its plan takes costs more than the reference"
    sold = (
        "no price of it is known" if now is None else "" if bare else "prices are with the chip's share of the server"
    )
    note = "; ".join(part for part in (sold, note) if part)
    return BreakEven(name, price, now, _speed(asked, entry, day, reference.cost), note)


def _price(asked: Question, entry: Entry, day: Day, target: float, about: float, bare: bool) -> float | None:
    """Price per chip at which the cheapest row costs ``target``; None where not even nothing does. [USD]"""
    first, second = (times * about for times in PROBES)
    low, high = (priced_at(asked.catalog, entry, day, price, bare) for price in (first, second))
    best: float | None = None
    for row in entry.fit:
        one, two = _cost(asked, entry, row, low), _cost(asked, entry, row, high)
        if one is None or two is None or two <= one:
            continue
        price = first + (target - one) * (second - first) / (two - one)
        best = price if best is None else max(best, price)
    return best if best is not None and best >= 0.0 else None


def _speed(asked: Question, entry: Entry, day: Day, target: float) -> float | None:
    """Times its own speed at which a chip costs ``target`` at today's price; None where no price is known."""
    paid = day.quotes(entry.cluster, day.market.taxed, "buy")
    found = [(row, _cost(asked, entry, row, paid)) for row in entry.rows] if paid else []
    needs = [max(cost / target, row.bare.held / asked.deadline) for row, cost in found if cost is not None]
    return min(needs, default=None)


def _cost(asked: Question, entry: Entry, row: Row, paid: tuple[Quote, ...]) -> float | None:
    return entry.bought(row, paid, asked).cost


def priced_at(catalog: Catalog, entry: Entry, day: Day, price: float, bare: bool) -> tuple[Quote, ...]:
    """The purchase of a chip were it sold at ``price`` [USD per chip] in the destination, alone or in a server."""
    cluster, place = entry.cluster, day.market.country
    row = Price(
        item=entry.chip.name,
        kind="chip" if bare else "server",
        place=place,
        date=day.on,
        low=None,
        mid=price,
        high=None,
        unit="USD" if bare else "USD/chip",
        source="own-estimate",
        confidence="",
        note="",
    )
    return tuple(quotes(with_prices(catalog, [row]), _unpriced(cluster), "buy", day.on, basis=day.market.taxed))


def _unpriced(cluster: Cluster) -> Cluster:
    """The cluster without a price in its node's own file."""
    figures = {name: figure for name, figure in cluster.node.figures.items() if name != "price"}
    return replace(cluster, node=replace(cluster.node, price=None, rent=None, figures=figures))
