"""Fit matrix products of serving, few rows first: formats of weights by architecture (part of serving_kernels.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import common
import numba
import numpy as np
import pandas as pd

from exaplan.perf.roofline import ChipRates, GemmFit
from exaplan.perf.serving import operators

TABLE = "gemm_aiconfigurator.csv.gz"
FORMATS = {
    "bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8_block", "nvfp4": "nvfp4",
    "int4_wo": "int4_wo", "int8_wo": "int8_wo", "sq": "sq",
}  # fmt: skip
# Format -> (B per weight, B per input element, peak it multiplies at)
WIDTHS = {
    "bf16": (2.0, 2.0, "bf16"), "fp8": (1.0, 1.0, "fp8"), "fp8_block": (1.0, 1.0, "fp8_block"),
    "nvfp4": (0.5625, 0.5625, "nvfp4"), "int4_wo": (0.515625, 2.0, "bf16"), "int8_wo": (1.0, 2.0, "bf16"),
    "sq": (1.0, 1.0, "int8"),
}  # fmt: skip
# Dense INT8 peaks [OP/s], vendors' datasheets as in shared/data/chips.csv.
INT8 = {"a100_sxm": 624e12, "h100_sxm": 1978.9e12, "h200_sxm": 1978.9e12, "l40s": 733e12}
# Fall-back kernels of block-scaled FP8 for odd shapes, up to fifty times slower: not what is served.
LEFT_OUT = "CutlassFp8Block|TritonFp8Block|FlashInferFp8Block"
# Second-level cache [B] of chips whose tables show it: a matrix that fits in it was read from there, run after run, as
# no layer of a model is. Rows between a tiny matrix and it are left out.
CACHES = {"l40s": 96e6, "rtx_pro_6000_server": 128e6}
TINY = 4e6
TILES = ((64.0, 128.0), (128.0, 128.0), (64.0, 256.0), (128.0, 256.0))
KNOBS = [
    common.Knob("peak", 0.7, 0.1, 1.0),
    common.Knob("ramp", 60.0, 1.0, 2000.0),
    common.Knob("memory", 0.75, 0.2, 1.0),
    common.Knob("wave", 0.2, 0.001, 1.0),
    common.Knob("corner", 3.0, 1.3, 8.0),
    common.Knob("floor", 3e-6, 5e-7, 3e-5),
    common.Knob("split", 300.0, 32.0, 65536.0),
]
time = common.compiled(operators.product_time)


@numba.njit
def times(m, n, k, weight, given, peak, bandwidth, processors, c, tile_m, tile_n):  # type: ignore[no-untyped-def]
    out = np.empty(len(m))
    fit = GemmFit(c[0], c[1], c[2], c[3], c[4], c[5], c[6], tile_m, tile_n, 0.0)
    for i in range(len(m)):
        rates = ChipRates(peak[i], bandwidth[i], processors[i])
        out[i] = time(m[i], n[i], k[i], 1.0, weight, given, rates, fit, 1.0)
    return out


def peak_of(system: str, form: str) -> float:
    """Peak of a system for products with weights in a format; 0 where it has none."""
    key = WIDTHS[form][2]
    return INT8.get(system, 0.0) if key == "int8" else common.CHIPS[system].peak.get(key, 0.0)


def load(data: Path) -> pd.DataFrame:
    """Measured products of known chips and formats; every engine's own kernels, the cast of the input included."""
    frame = pd.read_csv(data / "kernels" / TABLE)
    frame["format"] = frame.dtype.map(FORMATS)
    frame = frame[frame.format.notna() & frame.system.isin(common.CHIPS)]
    frame["peak"] = [peak_of(s, f) for s, f in zip(frame.system, frame.format, strict=True)]
    frame = frame[~frame.kernel_source.fillna("").str.contains(LEFT_OUT)]
    size = frame.n * frame.k * np.array([WIDTHS[f][0] for f in frame.format])
    frame = frame[~((size > TINY) & (size < frame.system.map(CACHES).fillna(0.0)))]
    frame = frame[(frame.peak > 0.0) & (frame.n >= 256) & (frame.k >= 256) & (frame.m <= 16384)]
    frame["architecture"] = [common.CHIPS[s].architecture for s in frame.system]
    frame["bandwidth"] = [common.CHIPS[s].bandwidth for s in frame.system]
    frame["processors"] = [float(common.CHIPS[s].processors) for s in frame.system]
    frame["seconds"] = frame.latency_ms / 1e3
    frame["source"] = frame.system + " " + frame.framework + " " + frame.version.astype(str)
    return frame.reset_index(drop=True)


def weights(frame: pd.DataFrame) -> np.ndarray:
    """Decoding shapes first: 2 up to 512 rows, else 1; 0.4 where n or k is below 1,024."""
    wide = (frame.n >= 1024) & (frame.k >= 1024)
    return np.where(frame.m <= 512, 2.0, 1.0) * np.where(wide, 1.0, 0.4)


def predict(frame: pd.DataFrame, values: np.ndarray, tile: tuple[float, float]) -> np.ndarray:
    """Seconds of every row."""
    weight, given, _ = WIDTHS[frame.format.iloc[0]]
    columns = common.numbers(frame, ["m", "n", "k"])
    rates = common.numbers(frame, ["peak", "bandwidth", "processors"])
    return np.asarray(times(*columns, weight, given, *rates, values, *tile))


