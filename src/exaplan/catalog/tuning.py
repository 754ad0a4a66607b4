"""The fitted departure of training frameworks from isolated kernels (data/fits/training.yaml) -> Tuning.

log(value) = base + sum of the fitted effects that apply (framework family, framework generation, architecture,
number format, mixture of experts). An unknown framework has no effect of its own and takes the pooled base.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import yaml

from exaplan.perf.inputs import Tuning

# Values that are shares of something and cannot exceed 1.
SHARES = ("tp", "cp", "ep", "pp", "dp", "fsdp")


@cache
def yaml_data(name: str) -> Any:
    """A file of data/ as it stands."""
    text = files("exaplan").joinpath("data", name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.CSafeLoader)


def frameworks() -> tuple[Mapping[str, Any], ...]:
    """The table of framework generations."""
    return tuple(yaml_data("frameworks.yaml"))


def generation(text: str) -> Mapping[str, Any]:
    """The first generation whose pattern is found in ``text`` (framework and source); {} for an unknown one."""
    lowered = text.lower()
    for entry in frameworks():
        if re.search(entry["match"], lowered):
            return entry
    return {}


def generation_named(name: str) -> Mapping[str, Any]:
    """Entry of a generation by its own name; {} for an unknown one."""
    return next((entry for entry in frameworks() if entry["generation"] == name), {})


def family(name: str) -> str:
    """Family of a generation; a family's own name stands for itself."""
    for entry in frameworks():
        if name in (entry["generation"], entry["family"]):
            return str(entry["family"])
    return ""


def keys(architecture: str, framework: str, precision: str, experts: bool) -> tuple[str, ...]:
    """Names of the effects that apply."""
    named = [f"architecture={architecture}", f"precision={precision}", f"experts={experts}".lower()]
    if framework:
        named += [f"family={family(framework)}", f"generation={framework}"]
    return tuple(named)


def compose(coefficients: Mapping[str, Mapping[str, float]], effects: tuple[str, ...]) -> Tuning:
    """Tuning from {field: {"base": log, effect: log, ...}}."""
    values = {}
    for field in Tuning._fields:
        entry = coefficients[field]
        value = math.exp(entry["base"] + sum(entry.get(effect, 0.0) for effect in effects))
        values[field] = min(1.0, value) if field in SHARES else value
    return Tuning(**values)


def record() -> Mapping[str, Any]:
    """data/fits/training.yaml as it stands."""
    found: Mapping[str, Any] = yaml_data("fits/training.yaml")
    return found


@lru_cache(maxsize=1)
def folds() -> Mapping[str, Any]:
    """data/fits/training_folds.json: coefficients and ranges of every cross-validation fold."""
    text = files("exaplan").joinpath("data", "fits", "training_folds.json").read_text(encoding="utf-8")
    found: Mapping[str, Any] = json.loads(text)
    return found


@lru_cache(maxsize=4096)
def tuning(architecture: str, framework: str, precision: str, experts: bool, fold: str = "") -> Tuning:
    """The shipped Tuning, or that of a cross-validation fold."""
    chosen = folds()["folds"][fold] if fold else record()["coefficients"]
    return with_facts(compose(chosen, keys(architecture, framework, precision, experts)), framework)


def with_facts(found: Tuning, framework: str) -> Tuning:
    """What is known of a generation as a fact of its software replaces the fit: overlap, fusion, host
    (frameworks.yaml)."""
    entry = generation_named(framework)
    if entry.get("overlap") == "none":
        found = found._replace(tp=1.0, dp=1.0, fsdp=1.0)
    if entry.get("fusion") == "full":
        found = found._replace(vector=1.0, vector_back=1.5)
    return found._replace(host=float(entry["host"])) if "host" in entry else found


def ranges(fold: str = "") -> Mapping[str, Any]:
    """The fitted interval: ``factor`` (of the expected size of an error), ``repeat`` and ``recentred`` (log
    half-widths); of a fold where one is named."""
    found: Mapping[str, Any] = record()["ranges"]
    return {**found, **folds()["ranges"][fold]} if fold else found
