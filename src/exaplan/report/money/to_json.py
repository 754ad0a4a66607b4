"""Prices, the AI tax, owning and making, as JSON: the keys are a contract (``report/schemas/money.py``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from exaplan.answers import SCHEMA_VERSION
from exaplan.answers.owning import Item, Made, Owned
from exaplan.answers.tax import PARTS, Tax, TaxPoint, TaxSide
from exaplan.catalog import Catalog, Price
from exaplan.catalog.prices import Reading
from exaplan.report.money import paid
from exaplan.report.provenance import program_version, source_json
from exaplan.report.to_json import advice, fields_of, finite, offer_json, plain, verdict_json

STREET = "street"  # how the kinds of price begin that are facts only: no plan pays them


def prices_json(rows: Sequence[Price], readings: Sequence[Reading], catalog: Catalog, on: str = "") -> dict[str, Any]:
    """Price rows as they were published, and what they read on a day [USD without VAT]."""
    used = [*(row.source for row in rows), *(reading.price.source for reading in readings)]
    return {
        "schema_version": SCHEMA_VERSION,
        "on": on,
        "prices": [row_json(row) for row in rows],
        "readings": [reading_json(reading) for reading in readings],
        "sources": sources_json(used, catalog),
    }


def row_json(row: Price) -> dict[str, Any]:
    """One row as published; ``usd``: the same in dollars without VAT; ``fact_only``: a published fact that no plan
    selects; ``claim``: what no independent source carries, told and never read as a value."""
    found: dict[str, Any] = plain(fields_of(row))
    figure = row.figure
    usd = {"value": finite(figure.value), "range": [finite(figure.low), finite(figure.high)]}
    return found | {"usd": usd, "claim": row.claim, "fact_only": fact_only(row)}


def reading_json(reading: Reading) -> dict[str, Any]:
    """What a series reads on a day. distance [s] from the observation to that day."""
    price, figure = reading.price, reading.figure
    return {
        **{name: getattr(price, name) for name in ("item", "kind", "place", "date", "source")},
        "value": finite(figure.value),
        "range": [finite(figure.low), finite(figure.high)],
        "distance": finite(reading.distance),
        "observations": reading.observations,
        "fact_only": fact_only(price),
    }


def fact_only(row: Price) -> bool:
    """Whether a price is reported as a published fact only, and never selected."""
    return row.kind.startswith(STREET)


def sources_json(used: Iterable[str], catalog: Catalog) -> dict[str, dict[str, str]]:
    """Every source spelled out that the catalogue knows."""
    return {name: source_json(catalog.source(name)) for name in sorted(set(used)) if known(name, catalog)}


def known(name: str, catalog: Catalog) -> bool:
    """Whether the catalogue has that source."""
    return bool(name) and (name in catalog.sources or name.startswith("user:"))


# ----------------------------------------------------------------------------------------------------- tax


def tax_json(tax: Tax, catalog: Catalog) -> dict[str, Any]:
    """The AI tax; at the top the way to pay that is told first, all of them under ``sides``."""
    first = tax.sides.get(tax.headline) or TaxSide(tax.headline, None)
    return {
        "schema_version": SCHEMA_VERSION,
        "to": tax.deal.to,
        "on": tax.deal.on,
        "headquarters": tax.deal.headquarters or tax.deal.to,
        "terms": tax.headline,
        **side_json(first),
        "break_even": [plain(fields_of(one)) for one in tax.break_even],
        "sides": {name: side_json(side) for name, side in tax.sides.items()},
        "series": [point_json(point, tax.headline) for point in tax.series],
        "verdicts": [verdict_json(verdict) for verdict in tax.verdicts],
        "counterfactual": tax.counterfactual,
        "assumptions": list(tax.assumptions),
        "warnings": list(tax.warnings),
        "provenance": _provenance(tax, catalog),
        "advice": advice(),
    }


def side_json(side: TaxSide) -> dict[str, Any]:
    """The tax by one way to pay."""
    return {
        "tax": finite(side.tax),
        "parts": parts_json(side),
        "range": [finite(side.low), finite(side.high)],
        "reference": run_json(side.reference),
        "local": run_json(side.local),
        "time_ratio": finite(side.time_ratio),
        "why": side.why,
        "notes": list(side.notes),
    }


def parts_json(side: TaxSide) -> dict[str, float | None]:
    """Each part as a share of the reference cost; null where it is not known."""
    return {name: finite(side.parts.get(name)) for name in PARTS}


def point_json(point: TaxPoint, headline: str) -> dict[str, Any]:
    """One day of the series, without its plans; every way to pay stands under ``sides``."""
    first = point.sides.get(headline) or TaxSide(headline, None)
    return {"on": point.on, **_short(first), "sides": {name: _short(side) for name, side in point.sides.items()}}


def _short(side: TaxSide) -> dict[str, Any]:
    chips = {"reference": paid.chip_of(side.reference) or None, "local": paid.chip_of(side.local) or None}
    return {
        "tax": finite(side.tax),
        "range": [finite(side.low), finite(side.high)],
        "parts": parts_json(side),
        "chips": chips,
    }


def run_json(priced: paid.Paid | None) -> dict[str, Any] | None:
    """A plan on one side of the tax."""
    if priced is None or priced.cluster is None:
        return None
    cluster = priced.cluster
    return {
        "chip": cluster.chip.name,
        "chips": paid.chips_of(priced),
        "node": cluster.node.name,
        "nodes": paid.nodes(priced),
        "site": cluster.site.name,
        **paid.layout_of(priced),
        **{name: finite(getattr(priced, name)) for name in ("time", "cost", "energy", "carbon", "capital")},
        "terms": priced.terms or None,
        "range": {name: [finite(low), finite(high)] for name, (low, high) in priced.ranges.items()},
        "offers": [offer_json(offer) for offer in priced.offers],
        "price_source": paid.price_source(priced) or None,
    }


def _provenance(tax: Tax, catalog: Catalog) -> dict[str, Any]:
    used = {clause.source for verdict in tax.verdicts for clause in verdict.clauses}
    for side in tax.sides.values():
        plans = [plan for plan in (side.reference, side.local) if plan]
        used |= {name for plan in plans for name in paid.sources(plan)}
    return {
        "inputs": plain(tax.ask),
        "version": program_version(),
        "catalogue": catalog.digest(),
        "seed": tax.ask.get("seed", 0),
        "sources": sources_json(used, catalog),
    } | dict(plain(tax.provenance))


# ------------------------------------------------------------------------------------------ owning and making


def owned_json(owned: Owned, catalog: Catalog) -> dict[str, Any]:
    """What owning a cluster costs: capital [USD], running [USD/s], per unit [USD]."""
    cluster = owned.cluster
    rates = ("life", "wacc", "residual", "utilisation", "it_power", "power", "rent", "break_even", "water")
    return {
        "schema_version": SCHEMA_VERSION,
        "chip": cluster.chip.name,
        "chips": cluster.count,
        "node": cluster.node.name,
        "nodes": nodes_of(owned),
        "site": cluster.site.name,
        "cooling": owned.cooling,
        "capital": bill_json(owned.capital),
        "running": bill_json(owned.running),
        **{name: finite(getattr(owned, name)) for name in rates},
        "per": {name: {"value": finite(ends[0]), "range": plain(ends[1:])} for name, ends in owned.per.items()},
        "carbon": plain(owned.carbon),
        "assumptions": list(owned.assumptions),
        "sources": sources_json((*owned.sources, *_cited((*owned.capital, *owned.running))), catalog),
    }


def nodes_of(owned: Owned) -> int:
    """Whole nodes of a cluster."""
    return -(-owned.cluster.count // max(owned.cluster.node.chips, 1))


def mades_json(mades: Sequence[Made], catalog: Catalog) -> dict[str, Any]:
    """Several chips of one's own."""
    return {"schema_version": SCHEMA_VERSION, "designs": [_made_json(made, catalog) for made in mades]}


