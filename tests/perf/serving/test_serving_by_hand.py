"""Formulas of perf/serving against sums done by hand. A corner of 1 adds both roofs, so that each term shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_rows import GEMM, HARDWARE, RATES, REDUCES, ROWS, TUNE, kind

from exaplan.perf.network import LinkFit, all_gather, all_reduce, send_receive
from exaplan.perf.roofline import ChipRates, GemmFit
from exaplan.perf.serving import attention as at
from exaplan.perf.serving import inputs
from exaplan.perf.serving import iteration as loop
from exaplan.perf.serving import operators as ops
from exaplan.perf.serving.inputs import ALL, EXCHANGE, GROUPED, PRODUCT, Host, ReduceFit, StepTable
from exaplan.perf.serving.pack import row

DECODES = {
    "heads": 8.0, "kv_heads": 2.0, "key": 10.0, "value": 6.0, "cache": 100.0, "state": 50.0, "index": 7.0,
    "scored": 5.0, "rate": 1e6, "stream": 1e5, "floor": 0.5, "sequence": 0.25, "corner": 1.0, "width": 2.0,
}  # fmt: skip
READS = {
    "p_heads": 4.0, "p_key": 10.0, "p_value": 6.0, "p_rate": 1e6, "p_ramp": 100.0, "p_stream": 1e5, "p_floor": 0.5,
    "p_corner": 1.0, "p_tile": 128.0, "p_tail": 6.0, "cache": 100.0, "p_up": 1e-3, "index": 7.0, "scored": 5.0,
}  # fmt: skip
NOTHING = np.zeros(1)


# ------------------------------------------------------------------------------------------------ attention


@pytest.mark.parametrize(
    ("change", "moved", "flops"),
    [
        ({}, 321150.0, 1536000.0 + 60000.0),  # 3 (1000 x 100 + 50 + 1000 x 7) B; 2 x 3 x 1000 x 2 x 8 x 16, 2 x 3 x ..
        ({"top": 200.0}, 81150.0, 307200.0 + 60000.0),  # 200 keys, but all of the index
        ({"window": 200.0, "scored": 0.0, "index": 0.0}, 60150.0, 307200.0),
        ({"pad": 32.0}, 321150.0, 6144000.0 + 60000.0),  # 32 instead of 8 query heads beside a key/value head
        ({"width": 1.0}, 321150.0, 768000.0 + 30000.0),
    ],
)
def test_decoding_moves_and_multiplies_what_it_should(change: dict[str, float], moved: float, flops: float) -> None:
    """3 sequences of 1,000 tokens: floor, 0.25 s a sequence, bytes and FLOPs as counted by hand."""
    found = at.decode_kind_time(kind(**{**DECODES, **change}), 3.0, 1000.0)
    assert found == pytest.approx(0.5 + 3 * 0.25 + moved / 1e5 + flops / 1e6)


def test_all_layers_of_all_kinds_decode() -> None:
    """Four layers of one kind at a factor of 1.5 and two of another; contexts are shared out over the sequences."""
    table = np.stack([kind(**DECODES, count=4.0, scale=1.5), kind(**DECODES, count=2.0, top=200.0)])
    one, other = 0.5 + 0.75 + 3.2115 + 1.596, 0.5 + 0.75 + 0.8115 + 0.3672
    assert at.decode_time(table, 3.0, 3000.0) == pytest.approx(4 * 1.5 * one + 2 * other)


@pytest.mark.parametrize(
    ("change", "keys", "scored", "up"),
    [
        ({}, 914.0, 2.55e6, 0.7),  # 700 + 150 + 64 keys on average; 2 x 300 x 850 x 5
        ({"window": 256.0, "scored": 0.0}, 384.0, 0.0, 0.256),
        ({"top": 200.0}, 200.0, 2.55e6, 0.2),
    ],
)
def test_a_chunk_reads_what_stands_before_it(change: dict[str, float], keys: float, scored: float, up: float) -> None:
    """300 tokens behind 700: FLOPs with ramp and idle blocks, bytes of both, decompression, and the index."""
    found = at.prompt_kind_time(kind(**{**READS, **change}), 300.0, 700.0)
    flops, idle = 2 * 4 * 300 * keys * 16 + scored, 1 + 6 / (4 * 300 / 128)
    moved = 2 * 300 * 4 * 16 + 700 * 100
    assert found == pytest.approx(0.5 + flops / 1e6 * (keys + 100) / keys * idle + moved / 1e5 + up + 0.07)


def test_a_short_chunk_fills_a_block_by_itself() -> None:
    """64 tokens in a tile of 128: 4 blocks, one a head; the diagonal is as wide as the chunk."""
    found = at.prompt_kind_time(kind(**READS), 64.0, 700.0)
    flops = 2 * 4 * 64 * 764 * 16 + 2 * 64 * 732 * 5
    moved = 2 * 64 * 4 * 16 + 700 * 100
    assert found == pytest.approx(0.5 + flops / 1e6 * 864 / 764 * (1 + 6 / 4) + moved / 1e5 + 0.7 + 764 * 7 / 1e5)


def test_a_ring_passes_on_what_is_read() -> None:
    """Ranks that share a prompt pass the keys of a window round, or the top ones, not the whole context."""
    assert at.prompt_kind_time(kind(**READS, p_cut=4.0, p_ring=1.0), 300.0, 700.0) == 1000.0
    assert at.prompt_kind_time(kind(**READS, p_cut=4.0, p_ring=1.0, window=256.0), 300.0, 700.0) == 256.0


def test_all_layers_of_all_kinds_read_prompts() -> None:
    """Three layers at a factor of 2 beside one."""
    one = at.prompt_kind_time(kind(**READS), 300.0, 700.0)
    table = np.stack([kind(**READS, count=3.0, p_scale=2.0), kind(**READS, count=1.0)])
    assert at.prompt_time(table, 300.0, 700.0) == pytest.approx(7 * one)


# ------------------------------------------------------------------------------------------------- products


def test_a_product_by_hand() -> None:
    """Three products of 100 x 64 by 64 x 200: 6 tiles of 112 x 128, weights of half a byte, inputs of one."""
    fit = GemmFit(0.5, 10.0, 0.5, 0.0, 1.0, 1e-6, 0.0, 128.0, 128.0, 0.1)
    found = ops.product_time(300.0, 200.0, 64.0, 3.0, 0.5, 1.0, ChipRates(1e9, 1e6, 0.0), fit, 2.0)
    compute = 2 * 2 * 112 * 128 * 6 * (64 + 10) / (1e9 * 0.5)
    moved = 0.5 * 3 * 200 * 64 + 1 * 300 * 64 + 2 * 300 * 200
    assert found == pytest.approx(1e-6 + compute + moved / (1e6 * 0.5))
    assert ops.product_time(0.0, 200.0, 64.0, 1.0, 2.0, 2.0, RATES, fit, 1.0) == 0.0


@pytest.mark.parametrize("skew", [0.2, 0.5, 2.0])
def test_experts_hit_are_those_of_gamma_popularities(skew: float) -> None:
    """Each expert's popularity drawn from a gamma distribution of mean 1 and this variance: the mean of all hits."""
    drawn = np.random.default_rng(1).gamma(1.0 / skew, skew, 400_000)
    hit = 16 * (1.0 - np.exp(drawn * 10 * math.log(1.0 - 8 / 128))).mean()
    assert ops.touched(16.0, 128.0, 8.0, 10.0, skew) == pytest.approx(hit, rel=0.01)


