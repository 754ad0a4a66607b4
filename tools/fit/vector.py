"""Fit memory-bound passes: python tools/fit/vector.py --data ../shared/data  ->  data/fits/vector.yaml.

Element-wise kernels were measured on two consumer-class chips only (layers table: layer norm and activation, 1 to 2,048
tokens). They give launch floor and ramp, and a bandwidth share for arrays larger than the cache. Datacentre chips get
their share from two kernels that do nothing but move memory: reading (decode attention over a long cache, > 1 GB) and
writing (products with k <= 64 and an output of more than 64 Mi elements); a pass reads about as much as it writes, so
the share is their harmonic mean.
"""

from __future__ import annotations

from pathlib import Path

import common
import numpy as np
import pandas as pd
from scipy.optimize import least_squares

LAYERS, GEMM, ATTENTION = (
    "layers_rtx4090_rtxpro6000.csv.gz",
    "gemm_aiconfigurator.csv.gz",
    "attention_aiconfigurator.csv.gz",
)
WIDTHS = {"meta-llama/Llama-3.1-8B": (4096, 14336), "Qwen/Qwen3-32B": (5120, 25600)}  # hidden, ffn
CARDS = {"RTX4090": ("ada", 1008e9, 72e6), "RTXPRO6000": ("blackwell_rtx", 1792e9, 128e6)}  # B/s, cache [B]


def passes(data: Path) -> pd.DataFrame:
    """Layer norm with residual (4 x hidden elements moved) and gated activation (3 x ffn): bytes and seconds."""
    frame = pd.read_csv(data / "kernels" / LAYERS, low_memory=False)
    frame = frame[(frame.tp == "tp1") & frame.layer.isin(["layernorm", "act_fn"]) & frame.model.isin(WIDTHS)]
    hidden = frame.model.map({m: w[0] for m, w in WIDTHS.items()})
    ffn = frame.model.map({m: w[1] for m, w in WIDTHS.items()})
    frame["moved"] = 2.0 * frame.tokens * np.where(frame.layer == "act_fn", 3 * ffn, 4 * hidden)
    frame["seconds"] = frame.time_us / 1e6
    frame["bandwidth"] = frame.system.map({s: c[1] for s, c in CARDS.items()})
    return frame


def launch(frame: pd.DataFrame) -> tuple[float, float]:
    """floor [s] and ramp [s] of passes that stay below half the cache (where bandwidth is that of the cache)."""
    small = frame[frame.moved < frame.system.map({s: c[2] / 4 for s, c in CARDS.items()})]
    floor = float(small.seconds[small.moved < 1e6].median())

    def gap(p: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(np.maximum(p[0], p[1] + small.moved / (small.bandwidth * p[2])) / small.seconds))

    bounds = ([1e-7, 0, 0.5], [1e-5, 1e-5, 8])
    found = least_squares(gap, [floor, 1e-6, 2.0], bounds=bounds, loss="soft_l1", f_scale=0.1)
    return float(found.x[0]), float(found.x[1])


def streaming(frame: pd.DataFrame, card: str) -> tuple[float, int]:
    """Share of bandwidth of arrays beyond the cache: slope of time over bytes [1], and rows."""
    _, bandwidth, cache = CARDS[card]
    part = frame[(frame.system == card) & (frame.layer == "act_fn") & (frame.moved > cache)]
    slope = float(np.polyfit(part.moved, part.seconds, 1)[0])
    return min(1.0, 1.0 / (slope * bandwidth)), len(part)


def written(data: Path) -> pd.DataFrame:
    """Share of bandwidth of products that only write."""
    frame = pd.read_csv(data / "kernels" / GEMM)
    frame = frame[(frame.dtype == "bfloat16") & (frame.k <= 64) & (frame.m * frame.n > 2**26)]
    moved = 2.0 * (frame.m * frame.n + frame.m * frame.k + frame.n * frame.k)
    return shares(frame, moved)


def read(data: Path) -> pd.DataFrame:
    """Share of bandwidth of decode attention over more than 1 GB of cache without window."""
    frame = pd.read_csv(data / "kernels" / ATTENTION)
    frame = frame[(frame.op == "generation_attention") & (frame.dtype == "bfloat16") & (frame.framework == "vllm")]
    frame = frame[(frame.kv_cache_dtype == "bfloat16") & (frame.window_size.fillna(0) == 0)]
    moved = 4.0 * frame.batch_size * (frame.past_kv_tokens + 1) * frame.num_key_value_heads * frame.head_dim
    return shares(frame[moved > 1e9], moved[moved > 1e9])


def shares(frame: pd.DataFrame, moved: pd.Series) -> pd.DataFrame:
    """architecture, system and achieved share of bandwidth of every row of a known chip."""
    known = frame.system.isin(common.CHIPS)
    frame, moved = frame[known], moved[known]
    bandwidth = frame.system.map({s: c.bandwidth for s, c in common.CHIPS.items()})
    architecture = frame.system.map({s: c.architecture for s, c in common.CHIPS.items()})
    share = moved / (frame.latency_ms / 1e3) / bandwidth
    return pd.DataFrame({"architecture": architecture, "system": frame.system, "share": share.clip(upper=1.0)})


def mixed(reads: pd.DataFrame, writes: pd.DataFrame) -> float:
    """Share of bandwidth when half of the traffic is read and half written [1]."""
    return 2.0 / (1.0 / float(reads.share.median()) + 1.0 / float(writes.share.median()))


def curve(reads: pd.DataFrame, writes: pd.DataFrame, floor: float, ramp: float) -> dict[str, object]:
    """The record of one architecture."""
    both = sorted(set(reads.system) & set(writes.system))
    chips = {str(s): round(mixed(reads[reads.system == s], writes[writes.system == s]), 3) for s in both}
    return {
        "coefficients": common.rounded({"memory": mixed(reads, writes), "ramp": ramp, "floor": floor, "spread": 0.10}),
        "rows": len(reads) + len(writes),
        "read_share": round(float(reads.share.median()), 3),
        "write_share": round(float(writes.share.median()), 3),
        "by_chip": chips,
    }


def main() -> None:
    """Fit and write the record."""
    data = common.arguments(__doc__ or "")
    frame, reads, writes = passes(data), read(data), written(data)
    floor, ramp = launch(frame)
    curves = {}
    for name in sorted(set(reads.architecture) & set(writes.architecture)):
        curves[name] = curve(reads[reads.architecture == name], writes[writes.architecture == name], floor, ramp)
    slopes = {card: streaming(frame, card) for card in CARDS}
    check = {card: {"share": round(share, 3), "rows": rows} for card, (share, rows) in slopes.items()}
    common.write(
        "vector",
        {
            "date": common.DATE,
            "method": (
                "tools/fit/vector.py: floor and ramp from layer norm and activation on RTX 4090 and RTX PRO 6000; "
                "share of bandwidth = harmonic mean of decode attention (reads) and thin products (writes); "
                "spread is an estimate"
            ),
            "input": {t: common.digest(data / "kernels" / t) for t in (LAYERS, GEMM, ATTENTION)},
            "check_on_activation": check,
            "curves": curves,
        },
    )


if __name__ == "__main__":
    main()
