"""From an ask to nouns: models, clusters, own files, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exaplan.ask import parse
from exaplan.errors import InputError
from exaplan.nouns import Layout
from exaplan.planning.resolving import fill, find_cluster, resolve

from .asked import CATALOG, asked, setting

CHIP = (
    "name: mine\narchitecture: hopper\npeak: {bf16: 500 TFLOP/s}\nmemory: 120 GiB\nbandwidth: 3 TB/s\n"
    "link_bandwidth: 300 GB/s\ndomain: 8\npower: 600 W\n"
)
NODE = "name: my-node\nchip: mine.yaml\nchips: 8\nnetwork: 25 GB/s\nrent: $16/h\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a chip and a node that holds it."""
    (tmp_path / "mine.yaml").write_text(CHIP)
    (tmp_path / "my-node.yaml").write_text(NODE)
    return tmp_path


@pytest.mark.parametrize("cluster", [{"node": "my-node.yaml"}, {"node": "my-node.yaml", "chip": "mine.yaml"}])
def test_an_own_node_holds_an_own_chip(own: Path, cluster: dict[str, str]) -> None:
    """A node file names its chip by path; the chip may be named again in the ask."""
    ask = parse({"model": "llama-3.1-8b", "cluster": {**cluster, "count": 16}}, folder=own)
    made = find_cluster(ask, CATALOG)
    assert (made.chip.name, made.node.name, made.count) == ("mine", "my-node", 16)


def test_a_node_of_another_chip_is_refused(own: Path) -> None:
    """Own node and catalogue chip that differ: both names stand in the message."""
    ask = parse({"model": "llama-3.1-8b", "cluster": {"node": "my-node.yaml", "chip": "h100-sxm"}}, folder=own)
    with pytest.raises(InputError, match="my-node holds mine, not h100-sxm"):
        find_cluster(ask, CATALOG)


def test_a_node_alone_brings_its_chip_and_its_size() -> None:
    """Without a count the cluster is one node."""
    made = find_cluster(asked(cluster={"node": "dgx-a100-80gb"}), CATALOG)
    assert made.count == made.node.chips == 8 and made.chip.name.startswith("a100")


def test_what_a_config_left_open_is_an_assumption(tmp_path: Path) -> None:
    """The reader's assumptions on a config.json are those of the setting."""
    plain = {
        "model_type": "llama", "hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8,
        "intermediate_size": 1024, "vocab_size": 1000,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(plain))
    found = CATALOG.model(str(tmp_path / "config.json"))
    notes = [figure.note for name, figure in found.figures.items() if name.startswith("assumption.")]
    made = setting(model=str(tmp_path / "config.json"), work={"seq_len": 2048, "global_batch": 64})
    assert notes and [text for note in notes for text in made.assumptions if text.endswith(note)] != []


def test_positions_beyond_the_model_are_said() -> None:
    """A sequence longer than the model was made for is answered with a note."""
    made = setting(model="llama-2-70b", work={"seq_len": 8192, "global_batch": 64})
    assert any("beyond the model's 4096 positions" in note for note in made.assumptions)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"work": {"framework": "abacus"}}, "unknown framework 'abacus'"),
        ({"work": {"precision": "fp8"}, "cluster": {"chip": "a100-sxm-80gb"}}, "no known dense fp8 rate"),
        ({"cluster": {"chip": {"name": "x"}}}, "cannot be described inline"),
        ({"cluster": {"chip": "h10"}}, "unknown chip"),
    ],
)
def test_what_cannot_be_resolved_is_refused(parts: dict[str, object], problem: str) -> None:
    """Each refusal names what is wrong and carries a hint."""
    with pytest.raises(InputError, match=problem) as caught:
        resolve(asked(**parts), CATALOG)
    assert caught.value.hint


def test_a_layout_is_filled() -> None:
    """cp takes the chips that are left, experts are not cut by tensor, several chunks are interleaved."""
    made = setting(layout={"dp": 2, "tp": 2, "pp": 2})
    assert fill(made, Layout(dp=2, tp=2, pp=2, vpp=4)) == Layout(
        dp=2, tp=2, pp=2, vpp=4, cp=2, etp=2, schedule="interleaved"
    )
    assert fill(made, Layout(dp=2, tp=2, pp=2, ep=2)).etp == 1
