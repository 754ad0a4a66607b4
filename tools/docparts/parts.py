"""Generated parts inside hand-written pages: what stands between ``<!-- made: NAME -->`` and ``<!-- /made -->``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from docparts import score
from docparts.pages import cell, table

PART = re.compile(r"(<!-- made: ([\w -]+) -->\n).*?(<!-- /made -->)", re.DOTALL)


def fill(text: str, root: Path) -> str:
    """The page with every generated part renewed; an unknown name is an error."""
    return PART.sub(lambda found: found.group(1) + MAKERS[found.group(2)](root) + found.group(3), text)


def record(root: Path, name: str) -> Mapping[str, Any]:
    """A fit record."""
    loaded = yaml.safe_load((root / "src/exaplan/data/fits" / f"{name}.yaml").read_text(encoding="utf-8"))
    return dict(loaded)


def fit_table(name: str) -> Callable[[Path], str]:
    """A table of the curves of one fit: how many measurements, and how far the curve is from them."""

    def make(root: Path) -> str:
        fit = record(root, name)
        rows = [
            (curve, f"{entry['rows']:,}", *_error(entry), _percent(entry["coefficients"]["spread"]))
            for curve, entry in fit["curves"].items()
        ]
        head = ("curve", "measurements", "by size: median error (mean)", "left out: median error", "spread")
        inputs = ", ".join(f"`{file}`" for file in fit["input"])
        return f"Fitted {fit['date']} on {inputs}:\n\n" + table(head, rows)

    return make


def _error(entry: Mapping[str, Any]) -> tuple[str, str]:
    groups = [(name, e) for name, e in (entry.get("error") or {}).items() if e.get("n")]
    shown = ", ".join(f"{_name(name)}: {_percent(e['median'])} ({_percent(e['mean'])})" for name, e in groups[:5])
    out = [e["median"] for e in (entry.get("error_left_out") or {}).values() if e.get("n")]
    return shown or "not applicable", _percent(max(out)) + " at worst" if out else "one chip only"


def _name(text: str) -> str:
    return text.replace("<", "\\<").replace(">", "\\>")


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f}%"


def priors(root: Path) -> str:
    """The scale-out levels, which no table measures."""
    rows = []
    for name, entry in record(root, "collectives")["priors"].items():
        values = entry["coefficients"]
        latency = f"{values['base'] * 1e6:.0f} + {values['hop'] * 1e6:.0f} per step"
        rows.append(
            (
                str(name),
                latency,
                f"{values['reduce']:.2f}",
                f"{values['exchange']:.2f}",
                _percent(values["spread"]),
                str(entry["rests_on"]),
            )
        )
    return table(("fabric", "latency [µs]", "share of bandwidth", "all-to-all", "spread", "rests on"), rows)


def frameworks(root: Path) -> str:
    """The framework generations that are told apart."""
    entries = yaml.safe_load((root / "src/exaplan/data/frameworks.yaml").read_text(encoding="utf-8"))
    rows = [(f"`{e['generation']}`", str(e["family"]), f"`{cell(e['match'])}`") for e in entries]
    return table(("generation", "family", "found by (framework and source of a run)"), rows)


def score_table(name: str) -> Callable[[Path], str]:
    """One of the tables of the score."""
    return lambda root: score.table_of(name, root)


MAKERS: Mapping[str, Callable[[Path], str]] = {
    **{f"fit {name}": fit_table(name) for name in ("gemm", "attention", "vector", "collectives")},
    **{f"score {name}": score_table(name) for name in score.TABLES},
    "priors": priors,
    "frameworks": frameworks,
}
