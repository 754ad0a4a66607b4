"""The fitted power of serving (data/fits/serving_power.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exaplan.catalog.tuning import yaml_data
from exaplan.perf.serving.power import ServingPower


def record() -> Mapping[str, Any]:
    """data/fits/serving_power.yaml as it stands."""
    found: Mapping[str, Any] = yaml_data("fits/serving_power.yaml")
    return found


def coefficients(fold: str = "") -> ServingPower:
    """Shares of the TDP; ``fold``: without the rows of a family of models or of a chip ("" = of all rows)."""
    found = record()
    values = found["folds"][fold]["coefficients"] if fold else found["coefficients"]
    return ServingPower(**{name: float(values[name]) for name in ServingPower._fields})


def band() -> tuple[float, float]:
    """(low, high) of a predicted power over its value: the 80% range of a model that the fit never saw. [ratio]"""
    found = record()["ranges"]["whole"]
    return float(found[0]), float(found[1])
