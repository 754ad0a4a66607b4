"""The answers of ``plan`` and ``estimate`` as tables: the decision, plans, ranges, and why this one."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from exaplan.answers import Answer, Priced
from exaplan.report import told
from exaplan.report.asked import several, tokens_open
from exaplan.report.scatter import scatter
from exaplan.report.screen import amount, bar, heading, indented, line, listed, percent, table
from exaplan.report.sheets import (
    Sheet,
    cluster_of,
    layout_text,
    offers_sheet,
    plans_sheet,
    tried_alike,
    tried_sheet,
    whole_sheet,
)
from exaplan.report.words import word

TRIED = 12  # chips whose fate is told on the screen


def plan_view(answer: Answer) -> list[RenderableType]:
    """What ``exaplan plan`` prints: the decision, the best plans, the first with its ranges, and why this one."""
    best = answer.estimates[0]
    short = f"#1: {layout_text(best.estimate.layout)}"
    full = [Text(told.best_line(best), style="bold"), drawn(whole_sheet(best, ""))]
    caption = word(
        "plan.caption_open" if several(answer) else "plan.caption", objective=word(f"objectives.{answer.objective}")
    )
    return [
        *header(answer),
        *_decision(answer),
        Text(caption, style="dim"),
        drawn(plans_sheet(answer)),
        *_front(answer),
        *([*full, heading(word("plan.why"))] if several(answer) else [drawn(whole_sheet(best, short))]),
        *footer(answer, best),
    ]


def estimate_view(answer: Answer) -> list[RenderableType]:
    """What ``exaplan estimate`` prints: one layout, term by term."""
    best = answer.estimates[0]
    return [
        *header(answer),
        Text(layout_text(best.estimate.layout, everything=True)),
        terms_table(best),
        memory_table(best, answer),
        drawn(whole_sheet(best, word("estimate.whole"))),
        *footer(answer, best),
    ]


def drawn(sheet: Sheet) -> RenderableType:
    """A sheet as a table on the screen."""
    return table(*sheet)


def header(answer: Answer) -> list[RenderableType]:
    """What was asked, in three lines."""
    lines = (told.place_line(answer), told.work_line(answer))
    swapped = (Text(text, style="bold yellow") for text in told.swapped(answer))
    return [heading(told.title(answer)), *(Text(text, style="dim") for text in lines), *swapped]


def _decision(answer: Answer) -> list[RenderableType]:
    sentence = told.headline(answer)
    return [Text(""), Text(sentence, style="bold"), Text("")] if sentence else []


def _front(answer: Answer) -> list[RenderableType]:
    lines = scatter(answer)
    title = word("plan.front", against=word("plot.tokens" if tokens_open(answer) else "plot.time"))
    return [Text(title, style="bold"), *(Text(text) for text in lines), Text("")] if lines else []


def terms_table(priced: Priced) -> RenderableType:
    """Step time, term by term, largest first."""
    estimate = priced.estimate
    whole = estimate.step_time or 1.0
    terms = sorted(estimate.breakdown.items(), key=lambda item: -abs(item[1]))
    rows: list[list[object]] = [
        [word(f"terms.step.{name}"), _signed(value, "time"), percent(value / whole), bar(value / whole)]
        for name, value in terms
        if value
    ]
    rows.append([word("estimate.total"), amount(estimate.step_time, "time", 4), "100%", ""])
    return table(("term", "seconds", "share", ""), rows, word("estimate.step"), left=("",))


def memory_table(priced: Priced, answer: Answer) -> RenderableType:
    """Memory of the fullest chip, term by term, largest first, against what the chip has."""
    estimate, whole = priced.estimate, cluster_of(answer, priced).chip.memory
    terms = sorted(estimate.memory_terms.items(), key=lambda item: -item[1])
    rows: list[list[object]] = [
        [word(f"terms.memory.{name}"), amount(value, "bytes"), percent(value / whole), bar(value / whole)]
        for name, value in terms
        if value
    ]
    used = word("estimate.of_memory", used=amount(estimate.memory, "bytes"), whole=amount(whole, "bytes"))
    rows.append([word("estimate.total"), used, percent(estimate.memory / whole), ""])
    return table(("term", "bytes", "share", ""), rows, word("estimate.memory"), left=("",))


def _signed(value: float, dimension: str) -> str:
    """A term may be negative (time that overlap hides)."""
    return ("-" if value < 0 else "") + amount(abs(value), dimension)


def footer(answer: Answer, best: Priced) -> list[RenderableType]:
    """Why this one: what binds, how it is paid, the nearest run, what was tried, what was assumed."""
    price = [best.price_source] if best.price_source and not best.offers else []
    counted = told.counts_line(answer)
    binding = [told.limit_name(name) for name in answer.binding]
    return [
        *line(word("plan.binding"), binding or (word("plan.none"),)),
        *listed(word("plan.law"), told.law_lines(answer), ""),
        *listed(word("plan.relief"), (told.relief_line(answer, item) for item in answer.relief)),
        *_nearest(told.nearest_lines(best)),
        *([Text(counted)] if counted else []),
        *_asides(answer, best),
        *listed(word("plan.warnings"), told.minded(answer), "yellow"),
        *listed(word("plan.assumptions"), told.assumed(answer)),
        *listed(word("plan.defaults"), ["; ".join(answer.defaults)] if answer.defaults else ()),
        *line(word("plan.prices"), price),
        Text(word("plan.more"), style="dim"),
    ]


def _asides(answer: Answer, best: Priced) -> list[RenderableType]:
    """How it is paid, and which chips were tried, where there is more to say than the plans do."""
    sheets = [offers_sheet(best)] if best.offers else []
    sheets += [tried_sheet(answer, TRIED)] if len(answer.tried) > 1 else []
    lines = (indented(text) for text in tried_alike(answer, TRIED))
    return [*(Text("") for _ in sheets[:1]), *(drawn(sheet) for sheet in sheets), *lines]


def _nearest(lines: Iterable[str]) -> list[RenderableType]:
    return listed(word("nearest.title"), lines)
