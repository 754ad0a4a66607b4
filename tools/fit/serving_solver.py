"""Regularised robust least squares of log times and rates over the tuning of serving engines and its effects.

Parameters are logarithms: a base per field, and effects on some fields; an effect's derivative is the field's, masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from serving_priors import EFFECTS, base

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
    plain = ServeTuning()._asdict()
    entries = []
    for field in FIELDS:
        value, spread = base(field, plain[field])
        entries.append((field, "base", np.ones(n, bool), float(np.log(value)), spread))
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
    """Observations: row (m,), column (m,), target log (m,), level (m,) = log of simulated over mean-field, group (m,) =
    rows that were measured alike, weight (m,), noise (m,) of the logarithm inside a group, between (m,) groups."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    target: Array
    level: Array
    group: NDArray[np.int64]
    weight: Array
    noise: Array
    between: Array


ALIKE = 12.0  # rows of a group that count as independent at most


def predicted(theta: Array, plan: Design, evaluate: Callable[[Array], Array], seen: Seen) -> Array:
    """Log predictions (m,)."""
    log = np.log(evaluate(tunings(theta, plan)))
    return np.asarray(log[seen.row, seen.column] + seen.level)


def split(values: Array, seen: Seen, kept: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """(means by group (g, ...), departures from them (m, ...), rows by group (g,)), of the kept rows."""
    count = np.bincount(seen.group[kept], minlength=seen.group.max() + 1).astype(float)
    sums = np.zeros((len(count), *values.shape[1:]))
    np.add.at(sums, seen.group[kept], values[kept])
    mean = sums / np.maximum(count, 1.0).reshape(-1, *([1] * (values.ndim - 1)))
    return mean, values - mean[seen.group], count


def solve(
    plan: Design,
    evaluate: Callable[[Array], Array],
    seen: Seen,
    kept: NDArray[np.bool_],
    start: Array | None = None,
    rounds: int = 10,
) -> Array:
    """theta of least squares with priors, groups and robust weights, from the kept rows.

    A group errs as a whole with a spread of its own (``between``): its mean counts once, with Cauchy's loss (a group
    that was measured in another way must not bend the rest); departures from the mean count up to ``ALIKE`` rows, with
    soft L1.
    """
    theta = plan.mean.copy() if start is None else start.copy()
    kept = kept & (seen.weight > 0.0)
    first = np.zeros(seen.group.max() + 1, dtype=np.int64)
    first[seen.group] = np.arange(len(seen.group))
    for _ in range(rounds):
        values = tunings(theta, plan)
        log = np.log(evaluate(values))
        fields = jacobian(values, log, evaluate)
        jac = fields[seen.row, seen.column][:, plan.field] * plan.mask[:, seen.row].T
        gap = log[seen.row, seen.column] + seen.level - seen.target
        gap_mean, gap_in, count = split(gap, seen, kept)
        jac_mean, jac_in, _ = split(jac, seen, kept)
        share = np.minimum(1.0, ALIKE / np.maximum(count, 1.0))[seen.group]
        inside = np.where(kept, seen.weight * share / np.sqrt(1.0 + (gap_in / seen.noise) ** 2) / seen.noise**2, 0.0)
        spread2 = seen.between[first] ** 2 + seen.noise[first] ** 2 / np.maximum(count, 1.0)
        whole = np.where(count > 0, seen.weight[first] / (spread2 * (1.0 + gap_mean**2 / spread2 / 4.0)), 0.0)
        normal = (jac_in * inside[:, None]).T @ jac_in + (jac_mean * whole[:, None]).T @ jac_mean
        slope = jac_in.T @ (inside * gap_in) + jac_mean.T @ (whole * gap_mean)
        normal += np.diag(plan.spread**-2)
        slope += (theta - plan.mean) / plan.spread**2
        move = np.linalg.solve(normal, -slope)
        theta = theta + np.clip(move, -0.5, 0.5)
        if np.abs(move).max() < 1e-2:
            break
    return theta
