"""Reading the files of data/rules/: every field is checked, every error names file, line and remedy, overlays add."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from deals import made

from exaplan import rules
from exaplan.catalog import DATA, load
from exaplan.catalog.laws import GRADES
from exaplan.errors import InputError
from exaplan.nouns import Deal

CATALOG = load()
BOOK = CATALOG.rules
RULE = """\
name: my-rule
title: A rule of my own
summary: Everything above a line of memory bandwidth needs a licence for Mars-like places.
citation: none
announced: 2025-06-01
status: in force
source: bis-88fr73458
read: text
thresholds:
  line: {value: 3000, unit: GB/s}
ends:
  - {rule: letters-2025, from: 2025-07-01}
groups:
  - {group: "D:5", add: [FR], from: 2025-08-01}
clauses:
  - name: bandwidth
    kind: requirement
    title: memory bandwidth
    from: 2025-07-01
    control: mine
    policy: licence
    when: export and DRAM_BW >= line and to in ['CN', 'FR']
"""


def overlay(folder: Path, text: str, name: str = "my-rule") -> Path:
    """A user's catalogue folder with one rule."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    (folder / "rules" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def book_with(folder: Path, text: str, name: str = "my-rule"):  # type: ignore[no-untyped-def]
    """The rule book with one rule of a user's folder over it."""
    return load(overlay(folder, text, name)).rules


# ----------------------------------------------------------------------------------------------- the catalogue


def test_every_rule_of_the_issue_is_there() -> None:
    """The named rules, from the letters of August 2022 to the guidance of 2026 and China's own side."""
    wanted = """letters-2022 advanced-computing-2022 macau-2023 advanced-computing-2023 early-date-2023 corrections-2024
        memory-2024 diffusion-2025 diffusion-unenforced-2025 foundry-2025 letters-2025 ascend-guidance-2025
        revenue-share-2025 affiliates-2025 affiliates-suspended-2025 china-state-funded-2025 china-customs-2026
        review-2026 duty-2026 cambodia-2026 headquarters-2026 uae-2026 entity-list"""
    assert set(wanted.split()) <= set(BOOK.rules)


@pytest.mark.parametrize("rule", BOOK.rules.values(), ids=lambda rule: rule.name)
def test_a_rule_has_citation_source_grade_and_days(rule) -> None:  # type: ignore[no-untyped-def]
    """Each rule and clause cites an id of sources.yaml, says how it was read, and acts on or after its announcement."""
    assert rule.citation and rule.summary and rule.source in CATALOG.sources and rule.read in GRADES
    for clause in rule.provisions:
        assert clause.source in CATALOG.sources and clause.read in GRADES
        assert rule.announced <= clause.start <= clause.comply
    assert all(day >= rule.announced for day in rule.effective)


@pytest.mark.parametrize("rule", BOOK.rules.values(), ids=lambda rule: rule.name)
def test_every_named_number_of_a_clause_is_a_threshold(rule) -> None:  # type: ignore[no-untyped-def]
    """No bare number stands in a test: a counterfactual can replace each of them."""
    for clause in rule.provisions:
        assert not re.search(r"(?<![\w'.])\d+(\.\d+)?(?![\w'])", clause.when.text), clause.when.text


def test_recalled_and_second_hand_rules_are_marked() -> None:
    """What was not read says so: embargoes recalled, China's side and the guidance on Ascend second-hand."""
    grades = {name: rule.read for name, rule in BOOK.rules.items()}
    assert grades["embargoes"] == "recalled"
    assert {grades[name] for name in grades if name.startswith("china")} == {"second-hand"}
    assert BOOK.groups["D:1"].read == BOOK.groups["D:4"].read == "second-hand"


def test_groups_change_on_the_day_of_the_rule_that_changed_them() -> None:
    """Cambodia leaves D:5 on 3 February 2026, the UAE joins A:5 on 10 July 2026."""
    assert "KH" in BOOK.group("D:5", "2026-02-02") and "KH" not in BOOK.group("D:5", "2026-02-03")
    assert "AE" not in BOOK.group("A:5", "2026-07-09") and "AE" in BOOK.group("A:5", "2026-07-10")
    assert "AE" not in BOOK.group("D:4", "2026-07-10")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CN", "CN"), ("china", "CN"), ("\u4e2d\u56fd", "CN"), ("UAE", "AE"), ("united arab emirates", "AE"),
        ("Macao", "MO"), ("UK", "GB"), ("South Korea", "KR"), ("Viet Nam", "VN"), ("\u516c\u6d77", "XZ"),
        ("international waters", "XZ"), ("USA", "US"),
    ],
)  # fmt: skip
def test_places_are_known_by_code_english_and_chinese_names(name: str, code: str) -> None:
    """ISO code, names in two languages and common aliases lead to the code."""
    assert BOOK.country(name) == code == CATALOG.country(name)


