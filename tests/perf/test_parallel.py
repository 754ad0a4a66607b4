"""Communication of a layout: who talks over which level, and how much."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_inputs import IDEAL, JOB, PLAIN, WHOLE

from exaplan.perf import network
from exaplan.perf import parallel as par
from exaplan.perf.inputs import Cut, Hardware

Timed = Callable[..., float]
quick = settings(max_examples=100, deadline=None)
INSIDE = IDEAL._replace(link=100.0, network=1e-9)  # fast links; whatever crosses the network takes for ever
OUTSIDE = IDEAL._replace(link=1e30, network=10.0, domain=8)
TOKENS, HIDDEN = 1024.0, JOB.hidden
SIZE = 2.0 * TOKENS * HIDDEN  # B of a 16-bit activation


def cut(**fields: int) -> Cut:
    return WHOLE._replace(**fields)


# -------------------------------------------------------------------------------------------------- placement


@pytest.mark.parametrize(
    ("size", "stride", "members"),
    [(4, 1, 4), (8, 1, 8), (16, 1, 8), (8, 2, 4), (4, 8, 1), (4, 16, 1), (2, 4, 2), (1, 1, 1)],
)
def test_group_members_in_one_domain(size: float, stride: float, members: float) -> None:
    """min(size, domain / stride) ranks of a strided group share a domain of eight, at least the rank itself."""
    assert par.inside(float(size), float(stride), PLAIN) == members


def test_a_larger_domain_holds_the_whole_group() -> None:
    """NVL72-like: 64 ranks inside."""
    assert par.inside(64.0, 1.0, PLAIN._replace(domain=72)) == 64.0


def test_oversubscription_counts_beyond_the_leaf() -> None:
    """A group that spans more chips than a leaf shares its uplinks; none on a flat fabric."""
    hw = PLAIN._replace(leaf=32, oversubscription=4.0)
    assert par.network_rate(32.0, hw) == hw.network
    assert par.network_rate(33.0, hw) == hw.network / 4.0
    assert par.network_rate(1e6, hw._replace(leaf=0)) == hw.network


@pytest.mark.parametrize(
    ("of_group", "flat"),
    [
        (par.reduce_time, network.all_reduce),
        (par.scatter_time, network.reduce_scatter),
        (par.gather_time, network.all_gather),
    ],
)
def test_groups_use_the_level_that_they_span(of_group: Timed, flat: Timed) -> None:
    """Inside a domain: scale-up alone; at its stride: scale-out alone; across: both, on an eighth of the bytes."""
    assert of_group(1e9, 8.0, 1.0, PLAIN) == pytest.approx(flat(1e9, 8.0, PLAIN.link, PLAIN.inner))
    outside = flat(1e9 * network.crossing(1.0, 4.0), 4.0, PLAIN.network, PLAIN.outer)
    assert of_group(1e9, 4.0, 8.0, PLAIN) == pytest.approx(outside)
    both = of_group(1e9, 32.0, 1.0, PLAIN)
    assert both > 1.02 * flat(1e9, 8.0, PLAIN.link, PLAIN.inner)
    assert both < of_group(1e9, 4.0, 8.0, PLAIN)
    slow = PLAIN._replace(leaf=16, oversubscription=4.0)
    assert of_group(1e9, 32.0, 1.0, slow) > 2.0 * both
    assert of_group(1e9, 4.0, 8.0, slow) > 3.0 * outside


# ----------------------------------------------------------------------------------------------------- tensor


def test_tensor_region_is_an_all_reduce() -> None:
    """2 (t - 1) / t of 2 s b h bytes per region (arXiv:2205.05198, section 4.2)."""
    expected = 2.0 * 7.0 / 8.0 * SIZE / 100.0
    assert par.tensor_forward(TOKENS, cut(tp=8), INSIDE, JOB) == pytest.approx(expected)
    assert par.tensor_backward(TOKENS, cut(tp=8), INSIDE, JOB) == pytest.approx(expected)


def test_sequence_parallelism_moves_as_much_forward_and_gathers_again_backward() -> None:
    """All-gather + reduce-scatter equal one all-reduce; backward gathers the saved input once more."""
    plain, split = cut(tp=4), cut(tp=4, sequence_parallel=1)
    forward = par.tensor_forward(TOKENS, split, INSIDE, JOB)
    assert forward == pytest.approx(par.tensor_forward(TOKENS, plain, INSIDE, JOB))
    extra = par.tensor_backward(TOKENS, split, INSIDE, JOB) - forward
    assert extra == pytest.approx(3.0 / 4.0 * SIZE / 100.0)


def test_one_tensor_rank_is_silent() -> None:
    """tp = 1 moves nothing, with or without the flag."""
    for flag in (0, 1):
        assert par.tensor_forward(TOKENS, cut(sequence_parallel=flag), INSIDE, JOB) == 0.0
        assert par.tensor_backward(TOKENS, cut(sequence_parallel=flag), INSIDE, JOB) == 0.0


# ---------------------------------------------------------------------------------------------------- experts


def test_expected_nodes_of_top_k_draws() -> None:
    """One draw lies on one node; many draws reach all of n; two of two: 1.5."""
    assert network.distinct(8.0, 1.0) == pytest.approx(1.0)
    assert network.distinct(2.0, 2.0) == pytest.approx(1.5)
    assert network.distinct(4.0, 200.0) == pytest.approx(4.0)


def test_exchange_inside_a_domain() -> None:
    """top_k copies of tokens / tp rows, (ep - 1) / ep of which leave the rank."""
    moe = JOB._replace(experts=16, top_k=2)
    row = 2.0 * TOKENS / 2.0 * HIDDEN
    found = par.expert_exchange(TOKENS, cut(ep=4, tp=2), INSIDE, moe, 2.0)
    assert found == pytest.approx(2.0 * row * 3.0 / 4.0 / 100.0)
    assert par.expert_exchange(TOKENS, cut(ep=4, tp=2), INSIDE, moe, 1.0) == pytest.approx(0.5 * found)


def test_no_more_copies_than_ranks() -> None:
    """top_k = 8 over two ranks sends at most two copies of a row."""
    few = par.expert_exchange(TOKENS, cut(ep=2), INSIDE, JOB._replace(experts=16, top_k=8), 2.0)
    two = par.expert_exchange(TOKENS, cut(ep=2), INSIDE, JOB._replace(experts=16, top_k=2), 2.0)
    assert few == pytest.approx(two)


def test_exchange_across_nodes() -> None:
    """Plain: top_k copies of a row over the network, (n - 1) / n of them; the scale-up part hides behind it."""
    moe = JOB._replace(experts=64, top_k=4)
    plain = par.expert_exchange(TOKENS, cut(ep=32), OUTSIDE, moe, 2.0)
    assert plain == pytest.approx(4.0 * SIZE * 3.0 / 4.0 / 10.0)
    aware = par.expert_exchange(TOKENS, cut(ep=32), OUTSIDE, moe._replace(node_aware=1), 2.0)
    assert aware == pytest.approx(network.distinct(4.0, 4.0) / 4.0 * plain)


@quick
@given(st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]), st.integers(1, 16), st.sampled_from([1, 2, 4, 8]))
def test_node_aware_never_moves_more(ep: int, top_k: int, tp: int) -> None:
    """One copy per node is never slower than one copy per expert."""
    moe = JOB._replace(experts=256, top_k=top_k)
    layout = cut(ep=ep, tp=tp)
    hw = PLAIN._replace(experts=network.ExpertFit(0.0, 0.0, 0.8, 0.8, 0.0))  # as efficient as plain, no fixed cost
    plain = par.expert_exchange(TOKENS, layout, hw, moe, 2.0)
    aware = par.expert_exchange(TOKENS, layout, hw, moe._replace(node_aware=1), 2.0)
    assert aware <= 1.1 * plain  # fewer than one draw a node counts up to 7% too many ranks


def test_node_aware_exchange_has_its_own_fixed_costs() -> None:
    """Base and cost per token of the exchange kernels come on top of the stream."""
    moe, layout = JOB._replace(experts=64, top_k=4, node_aware=1), cut(ep=32, tp=2)
    dear = OUTSIDE._replace(experts=network.ExpertFit(3.0, 0.5, 1.0, 1.0, 0.0))
    extra = par.expert_exchange(TOKENS, layout, dear, moe, 2.0) - par.expert_exchange(TOKENS, layout, OUTSIDE, moe, 2.0)
    assert extra == pytest.approx(3.0 + 0.5 * TOKENS / 2.0)


def test_expert_tensor_ranks_gather_the_rows() -> None:
    """etp = 2 gathers twice the received rows: top_k x 2 x rows, half of which come from the other rank."""
    moe = JOB._replace(experts=16, top_k=2)
    row = 2.0 * TOKENS / 2.0 * HIDDEN
    alone = par.expert_exchange(TOKENS, cut(tp=2, etp=2), INSIDE, moe, 2.0)
    assert alone == pytest.approx(row * 2.0 * 2.0 * 0.5 / 100.0)
    both = par.expert_exchange(TOKENS, cut(tp=2, etp=2, ep=4), INSIDE, moe, 2.0)
    assert both == pytest.approx(alone + 2.0 * row * 3.0 / 4.0 / 100.0)


def test_experts_on_every_rank_are_not_exchanged() -> None:
    """ep = etp = 1: no traffic."""
    assert par.expert_exchange(TOKENS, cut(tp=8), INSIDE, JOB._replace(experts=8, top_k=2), 2.0) == 0.0


# ---------------------------------------------------------------------------------------------------- context


def test_ring_passes_keys_and_values_cp_minus_1_times() -> None:
    """(cp - 1) transfers of 2 B x tokens x width."""
    expected = 3.0 * 2.0 * TOKENS * 16.0 / 100.0
    assert par.context_forward(TOKENS, 16.0, cut(cp=4), INSIDE) == pytest.approx(expected)


def test_ring_across_nodes_runs_at_the_slowest_hop() -> None:
    """One hop over the network paces the whole ring."""
    hw = IDEAL._replace(link=100.0, network=10.0)
    expected = 15.0 * 2.0 * TOKENS * 16.0 / 10.0
    assert par.context_forward(TOKENS, 16.0, cut(cp=16), hw) == pytest.approx(expected)
    assert par.context_forward(TOKENS, 16.0, cut(cp=8, tp=2), hw) == pytest.approx(expected * 7.0 / 15.0)


def test_ulysses_exchanges_heads_once() -> None:
    """(cp - 1) / cp of q, k, v and output in one all-to-all: the volume falls with cp, unlike the ring's."""
    expected = 3.0 / 4.0 * 2.0 * TOKENS * 16.0 / 100.0
    assert par.context_forward(TOKENS, 16.0, cut(cp=4, ulysses=1), INSIDE) == pytest.approx(expected)
    far = par.context_forward(TOKENS, 16.0, cut(cp=8, tp=8, ulysses=1), IDEAL._replace(network=10.0))
    assert far == pytest.approx(7.0 / 8.0 * 2.0 * TOKENS * 16.0 / 10.0)


