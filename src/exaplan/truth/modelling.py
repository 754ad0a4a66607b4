"""The model of a row: its dimensions, and what the columns lack by the rule of its family."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from exaplan import catalog
from exaplan.models.lora import with_lora
from exaplan.models.spec import Spec
from exaplan.models.transformer import build
from exaplan.nouns import Model
from exaplan.truth.reading import whole


def spec_of(row: Mapping[str, str]) -> Spec:
    """Dimensions of a row's model. Biases, norms and positions follow the MLP kind (gelu: GPT; gated: Llama)."""
    mlp = (row.get("mlp_kind") or "").strip() or "swiglu"
    gpt = mlp in ("gelu", "relu")
    attention = (row.get("attention_kind") or "").strip()
    hidden, heads, experts = whole(row, "hidden"), whole(row, "heads"), whole(row, "experts", 0)
    ffn = whole(row, "ffn", 0) or (4 * hidden if gpt else 0)
    dims: dict[str, object] = {
        "name": row.get("model") or "model",
        "layers": whole(row, "layers"),
        "hidden": hidden,
        "ffn": ffn,
        "heads": heads,
        "kv_heads": whole(row, "kv_heads", 0),
        "head_dim": whole(row, "head_dim", 0),
        "vocab": whole(row, "vocab", 50304),
        "mlp": mlp,
        "norm": "layernorm" if gpt else "rmsnorm",
        "attention_bias": gpt,
        "mlp_bias": gpt,
        "tied": gpt,
        "position": "alibi" if "alibi" in attention else ("learned" if gpt else "rope"),
        "max_positions": whole(row, "seq_len") if gpt else 0,
        "parallel_block": "parallel" in attention,
    }
    if experts:
        dims |= expert_fields(row, experts)
    if attention == "mla":
        dims |= latent_fields(row)
    if attention.startswith("hybrid-mamba2"):
        dims |= hybrid_fields(row)
    return Spec(**dims)  # type: ignore[arg-type]


def expert_fields(row: Mapping[str, str], experts: int) -> dict[str, object]:
    """Routed experts of a row."""
    width = whole(row, "moe_ffn", 0) or whole(row, "ffn", 0)
    return {
        "experts": experts,
        "top_k": whole(row, "top_k", 2),
        "expert_ffn": width,
        "shared_experts": whole(row, "shared_experts", 0),
        "dense_layers": whole(row, "dense_layers", 0),
    }


@lru_cache(maxsize=1)
def bundled() -> tuple[Mapping[str, Any], ...]:
    """Dimensions of every bundled model."""
    return tuple(model.spec for model in catalog.load().models.values())


def twin(row: Mapping[str, str], field: str) -> Mapping[str, Any]:
    """The bundled model of the row's layers, width and experts that has ``field``; {} where there is none."""
    sizes = {"layers": whole(row, "layers"), "hidden": whole(row, "hidden"), "experts": whole(row, "experts", 0)}
    same = (spec for spec in bundled() if spec.get(field) and all(spec.get(k, 0) == v for k, v in sizes.items()))
    return next(same, {})


def latent_fields(row: Mapping[str, str]) -> dict[str, object]:
    """MLA ranks, which the columns lack: those of the bundled model of that size, else DeepSeek-V3's (arXiv:2412.19437,
    section 4.2), with direct queries where it is small."""
    found, hidden = twin(row, "kv_lora_rank"), whole(row, "hidden")
    usual = {
        "q_lora_rank": 1536 if hidden >= 5120 else 0,
        "kv_lora_rank": 512,
        "qk_nope_dim": 128,
        "qk_rope_dim": 64,
        "v_dim": 128,
    }
    return {
        **{name: found.get(name, value) for name, value in usual.items()},
        "head_dim": 0,
        "kv_heads": whole(row, "heads"),
    }


def hybrid_fields(row: Mapping[str, str]) -> dict[str, object]:
    """A hybrid's layer pattern and Mamba-2 sizes, which the columns lack: those of the bundled model of that size, else
    Nemotron-H's proportions (arXiv:2504.03624, section 2)."""
    found, hidden = twin(row, "pattern"), whole(row, "hidden")
    usual = {
        "pattern": hybrid_pattern(whole(row, "layers"), whole(row, "experts", 0) > 0),
        "mamba_heads": max(8, hidden * 2 // 64 // 8 * 8),
        "mamba_head_dim": 64,
        "state_dim": 128,
        "mamba_groups": 8,
    }
    return {**{name: found.get(name, value) for name, value in usual.items()}, "position": "none"}


def hybrid_pattern(layers: int, experts: bool) -> str:
    """Share of layer kinds as Nemotron-H and Nemotron 3 publish it: about 8% attention, the rest half Mamba-2.

    Nemotron 3 Nano: 52 layers = 23 Mamba-2, 23 expert, 6 attention (its technical report, table 1).
    """
    attention = max(1, round(layers * 6 / 52))
    mamba = (layers - attention + 1) // 2
    rest = layers - attention - mamba
    return "M" * mamba + ("E" if experts else "-") * rest + "*" * attention


def method_of(row: Mapping[str, str], model: Model) -> tuple[Model, str, str]:
    """(model, method, what was chosen): LoRA rows carry adapters. MLPerf: rank 16 on attention; elsewhere rank 8 on
    all."""
    task = (row.get("task") or "").lower()
    if "lora" not in task:
        return model, "full", ""
    if "mlperf" in task:
        return with_lora(model, 16), "lora", "LoRA rank 16 on qkv and projection (MLPerf rules)"
    targets = ("linear_qkv", "linear_proj", "linear_fc1", "linear_fc2")
    return with_lora(model, 8, targets), "lora", "LoRA rank 8 on all linear layers (NeMo default)"


@lru_cache(maxsize=1024)
def built(spec: Spec) -> Model:
    """A model, built once for all the rows that share it."""
    return build(spec)
