"""What a model does when it serves: its counted operators without what only training needs, and what it caches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from exaplan.models.count import tally
from exaplan.nouns import Model, Operator


@dataclass(frozen=True, slots=True)
class Cache:
    """What one attention (or state-space) layer keeps per sequence. ``layers`` of them are alike.

    heads [query heads], kv_heads, key, value [elements per head], latent [elements of the compressed form of MLA, 0 =
    none], window [tokens, 0 = all], state [elements per sequence: a recurrent state], top [tokens that a sparse layer
    reads, 0 = all], index [elements per token that its indexer keeps],
    scored [elements that the indexer multiplies per query and key].
    """

    layers: int
    heads: int
    kv_heads: int
    key: int
    value: int
    latent: int = 0
    rope: int = 0
    window: int = 0
    state: int = 0
    top: int = 0
    index: int = 0
    scored: int = 0


def whole(model: Model, name: str) -> int:
    """A whole number of the model's dimensions; 0 where it has none. [elements or tokens]"""
    found = model.spec.get(name, 0)
    return int(found) if isinstance(found, (int, float)) else 0


def caches(model: Model) -> tuple[Cache, ...]:
    """Kinds of attention and state-space layers with their number."""
    made = []
    for operator, times in tally(model, mtp=False):
        if operator.kind == "attention":
            made.append(attention_cache(model, operator, times))
        elif operator.kind == "scan":
            made.append(scan_cache(model, operator, times))
    return tuple(made)


def attention_cache(model: Model, operator: Operator, times: int) -> Cache:
    """Cache of one kind of attention layer."""
    return Cache(
        times,
        operator.heads,
        operator.kv_heads,
        operator.n,
        operator.k,
        latent=whole(model, "kv_lora_rank"),
        rope=whole(model, "qk_rope_dim"),
        window=operator.window,
        top=whole(model, "sparse_top"),
        index=whole(model, "index_dim"),
        scored=whole(model, "index_heads") * whole(model, "index_dim"),
    )


def scan_cache(model: Model, operator: Operator, times: int) -> Cache:
    """State of one kind of state-space layer: heads x head size x state size, and the tail of the convolution."""
    inner = operator.heads * operator.n
    tail = (whole(model, "conv_width") or 4) * (inner + 2 * operator.groups * operator.k)
    return Cache(times, operator.heads, 0, operator.n, operator.k, state=inner * operator.k + tail)


def served(model: Model) -> Iterator[tuple[Operator, int]]:
    """(operator, how often an iteration runs it), layers only: kernels as engines fuse them.

    The residual add is part of the next norm (both streams read and written: 4 h elements instead of 2 h + 3 h), and
    dispatch and combine stay passes of their own.
    """
    for index, times in Counter(model.layers).items():
        for operator in model.blocks[index].operators:
            if operator.kind == "vector" and operator.module == "residual" and "norm" not in operator.name:
                continue
            if operator.kind == "vector" and operator.module == "layernorm":
                operator = replace(operator, moved=4.0 * model.hidden)
            yield operator, times


def head(model: Model) -> tuple[Operator, ...]:
    """Final norm and logits of the model itself, without loss and extra prediction layers."""
    return tuple(op for op in model.head if not op.name.startswith("mtp") and op.module != "loss")


def drafting(model: Model) -> tuple[Operator, ...]:
    """Operators of the first extra prediction layer (DeepSeek-V3's MTP), without loss; () where there is none."""
    first = {op.name.partition(".")[0] for op in model.head if op.name.startswith("mtp")}
    prefix = min(first, default="")
    return tuple(op for op in model.head if prefix and op.name.startswith(prefix + ".") and op.module != "loss")
