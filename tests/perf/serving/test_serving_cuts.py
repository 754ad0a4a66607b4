"""A served model cut for one chip: rows, kinds of attention and bytes, against figures counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_rows import HARDWARE, TUNE

from exaplan.catalog import load
from exaplan.models.serving import Cache
from exaplan.nouns.serving import Replica
from exaplan.perf.roofline import AttentionFit
from exaplan.perf.serving import attention as at
from exaplan.perf.serving import inputs, memory, pack
from exaplan.perf.serving.inputs import (
    COUNT,
    EXCHANGE,
    GATHER,
    GROUPED,
    INPUT,
    KIND,
    MOVED,
    OUTER,
    PASS,
    PRODUCT,
    RANKS,
    REDUCE,
    SCAN,
    SEND,
    DecodeFit,
)
from exaplan.perf.serving.kinds import attention_table

SHELF = load()
READ = AttentionFit(0.7, 32.0, 100.0, 0.8, 4.0, 1e-5, 128.0, 0.5, 0.5, 0.1)
DECODE = DecodeFit(0.9, 0.4, 16.0, 1e-5, 1e-7, 4.0, 0.1)


def cut(given: float = 2.0, lora: tuple[int, int] = (0, 0), **layout: int) -> pack.Cutting:
    """A layout in domains of eight chips; ``given``: bytes of weights and inputs."""
    return pack.Cutting(Replica(**layout), 8, pack.Widths(given, given, ""), pack.Estimates(10.0, 8.0, 0.6), lora)


def layers(model: str, given: float = 2.0, **layout: int) -> np.ndarray:
    """Rows of a model's layers."""
    return pack.layer_table(SHELF.model(model), cut(given, **layout))


def of_kind(table: np.ndarray, kind: int) -> np.ndarray:
    """Rows of one kind."""
    return table[table[:, KIND] == kind]


# ---------------------------------------------------------------------------------------- kinds of attention


def kind(cache: Cache, width: float = 2.0, queries: float = 1.0, **layout: int) -> dict[int, float]:
    """Column -> value of a kind of layer."""
    (line,) = attention_table((cache,), cut(**layout), HARDWARE, READ, DECODE, width, queries, TUNE)
    return dict(enumerate(line))


GROUPS = Cache(80, 64, 8, 128, 128, window=4096)
LATENT = Cache(61, 128, 128, 192, 128, latent=512, rope=64)


def test_grouped_heads_are_cut_over_tensor_ranks() -> None:
    """64 heads on 8 key/value heads over 4 ranks: 16 on 2, 1 KiB a token; 4 queries a sequence move 32 KiB."""
    found = kind(GROUPS, queries=4.0, tp=4)
    wanted = {
        at.COUNT: 80, at.HEADS: 16, at.KEY: 128, at.VALUE: 128, at.WINDOW: 4096, at.CACHE: 1024, at.STATE: 32768,
        at.KV_HEADS: 2, at.WIDTH: 4, at.P_HEADS: 16, at.P_KEY: 128, at.P_VALUE: 128, at.P_UP: 0, at.P_CUT: 1,
        at.RATE: 0.4e15, at.STREAM: 0.9 * 3e12, at.P_STREAM: 0.8 * 3e12, at.P_RATE: 0.7e15, at.P_TAIL: 66,
        at.PAD: 16, at.SEQUENCE: 1e-7, at.FLOOR: 1e-5, at.P_RING: 0,
    }  # fmt: skip
    assert {column: found[column] for column in wanted} == {key: pytest.approx(value) for key, value in wanted.items()}
    assert kind(GROUPS, tp=16)[at.KV_HEADS] == 1.0 and kind(GROUPS, tp=16)[at.CACHE] == 512.0
    assert kind(GROUPS, tp=128)[at.HEADS] == 1.0


def test_small_heads_reach_less_of_the_peak() -> None:
    """e(64) = e(128) (1 + 32/128) 64 / (64 + 32)."""
    assert kind(Cache(1, 8, 8, 64, 64))[at.P_RATE] == pytest.approx(0.7e15 * 1.25 * 64 / 96)


def test_latent_attention_decodes_compressed_and_reads_decompressed() -> None:
    """One key/value head of 576 and 512 for all 16 heads of a rank; 2 x 16 x 512 x 256 FLOP per past token."""
    found = kind(LATENT, tp=8)
    assert (found[at.KEY], found[at.VALUE], found[at.KV_HEADS], found[at.CACHE]) == (576, 512, 1, 1152)
    assert (found[at.P_KEY], found[at.P_VALUE], found[at.P_HEADS]) == (192, 128, 16)
    assert found[at.STATE] == 2 * 16 * (576 + 512)
    assert found[at.P_UP] == pytest.approx(2 * 16 * 512 * 256 / 0.6e15)


