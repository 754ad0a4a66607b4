"""Dimensions of a transformer or a transformer-Mamba hybrid, checked: what `transformer.build` needs.

All sizes are counts (tokens, heads, channels); a field left out takes the default shown.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from exaplan.errors import InputError, Place

GATED = ("swiglu", "geglu")
MLPS = (*GATED, "gelu", "relu", "relu2", "xielu")
NORMS = ("rmsnorm", "layernorm")
POSITIONS = ("rope", "learned", "alibi", "none")
CHOICES = {"mlp": MLPS, "norm": NORMS, "position": POSITIONS}

#: Largest size that is still believed, by field; other whole numbers may reach a million.
LIMITS = {"layers": 10_000, "vocab": 100_000_000, "max_positions": 1_000_000_000, "window": 1_000_000_000}
LIMIT = 10_000_000
#: What an optional flag may hold besides true and false.
NO_ANSWER = (None, "bool | None")
REQUIRED = ("layers", "hidden", "heads", "vocab")
HINT = "`exaplan schema model` shows every field with its meaning and default"


@dataclass(frozen=True)
class Spec:
    """One architecture.

    layers, hidden [channels of the residual stream], ffn [channels inside a dense MLP], heads, vocab [rows].
    kv_heads: 0 = heads; head_dim: 0 = hidden / heads. mlp: swiglu and geglu are gated (3 matrices), others have two.
    norm_bias: layer norms carry a bias (never true of rmsnorm). attention_bias: bias on q, k, v; output_bias: on the
    output projection (None = as attention_bias). mlp_bias: dense MLPs and experts. head_bias: the logits.
    qk_norm: norm of q and k per head; qk_norm_full: over all heads at once. sandwich_norm: norms after attention and
    MLP too (Gemma 2, 3). embedding_norm: norm right after the embedding (BLOOM). tied: logits use the embedding table.
    position: rope has no weights; learned adds max_positions + position_offset rows. rope_fraction: part of head_dim
    that rotates.
    parallel_block: attention and MLP read the same layer input; parallel_norms: 1 shared norm or 2.
    window [tokens, 0 = full] on the layers that ``window_pattern`` marks W (repeated over the layers; "" = all; F =
    full). experts, top_k, expert_ffn (0 = ffn): routed experts; shared_experts, shared_ffn (0 = shared_experts x
    expert_ffn): width of all shared ones; shared_gate: one sigmoid gate per token on them; router_bias: bias of the
    router's product; dense_layers: the first ones, without experts; moe_every: every n-th layer has experts; latent:
    width in which routed experts work (0 = hidden; Nemotron 3 Super).
    MLA: kv_lora_rank > 0 turns it on; q_lora_rank (0 = direct), qk_nope_dim, qk_rope_dim, v_dim per head.
    mtp_layers: extra multi-token-prediction layers (DeepSeek-V3), part of the head.
    pattern: one letter a layer for hybrids: M Mamba-2, * attention, - MLP, E experts ("" = all attention + MLP).
    mamba_heads, mamba_head_dim, state_dim, mamba_groups, conv_width, conv_bias, mamba_bias, chunk: Mamba-2 sizes.
    sinks: one learned attention-sink logit per head (gpt-oss). attention_gate: an output gate computed beside q (Qwen
    3.5). sparse_top: tokens that an indexer of index_heads heads, index_dim wide, picks for each query (DeepSeek sparse
    attention; 0 = every token). family: group of related models (llama, gpt, ...).
    """

    name: str
    layers: int
    hidden: int
    heads: int
    vocab: int
    ffn: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    mlp: str = "swiglu"
    norm: str = "rmsnorm"
    norm_bias: bool = True
    attention_bias: bool = False
    output_bias: bool | None = None
    mlp_bias: bool = False
    head_bias: bool = False
    qk_norm: bool = False
    qk_norm_full: bool = False
    sandwich_norm: bool = False
    embedding_norm: bool = False
    tied: bool = False
    position: str = "rope"
    max_positions: int = 0
    position_offset: int = 0
    rope_fraction: float = 1.0
    parallel_block: bool = False
    parallel_norms: int = 1
    window: int = 0
    window_pattern: str = ""
    experts: int = 0
    top_k: int = 0
    expert_ffn: int = 0
    shared_experts: int = 0
    shared_ffn: int = 0
    shared_gate: bool = False
    router_bias: bool = False
    dense_layers: int = 0
    moe_every: int = 1
    latent: int = 0
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    qk_nope_dim: int = 0
    qk_rope_dim: int = 0
    v_dim: int = 0
    mtp_layers: int = 0
    pattern: str = ""
    mamba_heads: int = 0
    mamba_head_dim: int = 0
    state_dim: int = 0
    mamba_groups: int = 1
    conv_width: int = 4
    conv_bias: bool = True
    mamba_bias: bool = False
    chunk: int = 256
    sinks: bool = False
    attention_gate: bool = False
    sparse_top: int = 0
    index_heads: int = 0
    index_dim: int = 0
    family: str = "transformer"

    def __post_init__(self) -> None:
        _check_types(self)
        _fill(self)
        _check_attention(self)
        _check_experts(self)
        _check_pattern(self)

    @property
    def mla(self) -> bool:
        """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434)."""
        return self.kv_lora_rank > 0

    @property
    def gated(self) -> bool:
        """The MLP has a gate matrix beside the up matrix."""
        return self.mlp in GATED

    @property
    def shared_width(self) -> int:
        """Channels of all shared experts together."""
        return self.shared_ffn or self.shared_experts * self.expert_ffn


def _wrong(field: str, problem: str, hint: str = HINT) -> InputError:
    return InputError(problem, hint=hint, place=Place(field=field))


def _check_types(spec: Spec) -> None:
    for item in fields(spec):
        value = getattr(spec, item.name)
        if item.type == "int":
            object.__setattr__(spec, item.name, _whole(item.name, value))
        elif item.type == "str" and not isinstance(value, str):
            raise _wrong(item.name, f"needs text, got {value!r}")
        elif item.type in ("bool", "bool | None") and not isinstance(value, bool) and (value, item.type) != NO_ANSWER:
            raise _wrong(item.name, f"needs true or false, got {value!r}")
        if item.name in CHOICES and value not in CHOICES[item.name]:
            raise _wrong(item.name, f"{value!r} is not one of {', '.join(CHOICES[item.name])}")
    part: object = spec.rope_fraction
    if isinstance(part, bool) or not isinstance(part, (int, float)) or not 0 <= part <= 1:
        raise _wrong("rope_fraction", f"needs a number from 0 to 1, got {part!r}")


def _whole(field: str, value: object) -> int:
    """A whole number in [1 or 0, limit]; a float counts when it is whole."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or value != int(value)
    ):
        raise _wrong(field, f"needs a whole number, got {value!r}")
    if value < 0 or (value == 0 and field in REQUIRED):
        raise _wrong(field, f"needs a {'positive' if field in REQUIRED else 'non-negative'} number, got {value!r}")
    limit = LIMITS.get(field, LIMIT)
    if value > limit:
        raise _wrong(field, f"{value!r} is beyond belief (limit {limit:,})", "check the number, or its unit")
    return int(value)


