"""The commands about law: what they print, in which forms and languages, and how each refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import refused, run, told
from hypothesis import given, settings
from hypothesis import strategies as st

import exaplan
from exaplan.catalog import load
from exaplan.cli.deals import deal_of
from exaplan.errors import InputError

A800 = ("check", "A800", "--to", "CN")
MINE = "name: mine\narchitecture: hopper\nvendor: NVIDIA\nmemory: 80 GB\nbandwidth: 3 TB/s\n"


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A chip file of the user's: of middle performance, for data centres, without a die area."""
    path = tmp_path / "mine.yaml"
    path.write_text(MINE + "peak: {bf16: 180 TFLOP/s}\ndata_center: true\n")
    return str(path)


# ----------------------------------------------------------------------------------------------------- check


def test_the_first_thing_that_a_user_types() -> None:
    """An A800 to China: free on 2023-10-01, not on 2023-11-17, with the clause, its date, source, and the caveat."""
    before, after = (told("check", *A800, "--on", day) for day in ("2023-10-01", "2023-11-17"))
    assert (before["verdict"], before["class"]) == ("free", "not controlled")
    assert (after["verdict"], after["class"]) == ("denial", "3A090.a.1")
    deciding = next(clause for clause in after["clauses"] if clause["holds"])
    assert deciding["effective"] == "2023-11-17" and deciding["source"] and deciding["clause"]
    shown = run(*A800, "--on", "2023-11-17")
    assert shown.exit_code == 0 and "3A090.a.1" in shown.stdout and "not legal advice" in shown.stdout
    assert shown.stderr == ""


@pytest.mark.parametrize("place", ["CN", "cn", "China", "china", "中国"])
def test_a_place_is_named_by_code_or_in_two_languages(place: str) -> None:
    """ISO code, English and Chinese, in any case of letters."""
    assert told("check", "check", "A800", "--to", place, "--on", "2023-11-17")["to"] == "CN"


@pytest.mark.parametrize("chip", ["A800", "a800", "a800-sxm-80gb", "A800 SXM"])
def test_a_chip_is_named_as_people_name_it(chip: str) -> None:
    """Names and aliases of the catalogue."""
    assert told("check", "check", chip, "--to", "CN", "--on", "2023-11-17")["chip"] == "a800-sxm-80gb"


def test_a_headquarters_carries_the_rule_abroad() -> None:
    """The same chip to Germany: free for a German company, not for one with its parent in China."""
    here = ("check", "H100", "--to", "Germany", "--on", "2024-06-01")
    assert told("check", *here)["verdict"] == "free"
    assert told("check", *here, "--headquarters", "China")["verdict"] != "free"


def test_several_chips_are_one_answer() -> None:
    """Each chip once, in the order given, as tables and as JSON."""
    several = ("check", "A800", "H800", "a800", "H20", "--to", "CN", "--on", "2023-11-17")
    names = [one["chip"] for one in told("checks", *several)["checks"]]
    assert names == ["a800-sxm-80gb", "h800-sxm", "h20"]
    shown = run(*several).stdout
    assert all(name in shown for name in names)


def test_a_chip_of_the_users_without_a_die_area_is_unknown(mine: str) -> None:
    """Exit 0, verdict unknown, and what each possible area would mean: denser is worse."""
    made = told("check", "check", mine, "--to", "CN", "--on", "2024-01-15")
    assert (made["verdict"], made["chip"]) == ("unknown", "mine")
    (area,) = (item for item in made["missing"] if item["field"] == "applicable_area")
    verdicts = {item["verdict"] for item in area["outcomes"]}
    assert len(verdicts) > 1 and "unknown" not in verdicts
    assert "applicable die area" in run("check", mine, "--to", "CN", "--on", "2024-01-15").stdout


