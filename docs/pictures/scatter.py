"""The picture of README.md: predicted against measured step time of every scored run, as an SVG without any library.

python docs/pictures/scatter.py        writes docs/pictures/score.svg from docs/score.json
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
WIDTH, HEIGHT = 720, 480
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 52, 56
MARGIN = 1.15
INSIDE, OUTSIDE, INK, FAINT, PAPER = "#2166ac", "#d6604d", "#222222", "#d0d0d0", "#ffffff"
FONT = "font-family='Helvetica, Arial, sans-serif'"


class Axis:
    """A logarithmic axis from ``low`` to ``high`` onto pixels ``start`` to ``end``."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low / MARGIN, high * MARGIN
        self.start, self.end = start, end

    def at(self, value: float) -> float:
        """Pixel of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """1 and 3 of every decade that the axis reaches."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = (float(f"{step}e{power}") for power in powers for step in (1, 3))
        return [value for value in values if self.low <= value <= self.high]


def text(x: float, y: float, words: str, size: int = 12, anchor: str = "middle", more: str = "") -> str:
    """One line of text."""
    return f"<text x='{x}' y='{y}' {FONT} font-size='{size}' fill='{INK}' text-anchor='{anchor}'{more}>{words}</text>"


def line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    """One straight line."""
    return f"<line x1='{x1}' y1='{y1}' x2='{x2}' y2='{y2}' stroke='{colour}'{more}/>"


def seconds(value: float) -> str:
    """A tick's label."""
    return f"{value:g} s" if value < 1000 else f"{value:,.0f} s"


def frame(x: Axis, y: Axis) -> Iterable[str]:
    """Grid, ticks and names of the axes, the diagonal of a perfect prediction and its 20% band."""
    for value in x.ticks():
        yield line(x.at(value), y.start, x.at(value), y.end, FAINT)
        yield text(x.at(value), y.start + 18, seconds(value))
    for value in y.ticks():
        yield line(x.start, y.at(value), x.end, y.at(value), FAINT)
        yield text(x.start - 8, y.at(value) + 4, seconds(value), anchor="end")
    low, high = x.low, x.high
    yield line(x.at(low), y.at(low), x.at(high), y.at(high), INK, " stroke-width='1.2'")
    for factor in (1.2, 1 / 1.2):
        start, end = max(low, low / factor), min(high, high / factor)
        ends = (x.at(start), y.at(start * factor), x.at(end), y.at(end * factor))
        yield line(*ends, INK, " stroke-width='0.7' stroke-dasharray='4 4'")
    yield text((x.start + x.end) / 2, HEIGHT - 14, "measured step time", 13)
    middle = (y.start + y.end) / 2
    yield text(16, middle, "predicted step time", 13, more=f" transform='rotate(-90 16 {middle})'")


def points(rows: Sequence[Mapping[str, Any]], x: Axis, y: Axis) -> Iterable[str]:
    """One dot a run, coloured by whether the measurement lies in its 80% range."""
    for row in rows:
        colour = INSIDE if row["low"] <= row["measured"] <= row["high"] else OUTSIDE
        where = f"cx='{x.at(row['measured'])}' cy='{y.at(row['predicted'])}'"
        yield f"<circle {where} r='3' fill='{colour}' fill-opacity='0.55'/>"


def title(score: Mapping[str, Any], count: int) -> Iterable[str]:
    """What the picture shows, in two lines, with the key of the colours."""
    found = score["summary"]["step_time"]
    yield text(
        LEFT,
        20,
        f"{count} published training runs, {found['n']} configurations, none fitted on",
        15,
        "start",
        " font-weight='bold'",
    )
    median, mean = (f"{100 * found[key]:.1f}%" for key in ("median_abs_error", "mean_abs_error"))
    yield text(LEFT, 40, f"error {median} median, {mean} mean; dashed: 20% off", 12, "start")
    for at, colour, words in ((452, INSIDE, "in its 80% range"), (588, OUTSIDE, "outside")):
        yield f"<circle cx='{at}' cy='36' r='4' fill='{colour}'/>" + text(at + 9, 40, words, 12, "start")


def draw(score: Mapping[str, Any]) -> str:
    """The picture of a score."""
    rows = [row for row in score["rows"] if row["quantity"] == "step_time"]
    values = [row[key] for row in rows for key in ("measured", "predicted")]
    x = Axis(min(values), max(values), LEFT, WIDTH - RIGHT)
    y = Axis(min(values), max(values), HEIGHT - BOTTOM, TOP)
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img'>"
    name = "<title>Predicted against measured step time of published training runs</title>"
    paper = f"<rect width='{WIDTH}' height='{HEIGHT}' fill='{PAPER}'/>"
    parts = [head, name, paper, *frame(x, y), *points(rows, x, y), *title(score, len(rows)), "</svg>"]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    score = json.loads((FOLDER.parent / "score.json").read_text(encoding="utf-8"))
    (FOLDER / "score.svg").write_text(draw(score), encoding="utf-8")
