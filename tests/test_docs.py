"""The documentation says what is true: names exist, links resolve, generated parts are fresh, commands do as shown."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from exaplan import truth
from exaplan.catalog import designs, hardware, load, ownership
from exaplan.catalog.laws import nouns, reading
from exaplan.models.spec import Spec
from exaplan.perf.memory import MemoryTerms
from exaplan.perf.step import Terms
from exaplan.report import schemas
from exaplan.report.to_json import validation_json
from exaplan.truth import rows

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
METHOD = sorted((DOCS / "method").glob("*.md"))


def load_tool() -> ModuleType:
    """``tools/docs.py`` as a module."""
    spec = importlib.util.spec_from_file_location("tools_docs", ROOT / "tools" / "docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
WRITTEN = [page for page in PAGES if page in TOOL.documents()]
SHOWING = [page for page in WRITTEN if "```console" in page.read_text(encoding="utf-8")]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def exists(dotted: str) -> bool:
    """Whether ``exaplan.a.b.c`` is a module, or something inside one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
            if found is None:
                return False
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_named_functions_exist(page: Path) -> None:
    """Every `exaplan.module.name` that a page names is there."""
    names = set(re.findall(r"`(exaplan(?:\.\w+)+)`", page.read_text(encoding="utf-8")))
    assert [name for name in sorted(names) if not exists(name)] == []


