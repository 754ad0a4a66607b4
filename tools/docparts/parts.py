"""Generated parts inside hand-written pages: what stands between ``<!-- made: NAME -->`` and ``<!-- /made -->``."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from docparts import deciding, score, serving
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


FACTS = ("attention", "dropout", "overlap", "fusion", "dispatcher", "host")


def frameworks(root: Path) -> str:
    """The framework generations that are told apart, and what is known of each as a fact."""
    entries = yaml.safe_load((root / "src/exaplan/data/frameworks.yaml").read_text(encoding="utf-8"))
    rows = []
    for entry in entries:
        facts = ", ".join(f"{name} {_fact(entry[name])}" for name in FACTS if name in entry)
        rows.append((f"`{entry['generation']}`", str(entry["family"]), f"`{cell(entry['match'])}`", facts))
    return table(("generation", "family", "found by (framework and source of a run)", "facts"), rows)


def _fact(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def older_kernels(root: Path) -> str:
    """Rates of older attention kernels over the one that was measured."""
    found = record(root, "attention_kernels")
    rows = [
        (architecture, f"`{kernel}`", f"{entry['share']:.2f}")
        for architecture, kernels in found["curves"].items()
        for kernel, entry in kernels.items()
    ]
    return table(("architecture", "kernel", "rate over the measured one"), rows) + f"\nSource: {found['source']}.\n"


def range_parts(root: Path) -> str:
    """What each part of a step adds to the range, and the factors that were fitted."""
    judged, fitted = record(root, "ranges"), record(root, "training")["ranges"]
    rows = [
        (f"`{name}`", entry["of"], f"{entry['value']:.2f}", entry["why"]) for name, entry in judged["parts"].items()
    ]
    said = ", ".join(judged["young"])
    lines = (
        f"`young` holds for {said}.\n",
        f"Fitted: c = {fitted['factor']:.2f}; half-width [log ratio] on an observed layout {fitted['repeat']:.3f} "
        f"(`repeat`), on another layout of the same work {fitted['recentred']:.3f} (`recentred`).\n",
    )
    return table(("part", "x: share of the step", "sigma", "because"), rows) + "\n" + "\n".join(lines)


def tuning(root: Path) -> str:
    """Every fitted field: what was known before, and what the runs made of it (the base, without effects)."""
    code = ast.parse((root / "tools/fit/priors.py").read_text(encoding="utf-8"))
    known = next(
        ast.literal_eval(item.value)
        for item in code.body
        if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name) and item.targets[0].id == "BASE"
    )
    fitted = record(root, "training")["coefficients"]
    rows = [
        (f"`{name}`", f"{value:.3g}", f"{spread:.2f}", f"{math.exp(fitted[name]['base']):.3g}", why)
        for name, (value, spread, why) in known.items()
    ]
    return table(("field", "prior", "spread (log)", "fitted base", "the prior's reason"), rows)


def fit_training(root: Path) -> str:
    """What the fit of the tuning says of itself."""
    found = record(root, "training")
    error = found["error"]["cross-validated"]
    return (
        f"Fitted {found['date']} on {found['rows']} configurations of `training.csv`; on rows that a fold had not "
        f"seen: median error {_percent(error['median_abs'])}, mean {_percent(error['mean_abs'])}.\n"
    )


def score_table(name: str) -> Callable[[Path], str]:
    """One of the tables of the score."""
    return lambda root: score.table_of(name, root)


MAKERS: Mapping[str, Callable[[Path], str]] = {
    **{f"fit {name}": fit_table(name) for name in ("gemm", "attention", "vector", "collectives", "experts")},
    **{f"score {name}": score_table(name) for name in score.TABLES},
    "priors": priors,
    "frameworks": frameworks,
    "older kernels": older_kernels,
    "range parts": range_parts,
    "tuning": tuning,
    "fit training": fit_training,
    **deciding.MAKERS,
    **serving.MAKERS,
}
