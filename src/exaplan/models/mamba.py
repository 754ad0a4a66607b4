"""Mamba-2 (SSD) mixers as counted operators (Dao and Gu 2024, arXiv:2405.21060)."""

from __future__ import annotations

from exaplan.models.parts import HALF, matmul, vector
from exaplan.models.spec import Spec
from exaplan.nouns import Operator


def mamba(spec: Spec) -> tuple[Operator, ...]:
    """z, x, B, C, dt in one product -> short convolution -> chunked scan -> gated norm -> output product.

    Kept, as the fused kernel does: the input product's result, the scan's and the norm's output (the convolution is
    redone).
    """
    inner = spec.mamba_heads * spec.mamba_head_dim
    mixed = inner + 2 * spec.mamba_groups * spec.state_dim
    wide = inner + mixed + spec.mamba_heads
    return (
        matmul("mamba_in", "mamba", spec.hidden, wide, "column", bias=spec.mamba_bias, saved=HALF * wide),
        vector("conv", "mamba", 2 * mixed, cut="heads", params=mixed * (spec.conv_width + int(spec.conv_bias))),
        _scan(spec, inner),
        vector("gated_norm", "mamba", 3 * inner, cut="heads", params=inner, saved=HALF * inner),
        matmul("mamba_out", "mamba", inner, spec.hidden, "row", bias=spec.mamba_bias),
    )


def _scan(spec: Spec, inner: int) -> Operator:
    """The scan; weights per head: A, D and the bias of dt."""
    return Operator(
        "scan",
        "scan",
        "mamba",
        cut="heads",
        heads=spec.mamba_heads,
        n=spec.mamba_head_dim,
        k=spec.state_dim,
        groups=spec.mamba_groups,
        window=spec.chunk,
        params=3 * spec.mamba_heads,
        saved=HALF * inner,
        saved_cut="tp",
    )
