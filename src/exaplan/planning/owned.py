"""A cluster that is owned: the figures, price, power and way of cooling that its bill follows from, all checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from exaplan import cost
from exaplan.catalog import Catalog
from exaplan.catalog.ownership import COOLING
from exaplan.errors import InputError, Place
from exaplan.nouns import Cluster, Figure
from exaplan.planning import burden, offers
from exaplan.planning.burden import Span, scaled, span_of

HALLS = ("own", "colocation")


@dataclass(frozen=True)
class Held:
    """A cluster that is owned, with everything its bill follows from. power [W of IT, rated]; draw [W of IT in use]."""

    catalog: Catalog
    cluster: Cluster
    owning: Mapping[str, Figure]
    asked: offers.Asked
    basis: offers.Basis
    on: str
    cooling: str
    hall: str
    power: float
    draw: Span
    pue: Span

    @property
    def count(self) -> int:
        """Chips of whole nodes."""
        nodes = -(-self.cluster.count // self.cluster.node.chips)
        return self.cluster.count if self.asked.bare else nodes * self.cluster.node.chips

    def figure(self, name: str) -> Span:
        """A figure of ownership."""
        return span_of(self.owning[name])


def owning_of(catalog: Catalog, given: Mapping[str, float | None]) -> dict[str, Figure]:
    """The figures of ownership with what was asked instead, checked."""
    asked = {name: Figure(value, "user") for name, value in given.items() if value is not None}
    owning = dict(catalog.ownership) | asked
    cost.check_terms(*(owning[name].value or 0.0 for name in ("wacc", "lifetime", "residual")))
    cost.per_used(1.0, owning["utilisation"].value or 0.0)
    return owning


def held_of(
    catalog: Catalog,
    cluster: Cluster,
    owning: Mapping[str, Figure],
    on: str,
    cooling: str,
    hall: str,
    watts: float | None,
    basis: offers.Basis,
) -> Held:
    """Everything that is known of the cluster; InputError where its price or power is not."""
    _check(cooling or "air", COOLING, "way of cooling", "cooling")
    _check(hall, HALLS, "facility", "facility")
    if offers.rented_out(cluster.node):
        problem = f"{cluster.node.name} is only rented out"
        raise InputError(problem, hint="name a server that is sold", place=Place(field="node"))
    asked, power = offers.asked_price(catalog, cluster, on, basis), burden.node_power(cluster)
    if asked is None:
        hint = "give its price in the prices.csv of a --catalog folder, or in a node file of your own"
        raise InputError(f"no purchase price of {cluster.chip.name} is known", hint=hint)
    if power is None:
        raise InputError(f"the power of {cluster.chip.name} and of its node is unknown", hint="give it in a node file")
    if watts is not None and not watts > 0.0:
        raise InputError(f"a draw of {watts:g} W is not positive", hint="give the power of all IT, e.g. 10 MW")
    nodes = -(-cluster.count // cluster.node.chips)
    rated = nodes * power
    draw = (watts, watts, watts) if watts is not None else scaled(span_of(owning["load"]), rated)
    kind = cooling or burden.cooling_of(catalog, cluster)
    if kind == "air" and power > span_of(owning["air.limit"])[2]:
        problem = f"air does not carry away the {power / 1e3:,.0f} kW of a {cluster.node.name}"
        raise InputError(problem, hint="take liquid or sea-water", place=Place(field="cooling"))
    return Held(
        catalog, cluster, owning, asked, basis, on, kind, hall, rated, draw, _pue(cluster, owning, kind, bool(cooling))
    )


def _check(name: str, known: tuple[str, ...], what: str, field: str) -> None:
    if name not in known:
        raise InputError(f"unknown {what} `{name}`", hint="known: " + ", ".join(known), place=Place(field=field))


def _pue(cluster: Cluster, owning: Mapping[str, Figure], cooling: str, asked: bool) -> Span:
    """PUE of the site for air, or where nobody asked for a way of cooling; else that of the way of cooling."""
    site = cluster.site
    figure = site.figures.get("pue") or Figure(site.pue, "")
    return span_of(owning[f"{cooling}.pue"] if asked and cooling != "air" else replace(figure, value=site.pue))
