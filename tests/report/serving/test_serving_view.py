"""What is shown of a serving answer on the screen: the decision, ranges, terms, a simulation over time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from made_served import disaggregated, overloaded, plan, quantiles, served, simulated
from rich.cells import cell_len

from exaplan.answers import Relief, Tried
from exaplan.answers.serving import Served
from exaplan.catalog import Catalog, load
from exaplan.nouns.serving import Autoscale, Deployment, Lengths, Promise, Replica, Settings, Traffic
from exaplan.report import answered, screen
from exaplan.report.serving import sheets, told
from exaplan.report.serving.named import chosen, deployment_text, engine_of, lengths_text, metric_name, replica_text
from exaplan.report.serving.view import LEVELS, series_lines, served_view, spark
from exaplan.report.words import speaking

Golden = Callable[[str, str], None]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


def drawn(made: Served) -> str:
    """The text of a view."""
    return screen.draw(served_view(made))


@pytest.mark.parametrize("name", ["plan", "simulate"])
def test_answers_are_drawn(name: str, catalog: Catalog, golden: Golden) -> None:
    """The tables of plan and simulate, held by golden files."""
    golden(f"made_serving_{name}.txt", drawn(served(catalog, name)))


def test_answers_are_drawn_in_chinese(catalog: Catalog, golden: Golden) -> None:
    """The same words in Chinese: no fixed word of the view is left in English."""
    with speaking("zh"):
        golden("made_serving_zh.txt", drawn(served(catalog)))


def test_overload_is_told_before_any_figure(catalog: Catalog) -> None:
    """Cut off, overloaded and what is not kept stand above the percentiles, which show no confidence they lack."""
    text = drawn(overloaded(catalog))
    above = text[: text.index("times by percentile")]
    assert "CUT OFF, partial result: interrupted after 9,000 of 20,000 requests" in above
    assert "OVERLOADED: the queue grew to the end" in above and "NOT KEPT: time to the first token" in above
    assert re.search(r"^ TTFT +9\.9 s +9 s", text, re.MULTILINE) and "$0" not in text


def test_a_steady_run_is_not_called_overloaded(catalog: Catalog) -> None:
    """Nor cut off; what it refused is told with its reason."""
    text = drawn(served(catalog, "simulate"))
    assert "OVERLOADED" not in text and "CUT OFF" not in text
    assert "requests that can never be served:\n  2 longer than the context" in text


def test_unknown_figures_are_dashes(catalog: Catalog) -> None:
    """A plan without a price has no zero dollars, and no sentence about money."""
    text = drawn(overloaded(catalog))
    assert re.search(r"cost per hour +–", text) and "about" not in text.split("times by percentile")[0]  # noqa: RUF001


def test_nothing_is_wider_than_the_screen(catalog: Catalog) -> None:
    """The widest deployment, in both languages."""
    made = disaggregated(catalog)
    both = replace(made, plans=(*made.plans, *served(catalog).plans))
    for language in ("en", "zh"):
        with speaking(language):
            assert max(cell_len(line) for line in drawn(both).splitlines()) <= screen.WIDTH


def test_a_deployment_says_how_it_is_cut() -> None:
    """Degrees of 1 are left out, the copies that read prompts are told apart."""
    assert [replica_text(Replica()), replica_text(Replica(tp=4, pp=2)), replica_text(Replica(dp=8, ep=8))] == [
        "tp 1", "tp 4 pp 2", "dp 8 ep 8",
    ]  # fmt: skip
    put = Deployment(Replica(tp=8), 3, Settings("sglang"), Replica(tp=2), 4)
    assert deployment_text(put) == "prefill 4 x tp 2, decode 3 x tp 8"


def test_values_are_the_plans_own_or_the_engines(catalog: Catalog) -> None:
    """What a plan fixes wins; the rest is the engine's; of an unknown engine nothing is made up."""
    made = served(catalog)
    first = made.plans[0]
    values = chosen(first.deployment.settings, engine_of(made, first))
    assert (values["max_seqs"], values["max_tokens"], values["memory_share"]) == (128, 4096, 0.9)
    other = plan(catalog, Deployment(Replica(), 1, Settings("no-such-engine")))
    assert engine_of(made, other) is None
    assert set(chosen(other.deployment.settings, None).values()) == {None}
    assert engine_of(made, plan(catalog, Deployment(Replica(), 1, Settings("sglang"))), catalog.engines) is not None


