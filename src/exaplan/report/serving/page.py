"""The report of a serving answer as a file: an offline page, a picture, or a chart for other programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from exaplan.answers.serving import Served, ServePlan
from exaplan.catalog import Catalog
from exaplan.report import charts as shared
from exaplan.report import provenance
from exaplan.report.drawing import picture
from exaplan.report.html import chart_html, document, listing, section, sheet_html
from exaplan.report.page import converter, suffix_of
from exaplan.report.serving import charts, sheets, told
from exaplan.report.serving.named import at_percentile, engine_text, metric_name
from exaplan.report.serving.provenance import collect, figures_of
from exaplan.report.sheets import Sheet
from exaplan.report.words import word

TRIED = 12  # chips whose fate is told at once


def served_report(served: Served, suffix: str, catalog: Catalog | None = None) -> bytes:
    """The content of a report; with the catalogue, a page spells out every source."""
    kind = suffix_of(Path(f"report{suffix}"))
    if kind == ".html":
        return _page(served, catalog).encode()
    return picture(shared.stacked(charts.charts(served), told.title(served), sentence(served)), kind)


def sentence(served: Served) -> str:
    """The answer in one sentence, after what must be known first."""
    run = served.plans[0].run
    if served.verb == "simulate" and run is not None:
        return " ".join([*told.cautions(run), told.outcome(served, run)])
    return told.headline(served)


def _page(served: Served, catalog: Catalog | None) -> str:
    made = {name: shared.standalone(chart) for name, chart in charts.charts(served).items()}
    drawn = {name: str(converter().vegalite_to_svg(chart)) for name, chart in made.items()}
    body = "\n".join(part for part in _body(served, catalog, drawn) if part)
    return document(told.title(served), body, made, str(converter().javascript_bundle()) if made else "")


def _body(served: Served, catalog: Catalog | None, drawn: Mapping[str, str]) -> Iterator[str]:
    plan = served.plans[0]
    simulated = served.verb == "simulate"
    yield from _header(served, plan)
    if not simulated:
        yield section("serving.plans", sheet_html(sheets.plans_sheet(served), mark=True), sheets.caption(served))
    yield _outcome(served, plan, drawn)
    if "front" in drawn:
        yield section("serving.front", chart_html("front", drawn["front"]), sheet_html(sheets.front_sheet(served)))
    yield section("why", *_why(served, plan))
    line = engine_text(plan.deployment.settings, served.engine) if simulated else told.best_line(served)
    yield section("figures", f"<p>{escape(line)}</p>", sheet_html(sheets.whole_sheet(served, plan)))
    inside = [chart_html(name, drawn[name]) for name in ("iteration", "memory") if name in drawn]
    yield section("serving.inside", *inside) if inside else ""
    yield section("serving.business", sheet_html(sheets.margin_sheet(plan))) if plan.margin else ""
    yield section("assumed", *_assumed(served))
    yield section("sources", *_sources(served, catalog))
    version, seed = provenance.program_version(), served.ask.get("seed", 0)
    hashed = catalog.digest()[:12] if catalog else "?"
    made = word("explain.made", hash=hashed, version=version, seed=seed)
    yield f"<footer>{escape(made)}. {escape(word('page.reproduce'))}</footer>"


def _header(served: Served, plan: ServePlan) -> Iterator[str]:
    yield f"<header><h1>{escape(told.title(served))}</h1>"
    yield from (f'<p class="sub">{escape(text)}</p>' for text in (told.place_line(plan), told.traffic_line(served)))
    minded = [told.missed_line(plan)] if plan.missed else []
    minded += told.cautions(plan.run) if plan.run else []
    yield from (f'<p class="warn">{escape(text)}</p>' for text in minded)
    run = plan.run
    decided = told.outcome(served, run) if served.verb == "simulate" and run is not None else told.headline(served)
    yield f'<p class="answer">{escape(decided)}</p>'
    yield f'<ul class="cards">{"".join(_cards(served, plan))}</ul></header>'


def _cards(served: Served, plan: ServePlan) -> Iterator[str]:
    """The figures that everybody looks for, with their ranges."""
    for row in sheets.figures(served, plan):
        if row.value is not None and row.key in _looked_for(served):
            ends = [row.show(end).replace(" ", "\u00a0") for end in told.spans(plan).get(row.key, ())]
            span = f"<small>{escape(word('page.span', low=ends[0], high=ends[1]))}</small>" if ends else ""
            name = metric_name(row.key)
            yield f"<li><span>{escape(name)}</span><b>{escape(row.show(row.value))}</b>{span}</li>"


def _looked_for(served: Served) -> list[str]:
    times = [at_percentile(name, served.promise) for name in ("ttft", "tpot")]
    return [*times, "throughput", "cost_hour", "per_million_output", "energy_token", "power"]


def _outcome(served: Served, plan: ServePlan, drawn: Mapping[str, str]) -> str:
    """What the simulation found: percentiles, what was counted, and how it went over time."""
    run = plan.run
    if run is None:
        return ""
    parts = [sheet_html(sheets.quantiles_sheet(run)), sheet_html(sheets.facts_sheet(served, run))]
    parts += [chart_html(name, drawn[name]) for name in ("percentiles", "series") if name in drawn]
    return section("serving.outcome", *parts, listing(word("serving.refused"), told.refused_lines(run), "warn"))


def _why(served: Served, plan: ServePlan) -> list[str]:
    relief = [told.relief_line(served, item) for item in served.relief]
    parts = [
        listing(word("plan.warnings"), told.warnings(served), "warn"),
        listing(word("plan.law"), told.law_lines(served)),
        listing(word("plan.binding"), told.binding_lines(served)),
        listing(word("plan.relief"), relief),
        sheet_html(sheets.offers_sheet(plan)) if plan.offers else "",
        *_tried(served),
        told.counts_line(served),
    ]
    return [part for part in parts if part]


def _tried(served: Served) -> Iterator[str]:
    """The chips that came nearest; all others on demand."""
    if len(served.tried) > 1:
        whole = sheets.tried_sheet(served)
        yield sheet_html(whole._replace(rows=whole.rows[:TRIED]))
        if len(whole.rows) > TRIED:
            more = escape(word("page.tried_more", count=f"{len(whole.rows) - TRIED:,}"))
            rest = sheet_html(whole._replace(rows=whole.rows[TRIED:], title=""))
            yield f"<details><summary>{more}</summary>{rest}</details>"


def _assumed(served: Served) -> list[str]:
    stated = listing(word("page.stated"), told.assumed(served))
    return [stated, listing(word("plan.defaults"), served.defaults)]


def _sources(served: Served, catalog: Catalog | None) -> list[str]:
    """Every source of the figures, spelled out where the catalogue is at hand."""
    if catalog is None:
        return [listing(word("explain.sources"), sorted({figure["source"] for figure in figures_of(served)}))]
    found = collect(served, catalog)["sources"]
    left = ("title", "address", "date", "kind")
    rows = [[name, *(source[key] for key in left)] for name, source in found.items()]
    return [sheet_html(Sheet(("source", *left), rows, left=left), kind="sources")]
