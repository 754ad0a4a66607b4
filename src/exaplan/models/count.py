"""Parameters, FLOPs and activation bytes of a counted model.

FLOPs are 2 x multiply-accumulates of matrix products; norms, activations, softmax, rotary, the depthwise convolution
of Mamba and embedding lookups count zero. Attention over ``seq`` tokens is counted in one of two conventions: full
(``causal=False``: every query meets every key, no window; what torch's FlopCounterMode counts) or causal
(``causal=True``: on average half of the sequence, or the mean visible part of the window).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from exaplan.models.parts import READERS
from exaplan.nouns import Model, Operator

NORM_READERS = frozenset(READERS["input_norm"])

#: Modules that a recompute setting frees besides its own name (Megatron-Core's names).
CONTAINS = {"moe": ("moe_act", "router", "shared_experts"), "mlp": ("mlp_act",), "qkv": ("mla_up_proj",)}


def operators(model: Model, mtp: bool = True) -> Iterator[Operator]:
    """Every operator of every layer in execution order; ``mtp``: multi-token-prediction layers too."""
    yield from model.embedding
    for index in model.layers:
        yield from model.blocks[index].operators
    yield from (operator for operator in model.head if mtp or not operator.name.startswith("mtp"))


def tally(model: Model, mtp: bool = True) -> Iterator[tuple[Operator, int]]:
    """(operator, how often it runs): each kind of layer once, with the number of such layers."""
    yield from ((operator, 1) for operator in model.embedding)
    for index, times in Counter(model.layers).items():
        yield from ((operator, times) for operator in model.blocks[index].operators)
    yield from ((operator, 1) for operator in model.head if mtp or not operator.name.startswith("mtp"))


def parameters(model: Model, mtp: bool = False) -> tuple[int, int]:
    """(total, active per token): of routed experts top_k count as active; embedding and logits tables count in both."""
    total = active = 0
    for operator, times in tally(model, mtp):
        total += times * operator.params
        active += times * round(operator.params * _share(operator))
    return total, active


def trained_parameters(model: Model, mtp: bool = True) -> int:
    """Parameters that get a gradient."""
    return sum(times * operator.params for operator, times in tally(model, mtp) if operator.trained)


def _share(operator: Operator) -> float:
    """Part of the operator's weights that one token meets."""
    return operator.rows / operator.groups if operator.cut == "expert" and operator.kind == "matmul" else 1.0


def context(seq: int, window: int, causal: bool) -> float:
    """Keys that a query meets on average [tokens]; causal: seq/2, or w - w^2 / (2 seq) within a window of w < seq."""
    if not causal:
        return float(seq)
    seen = min(window or seq, seq)
    return seen - seen * seen / (2.0 * seq)


def forward_flops(operator: Operator, seq: int, causal: bool = False) -> float:
    """FLOPs of one operator, forward, per token.

    matmul 2 rows n k; attention 2 heads (n + k) keys; scan in chunks of Q tokens, H heads of P channels, state N and G
    groups: 2 Q N G (C B') + 2 Q P H (scores x) + 4 P N H (into and out of the state) (arXiv:2405.21060, section 6).
    """
    if operator.kind == "matmul":
        return 2.0 * operator.rows * operator.n * operator.k
    if operator.kind == "attention":
        return (
            2.0 * operator.heads * (operator.n + operator.k) * context(seq, operator.window, causal and operator.causal)
        )
    if operator.kind == "scan":
        inside = context(min(operator.window or seq, seq), 0, causal)
        within = operator.k * operator.groups + operator.n * operator.heads
        return 2.0 * inside * within + 4.0 * operator.n * operator.k * operator.heads
    return 0.0


def flops_forward(model: Model, seq: int, causal: bool = False, mtp: bool = True) -> float:
    """FLOPs of a forward pass per token of a sequence of ``seq`` tokens, logits included."""
    return sum(times * forward_flops(operator, seq, causal) for operator, times in tally(model, mtp))


def flops_by_kind(model: Model, seq: int, causal: bool = False, mtp: bool = True) -> dict[str, float]:
    """Forward FLOPs per token by operator kind (matmul, attention, scan)."""
    sums: dict[str, float] = {}
    for operator, times in tally(model, mtp):
        flops = times * forward_flops(operator, seq, causal)
        if flops:
            sums[operator.kind] = sums.get(operator.kind, 0.0) + flops
    return sums


def backward_factor(operator: Operator, below: bool) -> int:
    """Backward over forward FLOPs: activation gradient if anything trainable lies below, weight gradient if trained."""
    if operator.kind == "matmul":
        return int(below) + int(operator.trained)
    return 2 * int(below)


def flops_backward(model: Model, seq: int, causal: bool = False, mtp: bool = True) -> float:
    """FLOPs of a backward pass per token: frozen weights get no gradient; none flows below the lowest trained one."""
    below = entry = False
    total = 0.0
    for operator in operators(model, mtp):
        reached = entry if _reads_norm(operator) else below
        total += backward_factor(operator, reached) * forward_flops(operator, seq, causal)
        below = below or (operator.trained and operator.params > 0)
        entry = below if operator.module == "layernorm" else entry
    return total


def _reads_norm(operator: Operator) -> bool:
    """The operator (or the base of this adapter) reads the last norm's output, not the operator before it."""
    return not operator.name.endswith("lora_b") and not NORM_READERS.isdisjoint(operator.name.split("."))