def test_one_context_rank_is_silent() -> None:
    """cp = 1 moves nothing."""
    assert par.context_forward(TOKENS, 16.0, cut(ulysses=1), INSIDE) == 0.0
    assert par.context_forward(TOKENS, 16.0, cut(), INSIDE) == 0.0


# --------------------------------------------------------------------------------------------------- pipeline


def test_stage_transfer_uses_the_level_of_the_next_stage() -> None:
    """Stages within a domain send over links, others over the network; each tensor rank sends its share."""
    hw = IDEAL._replace(link=100.0, network=10.0)
    split = cut(pp=2, tp=2, sequence_parallel=1)
    assert par.stage_transfer(TOKENS, split, hw, JOB) == pytest.approx(SIZE / 2.0 / 100.0)
    assert par.stage_transfer(TOKENS, split._replace(dp=4), hw, JOB) == pytest.approx(SIZE / 2.0 / 10.0)
    assert par.stage_transfer(TOKENS, split._replace(cp=4), hw, JOB) == pytest.approx(SIZE / 2.0 / 10.0)
    assert par.stage_transfer(TOKENS, split._replace(tp=8), hw, JOB) == pytest.approx(SIZE / 8.0 / 10.0)


def test_receivers_gather_without_sequence_parallelism() -> None:
    """Scatter-gather (arXiv:2104.04473, section 4.1): the received shares are gathered over links."""
    hw = IDEAL._replace(link=100.0, network=10.0)
    split, plain = cut(pp=2, tp=8, sequence_parallel=1), cut(pp=2, tp=8)
    extra = par.stage_transfer(TOKENS, plain, hw, JOB) - par.stage_transfer(TOKENS, split, hw, JOB)
    assert extra == pytest.approx(7.0 / 8.0 * SIZE / 100.0)
    assert par.stage_transfer(TOKENS, cut(pp=2, dp=8), hw, JOB) == pytest.approx(SIZE / 10.0)


