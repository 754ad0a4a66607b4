"""Small replicas and loads for the tests of the simulator."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from exaplan import sim
from exaplan.nouns.serving import Lengths, Traffic
from exaplan.perf.serving.attention import COLUMNS
from exaplan.perf.serving.inputs import Host, Policy, StepTable
from exaplan.sim import columns as at
from exaplan.sim.summary import all_replicas

SHORT = Lengths("uniform", 0.0, 0.0, 20, 200)
FEW = Lengths("uniform", 0.0, 0.0, 1, 40)

POLICY = Policy(
    batching=0,
    chunked=1,
    max_seqs=8,
    max_tokens=128,
    kv_tokens=1600,
    block=16,
    watermark=16,
    whole=0,
    swap=0,
    prefix=0,
    host_tokens=0,
    host_rate=1e5,
    draft=0,
    accept=0.0,
    max_context=100_000,
)


def table(token: float = 1e-4, least: float = 0.01, request: float = 0.0, width: float = 1.0) -> StepTable:
    """An iteration takes ``token`` [s] for each of its tokens, ``least`` [s] at least."""
    tokens = np.arange(4097.0)
    return StepTable(
        linear=np.where(tokens > 0.0, np.maximum(least, token * tokens), 0.0),
        head=np.zeros(1025),
        attention=np.zeros((0, COLUMNS)),
        draft=np.zeros(1025),
        host=Host(0.0, 0.0, 0.0, 1.0, request),
        dp=1.0,
        stages=1.0,
        width=width,
    )


def pool(replicas: int = 1, router: str = "least-loaded", steps: StepTable | None = None, **changes: float) -> sim.Pool:
    """Replicas of the small policy, changed."""
    return sim.Pool(steps or table(), POLICY._replace(**changes), replicas, router)


def load(n: int = 60, seed: int = 1, prompt: Lengths = SHORT, output: Lengths = FEW, **traffic: object) -> sim.Load:
    """Requests of 20 to 200 tokens in and 1 to 40 out."""
    return sim.traffic.make(Traffic(prompt=prompt, output=output, **traffic), n, seed)  # type: ignore[arg-type]


def count(result: sim.Result, column: int) -> int:
    """A counter of the run."""
    return int(result.state.whole[column])


def leaks(result: sim.Result) -> Iterator[str]:
    """What is not as it was before the run, though all requests have gone."""
    whole = result.state.whole
    for row in all_replicas(result.state):
        if whole[row + at.VACANT] + whole[row + at.CACHED] != whole[row + at.BLOCKS]:
            yield "blocks"
        for name in ("WAITS", "RUNS", "DECODES", "CONTEXT", "LOADS", "FINISHES", "BUSY"):
            if whole[row + getattr(at, name)] != 0:
                yield name
    for name in ("INSIDE", "RUNNING", "USED", "WORKING", "HEAP", "DUES"):
        if whole[getattr(at, name)] != 0:
            yield name
