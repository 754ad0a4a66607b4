"""A chip of one's own: its cost against published estimates, and the volume from which making beats buying."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan.catalog.designs import DESIGN, Design
from exaplan.errors import CatalogError, InputError
from exaplan.planning.burden import span_of
from exaplan.planning.designing import make, unit_cost

from .asked import CATALOG

NAMES = ("dojo", "h100-estimate", "tigris")
FILE = """\
name: mine
process: some process
rival: h100-sxm
peak: 500 TFLOP/s
die_area: 400 mm2
dies: 1
wafer_area: 70686 mm2
defects: 1000
clustering: 3
salvage: 0
package_yield: 100%
margin: 0
once: {design: $100M, masks: $10M, software: $0, tools: $0}
unit: {wafer: $17000, memory: $500, packaging: $200, test: $50, board: $100}
"""


def test_an_h100_costs_what_outsiders_reckon() -> None:
    """From wafer, yield, memory, packaging, test and board: within the published 3,000 to 5,875 USD, and within 10% of
    the one estimate that counts the same parts (3,320)."""
    made = make(CATALOG, "h100-estimate")
    assert 3000.0 <= made.cost <= 5875.0 and made.cost == pytest.approx(3320.0, rel=0.10)
    assert made.low < made.cost < made.high < 6500.0 and made.dies == pytest.approx(50.3, abs=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_add_up(name: str) -> None:
    """Unit parts sum to the cost; every line and figure has a source; making and buying cost the same at break-even."""
    made = make(CATALOG, name)
    assert sum(item.value for item in made.unit) == pytest.approx(made.cost)
    assert all(item.source for item in (*made.once, *made.unit)) and all(CATALOG.source(one) for one in made.sources)
    assert made.volume is not None and made.wafers is not None
    once = sum(item.value for item in made.once)
    assert once + made.volume * made.cost == pytest.approx(made.volume / made.ratio * made.rival_price)
    assert made.volume_low is not None and made.volume_low < made.volume
    assert made.volume_high is None or made.volume < made.volume_high
    figures = CATALOG.designs[name].figures
    whole, dies = (figures[key].value or 0.0 for key in ("package_yield", "dies"))
    assert made.wafers * made.dies / dies * whole == pytest.approx(made.volume)


def test_the_ends_of_the_volume_are_the_ends_of_everything() -> None:
    """Low: design and chip cheap, rival dear, few own chips for its work; high: the other way round; never: None."""
    on = "2023-08-01"  # a day whose price spans a range
    made, design = make(CATALOG, "tigris", on=on), CATALOG.designs["tigris"]
    price, peak = CATALOG.price("h100-sxm", "chip", on), CATALOG.chip("h100-sxm").peak["bf16"]
    assert price is not None
    value = sum(item.value for item in made.once)
    least, most = (item.low for item in made.once), (item.high for item in made.once)
    low = value - math.hypot(*(v.value - e for v, e in zip(made.once, least, strict=True)))
    high = value + math.hypot(*(e - v.value for v, e in zip(made.once, most, strict=True)))
    few, many = (peak / (end or 0.0) for end in (design.figures["peak"].high, design.figures["peak"].low))
    _, cheap, dear = span_of(price)
    assert cheap < dear
    assert made.volume_low == pytest.approx(low / (dear / few - made.low))
    assert made.volume_high == pytest.approx(high / (cheap / many - made.high))
    middle = made.volume
    assert middle is not None and made.volume_low < middle < made.volume_high  # type: ignore[operator]
    assert make(CATALOG, "tigris", rival="rtx-4090").volume_high is None


def test_every_design_is_marked_for_what_it_is() -> None:
    """Tigris says that it is hypothetical; a D1 is the die that Tesla published; every estimate spans a range."""
    assert set(CATALOG.designs) == set(NAMES)
    assert any("hypothetical" in note for note in make(CATALOG, "tigris").assumptions)
    assert CATALOG.designs["dojo"].figures["die_area"].value == pytest.approx(645e-6)
    assert make(CATALOG, "dojo").ratio == pytest.approx(989.4 / 362, rel=1e-3)
    for name in NAMES:
        for key, figure in CATALOG.designs[name].figures.items():
            guessed = figure.source == "own-estimate" and key not in ("dies", "margin")
            assert not guessed or span_of(figure)[1] < span_of(figure)[2], (name, key)


def test_a_rival_and_a_volume_may_be_asked() -> None:
    """A cheaper rival, as an A100, takes more chips to beat per work; a volume tells the cost of each of so many."""
    made, other = make(CATALOG, "tigris", volume=1e5), make(CATALOG, "tigris", rival="a100-sxm-80gb")
    assert other.rival == "a100-sxm-80gb" and other.ratio < made.ratio
    once = sum(item.value for item in made.once)
    assert made.asked == 1e5 and made.each is not None and made.each[0] == pytest.approx(made.cost + once / 1e5)
    assert made.each[1] < made.each[0] < made.each[2] and other.each is None and other.asked is None
    assert make(CATALOG, "d1").name == "dojo"


@pytest.mark.parametrize("volume", [0.0, -5.0])
def test_a_volume_is_positive(volume: float) -> None:
    """No chips cost nothing to divide by: refused."""
    with pytest.raises(InputError, match="volume"):
        make(CATALOG, "dojo", volume=volume)


def test_a_rival_needs_price_and_peak() -> None:
    """A chip that is never sold alone, or has no such peak, is no rival: the error says which."""
    with pytest.raises(InputError, match="price"):
        make(CATALOG, "dojo", rival="tpu-v4")
    with pytest.raises(InputError, match="unknown design"):
        make(CATALOG, "nothing")


# --------------------------------------------------------------------------------------------------------------- laws


def moved(name: str, **values: float) -> Design:
    """A design with other values, each known exactly."""
    design = CATALOG.designs[name]
    figures = {key: replace(figure, low=None, high=None) for key, figure in design.figures.items()}
    figures |= {key.replace("__", "."): replace(figures[key.replace("__", ".")], value=v) for key, v in values.items()}
    return replace(design, figures=MappingProxyType(figures))


def cost_of(design: Design) -> float:
    """Cost of a chip."""
    return unit_cost({key: span_of(figure) for key, figure in design.figures.items()})[0]


@given(st.sampled_from(NAMES), st.floats(0.0, 4e3), st.floats(0.0, 4e3))
def test_more_defects_never_lower_the_cost(name: str, defects: float, more: float) -> None:
    """The cost of a chip does not fall with the density of defects."""
    assert cost_of(moved(name, defects=defects)) <= cost_of(moved(name, defects=defects + more)) * (1 + 1e-12)


@given(st.sampled_from(NAMES), st.floats(1e-4, 8e-4), st.floats(0.0, 4e-4))
def test_a_larger_die_never_costs_less(name: str, area: float, more: float) -> None:
    """The cost of a chip does not fall with the area of its die."""
    assert cost_of(moved(name, die_area=area)) <= cost_of(moved(name, die_area=area + more)) * (1 + 1e-12)


@given(st.sampled_from(NAMES), st.floats(0.3, 0.99), st.floats(0.0, 1.0))
def test_what_can_be_saved_never_raises_the_cost(name: str, good: float, salvage: float) -> None:
    """Better packaging and more salvage do not make a chip dearer."""
    worse = cost_of(moved(name, package_yield=good, salvage=0.5 * salvage))
    assert cost_of(moved(name, package_yield=good + 0.01, salvage=salvage)) <= worse * (1 + 1e-12)


# --------------------------------------------------------------------------------------------------------------- files


def test_a_design_of_ones_own(tmp_path: Path) -> None:
    """A file is enough; bare figures are sourced by the file; by hand: 400 mm2 at 0.1 per cm2 yields 68%."""
    (tmp_path / "mine.yaml").write_text(FILE)
    made = make(CATALOG, str(tmp_path / "mine.yaml"))
    good = 70686 / 400 - 0.58 * 3.14159265 * 300 / 20
    share = (1 + 0.4 / 3) ** -3
    assert made.yield_share == pytest.approx(share) and made.dies == pytest.approx(good * share, rel=1e-4)
    assert made.cost == pytest.approx(17000 / (good * share) + 850, rel=1e-4) and made.low == made.high == made.cost


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("defects: 1000", "defects: -1", "negative"),
        ("defects: 1000\n", "", "missing"),
        ("package_yield: 100%", "package_yield: 0", "not plausible"),
        ("margin: 0", "margin: 0\nspam: 1", "unknown field"),
        ("masks: $10M", "spam: $10M", "unknown field"),
        ("name: mine", "name: mine\nmeasure: fp99", "number format"),
        ("once: {design: $100M, masks: $10M, software: $0, tools: $0}\n", "", "once"),
    ],
)
def test_a_design_file_is_checked(tmp_path: Path, old: str, new: str, word: str) -> None:
    """What cannot be, is missing or unknown is refused with the file."""
    assert old in FILE
    (tmp_path / "mine.yaml").write_text(FILE.replace(old, new))
    with pytest.raises((InputError, CatalogError), match=word) as error:
        make(CATALOG, str(tmp_path / "mine.yaml"))
    assert "mine.yaml" in str(error.value)


def test_a_die_that_no_wafer_holds_is_refused(tmp_path: Path) -> None:
    """A part of a whole wafer, and a range that reaches it: the formula counts no dies, so the error says so."""
    for area in ("46225 mm2", "{value: 400 mm2, low: 300 mm2, high: 46225 mm2, source: own-estimate}"):
        (tmp_path / "mine.yaml").write_text(FILE.replace("die_area: 400 mm2", f"die_area: {area}"))
        with pytest.raises(InputError, match="die_area: no die of 46,225 mm2 fits on a wafer of 70,686 mm2") as error:
            make(CATALOG, str(tmp_path / "mine.yaml"))
        assert error.value.hint


def test_a_wafer_may_be_free(tmp_path: Path) -> None:
    """Wafers that cost nothing leave the other parts."""
    (tmp_path / "mine.yaml").write_text(FILE.replace("wafer: $17000", "wafer: $0"))
    made = make(CATALOG, str(tmp_path / "mine.yaml"))
    assert made.cost == pytest.approx(850.0) and made.unit[0].value == 0.0


def test_every_figure_of_a_design_is_read() -> None:
    """The fields of a design are those of its table."""
    assert all(set(CATALOG.designs[name].figures) == set(DESIGN) for name in NAMES)


def test_the_page_says_what_comes_out() -> None:
    """Unit cost and volume with their ranges, as docs/method/own-chip.md tells them, are those of the code."""
    page = (Path(__file__).parents[2] / "docs/method/own-chip.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([\w-]+)` \|[^|]*\| ([^|]*) \| ([^|]*) \|$", page, re.MULTILINE)
    assert {name for name, _, _ in told} == set(NAMES)
    for name, unit, volume in told:
        made = make(CATALOG, name)
        assert numbers(unit) == pytest.approx([made.cost, made.low, made.high], rel=0.02)
        if volume.strip():
            assert numbers(volume) == pytest.approx([made.volume, made.volume_low, made.volume_high], rel=0.02)


def numbers(text: str) -> list[float]:
    """The numbers of a cell."""
    return [float(part.replace(",", "")) for part in re.findall(r"[\d,]+", text)]
