"""Bad input on the command line: exit 2, one clear message with file, line, field and remedy, and never a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

import exaplan
from exaplan.cli import app
from exaplan.errors import NoPlan

GOOD = "model: llama-3.1-8b\ncluster: {chip: h100-sxm, count: 64}\n"


class Wrong(NamedTuple):
    """An ask file that is wrong: its bytes, where the message points, what it says, what it advises."""

    content: str | bytes
    place: str
    said: str
    remedy: str


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
FILES = {
    "missing model": Wrong("cluster: {chip: h100-sxm}\n", "ask.yaml:1:1: model", "is missing", "config.json"),
    "unknown key": Wrong(GOOD + "limts: {}\n", "ask.yaml:3:1: limts", "not a field", "did you mean `limits`?"),
    "zero": Wrong(GOOD + "work:\n  seq_len: 0\n", "ask.yaml:4:3: work.seq_len", "is zero", "16,384"),
    "negative": Wrong(GOOD + "work:\n  tokens: -5\n", "ask.yaml:4:3: work.tokens", "is negative", "15T"),
    "not a number": Wrong(GOOD + "work: {tokens: .nan}\n", "ask.yaml:3:", "not a finite number", "finite number"),
    "nan as text": Wrong(GOOD + "work: {tokens: nan}\n", "work.tokens", "not a finite number", "15T"),
    "infinite": Wrong(GOOD + "work: {tokens: 1e999}\n", "ask.yaml:3:", "too large", "finite number"),
    "absurd": Wrong(GOOD + "work: {seq_len: 1000000000000}\n", "work.seq_len", "above what is possible", "16,384"),
    "bare number": Wrong(GOOD + "limits: {power: 500}\n", "limits.power", "500 has no unit", "3.2 kW"),
    "wrong unit": Wrong(GOOD + "limits: {power: 5 GB}\n", "limits.power", "'GB' is not a unit of power", "3.2 kW"),
    "wrong case": Wrong(GOOD + "limits: {power: 5 mw}\n", "limits.power", "'mw' is not a unit", "did you mean MW?"),
    "other money": Wrong(GOOD + "limits: {money: €5M}\n", "limits.money", "no exchange rate", "US dollars"),
    "zero budget": Wrong(GOOD + "limits: {money: $0}\n", "ask.yaml:3:10: limits.money", "is zero", "$129k"),
    "bare budget": Wrong(GOOD + "limits: {money: 2}\n", "ask.yaml:3:10: limits.money", "has no currency", "$129k"),
    "bare deadline": Wrong(GOOD + "limits: {deadline: 30}\n", "3:10: limits.deadline", "30 has no unit", "2027-03-01"),
    "a day, no start": Wrong(GOOD + "limits: {deadline: 2027-03-01}\n", "3:10: limits.deadline", "no start", "--start"),
    "deadline before the start": Wrong(
        GOOD + "start: 2027-03-02\nlimits:\n  deadline: 2027-03-01\n",
        "ask.yaml:5:3: limits.deadline",
        "2027-03-01 is not after the start, 2027-03-02",
        "90 d",
    ),
    "start": Wrong(GOOD + "start: tomorrow\n", "ask.yaml:3:1: start", "'tomorrow' is not a date", "2027-03-01"),
    "hold": Wrong(GOOD + "limits: {hold: soft}\n", "ask.yaml:3:10: limits.hold", "'soft' is not one of", "choose"),
    "terms": Wrong("model: m\ncluster: {terms: own}\n", "ask.yaml:2:11: cluster.terms", "already there", "--fleet"),
    "empty fleet": Wrong("model: m\ncluster: {fleet: []}\n", "ask.yaml:2:11: cluster.fleet", "is empty", "64xA100"),
    "fleet item": Wrong(
        "model: m\ncluster:\n  fleet:\n    - {chip: a100, cuont: 8}\n",
        "ask.yaml:4:20: cluster.fleet[0].cuont",
        "`cuont` is not a field of cluster.fleet[0]",
        "did you mean `count`?",
    ),
    "fleet of none": Wrong(
        "model: m\ncluster:\n  fleet:\n    - {chip: a100, count: 0}\n",
        "ask.yaml:4:20: cluster.fleet[0].count",
        "is zero",
        "16,384",
    ),
    "fleet and chip": Wrong(
        "model: m\ncluster: {chip: h100, fleet: 8xa100}\n", "ask.yaml:2:11: cluster.chip", "`fleet` says", "keep one"
    ),
    "chips and a node": Wrong(
        "model: m\ncluster: {chip: [h100, a100], node: dgx}\n", "2:31: cluster.node", "chips of one type", "one chip"
    ),
    "degrees": Wrong(
        "model: m\nlimits: {count: 8}\nlayout: {tp: 16}\n", "ask.yaml:3:1: layout", "at most 8", "--max-count"
    ),
    "law without a place": Wrong(
        GOOD + "law:\n  on: 2024-01-15\n", "ask.yaml:4:3: law.on", "`law.to` is missing", "--start"
    ),
    "place of the law": Wrong(GOOD + "law: {to: 5}\n", "ask.yaml:3:7: law.to", "5 is not a place", "China"),
    "threshold": Wrong(
        GOOD + "law: {to: CN, thresholds: {a.tpp: high}}\n",
        "ask.yaml:3:28: law.thresholds.a.tpp",
        "'high' is",
        "number",
    ),
    "later kind": Wrong(GOOD + "work: {kind: control}\n", "work.kind", "not answered by this version", "come later"),
    "duplicate key": Wrong(GOOD + "model: other\n", "ask.yaml:3:1: model", "stands twice (first on line 1)", "keep"),
    "alias bomb": Wrong(BOMB, "ask.yaml:1:", "anchors and aliases", "write the value out"),
    "merge key": Wrong("x: 1\n<<: {model: m}\n", "ask.yaml:2:1", "merge keys", "write the values out"),
    "code": Wrong("model: !!python/object/apply:os.system [id]\n", "ask.yaml:1:", "the tag", "remove the tag"),
    "deep": Wrong("[" * 200 + "]" * 200, "ask.yaml:1:", "nested deeper", "flatten"),
    "two documents": Wrong(GOOD + "---\n" + GOOD, "ask.yaml:3:", "second document", "one document per file"),
    "broken": Wrong("model: [\n", "ask.yaml:", "not valid YAML", "brackets"),
    "binary": Wrong(b"\x7fELF\x00\x01\x02", "ask.yaml", "binary file", "YAML or JSON text"),
    "not utf-8": Wrong(b"model: caf\xe9\n", "ask.yaml:1", "is not UTF-8", "save the file as UTF-8"),
    "empty": Wrong("", "ask.yaml", "the file is empty", "key: value"),
    "only comments": Wrong("# nothing\n", "ask.yaml", "holds no value", "key: value"),
    "a list": Wrong("- model\n", "ask.yaml:1:1", "an ask is a mapping", "start with"),
    "a number": Wrong("17\n", "ask.yaml:1:1", "an ask is a mapping", "start with"),
    "a config.json": Wrong('{"model_type": "llama"}', "ask.yaml:1:1", "a model's config.json, not an ask", "--model"),
}


def refused(*args: str) -> str:
    """Run a command that must be refused with exit 2; returns what it said, which holds no traceback and no data."""
    done = CliRunner().invoke(app, list(args))
    assert done.exit_code == 2, done.output
    assert done.stdout == "" and "Traceback" not in done.stderr and "internal" not in done.stderr
    assert done.stderr.startswith("exaplan: ") and done.stderr.count("hint:") == 1
    return str(done.stderr)


@pytest.mark.parametrize("name", FILES)
def test_each_wrong_file_is_refused_with_place_and_remedy(name: str, tmp_path: Path) -> None:
    """File, line and field stand first, then what is wrong, then what to do."""
    wrong, path = FILES[name], tmp_path / "ask.yaml"
    path.write_bytes(wrong.content if isinstance(wrong.content, bytes) else wrong.content.encode())
    said = refused("plan", str(path))
    assert wrong.place in said and wrong.said in said and wrong.remedy in said


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """A YAML file of 1 GB is refused by its size."""
    path = tmp_path / "ask.yaml"
    with path.open("wb") as file:
        file.write(GOOD.encode())
        file.truncate(2**30)
    assert "the file has 1,073,741,824 bytes" in refused("plan", str(path))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A folder is no ask."""
    assert "is a directory, not a file" in refused("plan", f"{tmp_path}/")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """A pipe would block for ever."""
    os.mkfifo(tmp_path / "ask.yaml")
    assert "device or pipe" in refused("plan", str(tmp_path / "ask.yaml"))


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No permission is told as such (simulated: the tests may run as root)."""
    path = tmp_path / "ask.yaml"
    path.write_text(GOOD)

    def denied(self: Path, *args: Any, **options: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "may not be read" in refused("plan", str(path))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere."""
    assert "no such file" in refused("plan", str(tmp_path / "ask.yaml"))


