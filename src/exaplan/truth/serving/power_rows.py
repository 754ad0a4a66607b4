"""Rows of power that was measured while chips served a language model, as questions.

The columns are those of data/runs/power_serving.csv.gz: average power of all chips of one engine over its steady state.
A row states the model, the chips, how they are cut, the task and the sequences at a time; lengths and number format are
chosen by rule. Its measured throughput is no input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from exaplan.nouns.serving import Formats, Replica
from exaplan.truth.reading import Skip, cell, number, row_name, whole

KIND = "gpu-average-power-serving"
COLUMNS = ("kind", "model", "chip", "n_chips", "value_per_chip", "scenario", "notes")
# A row is of a language model when it says how many sequences are held at a time; rows of images and videos that are
# generated say how many samples a batch has. (What looks at images and answers in text is a language model.)
SEQUENCES = re.compile(r"^(?P<task>[\w-]+) max_num_seqs (?P<seqs>\d+)$")
GENERATED = re.compile(r"^text-to-(image|video) batch ")
# Formats of the checkpoints that are named so: Qwen's and DeepSeek's FP8 have a scale for each block of 128 x 128.
FORMATS = (
    (r"^DeepSeek-(V3|R1)", "fp8-block"),
    (r"^Qwen.*-FP8$", "fp8-block"),
    (r"-FP8$", "fp8"),
    (r"^gpt-oss", "mxfp4"),
)


@dataclass(frozen=True)
class Powered:
    """A measured row: power [W per chip] of an engine that holds ``seqs`` sequences of a ``task`` at a time.

    model: as published; formats: by rule, replica: read.
    """

    row_id: str
    model: str
    chip: str
    replica: Replica
    formats: Formats
    task: str
    seqs: int
    measured: float
    source: str

    @property
    def family(self) -> str:
        """Models of one architecture share a fold, whatever they were tuned for."""
        return family_of(self.model)

    @property
    def kind(self) -> str:
        """The chip, and whether the engine had one or several of its node."""
        return f"{self.chip} {'alone' if self.replica.chips == 1 else 'together'}"


def power_reason(row: Mapping[str, str]) -> str:
    """Why a row is not scored, or "" (the one rule of the data's README)."""
    if cell(row, "kind") != KIND:
        return f"kind {cell(row, 'kind') or 'unknown'}: not the power of chips that serve"
    if (cell(row, "confidence") or "read") != "read":
        return "recalled, not read"
    if GENERATED.match(cell(row, "scenario")):
        return "generates images or videos: not predicted yet"
    if not SEQUENCES.match(cell(row, "scenario")):
        return f"scenario {cell(row, 'scenario') or 'unknown'}: only a task and its max_num_seqs are read"
    qa = cell(row, "qa")
    return "" if not qa or qa.startswith(("fixed", "note")) else "qa: " + qa


def powered(row: Mapping[str, str]) -> Powered:
    """A row as a question; raises Skip with the reason."""
    found = SEQUENCES.match(cell(row, "scenario"))
    if found is None or int(found["seqs"]) < 1:
        raise Skip("scenario must be a task and max_num_seqs of at least 1")
    model, chips, measured = cell(row, "model"), whole(row, "n_chips"), number(row, "value_per_chip")
    if chips < 1 or measured <= 0.0:
        raise Skip("n_chips and value_per_chip must be above 0")
    return Powered(
        row_id=row_name(row),
        model=model,
        chip=cell(row, "chip"),
        replica=replica_of(cell(row, "notes"), chips),
        formats=Formats(format_of(model)),
        task=found["task"],
        seqs=int(found["seqs"]),
        measured=measured,
        source=cell(row, "source"),
    )


def replica_of(notes: str, chips: int) -> Replica:
    """How an engine is cut: the JSON object after "parallelization", or tp over all chips where none is given.

    Expert parallelism is vLLM's: experts are spread over the ranks that cut attention by tp, so ep > 1 means tp = ep.
    """
    found = re.search(r"parallelization (\{.*?\})", notes)
    if found is None:
        return Replica(tp=chips)
    try:
        told = json.loads(found.group(1))
        tp, ep, dp = (int(told.get(f"{name}_parallel", 1)) for name in ("tensor", "expert", "data"))
    except (ValueError, TypeError, AttributeError) as error:
        raise Skip(f"parallelization is not read: {found.group(1)}") from error
    replica = Replica(tp=max(tp, ep // dp if dp > 0 else 0), dp=dp, ep=ep)
    if min(tp, ep, dp) < 1 or replica.chips != chips:
        raise Skip(f"parallelization {found.group(1)} does not fill {chips} chips")
    return replica


def format_of(model: str) -> str:
    """Number format of a checkpoint by its name; bf16 where it says nothing."""
    return next((name for pattern, name in FORMATS if re.search(pattern, model)), "bf16")


def family_of(model: str) -> str:
    """Architecture by size: a model without its release, its training and what else it looks at or listens to."""
    name = re.sub(
        r"-(Instruct|Thinking|it|VL|Omni|BF16|FP8|v2|R1|V3\.1|0528|\d{4})(?=-|$)", "", model, flags=re.IGNORECASE
    )
    return re.sub(r"^Llama-3\.\d", "Llama-3", name).lower()
