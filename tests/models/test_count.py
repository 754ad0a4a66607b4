"""Parameters, FLOPs and activation bytes: published numbers, papers' formulas and laws that must hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.models.count import (
    activation_bytes,
    context,
    cut_operator,
    flops_backward,
    flops_by_kind,
    flops_forward,
    forward_flops,
    freed,
    kv_bytes,
    model_flops,
    operators,
    parameters,
    saved_bytes,
    tally,
    trained_parameters,
)
from exaplan.models.spec import Spec
from exaplan.models.transformer import build
from exaplan.nouns import Model

GPT = {
    "mlp": "gelu",
    "norm": "layernorm",
    "attention_bias": True,
    "mlp_bias": True,
    "position": "learned",
    "max_positions": 2048,
    "tied": True,
}
DEEP = Spec(
    "deep",
    layers=61,
    hidden=7168,
    heads=128,
    vocab=129280,
    ffn=18432,
    experts=256,
    top_k=8,
    expert_ffn=2048,
    shared_experts=1,
    dense_layers=3,
    q_lora_rank=1536,
    kv_lora_rank=512,
    qk_nope_dim=128,
    qk_rope_dim=64,
    v_dim=128,
    mtp_layers=1,
)
LLAMA = Spec("llama", layers=32, hidden=4096, heads=32, vocab=128256, ffn=14336, kv_heads=8)


def gpt(layers: int, hidden: int, heads: int, vocab: int = 51200) -> Model:
    return build(Spec("gpt", layers=layers, hidden=hidden, heads=heads, vocab=vocab, ffn=4 * hidden, **GPT))


# ------------------------------------------------------------------------------------------- papers' formulas

#: (layers, hidden, heads) of Korthikanti et al. 2022, Table 3.
MEGATRON = {"22b": (48, 6144, 64), "175b": (96, 12288, 96), "530b": (105, 20480, 128), "1t": (128, 25600, 160)}


@pytest.mark.parametrize("size", MEGATRON)
@pytest.mark.parametrize("tp", [1, 8])
def test_activations_match_korthikanti(size: str, tp: int) -> None:
    """Activation bytes per layer equal arXiv:2205.05198: eqs. 1, 2 and 4, and eq. 6 (selective recomputation)."""
    layers, h, a = MEGATRON[size]
    model, s = gpt(layers, h, a), 2048
    scores = 5 * a * s / (h * tp)
    without = activation_bytes(model, s, tp, fused=False, dropout=True)
    assert without == pytest.approx(s * h * (10 + 24 / tp + scores))
    sequence = activation_bytes(model, s, tp, sp=True, fused=False, dropout=True)
    assert sequence == pytest.approx(s * h * (34 / tp + scores))
    selective = activation_bytes(model, s, tp, sp=True, fused=False, dropout=True, recompute="selective")
    assert selective == pytest.approx(s * h * 34 / tp)
    assert activation_bytes(model, s, tp, sp=True, fused=True, dropout=True) == pytest.approx(s * h * 34 / tp)
    assert activation_bytes(model, s, tp, recompute="full") == 2 * s * h


def test_activations_without_dropout() -> None:
    """Without dropout the two masks (2 s b h) and three of the five score bytes go."""
    model, s, h, a = gpt(2, 1024, 16), 512, 1024, 16
    assert activation_bytes(model, s) == s * h * 32
    assert activation_bytes(model, s, fused=False) == s * h * (32 + 2 * a * s / h)


def test_activations_of_a_gated_layer() -> None:
    """Llama: two norms in and out, grouped q k v, attention's output, gate, up and their product."""
    h, ffn, kv = 4096, 14336, 1024
    assert activation_bytes(build(LLAMA), 1) == 2 * (4 * h + (h + 2 * kv) + h + 3 * ffn)


def test_activations_of_experts_count_every_copy() -> None:
    """A routed token keeps top_k inputs, gates, ups and products, and the router's scores in 32 bits."""
    spec = replace(LLAMA, experts=8, top_k=2)
    dense, moe = build(LLAMA), build(spec)
    assert activation_bytes(moe, 1) - activation_bytes(dense, 1) == 2 * 14336 * 3 + 2 * 2 * 4096 + 4 * 8


def test_recomputed_modules_are_freed() -> None:
    """Recomputing a module frees what it produced: activation, norms, up-projections of MLA, whole MoE."""
    model = build(DEEP)
    base = activation_bytes(model, 1, layer=10)
    assert base - activation_bytes(model, 1, layer=10, recompute="layernorm") == 2 * 2 * 7168
    assert base - activation_bytes(model, 1, layer=10, recompute="moe_act") == 2 * 8 * 2048
    assert base - activation_bytes(model, 1, layer=10, recompute="mla_up_proj") == 2 * 128 * (192 + 192 + 128)
    routed = 2 * 8 * (7168 + 2 * 2048 + 2048)
    shared, scores = 2 * (2 * 2048 + 2048), 4 * 256
    assert base - activation_bytes(model, 1, layer=10, recompute="moe") == routed + shared + scores
    assert freed("none") == frozenset()
    assert freed("moe, layernorm") >= {"moe", "moe_act", "router", "shared_experts", "layernorm"}