@pytest.mark.parametrize(
    ("lengths", "text"),
    [
        (Lengths("fixed", 1024.0), "1,024"),
        (Lengths("uniform", 50.0, low=1, high=99), "1 to 99"),
        (Lengths("lognormal", 256.0, 0.5), "256 (lognormal, cv 0.5)"),
        (Lengths("trace", 0.0), "as many as in the file"),
    ],
)
def test_lengths_are_told(lengths: Lengths, text: str) -> None:
    """A number, a span, or a mean with its spread."""
    assert lengths_text(lengths) == text


@pytest.mark.parametrize(
    ("traffic", "text"),
    [
        (
            Traffic(Lengths("fixed", 9.0), Lengths("fixed", 9.0), "closed", users=50, think=12.0),
            "50 users, 12 s of thou",
        ),
        (Traffic(Lengths("fixed", 9.0), Lengths("fixed", 9.0), "trace", trace="a.csv"), "requests of a.csv; promised"),
        (Traffic(Lengths("fixed", 9.0), Lengths("fixed", 9.0)), "as many requests as the limits leave room for"),
        (Traffic(Lengths("fixed", 9.0), Lengths("fixed", 9.0), rate=2.0, turns=4, prefix=100), "4 turns a session"),
    ],
)
def test_traffic_is_told(traffic: Traffic, text: str, catalog: Catalog) -> None:
    """Users, traces, open loads and sessions, each in its words."""
    assert text in told.traffic_line(replace(served(catalog), traffic=traffic))


@pytest.mark.parametrize(
    ("key", "text"),
    [("ttft_p99", "p99 TTFT"), ("latency_p99.9", "p99.9 latency"), ("tpot", "TPOT"), ("made_up", "made up")],
)
def test_metrics_have_names(key: str, text: str) -> None:
    """At a percentile, as a mean, and of what nobody foresaw, readable."""
    assert metric_name(key) == text


def test_the_headline_says_what_binds_and_what_relief_gives(catalog: Catalog) -> None:
    """Binding limits by name, and the most valuable relief of them; none where nothing binds."""
    made = served(catalog)
    assert "time to the first token +10% gives $37k instead of $41k" in told.headline(made)
    flat = replace(made, relief=(Relief("ttft", "+10%", 4.1e4, 4.1e4),))
    assert "instead" not in told.headline(flat) and "bind" in told.headline(flat)
    assert "bind" not in told.headline(replace(made, binding=()))


def test_relief_is_measured_by_the_objective(catalog: Catalog) -> None:
    """More throughput is better, more cost is not; each is shown in its own unit."""
    item = Relief("kv", "+10%", 1000.0, 1200.0)
    made = replace(served(catalog), relief=(item,))
    assert "no gain" in told.relief_line(made, item)
    fast = told.relief_line(replace(made, objective="throughput"), item)
    assert "1k/s -> 1.2k/s" in fast and "20.0% better" in fast
    assert "1,000 -> 1,200" in told.relief_line(replace(made, objective="chips"), item)


def test_shares_of_an_iteration_are_of_all_its_terms(catalog: Catalog) -> None:
    """They sum to 100%, largest first, and nothing that is zero is a row."""
    sheet = sheets.iteration_sheet(served(catalog).plans[0])
    shares = [float(row[-1].rstrip("%")) for row in sheet.rows]
    assert shares[-1] == 100.0 and sum(shares[:-1]) == pytest.approx(100.0, abs=0.3)
    assert shares[:-1] == sorted(shares[:-1], reverse=True) and "drafting" not in [row[0] for row in sheet.rows]


def test_the_front_is_thinned_to_its_ends(catalog: Catalog) -> None:
    """Only points that nothing beats, the fastest first; both ends stay where there are too many."""
    made = served(catalog)
    assert [row[3] for row in sheets.front_sheet(made).rows] == ["1", "4", "16", "64", "256"]
    assert [row[3] for row in sheets.front_sheet(made, 3).rows] == ["1", "16", "256"]


def test_tried_chips_among_the_plans_come_first(catalog: Catalog) -> None:
    """Then the others with their reasons; those beyond the room are counted."""
    made = served(catalog)
    more = (*(Tried(f"far-{at}", "node", (8,), 1, "too slow") for at in range(9)), *made.tried)
    sheet = sheets.tried_sheet(replace(made, tried=more), 5)
    assert [row[0] for row in sheet.rows[:2]] == ["h100-sxm", "a100-sxm-80gb"]
    assert sheet.rows[-1][0] == "and 7 more (--json lists all)"


def test_sparks_show_the_largest_of_what_they_join() -> None:
    """A peak among many values is still there; nothing is drawn of no values; constants are full."""
    line = spark([0.0] * 500 + [8.0] + [1.0] * 499, 50)
    assert len(line) == 50 and line.count(LEVELS[-1]) == 1 and line[0] == LEVELS[0]
    assert spark([2.0, 2.0]) == LEVELS[-1] * 2 and spark([0.0, 0.0]) == LEVELS[0] * 2
    assert series_lines(simulated(series={})) == []


