"""The answers of the serving verbs on the screen: the decision, plans, ranges, and why this one; or a simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isfinite

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from exaplan.answers.serving import Served, ServePlan, Simulated
from exaplan.report.screen import bar, heading, line, listed, table
from exaplan.report.serving import sheets, told
from exaplan.report.serving.named import engine_text
from exaplan.report.sheets import Sheet
from exaplan.report.words import word

TRIED = 12  # chips whose fate is told on the screen
WIDTH = 72  # characters of a time series
LEVELS = "▁▂▃▄▅▆▇█"
SERIES = ("queue", "running", "kv", "output_tokens", "replicas")


def served_view(served: Served) -> list[RenderableType]:
    """What ``exaplan plan`` and ``exaplan simulate`` print for serving."""
    return simulate_view(served) if served.verb == "simulate" else plan_view(served)


def plan_view(served: Served) -> list[RenderableType]:
    """The decision, the best plans, the first with its ranges, the front, and why this one."""
    plan = served.plans[0]
    return [
        *header(served),
        *_decision(told.headline(served), plan),
        Text(sheets.caption(served), style="dim"),
        drawn(sheets.plans_sheet(served)),
        Text(told.best_line(served), style="bold"),
        drawn(sheets.whole_sheet(served, plan)),
        *_tables(served, plan),
        *([*_run_lines(plan.run), Text("")] if plan.run else []),
        *([heading(word("plan.why"))]),
        *footer(served, plan),
    ]


def simulate_view(served: Served) -> list[RenderableType]:
    """Percentiles with their confidence, what happened over time, and what it takes."""
    plan = served.plans[0]
    run = plan.run
    if run is None:
        return plan_view(served)
    return [
        *header(served),
        Text(engine_text(plan.deployment.settings, served.engine), style="dim"),
        *_decision(told.outcome(served, run), plan, told.cautions(run)),
        drawn(sheets.quantiles_sheet(run)),
        drawn(sheets.facts_sheet(served, run)),
        *series_lines(run),
        *listed(word("serving.refused"), told.refused_lines(run), "yellow"),
        drawn(sheets.whole_sheet(served, plan, word("estimate.whole"))),
        *_tables(served, plan),
        *footer(served, plan),
    ]


def drawn(sheet: Sheet) -> RenderableType:
    """A sheet as a table on the screen; shares of terms with a bar."""
    if sheet.columns[0] != "term":
        return table(*sheet)
    rows: list[list[object]] = [[*cells, bar(_share(cells[-1]))] for cells in sheet.rows[:-1]]
    return table((*sheet.columns, ""), [*rows, [*sheet.rows[-1], ""]], sheet.title, left=("",))


def _share(text: str) -> float:
    return float(text.rstrip("%")) / 100 if text.endswith("%") else 0.0


def header(served: Served) -> list[RenderableType]:
    """What was asked, in three lines."""
    lines = (told.place_line(served.plans[0]), told.traffic_line(served))
    return [heading(told.title(served)), *(Text(text, style="dim") for text in lines)]


def _decision(sentence: str, plan: ServePlan, cautions: Sequence[str] = ()) -> list[RenderableType]:
    missed = [told.missed_line(plan)] if plan.missed else []
    minded = [Text(text, style="bold yellow") for text in (*cautions, *missed)]
    return [Text(""), *minded, Text(sentence, style="bold"), Text("")]


def _tables(served: Served, plan: ServePlan) -> Iterator[RenderableType]:
    """The front, the iteration, the memory, the business: what there is of them."""
    if any(point.front for point in served.front):
        yield drawn(sheets.front_sheet(served))
    if plan.breakdown:
        yield drawn(sheets.iteration_sheet(plan))
    if plan.memory_terms:
        yield drawn(sheets.memory_sheet(plan))
    if plan.margin:
        yield drawn(sheets.margin_sheet(plan))


def _run_lines(run: Simulated) -> list[RenderableType]:
    """The simulation behind a plan, in short."""
    return [drawn(sheets.quantiles_sheet(run)), *(Text(text, style="bold yellow") for text in told.cautions(run))]


def series_lines(run: Simulated) -> list[RenderableType]:
    """The time series as lines of blocks, each with its least and its largest value."""
    found = {name: known for name in SERIES if (known := list(filter(isfinite, run.series.get(name, ()))))}
    if len(set(found.get("replicas", ()))) == 1:
        found.pop("replicas")
    if not found:
        return []
    names = {name: word(f"serving.series.{name}") for name in found}
    wide = max(map(cell_len, names.values()))
    filled = {name: text + " " * (wide - cell_len(text)) for name, text in names.items()}
    lines = [f"  {filled[name]}  {spark(values)}  {_ends(name, values)}" for name, values in found.items()]
    return [heading(word("serving.over_time")), *(Text(text) for text in lines), Text("")]


def spark(values: Sequence[float], width: int = WIDTH) -> str:
    """Values over time as blocks, highest at the largest; a block is the largest of the values that it stands for."""
    count = min(width, len(values))
    top = max(values) or 1.0
    cuts = [round(at * len(values) / count) for at in range(count + 1)]
    peaks = [max(values[low:high]) for low, high in pairwise(cuts)]
    return "".join(LEVELS[round(max(0.0, peak) / top * (len(LEVELS) - 1))] for peak in peaks)


def _ends(name: str, values: Sequence[float]) -> str:
    form = "{:.0%}" if name == "kv" else "{:,.4g}"
    return word("serving.from_to", low=form.format(min(values)), high=form.format(max(values)))


def footer(served: Served, plan: ServePlan) -> list[RenderableType]:
    """Why this one: what binds, how it is paid, which chips were tried, what was assumed."""
    counted = told.counts_line(served)
    return [
        *line(word("plan.binding"), told.binding_lines(served)),
        *listed(word("plan.law"), told.law_lines(served), ""),
        *listed(word("plan.relief"), (told.relief_line(served, item) for item in served.relief)),
        *([Text(counted)] if counted else []),
        *([Text(""), drawn(sheets.offers_sheet(plan))] if plan.offers else []),
        *([drawn(sheets.tried_sheet(served, TRIED))] if len(served.tried) > 1 else []),
        *listed(word("plan.warnings"), told.warnings(served), "yellow"),
        *listed(word("plan.assumptions"), told.assumed(served)),
        *listed(word("plan.defaults"), ["; ".join(served.defaults)] if served.defaults else ()),
        Text(word("plan.more"), style="dim"),
    ]
