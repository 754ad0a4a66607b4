"""Readers of dense families' configs: each returns the keyword arguments of a Spec.

Defaults and quirks are those of the transformers classes of the same names (v5.23).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exaplan.models.config_fields import Fields

Sizes = dict[str, Any]
Reader = Callable[[Fields], Sizes]


def common(
    fields: Fields,
    vocab: int,
    hidden: int,
    layers: int,
    heads: int,
    ffn: int,
    kv: int,
    positions: int,
    tied: bool = False,
) -> Sizes:
    """Fields that Llama-like configs share."""
    made = {
        "vocab": fields.whole("vocab_size", vocab, "vocab"),
        "hidden": fields.whole("hidden_size", hidden, "hidden"),
        "layers": fields.whole("num_hidden_layers", layers, "layers"),
        "heads": fields.whole("num_attention_heads", heads, "heads"),
        "ffn": fields.whole("intermediate_size", ffn, "ffn"),
        "max_positions": fields.whole("max_position_embeddings", positions, "max_positions"),
        "tied": fields.flag("tie_word_embeddings", tied),
    }
    return made | {"kv_heads": fields.optional("num_key_value_heads", "kv_heads") or kv or made["heads"]}


def windows(fields: Fields, sizes: Sizes, default_window: int, default_pattern: str) -> Sizes:
    """Window and which layers have it, from layer_types where the file has them."""
    present = "sliding_window" in fields.config
    window = fields.optional("sliding_window", "window") if present else default_window
    if not window:
        return {}
    marks = {"sliding_attention": "W", "full_attention": "F"}
    kinds = fields.kinds()
    if any(kind not in marks for kind in kinds) or (kinds and len(kinds) != sizes["layers"]):
        raise fields.wrong("layer_types", f"needs {sizes['layers']} times one of {', '.join(marks)}")
    pattern = "".join(marks[kind] for kind in kinds) or default_pattern
    return {"window": window, "window_pattern": pattern} if "W" in pattern else {}


def llama(fields: Fields) -> Sizes:
    """Llama 1 to 3."""
    sizes = common(fields, 32000, 4096, 32, 32, 11008, 0, 2048)
    return sizes | {
        "head_dim": fields.optional("head_dim"),
        "mlp": fields.activation("hidden_act", "silu", gated=True),
        "attention_bias": fields.flag("attention_bias", False),
        "mlp_bias": fields.flag("mlp_bias", False),
        "family": "llama",
    }


def mistral(fields: Fields) -> Sizes:
    """Mistral: Llama with grouped heads and, in v0.1, a window on all layers."""
    sizes = common(fields, 32000, 4096, 32, 32, 14336, 8, 131072)
    return (
        sizes
        | windows(fields, sizes, 4096, "W")
        | {
            "head_dim": fields.optional("head_dim"),
            "mlp": fields.activation("hidden_act", "silu", gated=True),
            "family": "mistral",
        }
    )


def qwen2(fields: Fields) -> Sizes:
    """Qwen 2 and 2.5: biases on q, k and v."""
    sizes = common(fields, 151936, 4096, 32, 32, 22016, 0, 32768)
    mlp = fields.activation("hidden_act", "silu", gated=True)
    return (
        sizes
        | upper_window(fields, sizes)
        | {"mlp": mlp, "attention_bias": True, "output_bias": False, "family": "qwen"}
    )


def upper_window(fields: Fields, sizes: Sizes) -> Sizes:
    """Qwen's window: only if use_sliding_window, and then from layer max_window_layers on."""
    if not fields.flag("use_sliding_window", False):
        return {}
    first = min(fields.whole("max_window_layers", 28), sizes["layers"])
    return windows(fields, sizes, 4096, "F" * first + "W" * (sizes["layers"] - first))


