"""Made inputs of the serving tests: a copy whose iterations take a line of their tokens, and asks."""

from __future__ import annotations

from typing import Any

import numpy as np

from exaplan.ask import ServeAsk, parse
from exaplan.catalog import load
from exaplan.perf.serving.attention import COLUMNS
from exaplan.perf.serving.inputs import Host, Policy, StepTable

CATALOG = load()
BASE, EACH = 0.01, 1e-5  # [s], [s per token]


def table(base: float = BASE, each: float = EACH, tokens: int = 4096) -> StepTable:
    """An iteration of t tokens takes base + each t; attention, host and logits take nothing."""
    line = base + each * np.arange(tokens + 1)
    line[0] = 0.0
    none = np.zeros(2)
    return StepTable(line, none, np.zeros((0, COLUMNS)), none, Host(0.0, 0.0, 0.0, 0.0, 0.0), 1.0, 1.0, np.zeros(2))


def policy(**changes: Any) -> Policy:
    """Mixed batching, chunks of 512 tokens, room for 256 sequences."""
    given = {
        "batching": 0, "chunked": 1, "max_seqs": 256, "max_tokens": 512, "kv_tokens": 1_000_000, "block": 16,
        "watermark": 0, "whole": 0, "swap": 0, "prefix": 0, "host_tokens": 0, "host_rate": 1.0, "draft": 0,
        "accept": 0.0, "max_context": 1 << 40,
    }  # fmt: skip
    return Policy(**{**given, **changes})


def asked(work: dict[str, Any] | None = None, **parts: Any) -> ServeAsk:
    """A serving ask: Llama 3.1 8B on H100, 20 requests/s of 512 and 64 tokens, first token within 1 s."""
    slo = {"ttft": "1 s", "percentile": 99}
    base = {"kind": "serving", "rate": "20/s", "prompt": 512, "output": 64, "slo": slo, "requests": 2000}
    told = {name: value for name, value in {**base, **(work or {})}.items() if value is not None}
    made = parse({"model": "llama-3.1-8b", "cluster": {"chip": "h100-sxm"}, **parts, "work": told})
    assert isinstance(made, ServeAsk)
    return made
