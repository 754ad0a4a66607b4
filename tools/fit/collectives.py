"""Fit collectives inside a scale-up domain: python tools/fit/collectives.py --data ../shared/data.

Writes data/fits/collectives.yaml: fitted curves for scale-up links (NCCL, 2 to 8 ranks) and documented priors for
scale-out fabrics, which the tables do not hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import common
import numba
import numpy as np
import pandas as pd

from exaplan.perf import network
from exaplan.perf.network import LinkFit

TABLE = "collectives_aiconfigurator.csv.gz"
OPS = ("all_reduce", "reduce_scatter", "all_gather", "alltoall")


class Link(NamedTuple):
    """Scale-up link of a measured system: curve, one-direction bandwidth [B/s], whether the switch reduces."""

    curve: str
    bandwidth: float
    switch: bool


# NVLink 3, 4, 5: 300, 450, 900 GB/s in one direction (datasheets). L40S: PCIe 4.0 x16; RTX PRO 6000: PCIe 5.0 x16.
LINKS = {
    "a100_sxm": Link("ampere", 300e9, False),
    "h100_sxm": Link("hopper", 450e9, True),
    "h200_sxm": Link("hopper", 450e9, True),
    "b200_sxm": Link("blackwell", 900e9, True),
    "b300_sxm": Link("blackwell", 900e9, True),
    "gb200": Link("blackwell", 900e9, True),
    "gb300": Link("blackwell", 900e9, True),
    "rtx_pro_6000_server": Link("blackwell_rtx", 64e9, False),
    "l40s": Link("ada", 32e9, False),
}
KNOBS = [
    common.Knob("base", 6e-6, 1e-6, 3e-5),
    common.Knob("hop", 1.4e-6, 1e-7, 1e-5),
    common.Knob("gather", 0.8, 0.02, 1.0),
    common.Knob("reduce", 0.8, 0.02, 1.0),
    common.Knob("exchange", 0.8, 0.02, 1.0),
    common.Knob("chunk", 3e-6, 1e-8, 1e-4),
    common.Knob("in_network", 0.6, 0.1, 1.0),
    common.Knob("pair", 0.5, 0.001, 0.95),
]
all_reduce, reduce_scatter, all_gather, all_to_all = (
    common.compiled(f) for f in (network.all_reduce, network.reduce_scatter, network.all_gather, network.all_to_all)
)


@numba.njit
def times(op, size, ranks, bandwidth, c, switch):  # type: ignore[no-untyped-def]
    out = np.empty(len(op))
    fit = LinkFit(c[0], c[1], c[2], c[3], c[4], c[5], c[6] if switch else 0.0, c[7], 0.0)
    for i in range(len(op)):
        if op[i] == 0:
            out[i] = all_reduce(size[i], ranks[i], bandwidth[i], fit)
        elif op[i] == 1:
            out[i] = reduce_scatter(size[i], ranks[i], bandwidth[i], fit)
        elif op[i] == 2:
            out[i] = all_gather(size[i], ranks[i], bandwidth[i], fit)
        else:
            out[i] = all_to_all(size[i], ranks[i], bandwidth[i], fit)
    return out


def load(data: Path) -> pd.DataFrame:
    """NCCL rows in 16 bit. Left out: L40S over 2 ranks (2 GB/s over 8 ranks is a fault of that machine)."""
    frame = pd.read_csv(data / "kernels" / TABLE)
    frame = frame[(frame.table == "nccl") & (frame.dtype == "half") & frame.system.isin(LINKS)]
    frame = frame[(frame.system != "l40s") | (frame.num_gpus == 2)]
    frame["curve"] = [LINKS[s].curve for s in frame.system]
    frame["bandwidth"] = [LINKS[s].bandwidth for s in frame.system]
    frame["code"] = [OPS.index(o) for o in frame.op]
    frame["seconds"] = frame.latency_ms / 1e3
    return frame.reset_index(drop=True)


def predict(frame: pd.DataFrame, values: np.ndarray) -> np.ndarray:
    """Seconds of every row."""
    columns = common.numbers(frame, ["message_bytes", "num_gpus", "bandwidth"])
    return np.asarray(times(frame.code.to_numpy(), *columns, values, LINKS[frame.system.iloc[0]].switch))


def fit(frame: pd.DataFrame) -> np.ndarray:
    """Coefficients; large messages weigh more (3 from 8 MiB, 2 from 1 MiB, else 0.5)."""
    size = frame.message_bytes.to_numpy()
    weight = np.where(size >= 2**23, 3.0, np.where(size >= 2**20, 2.0, 0.5))
    source = np.zeros(len(frame), int)
    return common.search(KNOBS, lambda v, *_: predict(frame, v), frame.seconds.to_numpy(), weight, source)[0]


def bands(frame: pd.DataFrame, predicted: np.ndarray) -> dict[str, dict[str, float | int]]:
    """Errors by collective and by message size."""
    measured, size = frame.seconds.to_numpy(), frame.message_bytes.to_numpy()
    masks = {f"{op} >= 8 MiB": (frame.op == op).to_numpy() & (size >= 2**23) for op in OPS}
    ranks = {p: (frame.num_gpus == p).to_numpy() for p in sorted(set(frame.num_gpus))}
    masks |= {f">= 8 MiB, {p} ranks": of_p & (size >= 2**23) for p, of_p in ranks.items()}
    masks |= {"256 KiB to 8 MiB": (size >= 2**18) & (size < 2**23), "< 256 KiB": size < 2**18}
    return {name: common.errors(predicted[mask], measured[mask]) for name, mask in masks.items()}


def left_out(frame: pd.DataFrame) -> dict[str, dict[str, float | int]]:
    """Error from 1 MiB of rows the fit never saw: each chip, else each number of ranks."""
    group = frame.system if frame.system.nunique() > 1 else frame.num_gpus.map("{} ranks".format)
    out: dict[str, dict[str, float | int]] = {}
    if group.nunique() < 2:
        return out
    for name in sorted(group.unique()):
        test = frame[(group == name) & (frame.message_bytes >= 2**20)]
        out[str(name)] = common.errors(predict(test, fit(frame[group != name])), test.seconds.to_numpy())
    return out


def curve(frame: pd.DataFrame) -> dict[str, object]:
    """The record of one scale-up link."""
    values = fit(frame)
    predicted = predict(frame, values)
    gap = np.log(predicted / frame.seconds.to_numpy())[(frame.message_bytes >= 2**20).to_numpy()]
    coefficients = common.rounded({k.name: float(v) for k, v in zip(KNOBS, values, strict=True)})
    if not LINKS[frame.system.iloc[0]].switch:
        coefficients["in_network"] = 0.0
    coefficients["spread"] = round(float(np.std(gap)), 4)
    return {
        "coefficients": coefficients,
        "rows": len(frame),
        "error": bands(frame, predicted),
        "error_left_out": left_out(frame),
    }


NCCL_STEPS = "NVIDIA/nccl src/graph/tuning.cc: hwLat NET tree 5 to 14 us, ring 2.7 to 14 us; baseLat 6.6 to 14 us"


def prior(base: float, hop: float, share: float, in_network: float, spread: float, why: str) -> dict[str, object]:
    """A prior for one scale-out fabric: latencies [s], share of line rate, and what it rests on."""
    values = {"base": base, "hop": hop, "gather": share, "reduce": share, "exchange": round(0.93 * share, 3)}
    values |= {"chunk": 5e-6, "in_network": in_network, "pair": 0.0, "spread": spread}
    return {"coefficients": values, "rows": 0, "rests_on": why}


# Not measured in the tables. The share of line rate is an estimate: 64B/66B coding is already in the line rate, headers
# and flow control cost about 3%, multi-node all-reduce bus bandwidth is commonly reported at 0.85-0.97 of the NICs'.
PRIORS = {
    "infiniband": prior(1.4e-5, 5e-6, 0.92, 0.90, 0.12, f"estimate; {NCCL_STEPS}"),
    "roce": prior(1.6e-5, 7e-6, 0.87, 0.0, 0.18, f"estimate; {NCCL_STEPS}, switches and congestion control slower"),
    "efa": prior(2.5e-5, 1.5e-5, 0.80, 0.0, 0.22, "estimate: SRD over Ethernet; one-way latency about 15 us"),
    "ethernet": prior(3e-5, 2.5e-5, 0.75, 0.0, 0.30, "estimate: TCP or untuned RoCE"),
    "torus": prior(5e-6, 1e-6, 0.90, 0.0, 0.20, "estimate: TPU inter-chip links, no NIC in the path"),
}


def main() -> None:
    """Fit every measured scale-up link and write the record."""
    data = common.arguments(__doc__ or "")
    curves = {str(name): curve(part) for name, part in load(data).groupby("curve")}
    common.write(
        "collectives",
        {
            "date": common.DATE,
            "method": (
                "tools/fit/collectives.py: soft-L1 of log(predicted/measured) of perf.network, NCCL, 2 to 8 ranks"
            ),
            "input": {TABLE: common.digest(data / "kernels" / TABLE)},
            "curves": curves,
            "priors": PRIORS,
        },
    )


if __name__ == "__main__":
    main()
