"""Fit attention of decoding over a paged cache, by architecture and cache format (part of serving_kernels.py)."""

from __future__ import annotations

from pathlib import Path

import common
import numba
import numpy as np
import pandas as pd

from exaplan.perf.serving import attention

TABLE = "attention_aiconfigurator.csv.gz"
CACHE = {"bfloat16": 2.0, "fp8": 1.0}
NAMES = {"bfloat16": "bf16", "fp8": "fp8"}
# See serving_kernels_products.CACHES: a cache that fits in the second level was read from there.
CACHES = {"l40s": 96e6, "rtx_pro_6000_server": 128e6}
TINY = 4e6
PADS = (1.0, 8.0, 16.0, 64.0)
KNOBS = [
    common.Knob("memory", 0.75, 0.1, 1.3),
    common.Knob("rate", 0.4, 0.01, 1.0),
    common.Knob("floor", 5e-6, 1e-6, 3e-5),
    common.Knob("sequence", 1e-8, 1e-11, 5e-7),
    common.Knob("corner", 2.0, 1.0, 8.0),
]
time = common.compiled(attention.decode_kind_time)


@numba.njit
def times(b, context, h, kv, d, window, width, peak, bandwidth, c, pad):  # type: ignore[no-untyped-def]
    out = np.empty(len(b))
    for i in range(len(b)):
        row = np.zeros(attention.COLUMNS)
        row[1], row[2], row[3], row[4] = h[i], d[i], d[i], window[i]
        row[6], row[7] = 2.0 * width * kv[i] * d[i], 4.0 * h[i] * d[i]
        row[9], row[10], row[11], row[12] = c[1] * peak[i], c[0] * bandwidth[i], c[2], c[4]
        row[24], row[27], row[28], row[29] = 1.0, kv[i], pad, c[3]
        out[i] = time(row, b[i], context[i])
    return out


def load(data: Path) -> pd.DataFrame:
    """Measured decoding steps of known chips, on each engine's own kernel (not its fall-back for odd shapes)."""
    frame = pd.read_csv(data / "kernels" / TABLE)
    frame = frame[(frame.op == "generation_attention") & frame.system.isin(common.CHIPS)]
    frame = frame[~frame.kernel_source.str.contains("triton|fa4|torch_flow_flashinfer")]
    frame["window_size"] = frame.window_size.fillna(0.0)
    frame["context"] = frame.past_kv_tokens + 1.0
    frame["architecture"] = [common.CHIPS[s].architecture for s in frame.system]
    frame["peak"] = [common.CHIPS[s].peak["bf16"] for s in frame.system]
    frame["bandwidth"] = [common.CHIPS[s].bandwidth for s in frame.system]
    frame["seconds"] = frame.latency_ms / 1e3
    frame["source"] = frame.system + " " + frame.framework + " " + frame.kernel_source
    width = frame.kv_cache_dtype.map(CACHE)
    size = 2.0 * frame.batch_size * frame.context * frame.num_key_value_heads * frame.head_dim * width
    frame = frame[~((size > TINY) & (size < frame.system.map(CACHES).fillna(0.0)))]
    frame = frame.drop_duplicates(
        ["source", "batch_size", "context", "num_heads", "num_key_value_heads", "head_dim", "kv_cache_dtype", "seconds"]
    )
    return frame.reset_index(drop=True)


def weights(frame: pd.DataFrame) -> np.ndarray:
    """Served shapes first: contexts of 256 tokens and more, several key/value heads or long work; else 0.4."""
    usual = (frame.context >= 256) & (frame.batch_size <= 1024)
    return np.where(usual, 1.5, 0.4)


def predict(frame: pd.DataFrame, values: np.ndarray, pad: float) -> np.ndarray:
    """Seconds of every row."""
    names = ["batch_size", "context", "num_heads", "num_key_value_heads", "head_dim", "window_size"]
    columns = common.numbers(frame, names)
    rates = common.numbers(frame, ["peak", "bandwidth"])
    return np.asarray(times(*columns, CACHE[frame.kv_cache_dtype.iloc[0]], *rates, values, pad))


def fit(frame: pd.DataFrame, pad: float) -> tuple[float, np.ndarray]:
    """Cost and coefficients for one tile height."""
    weight, measured = weights(frame), frame.seconds.to_numpy()
    codes = np.zeros(len(frame), dtype=int)
    values, *_ = common.search(KNOBS, lambda v, *_: predict(frame, v, pad), measured, weight, codes, loss=0.2)
    gap = np.log(predict(frame, values, pad) / measured)
    return float((weight * (np.sqrt(1.0 + (gap / 0.2) ** 2) - 1.0)).sum()), values


def bands(frame: pd.DataFrame, predicted: np.ndarray) -> dict[str, dict[str, float | int]]:
    """Errors by tokens that are read: sequences x context."""
    work = (frame.batch_size * frame.context * frame.num_key_value_heads).to_numpy()
    measured = frame.seconds.to_numpy()
    edges = {"small": (0, 1e5), "middle": (1e5, 1e6), "large": (1e6, 1e15)}
    return {
        n: common.errors(predicted[(work >= a) & (work < b)], measured[(work >= a) & (work < b)])
        for n, (a, b) in edges.items()
    }


