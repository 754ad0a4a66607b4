"""Fit matrix-product efficiency: python tools/fit/gemm.py --data ../shared/data  ->  data/fits/gemm.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import common
import numba
import numpy as np
import pandas as pd

from exaplan.perf import roofline
from exaplan.perf.roofline import ChipRates, GemmFit

TABLES = ("gemm_aiconfigurator.csv.gz", "gemm_h20_h800_mi210.csv.gz")
FORMATS = {"bfloat16": "bf16", "fp16": "bf16", "fp8": "fp8", "fp8_block": "fp8_block", "nvfp4": "nvfp4"}
IN_BYTES = {"bf16": 2.0, "fp8": 1.0, "fp8_block": 1.0, "nvfp4": 0.5625}
DEEPGEMM = ("h100_sxm", "h200_sxm", "b200_sxm", "gb200")  # block-scaled fp8: only that library's rows, as in training
BARE = ("h20", "h800")  # timed without quantising the input
UNBOUND = ("h20",)  # so few FLOP/s for its power that the clock never falls: its factor is kept apart
# One machine whose products run at half the rate once they last over 1 ms (1,800 against 1,000 TFLOP/s): power capped.
CAPPED = "gb200 vllm 0.24"
# Fall-back kernels for odd shapes are not what training runs: left out.
LEFT_OUT = "CutlassFp8Block|TritonFp8Block|FlashInferFp8Block"
SPLITS = (40.0, 1000.0)  # two first guesses: the cost has more than one valley
TILES = ((128.0, 128.0), (128.0, 256.0), (64.0, 256.0), (192.0, 256.0), (256.0, 128.0), (256.0, 256.0))
KNOBS = [
    common.Knob("peak", 0.75, 0.2, 1.0),
    common.Knob("ramp", 60.0, 1.0, 2000.0),
    common.Knob("memory", 0.75, 0.3, 1.0),
    common.Knob("wave", 0.2, 0.001, 1.0),
    common.Knob("corner", 3.0, 1.3, 8.0),
    common.Knob("floor", 3e-6, 5e-7, 2e-5),
    common.Knob("split", 1000.0, 32.0, 65536.0),
]
time = common.compiled(roofline.matmul_time)


@numba.njit
def times(m, n, k, in_bytes, peak, bandwidth, processors, factor, c, tile_m, tile_n):  # type: ignore[no-untyped-def]
    out = np.empty(len(m))
    for i in range(len(m)):
        fit = GemmFit(c[0] * factor[i], c[1], c[2], c[3], c[4], c[5], c[6], tile_m, tile_n, 0.0)
        out[i] = time(m[i], n[i], k[i], 1.0, in_bytes, 2.0, ChipRates(peak[i], bandwidth[i], processors[i]), fit)
    return out


def load(data: Path) -> pd.DataFrame:
    """Measured products of known chips and formats, with a source label and the chip's rates."""
    frame = pd.concat([pd.read_csv(data / "kernels" / t) for t in TABLES], ignore_index=True)
    frame["format"] = frame.dtype.where(~frame.dtype.str.startswith("fp8 ("), "fp8_block").map(FORMATS)
    frame = frame[frame.format.notna() & frame.system.isin(common.CHIPS)]
    frame = frame[~frame.kernel_source.fillna("").str.contains(LEFT_OUT)]
    other = ~(frame.kernel_source.fillna("") + frame.framework.fillna("")).str.lower().str.contains("deepgemm")
    frame = frame[~((frame.format == "fp8_block") & frame.system.isin(DEEPGEMM) & other)]
    frame = frame[~((frame.format == "fp8") & (frame.kernel_source == "vllm_default"))]  # superseded kernels
    known = [f in common.CHIPS[s].peak for s, f in zip(frame.system, frame.format, strict=True)]
    frame = frame[known]
    frame["architecture"] = [common.CHIPS[s].architecture for s in frame.system]
    frame["peak"] = [common.CHIPS[s].peak[f] for s, f in zip(frame.system, frame.format, strict=True)]
    frame["bandwidth"] = [common.CHIPS[s].bandwidth for s in frame.system]
    frame["processors"] = [float(common.CHIPS[s].processors) for s in frame.system]
    names = frame.kernel_source.fillna("").str.split("/").str[0]
    frame["source"] = frame.system + " " + frame.framework + " " + frame.version.fillna("").astype(str) + " " + names
    frame["seconds"] = frame.latency_ms / 1e3
    frame = frame[~frame.source.str.startswith(CAPPED)]
    return frame.reset_index(drop=True)


