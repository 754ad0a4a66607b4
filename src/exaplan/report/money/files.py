"""The AI tax as a file: its charts, and on a page the two plans, the series and the sources."""

from __future__ import annotations

from html import escape

from exaplan.answers.tax import Tax
from exaplan.catalog import Catalog
from exaplan.report.citing import source_lines
from exaplan.report.drawing import Drawing, drawing_bytes
from exaplan.report.html import listing, sheet_html
from exaplan.report.money.charts import charts
from exaplan.report.money.taxes import break_even_rows, headlines, ordered, plans, series_rows, sources_of, title
from exaplan.report.sheets import Sheet
from exaplan.report.verdicts import brief
from exaplan.report.words import phrase, word


def tax_report(tax: Tax, suffix: str, catalog: Catalog) -> bytes:
    """The content of a report on the tax."""
    drawing = Drawing(title(tax, catalog), list(headlines(tax)), charts(tax), _below(tax, catalog))
    return drawing_bytes(drawing, suffix)


def _below(tax: Tax, catalog: Catalog) -> list[str]:
    """Plans side by side, break-even, series, verdicts, assumptions, sources."""
    made = []
    for side in ordered(tax):
        if side.reference or side.local:
            sheet = Sheet(("", "reference", "local"), plans(side), left=("reference", "local"))
            made.append(_section(word("tax.by", terms=word(f"tax.terms.{side.terms}")), sheet_html(sheet)))
    if tax.break_even:
        columns = ("chip", "now", "even_price", "even_speed", "note")
        rows = break_even_rows(tax.break_even)
        made.append(_section(word("tax.break_even"), sheet_html(Sheet(columns, rows, left=("note",)))))
    if tax.series:
        days, cells, left = series_rows(tax)
        made.append(_section(word("tax.series"), sheet_html(Sheet(days, cells, left=left))))
    lists = {
        "tax.verdicts": [brief(verdict) for verdict in tax.verdicts],
        "plan.warnings": list(map(phrase, tax.warnings)),
        "plan.assumptions": list(map(phrase, tax.assumptions)),
        "explain.sources": list(source_lines(sources_of(tax), catalog)),
    }
    made.append("<section>" + "".join(listing(word(name), lines) for name, lines in lists.items()) + "</section>")
    return made


def _section(name: str, inner: str) -> str:
    return f"<section><h2>{escape(name)}</h2>{inner}</section>"
