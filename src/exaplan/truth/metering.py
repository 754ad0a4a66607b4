"""Rows of measured power as questions: which count, what machine and work they are of, and what was chosen by rule.

The columns are those of data/runs/power.csv: average electrical power of the nodes over one timed run of a benchmark.
The rows do not state their layout. LoRA: that of the published run of the same benchmark on the same chip, of the
nearest count, then of the same round, then the first; it is scaled by data parallelism where the counts differ. BERT:
data parallelism alone, with the largest micro-batch of a power of two that fits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from exaplan.nouns import Model
from exaplan.truth.reading import Skip, cell, number, whole
from exaplan.truth.rows import Question, question, row_name, scoring_reason

KIND = "mlperf-training-node-power"
COLUMNS = ("kind", "model", "chip", "n_chips", "value_per_chip", "performance", "performance_unit", "scenario", "notes")
NODE = "warn: node wall power"  # what the table says of every such row; it is what is predicted
SECONDS = {"minutes": 60.0, "seconds": 1.0, "hours": 3600.0}
# Dimensions of BERT-large and its length in MLPerf: J. Devlin et al., arXiv:1810.04805, section 3.
BERT = {
    "model": "bert-large", "task": "pretrain", "layers": "24", "hidden": "1024", "ffn": "4096", "heads": "16",
    "vocab": "30522", "seq_len": "512", "mlp_kind": "gelu", "tp": "1", "pp": "1", "vpp": "1", "cp": "1",
    "recompute": "none", "step_time_s": "1",
}  # fmt: skip


@dataclass(frozen=True)
class Metered:
    """A measured row: power [W per chip, at the node's input (AC) or behind its power supplies (DC)].

    work: the step that it ran; donor: the published run that its layout or number format is from; steps of the run
    (None = unknown); duration [s] of the timed run; direct: read behind the power supplies; submitter: whose machine,
    the fold of the row; machine: its name; chosen: what was filled in by rule.
    """

    row_id: str
    work: Question
    donor: Question
    steps: float | None
    duration: float
    measured: float
    direct: bool
    submitter: str
    machine: str
    chosen: str

    @property
    def group(self) -> str:
        """Submitter, benchmark and chips: rows that are metered on the same runs, on either side, share a group."""
        return f"{self.submitter}|{self.work.model.name}|{self.work.layout.chips} {self.work.chip}"


def power_reason(row: Mapping[str, str]) -> str:
    """Why a row is not scored, or "" (the one rule of the data's README)."""
    if cell(row, "kind") != KIND:
        return f"kind {cell(row, 'kind') or 'unknown'}: only {KIND} is predicted"
    if (cell(row, "confidence") or "read") != "read":
        return "recalled, not read"
    qa = cell(row, "qa")
    return "" if not qa or qa.startswith(("fixed", "note", NODE)) else "qa: " + qa


def submitter_of(source: str) -> str:
    """Whose machine was metered: first part of the path of the logs, both sides of the same machine as one."""
    found = re.search(r"power logs (\S+?)(?:-(?:ac|dc)-power)?/results/", source)
    return found.group(1).lower() if found else (source.strip() or "unknown")


def round_of(source: str) -> str:
    """v4.0, v4.1, ... of a source, or ""."""
    found = re.search(r"v\d+\.\d+", source)
    return found.group() if found else ""


def direct_of(row: Mapping[str, str]) -> bool:
    """Whether the reading is behind the power supplies: it says DC, or that it has yet to be divided by their
    efficiency."""
    notes = cell(row, "notes")
    factor = re.search(r"conversion_eff field ([\d.]+)", notes)
    return "reading side DC" in notes or (factor is not None and float(factor.group(1)) < 1.0)


def lora_runs(shipped: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Published runs of MLPerf's LoRA benchmark that count."""
    return [row for row in shipped if "lora" in cell(row, "task") and "MLPerf" in cell(row, "source") and _whole(row)]


def _whole(row: Mapping[str, str]) -> bool:
    return not scoring_reason(row) and bool(cell(row, "samples_to_target"))


def donor_of(row: Mapping[str, str], shipped: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
    """The published run whose layout a row takes."""
    chip, chips, made = cell(row, "chip"), whole(row, "n_chips"), round_of(cell(row, "source"))
    if chips < 1:
        raise Skip("n_chips must be at least 1")
    same = [run for run in lora_runs(shipped) if cell(run, "chip") == chip]
    if not same:
        raise Skip(f"no published run of MLPerf's LoRA benchmark on {chip or 'an unnamed chip'} to take a layout from")

    def far(run: Mapping[str, str]) -> tuple[float, bool, str]:
        return abs(math.log(whole(run, "n_chips") / chips)), round_of(cell(run, "source")) != made, cell(run, "row_id")

    return min(same, key=far)


def metered(row: Mapping[str, str], shipped: Iterable[Mapping[str, str]]) -> Metered:
    """A row as a question; raises Skip with the reason."""
    chips, source = whole(row, "n_chips"), cell(row, "source")
    donor = donor_of(row, shipped)
    lora = "lora" in cell(row, "scenario")
    if not lora and cell(row, "model") != "bert-large":
        raise Skip(f"benchmark unknown: {cell(row, 'scenario') or cell(row, 'model')}")
    work = _lora(donor, chips) if lora else _bert(donor, chips)
    steps = number(donor, "samples_to_target") / whole(donor, "global_batch") if lora else None
    unit = cell(row, "performance_unit")
    if unit not in SECONDS:
        raise Skip(f"performance_unit unknown: {unit!r}")
    found = Metered(
        row_id=row_name(row),
        work=work,
        donor=question(donor),
        steps=steps,
        duration=SECONDS[unit] * number(row, "performance"),
        measured=number(row, "value_per_chip"),
        direct=direct_of(row),
        submitter=submitter_of(source),
        machine=source,
        chosen=f"layout of {cell(donor, 'row_id')}" if lora else "dp = chips, largest micro-batch that fits",
    )
    if min(found.duration, found.measured) <= 0.0:
        raise Skip("value_per_chip and performance must be above 0")
    return found


def _lora(donor: Mapping[str, str], chips: int) -> Question:
    """The donor's step on ``chips``: more or fewer replicas, each with its share of the batch."""
    unit = whole(donor, "tp") * whole(donor, "pp") * whole(donor, "cp", 1)
    if chips % unit:
        raise Skip(f"{chips} chips do not hold whole replicas of {unit}")
    each = whole(donor, "global_batch") * unit / whole(donor, "n_chips")
    batch = max(1, round(each * chips / unit))
    return question({**donor, "n_chips": str(chips), "dp": str(chips // unit), "global_batch": str(batch)})


def _bert(donor: Mapping[str, str], chips: int) -> Question:
    """BERT-large on ``chips`` in the donor's number format; its micro-batch is chosen by what fits."""
    cells = BERT | {name: cell(donor, name) for name in ("row_id", "chip", "precision", "framework", "source")}
    found = question(cells | {"n_chips": str(chips), "dp": str(chips), "micro_batch": "1", "global_batch": str(chips)})
    return replace(found, model=encoder(found.model))


def encoder(model: Model) -> Model:
    """The same model with every token seeing every other."""
    blocks = tuple(
        replace(block, operators=tuple(replace(item, causal=False) for item in block.operators))
        for block in model.blocks
    )
    return replace(model, blocks=blocks)
