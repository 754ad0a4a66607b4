"""The recorded score of serving rows (data/fits/serving_score.json): tables that do not ship are scored by
tools/fit/serving_score.py, and ``validate`` shows the record with the hash of what was scored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

from exaplan.answers import Score, Validation


@cache
def record() -> Mapping[str, Any]:
    """The record by file; {} before any."""
    path = files("exaplan").joinpath("data", "fits", "serving_score.json")
    found: Mapping[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def packed(found: Validation) -> dict[str, Any]:
    """What is kept of a score."""
    return {
        "input": found.input_hash,
        "summary": _scores(found.summary),
        "by_source": _scores(found.by_source),
        "groups": {name: _scores(scores) for name, scores in found.groups.items()},
        "notes": list(found.notes),
        "skipped": len(found.skipped),
    }


def unpacked(name: str, kept: Mapping[str, Any]) -> Validation:
    """A record as a Validation without rows."""
    said = f"{', '.join(kept['summary'])}: as recorded for {name}; `exaplan validate --runs` computes them again"
    return Validation(
        rows=(),
        summary=_read(kept["summary"]),
        by_source=_read(kept["by_source"]),
        groups={group: _read(scores) for group, scores in kept["groups"].items()},
        notes=(said, *kept["notes"]),
        input_hash=str(kept["input"]),
    )


def _scores(scores: Mapping[str, Score]) -> dict[str, dict[str, Any]]:
    return {name: {key: _number(value) for key, value in asdict(found).items()} for name, found in scores.items()}


def _number(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.5g}")
    return value


def _read(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, Score]:
    out = {}
    for name, found in scores.items():
        values: dict[str, Any] = {key: math.nan if value is None else value for key, value in found.items()}
        out[name] = Score(**values)
    return out