def qwen3(fields: Fields) -> Sizes:
    """Qwen 3 dense: norms of q and k per head, no biases."""
    sizes = common(fields, 151936, 4096, 32, 32, 22016, 0, 32768)
    return (
        sizes
        | upper_window(fields, sizes)
        | {
            "head_dim": fields.whole("head_dim", 128),
            "mlp": fields.activation("hidden_act", "silu", gated=True),
            "attention_bias": fields.flag("attention_bias", False),
            "qk_norm": True,
            "family": "qwen",
        }
    )


def gemma(fields: Fields) -> Sizes:
    """Gemma 1."""
    return common(fields, 256000, 3072, 28, 16, 24576, 16, 8192, tied=True) | {
        "head_dim": fields.whole("head_dim", 256),
        "mlp": "geglu",
        "attention_bias": fields.flag("attention_bias", False),
        "family": "gemma",
    }


def gemma2(fields: Fields) -> Sizes:
    """Gemma 2: norms around each branch, every other layer with a window."""
    sizes = common(fields, 256000, 2304, 26, 8, 9216, 4, 8192, tied=True)
    return (
        sizes
        | windows(fields, sizes, 4096, "WF")
        | {
            "head_dim": fields.whole("head_dim", 256),
            "mlp": fields.activation("hidden_activation", "gelu_pytorch_tanh", gated=True),
            "attention_bias": fields.flag("attention_bias", False),
            "sandwich_norm": True,
            "family": "gemma",
        }
    )


def gemma3(fields: Fields) -> Sizes:
    """Gemma 3 (text): five window layers, then a full one; norms of q and k."""
    every = fields.optional("sliding_window_pattern") or 6
    sizes = common(fields, 262208, 2304, 26, 8, 9216, 4, 131072, tied=True)
    return (
        sizes
        | windows(fields, sizes, 4096, "W" * (every - 1) + "F")
        | {
            "head_dim": fields.whole("head_dim", 256),
            "mlp": fields.activation("hidden_activation", "gelu_pytorch_tanh", gated=True),
            "attention_bias": fields.flag("attention_bias", False),
            "sandwich_norm": True,
            "qk_norm": True,
            "family": "gemma",
        }
    )


def phi(fields: Fields) -> Sizes:
    """Phi 1, 1.5 and 2: parallel block, partial rotary, biases everywhere, the logits too."""
    return common(fields, 51200, 2048, 24, 32, 8192, 0, 2048) | {
        "mlp": fields.activation("hidden_act", "gelu_new", gated=False),
        "norm": "layernorm",
        "attention_bias": True,
        "mlp_bias": True,
        "head_bias": True,
        "qk_norm": fields.flag("qk_layernorm", False),
        "parallel_block": True,
        "rope_fraction": fields.fraction("partial_rotary_factor", 0.5),
        "family": "phi",
    }


def phi3(fields: Fields) -> Sizes:
    """Phi 3 and 4: Llama's shape."""
    sizes = common(fields, 32064, 3072, 32, 32, 8192, 0, 4096)
    return (
        sizes
        | windows(fields, sizes, 0, "W")
        | {
            "mlp": fields.activation("hidden_act", "silu", gated=True),
            "rope_fraction": fields.fraction("partial_rotary_factor", 1.0),
            "family": "phi",
        }
    )


def nemotron(fields: Fields) -> Sizes:
    """Nemotron 3 and 4 (dense): squared relu, layer norm 1p, half of a head rotates."""
    return common(fields, 256000, 6144, 32, 48, 24576, 0, 4096) | {
        "head_dim": fields.optional("head_dim"),
        "mlp": fields.activation("hidden_act", "relu2", gated=False),
        "norm": "layernorm",
        "attention_bias": fields.flag("attention_bias", False),
        "mlp_bias": fields.flag("mlp_bias", False),
        "rope_fraction": fields.fraction("partial_rotary_factor", 0.5),
        "family": "nemotron",
    }


def apertus(fields: Fields) -> Sizes:
    """Apertus: xIELU without gate, norms of q and k."""
    return common(fields, 131072, 4096, 32, 32, 14336, 0, 65536) | {
        "mlp": fields.activation("hidden_act", "xielu", gated=False),
        "attention_bias": fields.flag("attention_bias", False),
        "qk_norm": True,
        "family": "apertus",
    }


