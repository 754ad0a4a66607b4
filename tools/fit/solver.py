"""Regularised robust least squares of log step time over Tuning fields and their effects.

Parameters are logarithms: a base per field, and effects (family, generation, architecture, precision, experts) on some
fields. An effect shifts its field for the rows it applies to, so its derivative is the field's, masked; one pass over
the fields gives the whole Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exaplan.catalog.tuning import SHARES
from exaplan.perf.inputs import Tuning

FIELDS = Tuning._fields
STEP = 1e-3
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """Base value and spread (of the logarithm) of each field; spreads of effects by (kind, field)."""

    value: Mapping[str, float]
    spread: Mapping[str, float]
    effects: Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Design:
    """Which parameter acts on which field and rows. field (p,), mask (p, n), mean (p,), spread (p,), names (p,)."""

    field: NDArray[np.int64]
    mask: NDArray[np.bool_]
    mean: Array
    spread: Array
    names: tuple[tuple[str, str], ...]


def design(prior: Prior, keys: Sequence[Sequence[str]]) -> Design:
    """Parameters for rows whose effects are ``keys`` (names such as family=fsdp)."""
    n = len(keys)
    entries: list[tuple[str, str, NDArray[np.bool_], float, float]] = []
    for field in FIELDS:
        entries.append((field, "base", np.ones(n, bool), np.log(prior.value[field]), prior.spread[field]))
    for (kind, field), spread in prior.effects.items():
        found = sorted({key for row in keys for key in row if key.startswith(kind + "=")})
        for key in found:
            entries.append((field, key, np.array([key in row for row in keys]), 0.0, spread))
    return Design(
        np.array([FIELDS.index(e[0]) for e in entries]),
        np.stack([e[2] for e in entries]),
        np.array([e[3] for e in entries]),
        np.array([e[4] for e in entries]),
        tuple((e[0], e[1]) for e in entries),
    )


def tunings(theta: Array, plan: Design) -> Array:
    """Tuning values (n, fields) of every row."""
    logs = np.zeros((plan.mask.shape[1], len(FIELDS)))
    for value, field, mask in zip(theta, plan.field, plan.mask, strict=True):
        logs[mask, field] += value
    out = np.exp(logs)
    for field in SHARES:
        column = FIELDS.index(field)
        out[:, column] = np.minimum(out[:, column], 1.0)
    return out


def jacobian(values: Array, base: Array, evaluate: Callable[[Array], Array]) -> Array:
    """d log(time) / d log(field) per row (n, fields), by forward differences."""
    out = np.zeros_like(values)
    for column, field in enumerate(FIELDS):
        moved = values.copy()
        moved[:, column] *= 1.0 + STEP
        free = values[:, column] < 1.0 if field in SHARES else np.ones(len(values), bool)
        out[:, column] = np.where(free, (np.log(evaluate(moved)) - base) / np.log1p(STEP), 0.0)
    return out


def solve(
    plan: Design,
    evaluate: Callable[[Array], Array],
    target: Array,
    weight: Array,
    noise: float = 0.08,
    rounds: int = 14,
    start: Array | None = None,
) -> Array:
    """theta that minimises sum weight rho((log t - log target) / noise) + sum ((theta - mean) / spread)^2.

    rho is the soft L1 loss (2 (sqrt(1 + z^2) - 1)) by reweighting; rows of weight 0 take no part.
    """
    theta = plan.mean.copy() if start is None else start.copy()
    for _ in range(rounds):
        values = tunings(theta, plan)
        log = np.log(evaluate(values))
        fields = jacobian(values, log, evaluate)
        jac = fields[:, plan.field] * plan.mask.T
        z = (log - target) / noise
        w = weight / np.sqrt(1.0 + z**2) / noise**2
        normal = (jac * w[:, None]).T @ jac + np.diag(plan.spread**-2)
        slope = jac.T @ (w * (log - target)) + (theta - plan.mean) / plan.spread**2
        step = np.linalg.solve(normal, -slope)
        theta = theta + np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 2e-3:
            break
    return theta