def test_stage_transfer_beyond_the_leaf() -> None:
    """The next stage under another leaf shares the uplinks."""
    hw = IDEAL._replace(link=100.0, network=10.0, leaf=32, oversubscription=2.0)
    assert par.stage_transfer(TOKENS, cut(pp=2, dp=16), hw, JOB) == pytest.approx(SIZE / 10.0)
    assert par.stage_transfer(TOKENS, cut(pp=2, dp=32), hw, JOB) == pytest.approx(SIZE / 5.0)


def test_one_stage_is_silent() -> None:
    """pp = 1 sends nothing."""
    assert par.stage_transfer(TOKENS, cut(tp=8), INSIDE, JOB) == 0.0


# ------------------------------------------------------------------------------------------------------- data


def test_ranks_that_share_optimizer_state() -> None:
    """dp x cp, or the ZeRO group where that is smaller."""
    assert par.state_ranks(cut(dp=8, cp=2)) == 16.0
    assert par.state_ranks(cut(dp=8, cp=2, zero_group=4)) == 4.0
    assert par.state_ranks(cut(dp=2, zero_group=8)) == 2.0


def flat(network_bandwidth: float) -> Hardware:
    """A cluster of single chips: every group runs over the network alone."""
    return IDEAL._replace(domain=1, network=network_bandwidth)


