"""The answers of ``plan`` and ``estimate`` as tables: layouts, terms of time and memory, ranges, what binds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from exaplan import units
from exaplan.answers import Answer, Priced, Relief
from exaplan.nouns import Layout
from exaplan.report.screen import amount, bar, heading, line, listed, percent, table
from exaplan.report.words import word

CUT = ("rank", "layout", "micro_batch", "recompute", "zero")
PLAN_COLUMNS = (*CUT, "step_time", "mfu", "memory", "time", "cost", "energy")
WHOLE = (("time", "time"), ("cost", "money"), ("energy", "energy"), ("carbon", "mass"))
OBJECTIVE_DIMENSION = {"time": "time", "cost": "money", "energy": "energy", "carbon": "mass"}


def plan_view(answer: Answer) -> list[RenderableType]:
    """What ``exaplan plan`` prints: the best layouts, the best one with its ranges, and how it was chosen."""
    caption = word("plan.caption", objective=str(answer.ask.get("objective", "time")))
    rows = [_plan_row(rank, priced, answer) for rank, priced in enumerate(answer.estimates, start=1)]
    best = answer.estimates[0]
    return [
        *header(answer),
        Text(caption, style="dim"),
        table(PLAN_COLUMNS, rows, left=("layout", "recompute")),
        whole_table(best, f"#1: {layout_text(best.estimate.layout)}"),
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
        whole_table(best, word("estimate.whole")),
        *footer(answer, best),
    ]


def header(answer: Answer) -> list[RenderableType]:
    """What was asked, in three lines."""
    cluster, work = answer.cluster, _work(answer)
    nodes = answer.estimates[0].nodes if answer.estimates else 0
    place = {"nodes": f"{nodes:,}", "node": answer.node.name, "fabric": cluster.fabric.name, "site": cluster.site.name}
    return [
        heading(word("plan.title", model=answer.model.name, count=f"{answer.count:,}", chip=answer.chip.name)),
        Text(word("plan.subtitle", **place), style="dim"),
        Text(f"{_work_line(work)}; {_length(work)}", style="dim"),
    ]


def _work(answer: Answer) -> Mapping[str, Any]:
    work = answer.ask.get("work")
    return work if isinstance(work, Mapping) else {}


def _length(work: Mapping[str, Any]) -> str:
    """How long the run is: in tokens, in steps, or one step only."""
    if work.get("tokens") is not None:
        tokens = work["tokens"]
        return word("plan.run", tokens=tokens if isinstance(tokens, str) else units.show(float(tokens), "tokens"))
    return word("plan.steps", steps=f"{work['steps']:,}") if work.get("steps") else word("plan.step_only")


def _work_line(work: Mapping[str, Any]) -> str:
    kind, method = work.get("kind", "training"), work.get("method", "full")
    batch, seq = (f"{work[key]:,}" if key in work else "?" for key in ("global_batch", "seq_len"))
    return word("plan.work", method=method, kind=kind, precision=work.get("precision", "?"), batch=batch, seq=seq)


def layout_text(layout: Layout, everything: bool = False) -> str:
    """A layout in one line; degrees of 1 are left out except dp, tp and pp."""
    degrees = [f"{name} {getattr(layout, name)}" for name in ("dp", "tp", "pp")]
    more = ("vpp", "cp", "ep", "etp") if layout.ep > 1 else ("vpp", "cp")
    degrees += [f"{name} {getattr(layout, name)}" for name in more if getattr(layout, name) > 1]
    if not everything:
        return " ".join(degrees)
    named = [f"{word(f'columns.{name}')} {getattr(layout, name)}" for name in ("micro_batch", "recompute", "zero")]
    return ", ".join([" ".join(degrees), *named, layout.schedule, *_switches(layout)])


def _switches(layout: Layout) -> list[str]:
    on = [("sequence parallel", layout.sequence_parallel and layout.tp > 1), ("offload", layout.offload)]
    return [name for name, held in on if held] + ([f"cp {layout.cp_kind}"] if layout.cp > 1 else [])


def _plan_row(rank: int, priced: Priced, answer: Answer) -> list[object]:
    estimate = priced.estimate
    layout = estimate.layout
    fixed = [rank, layout_text(layout), layout.micro_batch, layout.recompute, layout.zero]
    speed = [amount(estimate.step_time, "time"), percent(estimate.mfu), amount(estimate.memory, "bytes")]
    run = [amount(priced.time, "time"), amount(priced.cost, "money"), amount(priced.energy, "energy")]
    return [*fixed, *speed, *run]


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
    estimate, whole = priced.estimate, answer.chip.memory
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


def whole_table(priced: Priced, title: str) -> RenderableType:
    """The figures of one plan with their 80% intervals."""
    estimate = priced.estimate
    ranges = {"step_time": (estimate.low, estimate.high)} | dict(priced.ranges)
    rows = [_range_row("step_time", estimate.step_time, ranges, "time"), _ratio_row("mfu", estimate.mfu, ranges)]
    rows.append(_range_row("memory", estimate.memory, ranges, "bytes"))
    rows.append(_range_row("power", estimate.power, ranges, "power"))
    rows += [_ratio_row("goodput", priced.goodput, ranges)] if priced.goodput is not None else []
    rows += [_range_row(name, getattr(priced, name), ranges, dimension) for name, dimension in WHOLE]
    return table(("", "value", "low", "high"), rows, title)


def _range_row(name: str, value: float | None, ranges: Mapping[str, tuple[float, float]], dimension: str) -> list[str]:
    low, high = ranges.get(name, (None, None))
    shown = (amount(value, dimension), *(amount(end, dimension) if end is not None else "" for end in (low, high)))
    return [word(f"whole.{name}"), *shown]


def _ratio_row(name: str, value: float | None, ranges: Mapping[str, tuple[float, float]]) -> list[str]:
    low, high = ranges.get(name, (None, None))
    return [word(f"whole.{name}"), percent(value), *(percent(end) if end is not None else "" for end in (low, high))]


def footer(answer: Answer, best: Priced) -> list[RenderableType]:
    """What binds, what was rejected, what was assumed, and where to look further."""
    objective = str(answer.ask.get("objective", "time"))
    assumed = [*answer.assumptions, *(text for text in best.estimate.assumptions if text not in answer.assumptions)]
    price = [best.price_source] if best.price_source else []
    return [
        *line(word("plan.binding"), answer.binding or (word("plan.none"),)),
        *listed(word("plan.relief"), (_relief(item, objective) for item in answer.relief)),
        *_counts(answer),
        *listed(word("plan.warnings"), answer.warnings, "yellow"),
        *listed(word("plan.assumptions"), assumed),
        *listed(word("plan.defaults"), ["; ".join(answer.defaults)] if answer.defaults else ()),
        *line(word("plan.prices"), price),
        Text(word("plan.more"), style="dim"),
    ]


def _relief(item: Relief, objective: str) -> str:
    dimension = OBJECTIVE_DIMENSION.get(objective)
    before, after = (amount(end, dimension) if dimension else f"{end:.4g}" for end in (item.before, item.after))
    return word("plan.relief_line", limit=item.limit, step=item.step, before=before, after=after)


def _counts(answer: Answer) -> list[RenderableType]:
    if answer.considered <= 1:
        return []
    told = word("plan.considered", considered=f"{answer.considered:,}")
    told += " " + word("plan.rate", rate=f"{answer.rate:,.0f}") if answer.rate else ""
    reasons = sorted(answer.rejected.items(), key=lambda item: -item[1])
    rejected = ", ".join(f"{count:,} {reason}" for reason, count in reasons if count)
    return [Text(told + (f"; {word('plan.rejected')}: {rejected}" if rejected else ""))]