def gpt2(fields: Fields) -> Sizes:
    """GPT-2: learned positions, layer norms, biases everywhere."""
    hidden = fields.whole("n_embd", 768, "hidden", "hidden_size")
    return {
        "vocab": fields.whole("vocab_size", 50257, "vocab"),
        "hidden": hidden,
        "layers": fields.whole("n_layer", 12, "layers", "num_hidden_layers"),
        "heads": fields.whole("n_head", 12, "heads", "num_attention_heads"),
        "ffn": fields.optional("n_inner", "ffn") or 4 * hidden,
        "max_positions": fields.whole("n_positions", 1024, "max_positions", "max_position_embeddings"),
        "tied": fields.flag("tie_word_embeddings", True),
        "mlp": fields.activation("activation_function", "gelu_new", gated=False),
        "position": "learned",
        "norm": "layernorm",
        "attention_bias": True,
        "mlp_bias": True,
        "family": "gpt",
    }


def gpt_bigcode(fields: Fields) -> Sizes:
    """StarCoder, SantaCoder: GPT-2 with one key/value head."""
    sizes = gpt2(fields)
    return sizes | {"kv_heads": 1 if fields.flag("multi_query", True) else sizes["heads"]}


def gpt_neox(fields: Fields) -> Sizes:
    """GPT-NeoX and Pythia: parallel block with two norms, a quarter of a head rotates."""
    return common(fields, 50432, 6144, 44, 64, 24576, 0, 2048) | {
        "mlp": fields.activation("hidden_act", "gelu", gated=False),
        "norm": "layernorm",
        "attention_bias": fields.flag("attention_bias", True),
        "mlp_bias": True,
        "parallel_block": fields.flag("use_parallel_residual", True),
        "parallel_norms": 2,
        "rope_fraction": fields.fraction("rotary_pct", 0.25),
        "family": "neox",
    }


def opt(fields: Fields) -> Sizes:
    """OPT: GPT-2's shape with relu and two more position rows."""
    hidden = fields.whole("hidden_size", 768, "hidden")
    if (fields.optional("word_embed_proj_dim") or hidden) != hidden:
        raise fields.wrong("word_embed_proj_dim", "an embedding narrower than hidden_size (OPT-350m) is not supported")
    if not fields.flag("do_layer_norm_before", True):
        raise fields.wrong("do_layer_norm_before", "norms after each branch (OPT-350m) are not supported")
    bias = fields.flag("enable_bias", True)
    return {
        "vocab": fields.whole("vocab_size", 50272, "vocab"),
        "hidden": hidden,
        "layers": fields.whole("num_hidden_layers", 12, "layers"),
        "heads": fields.whole("num_attention_heads", 12, "heads"),
        "ffn": fields.whole("ffn_dim", 3072, "ffn"),
        "max_positions": fields.whole("max_position_embeddings", 2048, "max_positions"),
        "position_offset": 2,
        "tied": fields.flag("tie_word_embeddings", True),
        "mlp": fields.activation("activation_function", "relu", gated=False),
        "position": "learned",
        "norm": "layernorm",
        "attention_bias": bias,
        "mlp_bias": bias,
        "family": "opt",
    }


def bloom(fields: Fields) -> Sizes:
    """BLOOM: alibi, a norm right after the embedding."""
    hidden = fields.whole("hidden_size", 64, "hidden", "n_embed", "n_embd")
    return {
        "vocab": fields.whole("vocab_size", 250880, "vocab"),
        "hidden": hidden,
        "layers": fields.whole("n_layer", 2, "layers", "num_hidden_layers"),
        "heads": fields.whole("n_head", 8, "heads", "num_attention_heads"),
        "ffn": 4 * hidden,
        "max_positions": fields.optional("seq_length", "max_positions"),
        "tied": fields.flag("tie_word_embeddings", True),
        "mlp": "gelu",
        "position": "alibi",
        "norm": "layernorm",
        "attention_bias": True,
        "mlp_bias": True,
        "embedding_norm": True,
        "family": "bloom",
    }


