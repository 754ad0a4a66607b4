"""What the fitting scripts share: measured chips, compiled formulas, robust least squares, and the record.

A fit never copies a formula: it compiles the plain function of ``exaplan.perf`` and searches its coefficients.
"""

from __future__ import annotations

import argparse
import hashlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pandas as pd
import yaml
from scipy.optimize import least_squares

DATE = "2026-11-22"
FITS = Path(__file__).resolve().parents[2] / "src" / "exaplan" / "data" / "fits"


class Measured(NamedTuple):
    """A measured system: architecture whose curve it feeds, bandwidth [B/s], processors, peak [FLOP/s] by format."""

    architecture: str
    bandwidth: float
    processors: int
    peak: dict[str, float]


# Dense peaks, bandwidths and processor counts: vendors' datasheets as listed in shared/data/chips.csv (GB200: per GPU).
CHIPS = {
    "a100_sxm": Measured("ampere", 2039e9, 108, {"bf16": 312e12}),
    "a100": Measured("ampere", 2039e9, 108, {"bf16": 312e12}),
    "h100_sxm": Measured("hopper", 3350e9, 132, {"bf16": 989.4e12, "fp8": 1978.9e12, "fp8_block": 1978.9e12}),
    "h200_sxm": Measured("hopper", 4800e9, 132, {"bf16": 989.4e12, "fp8": 1978.9e12, "fp8_block": 1978.9e12}),
    "h800": Measured("hopper", 3350e9, 132, {"bf16": 989.4e12, "fp8_block": 1978.9e12}),
    "h20": Measured("hopper", 4000e9, 78, {"bf16": 148e12, "fp8_block": 296e12}),
    "b200_sxm": Measured(
        "blackwell", 8000e9, 148, {"bf16": 2250e12, "fp8": 4500e12, "fp8_block": 4500e12, "nvfp4": 9000e12}
    ),
    "gb200": Measured(
        "blackwell", 8000e9, 148, {"bf16": 2500e12, "fp8": 5000e12, "fp8_block": 5000e12, "nvfp4": 10000e12}
    ),
    "l40s": Measured("ada", 864e9, 142, {"bf16": 362e12, "fp8": 733e12, "fp8_block": 733e12}),
    "rtx_pro_6000_server": Measured(
        "blackwell_rtx", 1597e9, 188, {"bf16": 503.8e12, "fp8": 1007.6e12, "fp8_block": 1007.6e12, "nvfp4": 2015e12}
    ),
    "b60": Measured("battlemage", 456e9, 20, {"bf16": 98.3e12}),
    "mi210": Measured("cdna2", 1638e9, 104, {"bf16": 181e12}),
}


def compiled(function: Callable[..., float]) -> Callable[..., float]:
    """``function`` and, through its globals, every plain function that it calls, compiled by numba."""
    scope = dict(function.__globals__)
    for name in function.__code__.co_names:
        if isinstance(scope.get(name), types.FunctionType):
            scope[name] = compiled(scope[name])
    twin = types.FunctionType(function.__code__, scope, function.__name__, function.__defaults__)
    jit: Any = numba.njit  # its stubs know it as a decorator only
    made: Callable[..., float] = jit(twin)
    return made


def digest(path: Path) -> str:
    """sha256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def errors(predicted: np.ndarray, measured: np.ndarray) -> dict[str, float | int]:
    """Rows, median and mean absolute relative error, and bias (median signed error)."""
    ratio = predicted / measured - 1.0
    if len(ratio) == 0:
        return {"n": 0}
    return {
        "n": len(ratio),
        "median": round(float(np.median(abs(ratio))), 4),
        "mean": round(float(np.mean(abs(ratio))), 4),
        "bias": round(float(np.median(ratio)), 4),
    }


class Knob(NamedTuple):
    """A coefficient to fit: first guess and hard physical bounds; searched in its logarithm."""

    name: str
    start: float
    low: float
    high: float


def search(
    knobs: list[Knob],
    predict: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    measured: np.ndarray,
    weight: np.ndarray,
    source: np.ndarray,
    reference: np.ndarray | None = None,
    casts: bool = False,
    loss: float = 0.1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients; for each source of measurements a factor on the peak, and bytes and launch time of quantising.

    predict(coefficients, factor, cast, launch; by source) -> seconds. Minimises soft-L1 of log(predicted / measured);
    ``source`` holds the index of each row's source. The factors absorb how each benchmark loads the chip (clocks,
    data, library); the weighted mean of their logs over ``reference`` sources is 0. ``casts``: some benchmarks quantise
    the input inside the timed region; fit bytes per input element and launch [s] of that, too.
    """
    count, size = int(source.max()) + 1, len(knobs)
    share = np.array([weight[source == i].sum() for i in range(count)])
    share = share * (np.ones(count) if reference is None else reference)
    share /= share.sum()

    def split(point: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        shift, rest = point[size : size + count], np.exp(point[size + count :])
        cast, launch = (rest[:count], rest[count:]) if casts else (np.zeros(count), np.zeros(count))
        return np.exp(point[:size]), np.exp(shift - (shift * share).sum()), cast, launch

    def residual(point: np.ndarray) -> np.ndarray:
        gap = np.sqrt(weight) * np.log(predict(*split(point)) / measured)
        return np.concatenate([gap, 0.3 * point[size : size + count]])

    def bounds(knob: str, shift: float, cast: float, launch: float) -> np.ndarray:
        own = [np.full(count, np.log(cast)), np.full(count, np.log(launch))] if casts else []
        return np.concatenate([[np.log(getattr(k, knob)) for k in knobs], np.full(count, shift), *own])

    low, high = bounds("low", -1.0, 0.01, 1e-7), bounds("high", 1.0, 60.0, 4e-4)
    start = bounds("start", 0.0, 3.0, 3e-6)
    found = least_squares(residual, start, bounds=(low, high), loss="soft_l1", f_scale=loss, diff_step=1e-4)
    return split(found.x)


def rounded(values: dict[str, float]) -> dict[str, float]:
    """Coefficients to four significant digits."""
    return {name: float(f"{value:.4g}") for name, value in values.items()}


def numbers(frame: pd.DataFrame, columns: list[str]) -> list[np.ndarray]:
    """Columns as float arrays."""
    return [frame[c].to_numpy(float) for c in columns]


def arguments(text: str) -> Path:
    """--data DIR: the folder that holds kernels/."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--data", type=Path, required=True, help="folder with kernels/*.csv.gz")
    return Path(parser.parse_args().data)


def write(name: str, record: dict[str, Any]) -> None:
    """Write a fit record as YAML."""
    path = FITS / f"{name}.yaml"
    path.write_text(yaml.safe_dump(record, sort_keys=False, width=118, allow_unicode=True), encoding="utf-8")
    print(f"wrote {path.name}")