def made_json(made: Made, catalog: Catalog) -> dict[str, Any]:
    """A chip of one's own."""
    return {"schema_version": SCHEMA_VERSION, **_made_json(made, catalog)}


def _made_json(made: Made, catalog: Catalog) -> dict[str, Any]:
    """What a chip of one's own costs: once [USD], unit [USD per chip]."""
    same = ("dies", "yield_share", "rival", "ratio", "measure", "rival_price", "volume")
    return {
        "name": made.name,
        "title": made.title,
        "once": bill_json(made.once),
        "unit": bill_json(made.unit),
        "cost": finite(made.cost),
        "range": [finite(made.low), finite(made.high)],
        **{name: plain(getattr(made, name)) for name in same},
        "volume_range": [finite(made.volume_low), finite(made.volume_high)],
        "wafers": finite(made.wafers),
        "asked": finite(made.asked),
        "each": {"value": finite(made.each[0]), "range": plain(made.each[1:])} if made.each else None,
        "assumptions": list(made.assumptions),
        "sources": sources_json((*made.sources, *_cited((*made.once, *made.unit))), catalog),
    }


def bill_json(items: Iterable[Item]) -> list[dict[str, Any]]:
    """The lines of a bill."""
    return [plain(fields_of(item)) for item in items]


def _cited(items: Sequence[Item]) -> list[str]:
    """Sources of the lines of a bill; one line may cite several, apart by commas."""
    return [name.strip() for item in items for name in item.source.replace(";", ",").split(",")]
