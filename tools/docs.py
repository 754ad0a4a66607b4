"""Writes the generated parts of the documentation, or with ``--check`` says which are stale.

    python tools/docs.py            rewrite them
    python tools/docs.py --check    exit 1 and name the stale ones

Generated are whole pages (``docs/reference``: command line, ask, formulas, rules, casebook), the pictures, the score
tables and every transcript: a ```console block is what its commands print, with what differs from run to run masked.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "docs/pictures")]

import lines  # noqa: E402 - the folders have just been added
import policies  # noqa: E402
import scatter  # noqa: E402
from docparts import asks, engines, law, pages, parts, pictures, score, transcripts  # noqa: E402

Text = Callable[[], str]


def whole_pages() -> Iterator[tuple[Path, Text]]:
    """Files that are generated from the first line to the last."""
    yield ROOT / "docs/reference/command-line.md", pages.command_line
    yield ROOT / "docs/reference/ask.md", asks.ask
    yield ROOT / "docs/reference/formulas.md", pages.formulas
    yield ROOT / "docs/reference/rules.md", law.rules
    yield ROOT / "docs/reference/casebook.md", law.casebook
    yield ROOT / "docs/reference/engines.md", engines.engines
    found = score.read(ROOT)
    if found is not None:
        yield ROOT / "docs/pictures/score.svg", lambda: scatter.draw(found)
    for name, chart in policies.recorded().items():
        yield ROOT / "docs/pictures" / f"{name}.svg", partial(lines.draw, chart)
    if pictures.can_draw():
        for command in pictures.COMMANDS:
            yield ROOT / "docs/pictures" / command.split()[-1], partial(pictures.drawn, command)


def documents() -> list[Path]:
    """Hand-written pages, which may hold generated parts."""
    made = {path for path, _ in whole_pages()}
    return [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if path not in made]


def refreshed(path: Path, slow: bool = True) -> str:
    """A hand-written page with its generated parts as they should be; ``slow`` False leaves transcripts alone."""
    text = parts.fill(path.read_text(encoding="utf-8"), ROOT)
    return transcripts.fill(text, ROOT) if slow else text


def wanted(slow: bool = True) -> Iterator[tuple[Path, Text]]:
    """Every file with generated parts, and how what it should hold is made."""
    yield from whole_pages()
    for path in documents():
        yield path, partial(refreshed, path, slow)


def stale(slow: bool = True) -> list[str]:
    """One message for each file that is not as it should be, with the first lines that differ."""
    found = []
    for path, text in wanted(slow):
        old, new = path.read_text(encoding="utf-8") if path.is_file() else "", text()
        if old != new:
            lines = list(
                difflib.unified_diff(old.splitlines(), new.splitlines(), "committed", "fresh", lineterm="", n=0)
            )
            found.append(f"{path.relative_to(ROOT)} is stale; run python tools/docs.py\n  " + "\n  ".join(lines[2:12]))
    return found


def write(slow: bool = True) -> list[str]:
    """Renew every file; what cannot be made stays as it was, and is named."""
    problems = []
    for path, text in wanted(slow):
        try:
            new = text()
        except RuntimeError as error:
            problems.append(f"{path.relative_to(ROOT)} was not renewed:\n{error}")
            continue
        if not path.is_file() or path.read_text(encoding="utf-8") != new:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(new, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return problems


def main() -> int:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where something is stale")
    parser.add_argument("--fast", action="store_true", help="leave transcripts alone, which run the commands")
    arguments = parser.parse_args()
    problems = (stale if arguments.check else write)(not arguments.fast)
    print("\n".join(problems) or "all generated documentation is fresh")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
