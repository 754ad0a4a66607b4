"""Strict reading: what YAML 1.2 says, and every kind of file that must be refused with its place and a remedy."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaplan.catalog.loader import (
    DEPTH_LIMIT,
    SIZE_LIMIT,
    dotted,
    parse_json,
    parse_yaml,
    read_json,
    read_text,
    read_yaml,
    resolve,
)
from exaplan.errors import InputError

CORE_SCHEMA = [
    ("no", "no"), ("on", "on"), ("yes", "yes"), ("off", "off"), ("NO", "NO"),
    ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
    ("989e12", 989e12), ("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("2.", 2.0), ("-3", -3), ("+4", 4),
    ("007", 7), ("0x1F", 31), ("0o17", 15), ("0b1", "0b1"), ("1_000", "1_000"), ("12:30:45", "12:30:45"),
    ("2022-09-20", "2022-09-20"), ("nan", "nan"), ("inf", "inf"), ("80 GiB", "80 GiB"), ("1e", "1e"),
]  # fmt: skip


def refusal(action: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as caught:
        action()
    assert caught.value.hint, "an error must say what to do"
    return caught.value


@pytest.mark.parametrize(("text", "value"), CORE_SCHEMA)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    """Plain scalars are read by YAML 1.2: `no` is text, 989e12 a number, a date stays text."""
    found = resolve(text)
    assert (found, type(found)) == (value, type(value))
    assert parse_yaml(f"key: {text}\n").value == {"key": value}


def test_quoted_scalars_stay_text() -> None:
    """Quotes make any scalar text."""
    assert parse_yaml("a: '12'\nb: \"true\"\nc: !\n").value == {"a": "12", "b": "true", "c": ""}


@pytest.mark.parametrize("text", [".nan", ".NaN", ".inf", "-.INF", "1e999", "-1e999", "9" * 500])
def test_numbers_that_are_not_finite_are_refused(text: str) -> None:
    """NaN, infinity, overflow and endless digits name line, column and field."""
    error = refusal(lambda: parse_yaml(f"ok: 1\nbad: {text}\n", "chip.yaml"))
    assert (error.place.file, error.place.line, error.place.column, error.place.field) == ("chip.yaml", 2, 6, "bad")


def test_values_keep_their_places() -> None:
    """A document knows the line and column of each value, and of the parent of a missing one."""
    document = parse_yaml("a: 1\npeak:\n  bf16: 3\nlist:\n  - x\n  - {y: 2}\n", "f.yaml")
    assert document.value == {"a": 1, "peak": {"bf16": 3}, "list": ["x", {"y": 2}]}
    assert str(document.place("peak", "bf16")) == "f.yaml:3:3: peak.bf16"
    assert (document.place("list", 1, "y").line, document.place("list", 1, "y").column) == (6, 6)
    missing = document.place("peak", "fp8")
    assert (missing.line, missing.field) == (2, "peak.fp8")
    assert dotted(("a", 1, "b")) == "a[1].b"


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "`a` stands twice", 3),
        ("outer:\n  a: 1\n  'a': 2\n", "`a` stands twice", 3),
        ("a: &x 1\nb: *x\n", "anchors and aliases", 1),
        ("a: !!python/object/apply:os.system ['true']\n", "tag", 1),
        ("a: !!binary aGk=\n", "tag", 1),
        ("!chip {a: 1}\n", "tag", 1),
        ("base: {a: 1}\n<<: {b: 2}\n", "merge", 2),
        ("? [1, 2]\n: 3\n", "cannot be a key", 1),
        ("a: 1\n---\nb: 2\n", "second document", 2),
        ("a: [1, 2\nb: 3\n", "not valid YAML", 2),
        ("a: 1\n\tb: 2\n", "not valid YAML", 2),
    ],
)
def test_what_a_description_never_needs_is_refused(text: str, says: str, line: int) -> None:
    """Duplicate keys, aliases, code tags, merge keys, odd keys, second documents and broken text name their line."""
    error = refusal(lambda: parse_yaml(text, "chip.yaml"))
    assert says in error.problem
    assert (error.place.file, error.place.line) == ("chip.yaml", line)


def test_a_code_tag_runs_nothing(tmp_path: Path) -> None:
    """A python tag is refused before anything is constructed."""
    victim = tmp_path / "made"
    refusal(lambda: parse_yaml(f"a: !!python/object/apply:os.mkdir ['{victim}']\n"))
    assert not victim.exists()


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    """Nine levels of nine aliases would be 387 million items; the first anchor is refused."""
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    assert refusal(lambda: parse_yaml(bomb)).place.line == 1


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening: str) -> None:
    """A hundred thousand levels end in one clear message, not in a crash."""
    assert "deeper" in refusal(lambda: parse_yaml(opening * 100_000)).problem


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit is far above what a description needs."""
    depth = DEPTH_LIMIT - 1
    assert str(parse_yaml("[" * depth + "]" * depth).value).count("[") == depth


