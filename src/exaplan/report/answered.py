"""What a verb gave back, in every form in which it leaves: JSON, tables, a report, launch settings.

The command line and the page call these four, whatever the answer is about.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.console import RenderableType

from exaplan.answers import Answer
from exaplan.answers.serving import Served
from exaplan.answers.tax import Tax
from exaplan.catalog import Catalog
from exaplan.errors import InputError

Made = Answer | Served | Tax


def document(made: Made, catalog: Catalog) -> dict[str, Any]:
    """The answer as JSON values."""
    if isinstance(made, Tax):
        from exaplan.report.money import tax_json

        return dict(tax_json(made, catalog))
    if isinstance(made, Served):
        from exaplan.report.serving import served_json

        return served_json(made, catalog)
    from exaplan.report.to_json import answer_json

    return answer_json(made, catalog)


def view(verb: str, made: Made, catalog: Catalog) -> list[RenderableType]:
    """The answer as tables on the screen."""
    if isinstance(made, Tax):
        from exaplan.report.money import tax_view

        return list(tax_view(made, catalog))
    if isinstance(made, Served):
        from exaplan.report.serving import served_view

        return served_view(made)
    from exaplan.report.tables import estimate_view, plan_view

    return estimate_view(made) if verb == "estimate" else plan_view(made)


def pages(made: Made, suffix: str, catalog: Catalog) -> bytes:
    """The report of an answer: a page, a picture or a chart, by the suffix."""
    if isinstance(made, Tax):
        from exaplan.report.money import tax_report

        return tax_report(made, suffix, catalog)
    if isinstance(made, Served):
        from exaplan.report.serving import served_report

        return served_report(made, suffix, catalog)
    from exaplan.report.page import report_bytes

    return report_bytes(made, suffix, catalog)


def launched(form: str, made: Answer | Served) -> tuple[int, str, str]:
    """(rank, settings, note) of the best plan that the program can express; the refusal of the first where there is
    none. note: why it is not the first ("" = it is)."""
    from exaplan.report.launch import launch_text

    refusals: list[InputError] = []
    for rank in range(1, _count(made) + 1):
        try:
            text = launch_text(form, _from(made, rank))
        except InputError as error:
            refusals.append(error)
            continue
        first = f"--launch {form}: settings of plan #{rank}; of #1: {refusals[0].problem}" if refusals else ""
        return rank, text, first
    raise refusals[0]


def _count(made: Answer | Served) -> int:
    return len(made.plans if isinstance(made, Served) else made.estimates)


def _from(made: Answer | Served, rank: int) -> Answer | Served:
    """The answer without the plans before that rank."""
    if isinstance(made, Served):
        return replace(made, plans=made.plans[rank - 1 :])
    return replace(made, estimates=made.estimates[rank - 1 :])
