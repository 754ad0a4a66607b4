"""Fit fused attention: python tools/fit/attention.py --data ../shared/data  ->  data/fits/attention.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import common
import numba
import numpy as np
import pandas as pd
import yaml

from exaplan.perf import roofline
from exaplan.perf.roofline import AttentionFit, ChipRates

TABLE = "attention_aiconfigurator.csv.gz"
TILES = (64.0, 128.0, 256.0)
KNOBS = [
    common.Knob("peak", 0.6, 0.15, 0.95),
    common.Knob("size", 50.0, 5.0, 400.0),
    common.Knob("ramp", 50.0, 1.0, 2000.0),
    common.Knob("floor", 5e-6, 1e-6, 2e-5),
    common.Knob("tail", 0.5, 0.01, 4.0),
    common.Knob("extra", 3.0, 0.01, 20.0),
]
# Not fitted. The serving benchmark also writes keys and values to a paged cache and copies its output: ``extra`` times
# the bytes of q, k, v and output, moved at the rate of vector.yaml; that part is fitted and left out of the curve.
CORNER = 4.0
# Backward over forward FLOP/s, H100, head size 128, 16-bit, 2k to 16k tokens: FlashAttention-3 542/638 (4k), 559/646
# (8k), 561/648 (16k), cuDNN 499/609, 518/600, FlashAttention-2 310/368, 318/370.
BACKWARD = 0.85
BACKWARD_SOURCE = (
    "arXiv:2407.08608, figures 5 and 6 (H100, head size 128, no mask): FlashAttention-3 542/638, 559/646, 561/648 at "
    "4k, 8k, 16k; cuDNN 499/609, 518/600; FlashAttention-2 310/368, 318/370: mean 0.85"
)
# Published, never fitted: H100 forward TFLOP/s of FlashAttention-3 for sequences of 512 to 16k tokens, 16k tokens and
# 2,048 channels in all (arXiv:2407.08608, figure 5): head size, causal, values.
PUBLISHED = (
    (128, True, (292, 423, 521, 579, 602, 616)),
    (128, False, (467, 565, 625, 638, 646, 648)),
    (64, False, (333, 392, 460, 476, 496, 497)),
)
time = common.compiled(roofline.attention_time)
traffic = common.compiled(roofline.attention_bytes)


@numba.njit
def times(b, s, h, kv, d, window, peak, bandwidth, processors, memory, factor, c, tile):  # type: ignore[no-untyped-def]
    out = np.empty(len(b))
    for i in range(len(b)):
        fit = AttentionFit(c[0] * factor[i], c[1], c[2], memory[i], CORNER, c[3], tile, c[4], 1.0, 0.0)
        rates = ChipRates(peak[i], bandwidth[i], processors[i])
        moved = c[5] * traffic(b[i], s[i], s[i], h[i], kv[i], d[i], d[i])
        out[i] = time(b[i], s[i], s[i], h[i], kv[i], d[i], d[i], window[i], True, rates, fit)
        out[i] += moved / (bandwidth[i] * memory[i])
    return out


def load(data: Path) -> pd.DataFrame:
    """Causal prompts without past, 16-bit, on the kernels that training libraries use (flash-attn 2/3, trtllm-gen)."""
    frame = pd.read_csv(data / "kernels" / TABLE)
    frame = frame[(frame.dtype == "bfloat16") & (frame.kv_cache_dtype == "bfloat16")]
    frame = frame[(frame.op == "context_attention") & (frame.framework == "vllm")]
    frame = frame[(frame.isl > 1) & (frame.head_dim <= 256)]
    frame = frame[frame.system.isin(common.CHIPS)]
    frame["window_size"] = frame.window_size.fillna(0.0)
    frame["architecture"] = [common.CHIPS[s].architecture for s in frame.system]
    frame["peak"] = [common.CHIPS[s].peak["bf16"] for s in frame.system]
    frame["bandwidth"] = [common.CHIPS[s].bandwidth for s in frame.system]
    frame["processors"] = [float(common.CHIPS[s].processors) for s in frame.system]
    shares = yaml.safe_load((common.FITS / "vector.yaml").read_text(encoding="utf-8"))["curves"]
    frame["memory"] = [float(shares[a]["coefficients"]["memory"]) for a in frame.architecture]
    frame["source"] = frame.system + " " + frame.framework + " " + frame.kernel_source
    frame["seconds"] = frame.latency_ms / 1e3
    return frame.reset_index(drop=True)


def weights(frame: pd.DataFrame) -> np.ndarray:
    """Training prompts first: 3 from 2k tokens, 2 from 512, else 0.5; 0.4 of it where the work does not fill a chip."""
    long = np.where(frame.isl >= 2048, 3.0, np.where(frame.isl >= 512, 2.0, 0.5))
    return long * np.where(frame.batch_size * frame.num_heads * frame.isl >= 16384, 1.0, 0.4)


def predict(frame: pd.DataFrame, values: np.ndarray, factor: np.ndarray, tile: float) -> np.ndarray:
    """Seconds of every row."""
    names = ["batch_size", "isl", "num_heads", "num_key_value_heads", "head_dim", "window_size"]
    columns = common.numbers(frame, [*names, "peak", "bandwidth", "processors", "memory"])
    return np.asarray(times(*columns, factor, values, tile))


def fit(frame: pd.DataFrame, tile: float) -> tuple[float, np.ndarray, dict[str, float]]:
    """Cost, coefficients and source factors for one tile."""
    code = frame.source.astype("category").cat
    measured, weight, codes = frame.seconds.to_numpy(), weights(frame), code.codes.to_numpy()
    values, factor, *_ = common.search(
        KNOBS, lambda v, f, *_: predict(frame, v, f[codes], tile), measured, weight, codes, loss=0.15
    )
    gap = np.log(predict(frame, values, factor[codes], tile) / measured)
    cost = float((weight * (np.sqrt(1.0 + (gap / 0.15) ** 2) - 1.0)).sum())
    return cost, values, {str(c): round(float(f), 4) for c, f in zip(code.categories, factor, strict=True)}


def bands(frame: pd.DataFrame, predicted: np.ndarray) -> dict[str, dict[str, float | int]]:
    """Errors by length, head size and window."""
    measured, full = frame.seconds.to_numpy(), (frame.window_size == 0).to_numpy()
    isl = frame.isl.to_numpy()
    masks = {"<512": isl < 512, "512-2047": (isl >= 512) & (isl < 2048) & full, ">=2048": (isl >= 2048) & full}
    heads = {d: (frame.head_dim == d).to_numpy() for d in sorted(set(frame.head_dim))}
    masks |= {f">=1024 head {d}": (isl >= 1024) & full & of_d for d, of_d in heads.items()}
    masks["windowed"] = ~full & (isl >= 512)
    return {name: common.errors(predicted[mask], measured[mask]) for name, mask in masks.items()}


def left_out(frame: pd.DataFrame, tile: float) -> dict[str, dict[str, float | int]]:
    """Error from 512 tokens of rows the fit never saw: each chip, else each third of the shapes."""
    by_chip = frame.system.nunique() > 1
    key = (frame.num_heads * 31 + frame.batch_size * 17 + frame.isl // 256) % 97 % 3
    group = frame.system if by_chip else key.map("shape block {}".format)
    out = {}
    for name in sorted(group.unique()):
        train, test = frame[group != name], frame[(group == name) & (frame.isl >= 512)]
        _, values, _ = fit(train, tile)
        out[str(name)] = common.errors(predict(test, values, np.ones(len(test)), tile), test.seconds.to_numpy())
    return out


def curve(frame: pd.DataFrame) -> dict[str, object]:
    """The record of one architecture."""
    found = {tile: fit(frame, tile) for tile in TILES}
    tile = min(found, key=lambda t: found[t][0])
    _, values, factors = found[tile]
    shipped = predict(frame, values, np.ones(len(frame)), tile)
    large = ((frame.isl >= 512) & (frame.window_size == 0)).to_numpy()
    gap = np.log(shipped / frame.seconds.to_numpy())[large]
    found_values = common.rounded({k.name: float(v) for k, v in zip(KNOBS, values, strict=True)})
    coefficients = {name: value for name, value in found_values.items() if name != "extra"}
    coefficients |= {"memory": float(frame.memory.iloc[0]), "corner": CORNER, "tile": tile}
    coefficients |= {"backward": BACKWARD, "spread": round(float(np.std(gap)), 4)}
    return {
        "coefficients": coefficients,
        "rows": len(frame),
        "timed_extra": found_values["extra"],
        "sources": factors,
        "error": bands(frame, shipped),
        "error_left_out": left_out(frame, tile),
    }


def check(coefficients: dict[str, float]) -> dict[str, dict[str, float | int]]:
    """Error of the hopper curve against the figures of the FlashAttention-3 paper, from 2k tokens."""
    chip, fit = common.CHIPS["h100_sxm"], AttentionFit(**coefficients)
    rates = ChipRates(chip.peak["bf16"], chip.bandwidth, float(chip.processors))
    out = {}
    for dim, causal, speeds in PUBLISHED:
        heads = 2048.0 / dim
        measured, predicted = [], []
        for size, speed in list(zip((512, 1024, 2048, 4096, 8192, 16384), speeds, strict=True))[2:]:
            flops = 4.0 * 16384 * size * heads * dim * (0.5 if causal else 1.0)
            measured.append(flops / (speed * 1e12))
            one = (16384.0 / size, size, size, heads, heads, dim, dim, 0.0, causal)
            predicted.append(roofline.attention_time(*one, rates, fit))
        out[f"head {dim}{' causal' if causal else ''}"] = common.errors(np.array(predicted), np.array(measured))
    return out


def main() -> None:
    """Fit every architecture and write the record."""
    data = common.arguments(__doc__ or "")
    curves: dict[str, Any] = {str(name): curve(part) for name, part in load(data).groupby("architecture")}
    common.write(
        "attention",
        {
            "date": common.DATE,
            "method": "tools/fit/attention.py: soft-L1 of log(predicted/measured) of perf.roofline.attention_time",
            "backward": BACKWARD_SOURCE,
            "input": {TABLE: common.digest(data / "kernels" / TABLE)},
            "check_on_published": {"source": "arXiv:2407.08608, figure 5", **check(curves["hopper"]["coefficients"])},
            "curves": curves,
        },
    )


if __name__ == "__main__":
    main()