def test_a_chip_of_the_users_of_unknown_purpose_is_unknown(tmp_path: Path) -> None:
    """Whether it is made for data centres decides above 4,800: both answers are told."""
    path = tmp_path / "mine.yaml"
    path.write_text(MINE + "peak: {bf16: 500 TFLOP/s}\n")
    made = told("check", "check", str(path), "--to", "CN", "--on", "2024-01-15")
    assert made["verdict"] == "unknown" and [item["field"] for item in made["missing"]] == ["data_center"]
    assert {item["verdict"] for item in made["missing"][0]["outcomes"]} == {"notify", "denial"}


def test_a_die_is_judged_as_the_package_that_it_is_sold_in() -> None:
    """Half of an MI250X is under the threshold; it is not sold by halves."""
    die, package = (
        told("check", "check", name, "--to", "CN", "--on", "2024-01-15") for name in ("mi250x-gcd", "mi250x")
    )
    assert (die["chip"], die["class"], die["verdict"]) == ("mi250x-gcd", package["class"], package["verdict"])
    assert die["class"] == "3A090.a.1" and any("package mi250x" in line for line in die["assumes"])
    steps = told("timeline", "check", "mi250x-gcd", "--to", "CN", "--timeline")["steps"]
    assert steps[-1]["class"] == "3A090.a.1"


def test_two_chips_of_one_name_are_refused(tmp_path: Path) -> None:
    """A user's chip that is named like one of the catalogue, beside that one."""
    path = tmp_path / "mine.yaml"
    path.write_text((MINE + "peak: {bf16: 500 TFLOP/s}\n").replace("name: mine", "name: h100-sxm"))
    assert "both named `h100-sxm`" in refused("check", "H100", str(path), "--to", "CN")
    assert run("check", str(path), "--to", "CN").exit_code == 0


def test_a_day_that_is_left_out_is_the_last_day_of_the_rules() -> None:
    """Not today: the day to which the rules were read, and the answer says so."""
    made = told("check", *A800)
    assert made["on"] == load().rules.through == made["rules_through"]
    assert any("no day was given" in line and made["on"] in line for line in made["assumes"])


@pytest.mark.parametrize(("day", "verdict"), [("2019-01-01", "free"), ("2099-01-01", "licence")])
def test_a_day_outside_the_rules_is_answered_with_a_warning(day: str, verdict: str) -> None:
    """Before any rule and after the last day read: on stderr and in the JSON, exit 0."""
    made, done = told("check", *A800, "--on", day), run(*A800, "--on", day, "--json")
    assert made["verdict"] == verdict and made["warnings"]
    assert all(f"warning: {line}" in done.stderr for line in made["warnings"])


def test_chips_that_were_not_out_are_told() -> None:
    """The list of a day says which of its chips came later; on the last day of the rules no such chip of then."""
    done = run("chips", "--to", "CN", "--on", "2024-01-15")
    line = next(line for line in done.stderr.splitlines() if "not released by 2024-01-15" in line)
    assert "b300" in line and "h100-sxm" not in line
    assert "b300" not in run("chips", "--to", "CN", "--on", load().rules.through).stderr


def test_a_table_tells_its_warnings_once(tmp_path: Path) -> None:
    """Among its own lines, and not again on stderr, also where the JSON goes to a file."""
    at = ("check", "h100", "--to", "CN", "--on", "2099-01-01")
    line = "the rules were read up to"
    for more in ((), ("--out", str(tmp_path / "check.json"))):
        done = run(*at, *more)
        assert done.exit_code == 0 and done.stdout.count(line) == 1 and line not in done.stderr


def test_a_counterfactual_changes_the_verdict() -> None:
    """A rule left out, and a threshold that is another number."""
    at = (*A800, "--on", "2023-11-17")
    deciding = next(clause for clause in told("check", *at)["clauses"] if clause["holds"])
    assert told("check", *at, "--without", deciding["rule"])["class"] != "3A090.a.1"
    rule = load().rules.rules[deciding["rule"]]
    names = [name for name in rule.thresholds if "tpp" in name]
    raised = [flag for name in names for flag in ("--threshold", f"{deciding['rule']}.{name}=1e6")]
    assert names and told("check", *at, *raised)["class"] != "3A090.a.1"


