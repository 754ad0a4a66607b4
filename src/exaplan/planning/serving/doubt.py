"""How far a prediction may be off: the upper end of each quantity over its expected value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exaplan.case import architecture_of
from exaplan.catalog import serving_fits
from exaplan.planning.serving.copies import Copy

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
    """Quantity -> its 80% interval over what is predicted. [ratio]"""
    formats = copy.settings.formats.weights
    architecture = architecture_of(copy.kind.cluster)
    return serving_fits.ranges(copy.kind.engine.name, architecture, formats, copy.case.model.experts > 0)


def margin_of(copy: Copy, upper: bool) -> Margin:
    """The upper ends of a copy's ranges, or one where promises hold by what is expected."""
    if not upper:
        return EXPECTED
    found = ranges_of(copy)
    ends = {name: found[name][1] for name in ("ttft", "tpot", "latency")}
    return Margin(**ends, slow=1.0 / found["throughput"][0])