def test_an_unknown_ask_gets_the_nearest_names() -> None:
    """A misspelt bundled name."""
    assert "llama-3.1-8b-pretrain" in refused("plan", "llama-3.1-8b-pretrian")


def test_nothing_asked_says_how_to_ask() -> None:
    """Without ask and model there is nothing to answer."""
    assert "exaplan asks" in refused("plan")


SAID = ("plan", "--model", "llama-3.1-8b", "--chip", "h100-sxm", "--count", "64")
FLAGS = [
    (("--count", "0"), "--count: cluster.count: '0' is zero"),
    (("--count", "-8"), "--count: cluster.count: '-8' is negative"),
    (("--deadline", "90"), "--deadline: limits.deadline: '90' has no unit"),
    (("--deadline", "30"), "--deadline: limits.deadline: '30' has no unit"),
    (("--deadline", "2027-03-01"), "--deadline: limits.deadline: the deadline 2027-03-01 is a day, and no start"),
    (("--deadline", "2027-03-01", "--start", "2027-03-02"), "is not after the start, 2027-03-02"),
    (("--start", "soon"), "--start: start: 'soon' is not a date"),
    (("--budget", "2"), "--budget: limits.money: '2' has no currency"),
    (("--budget", "0"), "--budget: limits.money: '0' has no currency"),
    (("--budget", "$0"), "--budget: limits.money: '$0' is zero"),
    (("--budget", "-$2M"), "--budget: limits.money: '-$2M' "),
    (("--max-count", "0"), "--max-count: limits.count: '0' is zero"),
    (("--hold", "soft"), "--hold: limits.hold: 'soft' is not one of"),
    (("--terms", "lease"), "--terms: cluster.terms: 'lease' is not one of"),
    (("--chip", "a,,b"), "--chip: cluster.chip: '' is not a name"),
    (("--chip", ""), "--chip: cluster.chip: '' is not a name"),
    (("--chip", "a100,h100", "--node", "dgx"), "--node: cluster.node: a node holds chips of one type"),
    (("--fleet", "lots"), "--fleet: cluster.fleet: 'lots' is not a number of chips"),
    (("--fleet", ""), "--fleet: cluster.fleet: the fleet is empty"),
    (("--fleet", "8xa100,8x"), "--fleet: cluster.fleet: '8x' is not a number of chips"),
    (("--fleet", "0xa100"), "--fleet: cluster.fleet[0].count: '0' is zero"),
    (("--on", "2024-01-15"), "--on: law.on: `on` is about the export rules of a destination"),
    (("--without", "a"), "--without: law.without: `without` is about the export rules of a destination"),
    (("--threshold", "a.tpp=1"), "--threshold: law.thresholds.a.tpp: `thresholds` is about the export rules"),
    (("--to", "CN", "--threshold", "tpp"), "--threshold: 'tpp' is not NAME=VALUE"),
    (("--to", "CN", "--threshold", "a.tpp=x"), "--threshold: law.thresholds.a.tpp: 'x' is not a number"),
    (("--to", "CN", "--on", "then"), "--on: law.on: 'then' is not a date"),
    (("--to", "CN", "--buyer", "army"), "--buyer: law.buyer: 'army' is not one of"),
    (("--to", "CN", "--accept", "denial"), "--accept: law.accept: a chip whose licence would be denied"),
    (("--to", " "), "--to: law.to: ' ' is not a place"),
    (("--to", "Chnia"), "--to: law.to: unknown place `Chnia`"),
    (("--lang", "xx"), "--lang: there are no words in the language 'xx'"),
    (("--launch", "shell"), "--launch: unknown launch format 'shell'"),
    (("--report", "plan.pdf"), "--report: "),
    (("--tp", "3"), "tp 3 = 3 chips, but the cluster has 64"),
    (("--objective", "speed"), "--objective: objective: 'speed' is not one of"),
    (("--set", "work.tokns=1T"), "--set work.tokns: work.tokns: `tokns` is not a field"),
    (("--set", "nonsense"), "--set: 'nonsense' sets nothing"),
    (("--set", "work.tokens=[1"), "--set"),
    (("--tokens", "1T", "--steps", "5"), "`tokens` and `steps` both"),
]


