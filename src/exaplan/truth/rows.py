"""Rows of published runs as questions: which count, what they ask, and what was chosen where a column is blank.

The columns are those of data/runs/training.csv; blank means unknown. Nothing is chosen by looking at the measurement.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from exaplan.catalog import tuning
from exaplan.errors import InputError
from exaplan.nouns import Layout, Model, Training
from exaplan.truth.cutting import layout_of, recompute_of, stated_of
from exaplan.truth.modelling import built, method_of, spec_of
from exaplan.truth.reading import (
    COLUMNS,
    REQUIRED,
    TRUE,
    Skip,
    blank_layout,
    cell,
    number,
    read_rows,
    row_name,
    whole,
)

__all__ = [
    "COLUMNS",
    "Question",
    "Skip",
    "distinct",
    "publisher_of",
    "question",
    "read_rows",
    "row_name",
    "scoring_reason",
]


@dataclass(frozen=True)
class Question:
    """A row as a question: model, work, chip, layout; ``chosen`` says what was filled in by rule, ``publisher`` and
    ``group`` name its fold, ``network`` [B/s per chip] is what the row states (None: the chip's usual node).
    ``stated``: fields of the layout to keep where a search fills in the rest; () = the layout is whole."""

    row_id: str
    model: Model
    training: Training
    chip: str
    layout: Layout
    measured: float
    publisher: str
    group: str
    source: str
    task: str
    dropout: bool
    graphs: bool
    recompute_known: bool
    network: float | None
    chosen: tuple[str, ...]
    stated: tuple[tuple[str, object], ...] = ()

    @property
    def configuration(self) -> tuple[object, ...]:
        """What makes two rows the same configuration."""
        return (self.publisher, self.group, self.task, self.training, self.chip, self.layout, self.graphs, self.network)


def scoring_reason(row: Mapping[str, str]) -> str:
    """Why a row is not scored, or "" (the one rule of the data's README)."""
    if (row.get("confidence") or "read") != "read":
        return "recalled, not read"
    blank = [column for column in REQUIRED if not cell(row, column)]
    if blank:
        return "blank: " + ", ".join(blank)
    qa = cell(row, "qa")
    if qa and not qa.startswith(("fixed", "note")):
        return "qa: " + qa
    notes = row.get("notes") or ""
    return "notes: not for scoring" if "WARNING" in notes or "ambiguous" in notes else ""


def open_layout(row: Mapping[str, str]) -> bool:
    """Whether a row is kept from the score by nothing but blank fields of its layout: then one is chosen for it."""
    filled = {**row, **dict.fromkeys(blank_layout(row), "1")}
    return bool(blank_layout(row)) and not scoring_reason(filled)


def precision_of(text: str, chip: str) -> str:
    """Number format of the matrix products. Finer-grained FP8 is mxfp8 on Blackwell and CDNA4, blocks before.

    Blank: bf16, as nearly all training since 2021; fp16 on Volta, which has no bf16.
    """
    if not text:
        return "fp16" if chip.lower().startswith("v100") else "bf16"
    lowered = text.strip().lower()
    fine = "mxfp8" if re.search(r"b200|b300|mi35", chip.lower()) else "fp8-block"
    for pattern, found in (
        (r"nvfp4|fp4", "nvfp4"),
        (r"mxfp8|fp8-mx|alternate|subchannel|block", fine),
        (r"fp8|f8", "fp8"),
        (r"bf16|bfloat", "bf16"),
        (r"fp16|f16|half", "fp16"),
        (r"tf32", "tf32"),
        (r"fp32", "fp32"),
    ):
        if re.search(pattern, lowered):
            return found
    raise Skip(f"precision unknown: {text!r}")


def publisher_of(source: str) -> str:
    """Who published a row, all versions merged: the organisation's repository, benchmark or paper."""
    text = source.lower()
    for pattern, name in (
        ("mlperf", "MLCommons"),
        ("dgxc-benchmarking", "NVIDIA dgxc-benchmarking"),
        ("megatron-bridge|nvidia/nemo|automodel", "NVIDIA NeMo"),
        ("llm-foundry", "MosaicML"),
        ("korthikanti", "Korthikanti 2022"),
        ("vtrain", "vTrain"),
    ):
        if re.search(pattern, text):
            return name
    return re.split(r"[ ,(]", source.strip())[0] or "unknown"


def network_of(row: Mapping[str, str]) -> float | None:
    """Scale-out bandwidth that the row's notes state per node of eight, else None. [B/s per chip]"""
    notes = row.get("notes") or ""
    found = re.search(r"(\d+)\s*Gb(?:ps|/s)\s+(?:node-node|per node between nodes)", notes)
    return float(found.group(1)) * 1e9 / 8 / 8 if found else None


def question(row: Mapping[str, str]) -> Question:
    """A row as a Question; raises Skip with the reason."""
    try:
        spec = spec_of(row)
    except InputError as error:
        raise Skip(f"model: {error.problem}") from error
    source = row.get("source") or ""
    software = tuning.generation(f"{row.get('framework') or ''} | {source}")
    model, method, said = method_of(row, built(spec))
    layout, chosen = layout_of(row)
    chip = (row.get("chip") or "").strip()
    precision = precision_of(cell(row, "precision"), chip)
    training = Training(
        seq_len=whole(row, "seq_len"),
        global_batch=whole(row, "global_batch"),
        precision=precision,
        method=method,
        framework=str(software.get("generation", "")),
        attention=str(software.get("attention", "fused")),
    )
    if min(training.seq_len, training.global_batch, layout.micro_batch) < 1:
        raise Skip("seq_len, global_batch and micro_batch must be at least 1")
    measured = number(row, "step_time_s")
    if measured <= 0.0:
        raise Skip("step_time_s must be above 0")
    return Question(
        row_id=row_name(row),
        model=model,
        training=training,
        chip=chip,
        layout=layout,
        measured=measured,
        publisher=publisher_of(source),
        group=row.get("group") or f"{row.get('model') or ''}|{chip}",
        source=source,
        task=row.get("task") or "",
        dropout=bool(software.get("dropout", False)),
        graphs=(row.get("cuda_graph") or "").strip().lower() in TRUE,
        recompute_known=recompute_of(row) is not None,
        network=network_of(row),
        chosen=tuple(
            chosen + ([said] if said else []) + ([] if cell(row, "precision") else [f"precision = {precision}"])
        ),
        stated=tuple(sorted(stated_of(row, layout).items())) if blank_layout(row) else (),
    )


def distinct(questions: Iterable[Question]) -> list[Question]:
    """Each configuration once, with the median of its repeats."""
    groups: dict[tuple[object, ...], list[Question]] = {}
    for item in questions:
        groups.setdefault(item.configuration, []).append(item)
    return [replace(items[0], measured=statistics.median(i.measured for i in items)) for items in groups.values()]
