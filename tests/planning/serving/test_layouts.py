"""What cuts of a copy are tried, and which are not legal."""

from __future__ import annotations

import pytest

from exaplan.nouns.serving import Replica
from exaplan.planning.serving.layouts import near, space_of, unlawful

from .made import CATALOG

DENSE, EXPERTS = CATALOG.model("llama-3.1-70b"), CATALOG.model("deepseek-v3")
H100 = CATALOG.assemble(CATALOG.chip("h100-sxm"), 8)
PC = CATALOG.assemble(CATALOG.chip("rtx-4090"), 1, CATALOG.node("pc-rtx-4090"))


def test_a_dense_model_is_cut_by_tensors_and_stages() -> None:
    """Powers of two up to a node; no attention ranks and no experts."""
    found = space_of(DENSE, H100, 8, {}).replicas
    assert {(item.tp, item.pp) for item in found} >= {(1, 1), (2, 1), (4, 1), (8, 1), (1, 8), (2, 4), (4, 2)}
    assert all(item.dp == item.ep == item.cp == 1 and item.chips <= 8 for item in found)
    assert [item.chips for item in found] == sorted(item.chips for item in found)


def test_experts_are_spread_over_the_ranks_of_a_copy() -> None:
    """Attention ranks share the experts: ep is 1 or all of tp x dp."""
    found = space_of(EXPERTS, H100, 16, {}).replicas
    assert Replica(tp=1, dp=8, ep=8) in found and Replica(tp=8, ep=8) in found and Replica(tp=8, pp=2) in found
    assert all(item.ep in (1, item.tp * item.dp) for item in found)


def test_given_degrees_are_kept() -> None:
    """Only cuts with the given degrees, even odd ones."""
    found = space_of(DENSE, H100, 64, {"tp": 4, "pp": 5}).replicas
    assert found == (Replica(tp=4, pp=5),)


def test_a_copy_beyond_a_node_is_of_whole_nodes() -> None:
    """Stages cross nodes only where the tensor ranks fill them."""
    wide = [item for item in space_of(DENSE, H100, 32, {}).replicas if item.chips > 8]
    assert wide and all(item.tp == 8 for item in wide)


def test_long_prompts_are_cut_over_ranks() -> None:
    """cp is tried where it leaves a rank at least 8,192 tokens."""
    assert max(item.cp for item in space_of(DENSE, H100, 8, {}, 100_000.0).replicas) == 8
    assert max(item.cp for item in space_of(DENSE, H100, 8, {}, 20_000.0).replicas) == 2
    assert all(item.cp == 1 for item in space_of(DENSE, H100, 8, {}, 4096.0).replicas)


@pytest.mark.parametrize(
    ("replica", "reason"),
    [
        (Replica(tp=3), "tp does not divide the model"),
        (Replica(pp=81), "more pipeline stages than layers"),
        (Replica(tp=2, ep=2), "experts do not divide over ranks"),
        (Replica(dp=2), "attention ranks need experts to share"),
        (Replica(tp=8, pp=2), "more chips than are to be had"),
    ],
)
def test_what_is_not_legal_says_why(replica: Replica, reason: str) -> None:
    """One reason for each."""
    assert unlawful(DENSE, replica, H100, 8 if replica.chips == 16 else 1000) == reason


def test_ep_divides_the_ranks_of_a_stage() -> None:
    """Experts over 4 ranks of 6 are refused."""
    assert unlawful(EXPERTS, Replica(tp=2, dp=3, ep=4), H100, 64) == "ep does not divide the ranks of a stage"


def test_rejected_cuts_are_counted() -> None:
    """A given degree that no cut can take is counted by its reason, once for each number of stages."""
    found = space_of(DENSE, H100, 8, {"tp": 3})
    assert not found.replicas and dict(found.rejected) == {"tp does not divide the model": 2}


def test_chips_of_a_pc_reach_each_other_over_its_bus() -> None:
    """Where no links join chips, a node is as far as its bus goes."""
    assert near(PC) == PC.node.chips and near(H100) == 8
    rack = CATALOG.assemble(CATALOG.chip("gb200"), 72, CATALOG.node("gb200-nvl72"))
    assert near(rack) == 72


def test_experts_may_be_spread_over_several_nodes() -> None:
    """Attention ranks beyond a node, up to 64 ranks, in one stage."""
    wide = [item for item in space_of(EXPERTS, H100, 128, {}).replicas if item.tp * item.dp > 8]
    assert Replica(tp=1, dp=32, ep=32) in wide and all(item.pp == 1 and item.tp * item.dp <= 64 for item in wide)