def test_windowed_scores() -> None:
    """Unfused attention with a window keeps only the scores inside it."""
    full = build(replace(LLAMA, layers=2))
    windowed = build(replace(LLAMA, layers=2, window=128))
    gap = activation_bytes(full, 1024, fused=False) - activation_bytes(windowed, 1024, fused=False)
    assert gap == 1024 * 32 * (1024 - 128) * 2


@pytest.mark.parametrize("size", MEGATRON)
def test_flops_match_narayanan(size: str) -> None:
    """Training FLOPs equal 72 B s l h^2 (1 + s/6h + V/12lh) (arXiv:2104.04473 eq. 3 less its recomputation)."""
    layers, h, a = MEGATRON[size]
    s, vocab = 2048, 51200
    expected = 72 * s * layers * h * h * (1 + s / (6 * h) + vocab / (12 * layers * h))
    assert model_flops(gpt(layers, h, a), s, s, causal=False) == pytest.approx(expected, rel=1e-12)


def test_six_n_d() -> None:
    """Without attention and lookups, a training step costs 6 FLOPs per matrix weight and token."""
    model = build(LLAMA)
    weights = sum(times * op.n * op.k for op, times in tally(model) if op.kind == "matmul")
    attention = 3 * flops_by_kind(model, 4096, causal=True)["attention"]
    assert model_flops(model, 4096, 1) == 6 * weights + attention


# ----------------------------------------------------------------------------------------- published counts


def test_published_totals() -> None:
    """DeepSeek-V3 671 B and 37 B active, 14 B of prediction module of which 11.5 B its own (arXiv:2412.19437)."""
    model = build(DEEP)
    total, active = parameters(model)
    assert total == 671_026_404_352
    assert active == pytest.approx(37e9, rel=0.02)
    shared_tables = 2 * 7168 * 129280
    assert parameters(model, mtp=True)[0] - total + shared_tables == pytest.approx(14e9, rel=0.05)


def test_key_value_cache() -> None:
    """Bytes per token: Llama-3-8B 128 KiB; DeepSeek-V3 70,272 B (latent, 61 layers x 576 x 2)."""
    assert kv_bytes(build(LLAMA)) == 131_072
    assert kv_bytes(build(DEEP)) == 61 * 576 * 2
    assert kv_bytes(build(LLAMA), element=1) == 65_536


def test_scan_flops() -> None:
    """Mamba-2's chunked scan: 2 Q N G + 2 Q P H + 4 P N H per token, plus its matrix products."""
    hybrid = Spec(
        "hybrid",
        layers=2,
        hidden=64,
        heads=4,
        vocab=100,
        ffn=96,
        pattern="M*",
        mamba_heads=8,
        mamba_head_dim=16,
        state_dim=32,
        mamba_groups=2,
        chunk=8,
        position="none",
    )
    model = build(hybrid)
    assert flops_by_kind(model, 64)["scan"] == 2 * 8 * 32 * 2 + 2 * 8 * 16 * 8 + 4 * 16 * 32 * 8
    assert flops_by_kind(model, 64, causal=True)["scan"] < flops_by_kind(model, 64)["scan"]
    assert kv_bytes(model) == 2 * 2 * 64


def test_context() -> None:
    """A query meets seq keys, or half of them, or its window less the missing start."""
    assert context(4096, 0, causal=False) == 4096
    assert context(4096, 128, causal=False) == 4096
    assert context(4096, 0, causal=True) == 2048
    assert context(4096, 4096, causal=True) == 2048
    assert context(4096, 128, causal=True) == 128 - 128 * 128 / 8192


# ------------------------------------------------------------------------------------------------------ laws


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """Architectures of every family, small."""
    kv, group, dim = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.sampled_from([2, 8, 16]))
    heads, layers = kv * group, draw(st.integers(1, 5))
    sizes: dict[str, Any] = {
        "hidden": draw(st.integers(1, 40)) * 2,
        "ffn": draw(st.integers(1, 99)),
        "mlp": draw(st.sampled_from(["swiglu", "geglu", "gelu", "relu2", "xielu"])),
        "norm": draw(st.sampled_from(["rmsnorm", "layernorm"])),
        "tied": draw(st.booleans()),
        "attention_bias": draw(st.booleans()),
        "mlp_bias": draw(st.booleans()),
        "qk_norm": draw(st.booleans()),
        "parallel_block": draw(st.booleans()),
        "sandwich_norm": draw(st.booleans()),
        "window": draw(st.sampled_from([0, 5])),
    }
    if draw(st.booleans()):
        experts = draw(st.integers(1, 8))
        shared = draw(st.integers(0, 2))
        top = draw(st.integers(1, experts))
        sizes |= {"experts": experts, "top_k": top, "shared_experts": shared, "moe_every": draw(st.integers(1, 2))}
    if draw(st.booleans()):
        sizes |= {"kv_lora_rank": 6, "q_lora_rank": draw(st.sampled_from([0, 7])), "qk_nope_dim": 4, "v_dim": dim}
    return Spec("any", layers=layers, heads=heads, kv_heads=kv, head_dim=dim, vocab=draw(st.integers(1, 99)), **sizes)


