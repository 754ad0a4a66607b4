"""What several test files share: golden files, and a clean environment for what is printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regen", action="store_true", help="write the golden files anew (then read the diff)")


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output must not depend on the terminal, or on what the developer set."""
    for name in ("COLUMNS", "FORCE_COLOR", "EXAPLAN_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERMINAL_WIDTH", "100")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with ``tests/golden/NAME``; ``pytest --regen`` writes it anew."""

    def check(name: str, text: str) -> None:
        path, clean = GOLDEN / name, steady(text)
        if request.config.getoption("--regen"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(clean, encoding="utf-8")
        if not path.exists():
            pytest.fail(f"no golden file {name}; make it with `pytest --regen` and read it")
        assert clean == path.read_text(encoding="utf-8"), f"{name} changed; if that is right: pytest --regen"

    return check


def steady(text: str) -> str:
    """Text without what differs between two machines or two commits: hashes, speeds, versions, folders."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<hash>", text)
    text = re.sub(r"catalogue [0-9a-f]{12}\b", "catalogue <hash>", text)
    text = re.sub(r'("rate": )[0-9.e+]+', r"\1<speed>", text)
    text = re.sub(r"at [0-9,]+ per second", "at <speed> per second", text)
    text = re.sub(r'("version": |by exaplan )"?[0-9][0-9a-z.+]*"?', r"\1<version>", text)
    return re.sub(r"/[^ :\"']*/tests/", "<tests>/", text)
