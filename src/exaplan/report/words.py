"""The words on a screen, by key, from ``data/words``. A missing key is its own last part, readable."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from exaplan.catalog.loader import read_yaml

FOLDER = Path(__file__).resolve().parent.parent / "data" / "words"


@cache
def words(language: str = "en") -> Mapping[str, Any]:
    """All words of a language, nested as in its file."""
    found: Mapping[str, Any] = read_yaml(FOLDER / f"{language}.yaml").value
    return found


def word(key: str, **fields: object) -> str:
    """The words under a dotted key, with ``{fields}`` filled in."""
    found: Any = words()
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if not isinstance(found, str):
        return key.rpartition(".")[2].replace("_", " ")
    return found.format(**fields) if fields else found
