"""A serving row -> its predictions and their ranges, by the fit that saw no row of its model and none of its chip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from exaplan.case import architecture_of
from exaplan.catalog import Catalog, serving_fits
from exaplan.errors import InputError
from exaplan.nouns import Model
from exaplan.perf.serving.inputs import ServeTuning
from exaplan.truth.reading import Skip
from exaplan.truth.serving.correcting import correction, spread
from exaplan.truth.serving.posing import cluster_of, model_of, pose
from exaplan.truth.serving.questions import Question
from exaplan.truth.serving.running import answers


@dataclass(frozen=True, slots=True)
class Predicted:
    """A quantity [SI], its 80% interval, and the fold that told it ("" = the shipped fit)."""

    value: float
    low: float
    high: float
    fold: str


@cache
def folds() -> Mapping[str, Any]:
    """data/fits/serving_folds.json; {} before any fit."""
    path = files("exaplan").joinpath("data", "fits", "serving_folds.json")
    found: Mapping[str, Any] = json.loads(path.read_text("utf-8"))["folds"] if path.is_file() else {}
    return found


def likeness(model: Model) -> str:
    """What makes models one: their dimensions, whatever they are called and whatever vocabulary they have."""
    blocks = sorted({(op.name, op.n, op.k) for block in model.blocks for op in block.operators})
    return f"{len(model.layers)} {model.hidden} {model.experts} {hash_of(blocks)}"


def hash_of(value: object) -> str:
    """A short name of a value that is the same in every process."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


def fold_of(question: Question, shelf: Catalog) -> str:
    """The strictest fold: without the row's model and its chip, else without its model, else without its chip; "" = the
    shipped fit, which then saw neither."""
    model = likeness(model_of(shelf, question.model))
    for name in (f"{model}|{question.chip}", f"{model}|", f"|{question.chip}"):
        if name in folds():
            return name
    return ""


@lru_cache(maxsize=8192)
def tuning_of(engine: str, architecture: str, weights: str, experts: bool, fold: str) -> ServeTuning:
    """The tuning of a stack from the fit or a fold of it."""
    return serving_fits.tuning(engine, architecture, weights, experts, fold)


def predict(question: Question, shelf: Catalog, fold: str | None = None) -> Mapping[str, Predicted]:
    """Quantity -> prediction; raises Skip where a row cannot be predicted."""
    fold = fold_of(question, shelf) if fold is None else fold
    model = model_of(shelf, question.model)
    try:
        arch = architecture_of(cluster_of(shelf, question.chip, question.chips, question.node))
    except InputError as error:
        raise Skip(error.problem) from error
    tune = tuning_of(question.engine, arch, question.settings.formats.weights, model.experts > 0, fold)
    posed = pose(question, shelf, tune)
    found = answers(posed)
    made = {}
    for name in question.measured:
        value = found[name] * correction(posed, name, found, fold)
        low, high = spread(posed, name, found, fold)
        made[name] = Predicted(value, value * low, value * high, fold)
    return made
