"""Deals about chips of the catalogue and about made ones, for tests of the rules."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from exaplan import rules
from exaplan.catalog import load
from exaplan.nouns import Chip, Deal, Verdict

CATALOG = load()
BOOK = CATALOG.rules


def verdict(name: str, on: str, to: str = "CN", **deal: object) -> Verdict:
    """The verdict on a chip of the catalogue."""
    return rules.check(CATALOG.chip(name), Deal(to, on, **deal), BOOK)  # type: ignore[arg-type]


def made(tpp: float, area: float | None = 800.0, **facts: object) -> Chip:
    """A chip of one INT8 rate: TPP [1], applicable area [mm2]."""
    chip = Chip(
        name="made", vendor="NVIDIA", architecture="test", peak=MappingProxyType({"int8": tpp / 8 * 1e12}), memory=1e9,
        bandwidth=1e11, link_bandwidth=None, domain=1, power=None, die_area=None, processors=0, release="2020",
        applicable_area=None if area is None else area * 1e-6, io_bandwidth=1e11, data_center=True,
    )  # fmt: skip
    return replace(chip, **facts)  # type: ignore[arg-type]
