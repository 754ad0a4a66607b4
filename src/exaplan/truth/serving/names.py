"""Names that sources use -> names in the catalogue, and launch settings that their scripts tell (data/)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from exaplan.catalog import serving_names
from exaplan.catalog.tuning import yaml_data
from exaplan.errors import InputError
from exaplan.nouns.serving import Formats
from exaplan.truth.reading import Skip


@cache
def protocols() -> Mapping[str, Any]:
    """data/serving_protocols.yaml: what launch scripts and rules of the sources tell."""
    found: Mapping[str, Any] = yaml_data("serving_protocols.yaml")
    return found


def model_name(published: str) -> str:
    """Catalogue name of a model as a source calls it."""
    return _known("model", published, serving_names.model(published))


def chip_name(published: str, notes: str = "") -> str:
    """Catalogue name of a chip as a source calls it."""
    return _known("chip", published, serving_names.chip(published, notes))


def _known(kind: str, published: str, found: str) -> str:
    if not found:
        raise Skip(f"no {kind} of the catalogue is called {published!r} (data/serving_names.yaml)")
    return found


def formats_of(precision: str, framework: str, model: str, chip: str, kv: str | None = None) -> Formats:
    """Number formats of a row; ``kv``: what its launch script says of the cache."""
    try:
        found = serving_names.formats(precision, framework, model, chip)
    except InputError as error:
        raise Skip(f"precision: {error.problem}") from error
    return Formats(found.weights, kv or found.kv)


@lru_cache(maxsize=8192)
def launch(label: str) -> Mapping[str, Any]:
    """Launch settings of the first entry whose pattern is found in a row's label; {} where none is known."""
    for entry in protocols()["launch"]:
        if re.search(entry["match"], label):
            return entry  # type: ignore[no-any-return]
    return {}


def tokens_of(value: Any, isl: float, osl: float) -> int | None:
    """Token budget of an iteration: a number, or a sum {isl: a, osl: b, plus: c}."""
    if value is None or isinstance(value, int):
        return value
    return int(value.get("isl", 0) * isl + value.get("osl", 0) * osl + value.get("plus", 0))
