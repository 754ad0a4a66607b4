"""Fit expert dispatch and combine: python tools/fit/experts.py --data ../shared/data  ->  data/fits/experts.yaml."""

from __future__ import annotations

from pathlib import Path

import common
import numba
import numpy as np
import pandas as pd

from exaplan.perf import network
from exaplan.perf.network import ExpertFit

TABLE = "deepep_alltoall_aiconfigurator.csv.gz"
NETWORK = 50e9  # ConnectX-7, 400 Gb/s per GPU, of the machine on which 2 to 8 nodes were measured
LINKS = {  # architecture, scale-up bandwidth [B/s, one direction], ranks in the measured node
    "h100_sxm": ("hopper", 450e9, 8),
    "h200_sxm": ("hopper", 450e9, 8),
    "b200_sxm": ("blackwell", 900e9, 8),
    "gb200": ("blackwell", 900e9, 4),
}
REACH = 4.0  # DeepEP's own benchmark lets a token go to at most four nodes
KNOBS = [
    common.Knob("base", 3e-5, 1e-6, 2e-4),
    common.Knob("token", 5e-9, 1e-11, 1e-7),
    common.Knob("inner", 0.6, 0.05, 1.0),
    common.Knob("outer", 0.85, 0.05, 1.0),
]
time = common.compiled(network.expert_exchange)


@numba.njit
def times(tokens, width, top_k, inner, outer, link, c):  # type: ignore[no-untyped-def]
    out = np.empty(len(tokens))
    fit = ExpertFit(c[0], c[1], c[2], c[3], 0.0)
    for i in range(len(tokens)):
        out[i] = time(tokens[i], width[i], top_k[i], inner[i], outer[i], REACH, link[i], NETWORK, fit)
    return out


def load(data: Path) -> pd.DataFrame:
    """Throughput kernels with the best number of SMs for each shape; dispatch (fp8) and combine (16-bit) as rows.

    Left out: 8 nodes, where the measured machine falls to a third of its network rate (15 of 50 GB/s per GPU).
    """
    frame = pd.read_csv(data / "kernels" / TABLE)
    frame = frame[(frame.op_name == "normal") & (frame.node_num <= 4) & frame.system.isin(LINKS)]
    shape = ["system", "node_num", "hidden_size", "num_token", "num_topk", "num_experts"]
    parts = []
    for leg, size in (("dispatch", 1.0), ("combine", 2.0)):
        spent = frame[f"{leg}_transmit_us"] + frame[f"{leg}_notify_us"].fillna(0.0)
        part = frame[shape].assign(leg=leg, seconds=spent / 1e6, width=size * frame.hidden_size)
        parts.append(part.groupby([*shape, "leg", "width"], as_index=False).seconds.min())
    out = pd.concat(parts, ignore_index=True)
    out["architecture"] = [LINKS[s][0] for s in out.system]
    out["link"] = [LINKS[s][1] for s in out.system]
    out["inner"] = [float(LINKS[s][2]) for s in out.system]
    return out[out.seconds > 0]


def predict(frame: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """Seconds of every row."""
    columns = ["num_token", "width", "num_topk", "inner", "node_num", "link"]
    return np.asarray(times(*common.numbers(frame, columns), values))


def fit(frame: pd.DataFrame) -> np.ndarray:
    """Coefficients; training sizes (from 2,048 tokens) weigh 3, smaller ones 0.5."""
    weight = np.where(frame.num_token >= 2048, 3.0, 0.5)
    source = np.zeros(len(frame), int)
    return common.search(KNOBS, lambda v, *_: predict(frame, v), frame.seconds.to_numpy(), weight, source)[0]


def bands(frame: pd.DataFrame, predicted: np.ndarray) -> dict[str, dict[str, float | int]]:
    """Errors by leg, nodes and tokens."""
    measured, many = frame.seconds.to_numpy(), (frame.num_token >= 2048).to_numpy()
    masks = {
        f"{leg}, {n} nodes, >= 2048 tokens": many & ((frame.leg == leg) & (frame.node_num == n)).to_numpy()
        for leg in ("dispatch", "combine")
        for n in sorted(set(frame.node_num))
    }
    masks["< 2048 tokens"] = ~many
    return {name: common.errors(predicted[mask], measured[mask]) for name, mask in masks.items()}


def curve(frame: pd.DataFrame) -> dict[str, object]:
    """The record of one architecture, with the error on each chip when the others are fitted."""
    values = fit(frame)
    predicted = predict(frame, values)
    many = (frame.num_token >= 2048).to_numpy()
    gap = np.log(predicted / frame.seconds.to_numpy())[many]
    coefficients = common.rounded({k.name: float(v) for k, v in zip(KNOBS, values, strict=True)})
    out: dict[str, dict[str, float | int]] = {}
    for chip in sorted(set(frame.system)):
        test = frame[(frame.system == chip) & (frame.num_token >= 2048)]
        out[str(chip)] = common.errors(predict(test, fit(frame[frame.system != chip])), test.seconds.to_numpy())
    return {
        "coefficients": coefficients | {"spread": round(float(np.std(gap)), 4)},
        "rows": len(frame),
        "error": bands(frame, predicted),
        "error_left_out": out,
    }


def main() -> None:
    """Fit every architecture and write the record."""
    data = common.arguments(__doc__ or "")
    curves = {str(name): curve(part) for name, part in load(data).groupby("architecture")}
    single = "outer was not measured (one node only): hopper's"
    curves["blackwell"]["coefficients"]["outer"] = curves["hopper"]["coefficients"]["outer"]  # type: ignore[index]
    curves["blackwell"]["note"] = single
    common.write(
        "experts",
        {
            "date": common.DATE,
            "method": "tools/fit/experts.py: soft-L1 of log(predicted/measured) of perf.network.expert_exchange",
            "input": {TABLE: common.digest(data / "kernels" / TABLE)},
            "curves": curves,
        },
    )


if __name__ == "__main__":
    main()
