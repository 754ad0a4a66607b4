"""Charts of the AI tax: the steps from the reference to the local cost, and the tax by day."""

from __future__ import annotations

from typing import Any

from exaplan.answers.tax import PARTS, Tax, TaxSide
from exaplan.report.charts import BAR, COLOURS, HEIGHT, INK, MUTED, WIDTH, Chart
from exaplan.report.money.taxes import ordered, signed
from exaplan.report.screen import amount
from exaplan.report.words import word

DEARER, CHEAPER = COLOURS[5], COLOURS[2]


def charts(tax: Tax) -> dict[str, Chart]:
    """All charts that a tax has data for: parts, series."""
    made = {"parts": parts_chart(tax), "series": series_chart(tax)}
    return {name: chart for name, chart in made.items() if chart is not None}


def parts_chart(tax: Tax) -> Chart | None:
    """A waterfall for each way to pay: the reference is 100%, the last bar is the local cost."""
    rows = [row for side in ordered(tax) if side.tax is not None for row in _steps(side)]
    if not rows:
        return None
    names = list(dict.fromkeys(row["step"] for row in rows))
    kinds = {word("charts.whole"): MUTED, word("charts.dearer"): DEARER, word("charts.cheaper"): CHEAPER}
    here = {row["kind"] for row in rows}
    domain = [kind for kind in kinds if kind in here]
    colour: Chart = {"field": "kind", "type": "nominal", "title": None}
    colour["scale"] = {"domain": domain, "range": [kinds[kind] for kind in domain]}
    percent: Chart = {
        "type": "quantitative",
        "title": word("charts.of_reference"),
        "axis": {"format": "%", "tickCount": 8},
    }
    where = {
        "y": {
            "field": "step",
            "type": "nominal",
            "sort": names,
            "title": None,
            "axis": {"labelLimit": 260, "ticks": False},
        },
        "x": {"field": "low"} | percent,
        "x2": {"field": "high"},
    }
    tips = [
        {"field": name, "type": "nominal", "title": word(f"charts.tip.{name}")} for name in ("step", "share", "money")
    ]
    bar = {"type": "bar", "height": BAR * 0.55}
    text = {"type": "text", "align": "left", "dx": 5, "fontSize": 11, "color": INK}
    end = {"y": where["y"], "x": {"field": "high"} | percent, "text": {"field": "share", "type": "nominal"}}
    layer = [{"mark": bar, "encoding": where | {"color": colour, "tooltip": tips}}, {"mark": text, "encoding": end}]
    return {
        "title": {"text": word("charts.tax"), "subtitle": word("charts.tax_note")},
        "data": {"values": rows},
        "facet": {"row": {"field": "terms", "type": "nominal", "title": None, "header": {"labelFontSize": 12}}},
        "spec": {"width": WIDTH - 40, "height": {"step": BAR * 0.8}, "layer": layer},
    }


def _steps(side: TaxSide) -> list[dict[str, Any]]:
    base = side.reference.cost if side.reference else None
    terms = word(f"tax.terms.{side.terms}")
    level, made = 1.0, [_bar(terms, word("tax.reference"), 0.0, 1.0, "100%", base, "whole")]
    for name in PARTS:
        part = side.parts.get(name)
        if part:
            kind = "dearer" if part > 0 else "cheaper"
            made.append(_bar(terms, word(f"tax.parts.{name}"), level, level + part, signed(part, 1), base, kind))
            level += part
    whole = 1.0 + (side.tax or 0.0)
    return [*made, _bar(terms, word("tax.local"), 0.0, whole, f"{whole * 100:.0f}%", base, "whole")]


def _bar(terms: str, step: str, start: float, end: float, share: str, base: float | None, kind: str) -> dict[str, Any]:
    low, high = sorted((start, end))
    money = amount(abs(end - start) * base, "money") if base else ""
    ends = {"low": low, "high": high, "share": share, "money": money}
    return {"terms": terms, "step": step, "kind": word(f"charts.{kind}")} | ends


def series_chart(tax: Tax) -> Chart | None:
    """The tax by day with its 80% range, one line for each way to pay; None with fewer than two days."""
    rows = [
        {"on": point.on, "terms": word(f"tax.terms.{name}"), "tax": side.tax, "told": signed(side.tax, 1)}
        | {"low": side.tax if side.low is None else side.low, "high": side.tax if side.high is None else side.high}
        | {"chips": f"{_chip(side, 'reference')} -> {_chip(side, 'local')}"}
        for point in tax.series
        for name, side in point.sides.items()
        if side.tax is not None
    ]
    if len({row["on"] for row in rows}) < 2:
        return None
    names = list(dict.fromkeys(str(row["terms"]) for row in rows))
    colour: Chart = {"field": "terms", "type": "nominal", "title": None}
    colour["scale"] = {"domain": names, "range": list(COLOURS[: len(names)])}
    x: Chart = {"field": "on", "type": "temporal", "title": None, "axis": {"format": "%Y-%m", "tickCount": 10}}
    y: Chart = {"type": "quantitative", "title": word("charts.tax_axis"), "axis": {"format": "+%"}}
    tips = [
        {"field": name, "type": "nominal", "title": word(f"charts.tip.{name}")}
        for name in ("on", "terms", "told", "chips")
    ]
    band = {"x": x, "y": {"field": "low"} | y, "y2": {"field": "high"}, "color": colour}
    line = {"x": x, "y": {"field": "tax"} | y, "color": colour}
    zero = {"type": "rule", "color": MUTED, "strokeDash": [4, 4]}
    return {
        "title": {"text": word("charts.series", to=tax.deal.to), "subtitle": word("charts.series_note")},
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": rows},
        "layer": [
            {"data": {"values": [{"zero": 0}]}, "mark": zero, "encoding": {"y": {"field": "zero"} | y}},
            {"mark": {"type": "area", "opacity": 0.15, "interpolate": "step-after"}, "encoding": band},
            {"mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after"}, "encoding": line},
            {"mark": {"type": "point", "filled": True, "size": 50}, "encoding": line | {"tooltip": tips}},
        ],
    }


def _chip(side: TaxSide, which: str) -> str:
    plan = getattr(side, which)
    return plan.cluster.chip.name if plan and plan.cluster else "?"
