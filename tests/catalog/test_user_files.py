"""Users' own files: chips, nodes, clusters, fabrics, sites, models, configs and asks, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaplan.catalog import DATA, Catalog, load
from exaplan.catalog.folder import Layer, fold, is_path
from exaplan.errors import InputError

from .written import MINE, write

CATALOG = load()


@pytest.mark.parametrize(
    ("value", "path"), [("h100", False), ("./h100", True), ("a/b", True), ("mine.yaml", True), ("c.JSON", True)]
)
def test_a_value_with_slash_or_suffix_is_a_file(value: str, path: bool) -> None:
    """The rule of the design, in one place."""
    assert is_path(value) is path
    assert fold(" A_b  C ") == "a-b-c"


def test_a_users_chip_is_its_own_source(tmp_path: Path) -> None:
    """Bare values are enough in a user's file, and every figure cites that file."""
    write(tmp_path, "mine.yaml", MINE + "release: 2027\naliases: [m]\nnote: half a GPU\n")
    chip = CATALOG.chip("mine.yaml", near=tmp_path)
    assert (chip.peak["bf16"], chip.memory, chip.domain, chip.power) == (500e12, 96 * 2**30, 1, None)
    assert {figure.source for figure in chip.figures.values()} == {f"user:{tmp_path / 'mine.yaml'}"}
    assert CATALOG.source(chip.figures["memory"].source).kind == "user"
    cluster = CATALOG.assemble(chip, 16)
    assert (cluster.node.chips, cluster.node.chip, cluster.node.network) == (8, "mine", None)


def test_a_users_file_that_reuses_a_name_gets_no_borrowed_node(tmp_path: Path) -> None:
    """A chip called like one of ours does not inherit our server of it."""
    path = write(tmp_path, "h100-sxm.yaml", MINE.replace("mine", "h100-sxm"))
    assert CATALOG.default_node(CATALOG.chip(str(path))).network is None


def test_a_users_node_and_cluster_may_name_files(tmp_path: Path) -> None:
    """References inside a file are relative to that file."""
    write(tmp_path, "parts/mine.yaml", MINE)
    node = "name: box\nchip: mine.yaml\nchips: 4\nnetwork: 100 Gb/s\nrent: $12/h\npower: 4 kW\nprice: $90k\n"
    write(tmp_path, "parts/box.yaml", node)
    path = write(tmp_path, "farm.yaml", "name: farm\nnode: parts/box.yaml\ncount: 32\nchip: parts/mine.yaml\n")
    found = CATALOG.node(str(tmp_path / "parts" / "box.yaml"))
    assert (found.chips, found.network, found.rent, found.price) == (4, 12.5e9, pytest.approx(12.0), 90e3)
    assert found.figures["rent"].value == pytest.approx(12.0)
    assert CATALOG.chip(found.chip).name == "mine"
    cluster = CATALOG.cluster(str(path))
    assert (cluster.count, cluster.chip.name, cluster.node.name, cluster.site.name) == (32, "mine", "box", "us-average")


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        (MINE.replace("memory: 96 GiB\n", ""), "memory", "missing"),
        (MINE.replace("96 GiB", "96"), "memory", "unit"),
        (MINE.replace("96 GiB", "96 TFLOP/s"), "memory", "not a unit of bytes"),
        (MINE.replace("96 GiB", "-96 GiB"), "memory", "negative"),
        (MINE.replace("96 GiB", "0 GiB"), "memory", "not plausible"),
        (MINE.replace("96 GiB", "900 PB"), "memory", "not plausible"),
        (MINE.replace("96 GiB", "nan"), "memory", "not a finite number"),
        (MINE.replace("96 GiB", "[96 GiB]"), "memory", "a list"),
        (MINE.replace("96 GiB", "{value: null, note: secret}"), "memory", "may not be unknown"),
        (MINE.replace("96 GiB", "{low: 1 GiB}"), "memory", "no `value`"),
        (MINE.replace("96 GiB", "{value: 9 GiB, low: 10 GiB}"), "memory", "not in order"),
        (MINE.replace("96 GiB", "{value: 9 GiB, source: nobody}"), "memory.source", "unknown source"),
        (MINE.replace("{bf16: 500 TFLOP/s}", "{}"), "peak", "no peak"),
        (MINE.replace("{bf16: 500 TFLOP/s}", "{bf61: 500 TFLOP/s}"), "peak.bf61", "unknown field"),
        (MINE.replace("{bf16: 500 TFLOP/s}", "fast"), "peak", "expected"),
        (MINE.replace("architecture: hopper\n", ""), "architecture", "missing"),
        (MINE.replace("architecture: hopper", "architecture: [hopper]"), "architecture", "not a word"),
        (MINE + "memroy: 1 GiB\n", "memroy", "unknown field"),
        (MINE + "aliases: one\n", "aliases", "not a list"),
        (MINE + "release: soon\n", "release", "not a date"),
        (MINE + "domain: 2.5\n", "domain", "whole"),
        ("- a\n- b\n", None, "expected"),
    ],
)
def test_a_bad_chip_file_names_place_and_remedy(tmp_path: Path, text: str, field: str | None, says: str) -> None:
    """Each mistake is one message with file, line, field, value and what to do."""
    path = write(tmp_path, "mine.yaml", text)
    with pytest.raises(InputError, match=says) as caught:
        CATALOG.chip(str(path))
    assert caught.value.place.file == str(path) and caught.value.hint
    assert caught.value.place.line is not None and caught.value.place.field == field


