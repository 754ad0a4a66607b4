"""Published config.json files, cut to the fields that matter, with the number of parameters of the published class.

The totals were counted with transformers 5.23.0 on the meta device; test_oracle.py counts them again where that is
installed.
"""

from __future__ import annotations

from typing import Any

LATENT = {"q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128}


def sizes(
    kind: str, vocab: int, hidden: int, layers: int, heads: int, ffn: int, kv: int, **more: Any
) -> dict[str, Any]:
    """The fields that Llama-like configs share."""
    return {
        "model_type": kind,
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": ffn,
        "num_key_value_heads": kv,
        "max_position_embeddings": 4096,
        "hidden_act": "silu",
        **more,
    }


NANO = "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"

#: name -> (config.json, parameters)
CONFIGS: dict[str, tuple[dict[str, Any], int]] = {
    "llama-2-7b": (sizes("llama", 32000, 4096, 32, 32, 11008, 32), 6_738_415_616),
    "llama-3.1-8b": (sizes("llama", 128256, 4096, 32, 32, 14336, 8), 8_030_261_248),
    "llama-3.2-1b": (sizes("llama", 128256, 2048, 16, 32, 8192, 8, tie_word_embeddings=True), 1_235_814_400),
    "llama-3.1-405b": (sizes("llama", 128256, 16384, 126, 128, 53248, 8), 405_853_388_800),
    "mistral-7b": (sizes("mistral", 32000, 4096, 32, 32, 14336, 8, sliding_window=4096), 7_241_732_096),
    "mixtral-8x7b": (
        sizes(
            "mixtral", 32000, 4096, 32, 32, 14336, 8, num_local_experts=8, num_experts_per_tok=2, sliding_window=None
        ),
        46_702_792_704,
    ),
    "qwen2.5-7b": (sizes("qwen2", 152064, 3584, 28, 28, 18944, 4), 7_615_616_512),
    "qwen1.5-moe-a2.7b": (
        sizes(
            "qwen2_moe",
            151936,
            2048,
            24,
            16,
            5632,
            16,
            num_experts=60,
            num_experts_per_tok=4,
            moe_intermediate_size=1408,
            shared_expert_intermediate_size=5632,
            decoder_sparse_step=1,
        ),
        14_315_784_192,
    ),
    "qwen3-8b": (sizes("qwen3", 151936, 4096, 36, 32, 12288, 8, head_dim=128), 8_190_735_360),
    "qwen3-30b-a3b": (
        sizes(
            "qwen3_moe",
            151936,
            2048,
            48,
            32,
            6144,
            4,
            head_dim=128,
            num_experts=128,
            num_experts_per_tok=8,
            moe_intermediate_size=768,
            decoder_sparse_step=1,
            mlp_only_layers=[],
        ),
        30_532_122_624,
    ),
    "deepseek-v2": (
        sizes(
            "deepseek_v2",
            102400,
            5120,
            60,
            128,
            12288,
            128,
            n_routed_experts=160,
            num_experts_per_tok=6,
            moe_intermediate_size=1536,
            n_shared_experts=2,
            first_k_dense_replace=1,
            **LATENT,
        ),
        235_741_434_880,
    ),
    "deepseek-v3": (
        sizes(
            "deepseek_v3",
            129280,
            7168,
            61,
            128,
            18432,
            128,
            n_routed_experts=256,
            num_experts_per_tok=8,
            moe_intermediate_size=2048,
            n_shared_experts=1,
            first_k_dense_replace=3,
            num_nextn_predict_layers=1,
            **LATENT,
        ),
        671_026_404_352,
    ),
    "gemma-7b": (sizes("gemma", 256000, 3072, 28, 16, 24576, 16, head_dim=256), 8_537_680_896),
    "gemma-2-9b": (
        sizes("gemma2", 256000, 3584, 42, 16, 14336, 8, head_dim=256, sliding_window=4096)
        | {"hidden_activation": "gelu_pytorch_tanh"},
        9_241_705_984,
    ),
    "gemma-3-27b-text": (
        sizes("gemma3_text", 262208, 5376, 62, 32, 21504, 16, head_dim=128, sliding_window=1024)
        | {"hidden_activation": "gelu_pytorch_tanh"},
        27_009_346_304,
    ),
    "phi-2": (
        sizes("phi", 51200, 2560, 32, 32, 10240, 32, partial_rotary_factor=0.4) | {"hidden_act": "gelu_new"},
        2_779_683_840,
    ),
    "phi-3-mini": (sizes("phi3", 32064, 3072, 32, 32, 8192, 32, sliding_window=2047, pad_token_id=0), 3_821_079_552),
    "gpt2": (
        {
            "model_type": "gpt2",
            "vocab_size": 50257,
            "n_embd": 768,
            "n_layer": 12,
            "n_head": 12,
            "n_positions": 1024,
            "activation_function": "gelu_new",
        },
        124_439_808,
    ),
    "starcoder": (
        {
            "model_type": "gpt_bigcode",
            "vocab_size": 49152,
            "n_embd": 6144,
            "n_layer": 40,
            "n_head": 48,
            "n_inner": 24576,
            "n_positions": 8192,
            "multi_query": True,
            "activation_function": "gelu",
        },
        15_517_456_384,
    ),
    "gpt-neox-20b": (
        sizes("gpt_neox", 50432, 6144, 44, 64, 24576, 64, rotary_pct=0.25) | {"hidden_act": "gelu"},
        20_554_567_680,
    ),
    "opt-6.7b": (
        {
            "model_type": "opt",
            "vocab_size": 50272,
            "hidden_size": 4096,
            "word_embed_proj_dim": 4096,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "ffn_dim": 16384,
            "max_position_embeddings": 2048,
            "activation_function": "relu",
        },
        6_658_473_984,
    ),
    "bloom-176b": (
        {"model_type": "bloom", "vocab_size": 250880, "hidden_size": 14336, "n_layer": 70, "n_head": 112},
        176_247_271_424,
    ),
    "falcon-7b": (
        {
            "model_type": "falcon",
            "vocab_size": 65024,
            "hidden_size": 4544,
            "num_hidden_layers": 32,
            "num_attention_heads": 71,
            "multi_query": True,
            "max_position_embeddings": 2048,
            "activation": "gelu",
        },
        6_921_720_704,
    ),
    "falcon-40b": (
        {
            "model_type": "falcon",
            "vocab_size": 65024,
            "hidden_size": 8192,
            "num_hidden_layers": 60,
            "num_attention_heads": 128,
            "num_kv_heads": 8,
            "new_decoder_architecture": True,
            "max_position_embeddings": 2048,
            "activation": "gelu",
        },
        41_303_293_952,
    ),
    "mpt-7b": (
        {
            "model_type": "mpt",
            "vocab_size": 50432,
            "d_model": 4096,
            "n_layers": 32,
            "n_heads": 32,
            "expansion_ratio": 4,
            "max_seq_len": 2048,
            "attn_config": {"alibi": True},
        },
        6_649_286_656,
    ),
    "gpt-oss-20b": (
        sizes(
            "gpt_oss",
            201088,
            2880,
            24,
            64,
            2880,
            8,
            head_dim=64,
            num_local_experts=32,
            num_experts_per_tok=4,
            sliding_window=128,
        ),
        20_914_757_184,
    ),
    "nemotron-4-15b": (
        sizes("nemotron", 256000, 6144, 32, 48, 24576, 8) | {"hidden_act": "relu2"},
        15_628_775_424,
    ),
    "apertus-8b": (sizes("apertus", 131072, 4096, 32, 32, 21504, 8) | {"hidden_act": "xielu"}, 8_053_338_176),
    "nemotron-3-nano": (
        {
            "model_type": "nemotron_h",
            "vocab_size": 131072,
            "hidden_size": 2688,
            "hybrid_override_pattern": NANO,
            "num_attention_heads": 32,
            "num_key_value_heads": 2,
            "head_dim": 128,
            "intermediate_size": 1856,
            "max_position_embeddings": 262144,
            "mlp_hidden_act": "relu2",
            "mamba_num_heads": 64,
            "mamba_head_dim": 64,
            "ssm_state_size": 128,
            "n_groups": 8,
            "conv_kernel": 4,
            "chunk_size": 128,
            "n_routed_experts": 128,
            "num_experts_per_tok": 6,
            "n_shared_experts": 1,
            "moe_intermediate_size": 1856,
            "moe_shared_expert_intermediate_size": 3712,
        },
        31_577_937_344,
    ),
}
