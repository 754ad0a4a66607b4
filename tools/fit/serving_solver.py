"""Regularised robust least squares of log times and rates over the tuning of serving engines and its effects.

Parameters are logarithms: a base per field, and effects on some fields; an effect's derivative is the field's, masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from serving_priors import BASE, EFFECTS

from exaplan.perf.serving.inputs import ServeTuning

FIELDS = ServeTuning._fields
SHARES = ("overlap",)
STEP = 1e-3
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Which parameter acts on which field and rows. field (p,), mask (p, n), mean (p,), spread (p,), names (p,)."""

    field: NDArray[np.int64]
    mask: NDArray[np.bool_]
    mean: Array
    spread: Array
    names: tuple[tuple[str, str], ...]


def design(keys: Sequence[Sequence[str]], scale: float = 1.0) -> Design:
    """Parameters for rows whose effects are ``keys``; ``scale`` widens all spreads of effects."""
    n = len(keys)
    entries = [(field, "base", np.ones(n, bool), np.log(BASE[field][0]), BASE[field][1]) for field in FIELDS]
    for (kind, field), spread in EFFECTS.items():
        for key in sorted({key for row in keys for key in row if key.startswith(kind + "=")}):
            entries.append((field, key, np.array([key in row for row in keys]), 0.0, spread * scale))
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
        out[:, FIELDS.index(field)] = np.minimum(out[:, FIELDS.index(field)], 1.0)
    return out


def jacobian(values: Array, base: Array, evaluate: Callable[[Array], Array]) -> Array:
    """d log(quantity) / d log(field) (n, 2, fields), by forward differences."""
    out = np.zeros((*base.shape, len(FIELDS)))
    for column, field in enumerate(FIELDS):
        moved = values.copy()
        moved[:, column] *= 1.0 + STEP
        free = values[:, column] < 1.0 if field in SHARES else np.ones(len(values), bool)
        out[:, :, column] = np.where(free[:, None], (np.log(evaluate(moved)) - base) / np.log1p(STEP), 0.0)
    return out


@dataclass(frozen=True)
class Seen:
    """Observations: row (m,), column (m,), target log (m,), level (m,) = log of simulated over mean-field, weight (m,),
    noise (m,) of the logarithm."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    target: Array
    level: Array
    weight: Array
    noise: Array


def predicted(theta: Array, plan: Design, evaluate: Callable[[Array], Array], seen: Seen) -> Array:
    """Log predictions (m,)."""
    log = np.log(evaluate(tunings(theta, plan)))
    return np.asarray(log[seen.row, seen.column] + seen.level)


def solve(
    plan: Design,
    evaluate: Callable[[Array], Array],
    seen: Seen,
    weight: Array,
    start: Array | None = None,
    rounds: int = 10,
    slopes: Array | None = None,
) -> Array:
    """theta that minimises sum weight rho((log t - target) / noise) + sum ((theta - mean) / spread)^2, rho = soft L1.

    slopes: derivatives (n, 2, fields) to keep through all rounds (for folds near ``start``).
    """
    theta = plan.mean.copy() if start is None else start.copy()
    kept = weight > 0.0
    for _ in range(rounds):
        values = tunings(theta, plan)
        log = np.log(evaluate(values))
        fields = slopes if slopes is not None else jacobian(values, log, evaluate)
        jac = fields[seen.row, seen.column][:, plan.field] * plan.mask[:, seen.row].T
        gap = log[seen.row, seen.column] + seen.level - seen.target
        w = np.where(kept, weight / np.sqrt(1.0 + (gap / seen.noise) ** 2) / seen.noise**2, 0.0)
        normal = (jac * w[:, None]).T @ jac + np.diag(plan.spread**-2)
        slope = jac.T @ (w * gap) + (theta - plan.mean) / plan.spread**2
        move = np.linalg.solve(normal, -slope)
        theta = theta + np.clip(move, -0.5, 0.5)
        if np.abs(move).max() < 5e-3:
            break
    return theta
