"""How far the catalogue reaches: chips that plan or are refused, inherited curves, places, ownership, prices."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaplan import case
from exaplan.catalog import Catalog, fits, load
from exaplan.catalog.ownership import OWNERSHIP
from exaplan.errors import CatalogError, InputError, Place
from exaplan.nouns import Chip, Training

from .written import write

CATALOG = load()
EVERY_CHIP = [CATALOG.chips[name] for name in CATALOG.chips]
GPT2 = CATALOG.model("gpt2")
REFUSED = {"wse-3", "groq-lpu", "dojo-d1", "tesla-fsd-hw3"}
YEAR = 365.25 * 86400.0

# Every part that the project's list of chips names, by the spelling that a user would type.
WANTED = [
    "p100-sxm", "v100-sxm-32gb", "A100-SXM4-80GB", "A800", "A30", "H100", "H100-PCIe", "H800", "H800-PCIe", "H20",
    "H200", "H200-NVL", "L40", "L40S", "L20", "L2", "L4", "A10", "A40", "RTX4090", "RTX-4090D", "RTX5090",
    "RTX-5090D", "RTX-5090D-V2", "RTX-PRO-6000", "RTX-PRO-6000-BSE", "B200", "B100", "GB200", "GB300", "B300",
    "B30A", "Rubin", "MI210", "MI250X", "MI300X", "MI300A", "MI325X", "MI355X", "Gaudi2", "Gaudi3", "Ascend-910B",
    "Ascend-910B1", "Ascend-910B2", "Ascend-910B3", "Ascend-910B4", "Ascend-910C", "Ascend-950PR", "BR100", "BR104",
    "MTT-S4000", "TPU-v2", "TPU-v3", "TPU-v4", "TPU-v5e", "TPU-v5p", "TPU-v6e", "TPU-v7", "Trainium2",
    "Inferentia2", "WSE-3", "Groq", "M2-Ultra", "M3-Ultra", "AGX-Orin", "AGX-Thor", "Dojo-D1", "FSD-HW3",
    "DGX-Spark-GB10", "RTX3070", "RTX3080", "RTX3080Ti", "RTX3090Ti", "RTX4070Ti", "RTX4000Ada", "RTX5000Ada",
    "RTX6000Ada", "A6000", "GH200-144GB", "B60", "Apple M1 7c", "Apple M1 Max 32c", "Apple M2 Ultra 60c", "M3-Max",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------------- chips


@pytest.mark.parametrize("spelling", WANTED)
def test_every_chip_of_the_list_is_there(spelling: str) -> None:
    """Each part of the list resolves to a chip with a usual node that holds it."""
    chip = CATALOG.chip(spelling)
    assert CATALOG.default_node(chip).chip == chip.name


@pytest.mark.parametrize("chip", EVERY_CHIP, ids=lambda chip: chip.name)
def test_every_chip_plans_a_small_job_or_is_refused(chip: Chip) -> None:
    """GPT-2 on one node becomes numbers for perf/ in a precision of the chip, or one error says why not."""
    cluster = CATALOG.assemble(chip, min(8, CATALOG.default_node(chip).chips))
    precision = next((form for form in ("bf16", "fp16") if form in chip.peak), "bf16")
    work = Training(seq_len=1024, global_batch=64, precision=precision)
    if chip.name in REFUSED:
        with pytest.raises(InputError) as caught:
            case.make(GPT2, work, cluster)
        assert caught.value.hint and caught.value.place.field in ("cluster.chip", "work.precision")
        return
    made = case.make(GPT2, work, cluster).hardware
    assert made.low.peak > 1e12 and made.memory > 7e9 and made.link > 0 and made.network > 0
    assert 0.0 < made.gemm.peak <= 1.2 and made.gemm.spread > 0.0


def test_what_the_roofline_cannot_express_says_why() -> None:
    """The reason is in the message; the listing still shows the part with what is known of it."""
    wafer = CATALOG.chip("WSE-3")
    assert wafer.memory == 44e9 and wafer.figures["memory"].note == "SRAM"
    with pytest.raises(InputError, match=r"cerebras chips cannot be planned: .* SRAM") as caught:
        fits.matmul(wafer.architecture, "bf16")
    assert caught.value.place.field == "cluster.chip" and "exaplan chips" in caught.value.hint
    refused = {chip.name for chip in EVERY_CHIP if chip.architecture in fits.INEXPRESSIBLE}
    assert refused == REFUSED
    for name in ("dojo-exapod", "colossus", "cloudmatrix-384"):
        assert CATALOG.cluster(name).count > 300


# --------------------------------------------------------------------------------------------------- inheritance


def test_inheritance_covers_every_architecture() -> None:
    """An architecture is measured, has a named relative, or is refused: none takes the pooled curve silently."""
    measured = {key.split("/")[0] for key in fits.record("gemm")["curves"]}
    for chip in EVERY_CHIP:
        kinds = (
            chip.architecture in measured,
            chip.architecture in fits.INHERIT,
            chip.architecture in fits.INEXPRESSIBLE,
        )
        assert sum(kinds) == 1, chip.name
        assert fits.measured(chip.architecture) == kinds[0]


@pytest.mark.parametrize("name", sorted(fits.INHERIT))
def test_the_unmeasured_are_wider(name: str) -> None:
    """An heir's curves have the spread of their source and more, so that ranges widen."""
    heir = fits.INHERIT[name]
    assert heir.widening > 0.0
    assert fits.matmul(name, "bf16").spread == pytest.approx(fits.matmul(heir.source, "bf16").spread + heir.widening)
    assert fits.matmul(name, "bf16").peak == fits.matmul(heir.source, "bf16").peak
    assert fits.link(name).spread > fits.link("hopper").spread or heir.source != "hopper"