def test_a_timeline_tells_every_change() -> None:
    """The days on which the answer changes, from the first that is asked for; several chips and a chart as well."""
    made = told("timeline", *A800, "--timeline")
    days = [step["on"] for step in made["steps"]]
    assert days == sorted(set(days)) and "2023-11-17" in days
    verdicts = {step["on"]: step["verdict"] for step in made["steps"]}
    assert verdicts["2023-11-17"] == "denial" and verdicts[days[0]] == "free"
    assert "2023-11-17" in run(*A800, "--timeline").stdout
    later = told("timeline", *A800, "--from", "2024-01-01")
    assert [step["on"] for step in later["steps"] if step["on"] < "2024-01-01"] == []
    both = json.loads(run("check", "A800", "H20", "--to", "CN", "--timeline", "--json").stdout)
    assert len(both["timelines"]) == 2


def test_a_timeline_is_drawn(tmp_path: Path) -> None:
    """--report writes a chart of it, and the table still comes."""
    path = tmp_path / "line.vl.json"
    done = run(*A800, "--timeline", "--report", str(path))
    assert done.exit_code == 0 and "2023-11-17" in done.stdout and "$schema" in json.loads(path.read_text())


def test_check_writes_its_json(tmp_path: Path) -> None:
    """--out holds what --json prints."""
    path = tmp_path / "check.json"
    done = run(*A800, "--on", "2023-11-17", "--out", str(path))
    assert done.exit_code == 0 and "3A090.a.1" in done.stdout and f"wrote {path}" in done.stderr
    assert json.loads(path.read_text()) == told("check", *A800, "--on", "2023-11-17")


@pytest.mark.parametrize(
    "args", [(*A800, "--on", "2023-11-17"), ("chips", "--to", "CN"), ("rules",), ("cases", "dearer-than-gold")]
)
def test_tables_come_in_two_languages(args: tuple[str, ...]) -> None:
    """--lang zh speaks Chinese, in this command alone; JSON has no language."""
    english, chinese = run(*args), run(*args, "--lang", "zh")
    assert chinese.exit_code == 0, chinese.output
    assert english.stdout != chinese.stdout and any("\u4e00" <= letter <= "\u9fff" for letter in chinese.stdout)
    assert run(*args).stdout == english.stdout
    assert run(*args, "--json").stdout == run(*args, "--json", "--lang", "zh").stdout


