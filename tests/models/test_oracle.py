"""Our counts against the published transformers classes, run on torch's meta device under FlopCounterMode.

Conventions, stated once:
- parameters: every trainable one, tied tables once; buffers (DeepSeek's and Nemotron's score-correction bias, rotary
  frequencies) are not parameters.
- FLOPs are 2 x multiply-accumulates of matrix products, logits included, embedding lookups not; attention is full
  (every query meets every key: the counter sees no causal skip and no window).
- attention runs as plain products (``eager``), and for classes that have it as ``sdpa`` under SDPBackend.MATH, which
  decomposes into the same products; the fused kernels are invisible to the counter on this device.
- experts run as ``batched_mm``: exactly top_k copies of each token through their experts' products. The other
  implementations need data-dependent shapes, which the meta device does not have.
- Nemotron-H: transformers' fallback also counts the depthwise convolution (with its padding), repeats B and C to all
  heads, and passes states between chunks by one more product; these three are added here to ours.
"""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the oracle needs torch (`pip install '.[oracle]'`)")
transformers = pytest.importorskip("transformers", reason="the oracle needs transformers (`pip install '.[oracle]'`)")

from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from exaplan.models.config import read_config  # noqa: E402
from exaplan.models.count import flops_backward, flops_by_kind, flops_forward, parameters  # noqa: E402
from exaplan.models.lora import with_lora  # noqa: E402
from exaplan.models.transformer import build  # noqa: E402
from exaplan.nouns import Model  # noqa: E402

from .configs import CONFIGS  # noqa: E402

# The warnings of torch and transformers are theirs.
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