def test_announced_and_foreign_parts_are_the_least_certain() -> None:
    """A sister chip is surer than another vendor's, which is surer than one without any relative."""
    spread = [fits.INHERIT[name].widening for name in ("blackwell-ultra", "rubin", "gaudi3", "biren", "apple")]
    assert spread == sorted(spread)


# -------------------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("germany", "germany"), ("de", "germany"), ("DE", "germany"), ("us-tx", "us-texas"), ("Texas", "us-texas"),
        ("no", "norway"), ("uk", "united-kingdom"), ("UAE", "united-arab-emirates"), ("us", "us-average"),
        ("ca", "canada"), ("us-ca", "us-california"), ("Abu Dhabi", "united-arab-emirates"), ("in", "india"),
        ("us-in", "us-indiana"), ("inner mongolia", "china-inner-mongolia"), ("Johor", "malaysia"),
    ],
)  # fmt: skip
def test_a_place_is_found_by_its_usual_spellings(spelling: str, name: str) -> None:
    """Country names, codes and states, whatever their case."""
    assert CATALOG.site(spelling) == CATALOG.sites[name]


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("germny", "germany"), ("us-texs", "us-texas"), ("singapor", "singapore")]
)
def test_an_unknown_place_names_the_nearest(wrong: str, nearest: str) -> None:
    """One message with field, value and the places that were probably meant."""
    with pytest.raises(InputError, match=f"unknown site `{wrong}`") as caught:
        CATALOG.site(wrong, place=Place("ask.yaml", 4, 9, "cluster.site"))
    assert nearest in caught.value.hint and caught.value.place.field == "cluster.site"


def test_the_usual_places_are_there_and_ordered() -> None:
    """The places that compete for data centres exist; clean grids are cleaner and cheap ones cheaper."""
    wanted = [
        "IE", "NO", "SE", "FR", "DE", "GB", "JP", "SG", "AE", "SA", "IN", "CN", "BR", "CL", "AU", "IS", "MY", "CA",
        "FI", "KR", "TW",
    ]  # fmt: skip
    assert set(wanted) <= {CATALOG.sites[name].country for name in CATALOG.sites}
    assert sum(name.startswith("us-") for name in CATALOG.sites) >= 20
    carbon = [CATALOG.site(name).carbon for name in ("norway", "france", "germany", "china", "india")]
    assert carbon == sorted(carbon)
    assert CATALOG.site("us-wa").electricity < CATALOG.site("us-ca").electricity < CATALOG.site("ireland").electricity
    for name in CATALOG.sites:
        assert 0.02 < CATALOG.sites[name].electricity * 3.6e6 < 0.45, name
        assert 0.001 < CATALOG.sites[name].carbon * 3.6e6 < 0.9, name


def test_a_site_at_sea_has_no_country_and_no_chillers() -> None:
    """International waters are XZ; sea-water cooling lies below an ordinary hall, its range below a chilled one."""
    sea, hall = CATALOG.site("offshore"), CATALOG.site("us-average")
    assert sea.country == CATALOG.country("international-waters") == "XZ"
    assert sea.pue < hall.pue and (sea.figures["pue"].high or 0.0) < (hall.figures["pue"].high or 0.0)
    for field in ("electricity", "carbon"):
        figure = sea.figures[field]
        assert figure.source == "own-estimate" and figure.low and figure.high and figure.high > 4.0 * figure.low


