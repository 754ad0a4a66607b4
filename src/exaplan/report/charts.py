"""The charts of an answer as Vega-Lite: plain dicts that the page, SVG, PNG and other programs draw alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exaplan.answers import Answer, Priced
from exaplan.report.asked import limit
from exaplan.report.axes import label, padded, ticks
from exaplan.report.front import Front, front_of
from exaplan.report.screen import amount, percent
from exaplan.report.sheets import cluster_of, short_text
from exaplan.report.words import word

Chart = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
WIDTH, HEIGHT, BAR = 700, 380, 34  # pixels
LEAST_SHARE = 0.01  # of every plan's total, below which a term joins "other"
INK, MUTED, ACCENT = "#1c2733", "#8a96a3", "#c8102e"
#: told apart by people who see red and green alike (Okabe and Ito's set first), then darker kin of the same hues
COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#5b5f97"),
    *("#7f3c8d", "#11a579", "#a5aa99", "#8c564b", "#3969ac", "#f2b701", "#80ba5a", "#4b4b8f"),
)
OTHER = "#c3cad1"
CONFIG: Mapping[str, Any] = {
    "font": "Liberation Sans, Helvetica, Arial, sans-serif",
    "background": "white",
    "view": {"stroke": None},
    "axis": {"labelColor": INK, "titleColor": INK, "gridColor": "#e8ecf0", "domainColor": MUTED, "tickColor": MUTED}
    | {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 10},
    "title": {"anchor": "start", "fontSize": 15, "color": INK, "subtitleColor": "#5a6672", "subtitleFontSize": 12}
    | {"offset": 14, "subtitlePadding": 5, "frame": "group"},
    "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 11, "titleFontSize": 12, "symbolSize": 90}
    | {"titleFontWeight": "normal", "labelLimit": 260, "titleLimit": 260, "symbolOpacity": 1},
}


def charts(answer: Answer) -> dict[str, Chart]:
    """All charts that an answer has data for: front, step, memory."""
    made = {"front": front_chart(answer), "step": step_chart(answer), "memory": memory_chart(answer)}
    return {name: chart for name, chart in made.items() if chart is not None}


def whole(answer: Answer, title: str, sentence: str) -> Chart:
    """All charts below each other, under the title of the answer."""
    return stacked(charts(answer), title, sentence)


def stacked(parts: Mapping[str, Chart], title: str, sentence: str) -> Chart:
    """Some charts below each other, under a title."""
    heading = {"text": title, "subtitle": _wrapped(sentence), "fontSize": 19, "offset": 24, "frame": "bounds"}
    apart = {"color": "independent", "shape": "independent", "x": "independent"}
    made = {"title": heading, "vconcat": list(parts.values()), "spacing": 44, "resolve": {"scale": apart}}
    return standalone(made | {"padding": 24})


def standalone(chart: Chart) -> Chart:
    """A chart with its schema and looks, as a file of its own."""
    return {"$schema": SCHEMA, "config": dict(CONFIG), **chart}


def _wrapped(text: str, columns: int = 125) -> list[str]:
    from textwrap import wrap

    return wrap(text, columns)


# --------------------------------------------------------------------------------------------------- front


def front_chart(answer: Answer) -> Chart | None:
    """Cost over time (or tokens), log-log: ranges as bars to their upper ends, the front as a line, limits dashed."""
    front = front_of(answer)
    if front is None:
        return None
    rows = [_point_row(front, at) for at in range(len(front.points))]
    x, y = log_axis(_reach(rows, "x"), front.against), log_axis(_reach(rows, "cost"), "money")
    across = {"field": "x", "title": word(f"charts.{front.against}"), **x}
    up = {"field": "cost", "title": word("charts.cost"), **y}
    title = word("plan.front", against=word(f"plot.{front.against}"))
    return {
        "title": {"text": title[:1].upper() + title[1:], "subtitle": word("charts.front_note")},
        "width": WIDTH,
        "height": HEIGHT,
        "layer": [
            *_limits(answer, front, across, up),
            *_ranges(rows, across, up, front),
            _stairs(front, across, up),
            _points(rows, across, up, front),
            *_chosen(rows, across, up, -1 if front.against == "time" else 1),
        ],
    }


def _point_row(front: Front, at: int) -> dict[str, Any]:
    """One point with what its tooltip says; the ends of its bars are at least its own figures."""
    point, x, cost = front.points[at], front.x[at], front.y[at]
    known = point.chip in front.chips
    state = "missed" if point.missed else "front" if at in front.stairs else "held"
    return {
        "x": x,
        "cost": cost,
        "x_high": max(x, point.time_high or x) if front.against == "time" else x,
        "cost_high": max(cost, point.cost_high or cost),
        "chip": point.chip if known else word("charts.other_chips"),
        "state": word(f"charts.{state}"),
        "best": at == front.best,
        "what": f"{point.count:,} {point.chip} ({point.nodes:,} {point.node})",
        "layout": short_text(point.layout),
        "time": _span(point.time, point.time_high, "time"),
        "money": _span(point.cost, point.cost_high, "money"),
        "energy": amount(point.energy, "energy"),
        "carbon": amount(point.carbon, "mass"),
        "tokens": amount(point.tokens, "tokens"),
        "terms": point.terms,
        "missed": ", ".join(point.missed) or word("plan.none"),
    }


def _span(value: float | None, high: float | None, dimension: str) -> str:
    shown = amount(value, dimension)
    return shown if high is None else word("headline.upper", value=shown, high=amount(high, dimension))


def _reach(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float]:
    """(low, high) of an axis: of all figures, and of the bars of those on the front."""
    bars = [row[f"{name}_high"] for row in rows if row["state"] == word("charts.front")]
    return padded([*(row[name] for row in rows), *bars], 0.04)


def log_axis(span: tuple[float, float], dimension: str) -> Chart:
    """A logarithmic axis over ``span`` [SI] whose ticks are round and carry their unit."""
    at = ticks(*span, dimension)
    names = [label(value, dimension) for value in at]
    expression = f"{names!r}[indexof({at!r}, datum.value)]"
    return {
        "type": "quantitative",
        "scale": {"type": "log", "domain": list(span), "nice": False},
        "axis": {"values": at, "labelExpr": expression, "labelOverlap": True},
    }


def _limits(answer: Answer, front: Front, x: Chart, y: Chart) -> list[Chart]:
    """The budget and the deadline as dashed lines, where the drawing reaches them."""
    bounds = {"money": (y, "y", limit(answer, "money"))}
    if front.against == "time":
        bounds["deadline"] = (x, "x", limit(answer, "deadline"))
    made: list[Chart] = []
    for name, (axis, channel, value) in bounds.items():
        low, high = axis["scale"]["domain"]
        if value is not None and low <= value <= high:
            told = word(f"charts.{name}", value=amount(value, "money" if name == "money" else "time"))
            made += _dashed(channel, value, told, {"x": x, "y": y})
    return made


def _dashed(channel: str, value: float, told: str, axes: Mapping[str, Chart]) -> list[Chart]:
    data = {"values": [{axes[channel]["field"]: value, "told": told}]}
    across = channel == "y"
    spot: Chart = {"x": {"value": WIDTH}} if across else {"y": {"value": 0}}
    mark = {"type": "text", "text": told, "align": "right" if across else "left", "color": ACCENT, "fontSize": 11}
    mark |= {"dy": -6, "dx": -4} if across else {"dy": 10, "dx": 5}
    rule = {"type": "rule", "color": ACCENT, "strokeDash": [5, 4], "strokeWidth": 1.2}
    return [
        {"data": data, "mark": rule, "encoding": {channel: axes[channel]}},
        {"data": data, "mark": mark, "encoding": {channel: axes[channel], **spot}},
    ]


def _ranges(rows: list[dict[str, Any]], x: Chart, y: Chart, front: Front) -> list[Chart]:
    """From each figure on the front to the upper end of its range."""
    rule = {"type": "rule", "opacity": 0.45, "strokeWidth": 1.4}
    held = {"values": [row for row in rows if row["state"] == word("charts.front")]}
    colour = _colour(front)
    return [
        {"data": held, "mark": rule, "encoding": {"x": x, "x2": {"field": "x_high"}, "y": y, "color": colour}},
        {"data": held, "mark": rule, "encoding": {"x": x, "y": y, "y2": {"field": "cost_high"}, "color": colour}},
    ]


def _stairs(front: Front, x: Chart, y: Chart) -> Chart:
    values = [{"x": front.x[at], "cost": front.y[at]} for at in front.stairs]
    mark = {"type": "line", "color": INK, "strokeWidth": 1.2, "opacity": 0.6}
    return {"data": {"values": values}, "mark": mark, "encoding": {"x": x, "y": y}}


def _points(rows: list[dict[str, Any]], x: Chart, y: Chart, front: Front) -> Chart:
    states = [word(f"charts.{name}") for name in ("front", "held", "missed")]
    shape: Chart = {"field": "state", "type": "nominal", "title": word("charts.state"), "sort": states}
    shape["scale"] = {"domain": states, "range": ["circle", "triangle-up", "cross"]}
    faint = {"condition": {"test": f"datum.state === {states[0]!r}", "value": 1}, "value": 0.55}
    told = ("what", "layout", "time", "money", "tokens", "energy", "carbon", "terms", "missed")
    tips = [{"field": name, "type": "nominal", "title": word(f"charts.tip.{name}")} for name in told]
    shown = {"color": _colour(front), "shape": shape, "opacity": faint, "tooltip": tips}
    mark = {"type": "point", "filled": True, "size": 85}
    return {"data": {"values": rows}, "mark": mark, "encoding": {"x": x, "y": y, **shown}}


def _colour(front: Front) -> Chart:
    chips = [*front.chips]
    if any(point.chip not in front.chips for point in front.points):
        chips.append(word("charts.other_chips"))
    colours = [*COLOURS[: len(front.chips)], OTHER][: len(chips)]
    made: Chart = {"field": "chip", "type": "nominal", "title": word("columns.chip")}
    made["scale"] = {"domain": chips, "range": colours}
    return made


def _chosen(rows: list[dict[str, Any]], x: Chart, y: Chart, side: int) -> list[Chart]:
    """A ring around plan #1, named on the side (-1 left, 1 right) where the line of the front does not pass."""
    best = {"values": [row for row in rows if row["best"]]}
    ring = {"type": "point", "size": 320, "stroke": INK, "strokeWidth": 1.8, "filled": False, "tooltip": None}
    text = {"type": "text", "text": "#1", "dx": 15 * side, "dy": 15, "fontWeight": "bold", "color": INK, "fontSize": 12}
    axes = {"x": x, "y": y}
    return [{"data": best, "mark": mark, "encoding": axes} for mark in (ring, text)] if best["values"] else []


