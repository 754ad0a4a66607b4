"""What may be bought, rented or used: one candidate per chip type, with its node, fabric, places, prices and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

from exaplan import case as cases
from exaplan.answers import Tried
from exaplan.ask import MOST_CHIPS, Ask
from exaplan.ask.base import BaseAsk
from exaplan.catalog import Catalog
from exaplan.catalog.prices import HOME
from exaplan.errors import InputError
from exaplan.models.count import parameters
from exaplan.nouns import Chip, Cluster, Model, Site
from exaplan.planning.counts import multiples
from exaplan.planning.legal import Law, basis_of, no_chip, too_early
from exaplan.planning.offers import Quote, quotes
from exaplan.planning.resolving import Setting, find_cluster, find_sites, reference, setting_of, sized, subject
from exaplan.planning.standing import stands_there, until
from exaplan.search import step_flops


@dataclass(frozen=True)
class Candidate:
    """One chip type. setting: on the largest of ``counts``, at the place of least PUE; sites to choose from.

    quotes: name of a site -> ways to pay; parameters [count] of the model; fixed: the count was given; limited: counts
    end where the network of the node is unknown; own: part of a fleet. chip_seconds: of a step at the peak rate, less
    than any layout takes.
    """

    setting: Setting
    counts: tuple[int, ...]
    sites: tuple[Site, ...]
    quotes: Mapping[str, tuple[Quote, ...]]
    parameters: float
    chip_seconds: float
    fixed: bool = False
    limited: bool = False
    own: bool = False

    @property
    def chip(self) -> str:
        """Name of the chip."""
        return self.setting.cluster.chip.name


class Choice(NamedTuple):
    """Chip types in question. tried: those that can be tried; refused: those that cannot, with the reason; barred:
    those that the law alone keeps out."""

    tried: list[Candidate]
    refused: list[Tried]
    barred: list[Candidate]


def candidates(ask: Ask, catalog: Catalog, searched: bool = True, law: Law | None = None) -> Choice:
    """The chip types of a question; the only one's own error where it cannot be tried.

    Without ``searched`` an open count is that of one node. NoPlan where the ``law`` leaves none.
    """
    known = subject(ask, catalog)
    sites = find_sites(ask, catalog)
    clusters = list(clusters_of(ask, catalog))
    choice = Choice([], [], [])
    errors: list[InputError] = []
    for cluster in clusters:
        unlawful = law.reason(cluster.chip) if law else ""
        reason = early(ask, cluster.chip, bound=law is not None, several=len(clusters) > 1)
        try:
            if reason:
                raise InputError(reason)
            made = _candidate(ask, catalog, known, cluster, sites, len(clusters) > 1, searched)
            (choice.barred if unlawful else choice.tried).append(made)
        except InputError as error:
            errors.append(error)
            reason = error.problem
        if unlawful or reason:
            choice.refused.append(Tried(cluster.chip.name, cluster.node.name, (), 0, unlawful or reason))
    if choice.tried:
        return choice
    unlawful_ones = [law.verdict(item.chip) for item in clusters if law.reason(item.chip)] if law else []
    if unlawful_ones:
        raise no_chip(what(ask, clusters), unlawful_ones)
    raise errors[0] if len(errors) == 1 else none_usable(ask, choice.refused)


def early(ask: BaseAsk, chip: Chip, bound: bool, several: bool) -> str:
    """Why a chip cannot be had on the day of the ask, among several or under a law; "" where it can, or is there."""
    if not ask.start or ask.fleet or not (bound or several):
        return ""
    return too_early(chip, ask.start.isoformat(), named=not ask.every_chip)


def what(ask: BaseAsk, clusters: list[Cluster]) -> str:
    """The chips in question, in words."""
    if ask.every_chip:
        return "the catalogue that could do this work"
    return "the cluster: " + ", ".join(item.chip.name for item in clusters[:6])


def clusters_of(ask: BaseAsk, catalog: Catalog) -> Iterator[Cluster]:
    """A cluster per chip type in question; its count is what is there or asked, else that of one node."""
    if ask.fleet:
        yield from _fleet(ask, catalog)
    elif ask.every_chip:
        for name in sorted(catalog.chips):
            yield _capped(ask, _usual(ask, catalog, name))
    elif len(ask.chips) > 1:
        for name in ask.chips:
            yield _capped(ask, _usual(ask, catalog, name))
    else:
        yield find_cluster(ask, catalog)


def _usual(ask: BaseAsk, catalog: Catalog, name: str) -> Cluster:
    """A chip by name in its usual node."""
    near, fabric = ask.folder, reference(ask, ask.cluster.fabric, "fabric")
    chip = catalog.chip(name, near=near, place=ask.place("cluster", "chip"))
    made = catalog.fabric(fabric, near=near, place=ask.place("cluster", "fabric")) if fabric else None
    cluster = catalog.assemble(chip, ask.cluster.count or 1, None, made)
    return cluster if ask.cluster.count else replace(cluster, count=cluster.node.chips)


def _fleet(ask: BaseAsk, catalog: Catalog) -> Iterator[Cluster]:
    """A cluster per type of the fleet, of all its chips."""
    near = ask.folder
    for index, item in enumerate(ask.fleet):
        names = {key: reference(ask, getattr(item, key), "fleet", index, key) for key in ("chip", "node", "fabric")}
        place = {key: ask.place("cluster", "fleet", index, key) for key in names}
        chip = catalog.chip(names["chip"], near=near, place=place["chip"])
        node = catalog.node(names["node"], near=near, place=place["node"]) if names["node"] else None
        fabric = catalog.fabric(names["fabric"], near=near, place=place["fabric"]) if names["fabric"] else None
        if node and catalog.chip(node.chip).name != chip.name:
            problem = f"node {node.name} holds {node.chip}, not {chip.name}"
            raise InputError(problem, hint="leave out the node, or name the chip that it holds", place=place["node"])
        yield _capped(ask, catalog.assemble(chip, item.count, node, fabric))


def _capped(ask: BaseAsk, cluster: Cluster) -> Cluster:
    return replace(cluster, power_cap=ask.cluster.power_cap)


def _candidate(
    ask: Ask,
    catalog: Catalog,
    known: tuple[Model, tuple[str, ...]],
    cluster: Cluster,
    sites: tuple[Site, ...],
    several: bool,
    searched: bool,
) -> Candidate:
    """A candidate of a cluster; InputError where it cannot be tried."""
    places, paid = offered(ask, catalog, cluster, sites, several)
    place = min(places, key=lambda site: site.pue)
    counts = asked_counts(ask, cluster) if searched else (cluster.count,)
    return candidate_of(ask, catalog, known, replace(cluster, site=place), counts, places, paid)


def offered(
    ask: BaseAsk, catalog: Catalog, cluster: Cluster, sites: tuple[Site, ...], several: bool
) -> tuple[tuple[Site, ...], dict[str, tuple[Quote, ...]]]:
    """(places of a chip type, name of a place -> the ways to pay there); InputError where one of several is unknown."""
    places = sites if ask.sites or not ask.cluster.name else (cluster.site,)
    paid = _unnamed(ask, catalog, cluster, places) if ask.every_chip else _paid(ask, catalog, cluster, places)
    if several:
        _check_known(ask, cluster, any(paid.values()))
    return places, paid


def candidate_of(
    ask: Ask,
    catalog: Catalog,
    known: tuple[Model, tuple[str, ...]],
    cluster: Cluster,
    counts: tuple[int, ...],
    places: tuple[Site, ...],
    paid: Mapping[str, tuple[Quote, ...]],
) -> Candidate:
    """A cluster at those of the counts that its network is known for. paid: name of a place -> ways to pay there."""
    setting, reach = _widest(ask, catalog, known, cluster, counts)
    if reach < counts[-1]:
        note = f"the network of {cluster.node.name} is unknown, so no more than {reach:,} chips were tried"
        setting = replace(setting, assumptions=(*setting.assumptions, note))
    return Candidate(
        setting,
        tuple(count for count in counts if count <= reach),
        places,
        paid,
        float(parameters(known[0])[0]),
        _chip_seconds(setting),
        fixed=len(counts) == 1,
        limited=reach < counts[-1],
        own=bool(ask.fleet),
    )


def _paid(ask: BaseAsk, catalog: Catalog, cluster: Cluster, places: tuple[Site, ...]) -> dict[str, tuple[Quote, ...]]:
    """Name of a place -> the ways to pay there; without what needs electricity of unknown power."""
    terms, on, powered = ask.cluster.terms, ask.start.isoformat() if ask.start else "", _powered(cluster)
    whose, own = basis_of(ask), bool(ask.fleet)
    found = {site.name: quotes(catalog, replace(cluster, site=site), terms, on, own, whose) for site in places}
    return {name: tuple(one for one in some if powered or not one.electric) for name, some in found.items()}


def _powered(cluster: Cluster) -> bool:
    """Whether the rating of the chip or of its node is known."""
    return bool(cluster.chip.power or cluster.node.power)


def _check_known(ask: BaseAsk, cluster: Cluster, priced: bool) -> None:
    """Among several chips one cannot win by a figure that nobody knows."""
    if ask.limits.power is not None and not _powered(cluster):
        raise InputError("its power is unknown, so the limit on power cannot be held")
    if not priced and (ask.every_chip or ask.objective == "cost" or ask.limits.money is not None):
        terms = ask.cluster.terms
        raise InputError("no price is known" + ("" if terms == "any" else f" ({terms})"))


def _unnamed(
    ask: BaseAsk, catalog: Catalog, cluster: Cluster, places: tuple[Site, ...]
) -> dict[str, tuple[Quote, ...]]:
    """What a chip that nobody named is offered for; under a law only where it can stand, and at prices that say
    something of the day, as for the AI tax."""
    if not ask.bound:
        return _near(places, _paid(ask, catalog, cluster, places))
    day = ask.start.isoformat() if ask.start else ""
    paid = _paid(ask, until(catalog, day) if day else catalog, cluster, places)
    if not any(paid.values()) and day and any(_paid(ask, catalog, cluster, places).values()):
        raise InputError(f"its only price is of more than a season after {day}: name the chip to use that price")
    out = {}
    for site in places:
        there = stands_there(catalog, cluster, site.country, day)
        out[site.name] = tuple(quote for quote in paid[site.name] if there or quote.terms != "rent")
    if any(paid.values()) and not any(out.values()):
        where = ", ".join(sorted({site.country for site in places}))
        raise InputError(f"it only stands in a cloud, of which no rent in {where} is known: name the chip to use it")
    return _near(places, out)


def _near(places: tuple[Site, ...], paid: dict[str, tuple[Quote, ...]]) -> dict[str, tuple[Quote, ...]]:
    """What a chip that nobody named is offered for: prices of the place's own country or of ``HOME``."""
    near = {site.name: ("", HOME, site.country) for site in places}
    kept = {name: tuple(quote for quote in some if quote.place in near[name]) for name, some in paid.items()}
    if any(paid.values()) and not any(kept.values()):
        where = ", ".join(sorted({quote.place for some in paid.values() for quote in some}))
        raise InputError(f"its only price is of {where}: name the chip to use that price, or give cluster.site there")
    return kept


