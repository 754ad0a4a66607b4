"""Small makers of counted operators that every kind of layer shares.

``saved`` stands on the operator that *produces* the kept tensor, so that recomputing a module (by its name) frees what
its operators saved; the two exceptions are named where they occur. Bytes are for 16-bit activations; the totals per
layer are those of Korthikanti et al. 2022 (arXiv:2205.05198, section 4).
"""

from __future__ import annotations

from exaplan.models.spec import Spec
from exaplan.nouns import Operator

#: Bytes of one 16-bit activation.
HALF = 2.0

#: Operator whose output is kept only for a weight gradient -> the products that read it.
READERS = {
    "input_norm": ("qkv", "q", "q_down", "kv_down", "mamba_in", "mlp_up", "router", "shared_up", "expert_up"),
    "mlp_norm": ("mlp_up", "router", "shared_up", "expert_up"),
    "mlp_act": ("mlp_down",),
    "shared_act": ("shared_down",),
    "expert_act": ("expert_down",),
    "dispatch": ("expert_up",),
    "q_norm": ("q_up",),
    "kv_norm": ("kv_up",),
    "gated_norm": ("mamba_out",),
    "final_norm": ("logits",),
}


def norm(name: str, spec: Spec, module: str = "layernorm", saved: float | None = None) -> Operator:
    """RMS or layer norm of the residual stream; keeps its output (2h bytes per token)."""
    return Operator(
        name,
        "vector",
        module,
        moved=2 * spec.hidden,
        params=norm_params(spec, spec.hidden),
        saved=HALF * spec.hidden if saved is None else saved,
        saved_cut="sp",
    )


def norm_params(spec: Spec, width: int) -> int:
    """Scale, and shift where the norm has one."""
    return width * (2 if spec.norm == "layernorm" and spec.norm_bias else 1)


def residual(name: str, spec: Spec, branches: int = 1) -> Operator:
    """Adds ``branches`` to the residual stream and keeps the sum, which the next norm needs."""
    moved = (2 + branches) * spec.hidden
    return Operator(name, "vector", "residual", moved=moved, saved=HALF * spec.hidden, saved_cut="sp")


def matmul(
    name: str,
    module: str,
    k: int,
    n: int,
    cut: str,
    *,
    bias: bool = False,
    rows: float = 1.0,
    groups: int = 1,
    saved: float = 0.0,
    saved_cut: str = "tp",
) -> Operator:
    """y = x W (+ b) with W of k x n, ``groups`` times."""
    return Operator(
        name,
        "matmul",
        module,
        cut=cut,
        rows=rows,
        n=n,
        k=k,
        groups=groups,
        params=groups * (k * n + (n if bias else 0)),
        saved=saved,
        saved_cut=saved_cut,
    )


def vector(
    name: str,
    module: str,
    moved: float,
    *,
    cut: str = "none",
    params: int = 0,
    saved: float = 0.0,
    saved_cut: str = "tp",
) -> Operator:
    """A memory-bound pass that reads and writes ``moved`` elements per token."""
    return Operator(name, "vector", module, cut=cut, moved=moved, params=params, saved=saved, saved_cut=saved_cut)
