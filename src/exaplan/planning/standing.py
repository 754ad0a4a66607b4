"""Which prices say something of a day, and which chips can stand in a place at all to be rented there."""

from __future__ import annotations

from collections.abc import Iterable

from exaplan.catalog import Catalog, tuning
from exaplan.catalog.days import gap
from exaplan.catalog.prices import HOME, Price
from exaplan.nouns import Cluster

DAY = 86400.0
SOLD = ("chip", "server", "system")  # kinds of prices at which a chip is sold


def timely(date: str, day: str) -> bool:
    """Whether a price says something of a day (ISO): it was asked before it, or no more than a season after it."""
    return date <= day or gap(date, day) <= season()


def season() -> float:
    """How far a price may be from a day without being told to be of another time. [s]"""
    return float(tuning.yaml_data("fits/tax.yaml")["late"]["days"]) * DAY


def with_prices(catalog: Catalog, rows: Iterable[Price]) -> Catalog:
    """The catalogue with other prices."""
    made = Catalog(catalog.layers)
    vars(made).update({**vars(catalog), "prices": tuple(rows)})
    return made


def until(catalog: Catalog, day: str) -> Catalog:
    """The catalogue without prices that come too late for a day."""
    return with_prices(catalog, (row for row in catalog.prices if timely(row.date, day)))


def rented_there(catalog: Catalog, chip: str, country: str) -> bool:
    """Whether a rent of a chip was ever asked in a country (ISO) itself."""
    return any((row.item, row.kind, row.place) == (chip, "rent", country) for row in catalog.prices)


def stands_there(catalog: Catalog, cluster: Cluster, country: str, day: str) -> bool:
    """Whether a chip can stand in a country (ISO) to be rented: not where its usual node is an instance of some cloud,
    nobody is known to sell it, and no rent was asked there that says something of the day ("" = ever)."""
    node, chip = cluster.node, cluster.chip
    if node.provider in ("", chip.vendor) or node.price is not None or country == HOME:
        return True
    if any(row.item in (chip.name, node.name) and row.kind in SOLD for row in catalog.prices):
        return True
    return rented_there(until(catalog, day) if day else catalog, chip.name, country)
