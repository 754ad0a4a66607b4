"""Charts with a title as a file: a picture, a chart for other programs, or an offline page with tables below."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from exaplan.errors import InputError
from exaplan.report import charts, html
from exaplan.report.page import PLACE, SHARP, converter, suffix_of
from exaplan.report.words import word


class Drawing(NamedTuple):
    """What is written: the title, its sentences, charts by name, and the HTML of what stands below them."""

    title: str
    sentences: Sequence[str]
    charts: Mapping[str, charts.Chart]
    below: Sequence[str] = ()


def drawing_bytes(drawing: Drawing, suffix: str) -> bytes:
    """The content of a report; InputError where there is nothing to draw."""
    kind = suffix_of(Path(f"report{suffix}"))
    if kind == ".html":
        return _page(drawing).encode()
    if not drawing.charts:
        hint = "write a page (.html) or --json instead: they hold the tables"
        raise InputError("there is nothing to draw in this answer", hint=hint, place=PLACE)
    return picture(
        charts.stacked(drawing.charts, drawing.title, " ".join((*drawing.sentences, word("law.advice")))), kind
    )


def picture(whole: charts.Chart, kind: str) -> bytes:
    """A chart as a picture, or as it is for other programs. kind: .svg, .png or .vl.json."""
    if kind == ".vl.json":
        return (json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    if kind == ".png":
        return bytes(converter().vegalite_to_png(whole, scale=SHARP))
    return str(converter().vegalite_to_svg(whole)).encode()


def _page(drawing: Drawing) -> str:
    """The page: sentences, charts, tables; nothing of it is fetched from anywhere."""
    made = {name: charts.standalone(chart) for name, chart in drawing.charts.items()}
    drawn = {name: str(converter().vegalite_to_svg(chart)) for name, chart in made.items()}
    lines = "".join(f'<p class="answer">{escape(text)}</p>' for text in drawing.sentences)
    body = [f"<header><h1>{escape(drawing.title)}</h1>{lines}</header>"]
    body += [f"<section>{html.chart_html(name, svg)}</section>" for name, svg in drawn.items()]
    body += drawing.below
    body.append(f"<footer>{escape(word('law.advice'))}</footer>")
    return html.document(drawing.title, "\n".join(body), made, str(converter().javascript_bundle()) if made else "")
