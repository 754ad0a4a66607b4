"""The command line: every command, where its output goes, what ``--out`` does, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_answers import ASKED, answer, validation
from typer.testing import CliRunner, Result

import exaplan
from exaplan.ask import Ask, parse, paths
from exaplan.catalog import Catalog
from exaplan.cli import app
from exaplan.cli.question import FLAGS, read
from exaplan.errors import InputError, NoPlan
from exaplan.report import schemas
from exaplan.report.launch import FORMATS, version_of
from exaplan.report.listings import LISTINGS

RUN = (sys.executable, "-m", "exaplan")
SAID = ("--model", "small", "--chip", "h100-sxm", "--count", "64")


def run(*args: str) -> Result:
    """One command, in this process."""
    return CliRunner().invoke(app, list(args))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Ask]:
    """Replace the verbs by ones that give hand-made answers; returns the asks that they received."""
    seen: list[Ask] = []

    def verb(question: Ask, catalog: Catalog, top: int = 1) -> Any:
        seen.append(question)
        return answer(catalog)

    monkeypatch.setattr(exaplan, "plan", verb)
    monkeypatch.setattr(exaplan, "estimate", verb)
    truth = SimpleNamespace(validate=lambda catalog, runs=None: validation())
    monkeypatch.setattr(exaplan, "truth", truth, raising=False)
    return seen


# ---------------------------------------------------------------------------------------------- commands


def test_help_names_every_command() -> None:
    """--help lists all commands."""
    done = subprocess.run([*RUN, "--help"], capture_output=True, text=True, check=True)
    verbs = (
        "plan",
        "estimate",
        "simulate",
        "check",
        "tax",
        "compare",
        "validate",
        "own",
        "make",
        "cases",
        "rules",
        "prices",
    )
    for name in (*verbs, *LISTINGS, "show", "schema", "explain"):
        assert f" {name} " in done.stdout


def test_help_imports_nothing_heavy() -> None:
    """Neither numbers nor schemas nor tables are imported to print help."""
    code = "import sys, exaplan.cli; print([m for m in ('numpy', 'numba', 'pydantic', 'yaml') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_field_of_an_ask_can_be_set_by_a_flag_or_by_set() -> None:
    """Flags name fields that exist."""
    assert {".".join(flag.keys) for flag in FLAGS.values()} <= set(paths())


def test_flags_make_an_ask(asked: list[Ask]) -> None:
    """Each flag lands in its field, with its unit read."""
    done = run("plan", *SAID, "--tokens", "1T", "--deadline", "90 d", "--budget", "$2M", "--tp", "8", "--seed", "7")
    assert done.exit_code == 0, done.output
    got = asked[0]
    assert (got.model, got.cluster.chip, got.cluster.count, got.tokens) == ("small", "h100-sxm", 64, 1e12)
    assert (got.limits.deadline, got.limits.money, got.layout.tp, got.seed) == (7_776_000.0, 2e6, 8, 7)


def test_flags_of_a_choice_make_an_ask(asked: list[Ask]) -> None:
    """Several chips and places, a ceiling, a day to be done: each flag lands in its field, none is needed."""
    chosen = ("--chip", "h100-sxm, b200", "--place", "us-average,norway", "--max-count", "2048", "--terms", "rent")
    done = run(
        "plan", "--model", "m", *chosen, "--start", "2026-12-01", "--deadline", "2027-03-01", "--hold", "expected"
    )
    assert done.exit_code == 0, done.output
    got = asked[0]
    assert (got.chips, got.sites) == (("h100-sxm", "b200"), ("us-average", "norway"))
    assert (got.limits.count, got.terms, got.limits.hold) == (2048, "rent", "expected")
    assert got.deadline == 90 * 86400.0 and got.objective == "throughput" and got.open_count
    assert run("plan", "--model", "m", "--site", "norway").exit_code == 0 and asked[1].sites == ("norway",)
    assert asked[1].every_chip


def test_flags_of_the_law_make_an_ask(asked: list[Ask], tmp_path: Path) -> None:
    """Each lands in its field; thresholds stand beside those of the file."""
    path = tmp_path / "ask.yaml"
    path.write_text("model: m\nlaw: {country: US, thresholds: {a.tpp: 1, b.tpp: 2}}\n")
    said = ("--to", "中国", "--on", "2024-01-15", "--threshold", "b.tpp=3", "--threshold", "c.pd=4,800")
    done = run("plan", str(path), *said, "--without", "x, y", "--headquarters", "SG", "--accept", "free,licence")
    assert done.exit_code == 0, done.output
    law = asked[0].law
    assert (law.to, law.headquarters, law.without, law.accept) == ("中国", "SG", ("x", "y"), ("free", "licence"))
    assert law.thresholds == {"a.tpp": 1.0, "b.tpp": 3.0, "c.pd": 4800.0}
    assert asked[0].start == law.on == date(2024, 1, 15)


QUESTIONS: dict[str, tuple[tuple[str, ...], str, bool]] = {
    "$2M and 30 days": (("--model", "llama-3.1-8b", "--budget", "2M", "--deadline", "30d"), "throughput", True),
    "405B in 90 days, cheapest": (("--model", "llama-3.1-405b", "--tokens", "15T", "--deadline", "90d"), "cost", True),
    "my fleet for a LoRA": (("llama-2-70b-lora", "--fleet", "64xA100,8xH100"), "time", True),
    "DeepSeek-V3 on H800": (("deepseek-v3-pretrain",), "time", False),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_question_of_a_new_user_is_one_command(name: str, asked: list[Ask]) -> None:
    """What is to be found, and whether counts are searched, follows from what was said."""
    args, objective, searched = QUESTIONS[name]
    assert run("plan", *args).exit_code == 0
    assert (asked[0].objective, asked[0].open_count) == (objective, searched)


def test_set_reaches_every_field_and_null_removes(asked: list[Ask], tmp_path: Path) -> None:
    """--set wins over flags and file; null takes a field back to its default."""
    path = tmp_path / "ask.yaml"
    path.write_text("model: a\ncluster: {chip: h100, count: 64}\nwork: {seq_len: 100}\nlayout: {tp: 8}\n")
    run("plan", str(path), "--seq-len", "200", "--set", "work.seq_len=300", "--set", "layout=null", "--set", "model=b")
    assert (asked[0].work.seq_len, asked[0].fixed(), asked[0].model) == (300, {}, "b")


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(FLAGS)), text=st.text(max_size=30) | st.text("0123456789xX*:,.-$ dMaA/", max_size=300)
)
def test_no_text_of_any_flag_crashes(name: str, text: str) -> None:
    """Whatever a flag says, the ask is either read or refused with a remedy."""
    try:
        read(None, {"model": "m", "chip": "h100", "count": None, name: text}, (), None)
    except (InputError, NoPlan) as error:
        assert error.hint


def test_set_goes_into_a_named_cluster_and_not_into_a_number(asked: list[Ask], tmp_path: Path) -> None:
    """``cluster: NAME`` keeps its name when a field is added; a group that is no group is still refused."""
    path = tmp_path / "ask.yaml"
    path.write_text("model: a\ncluster: some-cluster\n")
    run("plan", str(path), "--set", "cluster.count=64")
    assert (asked[0].cluster.name, asked[0].cluster.count) == ("some-cluster", 64)
    path.write_text("model: a\nwork: 5\n")
    assert "work: 5 is not a group of fields" in run("plan", str(path), "--tokens", "1T").stderr


def test_a_chip_on_the_command_line_replaces_the_node_of_the_ask(asked: list[Ask], tmp_path: Path) -> None:
    """Another chip does not stand in the node of the old one."""
    path = tmp_path / "ask.yaml"
    path.write_text("model: a\ncluster: {chip: h100, node: hgx-h100, count: 64}\n")
    run("plan", str(path), "--chip", "h200")
    assert (asked[0].cluster.chip, asked[0].cluster.node) == ("h200", None)


REPLACED = {
    "chips": "cluster: {chips: h100, nodes: hgx-h100, count: 64}",
    "a list": "cluster: {chip: [h100, a100], count: 64}",
    "a name": "cluster: frontier",
    "a name among fields": "cluster: {name: frontier, count: 64}",
    "a fleet": "cluster: {fleet: 64xh100, terms: own}",
}


@pytest.mark.parametrize("name", REPLACED)
def test_a_chip_or_a_fleet_on_the_command_line_replaces_what_the_ask_had(
    name: str, asked: list[Ask], tmp_path: Path
) -> None:
    """However the ask said on what, the flag wins and nothing of the old cluster stays in its way."""
    path = tmp_path / "ask.yaml"
    path.write_text(f"model: a\n{REPLACED[name]}\n")
    for flag in (("--chip", "h200"), ("--fleet", "8xh200")):
        assert run("plan", str(path), *flag).exit_code == 0
    first, second = asked
    assert (first.chips, first.cluster.node, first.cluster.name, first.fleet) == (("h200",), None, None, ())
    assert [(item.chip, item.count) for item in second.fleet] == [("h200", 8)]
    assert (second.chips, second.cluster.count, second.cluster.name) == ((), None, None)


def test_paths_in_lists_are_relative_to_here(asked: list[Ask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file of a list of chips and of a fleet; a file whose name has a comma is one file."""
    (tmp_path / "asks").mkdir()
    (tmp_path / "asks" / "ask.yaml").write_text("model: m\n")
    (tmp_path / "a,b.yaml").write_text("name: x\n")
    monkeypatch.chdir(tmp_path)
    for flag in (("--chip", "./c.yaml,h100"), ("--fleet", "8x./c.yaml"), ("--chip", "a,b.yaml")):
        assert run("plan", "asks/ask.yaml", *flag).exit_code == 0
    named = [asked[0].chips[0], str(asked[1].fleet[0].chip), asked[2].chips[0]]
    found = [asked[0].path_of(name) for name in named]
    wanted = ("c.yaml", "c.yaml", "a,b.yaml")
    assert [path.resolve() for path in found if path] == [tmp_path / name for name in wanted]
    assert asked[0].chips[1] == "h100"


