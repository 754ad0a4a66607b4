"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685): frozen base, two thin products beside each target."""

from __future__ import annotations

from dataclasses import replace

from exaplan.errors import InputError, Place
from exaplan.models.parts import HALF, READERS, matmul, vector
from exaplan.nouns import Block, Model, Operator

DEFAULT_TARGETS = ("linear_qkv", "linear_proj")

#: Target name -> (operator names it adapts, which slice of their output; "" = all of it).
TARGETS: dict[str, tuple[tuple[str, ...], str]] = {
    "linear_qkv": (("qkv",), ""),
    "linear_proj": (("attn_out",), ""),
    "linear_fc1": (("mlp_up", "expert_up", "shared_up"), ""),
    "linear_fc2": (("mlp_down", "expert_down", "shared_down"), ""),
    "q_proj": (("qkv", "q"), "q"),
    "k_proj": (("qkv",), "k"),
    "v_proj": (("qkv",), "k"),
    "o_proj": (("attn_out",), ""),
    "gate_proj": (("mlp_up", "expert_up", "shared_up"), "half"),
    "up_proj": (("mlp_up", "expert_up", "shared_up"), "half"),
    "down_proj": (("mlp_down", "expert_down", "shared_down"), ""),
    "q_a_proj": (("q_down",), ""),
    "q_b_proj": (("q_up",), ""),
    "kv_a_proj_with_mqa": (("kv_down",), ""),
    "kv_b_proj": (("kv_up",), ""),
    "in_proj": (("mamba_in",), ""),
    "out_proj": (("mamba_out",), ""),
}


def with_lora(model: Model, rank: int, targets: tuple[str, ...] = DEFAULT_TARGETS) -> Model:
    """The model with every base weight frozen and adapters of ``rank`` on ``targets`` in every layer.

    linear_* are fused as in Megatron (one pair for q, k, v; one for gate and up); q_proj and so on as in transformers
    (one pair each).
    """
    given: object = rank
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= model.hidden:
        raise InputError(f"LoRA rank needs 1 to hidden = {model.hidden}, got {rank!r}", place=Place(field="rank"))
    _check(model, targets)
    blocks = tuple(Block(block.name, _adapted(model, block.operators, rank, targets)) for block in model.blocks)
    return replace(model, blocks=blocks, embedding=_frozen(model.embedding), head=_frozen(model.head))


def _check(model: Model, targets: tuple[str, ...]) -> None:
    names = {operator.name for block in model.blocks for operator in block.operators}
    for target in targets:
        if target not in TARGETS:
            raise InputError(
                f"unknown LoRA target {target!r}", hint="known: " + ", ".join(TARGETS), place=Place(field="targets")
            )
    if not any(name in names for target in targets for name in TARGETS[target][0]):
        raise InputError(
            f"no layer of {model.name} has {', '.join(targets) or 'a target'}", place=Place(field="targets")
        )


def _adapted(
    model: Model, operators: tuple[Operator, ...], rank: int, targets: tuple[str, ...]
) -> tuple[Operator, ...]:
    hit = {name for target in targets for name in TARGETS[target][0]}
    made: list[Operator] = []
    for operator in operators:
        made.append(_freeze(operator, hit))
        for target in targets:
            names, part = TARGETS[target]
            if operator.name in names:
                made += _pair(operator, target, rank, _width(model, operator, part))
    return tuple(made)


def _frozen(operators: tuple[Operator, ...]) -> tuple[Operator, ...]:
    return tuple(_freeze(operator, set()) for operator in operators)


def _freeze(operator: Operator, adapted: set[str]) -> Operator:
    """No weight gradient; a tensor kept only for one is dropped unless an adapter reads it."""
    base = operator.name.rsplit(".", 1)[-1]
    needless = base in READERS and not adapted.intersection(READERS[base])
    return replace(operator, trained=False, saved=0.0 if needless else operator.saved)


def _width(model: Model, operator: Operator, part: str) -> int:
    """Output channels of the slice that a target adapts."""
    core = (item for block in model.blocks for item in block.operators if item.kind == "attention")
    attention = next(core, None)
    if part in ("q", "k") and attention is not None and operator.name == "qkv":
        return (attention.heads if part == "q" else attention.kv_heads) * attention.n
    gated = model.spec.get("mlp") in ("swiglu", "geglu")
    return operator.n // 2 if part == "half" and gated else operator.n


def _pair(operator: Operator, target: str, rank: int, width: int) -> tuple[Operator, Operator, Operator]:
    """x A (kept: its rank-wide result), (x A) B, and the sum with the base's output; cut like the product beside
    them."""
    cuts = {"column": ("none", "column"), "row": ("row", "none"), "expert": ("expert", "expert")}
    first, second = cuts.get(operator.cut, ("none", "none"))
    name = f"{operator.name}.{target}"
    kept = HALF * rank * operator.rows
    down = matmul(
        f"{name}.lora_a",
        "lora",
        operator.k,
        rank,
        first,
        rows=operator.rows,
        groups=operator.groups,
        saved=kept,
        saved_cut="sp",
    )
    up = matmul(f"{name}.lora_b", "lora", rank, width, second, rows=operator.rows, groups=operator.groups)
    cut = "column" if second == "column" else ("expert" if second == "expert" else "none")
    add = vector(f"{name}.lora_add", "lora", 3 * width * operator.rows, cut=cut)
    return down, up, add