def _chip_seconds(setting: Setting) -> float:
    """Chip-seconds of a step at the peak rate. [s]"""
    training, rates = setting.case.training, setting.case.hardware
    return step_flops(setting.model, training.seq_len, training.global_batch) / max(rates.low.peak, rates.high.peak)


def asked_counts(ask: Ask, cluster: Cluster, times: int = 1) -> tuple[int, ...]:
    """Counts to try [chips], ascending; ``times``: of the largest that the ask or the fleet allows."""
    if not ask.open_count:
        return (cluster.count * times,)
    caps = [value for value in (cluster.count if ask.fleet else None, ask.limits.count) if value is not None]
    return open_counts(ask, cluster, times * min(caps, default=MOST_CHIPS))


def open_counts(ask: Ask, cluster: Cluster, most: int) -> tuple[int, ...]:
    """Counts up to ``most`` that the given degrees of the layout divide, or just their product."""
    given = [getattr(ask.layout, name) for name in ("dp", "tp", "pp", "cp")]
    product = prod(value or 1 for value in given)
    return (product,) if None not in given else multiples(product, cluster.node.chips, most) or (most,)


def widened(item: Candidate, counts: tuple[int, ...]) -> Candidate | None:
    """A candidate at larger counts than its own; None where there are none, or where its network is unknown."""
    larger = tuple(n for n in counts if n > item.counts[-1])
    if item.limited or not larger:
        return None
    setting = item.setting
    cluster = sized(setting.cluster, larger[-1])
    try:
        made = cases.make(setting.model, setting.case.training, cluster)
    except InputError:
        return None  # e.g. a second node whose network is unknown
    return replace(item, setting=replace(setting, cluster=cluster, case=made), counts=larger)


