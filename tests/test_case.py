"""From nouns to the numbers of perf/: hardware, job, cut, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from made_inputs import DENSE, ROUTED, TUNE

from exaplan import case as cases
from exaplan.case import Case
from exaplan.catalog import Catalog, fits, load, tuning
from exaplan.errors import InputError
from exaplan.nouns import Cluster, Layout, Training
from exaplan.perf import inputs

WORK = Training(seq_len=2048, global_batch=64)


@pytest.fixture(scope="module")
def shelf() -> Catalog:
    return load()


@pytest.fixture
def cluster(shelf: Catalog) -> Cluster:
    """Sixteen H100 in two nodes."""
    return shelf.assemble(shelf.chip("h100-sxm"), 16)


def changed(cluster: Cluster, **chip: Any) -> Cluster:
    return replace(cluster, chip=replace(cluster.chip, **chip))


def made(cluster: Cluster, **work: Any) -> Case:
    return cases.make(DENSE, replace(WORK, **work), cluster, TUNE)


# ---------------------------------------------------------------------------------------------------- refusals


def test_unknown_precision_is_refused_with_the_list(cluster: Cluster) -> None:
    """The field, the value and what is known."""
    with pytest.raises(InputError, match="unknown precision 'int3'") as caught:
        made(cluster, precision="int3")
    assert caught.value.place.field == "work.precision"
    assert all(name in caught.value.hint for name in cases.PRECISIONS)


def test_a_format_without_a_peak_is_refused(shelf: Catalog) -> None:
    """An A100 has no FP8: the error names chip, format and what it has."""
    with pytest.raises(InputError, match=r"a100-sxm-80gb has no known dense peak for fp8") as caught:
        made(shelf.assemble(shelf.chip("a100-sxm-80gb"), 8), precision="fp8")
    assert caught.value.place.field == "work.precision" and "bf16" in caught.value.hint


def test_no_16_bit_peak_is_refused(cluster: Cluster) -> None:
    """Attention runs in 16 bit, so a chip without such a peak has no answer."""
    with pytest.raises(InputError, match="no known dense peak for bf16"):
        made(changed(cluster, peak={"fp8": 1e15}), precision="fp8")


def test_an_unknown_network_matters_beyond_a_node(cluster: Cluster) -> None:
    """Two nodes need a known network; one node does not."""
    blind = replace(cluster, node=replace(cluster.node, network=None))
    with pytest.raises(InputError, match=r"scale-out bandwidth of node .* is unknown") as caught:
        made(blind)
    assert caught.value.place.field == "cluster.node" and caught.value.hint
    alone = made(replace(blind, count=8)).hardware
    assert alone.network == alone.link > 0.0


# ---------------------------------------------------------------------------------------------------- hardware


def test_an_unknown_link_matters_within_a_domain(cluster: Cluster) -> None:
    """Chips that share a domain need its bandwidth; one chip alone does not."""
    bare = changed(replace(cluster, node=replace(cluster.node, link_bandwidth=None)), link_bandwidth=None)
    with pytest.raises(InputError, match="scale-up bandwidth of hgx-h100 is unknown, and 8 chips") as caught:
        made(bare)
    assert caught.value.place.field == "cluster.node" and "link_bandwidth" in caught.value.hint
    assert made(replace(bare, count=1)).hardware.domain == 1


def test_hardware_holds_the_clusters_figures(cluster: Cluster) -> None:
    """Peaks, memory, links, network and fabric as the nouns have them."""
    chip, node, fabric = cluster.chip, cluster.node, cluster.fabric
    found = made(cluster).hardware
    assert (found.high.peak, found.high.bandwidth) == (chip.peak["bf16"], chip.bandwidth)
    assert found.low.peak == chip.peak["bf16"] and found.memory == chip.memory
    assert found.link == (node.link_bandwidth or chip.link_bandwidth) and found.network == node.network
    assert (found.leaf, found.oversubscription) == (fabric.leaf, fabric.oversubscription)
    assert found.processors == found.high.processors == chip.processors and found.host_link > 0.0
    assert found.inner == fits.link("hopper") and found.vector == fits.vector("hopper")


@pytest.mark.parametrize(
    ("precision", "low"), [("bf16", "bf16"), ("fp8", "fp8"), ("fp8-block", "fp8"), ("tf32", "tf32")]
)
def test_products_run_at_the_peak_of_their_format(cluster: Cluster, precision: str, low: str) -> None:
    """Matrix products take the format's peak; the rest stays at 16 bit."""
    found = made(cluster, precision=precision).hardware
    assert found.low.peak == cluster.chip.peak[low] and found.high.peak == cluster.chip.peak["bf16"]