def test_the_busiest_rank_is_the_largest_of_eight() -> None:
    """8 ranks of 16 experts: mean + sqrt(2 ln 8) standard deviations of a binomial count."""
    mean = ops.touched(16.0, 128.0, 8.0, 10.0, 0.2)
    wide = math.sqrt(2 * math.log(8)) * math.sqrt(mean * (1 - mean / 16))
    assert ops.busiest(16.0, 128.0, 8.0, 10.0, 0.2) == pytest.approx(mean + wide)
    assert ops.busiest(128.0, 128.0, 8.0, 10.0, 0.2) == ops.touched(128.0, 128.0, 8.0, 10.0, 0.2)


def grouped(local: float = 16.0, rows: float = 1.0, tokens: float = 4096.0, **tuned: float) -> float:
    """Experts of 2048 x 1536 of which a chip holds ``local`` of 128."""
    shape = {"n": 1536.0, "k": 2048.0, "rows": rows, "groups": local, "experts": 128.0, "top": 8.0, "low": 1.0}
    return ops.operator_time(row(GROUPED, "experts", 1.0, ALL, **shape), tokens, HARDWARE, TUNE._replace(**tuned))


def test_an_uneven_spread_is_more_rows_where_experts_are_spread() -> None:
    """Twice the rows on the busiest rank; where every rank holds all experts nothing is uneven."""
    assert grouped(imbalance=2.0) == grouped(rows=2.0)
    assert grouped(128.0, imbalance=2.0) == grouped(128.0)


