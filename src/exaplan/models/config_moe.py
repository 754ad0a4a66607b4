"""Readers of mixture-of-experts and hybrid families' configs: each returns the keyword arguments of a Spec.

Defaults and quirks are those of the transformers classes of the same names (v5.23); Grok-1 follows xai-org/grok-1.
"""

from __future__ import annotations

from exaplan.models.config_dense import Reader, Sizes, common, upper_window, windows
from exaplan.models.config_fields import Fields


def mixtral(fields: Fields) -> Sizes:
    """Mixtral: every MLP is routed."""
    sizes = common(fields, 32000, 4096, 32, 32, 14336, 8, 131072)
    return (
        sizes
        | windows(fields, sizes, 0, "W")
        | {
            "head_dim": fields.optional("head_dim"),
            "mlp": fields.activation("hidden_act", "silu", gated=True),
            "experts": fields.whole("num_local_experts", 8, "experts", "num_experts"),
            "top_k": fields.whole("num_experts_per_tok", 2, "top_k"),
            "family": "mixtral",
        }
    )


def qwen2_moe(fields: Fields) -> Sizes:
    """Qwen 1.5/2 MoE: routed experts beside a gated shared one."""
    sizes = common(fields, 151936, 2048, 24, 16, 5632, 0, 32768)
    return (
        sizes
        | upper_window(fields, sizes)
        | _sparse(fields, sizes)
        | {
            "mlp": fields.activation("hidden_act", "silu", gated=True),
            "attention_bias": fields.flag("qkv_bias", True),
            "output_bias": False,
            "experts": fields.whole("num_experts", 60, "experts"),
            "top_k": fields.whole("num_experts_per_tok", 4, "top_k"),
            "expert_ffn": fields.whole("moe_intermediate_size", 1408, "expert_ffn"),
            "shared_experts": 1,
            "shared_ffn": fields.whole("shared_expert_intermediate_size", 5632, "shared_ffn"),
            "shared_gate": True,
            "family": "qwen",
        }
    )


def qwen3_moe(fields: Fields) -> Sizes:
    """Qwen 3 MoE: 128 routed experts, none shared."""
    sizes = common(fields, 151936, 2048, 24, 32, 6144, 4, 32768)
    return (
        sizes
        | upper_window(fields, sizes)
        | _sparse(fields, sizes)
        | {
            "head_dim": fields.optional("head_dim"),
            "mlp": fields.activation("hidden_act", "silu", gated=True),
            "attention_bias": fields.flag("attention_bias", False),
            "qk_norm": True,
            "experts": fields.whole("num_experts", 128, "experts", "num_local_experts"),
            "top_k": fields.whole("num_experts_per_tok", 8, "top_k"),
            "expert_ffn": fields.whole("moe_intermediate_size", 768, "expert_ffn"),
            "family": "qwen",
        }
    )


def _sparse(fields: Fields, sizes: Sizes) -> Sizes:
    """Which layers are dense: decoder_sparse_step, and mlp_only_layers where they are the first ones."""
    only = fields.config.get("mlp_only_layers") or []
    if not isinstance(only, list) or sorted(map(str, only)) != sorted(str(index) for index in range(len(only))):
        raise fields.wrong("mlp_only_layers", "only the first layers may be dense here", "describe the model by hand")
    step = fields.whole("decoder_sparse_step", 1, "moe_every")
    return {"dense_layers": min(len(only), sizes["layers"]), "moe_every": step}