def test_a_missing_function_is_noticed() -> None:
    """The check above tells a function that is not there from one that is."""
    assert exists("exaplan.perf.roofline.matmul_time")
    assert not exists("exaplan.perf.roofline.no_such_time")


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_resolve(page: Path) -> None:
    """Every link to a file of the project leads to one, and to a heading that it has."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        goal = (page.parent / path).resolve() if path else page
        if not goal.exists() or (anchor and anchor not in anchors(goal)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", [page for page in METHOD if page.stem != "index"], ids=lambda page: page.stem)
def test_method_pages_are_whole(page: Path) -> None:
    """A method page names the functions that implement it, its limits and its sources, and is in the index."""
    text = page.read_text(encoding="utf-8")
    assert "`exaplan." in text
    assert "## Limits" in text
    assert re.search(r"^## (Sources|Which|How)", text, re.MULTILINE)
    assert f"({page.name})" in (DOCS / "method" / "index.md").read_text(encoding="utf-8")


def test_every_term_has_a_page() -> None:
    """Every term of a step and of memory stands in the method pages."""
    index = (DOCS / "method/index.md").read_text(encoding="utf-8")
    memory = (DOCS / "method/memory.md").read_text(encoding="utf-8")
    assert [name for name in Terms._fields if name != "total" and f"`{name}`" not in index] == []
    assert [name for name in MemoryTerms._fields if f"| {name} |" not in memory] == []


def test_every_field_of_a_file_is_described() -> None:
    """The page on files names every field of every kind of file, and every needed column."""
    text = (DOCS / "reference/files.md").read_text(encoding="utf-8")
    known = {*hardware.CHIP, *hardware.NODE, *hardware.FABRIC, *hardware.SITE, *hardware.FORMATS, *hardware.COMMON}
    known |= {item.name for item in fields(Spec)} | set(rows.COLUMNS) | {*hardware.NAMES}
    known |= {name.rpartition(".")[2] for name in designs.DESIGN} | {*reading.RULE_KEYS, *reading.CLAUSE_KEYS}
    known |= {name for name in ownership.OWNERSHIP if "." not in name}
    assert [name for name in sorted(known) if f"`{name}`" not in text] == []


JSON = ["plan", "validate", "check", "timeline", "chips", "rule", "rules", "prices", "tax", "own", "make", "cases"]


@pytest.mark.parametrize("name", [*JSON, "case"])
def test_every_key_of_the_json_is_described(name: str) -> None:
    """The page on JSON names every top-level key of the answers."""
    text = (DOCS / "reference/json.md").read_text(encoding="utf-8")
    keys = set(schemas.schema(name)["properties"])
    assert keys and [key for key in sorted(keys) if f"`{key}`" not in text] == []


def test_glossary_is_in_order() -> None:
    """The glossary is sorted, so that a word is found."""
    words = re.findall(r"^\| ([^|]+?) \|", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)[2:]
    assert words == sorted(words, key=str.casefold) and len(words) > 30


@pytest.mark.parametrize("page", [path for path, _ in TOOL.whole_pages()], ids=named)
def test_generated_pages_are_fresh(page: Path) -> None:
    """A page that is made from the program is what the program makes now (else: python tools/docs.py)."""
    kept, fresh = page.read_text(encoding="utf-8"), dict(TOOL.whole_pages())[page]()
    if page.suffix == ".svg" and page.name != "score.svg":  # releases of the renderer draw alike, not equally
        kept, fresh = TOOL.pictures.words(kept), TOOL.pictures.words(fresh)
        assert len(fresh) > 20
    assert kept == fresh


@pytest.mark.parametrize("page", WRITTEN, ids=named)
def test_generated_parts_are_fresh(page: Path) -> None:
    """Tables that are made from fit records and the score are what these say now (else: python tools/docs.py)."""
    assert page.read_text(encoding="utf-8") == TOOL.refreshed(page, slow=False)


@pytest.fixture(scope="module")
def performing(request: pytest.FixtureRequest) -> Iterator[dict[Path, Future[Any]]]:
    """The transcripts of the pages that this run tests, performed as many at a time as there are cores."""
    pages = [item.callspec.params["page"] for item in request.session.items if SHOWN in item.name]  # type: ignore[attr-defined]
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    yield {page: pool.submit(TOOL.transcripts.perform, page.read_text(encoding="utf-8"), ROOT) for page in pages}
    pool.shutdown(wait=False, cancel_futures=True)


SHOWN = "test_commands_do_as_shown"


@pytest.mark.slow
@pytest.mark.parametrize("page", SHOWING, ids=named)
def test_commands_do_as_shown(page: Path, performing: dict[Path, Future[Any]]) -> None:
    """Every command that a page shows runs, ends with the exit code stated, and prints what the page shows."""
    text = page.read_text(encoding="utf-8")
    performed = performing[page].result()
    assert TOOL.transcripts.wrong(performed) == []
    assert TOOL.transcripts.render(text, performed) == text


ASKED = r"^\|.*`(exaplan (?:plan|chips|own|make|prices|cases) [^`]*)`"


def inline() -> list[str]:
    """Whole questions that README.md names in its tables."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [found for found in re.findall(ASKED, text, re.MULTILINE) if "..." not in found]


@pytest.mark.slow
@pytest.mark.parametrize("command", inline())
def test_questions_of_the_table_are_answered(command: str, tmp_path: Path) -> None:
    """Every whole question in a table of README.md has an answer."""
    assert len(inline()) >= 9
    assert TOOL.transcripts.run(command, tmp_path).code == 0


@pytest.mark.parametrize(
    "page", [page for page in WRITTEN if "```python" in page.read_text(encoding="utf-8")], ids=named
)
def test_python_runs(page: Path) -> None:
    """The Python of a page runs as it stands, block after block, and what it asserts holds."""
    code = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    scope: dict[str, object] = {}
    for block in code:
        exec(compile(block, named(page), "exec"), scope)
    assert code


