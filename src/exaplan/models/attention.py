"""Attention layers as counted operators: multi-head, grouped, multi-query, windowed, and multi-head latent (MLA)."""

from __future__ import annotations

from exaplan.models.parts import HALF, matmul, norm_params, vector
from exaplan.models.spec import Spec
from exaplan.nouns import Operator


def attention(spec: Spec, window: int) -> tuple[Operator, ...]:
    """From normed input to the projected output, without the norm and the residual around it."""
    return _latent(spec, window) if spec.mla else _grouped(spec, window)


def _grouped(spec: Spec, window: int) -> tuple[Operator, ...]:
    """q, k, v in one product; kept for the backward pass: q, k, v (after rotation) and the output of attention."""
    queries, keys = spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim
    wide = queries * (2 if spec.attention_gate else 1) + 2 * keys
    qkv = matmul("qkv", "qkv", spec.hidden, wide, "column", bias=spec.attention_bias, saved=HALF * wide)
    normed = _qk_norm(spec, queries, keys) if spec.qk_norm or spec.qk_norm_full else ()
    turned = 2 * (queries + keys) * spec.rope_fraction
    rotary = (vector("rotary", "qkv", turned, cut="heads"),) if spec.position == "rope" else ()
    core = _core(spec, spec.head_dim, spec.head_dim, window)
    gate = (vector("attn_gate", "qkv", 3 * queries, cut="heads"),) if spec.attention_gate else ()
    return (qkv, *normed, *rotary, *_indexer(spec, spec.hidden), core, *gate, _output(spec, queries))


def _qk_norm(spec: Spec, queries: int, keys: int) -> tuple[Operator, ...]:
    """Norm of q and k, per head (weights of one head) or over the whole width; keeps its input."""
    width = queries + keys if spec.qk_norm_full else 2 * spec.head_dim
    params = norm_params(spec, width)
    return (vector("qk_norm", "qkv", 2 * (queries + keys), cut="heads", params=params, saved=HALF * (queries + keys)),)


def _core(spec: Spec, qk_dim: int, v_dim: int, window: int) -> Operator:
    return Operator(
        "core_attention",
        "attention",
        "core_attn",
        cut="heads",
        heads=spec.heads,
        kv_heads=spec.heads if spec.mla else spec.kv_heads,
        n=qk_dim,
        k=v_dim,
        window=window,
        params=spec.heads if spec.sinks else 0,
    )


def _output(spec: Spec, width: int) -> Operator:
    """Output projection; attention's output is kept here (attn_proj), for it stays when core_attn is recomputed."""
    bias = spec.attention_bias if spec.output_bias is None else spec.output_bias
    return matmul("attn_out", "attn_proj", width, spec.hidden, "row", bias=bias, saved=HALF * width)


def _latent(spec: Spec, window: int) -> tuple[Operator, ...]:
    """MLA in its training form (DeepSeek-V2 section 2.1): low-rank q and kv, decompressed per head."""
    head = spec.qk_nope_dim + spec.qk_rope_dim
    out = spec.kv_lora_rank + spec.qk_rope_dim
    kv_a = matmul(
        "kv_down", "qkv", spec.hidden, out, "none", bias=spec.attention_bias, saved=HALF * out, saved_cut="sp"
    )
    kv_norm = vector(
        "kv_norm",
        "qkv",
        2 * spec.kv_lora_rank,
        params=spec.kv_lora_rank,
        saved=HALF * spec.kv_lora_rank,
        saved_cut="sp",
    )
    wide = spec.heads * (spec.qk_nope_dim + spec.v_dim)
    kept = HALF * spec.heads * (head + spec.v_dim)
    kv_b = matmul("kv_up", "mla_up_proj", spec.kv_lora_rank, wide, "column", saved=kept)
    rotary = vector("rotary", "mla_up_proj", 2 * spec.heads * (head + spec.qk_rope_dim), cut="heads")
    core = _core(spec, head, spec.v_dim, window)
    index = _indexer(spec, spec.q_lora_rank or spec.hidden)
    out_product = _output(spec, spec.heads * spec.v_dim)
    return (*_latent_query(spec, head), kv_a, kv_norm, kv_b, rotary, *index, core, out_product)


def _indexer(spec: Spec, query: int) -> tuple[Operator, ...]:
    """What picks the tokens of sparse attention (DeepSeek-V3.2): q per head of ``query`` channels, one k, head weights.

    Its scores over the context are not counted here: `exaplan.perf.serving` does.
    """
    if not spec.sparse_top:
        return ()
    wide = spec.index_heads * spec.index_dim
    return (
        matmul("index_q", "qkv", query, wide, "none", saved=HALF * wide, saved_cut="sp"),
        matmul("index_k", "qkv", spec.hidden, spec.index_dim, "none", saved=HALF * spec.index_dim, saved_cut="sp"),
        matmul(
            "index_weights", "qkv", spec.hidden, spec.index_heads, "none", saved=HALF * spec.index_heads, saved_cut="sp"
        ),
    )


def _latent_query(spec: Spec, head: int) -> tuple[Operator, ...]:
    wide, rank = spec.heads * head, spec.q_lora_rank
    if not rank:
        return (matmul("q", "mla_up_proj", spec.hidden, wide, "column", saved=HALF * wide),)
    down = matmul(
        "q_down", "qkv", spec.hidden, rank, "none", bias=spec.attention_bias, saved=HALF * rank, saved_cut="sp"
    )
    normed = vector("q_norm", "qkv", 2 * rank, params=rank, saved=HALF * rank, saved_cut="sp")
    return (down, normed, matmul("q_up", "mla_up_proj", rank, wide, "column", saved=HALF * wide))