def test_paths_on_the_command_line_are_relative_to_here(
    asked: list[Ask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path in the ask starts at the ask, a path in a flag at the current folder; both reach the same file."""
    (tmp_path / "asks").mkdir()
    path = tmp_path / "asks" / "ask.yaml"
    path.write_text("model: ../config.json\ncluster: {chip: h100, count: 64}\n")
    monkeypatch.chdir(tmp_path)
    run("plan", "asks/ask.yaml")
    run("plan", "asks/ask.yaml", "--model", "config.json")
    found = [got.path_of(str(got.model)) for got in asked]
    assert {path.resolve() for path in found if path} == {tmp_path / "config.json"}


def test_a_plan_json_can_be_asked_again(asked: list[Ask], tmp_path: Path) -> None:
    """plan.json alone reproduces the run: its inputs are an ask."""
    path = tmp_path / "plan.json"
    assert run("plan", *SAID, "--tokens", "1T", "--out", str(path)).exit_code == 0
    assert run("plan", str(path)).exit_code == 0
    assert asked[1].work.tokens == 1e12 and asked[1].model == ASKED["model"]


def test_a_plan_json_keeps_what_was_left_out(asked: list[Ask], tmp_path: Path) -> None:
    """Asked again it tells the same defaults, and what follows by rule follows from a changed limit."""
    path = tmp_path / "plan.json"
    assert run("plan", *SAID, "--tokens", "1T", "--out", str(path)).exit_code == 0
    assert run("plan", str(path)).exit_code == 0
    first = parse(ASKED)
    assert asked[1].defaults() == first.defaults() != () and asked[1].resolved() == first.resolved()
    assert run("plan", str(path), "--deadline", "90 d").exit_code == 0
    assert (first.objective, asked[2].objective) == ("time", "cost")


def test_a_plan_json_of_other_defaults_keeps_its_own(asked: list[Ask], tmp_path: Path) -> None:
    """A default that has changed since is taken from the plan: it alone reproduces the run."""
    path = tmp_path / "plan.json"
    assert run("plan", *SAID, "--out", str(path)).exit_code == 0
    made = json.loads(path.read_text())
    made["provenance"]["inputs"]["work"]["precision"] = "fp16"
    made["provenance"]["defaults"] = ["work.precision = fp16", "seed", 5]
    path.write_text(json.dumps(made))
    assert run("plan", str(path)).exit_code == 0 and asked[1].work.precision == "fp16"


@pytest.mark.parametrize("verb", ["plan", "estimate"])
def test_answers_are_tables_or_json(verb: str, asked: list[Ask]) -> None:
    """Without --json tables, with it JSON that passes the published schema, and nothing else on stdout."""
    assert "64 x h100-sxm" in run(verb, *SAID).stdout
    jsonschema.validate(json.loads(run(verb, *SAID, "--json").stdout), schemas.schema(verb))


def test_validate_is_tables_or_json(asked: list[Ask], tmp_path: Path) -> None:
    """The score table, its JSON, and its file."""
    assert "median error" in run("validate").stdout
    path = tmp_path / "score.json"
    assert run("validate", "--out", str(path)).exit_code == 0
    assert json.loads(path.read_text())["rows"]
    jsonschema.validate(json.loads(run("validate", "--json").stdout), schemas.schema("validate"))


@pytest.mark.parametrize("kind", LISTINGS)
def test_lists_are_tables_json_or_csv(kind: str) -> None:
    """Three forms of one list."""
    rows = json.loads(run(kind, "--json").stdout)[kind]
    told = run(kind).stdout
    assert all(row["name"] in told for row in rows)
    assert len(run(kind, "--csv").stdout.splitlines()) >= len(rows)
    assert run(kind, "--csv", "--json").exit_code == 2


def test_show_and_schema_and_explain(asked: list[Ask], tmp_path: Path) -> None:
    """The three commands that look things up."""
    assert "989.4 TFLOP/s" in run("show", "h100").stdout
    assert json.loads(run("show", "h100", "--json").stdout)["found"][0]["name"] == "h100-sxm"
    assert json.loads(run("schema", "ask").stdout)["title"] == "exaplan ask"
    path = tmp_path / "plan.json"
    run("plan", *SAID, "--out", str(path))
    assert "matmul_time" in run("explain", str(path), "product").stdout
    assert json.loads(run("explain", str(path), "--json").stdout)["terms"]
    assert run("explain", str(path), "nope").exit_code == 2


def test_version_is_printed() -> None:
    """--version is one line."""
    assert run("--version").stdout.strip().count(".") == 2


def test_an_overlay_adds_a_chip(tmp_path: Path) -> None:
    """--catalog lays a user's folder over the catalogue; a folder that is none is refused."""
    (tmp_path / "chips").mkdir()
    mine = "name: mine\narchitecture: hopper\npeak: {bf16: 500 TFLOP/s}\nmemory: 80 GiB\nbandwidth: 3 TB/s\n"
    (tmp_path / "chips" / "mine.yaml").write_text(mine)
    assert "mine" in run("chips", "--catalog", str(tmp_path)).stdout
    assert run("chips", "--catalog", str(tmp_path / "none")).exit_code == 2


# ------------------------------------------------------------------------------------------------- --out


def test_out_replaces_a_file_whole_and_keeps_its_mode(asked: list[Ask], tmp_path: Path) -> None:
    """The new file is complete, has the old permissions, and leaves no temporary file behind."""
    path = tmp_path / "plan.json"
    path.write_text("old")
    path.chmod(0o640)
    done = run("plan", *SAID, "--out", str(path))
    assert done.exit_code == 0 and f"wrote {path}" in done.stderr
    assert json.loads(path.read_text())["kind"] == "training"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [item.name for item in tmp_path.iterdir()] == ["plan.json"]


def test_out_follows_a_link(asked: list[Ask], tmp_path: Path) -> None:
    """A link stays a link; the file behind it is replaced."""
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)
    run("plan", *SAID, "--out", str(link))
    assert link.is_symlink() and json.loads(real.read_text())["plans"]


def test_out_that_cannot_work_is_refused_before_the_work(asked: list[Ask], tmp_path: Path) -> None:
    """A directory and a missing folder are bad input, found before anything is computed."""
    for wrong, said in ((tmp_path, "is a directory"), (tmp_path / "no" / "plan.json", "there is no folder")):
        done = run("plan", *SAID, "--out", str(wrong))
        assert done.exit_code == 2 and said in done.stderr
    assert not asked


def test_a_full_disk_keeps_the_old_file(asked: list[Ask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails the message says why, the old file is unchanged and no rest stays."""
    path = tmp_path / "plan.json"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = run("plan", *SAID, "--out", str(path))
    assert done.exit_code == 2 and "No space left on device" in done.stderr and "free some space" in done.stderr
    assert path.read_text() == "old" and [item.name for item in tmp_path.iterdir()] == ["plan.json"]


def test_a_device_that_is_full_is_told(asked: list[Ask]) -> None:
    """/dev/full is no regular file: it is written directly, and its error is told."""
    done = run("plan", *SAID, "--out", "/dev/full")
    assert done.exit_code == 2 and "No space left" in done.stderr


def test_stdout_that_is_full_is_told() -> None:
    """An answer that cannot be printed is an error, not a success."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([*RUN, "chips"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and "<stdout> was not written" in done.stderr


# -------------------------------------------------------------------------------------- launch, report, compare


def test_launch_settings_go_to_stdout(asked: list[Ask], tmp_path: Path) -> None:
    """The text alone instead of tables; with --json under its own key; --out still holds the plan."""
    path, wanted = tmp_path / "plan.json", ("--launch", "megatron")
    done = run("plan", *SAID, *wanted, "--out", str(path))
    assert done.exit_code == 0, done.stderr
    assert "--tensor-model-parallel-size" in done.stdout and "limits that bind" not in done.stdout
    assert "launch" not in json.loads(path.read_text()) and json.loads(path.read_text())["plans"]
    made = json.loads(run("plan", *SAID, *wanted, "--json").stdout)
    assert made["launch"]["format"] == "megatron" and made["launch"]["version"] == version_of("megatron")
    assert made["launch"]["text"].strip() == done.stdout.strip() and made["plans"]
    jsonschema.validate(made, schemas.schema("plan"))


def test_a_plan_is_held_to_what_its_launcher_can_express(asked: list[Ask]) -> None:
    """torchtitan shards states by FSDP alone: an open zero becomes 3, and that is said; a given one stays."""
    done = run("plan", *SAID, "--launch", "torchtitan")
    assert asked[-1].layout.zero == 3 and "the layout is held to zero 3" in done.stderr
    run("plan", *SAID, "--zero", "2", "--launch", "torchtitan")
    assert asked[-1].layout.zero == 2
    done = run("plan", *SAID, "--launch", "megatron")
    assert asked[-1].layout.zero is None and "held to" not in done.stderr
    run("plan", *SAID, "--launch", "deepspeed")
    layout = asked[-1].layout
    assert (layout.pp, layout.sequence_parallel, layout.cp_kind) == (1, False, "ulysses")


def test_the_first_plan_that_the_launcher_can_express_is_written(
    asked: list[Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where #1 cannot be expressed the next one is written, and why is said; where none can, #1 is refused."""
    from exaplan.report import launch

    def some(form: str, made: Any) -> str:
        left = len(made.estimates)
        if form == "nemo" or left == 2:
            raise InputError(f"#{3 - left} has what {form} lacks")
        return f"settings of {left} left\n"

    monkeypatch.setattr(launch, "launch_text", some)
    done = run("plan", *SAID, "--launch", "megatron")
    assert done.stdout == "settings of 1 left\n"
    assert "settings of plan #2; of #1: #1 has what megatron lacks" in done.stderr
    assert json.loads(run("plan", *SAID, "--launch", "megatron", "--json").stdout)["launch"]["plan"] == 2
    done = run("plan", *SAID, "--launch", "nemo")
    assert done.exit_code == 2 and "#1 has what nemo lacks" in done.stderr and done.stdout == ""


def test_an_unknown_launch_format_is_refused_before_the_work(asked: list[Ask]) -> None:
    """Exit 2 with the formats that there are, and the one that was meant."""
    done = run("plan", *SAID, "--launch", "megatorn")
    assert done.exit_code == 2 and "--launch: unknown launch format 'megatorn'" in done.stderr
    assert "did you mean megatron?" in done.stderr and all(format in done.stderr for format in FORMATS)
    assert not asked


def test_a_report_is_written_whole(asked: list[Ask], tmp_path: Path) -> None:
    """A chart beside the tables; the old file is replaced, nothing else is left in the folder."""
    path = tmp_path / "front.vl.json"
    path.write_text("old")
    done = run("plan", *SAID, "--report", str(path))
    assert done.exit_code == 0 and f"wrote {path}" in done.stderr and "64 x h100-sxm" in done.stdout
    assert "$schema" in json.loads(path.read_text())
    assert [item.name for item in tmp_path.iterdir()] == ["front.vl.json"]


@pytest.mark.parametrize("suffix", [".html", ".svg", ".png"])
def test_reports_are_pages_and_pictures(suffix: str, asked: list[Ask], tmp_path: Path) -> None:
    """The suffix says which, in any case of letters."""
    pytest.importorskip("vl_convert")
    path = tmp_path / f"Report{suffix.upper()}"
    assert run("plan", *SAID, "--report", str(path)).exit_code == 0
    assert {".html": b"<!doctype html", ".svg": b"<svg", ".png": b"\x89png"}[suffix] in path.read_bytes()[:200].lower()


def test_a_report_that_cannot_work_is_refused_before_the_work(asked: list[Ask], tmp_path: Path) -> None:
    """A wrong suffix, a folder, a missing folder, the file of --out: bad input, found before anything is computed."""
    same = ("--out", str(tmp_path / "x.vl.json"))
    (tmp_path / "d.vl.json").mkdir()
    wrong: list[tuple[str, str, tuple[str, ...]]] = [
        ("report.pdf", "report.pdf", ()),
        ("report", ".vl.json", ()),
        ("d.vl.json", "is a directory", ()),
        ("no/report.vl.json", "there is no folder", ()),
        ("x.vl.json", "--report and --out would both write", same),
    ]
    for name, said, more in wrong:
        done = run("plan", *SAID, "--report", str(tmp_path / name), *more)
        assert done.exit_code == 2 and "--report: " in done.stderr and said in done.stderr, name
        assert done.stderr.count("hint:") == 1
    assert not asked


def test_a_report_on_a_full_disk_keeps_the_old_file(
    asked: list[Ask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the flag; the old file is unchanged."""
    path = tmp_path / "front.vl.json"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = run("plan", *SAID, "--report", str(path))
    assert done.exit_code == 2 and "--report: " in done.stderr and "No space left" in done.stderr
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_nothing_is_written_when_a_form_fails(
    asked: list[Ask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All forms of an answer are made before the first is written."""

    def refuse(*args: Any) -> Any:
        raise InputError("no such form", hint="none")

    monkeypatch.setattr("exaplan.report.page.report_bytes", refuse)
    monkeypatch.setattr("exaplan.report.launch.launch_text", refuse)
    for form in (("--report", str(tmp_path / "front.vl.json")), ("--launch", "megatron")):
        done = run("plan", *SAID, *form, "--out", str(tmp_path / "plan.json"))
        assert done.exit_code == 2 and "no such form" in done.stderr and not list(tmp_path.iterdir())


def test_compare_is_tables_or_json(asked: list[Ask], tmp_path: Path) -> None:
    """Two plans in, their differences out; the same plan twice has none."""
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    run("plan", *SAID, "--out", str(first))
    made = json.loads(first.read_text())
    made["plans"][0]["cost"] *= 2
    second.write_text(json.dumps(made))
    done = run("compare", str(first), str(second), "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [item["ratio"] for item in told["figures"] if item["name"] == "cost"] == [2.0]
    assert "cost" in run("compare", str(first), str(second)).stdout
    assert json.loads(run("compare", str(first), str(first), "--json").stdout)["same"]


# --------------------------------------------------------------------------------------------------- ends


def test_a_reader_that_leaves_is_no_error() -> None:
    """``exaplan chips | head -1`` ends quietly."""
    command = f"set -o pipefail; {sys.executable} -m exaplan chips --json | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "{\n")


def test_interrupting_ends_with_130(tmp_path: Path) -> None:
    """Ctrl-C in the middle of the work is one line and exit code 130."""
    code = (
        "import signal, sys, time, exaplan\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a suite in the background inherits: ignored
        "def wait(*a, **k):\n    print('started', file=sys.stderr, flush=True)\n    time.sleep(60)\n"
        "exaplan.plan = wait\n"
        f"sys.argv = ['exaplan', 'plan', *{list(SAID)!r}]\n"
        "from exaplan.cli import main; main()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as work:
        assert work.stderr is not None and work.stderr.readline() == "started\n"
        work.send_signal(signal.SIGINT)
        said = work.stderr.read()
        assert work.wait(timeout=20) == 130
    assert "stopped (Ctrl-C)" in said and "Traceback" not in said


def broken(*args: Any, **options: Any) -> None:
    """A verb with a bug."""
    raise ZeroDivisionError("division by zero")


def test_a_bug_is_one_line_and_exit_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error names itself and where to report it; the traceback only comes when asked for."""
    monkeypatch.setattr(exaplan, "plan", broken)
    done = run("plan", *SAID)
    assert done.exit_code == 3 and "internal error (ZeroDivisionError: division by zero)" in done.stderr
    assert "report it" in done.stderr and "Traceback" not in done.output
    monkeypatch.setenv("EXAPLAN_DEBUG", "1")
    assert isinstance(run("plan", *SAID).exception, ZeroDivisionError)


def test_the_language_is_that_of_one_command(asked: list[Ask]) -> None:
    """--lang speaks it for this command; errors and JSON have no language."""
    english, chinese = run("plan", *SAID), run("plan", *SAID, "--lang", "zh")
    assert chinese.exit_code == 0 and chinese.stdout != english.stdout
    assert run("plan", *SAID).stdout == english.stdout
    assert run("plan", *SAID, "--lang", "zh", "--json").stdout == run("plan", *SAID, "--json").stdout


def test_progress_goes_to_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that takes longer than a moment says so, on stderr only."""
    monkeypatch.setattr("exaplan.cli.output.PATIENCE", 0.0)

    def slow(question: Ask, catalog: Catalog, top: int = 1) -> Any:
        time.sleep(0.2)
        return answer(catalog)

    monkeypatch.setattr(exaplan, "plan", slow)
    done = run("plan", *SAID, "--json")
    assert "the first run compiles" in done.stderr and json.loads(done.stdout)["plans"]


@pytest.fixture
def unwrapped() -> Callable[[Result], str]:
    """The text of a result in one line: rich wraps messages at the width of the terminal."""
    return lambda result: " ".join((result.stdout + result.stderr).replace("│", " ").split())


@pytest.mark.parametrize("args", [("nope",), ("plan", "--nope"), ("plan", "--top", "0"), ("explain",), ("show",)])
def test_wrong_usage_is_exit_2(args: tuple[str, ...], unwrapped: Callable[[Result], str]) -> None:
    """Unknown commands and options, and missing arguments."""
    done = run(*args)
    assert done.exit_code == 2 and "Usage" in unwrapped(done)
