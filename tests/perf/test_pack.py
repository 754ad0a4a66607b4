"""Counted operators as arrays, and recompute settings as masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_inputs import DENSE, HYBRID, ROUTED, row

from exaplan.models.count import CONTAINS
from exaplan.models.lora import with_lora
from exaplan.models.spec import Spec
from exaplan.models.transformer import build
from exaplan.nouns import Block, Operator
from exaplan.perf import inputs
from exaplan.perf.inputs import ALL_MODULES, COLUMNS, MODULES
from exaplan.perf.pack import CUTS, KINDS, SAVED_CUTS, pack, pack_operator, recompute_mask


def test_every_field_lands_in_its_column() -> None:
    """A row holds what its operator says, column by column."""
    op = Operator(
        "x", "matmul", "moe", cut="expert", rows=8.0, n=11, k=13, groups=17, heads=19, kv_heads=23, window=29,
        causal=True, moved=31.0, params=37, trained=True, saved=41.0, saved_cut="sp",
    )  # fmt: skip
    assert pack_operator(op, 2.0) == [0, 4, 8, 11, 13, 17, 19, 23, 29, 1, 31, 37, 1, 43, 2, MODULES["moe"], 1]
    assert pack_operator(replace(op, causal=False, trained=False), 0.0)[inputs.CAUSAL] == 0.0
    assert pack_operator(replace(op, trained=False), 0.0)[inputs.TRAINED] == 0.0


def test_codes_are_those_of_the_formulas() -> None:
    """Names map to the codes that operators.py compares with."""
    codes = [KINDS[name] for name in ("matmul", "attention", "vector", "lookup", "scan")]
    assert codes == [inputs.MATMUL, inputs.ATTENTION, inputs.VECTOR, inputs.LOOKUP, inputs.SCAN]
    cuts = [CUTS[name] for name in ("none", "column", "row", "heads", "expert", "vocab")]
    assert cuts == [inputs.UNCUT, inputs.COLUMN, inputs.ROW, inputs.BY_HEADS, inputs.EXPERT, inputs.VOCAB]
    saved = [SAVED_CUTS[name] for name in ("none", "tp", "sp")]
    assert saved == [inputs.SAVED_WHOLE, inputs.SAVED_BY_TP, inputs.SAVED_BY_SP]


def test_modules_are_distinct_bits() -> None:
    """No two modules share a bit of the recompute mask."""
    bits = list(MODULES.values())
    assert len(set(bits)) == len(bits) and all(bit & (bit - 1) == 0 for bit in bits)


@pytest.mark.parametrize("module", ["head", "loss", "embedding", "router", "lora"])
def test_full_precision_modules_stay_out_of_low_formats(module: str) -> None:
    """Only products inside layers run below 16 bit, and no adapter or router does."""
    assert row(module=module)[inputs.LOW] == 0.0
    assert row(module="mlp")[inputs.LOW] == 1.0
    assert row(module="mlp", kind="vector")[inputs.LOW] == 0.0


def test_blocks_cover_the_rows_in_order() -> None:
    """Kinds of layer, embedding and head follow each other without gaps; layers name their kind."""
    for model in (DENSE, ROUTED, HYBRID):
        packed = pack(model, 2048)
        assert packed.operators.shape[1] == COLUMNS
        assert packed.blocks[0, 0] == 0 and packed.blocks[-1, 1] == len(packed.operators)
        assert np.array_equal(packed.blocks[1:, 0], packed.blocks[:-1, 1])
        assert len(packed.blocks) == len(model.blocks) + 2
        assert tuple(packed.layers) == model.layers


def test_parameters_survive_packing() -> None:
    """Rows hold the model's parameters: layers x their blocks, embedding and head."""
    packed = pack(ROUTED, 2048)
    held = [float(packed.operators[first:last, inputs.PARAMS].sum()) for first, last in packed.blocks]
    total = sum(held[kind] for kind in packed.layers) + held[-2] + held[-1]
    ops = [op for index in ROUTED.layers for op in ROUTED.blocks[index].operators] + list(
        ROUTED.embedding + ROUTED.head
    )
    assert total == sum(op.params for op in ops)


def test_unfused_attention_keeps_its_scores() -> None:
    """5 a s bytes more per token with dropout, 2 a s without; fused attention keeps none (arXiv:2205.05198, 4.1)."""
    gpt = build(Spec(name="gpt", layers=1, hidden=1024, heads=16, vocab=1000, ffn=4096, mlp="gelu"))
    seq = 2048

    def kept(fused: bool, dropout: bool) -> float:
        ops = pack(gpt, seq, fused, dropout).operators
        return float(ops[ops[:, inputs.KIND] == inputs.ATTENTION, inputs.SAVED].sum())

    assert kept(False, True) - kept(True, True) == 5 * 16 * seq
    assert kept(False, False) - kept(True, False) == 2 * 16 * seq


def test_what_attention_saves_is_always_cut_by_tp() -> None:
    """Heads divide over tensor ranks, and so does what attention keeps."""
    assert row(kind="attention", saved_cut="none")[inputs.SAVED_CUT] == inputs.SAVED_BY_TP


def test_more_than_four_kinds_of_layer_are_refused() -> None:
    """The compiled loop has room for four kinds; a fifth is an error, not a wrong number."""
    blocks = tuple(Block(f"b{i}", DENSE.blocks[0].operators) for i in range(5))
    with pytest.raises(ValueError, match="5 kinds of layer, at most 4"):
        pack(replace(DENSE, blocks=blocks), 2048)
    assert len(pack(replace(DENSE, blocks=blocks[:4]), 2048).blocks) == 6


def test_lora_marks_the_base_as_frozen() -> None:
    """Only adapters carry the trained flag."""
    ops = pack(with_lora(DENSE, 8), 2048).operators
    lora = ops[:, inputs.MODULE] == MODULES["lora"]
    assert lora.any() and (ops[lora, inputs.TRAINED] == 1.0).all() and (ops[~lora, inputs.TRAINED] == 0.0).all()


# ---------------------------------------------------------------------------------------------------- recompute


def test_recompute_none_and_full() -> None:
    """none names no module; full names all modules of a layer, and all layers."""
    assert recompute_mask("none") == (0, 0.0)
    assert recompute_mask("full") == (ALL_MODULES, 1.0)
    assert recompute_mask("full:0.25") == (ALL_MODULES, 0.25)


def test_full_leaves_embedding_head_and_loss() -> None:
    """Recomputation is of layers."""
    for name, bit in MODULES.items():
        assert bool(ALL_MODULES & bit) == (name not in ("embedding", "head", "loss")), name


def test_selective_is_core_attention() -> None:
    """Korthikanti's selective recomputation (arXiv:2205.05198, section 5)."""
    assert recompute_mask("selective") == (MODULES["core_attn"], 0.0)


def test_named_modules_bring_what_they_contain() -> None:
    """`mlp` recomputes its activation too, `moe` its router and shared experts."""
    assert recompute_mask("mlp") == (MODULES["mlp"] | MODULES["mlp_act"], 0.0)
    expected = MODULES["moe"] | sum(MODULES[name] for name in CONTAINS["moe"])
    assert recompute_mask("moe") == (expected, 0.0)
    assert recompute_mask("layernorm, mlp_act") == (MODULES["layernorm"] | MODULES["mlp_act"], 0.0)


@pytest.mark.parametrize("setting", ["nothing", "full:half", "mlp,", ""])
def test_unknown_settings_are_refused(setting: str) -> None:
    """A misspelt module is an error, not silently nothing."""
    with pytest.raises((KeyError, ValueError)):
        recompute_mask(setting)