def test_confidence_is_shown_where_it_is_known(catalog: Catalog) -> None:
    """A half-width beside its percentile; none of a percentile that has none."""
    row = sheets.quantiles_sheet(simulated(ttft=quantiles(0.2))).rows[0]
    assert row[1] == "220 ms ±4 ms" and row[4] == "400 ms"
    assert [told.half_width(value) for value in (9.996e-4, 0.0123, 1.0)] == ["1 ms", "12 ms", "1 s"]
    bare = sheets.quantiles_sheet(simulated(ttft=quantiles(0.2, told=False))).rows[0]
    assert not any("±" in cell for cell in bare)


def test_engine_options_are_told(catalog: Catalog) -> None:
    """Drafts, adapters and host memory stand in the line of the engine; a promise-free run says nothing of goodput."""
    text = told.best_line(disaggregated(catalog))
    for part in ("drafts of 2 (mtp)", "8 LoRA adapters of rank 16", "64 GB of host memory for KV"):
        assert part in text
    free = replace(served(catalog, "simulate"), promise=Promise())
    assert "keep every promise" not in drawn(free) and "promised" not in told.traffic_line(free)


def test_any_answer_finds_its_view(catalog: Catalog) -> None:
    """The one door for all verbs draws a serving answer, too."""
    made = served(catalog)
    assert screen.draw(answered.view("plan", made, catalog)) == drawn(made)


def test_every_name_of_the_nouns_has_words(catalog: Catalog) -> None:
    """Arrivals, histories, objectives: each in Chinese, none left as its key."""
    from exaplan.report.words import word

    names = [f"serving.arrivals.{name}" for name in ("poisson", "bursty", "uniform", "most")]
    names += [f"serving.history.{name}" for name in ("full", "window", "none")]
    names += [f"serving.objectives.{name}" for name in ("cost", "chips", "energy", "carbon", "throughput")]
    names += [f"serving.take.{name}" for name in ("rent", "buy", "own", "run")]
    with speaking("zh"):
        assert [name for name in names if not CHINESE.search(word(name))] == []
    assert Autoscale(1, 4, 40.0, 90.0).idle == 300.0


def test_a_run_that_answered_nothing_is_drawn(catalog: Catalog) -> None:
    """Times and shares that are no numbers are dashes everywhere: on the screen, in charts, in the JSON."""
    nothing = replace(quantiles(1.0), n=0, **dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "largest"), math.nan))
    times = dict.fromkeys(("ttft", "tpot", "latency", "queue"), nothing)
    shares = dict.fromkeys(("goodput", "kept", "batch", "busy", "cached", "little"), math.nan)
    series = {"time": (0.0, 1.0), "queue": (math.nan, math.nan), "running": (0.0, 0.0)}
    run = simulated(requests=0, **times, **shares, kv={"mean": math.nan}, series=series)
    metrics = {"ttft": math.nan, "tpot": math.nan, "ttft_p99": math.nan, "throughput": 0.0}
    best = plan(catalog, run=run, metrics=metrics, ranges={"ttft_p99": (math.nan, math.nan)})
    for verb in ("plan", "simulate"):
        made = served(catalog, verb, plans=(best,))
        assert "nan" not in drawn(made)
        assert b"NaN" not in answered.pages(made, ".vl.json", catalog)
        assert answered.document(made, catalog)["plans"][0]["metrics"]["ttft"] is None


def test_samples_have_no_tokens(catalog: Catalog) -> None:
    """A queue of images counts samples, by their latency and their cost."""
    made = served(catalog)
    best = plan(catalog, metrics={"latency": 4.0, "latency_p99": 9.0, "throughput": 3.0}, per_token={"cost": 0.0053})
    asked = {**made.ask, "work": {"kind": "serving", "generation": {"time": "2 s"}}}
    found = replace(made, ask=asked, plans=(best,), promise=Promise(latency=10.0), binding=())
    sentence = told.headline(found)
    assert "p99 latency 9 s" in sentence and "3 samples/s" in sentence and "$0.0053 per sample" in sentence
    assert "token" not in sentence
    columns = sheets.plans_sheet(found).columns
    rows = [row[0] for row in sheets.whole_sheet(found, best).rows]
    assert "samples" in rows and "cost of a sample" in rows and not any("token" in row for row in rows)
    assert "latency" in columns and "samples_rate" in columns and "ttft" not in columns
