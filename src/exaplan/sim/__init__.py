"""Queueing: requests through engines, step by step, with a compiled event loop and its plain twin."""

from exaplan.sim.bench import Bench, bench

__all__ = ["Bench", "bench"]
