"""The quantities that the tests of the rules look at, out of the facts of a chip.

Total processing performance (Technical Notes to ECCN 3A090, as quoted in `ear-tpp-notes`):

    TPP = max over number formats of  dense operations per second x bit length / 1e12   [1]

A published peak counts a multiplication and an addition as two operations, so TPP = 2 x MacTOPS x bits. Dense, the
maximum over formats, summed over the dies of the package.

    PD = TPP / applicable die area   [1/mm2]

The applicable area holds every logic die made with non-planar transistors; a planar chip has none, and no PD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from exaplan.nouns import Chip

BITS: Mapping[str, int] = {
    "fp64": 64, "fp32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "fp6": 6, "fp4": 4, "int4": 4,
}  # fmt: skip
TF32_BITS = 32  # the longer of two readings (19 or 32 bit); no text that was read settles it, so it is left out of TPP
SRAM = "sram"
MEMORY = "memory"  # the architecture of a chip file that describes a memory stack


@dataclass(frozen=True)
class Facts:
    """What the tests see of a chip; None = unknown.

    tpp [1] with the format that gives it, area [mm2, applicable], pd [1/mm2; 0 for a planar chip], io and dram [GB/s],
    density [GB/s per mm2 of a memory package]. open_tpp [1]: what TPP would be if an unsettled question were answered
    the other way (`open_question`).
    """

    chip: str
    vendor: str
    tpp: float | None
    format: str
    area: float | None
    pd: float | None
    io: float | None
    dram: float | None
    density: float | None
    data_center: bool | None
    planar: bool | None
    memory_package: bool
    open_tpp: float | None
    open_question: str


def tpp(chip: Chip) -> tuple[float | None, str]:
    """Total processing performance [1] and the number format that gives it; None without a peak rate."""
    rated = {name: peak * BITS[name] / 1e12 for name, peak in chip.peak.items() if name in BITS}
    if not rated:
        return None, ""
    best = max(rated, key=lambda name: rated[name])
    return round(rated[best], 6), best


@lru_cache(maxsize=4096)
def facts(chip: Chip) -> Facts:
    """The facts of a chip as the rules count them; cached, since a chip is asked about for many days."""
    value, name = tpp(chip)
    area = None if chip.applicable_area is None else chip.applicable_area * 1e6
    memory_package = chip.architecture == MEMORY
    found, question = _open(chip, value)
    return Facts(
        chip=chip.name,
        vendor=chip.vendor,
        tpp=0.0 if memory_package else value,
        format=name,
        area=area,
        pd=_density(value, area),
        io=None if chip.io_bandwidth is None else round(chip.io_bandwidth / 1e9, 6),
        dram=_dram(chip),
        density=_memory_density(chip) if memory_package else 0.0,
        data_center=chip.data_center,
        planar=None if area is None else area == 0,
        memory_package=memory_package,
        open_tpp=found,
        open_question=question,
    )


def _density(value: float | None, area: float | None) -> float | None:
    """PD [1/mm2]; a planar chip has none, and no test of PD holds for it."""
    if area == 0:
        return 0.0
    return None if value is None or area is None else value / area


def _dram(chip: Chip) -> float | None:
    """Bandwidth to DRAM [GB/s]; memory on the chip (SRAM) does not count."""
    if SRAM in str(getattr(chip, "memory_kind", "")).lower():
        return 0.0
    return round(chip.bandwidth / 1e9, 6) if chip.bandwidth else None


def _memory_density(chip: Chip) -> float | None:
    return chip.bandwidth / 1e9 / (chip.die_area * 1e6) if chip.die_area else None


def _open(chip: Chip, value: float | None) -> tuple[float | None, str]:
    """What TPP would be under the open questions, where that is more: TF32 as 32 bit, FP6 at the rate of FP4."""
    if value is None:
        return None, ""
    readings = {
        "TF32 counts as 32 bit": chip.peak.get("tf32", 0.0) * TF32_BITS / 1e12,
        "FP6 runs at the rate of FP4": chip.peak.get("fp4", 0.0) * BITS["fp6"] / 1e12,
    }
    best = max(readings, key=lambda name: readings[name])
    return (readings[best], best) if readings[best] > value * 1.005 else (None, "")
