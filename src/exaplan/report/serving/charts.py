"""The charts of a serving answer as Vega-Lite: throughput against latency, an iteration, memory, a run over time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from exaplan.answers.serving import Served, ServePlan, ServePoint, Simulated
from exaplan.report.axes import padded
from exaplan.report.charts import (
    ACCENT,
    BAR,
    COLOURS,
    HEIGHT,
    INK,
    MUTED,
    WIDTH,
    Chart,
    log_axis,
    rows_axis,
    stack,
    terms_chart,
)
from exaplan.report.screen import amount
from exaplan.report.serving import told
from exaplan.report.serving.named import NAMES, at_percentile, deployment_text, metric_name
from exaplan.report.words import word

RANKS = ("p50", "p90", "p95", "p99")
SERIES = ("queue", "running", "kv", "output_tokens", "replicas")
MOST = 1000  # points of a line; longer series are thinned to that
PANEL = 110  # pixels


def charts(served: Served) -> dict[str, Chart]:
    """All charts that an answer has data for."""
    run = served.plans[0].run
    made = {
        "percentiles": percentiles_chart(served, run) if run else None,
        "series": series_chart(run) if run else None,
        "front": front_chart(served),
        "iteration": iteration_chart(served),
        "memory": memory_chart(served),
    }
    return {name: chart for name, chart in made.items() if chart is not None}


# --------------------------------------------------------------------------------------------------- front


def front_chart(served: Served) -> Chart | None:
    """Output tokens/s of a chip over the tokens/s that a user sees, log-log: one line per chip joins its best."""
    points = [point for point in served.front if point.throughput > 0 and point.speed > 0]
    if len(points) < 2:
        return None
    rows = [_point(point) for point in points]
    chips = list(dict.fromkeys(row["chip"] for row in rows))
    x = _log("speed", [row["speed"] for row in rows], word("serving.charts.speed"), "tokens")
    y = _log("rate", [row["rate"] for row in rows], word("serving.charts.chip_rate"), "tokens")
    colour: Chart = {"field": "chip", "type": "nominal", "title": word("columns.chip")}
    colour["scale"] = {"domain": chips, "range": [COLOURS[at % len(COLOURS)] for at in range(len(chips))]}
    best = [row for row in rows if row["best"]]
    line = {"type": "line", "strokeWidth": 2, "opacity": 0.8}
    where = {"x": x, "y": y, "color": colour}
    faint = {"condition": {"test": "datum.best", "value": 1}, "value": 0.35}
    dot = {"type": "point", "filled": True, "size": 60}
    layer = [
        {"data": {"values": best}, "mark": line, "encoding": {**where, "order": {"field": "speed"}}},
        {"mark": dot, "encoding": {**where, "opacity": faint, "tooltip": _tips(*TOLD)}},
    ]
    named = {"text": word("serving.charts.front"), "subtitle": word("serving.charts.front_note")}
    return {"title": named, "width": WIDTH, "height": HEIGHT, "data": {"values": rows}, "layer": layer}


TOLD = ("deployment", "load", "told_speed", "told_rate", "ttft", "tpot", "cost")


def _tips(*names: str) -> list[Chart]:
    titles = {name: word(f"serving.charts.tip.{name.removeprefix('told_')}") for name in names}
    return [{"field": name, "type": "nominal", "title": title} for name, title in titles.items()]


def _point(point: ServePoint) -> dict[str, Any]:
    return {
        "chip": point.chip,
        "best": point.front,
        "speed": point.speed,
        "rate": point.throughput,
        "deployment": f"{point.chips:,} {point.chip}, {deployment_text(point.deployment)}",
        "load": f"{point.load:,}",
        "told_speed": told.rate_text(point.speed),
        "told_rate": told.rate_text(point.throughput),
        "ttft": amount(point.ttft, "time"),
        "tpot": amount(point.tpot, "time"),
        "cost": amount(point.cost, "money"),
    }


def _log(field: str, values: Sequence[float], title: str, dimension: str) -> Chart:
    return {"field": field, "title": title, **log_axis(padded(values), dimension)}


# ------------------------------------------------------------------------------------ iteration and memory


def iteration_chart(served: Served) -> Chart | None:
    """The terms of a typical iteration [s], stacked, for each plan."""
    terms = {_name(rank, plan): plan.breakdown for rank, plan in _ranked(served)}
    rows = stack(terms, "serving.terms", "time")
    title, note = word("serving.charts.iteration"), word("serving.charts.iteration_note")
    return terms_chart(rows, title, note, word("serving.charts.iteration_axis")) if rows else None


def memory_chart(served: Served) -> Chart | None:
    """The terms of memory [GB] of a chip, stacked, for each plan, against what the chip has."""
    terms = {_name(rank, plan): plan.memory_terms for rank, plan in _ranked(served)}
    rows = stack(terms, "serving.memory_terms", "bytes", 1e-9)
    if not rows:
        return None
    made = terms_chart(rows, word("charts.memory"), word("charts.memory_note"), word("charts.memory_axis"))
    ends: list[Chart] = [
        {"plan": _name(rank, plan), "whole": plan.cluster.chip.memory * 1e-9, "what": _has(plan)}
        for rank, plan in _ranked(served)
    ]
    tick = {"type": "tick", "color": ACCENT, "thickness": 2.5, "size": BAR * 0.95, "tooltip": True}
    where = {"y": rows_axis([end["plan"] for end in ends]), "x": {"field": "whole", "type": "quantitative"}}
    shown = where | {"tooltip": {"field": "what", "type": "nominal"}}
    capacity = {"data": {"values": ends}, "mark": tick, "encoding": shown}
    bars = {key: made.pop(key) for key in ("data", "mark", "encoding")}
    return made | {"layer": [bars, capacity]}


def _has(plan: ServePlan) -> str:
    chip = plan.cluster.chip
    return word("charts.capacity", chip=chip.name, memory=amount(chip.memory, "bytes"))


def _ranked(served: Served) -> list[tuple[int, ServePlan]]:
    return list(enumerate(served.plans, start=1))


def _name(rank: int, plan: ServePlan) -> str:
    """The label of a plan's bar."""
    return f"#{rank}  {plan.deployment.chips:,} {plan.cluster.chip.name}, {deployment_text(plan.deployment)}"