def weights(frame: pd.DataFrame) -> np.ndarray:
    """Training shapes first: 3 for m >= 2048, 2 for m >= 512, 0.7 for decoding, 0.25 where n or k is tiny."""
    wide = (frame.n >= 512) & (frame.k >= 512)
    large = np.where(frame.m >= 2048, 3.0, np.where(frame.m >= 512, 2.0, 0.7))
    return np.where(wide, large, 0.25)


def predict(frame: pd.DataFrame, values: np.ndarray, factor: np.ndarray, tile: tuple[float, float]) -> np.ndarray:
    """Seconds of the product alone, for every row."""
    columns = common.numbers(frame, ["m", "n", "k"])
    rates = common.numbers(frame, ["peak", "bandwidth", "processors"])
    in_bytes = IN_BYTES[frame.format.iloc[0]]
    return np.asarray(times(*columns, in_bytes, *rates, factor, values, *tile))


def casting(frame: pd.DataFrame, memory: float, cast: np.ndarray, launch: np.ndarray) -> np.ndarray:
    """Seconds that a benchmark spends on quantising x[m, k] inside the timed region: ``cast`` bytes per element."""
    moved = cast * (frame.m * frame.k).to_numpy() / (frame.bandwidth.to_numpy() * memory)
    return np.where((~frame.system.isin(BARE)).to_numpy(), moved + launch, 0.0)


class Found(NamedTuple):
    """One search: cost, tile, coefficients; factor, cast [B per element] and its launch [s] by source name."""

    cost: float
    tile: tuple[float, float]
    values: np.ndarray
    factors: dict[str, float]
    casts: dict[str, float]
    launches: dict[str, float]

    def peak_of(self, chip: str) -> float:
        """Peak fraction of one chip that has a factor of its own."""
        factor = float(np.mean([f for name, f in self.factors.items() if name.split()[0] == chip]))
        return round(min(1.0, float(self.values[0]) * factor), 4)

    def whole(self, frame: pd.DataFrame, own: bool) -> np.ndarray:
        """Seconds of what was timed (product and cast); ``own``: with each source's factor, else the shipped curve."""
        ours = frame.source.map(self.factors).fillna(1.0).to_numpy()
        factor = ours if own else np.where(frame.system.isin(UNBOUND), ours, 1.0)
        usual = [float(np.median(list(d.values()))) for d in (self.casts, self.launches)]
        cast = frame.source.map(self.casts).fillna(usual[0]).to_numpy()
        launch = frame.source.map(self.launches).fillna(usual[1]).to_numpy()
        made: np.ndarray = np.add(
            predict(frame, self.values, factor, self.tile), casting(frame, self.values[2], cast, launch)
        )
        return made


def fit(frame: pd.DataFrame, tile: tuple[float, float], split: float = SPLITS[0]) -> Found:
    """Search one (architecture, format) for one tile shape, from one first guess of ``split``."""
    code = frame.source.astype("category").cat
    codes, names = code.codes.to_numpy(), [str(c) for c in code.categories]
    weight, measured = weights(frame), frame.seconds.to_numpy()
    casts = frame.format.iloc[0] != "bf16"

    def whole(v: np.ndarray, f: np.ndarray, c: np.ndarray, t: np.ndarray) -> np.ndarray:
        made: np.ndarray = np.add(predict(frame, v, f[codes], tile), casting(frame, v[2], c[codes], t[codes]))
        return made

    reference = np.array([float(n.split()[0] not in UNBOUND) for n in names])
    knobs = [k._replace(start=split) if k.name == "split" else k for k in KNOBS]
    point = common.search(knobs, whole, measured, weight, codes, reference, casts)
    gap = np.log(whole(*point) / measured)
    cost = float((weight * (np.sqrt(1.0 + (gap / 0.1) ** 2) - 1.0)).sum())
    by_name = [{n: float(f"{x:.4g}") for n, x in zip(names, xs, strict=True)} for xs in point[1:]]
    return Found(cost, tile, point[0], *by_name)


