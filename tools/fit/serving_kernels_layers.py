"""Fit what timed layers tell: PC cards' own shares of their roofs, and grouped products (part of serving_kernels.py).

The table times the layers of three models on an RTX 4090 and an RTX PRO 6000 under vLLM (LLMServingSim's profiles).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np
import pandas as pd
import yaml
from scipy.optimize import least_squares

from exaplan.perf.roofline import ChipRates, GemmFit, VectorFit
from exaplan.perf.roofline import vector_time as plain_vector_time
from exaplan.perf.serving.operators import product_time as plain_product_time

TABLE = "layers_rtx4090_rtxpro6000.csv.gz"


class Card(NamedTuple):
    """A timed card: name in the catalogue, architecture of its curve, rates of 16-bit products."""

    name: str
    architecture: str
    rates: ChipRates


# Vendors' datasheets, as in the catalogue's chip files.
CARDS = {
    "RTX4090": Card("rtx-4090", "ada", ChipRates(165.2e12, 1008e9, 128.0)),
    "RTXPRO6000": Card("rtx-pro-6000", "blackwell_rtx", ChipRates(503.8e12, 1792e9, 188.0)),
}
# Model -> layer -> (n, k), from the models' config.json.
SHAPES = {
    "meta-llama/Llama-3.1-8B": {
        "qkv_proj": (6144, 4096), "o_proj": (4096, 4096), "gate_up_proj": (28672, 4096), "down_proj": (4096, 14336),
    },
    "Qwen/Qwen3-32B": {
        "qkv_proj": (10240, 5120), "o_proj": (5120, 8192), "gate_up_proj": (51200, 5120), "down_proj": (5120, 25600),
    },
}  # fmt: skip
# Qwen3-30B-A3B: experts' inner width, hidden width, experts, picked of them.
INNER, HIDDEN, EXPERTS, TOP = 768.0, 2048.0, 128.0, 8.0


def gemm(architecture: str) -> GemmFit:
    """The fitted curve of 16-bit products."""
    record = yaml.safe_load((common.FITS / "serving_products.yaml").read_text(encoding="utf-8"))
    return GemmFit(**record["curves"][f"{architecture}/bf16"]["coefficients"])


def vector(architecture: str) -> VectorFit:
    """The fitted curve of memory-bound passes (that of Hopper where none was measured)."""
    curves = yaml.safe_load((common.FITS / "vector.yaml").read_text(encoding="utf-8"))["curves"]
    return VectorFit(**curves.get(architecture, curves["hopper"])["coefficients"])


def products(data: Path, system: str) -> pd.DataFrame:
    """Timed products of one card, uncut."""
    frame = pd.read_csv(data / "kernels" / TABLE)
    frame = frame[(frame.table == "dense") & (frame.system == system) & (frame.tp == "tp1")]
    known = [layer in SHAPES.get(model, {}) for model, layer in zip(frame.model, frame.layer, strict=True)]
    frame = frame[known]
    shapes = [SHAPES[model][layer] for model, layer in zip(frame.model, frame.layer, strict=True)]
    return frame.assign(n=[s[0] for s in shapes], k=[s[1] for s in shapes], seconds=frame.time_us / 1e6)


def products_predicted(frame: pd.DataFrame, rates: ChipRates, fit: GemmFit) -> np.ndarray:
    """Seconds of every timed product."""
    rows = zip(frame.tokens, frame.n, frame.k, strict=True)
    return np.array([plain_product_time(m, n, k, 1.0, 2.0, 2.0, rates, fit, 1.0) for m, n, k in rows])


def own_share(data: Path, system: str) -> dict[str, Any]:
    """A card's own fractions of peak and bandwidth, all other coefficients those of its architecture."""
    card, frame = CARDS[system], products(data, system)
    usual, measured = gemm(card.architecture), frame.seconds.to_numpy()

    def gap(point: np.ndarray) -> np.ndarray:
        fit = usual._replace(peak=float(point[0]), memory=float(point[1]))
        return np.asarray(np.log(products_predicted(frame, card.rates, fit) / measured))

    found = least_squares(
        gap, [usual.peak, usual.memory], bounds=([0.2, 0.2], [1.15, 1.0]), loss="soft_l1", f_scale=0.1
    )
    fit = usual._replace(peak=float(found.x[0]), memory=float(found.x[1]))
    shared = common.errors(products_predicted(frame, card.rates, usual), measured)
    made = common.errors(products_predicted(frame, card.rates, fit), measured)
    return {
        **common.rounded({"peak": fit.peak, "memory": fit.memory}),
        "rows": len(frame),
        "error": made,
        "error_shared": shared,
    }


