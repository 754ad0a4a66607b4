"""What is shown of an answer: tables, JSON with its schema, provenance, explanations."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from made_answers import answer, decided, validation
from rich.console import RenderableType

from exaplan.answers import Tried
from exaplan.ask import parse
from exaplan.catalog import Catalog, load
from exaplan.errors import InputError, Place
from exaplan.perf.memory import MemoryTerms
from exaplan.perf.step import Terms
from exaplan.report import explain, listings, schemas, scores, screen, sheets, shown, tables, terms, to_json
from exaplan.report.words import word, words
from exaplan.truth import RUNS, metering
from exaplan.truth.rows import read_rows

Golden = Callable[[str, str], None]
HERE = Place("plan.json")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


def drawn(parts: Iterable[RenderableType]) -> str:
    """The text of a view."""
    return screen.draw(parts)


def made_plan(catalog: Catalog) -> dict[str, Any]:
    """The JSON of the hand-made answer, as it comes back from a file."""
    return dict(json.loads(to_json.text(to_json.answer_json(answer(catalog), catalog))))


@pytest.mark.parametrize(("name", "view"), [("plan", tables.plan_view), ("estimate", tables.estimate_view)])
def test_answers_are_drawn(name: str, view: Any, catalog: Catalog, golden: Golden) -> None:
    """The tables of plan and estimate, held by golden files."""
    golden(f"made_{name}.txt", drawn(view(answer(catalog))))


def test_a_decision_is_drawn(catalog: Catalog, golden: Golden) -> None:
    """The sentence, the plans by chip and count, the front, how it is paid, the nearest run, the chips tried."""
    golden("made_decided.txt", drawn(tables.plan_view(decided(catalog))))


def test_nothing_is_wider_than_the_screen(catalog: Catalog) -> None:
    """Long names and many chips wrap inside 120 columns, and a wrapped list keeps its indent."""
    made = decided(catalog)
    long = tuple(replace(item, reason="no price is known") for item in made.tried for _ in range(20))
    told = drawn(tables.plan_view(replace(made, tried=long, assumptions=("word " * 60,)))).splitlines()
    assert max(map(len, told)) <= 120
    at = next(number for number, line in enumerate(told) if line.startswith("  word"))
    assert told[at + 1].startswith("  word")


def test_chips_tried_come_nearest_first(catalog: Catalog) -> None:
    """Plans, then those that held the limits, then the others; equal reasons are told once; the rest is counted."""
    made = decided(catalog)
    far = [Tried(f"far-{at}", "node", (8,), 1, f"{at} times the time") for at in range(20)]
    none = [Tried(f"none-{at}", "node", (), 0, "no price is known") for at in range(20)]
    near = replace(made.tried[1], reason="1.4 times the time")
    found = replace(made, tried=(*far, near, *none, made.tried[0]))
    sheet = sheets.tried_sheet(found, 12)
    assert [row[0] for row in sheet.rows[:2]] == ["h100-sxm", "a100-sxm-80gb"] and len(sheet.rows) == 13
    assert sheet.rows[-1][0] == "and 10 more (--json lists all)"
    assert sheets.tried_alike(found, 2) == ["no price is known: none-0, none-1, and 18 more (--json lists all)"]


def test_a_plan_elsewhere_shows_its_place(catalog: Catalog) -> None:
    """Where the sites of the plans differ, each row names its own."""
    made = decided(catalog)
    first, second = made.estimates
    assert second.cluster is not None and "place" not in drawn([tables.drawn(sheets.plans_sheet(made))])
    moved = replace(second.cluster, site=catalog.sites["norway"])
    sheet = sheets.plans_sheet(replace(made, estimates=(first, replace(second, cluster=moved))))
    assert [row[sheet.columns.index("site")] for row in sheet.rows] == [made.cluster.site.name, "norway"]


def test_scores_are_drawn(golden: Golden) -> None:
    """The score table, with its groups, its worst rows and every skipped row."""
    golden("made_validation.txt", drawn(scores.validation_view(validation())))


def test_markup_in_names_is_not_read(catalog: Catalog) -> None:
    """A user's name like ``[red]x[/red]`` is shown as it is."""
    made = answer(catalog)
    told = drawn(tables.plan_view(replace(made, assumptions=("[red]x[/red] :smile:",))))
    assert "[red]x[/red] :smile:" in told


