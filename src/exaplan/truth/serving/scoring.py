"""Serving rows beside their predictions: errors, ranges, groups and notes of ``validate``."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exaplan.answers import Score, Scored, Validation
from exaplan.catalog import Catalog
from exaplan.truth.reading import Skip, header, read_rows, row_name
from exaplan.truth.score import by, constant_ratio, score
from exaplan.truth.serving import published, silicon
from exaplan.truth.serving.predict import Predicted, predict
from exaplan.truth.serving.questions import Question

Key = Callable[[Question], str]
# What a row is scored on; `prefill` (prompt tokens/s) is a throughput, too.
QUANTITY = {"prefill": "throughput"}
BANDS = ((8, "1-8"), (32, "9-32"), (128, "33-128"), (10**9, "above 128"))


@dataclass(frozen=True)
class Outcome:
    """One quantity of a row that was predicted."""

    question: Question
    scored: Scored


def is_serving(path: Path) -> bool:
    """Whether a file holds serving runs: it has the columns of one of the two tables."""
    names = set(header(path))
    return set(silicon.COLUMNS) <= names or set(published.COLUMNS) <= names


def of_serving(catalog: Catalog, path: Path) -> Validation:
    """Score a file of serving runs."""
    form = silicon if set(silicon.COLUMNS) <= set(header(path)) else published
    outcomes: list[Outcome] = []
    skipped: list[tuple[str, str]] = []
    failed: Counter[str] = Counter()
    for index, row in enumerate(read_rows(path, form.COLUMNS, "serving runs")):
        name = row_name(row) if form is published else f"silicon-{index:04d}"
        reason = form.reason(row)
        try:
            if reason:
                raise Skip(reason)
            question = form.question(row, name)
            found = predict(question, catalog)
        except Skip as skip:
            skipped.append((name, str(skip)))
            if not reason:
                failed.update(lost(row, form is published))
            continue
        outcomes += [Outcome(question, scored(question, key, value)) for key, value in found.items()]
    return report(outcomes, tuple(skipped), failed, hashlib.sha256(path.read_bytes()).hexdigest())


def lost(row: Mapping[str, str], one: bool) -> tuple[str, ...]:
    """Quantities that a row which could not be predicted would have been scored on."""
    if one:
        return ("latency",) if row.get("scenario", "").lower().endswith(("singlestream", "bs1")) else ("throughput",)
    end = "_disagg" if row.get("mode") == "disagg" else ""
    return (f"ttft{end}", f"tpot{end}")


def scored(question: Question, name: str, found: Predicted) -> Scored:
    """A prediction beside its measurement."""
    measured = question.measured[name]
    error = found.value / measured - 1.0
    ends = (found.value, measured, error, found.low, found.high)
    return Scored(question.row_id, QUANTITY.get(name, name), *ends, question.source)


def report(
    outcomes: Sequence[Outcome], skipped: tuple[tuple[str, str], ...], failed: Counter[str], digest: str
) -> Validation:
    """Summary by quantity, groups and notes."""
    quantities = [*dict.fromkeys(outcome.scored.quantity for outcome in outcomes)]
    quantities += [name for name in failed if name not in quantities]
    summary: dict[str, Score] = {}
    groups: dict[str, Mapping[str, Score]] = {}
    notes: list[str] = []
    for quantity in quantities:
        mine = [outcome for outcome in outcomes if outcome.scored.quantity == quantity]
        rows = [outcome.scored for outcome in mine]
        summary[quantity] = score(rows, failed[quantity])
        notes.append(f"{quantity}: {len(rows)} rows predicted, {failed[quantity]} not (100% error each)")
        if rows:
            constant = constant_ratio(rows, summary[quantity].coverage)
            notes.append(
                f"{quantity}: interval score {summary[quantity].winkler:.3f}; of one constant-ratio interval of equal "
                f"coverage {constant:.3f}"
            )
        for name, key in GROUPINGS.items():
            groups[f"{quantity}, by {name}"] = grouped(mine, key)
    return Validation(
        rows=tuple(outcome.scored for outcome in outcomes),
        summary=summary,
        by_source=grouped(list(outcomes), lambda item: f"{SETS[item.family]}"),
        groups=groups,
        skipped=skipped,
        notes=(*notes, *chosen(outcomes)),
        input_hash=digest,
    )


def grouped(outcomes: Sequence[Outcome], key: Key) -> Mapping[str, Score]:
    """Score of every group of outcomes."""
    names = {id(outcome.scored): key(outcome.question) for outcome in outcomes}
    return by([outcome.scored for outcome in outcomes], lambda row: names[id(row)])


def chosen(outcomes: Sequence[Outcome]) -> list[str]:
    """What was chosen for blank cells, and for how many rows."""
    rows = {outcome.question.row_id: outcome.question for outcome in outcomes}
    counts = Counter(text for question in rows.values() for text in question.chosen)
    return [f"serving, chosen where blank: {text} ({n} rows)" for text, n in sorted(counts.items())]


def band(question: Question) -> str:
    """Concurrency of a row, in bands."""
    users = question.protocol.concurrency
    if users < 1:
        return "open or unlimited"
    return next(name for most, name in BANDS if users <= most)


def family_of_model(question: Question) -> str:
    """A model without its size."""
    found = re.match(r"[a-z]+(-[a-z]+)*", question.model)
    return found.group() if found else question.model


SETS: Mapping[str, str] = {
    "silicon": "InferenceX and NVIDIA silicon rows",
    "tables": "TensorRT-LLM throughput tables",
    "mlperf": "MLPerf Inference",
    "chat": "ML.ENERGY",
    "llama.cpp": "llama.cpp",
    "loop": "InferenceX, experimental loop",
    "triton": "TensorRT-LLM behind Triton",
    "static": "TensorRT-LLM static batches",
    "other": "clusters of DeepSeek and LMSYS",
}

GROUPINGS: Mapping[str, Key] = {
    "set": lambda item: f"{SETS[item.family]}, {item.protocol.kind}",
    "engine": lambda item: item.engine,
    "chip": lambda item: item.chip,
    "model": family_of_model,
    "concurrency": band,
}
