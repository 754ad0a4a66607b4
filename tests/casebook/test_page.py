"""The page on the casebook names what there is: verdicts, questions and their fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaplan.answers.casebook import VERDICTS
from exaplan.catalog.cases import ASKS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "casebook.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_is_explained(verdict: str) -> None:
    """The page has a line for each verdict."""
    assert f"| `{verdict}` |" in PAGE


@pytest.mark.parametrize("kind", ASKS)
def test_every_question_is_listed_with_its_fields(kind: str) -> None:
    """The page's table has each question and every field that it takes."""
    line = next(line for line in PAGE.splitlines() if line.startswith("| `") and f"`{kind}`" in line.split("|")[1])
    needed, optional = ASKS[kind]
    assert [field for field in (*needed, *optional) if f"`{field}`" not in line] == []