def test_an_indexer_is_read_beside_the_cache() -> None:
    """A byte an element of the index; the cache of the layer itself is without it."""
    found = kind(Cache(1, 64, 64, 192, 128, latent=512, rope=64, top=2048, index=128, scored=4096))
    assert (found[at.TOP], found[at.INDEX], found[at.SCORED], found[at.CACHE]) == (2048, 128, 4096, 1152)


def test_states_are_read_and_written() -> None:
    """A million elements over two ranks, in 32 bit, both ways; no tokens and no prompts."""
    found = kind(Cache(24, 128, 0, 64, 128, state=1_000_000), tp=2)
    assert found[at.STATE] == 4e6
    assert (found[at.HEADS], found[at.P_HEADS], found[at.CACHE], found[at.KV_HEADS]) == (0, 0, 0, 1)


def test_keys_and_values_go_round_by_link_or_network() -> None:
    """Four ranks pass three quarters of 4 KiB a token on; beyond a domain over the network."""
    assert kind(GROUPS, cp=4)[at.P_RING] == pytest.approx(0.75 * 4096 / 450e9)
    assert kind(GROUPS, cp=4, tp=4)[at.P_RING] == pytest.approx(0.75 * 1024 / 50e9)
    assert kind(GROUPS, cp=4)[at.P_CUT] == 4


def test_factors_of_tuning_stand_beside_their_kind() -> None:
    """Decoding and prompts each have their own."""
    tune = TUNE._replace(attention_decode=1.2, attention_prefill=1.5)
    (line,) = attention_table((GROUPS,), cut(), HARDWARE, READ, DECODE, 2.0, 1.0, tune)
    assert (line[at.SCALE], line[at.P_SCALE]) == (1.2, 1.5)


# --------------------------------------------------------------------------------------------------- memory


def test_bytes_of_a_token() -> None:
    """Grouped heads 4 KiB over 4 ranks; latent ones with their index; none for a state."""
    assert memory.token_bytes(GROUPS, 4, 2.0) == 1024.0
    assert memory.token_bytes(Cache(1, 1, 1, 1, 1, latent=512, rope=64, index=128), 4, 2.0) == 1280.0
    assert memory.token_bytes(Cache(1, 8, 8, 64, 64, index=128), 1, 1.0) == 8 * 128 + 128
    assert memory.token_bytes(Cache(1, 8, 0, 64, 64, state=5), 1, 2.0) == 0.0


def test_cache_of_all_layers_of_a_stage() -> None:
    """80 layers that keep 4,096 of 16,384 tokens and 61 latent ones, on two stages."""
    found = memory.cache_token((GROUPS, LATENT), 4, 2, 2.0, 16384.0)
    assert found == pytest.approx((80 * 1024 / 4 + 61 * 1152) / 2)
    assert memory.kept_share(GROUPS, 0.0) == 1.0


def test_states_of_a_sequence() -> None:
    """24 layers of a million 32-bit elements on two ranks and three stages."""
    assert memory.state_bytes((Cache(24, 1, 0, 1, 1, state=1_000_000), GROUPS), 2, 3) == pytest.approx(16e6)


def test_activations_by_hand() -> None:
    """100 tokens of 3 x 10 and 1.5 x 20 elements of 2 B; 3 sequences of 7 logits of 10 B."""
    assert memory.activation_bytes(100.0, 10.0, 20.0, 3.0, 7.0) == 100 * 2 * 60 + 210


@pytest.mark.parametrize(
    ("share", "of_free", "inside", "room"),
    [
        (0.9, True, True, 31.5),  # 0.9 (100 - 50 - 10 - 5)
        (0.9, False, True, 25.0),  # 0.9 x 100 - 50 - 10 - 5
        (0.9, False, False, 35.0),  # what runs beside needs its room
        (0.8, False, False, 30.0),  # 0.8 x 100 - 50
    ],
)
def test_what_is_left_for_the_cache(share: float, of_free: bool, inside: bool, room: float) -> None:
    """100 B with 50 of weights, 10 of activations and 5 beside, as each engine counts its share."""
    assert memory.cache_room(100.0, share, of_free, 50.0, 10.0, 5.0, inside) == pytest.approx(room)


def test_sequences_run_as_far_as_states_and_caches_fit() -> None:
    """100 B hold four states of 10 B with caches of 15 B; without states the engine's cap counts."""
    assert memory.running(100.0, 10.0, 15.0, 50.0) == 4.0
    assert memory.running(100.0, 10.0, 15.0, 2.0) == 2.0
    assert memory.running(12.0, 10.0, 15.0, 50.0) == 1.0
    assert memory.running(100.0, 0.0, 15.0, 50.0) == memory.running(-1.0, 10.0, 15.0, 50.0) == 50.0