# ----------------------------------------------------------------------------------------------------- ownership


def test_ownership_has_its_ranges_and_sources() -> None:
    """Servers are written off in 4 to 6 years; each share has a range around its value and a source that exists."""
    assert set(CATALOG.ownership) == set(OWNERSHIP)
    for name, figure in CATALOG.ownership.items():
        chain = [part for part in (figure.low, figure.value, figure.high) if part is not None]
        assert figure.value is not None and chain == sorted(chain), name
        assert CATALOG.source(figure.source).title
    for name in ("lifetime", "wacc", "residual", "utilisation", "host_share"):
        figure = CATALOG.ownership[name]
        assert figure.low is not None and figure.high is not None and figure.low < figure.high, name
    lifetime, network = CATALOG.ownership["lifetime"], CATALOG.ownership["network_share"]
    assert (lifetime.low, lifetime.value, lifetime.high) == pytest.approx((4 * YEAR, 5 * YEAR, 6 * YEAR))
    # 1,024 servers of $307.2M with switches of $13.824M and cables of $20.972M: 0.113 of the servers.
    assert network.value == pytest.approx((13.824 + 20.97152) / 307.2, abs=0.03)


def test_an_overlay_may_set_its_own_ownership(tmp_path: Path) -> None:
    """A user's figure replaces ours, alone, and is its own source; nonsense is refused at its line."""
    file = write(tmp_path, "ownership.yaml", "lifetime: 3 y\n")
    overlay = load(tmp_path)
    assert overlay.ownership["lifetime"].value == pytest.approx(3 * YEAR)
    assert overlay.source(overlay.ownership["lifetime"].source).kind == "user"
    assert overlay.ownership["host_share"] == CATALOG.ownership["host_share"]
    file.write_text("lifetime: 5 kW\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Catalog(overlay.layers).ownership  # noqa: B018
    assert caught.value.place.field == "lifetime" and caught.value.place.line == 1


def test_a_catalogue_without_ownership_figures_does_not_load(tmp_path: Path) -> None:
    """All three figures are required of the catalogue itself."""
    from exaplan.catalog.folder import Layer

    write(tmp_path, "ownership.yaml", "lifetime: {value: 5 y, source: nobody}\n")
    with pytest.raises(CatalogError, match="unknown source"):
        Catalog((Layer(tmp_path),)).ownership  # noqa: B018


# -------------------------------------------------------------------------------------------------------- prices


def test_every_price_is_of_something_known() -> None:
    """Each row names a chip or node, and a country or region."""
    for row in CATALOG.prices:
        assert row.item in CATALOG.chips or row.item in CATALOG.nodes, row
        assert len(row.place) == 2 and row.place.isupper(), row


def test_a_price_is_that_of_its_place() -> None:
    """The country's own price where it has one, else the home market's, else the only one there is."""
    assert CATALOG.price("tpu-v6e", place="JP").value == pytest.approx(3.24)  # type: ignore[union-attr]
    assert CATALOG.price("tpu-v6e", place="ZA").value == pytest.approx(2.70)  # type: ignore[union-attr]
    assert CATALOG.price("h20", "chip", "2023-12").source == "epoch-chip-counts"  # type: ignore[union-attr]


def test_what_is_not_sold_has_no_purchase_price() -> None:
    """TPUs and Trainiums are rented only: what they cost their maker is no offer."""
    for name in ("tpu-v3", "tpu-v4", "tpu-v5e", "tpu-v5p", "tpu-v6e", "tpu-v7", "trainium1", "trainium2"):
        assert not any(CATALOG.price(name, kind) for kind in ("chip", "server", "system")), name
    assert CATALOG.price("tpu-v5e", "cost").value == pytest.approx(1781.0)  # type: ignore[union-attr]


def test_most_current_parts_have_a_price() -> None:
    """What people rent or buy today has at least one dated offer."""
    names = [
        "h100-sxm", "h200-sxm", "b200", "b300", "gb200", "gb300", "a100-sxm-80gb", "mi300x", "mi325x", "mi355x", "l40s",
        "l4", "rtx-4090", "rtx-5090", "rtx-pro-6000", "tpu-v5e", "tpu-v5p", "tpu-v6e", "trainium1", "trainium2",
        "gaudi2", "gaudi3", "h20", "h800-sxm", "a800-pcie-80gb",
    ]  # fmt: skip
    for name in names:
        assert CATALOG.price(name) or CATALOG.price(name, "chip") or CATALOG.price(name, "server"), name
