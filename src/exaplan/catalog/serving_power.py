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


def coefficients(fold: str = "", architecture: str = "") -> ServingPower:
    """Shares of the TDP; ``fold``: without the rows of a family of models or of a chip ("" = of all rows).

    architecture: of the chip; where it was measured, running kernels draw its own share (others: that of Hopper).
    """
    found = record()["folds"][fold] if fold else record()
    values = ServingPower(**{name: float(found["coefficients"][name]) for name in ServingPower._fields})
    return values._replace(busy=values.busy * float(found["busy"].get(architecture, 1.0)))


def band(chip: str = "", fold: str = "") -> tuple[float, float]:
    """(low, high) of a predicted power over its value: the 80% range of a model that no fit saw. [ratio]

    chip: a measured chip, by its published name, with a range of its own ("" = all); fold: a family whose own errors
    take no part in it.
    """
    found = record()
    ranges = found["folds"][fold]["ranges"] if fold else found["ranges"]
    low, high = ranges.get(chip, ranges["all"])
    return float(low), float(high)
