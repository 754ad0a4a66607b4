"""Transcripts: ```console blocks in which ``$ exaplan ...`` is followed by what it prints.

A block's info string may state the exit code (```console exit=2) and how many lines of output the page keeps
(```console lines=12). A fenced block that follows ``<!-- file: NAME -->`` is a file of the reader: it is written into
the folder in which the commands of that page run. What differs between two runs of the same program is masked.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

WIDTH = "120"
FENCE = re.compile(r"^```console([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^<!-- file: (\S+) -->\n+```[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRESS = "working ("  # the line that says that a slow run goes on
MASKS = (
    (re.compile(r"at [\d.,]+[kM]?( per second)"), r"at N\1"),
    (re.compile(r"(catalogue )[0-9a-f]{6,64}"), r"\1HASH"),
)


class Block(NamedTuple):
    """One transcript: where it stands in its page, its commands, the exit code of the last one, lines that are kept."""

    start: int
    end: int
    info: str
    commands: tuple[str, ...]
    code: int
    lines: int | None


class Outcome(NamedTuple):
    """What a command printed, both streams in one, and its exit code."""

    text: str
    code: int


def blocks(text: str) -> Iterator[Block]:
    """The transcripts of a page, in order."""
    for found in FENCE.finditer(text):
        info, body = found.group(1), found.group(2)
        commands = tuple(line[2:] for line in body.splitlines() if line.startswith("$ "))
        code = re.search(r"exit=(\d+)", info)
        lines = re.search(r"lines=(\d+)", info)
        yield Block(
            *found.span(2), info, commands, int(code.group(1)) if code else 0, int(lines.group(1)) if lines else None
        )


def files(text: str) -> dict[str, str]:
    """The reader's own files that a page shows."""
    return {found.group(1): found.group(2) for found in FILE.finditer(text)}


def masked(text: str) -> str:
    """Output without what differs between runs, and without spaces at line ends."""
    for pattern, by in MASKS:
        text = pattern.sub(by, text)
    return "\n".join(line.rstrip() for line in text.splitlines() if not line.startswith(PROGRESS))


def run(command: str, folder: Path) -> Outcome:
    """Run one command line of a page with the program of this very Python; pipes and ``&&`` are not allowed."""
    words = shlex.split(command)
    if not words or words[0] != "exaplan":
        raise ValueError(f"a ```console block may only hold `$ exaplan ...`, not {command!r}")
    env = os.environ | {"COLUMNS": WIDTH, "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "exaplan", *words[1:]], cwd=folder, env=env, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, encoding="utf-8",
    )  # fmt: skip
    return Outcome(done.stdout, done.returncode)


def cut(text: str, lines: int | None) -> str:
    """The first ``lines`` lines, and a mark where more follow."""
    shown = text.splitlines()
    if lines is None or len(shown) <= lines:
        return "\n".join(shown)
    return "\n".join([*shown[:lines], "..."])


def prepare(text: str, folder: Path, root: Path) -> None:
    """Write the files that a page shows into its working folder, with the benches' own examples beside them."""
    examples = root / "docs" / "examples"
    if examples.is_dir():
        shutil.copytree(examples, folder, dirs_exist_ok=True)
    for name, content in files(text).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


Performed = list[tuple[Block, list[tuple[str, Outcome]]]]


def perform(text: str, root: Path) -> Performed:
    """Run every transcript of a page, in one folder and in order."""
    with tempfile.TemporaryDirectory(prefix="exaplan-docs-") as name:
        prepare(text, Path(name), root)
        return [(block, [(command, run(command, Path(name))) for command in block.commands]) for block in blocks(text)]


def render(text: str, performed: Performed) -> str:
    """The page with what its commands printed."""
    out, at = [], 0
    for block, outcomes in performed:
        body = []
        for command, outcome in outcomes:
            shown = cut(masked(outcome.text), block.lines)
            body.append(f"$ {command}\n" + (f"{shown}\n" if shown else ""))
        out += [text[at : block.start], "".join(body)]
        at = block.end
    return "".join([*out, text[at:]])


def wrong(performed: Performed) -> list[str]:
    """What did not end with the exit code that its block states; only the last command of a block may fail."""
    return [
        f"{command}: exit {outcome.code}\n{outcome.text}"
        for block, outcomes in performed
        for number, (command, outcome) in enumerate(outcomes, 1)
        if outcome.code != (block.code if number == len(outcomes) else 0)
    ]


def fill(text: str, root: Path) -> str:
    """The page with the output of every transcript renewed; an exit code that is not as stated is an error."""
    performed = perform(text, root)
    if problems := wrong(performed):
        raise RuntimeError("\n".join(problems))
    return render(text, performed)