def test_unknown_figures_are_dashes_not_zeros(catalog: Catalog) -> None:
    """What is not known is neither 0 nor an error."""
    made = answer(catalog)
    bare = replace(made.estimates[0], time=None, cost=None, energy=None, carbon=None, goodput=None, ranges={})
    told = drawn(tables.plan_view(replace(made, estimates=(bare,), relief=(), binding=(), rejected={})))
    assert "$0" not in told and "limits that bind: none" in told
    plan = to_json.answer_json(replace(made, estimates=(bare,)), load())["plans"][0]
    assert plan["cost"] is None and plan["metrics"]["goodput"] is None


@pytest.mark.parametrize("name", ["plan", "estimate"])
def test_the_json_of_an_answer_has_the_keys_of_the_contract(name: str, catalog: Catalog) -> None:
    """The published schema accepts the JSON, and the promised keys are required by it."""
    made, schema = made_plan(catalog), schemas.schema(name)
    jsonschema.validate(made, schema)
    for key in ("kind", "plans", "binding", "relief", "rejected", "considered", "rate", "provenance"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({other: made[other] for other in made if other != key}, schema)
    one = made["plans"][0]
    assert {"chip", "chips", "nodes", "layout", "time", "cost", "energy", "carbon", "memory", "metrics"} <= one.keys()
    assert {"range", "breakdown", "terms", "capital", "offers", "site", "nearest_run"} <= one.keys()
    assert {"step_time", "mfu", "goodput", "tokens", "throughput"} == one["metrics"].keys()
    assert one["range"]["step_time"] == [pytest.approx(3.69), pytest.approx(4.51)]


def test_the_json_of_a_decision_has_every_choice(catalog: Catalog) -> None:
    """Each plan names its own cluster; offers, front, tried and the nearest run are there, and the schema holds."""
    found = decided(catalog)
    made = json.loads(to_json.text(to_json.answer_json(found, catalog)))
    jsonschema.validate(made, schemas.schema("plan"))
    first, second = made["plans"]
    assert (first["chip"], first["node"], second["chip"]) == ("h100-sxm", "hgx-h100", "a100-sxm-80gb")
    assert [(offer["terms"], sum(offer["parts"].values())) for offer in first["offers"]] == [
        ("rent", pytest.approx(9e5)), ("buy", pytest.approx(1.2e6))
    ]  # fmt: skip
    assert first["nearest_run"]["differs"]["chips"] == [128, 256] and first["nearest_run"]["error"] == -0.042
    assert first["metrics"]["throughput"] == pytest.approx(1024 * 8192 / 4.1)
    assert first["range"]["throughput"] == [pytest.approx(1024 * 8192 / 4.51), pytest.approx(1024 * 8192 / 3.69)]
    assert len(made["front"]) == len(found.front) and made["front"][0]["range"]["time"][0] is None
    for point, told in zip(found.front, made["front"], strict=True):
        assert told["range"]["cost_quoted"] == [None, point.cost_high] and told["range"]["cost"] == [
            None,
            point.cost_top,
        ]
    assert first["range"]["cost_quoted"] == [8.1e5, 1.05e6] and first["range"]["cost"] == [7.1e5, 1.6e6]
    assert [point["missed"] for point in made["front"]].count(["money"]) == 1
    assert [tried["chip"] for tried in made["tried"]] == [tried.chip for tried in found.tried]
    assert made["searched"] is True and made["objective"] == "time"
    for key in ("front", "tried", "objective", "searched"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({other: made[other] for other in made if other != key}, schemas.schema("plan"))


def test_the_schema_refuses_what_is_no_offer(catalog: Catalog) -> None:
    """Terms are rent, buy or own, and a figure of the front is a number or null."""
    made = json.loads(to_json.text(to_json.answer_json(decided(catalog), catalog)))
    made["plans"][0]["offers"][0]["terms"] = "steal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schemas.schema("plan"))
    made = json.loads(to_json.text(to_json.answer_json(decided(catalog), catalog)))
    made["front"][0]["cost"] = "much"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schemas.schema("plan"))


def test_the_json_of_a_validation_has_the_keys_of_the_contract() -> None:
    """The published schema accepts it; skipped counts reasons, skipped_rows names rows."""
    made = json.loads(to_json.text(to_json.validation_json(validation())))
    jsonschema.validate(made, schemas.schema("validate"))
    assert made["skipped"] == {"no step time": 1, "unknown chip Cerebras": 1}
    assert {"row": "line 12", "reason": "unknown chip Cerebras"} in made["skipped_rows"]
    assert made["summary"]["step_time"].keys() == {
        "n", "median_abs_error", "mean_abs_error", "bias", "coverage", "winkler"
    }  # fmt: skip


def test_numbers_that_are_not_finite_become_null(catalog: Catalog) -> None:
    """JSON has no NaN: an unknown is null, and never invalid text."""
    made = answer(catalog)
    broken = replace(made.estimates[0], cost=float("nan"), time=float("inf"))
    plan = json.loads(to_json.text(to_json.answer_json(replace(made, estimates=(broken,)), catalog)))["plans"][0]
    assert plan["cost"] is None and plan["time"] is None


def test_the_same_answer_is_the_same_bytes(catalog: Catalog) -> None:
    """Nothing in the JSON depends on the order of a set, on the time or on the machine."""
    assert made_plan(catalog) == made_plan(catalog)


def test_provenance_holds_every_figure_with_its_source(catalog: Catalog) -> None:
    """Each figure of chip, node, fabric and site is there, and each source it cites is spelled out."""
    made = answer(catalog)
    provenance = made_plan(catalog)["provenance"]
    counted = sum(len(noun.figures) for noun in (made.chip, made.node, made.cluster.fabric, made.cluster.site))
    assert len(provenance["figures"]) == counted
    cited = {figure["source"] for figure in provenance["figures"]}
    assert cited <= provenance["sources"].keys()
    assert provenance["seed"] == 7 and len(provenance["catalogue"]) == 64
    assert parse(provenance["inputs"]).resolved() == provenance["inputs"]


def test_provenance_covers_every_plan(catalog: Catalog) -> None:
    """Figures of each plan's chip and node are there once, and the sources of offers and of the nearest run."""
    provenance = to_json.answer_json(decided(catalog), catalog)["provenance"]
    names = {figure["name"] for figure in provenance["figures"]}
    assert {"h100-sxm", "a100-sxm-80gb", "hgx-h100"} <= names
    keys = [(figure["kind"], figure["name"], figure["field"]) for figure in provenance["figures"]]
    assert len(keys) == len(set(keys))
    assert {"mercatus-2026", "epoch-prices"} <= provenance["sources"].keys()


def test_sources_that_a_verb_cites_are_spelled_out(catalog: Catalog) -> None:
    """A source named inside what the verb recorded joins the list of sources."""
    made = replace(answer(catalog), provenance={"fits": [{"name": "gemm", "source": "owid-carbon"}]})
    told = to_json.answer_json(made, catalog)["provenance"]
    assert told["fits"][0]["source"] == "owid-carbon" and "owid-carbon" in told["sources"]


# --------------------------------------------------------------------------------------------------- explain


def test_every_term_has_its_formula() -> None:
    """Each term of the step and of the memory names functions that exist and state their unit."""
    known = {*Terms._fields} - {"total"} | {f"memory.{name}" for name in MemoryTerms._fields}
    assert known <= terms.FORMULAS.keys()
    assert explain.WHOLE.keys() <= terms.WHOLE.keys()
    for term in (*terms.FORMULAS, *terms.WHOLE):
        assert terms.formulas(term), term
        assert all(text for _, text in terms.formulas(term)), term


def test_every_term_has_words() -> None:
    """No term is shown by its bare identifier."""
    named = words()["terms"]
    assert {*Terms._fields} - {"total"} <= named["step"].keys()
    assert {*MemoryTerms._fields} <= named["memory"].keys()


def test_a_term_is_explained_down_to_its_sources(catalog: Catalog) -> None:
    """explain prints value, share, formula, inputs and the sources of the figures."""
    told = drawn(explain.explain_view(made_plan(catalog), "product", HERE))
    for piece in ("3 s (73.2% of 4.1 s)", "exaplan.perf.roofline.matmul_time", "flops = 1e+17", "kelly-chips: "):
        assert piece in told


def test_terms_of_one_name_stay_apart(catalog: Catalog) -> None:
    """The optimizer's seconds and the optimizer's bytes are two terms."""
    found = explain.terms_of(made_plan(catalog))
    assert found["memory.optimizer"].dimension == "bytes" and "optimizer" not in found
    assert sum(term.value for term in found.values() if term.total == 4.1) == pytest.approx(4.1)


def test_the_whole_run_is_explained(catalog: Catalog) -> None:
    """Time, goodput, cost, energy, carbon and power have formula, range and inputs, and the sources these cite."""
    inputs = {
        "cost": {
            "terms": "rent",
            "price [USD/h]": 2.5,
            "price source": "mercatus-2026",
            "offers": {"rent": {"rent": 9e5}},
        }
    }
    document = json.loads(to_json.text(to_json.answer_json(replace(decided(catalog), inputs=inputs), catalog)))
    found = {term["term"]: term for term in explain.explain_json(document, None, HERE)["terms"]}
    for name, value in (("time", 2.66e6), ("goodput", 0.93), ("cost", 9e5), ("energy", 3e11), ("power", 650.0)):
        assert (found[name]["value"], found[name]["total"]) == (value, None) and found[name]["formulas"], name
    assert found["cost"]["range"] == [7.1e5, 1.6e6] and found["carbon"]["range"] is None
    assert "exaplan.cost.rent_cost" in [formula["function"] for formula in found["cost"]["formulas"]]
    told = drawn(explain.explain_view(document, "cost", HERE))
    for piece in ("result: $900k (80% range $710k to $1.6M)", "offers.rent.rent = 900000", "mercatus-2026: "):
        assert piece in told
    assert "kelly-chips" not in told and "figures used" not in told


def test_an_old_plan_without_these_inputs_is_explained(catalog: Catalog) -> None:
    """A plan.json made before the whole run had inputs still gives its formulas; what it does not know is no term."""
    document = made_plan(catalog)
    document["plans"][0] |= {"carbon": None, "power": None}
    del document["plans"][0]["terms"]
    assert "exaplan.cost.run_time" in drawn(explain.explain_view(document, "time", HERE))
    assert "exaplan.planning.drafts.Bill.cost" in drawn(explain.explain_view(document, "cost", HERE))
    assert not {"carbon", "power"} & explain.terms_of(document).keys()
    assert "80% range 46.3 d to 69.4 d" in drawn(explain.explain_view(document, None, HERE))


def test_sources_among_the_inputs_are_spelled_out(catalog: Catalog) -> None:
    """What an input of a term cites joins the list of sources."""
    made = replace(answer(catalog), inputs={"goodput": {"restart [s]": 600.0, "goodput source": "llama3-herd"}})
    assert "llama3-herd" in to_json.answer_json(made, catalog)["provenance"]["sources"]


def test_the_upper_end_of_a_cost_is_at_the_quoted_price(catalog: Catalog) -> None:
    """The table has the upper end that was ranked; the figures have it beside the span of the prices."""
    made = decided(catalog)
    sheet = sheets.plans_sheet(made)
    assert sheet.rows[0][sheet.columns.index("cost_high")] == "$900k ($1.05M)"
    rows = {row[0]: row[1:] for row in sheets.whole_sheet(made.estimates[0], "").rows}
    assert rows["cost, at the quoted price"] == ["$900k", "$810k", "$1.05M"]
    assert rows["cost, over what prices span"] == ["$900k", "$710k", "$1.6M"]
    agreed = replace(made.estimates[0], ranges={"cost": (1.0, 2.0), "cost_quoted": (1.0, 2.0)})
    assert [row[0] for row in sheets.whole_sheet(agreed, "").rows if row[0].startswith("cost")] == [
        "cost, at the quoted price"
    ]
    unknown = replace(made.estimates[0], ranges={}, cost=None)
    assert [row[0] for row in sheets.whole_sheet(unknown, "").rows if row[0].startswith("cost")] == ["cost of the run"]


def test_what_is_paid_stands_beside_the_share_of_the_run(catalog: Catalog) -> None:
    """A purchase is paid in full with its electricity; the share that the run wears off has a column of its own."""
    sheet = sheets.offers_sheet(decided(catalog).estimates[0])
    assert "cost" not in sheet.columns
    rent, buy = (dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows)
    assert (rent["paid"], rent["share_of_run"], rent["capital"]) == ("$900k", "$900k", "")
    assert (buy["paid"], buy["share_of_run"], buy["capital"]) == ("$5.2M", "$1.2M", "$4.9M")
    worn = replace(decided(catalog).estimates[0].offers[1], capital=5e5)
    assert sheets.paid_for(worn) == pytest.approx(1.2e6)


def test_carbon_has_a_column_where_it_was_to_be_small(catalog: Catalog) -> None:
    """Ranked by carbon, the plans show it in the place of their energy, of one cluster as of several."""
    for made in (answer(catalog), decided(catalog)):
        for objective, column in (("carbon", "carbon"), ("energy", "energy"), ("time", "energy")):
            sheet = sheets.plans_sheet(replace(made, objective=objective))
            assert sheet.columns[-1] == column and sheet.rows[0][-1] == {"carbon": "31 t"}.get(column, "83.3 MWh")


def test_explaining_everything_names_what_was_asked(catalog: Catalog) -> None:
    """Without a term all are explained, and the question stands below."""
    told = drawn(explain.explain_view(made_plan(catalog), None, HERE))
    assert "work.seq_len = 8192" in told and "term bubble" in told and "term memory.weights" in told


def test_a_term_that_nobody_registered_is_said_to_be_so(catalog: Catalog) -> None:
    """A plan of a newer version may hold a term that has no formula here."""
    made = made_plan(catalog)
    made["plans"][0]["breakdown"]["quantum"] = -0.5
    told = drawn(explain.explain_view(made, "quantum", HERE))
    assert "no formula is registered" in told and "-500 ms" in told


def test_many_skipped_rows_are_counted(catalog: Catalog) -> None:
    """The table names the first ones and counts the rest; the JSON has all."""
    many = replace(validation(), skipped=tuple((f"T-{number}", "no step time") for number in range(50)))
    assert "50 rows skipped" in drawn(scores.validation_view(many))
    assert "and 30 more" in drawn(scores.validation_view(many))
    assert len(to_json.validation_json(many)["skipped_rows"]) == 50


def test_explaining_as_json_has_formulas(catalog: Catalog) -> None:
    """Without a term, all are there."""
    made = explain.explain_json(made_plan(catalog), None, HERE)
    assert [term["term"] for term in made["terms"]][:2] == ["product", "attention"]
    assert made["terms"][0]["formulas"][0]["function"] == "exaplan.perf.roofline.matmul_time"


def test_an_unknown_term_is_refused_with_the_nearest(catalog: Catalog) -> None:
    """A misspelt term gets a suggestion."""
    with pytest.raises(InputError) as caught:
        explain.explain_json(made_plan(catalog), "prodct", HERE)
    assert "did you mean product?" in caught.value.hint


@pytest.mark.parametrize("value", [[], {}, {"plans": []}, {"plans": [], "provenance": {}}, "x"])
def test_what_is_no_plan_is_refused(value: Any) -> None:
    """explain says how to make the file that it needs."""
    with pytest.raises(InputError, match=r"this is not a plan\.json"):
        explain.check(value, HERE)


@pytest.mark.parametrize(
    "best",
    [
        1,
        {"layout": {}, "metrics": {}, "range": {}},
        {"layout": {}, "metrics": {"step_time": 1.0}, "range": {}, "memory": 1.0, "breakdown": {"tp": "much"}},
    ],
)
def test_a_plan_without_its_terms_is_refused(best: Any, catalog: Catalog) -> None:
    """A file that was cut short or edited is bad input, not an error of ours."""
    with pytest.raises(InputError, match=r"this plan\.json holds no (plan|terms)"):
        explain.check(made_plan(catalog) | {"plans": [best]}, HERE)


def test_a_plan_of_another_schema_version_is_refused(catalog: Catalog) -> None:
    """An old or a newer file is named as such."""
    with pytest.raises(InputError, match="schema_version 99"):
        explain.check(made_plan(catalog) | {"schema_version": 99}, HERE)


# -------------------------------------------------------------------------------------------- lists and show


@pytest.mark.parametrize("kind", list(listings.LISTINGS))
def test_each_list_is_one_key_of_named_objects(kind: str, catalog: Catalog) -> None:
    """The listing passes its schema, and its CSV has a row for each object."""
    rows = listings.rows_of(kind, catalog)
    jsonschema.validate(listings.listing_json(kind, rows), schemas.schema(kind))
    assert len(rows) == len(getattr(catalog, kind))
    read = list(csv.DictReader(io.StringIO(listings.listing_csv(rows))))
    assert [row["name"] for row in read] == [row["name"] for row in rows]
    told = drawn(listings.listing_view(kind, rows))
    assert all(row["name"] in told for row in rows)


def test_a_list_can_be_filtered(catalog: Catalog) -> None:
    """--find keeps rows with that text in any word."""
    rows = listings.rows_of("chips", catalog, "hopper")
    assert {"h100-sxm", "h200-sxm"} <= {row["name"] for row in rows}
    assert "b200" not in {row["name"] for row in rows}
    assert not listings.rows_of("chips", catalog, "no such chip")


def test_show_prints_every_figure_with_its_source(catalog: Catalog) -> None:
    """No figure of a chip is left out, and every source it cites is spelled out below."""
    found = shown.find("H100", catalog)
    told = drawn(shown.show_view(found, catalog))
    for field, figure in found[0].noun.figures.items():
        assert field in told and figure.source in told
    made = shown.show_json(found, catalog)["found"][0]
    assert made["figures"].keys() == found[0].noun.figures.keys()
    cited = {figure["source"] for figure in made["figures"].values()} | {row["source"] for row in made["prices"]}
    assert cited == set(made["sources"])


@pytest.mark.parametrize("kind", shown.KINDS)
def test_everything_of_the_catalogue_can_be_shown(kind: str, catalog: Catalog) -> None:
    """Each thing of each kind is found by its name and drawn."""
    for name in getattr(catalog, kind):
        found = [item for item in shown.find(name, catalog) if item.kind == kind]
        assert found and name in drawn(shown.show_view(found, catalog))
        json.loads(to_json.text(shown.show_json(found, catalog)))


def test_show_prints_the_dated_prices_of_a_chip(catalog: Catalog) -> None:
    """Every price row of a chip is listed with its date and source."""
    found = shown.find("h100-sxm", catalog)
    prices, told = shown.prices_of(found[0], catalog), drawn(shown.show_view(found, catalog))
    assert prices and all(row.date in told and row.source in told for row in prices)
    assert not shown.prices_of(shown.find("us-average", catalog)[0], catalog)


def test_an_unknown_name_gets_the_nearest(catalog: Catalog) -> None:
    """show looks through all kinds for what was meant."""
    with pytest.raises(InputError) as caught:
        shown.find("h100-smx", catalog)
    assert "h100-sxm" in caught.value.hint


# ------------------------------------------------------------------------------------------------- schemas


@pytest.mark.parametrize("name", list(schemas.SCHEMAS))
def test_every_schema_is_a_valid_schema(name: str) -> None:
    """Each is valid in its dialect and titled."""
    made = schemas.schema(name)
    jsonschema.Draft202012Validator.check_schema(made)
    assert made["title"] == f"exaplan {name}"


@pytest.mark.parametrize(
    ("name", "kind"), [("chip", "chips"), ("node", "nodes"), ("cluster", "clusters"), ("model", "models")]
)
def test_the_catalogue_obeys_the_schemas_of_its_files(name: str, kind: str, catalog: Catalog) -> None:
    """Every bundled file passes the schema that users are given."""
    shelf, validator = getattr(catalog, kind), jsonschema.Draft202012Validator(schemas.schema(name))
    for entry in shelf.entries.values():
        validator.validate(shelf.sheet(entry).body)


def test_an_unknown_schema_is_refused() -> None:
    """The names that exist are listed."""
    with pytest.raises(InputError) as caught:
        schemas.schema("chpi")
    assert "chip" in caught.value.hint


# --------------------------------------------------------------------------------------------------- words


def test_every_column_and_limit_has_its_word(catalog: Catalog) -> None:
    """What the tables of a decision name is in the list of words, ready to be translated."""
    made = decided(catalog)
    shown = [sheets.plans_sheet(made), sheets.offers_sheet(made.estimates[0]), sheets.tried_sheet(made)]
    named = {column for sheet in shown for column in sheet.columns}
    assert named <= words()["columns"].keys()
    assert {"money", "power", "deadline", "count", "chips", "memory", "fleet", "batch"} <= words()["limits"].keys()


def test_a_word_that_is_missing_reads_well() -> None:
    """An unknown key is its own last part, without underscores."""
    assert word("terms.step.new_term") == "new term"
    assert word("plan.run", tokens="1T") == "1T tokens"


def test_the_schema_of_runs_takes_trained_and_metered_rows() -> None:
    """A row of ours passes, a measured power passes, what is neither does not; every column is described."""
    described = schemas.schema("run")
    metered = dict.fromkeys(metering.COLUMNS, "1") | {"kind": metering.KIND, "row_id": "X-1"}
    for row in (next(iter(read_rows(RUNS))), metered):
        jsonschema.validate(row, described)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(metered | {"kind": "gossip"}, described)
    power = described["anyOf"][1]
    assert power["properties"]["value_per_chip"]["description"] == "W per chip"
    assert set(metering.COLUMNS) <= set(power["required"]) and "confidence" not in power["required"]
