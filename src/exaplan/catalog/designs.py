"""Chips of one's own (data/designs/*.yaml): what designing and making them takes, every figure with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from exaplan.catalog.hardware import FORMATS
from exaplan.catalog.sheet import Bound, Sheet
from exaplan.nouns import Figure

ONCE = ("design", "masks", "software", "tools")
UNIT = ("wafer", "memory", "packaging", "test", "board")
MONEY = Bound("money", 0.0, 1e12)
SHARE = Bound("ratio", 0.0, 1.0)
DESIGN = {
    "peak": Bound("rate", 1e9, 1e18, " (dense, not sparse)"),
    "die_area": Bound("area", 1e-6, 8.58e-4 * 60, " (a reticle holds 858 mm2)"),
    "dies": Bound("count", 1, 64),
    "wafer_area": Bound("area", 1e-3, 0.2),
    "defects": Bound("ratio", 0.0, 1e5, " per m2 (0.1 per cm2 = 1000)"),
    "clustering": Bound("ratio", 0.5, 100.0),
    "salvage": SHARE,
    "package_yield": Bound("ratio", 0.05, 1.0),
    "margin": Bound("ratio", 0.0, 20.0),
    **{f"once.{name}": MONEY for name in ONCE},
    **{f"unit.{name}": MONEY for name in UNIT},
}
PLAIN = ("name", "title", "aliases", "replaces", "note", "process", "chip", "rival", "measure", "source")


@dataclass(frozen=True)
class Design:
    """A chip of one's own and what making it takes.

    process: name of the manufacturing process; source: of the chip itself. chip: its name in the catalogue ("" = only a
    design); rival: the chip for sale that it stands against; measure: number format by whose dense peak work is
    compared. figures: peak [FLOP/s], die_area [m2], dies [per package], wafer_area [m2], defects [1/m2], clustering
    [1], salvage [share of defective dies that are sold cut down], package_yield, margin [of partners over the unit
    cost], once.* [USD] (design, masks, software, tools), unit.wafer [USD per wafer], unit.memory, packaging, test,
    board [USD per chip].
    """

    name: str
    title: str = ""
    process: str = ""
    chip: str = ""
    rival: str = ""
    measure: str = "bf16"
    note: str = ""
    source: str = ""
    aliases: tuple[str, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=lambda: MappingProxyType({}), repr=False, hash=False)


def design(sheet: Sheet) -> Design:
    """A Design out of its file; every figure of `DESIGN` is required."""
    sheet.allow((*PLAIN, "once", "unit", *(name for name in DESIGN if "." not in name)))
    for part, names in (("once", ONCE), ("unit", UNIT)):
        if part not in sheet.body:
            sheet.fail(f"the field `{part}` is missing", f"give {', '.join(names)} below it", part)
        sheet.allow(names, part)
    measure = sheet.text("measure", "bf16")
    if measure not in FORMATS:
        sheet.fail(f"`{measure}` is not a number format", "formats: " + ", ".join(FORMATS), "measure")
    figures = {name: sheet.figure(bound, *name.split("."), required=True) for name, bound in DESIGN.items()}
    return Design(
        name=sheet.text("name"),
        title=sheet.text("title", ""),
        process=sheet.text("process"),
        chip=sheet.text("chip", ""),
        rival=sheet.text("rival"),
        measure=measure,
        note=sheet.text("note", ""),
        source=sheet.cite(sheet.body.get("source"), "source"),
        aliases=sheet.texts("aliases"),
        figures=MappingProxyType({name: figure for name, figure in figures.items() if figure}),
    )