def test_commands_of_the_issue_are_shown() -> None:
    """The documentation shows every command at work, so that none goes untested."""
    shown = " ".join(
        command for page in SHOWING for block in TOOL.transcripts.blocks(page.read_text()) for command in block.commands
    )
    verbs = ["estimate", "plan", "chips", "nodes", "models", "asks", "show", "schema", "validate", "explain", "compare"]
    verbs += ["simulate", "engines", "check", "tax", "rules", "prices", "own", "make", "cases"]
    flags = ["--budget", "--deadline", "--fleet", "--terms", "--hold", "--place", "--launch", "--report", "--objective"]
    flags += [
        "--rate",
        "--ttft",
        "--percentile",
        "--trace",
        "--to",
        "--on",
        "--headquarters",
        "--timeline",
        "--without",
        "--threshold",
        "--from",
        "--lang",
        "--rival",
    ]
    assert [verb for verb in verbs if f"exaplan {verb}" not in shown] == []
    assert [flag for flag in flags if f" {flag} " not in f"{shown} "] == []


def test_pictures_are_of_shown_commands() -> None:
    """Every picture that a command draws is of one that the documentation shows."""
    shown = {
        command for page in SHOWING for one in TOOL.transcripts.blocks(page.read_text()) for command in one.commands
    }
    assert [command for command in TOOL.pictures.COMMANDS if command not in shown] == []


def test_every_rule_and_case_has_its_place() -> None:
    """Every file of data/rules and data/cases stands in the reference, with its title in English (and Chinese)."""
    for folder, page, languages in (("rules", "rules", ()), ("cases", "casebook", ("en", "zh"))):
        text = (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")
        files = sorted((ROOT / "src/exaplan/data" / folder).glob("*.yaml"))
        assert len(files) > 20
        for file in files:
            title = yaml.safe_load(file.read_text(encoding="utf-8"))["title"]
            titles = [title[language] for language in languages] if languages else [title]
            assert re.search(rf"^##+ {re.escape(file.stem)}$", text, re.MULTILINE), file.stem
            assert [one for one in titles if " ".join(one.replace("|", "\\|").split()) not in text] == []


def test_every_name_of_a_test_is_described() -> None:
    """The page on a rule of one's own names everything that the test of a clause may look at."""
    text = (DOCS / "how-to/a-rule-of-your-own.md").read_text(encoding="utf-8")
    known = (*nouns.CHIP_NAMES, *nouns.DEAL_NAMES, *nouns.CLASS_NAMES, *nouns.GRADES, *nouns.KINDS, *nouns.POLICIES)
    assert [name for name in known if not re.search(rf"\b{name}\b", text)] == []


def test_every_rule_stands_in_the_method() -> None:
    """The page on export rules names every encoded rule, and both it and README.md the day to which they were read."""
    book, text = load().rules, (DOCS / "method/export-rules.md").read_text(encoding="utf-8")
    through = date.fromisoformat(book.through)
    assert [name for name in book.rules if f"`{name}`" not in text] == []
    for page in (text, (ROOT / "README.md").read_text(encoding="utf-8")):
        assert f"{through.day} {through:%B %Y}" in " ".join(page.split())


def test_no_scored_row_was_fitted_on() -> None:
    """Every row that ships is predicted by a fold that has not seen it."""
    shipped = [rows.question(row) for row in rows.read_rows(truth.RUNS)]
    assert [item.row_id for item in shipped if not truth.fold_of(item)] == []


def test_recorded_score_is_what_validate_says() -> None:
    """docs/score.json, from which the tables come, is what ``validate`` says now (else: python tools/score.py)."""
    recorded = json.loads((DOCS / "score.json").read_text(encoding="utf-8"))
    now = validation_json(truth.validate(load()))
    assert recorded["input_hash"] == now["input_hash"]
    for name, score in now["summary"].items():
        assert recorded["summary"][name] == pytest.approx(score, rel=1e-3)


def test_recorded_speed_holds_its_bar() -> None:
    """docs/search-speed.json, from which the page on the search has its figures, is of a run that held its aim."""
    recorded = json.loads((DOCS / "search-speed.json").read_text(encoding="utf-8"))
    assert recorded["wrong"] == 0 and recorded["checked"] == 1000
    assert all(recorded[name] >= bar for name, bar in recorded["bar"].items() if name.startswith("layouts"))
    assert recorded["peak_memory"] <= recorded["bar"]["peak_memory"]
