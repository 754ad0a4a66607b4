"""Prior values and spreads of the tuning of serving engines, before any row is seen.

BASE: field -> (value, spread of its logarithm). EFFECTS: (kind of effect, field) -> spread of the shift. Kinds: engine,
architecture (of the chip), format (of the weights), experts (true or false), stack (engine and architecture together).
Factors start at 1 (isolated kernels are right), host times at what engines report of themselves, roughly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BASE: dict[str, tuple[float, float]] = {
    "products": (1.0, 0.10),
    "products_low": (1.0, 0.12),
    "compute": (1.0, 0.25),
    "experts": (1.1, 0.20),
    "attention_decode": (1.1, 0.20),
    "attention_prefill": (1.1, 0.25),
    "vector": (1.0, 0.30),
    "collective": (1.1, 0.25),
    "exchange": (1.2, 0.30),
    "imbalance": (1.15, 0.10),
    "launch": (1e-5, 0.80),
    "grouped": (5e-6, 0.80),
    "skew": (0.8, 0.50),
    "host_base": (1.0e-3, 0.50),
    "host_sequence": (8e-6, 0.60),
    "host_chunk": (3e-4, 0.60),
    "overlap": (0.6, 0.25),
    "request": (1.5e-2, 0.60),
}

EFFECTS: dict[tuple[str, str], float] = {
    ("engine", "products"): 0.06,
    ("engine", "products_low"): 0.08,
    ("engine", "compute"): 0.20,
    ("engine", "experts"): 0.20,
    ("engine", "attention_decode"): 0.15,
    ("engine", "attention_prefill"): 0.20,
    ("engine", "vector"): 0.25,
    ("engine", "collective"): 0.20,
    ("engine", "exchange"): 0.25,
    ("engine", "launch"): 0.80,
    ("engine", "grouped"): 0.50,
    ("engine", "host_base"): 0.60,
    ("engine", "host_sequence"): 0.60,
    ("engine", "host_chunk"): 0.60,
    ("engine", "request"): 0.60,
    ("architecture", "products"): 0.08,
    ("architecture", "products_low"): 0.10,
    ("architecture", "compute"): 0.15,
    ("architecture", "experts"): 0.15,
    ("architecture", "attention_decode"): 0.12,
    ("architecture", "attention_prefill"): 0.15,
    ("architecture", "vector"): 0.15,
    ("architecture", "collective"): 0.15,
    ("architecture", "grouped"): 0.40,
    ("format", "products"): 0.05,
    ("format", "products_low"): 0.12,
    ("format", "compute"): 0.20,
    ("format", "experts"): 0.20,
    ("experts", "vector"): 0.20,
    ("experts", "host_base"): 0.30,
    ("experts", "host_chunk"): 0.30,
    ("stack", "products_low"): 0.06,
    ("stack", "experts"): 0.12,
    ("stack", "host_base"): 0.30,
    ("stack", "vector"): 0.15,
    ("stack", "grouped"): 0.30,
    ("stack", "launch"): 0.30,
}

OTHER = 0.5  # spread of a field that no prior above names: its default is the prior


def base(field: str, default: float) -> tuple[float, float]:
    """Prior of a field."""
    return BASE.get(field, (default, OTHER))


# The step model stands on measured kernels, and in cross-validation its time per token only lost by tuning that groups
# of rows disagree on: such fields stay near their priors (TIGHT x their spreads); those that prompts and the host
# decide are left free.
TIGHT = 0.2
FREE = {"request": 2.0, "host_chunk": 1.5, "compute": 1.5, "attention_prefill": 1.0, "launch": 1.0}
# llama.cpp shares few kernels with servers: its own effects are as free as the prior of the whole.
APART, WIDE = "llama.cpp", 0.35

# (spread inside a group, of groups) of the logarithm of a quantity.
NOISE = {"ttft": (0.2, 0.45), "tpot": (0.08, 0.12), "other": (0.12, 0.2)}
# Quantities that are corrected beyond the tuning: spreads of the coefficients of the constant, flags and numbers.
CORRECTED = {"ttft": {"one": 0.8, "flag": 0.48, "number": 0.24}}
# The same of the size of errors.
SIZE = {"one": 3.0, "family": 1.0, "flag": 0.1, "number": 0.02}


def scale(field: str, name: str) -> float:
    """What multiplies the spread of a parameter."""
    if name == f"engine={APART}":
        return 1.0
    return FREE.get(field, TIGHT)


def design_of(keys: Sequence[Sequence[str]]) -> Any:
    """Design of rows whose effects are ``keys``."""
    from dataclasses import replace

    import numpy as np
    from serving_solver import design

    plan = design(keys)
    spread = [
        max(value * scale(field, name), WIDE if name == f"engine={APART}" else 0.0)
        for value, (field, name) in zip(plan.spread, plan.names, strict=True)
    ]
    return replace(plan, spread=np.array(spread))
