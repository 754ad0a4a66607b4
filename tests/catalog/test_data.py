"""The bundled data: everything loads, every figure keeps its source, and the numbers agree with independent ones."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from exaplan.catalog import DATA, Catalog, fits, load
from exaplan.catalog.folder import Layer
from exaplan.errors import CatalogError
from exaplan.nouns import Chip, Figure, Node

CATALOG = load()
EVERY_CHIP = [CATALOG.chips[name] for name in CATALOG.chips]
EVERY_NODE = [CATALOG.nodes[name] for name in CATALOG.nodes]
ISO = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?\Z")

# chip, format, processors, dense FLOPs per clock and processor, clock [GHz]: from the vendors' white papers on their
# architectures, an oracle that knows nothing of our files. A sparse figure would be off by a factor of two.
CLOCKED = [
    ("v100-sxm-32gb", "fp16", 80, 1024, 1.53),
    ("a100-sxm-40gb", "bf16", 108, 2048, 1.41),
    ("a100-sxm-80gb", "bf16", 108, 2048, 1.41),
    ("a800-sxm-80gb", "bf16", 108, 2048, 1.41),
    ("h100-sxm", "bf16", 132, 4096, 1.83),
    ("h100-sxm", "fp8", 132, 8192, 1.83),
    ("h100-pcie", "bf16", 114, 4096, 1.62),
    ("h200-sxm", "fp8", 132, 8192, 1.83),
    ("h800-sxm", "bf16", 132, 4096, 1.83),
    ("h20", "bf16", 78, 1024, 1.83),
    ("rtx-4090", "bf16", 128, 512, 2.52),
    ("l40s", "bf16", 142, 1024, 2.49),
    ("b200", "bf16", 148, 8192, 1.85),
    ("gb200", "bf16", 152, 8192, 2.0),
    ("mi300x", "bf16", 304, 2048, 2.1),
    ("mi355x", "bf16", 256, 4096, 2.4),
    ("mi250x-gcd", "bf16", 110, 1024, 1.7),
    ("rtx-3070", "bf16", 46, 512, 1.725),
    ("rtx-3080", "bf16", 68, 512, 1.71),
    ("rtx-3080-ti", "bf16", 80, 512, 1.665),
    ("rtx-3090-ti", "bf16", 84, 512, 1.86),
    ("rtx-4070-ti", "bf16", 60, 512, 2.61),
    ("rtx-4000-ada", "bf16", 48, 1024, 2.175),
    ("rtx-5000-ada", "bf16", 100, 1024, 2.55),
    ("rtx-6000-ada", "bf16", 142, 1024, 2.505),
]
NARROWER = [("bf16", "fp8"), ("fp16", "fp8"), ("fp8", "fp4"), ("tf32", "bf16"), ("fp32", "bf16"), ("bf16", "int8")]


def figures() -> Iterator[tuple[str, Figure]]:
    for shelf in (CATALOG.chips, CATALOG.nodes, CATALOG.fabrics, CATALOG.sites, CATALOG.models):
        for name in shelf:
            assert shelf[name].figures, name
            for field, figure in shelf[name].figures.items():
                yield f"{shelf.kind}.{name}.{field}", figure


FIGURES = dict(figures())


def test_the_catalogue_has_what_the_scored_runs_use() -> None:
    """Every chip named by the published training runs resolves, and has a node, a fabric and a site."""
    used = """H100 A100-80GB GB200 B200 A100-40GB H200 B300 TPU-v5e MI355X TPU-v5p H800 TPU-v4 A800 MI350X V100 TPU-v3
        MI250X-GCD Ascend-910 GH200 Ascend-910B/C"""
    names = [spelling.replace("/C", "/C NPU") for spelling in used.split()]
    chips = {spelling: CATALOG.chips.find(spelling) for spelling in names}
    assert chips["H100"].name == "h100-sxm" and chips["GB200"].name == "gb200"
    for chip in chips.values():
        cluster = CATALOG.assemble(chip, 64)
        assert cluster.node.chip == chip.name and cluster.count == 64


def test_every_figure_still_has_its_source() -> None:
    """After loading, each figure of each kind cites a source that exists; an unknown or estimated one says why."""
    assert len(FIGURES) > 1500
    for name, figure in FIGURES.items():
        source = CATALOG.source(figure.source)
        assert source.title and source.address, name
        if (
            figure.value is None
            and not name.endswith((".kind", ".parent", ".package", ".memory_kind"))
            and not name.startswith("models.")
        ):
            disputed = None not in (figure.low, figure.high)
            assert (figure.source == "not-found" or disputed) and figure.note, name
        assert figure.source != "own-estimate" or figure.note or figure.low or figure.high, name


def test_figures_are_the_values_of_the_nouns() -> None:
    """What a noun holds is what its figures say, field by field: no number without a figure."""
    for chip in EVERY_CHIP:
        peaks = {key[5:]: f.value for key, f in chip.figures.items() if key.startswith("peak.")}
        assert dict(chip.peak) == {key: value for key, value in peaks.items() if value is not None}
        for field in ("memory", "bandwidth", "link_bandwidth", "power", "die_area", "applicable_area", "io_bandwidth"):
            assert getattr(chip, field) == (chip.figures[field].value if field in chip.figures else None), field
    for node in EVERY_NODE:
        for field in ("chips", "network", "power", "rent", "price"):
            assert getattr(node, field) == (node.figures[field].value if field in node.figures else None), field


def test_every_source_is_complete_and_used() -> None:
    """Sources are dated, and none is a leftover."""
    used = {figure.source for figure in FIGURES.values()} | {price.source for price in CATALOG.prices}
    written = set(re.findall(r"^([\w-]+):$", (DATA / "sources.yaml").read_text(encoding="utf-8"), re.MULTILINE))
    files = [path for path in DATA.rglob("*") if path.suffix in (".yaml", ".csv") and path.name != "sources.yaml"]
    named = set(re.findall(r"[\w-]+", "".join(path.read_text(encoding="utf-8") for path in files)))
    assert written - used - named == set()
    for source in CATALOG.sources.values():
        assert ISO.match(source.date), source.id


@pytest.mark.parametrize("path", sorted(DATA.glob("chips/*.yaml")), ids=lambda path: path.stem)
def test_a_figure_without_source_does_not_load(path: Path, tmp_path: Path) -> None:
    """Deleting any one source of a chip file fails the load, at its line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    cited = [number for number, line in enumerate(lines) if "source: " in line]
    assert len(cited) >= 4
    for number in (cited[0], cited[len(cited) // 2], cited[-1]):
        cut = [*lines[:number], re.sub(r", source: [\w-]+", "", lines[number]), *lines[number + 1 :]]
        (tmp_path / "chips").mkdir(exist_ok=True)
        (tmp_path / "chips" / path.name).write_text("\n".join(cut) + "\n", encoding="utf-8")
        shutil.copy(DATA / "sources.yaml", tmp_path)
        with pytest.raises(CatalogError) as caught:
            Catalog((Layer(tmp_path),)).chips[path.stem]
        assert caught.value.place.line == number + 1
        assert "source" in caught.value.problem


@pytest.mark.parametrize(("name", "number_format", "processors", "per_clock", "clock"), CLOCKED)
def test_peaks_are_dense(name: str, number_format: str, processors: int, per_clock: int, clock: float) -> None:
    """Peak = processors x dense FLOPs per clock x boost clock, within 3%: a sparse figure would be double."""
    chip = CATALOG.chips[name]
    assert chip.processors == processors
    assert chip.peak[number_format] == pytest.approx(processors * per_clock * clock * 1e9, rel=0.03)


@pytest.mark.parametrize("chip", EVERY_CHIP, ids=lambda chip: chip.name)
def test_a_chip_is_consistent(chip: Chip) -> None:
    """Narrower formats are never slower; arithmetic intensity and power density are those of real chips."""
    for wide, narrow in NARROWER:
        if wide in chip.peak and narrow in chip.peak and chip.architecture not in ("blackwell-ultra", "ascend"):
            assert chip.peak[wide] <= chip.peak[narrow] * 1.001, (wide, narrow)
    if chip.architecture not in fits.INEXPRESSIBLE:  # SRAM-only and INT8-only parts keep no such ratio
        best = chip.peak.get("bf16") or chip.peak["fp16"]
        assert 15 < best / chip.bandwidth < 1000, "FLOP per byte"
        assert chip.power is None or 0.03e12 < best / chip.power < 3.0e12, "FLOP/s per W"
    assert chip.link_bandwidth is None or chip.link_bandwidth < chip.bandwidth
    assert 2015 < chip.figures["release"].value < 2027 if "release" in chip.figures else True  # type: ignore[operator]
    assert ISO.match(chip.release) or not chip.release


def test_published_values_stay() -> None:
    """Spot checks against figures that every vendor sheet prints, in SI."""
    h100, a100, tpu = (CATALOG.chip(name) for name in ("H100", "A100-40GB", "TPU-v5p"))
    assert (h100.bandwidth, h100.link_bandwidth, h100.power, h100.die_area) == (3.35e12, 450e9, 700.0, 814e-6)
    assert h100.memory == 81559 * 2**20 and h100.figures["memory"].low == pytest.approx(79.1 * 2**30)
    assert (a100.memory, a100.peak["bf16"], a100.domain) == (40 * 2**30, 312e12, 8)
    assert (tpu.peak["bf16"], tpu.link_bandwidth, tpu.domain) == (459e12, 600e9, 8960)
    assert CATALOG.node("hgx-h100").network == 50e9
    assert CATALOG.node("p5.48xlarge").rent == pytest.approx(55.04)
    assert CATALOG.node("gb200-nvl72").domain == 72
    assert CATALOG.fabric("meta-roce-24k").oversubscription == 7.0
    assert CATALOG.site("us-average").electricity == pytest.approx(0.0806 / 3.6e6)


@pytest.mark.parametrize("node", EVERY_NODE, ids=lambda node: node.name)
def test_a_node_is_consistent(node: Node) -> None:
    """A node holds its chips' power, its scale-out is not faster than its scale-up, rent is plausible per chip."""
    chip = CATALOG.chips[node.chip]
    if node.power and chip.power:
        assert 1.0 < node.power / (chip.power * node.chips) < 2.5
    if node.network and node.link_bandwidth:
        assert node.network < 2.5 * node.link_bandwidth
    if node.rent is not None:
        assert 0.1 < node.rent / node.chips < 20.0
        assert node.provider in ("AWS", "Azure", "Google Cloud", "OCI", "Lambda", "Nebius")


def test_every_chip_has_defaults_that_exist() -> None:
    """defaults.yaml names a node of that very chip and a fabric, for every chip and nothing else."""
    assert set(CATALOG.defaults) - {""} == set(CATALOG.chips)
    for chip in EVERY_CHIP:
        assert CATALOG.default_node(chip).chip == chip.name
        assert CATALOG.default_fabric(chip).name in CATALOG.fabrics
    assert CATALOG.default_site().name == "us-average"


def test_clusters_load_with_their_parts() -> None:
    """A published cluster is its node, fabric and site, with the chip of the node."""
    meta = CATALOG.cluster("meta-24k-roce")
    assert (meta.count, meta.chip.name, meta.fabric.leaf, meta.site.country) == (24576, "h100-sxm", 3072, "US")
    assert all(CATALOG.clusters[name].count > 0 for name in CATALOG.clusters)


def test_no_spelling_has_two_owners() -> None:
    """Aliases are unambiguous in every kind."""
    for shelf in (CATALOG.chips, CATALOG.nodes, CATALOG.clusters):
        assert len(shelf.spellings) >= len(shelf)


def test_bundled_asks_are_valid_questions() -> None:
    """Each bundled ask passes the schema, and its chip, fabric and model (where it has landed) exist."""
    from exaplan import ask

    assert len(CATALOG.asks) >= 8
    for name in CATALOG.asks:
        document = CATALOG.asks[name]
        question = ask.parse(document.value, document.place, Path(document.file).parent)
        named = getattr(question, "chips", None) or (question.cluster.chip,)
        assert all(CATALOG.chips.resolve(str(chip)) for chip in named if chip)
        assert not question.cluster.fabric or question.cluster.fabric in CATALOG.fabrics
        made_elsewhere = "generation" in document.value["work"]  # samples of a given time: the model is but a label
        assert made_elsewhere or CATALOG.models.resolve(str(question.model)), question.model
