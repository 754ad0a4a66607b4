"""Looking up: nearest names, users' own files, overlays, prices, the digest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exaplan.catalog import DATA, Catalog, load
from exaplan.catalog.folder import Layer
from exaplan.errors import CatalogError, InputError, Place

from .written import MINE, write

CATALOG = load()
# ---------------------------------------------------------------------------------------------- by name


@pytest.mark.parametrize("spelling", ["h100-sxm", "H100", "h100", "H100 SXM", "h100_sxm", "H100-SXM5"])
def test_a_chip_is_found_by_every_spelling(spelling: str) -> None:
    """Names ignore case, blanks and underscores; aliases are as good as names."""
    assert CATALOG.chip(spelling).name == "h100-sxm"


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("h1000", "h100"), ("h100-sx", "h100-sxm"), ("mi355", "mi355x"), ("tpu-v5", "tpu-v5p")]
)
def test_an_unknown_chip_names_the_nearest(wrong: str, nearest: str) -> None:
    """A typo is answered with the names that were probably meant, and its place."""
    with pytest.raises(InputError) as caught:
        CATALOG.chip(wrong, place=Place("ask.yaml", 7, 9, "cluster.chip"))
    assert nearest in caught.value.hint and f"`{wrong}`" in caught.value.problem
    assert str(caught.value).startswith("ask.yaml:7:9: cluster.chip: ")
    assert caught.value.exit_code == 2


def test_something_like_nothing_gets_general_advice() -> None:
    """Without a near name the error still says how to go on."""
    with pytest.raises(InputError, match="unknown node") as caught:
        CATALOG.node("zzzzzzzz")
    assert "did you mean" not in caught.value.hint and "exaplan nodes" in caught.value.hint


def test_a_source_is_found_or_refused() -> None:
    """Source ids resolve; a user's file is its own source."""
    assert CATALOG.source("epoch-chips").kind == "dataset"
    assert CATALOG.source("user:my.yaml").kind == "user"
    with pytest.raises(CatalogError, match="unknown source"):
        CATALOG.source("nobody")


# ---------------------------------------------------------------------------------------------- overlays

SOURCED = """\
name: h100-sxm
architecture: hopper
peak: {bf16: 1 PFLOP/s}
memory: 96 GiB
bandwidth: 4 TB/s
"""


def test_an_overlay_adds_and_replaces(tmp_path: Path) -> None:
    """A folder lays over the catalogue: new names come in, `replaces:` shadows, the rest stays; digests differ."""
    write(tmp_path, "chips/mine.yaml", MINE)
    write(tmp_path, "chips/h100-sxm.yaml", SOURCED + "replaces: h100-sxm\n")
    write(tmp_path, "sites.yaml", "den:\n  country: NO\n  pue: 1.1\n  electricity: $0.03/kWh\n  carbon: 30 g/kWh\n")
    overlay = load(tmp_path)
    assert overlay.chip("mine").memory == 96 * 2**30
    assert overlay.chip("H100-SXM").peak["bf16"] == 1e15
    assert overlay.chip("h200-sxm") == CATALOG.chip("h200-sxm")
    assert overlay.site("den").country == "NO" and "us-average" in overlay.sites
    assert overlay.source(overlay.chip("mine").figures["memory"].source).kind == "user"
    assert overlay.digest() != CATALOG.digest() and len(overlay.digest()) == 64


def test_an_overlay_may_be_partial_but_not_broken(tmp_path: Path) -> None:
    """Missing parts are fine; a shared file that is no mapping of names is refused with its place."""
    write(tmp_path, "fabrics.yaml", "- one\n- two\n")
    overlay = load(tmp_path)
    assert len(overlay.sites) == len(CATALOG.sites) and len(overlay.prices) == len(CATALOG.prices)
    with pytest.raises(InputError, match="one key per name"):
        overlay.fabric("ndr-rail")


