"""Generated parts of the pages on serving: what its fits found, and how far they are from measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from docparts.pages import table

SHARES = {
    "waiting": "waiting for the host, the job loaded",
    "traffic": "exposed traffic, and waiting for the chip whose experts take longest",
    "busy": "any kernel running",
    "compute": "on top: FLOPs at the peak of their format",
    "memory": "on top: bytes at full bandwidth",
    "experts": "on top: grouped products of routed experts",
    "low": "on top of these: with weights below 16 bit",
    "idle": "a chip at rest without a job (own estimate)",
}
GROUPS = (
    ("by_kind", "chips of an engine"),
    ("by_task", "task"),
    ("by_family", "family of models"),
    ("chip_left_out_by_kind", "chip left out whole"),
)


def power_record(root: Path) -> Mapping[str, Any]:
    """data/fits/serving_power.yaml."""
    text = (root / "src/exaplan/data/fits/serving_power.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = yaml.safe_load(text)
    return found


def power_shares(root: Path) -> str:
    """Coefficients of power, with how far folds differ."""
    found = power_record(root)
    folds = [fold["coefficients"] for fold in found["folds"].values()]
    rows = []
    for name, meaning in SHARES.items():
        values = [float(fold[name]) for fold in folds]
        rows.append((name, meaning, f"{found['coefficients'][name]:.2f}", f"{min(values):.2f} to {max(values):.2f}"))
    factors = [float(fold["busy"]["blackwell"]) for fold in found["folds"].values()]
    span = f"{min(factors):.2f} to {max(factors):.2f}"
    rows.append(("busy, factor on Blackwell", "any kernel running", f"{found['busy']['blackwell']:.2f}", span))
    return table(("share of the TDP", "drawn while", "fitted", "over the folds"), rows)


def power_errors(root: Path) -> str:
    """Errors of rows whose model (at the end: chip) was left out."""
    errors = power_record(root)["errors"]
    rows = [_line("all", "", errors["family_left_out"])]
    rows += [
        _line("the same rows, by", name, errors[key]) for key, name in (("regression", "regression"), ("tdp", "TDP"))
    ]
    rows += [_line(title, name, entry) for key, title in GROUPS for name, entry in errors[key].items()]
    return table(("left out: the row's family, by", "", "rows", "median error", "mean error", "bias"), rows)


def _line(title: str, name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    errors = (f"{100 * entry[key]:.1f}%" for key in ("median", "mean"))
    return (title, name, str(entry["n"]), *errors, f"{100 * entry['bias']:+.1f}%")


def power_lengths(root: Path) -> str:
    """Lengths that the tables leave out: prompts by task, answers as published."""
    found = power_record(root)
    rows = [
        (task, f"{found['prompts'][task]:,.0f}", f"{found['outputs'][task]['any']:,.0f}")
        for task in sorted(found["prompts"])
    ]
    return table(("task", "prompt [tokens]", "answer, median over models [tokens]"), rows)


MAKERS: Mapping[str, Callable[[Path], str]] = {
    "serving power shares": power_shares,
    "serving power errors": power_errors,
    "serving power lengths": power_lengths,
}