def test_grouped_products_have_their_own_roof_and_start() -> None:
    """packing is a factor on the compute roof like compute; the start is paid once, whatever the factor."""
    assert grouped(packing=2.0) == grouped(packing=1.0, compute=2.0) > 1.02 * grouped(packing=1.0)
    assert grouped(experts=3.0, grouped=1.0) - grouped(experts=3.0, grouped=0.0) == pytest.approx(1.0)


def test_low_products_run_at_the_peak_of_their_format() -> None:
    """Large products below 16 bit take half the time where their peak is twice as high."""
    slow = HARDWARE._replace(low=HARDWARE.low._replace(peak=1e15))
    for name in ("low", "grouped"):
        quick = ops.operator_time(ROWS[name], 2e4, HARDWARE, TUNE._replace(grouped=0.0))
        assert ops.operator_time(ROWS[name], 2e4, slow, TUNE._replace(grouped=0.0)) == pytest.approx(2 * quick, rel=0.1)


def test_engines_bound_by_cores_stream_what_the_cores_do() -> None:
    """80 cores of 10 GB/s read 67 MB of weights in 84 us, whatever share of the bandwidth products reach."""
    hw, tune = HARDWARE._replace(cores=80.0), TUNE._replace(stream=1e10)
    for low in (0.0, 1.0):
        line = row(PRODUCT, "products", 1.0, n=8192.0, k=4096.0, low=low)
        found = ops.operator_time(line, 1.0, hw, tune)
        assert found == pytest.approx(GEMM.floor + 8192 * 4096 * 2 / 8e11, rel=0.01)


def test_scans_multiply_and_move() -> None:
    """A further 1e6 FLOP per token take 1e6 / peak more."""
    slower = list(ROWS["scan"])
    slower[inputs.K] = 2e6
    more = ops.operator_time(slower, 500.0, HARDWARE, TUNE) - ops.operator_time(ROWS["scan"], 500.0, HARDWARE, TUNE)
    assert more == pytest.approx(500 * 1e6 / 1e15)


# -------------------------------------------------------------------------------------------------- network


