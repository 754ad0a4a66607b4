"""What is shown of the export rules: verdicts, timelines, chips of a day, rules; as tables, JSON and charts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import jsonschema
import pytest
from made_answers import LINES, decided, judged, steps, undecided, verdict
from rich.cells import cell_len

from exaplan import rules
from exaplan.answers import Relief
from exaplan.catalog import Catalog, load
from exaplan.errors import InputError
from exaplan.nouns import Deal
from exaplan.report import law, listings, schemas, screen, tables, to_json
from exaplan.report.law.charts import chips_chart, timeline_chart
from exaplan.report.law.check import sentence, span, threshold_texts
from exaplan.report.verdicts import brief, decisive, is_later
from exaplan.report.words import phrase, speaking

Golden = Callable[[str, str], None]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The bundled catalogue."""
    return load()


def written(value: Any) -> Any:
    """JSON as it comes back from a file."""
    return json.loads(to_json.text(value))


# ---------------------------------------------------------------------------------------------------- check


def test_a_verdict_is_drawn(catalog: Catalog, golden: Golden) -> None:
    """The verdict in words first, then clauses with date and source, the numbers, duties, what was assumed."""
    told = screen.draw(law.check_view(verdict(), catalog))
    golden("made_check.txt", told)
    assert told.index("LICENCE NEEDED") < told.index("3A090.a.1: ") < told.index("taken for granted")


def test_a_verdict_is_drawn_in_chinese(catalog: Catalog, golden: Golden) -> None:
    """The same in Chinese, and every sentence of the words is Chinese."""
    with speaking("zh"):
        told = screen.draw(law.check_view(verdict(), catalog))
    golden("made_check_zh.txt", told)
    assert "需要许可证" in told and "不是法律意见" in told and "legal advice" not in told


def test_what_is_missing_is_told_with_its_consequences(catalog: Catalog, golden: Golden) -> None:
    """Each value of an unknown figure with the class and verdict that follow; one without outcomes is named."""
    told = screen.draw(law.check_view(undecided(), catalog))
    golden("made_undecided.txt", told)
    assert "1000 mm2 or more" in told and "less than 500 mm2" in told and "chip-to-chip traffic" in told


def test_every_output_about_law_says_that_it_is_no_advice(catalog: Catalog) -> None:
    """All views and all JSON documents of the law."""
    views = [
        law.check_view(verdict(), catalog),
        law.timeline_view(steps(), catalog),
        law.timeline_view((), catalog),
        law.chips_view(listings.rows_of("chips", catalog), judged(), catalog),
        law.rules_view(catalog.rules),
        law.rule_view(next(iter(catalog.rules.rules.values())), catalog),
    ]
    assert [at for at, view in enumerate(views) if "not legal advice" not in screen.draw(view)] == []
    documents = [law.check_json(verdict()), law.timeline_json(steps()), law.rules_json(catalog.rules)]
    documents += [law.checks_json([verdict()]), law.chips_json([], {}), law.timelines_json({"a": steps()})]
    assert all("not legal advice" in document["advice"] for document in documents)


