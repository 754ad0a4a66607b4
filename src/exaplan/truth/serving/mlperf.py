"""Rows of MLPerf Inference as questions: data sets, scenarios and latency limits of the benchmark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from exaplan.nouns.serving import Formats
from exaplan.truth.reading import Skip, cell, number
from exaplan.truth.serving.names import protocols
from exaplan.truth.serving.questions import Protocol, Question

# Best format that a chip multiplies in where a row leaves it blank: its submitters quantise as far as accuracy allows.
BLANK = (
    (r"b200|b300|gb200|rtx-pro-6000", "nvfp4", "fp8"),
    (r"h100|h200|gh200|l4|l40|mi300|mi325|gaudi", "fp8", "fp8"),
    (r"tpu", "int8", "int8"),
    (r"", "fp16", "fp16"),
)
STATED = {"fp4": ("nvfp4", "fp8"), "fp8": ("fp8", "fp8"), "uint4": ("int4-wo", "fp16")}


def formats_of(row: Mapping[str, str], chip: str) -> tuple[Formats, str]:
    """Number formats, and what was chosen where the row is blank."""
    stated = cell(row, "precision").lower()
    if stated in STATED:
        return Formats(*STATED[stated]), ""
    found = next((weights, kv) for pattern, weights, kv in BLANK if re.search(pattern, chip))
    return Formats(*found), f"precision = {found[0]}"


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
    prompt, output = number(row, "isl", float(facts["prompt"])), number(row, "osl", float(facts["output"]))
    formats, said = formats_of(row, base["chip"])
    base = {**base, "settings": replace(base["settings"], formats=formats), "usage": "offline"}
    base["chosen"] = tuple(text for text in (said, "layout = the one of most throughput") if text)
    if scenario == "singlestream":
        protocol, measured = Protocol("single", prompt, output), {"latency": number(row, "latency_ms_p90") * 1e-3}
    elif scenario == "offline":
        protocol = Protocol("offline", prompt, output, requests=int(facts["requests"]))
        measured = {"throughput": rate_of(row, output)}
    else:
        limits = tuple(float(value) for value in facts["limits"][scenario])
        protocol = Protocol("server", prompt, output, requests=int(facts["requests"]), limits=(limits[0], limits[1]))
        measured = {"throughput": rate_of(row, output)}
    return Question(**base, replica=None, replicas=0, protocol=protocol, measured=measured)
