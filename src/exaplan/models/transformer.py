"""From a Spec to a Model: every layer as counted operators, in execution order."""

from __future__ import annotations

from dataclasses import replace

from exaplan.models.attention import attention
from exaplan.models.mamba import mamba
from exaplan.models.mlp import dense, experts
from exaplan.models.parts import HALF, matmul, norm, norm_params, residual, vector
from exaplan.models.spec import Spec, spec_as_mapping
from exaplan.nouns import Block, Model, Operator

#: What a layer holds: (mixer letter or "L" for attention + MLP, window, has experts).
Kind = tuple[str, int, bool]


def build(spec: Spec) -> Model:
    """The architecture as counted operators; equal layers share one Block."""
    kinds = [layer_kind(spec, index) for index in range(spec.layers)]
    unique = list(dict.fromkeys(kinds))
    return Model(
        name=spec.name,
        family=spec.family,
        hidden=spec.hidden,
        vocab=spec.vocab,
        blocks=tuple(block(spec, kind) for kind in unique),
        layers=tuple(unique.index(kind) for kind in kinds),
        embedding=_embedding(spec),
        head=_head(spec) + _prediction(spec),
        tied=spec.tied,
        experts=spec.experts,
        top_k=spec.top_k,
        max_seq=spec.max_positions,
        spec=spec_as_mapping(spec),
    )


def layer_kind(spec: Spec, index: int) -> Kind:
    """Kind of layer ``index`` (from 0)."""
    marks = spec.window_pattern or "W"
    window = spec.window if marks[index % len(marks)] == "W" else 0
    if spec.pattern:
        letter = spec.pattern[index]
        return (letter, window if letter == "*" else 0, letter == "E")
    routed = spec.experts > 0 and index >= spec.dense_layers and (index + 1) % spec.moe_every == 0
    return ("L", window, routed)


def block(spec: Spec, kind: Kind) -> Block:
    """One layer of a kind."""
    letter, window, routed = kind
    if letter != "L":
        return Block(_block_name(kind), _single(spec, kind))
    mlp = experts(spec) if routed else dense(spec, spec.ffn)
    make = _parallel if spec.parallel_block else _serial
    return Block(_block_name(kind), make(spec, attention(spec, window), mlp))


def _block_name(kind: Kind) -> str:
    letter, window, routed = kind
    base = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe", "L": "moe-layer" if routed else "dense-layer"}[
        letter
    ]
    return f"{base}-window-{window}" if window else base


def _serial(spec: Spec, mixer: tuple[Operator, ...], mlp: tuple[Operator, ...]) -> tuple[Operator, ...]:
    """norm, attention, add, norm, MLP, add (pre-norm); Gemma's sandwich norms each branch again before the add."""
    after = (_after("attn_after_norm", spec), _after("mlp_after_norm", spec)) if spec.sandwich_norm else ()
    return (
        norm("input_norm", spec),
        *mixer,
        *after[:1],
        residual("attn_residual", spec),
        norm("mlp_norm", spec),
        *mlp,
        *after[1:],
        residual("mlp_residual", spec),
    )


def _after(name: str, spec: Spec) -> Operator:
    """A norm of a branch's output keeps its input (its output is only added); recomputing norms does not free that."""
    return norm(name, spec, module="residual")


def _parallel(spec: Spec, mixer: tuple[Operator, ...], mlp: tuple[Operator, ...]) -> tuple[Operator, ...]:
    """Attention and MLP side by side on one input, under one norm or two (GPT-J, NeoX, Falcon, Phi)."""
    second = (norm("mlp_norm", spec),) if spec.parallel_norms == 2 else ()
    return (norm("input_norm", spec), *second, *mixer, *mlp, residual("mlp_residual", spec, branches=2))


def _single(spec: Spec, kind: Kind) -> tuple[Operator, ...]:
    """A layer of a hybrid: norm, one mixer, add."""
    letter, window, _ = kind
    if letter == "M":
        mixer = mamba(spec)
    elif letter == "*":
        mixer = attention(spec, window)
    else:
        mixer = experts(spec) if letter == "E" else dense(spec, spec.ffn)
    return (norm("input_norm", spec), *mixer, residual("residual", spec))


def _embedding(spec: Spec) -> tuple[Operator, ...]:
    """Row gathers; what they produce is kept as the first norm's input."""
    table = Operator(
        "embedding",
        "lookup",
        "embedding",
        cut="vocab",
        n=spec.hidden,
        k=spec.vocab,
        moved=2 * spec.hidden,
        params=spec.hidden * spec.vocab,
        saved=HALF * spec.hidden,
        saved_cut="sp",
    )
    learned = (_positions(spec),) if spec.position == "learned" else ()
    normed = (norm("embedding_norm", spec, module="embedding"),) if spec.embedding_norm else ()
    return (table, *learned, *normed)


def _positions(spec: Spec) -> Operator:
    rows = spec.max_positions + spec.position_offset
    return Operator(
        "positions", "lookup", "embedding", n=spec.hidden, k=rows, moved=2 * spec.hidden, params=spec.hidden * rows
    )


def _head(spec: Spec, prefix: str = "") -> tuple[Operator, ...]:
    """Final norm, logits, and the loss, which keeps 32-bit logits."""
    owned = 0 if spec.tied or prefix else spec.hidden * spec.vocab
    bias = spec.vocab if spec.head_bias and not prefix else 0
    logits = Operator(
        prefix + "logits", "matmul", "head", cut="vocab", n=spec.vocab, k=spec.hidden, params=owned + bias
    )
    loss = vector(prefix + "loss", "loss", 3 * spec.vocab, cut="vocab", saved=4.0 * spec.vocab)
    return (norm(prefix + "final_norm", spec, module="head"), logits, loss)


def _prediction(spec: Spec) -> tuple[Operator, ...]:
    """Multi-token prediction (DeepSeek-V3, arXiv:2412.19437, section 2.2): norms, a 2h -> h product, a layer, logits.

    The embedding and logits tables are shared with the main model, so only the products are counted again.
    """
    made: list[Operator] = []
    for depth in range(spec.mtp_layers):
        prefix = "mtp." if spec.mtp_layers == 1 else f"mtp{depth}."
        layer = block(spec, ("L", 0, spec.experts > 0)).operators
        made += [
            vector(
                prefix + "merge_norm",
                "head",
                4 * spec.hidden,
                params=2 * norm_params(spec, spec.hidden),
                saved=2 * HALF * spec.hidden,
                saved_cut="sp",
            ),
            matmul(
                prefix + "merge",
                "head",
                2 * spec.hidden,
                spec.hidden,
                "column",
                saved=HALF * spec.hidden,
                saved_cut="sp",
            ),
            *(_renamed(operator, prefix) for operator in layer),
            *_head(spec, prefix),
        ]
    return tuple(made)


def _renamed(operator: Operator, prefix: str) -> Operator:
    return replace(operator, name=prefix + operator.name)
