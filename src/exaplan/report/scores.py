"""The score of ``validate``: predictions against published runs, overall and by group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import RenderableType
from rich.text import Text

from exaplan.answers import Score, Scored, Validation
from exaplan.report.peers import peers_view
from exaplan.report.screen import listed, percent, table
from exaplan.report.words import word

COLUMNS = ("n", "median_abs_error", "mean_abs_error", "bias", "coverage", "winkler")
WORST = 5
SKIPPED = 20


def validation_view(validation: Validation) -> list[RenderableType]:
    """What ``exaplan validate`` prints; the notes say what was chosen for blank fields."""
    parts: list[RenderableType] = [_scores("quantity", validation.summary, word("validate.title"))]
    parts += [_macro(validation)] if validation.publishers_mean else []
    for name, scores in validation.groups.items():
        parts.append(_scores("group", scores, word("validate.by", name=name)))
    parts.append(_scores("source", validation.by_source, word("validate.by", name=word("columns.source"))))
    parts += peers_view(validation)
    return [*parts, _worst(validation.rows), *_skipped(validation), *listed(word("validate.notes"), validation.notes)]


def _scores(first: str, scores: Mapping[str, Score], title: str) -> RenderableType:
    rows = [[_name(first, name), *_cells(score)] for name, score in scores.items()]
    return table((first, *COLUMNS), rows, title)


def _name(first: str, name: str) -> str:
    return word(f"quantities.{name}") if first == "quantity" else name


def _cells(score: Score) -> tuple[str, ...]:
    errors = (percent(score.median_abs_error), percent(score.mean_abs_error), percent(score.bias))
    return (f"{score.n:,}", *errors, percent(score.coverage), f"{score.winkler:.3f}")


def _macro(validation: Validation) -> RenderableType:
    shown = [f"{word('columns.' + name)} {percent(value)}" for name, value in validation.publishers_mean.items()]
    return Text(f"{word('validate.publishers')}: {', '.join(shown)}")


def _worst(rows: Iterable[Scored]) -> RenderableType:
    worst = sorted((row for row in rows if row.scored), key=lambda row: -abs(row.error))[:WORST]
    cells = [
        [row.row_id, row.quantity, f"{row.predicted:.4g}", f"{row.measured:.4g}", percent(row.error), row.source]
        for row in worst
    ]
    columns = ("row_id", "quantity", "predicted", "measured", "error", "source")
    return table(columns, cells, word("validate.worst"), left=("quantity", "source"))


def _skipped(validation: Validation) -> list[RenderableType]:
    lines = [f"{row}: {reason}" for row, reason in validation.skipped[:SKIPPED]]
    if len(validation.skipped) > SKIPPED:
        lines.append(word("validate.skipped_more", count=f"{len(validation.skipped) - SKIPPED:,}"))
    return listed(word("validate.skipped", count=f"{len(validation.skipped):,}"), lines)