def test_check_answers_at_once() -> None:
    """From the shell to the verdict nothing is compiled, nor is anything imported that compiles."""
    code = "import sys; from exaplan.cli import app; app(standalone_mode=False); print('numba' in sys.modules)"
    command = [sys.executable, "-c", code, *A800, "--on", "2023-11-17", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


CHECKS = [
    (("A800",), "--to: it is not said where the chip goes", "--to CN"),
    (("A800", "--to", "Chnia"), "unknown place `Chnia`", "China"),
    (("A800", "--to", ""), "--to: '' is not a place", "China"),
    (("A801", "--to", "CN"), "CHIP: ", "a800"),
    (("A800", "--to", "CN", "--on", "soon"), "--on: 'soon' is not a date", "2027-03-01"),
    (("A800", "--to", "CN", "--on", "2023-11"), "--on: '2023-11' is not a date", "2027-03-01"),
    (("A800", "--to", "CN", "--headquarters", "Mars"), "--headquarters: unknown place `Mars`", ""),
    (("A800", "--to", "CN", "--origin", "Mars"), "--origin: unknown place `Mars`", ""),
    (("A800", "--to", "CN", "--buyer", "army"), "--buyer: 'army' is not one of", "choose"),
    (("A800", "--to", "CN", "--letters", "few"), "--letters: 'few' is not one of", "choose"),
    (("A800", "--to", "CN", "--without", "nonsense"), "--without: unknown rule `nonsense`", "exaplan rules"),
    (("A800", "--to", "CN", "--threshold", "tpp"), "--threshold: 'tpp' is not NAME=VALUE", "exaplan rules"),
    (("A800", "--to", "CN", "--threshold", "no.tpp=5"), "--threshold: unknown threshold 'no.tpp'", "exaplan rules"),
    (
        ("A800", "--to", "CN", "--threshold", "a.tpp=x"),
        "--threshold: 'x' is not a number",
        "unit",
    ),
    (("A800", "--to", "CN", "--from", "then"), "--from: 'then' is not a date", "2027-03-01"),
    (("A800", "--to", "CN", "--on", "2024-01-15", "--timeline"), "--on: --on is one day", "leave --on out"),
    (("A800", "--to", "CN", "--lang", "xx"), "--lang: there are no words in the language 'xx'", "zh"),
    (("A800", "--to", "CN", "--report", "x.pdf"), "--report: ", ".vl.json"),
    (("A800", "--to", "CN", "--out", "no/such/x.json"), "--out: there is no folder no/such", "mkdir"),
    (("none.yaml", "--to", "CN"), "none.yaml: ", ""),
]


@pytest.mark.parametrize(("args", "said", "remedy"), CHECKS)
def test_a_wrong_check_is_refused_by_its_flag(args: tuple[str, ...], said: str, remedy: str) -> None:
    """The flag, the value and the remedy."""
    message = refused("check", *args)
    assert said in message and remedy in message


def test_the_verb_says_what_the_command_says() -> None:
    """``exaplan.check`` in Python: the same verdict, class and clauses."""
    known = load()
    deal = exaplan.Deal(to=known.country("中国"), on="2023-11-17")
    verdict, made = exaplan.check(known.chip("A800"), deal, known.rules), told("check", *A800, "--on", "2023-11-17")
    assert (verdict.verdict, verdict.class_name, verdict.review) == (made["verdict"], made["class"], made["review"])
    assert [item.clause for item in verdict.clauses] == [item["clause"] for item in made["clauses"]]


WORDS = st.sampled_from(["CN", "中国", "2023-11-17", "a,b", "0000-00-00", "-", "/", "my.yaml"])
SAID = st.sampled_from(["to", "on", "headquarters", "origin", "end_user", "buyer", "letters", "without"])


@settings(deadline=None)
@given(
    name=SAID, text=st.text(max_size=12) | st.sampled_from(["CN", "中国", "2023-11-17", "a,b", "0000-00-00", "-", "/"])
)
def test_no_text_of_any_flag_crashes(name: str, text: str) -> None:
    """Whatever a flag says, it is a deal or a refusal with a remedy."""
    try:
        deal, _ = deal_of({"to": "CN", name: text}, load())
    except InputError as error:
        assert error.hint and str(error.place)
        return
    assert exaplan.check(load().chip("A800"), deal, load().rules).verdict


# ----------------------------------------------------------------------------------------------------- chips


def test_chips_under_a_law_have_their_class(tmp_path: Path) -> None:
    """The whole catalogue with class and verdict, as table, JSON and CSV, and as a chart of the thresholds."""
    at = ("chips", "--to", "CN", "--on", "2023-11-17")
    rows = {row["name"]: row for row in told("chips", *at)["chips"]}
    assert len(rows) == len(load().chips)
    assert (rows["a800-sxm-80gb"]["class"], rows["a800-sxm-80gb"]["verdict"]) == ("3A090.a.1", "denial")
    header, *lines = run(*at, "--csv").stdout.splitlines()
    assert {"name", "class", "verdict"} <= set(header.split(",")) and len(lines) == len(rows)
    path = tmp_path / "chips.vl.json"
    done = run(*at, "--find", "a800", "--report", str(path))
    assert "3A090.a.1" in done.stdout and "not legal advice" in done.stdout and "h100-sxm" not in done.stdout
    assert "$schema" in json.loads(path.read_text())


def test_chips_without_a_law_are_as_ever() -> None:
    """No class without a destination, where it depends on one."""
    rows = json.loads(run("chips", "--json").stdout)["chips"]
    assert "verdict" not in rows[0]


CHIPS = [
    (("--on", "2023-11-17"), "--on: --on is about the export rules of a destination, and --to is missing", "--to CN"),
    (("--headquarters", "CN"), "--headquarters is about the export rules", "--to CN"),
    (("--report", "x.svg"), "--report is about the export rules", "--to CN"),
    (("--to", "CN", "--json", "--csv"), "--json and --csv exclude each other", "keep one"),
    (("--to", "Chnia"), "unknown place `Chnia`", "China"),
    (("--to", "CN", "--on", "now"), "--on: 'now' is not a date", "2027-03-01"),
    (("--to", "CN", "--report", "x.pdf"), "--report: ", ".vl.json"),
]


@pytest.mark.parametrize(("args", "said", "remedy"), CHIPS)
def test_a_wrong_list_of_chips_is_refused(args: tuple[str, ...], said: str, remedy: str) -> None:
    """What needs a destination, and two forms at once."""
    message = refused("chips", *args)
    assert said in message and remedy in message


# ----------------------------------------------------------------------------------------------------- rules


def test_rules_are_listed_and_shown() -> None:
    """Every rule with its title and dates; one with its citation; an unknown name gets the nearest."""
    names = [rule["name"] for rule in told("rules", "rules")["rules"]]
    assert names == list(load().rules.rules) and len(names) > 10
    assert names[0] in run("rules").stdout
    one = told("rule", "rules", names[0])["rule"]
    assert one["name"] == names[0] and one["citation"]
    assert names[0] in run("rules", names[0]).stdout
    assert names[0] in refused("rules", names[0][:-1])
    header, *lines = run("rules", "--csv").stdout.splitlines()
    assert header.startswith("name,title") and len(lines) >= len(names)
    assert "exclude each other" in refused("rules", "--csv", "--json")
    assert "--csv is a list of all rules" in refused("rules", names[0], "--csv")


# ---------------------------------------------------------------------------------------------- plans under a law


SMALL = ("--model", "llama-3.1-8b", "--chip", "h20", "--count", "8")


@pytest.mark.parametrize("day", [("--on", "2024-01-15"), ()])
def test_a_plan_under_a_law_can_be_asked_again(day: tuple[str, ...], tmp_path: Path) -> None:
    """plan.json alone reproduces it: the place, the day of the rules, the site and the verdicts."""
    first, second = tmp_path / "plan.json", tmp_path / "again.json"
    with_licence = ("--accept", "free,notify,licence")
    assert run("estimate", *SMALL, "--to", "中国", *day, *with_licence, "--out", str(first)).exit_code == 0
    assert run("estimate", str(first), "--out", str(second)).exit_code == 0
    made, again = json.loads(first.read_text()), json.loads(second.read_text())
    inputs = made["provenance"]["inputs"]
    assert inputs["law"]["on"] == (day[1] if day else load().rules.through) == inputs["start"]
    assert made["plans"] == again["plans"] and inputs == again["provenance"]["inputs"]
    assert made["verdicts"] == again["verdicts"] and made["verdicts"][0]["chip"] == "h20"


def test_a_chip_that_may_not_be_had_is_exit_1() -> None:
    """One fixed cluster of a chip that the law keeps away: the limit is the law, and the clause is told."""
    done = run(
        "estimate", "--model", "llama-3.1-8b", "--chip", "h100", "--count", "8", "--to", "CN", "--on", "2024-01-15"
    )
    assert done.exit_code == 1 and done.stdout == ""
    assert "binding limit: law" in done.stderr and "3A090.a.1" in done.stderr
