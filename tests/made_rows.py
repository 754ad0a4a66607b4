"""Hand-made rows of served operators, kinds of attention and a chip: round figures for tests of perf/serving."""

from __future__ import annotations

import numpy as np

from exaplan.perf.network import ExpertFit, LinkFit
from exaplan.perf.roofline import ChipRates, GemmFit, VectorFit
from exaplan.perf.serving import attention as at
from exaplan.perf.serving.inputs import (
    ALL,
    EXCHANGE,
    GATHER,
    GROUPED,
    PASS,
    PRODUCT,
    REDUCE,
    SCAN,
    SEND,
    ExchangeFit,
    ReduceFit,
    ServeHardware,
    ServeTuning,
)
from exaplan.perf.serving.pack import row

RATES = ChipRates(1e15, 3e12, 132.0)
GEMM = GemmFit(0.8, 80.0, 0.8, 0.1, 4.0, 3e-6, 100.0, 128.0, 128.0, 0.1)
LINK = LinkFit(5e-6, 1e-6, 0.8, 0.8, 0.7, 1e-7, 0.0, 0.5, 0.1)
REDUCES = ReduceFit(4e-6, 1e-7, 0.6, 7e-6, 3e-7, 0.65, 2097152.0, 0.1)
HARDWARE = ServeHardware(
    RATES, ChipRates(2e15, 3e12, 132.0), GEMM, GEMM, GEMM, VectorFit(0.8, 2e-6, 2e-6, 0.1), REDUCES, LINK, LINK,
    ExpertFit(1e-5, 1e-9, 0.5, 0.8, 0.1), ExchangeFit(1e-5, 6e-6, 0.6, 0.9, 0.1), 8.0, 450e9, 50e9, 0.0,
)  # fmt: skip
TUNE = ServeTuning()
ROWS = {
    "product": row(PRODUCT, "products", 1.0, n=8192.0, k=4096.0),
    "low": row(PRODUCT, "products", 1.0, n=8192.0, k=4096.0, low=1.0, weight=1.0, given=1.0),
    "grouped": row(
        GROUPED, "experts", 1.0, ALL, n=1536.0, k=2048.0, rows=1.0, groups=16.0, experts=128.0, top=8.0, low=1.0,
        weight=0.5,
    ),
    "pass": row(PASS, "vector", 1.0, moved=8192.0),
    "reduce": row(REDUCE, "tp", 1.0, moved=8192.0, ranks=4.0),
    "gather": row(GATHER, "head", 1.0, moved=8192.0, ranks=4.0),
    "exchange": row(EXCHANGE, "ep", 1.0, ALL, n=7168.0, groups=8.0, top=8.0, ranks=8.0, given=1.0),
    "send": row(SEND, "pp", 1.0, moved=8192.0),
    "scan": row(SCAN, "vector", 1.0, k=1e6, moved=8192.0),
}  # fmt: skip
BASE = {
    at.COUNT: 80.0, at.HEADS: 64.0, at.KEY: 128.0, at.VALUE: 128.0, at.CACHE: 4096.0, at.STATE: 32768.0,
    at.RATE: 4e14, at.STREAM: 2.7e12, at.FLOOR: 1e-5, at.CORNER: 4.0, at.KV_HEADS: 8.0, at.PAD: 1.0,
    at.P_HEADS: 64.0, at.P_KEY: 128.0, at.P_VALUE: 128.0, at.P_RATE: 6e14, at.P_RAMP: 100.0, at.P_STREAM: 2.5e12,
    at.P_FLOOR: 1e-5, at.P_CORNER: 4.0, at.P_TILE: 128.0, at.P_TAIL: 60.0, at.WIDTH: 1.0, at.SCALE: 1.0,
    at.P_SCALE: 1.0, at.P_CUT: 1.0,
}  # fmt: skip


def kind(**changes: float) -> np.ndarray:
    """A row of numbers; names of columns in small letters."""
    made = np.zeros(at.COLUMNS)
    for column, value in BASE.items():
        made[column] = value
    for name, value in changes.items():
        made[getattr(at, name.upper())] = value
    return made
