"""Where a serving answer came from: what was asked, every figure used with its source, catalogue, version, seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exaplan.answers.serving import Served
from exaplan.catalog import Catalog
from exaplan.report.provenance import cited_in, figure_json, known_source, program_version, source_json


def collect(served: Served, catalog: Catalog) -> dict[str, Any]:
    """The provenance of an answer; what the verb itself recorded (fits, corrections) is added to it."""
    figures = list(figures_of(served))
    used = {figure["source"] for figure in figures}
    used |= {offer.source for plan in served.plans for offer in plan.offers}
    used |= {source for part in (served.provenance, served.inputs) for source in cited_in(part)}
    known = [name for name in sorted(used - {""}) if known_source(name, catalog)]
    return {
        "inputs": dict(served.ask),
        "version": program_version(),
        "catalogue": catalog.digest(),
        "seed": served.ask.get("seed", 0),
        "assumptions": list(served.assumptions),
        "defaults": list(served.defaults),
        "warnings": list(served.warnings),
        "terms": {term: dict(values) for term, values in served.inputs.items()},
        "figures": figures,
        "sources": {name: source_json(catalog.source(name)) for name in known},
    } | dict(served.provenance)


def figures_of(served: Served) -> Iterator[dict[str, Any]]:
    """Every sourced figure of the nouns that an answer stands on: those of the best plan first."""
    nouns: dict[tuple[str, str], Any] = {}
    for plan in served.plans:
        for kind in ("chip", "node", "fabric", "site"):
            noun = getattr(plan.cluster, kind)
            nouns.setdefault((kind, noun.name), noun)
    nouns["model", served.model.name] = served.model
    nouns["engine", served.engine.name] = served.engine
    for (kind, name), noun in nouns.items():
        for field, figure in noun.figures.items():
            yield {"kind": kind, "name": name, "field": field} | figure_json(figure) | _word(noun, field, figure.value)


def _word(noun: Any, field: str, value: float | None) -> dict[str, str]:
    """A figure that is no number, by its word."""
    found = getattr(noun, "spec", {}).get(field, getattr(noun, field, None))
    return {"word": str(found)} if value is None and found is not None else {}
