"""Predicted power of chips that serve, beside measured rows: by the fit that never saw the row's model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from exaplan.answers import Score, Scored
from exaplan.catalog import Catalog, serving_names, serving_power
from exaplan.perf.serving.power import serving_power as power_of
from exaplan.truth.predict import Predicted
from exaplan.truth.reading import Skip, cell, read_rows, row_name
from exaplan.truth.score import by, score
from exaplan.truth.serving.power_rows import COLUMNS, KIND, Powered, power_reason, powered
from exaplan.truth.serving.power_runs import Pace, at_pace, output_of, parts, prompt_of, run_of

QUANTITY = "power"
ROWS = Path(__file__).resolve().parents[2] / "data" / "runs" / "power_serving.csv.gz"

__all__ = ["COLUMNS", "KIND", "QUANTITY", "ROWS", "PowerScore", "power_serving", "predict_power", "shipped_rows"]


@dataclass(frozen=True)
class PowerScore:
    """What ``validate`` says of rows of power; rows [W per chip]. skipped: (row, reason); failed: the source of every
    scoring row that was not predicted."""

    rows: tuple[Scored, ...]
    skipped: tuple[tuple[str, str], ...]
    failed: tuple[str, ...]
    whole: Score
    by_source: Mapping[str, Score]
    groups: Mapping[str, Mapping[str, Score]]
    notes: tuple[str, ...]


def shipped_rows() -> list[dict[str, str]]:
    """The rows that ship with the package, as text."""
    return read_rows(ROWS, COLUMNS, "measured power")


def fold_of(item: Powered) -> str:
    """The fold without a row's family of models; "" (all rows) for a family that took no part in the fit."""
    return item.family if item.family in serving_power.record()["folds"] else ""


def predict_power(item: Powered, shelf: Catalog, fold: str) -> Predicted:
    """Average power of a row's chips while it serves, each, and its 80% interval. [W]"""
    record = serving_power.record()
    found = record["folds"][fold] if fold else record
    pace = Pace(**{name: float(found["pace"][name]) for name in Pace._fields})
    output = output_of(item, record["outputs"])
    isolated = parts(item, shelf, prompt_of(item, found["prompts"]), output)
    spent = at_pace(isolated, run_of(item, output, tuple(record["shared"])), pace)
    chip = shelf.chip(serving_names.chip(item.chip) or item.chip)
    if chip.power is None:
        raise Skip(f"the power of {item.chip} is unknown")
    value = power_of(chip.power, spent, serving_power.coefficients(fold, chip.architecture))
    low, high = serving_power.band(item.chip, fold)
    return Predicted(float(value), float(value * low), float(value * high))


def power_serving(rows: Iterable[Mapping[str, str]], catalog: Catalog) -> PowerScore:
    """Score rows of measured power, each one row."""
    done: list[tuple[Powered, Scored]] = []
    skipped: list[tuple[str, str]] = []
    failed: list[str] = []
    for row in rows:
        reason = power_reason(row)
        try:
            if reason:
                raise Skip(reason)
            item = powered(row)
            found = predict_power(item, catalog, fold_of(item))
        except Skip as skip:
            skipped.append((row_name(row), str(skip)))
            failed += [] if reason else [cell(row, "source")]
            continue
        done.append((item, scored(item, found)))
    return report(done, tuple(skipped), tuple(failed))


def scored(item: Powered, found: Predicted) -> Scored:
    """A prediction beside its measurement."""
    error = found.time / item.measured - 1.0
    return Scored(item.row_id, QUANTITY, found.time, item.measured, error, found.low, found.high, item.source)


def report(
    done: list[tuple[Powered, Scored]], skipped: tuple[tuple[str, str], ...], failed: tuple[str, ...]
) -> PowerScore:
    """Scores of rows, whole and by group."""
    rows = [found for _, found in done]
    names = {id(found): item for item, found in done}
    lost = Counter(f"{QUANTITY}: {source}" for source in failed)

    def grouped(of: Callable[[Powered], str]) -> Mapping[str, Score]:
        return by(rows, lambda row: of(names[id(row)]))

    return PowerScore(
        rows=tuple(rows),
        skipped=skipped,
        failed=failed,
        whole=score(rows, len(failed)),
        by_source=by(rows, lambda row: f"{QUANTITY}: {row.source}", lost),
        groups={name: grouped(of) for name, of in GROUPINGS.items()},
        notes=notes([item for item, _ in done], len(failed)),
    )


GROUPINGS: Mapping[str, Callable[[Powered], str]] = {
    "power of serving, by chip": lambda item: item.chip,
    "power of serving, by model": lambda item: item.family,
    "power of serving, by task": lambda item: item.task,
    "power of serving, by chips of an engine": lambda item: f"{item.chip}, {item.replica.chips} chips",
    "power of serving, by sequences": lambda item: band_of(item.seqs),
}


def band_of(seqs: int) -> str:
    """Band of the sequences at a time."""
    return "up to 16" if seqs <= 16 else "17 to 128" if seqs <= 128 else "above 128"


def notes(items: list[Powered], failed: int) -> tuple[str, ...]:
    """How many rows, of what, and what was chosen for them."""
    if not items and not failed:
        return ()
    families, chips = {item.family for item in items}, {item.chip for item in items}
    record = serving_power.record()
    prompts = ", ".join(f"{name} {float(value):.0f}" for name, value in sorted(record["prompts"].items()))
    outs = "; ".join(
        f"{record['errors']['chip_left_out'][name]['mean']:.1%} on {name} by the fit without it"
        for name in sorted(record["errors"]["chip_left_out"])
    )
    return (
        f"power of serving: {len(items)} rows of {len(families)} families of models on {len(chips)} chips, {failed} "
        "scoring rows not predicted (100% error each); each by the fit that saw no row of its family",
        f"power of serving, with a whole chip left out: mean error {outs}",
        f"power of serving, chosen by rule: prompts of {prompts} tokens by task (fitted in each fold but gpqa)",
    )