def model_flops(model: Model, seq: int, tokens: float, causal: bool = True, mtp: bool = True) -> float:
    """FLOPs of training on ``tokens`` tokens without recomputation: the numerator of MFU.

    For full training 3 x forward, which is 6 x (active matrix weights) + attention; ``causal`` halves attention.
    """
    return tokens * (flops_forward(model, seq, causal, mtp) + flops_backward(model, seq, causal, mtp))


def kv_bytes(model: Model, element: float = 2.0) -> float:
    """Key/value cache per token [B] with ``element`` bytes a number; latent attention keeps its compressed form."""
    return sum(times * element * _cached(model, operator) for operator, times in tally(model, mtp=False))


def _cached(model: Model, operator: Operator) -> int:
    if operator.kind != "attention":
        return 0
    rank, rope = model.spec.get("kv_lora_rank", 0), model.spec.get("qk_rope_dim", 0)
    if isinstance(rank, int) and isinstance(rope, int) and rank:
        return rank + rope
    return operator.kv_heads * (operator.n + operator.k)


def freed(recompute: str) -> frozenset[str]:
    """Modules whose saved bytes a recompute setting (none | selective | comma-separated modules) frees; not "full"."""
    names = {"none": (), "selective": ("core_attn",)}.get(
        recompute, tuple(part.strip() for part in recompute.split(","))
    )
    return frozenset(names).union(*(CONTAINS.get(name, ()) for name in names))


def saved_bytes(operator: Operator, tp: int = 1, sp: bool = False) -> float:
    """Bytes per token that one rank keeps of this operator for the backward pass (fused attention, no dropout)."""
    cut = operator.saved_cut == "tp" or (operator.saved_cut == "sp" and sp)
    return operator.saved / tp if cut else operator.saved


def extra_bytes(
    operator: Operator, hidden: int, seq: int, tp: int = 1, sp: bool = False, fused: bool = True, dropout: bool = False
) -> float:
    """What dropout and unfused attention add to ``saved_bytes`` [B per token].

    A one-byte mask of h for each branch added to the residual stream; unfused attention keeps the softmax (2 bytes a
    score) and with dropout its mask (1) and output (2): 5 a s per token (arXiv:2205.05198, section 4.1).
    """
    if operator.kind == "attention" and not fused:
        scores = operator.heads * min(seq, operator.window or seq)
        return scores * (5.0 if dropout else 2.0) / tp
    if dropout and operator.kind == "vector" and operator.name.endswith("residual"):
        branches = operator.moved / hidden - 2.0
        return hidden * branches / (tp if sp else 1)
    return 0.0


def activation_bytes(
    model: Model,
    seq: int,
    tp: int = 1,
    sp: bool = False,
    fused: bool = True,
    dropout: bool = False,
    layer: int = 0,
    recompute: str = "none",
) -> float:
    """Bytes that one rank keeps of one layer for one sequence of ``seq`` tokens in 16-bit training.

    A GPT layer (gelu, multi-head, dropout, unfused): s h (34 + 5 a s / h); s h (10 + 24 / t + 5 a s / (h t)) under
    tensor parallelism; s h (34 / t + 5 a s / (h t)) with sequence parallelism (arXiv:2205.05198, eqs. 1-4).
    "full" recomputation keeps the layer's input alone.
    """
    if recompute == "full":
        return 2.0 * model.hidden * seq / (tp if sp else 1)
    gone = freed(recompute)
    kept = [operator for operator in model.blocks[model.layers[layer]].operators if operator.module not in gone]
    extra = (extra_bytes(operator, model.hidden, seq, tp, sp, fused, dropout) for operator in kept)
    return seq * (sum(saved_bytes(operator, tp, sp) for operator in kept) + sum(extra))


def cut_operator(operator: Operator, tp: int = 1, ep: int = 1, etp: int = 1) -> Operator:
    """One rank's part of an operator; sizes round up, so that no work is lost."""
    if operator.cut == "expert":
        return _cut_expert(operator, ep, etp)
    if operator.cut == "none" or tp == 1:
        return operator
    if operator.cut == "vocab":
        side = "k" if operator.kind == "lookup" else "n"
        return replace(operator, params=ceil(operator.params / tp), **{side: ceil(getattr(operator, side) / tp)})
    if operator.cut == "row":
        bias = operator.params - operator.groups * operator.n * operator.k
        k = ceil(operator.k / tp)
        return replace(operator, k=k, params=operator.groups * operator.n * k + bias)
    if operator.kind == "matmul":
        return replace(operator, n=ceil(operator.n / tp), params=ceil(operator.params / tp))
    return _cut_heads(operator, tp)


def _cut_heads(operator: Operator, tp: int) -> Operator:
    groups = ceil(operator.groups / tp) if operator.kind == "scan" else operator.groups
    return replace(
        operator,
        heads=ceil(operator.heads / tp),
        kv_heads=ceil(operator.kv_heads / tp),
        groups=groups,
        moved=operator.moved / tp,
        params=ceil(operator.params / tp),
    )


def _cut_expert(operator: Operator, ep: int, etp: int) -> Operator:
    """groups / ep experts; the inner width / etp: columns of an up product, rows of a down product."""
    if operator.kind != "matmul":
        return replace(operator, moved=operator.moved / etp)
    side = "k" if "down" in operator.name else "n"
    groups, inner = ceil(operator.groups / ep), ceil(getattr(operator, side) / etp)
    params = ceil(operator.params * groups * inner / (operator.groups * getattr(operator, side)))
    return replace(operator, groups=groups, params=params, **{side: inner})