def test_small_all_reduces_by_hand() -> None:
    """One shot reads 3 buffers; two shots move 3/2 of one; the quicker, or as the engine's limit says."""
    fit = ReduceFit(1.0, 0.1, 0.5, 2.0, 0.2, 0.5, 0.0, 0.1)
    assert ops.small_all_reduce(1e6, 4.0, 1e9, fit) == pytest.approx(1.3 + 3e6 / 5e8)
    assert ops.small_all_reduce(1e9, 4.0, 1e9, fit) == pytest.approx(2.6 + 1.5e9 / 5e8)
    assert ops.small_all_reduce(1e9, 2.0, 1e9, fit) == pytest.approx(1.1 + 1e9 / 5e8)
    limited = fit._replace(limit=2e9)
    assert ops.small_all_reduce(4e8, 4.0, 1e9, limited) == pytest.approx(1.3 + 1.2e9 / 5e8)
    assert ops.small_all_reduce(6e8, 4.0, 1e9, limited) == pytest.approx(2.6 + 9e8 / 5e8)
    quick = limited._replace(late=0.0, late_hop=0.0)
    assert ops.small_all_reduce(6e8, 4.0, 1e9, quick) == pytest.approx(1.3 + 1.5e9 / 5e8)


def test_the_quicker_of_both_libraries_reduces() -> None:
    """The engine's own kernel for small messages, NCCL where that one is slow."""
    assert ops.reduce_time(16384.0, 4.0, 1.0, HARDWARE) == ops.small_all_reduce(16384.0, 4.0, 450e9, REDUCES)
    slow = HARDWARE._replace(small=REDUCES._replace(base=1.0, late=1.0))
    assert ops.reduce_time(16384.0, 4.0, 1.0, slow) == all_reduce(16384.0, 4.0, 450e9, HARDWARE.inner)


def test_logits_are_gathered_for_every_sequence() -> None:
    """64 sequences of 8 KB a rank through the links of four ranks."""
    found = ops.operator_time(ROWS["gather"], 64.0, HARDWARE, TUNE._replace(collective=2.0))
    assert found == pytest.approx(2 * all_gather(64 * 8192.0, 4.0, 450e9, HARDWARE.inner))


WAITS = LinkFit(1.0, 1.0, 0.8, 0.8, 0.7, 1e-7, 0.0, 0.5, 0.1)
EXCHANGES = {"n": 7168.0, "groups": 8.0, "top": 8.0, "given": 1.0}


def test_tokens_go_out_in_a_byte_and_come_back_in_two() -> None:
    """100 tokens a rank: 8 copies of 7 KB out and of 14 KB back by the low-latency kernels, where others are slow."""
    hw = HARDWARE._replace(
        experts=HARDWARE.experts._replace(base=1.0), inner=WAITS, small=REDUCES._replace(base=1.0, late=1.0)
    )
    found = ops.operator_time(row(EXCHANGE, "ep", 1.0, ALL, ranks=8.0, **EXCHANGES), 800.0, hw, TUNE)
    assert found == pytest.approx(2e-5 + 100 * 8 * 7168 * 3 / (450e9 * 0.6))
    usual = hw._replace(experts=HARDWARE.experts, quick=HARDWARE.quick._replace(base=1.0))
    assert ops.operator_time(row(EXCHANGE, "ep", 1.0, ALL, ranks=8.0, **EXCHANGES), 800.0, usual, TUNE) < 1e-3


def test_all_tokens_are_gathered_only_inside_a_domain() -> None:
    """Where exchanging is slow a node gathers and reduces; several nodes exchange all the same."""
    hw = HARDWARE._replace(experts=HARDWARE.experts._replace(base=1.0), quick=HARDWARE.quick._replace(base=1.0))
    inside = ops.operator_time(row(EXCHANGE, "ep", 1.0, ALL, ranks=8.0, **EXCHANGES), 800.0, hw, TUNE)
    assert inside == ops.reduce_time(2.0 * 7168 * 800, 8.0, 1.0, hw)
    across = row(EXCHANGE, "ep", 1.0, ALL, **{**EXCHANGES, "groups": 16.0}, ranks=8.0, outer=2.0)
    assert ops.operator_time(across, 800.0, hw, TUNE) > 2.0