@pytest.mark.parametrize("zero", [1, 2, 3])
def test_sharded_stages_move_half_of_an_all_reduce(zero: int) -> None:
    """ZeRO 0 all-reduces 2 P (r-1)/r; 1-3 reduce-scatter P (r-1)/r and gather P (r-1)/r (arXiv:1910.02054, sec. 7)."""
    whole = par.gradient_reduce(1e6, 8.0, 8.0, 1.0, cut(dp=8), flat(10.0), JOB)
    scattered = par.gradient_reduce(1e6, 8.0, 8.0, 1.0, cut(dp=8, zero=zero), flat(10.0), JOB)
    gathered = par.parameter_gather(1e6, 8.0, 1.0, 2.0, flat(10.0))
    assert whole == pytest.approx(2.0 * 7.0 / 8.0 * network.crossing(1.0, 8.0) * 4e6 / 10.0)
    assert scattered == pytest.approx(0.5 * whole)
    assert gathered == pytest.approx(0.5 * scattered)  # 2 B weights against 4 B gradients


def test_gradient_width_counts() -> None:
    """16-bit reduction moves half of a 32-bit one."""
    narrow = par.gradient_reduce(1e6, 8.0, 8.0, 1.0, cut(dp=8), flat(10.0), JOB._replace(grad_bytes=2.0))
    assert 2.0 * narrow == pytest.approx(par.gradient_reduce(1e6, 8.0, 8.0, 1.0, cut(dp=8), flat(10.0), JOB))


def test_hybrid_sharding_reduces_the_shard_across_groups() -> None:
    """Scatter within the group of 8 on links, all-reduce an eighth across 4 groups on the network."""
    hw = IDEAL._replace(link=100.0, network=10.0)
    layout = cut(dp=32, zero=3, zero_group=8)
    expected = par.scatter_time(4e6, 8.0, 1.0, hw) + par.reduce_time(4e6 / 8.0, 4.0, 8.0, hw)
    assert par.gradient_reduce(1e6, 32.0, 8.0, 1.0, layout, hw, JOB) == pytest.approx(expected)
    assert expected == pytest.approx(4e6 * 7.0 / 8.0 / 100.0 + 2.0 * 3.0 / 4.0 * 5e5 / 10.0)


def test_nothing_to_reduce_is_silent() -> None:
    """One rank, or no parameters: no traffic, and no latency."""
    assert par.gradient_reduce(1e6, 1.0, 1.0, 1.0, cut(), PLAIN, JOB) == 0.0
    assert par.gradient_reduce(0.0, 8.0, 8.0, 1.0, cut(dp=8), PLAIN, JOB) == 0.0
    assert par.parameter_gather(1e6, 1.0, 1.0, 2.0, PLAIN) == 0.0
    assert par.parameter_gather(0.0, 8.0, 1.0, 2.0, PLAIN) == 0.0


@quick
@given(
    st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([1, 2, 4, 8]), st.floats(1e2, 1e7), st.floats(1.0, 10.0)
)  # fmt: skip
def test_faster_networks_are_never_slower(tp: int, cp: int, tokens: float, factor: float) -> None:
    """More bandwidth on either level shortens every transfer or leaves it."""
    layout = cut(tp=tp, cp=cp, pp=2, ep=4)
    moe = JOB._replace(experts=64, top_k=4)
    for better in (PLAIN._replace(link=PLAIN.link * factor), PLAIN._replace(network=PLAIN.network * factor)):
        assert par.tensor_forward(tokens, layout, better, moe) <= par.tensor_forward(tokens, layout, PLAIN, moe)
        assert par.context_forward(tokens, 64.0, layout, better) <= par.context_forward(tokens, 64.0, layout, PLAIN)
        assert par.stage_transfer(tokens, layout, better, moe) <= par.stage_transfer(tokens, layout, PLAIN, moe)
        now = par.expert_exchange(tokens, layout, PLAIN, moe, 2.0)
        assert par.expert_exchange(tokens, layout, better, moe, 2.0) <= now