def best(frame: pd.DataFrame) -> Found:
    """The tile shape of least cost."""
    return min((fit(frame, tile, split) for tile in TILES for split in SPLITS), key=lambda f: f.cost)


def bands(frame: pd.DataFrame, predicted: np.ndarray) -> dict[str, dict[str, float | int]]:
    """Errors by size: decode, small and large training products; n and k at least 512."""
    wide = ((frame.n >= 512) & (frame.k >= 512)).to_numpy()
    m, measured = frame.m.to_numpy(), frame.seconds.to_numpy()
    edges = {"m<64": (0, 64), "64<=m<512": (64, 512), "512<=m<2048": (512, 2048), "m>=2048": (2048, 10**9)}
    out = {}
    for name, (low, high) in edges.items():
        rows = wide & (m >= low) & (m < high)
        out[name] = common.errors(predicted[rows], measured[rows])
    return out


def left_out(frame: pd.DataFrame, tile: tuple[float, float]) -> dict[str, dict[str, float | int]]:
    """Error on training shapes (m >= 512) of rows the fit never saw: each chip, else each third of the (n, k) plane."""
    by_chip = frame.system.nunique() > 1
    group = frame.system if by_chip else ((frame.n * 31 + frame.k * 17) % 97 % 3).map("shape block {}".format)
    out = {}
    for name in sorted(group.unique()):
        wide = (frame.m >= 512) & (frame.n >= 512) & (frame.k >= 512)
        train, test = frame[group != name], frame[(group == name) & wide]
        out[str(name)] = common.errors(fit(train, tile).whole(test, own=False), test.seconds.to_numpy())
    return out


def curve(frame: pd.DataFrame) -> dict[str, object]:
    """The record of one (architecture, format)."""
    found = best(frame)
    shipped, own = found.whole(frame, own=False), found.whole(frame, own=True)
    wide = ((frame.n >= 512) & (frame.k >= 512) & (frame.m >= 512) & ~frame.system.isin(UNBOUND)).to_numpy()
    gap = np.log(shipped / frame.seconds.to_numpy())[wide]
    middle = 1.4826 * float(np.median(abs(gap - np.median(gap))))
    coefficients = common.rounded({k.name: float(v) for k, v in zip(KNOBS, found.values, strict=True)})
    coefficients |= {"tile_m": found.tile[0], "tile_n": found.tile[1], "spread": round(middle, 4)}
    return {
        "coefficients": coefficients,
        "rows": len(frame),
        "chip_peak": {chip: found.peak_of(chip) for chip in UNBOUND if chip in set(frame.system)},
        "sources": found.factors,
        "timed_cast": {"bytes": found.casts, "launch": found.launches} if any(found.casts.values()) else {},
        "error": bands(frame, shipped),
        "error_with_source_factor": bands(frame, own),
        "error_left_out": left_out(frame, found.tile),
    }


def main() -> None:
    """Fit every (architecture, format) and write the record."""
    data = common.arguments(__doc__ or "")
    frame = load(data)
    curves: dict[str, dict[str, object]] = {}
    for (architecture, form), part in frame.groupby(["architecture", "format"]):
        curves[f"{architecture}/{form}"] = curve(part)
        print(architecture, form, curves[f"{architecture}/{form}"])
    for key in curves:  # one machine's H20 rows (block-scaled fp8) speak for its other formats, too
        if key.startswith("hopper/"):
            curves[key]["chip_peak"] = curves["hopper/fp8_block"]["chip_peak"]
    common.write(
        "gemm",
        {
            "date": common.DATE,
            "method": (
                "tools/fit/gemm.py: soft-L1 of log(predicted/measured) of roofline.matmul_time; tile by least cost"
            ),
            "input": {t: common.digest(data / "kernels" / t) for t in TABLES},
            "curves": curves,
        },
    )


if __name__ == "__main__":
    main()
