"""The picture of docs/method/export-rules.md: all chips of the catalogue under the rules of one day, as an SVG.

python docs/pictures/law.py        writes docs/pictures/law.svg (needs the extra `report`)
"""

from __future__ import annotations

from pathlib import Path

from exaplan.catalog import load
from exaplan.nouns import Deal
from exaplan.report.law import chips_report
from exaplan.rules import check, thresholds

FOLDER = Path(__file__).resolve().parent
DEAL = Deal("CN", "2023-11-17")


def draw() -> bytes:
    """Total processing performance against performance density, with the classes of the day behind."""
    catalog = load()
    verdicts = {name: check(chip, DEAL, catalog.rules) for name, chip in catalog.chips.items()}
    return chips_report(verdicts, thresholds(DEAL, catalog.rules), ".svg", catalog)


if __name__ == "__main__":
    (FOLDER / "law.svg").write_bytes(draw())
