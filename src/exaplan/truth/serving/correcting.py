"""What the tuned step model still misses, as a small regularised regression on physical features, and the ranges.

log(measured / simulated) = sum of coefficient x feature, fitted with the tuning (tools/fit/serving.py) for the
quantities that data/fits/serving.yaml names under ``corrections``; without a record nothing is corrected. Ranges:
exp(+- factor x s), s = exp(sum of coefficient x feature) the size of error that such rows have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from exaplan.case import architecture_of
from exaplan.case.serving import ServeCase, iterations
from exaplan.catalog import serving_fits
from exaplan.truth.serving.posing import Posed
from exaplan.truth.serving.questions import Protocol

# Lengths that InferenceX sweeps; its client draws them, others fix them.
DRAWN = (1024.0, 8192.0)
LOCAL = "llama.cpp"
WIDEST = 1.6  # of the logarithm: no range is wider


def features(posed: Posed, quantity: str, found: Mapping[str, float]) -> dict[str, float]:
    """Feature -> value of a row, centred where typical rows lie."""
    protocol, case = posed.question.protocol, posed.case
    made = {"one": 1.0, f"family={posed.question.family}": 1.0, f"engine={case.engine.name}": 1.0}
    made["experts"] = float(case.model.experts > 0)
    made["blackwell"] = float(posed.case.cluster.chip.architecture.startswith("blackwell"))
    made["tp"] = math.log(case.replica.tp)
    made["dp"] = math.log(case.replica.dp)
    if posed.question.family == LOCAL:
        return made | local(case)
    if protocol.kind != "closed":
        return made
    fixed = float(protocol.prompt not in DRAWN or protocol.output not in DRAWN)
    read = reading(case, protocol)
    users = math.log(protocol.concurrency) - 3.0
    made |= {
        "fixed": fixed,
        "fixed users": fixed * users,
        "fixed trtllm": fixed * float(case.engine.name == "trtllm"),
        "users": users,
        "prompt": math.log(protocol.prompt) - 7.5,
        "output": math.log(protocol.output) - 7.0,
        "read": math.log(read) + 3.0,
        "step": math.log(found["tpot"]) + 4.5,
        "queue": math.log(max(1e-9, found["ttft"]) / read) - 0.7,
    }
    return made


def local(case: ServeCase) -> dict[str, float]:
    """Features of one machine that answers one person: llama.cpp."""
    quantised = float(case.settings.formats.weights.startswith("q"))
    apple = float(case.cluster.chip.architecture.startswith("apple"))
    return {
        "pp": math.log(case.replica.pp),
        "quantised": quantised,
        "apple": apple,
        "apple quantised": apple * quantised,
    }


def key_of(posed: Posed, quantity: str) -> str:
    """What a correction is recorded under: rates of llama.cpp apart from those of servers."""
    return f"{quantity} {LOCAL}" if posed.question.family == LOCAL else quantity


def reading(case: ServeCase, protocol: Protocol) -> float:
    """One prompt alone [s]."""
    prompt = 0.5 * (1.0 + protocol.low) * protocol.prompt
    return float(iterations(case, np.array([[prompt, 0.0, 1.0, 0.0, 0.0]]))[0])


def weighed(coefficients: Mapping[str, float], values: Mapping[str, float]) -> float:
    """Sum of coefficient x feature; a feature without a coefficient counts nothing."""
    return sum(coefficients.get(name, 0.0) * value for name, value in values.items())


def correction(posed: Posed, quantity: str, found: Mapping[str, float], fold: str = "") -> float:
    """Factor on a simulated quantity."""
    known: Mapping[str, Any] = serving_fits.calibration(fold).get("corrections", {})
    key = key_of(posed, quantity)
    if key not in known:
        return 1.0
    return math.exp(weighed(known[key], features(posed, quantity, found)))


def spread(posed: Posed, quantity: str, found: Mapping[str, float], fold: str = "") -> tuple[float, float]:
    """(low, high) of the 80% interval over the prediction."""
    known: Mapping[str, Any] = serving_fits.calibration(fold).get("spreads", {})
    if quantity not in known:
        case = posed.case
        formats, experts = case.settings.formats.weights, case.model.experts > 0
        pairs = serving_fits.ranges(case.engine.name, architecture_of(case.cluster), formats, experts, fold)
        return pairs.get(quantity.removesuffix("_disagg"), pairs["throughput"])
    size = math.exp(weighed(known[quantity]["size"], features(posed, quantity, found)))
    width = min(WIDEST, known[quantity]["factor"] * size)
    middle = float(known[quantity].get("middle", 0.0))
    return math.exp(middle - width), math.exp(middle + width)