def test_an_unknown_place_gets_the_nearest_names() -> None:
    """A misspelt country is refused with its likely spellings; nonsense with an example."""
    with pytest.raises(InputError, match=r"did you mean .*Vietnam \(VN\)"):
        BOOK.country("Vietnamm")
    with pytest.raises(InputError, match=r"did you mean Australia \(AU\), Austria \(AT\), Syria \(SY\)\?"):
        BOOK.country("Austrlia")
    with pytest.raises(InputError, match="ISO code"):
        BOOK.country("qqqqqq")


def test_an_unknown_rule_gets_the_nearest_names() -> None:
    """`rules NAME` with a misspelt name."""
    with pytest.raises(InputError, match="did you mean letters-2025"):
        BOOK.rule("letter-2025")
    assert BOOK.rule("letters-2025").status == "in force"


def test_all_countries_have_both_names_and_no_spelling_twice() -> None:
    """The table holds the 249 of ISO 3166, Kosovo and international waters, each spelling once."""
    assert len(BOOK.places) == 251
    spellings = [name.casefold() for one in BOOK.places.values() for name in {one.code, one.name, one.zh, *one.aliases}]
    assert sorted(spellings) == sorted(set(spellings))


def test_makers_have_a_home() -> None:
    """Every maker of a chip of the catalogue has a country."""
    vendors = {CATALOG.chips[name].vendor for name in CATALOG.chips}
    assert {vendor for vendor in vendors if not BOOK.maker_country(vendor)} == set()


def test_a_removed_listing_no_longer_holds() -> None:
    """An entry of the Entity List binds from its day to the day of its removal."""
    (biren,) = [one for one in BOOK.listings if one.name == "Biren"]
    book = replace(BOOK, listings=(replace(biren, removed="2025-01-01"),), _regimes={}, _actives={})
    assert book.listing("Biren", "2024-12-31") and not book.listing("Biren", "2025-01-01")
    assert "2025-01-01" in book.days


# ------------------------------------------------------------------------------------------------ user's rules


def test_a_rule_of_ones_own_is_a_file(tmp_path: Path) -> None:
    """An overlay's rule bites from its day on, ends a clause of another rule and changes a group, with no code."""
    book, chip = book_with(tmp_path, RULE), CATALOG.chip("h20")
    assert rules.check(chip, Deal("CN", "2025-06-30"), book).clauses[0].rule == "letters-2025"
    found = rules.check(chip, Deal("CN", "2025-07-01"), book)
    assert (found.clauses[0].rule, found.verdict, found.review) == ("my-rule", "licence", "licence")
    assert not any(clause.rule == "letters-2025" for clause in found.clauses)
    assert "FR" in book.group("D:5", "2025-08-01") and "FR" not in BOOK.group("D:5", "2025-08-01")
    assert rules.check(chip, Deal("CN", "2025-07-01", thresholds={"my-rule.line": 5000}), book).verdict == "free"


def test_changes_of_a_group_hold_by_their_days(tmp_path: Path) -> None:
    """Not by their order in the file: France leaves in August (where it never was) and joins in September."""
    joins = '  - {group: "D:5", add: [FR], from: 2025-08-01}\n'
    late = '  - {group: "D:5", add: [FR], from: 2025-09-01}\n  - {group: "D:5", remove: [FR], from: 2025-08-01}\n'
    book = book_with(tmp_path, RULE.replace(joins, late))
    assert "FR" not in book.group("D:5", "2025-08-31") and "FR" in book.group("D:5", "2025-09-01")


