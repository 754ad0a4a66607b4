"""Collectives: textbook limits, laws, and measured times."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.catalog import fits
from exaplan.perf import network
from exaplan.perf.network import ExpertFit, LinkFit

BARE = LinkFit(0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
NVLINK4, IB = 450e9, 50e9
quick = settings(max_examples=150, deadline=None)
ranks = st.integers(2, 1024).map(float)
bytes_ = st.floats(1.0, 1e11)
links = st.sampled_from(sorted(fits.record("collectives")["curves"]))
Collective = Callable[[float, float, float, LinkFit], float]
ALL: list[Collective] = [network.all_reduce, network.reduce_scatter, network.all_gather, network.all_to_all]
NESTED = [
    network.hierarchical_all_reduce,
    network.hierarchical_reduce_scatter,
    network.hierarchical_all_gather,
    network.hierarchical_all_to_all,
]


# ------------------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("p", [2.0, 4.0, 8.0, 72.0, 1024.0])
def test_ring_all_reduce_is_the_textbook(p: float) -> None:
    """Without latency an all-reduce takes 2 (p-1)/p S / bandwidth."""
    assert network.all_reduce(1e9, p, IB, BARE) == pytest.approx(2.0 * (p - 1.0) / p * 1e9 / IB)


@pytest.mark.parametrize("collective", [network.reduce_scatter, network.all_gather, network.all_to_all])
def test_shards_move_all_but_one(collective: Collective) -> None:
    """Without latency the others take (p-1)/p S / bandwidth."""
    assert collective(1e9, 8.0, IB, BARE) == pytest.approx(0.875 * 1e9 / IB)


def test_all_reduce_is_scatter_and_gather() -> None:
    """For a large message an all-reduce takes as long as a reduce-scatter and an all-gather."""
    both = network.reduce_scatter(1e9, 8.0, IB, BARE) + network.all_gather(1e9, 8.0, IB, BARE)
    assert network.all_reduce(1e9, 8.0, IB, BARE) == pytest.approx(both)


def test_tree_wins_for_small_messages_over_many_ranks() -> None:
    """Over 1,024 ranks a small all-reduce takes logarithmically many steps, not 2,046."""
    fit = fits.fabric("infiniband")
    small = network.all_reduce(1024.0, 1024.0, IB, fit)
    assert small < 0.1 * network.ring_all_reduce(1024.0, 1024.0, IB, fit)


def test_switch_halves_the_volume() -> None:
    """In-network reduction moves (1 + 1/p) S where the ring moves 2 (p-1)/p S."""
    fit = BARE._replace(in_network=1.0)
    ratio = network.all_reduce(1e9, 64.0, IB, fit) / network.all_reduce(1e9, 64.0, IB, BARE)
    assert ratio == pytest.approx((1.0 + 1.0 / 64.0) / (2.0 * 63.0 / 64.0))


@pytest.mark.parametrize(("p", "levels"), [(1, 0), (2, 1), (3, 2), (8, 3), (9, 4), (1024, 10), (2**20, 20)])
def test_depth_is_exact(p: float, levels: float) -> None:
    """Tree levels are exact for powers of two and rounded up between them."""
    assert network.depth(p) == levels


def test_hierarchy_sends_a_shard_outside() -> None:
    """With free scale-up links an all-reduce over 8 x 16 ranks costs that of size / 8 in rings through all 128."""
    nested = network.hierarchical_all_reduce(8e9, 8.0, 16.0, 1e18, IB, BARE, BARE)
    assert nested == pytest.approx(network.all_reduce(1e9, 128.0, IB, BARE), rel=1e-6)


@pytest.mark.parametrize("nested", NESTED)
def test_one_node_needs_no_network(nested: Callable[..., float]) -> None:
    """Inside one node the network does not matter, and it must not."""
    fit, out = fits.link("hopper"), fits.fabric("infiniband")
    fast, slow = (nested(1e8, 8.0, 1.0, NVLINK4, bandwidth, fit, out) for bandwidth in (1e12, 1e6))
    assert fast == slow > 0.0


def test_oversubscription_divides_bandwidth() -> None:
    """Two to one halves what a chip gets; a lone chip may use four rails."""
    assert network.outer_bandwidth(IB, 1.0, 2.0) == 25e9
    assert network.outer_bandwidth(IB, 4.0, 1.0) == 200e9


@pytest.mark.parametrize("collective", ALL)
def test_alone_there_is_nothing_to_do(collective: Collective) -> None:
    """One rank, or no bytes: no time."""
    fit = fits.link("hopper")
    assert collective(1e9, 1.0, IB, fit) == collective(0.0, 8.0, IB, fit) == 0.0


# ------------------------------------------------------------------------------------------- laws


@quick
@given(bytes_, ranks, links, st.floats(1.0, 10.0), st.sampled_from(ALL))
def test_more_bandwidth_is_never_slower(size: float, p: float, name: str, gain: float, collective: Collective) -> None:
    """Faster links never make a collective slower."""
    fit = fits.link(name)
    assert collective(size, p, IB * gain, fit) <= collective(size, p, IB, fit) * (1 + 1e-12)


@quick
@given(bytes_, st.floats(0.0, 1e10), ranks, links, st.sampled_from(ALL))
def test_a_bigger_message_is_never_faster(size: float, more: float, p: float, name: str, run: Collective) -> None:
    """More bytes never take less time."""
    fit = fits.link(name)
    assert run(size + more, p, NVLINK4, fit) >= run(size, p, NVLINK4, fit) * (1 - 1e-12)


@quick
@given(bytes_, st.integers(2, 72), st.integers(2, 512), st.floats(1.0, 8.0), st.sampled_from(NESTED))
def test_hierarchies_obey_the_same_laws(
    size: float, inner: int, outer: int, gain: float, nested: Callable[..., float]
) -> None:
    """Over two levels a faster level never slows, and a bigger message never speeds up."""
    up, out = fits.link("hopper"), fits.fabric("infiniband")
    time = nested(size, inner, outer, NVLINK4, IB, up, out)
    assert nested(size, inner, outer, NVLINK4 * gain, IB, up, out) <= time * (1 + 1e-12)
    assert nested(size, inner, outer, NVLINK4, IB * gain, up, out) <= time * (1 + 1e-12)
    assert nested(size * gain, inner, outer, NVLINK4, IB, up, out) >= time * (1 - 1e-12)


@quick
@given(st.integers(1, 256).map(float), st.integers(1, 32).map(float))
def test_distinct_ranks_are_at_most_both(bins: float, draws: float) -> None:
    """A token reaches at most as many ranks as there are, and as it has experts; and at least one."""
    assert 1.0 - 1e-9 <= network.distinct(bins, draws) <= min(bins, draws) + 1e-9


@quick
@given(st.floats(1.0, 1e6), st.integers(1, 22).map(float), st.sampled_from([1.0, 2.0, 8.0]), st.floats(1.0, 5.0))
def test_experts_exchange_laws(tokens: float, top_k: float, nodes: float, gain: float) -> None:
    """More tokens or experts never cost less; limiting the nodes never costs more network."""
    fit = fits.experts("hopper")

    def time(count: float, chosen: float, reach: float, network_: float) -> float:
        return network.expert_exchange(count, 7168.0, chosen, 8.0, nodes, reach, NVLINK4, network_, fit)

    base = time(tokens, top_k, 0.0, IB)
    assert time(tokens * gain, top_k, 0.0, IB) >= base
    assert time(tokens, top_k + 1.0, 0.0, IB) >= base * (1 - 1e-12)
    assert time(tokens, top_k, 0.0, IB * gain) <= base * (1 + 1e-12)


# ------------------------------------------------------------------------------------------- measured values


@pytest.mark.parametrize(
    ("collective", "p", "mebibytes", "microseconds"),
    [
        (network.all_gather, 8.0, 512, 1406.0),
        (network.all_gather, 2.0, 512, 1048.7),
        (network.reduce_scatter, 4.0, 128, 356.6),
        (network.all_reduce, 8.0, 512, 2111.5),
        (network.all_reduce, 8.0, 16, 122.2),
        (network.all_to_all, 8.0, 128, 401.3),
    ],
)
def test_h100_nccl(collective: Collective, p: float, mebibytes: float, microseconds: float) -> None:
    """NCCL on one HGX H100 as measured by aiconfigurator (nccl_perf), within 20%."""
    predicted = collective(mebibytes * 2.0**20, p, NVLINK4, fits.link("hopper"))
    assert predicted * 1e6 == pytest.approx(microseconds, rel=0.2)


def test_a100_nccl() -> None:
    """A 512 MiB all-reduce over eight A100 takes 4.23 ms (aiconfigurator, NCCL 2.27.3)."""
    predicted = network.all_reduce(512 * 2.0**20, 8.0, 300e9, fits.link("ampere"))
    assert predicted == pytest.approx(4.2259e-3, rel=0.1)


@pytest.mark.parametrize(("nodes", "microseconds"), [(1.0, 965.6), (2.0, 1414.0), (4.0, 3510.0)])
def test_h100_expert_dispatch(nodes: float, microseconds: float) -> None:
    """DeepEP dispatch of 8,192 fp8 tokens of 7,168 to 8 of 256 experts over 8, 16 and 32 H100 (aiconfigurator)."""
    fit = fits.experts("hopper")
    predicted = network.expert_exchange(8192.0, 7168.0, 8.0, 8.0, nodes, 4.0, NVLINK4, IB, fit)
    assert predicted * 1e6 == pytest.approx(microseconds, rel=0.2)


def test_a_token_crosses_the_network_once_per_node() -> None:
    """With top-8 routing limited to one node of four nothing but that node's copy crosses."""
    fit = ExpertFit(0.0, 0.0, 1.0, 1.0, 0.0)
    one = network.expert_exchange(1000.0, 100.0, 8.0, 8.0, 4.0, 1.0, 1e18, IB, fit)
    assert one == pytest.approx(1000.0 * 100.0 * 0.75 / IB)


# ------------------------------------------------------------------------------------------- compiled twins


@pytest.mark.parametrize("name", ["all_reduce", "reduce_scatter", "all_to_all", "hierarchical_all_gather"])
def test_compiled_equals_plain(name: str) -> None:
    """numba compiles the formula with its callees, and it gives the same number."""
    kernel = pytest.importorskip("exaplan.perf.kernel")
    plain = getattr(network, name)
    flat = (1e8, 8.0, NVLINK4, fits.link("hopper"))
    nested = (1e8, 8.0, 16.0, NVLINK4, IB, fits.link("hopper"), fits.fabric("infiniband"))
    asked = nested if name.startswith("hier") else flat
    assert kernel.compiled(plain)(*asked) == pytest.approx(plain(*asked), rel=1e-12)


def test_unknown_fabric_takes_the_cautious_prior() -> None:
    """A fabric nobody described is RoCE, not InfiniBand; in-network reduction must be asked for."""
    assert fits.fabric("never-heard") == fits.fabric("roce")
    assert fits.fabric("infiniband").in_network == 0.0 < fits.fabric("infiniband", in_network=True).in_network
