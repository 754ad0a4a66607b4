"""The answer as one HTML page: text, tables and charts, nothing of it fetched from anywhere. All text is escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from exaplan.answers import Answer, Priced
from exaplan.catalog import Catalog
from exaplan.report import provenance, told
from exaplan.report.screen import amount, percent
from exaplan.report.sheets import Sheet, offers_sheet, plans_sheet, tried_alike, tried_sheet, whole_sheet
from exaplan.report.words import spoken, word

TRIED = 12  # chips whose fate is told at once
STYLE = Path(__file__).with_name("page.css")
#: no request may leave the page, whatever stands in it; Vega compiles its expressions, hence 'unsafe-eval'
POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:"
DRAW = """
for (const [name, spec] of Object.entries(JSON.parse(document.getElementById("specs").textContent))) {
  const place = document.getElementById("chart-" + name), still = place.innerHTML;
  vegaEmbed(place, spec, {actions: false, renderer: "svg"}).catch(() => { place.innerHTML = still; });
}
"""


def page(answer: Answer, catalog: Catalog | None, drawn: Mapping[str, tuple[Any, str]], program: str) -> str:
    """The page. drawn: name -> (Vega-Lite chart, the same as SVG); program: the script that defines ``vegaEmbed``."""
    body = "\n".join(_body(answer, catalog, {name: svg for name, (_, svg) in drawn.items()}))
    return document(told.title(answer), body, {name: chart for name, (chart, _) in drawn.items()}, program)


def document(title: str, body: str, specs: Mapping[str, Any], program: str) -> str:
    """A page with that body; ``specs``: the charts that the script draws in the places of that name."""
    scripts = [f'<script type="application/json" id="specs">{_inert_json(specs)}</script>']
    scripts += [f"<script>{_inert(program)}</script>", f"<script>{DRAW}</script>"] if specs else []
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{escape(spoken())}">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} · exaplan</title>",
            f"<style>\n{STYLE.read_text(encoding='utf-8')}</style></head>",
            f"<body><main>\n{body}\n</main>",
            *scripts,
            "</body></html>\n",
        ]
    )


def _inert_json(value: Any) -> str:
    """JSON inside a script element: without a ``<`` nothing in it can end that element, however it is written."""
    return json.dumps(value).replace("<", "\\u003c")


def _inert(program: str) -> str:
    """A program inside a script element: nothing in it may end that element, in either case, or open a comment."""
    return re.sub(r"</(script)", r"<\\/\1", program, flags=re.IGNORECASE).replace("<!--", "<\\!--")


def _body(answer: Answer, catalog: Catalog | None, charts: Mapping[str, str]) -> Iterator[str]:
    best = answer.estimates[0]
    yield f"<header><h1>{escape(told.title(answer))}</h1>"
    yield from (f'<p class="sub">{escape(text)}</p>' for text in (told.place_line(answer), told.work_line(answer)))
    yield from (f'<p class="warn">{escape(text)}</p>' for text in told.swapped(answer))
    sentence = told.headline(answer)
    yield f'<p class="answer">{escape(sentence)}</p>' if sentence else ""
    yield f'<ul class="cards">{"".join(_cards(best))}</ul></header>'
    yield section("plans", sheet_html(plans_sheet(answer), mark=True), word("page.plans_note"))
    if "front" in charts:
        yield section("front", chart_html("front", charts["front"]))
    yield section("why", *_why(answer, best))
    yield section("figures", f"<p>{escape(told.best_line(best))}</p>", sheet_html(whole_sheet(best, "")))
    inside = [chart_html(name, svg) for name, svg in charts.items() if name != "front"]
    yield section("inside", *inside) if inside else ""
    yield section("assumed", *_assumed(answer))
    yield section("sources", *_sources(answer, catalog))
    made = {"version": provenance.program_version(), "seed": answer.ask.get("seed", 0)}
    hashed = catalog.digest()[:12] if catalog else "?"
    yield f"<footer>{escape(word('explain.made', hash=hashed, **made))}. {escape(word('page.reproduce'))}</footer>"


def section(name: str, *parts: str) -> str:
    """A section under its heading (``name``: below ``page`` in the words); plain notes are paragraphs."""
    inner = "\n".join(part if part.startswith("<") else f'<p class="sub">{escape(part)}</p>' for part in parts if part)
    return f'<section id="{name.rpartition(".")[2]}"><h2>{escape(word("page." + name))}</h2>\n{inner}</section>'


def sheet_html(sheet: Sheet, mark: bool = False, kind: str = "") -> str:
    """A sheet as a table; ``mark``: its first row stands out."""
    left = (*sheet.left, sheet.columns[0])
    sides = [f"left {name}".rstrip() if name in left else "" for name in sheet.columns]
    names = (word(f"columns.{name}") if name else "" for name in sheet.columns)
    head = "".join(_cell("th", name, side) for name, side in zip(names, sides, strict=True))
    rows = [
        ('<tr class="best">' if mark and at == 0 else "<tr>")
        + "".join(_cell("td", cell, side) for cell, side in zip(row, sides, strict=True))
        + "</tr>"
        for at, row in enumerate(sheet.rows)
    ]
    title = f"<h3>{escape(sheet.title)}</h3>" if sheet.title else ""
    body = "\n".join(rows)
    return f'{title}<div class="wide {kind}"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'


def _cell(tag: str, text: str, side: str) -> str:
    return f'<{tag} class="{side}">{escape(text)}</{tag}>' if side else f"<{tag}>{escape(text)}</{tag}>"


def chart_html(name: str, svg: str) -> str:
    """The place of a chart: its picture, which the script replaces by the living chart."""
    return f'<div class="chart" id="chart-{name}">{svg}</div>'


def listing(title: str, lines: Iterable[str], kind: str = "") -> str:
    """A titled list; "" without lines."""
    items = "".join(f'<li class="{kind}">{escape(text)}</li>' for text in lines)
    return f"<h3>{escape(title)}</h3><ul>{items}</ul>" if items else ""


def _cards(best: Priced) -> Iterator[str]:
    """The figures that everybody looks for, with their ranges."""
    known = (("time", "time"), ("cost", "money"), ("energy", "energy"), ("carbon", "mass"), ("tokens", "tokens"))
    for name, dimension in known:
        value, ends = getattr(best, name), best.ranges.get("cost_quoted" if name == "cost" else name)
        if value is not None:
            yield _card(name, amount(value, dimension), [amount(end, dimension) for end in ends] if ends else [])
    yield _card("mfu", percent(best.estimate.mfu), [percent(end) for end in best.ranges.get("mfu", ())])


def _card(name: str, value: str, ends: list[str]) -> str:
    low, high = (end.replace(" ", "\u00a0") for end in ends) if ends else ("", "")
    span = word("page.span", low=low, high=high) if ends else ""
    small = f"<small>{escape(span)}</small>" if span else ""
    return f"<li><span>{escape(word('whole.' + name))}</span><b>{escape(value)}</b>{small}</li>"


def _why(answer: Answer, best: Priced) -> list[str]:
    relief = [told.relief_line(answer, item) for item in answer.relief]
    parts = [
        listing(word("plan.warnings"), told.minded(answer), "warn"),
        listing(word("plan.law"), told.law_lines(answer)),
        listing(word("plan.binding"), map(told.limit_name, answer.binding) if answer.binding else (word("plan.none"),)),
        listing(word("plan.relief"), relief),
        listing(word("nearest.title"), told.nearest_lines(best)),
        sheet_html(offers_sheet(best)) if best.offers else "",
        *_tried(answer),
        told.counts_line(answer),
    ]
    return [part for part in parts if part]


def _tried(answer: Answer) -> Iterator[str]:
    """The chips that came nearest; all others on demand."""
    if len(answer.tried) > 1:
        whole = tried_sheet(answer)
        yield sheet_html(whole._replace(rows=whole.rows[:TRIED]))
        if len(whole.rows) > TRIED:
            more = escape(word("page.tried_more", count=f"{len(whole.rows) - TRIED:,}"))
            rest = sheet_html(whole._replace(rows=whole.rows[TRIED:], title=""))
            yield f"<details><summary>{more}</summary>{rest}</details>"
    yield listing(word("plan.tried_alike"), tried_alike(answer))


def _assumed(answer: Answer) -> list[str]:
    return [
        listing(word("page.stated"), told.assumed(answer)),
        listing(word("plan.defaults"), answer.defaults),
    ]


def _sources(answer: Answer, catalog: Catalog | None) -> list[str]:
    """Every source of the figures, spelled out where the catalogue is at hand."""
    if catalog is None:
        figures = {figure["source"] for figure in provenance.figures_of(answer)}
        return [listing(word("explain.sources"), sorted(figures))]
    found = provenance.collect(answer, catalog)["sources"]
    rows = [[name, *(source[key] for key in ("title", "address", "date", "kind"))] for name, source in found.items()]
    left = ("title", "address", "date", "kind")
    return [sheet_html(Sheet(("source", *left), rows, left=left), kind="sources")]
