"""The report of an answer as a file: an offline page (.html), a picture (.svg, .png) or a chart (.vl.json)."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

from exaplan.answers import Answer
from exaplan.catalog import Catalog
from exaplan.errors import InputError, Place
from exaplan.report import charts, told
from exaplan.report.html import page

SUFFIXES = (".html", ".svg", ".png", ".vl.json")
SHARP = 2.0  # pixels of a PNG per pixel of the chart
PLACE = Place("--report")


def suffix_of(path: Path) -> str:
    """The kind of report that a file name asks for; InputError where there is no such kind, or it needs the extra."""
    name = path.name.lower()
    found = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
    if found is None:
        hint = f"name a file that ends in {', '.join(SUFFIXES)}"
        raise InputError(f"no report is written as {path.name!r}", hint=hint, place=PLACE)
    if found != ".vl.json":
        converter()
    return found


def report_bytes(answer: Answer, suffix: str, catalog: Catalog | None = None) -> bytes:
    """The content of a report; with the catalogue, a page spells out every source."""
    kind = suffix_of(Path(f"report{suffix}"))
    if kind == ".html":
        return _html(answer, catalog).encode()
    whole = charts.whole(answer, told.title(answer), told.headline(answer))
    if kind == ".vl.json":
        return (json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    if kind == ".png":
        return bytes(converter().vegalite_to_png(whole, scale=SHARP))
    return str(converter().vegalite_to_svg(whole)).encode()


def _html(answer: Answer, catalog: Catalog | None) -> str:
    program = converter()
    made = {name: charts.standalone(chart) for name, chart in charts.charts(answer).items()}
    drawn = {name: (chart, str(program.vegalite_to_svg(chart))) for name, chart in made.items()}
    return page(answer, catalog, drawn, str(program.javascript_bundle()) if drawn else "")


def converter() -> ModuleType:
    """vl-convert, imported when it is needed: it is large, and an extra."""
    try:
        import vl_convert
    except ImportError:
        problem = "a report needs vl-convert-python, which is not installed"
        raise InputError(problem, hint="pip install 'exaplan[report]'", place=PLACE) from None
    return vl_convert