# ---------------------------------------------------------------------------------------------- simulation


def percentiles_chart(served: Served, run: Simulated) -> Chart | None:
    """Times by percentile on a logarithmic axis with their confidence, and what was promised as dashed lines."""
    rows = [row for name in NAMES for row in _ranks(run, name)]
    if not rows:
        return None
    promised: list[dict[str, Any]] = [
        {"name": word(f"serving.metrics.{name}"), "value": value, "told": _promise(served, name, value)}
        for name, value in served.promise.given.items()
    ]
    ends = [row[key] for row in rows for key in ("low", "high")] + [float(row["value"]) for row in promised]
    y = _log("value", ends, word("serving.charts.seconds"), "time")
    x: Chart = {"field": "rank", "type": "ordinal", "sort": list(RANKS), "title": word("serving.charts.percentile")}
    x["axis"] = {"labelAngle": 0}
    names = list(dict.fromkeys(row["name"] for row in rows))
    colour: Chart = {"field": "name", "type": "nominal", "title": None}
    colour["scale"] = {"domain": names, "range": list(COLOURS[: len(names)])}
    span = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
    tips = _tips("name", "rank", "told")
    layer: list[Chart] = [
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": x, "y": y, "color": colour}},
        {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {"x": x, **span, "color": colour}},
        {
            "mark": {"type": "point", "filled": True, "size": 70},
            "encoding": {"x": x, "y": y, "color": colour, "tooltip": tips},
        },
        *(_dashed(promised, y, colour) if promised else ()),
    ]
    named = {"text": word("serving.charts.percentiles"), "subtitle": word("serving.charts.percentiles_note")}
    return {"title": named, "width": WIDTH, "height": HEIGHT - 80, "data": {"values": rows}, "layer": layer}


