"""Published runs, and how far predictions are from them.

A row whose configuration took part in the shipped fit is predicted by the cross-validation fold that saw no row of its
publisher and none of its (model, chip) group; any other row by the shipped fit.
"""

from __future__ import annotations

import hashlib
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from exaplan.answers import Score, Scored, Validation
from exaplan.catalog import Catalog, tuning
from exaplan.errors import CatalogError
from exaplan.perf.inputs import Tuning
from exaplan.truth import metering
from exaplan.truth.predict import Predicted, predict
from exaplan.truth.reading import header
from exaplan.truth.rows import Question, Skip, open_layout, publisher_of, question, read_rows, row_name, scoring_reason
from exaplan.truth.score import by, constant_ratio, score
from exaplan.truth.serving import recording, scoring
from exaplan.truth.serving.power_joined import power
from exaplan.truth.wattage import Seen

RUNS = Path(__file__).resolve().parent.parent / "data" / "runs" / "training.csv.gz"
POWER = RUNS.parent / "power.csv.gz"
POWER_SERVING = RUNS.parent / "power_serving.csv.gz"

__all__ = ["POWER", "POWER_SERVING", "RUNS", "Tuning", "validate"]


@dataclass(frozen=True)
class Outcome:
    """A row that was predicted."""

    item: Question
    scored: Scored


@lru_cache(maxsize=1)
def known() -> Mapping[tuple[object, ...], str]:
    """Configuration -> fold, for the rows that took part in the shipped fit."""
    found = {}
    for row in read_rows(RUNS):
        item = question(row)
        found[item.configuration] = f"{item.publisher}|{item.group}"
    return found


def run_of(item: Question) -> tuple[object, ...]:
    """What tells one run from another whatever source, group and framework are called: chip, layout, measurement."""
    training = item.training
    work = (training.seq_len, training.global_batch, training.precision, len(item.model.layers), item.model.hidden)
    layout = item.layout
    cut = (layout.chips, layout.tp, layout.pp, layout.micro_batch)
    return (item.chip, *work, *cut, f"{item.measured:.6g}")


@lru_cache(maxsize=1)
def known_runs() -> Mapping[tuple[object, ...], str]:
    """Run -> fold, for the rows that took part in the shipped fit."""
    found = {}
    for row in read_rows(RUNS):
        item = question(row)
        found[run_of(item)] = f"{item.publisher}|{item.group}"
    return found


def fold_of(item: Question) -> str:
    """The fold that predicts a row; "" = the shipped fit. A row that the fit saw is known under other labels, too."""
    name = known().get(item.configuration) or known_runs().get(run_of(item), "")
    if name and name not in tuning.folds()["folds"]:
        raise CatalogError(
            f"row {item.row_id} took part in the fit, but has no fold {name!r}",
            hint="run tools/fit/training.py again: a row must never be scored by a fit that saw it",
        )
    return name


def validate(catalog: Catalog, runs: Path | None = None) -> Validation:
    """Score the shipped rows, or those of a CSV or CSV.gz file with the columns of one of them: training runs, measured
    power, or serving runs. Without a file, serving runs are shown as recorded."""
    if runs is None:
        found = joined(of_steps(catalog, RUNS), of_power(catalog, POWER, POWER_SERVING))
        for name, kept in recording.record().items():
            found = joined(found, recording.unpacked(name, kept))
        return found
    path = Path(runs)
    if scoring.is_serving(path):
        return scoring.of_serving(catalog, path)
    return of_power(catalog, path) if is_power(path) else of_steps(catalog, path)


def is_power(path: Path) -> bool:
    """Whether a file holds measured power: it has a column that only such a file needs, and none of a step time."""
    names = header(path)
    return "value_per_chip" in names and "step_time_s" not in names


@lru_cache(maxsize=1)
def power_rows() -> tuple[dict[str, str], ...]:
    """The shipped rows of measured power, which took part in the shipped fit."""
    return tuple(read_rows(POWER, metering.COLUMNS, "measured power"))