@pytest.mark.parametrize(("flags", "said"), FLAGS)
def test_a_wrong_flag_is_refused_by_its_name(flags: tuple[str, ...], said: str) -> None:
    """The place of a value from the command line is its flag."""
    assert said in refused(*SAID, *flags)


def test_a_fleet_with_a_chip_is_refused() -> None:
    """Both as flags: which of them was meant is not known."""
    both = refused("plan", "--model", "m", "--chip", "h100", "--fleet", "8xa100")
    assert "--chip: cluster.chip: `fleet` says which chips are there" in both


OPEN = [
    ((), "`cluster.chip` is missing", "exaplan chips"),
    (("--chip", "h100-sxm,b200"), "--chip: cluster.chip: `cluster.chip` leaves a choice (h100-sxm, b200)", "one chip"),
    (("--fleet", "8xa100"), "--fleet: cluster.fleet: `cluster.fleet` leaves a choice (a100)", "one chip and its count"),
    (("--chip", "h100-sxm", "--place", "a,b"), "--site: cluster.site: `cluster.site` leaves a choice (a, b)", "site"),
]


@pytest.mark.parametrize(("flags", "said", "remedy"), OPEN)
def test_estimate_refuses_what_leaves_a_choice(flags: tuple[str, ...], said: str, remedy: str) -> None:
    """No chip, several chips, a fleet, several places: only ``plan`` chooses."""
    told = refused("estimate", "--model", "llama-3.1-8b", *flags)
    assert said in told and remedy in told and "exaplan plan" in told


