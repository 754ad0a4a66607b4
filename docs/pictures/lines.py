"""Line charts as SVG without any library: panels side by side, each with its axes, lines and their names.

A chart is plain data, so that it can be kept as JSON: {"title", "panels": [{"title", "x", "y", "log", "logx" (y, x are
logarithmic), "steps" (stairs),
"series": {name: [[x, y], ...]}}]}.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scatter import FAINT, PAPER, line, text

WIDTH, HEIGHT = 360, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 66, 46
HEAD = 30
COLOURS = ("#2166ac", "#d6604d", "#4d9221", "#8856a7", "#8c510a")  # told apart by most who see colours otherwise
DASHES = ("", "7 3", "2 3", "9 3 2 3", "1 5")
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
DECADES = (
    (1.0,),
    (1.0, 3.0),
    (1.0, 2.0, 5.0),
    (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
    (1.0, 1.2, 1.4, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),
)

Panel = Mapping[str, Any]
Points = Sequence[Sequence[float]]


class Scale:
    """An axis from ``low`` to ``high`` onto pixels ``start`` to ``end``, even or logarithmic."""

    def __init__(self, low: float, high: float, start: float, end: float, log: bool = False) -> None:
        self.log = log and low > 0.0
        self.low, self.high = low, high if high > low else low + 1.0
        self.start, self.end = start, end

    def at(self, value: float) -> float:
        """Pixel of a value; values beyond the axis stay at its end."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Round values that the axis reaches: some five of an even one."""
        if self.log:
            return self.decades()
        rough = (self.high - self.low) / 5.0
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * s for s in STEPS if power * s >= rough * 0.999)
        first, last = math.floor(self.low / step), math.ceil(self.high / step)
        return self.inside(step * k for k in range(first, last + 1))

    def decades(self) -> list[float]:
        """The fewest round values of every decade of which at least four are on the axis."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found: list[float] = []
        for steps in DECADES:
            found = self.inside(step * 10.0**power for power in powers for step in steps)
            if len(found) >= 4:
                break
        return found

    def inside(self, values: Iterable[float]) -> list[float]:
        """Those that are on the axis."""
        return [value for value in values if self.low * 0.9999 <= value <= self.high * 1.0001]


def label(value: float) -> str:
    """A tick's text."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def every(panel: Panel, index: int) -> list[float]:
    """All values of a panel on one axis, without what is unknown."""
    found = (point[index] for points in panel["series"].values() for point in points)
    return [value for value in found if value is not None and math.isfinite(value)]


def scales(panel: Panel, left: float) -> tuple[Scale, Scale]:
    """The axes of a panel, whose left edge is at ``left``."""
    xs, ys = every(panel, 0), every(panel, 1)
    log = bool(panel.get("log"))
    low = min(ys) / 1.2 if log else min(0.0, *ys)
    high = panel.get("top", max(ys) * (1.2 if log else 1.05))
    bottom = HEAD + HEIGHT - BOTTOM
    across = Scale(min(xs), max(xs), left + LEFT, left + WIDTH - RIGHT, bool(panel.get("logx")))
    return across, Scale(low, high, bottom, HEAD + TOP, log)


def frame(panel: Panel, x: Scale, y: Scale) -> Iterable[str]:
    """Grid, ticks and names of the axes, and the panel's title."""
    for value in x.ticks():
        yield line(x.at(value), y.start, x.at(value), y.end, FAINT)
        yield text(x.at(value), y.start + 16, label(value), 11)
    for value in y.ticks():
        yield line(x.start, y.at(value), x.end, y.at(value), FAINT)
        yield text(x.start - 6, y.at(value) + 4, label(value), 11, "end")
    middle = (x.start + x.end) / 2
    yield text(middle, y.start + 34, panel["x"], 12)
    yield text(x.start - LEFT + 8, y.end - 30, panel["title"], 13, "start", " font-weight='bold'")
    yield text(x.start - LEFT + 8, y.end - 14, panel["y"], 12, "start")


def known(point: Sequence[float | None]) -> bool:
    """Whether a point has a value."""
    return point[1] is not None and math.isfinite(point[1])


def runs(points: Points) -> Iterable[list[Sequence[float]]]:
    """Stretches of points that are known."""
    found: list[Sequence[float]] = []
    for point in points:
        if known(point):
            found.append(point)
        elif found:
            yield found
            found = []
    if found:
        yield found


def curve(points: Points, x: Scale, y: Scale, colour: str, dash: str, steps: bool) -> Iterable[str]:
    """A line through points, as stairs where ``steps``, with a dot at each where there are few."""
    for part in runs(points):
        at = [(x.at(one[0]), y.at(one[1])) for one in part]
        path = [f"M{at[0][0]} {at[0][1]}"] + [f"H{px} V{py}" if steps else f"L{px} {py}" for px, py in at[1:]]
        more = f" stroke-dasharray='{dash}'" if dash else ""
        yield f"<path d='{' '.join(path)}' fill='none' stroke='{colour}' stroke-width='2'{more}/>"
        if len(points) <= 16:
            yield from (f"<circle cx='{px}' cy='{py}' r='2.6' fill='{colour}'/>" for px, py in at)


def key(names: Sequence[str], width: float) -> Iterable[str]:
    """Names of the lines, once for all panels, at the foot."""
    place = 16.0
    for index, name in enumerate(names):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        more = f" stroke-width='2' stroke-dasharray='{dash}'" if dash else " stroke-width='2'"
        yield line(place, HEAD + HEIGHT + 12, place + 26, HEAD + HEIGHT + 12, colour, more)
        yield text(place + 31, HEAD + HEIGHT + 16, name, 12, "start")
        place += 44 + 6.6 * len(name)


def draw(chart: Mapping[str, Any]) -> str:
    """The picture of a chart."""
    panels = chart["panels"]
    width, height = WIDTH * len(panels), HEAD + HEIGHT + 26
    names = list(dict.fromkeys(name for panel in panels for name in panel["series"]))
    parts = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img'>"]
    parts += [f"<title>{chart['title']}</title>", f"<rect width='{width}' height='{height}' fill='{PAPER}'/>"]
    parts.append(text(16, 22, chart["title"], 15, "start", " font-weight='bold'"))
    for place, panel in enumerate(panels):
        x, y = scales(panel, place * WIDTH)
        parts += frame(panel, x, y)
        for name, points in panel["series"].items():
            index = names.index(name)
            colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
            parts += curve(points, x, y, colour, dash, bool(panel.get("steps")))
    return "\n".join([*parts, *key(names, width), "</svg>"]) + "\n"
