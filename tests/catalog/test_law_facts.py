"""What export rules look at: performance, applicable area, input and output, marketing, the chip that was cut down."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from exaplan.catalog import load
from exaplan.errors import InputError
from exaplan.nouns import Chip

from .written import MINE, write

CATALOG = load()
BITS = {"fp64": 64, "fp32": 32, "tf32": 19, "fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "fp6": 6, "fp4": 4, "int4": 4}
TABLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "chips.csv"

# (TPP, applicable area [mm2; None = unknown], I/O of 2022 [GB/s], for data centres) as chips.csv of the brief has them
FACTS = {
    "p100-sxm": (339, 610, 192, True),
    "v100-sxm-32gb": (2000, 815, 332, True),
    "a100-sxm-80gb": (4992, 826, 664, True),
    "a800-sxm-80gb": (4992, 826, 464, True),
    "a30": (2640, 826, 264, True),
    "h100-sxm": (15831, 814, 1028, True),
    "h800-sxm": (15831, 814, 528, True),
    "h20": (2368, 814, 1028, True),
    "l40": (2896, 608.5, 64, True),
    "l20": (1914, 608.5, 64, True),
    "l2": (1544, 294.5, 64, True),
    "a40": (2395, 628, 176, True),
    "rtx-4090": (5285, 608.5, 64, False),
    "rtx-4090-d": (4707, 608.5, 64, False),
    "rtx-5090": (6707, 750, 128, False),
    "b200": (36000, 1600, 2056, True),
    "gb300": (60000, 1600, 2056, True),
    "b300": (56000, 1628, 2056, True),
    "b30a": (30000, 800, 1028, True),
    "rubin": (140000, None, 3600, True),
    "mi210": (2899, 724, 364, True),
    "mi300x": (20919, 2400, 1024, True),
    "mi355x": (40266, None, 1200, True),
    "ascend-910b": (6016, 665.61, 424, True),
    "mtt-s4000": (1600, None, 368, True),
    "tpu-v4": (4400, 600, 632, True),
    "groq-lpu": (6000, 725, 544, True),
    "jetson-agx-orin": (1104, None, 98.5, False),
    "tesla-fsd-hw3": (590, 260, 20, False),
}
# rows whose performance differs from the table's, and why: no class depends on it
DIFFERENT = {
    "rtx-pro-6000-server": "disputed, 7,680 to 8,000; ours are the rates that the measured kernels were fitted with",
    "trainium2": "the table leaves TF32 out, whose length in bits no text that was read settles",
    "inferentia2": "as trainium2",
    "apple-m2-ultra": "the table adds the Neural Engine to the GPU; both are below 1,600",
    "apple-m3-ultra": "the table has no figure; ours is an estimate",
}


# cells of input and output that the table leaves blank: a bound or a wide estimate, where no threshold is near
ESTIMATED = {"rubin", "tpu-v3", "apple-m2-ultra", "apple-m3-ultra", "jetson-agx-orin", "jetson-thor", "tesla-fsd-hw3"}


def performance(chip: Chip) -> float:
    """Largest dense rate [TFLOP/s] x bits."""
    return max(rate / 1e12 * BITS[name] for name, rate in chip.peak.items())


@pytest.mark.parametrize("name", FACTS)
def test_the_facts_of_a_chip_are_those_of_the_table(name: str) -> None:
    """Rate x bits within 0.5%; area, input and output and marketing exactly; unknown stays unknown."""
    tpp, area, io, center = FACTS[name]
    chip = CATALOG.chips[name]
    assert performance(chip) == pytest.approx(tpp, rel=0.005)
    assert chip.applicable_area == (None if area is None else pytest.approx(area * 1e-6))
    assert chip.io_bandwidth == (None if io is None else pytest.approx(io * 1e9))
    assert chip.data_center is center


@pytest.mark.skipif(not TABLE.is_file(), reason="the brief's data lie beside the repository")
def test_every_row_of_the_table_is_found_and_agrees() -> None:
    """All 64 chips of the brief by the name that it gives them; what differs is named with its reason."""
    rows = [
        row
        for row in csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines())
        if row["chip"].split()[-1] not in ("SYSTEM", "RACK")
    ]
    assert len(rows) == 64
    for row in rows:
        chip = CATALOG.chips.find(row["chip"])
        exact = row["tpp"] and performance(chip) == pytest.approx(float(row["tpp"]), rel=0.005)
        assert bool(exact) != (chip.name in DIFFERENT), chip.name
        area, io = (float(row[column]) if row[column] else None for column in ("applicable_die_mm2", "io_gbs_2022test"))
        assert chip.applicable_area == (None if area is None else pytest.approx(area * 1e-6)), chip.name
        assert (io is None and chip.io_bandwidth is not None) == (chip.name in ESTIMATED), chip.name
        assert io is None or chip.io_bandwidth == pytest.approx(io * 1e9), chip.name
        assert chip.data_center == (row["datacenter_marketed"] == "1"), chip.name


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("NVIDIA DGX-1 (8xP100) SYSTEM", "dgx-1-p100"),
        ("NVIDIA DGX-1V (8xV100) SYSTEM", "dgx-1-v100-16gb"),
        ("NVIDIA DGX A100 (8x40GB) SYSTEM", "dgx-a100-40gb"),
        ("NVIDIA DGX H100 SYSTEM", "hgx-h100"),
        ("NVIDIA DGX B300 SYSTEM", "hgx-b300"),
        ("NVIDIA GB200 NVL72 RACK", "gb200-nvl72"),
    ],
)
def test_the_systems_of_the_table_are_nodes_with_power_and_price(spelling: str, name: str) -> None:
    """A system of the brief is a node here: found by the name that it has there, with what it draws and costs."""
    node = CATALOG.nodes.find(spelling)
    assert node.name == name and node.power and node.price


def test_every_chip_says_what_it_is_marketed_for() -> None:
    """Marketing decides between two classes, so no chip of the catalogue leaves it open; each answer has a source."""
    for name, chip in CATALOG.chips.items():
        assert chip.data_center is not None, name
        assert chip.figures["data_center"].value == float(chip.data_center), name
        assert chip.figures["applicable_area"].source, name
        assert chip.memory_kind and chip.figures["memory_kind"].note.startswith(chip.memory_kind), name


def test_memory_on_the_chip_is_not_dram() -> None:
    """Bandwidth rules count DRAM: parts that live on SRAM say so."""
    assert {name for name, chip in CATALOG.chips.items() if chip.memory_kind == "SRAM"} == {
        "groq-lpu",
        "wse-3",
        "dojo-d1",
    }
    assert CATALOG.chips["h20"].memory_kind == "HBM3" and CATALOG.chips["rtx-4090"].memory_kind == "GDDR6X"


PARENTS = {
    "a800-sxm-80gb": "a100-sxm-80gb",
    "a800-pcie-80gb": "a100-pcie-80gb",
    "h800-sxm": "h100-sxm",
    "h800-pcie": "h100-pcie",
    "h20": "h100-sxm",
    "l20": "l40",
    "l2": "l4",
    "rtx-4090-d": "rtx-4090",
    "rtx-5090-d": "rtx-5090",
    "rtx-5090-d-v2": "rtx-5090",
    "b30a": "b300",
}


def test_a_cut_chip_names_its_parent() -> None:
    """Exactly these are cut down, each from a chip of the same architecture that is nowhere slower."""
    assert {name: chip.parent for name, chip in CATALOG.chips.items() if chip.parent} == PARENTS
    for name, parent in PARENTS.items():
        child, whole = CATALOG.chips[name], CATALOG.chips[parent]
        assert child.architecture == whole.architecture and child.figures["parent"].note
        assert all(rate <= whole.peak.get(key, rate) * 1.08 for key, rate in child.peak.items()), name
        assert child.io_bandwidth is not None and child.io_bandwidth <= (whole.io_bandwidth or 0.0)


def test_a_die_is_judged_as_the_package_that_is_sold(tmp_path: Path) -> None:
    """Half of an MI250X is no product: what is sold is the package; every other chip is sold as it is."""
    assert CATALOG.sold(CATALOG.chips["mi250x-gcd"]).name == "mi250x"
    assert {name for name, chip in CATALOG.chips.items() if CATALOG.sold(chip) != chip} == {"mi250x-gcd"}
    write(tmp_path, "whole.yaml", MINE.replace("mine", "whole"))
    half = CATALOG.chip(str(write(tmp_path, "mine.yaml", MINE + "package: whole.yaml\n")))
    assert CATALOG.sold(half).name == "whole"


def test_the_cut_of_2022_is_the_link_alone() -> None:
    """A800 and H800 compute like A100 and H100; only input and output fell below 600 GB/s."""
    for cut, whole in (("a800-sxm-80gb", "a100-sxm-80gb"), ("h800-sxm", "h100-sxm")):
        child, parent = CATALOG.chips[cut], CATALOG.chips[whole]
        assert performance(child) == pytest.approx(performance(parent), rel=1e-3)
        assert child.io_bandwidth and parent.io_bandwidth and child.io_bandwidth < 600e9 <= parent.io_bandwidth


def test_an_estimated_total_is_far_from_every_threshold() -> None:
    """600 GB/s of 2022 and 1,100 of 2025 lie outside the range of each estimate, or bind only chips that are faster."""
    for name in ESTIMATED:
        figure = CATALOG.chips[name].figures["io_bandwidth"]
        low, high = figure.low or figure.value or 0.0, figure.high or figure.value or 0.0
        assert figure.note and (high < 600e9 or low > 1100e9 or (high < 1100e9 and name == "tpu-v3")), name
    assert performance(CATALOG.chips["tpu-v3"]) < 4800.0  # the test of 600 GB/s asks for 4,800


def test_dies_of_one_architecture_agree() -> None:
    """The same silicon has the same area whatever it is sold as."""
    for names in (
        ("a100-sxm-40gb", "a100-sxm-80gb", "a100-pcie-80gb", "a800-sxm-80gb", "a800-pcie-80gb", "a30"),
        ("h100-sxm", "h100-pcie", "h100-nvl", "h200-sxm", "h200-nvl", "h800-sxm", "h800-pcie", "h20", "gh200"),
        ("l40", "l40s", "l20", "rtx-4090", "rtx-4090-d"),
        ("ascend-910b", "ascend-910b1", "ascend-910b3", "ascend-910b4"),
        ("v100-sxm-16gb", "v100-sxm-32gb"),
    ):
        assert len({CATALOG.chips[name].applicable_area for name in names}) == 1, names


def test_a_rate_that_sources_dispute_stays_unknown() -> None:
    """FP6 of the MI355X: either that of FP8 or that of FP4, so no rate, but both ends and the reason."""
    figure = CATALOG.chips["mi355x"].figures["peak.fp6"]
    assert (figure.value, figure.low, figure.high) == (None, 5033.2e12, 10066.3e12) and figure.note
    assert "fp6" not in CATALOG.chips["mi355x"].peak


# ------------------------------------------------------------------------------------------------ users' files


def test_a_users_chip_may_say_all_of_it(tmp_path: Path) -> None:
    """Bare values are enough in a user's own file; the file is their source."""
    told = "applicable_area: 800 mm2\nio_bandwidth: 500 GB/s\ndata_center: false\nparent: h100-sxm\nmemory_kind: HBM3\n"
    path = write(
        tmp_path, "mine.yaml", MINE.replace("500 TFLOP/s", "500 TFLOP/s, fp6: 1 PFLOP/s, int4: 2 PFLOP/s") + told
    )
    chip = CATALOG.chip(str(path))
    assert chip.applicable_area == pytest.approx(800e-6) and chip.io_bandwidth == 500e9
    assert (chip.data_center, chip.parent, chip.memory_kind) == (False, "h100-sxm", "HBM3")
    assert (chip.peak["fp6"], chip.peak["int4"]) == (1e15, 2e15)
    assert {figure.source for figure in chip.figures.values()} == {f"user:{path}"}


