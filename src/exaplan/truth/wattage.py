"""Rows of measured power against their predictions: errors, ranges, groups and notes of ``validate``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from exaplan.answers import Score, Scored
from exaplan.catalog import Catalog
from exaplan.truth.metering import Metered, metered, power_reason, submitter_of
from exaplan.truth.powering import predict_power
from exaplan.truth.reading import Skip, cell, row_name
from exaplan.truth.rows import Question
from exaplan.truth.score import by, score

QUANTITY = "power"


@dataclass(frozen=True)
class Wattage:
    """What ``validate`` says of rows of power; rows [W per chip]. skipped: (row, reason)."""

    rows: tuple[Scored, ...]
    whole: Score
    by_source: Mapping[str, Score]
    groups: Mapping[str, Mapping[str, Score]]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What took part in fits: training runs, whose layouts rows of power take; rows of power; and the training fit that
    may predict such a run."""

    runs: Sequence[Mapping[str, str]]
    power: Sequence[Mapping[str, str]]
    fold_of: Callable[[Question], str]

    def source(self, row: Mapping[str, str]) -> str:
        """Where a row is from: what the fit saw is known by what was measured, whatever it is called."""
        return next((cell(other, "source") for other in self.power if _same(row, other)), cell(row, "source"))


def _same(row: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(cell(row, name) == cell(other, name) for name in ("chip", "n_chips", "value_per_chip", "performance"))


def wattage(rows: Iterable[Mapping[str, str]], seen: Seen, catalog: Catalog) -> Wattage:
    """Score rows of measured power, each one row."""
    done: list[tuple[Metered, Scored]] = []
    skipped: list[tuple[str, str]] = []
    failed: list[str] = []
    for row in rows:
        reason, source = power_reason(row), seen.source(row)
        try:
            if reason:
                raise Skip(reason)
            item = metered({**row, "source": source}, seen.runs)
            found = predict_power(item, catalog, seen.fold_of(item.donor))
        except Skip as skip:
            skipped.append((row_name(row), str(skip)))
            failed += [] if reason else [submitter_of(source)]
            continue
        error = found.time / item.measured - 1.0
        ends = (found.time, item.measured, error, found.low, found.high)
        done.append((item, Scored(item.row_id, QUANTITY, *ends, cell(row, "source"))))
    return _report(done, tuple(skipped), failed)


def _report(done: list[tuple[Metered, Scored]], skipped: tuple[tuple[str, str], ...], failed: list[str]) -> Wattage:
    scored = [found for _, found in done]
    names = {id(found): item for item, found in done}

    def key(of: Callable[[Metered], str]) -> Callable[[Scored], str]:
        return lambda row: of(names[id(row)])

    lost = Counter(f"{QUANTITY}: {name}" for name in failed)
    return Wattage(
        rows=tuple(scored),
        whole=score(scored, len(failed)),
        by_source=by(scored, key(lambda item: f"{QUANTITY}: {item.submitter}"), lost),
        groups={"measured machine": by(scored, key(lambda item: item.group))},
        skipped=skipped,
        notes=_notes([item for item, _ in done], len(failed)),
    )


def _notes(items: list[Metered], failed: int) -> tuple[str, ...]:
    """How many rows, of how many runs on how many machines, and what was chosen for them."""
    groups = {item.group for item in items}
    makers = {item.submitter for item in items}
    whole = (
        f"power: {len(items)} rows of {len(groups)} works and machines of {len(makers)} submitters, {failed} scoring "
        "rows not predicted (100% error each)"
    )
    side = "power: W per chip at the node's input, or behind its power supplies where a row says so"
    chosen = Counter(f"{item.work.model.name} on {item.work.layout.chips}: {item.chosen}" for item in items)
    return (whole, side, *(f"power, chosen by rule: {text} ({n} rows)" for text, n in sorted(chosen.items())))