# -------------------------------------------------------------------------------------- step and memory


def step_chart(answer: Answer) -> Chart | None:
    """The terms of one step [s], stacked, for each plan."""
    terms = {_name(answer, rank): plan.estimate.breakdown for rank, plan in _ranked(answer)}
    rows = stack(terms, "terms.step", "time")
    note = word("charts.step_note")
    return terms_chart(rows, word("charts.step"), note, word("charts.step_axis")) if rows else None


def memory_chart(answer: Answer) -> Chart | None:
    """The terms of memory [GB] of the fullest chip, stacked, for each plan, against what the chip has."""
    terms = {_name(answer, rank): plan.estimate.memory_terms for rank, plan in _ranked(answer)}
    rows = stack(terms, "terms.memory", "bytes", 1e-9)
    if not rows:
        return None
    made = terms_chart(rows, word("charts.memory"), word("charts.memory_note"), word("charts.memory_axis"))
    ends: list[Chart] = [
        {"plan": _name(answer, rank), "whole": cluster_of(answer, plan).chip.memory * 1e-9, "what": _has(answer, plan)}
        for rank, plan in _ranked(answer)
    ]
    tick = {"type": "tick", "color": ACCENT, "thickness": 2.5, "size": BAR * 0.95, "tooltip": True}
    where = {"y": rows_axis([end["plan"] for end in ends]), "x": {"field": "whole", "type": "quantitative"}}
    tips = {"tooltip": {"field": "what", "type": "nominal"}}
    capacity = {"data": {"values": ends}, "mark": tick, "encoding": where | tips}
    bars = {key: made.pop(key) for key in ("data", "mark", "encoding")}
    return made | {"layer": [bars, capacity]}