def test_a_misspelt_field_names_the_right_one(tmp_path: Path) -> None:
    """The hint holds the nearest field."""
    path = write(tmp_path, "mine.yaml", MINE + "link_bandwith: 1 GB/s\n")
    with pytest.raises(InputError) as caught:
        CATALOG.chip(str(path))
    assert "`link_bandwidth`" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("fabric", "name: f\nkind: mesh\noversubscription: 1\nlatency: 1 us\n", "unknown kind"),
        ("fabric", "name: f\nkind: rail\noversubscription: 0.5\nlatency: 1 us\n", "not plausible"),
        ("fabric", "name: f\nkind: rail\noversubscription: 1\nlatency: 1 us\nin_network: maybe\n", "not true or false"),
        ("fabric", "name: f\nkind: torus\noversubscription: 1\nlatency: 1 us\ntorus: [4, x]\n", "not a list"),
        ("site", "name: s\ncountry: USA\npue: 1.1\nelectricity: $0.1/kWh\ncarbon: 300 g/kWh\n", "not a country"),
        ("site", "name: s\ncountry: US\npue: 0.9\nelectricity: $0.1/kWh\ncarbon: 300 g/kWh\n", "not plausible"),
        ("node", "name: n\nchip: h1000\nchips: 8\n", "unknown chip"),
        ("cluster", "name: c\nchip: h100-sxm\n", "missing"),
        ("cluster", "name: c\nchip: h100-sxm\ncount: 0\n", "not plausible"),
        ("cluster", "name: c\nnode: hgx-h100\nchip: h200-sxm\ncount: 8\n", "holds `h100-sxm`"),
        ("cluster", "name: c\ncount: 8\n", "`chip` is missing"),
    ],
)
def test_bad_fabrics_sites_nodes_and_clusters_are_refused(tmp_path: Path, kind: str, text: str, says: str) -> None:
    """The other nouns are as strict as chips."""
    path = write(tmp_path, "it.yaml", text)
    with pytest.raises(InputError, match=says):
        getattr(CATALOG, kind)(str(path))


def test_good_fabric_and_site_files_load(tmp_path: Path) -> None:
    """Users' own fabrics and sites are read, with their figures."""
    fabric = write(tmp_path, "f.yaml", "name: f\nkind: torus\noversubscription: 1\nlatency: 2 us\ntorus: [4, 8]\n")
    site = write(tmp_path, "s.yaml", "name: s\ncountry: no\npue: 1.05\nelectricity: $0.05/kWh\ncarbon: 30 g/kWh\n")
    assert (CATALOG.fabric(str(fabric)).torus, CATALOG.fabric(str(fabric)).latency) == ((4, 8), 2e-6)
    assert (CATALOG.site(str(site)).country, CATALOG.site(str(site)).pue) == ("NO", 1.05)


