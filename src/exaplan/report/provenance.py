"""Where an answer came from: what was asked, every figure used with its source, catalogue, version, seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from exaplan.answers import Answer, Priced
from exaplan.catalog import Catalog
from exaplan.nouns import Figure, Source


def program_version() -> str:
    """The installed version of exaplan."""
    try:
        return version("exaplan")
    except PackageNotFoundError:
        return "unknown"


def collect(answer: Answer, catalog: Catalog) -> dict[str, Any]:
    """The provenance of an answer; what the verb itself recorded (fits, corrections) is added to it."""
    figures = list(figures_of(answer))
    used = {figure["source"] for figure in figures}
    used |= {source for priced in answer.estimates for source in _paid_by(priced)}
    used |= {source for part in (answer.provenance, answer.inputs) for source in cited_in(part)}
    known = [name for name in sorted(used - {""}) if known_source(name, catalog)]
    return {
        "inputs": dict(answer.ask),
        "version": program_version(),
        "catalogue": catalog.digest(),
        "seed": answer.ask.get("seed", 0),
        "assumptions": list(answer.assumptions),
        "defaults": list(answer.defaults),
        "warnings": list(answer.warnings),
        "terms": {term: dict(values) for term, values in answer.inputs.items()},
        "figures": figures,
        "sources": {name: source_json(catalog.source(name)) for name in known},
    } | dict(answer.provenance)


def _paid_by(priced: Priced) -> Iterator[str]:
    """Sources of what a plan costs, and of the run that it is compared with."""
    yield priced.price_source
    yield from (offer.source for offer in priced.offers)
    yield from [priced.nearest.source] if priced.nearest else []


def figures_of(answer: Answer) -> Iterator[dict[str, Any]]:
    """Every sourced figure of the nouns that an answer stands on: those of the best plan first."""
    clusters = (answer.cluster, *(priced.cluster for priced in answer.estimates if priced.cluster))
    nouns: dict[tuple[str, str], Any] = {}
    for cluster in clusters:
        for kind in ("chip", "node", "fabric", "site"):
            noun = getattr(cluster, kind)
            nouns.setdefault((kind, noun.name), noun)
    nouns["model", answer.model.name] = answer.model
    for (kind, name), noun in nouns.items():
        spec = getattr(noun, "spec", {})
        for field, figure in noun.figures.items():
            word = {"word": str(spec[field])} if figure.value is None and field in spec else {}
            yield {"kind": kind, "name": name, "field": field} | figure_json(figure) | word


def figure_json(figure: Figure) -> dict[str, Any]:
    """A figure as plain values; what it does not have is left out."""
    out: dict[str, Any] = {"value": figure.value, "source": figure.source}
    more = {"low": figure.low, "high": figure.high, "date": figure.date or None, "note": figure.note or None}
    return out | {key: value for key, value in more.items() if value is not None}


def source_json(source: Source) -> dict[str, str]:
    """A source as plain values."""
    return {"title": source.title, "address": source.address, "date": source.date, "kind": source.kind}


def known_source(name: str, catalog: Catalog) -> bool:
    """Whether the catalogue has that source."""
    return name in catalog.sources or name.startswith("user:")


def cited_in(value: Any) -> Iterator[str]:
    """Every text under a key ``source``, or one that ends so (``chip.power source``), anywhere inside."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, str) and (key == "source" or str(key).endswith(" source")):
                yield item
            yield from cited_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from cited_in(item)
