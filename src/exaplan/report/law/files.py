"""Reports about the law as files: the chips of a day, and how their verdicts changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exaplan.catalog import Catalog
from exaplan.nouns import Verdict
from exaplan.report.citing import source_lines
from exaplan.report.drawing import Drawing, drawing_bytes
from exaplan.report.html import listing, sheet_html
from exaplan.report.law.charts import Lines, chips_chart, timeline_chart
from exaplan.report.law.check import number, place_name, review, sentence
from exaplan.report.law.to_json import Steps
from exaplan.report.sheets import NONE, Sheet
from exaplan.report.verdicts import decisive, is_later, verdict_word
from exaplan.report.words import phrase, word

NAMED = 3  # chips that a title names


def chips_report(verdicts: Mapping[str, Verdict], lines: Lines, suffix: str, catalog: Catalog) -> bytes:
    """TPP against performance density of all chips on a day, with the lines of the classes; on a page the table too."""
    found = list(verdicts.values())
    deal = found[0].deal if found else None
    known = (name for name in verdicts if name in catalog.chips)
    chart = chips_chart(
        found, lines, [name for name in known if is_later(catalog.chip(name).release, deal.on if deal else "")]
    )
    title = word("law.chips", to=place_name(deal.to, catalog), on=deal.on) if deal else word("law.no_steps")
    drawn = {"law": chart} if chart else {}
    below = [_section(chips_sheet(found), word("law.facts")), _sources(found, catalog)]
    return drawing_bytes(Drawing(title, [_through(found)], drawn, below), suffix)


def chips_sheet(verdicts: Sequence[Verdict]) -> Sheet:
    """Each chip with its numbers, class, verdict and the clause that decided."""
    columns = ("chip", "tpp", "pd", "class", "verdict", "review", "decided_by")
    return Sheet(columns, [_row(verdict) for verdict in verdicts], left=("class", "verdict", "review", "decided_by"))


def _row(verdict: Verdict) -> list[str]:
    facts = [verdict.facts.get(name) for name in ("tpp", "pd")]
    numbers = [NONE if value is None else number(value) for value in facts]
    told = (phrase(verdict.class_name), verdict_word(verdict.verdict), review(verdict) or NONE)
    return [verdict.chip, *numbers, *told, _by(verdict)]


def _by(verdict: Verdict) -> str:
    clause = decisive(verdict)
    return f"{clause.rule} {clause.clause}".strip() if clause else NONE


def timeline_report(chips: Mapping[str, Steps], suffix: str, catalog: Catalog) -> bytes:
    """How the verdicts of some chips changed; on a page with the table of each."""
    last = [steps[-1][1] for steps in chips.values() if steps]
    chart = timeline_chart(chips)
    to = place_name(last[0].deal.to, catalog) if last else ""
    names = ", ".join(chips) if len(chips) <= NAMED else word("law.many", count=len(chips))
    title = word("law.timeline", chip=names, to=to)
    below = [_section(_steps(steps), chip) for chip, steps in chips.items() if steps]
    below.append(_sources([verdict for steps in chips.values() for _, verdict in steps], catalog))
    told = [sentence(verdict) for verdict in last[:1]] if len(last) == 1 else []
    return drawing_bytes(Drawing(title, [*told, _through(last)], {"timeline": chart} if chart else {}, below), suffix)


def _steps(steps: Steps) -> Sheet:
    columns = ("since", "verdict", "class", "review", "decided_by")
    rows = [
        [day, verdict_word(verdict.verdict), phrase(verdict.class_name), review(verdict) or NONE, _by(verdict)]
        for day, verdict in steps
    ]
    return Sheet(columns, rows, left=columns[1:])


def _through(verdicts: Sequence[Verdict]) -> str:
    return word("law.through", date=next((one.rules_through for one in verdicts if one.rules_through), NONE))


def _section(sheet: Sheet, title: str) -> str:
    from html import escape

    return f"<section><h2>{escape(title)}</h2>{sheet_html(sheet)}</section>"


def _sources(verdicts: Sequence[Verdict], catalog: Catalog) -> str:
    used = {clause.source for verdict in verdicts for clause in verdict.clauses}
    return f"<section>{listing(word('explain.sources'), source_lines(used, catalog))}</section>"