def of_power(catalog: Catalog, *paths: Path) -> Validation:
    """Score rows of measured power."""
    rows = [row for path in paths for row in read_rows(path, metering.COLUMNS, "measured power")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    return power(rows, Seen(read_rows(RUNS), power_rows(), fold_of), catalog, digest)


def joined(first: Validation, second: Validation) -> Validation:
    """Two quantities in one answer; the hash is that of the first, the second's stands in a note, and its sources are
    a grouping."""
    names = ", ".join(second.summary)
    return replace(
        first,
        rows=(*first.rows, *second.rows),
        summary={**first.summary, **second.summary},
        groups={**first.groups, f"{names}, by submitter": second.by_source, **second.groups},
        skipped=(*first.skipped, *second.skipped),
        notes=(*first.notes, *second.notes, f"{names}: rows of sha256 {second.input_hash}"),
    )


def of_steps(catalog: Catalog, path: Path) -> Validation:
    """Score rows of training runs.

    A row that is kept from the score by blank fields of its layout alone is predicted, too, and shown unscored.
    """
    outcomes: list[Outcome] = []
    skipped: list[tuple[str, str]] = []
    failed: list[str] = []
    for row in read_rows(path):
        reason = scoring_reason(row)
        try:
            if reason and not open_layout(row):
                raise Skip(reason)
            item = question(row)
            outcomes.append(Outcome(item, scored(item, predict(item, catalog, fold_of(item)), not reason)))
        except Skip as skip:
            skipped.append((row_name(row), str(skip)))
            failed += [] if reason else [publisher_of(row.get("source") or "")]
    return report(outcomes, tuple(skipped), failed, hashlib.sha256(path.read_bytes()).hexdigest())


def scored(item: Question, found: Predicted, counts: bool) -> Scored:
    """A prediction beside its measurement."""
    error = found.time / item.measured - 1.0
    return Scored(
        item.row_id, "step_time", found.time, item.measured, error, found.low, found.high, item.source, counts
    )


def merged(outcomes: list[Outcome]) -> list[Outcome]:
    """Each distinct configuration once, measured as the median of its repeats."""
    groups: dict[tuple[object, ...], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.item.configuration, []).append(outcome)
    out = []
    for same in groups.values():
        measured = statistics.median(o.item.measured for o in same)
        first = same[0].scored
        out.append(Outcome(same[0].item, replace(first, measured=measured, error=first.predicted / measured - 1.0)))
    return out


def report(outcomes: list[Outcome], skipped: tuple[tuple[str, str], ...], failed: list[str], digest: str) -> Validation:
    """Summary, groups and notes; ``failed`` names the publisher of every scoring row that was not predicted."""
    counted = [outcome for outcome in outcomes if outcome.scored.scored]
    once = merged(counted)
    rows = [outcome.scored for outcome in once]
    whole = score(rows, len(failed))
    publishers = by(rows, _key(once, lambda item: item.publisher), Counter(failed))
    notes = [
        f"{len(counted)} rows, {len(rows)} distinct configurations, {len(failed)} scoring rows not predicted "
        "(100% error each)"
    ]
    if rows:
        constant = constant_ratio(rows, whole.coverage)
        notes.append(f"interval score of one constant-ratio interval of equal coverage: {constant:.3f}")
    if len(outcomes) > len(counted):
        notes.append(f"{len(outcomes) - len(counted)} rows without tp, pp or micro_batch are predicted, but not scored")
    return Validation(
        rows=tuple(outcome.scored for outcome in outcomes),
        summary={"step_time": whole},
        by_source=publishers,
        groups={name: by(rows, _key(once, key)) for name, key in GROUPINGS.items()},
        skipped=skipped,
        publishers_mean=publishers_mean(publishers.values()),
        notes=tuple(notes + chosen_notes(outcomes)),
        input_hash=digest,
    )


def publishers_mean(scores: Iterable[Score]) -> dict[str, float]:
    """Mean over publishers of their median and mean error. [ratio]"""
    found = list(scores)
    names = ("median_abs_error", "mean_abs_error")
    return {name: statistics.fmean(getattr(item, name) for item in found) if found else 0.0 for name in names}


def _key(outcomes: list[Outcome], of: Callable[[Question], str]) -> Callable[[Scored], str]:
    names = {id(outcome.scored): of(outcome.item) for outcome in outcomes}
    return lambda row: names[id(row)]


def chosen_notes(outcomes: list[Outcome]) -> list[str]:
    """What was chosen for blank cells, and for how many rows."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        for text in outcome.item.chosen:
            counts[text] = counts.get(text, 0) + 1
    return [f"chosen where blank: {text} ({n} rows)" for text, n in sorted(counts.items())]


def chip_family(item: Question) -> str:
    """A chip without its memory size or board."""
    return re.split(r"[- ]", item.chip)[0].upper() if not item.chip.upper().startswith("TPU") else item.chip.upper()


def model_family(item: Question) -> str:
    """The leading letters of a model's name: llama, mpt, deepseek, qwen, grok, ..."""
    found = re.match(r"[a-z]+", item.group.lower())
    return found.group() if found else item.group


def kernels_of(item: Question) -> str:
    """Dense or MoE, on a chip whose kernels were measured or not."""
    measured = re.match(r"A100|H100|H200|B200|GB200", item.chip.upper()) is not None
    kind = "moe" if item.model.experts else "dense"
    return f"{kind}, {'kernels measured' if measured else 'no kernels measured'}"


def seen(item: Question) -> str:
    """Whether other rows of its chip are left once its fold is taken out."""
    others = {key[4] for key in known() if key[0] != item.publisher and key[1] != item.group}
    return "seen chip" if item.chip in others else "unseen chip"


GROUPINGS: Mapping[str, Callable[[Question], str]] = {
    "chip family": chip_family,
    "model family": model_family,
    "precision": lambda item: item.training.precision,
    "task": lambda item: (
        "lora" if "lora" in item.task.lower() else ("sft" if "sft" in item.task.lower() else "pretrain")
    ),
    "experts": lambda item: "moe" if item.model.experts else "dense",
    "kernels": kernels_of,
    "chip seen": seen,
}