@given(specs(), st.integers(1, 64))
def test_additive_over_layers(spec: Spec, seq: int) -> None:
    """Adding twice the layers adds exactly the layers' parameters and FLOPs."""
    period = 2 * spec.layers  # moe_every is 1 or 2: a whole number of periods
    one, two, three = (build(replace(spec, layers=spec.layers * 2 * times)) for times in (1, 2, 3))
    assert period * 2 == len(two.layers)
    assert parameters(three)[0] - parameters(two)[0] == parameters(two)[0] - parameters(one)[0]
    first = flops_forward(two, seq) - flops_forward(one, seq)
    assert flops_forward(three, seq) - flops_forward(two, seq) == pytest.approx(first)


@given(specs(), st.integers(1, 64))
def test_backward_is_twice_forward(spec: Spec, seq: int) -> None:
    """Where everything is trained, the backward pass costs twice the forward pass."""
    model = build(spec)
    assert flops_backward(model, seq) == pytest.approx(2 * flops_forward(model, seq))


@given(specs(), st.integers(1, 64))
def test_causal_costs_no_more(spec: Spec, seq: int) -> None:
    """Causal attention costs at most full attention, and more than nothing."""
    model = build(spec)
    assert 0 < flops_forward(model, seq, causal=True) <= flops_forward(model, seq)


@given(specs())
def test_active_is_part_of_total(spec: Spec) -> None:
    """Active parameters never exceed all parameters, and equal them where nothing is routed."""
    total, active = parameters(build(spec))
    assert 0 < active <= total
    assert spec.experts or active == total
    assert trained_parameters(build(spec)) == total


@settings(max_examples=50)
@given(specs(), st.integers(1, 64), st.sampled_from([1, 2, 3, 4, 8]), st.sampled_from([1, 2, 4]))
def test_cutting_loses_nothing(spec: Spec, seq: int, tp: int, ep: int) -> None:
    """The ranks of a cut together do at least the whole work and hold at least all parameters."""
    for operator in operators(build(spec)):
        part = cut_operator(operator, tp, ep, etp=1)
        ranks = ep if operator.cut == "expert" else tp
        whole = forward_flops(operator, seq)
        together = forward_flops(part, seq) * (1 if operator.cut == "expert" else ranks)
        assert together >= whole * (1 - 1e-12)
        assert part.params * ranks >= operator.params


@given(specs(), st.sampled_from([1, 2, 4]))
def test_expert_tensor_cut(spec: Spec, etp: int) -> None:
    """Cutting experts inside leaves at least the whole work over the ranks."""
    for operator in operators(build(spec)):
        if operator.cut == "expert":
            part = cut_operator(operator, 1, 1, etp)
            assert forward_flops(part, 8) * etp >= forward_flops(operator, 8) * (1 - 1e-12)
            assert part.moved * etp == pytest.approx(operator.moved)


@given(specs(), st.sampled_from([2, 4]))
def test_saved_bytes_shrink_with_cuts(spec: Spec, tp: int) -> None:
    """Tensor parallelism never saves more than before, and sequence parallelism never more than that."""
    for operator in operators(build(spec)):
        assert saved_bytes(operator, tp, sp=True) <= saved_bytes(operator, tp) <= saved_bytes(operator)


def test_exact_cuts() -> None:
    """An even cut divides exactly: columns, rows (bias kept), heads, vocabulary, experts."""
    model = gpt(1, 64, 8, vocab=128)
    parts = {op.name: cut_operator(op, tp=4) for op in operators(model)}
    wholes = {op.name: op for op in operators(model)}
    assert parts["qkv"].n == 3 * 64 // 4
    assert parts["mlp_down"].k == 64
    assert parts["mlp_down"].params == 64 * 64 + 64
    assert parts["core_attention"].heads == 2
    assert parts["embedding"].k == 32
    assert parts["logits"].n == 32
    assert parts["input_norm"] == wholes["input_norm"]
    experts = build(replace(LLAMA, layers=1, experts=8, top_k=2))
    cut = {op.name: cut_operator(op, ep=4, etp=2) for op in operators(experts)}
    assert (cut["expert_up"].groups, cut["expert_up"].n) == (2, 14336)
    assert (cut["expert_down"].groups, cut["expert_down"].k) == (2, 7168)
    assert cut["expert_down"].params == 2 * 7168 * 4096