def test_fp16_takes_the_fp16_peak(cluster: Cluster) -> None:
    """Where a chip's two 16-bit peaks differ, fp16 work takes its own; a chip with one only takes that."""
    apart = changed(cluster, peak={"bf16": 1e15, "fp16": 2e15})
    assert made(apart, precision="fp16").hardware.high.peak == 2e15
    assert made(apart).hardware.high.peak == 1e15
    old = changed(cluster, peak={"fp16": 1e14})
    assert made(old, precision="fp16").hardware.high.peak == 1e14


def test_a_small_cluster_is_its_own_domain(cluster: Cluster) -> None:
    """The scale-up domain is the node's, or the chips there are."""
    assert made(cluster).hardware.domain == 8
    assert made(replace(cluster, count=2)).hardware.domain == 2


@pytest.mark.parametrize(
    ("name", "kind", "curve"),
    [
        ("RoCE v2", "rail", "roce"), ("aws-efa", "fat-tree", "efa"), ("ethernet-100g", "rail", "ethernet"),
        ("quantum-2", "rail", "infiniband"), ("ici", "torus", "torus"),
    ],
)  # fmt: skip
def test_fabrics_take_the_curve_of_their_kind(cluster: Cluster, name: str, kind: str, curve: str) -> None:
    """By kind for a torus, else by the name; InfiniBand where nothing is said."""
    found = replace(cluster, fabric=replace(cluster.fabric, name=name, kind=kind))
    assert cases.fabric_kind(found) == curve


def test_older_kernels_run_at_their_share(cluster: Cluster) -> None:
    """The curve of fused attention scaled by the kernel's published share; unknown kernels take it whole."""
    curves = fits.record("attention_kernels")["curves"]["hopper"]
    old = next(name for name, entry in curves.items() if float(entry["share"]) != 1.0)
    share = float(curves[old]["share"])
    assert cases.attention_fit("hopper", old).peak == pytest.approx(share * fits.attention("hopper").peak)
    assert cases.attention_fit("hopper", "") == fits.attention("hopper")


# -------------------------------------------------------------------------------------------------- job and cut


def test_tuning_is_the_shipped_one_unless_given(cluster: Cluster) -> None:
    """Folds bring their own tuning."""
    assert made(cluster).tuning == TUNE
    shipped = cases.make(ROUTED, WORK, cluster).tuning
    assert shipped == tuning.tuning("hopper", "", "bf16", True)


def test_unfused_attention_keeps_more(cluster: Cluster) -> None:
    """The packed model knows how attention runs, and so does the job."""
    fused, plain = made(cluster), made(cluster, attention="unfused")
    column = inputs.SAVED
    assert plain.packed.operators[:, column].sum() > fused.packed.operators[:, column].sum()
    assert (cases.job(fused, Layout()).fused, cases.job(plain, Layout()).fused) == (1, 0)


def test_job_of_a_layout(cluster: Cluster) -> None:
    """Sequence, batch, width, experts and chips; 12 B of state; FSDP reduces gradients in 16 bit."""
    case = cases.make(ROUTED, WORK, cluster, TUNE, dropout=True)
    job = cases.job(case, Layout(dp=4, tp=2))
    assert (job.seq, job.batch, job.hidden, job.experts, job.top_k) == (2048, 64, 1024, 16, 2)
    assert (job.chips, job.dropout, job.master_bytes, job.grad_bytes) == (8, 1, 12.0, 4.0)
    assert cases.job(case, Layout(dp=4, zero=3)).grad_bytes == 2.0
    assert cases.job(made(cluster), Layout()).top_k == 1


@pytest.mark.parametrize(
    ("precision", "is_low", "width"), [("bf16", 0, 2.0), ("fp8", 1, 1.0), ("fp8-block", 1, 1.03125), ("fp16", 0, 2.0)]
)
def test_low_formats_have_their_width(cluster: Cluster, precision: str, is_low: int, width: float) -> None:
    """Bytes per operand, scales included (32 values share one byte of scale in blocks)."""
    job = cases.job(made(cluster, precision=precision), Layout())
    assert (job.is_low, job.low_bytes) == (is_low, width)