# ----------------------------------------------------------------------------------------------------- rows


def lines(table: np.ndarray, kind: int, *columns: int) -> set[tuple[float, ...]]:
    """Rows of a kind, some columns of each."""
    return {tuple(float(line[column]) for column in columns) for line in of_kind(table, kind)}


def test_dense_products_are_cut_along_their_own_side() -> None:
    """Llama 3.1 8B on two ranks: 80 x ... columns of qkv and mlp halved, inputs of outputs halved."""
    found = lines(layers("llama-3.1-8b", tp=2), PRODUCT, COUNT, inputs.N, inputs.K)
    assert found == {(32, 3072, 4096), (32, 4096, 2048), (32, 14336, 4096), (32, 4096, 7168)}


def test_experts_are_spread_and_cut() -> None:
    """Qwen3 30B: 128 experts of 1,536 x 2,048 on four ranks, two groups of 64, each expert over two chips."""
    shape = (COUNT, inputs.ROWS, inputs.N, inputs.K, inputs.GROUPS, inputs.EXPERTS, inputs.TOP)
    found = lines(layers("qwen3-30b-a3b", tp=2, dp=2, ep=2), GROUPED, *shape)
    assert found == {(48, 4, 768, 2048, 64, 128, 8), (48, 4, 2048, 384, 64, 128, 8)}


def test_tokens_are_exchanged_between_attention_ranks() -> None:
    """48 layers of 2,048 elements between four ranks, 8 copies; all tokens to all where experts are not spread."""
    shape = (COUNT, inputs.N, inputs.GROUPS, inputs.TOP, RANKS, OUTER, INPUT)
    assert lines(layers("qwen3-30b-a3b", tp=2, dp=2, ep=2), EXCHANGE, *shape) == {(48, 2048, 4, 8, 4, 1, 2)}
    assert lines(layers("qwen3-30b-a3b", dp=4), EXCHANGE, *shape) == {(48, 2048, 4, 0, 4, 1, 2)}
    assert lines(layers("qwen3-30b-a3b", 1.0, dp=16, ep=16), EXCHANGE, *shape) == {(48, 2048, 16, 8, 8, 2, 1)}
    assert lines(layers("qwen3-30b-a3b", tp=4, ep=4), EXCHANGE, *shape) == set()


@pytest.mark.parametrize(("layout", "count"), [({"tp": 8}, 61 + 3 + 58 + 1), ({"tp": 2, "dp": 4}, 61 + 3 + 58 + 1)])
def test_reductions_of_a_mixture(layout: dict[str, int], count: int) -> None:
    """DeepSeek-V3: attention, dense and mixed layers, embedding; shared experts reduce with the routed ones, or alone
    where those are exchanged. 16-bit activations of 7,168."""
    found = of_kind(layers("deepseek-v3", **layout), REDUCE)
    assert found[:, COUNT].sum() == count and set(found[:, MOVED]) == {2 * 7168}
    assert set(found[:, RANKS]) == {layout["tp"]} and set(found[:, OUTER]) == {1}


def test_a_tensor_group_beyond_a_domain_reduces_in_two_levels() -> None:
    """Sixteen ranks: eight in each of two domains."""
    found = of_kind(layers("llama-3.1-8b", tp=16), REDUCE)
    assert set(found[:, RANKS]) == {8} and set(found[:, OUTER]) == {2}


def test_passes_move_their_share() -> None:
    """Qwen3 30B on tp 2, dp 2, ep 2: norms whole, heads halved, experts a quarter, dispatch 8 indices, combine half."""
    found = lines(layers("qwen3-30b-a3b", tp=2, dp=2, ep=2), PASS, COUNT, inputs.SIDE, MOVED)
    assert found == {
        (48, 0, 2 * 4 * 2048), (48, 0, 2 * 9216 / 2), (48, 0, 2 * 384), (48, 1, 8 * 8), (48, 1, 2 * 18432 / 4),
        (48, 1, 2 * 18432 / 2), (1, 0, 4 * 2048),
    }  # fmt: skip


def test_a_scan_by_hand() -> None:
    """Nemotron-H on two ranks: 64 heads of 64 with states of 128 in chunks of 128."""
    flops = 2 * 64 * (0.5 * 128 * (128 + 64) + 2 * 128 * 64)
    moved = 2 * 64 * (4 * 64 + 4 * 64 * 128 / 128)
    assert lines(layers("nemotron-h-8b", tp=2), SCAN, COUNT, inputs.K, MOVED) == {(24, flops, moved)}


