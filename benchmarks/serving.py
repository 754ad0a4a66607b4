"""How many requests a second the serving simulator gets through, and how much memory a million of them take.

    python benchmarks/serving.py          prints JSON; benchmarks/run.py runs it in a process of its own
    python benchmarks/serving.py --warm   compiles only

One copy of a 70B model on eight H100, chunked prefill, at most 256 sequences, 1,024 tokens in and 256 out on average
(lognormal lengths), Poisson arrivals at 95% of what a closed loop of full batches gets through; every iteration is
timed by the full step model. Time is CPU time of the run, compiling and loading left out.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

from exaplan import sim
from exaplan.case import serving
from exaplan.catalog import load
from exaplan.nouns.serving import Lengths, Replica, Settings, Traffic

MODEL, CHIP, ENGINE, TP = "llama-3.1-70b", "h100-sxm", "vllm-v1", 8
SEQUENCES = 256
PROMPT, OUTPUT = Lengths("lognormal", 1024.0, 0.5), Lengths("lognormal", 256.0, 0.5)
REQUESTS, TRIAL = 1_000_000, 20_000
NEAR = 0.95  # share of the capacity at which requests come


def pool() -> sim.Pool:
    """One copy of the model, as its engine runs it."""
    catalog = load()
    cluster = catalog.assemble(catalog.chip(CHIP), TP)
    settings = Settings(engine=ENGINE, max_seqs=SEQUENCES)
    case = serving.serve(catalog.models[MODEL], cluster, catalog.engines[ENGINE], settings, Replica(tp=TP))
    return sim.Pool(serving.step_table(case), case.policy)


def capacity(fleet: sim.Fleet) -> float:
    """Requests a second of a closed loop that keeps every batch full."""
    traffic = Traffic(prompt=PROMPT, output=OUTPUT, arrivals="closed", users=2 * SEQUENCES)
    return sim.summary(sim.run(sim.traffic.make(traffic, TRIAL), fleet)).throughput["requests"]


def measure(requests: int = REQUESTS) -> dict[str, Any]:
    """Requests per CPU second on one core, the most memory of the process [B], and what was simulated."""
    fleet = sim.Fleet(pool())
    most = capacity(fleet)
    before = memory()
    traffic = Traffic(prompt=PROMPT, output=OUTPUT, rate=NEAR * most)
    start = time.process_time()
    result = sim.run(sim.traffic.make(traffic, requests), fleet)
    spent = time.process_time() - start
    told = sim.summary(result)
    return {
        "requests_per_second_per_core": told.requests / spent,
        "peak_memory": memory(),
        "memory_before": before,
        "requests": told.requests,
        "cpu": spent,
        "iterations_per_second": told.iterations / spent,
        "simulated_time": told.duration,
        "mean_batch": told.batch,
        "busy": told.busy,
        "stable": told.stable,
    }


def memory() -> float:
    """Most memory of this process so far. [B]"""
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    if "--warm" in sys.argv:
        capacity(sim.Fleet(pool()))
    else:
        print(json.dumps(measure()))
