"""Chip types in question: where each may stand, how it is paid, how many there are, the engine as it starts there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from exaplan.answers import Tried
from exaplan.catalog.engines import fitted
from exaplan.errors import ExaplanError, InputError
from exaplan.nouns import Chip, Cluster, Site
from exaplan.nouns.serving import Engine
from exaplan.planning.candidates import clusters_of, early, none_usable, offered, what
from exaplan.planning.legal import no_chip
from exaplan.planning.offers import Quote
from exaplan.planning.resolving import find_sites
from exaplan.planning.serving.layouts import near
from exaplan.planning.serving.question import Question


@dataclass(frozen=True, eq=False)
class Kind:
    """One chip type. cluster: at the place of least PUE; most: chips that may be used; fixed: they are given, and
    paid, all of them; quotes: name of a site -> ways to pay."""

    cluster: Cluster
    engine: Engine
    sites: tuple[Site, ...]
    quotes: Mapping[str, tuple[Quote, ...]]
    most: int
    fixed: bool = False
    own: bool = False

    @property
    def chip(self) -> Chip:
        """The chip."""
        return self.cluster.chip

    @property
    def name(self) -> str:
        """Name of the chip."""
        return self.cluster.chip.name

    def sized(self, chips: int) -> Cluster:
        """The cluster that a copy of so many chips stands in: whole nodes."""
        return replace(self.cluster, count=-(-chips // near(self.cluster)) * near(self.cluster))


class Kinds(NamedTuple):
    """tried: those that can be; refused: those that cannot, with the reason; barred: those that the law keeps out."""

    tried: tuple[Kind, ...]
    refused: tuple[Tried, ...]
    barred: tuple[Kind, ...]


def kinds(asked: Question) -> Kinds:
    """The chip types of a question; the only one's own error where it cannot be tried, NoPlan where the law leaves
    none."""
    ask, law = asked.ask, asked.law
    clusters = list(clusters_of(ask, asked.catalog))
    sites, several = find_sites(ask, asked.catalog), len(clusters) > 1
    tried: list[Kind] = []
    barred: list[Kind] = []
    refused: list[Tried] = []
    errors: list[InputError] = []
    for cluster in clusters:
        unlawful = law.reason(cluster.chip) if law else ""
        reason = early(ask, cluster.chip, bound=law is not None, several=several)
        try:
            if reason:
                raise InputError(reason)
            made = _kind(asked, cluster, sites, several)
            (barred if unlawful else tried).append(made)
        except InputError as error:
            errors.append(error)
            reason = error.problem
        if unlawful or reason:
            refused.append(Tried(cluster.chip.name, cluster.node.name, (), 0, unlawful or reason))
    if not tried:
        raise none_left(asked, clusters, refused, errors)
    return Kinds(tuple(tried), tuple(refused), tuple(barred))


def none_left(asked: Question, clusters: list[Cluster], refused: list[Tried], errors: list[InputError]) -> ExaplanError:
    """Why no chip type of a question can be tried."""
    law = asked.law
    unlawful = [law.verdict(item.chip) for item in clusters if law.reason(item.chip)] if law else []
    if unlawful:
        return no_chip(what(asked.ask, clusters), unlawful)
    return errors[0] if len(errors) == 1 else none_usable(asked.ask, refused)


def _kind(asked: Question, cluster: Cluster, sites: tuple[Site, ...], several: bool) -> Kind:
    """A chip type with its places and prices; InputError where it cannot be tried."""
    ask = asked.ask
    places, paid = offered(ask, asked.catalog, cluster, sites, several)
    place = min(places, key=lambda site: site.pue)
    return Kind(
        cluster=replace(cluster, site=place),
        engine=fitted(asked.engine, cluster.chip),
        sites=places,
        quotes=paid,
        most=_most(asked, cluster),
        fixed=_fixed(asked, cluster),
        own=bool(ask.fleet),
    )


def _fixed(asked: Question, cluster: Cluster) -> bool:
    """Whether the chips are given: a count, or a named cluster."""
    return asked.ask.cluster.count is not None or asked.ask.cluster.name is not None


def _most(asked: Question, cluster: Cluster) -> int:
    """Chips of a type that may be used at most: those given or there, else the limit."""
    ask = asked.ask
    there = cluster.count if _fixed(asked, cluster) or ask.fleet else None
    caps = [value for value in (there, ask.limits.count, ask.fixed_count, ask.most_chips) if value is not None]
    return min(caps)
