"""LoRA: the base is frozen, adapters are thin, and nothing is kept that only a frozen weight would need."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan.errors import InputError
from exaplan.models.count import (
    activation_bytes,
    flops_backward,
    flops_forward,
    operators,
    parameters,
    trained_parameters,
)
from exaplan.models.lora import TARGETS, with_lora
from exaplan.models.spec import Spec
from exaplan.models.transformer import build

LLAMA = Spec("llama-2-70b", layers=80, hidden=8192, heads=64, vocab=32000, ffn=28672, kv_heads=8)
MOE = Spec("moe", layers=2, hidden=64, heads=8, vocab=100, ffn=96, experts=4, top_k=2, shared_experts=1, expert_ffn=32)
MLA = replace(MOE, q_lora_rank=16, kv_lora_rank=8, qk_nope_dim=8, qk_rope_dim=4, v_dim=8)


def test_mlperf_llama_2_70b() -> None:
    """MLPerf's Llama 2 70B LoRA (rank 16 on fused qkv and the output projection) trains 44,564,480 parameters."""
    model = with_lora(build(LLAMA), 16, ("linear_qkv", "linear_proj"))
    assert trained_parameters(model) == 80 * 16 * ((8192 + 10240) + (8192 + 8192)) == 44_564_480
    assert parameters(model)[0] == parameters(build(LLAMA))[0] + 44_564_480


def test_separate_projections() -> None:
    """transformers' targets have one pair per projection, sized by heads and key/value heads."""
    model = with_lora(build(LLAMA), 16, ("q_proj", "k_proj", "v_proj", "o_proj"))
    widths = (8192 + 8192) + 2 * (8192 + 1024) + (8192 + 8192)
    assert trained_parameters(model) == 80 * 16 * widths


@given(st.sampled_from([LLAMA, MOE, MLA]), st.integers(1, 16), st.sampled_from(sorted(TARGETS)))
def test_base_has_no_weight_gradient(spec: Spec, rank: int, target: str) -> None:
    """No base operator is trained, every adapter is, and the backward pass costs less than twice the forward."""
    base = build(spec)
    names = {operator.name for operator in operators(base)}
    if not names.intersection(TARGETS[target][0]):
        with pytest.raises(InputError):
            with_lora(base, rank, (target,))
        return
    model = with_lora(base, rank, (target,))
    for operator in operators(model):
        assert operator.trained == (operator.module == "lora")
    assert trained_parameters(model) == parameters(model)[0] - parameters(base)[0] > 0
    assert flops_forward(base, 64) < flops_forward(model, 64)
    assert flops_backward(model, 64) < 2 * flops_forward(model, 64)


def test_nothing_flows_below_the_lowest_adapter() -> None:
    """The first layer's attention has no backward pass when only its MLP is adapted."""
    one = replace(LLAMA, layers=1)
    model = with_lora(build(one), 8, ("linear_fc1",))
    kept = sum(2 * op.n * op.k for op in operators(model) if op.name == "logits" or op.name == "mlp_down")
    adapters = [op for op in operators(model) if op.module == "lora"]
    thin = sum(2 * op.n * op.k for op in adapters) + 2 * adapters[1].n * adapters[1].k
    assert flops_backward(model, 4096) == kept + thin


def test_frozen_layers_keep_less() -> None:
    """Norm outputs and MLP products that only frozen weights read are not kept; adapted inputs are."""
    base = build(LLAMA)
    h, ffn = 8192, 28672
    attention = with_lora(base, 16, ("linear_qkv",))
    lost = activation_bytes(base, 1) - activation_bytes(attention, 1)
    assert lost == 2 * h + 2 * ffn - 2 * 16
    everything = with_lora(base, 16, ("linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"))
    assert activation_bytes(everything, 1) == activation_bytes(base, 1) + 4 * 2 * 16


def test_experts_are_adapted_one_by_one() -> None:
    """An adapter on routed experts has one pair per expert and runs top_k times a token."""
    adapters = [op for op in operators(with_lora(build(MOE), 4, ("down_proj",))) if op.module == "lora"]
    routed = [op for op in adapters if op.name.startswith("expert_down")]
    products = [op for op in routed if op.kind == "matmul"]
    assert len(products) == 2 * MOE.layers and all(op.groups == 4 and op.rows == 2 for op in products)
    assert all(op.cut == "expert" for op in routed)
    assert any(op.name.startswith("shared_down") for op in adapters)


@pytest.mark.parametrize("rank", [0, -1, True, 8193, 1.5])
def test_wrong_rank(rank: int) -> None:
    """The rank is a whole number from 1 to the hidden size."""
    with pytest.raises(InputError, match="LoRA rank"):
        with_lora(build(LLAMA), rank)


def test_wrong_target() -> None:
    """Unknown targets name the known ones; targets that no layer has, and no targets, are refused."""
    with pytest.raises(InputError, match="unknown LoRA target 'wq'") as caught:
        with_lora(build(LLAMA), 8, ("wq",))
    assert "q_proj" in caught.value.hint
    with pytest.raises(InputError, match="no layer of"):
        with_lora(build(LLAMA), 8, ("kv_b_proj",))
    with pytest.raises(InputError, match="no layer of"):
        with_lora(build(LLAMA), 8, ())