BATCH, SEQ = 2, 16
DENSE = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "intermediate_size": 96,
    "vocab_size": 100,
}
GROUPED = DENSE | {"num_key_value_heads": 2}
WIDE = GROUPED | {"head_dim": 16}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 24}
LATENT = {"q_lora_rank": 32, "kv_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12}
GPT = {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 100, "n_positions": 64}
DEEP = (
    DENSE
    | EXPERTS
    | LATENT
    | {"num_hidden_layers": 3, "n_routed_experts": 8, "first_k_dense_replace": 1, "topk_group": 1}
)
GATHERED = {"num_experts": 6, "moe_intermediate_size": 24, "num_experts_per_tok": 2}

SMALL: list[tuple[str, dict[str, Any]]] = [
    ("gpt2", GPT),
    ("gpt2", GPT | {"n_inner": 40, "tie_word_embeddings": False}),
    ("gpt_bigcode", GPT),
    ("gpt_bigcode", GPT | {"multi_query": False}),
    ("llama", GROUPED),
    ("llama", DENSE | {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
    ("llama", WIDE),
    ("mistral", GROUPED | {"sliding_window": 8}),
    ("mixtral", GROUPED | {"num_local_experts": 4}),
    ("qwen2", GROUPED),
    ("qwen2_moe", GROUPED | GATHERED | {"shared_expert_intermediate_size": 40}),
    ("qwen2_moe", GROUPED | GATHERED | {"num_hidden_layers": 4, "decoder_sparse_step": 2}),
    ("qwen3", WIDE),
    ("qwen3_moe", WIDE | GATHERED),
    ("qwen3_moe", WIDE | GATHERED | {"mlp_only_layers": [0]}),
    ("deepseek_v2", DEEP | {"n_group": 1}),
    ("deepseek_v2", DEEP | {"n_group": 1, "q_lora_rank": None}),
    ("deepseek_v3", DEEP | {"n_group": 2, "num_key_value_heads": 8}),
    ("gemma", WIDE),
    ("gemma2", WIDE),
    ("gemma3_text", WIDE | {"num_hidden_layers": 7}),
    ("phi", GROUPED),
    ("phi", DENSE | {"qk_layernorm": True}),
    ("phi3", GROUPED | {"pad_token_id": 0}),
    ("gpt_neox", DENSE),
    ("gpt_neox", DENSE | {"use_parallel_residual": False, "attention_bias": False}),
    ("opt", DENSE | {"ffn_dim": 96, "word_embed_proj_dim": 64, "max_position_embeddings": 64}),
    ("bloom", {"hidden_size": 64, "n_layer": 2, "n_head": 8, "vocab_size": 100}),
    ("falcon", DENSE | {"num_kv_heads": 2, "new_decoder_architecture": True}),
    ("falcon", DENSE | {"multi_query": True}),
    ("falcon", DENSE | {"multi_query": False, "alibi": True, "parallel_attn": False, "bias": True}),
    ("mpt", {"d_model": 64, "n_layers": 2, "n_heads": 8, "vocab_size": 100}),
    ("gpt_oss", WIDE | {"num_local_experts": 6, "num_experts_per_tok": 2}),
    ("nemotron", GROUPED),
    ("apertus", GROUPED),
]

#: Published widths with few layers (of each kind at least one).
FULL: list[tuple[str, dict[str, Any]]] = [
    ("gpt2", {"n_layer": 2, "n_embd": 1600, "n_head": 25}),
    (
        "llama",
        {
            "vocab_size": 128256,
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "num_hidden_layers": 2,
        },
    ),
    ("mixtral", {"num_hidden_layers": 2}),
    ("deepseek_v3", {"num_hidden_layers": 4}),
    (
        "qwen3_moe",
        {
            "hidden_size": 4096,
            "num_attention_heads": 64,
            "head_dim": 128,
            "moe_intermediate_size": 1536,
            "num_hidden_layers": 2,
        },
    ),
    ("gpt_oss", {"num_hidden_layers": 2}),
    ("gemma2", {"num_hidden_layers": 2}),
    ("phi3", {"num_hidden_layers": 2}),
    ("nemotron", {"num_hidden_layers": 2, "num_key_value_heads": 8}),
    ("gpt_neox", {"num_hidden_layers": 2}),
]

HYBRID: dict[str, Any] = WIDE | {
    "layers_block_type": ["linear_attention", "moe", "full_attention", "mlp"],
    "mamba_num_heads": 8,
    "mamba_head_dim": 16,
    "ssm_state_size": 16,
    "n_groups": 2,
    "chunk_size": 8,
    "n_routed_experts": 6,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "moe_shared_expert_intermediate_size": 40,
}


def published(kind: str, sizes: dict[str, Any], attention: str = "eager") -> tuple[Any, Model]:
    """transformers' model on the meta device, and ours read from its config."""
    config = transformers.AutoConfig.for_model(kind, **({"pad_token_id": None} | sizes))
    with torch.device("meta"):
        theirs = transformers.AutoModelForCausalLM.from_config(
            config, attn_implementation=attention, experts_implementation="batched_mm"
        )
    return theirs, build(read_config(config.to_dict(), kind).spec)


def forward(model: Any, mask: Any) -> tuple[Any, FlopCounterMode]:
    """Logits and the counter of one forward pass."""
    tokens = torch.zeros(BATCH, SEQ, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        logits = model(input_ids=tokens, attention_mask=mask, use_cache=False).logits
    return logits, counter


def backward(logits: Any) -> int:
    """FLOPs of the backward pass of a sum over the logits."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        logits.sum().backward()
    return int(counter.get_total_flops())


def flat_mask() -> Any:
    return torch.ones(BATCH, SEQ, dtype=torch.long, device="meta")


def square_mask() -> Any:
    """A ready mask: sdpa's own looks at values, which meta tensors do not have."""
    return torch.zeros(BATCH, 1, SEQ, SEQ, device="meta")


def label(value: object) -> str | None:
    return value if isinstance(value, str) else None


@pytest.mark.parametrize(("kind", "sizes"), SMALL + FULL, ids=label)
def test_parameters_equal(kind: str, sizes: dict[str, Any]) -> None:
    """We count exactly the parameters that the published class makes."""
    theirs, ours = published(kind, sizes)
    assert parameters(ours)[0] == sum(weight.numel() for weight in theirs.parameters())


@pytest.mark.parametrize("name", CONFIGS)
def test_published_parameters_equal(name: str) -> None:
    """The whole published model has, in transformers' class, as many parameters as configs.py says."""
    config, total = CONFIGS[name]
    sizes = {key: value for key, value in config.items() if key != "model_type"}
    theirs, _ = published(config["model_type"], sizes)
    assert sum(weight.numel() for weight in theirs.parameters()) == total


@pytest.mark.parametrize(("kind", "sizes"), SMALL + FULL, ids=label)
def test_flops_equal(kind: str, sizes: dict[str, Any]) -> None:
    """Forward and backward FLOPs equal those of the published class, plain attention."""
    theirs, ours = published(kind, sizes)
    logits, counter = forward(theirs, flat_mask())
    assert counter.get_total_flops() == flops_forward(ours, SEQ) * BATCH * SEQ
    assert backward(logits) == flops_backward(ours, SEQ) * BATCH * SEQ


@pytest.mark.parametrize(
    "kind", ["gpt2", "llama", "mixtral", "deepseek_v3", "qwen3_moe", "phi", "gpt_neox", "nemotron"]
)
def test_flops_equal_under_sdpa(kind: str) -> None:
    """scaled_dot_product_attention under the MATH backend counts the same products."""
    theirs, ours = published(kind, dict(SMALL)[kind], "sdpa")
    logits, counter = forward(theirs, square_mask())
    assert counter.get_total_flops() == flops_forward(ours, SEQ) * BATCH * SEQ
    assert backward(logits) == flops_backward(ours, SEQ) * BATCH * SEQ


@pytest.mark.parametrize("latent", [None, 12])
def test_hybrid_equals(latent: int | None) -> None:
    """Nemotron-H: parameters equal; FLOPs equal once transformers' three extras are added to ours."""
    theirs, ours = published("nemotron_h", HYBRID | {"moe_latent_size": latent}, "sdpa")
    assert parameters(ours)[0] == sum(weight.numel() for weight in theirs.parameters())
    _, counter = forward(theirs, square_mask())
    heads, dim, state, groups, chunk, width = 8, 16, 16, 2, 8, 4
    mixed, chunks = heads * dim + 2 * groups * state, SEQ // chunk
    convolution = 2 * width * mixed * BATCH * (SEQ + width - 1)
    repeated = 2 * chunk * state * (heads - groups) * BATCH * SEQ
    passed = 2 * (chunks + 1) ** 2 * heads * dim * state * BATCH
    assert counter.get_total_flops() == flops_forward(ours, SEQ) * BATCH * SEQ + convolution + repeated + passed
    assert flops_by_kind(ours, SEQ)["scan"] > 0


class Adapted(torch.nn.Module):  # type: ignore[misc]
    """A frozen linear layer with a low-rank adapter."""

    def __init__(self, base: Any, rank: int) -> None:
        super().__init__()
        self.base = base
        self.a = torch.nn.Linear(base.in_features, rank, bias=False, device="meta")
        self.b = torch.nn.Linear(rank, base.out_features, bias=False, device="meta")

    def forward(self, x: Any) -> Any:
        return self.base(x) + self.b(self.a(x))


@pytest.mark.parametrize(
    "targets",
    [
        ("q_proj", "k_proj", "v_proj", "o_proj"),
        ("o_proj",),
        ("gate_proj", "up_proj", "down_proj"),
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    ],
)
def test_lora_equals(targets: tuple[str, ...]) -> None:
    """Frozen Llama with adapters: trained parameters, forward and backward FLOPs equal autograd's own."""
    theirs, base = published("llama", GROUPED)
    theirs.requires_grad_(False)
    for layer in theirs.model.layers:
        for part in (layer.self_attn, layer.mlp):
            for name in targets:
                if hasattr(part, name):
                    setattr(part, name, Adapted(getattr(part, name), 4))
    ours = with_lora(base, 4, targets)
    trained = sum(weight.numel() for weight in theirs.parameters() if weight.requires_grad)
    assert parameters(ours)[0] - parameters(base)[0] == trained
    logits, counter = forward(theirs, flat_mask())
    assert counter.get_total_flops() == flops_forward(ours, SEQ) * BATCH * SEQ
    assert backward(logits) == flops_backward(ours, SEQ) * BATCH * SEQ