class Found(NamedTuple):
    """One search: cost, tile, coefficients, and by source the launch [s] and bytes per element of casting the input."""

    cost: float
    tile: tuple[float, float]
    values: np.ndarray
    launches: dict[str, float]
    casts: dict[str, float]

    def whole(self, frame: pd.DataFrame) -> np.ndarray:
        """Seconds of what was timed: the product, and the cast of the input as each benchmark does it."""
        launch = frame.source.map(self.launches).fillna(middle(self.launches)).to_numpy()
        cast = frame.source.map(self.casts).fillna(middle(self.casts)).to_numpy()
        moved = cast * (frame.m * frame.k).to_numpy() / (frame.bandwidth.to_numpy() * self.values[2])
        made: np.ndarray = np.add(predict(frame, self.values, self.tile), launch + moved)
        return made


def middle(values: dict[str, float]) -> float:
    """The median of a source's figures, for a source that was not seen."""
    return float(np.median(list(values.values()))) if values else 0.0


def fit(frame: pd.DataFrame, tile: tuple[float, float], floor: float) -> Found:
    """Search one (architecture, format) for one tile.

    Below 16 bit the floor is that of 16-bit products (``floor`` [s]; 0 = fit it): what a benchmark takes longer for an
    empty product is its cast of the input, which engines fuse into the pass before.
    """
    weight, measured = weights(frame), frame.seconds.to_numpy()
    code = frame.source.astype("category").cat
    codes, names = code.codes.to_numpy(), [str(c) for c in code.categories]
    knobs = [
        k._replace(start=floor, low=0.999 * floor, high=1.001 * floor) if floor and k.name == "floor" else k
        for k in KNOBS
    ]
    casting, size = floor > 0.0, (frame.m * frame.k).to_numpy() / frame.bandwidth.to_numpy()

    def whole(v: np.ndarray, f: np.ndarray, c: np.ndarray, t: np.ndarray) -> np.ndarray:
        made: np.ndarray = np.add(predict(frame, v, tile), c[codes] * size / v[2] + t[codes])
        return made

    values, _, casts, launches = common.search(knobs, whole, measured, weight, codes, casts=casting, loss=0.15)
    gap = np.log(whole(values, casts, casts, launches) / measured)
    cost = float((weight * (np.sqrt(1.0 + (gap / 0.15) ** 2) - 1.0)).sum())
    by_name = [{n: float(f"{x:.4g}") for n, x in zip(names, xs, strict=True)} for xs in (launches, casts)]
    return Found(cost, tile, values, *by_name)


def bands(frame: pd.DataFrame, predicted: np.ndarray) -> dict[str, dict[str, float | int]]:
    """Errors by rows of the product."""
    m, measured = frame.m.to_numpy(), frame.seconds.to_numpy()
    edges = {"m<=16": (0, 17), "16<m<=128": (17, 129), "128<m<=1024": (129, 1025), "m>1024": (1025, 10**9)}
    wide = ((frame.n >= 1024) & (frame.k >= 1024)).to_numpy()
    kept = {name: wide & (m >= low) & (m < high) for name, (low, high) in edges.items()}
    return {name: common.errors(predicted[rows], measured[rows]) for name, rows in kept.items()}


def left_out(frame: pd.DataFrame, tile: tuple[float, float], floor: float) -> dict[str, dict[str, float | int]]:
    """Error on rows up to 512 of a system or, of a lone system, of an engine that the fit never saw."""
    group = frame.system if frame.system.nunique() > 1 else frame.source
    made = {}
    for name in sorted(group.unique()):
        train, test = frame[group != name].reset_index(drop=True), frame[(group == name) & (frame.m <= 512)]
        if len(train) and len(test):
            made[str(name)] = common.errors(fit(train, tile, floor).whole(test), test.seconds.to_numpy())
    return made


def curve(frame: pd.DataFrame, floor: float) -> dict[str, object]:
    """The record of one (architecture, format)."""
    found = min((fit(frame, tile, floor) for tile in TILES), key=lambda f: f.cost)
    tile, values = found.tile, found.values
    made = found.whole(frame)
    small = (frame.m <= 512).to_numpy()
    gap = np.log(made / frame.seconds.to_numpy())[small]
    spread = 1.4826 * float(np.median(abs(gap - np.median(gap))))
    coefficients = common.rounded({k.name: float(v) for k, v in zip(KNOBS, values, strict=True)})
    coefficients |= {"tile_m": tile[0], "tile_n": tile[1], "spread": round(spread, 4)}
    by_source = {n: round(float(np.median(made[r] / frame.seconds.to_numpy()[r])), 3) for n, r in sources(frame)}
    return {
        "coefficients": coefficients,
        "rows": len(frame),
        "timed_cast": {"launch": found.launches, "bytes": found.casts} if floor else {},
        "predicted_over_measured": by_source,
        "error": bands(frame, made),
        "error_left_out": left_out(frame, tile, floor),
    }


def sources(frame: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
    """Rows of each source, up to 512 rows of a product."""
    small = (frame.m <= 512).to_numpy()
    return [(str(n), (frame.source == n).to_numpy() & small) for n in sorted(frame.source.unique())]


def curves(data: Path) -> dict[str, dict[str, Any]]:
    """Every (architecture, format), 16 bit first."""
    frame = load(data)
    made: dict[str, dict[str, Any]] = {}
    for architecture, part in frame.groupby("architecture"):
        for form in sorted(part.format.unique(), key=lambda f: (f != "bf16", f)):
            floor = made[f"{architecture}/bf16"]["coefficients"]["floor"] if form != "bf16" else 0.0
            key = f"{architecture}/{form}"
            made[key] = curve(part[part.format == form].reset_index(drop=True), floor)
            print(key, made[key], flush=True)
    return made
