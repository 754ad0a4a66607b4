"""The tuning of serving engines, and how strongly what lies beyond it may be corrected.

Factors are 1 or a little more (isolated kernels are right, and run alone), host times roughly what engines report of
themselves. Fitting these fields by engine, architecture and format was tried; on models and chips that were left out it
made the time per token worse (18% against 16%), so they stay.
"""

from __future__ import annotations

BASE: dict[str, float] = {
    "products": 1.0,
    "products_low": 1.0,
    "compute": 1.0,
    "experts": 1.1,
    "attention_decode": 1.1,
    "attention_prefill": 1.1,
    "vector": 1.0,
    "collective": 1.1,
    "exchange": 1.2,
    "imbalance": 1.15,
    "launch": 1e-5,
    "grouped": 5e-6,
    "skew": 0.2,
    "host_base": 1.0e-3,
    "host_sequence": 8e-6,
    "host_chunk": 3e-4,
    "overlap": 0.6,
    "request": 1.5e-2,
}

# (spread inside a group, of groups) of the logarithm of a quantity.
NOISE = {"ttft": (0.2, 0.45), "tpot": (0.08, 0.12), "other": (0.12, 0.2)}
# Quantities that are corrected beyond the tuning: spreads of the coefficients of the constant, flags and numbers.
_LOCAL = {"one": 0.8, "flag": 0.48, "number": 0.24}
CORRECTED = {
    "ttft": {"one": 0.8, "flag": 0.48, "number": 0.24},
    "prefill llama.cpp": _LOCAL,
    "throughput llama.cpp": _LOCAL,
}
# Popularity skew of experts: no kernel tells it, so each fold takes the one of these that suits its own rows best.
SKEWS = (0.2, 0.4, 0.8)
# The same of the size of errors.
SIZE = {"one": 3.0, "family": 1.0, "flag": 0.1, "number": 0.02}