def _ranks(run: Simulated, name: str) -> Iterator[dict[str, Any]]:
    found = getattr(run, name)
    for rank in RANKS:
        value, half = told.known(getattr(found, rank)), told.known(found.error.get(rank)) or 0.0
        if value is not None and value > 0:
            ends = {"low": max(value - half, value * 0.5), "high": value + half}
            shown = amount(value, "time") + (f" ±{told.half_width(half)}" if half else "")
            yield {"name": word(f"serving.metrics.{name}"), "rank": rank, "value": value, "told": shown, **ends}


def _promise(served: Served, name: str, value: float) -> str:
    return f"{metric_name(at_percentile(name, served.promise))} {amount(value, 'time')}"


def _dashed(rows: list[dict[str, Any]], y: Chart, colour: Chart) -> list[Chart]:
    rule = {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.3}
    text = {"type": "text", "align": "right", "dx": -4, "dy": -6, "fontSize": 11, "color": INK}
    spot = {"x": {"value": WIDTH}, "y": y, "text": {"field": "told", "type": "nominal"}}
    data = {"values": rows}
    return [
        {"data": data, "mark": rule, "encoding": {"y": y, "color": colour}},
        {"data": data, "mark": text, "encoding": spot},
    ]


def series_chart(run: Simulated) -> Chart | None:
    """Waiting, running, KV cache and copies over time, each in a panel of its own."""
    times = run.series.get("time", ())
    known = [name for name in SERIES if len(run.series.get(name, ())) == len(times)]
    known = [name for name in known if name != "replicas" or len(set(run.series[name])) > 1]
    if len(times) < 2 or not known:
        return None
    rows = [row for name in known for row in _line(run, name, times)]
    names = list(dict.fromkeys(row["name"] for row in rows))
    if not rows:
        return None
    colour: Chart = {"field": "name", "type": "nominal", "legend": None}
    colour["scale"] = {"domain": names, "range": list(COLOURS[: len(names)])}
    rowed: Chart = {"field": "name", "type": "nominal", "title": None, "sort": names}
    rowed["header"] = {"labelAngle": 0, "labelAlign": "left", "labelFontSize": 12, "labelColor": INK}
    x: Chart = {"field": "time", "type": "quantitative", "title": word("serving.charts.clock")}
    x["axis"] = {"grid": False}
    y: Chart = {"field": "value", "type": "quantitative", "title": None}
    mark = {"type": "area", "line": {"strokeWidth": 1.5}, "opacity": 0.35, "interpolate": "step-after"}
    note = word("serving.charts.over_time_note")
    subtitle = note if run.stable else [note, word("serving.unstable")]
    return {
        "title": {"text": word("serving.charts.over_time"), "subtitle": subtitle},
        "data": {"values": rows},
        "facet": {"row": rowed},
        "spec": {
            "width": WIDTH - 60,
            "height": PANEL,
            "layer": [{"mark": mark, "encoding": {"x": x, "y": y, "color": colour}}, *_warm(run)],
        },
        "resolve": {"scale": {"y": "independent"}},
    }


def _line(run: Simulated, name: str, times: Sequence[float]) -> Iterator[dict[str, Any]]:
    values = run.series[name]
    for at in range(0, len(times), -(-len(times) // MOST)):
        if math.isfinite(values[at]):
            yield {"name": word(f"serving.series.{name}"), "time": times[at], "value": values[at]}


def _warm(run: Simulated) -> list[Chart]:
    """Where the figures begin."""
    if not run.warm:
        return []
    rule = {"type": "rule", "color": MUTED, "strokeDash": [4, 4]}
    return [{"mark": rule, "encoding": {"x": {"datum": run.warm}}}]
