"""Fit small all-reduces by engine, and the exchange of tokens between experts (part of serving_kernels.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import common
import numba
import numpy as np
import pandas as pd

from exaplan.perf.serving import operators
from exaplan.perf.serving.inputs import ExchangeFit, ReduceFit

TABLE = "collectives_aiconfigurator.csv.gz"
DEEPEP = "deepep_alltoall_aiconfigurator.csv.gz"
# Scale-up bandwidth of one chip, one direction [B/s]: NVLink 3, 4, 5, and PCIe 4 and 5 x16 (vendors' datasheets).
LINKS = {
    "a100_sxm": ("ampere", 300e9), "h100_sxm": ("hopper", 450e9), "h200_sxm": ("hopper", 450e9),
    "b200_sxm": ("blackwell", 900e9), "gb200": ("blackwell", 900e9), "b300_sxm": ("blackwell-ultra", 900e9),
    "gb300": ("blackwell-ultra", 900e9), "l40s": ("ada", 32e9), "rtx_pro_6000_server": ("blackwell_rtx", 64e9),
}  # fmt: skip
LIMITS = (0.0, 2097152.0)  # one shot up to size x ranks (vLLM and SGLang: 512 KiB x 4, 256 KiB x 8), or the quicker
LARGEST = 8388608  # beyond it engines hand over to NCCL
KNOBS = [
    common.Knob("base", 4e-6, 1e-6, 6e-5),
    common.Knob("hop", 2e-7, 1e-8, 1e-5),
    common.Knob("one", 0.5, 0.01, 1.0),
    common.Knob("late", 8e-6, 1e-6, 1e-4),
    common.Knob("late_hop", 5e-7, 1e-8, 1e-5),
    common.Knob("two", 0.5, 0.005, 1.0),
]
time = common.compiled(operators.small_all_reduce)


@numba.njit
def times(size, ranks, link, c, limit):  # type: ignore[no-untyped-def]
    out = np.empty(len(size))
    fit = ReduceFit(c[0], c[1], c[2], c[3], c[4], c[5], limit, 0.0)
    for i in range(len(size)):
        out[i] = time(size[i], ranks[i], link[i], fit)
    return out


def load(data: Path) -> pd.DataFrame:
    """All-reduces of engines, replayed from graphs where both were timed, up to 8 MiB."""
    frame = pd.read_csv(data / "kernels" / TABLE)
    frame = frame[(frame.table == "custom_allreduce") & frame.system.isin(LINKS) & (frame.message_bytes <= LARGEST)]
    frame = frame[~frame.kernel_source.str.contains("eager")]
    frame["architecture"] = [LINKS[s][0] for s in frame.system]
    frame["link"] = [LINKS[s][1] for s in frame.system]
    frame["seconds"] = frame.latency_ms / 1e3
    keys = ["system", "framework", "version", "num_gpus", "message_bytes"]
    return frame.drop_duplicates(keys).reset_index(drop=True)


def predict(frame: pd.DataFrame, values: np.ndarray, limit: float) -> np.ndarray:
    """Seconds of every row."""
    return np.asarray(times(*common.numbers(frame, ["message_bytes", "num_gpus", "link"]), values, limit))


def fit(frame: pd.DataFrame, limit: float) -> tuple[float, np.ndarray]:
    """Cost and coefficients."""
    measured, weight = frame.seconds.to_numpy(), np.ones(len(frame))
    codes = np.zeros(len(frame), dtype=int)
    values, *_ = common.search(KNOBS, lambda v, *_: predict(frame, v, limit), measured, weight, codes, loss=0.15)
    gap = np.log(predict(frame, values, limit) / measured)
    return float((np.sqrt(1.0 + (gap / 0.15) ** 2) - 1.0).sum()), values


def left_out(frame: pd.DataFrame, limit: float) -> dict[str, dict[str, float | int]]:
    """Error on a system or, of a lone one, a release that the fit never saw."""
    group = frame.system if frame.system.nunique() > 1 else frame.version
    made = {}
    for name in sorted(group.unique()):
        train, test = frame[group != name], frame[group == name]
        if len(train) and len(test):
            made[str(name)] = common.errors(predict(test, fit(train, limit)[1], limit), test.seconds.to_numpy())
    return made


def reduce_curve(frame: pd.DataFrame) -> dict[str, object]:
    """The record of one (architecture, engine)."""
    found = {limit: fit(frame, limit) for limit in LIMITS}
    limit = min(found, key=lambda x: found[x][0])
    made, measured = predict(frame, found[limit][1], limit), frame.seconds.to_numpy()
    gap = np.log(made / measured)
    coefficients = common.rounded({k.name: float(v) for k, v in zip(KNOBS, found[limit][1], strict=True)})
    coefficients |= {"limit": limit, "spread": round(1.4826 * float(np.median(abs(gap - np.median(gap)))), 4)}
    return {
        "coefficients": coefficients,
        "rows": len(frame),
        "error": common.errors(made, measured),
        "error_left_out": left_out(frame, limit),
    }


def reduce_curves(data: Path) -> dict[str, dict[str, object]]:
    """Every (architecture, engine), and every architecture."""
    frame = load(data)
    made = {}
    for architecture, part in frame.groupby("architecture"):
        for engine in ["", *sorted(part.framework.unique())]:
            own = part[part.framework == engine] if engine else part
            key = f"{architecture}/{engine}" if engine else str(architecture)
            made[key] = reduce_curve(own.reset_index(drop=True))
            print(key, made[key], flush=True)
    return made


# Scale-out bandwidth of one chip, one direction [B/s]: one 400 Gbit/s port each (DeepEP's published test beds).
NETWORK = 50e9
WIDTHS = {"dispatch": 1.03125, "combine": 2.0}  # B per element: FP8 with a scale per 128, and BF16
EXCHANGE_KNOBS = [
    common.Knob("base", 1e-5, 1e-6, 1e-4),
    common.Knob("node", 5e-6, 1e-7, 5e-5),
    common.Knob("inner", 0.5, 0.05, 1.0),
    common.Knob("outer", 0.8, 0.05, 1.0),
]
quick = common.compiled(operators.low_latency_time)


@numba.njit
def exchange_times(tokens, width, top, inner, outer, link, network, c):  # type: ignore[no-untyped-def]
    out = np.empty(len(tokens))
    fit = ExchangeFit(c[0], c[1], c[2], c[3], 0.0)
    for i in range(len(tokens)):
        out[i] = quick(tokens[i], width[i], top[i], inner[i], outer[i], link[i], network, fit)
    return out


def exchange_load(data: Path) -> pd.DataFrame:
    """Low-latency dispatches and combines, one row each; eight ranks a node."""
    frame = pd.read_csv(data / "kernels" / DEEPEP)
    frame = frame[(frame.table == "wideep_deepep_ll") & frame.system.isin(LINKS)]
    parts = []
    for way, width in WIDTHS.items():
        part = frame.assign(way=way, width=width * frame.hidden_size, seconds=frame[f"{way}_avg_t_us"] / 1e6)
        parts.append(part)
    made = pd.concat(parts, ignore_index=True)
    made["architecture"] = [LINKS[s][0] for s in made.system]
    made["link"] = [LINKS[s][1] for s in made.system]
    made["ranks"] = np.where(made.system.str.startswith("gb"), 4.0, 8.0)
    keys = [
        "version",
        "node_num",
        "hidden_size",
        "num_token",
        "num_topk",
        "num_experts",
        "way",
        "architecture",
        "seconds",
    ]
    return made.drop_duplicates(keys).reset_index(drop=True)


def exchange_predict(frame: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """Seconds of every row."""
    columns = common.numbers(frame, ["num_token", "width", "num_topk", "ranks", "node_num", "link"])
    return np.asarray(exchange_times(*columns, NETWORK, values))


def exchange_fit(frame: pd.DataFrame) -> np.ndarray:
    """Coefficients of one architecture."""
    measured, codes = frame.seconds.to_numpy(), np.zeros(len(frame), dtype=int)
    weight = np.where(frame.num_token <= 256, 1.0, 0.5)
    return common.search(EXCHANGE_KNOBS, lambda v, *_: exchange_predict(frame, v), measured, weight, codes, loss=0.15)[
        0
    ]


def exchange_curve(frame: pd.DataFrame, several: bool) -> dict[str, object]:
    """The record of one architecture; without rows of several nodes the network's share is that of Hopper."""
    values = exchange_fit(frame)
    made, measured = exchange_predict(frame, values), frame.seconds.to_numpy()
    gap = np.log(made / measured)
    coefficients = common.rounded({k.name: float(v) for k, v in zip(EXCHANGE_KNOBS, values, strict=True)})
    coefficients |= {"spread": round(1.4826 * float(np.median(abs(gap - np.median(gap)))), 4)}
    left = {}
    for name in sorted(frame.hidden_size.unique()):
        train, test = frame[frame.hidden_size != name], frame[frame.hidden_size == name]
        left[f"hidden {name}"] = common.errors(exchange_predict(test, exchange_fit(train)), test.seconds.to_numpy())
    return {
        "coefficients": coefficients,
        "rows": len(frame),
        "nodes": "measured" if several else "of hopper",
        "error": common.errors(made, measured),
        "error_left_out": left,
    }


def exchange_curves(data: Path) -> dict[str, dict[str, Any]]:
    """Every architecture, Hopper first, which alone was measured over several nodes."""
    frame = exchange_load(data)
    made: dict[str, dict[str, Any]] = {}
    for name in sorted(frame.architecture.unique(), key=lambda a: a != "hopper"):
        part = frame[frame.architecture == name].reset_index(drop=True)
        several = bool((part.node_num > 1).any())
        made[name] = exchange_curve(part, several)
        if not several:
            for field in ("node", "outer"):
                made[name]["coefficients"][field] = made["hopper"]["coefficients"][field]
        print(name, made[name], flush=True)
    return made