@pytest.mark.parametrize("tail", ["", "replaces: h100\n"])
def test_shadowing_must_be_declared(tmp_path: Path, tail: str) -> None:
    """A name of the catalogue is not shadowed by accident."""
    path = write(tmp_path, "chips/h100-sxm.yaml", SOURCED + tail)
    with pytest.raises(CatalogError, match="would shadow") as caught:
        load(tmp_path).chip("h200-sxm")
    assert "replaces: h100-sxm" in caught.value.hint and caught.value.place.file == str(path)


def test_an_alias_cannot_be_taken_over(tmp_path: Path) -> None:
    """Two owners of one spelling are refused."""
    write(tmp_path, "chips/mine.yaml", MINE + "aliases: [H200]\n")
    with pytest.raises(InputError, match="already means `h200-sxm`"):
        load(tmp_path).chip("something")


def test_the_file_name_is_the_name(tmp_path: Path) -> None:
    """A file called differently from its noun would never be found."""
    write(tmp_path, "chips/other.yaml", MINE)
    with pytest.raises(InputError, match="differs from the file name"):
        load(tmp_path).chip("other")


def test_an_overlay_must_be_a_folder(tmp_path: Path) -> None:
    """A wrong --catalog is one clear message."""
    with pytest.raises(InputError, match="not a folder"):
        load(tmp_path / "none")


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ("a: {title: t, address: x, kind: rumour}\n", "unknown kind of source"),
        ("a: {title: t, kind: paper}\n", "`address` is missing"),
        ("a: {title: t, address: x, kind: paper, colour: red}\n", "unknown field"),
    ],
)
def test_a_bad_source_does_not_load(tmp_path: Path, sources: str, says: str) -> None:
    """Sources are checked, too."""
    write(tmp_path, "sources.yaml", sources)
    with pytest.raises(InputError, match=says):
        len(load(tmp_path).sources)


def test_a_catalogue_figure_needs_the_full_form(tmp_path: Path) -> None:
    """In the catalogue itself a bare value has no source, an unknown one needs a reason."""
    write(tmp_path, "sources.yaml", "a: {title: t, address: x, date: 2024, kind: paper}\n")
    write(tmp_path, "chips/mine.yaml", MINE)
    with pytest.raises(CatalogError, match="no source"):
        Catalog((Layer(tmp_path),)).chips["mine"]
    full = """name: mine
architecture: x
peak: {bf16: {value: 1 TFLOP/s, source: a}}
memory: {value: 1 GiB, source: a}
bandwidth: {value: 1 TB/s, source: a}
"""
    write(tmp_path, "chips/mine.yaml", full + "power: {value: null, source: a}\n")
    with pytest.raises(CatalogError, match="needs a `note`"):
        Catalog((Layer(tmp_path),)).chips["mine"]
    write(tmp_path, "chips/mine.yaml", full + "power:\n")
    with pytest.raises(CatalogError, match="missing"):
        Catalog((Layer(tmp_path),)).chips["mine"]
    write(tmp_path, "chips/mine.yaml", full + "release: 2024\n")
    with pytest.raises(CatalogError, match="release date has no source"):
        Catalog((Layer(tmp_path),)).chips["mine"]


# ------------------------------------------------------------------------------------------------- whole


def test_the_digest_covers_every_data_file(tmp_path: Path) -> None:
    """Changing one byte of one file, or its name, changes the digest."""
    digests = set()
    for name, text in (("chips/a.yaml", "x: 1"), ("chips/a.yaml", "x: 2"), ("chips/b.yaml", "x: 1")):
        folder = tmp_path / str(len(digests))
        write(folder, name, text)
        digests.add(Catalog((Layer(folder),)).digest())
    assert len(digests) == 3 and CATALOG.digest() == Catalog((Layer(DATA),)).digest()


def test_loading_is_lazy() -> None:
    """A cluster of one chip parses a handful of files, not the catalogue."""
    code = (
        "from exaplan.catalog import folder, load; c = load(); c.assemble(c.chip('h100-sxm'), 8);"
        "print(len(folder._DOCUMENTS))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 4  # chip, node, sources, defaults
