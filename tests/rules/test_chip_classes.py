"""Every class cell of ../shared/data/chips.csv comes out of the rules, or stands in a list of exceptions with why."""

from __future__ import annotations

from dataclasses import replace

import chips_table
import pytest

from exaplan import rules
from exaplan.catalog import load
from exaplan.nouns import Chip, Deal, Verdict

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not chips_table.TABLE.is_file(), reason="the tables of ../shared/data are not beside this checkout"
    ),
]
CATALOG = load()
BOOK = CATALOG.rules
FOREIGN = "a maker that is not at home in China"
# Cells of the table that do not follow from the figures of their own row: (chip, column) -> why.
EXCEPTIONS = {
    (
        "Apple M2 Ultra",
        "tpp",
    ): "the table adds up the FP32 rate of the GPU and the INT8 rate of another unit; class the same",
    ("Apple M3 Ultra", "class_2023_11_17"): "no rate in the row; the table assumes TPP < 4800",
    (
        "NVIDIA Rubin (announced, per package)",
        "class_2022_10_07",
    ): "I/O total blank; the table counts its scale-up link alone",
    ("NVIDIA Jetson AGX Orin 64GB", "letter_2025_04"): "I/O total blank; the table assumes less than 1100 GB/s",
    ("NVIDIA Jetson Thor T5000", "letter_2025_04"): "I/O total blank; the table assumes less than 1100 GB/s",
    ("Tesla FSD chip (HW3)", "letter_2025_04"): "I/O total blank; the table assumes less than 1100 GB/s",
}
# Chips of the catalogue whose names differ from the table's, and those that are not in the catalogue.
NAMES = {
    "NVIDIA P100 SXM2": "p100-sxm",
    "NVIDIA V100 SXM2 32GB": "v100-sxm-32gb",
    "NVIDIA A100 SXM4 80GB": "a100-sxm-80gb",
    "NVIDIA A800 SXM4 80GB": "a800-sxm-80gb",
    "NVIDIA H100 SXM5": "h100-sxm",
    "NVIDIA H800 SXM5": "h800-sxm",
    "NVIDIA RTX 5090 D (v1)": "rtx-5090-d",
    "NVIDIA RTX PRO 6000 Blackwell Workstation": "rtx-pro-6000",
    "NVIDIA RTX PRO 6000 Blackwell Server": "rtx-pro-6000-server",
    "NVIDIA B200 (HGX)": "b200",
    "NVIDIA GB200 (per GPU)": "gb200",
    "NVIDIA B300/GB300 (per GPU)": "gb300",
    "NVIDIA B300 (HGX)": "b300",
    "NVIDIA B30A (reported)": "b30a",
    "NVIDIA Rubin (announced, per package)": "rubin",
    "Biren BR100 (as announced)": "br100",
    "Biren BR104 (as announced)": "br104",
    "Google TPU v7 Ironwood": "tpu-v7",
    "Cerebras WSE-3": "wse-3",
    "Groq LPU v1": "groq-lpu",
    "Apple M2 Ultra": "apple-m2-ultra",
    "Apple M3 Ultra": "apple-m3-ultra",
    "NVIDIA Jetson AGX Orin 64GB": "jetson-agx-orin",
    "NVIDIA Jetson Thor T5000": "jetson-thor",
    "Tesla FSD chip (HW3)": "tesla-fsd-hw3",
}
# Where the catalogue knows more than the row of the table.
CATALOGUE_EXCEPTIONS = {
    ("Apple M3 Ultra", "class_2023_11_17"): "the catalogue has its FP32 rate: TPP 906 is below every line",
}


def _rows() -> list[dict[str, str]]:
    found = chips_table.rows() if chips_table.TABLE.is_file() else []
    return [row for row in found if "SYSTEM" not in row["chip"] and "RACK" not in row["chip"]]


def _check(chip: Chip, on: str, to: str = "CN") -> Verdict:
    return rules.check(chip, Deal(to, on), BOOK)


def _letter(chip: Chip) -> bool | None:
    """Whether the test of the letters of 2025 holds, read for every maker (as the column is)."""
    verdict = _check(replace(chip, vendor=FOREIGN), "2025-04-09")
    return next(clause.holds for clause in verdict.clauses if clause.rule == "letters-2025")