def chips(data: Path) -> dict[str, dict[str, Any]]:
    """Name of a timed card in the catalogue -> its own shares."""
    return {card.name: own_share(data, system) for system, card in CARDS.items()}


def experts(data: Path) -> pd.DataFrame:
    """Timed layers of routed experts."""
    frame = pd.read_csv(data / "kernels" / TABLE)
    return frame[frame.table == "moe"].assign(seconds=lambda f: f.time_us / 1e6)


def experts_predicted(
    frame: pd.DataFrame, rates: ChipRates, fit: GemmFit, passes: VectorFit, factor: float, fixed: float
) -> np.ndarray:
    """Seconds of a layer of experts: two grouped products, and the passes that the step model counts by themselves."""
    made = []
    for tokens, hit in zip(frame.tokens, frame.activated_experts, strict=True):
        rows = tokens * TOP
        up = plain_product_time(rows, 2.0 * INNER, HIDDEN, hit, 2.0, 2.0, rates, fit, 1.0)
        down = plain_product_time(rows, HIDDEN, INNER, hit, 2.0, 2.0, rates, fit, 1.0)
        moved = (6.0 * EXPERTS, 8.0 * TOP, 6.0 * TOP * INNER, 2.0 * (TOP + 1.0) * HIDDEN)
        beside = sum(plain_vector_time(width * tokens, rates, passes) for width in moved)
        made.append(factor * (up + down) + 2.0 * fixed + beside)
    return np.array(made)


def grouped_curves(data: Path) -> dict[str, dict[str, Any]]:
    """factor [1] on the curve of ordinary products, and fixed [s per grouped product]."""
    frame = experts(data)
    card = CARDS["RTXPRO6000"]
    fit, passes, measured = gemm(card.architecture), vector(card.architecture), frame.seconds.to_numpy()
    own = own_share(data, "RTXPRO6000")
    fit = fit._replace(peak=own["peak"], memory=own["memory"])

    def gap(point: np.ndarray, part: pd.DataFrame) -> np.ndarray:
        made = experts_predicted(part, card.rates, fit, passes, float(point[0]), float(point[1]) * 1e-6)
        return np.asarray(np.log(made / part.seconds.to_numpy()))

    def search(part: pd.DataFrame) -> np.ndarray:
        bounds = ([0.5, 0.0], [2.0, 60.0])
        return np.asarray(least_squares(gap, [1.1, 10.0], bounds=bounds, loss="soft_l1", f_scale=0.1, args=(part,)).x)

    point = search(frame)
    many = frame.activated_experts > 16
    left = {}
    for name, test in (("up to 16 experts hit", frame[~many]), ("more experts hit", frame[many])):
        ratio = np.exp(gap(search(frame.drop(test.index)), test))
        left[name] = common.errors(ratio, np.ones(len(ratio)))
    ratio = np.exp(gap(point, frame))
    return {
        "blackwell_rtx": {
            "coefficients": common.rounded({"factor": float(point[0]), "fixed": float(point[1]) * 1e-6}),
            "rows": len(measured),
            "error": common.errors(ratio, np.ones(len(ratio))),
            "error_left_out": left,
        }
    }
