"""Chips as ../shared/data/chips.csv describes them, for tests that reproduce its class columns."""

from __future__ import annotations

import csv
from pathlib import Path
from types import MappingProxyType

from exaplan.nouns import Chip

TABLE = Path(__file__).parents[3] / "shared" / "data" / "chips.csv"
PEAKS = {
    "fp64": "fp64_tf", "fp32": "fp32_tf", "tf32": "tf32_tf", "fp16": "fp16_dense_tf", "bf16": "bf16_dense_tf",
    "fp8": "fp8_dense_tf", "fp4": "fp4_dense_tf", "int8": "int8_dense_tops",
}  # fmt: skip


def rows() -> list[dict[str, str]]:
    """The rows of the table."""
    with TABLE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def chip(row: dict[str, str], name: str = "") -> Chip:
    """A chip of one row; blank cells are unknown."""

    def figure(column: str, size: float) -> float | None:
        return float(row[column]) * size if row[column] else None

    peak = {key: value for key, column in PEAKS.items() if (value := figure(column, 1e12))}
    return Chip(
        name=name or row["chip"],
        vendor=row["vendor"],
        architecture="test",
        peak=MappingProxyType(peak),
        memory=figure("mem_gb", 1e9) or 0.0,
        bandwidth=figure("mem_bw_gbs", 1e9) or 0.0,
        link_bandwidth=None,
        domain=1,
        power=None,
        die_area=figure("die_mm2", 1e-6),
        processors=0,
        release=row["release"],
        applicable_area=figure("applicable_die_mm2", 1e-6),
        io_bandwidth=figure("io_gbs_2022test", 1e9),
        data_center=row["datacenter_marketed"] == "1",
        memory_kind=row["mem_type"],
    )
