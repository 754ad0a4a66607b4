"""How far a prediction may be off: the upper end of each quantity over its expected value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from exaplan.answers.serving import Simulated
from exaplan.case import architecture_of
from exaplan.catalog import serving_fits
from exaplan.planning.serving.copies import Copy

SHOWN = ("mean", "p50", "p90", "p95", "p99", "largest")
QUANTITIES = ("ttft", "tpot", "latency", "throughput")


@dataclass(frozen=True)
class Margin:
    """What is held against a promise over what is expected: of ttft, tpot, latency; slow: of the time of an iteration,
    by which what a copy can answer may be less. [ratio]"""

    ttft: float = 1.0
    tpot: float = 1.0
    latency: float = 1.0
    slow: float = 1.0

    def of(self, name: str) -> float:
        """Of a quantity."""
        return float(getattr(self, name))


EXPECTED = Margin()


def ranges_of(copy: Copy) -> Mapping[str, tuple[float, float]]:
    """Quantity -> its 80% interval over what is expected. [ratio]"""
    found = dict(serving_fits.ranges(*stack_of(copy)))
    low, high = found["ttft"]
    return found | {"ttft": (low / centre_of(copy), high / centre_of(copy))}


def stack_of(copy: Copy) -> tuple[str, str, str, bool]:
    """(engine, architecture, format of the weights, mixture of experts): what fits are looked up by."""
    architecture = architecture_of(copy.kind.cluster)
    return copy.kind.engine.name, architecture, copy.settings.formats.weights, copy.case.model.experts > 0


def centre_of(copy: Copy) -> float:
    """The expected TTFT over the simulated one. [ratio]"""
    return serving_fits.centre(*stack_of(copy))


def centred(run: Simulated, centre: float) -> Simulated:
    """A run whose TTFT is what published runs make of the simulated one; latencies grow by as much."""
    if centre == 1.0:
        return run
    added = {name: (centre - 1.0) * getattr(run.ttft, name) for name in SHOWN}
    latency = replace(run.latency, **{name: getattr(run.latency, name) + added[name] for name in SHOWN})
    error = {name: centre * value for name, value in run.ttft.error.items()}
    ttft = replace(run.ttft, error=error, **{name: centre * getattr(run.ttft, name) for name in SHOWN})
    return replace(run, ttft=ttft, latency=latency)


def margin_of(copy: Copy, upper: bool) -> Margin:
    """The upper ends of a copy's ranges, or one where promises hold by what is expected."""
    if not upper:
        return EXPECTED
    found = ranges_of(copy)
    ends = {name: found[name][1] for name in ("ttft", "tpot", "latency")}
    return Margin(**ends, slow=1.0 / found["throughput"][0])