def falcon(fields: Fields) -> Sizes:
    """Falcon: parallel block; 7B one key/value head, 40B and 180B groups and two norms."""
    heads = fields.whole("num_attention_heads", 71, "heads", "n_head")
    hidden = fields.whole("hidden_size", 4544, "hidden", "n_embed")
    grouped = fields.flag("new_decoder_architecture", False)
    single = fields.flag("multi_query", True) and not grouped
    norms = fields.optional("num_ln_in_parallel_attn") or (2 if grouped else 1)
    bias = fields.flag("bias", False)
    return {
        "vocab": fields.whole("vocab_size", 65024, "vocab"),
        "hidden": hidden,
        "layers": fields.whole("num_hidden_layers", 32, "layers", "n_layer"),
        "heads": heads,
        "kv_heads": 1 if single else _falcon_groups(fields, heads, grouped),
        "ffn": fields.optional("ffn_hidden_size", "ffn") or 4 * hidden,
        "max_positions": fields.whole("max_position_embeddings", 2048, "max_positions"),
        "tied": fields.flag("tie_word_embeddings", True),
        "mlp": fields.activation("activation", "gelu", gated=False),
        "position": "alibi" if fields.flag("alibi", False) else "rope",
        "norm": "layernorm",
        "attention_bias": bias,
        "mlp_bias": bias,
        "parallel_block": grouped or fields.flag("parallel_attn", True),
        "parallel_norms": norms,
        "family": "falcon",
    }


def _falcon_groups(fields: Fields, heads: int, grouped: bool) -> int:
    named = fields.optional("num_kv_heads", "kv_heads") or fields.optional("n_head_kv", "kv_heads")
    return (named or heads) if grouped else heads


def mpt(fields: Fields) -> Sizes:
    """MPT: no biases at all; alibi, or learned positions where alibi is off."""
    hidden = fields.whole("d_model", 2048, "hidden")
    attention = fields.inner("attn_config")
    heads = fields.whole("n_heads", 16, "heads")
    alibi = attention.flag("alibi", True)
    learned = not alibi and fields.flag("learned_pos_emb", True)
    bias = not fields.flag("no_bias", True)
    return {
        "vocab": fields.whole("vocab_size", 50368, "vocab"),
        "hidden": hidden,
        "layers": fields.whole("n_layers", 24, "layers"),
        "heads": heads,
        "kv_heads": _mpt_groups(attention, heads),
        "ffn": fields.whole("expansion_ratio", 4) * hidden,
        "max_positions": fields.whole("max_seq_len", 2048, "max_positions"),
        "tied": fields.flag("tie_word_embeddings", True),
        "mlp": "gelu",
        "position": "alibi" if alibi else ("learned" if learned else "none"),
        "norm": "layernorm",
        "norm_bias": bias,
        "attention_bias": bias,
        "mlp_bias": bias,
        "qk_norm_full": attention.flag("qk_ln", False),
        "family": "mpt",
    }


def _mpt_groups(attention: Fields, heads: int) -> int:
    kind = attention.config.get("attn_type", "multihead_attention")
    if kind == "grouped_query_attention":
        return attention.whole("kv_n_heads", None, "kv_heads")
    return 1 if kind == "multiquery_attention" else heads


READERS: dict[str, Reader] = {
    "llama": llama,
    "mistral": mistral,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "gemma": gemma,
    "gemma2": gemma2,
    "gemma3": gemma3,
    "gemma3_text": gemma3,
    "phi": phi,
    "phi3": phi3,
    "nemotron": nemotron,
    "apertus": apertus,
    "gpt2": gpt2,
    "gpt_bigcode": gpt_bigcode,
    "gpt_neox": gpt_neox,
    "opt": opt,
    "bloom": bloom,
    "falcon": falcon,
    "mpt": mpt,
}
