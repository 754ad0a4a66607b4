"""Ranges: the 80% interval of a prediction from what predictions of unseen runs missed by (data/fits/training.yaml)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from exaplan.catalog import fits, tuning
from exaplan.perf.inputs import Cut, Hardware, Job
from exaplan.perf.step import Terms

MEASURED = ("ampere", "hopper", "blackwell")
EXPOSED = ("tp", "cp", "ep", "fsdp", "dp", "transfer", "bubble", "host", "straggle")


class Interval(NamedTuple):
    """[low, high] of a figure, same unit."""

    low: float
    high: float


def features(
    terms: Terms, cut: Cut, hw: Hardware, job: Job, architecture: str, framework: str, blanks: int
) -> dict[str, float]:
    """What makes a prediction less sure: each feature widens (or narrows) the interval by exp(coefficient x feature)."""
    total = terms.total if terms.total > 0.0 else 1.0
    return {
        "base": 1.0,
        "experts": float(job.experts > 0),
        "low_precision": float(job.is_low),
        "exposed": sum(getattr(terms, name) for name in EXPOSED) / total,
        "attention": terms.attention / total,
        "pipeline": float(cut.pp > 1),
        "unmeasured": float(architecture not in MEASURED),
        "framework": float(not framework),
        "blanks": float(min(blanks, 3)),
    }


def scale(found: Mapping[str, float], coefficients: Mapping[str, float]) -> float:
    """Standardised width of a prediction's error: exp(sum of coefficient x feature). [log ratio]"""
    return math.exp(sum(coefficients.get(name, 0.0) * value for name, value in found.items()))


def kernel_spread(architecture: str) -> float:
    """How much wider the kernel curves of an unmeasured architecture are than those of a measured one. [log ratio]"""
    return max(0.0, fits.matmul(architecture, "bf16").spread - fits.matmul("hopper", "bf16").spread)


def interval(value: float, found: Mapping[str, float], architecture: str, fold: str = "") -> Interval:
    """80% interval of a step time: value exp(-z s), z the quantiles of standardised log errors of unseen runs."""
    record = tuning.ranges(fold)
    width = scale(found, record["scale"])
    extra = kernel_spread(architecture) * 1.2816
    low, high = width * record["high"] + extra, -width * record["low"] + extra
    return Interval(value * math.exp(-max(low, 0.0)), value * math.exp(max(high, 0.0)))


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