def test_stages_send_their_part_to_the_next() -> None:
    """Four stages send three times, each tensor rank its half of 4,096 elements; beyond a domain over the network."""
    shape = (COUNT, MOVED, OUTER)
    assert lines(layers("llama-3.1-8b", tp=2, pp=4), SEND, *shape) == {(3, 4096, 1)}
    assert lines(layers("llama-3.1-8b", tp=4, pp=4), SEND, *shape) == {(3, 2048, 2)}
    assert lines(layers("llama-3.1-8b", tp=2), SEND, *shape) == set()


def test_logits_are_gathered_and_sampled() -> None:
    """Llama 3.1 8B on two ranks: 64,128 rows of logits each, 2 B a logit gathered, 10 B a logit moved by sampling."""
    model = SHELF.model("llama-3.1-8b")
    found = pack.head_table(model, cut(tp=2))
    assert lines(found, PRODUCT, inputs.N, inputs.K) == {(64128, 4096)}
    assert lines(found, GATHER, COUNT, MOVED, RANKS) == {(1, 2 * 128256, 2)}
    passes = of_kind(found, PASS)
    sampling = passes[passes[:, COUNT] > 1]
    assert (sampling[:, COUNT] * sampling[:, MOVED]).sum() == pytest.approx(10 * 128256)
    assert len(of_kind(found, REDUCE)) == 0


def test_a_small_model_drafts_one_token_after_the_other() -> None:
    """Three drafted tokens: three times the layers and logits, all under drafting and by the rank's own sequences."""
    model = SHELF.model("llama-3.1-8b")
    found = pack.draft_table(model, cut(), 3, False)
    plain = np.vstack((pack.layer_table(model, cut())[:-1], pack.head_table(model, cut())))
    assert (found[:, COUNT] * found[:, inputs.N] * found[:, inputs.K]).sum() == pytest.approx(
        3 * (plain[:, COUNT] * plain[:, inputs.N] * plain[:, inputs.K]).sum()
    )
    assert set(found[:, inputs.TERM]) == {pack.TERM["draft"]} and set(found[:, inputs.SIDE]) == {0.0}


def test_adapters_multiply_beside_the_cut_products() -> None:
    """Four adapters of rank 16 on two ranks: down to 16 from each product's inputs, up to its outputs."""
    found = pack.layer_table(SHELF.model("llama-3.1-8b"), cut(lora=(4, 16), tp=2))
    shapes = {(3072, 4096), (4096, 2048), (14336, 4096), (4096, 7168)}
    wanted = {(4.0, 16.0, float(k)) for _, k in shapes} | {(4.0, float(n), 16.0) for n, _ in shapes}
    assert lines(found, GROUPED, inputs.GROUPS, inputs.N, inputs.K) == wanted


# -------------------------------------------------------------------------------------------------- weights

LAYER, NORMS, TABLE = 8192 * 10240 + 8192 * 8192 + 8192 * 57344 + 28672 * 8192, 2 * 8192 * 2, 128256 * 8192 * 2


@pytest.mark.parametrize(
    ("stages", "size"),
    [
        (2, (80 * (LAYER * 2 + NORMS) + 2 * TABLE + 16384) / 2),  # ends balanced against layers
        (3, (80 * (LAYER * 2 + NORMS) + 2 * TABLE + 16384) / 3),
        (32, 3 * (LAYER * 2 + NORMS)),  # 80 layers on 32 stages: three on the fullest
    ],
)
def test_the_fullest_stage(stages: int, size: float) -> None:
    """Llama 3.1 70B in 16 bit: its even share with both tables, or whole layers."""
    assert pack.weight_bytes(SHELF.model("llama-3.1-70b"), cut(pp=stages)) == pytest.approx(size)


def test_experts_of_a_chip() -> None:
    """Qwen3 30B: sixteen attention ranks hold a sixteenth of the experts, and all of the rest."""
    model = SHELF.model("qwen3-30b-a3b")
    experts = 48 * 128 * 3 * 2048 * 768 * 2
    one, spread = (pack.weight_bytes(model, cut(dp=ranks, ep=ranks)) for ranks in (1, 16))
    assert one - spread == pytest.approx(experts * 15 / 16)


def test_adapters_of_a_chip() -> None:
    """Rank 16, four of them, two ranks: (inputs + outputs) of each product, the cut side halved."""
    model = SHELF.model("llama-3.1-8b")
    wide: dict[str, Any] = {"tp": 2}
    elements = 32 * ((3072 + 4096) + (4096 + 2048) + (14336 + 4096) + (4096 + 7168))
    more = pack.weight_bytes(model, cut(lora=(4, 16), **wide)) - pack.weight_bytes(model, cut(**wide))
    assert more == pytest.approx(4 * 16 * 2 * elements)
