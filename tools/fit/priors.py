"""What is held of training frameworks apart from the runs: values, how sure, and from where.

The list of fields and these values were settled while looking at errors on the open runs; the coefficients that are
fitted from them are cross-validated, this choice is not.

A spread is the standard deviation of the logarithm. Effects are zero on average; their spread says how much frameworks,
generations of one framework, chip architectures and number formats may differ.
"""

from __future__ import annotations

from solver import Prior

# field: (value, spread, where it comes from)
BASE = {
    "matmul": (1.05, 0.06, "kernels of the fit ran alone; in a step they share power and memory with others"),
    "matmul_low": (1.10, 0.12, "as matmul, with scaling factors applied in the epilogue"),
    "grouped": (1.15, 0.15, "rows of each expert are padded and quantised apart"),
    "attention": (1.10, 0.15, "as matmul"),
    "attention_back": (1.00, 0.10, "the published backward share is in the kernel curve"),
    "vector": (1.10, 0.10, "norms and activations that a framework does not fuse are passes of their own"),
    "vector_back": (1.50, 0.10, "backward reads input and gradient and writes one: 3 passes for 2"),
    "cast": (4.00, 0.50, "read 2 B, write 1 B in two layouts for the two products of backward"),
    "scan": (2.00, 0.50, "no kernel measured; Dao and Gu 2024 report half of the roofline"),
    "host": (5e-6, 0.70, "CUDA launch of a few microseconds a kernel, several kernels an operator, queue ahead"),
    "floor": (0.010, 0.40, "logging, data, scalar reductions of a step"),
    "tp": (0.50, 0.40, "half of tensor traffic hidden: between none (1) and user buffers (0.2)"),
    "cp": (0.30, 0.50, "ring steps hide behind attention but for the first"),
    "ep": (0.70, 0.30, "all-to-all sits on the critical path but for shared experts and dense parts"),
    "pp": (0.50, 0.60, "send and receive hide in the steady phase of 1F1B"),
    "dp": (0.20, 0.60, "bucketed reduction hides behind backward but for the last bucket"),
    "fsdp": (0.10, 0.70, "prefetch hides gathers but for the first layer"),
    "contention": (0.10, 0.70, "collectives take SMs and bandwidth from what they hide behind"),
    "dispatch": (2.00, 0.40, "rows are gathered and scattered, not streamed"),
    "imbalance": (1.00, 0.02, "benchmarks force balanced routing; users set their own"),
    "straggle": (0.005, 0.80, "waiting for the slowest of n: a few percent at thousands of chips"),
    "optimizer": (1.20, 0.30, "several fused kernels, not one"),
    "overall": (1.00, 0.05, "everything else"),
}

EFFECTS = {
    ("family", "overall"): 0.10,
    ("family", "vector"): 0.10,
    ("family", "tp"): 0.30,
    ("family", "fsdp"): 0.50,
    ("family", "dp"): 0.40,
    ("family", "host"): 0.50,
    ("family", "floor"): 0.50,
    ("family", "ep"): 0.20,
    ("family", "grouped"): 0.12,
    ("generation", "overall"): 0.06,
    ("generation", "vector"): 0.05,
    ("generation", "tp"): 0.20,
    ("generation", "grouped"): 0.10,
    ("architecture", "matmul"): 0.12,
    ("architecture", "attention"): 0.15,
    ("architecture", "vector"): 0.15,
    ("precision", "matmul_low"): 0.10,
    ("precision", "cast"): 0.30,
    ("experts", "overall"): 0.08,
}


def prior() -> Prior:
    """The table as a Prior."""
    value = {field: entry[0] for field, entry in BASE.items()}
    spread = {field: entry[1] for field, entry in BASE.items()}
    return Prior(value, spread, EFFECTS)
