"""Queueing: requests through engines, step by step, with a compiled event loop and its plain twin."""

from exaplan.sim import traces, traffic
from exaplan.sim.bench import Bench, bench
from exaplan.sim.drive import run
from exaplan.sim.nouns import Chunk, Fleet, Load, Pool, Result, Station, Transfer, fixed_load
from exaplan.sim.summary import quantile, summary

__all__ = [
    "Bench",
    "Chunk",
    "Fleet",
    "Load",
    "Pool",
    "Result",
    "Station",
    "Transfer",
    "bench",
    "fixed_load",
    "quantile",
    "run",
    "summary",
    "traces",
    "traffic",
]