def test_dispatchers_come_from_the_framework_table(cluster: Cluster) -> None:
    """Only generations with a node-aware dispatcher send one copy per node."""
    for entry in tuning.frameworks():
        case = made(cluster, framework=str(entry["generation"]))
        assert case.node_aware == int(entry.get("dispatcher") == "node-aware")
    assert made(cluster).node_aware == 0


def test_cut_holds_the_layout() -> None:
    """Every degree in its place; flags as 0 and 1."""
    layout = Layout(
        dp=2, tp=4, pp=8, vpp=3, cp=5, ep=6, etp=7, micro_batch=9, recompute="full:0.5", zero=2, zero_group=10,
        schedule="zero-bubble", cp_kind="ulysses", offload=True,
    )  # fmt: skip
    found = cases.cut(layout, graphs=True)
    assert found[:8] == (2, 4, 8, 3, 5, 6, 7, 9)
    assert (found.recompute, found.whole, found.zero, found.zero_group) == (inputs.ALL_MODULES, 0.5, 2, 10)
    assert (found.sequence_parallel, found.schedule, found.ulysses, found.offload, found.graphs) == (1, 2, 1, 1, 1)


def test_sequence_parallelism_needs_tensor_ranks() -> None:
    """One tensor rank has nothing to split."""
    assert cases.cut(Layout()).sequence_parallel == 0
    assert cases.cut(Layout(tp=2)).sequence_parallel == 1
    assert cases.cut(Layout(tp=2, sequence_parallel=False)).sequence_parallel == 0


def test_several_chunks_are_interleaved() -> None:
    """1F1B over chunks is the interleaved schedule; other schedules keep their name."""
    schedules = [
        cases.cut(Layout(pp=2, vpp=v, schedule=s)).schedule for v, s in ((1, "1f1b"), (2, "1f1b"), (2, "dualpipe"))
    ]
    assert schedules == [inputs.ONE_F_ONE_B, inputs.INTERLEAVED, inputs.DUALPIPE]
    assert cases.cut(Layout(pp=2, schedule="interleaved")).schedule == inputs.INTERLEAVED


def test_dropout_is_a_fact_of_the_framework(cluster: Cluster) -> None:
    """Megatron-LM of 2022 drops out, a plain ask does not; the caller may say otherwise."""
    assert made(cluster, framework="megatron-2022", attention="unfused").dropout
    assert not made(cluster).dropout
    assert not cases.make(DENSE, replace(WORK, framework="megatron-2022"), cluster, dropout=False).dropout


def test_old_software_has_no_choice() -> None:
    """Neither sequence parallelism nor ZeRO before 2022; nothing is fixed for a framework that is not named."""
    assert cases.software_layout("megatron-2022") == {"sequence_parallel": False, "zero": 0}
    assert cases.software_layout("") == {}


# --------------------------------------------------------------------------------------------------- power and fits


def test_watts_hold_the_ratings_and_the_site(cluster: Cluster) -> None:
    """TDP, node, chips per node and PUE; no cap is no bound; the shares of the record."""
    found = cases.watts(cluster)
    assert (found.known, found.tdp, found.node) == (1, cluster.chip.power, cluster.node.power)
    assert (found.chips, found.pue, found.cap) == (8.0, cluster.site.pue, math.inf)
    assert found.fit._asdict() == tuning.yaml_data("fits/power.yaml")["coefficients"]
    assert cases.watts(replace(cluster, power_cap=500.0)).cap == 500.0
    assert cases.watts(replace(cluster, site=replace(cluster.site, pue=1.5))).pue == 1.5


def test_an_unknown_rating_is_taken_from_the_other(cluster: Cluster) -> None:
    """A chip's from its node, a node's from its chips and what stands beside them; neither known: unknown."""
    beside = float(tuning.yaml_data("fits/power.yaml")["node"]["beside"])
    node = replace(cluster.node, power=8000.0)
    assert cases.watts(changed(replace(cluster, node=node), power=None)).tdp == 1000.0
    bare = replace(cluster, node=replace(cluster.node, power=None))
    assert cases.watts(bare).node == 8.0 * cases.watts(bare).tdp * (1.0 + beside)
    assert cases.watts(changed(bare, power=None)).known == 0


