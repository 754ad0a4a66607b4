"""Ranges: the 80% interval of a prediction from what predictions of unseen runs missed by.

s = sqrt(sum (sigma_k x_k)^2): each part of a step has its own uncertainty sigma_k (data/fits/ranges.yaml) and takes its
share x_k of the time. The interval is [t exp(-c s), t exp(c s)], with the factor c fitted on the errors of
cross-validation (data/fits/training.yaml), a split-conformal range (Vovk, Gammerman and Shafer 2005; Lei et al. 2018,
doi:10.1080/01621459.2017.1307116).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from exaplan.catalog import fits, tuning
from exaplan.perf.inputs import Job
from exaplan.perf.step import Terms

REFERENCE = "hopper"  # the best measured architecture: what others are less sure than


class Interval(NamedTuple):
    """[low, high] of a figure, same unit."""

    low: float
    high: float


class Doubt(NamedTuple):
    """What is known of a prediction beside its terms: architecture, kernel (attention), lora, blanks (fields chosen by
    rule)."""

    architecture: str
    kernel: str
    lora: bool
    blanks: int


def parts(terms: Terms, job: Job, doubt: Doubt) -> dict[str, float]:
    """x_k: share of the step that each part takes, or 0 or 1 where it concerns the whole step. [1]"""
    total = terms.total if terms.total > 0.0 else 1.0
    matrix = (terms.product + terms.recompute) / total
    attention, passes = terms.attention / total, (terms.vector + terms.optimizer) / total
    comm = (terms.tp + terms.cp + terms.fsdp + terms.contention + terms.dp + terms.transfer) / total
    return {
        "one": 1.0,
        "product": matrix,
        "low": matrix * job.is_low,
        "fine": matrix * job.is_low * (job.low_bytes != 1.0),
        "moe": (matrix + passes) * (job.experts > 0),
        "attention": attention,
        "old": attention * is_old(doubt),
        "vector": passes,
        "comm": comm,
        "ep": terms.ep / total,
        "wait": (terms.bubble + terms.straggle + terms.host + terms.floor) / total,
        "young": float(doubt.architecture in tuning.yaml_data("fits/ranges.yaml")["young"]),
        "unmeasured": kernel_spread(doubt.architecture),
        "lora": float(doubt.lora),
        "blanks": math.sqrt(min(doubt.blanks, 3)),
    }


def is_old(doubt: Doubt) -> bool:
    """Whether attention runs by an older kernel than the one that was measured."""
    return doubt.kernel not in ("", "fused", "unfused") and fits.kernel_share(doubt.architecture, doubt.kernel) < 1.0


def kernel_spread(architecture: str) -> float:
    """How much wider the kernel curves of an architecture are than those of the best measured one. [log ratio]"""
    return max(0.0, fits.matmul(architecture, "bf16").spread - fits.matmul(REFERENCE, "bf16").spread)


def scale(found: Mapping[str, float]) -> float:
    """s = sqrt(sum (sigma_k x_k)^2). [log ratio]"""
    table = tuning.yaml_data("fits/ranges.yaml")["parts"]
    return math.sqrt(sum((float(table[name]["value"]) * value) ** 2 for name, value in found.items()))


def interval(value: float, found: Mapping[str, float], fold: str = "") -> Interval:
    """80% interval of a step time, by the shipped factor or that of a fold. [s]"""
    width = scale(found) * float(tuning.ranges(fold)["factor"])
    return Interval(value * math.exp(-width), value * math.exp(width))


def observed_interval(value: float, same_layout: bool) -> Interval:
    """80% interval after recentring on the asker's own measurement: repeat noise, or how rows of one group differ."""
    record = tuning.ranges()
    width = record["repeat"] if same_layout else record["recentred"]
    return Interval(value * math.exp(-width), value * math.exp(width))


def product(first: Interval, value: float, second: Interval | None, factor: float) -> Interval:
    """Interval of a product of two independent figures: relative half-widths add in quadrature (in logs)."""
    if second is None or min(second.low, factor) <= 0.0:
        return Interval(first.low * factor, first.high * factor)
    down = math.hypot(math.log(value / first.low), math.log(factor / second.low))
    up = math.hypot(math.log(first.high / value), math.log(second.high / factor))
    centre = value * factor
    return Interval(centre * math.exp(-down), centre * math.exp(up))
