"""Charts of the law: performance density over TPP with the regions of the classes, and verdicts over time."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from exaplan.nouns import Verdict
from exaplan.report.axes import padded
from exaplan.report.charts import BAR, COLOURS, HEIGHT, INK, MUTED, OTHER, WIDTH, Chart
from exaplan.report.law.check import number
from exaplan.report.law.to_json import Steps
from exaplan.report.screen import amount
from exaplan.report.verdicts import decisive, verdict_word
from exaplan.report.words import phrase, word

VERDICTS = ("free", "notify", "licence", "denial", "unknown")
#: told apart by people who see red and green alike: blue to orange to dark red, grey for what is not known
HUES = dict(zip(VERDICTS, (COLOURS[0], COLOURS[6], COLOURS[1], "#a0202e", OTHER), strict=True))
PALE = 0.3  # opacity of a chip that was not out yet
LONG = 0.09  # share of the time drawn from which a stretch is long enough to be written on
DARK = ("free", "denial")  # verdicts whose colour needs white letters
Lines = Sequence[Mapping[str, Any]]  # of rules.thresholds


def chips_chart(verdicts: Iterable[Verdict], lines: Lines, later: Collection[str] = ()) -> Chart | None:
    """TPP against performance density, log-log; regions of the classes behind, chips coloured by verdict.

    None where no chip has both numbers. later: names of chips that were not out yet; they are drawn pale.
    """
    rows = [row | {"opacity": PALE if row["chip"] in later else 0.95} for row in map(_chip, verdicts) if row]
    if not rows:
        return None
    lines = [line for line in lines if line.get("data_center") is not False] or lines  # the others would lie on top
    spans = {name: _span(name, rows, lines) for name in ("tpp", "pd")}
    x, y = (_axis(name, spans[name], lines) for name in ("tpp", "pd"))
    first = rows[0]
    return {
        "title": {"text": word("charts.law", to=first["to"], on=first["on"]), "subtitle": word("charts.law_note")},
        "width": WIDTH,
        "height": HEIGHT + 80,
        "layer": [*_regions(lines, spans, x, y), *_borders(lines, x, y), _dots(rows, x, y), *_names(rows, x, y)],
    }


def _chip(verdict: Verdict) -> Chart | None:
    tpp, pd = verdict.facts.get("tpp"), verdict.facts.get("pd")
    if not tpp or not pd:
        return None
    return {
        "chip": verdict.chip,
        "tpp": tpp,
        "pd": pd,
        "verdict": verdict_word(verdict.verdict),
        "class": phrase(verdict.class_name),
        "numbers": f"TPP {number(tpp)}, PD {number(pd)}",
        "made_for": word("charts.others" if verdict.facts.get("data_center") == 0 else "charts.data_center"),
        "to": verdict.deal.to,
        "on": verdict.deal.on,
    }


def _span(name: str, rows: Sequence[Chart], lines: Lines) -> tuple[float, float]:
    """(low, high) of an axis: of all chips, and of every line that is drawn."""
    ends = [value for line in lines for end in ("low", "high") if (value := _end(line, name, end))]
    return padded([*(row[name] for row in rows), *ends])


def _end(line: Mapping[str, Any], name: str, end: str) -> float:
    """An end of a class that a logarithmic axis can show, else 0."""
    value = line.get(f"{name}_{end}")
    return float(value) if value is not None and value > 0 and math.isfinite(value) else 0.0


def _axis(name: str, span: tuple[float, float], lines: Lines) -> Chart:
    return {
        "field": name,
        "type": "quantitative",
        "title": word(f"charts.{name}"),
        "scale": {"type": "log", "domain": list(span), "nice": False},
        "axis": {"grid": False, "format": "~s" if name == "tpp" else "~g", "tickCount": 8},
    }


def _regions(lines: Lines, spans: Mapping[str, tuple[float, float]], x: Chart, y: Chart) -> list[Chart]:
    """One rectangle for each class, named in its upper left corner."""
    boxes = [_box(line, spans) for line in lines]
    drawn = [box for box in boxes if box["x2"] > box["tpp"] and box["y2"] > box["pd"]]
    names = list(dict.fromkeys(box["class"] for box in drawn))
    if not drawn:
        return []
    hues = [COLOURS[(at + 4) % len(COLOURS)] for at in range(len(names))]
    fill: Chart = {"field": "class", "type": "nominal", "title": word("charts.region")}
    fill["scale"] = {"domain": names, "range": hues}
    fill["legend"] = {"symbolType": "square", "symbolOpacity": 0.35}
    where = {"x": x, "x2": {"field": "x2"}, "y": y, "y2": {"field": "y2"}}
    tips = [
        {"field": "class", "type": "nominal"},
        {"field": "told", "type": "nominal", "title": word("charts.tip.told")},
    ]
    mark = {"type": "rect", "opacity": 0.16}
    return [{"data": {"values": drawn}, "mark": mark, "encoding": where | {"fill": fill, "tooltip": tips}}]


def _box(line: Mapping[str, Any], spans: Mapping[str, tuple[float, float]]) -> Chart:
    ends = {}
    for name, (first, last) in (("tpp", ("tpp", "x2")), ("pd", ("pd", "y2"))):
        ends[first] = max(_end(line, name, "low"), spans[name][0])
        ends[last] = min(_end(line, name, "high") or spans[name][1], spans[name][1])
    return ends | {"class": phrase(line["class"]), "told": _limits(line)}


def _limits(line: Mapping[str, Any]) -> str:
    told = []
    for name in ("tpp", "pd"):
        low, high = (_end(line, name, end) for end in ("low", "high"))
        told += [f"{name.upper()} >= {number(low)}"] if low else []
        told += [f"{name.upper()} < {number(high)}"] if high else []
    told += [f"IO >= {amount(line['io_low'], 'bandwidth')}"] if line.get("io_low") else []
    return ", ".join(told)


def _borders(lines: Lines, x: Chart, y: Chart) -> list[Chart]:
    """The thresholds as dashed lines with their numbers."""
    made: list[Chart] = []
    for channel, axis in (("x", x), ("y", y)):
        name = axis["field"]
        at = sorted({_end(line, name, "low") for line in lines} - {0.0})
        values = [{name: value, "told": number(value)} for value in at]
        if not values:
            continue
        rule = {"type": "rule", "color": MUTED, "strokeDash": [4, 4], "strokeWidth": 1}
        made.append({"data": {"values": values}, "mark": rule, "encoding": {channel: axis}})
        text: Chart = {"type": "text", "fontSize": 10, "color": MUTED, "align": "left"}
        text |= {"dx": 3, "dy": 8} if channel == "x" else {"dx": -4, "dy": -5, "align": "right"}
        spot: Chart = {"y": {"value": 0}} if channel == "x" else {"x": {"value": WIDTH}}
        named = {"text": {"field": "told", "type": "nominal"}}
        made.append({"data": {"values": values}, "mark": text, "encoding": {channel: axis, **spot, **named}})
    return made


def _dots(rows: list[Chart], x: Chart, y: Chart) -> Chart:
    here = {row["verdict"] for row in rows}
    names = {verdict_word(name): hue for name, hue in HUES.items() if verdict_word(name) in here}
    colour: Chart = {"field": "verdict", "type": "nominal", "title": word("columns.verdict")}
    colour["scale"] = {"domain": list(names), "range": list(names.values())}
    tips = [
        {"field": name, "type": "nominal", "title": word(f"columns.{name}")} for name in ("chip", "class", "verdict")
    ]
    tips.append({"field": "numbers", "type": "nominal", "title": word("charts.tip.told")})
    kinds = [word("charts.data_center"), word("charts.others")]
    shape: Chart = {"field": "made_for", "type": "nominal", "title": word("charts.made_for")}
    shape["scale"] = {"domain": kinds, "range": ["circle", "triangle-up"]}
    mark = {"type": "point", "filled": True, "size": 62, "stroke": INK, "strokeWidth": 0.5}
    opacity = {"field": "opacity", "type": "quantitative", "scale": None, "legend": None}
    shown = {"color": colour, "shape": shape, "opacity": opacity, "tooltip": tips}
    return {"data": {"values": rows}, "mark": mark, "encoding": {"x": x, "y": y, **shown}}


def _names(rows: list[Chart], x: Chart, y: Chart) -> list[Chart]:
    """Names beside the points, on the side where there is room; chips at one spot share theirs."""
    made: list[Chart] = []
    placed = _placed(rows)
    for (across, down), align in SIDES.items():
        shown = [row for row in placed if row["side"] == (across, down)]
        mark = {"type": "text", "align": align, "dx": 6 * across, "dy": 6 * down, "fontSize": 9, "color": INK}
        named = {"text": {"field": "names", "type": "nominal"}}
        made += [{"data": {"values": shown}, "mark": mark, "encoding": {"x": x, "y": y, **named}}] if shown else []
    return made


#: where a name may stand beside its point (right or left, above or below), and how it is aligned there
SIDES = {(1, -1): "left", (-1, -1): "right", (1, 1): "left", (-1, 1): "right"}
LETTER, LINE = 5.0, 10.0  # pixels of a letter of a name, and of its height


def _placed(rows: Sequence[Chart]) -> list[Chart]:
    """One row for each spot with its names and side; a spot with room on no side has no name written."""
    spots: dict[tuple[float, float], list[str]] = {}
    for row in sorted(rows, key=lambda row: (-row["tpp"], len(row["chip"]), row["chip"])):
        spots.setdefault((row["tpp"], row["pd"]), []).append(row["chip"])
    at = dict(zip(spots, _pixels(list(spots)), strict=True))
    taken: list[tuple[float, float, float, float]] = []
    made = []
    for spot, chips in spots.items():
        names = ", ".join(chips[:2]) + (f" +{len(chips) - 2}" if len(chips) > 2 else "")
        boxes = {side: _text_box(at[spot], side, names) for side in SIDES}
        points = [(px - 4, py - 4, px + 4, py + 4) for other, (px, py) in at.items() if other != spot]
        free = next((side for side, box in boxes.items() if not _covers(box, (*taken, *points))), None)
        if free is not None:
            taken.append(boxes[free])
            made.append({"tpp": spot[0], "pd": spot[1], "names": names, "side": free})
    return made


def _pixels(spots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """About where spots lie in the chart, y downwards."""
    ends = [(min(axis), max(axis)) for axis in zip(*spots, strict=True)]
    shares = [
        [math.log(value / low) / (math.log(high / low) or 1.0) for value, (low, high) in zip(spot, ends, strict=True)]
        for spot in spots
    ]
    return [(0.9 * WIDTH * across, 0.9 * (HEIGHT + 80) * (1 - up)) for across, up in shares]


def _text_box(at: tuple[float, float], side: tuple[int, int], names: str) -> tuple[float, float, float, float]:
    wide, (x, y) = LETTER * len(names), at
    left = x + 6 if side[0] > 0 else x - 6 - wide
    middle = y + 6 * side[1]
    return left, middle - LINE / 2, left + wide, middle + LINE / 2


def _covers(box: tuple[float, float, float, float], others: Iterable[tuple[float, float, float, float]]) -> bool:
    return any(box[0] < o[2] and box[2] > o[0] and box[1] < o[3] and box[3] > o[1] for o in others)


# ----------------------------------------------------------------------------------------------- timeline


def timeline_chart(chips: Mapping[str, Steps]) -> Chart | None:
    """For each chip a bar over time, coloured by the verdict of each stretch; None without any step."""
    rows = [row for chip, steps in chips.items() for row in _stretches(chip, steps)]
    if not rows:
        return None
    here = {row["verdict"] for row in rows}
    names = {verdict_word(name): hue for name, hue in HUES.items() if verdict_word(name) in here}
    colour = {"field": "verdict", "type": "nominal", "title": word("columns.verdict")}
    scale = {"scale": {"domain": list(names), "range": list(names.values())}}
    tips = [
        {"field": name, "type": "nominal", "title": word(f"columns.{name}")}
        for name in ("chip", "since", "until", "verdict", "class", "review", "decided_by")
    ]
    rowed: Chart = {"field": "chip", "type": "nominal", "title": None, "sort": list(chips)}
    rowed["axis"] = {"labelLimit": 200, "ticks": False, "domain": False}
    where = {
        "y": rowed,
        "x": {"field": "since", "type": "temporal", "title": None, "axis": {"format": "%Y-%m", "labelOverlap": True}},
        "x2": {"field": "until"},
    }
    bar = {"type": "bar", "height": BAR * 0.6, "stroke": "white", "strokeWidth": 1}
    white = {"test": " || ".join(f"datum.verdict === {verdict_word(name)!r}" for name in DARK), "value": "white"}
    text = {"type": "text", "align": "left", "dx": 4, "fontSize": 9, "limit": 120}
    told = {"text": {"field": "label", "type": "nominal"}, "color": {"condition": white, "value": INK}}
    to = next(steps[-1][1].deal.to for steps in chips.values() if steps)
    return {
        "title": {"text": word("charts.timeline", to=to), "subtitle": word("charts.timeline_note")},
        "width": WIDTH,
        "height": {"step": BAR},
        "data": {"values": rows},
        "layer": [
            {"mark": bar, "encoding": where | {"color": colour | scale, "tooltip": tips}},
            {"mark": text, "encoding": {"y": rowed, "x": where["x"], **told}},
        ],
    }


def _stretches(chip: str, steps: Steps) -> list[Chart]:
    ends = [day for day, _ in steps[1:]] + [verdict.rules_through or day for day, verdict in steps[-1:]]
    made = []
    whole = _days(steps[0][0], max(ends)) if steps else 0
    for (day, verdict), until in zip(steps, ends, strict=True):
        clause = decisive(verdict)
        long = _days(day, until) >= LONG * whole
        made.append(
            {"label": phrase(verdict.class_name) if long else ""}
            | {"chip": chip, "since": day, "until": max(until, day), "verdict": verdict_word(verdict.verdict)}
            | {"class": phrase(verdict.class_name), "review": phrase(verdict.review)}
            | {"decided_by": f"{clause.rule} {clause.clause}" if clause else ""}
        )
    return made


def _days(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days