def _has(answer: Answer, plan: Priced) -> str:
    chip = cluster_of(answer, plan).chip
    return word("charts.capacity", chip=chip.name, memory=amount(chip.memory, "bytes"))


def _ranked(answer: Answer) -> list[tuple[int, Priced]]:
    return list(enumerate(answer.estimates, start=1))


def _name(answer: Answer, rank: int) -> str:
    """The label of a plan's bar."""
    plan = answer.estimates[rank - 1]
    cluster = cluster_of(answer, plan)
    return f"#{rank}  {plan.estimate.layout.chips:,} {cluster.chip.name}, {short_text(plan.estimate.layout)}"


def stack(plans: Mapping[str, Mapping[str, float]], words: str, dimension: str, unit: float = 1.0) -> list[Chart]:
    """Rows plan, term, value [in ``unit``], largest term of plan #1 first; small terms joined into one."""
    totals = {plan: sum(terms.values()) or 1.0 for plan, terms in plans.items()}
    kept = [
        term
        for term in dict.fromkeys(term for terms in plans.values() for term in terms)
        if any(abs(terms.get(term, 0.0)) >= LEAST_SHARE * totals[plan] for plan, terms in plans.items())
    ]
    size = {term: -max(abs(terms.get(term, 0.0)) for terms in plans.values()) for term in kept}
    made: list[Chart] = []
    for plan, terms in plans.items():
        rest = sum(value for term, value in terms.items() if term not in kept)
        shown = [(word(f"{words}.{term}"), terms.get(term, 0.0)) for term in sorted(kept, key=size.__getitem__)]
        for place, (term, value) in enumerate([*shown, (word("charts.other_terms"), rest)]):
            if value:
                told = ("-" if value < 0 else "") + amount(abs(value), dimension)
                share = {"told": told, "share": percent(value / totals[plan])}
                made.append({"plan": plan, "term": term, "value": value * unit, "place": place, **share})
    return made