def _widest(
    ask: Ask, catalog: Catalog, known: tuple[Model, tuple[str, ...]], cluster: Cluster, counts: tuple[int, ...]
) -> tuple[Setting, int]:
    """(setting on the largest count whose network is known, that count); a fixed count is never made smaller."""
    reaches = [counts[-1]]
    if len(counts) > 1:
        reaches += [n for n in (cluster.node.domain, 1) if counts[0] <= n < counts[-1]]
    tries = [max(n for n in counts if n <= reach) for reach in reaches]
    for count in tries[:-1]:
        try:
            return setting_of(ask, catalog, *known, sized(cluster, count)), count
        except InputError as error:
            if error.place.field != "cluster.node":
                raise
    return setting_of(ask, catalog, *known, sized(cluster, tries[-1])), tries[-1]


def none_usable(ask: BaseAsk, refused: list[Tried]) -> InputError:
    """No chip in question can do the work; each reason once."""
    what = "fleet" if ask.fleet else "cluster"
    told = "; ".join(f"{item.chip}: {item.reason}" for item in refused[:6])
    more = f"; and {len(refused) - 6} more" if len(refused) > 6 else ""
    return InputError(
        f"no chip of the {what} can do this work ({told}{more})",
        hint="choose other chips or another work.precision, or give prices in the prices.csv of a --catalog folder",
        place=ask.place("cluster", "fleet" if ask.fleet else "chip"),
    )
