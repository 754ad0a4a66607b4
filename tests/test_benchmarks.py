"""The benchmark of the search measures what it says, on a space small enough for a test."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from exaplan.nouns import Training

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def searching(monkeypatch: pytest.MonkeyPatch) -> Any:
    """benchmarks/searching.py on one model, one chip and up to 32 chips."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "searching", raising=False)
    import searching  # type: ignore[import-not-found, unused-ignore]

    monkeypatch.setattr(searching, "WORK", {"llama-3.1-8b": Training(seq_len=4096, global_batch=64)})
    monkeypatch.setattr(searching, "CHIPS", ("h100-sxm",))
    monkeypatch.setattr(searching, "MOST", 32)
    monkeypatch.setattr(searching, "PASSES", 1)
    monkeypatch.setattr(searching, "SAMPLE", 40)
    monkeypatch.setattr(searching, "SHIFT", 2)
    monkeypatch.setattr(searching, "GROWTH", (16, 32))
    return searching


def test_the_search_benchmark_reports_and_checks(searching: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Rate, layouts, memory; every sampled layout equals the plain path; more chips hold more layouts."""
    searching.main()
    found = json.loads(capsys.readouterr().out)
    assert found["layouts_per_second_per_core"] > 0 and found["peak_memory"] > 0
    assert (found["checked"], found["wrong"]) == (40, 0)
    counts = [entry["considered"] for entry in found["growth"]]
    assert 0 < counts[0] < counts[1] == found["considered"]


def test_a_wrong_layout_is_noticed(searching: Any) -> None:
    """One bit off in one figure counts as wrong."""
    shelf = searching.load()
    _, rows = searching.scan_all(searching.spaces(shelf, 8), 5)
    case, row = rows[0]
    assert not searching.differs(case, row)
    row[searching.grid.POWER] *= 1.0 + 1e-15
    assert searching.differs(case, row)


def test_the_law_benchmark_judges_every_chip_on_every_date(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many verdicts as chips x dates, over days that reach from the first rule to the last; no bar is asserted."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "checking", raising=False)
    import checking  # type: ignore[import-not-found, unused-ignore]

    monkeypatch.setattr(checking, "DATES", 3)
    monkeypatch.setattr(checking, "STEP", checking.STEP * 20)
    checking.main()
    found = json.loads(capsys.readouterr().out)
    assert found["verdicts"] == found["chips"] * 3 and found["cpu"] > 0
    assert checking.days()[0] < "2022-09" and checking.days()[-1] > "2025"
