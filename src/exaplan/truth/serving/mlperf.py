"""Rows of MLPerf Inference as questions: data sets, scenarios and latency limits of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exaplan.truth.reading import Skip, cell, number
from exaplan.truth.serving.names import protocols
from exaplan.truth.serving.questions import Protocol, Question


def rate_of(row: Mapping[str, str], output: float) -> float:
    """Output tokens/s. Rows of Llama 3.1 8B Interactive carry the token rate in the column of requests."""
    if cell(row, "output_tok_s"):
        return number(row, "output_tok_s")
    requests = number(row, "requests_s")
    interactive = cell(row, "scenario").lower().endswith("interactive")
    return requests if interactive else requests * output


def mlperf(row: Mapping[str, str], base: dict[str, Any]) -> Question:
    """Offline: the whole data set at once; Server and Interactive: the highest Poisson rate within the limits;
    SingleStream: one request at a time, 90th percentile of latency."""
    facts = protocols()["mlperf"].get(cell(row, "model"))
    if facts is None:
        raise Skip(f"no data set is known of {cell(row, 'model')!r}")
    scenario = cell(row, "scenario").lower().split()[-1]
    prompt, output = float(facts["prompt"]), float(facts["output"])
    beams = float(facts.get("beams", 1))  # every request is so many sequences over one prompt, of which one is answered
    prompt /= beams
    base = {**base, "usage": "offline", "units": beams}
    said = () if cell(row, "precision") else (f"precision = {base['settings'].formats.weights}",)
    base["chosen"] = (*said, "layout = the one of most throughput")
    if scenario == "singlestream":
        protocol, measured = Protocol("single", prompt, output), {"latency": number(row, "latency_ms_p90") * 1e-3}
    elif scenario == "offline":
        protocol = Protocol("offline", prompt, output, requests=int(facts["requests"] * beams))
        measured = {"throughput": rate_of(row, number(row, "osl", output))}
    else:
        limits = tuple(float(value) for value in facts["limits"][scenario])
        protocol = Protocol(
            "server", prompt, output, requests=int(facts["requests"] * beams), limits=(limits[0], limits[1])
        )
        measured = {"throughput": rate_of(row, number(row, "osl", output))}
    return Question(**base, replica=None, replicas=0, protocol=protocol, measured=measured)
