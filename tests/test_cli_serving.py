"""Serving on the command line: flags make a serving ask, answers leave in every form, and what cannot be is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import made_served
import pytest
from commands import refused, run

import exaplan
from exaplan.answers.serving import Served
from exaplan.ask import Ask, ServeAsk, parse
from exaplan.catalog import Catalog, load
from exaplan.cli.flags import FLAGS, flags_of
from exaplan.cli.question import read
from exaplan.nouns.serving import Lengths
from exaplan.report import schemas

SAID = ("--model", "small", "--chip", "h100-sxm", "--rate", "20/s")
VERBS = ("plan", "estimate", "simulate")
Answer = Callable[[Catalog], Served]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The shipped catalogue."""
    return load()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ServeAsk]:
    """Replace the verbs by ones that give hand-made answers; returns the asks that they received."""
    return answering(monkeypatch, made_served.served)


def answering(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> list[ServeAsk]:
    """Verbs that give this answer, and the asks that they received."""
    seen: list[ServeAsk] = []

    def verb(question: ServeAsk, catalog: Catalog, **options: Any) -> Served:
        seen.append(question)
        return answer(catalog)

    for name in VERBS:
        monkeypatch.setattr(exaplan, name, verb, raising=False)
    return seen


def one(asked: list[ServeAsk], *args: str) -> ServeAsk:
    """The ask that a command line means."""
    asked.clear()
    done = run(*args)
    assert done.exit_code == 0, done.output
    return asked[0]


# --------------------------------------------------------------------------------------------------------- flags


def test_each_flag_lands_in_its_field(asked: list[ServeAsk]) -> None:
    """With its unit read; promises, engine and layout in their groups."""
    got = one(
        asked, "plan", *SAID, "--prompt", "1024", "--output", "512-2048", "--ttft", "1 s", "--tpot", "50 ms",
        "--latency", "30 s", "--percentile", "95", "--engine", "sglang", "--precision", "fp8", "--kv", "fp8",
        "--max-seqs", "128", "--max-tokens", "4096", "--memory-share", "0.9", "--router", "prefix", "--tp", "4",
        "--replicas", "3", "--requests", "500", "--period", "7 d", "--seed", "5", "--objective", "chips",
    )  # fmt: skip
    assert (got.work.rate, got.work.prompt, got.work.output) == (
        20.0,
        Lengths("fixed", 1024.0),
        Lengths("uniform", 1280.0, 0.0, 512, 2048),
    )
    assert dict(got.promise().given) == {"ttft": 1.0, "tpot": 0.05, "latency": 30.0}
    assert (got.promise().percentile, got.work.requests, got.work.period, got.seed) == (95.0, 500, 604_800.0, 5)
    assert (got.engine.name, got.engine.max_seqs, got.engine.max_tokens, got.engine.router) == (
        "sglang",
        128,
        4096,
        "prefix",
    )
    assert (got.work.precision, got.work.kv, got.engine.memory_share) == ("fp8", "fp8", 0.9)
    assert (got.fixed(), got.objective) == ({"tp": 4, "replicas": 3}, "chips")


def test_flags_of_sessions_documents_drafts_and_prices(asked: list[ServeAsk]) -> None:
    """Groups that an ask may lack are made by their flags."""
    got = one(
        asked, "simulate", "--model", "m", "--users", "50", "--think", "10 s", "--turns", "6", "--prefix", "200",
        "--history", "none", "--documents", "1000", "--draft", "3", "--acceptance", "0.7", "--subscription", "$20",
        "--queries", "30", "--prompt", "{mean: 100, cv: 0.5}", "--output", "[5, 9]", "--disaggregated", "yes",
    )  # fmt: skip
    assert (got.work.users, got.work.think, got.work.turns, got.work.prefix) == (50, 10.0, 6, 200)
    assert got.work.rag is not None and got.work.rag.documents == 1000
    assert got.work.speculative is not None and (got.work.speculative.length, got.work.speculative.acceptance) == (
        3,
        0.7,
    )
    assert got.work.price is not None and (got.work.price.subscription, got.work.price.queries) == (20.0, 30.0)
    assert got.work.prompt == Lengths("lognormal", 100.0, 0.5) and got.work.disaggregated


def test_bursty_arrivals_by_flag(asked: list[ServeAsk]) -> None:
    """How requests come at a given rate."""
    got = one(asked, "simulate", *SAID, "--arrivals", "bursty", "--burst", "3")
    assert (got.traffic().arrivals, got.traffic().burst) == ("bursty", 3.0)


def test_a_flag_of_traffic_takes_the_place_of_that_in_the_ask(asked: list[ServeAsk], tmp_path: Path) -> None:
    """Rate, users and trace exclude each other: the flag wins over the file, and what belonged to it goes, too."""
    path = tmp_path / "ask.yaml"
    path.write_text("model: m\nwork: {users: 9, think: 5 s, prompt: 7}\n")
    rate = one(asked, "plan", str(path), "--rate", "2/s")
    assert (rate.work.rate, rate.work.users, rate.work.think, rate.work.prompt.mean) == (2.0, None, 0.0, 7.0)
    trace = one(asked, "plan", str(path), "--trace", "t.csv")
    assert (trace.work.users, trace.work.trace is not None, "prompt" in trace.work.model_fields_set) == (
        None,
        True,
        False,
    )
    path.write_text("model: m\nwork: {rate: 9/s, arrivals: bursty, burst: 2, turns: 3, think: 4 s}\n")
    users = one(asked, "plan", str(path), "--users", "8")
    assert (users.work.users, users.work.rate, users.work.think, users.traffic().arrivals) == (8, None, 4.0, "closed")
    assert one(asked, "plan", str(path), "--rate", "1/s").work.think == 4.0


def test_a_trace_on_the_command_line_is_relative_to_here(
    asked: list[ServeAsk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a file it is relative to the file, in a flag to the current folder; a bare name is a file, too."""
    (tmp_path / "asks").mkdir()
    (tmp_path / "asks" / "a.yaml").write_text("model: m\nwork: {trace: monday.csv}\n")
    monkeypatch.chdir(tmp_path)
    found = one(asked, "simulate", "asks/a.yaml").trace_path
    assert found is not None and found.resolve() == tmp_path / "asks" / "monday.csv"
    found = one(asked, "simulate", "asks/a.yaml", "--trace", "tuesday.csv").trace_path
    assert found is not None and found.resolve() == tmp_path / "tuesday.csv"
    found = one(asked, "simulate", "--model", "m", "--trace", "tuesday.csv").trace_path
    assert found is not None and found.resolve() == tmp_path / "tuesday.csv"
    assert str(one(asked, "simulate", "asks/a.yaml", "--trace", "/t.csv").trace_path) == "/t.csv"


def test_an_engine_by_name_takes_single_settings(asked: list[ServeAsk], tmp_path: Path) -> None:
    """``engine: sglang`` in a file, and a flag about its settings."""
    path = tmp_path / "ask.yaml"
    path.write_text("model: m\nwork: {rate: 1/s, speculative: null}\nengine: sglang\n")
    got = one(asked, "plan", str(path), "--max-seqs", "9", "--draft", "2", "--acceptance", "0.5")
    assert (got.engine.name, got.engine.max_seqs, got.work.speculative is not None) == ("sglang", 9, True)


def test_training_flags_still_make_training_asks(catalog: Catalog) -> None:
    """Without traffic nothing changed."""
    made = read(None, {"model": "m", "chip": "h100-sxm", "tokens": "1T", "dp": "4"}, (), catalog)
    assert isinstance(made, Ask) and (made.tokens, made.layout.dp) == (1e12, 4)


def test_flags_know_their_kind() -> None:
    """A flag of one kind names a field that only that kind has, any other a field of both."""
    from exaplan.ask import paths

    training, serving = set(paths("training")), set(paths("serving"))
    for name, flag in FLAGS.items():
        path = ".".join(flag.keys)
        assert {"training": path in training - serving, "serving": path in serving - training}.get(
            flag.kind, path in training & serving
        ), name
    assert "tokens" not in flags_of("serving") and "rate" not in flags_of("training")


def test_a_bundled_ask_by_name(asked: list[ServeAsk]) -> None:
    """The trace of a bundled ask is the file beside it."""
    got = one(asked, "simulate", "llama-3.1-8b-trace", "--requests", "100")
    assert got.trace_path is not None and got.trace_path.is_file() and got.work.requests == 100


# --------------------------------------------------------------------------------------------------------- forms


@pytest.mark.parametrize("verb", VERBS)
def test_tables_go_to_stdout(asked: list[ServeAsk], verb: str) -> None:
    """Each verb shows its answer, also in Chinese."""
    english, chinese = run(verb, *SAID), run(verb, *SAID, "--lang", "zh")
    assert english.exit_code == chinese.exit_code == 0, english.output + chinese.output
    assert len(english.stdout) > 200 and "Traceback" not in english.stderr
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese.stdout)


def test_json_of_a_plan_passes_its_schema(asked: list[ServeAsk], tmp_path: Path) -> None:
    """``--json`` and ``--out`` hold the same document, of kind serving."""
    done = run("plan", *SAID, "--json", "--out", str(tmp_path / "plan.json"))
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    jsonschema.validate(made, schemas.schema("plan"))
    assert made["kind"] == "serving" and made == json.loads((tmp_path / "plan.json").read_text())


def test_json_of_a_simulation_passes_its_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys that stay are at the top."""
    answering(monkeypatch, lambda catalog: made_served.served(catalog, "simulate"))
    done = run("simulate", *SAID, "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    jsonschema.validate(made, schemas.schema("simulate"))
    assert {"requests", "duration", "throughput", "ttft", "tpot", "latency", "kv", "preemptions"} <= made.keys()


@pytest.mark.parametrize("name", ["page.html", "chart.svg", "chart.vl.json"])
def test_reports_are_written(asked: list[ServeAsk], tmp_path: Path, name: str) -> None:
    """A page, a picture, or the chart's description."""
    done = run("simulate", *SAID, "--report", str(tmp_path / name))
    assert done.exit_code == 0, done.output
    assert (tmp_path / name).stat().st_size > 500


@pytest.mark.parametrize("verb", ["plan", "simulate"])
@pytest.mark.parametrize("form", ["vllm", "sglang", "trtllm", "llama.cpp"])
def test_launch_lines_alone_go_to_stdout(monkeypatch: pytest.MonkeyPatch, verb: str, form: str) -> None:
    """A serving plan leaves as settings of a server of its engine; one that cannot say it is refused, not guessed."""
    answering(monkeypatch, made_served.served)
    done = run(verb, *SAID, "--launch", form)
    assert done.exit_code in (0, 2), done.output
    assert (len(done.stdout) > 50) == (done.exit_code == 0)
    if form == "vllm":
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(("form", "name"), [("vllm", "vllm-v1"), ("sglang", "sglang"), ("trtllm", "trtllm")])
def test_an_open_engine_is_that_of_the_launch_format(asked: list[ServeAsk], form: str, name: str) -> None:
    """A given engine stays; what is held is said."""
    done = run("plan", *SAID, "--launch", form)
    assert asked[-1].engine.name == name
    assert (f"the engine is held to {name}" in done.output) == (form != "vllm")
    run("plan", *SAID, "--launch", form, "--engine", "pooled")
    assert asked[-1].engine.name == "pooled"


# ------------------------------------------------------------------------------------------------------- stopped


def test_a_simulation_that_was_stopped_is_shown_and_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130, the partial result on stdout, the reason on stderr; the JSON says it, too."""
    answering(monkeypatch, made_served.overloaded)
    done = run("simulate", *SAID)
    assert (done.exit_code, done.stdout.count("interrupted") > 0) == (130, True), done.output
    assert "not a whole answer: interrupted after 9,000 of 20,000 requests" in done.stderr
    as_json = run("simulate", *SAID, "--json")
    assert as_json.exit_code == 130 and "interrupted" in json.loads(as_json.stdout)["partial"]


def test_a_simulation_stopped_before_anything_was_done_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while reading or compiling: exit code 130 and one line."""

    def stop(question: ServeAsk, catalog: Catalog) -> Served:
        raise KeyboardInterrupt

    monkeypatch.setattr(exaplan, "simulate", stop, raising=False)
    done = run("simulate", *SAID)
    assert (done.exit_code, done.stdout) == (130, "") and "nothing was written" in done.stderr


# ------------------------------------------------------------------------------------------------------ refusals


WRONG: dict[str, tuple[tuple[str, ...], str, str]] = {
    "bare rate": (("plan", "--model", "m", "--rate", "20"), "--rate", "20/s or 1200/min"),
    "both": (("plan", *SAID, "--users", "5"), "both say how requests come", "keep one"),
    "training is not simulated": (("simulate", "llama-3.1-8b-pretrain"), "no requests to simulate", "exaplan plan"),
    "no traffic": (("simulate", "--model", "m", "--chip", "h100-sxm"), "no requests to simulate", "--rate 20/s"),
    "deadline": (("plan", *SAID, "--deadline", "9 d"), "`limits.deadline` is a field of a training ask", "latency"),
    "tokens": (("plan", *SAID, "--tokens", "1T"), "`work.tokens` is a field of a training ask", "work.requests"),
    "engine of training": (
        ("plan", "--model", "m", "--tokens", "1T", "--engine", "vllm"),
        "--engine: engine: `engine` is a field of a serving ask",
        "kind: serving",
    ),
    "launch of training": (("plan", *SAID, "--launch", "megatron"), "serving", "vllm"),
    "launch of serving": (
        ("plan", "--model", "m", "--chip", "h100-sxm", "--count", "8", "--launch", "vllm"),
        "training",
        "megatron",
    ),
    "promise": (("plan", *SAID, "--ttft", "1"), "--ttft: work.slo.ttft: '1' has no unit", "4.1 s"),
    "percentile": (("plan", *SAID, "--percentile", "0.99"), "less than one request in a hundred", "99 was meant"),
    "lengths": (("plan", *SAID, "--prompt", "{mean: 5, sd: 1}"), "`sd` is not part of a length", "cv"),
    "broken lengths": (("plan", *SAID, "--prompt", "[5, "), "--prompt", ""),
    "switch": (("plan", *SAID, "--disaggregated", "perhaps"), "neither true nor false", "true or false"),
    "requests": (("simulate", *SAID, "--requests", "-5"), "negative", "16,384"),
    "turned range": (("plan", *SAID, "--output", "900-100"), "starts at 900 and ends at 100", "[100, 900]"),
    "report": (("simulate", *SAID, "--report", "a.doc"), "a.doc", ""),
    "folder": (("simulate", *SAID, "--out", "no/such/folder.json"), "there is no folder", "mkdir"),
    "language": (("simulate", *SAID, "--lang", "tlh"), "tlh", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_command_is_refused_with_its_remedy(name: str, asked: list[ServeAsk]) -> None:
    """One message with the flag or field, one hint, exit 2, and nothing is computed."""
    args, said, remedy = WRONG[name]
    told = refused(*args)
    assert said in told and remedy in told
    assert asked == []


def test_engines_are_listed_and_shown(catalog: Catalog) -> None:
    """`exaplan engines` has every engine of the catalogue, and `show` tells the source of its figures."""
    listed = json.loads(run("engines", "--json").stdout)["engines"]
    assert {item["name"] for item in listed} == set(catalog.engines)
    assert (
        "vllm-v1" in run("engines", "--find", "vllm").stdout and "sglang" not in run("engines", "--find", "vllm").stdout
    )
    shown = run("show", "vllm-v1")
    assert shown.exit_code == 0 and "max_seqs" in shown.stdout.replace(" ", "_"), shown.output


def test_a_plan_file_asks_the_same_again(asked: list[ServeAsk], tmp_path: Path) -> None:
    """The provenance of an answer holds its question; it is taken as an ask."""
    made = parse({"model": "m", "work": {"rate": "20/s", "slo": {"ttft": "1 s"}}, "engine": "sglang"})
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"provenance": {"inputs": made.resolved(), "defaults": list(made.defaults())}}))
    got = one(asked, "plan", str(path))
    assert got.resolved() == made.resolved() and got.defaults() == made.defaults()


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_simulated(tmp_path: Path) -> None:
    """On the real thing: a signal in the middle of a long run gives the requests by then, marked, and exit code 130."""
    said = ("simulate", "--model", "llama-3.1-8b", "--chip", "h100-sxm", "--count", "1", "--tp", "1", "--replicas", "1")
    traffic = ("--rate", "5/s", "--prompt", "256", "--output", "64", "--json")
    command = [sys.executable, "-m", "exaplan", *said, *traffic]
    whole = subprocess.run([*command, "--requests", "500"], capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr  # and compiles what is not compiled yet
    running = subprocess.Popen(
        [*command, "--requests", "2000000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    assert running.stderr.readline().startswith("working (")  # said while the simulation runs
    time.sleep(3.0)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    made = json.loads(out)
    assert made["partial"] and 500 < made["requests"] < 2_000_000_000 and "not a whole answer" in err