CONFIG = """{
  "model_type": "llama",
  "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
  "num_attention_heads": 4,
  "vocab_size": 100
}
"""


def test_a_config_json_is_a_model(tmp_path: Path) -> None:
    """A Hugging Face config is read where a model name may stand; its figures cite it and say what was assumed."""
    path = write(tmp_path, "tiny/config.json", CONFIG)
    model = CATALOG.model("tiny/config.json", near=tmp_path)
    assert (model.name, model.hidden, len(model.layers), model.vocab) == ("tiny", 64, 2, 100)
    assert model.figures["hidden"].value == 64.0
    assert {figure.source for figure in model.figures.values()} == {f"user:{path}"}
    assert any(key.startswith("assumption.") and figure.note for key, figure in model.figures.items())


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (('"num_attention_heads": 4', '"num_attention_heads": 5'), 4, "heads"),
        (('"model_type": "llama"', '"model_type": "llamma"'), 2, "llamma"),
        (('"vocab_size": 100', '"vocab_size": -1'), 5, "vocab_size"),
    ],
)
def test_a_bad_config_json_names_its_line(tmp_path: Path, change: tuple[str, str], line: int, says: str) -> None:
    """Heads that do not divide, unknown types, impossible sizes: file, line, field and remedy."""
    path = write(tmp_path, "config.json", CONFIG.replace(*change))
    with pytest.raises(InputError, match=says) as caught:
        CATALOG.model(str(path))
    assert (caught.value.place.file, caught.value.place.line) == (str(path), line) and caught.value.hint


def test_a_model_is_found_by_name_and_alias() -> None:
    """Bundled models are found like chips, and keep a figure for what their file states."""
    model = CATALOG.model("llama3.1-8b")
    assert (model.name, model.hidden, len(model.layers)) == ("llama-3.1-8b", 4096, 32)
    assert CATALOG.source(model.figures["hidden"].source).address
    with pytest.raises(InputError, match="unknown model") as caught:
        CATALOG.model("llama-3.1-9b")
    assert "llama-3.1-8b" in caught.value.hint


def test_an_ask_is_found_by_name_or_file(tmp_path: Path) -> None:
    """A bundled ask, or a user's file, comes as it was read, with its places."""
    assert CATALOG.ask("llama-3.1-8b-pretrain").value["model"] == "llama-3.1-8b"
    path = write(tmp_path, "ask.yaml", "model: gpt2\n")
    assert CATALOG.ask(str(path)).place("model").line == 1


MODEL = "name: small\nlayers: 2\nhidden: 64\nheads: 4\nffn: 128\nvocab: 100\n"


def test_a_users_model_file_is_its_own_source(tmp_path: Path) -> None:
    """Dimensions at the top of a user's model file are enough."""
    path = write(tmp_path, "small.yaml", MODEL)
    model = CATALOG.model(str(path))
    assert model.name == "small" and {figure.source for figure in model.figures.values()} == {f"user:{path}"}


def test_a_bad_model_file_names_its_line(tmp_path: Path) -> None:
    """A dimension that cannot be names its own line, not the file's first."""
    path = write(tmp_path, "small.yaml", MODEL.replace("heads: 4", "heads: 5"))
    with pytest.raises(InputError) as caught:
        CATALOG.model(str(path))
    assert (caught.value.place.file, caught.value.place.line) == (str(path), 4)


def test_sources_of_model_files_are_known_when_asked_for(tmp_path: Path) -> None:
    """A source that only a model file states is found by a fresh catalogue; one id cannot mean two things."""
    fresh = Catalog((Layer(DATA),))
    assert "litgpt-config" in fresh.sources and "nobody" not in fresh.sources
    assert len(fresh.sources) == len(list(fresh.sources)) > 90
    other = "sources: [{id: litgpt-config, title: x, address: y, date: z, kind: paper}]\n"
    write(tmp_path, "models/small.yaml", MODEL + other)
    with pytest.raises(InputError, match="another meaning"):
        list(load(tmp_path).sources)