@pytest.mark.parametrize("content", [b"", b"  \n\n", b"# only a comment\n", b"---\n...\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing, blanks, or comments hold no description."""
    path = tmp_path / "empty.yaml"
    path.write_bytes(content)
    if content.startswith(b"---"):
        assert read_yaml(path).value is None
    else:
        assert refusal(lambda: read_yaml(path)).place.file == str(path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 GB (sparse) is refused by its size; the file is never opened."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(10**9)
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("the file was opened"))
    assert "1,000,000,000 bytes" in refusal(lambda: read_yaml(path)).problem


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes that arrive are counted, too, not only the size on disk."""
    path = tmp_path / "growing.yaml"
    path.write_text("a: 1\n")
    real = Path.open

    def grow(self: Path, *args: Any) -> IO[Any]:
        with real(self, "ab") as file:
            file.truncate(SIZE_LIMIT + 100)
        return real(self, *args)

    monkeypatch.setattr(Path, "open", grow)
    assert "bytes" in refusal(lambda: read_text(path)).problem


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: 1\x00\n", "binary"),
        (random.Random(0).randbytes(64) + b"\x00", "binary"),
        (b"a: 1\nb: \xff\xfe\n", "not UTF-8"),
        ("a: 1".encode("utf-16"), "binary"),
        (b"a: \x07\n", "not valid YAML"),
    ],
)
def test_a_binary_file_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """Zero bytes, other encodings and control characters are not a text description."""
    path = tmp_path / "photo.yaml"
    path.write_bytes(content)
    error = refusal(lambda: read_yaml(path))
    assert says in error.problem and error.place.file == str(path)


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path).value == {"a": 1}


def test_a_directory_a_pipe_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    """Only regular files are opened: a pipe would block for ever."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    assert "directory" in refusal(lambda: read_yaml(tmp_path)).problem
    assert "pipe" in refusal(lambda: read_yaml(pipe)).problem
    assert "no such file" in refusal(lambda: read_yaml(tmp_path / "none.yaml")).problem
    assert "cannot be read" in refusal(lambda: read_yaml(tmp_path / ("x" * 5000))).problem
    assert "cannot be read" in refusal(lambda: read_yaml("a\0b.yaml")).problem


@pytest.mark.parametrize(
    ("reason", "says"), [(PermissionError(13, "denied"), "may not be read"), (OSError(5, "bad disk"), "bad disk")]
)
def test_an_unreadable_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: OSError, says: str
) -> None:
    """A file without read permission, or a failing disk, ends in one message (simulated: root may read all)."""
    path = tmp_path / "secret.yaml"
    path.write_text("a: 1\n")

    def fail(*_: object, **__: object) -> IO[Any]:
        raise reason

    monkeypatch.setattr(Path, "open", fail)
    error = refusal(lambda: read_yaml(path))
    assert says in error.problem and error.place.file == str(path)


# -------------------------------------------------------------------------------------------------- JSON


def test_json_is_read_with_the_place_of_a_unique_key(tmp_path: Path) -> None:
    """config.json keeps its values; a key that occurs once is found by line."""
    path = tmp_path / "config.json"
    path.write_text('{\n  "model_type": "llama",\n  "hidden_size": 4096,\n  "a": {"b": [1.5, null, true]}\n}\n')
    document = read_json(path)
    assert document.value["a"] == {"b": [1.5, None, True]}
    assert (document.place("hidden_size").line, document.place("hidden_size").column) == (3, 3)
    assert document.place("absent").line == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1, "a": 2}', "stands twice"),
        ('{"a": NaN}', "not a finite number"),
        ('{"a": -Infinity}', "not a finite number"),
        ('{"a": 1e999}', "too large"),
        ('{"a": ' + "1" * 5000 + "}", "digits"),
        ("[" * 100_000 + "]" * 100_000, "deeper"),
        ('{"a": 1,}', "not valid JSON"),
        ("{'a': 1}", "not valid JSON"),
    ],
)
def test_bad_json_is_refused(text: str, says: str) -> None:
    """Duplicates, NaN, overflow, depth and broken syntax are one clear message."""
    error = refusal(lambda: parse_json(text, "config.json"))
    assert says in error.problem and error.place.file == "config.json"


def test_brackets_inside_json_text_are_not_nesting() -> None:
    """Only real brackets count towards the depth."""
    assert parse_json('{"a": "' + "[" * 500 + '\\""}').value["a"].startswith("[[[")


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text("abc #:-'\"", max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("kxy", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(TREES)
def test_yaml_reads_back_what_json_writes(tree: Any) -> None:
    """JSON is YAML 1.2: both readers agree on any tree (an independent writer is the oracle)."""
    import json

    text = json.dumps({"tree": tree})
    assert parse_yaml(text).value == {"tree": tree} == parse_json(text).value


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader crash with anything but an InputError."""
    for parse in (parse_yaml, parse_json):
        try:
            parse(text)
        except InputError as error:
            assert error.hint