def test_the_next_day_of_a_rule_is_announced(tmp_path: Path) -> None:
    """Of several clauses to come the earliest is told, wherever it stands in the file; none once all bind."""
    start = RULE.index("  - name: bandwidth")
    later = RULE[start:].replace("bandwidth\n", "later\n", 1).replace("from: 2025-07-01", "from: 2025-09-01")
    last = RULE[start:].replace("bandwidth\n", "last\n", 1).replace("from: 2025-07-01", "from: 2025-10-01")
    book, chip = book_with(tmp_path, RULE[:start] + last + RULE[start:] + later), CATALOG.chip("l2")

    def told(on: str) -> list[str]:
        return [text for text in rules.check(chip, Deal("CN", on), book).warnings if text.endswith(": my-rule")]

    assert told("2025-06-01") == ["announced, binding from 2025-07-01: my-rule"]
    assert told("2025-07-01") == ["announced, binding from 2025-09-01: my-rule"]
    assert told("2025-10-01") == []


def test_rules_stand_in_the_order_of_their_announcement() -> None:
    """Earlier rules first: the order in which they are listed and in which equal verdicts are told."""
    days = [rule.announced for rule in BOOK.rules.values()]
    assert days == sorted(days) and next(iter(BOOK.rules)) == "entity-list"


def test_an_announced_end_is_told_before_it_comes(tmp_path: Path) -> None:
    """A clause that is known to end says until when it holds."""
    found = rules.check(CATALOG.chip("h20"), Deal("CN", "2025-06-15"), book_with(tmp_path, RULE))
    assert found.clauses[0].until == "2025-07-01"
    twice = RULE.replace("ends:\n", "ends:\n  - {rule: letters-2025, from: 2025-09-01}\n")
    found = rules.check(CATALOG.chip("h20"), Deal("CN", "2025-06-15"), book_with(tmp_path / "twice", twice))
    assert found.clauses[0].until == "2025-07-01"


def test_what_was_ended_is_not_announced(tmp_path: Path) -> None:
    """The memory rule ended between its start and the day on which it would bind."""
    text = RULE.replace("letters-2025, from: 2025-07-01", "memory-2024, from: 2024-12-15").replace(
        "2025-06-01", "2024-12-10"
    )
    told = "announced, binding from 2024-12-31: memory-2024"
    book, chip = book_with(tmp_path, text), CATALOG.chip("l2")
    assert told in rules.check(chip, Deal("CN", "2024-12-14"), book).warnings
    assert told not in rules.check(chip, Deal("CN", "2024-12-15"), book).warnings


def test_a_suspension_wakes_a_clause_again(tmp_path: Path) -> None:
    """Suspended from and until: not enforced in between, enforced again afterwards."""
    text = RULE.replace(
        "ends:\n  - {rule: letters-2025, from: 2025-07-01}",
        "suspends:\n  - {rule: letters-2025, clause: letter, from: 2025-07-01, until: 2025-09-01}",
    )
    text = text.replace("value: 3000", "value: 9000")
    book, chip = book_with(tmp_path, text), CATALOG.chip("h20")
    verdicts = [rules.check(chip, Deal("CN", day), book).verdict for day in ("2025-06-30", "2025-07-01", "2025-09-01")]
    assert verdicts == ["licence", "free", "licence"]
    asleep = [one for one in rules.check(chip, Deal("CN", "2025-07-01"), book).clauses if one.rule == "letters-2025"]
    assert [one.enforced for one in asleep] == [False]


@pytest.mark.parametrize(
    ("test", "tpp", "outcomes"),
    [
        ("not planar", 1000.0, [("free", 0.0), ("licence", float("inf"))]),
        ("not planar", 0.0, [("free", 0.0), ("licence", float("inf"))]),
        ("PD >= 4", 1000.0, [("free", 0.0), ("licence", 250e-6), ("free", float("inf"))]),
        ("PD >= 4", None, [("free", 0.0), ("free", float("inf")), ("licence", float("inf"))]),
    ],
)
def test_a_test_of_the_area_alone_leaves_it_open(
    tmp_path: Path, test: str, tpp: float | None, outcomes: list[tuple[str, float]]
) -> None:
    """A rule of one's own that looks at area or density only: unknown, with what each area would mean."""
    text = RULE.replace("DRAM_BW >= line and to in ['CN', 'FR']", f"{test} and to == 'BR'")
    chip = made(tpp or 0.0, None) if tpp is not None else made(1, None, peak=MappingProxyType({}))
    found = rules.check(chip, Deal("BR", "2025-07-01"), book_with(tmp_path, text))
    (missing,) = [one for one in found.missing if one.field == "applicable_area"]
    assert found.verdict == "unknown"
    assert sorted({(one.verdict, round(one.high, 9)) for one in missing.outcomes}) == sorted(outcomes)