def _review(chip: Chip) -> str:
    """The policy of the review on 2026-01-15, as the column words it."""
    verdict = _check(chip, "2026-01-15")
    if BOOK.maker_country(chip.vendor) == "CN":
        return "n/a (Entity List / GP10)"
    reviews = (clause.effect for clause in verdict.clauses if clause.holds)
    return next((effect.removeprefix("review: ") for effect in reviews if effect.startswith("review: ")), "")


def _computed(chip: Chip, row: dict[str, str]) -> dict[str, str]:
    """The four class columns of a chip; blank cells of the table are not compared, but for the review."""
    out = {
        "class_2022_10_07": _check(chip, "2022-10-07").class_name,
        "class_2023_11_17": _check(chip, "2023-11-17").class_name,
        "letter_2025_04": {True: "licence", False: "no", None: "unknown"}[_letter(chip)],
        "review_2026_01_15": _review(chip),
    }
    return {key: value for key, value in out.items() if row[key] or key == "review_2026_01_15"}


def _differing(chip: Chip, row: dict[str, str]) -> set[str]:
    return {key for key, value in _computed(chip, row).items() if value != row[key]}


def _catalogue_name(row: dict[str, str]) -> str | None:
    return CATALOG.chips.resolve(NAMES.get(row["chip"], row["chip"])) or CATALOG.chips.resolve(
        row["chip"].removeprefix(row["vendor"]).strip()
    )


def test_the_table_has_its_seventy_rows() -> None:
    """The cells below are those of the whole table: 64 chips and 6 systems."""
    assert (len(_rows()), len(chips_table.rows())) == (64, 70)


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row["chip"])
def test_every_class_cell_of_a_row_follows_from_its_figures(row: dict[str, str]) -> None:
    """The class of 2022 and 2023, the letters of 2025 and the review of 2026 come out as the table has them."""
    excepted = {column for name, column in EXCEPTIONS if name == row["chip"]} - {"tpp"}
    assert _differing(chips_table.chip(row), row) == excepted


@pytest.mark.parametrize(
    "row",
    [row for row in _rows() if row["tpp"] and (row["chip"], "tpp") not in EXCEPTIONS],
    ids=lambda row: row["chip"],
)
def test_total_processing_performance_is_that_of_the_table(row: dict[str, str]) -> None:
    """TPP within 0.1% (the table rounds peaks), PD within 1%, or an exception with a reason."""
    chip = chips_table.chip(row)
    assert rules.tpp(chip)[0] == pytest.approx(float(row["tpp"]), rel=1e-3)
    if row["pd"]:
        assert rules.facts(chip).pd == pytest.approx(float(row["pd"]), rel=1e-2)


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row["chip"])
def test_every_class_cell_comes_out_of_the_chip_of_the_catalogue(row: dict[str, str]) -> None:
    """The chip of the catalogue gives the same four cells as its row."""
    name = _catalogue_name(row)
    assert name, f"no chip of the catalogue is called {row['chip']}"
    excepted = {column for chip, column in CATALOGUE_EXCEPTIONS if chip == row["chip"]}
    assert _differing(CATALOG.chips[name], row) == excepted


def test_only_data_centre_chips_at_4800_fall_on_23_october_2023() -> None:
    """On the early date exactly {data-centre, TPP >= 4800} is hit, and L40 and RTX 4090 are not."""
    chips = {row["chip"]: chips_table.chip(row) for row in _rows()}
    foreign = {name: chip for name, chip in chips.items() if BOOK.maker_country(chip.vendor) != "CN"}
    hit = {name for name, chip in foreign.items() if _early(chip)}
    expected = {n for n, c in foreign.items() if c.data_center and (rules.tpp(c)[0] or 0) >= 4800}
    assert hit == expected
    assert {"NVIDIA A800 SXM4 80GB", "NVIDIA H800 SXM5", "NVIDIA L40S"} <= hit
    assert not hit & {"NVIDIA L40", "NVIDIA RTX 4090", "NVIDIA H20"}


def _early(chip: Chip) -> bool:
    """Whether the early date makes the difference between 22 and 23 October 2023 (a clause of its own holds)."""
    before, after = _check(chip, "2023-10-22"), _check(chip, "2023-10-23")
    assert not any(clause.rule == "early-date-2023" for clause in before.clauses)
    return any(
        clause.rule == "early-date-2023" and clause.clause == "at once" and clause.holds for clause in after.clauses
    )