def test_the_json_of_a_verdict_has_the_keys_of_the_contract() -> None:
    """The published schema accepts it and requires each promised key; an open end is null."""
    made, schema = written(law.check_json(undecided())), schemas.schema("check")
    jsonschema.validate(made, schema)
    keys = ("chip", "to", "on", "verdict", "review", "class", "clauses", "missing", "rules_through", "assumes")
    for key in (*keys, "warnings", "duties", "facts", "headquarters", "advice"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({other: made[other] for other in made if other != key}, schema)
    assert made["missing"][0]["outcomes"][-1] == {
        "low": 1e-3, "high": None, "class": "not controlled", "verdict": "free"
    }  # fmt: skip
    clause = made["clauses"][0]
    assert (clause["rule"], clause["clause"], clause["holds"]) == ("ac-2023", "3A090.a.1", True)
    assert clause["effective"] == "2023-11-17" and clause["source"] == "bis-2023" and clause["read"] == "quoted"
    assert made["headquarters"] == "CN", "headquarters are those of the destination where none were named"


def test_json_does_not_depend_on_the_language() -> None:
    """The same bytes in every language."""
    with speaking("zh"):
        chinese = to_json.text(law.check_json(verdict()))
    assert chinese == to_json.text(law.check_json(verdict()))


def test_the_schema_refuses_an_unknown_verdict() -> None:
    """Verdicts are free, notify, licence, denial and unknown."""
    made = written(law.check_json(verdict())) | {"verdict": "perhaps"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schemas.schema("check"))


def test_the_deciding_clause_is_one_that_holds_and_is_enforced() -> None:
    """Never text that is not enforced, never a clause that does not hold; for an unknown verdict what is open."""
    first, asleep = verdict().clauses
    assert decisive(verdict()) == first
    assert decisive(verdict(clauses=(replace(asleep, holds=True), first))) == first
    assert decisive(verdict(clauses=(replace(first, holds=False),))) is None
    opened = replace(first, clause="b.1", holds=None)
    assert decisive(verdict(verdict="unknown", clauses=(first, opened))) == opened
    assert brief(verdict(clauses=())).endswith("no rule applies")


@pytest.mark.parametrize(
    ("field", "low", "high", "told"),
    [
        ("io_bandwidth", 600e9, inf, "600 GB/s or more"),
        ("applicable_area", 0.0, 4e-4, "less than 400 mm2"),
        ("applicable_area", 4e-4, 8e-4, "400 mm2 to less than 800 mm2"),
        ("applicable_area", 0.0, 0.0, "made on a planar process"),
        ("tpp", 0.0, inf, "any value"),
        ("peak", 4800.0, inf, "4,800 TPP or more"),
        ("data_center", 1.0, 1.0, "yes"),
        ("data_center", 0.0, 0.0, "no"),
    ],
)
def test_ranges_of_a_missing_figure_are_words(field: str, low: float, high: float, told: str) -> None:
    """Open ends, single values and truths read as sentences."""
    assert span(field, low, high, "TPP" if field == "peak" else "") == told


@pytest.mark.parametrize("name", ["free", "notify", "licence", "denial", "unknown"])
def test_each_verdict_has_its_sentence(name: str) -> None:
    """A sentence of its own in both languages, with class and review where there are any."""
    found = verdict(verdict=name)
    with speaking("zh"):
        assert "3A090.a.1" in sentence(found) and "推定拒绝" in sentence(found)
    assert sentence(found).isascii() and "presumption of denial" in sentence(found)
    assert "review" not in sentence(replace(found, review=""))


def test_who_is_behind_a_deal_is_told(catalog: Catalog) -> None:
    """Headquarters, end user, origin, and what was changed in the rules."""
    threshold, rule = catalog.rules.threshold_names[0], next(iter(catalog.rules.rules))
    deal = Deal("SG", "2024-01-01", "CN", "DE", "Acme", without=(rule,), thresholds={threshold: 5000.0})
    told = " ".join(screen.draw(law.check_view(verdict(deal=deal), catalog)).split())
    for piece in ("Singapore (SG)", "headquartered in China (CN)", "end user Acme", "shipped from Germany (DE)"):
        assert piece in told
    assert f"without the rules {rule}" in told and f"{threshold} taken as 5,000" in told


# ------------------------------------------------------------------------------------------------- timeline


def test_a_timeline_is_drawn(catalog: Catalog, golden: Golden) -> None:
    """One row for each day on which something changed, with the clause."""
    golden("made_timeline.txt", screen.draw(law.timeline_view(steps(), catalog)))


def test_the_json_of_timelines_matches_its_schemas() -> None:
    """One chip, several chips, and none."""
    one, several = written(law.timeline_json(steps())), written(law.timelines_json({"h100-sxm": steps(), "x": ()}))
    jsonschema.validate(one, schemas.schema("timeline"))
    jsonschema.validate(several, schemas.schema("timelines"))
    jsonschema.validate(written(law.timeline_json(())), schemas.schema("timeline"))
    assert [step["on"] for step in one["steps"]] == ["2022-08-01", "2023-11-17"]
    assert [item["chip"] for item in several["timelines"]] == ["h100-sxm", "x"]


def test_a_timeline_is_a_bar_for_each_stretch() -> None:
    """Each stretch ends where the next begins, the last where the rules end; no step, no chart."""
    chart = timeline_chart({"h100-sxm": steps()})
    assert chart is not None
    values = chart["data"]["values"]
    assert [(row["since"], row["until"]) for row in values] == [
        ("2022-08-01", "2023-11-17"), ("2023-11-17", "2026-09-25")
    ]  # fmt: skip
    assert [row["verdict"] for row in values] == ["free", "licence"]
    assert timeline_chart({"a": ()}) is None


# ------------------------------------------------------------------------------------------ chips and rules


def test_the_chips_of_a_day_are_drawn(catalog: Catalog, golden: Golden) -> None:
    """Numbers, class, verdict and review; an unknown number is a dash; verdicts are counted."""
    told = screen.draw(law.chips_view(listings.rows_of("chips", catalog), judged(), catalog))
    golden("made_law_chips.txt", told)
    assert "3 chips: " in told


def test_the_chips_of_a_day_as_json_and_csv(catalog: Catalog) -> None:
    """The list's schema holds, each chip has class and verdict beside its own fields, CSV has the columns."""
    rows = listings.rows_of("chips", catalog)
    made = written(law.chips_json(rows, judged()))
    jsonschema.validate(made, schemas.schema("chips"))
    jsonschema.validate(written(listings.listing_json("chips", rows)), schemas.schema("chips"))
    found = {chip["name"]: chip for chip in made["chips"]}
    assert found.keys() == judged().keys() and found["h20"]["verdict"] == "free"
    assert found["h100-sxm"]["class"] == "3A090.a.1" and found["v100-sxm-32gb"]["pd"] is None
    assert (made["to"], made["on"], made["rules_through"]) == ("CN", "2023-11-17", "2026-09-25")
    head = listings.listing_csv(law.chips_rows(rows, judged())).splitlines()[0].split(",")
    assert {"class", "verdict", "review", "tpp", "pd"} <= set(head)


def test_the_chart_shows_chips_with_both_numbers(catalog: Catalog) -> None:
    """A point for each chip with TPP and density, regions for data centres, a dashed line for each threshold."""
    chart = chips_chart(judged().values(), LINES)
    assert chart is not None
    regions, *rest = chart["layer"]
    assert [row["class"] for row in regions["data"]["values"]] == ["3A090.a.1", "3A090.a.2", "3A090.b.1"]
    assert "IO >= 600 GB/s" in regions["data"]["values"][-1]["told"]
    points = next(layer for layer in rest if layer["mark"]["type"] == "point")["data"]["values"]
    assert sorted(point["chip"] for point in points) == ["h100-sxm", "h20"]
    borders = [layer["data"]["values"] for layer in rest if layer["mark"]["type"] == "rule"]
    assert [[row["told"] for row in rows] for rows in borders] == [["1,600", "2,400", "4,800"], ["1.6", "5.92"]]
    low, high = points[0]["tpp"], max(point["tpp"] for point in points)
    domain = next(layer for layer in rest if layer["mark"]["type"] == "point")["encoding"]["x"]["scale"]["domain"]
    assert domain[0] < min(low, 1600.0) and domain[1] > high
    assert chips_chart([verdict(facts={"tpp": None, "pd": 1.0})], LINES) is None


@pytest.mark.parametrize("suffix", [".svg", ".vl.json", ".html"])
def test_reports_of_the_law_are_files(suffix: str, catalog: Catalog) -> None:
    """Pictures, charts and pages, each with the reservation in it; pages hold the table and the sources."""
    pytest.importorskip("vl_convert")
    chips = law.chips_report(judged(), LINES, suffix, catalog).decode()
    over_time = law.timeline_report({"h100-sxm": steps()}, suffix, catalog).decode()
    for text in (chips, over_time):
        assert "not legal advice" in " ".join(text.split())
        assert "3A090.a.1" in text
    if suffix == ".html":
        assert "owid-carbon: " in chips and "Content-Security-Policy" in chips and "3A090.a.1</td>" in over_time


def test_nothing_to_draw_is_said(catalog: Catalog) -> None:
    """Without a chip that has both numbers there is a page, but no picture."""
    pytest.importorskip("vl_convert")
    bare = {"mystery": verdict("mystery", facts={})}
    with pytest.raises(InputError, match="nothing to draw"):
        law.chips_report(bare, LINES, ".svg", catalog)
    assert b"mystery" in law.chips_report(bare, LINES, ".html", catalog)


def test_the_rules_are_listed_with_how_they_were_read(catalog: Catalog) -> None:
    """Every encoded rule is a row, and it is said how many texts were read and how many only told."""
    told = " ".join(screen.draw(law.rules_view(catalog.rules)).split())
    assert f"{len(catalog.rules.rules)} encoded rules" in told
    for name in catalog.rules.rules:
        assert name in told, name
    read = sum(rule.read in ("text", "quoted") for rule in catalog.rules.rules.values())
    others = len(catalog.rules.rules) - read
    assert f"Read as text or quoted word for word: {read}. Found in memos or second-hand only: {others}." in told


def test_the_notes_of_a_rule_are_said_once(catalog: Catalog) -> None:
    """The note of a clause stands under it, the note of the rule at the end, neither twice."""
    rule = catalog.rules.rule("advanced-computing-2023")
    told = " ".join(screen.draw(law.rule_view(rule, catalog)).split())
    notes = [text for text in (rule.note, *(one.note for one in rule.provisions)) if text]
    assert len(notes) > 2
    for text in notes:
        assert told.count(" ".join(text.split())) == 1, text


def test_a_review_that_says_no_more_than_the_verdict_is_left_out() -> None:
    """In the list of chips; another policy is told, and JSON and CSV keep both."""
    rows = [{"name": name, "release": "2023"} for name in ("strong", "other")]
    denied = replace(verdict(), review="presumption of denial", verdict="denial")
    mild = replace(denied, review="case-by-case", verdict="licence")
    told = screen.draw(law.chips_view(rows, {"strong": denied, "other": mild}))
    assert "presumption" not in told and "case-by-case" in told
    made = law.chips_json(rows, {"strong": denied, "other": mild})
    assert [row["review"] for row in made["chips"]] == ["presumption of denial", "case-by-case"]


def test_the_json_of_rules_matches_its_schemas(catalog: Catalog) -> None:
    """All rules, and each by itself, with tests as text and every source spelled out."""
    made = written(law.rules_json(catalog.rules))
    jsonschema.validate(made, schemas.schema("rules"))
    assert [rule["name"] for rule in made["rules"]] == list(catalog.rules.rules)
    for rule in catalog.rules.rules.values():
        one = written(law.rule_json(rule, catalog))
        jsonschema.validate(one, schemas.schema("rule"))
        assert {clause["source"] for clause in one["rule"]["clauses"]} <= one["sources"].keys()
        assert all(clause["test"] for clause in one["rule"]["clauses"])


def test_each_rule_is_shown_with_its_clauses(catalog: Catalog) -> None:
    """Title, citation, days, and every clause with its test, within the screen."""
    for rule in catalog.rules.rules.values():
        told = screen.draw(law.rule_view(rule, catalog))
        assert rule.title in told and all(provision.name in told for provision in rule.provisions)
        assert max(map(cell_len, told.splitlines())) <= screen.WIDTH


# ------------------------------------------------------------------------------------------------- the plan


def test_a_plan_tells_the_law(catalog: Catalog) -> None:
    """The verdict of its chips with the clause, what the law cost, and that it is no advice; without law nothing."""
    made = decided(catalog)
    assert "export law" not in screen.draw(tables.plan_view(made))
    under = replace(
        made,
        verdicts=(verdict(verdict="free", class_name="not controlled", clauses=()),),
        binding=("law",),
        relief=(Relief("law", "no export rule", 2.66e6, 1.9e6),),
    )
    told = " ".join(screen.draw(tables.plan_view(under)).split())
    assert "h100-sxm: free, not controlled, no rule applies" in told
    assert "what the law costs: 30.8 d under it, 22 d without it (28.6% better)" in told
    assert "limits that bind: export law" in told and "not legal advice" in told
    document = written(to_json.answer_json(under, catalog))
    jsonschema.validate(document, schemas.schema("plan"))
    assert document["verdicts"][0]["verdict"] == "free" and document["relief"][0]["limit"] == "law"
    assert written(to_json.answer_json(made, catalog))["verdicts"] == []


def test_a_law_that_costs_nothing_is_said(catalog: Catalog) -> None:
    """A relief that gains nothing is told as no cost."""
    made = replace(decided(catalog), verdicts=(verdict(),), relief=(Relief("law", "no export rule", 2.66e6, 2.66e6),))
    assert "what the law costs: nothing" in screen.draw(tables.plan_view(made))


def test_that_another_chip_was_taken_is_told_first(catalog: Catalog) -> None:
    """Right under the title, before the decision, and not again among the assumptions."""
    swapped = "NOT THE ASKED CHIP: h100-sxm: law. All chips that the law leaves were tried instead"
    made = replace(decided(catalog), assumptions=(swapped, "fused attention"))
    text = screen.draw(tables.plan_view(made))
    assert text.index("NOT THE ASKED CHIP") < text.index("Rent 128 h100-sxm") and text.count("NOT THE ASKED CHIP") == 1
    with speaking("zh"):
        assert "不是所问的芯片" in screen.draw(tables.plan_view(made))


def test_relief_of_the_law_is_a_sentence(catalog: Catalog) -> None:
    """In the headline and in the list: without the export rules, the objective after instead of before."""
    relief = (Relief("law", "no export rule", 2.66e6, 1.9e6),)
    told = " ".join(screen.draw(tables.plan_view(replace(decided(catalog), binding=("law",), relief=relief))).split())
    assert "export law binds: without the export rules 22 d instead of 30.8 d" in told
    assert "without the export rules: 30.8 d -> 22 d (28.6% better)" in told


def test_a_plan_speaks_chinese(catalog: Catalog) -> None:
    """Every heading and sentence of the plan has its words; figures and names are the same."""
    made = replace(decided(catalog), verdicts=(verdict(),))
    with speaking("zh"):
        told = screen.draw(tables.plan_view(made))
    assert "起约束作用的限制：资金" in told and "出口法规：" in told and "128" in told  # noqa: RUF001
    assert max(map(cell_len, told.splitlines())) <= screen.WIDTH
    for english in ("why this one", "chips tried", "what relief is worth", "nearest measured run", "legal advice"):
        assert english not in told


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("day", ["2022-09-01", "2023-11-17", "2026-02-01"])
def test_every_chip_of_the_catalogue_is_told(day: str, language: str, catalog: Catalog) -> None:
    """Real verdicts obey the schema, fit the screen, and leave no sentence of the rules in English."""
    validator = jsonschema.Draft202012Validator(schemas.schema("check"))
    for chip in catalog.chips.values():
        found = rules.check(chip, Deal("CN", day), catalog.rules)
        validator.validate(written(law.check_json(found)))
        with speaking(language):
            told = screen.draw(law.check_view(found, catalog))
            left = [text for text in (*found.assumes, *found.warnings) if language == "zh" and phrase(text) == text]
        assert max(map(cell_len, told.splitlines())) <= screen.WIDTH, chip.name
        assert left == [], chip.name


def test_the_chart_of_a_day_holds_every_chip_with_both_numbers(catalog: Catalog) -> None:
    """Real thresholds and the whole catalogue: each chip with TPP and density is a point, within the axes."""
    deal = Deal("CN", "2023-11-17")
    found = {name: rules.check(chip, deal, catalog.rules) for name, chip in catalog.chips.items()}
    chart = chips_chart(found.values(), rules.thresholds(deal, catalog.rules))
    assert chart is not None
    points = next(layer for layer in chart["layer"] if layer["mark"]["type"] == "point")
    known = {name for name, one in found.items() if one.facts["tpp"] and one.facts["pd"]}
    assert {row["chip"] for row in points["data"]["values"]} == known and len(known) > 40
    for field, axis in (("tpp", "x"), ("pd", "y")):
        low, high = points["encoding"][axis]["scale"]["domain"]
        assert all(low < row[field] < high for row in points["data"]["values"])
    named = {name for layer in chart["layer"] if layer["mark"]["type"] == "text" for row in layer["data"]["values"]
             for name in row.get("names", "").split(", ")}  # fmt: skip
    assert len(named) > 25 and {"h20", "l4"} <= named


@pytest.mark.parametrize(
    ("release", "later"),
    [("2024-11", True), ("2024-01-16", True), ("2025", True), ("2024", False), ("2024-01", False), ("", False)],
)
def test_a_chip_that_was_not_out_is_marked(release: str, later: bool, catalog: Catalog) -> None:
    """A month or year that holds the day is not later; the mark is explained below, and the chart draws it pale."""
    assert is_later(release, "2024-01-15") is later and not is_later(release, "")
    found = {"h100-sxm": replace(verdict(), deal=Deal("CN", "2024-01-15"))}
    told = screen.draw(law.chips_view([{"name": "h100-sxm", "release": release}], found))
    assert ("* not out by 2024-01-15" in told) is later and (f"{release} *" in told) is later
    chart = chips_chart(found.values(), LINES, ["h100-sxm"] if later else [])
    assert chart is not None
    dots = next(layer for layer in chart["layer"] if "shape" in layer["encoding"])
    assert (dots["data"]["values"][0]["opacity"] < 0.5) is later


def test_the_lines_of_a_day_stand_one_below_the_other(catalog: Catalog) -> None:
    """Each with its classes, the shortest name first."""
    told = threshold_texts(Deal("CN", "2023-11-17"), catalog)
    assert told["tpp"].splitlines()[-1] == "4,800: 3A090.a.1, 3A090.a (NAC-eligible, not DC)"
    assert told["pd"].splitlines() == ["1.6: 3A090.b.1", "3.2: 3A090.b.2", "5.92: 3A090.a.2"]


def test_an_unknown_verdict_says_what_it_hangs_on(catalog: Catalog) -> None:
    """Nothing has decided there."""
    assert "what it hangs on" in screen.draw(law.check_view(undecided(), catalog))
    assert "what decided" in screen.draw(law.check_view(verdict(), catalog))