def test_limits_that_contradict_are_exit_1(tmp_path: Path) -> None:
    """A count above its own limit: both fields, both values, the line; no plan can hold."""
    path = tmp_path / "ask.yaml"
    path.write_text(GOOD + "limits: {count: 8}\n")
    done = CliRunner().invoke(app, ["plan", str(path)])
    assert done.exit_code == 1 and done.stdout == ""
    for piece in ("ask.yaml:3:10: limits.count", "64 chips (cluster.count)", "at most 8", "binding limit: count"):
        assert piece in done.stderr


def test_what_does_not_fit_is_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plan: the limit that binds and the nearest miss, on stderr."""

    def verb(*args: Any, **options: Any) -> Any:
        raise NoPlan("no layout fits", limit="memory", nearest="91 GB of 85.5 GB", hint="more chips")

    monkeypatch.setattr(exaplan, "plan", verb)
    done = CliRunner().invoke(app, list(SAID))
    assert done.exit_code == 1 and done.stdout == ""
    for piece in ("no layout fits", "binding limit: memory", "nearest miss: 91 GB", "hint: more chips"):
        assert piece in done.stderr


@pytest.mark.parametrize(
    ("inputs", "said"), [(17, "an ask is a mapping"), ({"model": "m", "cluster": 5}, "cluster: 5")]
)
def test_a_plan_json_that_was_edited_is_refused(inputs: Any, said: str, tmp_path: Path) -> None:
    """What it asked is held to the same rules as any ask; a flag over it changes nothing about that."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"provenance": {"inputs": inputs, "defaults": ["cluster.count = 8", "seed = 0"]}}))
    assert said in refused("plan", str(path)) and said in refused("plan", str(path), "--count", "8")


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({"plans": [], "provenance": {}}), "\0"])
def test_explain_refuses_what_is_no_plan(content: str, tmp_path: Path) -> None:
    """Any other file is bad input."""
    path = tmp_path / "plan.json"
    path.write_text(content)
    assert str(path) in refused("explain", str(path))


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({"plans": [], "provenance": {}}), "\0"])
def test_compare_refuses_what_is_no_plan(content: str, tmp_path: Path) -> None:
    """The file that is none is named, whichever of the two it is; so is one that is not there."""
    path = tmp_path / "plan.json"
    path.write_text(content)
    assert str(path) in refused("compare", str(path), str(path))
    assert "no such file" in refused("compare", str(tmp_path / "none.json"), str(path))


@pytest.mark.parametrize("args", [("show", "h100-smx"), ("schema", "asks-schema"), ("show", "")])
def test_unknown_names_are_refused(args: tuple[str, ...]) -> None:
    """Names that the catalogue does not hold."""
    refused(*args)
