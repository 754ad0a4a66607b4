"""Dense MLPs and routed experts as counted operators."""

from __future__ import annotations

from exaplan.models.parts import HALF, matmul, vector
from exaplan.models.spec import Spec
from exaplan.nouns import Operator

#: Learned scalars of an activation function (xIELU: alpha_p and alpha_n).
ACTIVATION_PARAMS = {"xielu": 2}


def dense(
    spec: Spec, width: int, prefix: str = "mlp", modules: tuple[str, str] = ("mlp", "mlp_act")
) -> tuple[Operator, ...]:
    """up (and gate) -> activation -> down. Kept: the inputs of the activation and its output."""
    wide = width * (2 if spec.gated else 1)
    inside, active = modules
    return (
        matmul(f"{prefix}_up", inside, spec.hidden, wide, "column", bias=spec.mlp_bias, saved=HALF * wide),
        vector(
            f"{prefix}_act",
            active,
            wide + width,
            cut="column",
            params=ACTIVATION_PARAMS.get(spec.mlp, 0),
            saved=HALF * width,
        ),
        matmul(f"{prefix}_down", inside, width, spec.hidden, "row", bias=spec.mlp_bias),
    )


def experts(spec: Spec) -> tuple[Operator, ...]:
    """Router, dispatch of top_k copies, grouped expert MLPs, combine, and shared experts beside them."""
    shared = dense(spec, spec.shared_width, "shared", ("shared_experts", "shared_experts")) if spec.shared_width else ()
    gate = (matmul("shared_gate", "shared_experts", spec.hidden, 1, "none"),) if spec.shared_gate else ()
    return (*_router(spec), *_to_latent(spec), *_routed(spec), *_from_latent(spec), *shared, *gate)


def _router(spec: Spec) -> tuple[Operator, ...]:
    """Logits and scores in 32 bits; the scores are kept."""
    logits = matmul("router", "router", spec.hidden, spec.experts, "none", bias=spec.router_bias)
    return (logits, vector("routing", "router", 3 * spec.experts, saved=4.0 * spec.experts, saved_cut="sp"))


def _routed(spec: Spec) -> tuple[Operator, ...]:
    """top_k copies of a token through one expert each; every copy's input and inner tensors are kept."""
    width, top = spec.expert_ffn, spec.top_k
    entry = spec.latent or spec.hidden
    wide = width * (2 if spec.gated else 1)
    up = _grouped("expert_up", spec, entry, wide, HALF * top * wide)
    act = vector("expert_act", "moe_act", top * (wide + width), cut="expert", saved=HALF * top * width, saved_cut="sp")
    return (
        vector("dispatch", "moe", 2 * top * entry, saved=HALF * top * entry, saved_cut="sp"),
        up,
        act,
        _grouped("expert_down", spec, width, entry, 0.0),
        vector("combine", "moe", (top + 1) * entry),
    )


def _grouped(name: str, spec: Spec, k: int, n: int, saved: float) -> Operator:
    return matmul(
        name,
        "moe",
        k,
        n,
        "expert",
        bias=spec.mlp_bias,
        rows=float(spec.top_k),
        groups=spec.experts,
        saved=saved,
        saved_cut="sp",
    )


def _to_latent(spec: Spec) -> tuple[Operator, ...]:
    if not spec.latent:
        return ()
    kept = HALF * spec.latent
    return (
        matmul("latent_down", "moe", spec.hidden, spec.latent, "none", bias=spec.mlp_bias, saved=kept, saved_cut="sp"),
    )


def _from_latent(spec: Spec) -> tuple[Operator, ...]:
    if not spec.latent:
        return ()
    kept = HALF * spec.latent
    return (
        matmul("latent_up", "moe", spec.latent, spec.hidden, "none", bias=spec.mlp_bias, saved=kept, saved_cut="sp"),
    )