def test_a_users_chip_may_leave_all_of_it_out(tmp_path: Path) -> None:
    """A chip file without die area loads: what is unknown is for the rules to tell."""
    chip = CATALOG.chip(str(write(tmp_path, "mine.yaml", MINE)))
    assert (chip.applicable_area, chip.io_bandwidth, chip.data_center) == (None, None, None)
    assert (chip.parent, chip.memory_kind) == ("", "")


def test_a_planar_die_counts_no_area(tmp_path: Path) -> None:
    """Zero is an answer: made on a planar process."""
    assert CATALOG.chip(str(write(tmp_path, "mine.yaml", MINE + "applicable_area: 0 mm2\n"))).applicable_area == 0.0


@pytest.mark.parametrize(
    ("line", "field", "says"),
    [
        ("data_center: maybe", "data_center", "not true or false"),
        ("data_center: {value: 1}", "data_center", "not true or false"),
        ("data_center: {valeu: true}", "data_center.valeu", "unknown field"),
        ("parent: mine", "parent", "not the name of another chip"),
        ("parent: 7", "parent", "not the name of another chip"),
        ("package: mine", "package", "not the name of another chip"),
        ("memory_kind: 3", "memory_kind", "not a kind of memory"),
        ("applicable_area: 3 m2", "applicable_area", "not plausible"),
        ("applicable_area: -1 mm2", "applicable_area", "negative"),
        ("io_bandwidth: 5 W", "io_bandwidth", "not a unit of bandwidth"),
    ],
)
def test_a_bad_fact_names_place_and_remedy(tmp_path: Path, line: str, field: str, says: str) -> None:
    """Each mistake is one message with its field, its line and what to do."""
    path = write(tmp_path, "mine.yaml", MINE + line + "\n")
    with pytest.raises(InputError, match=says) as caught:
        CATALOG.chip(str(path))
    assert caught.value.place.field == field and caught.value.place.line == 6 and caught.value.hint