def terms_chart(rows: list[Chart], title: str, note: str, axis: str) -> Chart:
    """Bars of the plans, each of its terms in their order; ``axis``: what the bars measure."""
    places = {row["term"]: row["place"] for row in rows}
    terms = sorted(places, key=places.__getitem__)
    rest = word("charts.other_terms")
    colours = [OTHER if term == rest else COLOURS[at % len(COLOURS)] for at, term in enumerate(terms)]
    named = {"field": "term", "type": "nominal", "title": word("columns.term"), "sort": terms}
    plans = list(dict.fromkeys(row["plan"] for row in rows))
    tips = [{"field": name, "type": "nominal", "title": word(f"charts.tip.{name}")} for name in TIPS]
    return {
        "title": {"text": title, "subtitle": note},
        "width": WIDTH,
        "height": {"step": BAR + 8},
        "data": {"values": rows},
        "mark": {"type": "bar", "height": BAR * 0.72},
        "encoding": {
            "y": rows_axis(plans),
            "x": {"field": "value", "type": "quantitative", "title": axis, "stack": "zero"}
            | {"axis": {"tickCount": 9}},
            "color": named | {"scale": {"domain": terms, "range": colours}},
            "order": {"field": "place", "type": "quantitative"},
            "tooltip": tips,
        },
    }


TIPS = ("plan", "term", "told", "share")


def rows_axis(plans: list[str]) -> Chart:
    """The axis of the plans, one row each, in their order."""
    axis = {"labelLimit": 300, "ticks": False, "domain": False, "grid": False, "labelPadding": 8}
    return {"field": "plan", "type": "nominal", "title": None, "sort": plans, "axis": axis}