def left_out(frame: pd.DataFrame, pad: float) -> dict[str, dict[str, float | int]]:
    """Error on a system or, of a lone one, an engine that the fit never saw."""
    group = frame.system if frame.system.nunique() > 1 else frame.source
    made = {}
    for name in sorted(group.unique()):
        train, test = frame[group != name], frame[group == name]
        if len(train) and len(test):
            made[str(name)] = common.errors(predict(test, fit(train, pad)[1], pad), test.seconds.to_numpy())
    return made


def curve(frame: pd.DataFrame) -> dict[str, object]:
    """The record of one (architecture, cache format)."""
    found = {pad: fit(frame, pad) for pad in PADS}
    pad = min(found, key=lambda p: found[p][0])
    values = found[pad][1]
    made, measured = predict(frame, values, pad), frame.seconds.to_numpy()
    gap = np.log(made / measured)
    coefficients = common.rounded({k.name: float(v) for k, v in zip(KNOBS, values, strict=True)})
    coefficients |= {"pad": pad, "spread": round(1.4826 * float(np.median(abs(gap - np.median(gap)))), 4)}
    by_source = {
        str(n): round(float(np.median((made / measured)[(frame.source == n).to_numpy()])), 3)
        for n in sorted(frame.source.unique())
    }
    return {
        "coefficients": coefficients,
        "rows": len(frame),
        "predicted_over_measured": by_source,
        "error": bands(frame, made),
        "error_left_out": left_out(frame, pad),
    }


MLA_TABLE = "attention_h20_h800.csv.gz"
MLA_KNOBS = [k._replace(low=1e-9, high=2e-7) if k.name == "sequence" else k for k in KNOBS]
LATENT, ROPE = 512.0, 64.0  # DeepSeek-V3's compressed cache


@numba.njit
def mla_times(b, context, h, peak, bandwidth, c):  # type: ignore[no-untyped-def]
    out = np.empty(len(b))
    for i in range(len(b)):
        row = np.zeros(attention.COLUMNS)
        row[1], row[2], row[3] = h[i], LATENT + ROPE, LATENT
        row[6], row[7] = 2.0 * (LATENT + ROPE), 2.0 * h[i] * (2.0 * LATENT + ROPE)
        row[9], row[10], row[11], row[12] = c[1] * peak[i], c[0] * bandwidth[i], c[2], c[4]
        row[24], row[27], row[28], row[29] = 1.0, 1.0, 1.0, c[3]
        out[i] = time(row, b[i], context[i])
    return out


def mla_load(data: Path) -> pd.DataFrame:
    """Measured decoding steps over a compressed cache in 16 bit (FlashMLA on H20 and H800)."""
    frame = pd.read_csv(data / "kernels" / MLA_TABLE)
    frame = frame[(frame.op == "mla_decode") & (frame.kv_dtype == "bf16")].reset_index(drop=True)
    frame["heads"] = [float(text.split("-")[0]) for text in frame.heads_kvheads_headdim]
    frame["peak"] = [common.CHIPS[s].peak["bf16"] for s in frame.system]
    frame["bandwidth"] = [common.CHIPS[s].bandwidth for s in frame.system]
    frame["seconds"] = frame.latency_us / 1e6
    return frame


def mla_predict(frame: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """Seconds of every row."""
    return np.asarray(mla_times(*common.numbers(frame, ["batch_size", "kv_len", "heads", "peak", "bandwidth"]), values))


def mla_fit(frame: pd.DataFrame) -> np.ndarray:
    """Coefficients."""
    measured, codes = frame.seconds.to_numpy(), np.zeros(len(frame), dtype=int)
    weight = np.ones(len(frame))
    return common.search(MLA_KNOBS, lambda v, *_: mla_predict(frame, v), measured, weight, codes, loss=0.2)[0]


def mla_curve(data: Path) -> dict[str, object]:
    """The record of decoding over a compressed cache."""
    frame = mla_load(data)
    values = mla_fit(frame)
    made, measured = mla_predict(frame, values), frame.seconds.to_numpy()
    gap = np.log(made / measured)
    coefficients = common.rounded({k.name: float(v) for k, v in zip(MLA_KNOBS, values, strict=True)})
    coefficients |= {"pad": 1.0, "spread": round(1.4826 * float(np.median(abs(gap - np.median(gap)))), 4)}
    left = {}
    for name in sorted(frame.system.unique()):
        train, test = frame[frame.system != name], frame[frame.system == name]
        left[str(name)] = common.errors(mla_predict(test, mla_fit(train)), test.seconds.to_numpy())
    return {
        "coefficients": coefficients,
        "rows": len(frame),
        "error": common.errors(made, measured),
        "error_left_out": left,
    }


def curves(data: Path) -> dict[str, dict[str, object]]:
    """Every (architecture, cache format), of all engines and of each."""
    frame = load(data)
    made = {}
    for (architecture, form), part in frame.groupby(["architecture", "kv_cache_dtype"]):
        engines = sorted(part.framework.unique())
        for engine in ["", *engines] if len(engines) > 1 else [""]:
            own = part[part.framework == engine] if engine else part
            key = f"{architecture}/{NAMES[str(form)]}" + (f"/{engine}" if engine else "")
            made[key] = curve(own.reset_index(drop=True))
            print(key, made[key], flush=True)
    made["hopper/mla"] = mla_curve(data)
    print("mla", made["hopper/mla"], flush=True)
    return made
