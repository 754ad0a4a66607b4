"""Reports of serving answers: charts as Vega-Lite, pictures, and the page that needs no network."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from made_served import disaggregated, overloaded, plan, served, simulated

from exaplan.answers.serving import Served
from exaplan.catalog import Catalog, load
from exaplan.report import answered
from exaplan.report.serving import charts, served_report, told

EVIL = "<script>alert(1)</script><img src=http://x.example/y>"
MADE = {
    "plan": served, "simulate": lambda catalog: served(catalog, "simulate"), "overloaded": overloaded,
    "disaggregated": disaggregated,
}  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


def drawn(made: Served, suffix: str, catalog: Catalog) -> bytes:
    """A report, where the extra is there."""
    pytest.importorskip("vl_convert")
    return answered.pages(made, suffix, catalog)


@pytest.mark.parametrize("name", MADE)
def test_every_answer_is_drawn_as_a_chart(name: str, catalog: Catalog) -> None:
    """The chart is Vega-Lite that the renderer takes, with a title and the sentence of the answer."""
    made = MADE[name](catalog)
    chart = json.loads(served_report(made, ".vl.json"))
    assert chart["title"]["text"] == told.title(made) and chart["vconcat"]
    svg = drawn(made, ".svg", catalog).decode()
    assert svg.startswith("<svg") and "NaN" not in svg
    assert drawn(made, ".png", catalog)[:4] == b"\x89PNG"


def texts(value: Any) -> str:
    """The JSON text of a chart."""
    return json.dumps(value, ensure_ascii=False)


def test_the_charts_are_those_that_there_is_data_for(catalog: Catalog) -> None:
    """A plan with a run has all; without a run, front or terms they are left out."""
    assert list(charts.charts(served(catalog))) == ["percentiles", "series", "front", "iteration", "memory"]
    bare = plan(catalog, run=None, breakdown={}, memory_terms={})
    assert charts.charts(served(catalog, plans=(bare,), front=())) == {}


def test_the_front_joins_only_what_nothing_beats(catalog: Catalog) -> None:
    """The line holds the points of the front; all points are dots."""
    chart = charts.front_chart(served(catalog))
    assert chart is not None
    line, dots = chart["layer"]
    assert len(line["data"]["values"]) == 5 and len(chart["data"]["values"]) == 10
    assert all(row["best"] for row in line["data"]["values"]) and dots["mark"]["type"] == "point"
    assert charts.front_chart(served(catalog, front=served(catalog).front[:1])) is None


def test_promises_are_lines_in_the_percentiles(catalog: Catalog) -> None:
    """Each promise is a dashed line with its name; without promises there is none."""
    made = served(catalog)
    run = simulated()
    chart = charts.percentiles_chart(made, run)
    assert "p99 TTFT 1 s" in texts(chart) and "p99 TPOT 100 ms" in texts(chart)
    free = charts.percentiles_chart(replace(made, promise=replace(made.promise, ttft=None, tpot=None)), run)
    assert "strokeDash" not in texts(free)


def test_a_long_series_is_thinned(catalog: Catalog) -> None:
    """At most ``MOST`` points a line, of every panel; the warm-up is marked; one value is no series."""
    many = tuple(float(at) for at in range(5000))
    chart = charts.series_chart(simulated(series={"time": many, "queue": many, "kv": many[:7]}))
    assert chart is not None
    rows = chart["data"]["values"]
    assert len(rows) <= charts.MOST and {row["name"] for row in rows} == {"waiting"}
    assert "datum" in texts(chart["spec"]["layer"][1])
    assert charts.series_chart(simulated(series={"time": (1.0,), "queue": (2.0,)})) is None


def test_an_overload_stands_in_its_chart(catalog: Catalog) -> None:
    """Whoever sees the picture alone is told that no steady state exists."""
    assert "OVERLOADED" in texts(json.loads(served_report(overloaded(catalog), ".vl.json")))
    assert "OVERLOADED" not in texts(json.loads(served_report(served(catalog), ".vl.json")))


def test_the_page_has_every_section(catalog: Catalog) -> None:
    """Plans, outcome, front, why, figures, inside, business, assumptions and sources; nothing is fetched."""
    page = drawn(served(catalog), ".html", catalog).decode()
    for name in ("plans", "outcome", "front", "why", "figures", "inside", "business", "assumed", "sources"):
        assert f'<section id="{name}">' in page, name
    assert "default-src 'none'" in page and 'src="http' not in page
    simulated_page = drawn(served(catalog, "simulate"), ".html", catalog).decode()
    assert '<section id="plans">' not in simulated_page and "answered" in simulated_page


def test_the_page_warns_before_it_answers(catalog: Catalog) -> None:
    """Overload and broken promises stand above the answer."""
    page = drawn(overloaded(catalog), ".html", catalog).decode()
    assert page.index("OVERLOADED") < page.index('<p class="answer">') and "NOT KEPT" in page


def test_names_cannot_write_into_the_page(catalog: Catalog) -> None:
    """Text of a user's file is escaped wherever it stands."""
    made = served(catalog)
    evil = replace(
        made, assumptions=(EVIL,), warnings=(EVIL,), model=replace(made.model, name=EVIL),
        traffic=replace(made.traffic, arrivals="trace", trace=EVIL),
        plans=(plan(catalog, run=simulated(refused={EVIL: 3}, by_stage={EVIL: simulated().ttft})),),
    )  # fmt: skip
    page = drawn(evil, ".html", catalog).decode()
    assert EVIL not in page and "&lt;script&gt;alert(1)" in page


def test_a_page_without_a_catalogue_names_its_sources(catalog: Catalog) -> None:
    """The ids alone, where nothing spells them out."""
    pytest.importorskip("vl_convert")
    page = served_report(served(catalog), ".html").decode()
    assert "mercatus-2026" in page