def deepseek_v2(fields: Fields) -> Sizes:
    """DeepSeek-V2: latent attention, shared experts, dense first layers."""
    sizes = common(fields, 102400, 4096, 32, 32, 11008, 0, 2048)
    return (
        sizes
        | _latent(fields, has_rank="q_lora_rank" in fields.config)
        | {
            "mlp": fields.activation("hidden_act", "silu", gated=True),
            "mlp_bias": fields.flag("mlp_bias", False),
            "experts": fields.whole("n_routed_experts", 64, "experts"),
            "top_k": fields.whole("num_experts_per_tok", None, "top_k"),
            "expert_ffn": fields.whole("moe_intermediate_size", 1407, "expert_ffn"),
            "shared_experts": fields.whole("n_shared_experts", 2, "shared_experts"),
            "dense_layers": fields.whole("first_k_dense_replace", 0, "dense_layers"),
            "family": "deepseek",
        }
    )


def deepseek_v3(fields: Fields) -> Sizes:
    """DeepSeek-V3, R1 and Kimi K2."""
    sizes = common(fields, 129280, 7168, 61, 128, 18432, 0, 4096)
    _leave_prediction(fields)
    return (
        sizes
        | _latent(fields, has_rank="q_lora_rank" in fields.config)
        | {
            "mlp": fields.activation("hidden_act", "silu", gated=True),
            "experts": fields.whole("n_routed_experts", 256, "experts"),
            "top_k": fields.whole("num_experts_per_tok", 8, "top_k"),
            "expert_ffn": fields.whole("moe_intermediate_size", 2048, "expert_ffn"),
            "shared_experts": fields.whole("n_shared_experts", 1, "shared_experts"),
            "dense_layers": fields.whole("first_k_dense_replace", 3, "dense_layers"),
            "family": "deepseek",
        }
    )


def _latent(fields: Fields, has_rank: bool) -> Sizes:
    """Latent attention; q_lora_rank null (V2-Lite) means direct queries."""
    return {
        "kv_heads": 0,
        "attention_bias": fields.flag("attention_bias", False),
        "q_lora_rank": fields.optional("q_lora_rank") if has_rank else fields.whole("q_lora_rank", 1536),
        "kv_lora_rank": fields.whole("kv_lora_rank", 512),
        "qk_nope_dim": fields.whole("qk_nope_head_dim", 128, "qk_nope_dim"),
        "qk_rope_dim": fields.whole("qk_rope_head_dim", 64, "qk_rope_dim"),
        "v_dim": fields.whole("v_head_dim", 128, "v_dim"),
    }


def _leave_prediction(fields: Fields) -> None:
    depth = fields.optional("num_nextn_predict_layers")
    if depth:
        fields.notes.append(
            f"the {depth} multi-token-prediction layer(s) are left out, as in transformers; set mtp_layers"
        )


def gpt_oss(fields: Fields) -> Sizes:
    """gpt-oss: biases, attention sinks, a window on every other layer."""
    sizes = common(fields, 201088, 2880, 36, 64, 2880, 8, 131072)
    return (
        sizes
        | windows(fields, sizes, 128, "WF")
        | {
            "head_dim": fields.whole("head_dim", 64),
            "attention_bias": fields.flag("attention_bias", True),
            "mlp_bias": True,
            "router_bias": True,
            "sinks": True,
            "experts": fields.whole("num_local_experts", 128, "experts", "num_experts"),
            "top_k": fields.whole("num_experts_per_tok", 4, "top_k", "experts_per_token"),
            "family": "gpt-oss",
        }
    )


def grok1(fields: Fields) -> Sizes:
    """Grok-1: eight wide gelu-gated experts, norms around each branch, tied embedding."""
    return {
        "vocab": fields.whole("vocab_size", 131072, "vocab"),
        "hidden": fields.whole("hidden_size", 6144, "hidden"),
        "layers": fields.whole("num_hidden_layers", 64, "layers"),
        "heads": fields.whole("num_attention_heads", 48, "heads"),
        "kv_heads": fields.whole("num_key_value_heads", 8, "kv_heads"),
        "ffn": fields.whole("intermediate_size", 32768, "ffn"),
        "max_positions": fields.whole("max_position_embeddings", 8192, "max_positions"),
        "tied": fields.flag("tie_word_embeddings", True),
        "experts": fields.whole("num_experts", 8, "experts", "num_local_experts"),
        "top_k": fields.whole("num_experts_per_tok", 2, "top_k", "num_selected_experts"),
        "mlp": "geglu",
        "sandwich_norm": True,
        "family": "grok",
    }