def test_two_rules_that_end_each_other_are_refused(tmp_path: Path) -> None:
    """A circle of ends has no answer: file, line and remedy, whichever file is read first."""
    other = RULE.replace("name: my-rule", "name: their-rule").replace("rule: letters-2025", "rule: my-rule")
    overlay(tmp_path, other, "their-rule")
    with pytest.raises(InputError, match="end each other") as caught:
        book_with(tmp_path, RULE.replace("rule: letters-2025", "rule: their-rule"))
    assert caught.value.place.line == 12 and caught.value.hint


def test_shadowing_a_rule_needs_replaces(tmp_path: Path) -> None:
    """A file with the name of a rule of the catalogue is refused unless it says that it replaces it."""
    text = RULE.replace("name: my-rule", "name: duty-2026")
    with pytest.raises(InputError, match="would shadow a rule"):
        _ = book_with(tmp_path, text, "duty-2026")
    book = book_with(tmp_path / "b", text + "replaces: duty-2026\n", "duty-2026")
    assert book.rules["duty-2026"].title == "A rule of my own"


@pytest.mark.parametrize(
    ("old", "new", "problem", "line"),
    [
        ("name: my-rule", "name: other", "differs from the file name", 1),
        ("title: A rule", "tittle: A rule", "unknown field `tittle`", 2),
        ("citation: none\n", "", "`citation` is missing", 1),
        ("announced: 2025-06-01", "announced: 1 June 2025", "is not a day", 5),
        ("announced: 2025-06-01\n", "", "`announced` is missing", 1),
        ("status: in force", "status: dead", "unknown `status`", 6),
        ("source: bis-88fr73458", "source: nowhere", "unknown source", 7),
        ("read: text", "read: yes", "unknown `read`", 8),
        ("value: 3000", "value: many", "has no number", 10),
        ("value: 3000, unit: GB/s", "value: 3000", "`unit` is missing", 10),
        ("value: 3000, unit: GB/s", "value: 3000, unit: GB/s, until: 2", "unknown field `until`", 10),
        ("{rule: letters-2025, from", "{rule: letters-2029, from", "unknown rule `letters-2029`", 12),
        ("{rule: letters-2025, from", "{rule: letters-2025, clause: x, from", "has no clause `x`", 12),
        ("from: 2025-07-01}", "from: 2025-05-01}", "is before 2025-06-01", 12),
        ("add: [FR]", "add: [XX]", "unknown country code `XX`", 14),
        ('group: "D:5"', 'group: "D:9"', "unknown group `D:9`", 14),
        ("value: 3000", "value: true", "has no number", 10),
        ("  line: {value", "  TPP: {value", "`TPP` is a name of its own", 10),
        ("  line: {value", "  D5: {value", "`D5` is a name of its own", 10),
        ("  line: {value", "  min: {value", "`min` is a name of its own", 10),
        ("  line: {value", "  true: {value", "a name of its own", 10),
        ("value: 3000", "value: -5", "is negative", 10),
        ("value: 3000", "value: .nan", "not a finite number", 10),
        ("{rule: letters-2025, from: 2025-07-01}", "{rule: my-rule, from: 2025-07-01}", "ends itself before", 12),
        ("when: export and DRAM_BW >= line and to in ['CN', 'FR']", "when: DRAM_BW", "`DRAM_BW` is no test", 22),
        ("when: export and DRAM_BW >= line and to in ['CN', 'FR']", "when: line", "`line` is no test", 22),
        ("when: export and DRAM_BW >= line and to in ['CN', 'FR']", "when: DRAM_BW + 1", "is no test", 22),
        ("    policy: licence\n", "", "`policy` is missing", 16),
        ("kind: requirement\n", "kind: class\n", "`class` is missing", 16),
        ("kind: requirement\n", "kind: exception\n", "`gives` is missing", 16),
        ("kind: requirement\n", "kind: duty\n", "`rate` is missing", 16),
        ("policy: licence\n", "policy: licence\n    gives: freedom\n", "unknown `gives`", 22),
        ("kind: requirement", "kind: wish", "unknown `kind`", 17),
        ("    control: mine\n", "", "`control` is missing", 16),
        ("policy: licence", "policy: maybe", "unknown `policy`", 21),
        ("    from: 2025-07-01\n", "    from: 2025-01-01\n", "is before 2025-06-01", 19),
        ("DRAM_BW >= line", "DRAM >= line", "unknown name `DRAM`", 22),
        ("DRAM_BW >= line", "DRAM_BW >=", "cannot be read", 22),
        ("    when: export", "    rate: share\n    when: export", "not a threshold", 22),
        ("clauses:\n  - name", "clauses:\n    name", "is not a list", 15),
    ],
)  # fmt: skip
def test_a_wrong_rule_file_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, problem: str, line: int
) -> None:
    """Unknown keys, missing days, citations or grades, days before the announcement: file, line and remedy."""
    text = RULE.replace(old, new)
    if problem == "is not a list":
        text = text[: text.index("clauses:")] + "clauses:\n  name: bandwidth\n"
    assert text != RULE
    with pytest.raises(InputError) as caught:
        _ = book_with(tmp_path, text)
    assert problem in caught.value.problem and caught.value.hint
    assert caught.value.place.file and caught.value.place.file.endswith("my-rule.yaml")
    assert caught.value.place.line is not None and abs(caught.value.place.line - line) <= 1


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("countries.csv", "code,name,zh,aliases\nQQ,,x,\n", "country without code or name"),
        ("countries.csv", "code,name,zh,aliases\nQQQ,Q,x,\n", "country without code or name"),
        ("countries.csv", "code,name,zh,aliases\nQQ,Q,,\n", "country without code or name"),
        (
            "groups.yaml",
            '"Z:1": {title: z, members: [QQ], source: bis-88fr73458, read: text}\n',
            "unknown country code",
        ),
        ("makers.yaml", "Acme: {country: QQ}\n", "unknown country code"),
        ("makers.yaml", "Acme: {land: FR}\n", "unknown field `land`"),
        ("entities.yaml", "Acme: {country: FR, listed: soon, source: bis-88fr73458, read: text}\n", "is not a day"),
        (
            "entities.yaml",
            "Acme: {country: FR, listed: 2024-01-01, source: bis-88fr73458, read: seen}\n",
            "unknown `read`",
        ),
        ("book.yaml", "through: tomorrow\n", "is not a day"),
        ("book.yaml", "through: 2026-01-01\nsources: [nowhere]\n", "unknown source"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """Tables of places, groups, makers and listings are checked as strictly."""
    folder = tmp_path / "rules" / "tables"
    folder.mkdir(parents=True)
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        _ = load(tmp_path).rules
    found = caught.value.problem + (caught.value.hint or "")
    assert problem in found
    assert caught.value.place.file and caught.value.place.file.endswith(name)


def test_tables_of_ones_own_add_makers_listings_and_a_last_day(tmp_path: Path) -> None:
    """An overlay adds a maker, a listing and a later day to which rules were read."""
    folder = tmp_path / "rules" / "tables"
    folder.mkdir(parents=True)
    (folder / "makers.yaml").write_text("Acme: {country: FR, aliases: [Acme SA]}\n", encoding="utf-8")
    (folder / "book.yaml").write_text("through: 2030-01-01\n", encoding="utf-8")
    listing = "Acme: {country: FR, listed: 2024-01-01, source: bis-88fr73458, read: text}\n"
    (folder / "entities.yaml").write_text(listing, encoding="utf-8")
    book = load(tmp_path).rules
    assert (book.maker_country("acme sa"), book.through) == ("FR", "2030-01-01")
    assert book.listing("ACME", "2024-01-01") and len(book.listings) == len(BOOK.listings) + 1


def test_an_empty_folder_has_no_rules(tmp_path: Path) -> None:
    """A catalogue layer without rules gives nothing, and a book without rules says so on every day."""
    assert load(tmp_path).rules.rules.keys() == BOOK.rules.keys()
    bare = BOOK.known("2000-01-01")
    assert bare.rules == {} and bare.since == ""
    found = rules.check(CATALOG.chip("h100-sxm"), Deal("CN", "2024-01-01"), bare)
    assert found.verdict == "free" and any("before the first" in text for text in found.warnings)


def test_rule_files_are_named_as_their_rules() -> None:
    """One file per rule."""
    assert {file.stem for file in (DATA / "rules").glob("*.yaml")} == set(BOOK.rules)
