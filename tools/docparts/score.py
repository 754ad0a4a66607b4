"""Tables of the score, from ``docs/score.json``, the record of what ``exaplan validate`` measured."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docparts.pages import cell, table

TABLES = ("summary", "apart", "groups", "interval", "record")
NONE = "Not scored yet: `docs/score.json` is missing.\n"
HEAD = ("", "rows", "median error", "mean error", "bias", "in its 80% range", "Winkler")


def read(root: Path) -> Mapping[str, Any] | None:
    """The recorded score, or None before the first."""
    path = root / "docs/score.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def table_of(name: str, root: Path) -> str:
    """One of ``TABLES``."""
    score = read(root)
    if score is None:
        return NONE
    return {"summary": summary, "apart": apart, "groups": groups, "interval": interval, "record": record}[name](score)


def line(name: str, score: Mapping[str, Any]) -> tuple[str, ...]:
    """One score as the cells of a row."""
    errors = (f"{100 * score[key]:.1f}%" for key in ("median_abs_error", "mean_abs_error"))
    return (
        cell(name),
        f"{score['n']:,}",
        *errors,
        f"{100 * score['bias']:+.1f}%",
        f"{100 * score['coverage']:.0f}%",
        f"{score['winkler']:.2f}",
    )


def summary(score: Mapping[str, Any]) -> str:
    """By quantity, and the average of step times over publishers."""
    step, *others = (line(name.replace("_", " "), entry) for name, entry in sorted(score["summary"].items(), key=_step))
    mean = score["publishers_mean"]
    errors = (f"{100 * mean[key]:.1f}%" for key in ("median_abs_error", "mean_abs_error"))
    macro = ("step time, average over publishers", f"{len(score['by_source'])} publishers", *errors, "", "", "")
    return table(HEAD, [step, macro, *others])


def _step(item: tuple[str, Any]) -> bool:
    """Step times before all other quantities."""
    return item[0] != "step_time"


def apart(score: Mapping[str, Any]) -> str:
    """Sets that are reported beside the headline."""
    return table(HEAD, [line(name, entry) for name, entry in score["apart"].items()])


def groups(score: Mapping[str, Any]) -> str:
    """By every grouping that was recorded."""
    parts = []
    for grouping, entries in {"publisher": score["by_source"], **score["groups"]}.items():
        rows = sorted(entries.items(), key=lambda item: -item[1]["n"])
        parts.append(
            table((grouping.replace("_", " "), *HEAD[1:]), [line(name or "unknown", entry) for name, entry in rows])
        )
    return "\n".join(parts)


def interval(score: Mapping[str, Any]) -> str:
    """The interval score beside that of one constant ratio."""
    found = re.search(r"constant-ratio interval of equal coverage: ([\d.]+)", " ".join(score["notes"]))
    if found is None:
        raise RuntimeError("docs/score.json has no score of a constant-ratio interval; run python tools/score.py")
    own, constant = score["summary"]["step_time"]["winkler"], float(found.group(1))
    rows = [("these ranges", f"{own:.3f}"), ("one constant ratio of equal coverage", f"{constant:.3f}")]
    return table(("", "mean interval score"), [*rows, ("better by", f"{100 * (1 - own / constant):.0f}%")])


def record(score: Mapping[str, Any]) -> str:
    """What was scored, and by which program."""
    keys = ("version", "commit", "input_hash", "date")
    return table(("recorded", ""), [(key.replace("_", " "), f"`{score[key]}`") for key in keys if score.get(key)])