def test_stages_send_inside_or_over_the_network() -> None:
    """The link of the domain, or the network with its own start."""
    hw = HARDWARE._replace(outer=WAITS)
    assert ops.send_time(1e6, 1.0, hw) == send_receive(1e6, 450e9, HARDWARE.inner)
    assert ops.send_time(1e6, 2.0, hw) == send_receive(1e6, 50e9, WAITS)


# ------------------------------------------------------------------------------------------------ iteration


def stepped(**changes: object) -> StepTable:
    """A table of 1 s per token, of nothing else."""
    idle = Host(0.0, 0.0, 0.0, 0.0, 0.0)
    base = StepTable(np.arange(2001.0), NOTHING, np.zeros((0, at.COLUMNS)), NOTHING, idle, 1.0, 1.0)
    return base._replace(**changes)


def test_ranks_attend_to_their_own_sequences() -> None:
    """9 sequences of 1,000 tokens on 4 ranks: the fullest has 3 of them, and their contexts."""
    table = stepped(dp=4.0, attention=kind(**DECODES)[None, :])
    own = at.decode_time(kind(**DECODES)[None, :], 3.0, 3000.0)
    assert loop.decode_attention_time(table, 9.0, 9000.0) == pytest.approx(own)
    assert loop.decode_attention_time(stepped(), 0.0, 0.0) == 0.0


def test_every_rank_has_a_host_of_its_own() -> None:
    """9 sequences and 5 chunks on 4 ranks: 3 and 2 for the busiest process."""
    assert loop.host_time(Host(1.0, 0.1, 0.01, 0.0, 0.0), 9.0, 5.0, 4.0) == pytest.approx(1.0 + 0.3 + 0.02)


def test_a_part_of_the_host_hides() -> None:
    """An overlap of 3/4 leaves a quarter of 8 s on top of 10 s."""
    table = stepped(host=Host(8.0, 0.0, 0.0, 0.75, 0.0))
    assert loop.iteration_time(table, 10.0, 0.0, 10.0, 10.0, 0.0, 0.0) == pytest.approx(12.0)


def test_stages_and_ranks_divide_what_is_theirs() -> None:
    """Two ranks and two stages, 8 sequences and 4 chunks of 25 tokens: a quarter each, experts half of all tokens."""
    table = stepped(dp=2.0, stages=2.0, experts=np.arange(2001) * 0.1, head=np.arange(65) * 100.0, width=3.0)
    found = loop.iteration_time(table, 8 * 3.0 + 100.0, 12.0, 8.0, 8.0, 40.0, 4.0)
    assert found == pytest.approx((2 * 3 + 25) + 0.1 * 62 + 100 * 3 * 3 + 40 / 4)


def test_prompts_alone_fill_the_pipeline_too() -> None:
    """Two chunks and no decoding sequences are two micro-batches of two stages; one chunk is one."""
    table = stepped(stages=2.0)
    assert loop.iteration_time(table, 100.0, 2.0, 0.0, 0.0, 0.0, 2.0) == pytest.approx(50.0)
    assert loop.iteration_time(stepped(stages=2.0, experts=np.arange(2001.0)), 100.0, 1.0, 0.0, 0.0, 0.0, 1.0) == 200.0


def test_few_chunks_leave_ranks_idle() -> None:
    """Two chunks on four ranks: half of the prompt tokens, and of their attention, on the fullest."""
    assert loop.iteration_time(stepped(dp=4.0), 100.0, 2.0, 0.0, 0.0, 8.0, 2.0) == pytest.approx(50.0 + 4.0)


def test_equal_chunks_are_attended_to_each_behind_the_same_tokens() -> None:
    """A shape of 300 tokens in three pieces behind 700: three times the attention of one of 100, and 3 outputs."""
    table = stepped(attention=kind(**READS)[None, :], head=np.arange(65) * 10.0)
    each = at.prompt_time(table.attention, 100.0, 700.0)
    assert loop.shape_time(table, 300.0, 700.0, 3.0, 0.0, 0.0) == pytest.approx(300 + 30 + 3 * each)