def test_a_cap_slows_both_peaks_and_leaves_the_memory(cluster: Cluster) -> None:
    """Clock by the cube law for 16 bit and for the products' format; at the TDP nothing changes."""
    full = made(cluster, precision="fp8").hardware
    slow = made(replace(cluster, power_cap=400.0), precision="fp8").hardware
    clock = cases.clock_of(replace(cluster, power_cap=400.0))
    assert 0.0 < clock < 1.0
    assert (slow.high.peak, slow.low.peak) == (clock * full.high.peak, clock * full.low.peak)
    assert slow.high.bandwidth == full.high.bandwidth
    assert cases.clock_of(replace(cluster, power_cap=cluster.chip.power)) == pytest.approx(1.0)


def test_the_nodes_link_comes_before_the_chips(cluster: Cluster) -> None:
    """A node may join its chips by slower links than they have; the chip's where the node says nothing."""
    pair = changed(cluster, link_bandwidth=4e11)
    assert made(replace(pair, node=replace(pair.node, link_bandwidth=1e11))).hardware.link == 1e11
    assert made(replace(pair, node=replace(pair.node, link_bandwidth=None))).hardware.link == 4e11


def test_a_domain_as_large_as_the_cluster_needs_no_network(cluster: Cluster) -> None:
    """Eight chips in a domain of eight never use the unknown network, nine do."""
    blind = replace(cluster, node=replace(cluster.node, network=None))
    assert made(replace(blind, count=8)).hardware.network > 0.0
    with pytest.raises(InputError, match="scale-out bandwidth"):
        made(replace(blind, count=9))


@pytest.mark.parametrize("precision", ["fp8", "mxfp8", "nvfp4"])
def test_curves_are_those_of_chip_and_format(shelf: Catalog, precision: str) -> None:
    """Products by their own format's curve on this chip, 16-bit work by the 16-bit curve."""
    cluster = shelf.assemble(shelf.chip("b200"), 16)
    found = made(cluster, precision=precision).hardware
    assert found.gemm_low == fits.matmul("blackwell", precision, "b200")
    assert found.gemm == fits.matmul("blackwell", "bf16", "b200") != found.gemm_low
    assert found.experts == fits.experts("blackwell")


@pytest.mark.parametrize("reduces", [False, True])
def test_switches_that_reduce_are_known_as_such(cluster: Cluster, reduces: bool) -> None:
    """In-network reduction sets the flag and the curve of the scale-out level."""
    found = made(replace(cluster, fabric=replace(cluster.fabric, in_network=reduces))).hardware
    assert found.in_network == int(reduces)
    assert found.outer == fits.fabric(cases.fabric_kind(cluster), reduces)


def test_context_and_fragmentation_are_the_records(cluster: Cluster) -> None:
    """Bytes and a share, each its own."""
    held, found = tuning.yaml_data("fits/memory.yaml"), made(cluster).hardware
    assert found.context == float(held["context"]["value"])
    assert found.fragmentation == float(held["fragmentation"]["value"])
    assert found.context > 1e6 and 0.0 < found.fragmentation < 1.0


@pytest.mark.parametrize(("precision", "width"), [("mxfp8", 1.0 + 1.0 / 32.0), ("nvfp4", 0.5 + 1.0 / 16.0)])
def test_block_formats_hold_a_byte_of_scale(shelf: Catalog, precision: str, width: float) -> None:
    """One byte for 32 values in MXFP8, for 16 in NVFP4; both are below 16 bit."""
    job = cases.job(made(shelf.assemble(shelf.chip("b200"), 8), precision=precision), Layout())
    assert (job.is_low, job.low_bytes) == (1, width)


def test_dropout_keeps_its_masks(cluster: Cluster) -> None:
    """The packed model knows whether the framework drops out."""
    wet, dry = (cases.make(DENSE, WORK, cluster, TUNE, dropout=drops).packed.operators for drops in (True, False))
    assert wet[:, inputs.SAVED].sum() > dry[:, inputs.SAVED].sum()


def test_a_chip_measured_apart_has_its_own_share_of_the_peak(shelf: Catalog) -> None:
    """An H20 is not bound by power, hence nearer its peak than the rest of its family."""
    found = made(shelf.assemble(shelf.chip("h20"), 8)).hardware.gemm
    assert found == fits.matmul("hopper", "bf16", "h20") and found.peak > fits.matmul("hopper", "bf16").peak