def _fill(spec: Spec) -> None:
    """Sizes that follow from others."""
    if not spec.head_dim and not spec.mla:
        if spec.hidden % spec.heads:
            raise _wrong(
                "heads", f"{spec.heads} heads do not divide hidden = {spec.hidden}", "give head_dim, or correct one"
            )
        object.__setattr__(spec, "head_dim", spec.hidden // spec.heads)
    object.__setattr__(spec, "kv_heads", spec.kv_heads or spec.heads)
    object.__setattr__(spec, "expert_ffn", spec.expert_ffn or (spec.ffn if spec.experts else 0))


def _check_attention(spec: Spec) -> None:
    if spec.heads % spec.kv_heads:
        raise _wrong("kv_heads", f"{spec.kv_heads} key/value heads do not divide {spec.heads} heads")
    if spec.mla and not (spec.qk_nope_dim + spec.qk_rope_dim and spec.v_dim):
        raise _wrong("kv_lora_rank", "latent attention needs qk_nope_dim, qk_rope_dim and v_dim too")
    if spec.sparse_top and not (spec.index_heads and spec.index_dim):
        raise _wrong("sparse_top", "sparse attention needs index_heads and index_dim too")
    if spec.position == "learned" and not spec.max_positions:
        raise _wrong("max_positions", "learned positions need the number of positions")
    if set(spec.window_pattern) - set("WF"):
        raise _wrong("window_pattern", f"{spec.window_pattern!r} may hold only W (window) and F (full)")
    if spec.parallel_norms not in (1, 2):
        raise _wrong("parallel_norms", f"needs 1 or 2, got {spec.parallel_norms}")


def _check_experts(spec: Spec) -> None:
    if not spec.moe_every:
        raise _wrong("moe_every", "needs a positive number, got 0")
    if spec.experts and not 1 <= spec.top_k <= spec.experts:
        raise _wrong("top_k", f"needs 1 to experts = {spec.experts}, got {spec.top_k}")
    if spec.experts and not spec.expert_ffn:
        raise _wrong("expert_ffn", "experts need their width: give expert_ffn or ffn")
    if not spec.experts and (spec.top_k or spec.shared_experts or spec.dense_layers):
        raise _wrong("experts", "top_k, shared_experts and dense_layers need experts")
    if spec.dense_layers > spec.layers:
        raise _wrong("dense_layers", f"{spec.dense_layers} is more than layers = {spec.layers}")


def _check_pattern(spec: Spec) -> None:
    if spec.pattern and len(spec.pattern) != spec.layers:
        raise _wrong("pattern", f"has {len(spec.pattern)} letters for {spec.layers} layers")
    if set(spec.pattern) - set("M*-E"):
        raise _wrong("pattern", "may hold only M (Mamba-2), * (attention), - (MLP) and E (experts)")
    if "E" in spec.pattern and not spec.experts:
        raise _wrong("experts", "the pattern has expert layers (E)")
    if "M" in spec.pattern and not (spec.mamba_heads and spec.mamba_head_dim and spec.state_dim):
        raise _wrong("mamba_heads", "Mamba-2 layers need mamba_heads, mamba_head_dim and state_dim")
    if spec.mamba_heads and (not spec.mamba_groups or spec.mamba_heads % spec.mamba_groups):
        raise _wrong("mamba_groups", f"{spec.mamba_groups} groups do not divide {spec.mamba_heads} Mamba heads")
    dense = "-" in spec.pattern if spec.pattern else not spec.experts or spec.dense_layers > 0 or spec.moe_every > 1
    if dense and not spec.ffn:
        raise _wrong("ffn", "needs the width of the dense MLP")


def spec_from_mapping(mapping: Mapping[str, Any], place: Place | None = None) -> Spec:
    """Spec from names and values (a YAML file's ``dimensions``); unknown, missing or wrong fields raise InputError."""
    at = place or Place()
    known = [item.name for item in fields(Spec)]
    for key in mapping:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=3)
            hint = f"did you mean {', '.join(near)}? " if near else ""
            raise InputError(f"unknown field {key!r} of a model", hint=hint + HINT, place=replace(at, field=str(key)))
    for key in ("name", *REQUIRED):
        if key not in mapping:
            raise InputError(f"a model needs {key}", hint=HINT, place=replace(at, field=key))
    try:
        return Spec(**mapping)
    except InputError as error:
        raise InputError(error.problem, hint=error.hint, place=replace(at, field=error.place.field)) from None


def spec_as_mapping(spec: Spec) -> dict[str, Any]:
    """The inverse of ``spec_from_mapping``: every field, filled defaults included."""
    return asdict(spec)