def nemotron_h(fields: Fields) -> Sizes:
    """Nemotron-H, Nemotron 3 Nano and Super: Mamba-2, attention without positions, squared-relu MLPs and experts."""
    pattern = _pattern(fields)
    made: Sizes = {
        "vocab": fields.whole("vocab_size", 131072, "vocab"),
        "hidden": fields.whole("hidden_size", 4096, "hidden"),
        "layers": len(pattern),
        "pattern": pattern,
        "heads": fields.whole("num_attention_heads", 32, "heads"),
        "kv_heads": fields.whole("num_key_value_heads", 8, "kv_heads"),
        "head_dim": fields.whole("head_dim", 128, "head_dim", "attention_head_dim"),
        "ffn": fields.whole("intermediate_size", 21504, "ffn"),
        "max_positions": fields.whole("max_position_embeddings", 4096, "max_positions"),
        "tied": fields.flag("tie_word_embeddings", False),
        "mlp": fields.activation("mlp_hidden_act", "relu2", gated=False),
        "mlp_bias": fields.flag("mlp_bias", False),
        "position": "none",
        "family": "nemotron-h",
    }
    _leave_prediction(fields)
    return made | _mamba(fields) | (_hybrid_experts(fields) if "E" in pattern else {})


def _pattern(fields: Fields) -> str:
    letters = {"linear_attention": "M", "mamba": "M", "full_attention": "*", "attention": "*", "mlp": "-", "moe": "E"}
    kinds = fields.kinds("layers_block_type") or fields.kinds("layer_types")
    if any(kind not in letters for kind in kinds):
        raise fields.wrong("layers_block_type", f"each layer is one of {', '.join(letters)}")
    text = "".join(letters[kind] for kind in kinds)
    return text or fields.text("hybrid_override_pattern", "ME*-", "pattern")


def _mamba(fields: Fields) -> Sizes:
    return {
        "mamba_heads": fields.whole("mamba_num_heads", 128, "mamba_heads"),
        "mamba_head_dim": fields.whole("mamba_head_dim", 64),
        "state_dim": fields.whole("ssm_state_size", 128, "state_dim"),
        "mamba_groups": fields.whole("n_groups", 8, "mamba_groups", "mamba_n_groups"),
        "conv_width": fields.whole("conv_kernel", 4, "conv_width", "mamba_d_conv"),
        "conv_bias": fields.flag("use_conv_bias", True),
        "mamba_bias": fields.flag("use_bias", False),
        "chunk": fields.whole("chunk_size", 128, "chunk", "mamba_chunk_size"),
    }


def _hybrid_experts(fields: Fields) -> Sizes:
    return {
        "experts": fields.whole("n_routed_experts", 8, "experts"),
        "top_k": fields.whole("num_experts_per_tok", 2, "top_k"),
        "expert_ffn": fields.whole("moe_intermediate_size", 7688, "expert_ffn"),
        "shared_experts": fields.whole("n_shared_experts", 1, "shared_experts"),
        "shared_ffn": fields.whole("moe_shared_expert_intermediate_size", 7688, "shared_ffn"),
        "latent": fields.optional("moe_latent_size", "latent"),
    }


READERS: dict[str, Reader] = {
    "mixtral": mixtral,
    "qwen2_moe": qwen2_moe,
    "qwen3_moe": qwen3_moe,
    "deepseek_v2": deepseek_v2,
    "deepseek_v3": deepseek_v3,
    "kimi_k2": deepseek_v3,
    "gpt_oss": gpt_oss,
    "grok-1": grok1,
    "nemotron_h": nemotron_h,
}
