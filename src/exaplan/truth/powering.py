"""Predicted power of a measured row: the step by the fit that never saw its publisher, the node by the coefficients
that never saw its submitter.

P = P_rest + busy (P_step - P_rest), busy = min(1, steps (1 + evaluation) t_step / duration): a timed run also starts
up, waits and evaluates. The duration is the row's own; power is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from exaplan import case as cases
from exaplan.case import Case
from exaplan.catalog import Catalog, tuning
from exaplan.catalog.cooling import cooling
from exaplan.errors import InputError
from exaplan.nouns import Layout
from exaplan.perf.memory import total_memory
from exaplan.perf.power import PowerFit, Watts, step_power, wall_power
from exaplan.perf.step import Terms, step_memory, step_terms
from exaplan.truth.metering import Metered
from exaplan.truth.predict import Predicted, cluster_of
from exaplan.truth.rows import Question, Skip

LARGEST = 64  # micro-batch that is tried first for a model whose batch is unknown [sequences]


@dataclass(frozen=True)
class Ran:
    """What a measured run did: its step [s by term], the machine's ratings, and the share of the time that it
    worked."""

    terms: Terms
    watts: Watts
    busy: float


def record() -> Mapping[str, Any]:
    """data/fits/power.yaml as it stands."""
    found: Mapping[str, Any] = tuning.yaml_data("fits/power.yaml")
    return found


def ran(item: Metered, shelf: Catalog, fold: str, evaluation: float) -> Ran:
    """The step and the machine of a row; ``fold`` names the training fit, ``evaluation`` adds to the work of a run."""
    terms, watts = _step(item.work, shelf, fold)
    if item.steps is None:
        return Ran(terms, watts, 1.0)
    return Ran(terms, watts, min(1.0, (1.0 + evaluation) * item.steps * terms.total / item.duration))


@lru_cache(maxsize=64)
def _step(work: Question, shelf: Catalog, fold: str) -> tuple[Terms, Watts]:
    case, layout = _posed(work, shelf, fold)
    cut, job = cases.cut(layout, work.graphs), cases.job(case, layout)
    terms = step_terms(*case.packed, cut, case.hardware, job, case.tuning)
    return terms, cases.watts(case.cluster)._replace(pue=1.0)


def _posed(work: Question, shelf: Catalog, fold: str) -> tuple[Case, Layout]:
    """The case of a row; where its batch is unknown, the largest micro-batch of a power of two that fits."""
    cluster = cluster_of(work, shelf)
    arch, training = cluster.chip.architecture, work.training
    tune = tuning.tuning(arch, training.framework, training.precision, False, fold)
    try:
        if work.task.startswith("lora"):
            return cases.make(work.model, training, cluster, tune, dropout=work.dropout), work.layout
        micro = LARGEST
        while True:
            layout = replace(work.layout, micro_batch=micro)
            asked = replace(training, global_batch=micro * layout.dp)
            case = cases.make(work.model, asked, cluster, tune, dropout=work.dropout)
            if micro == 1 or _fits(case, layout):
                return case, layout
            micro //= 2
    except InputError as error:
        raise Skip(error.problem) from error


def _fits(case: Case, layout: Layout) -> bool:
    """Whether a layout fits the chip's memory."""
    cut, job = cases.cut(layout), cases.job(case, layout)
    need = step_memory(*case.packed, case.model.vocab, cut, case.hardware, job, case.tuning)
    return float(total_memory(need)) <= case.hardware.memory


def average(run: Ran, fit: PowerFit, host: float, supply: float) -> float:
    """Average power of a run per chip. [W] behind the power supplies where ``supply`` is 1, else at the node's
    input."""
    watts = run.watts._replace(fit=fit, host=host, supply=supply)
    rest = wall_power(watts.tdp * fit.waiting, watts)
    return rest + run.busy * (step_power(run.terms, watts) - rest)


def node_of(submitter: str) -> Mapping[str, float]:
    """Coefficients of a node: those of the fold that never saw a submitter's machines, else the shipped ones."""
    found = record()
    return {**found["node"], **found["folds"].get(submitter, {})}


def width_of(group: str) -> float:
    """Log half-width of the 80% interval: that of the fold without a group, else the shipped one. [1]"""
    ranges = record()["ranges"]
    return float(ranges["groups"].get(group, ranges["whole"]))


def predict_power(item: Metered, shelf: Catalog, fold: str) -> Predicted:
    """Average power of a row per chip and its 80% interval. [W]"""
    found, node = record(), node_of(item.submitter)
    fit = PowerFit(**{name: float(value) for name, value in found["coefficients"].items()})
    run = ran(item, shelf, fold, float(found["run"]["evaluation"]))
    if run.watts.known == 0:
        raise Skip(f"neither the power of {item.work.chip} nor that of its node is known")
    host, supply = float(node[cooling(item.machine)]), 1.0 if item.direct else float(node["supply"])
    value, width = average(run, fit, host, supply), math.exp(width_of(item.group))
    return Predicted(value, value / width, value * width)
