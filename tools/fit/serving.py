"""Fit the tuning of serving engines, what is corrected beyond it and the ranges; writes data/fits/serving.yaml and
serving_folds.json.

    python tools/fit/serving.py --data ../shared/data

Every row is predicted by a fit that saw no row of its model (models of equal dimensions are one) and none of its chip.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from serving_priors import BASE, CORRECTED, NOISE, SIZE, SKEWS

from exaplan import catalog
from exaplan.perf.serving.inputs import ServeTuning
from exaplan.truth.reading import Skip, read_rows
from exaplan.truth.serving import published, silicon
from exaplan.truth.serving.correcting import LOCAL, WIDEST, features, key_of
from exaplan.truth.serving.posing import Posed, pose
from exaplan.truth.serving.predict import Predicted, likeness
from exaplan.truth.serving.questions import Question
from exaplan.truth.serving.recording import packed
from exaplan.truth.serving.running import answers
from exaplan.truth.serving.scoring import Outcome, report, scored

Array = NDArray[np.float64]
OUT = Path(__file__).resolve().parents[2] / "src" / "exaplan" / "data" / "fits"
OUTSIDE = ("loop", "other")  # families that take no part in any fit


def load(data: Path) -> list[Question]:
    """All scoring rows as questions."""
    found: list[Question] = []
    for index, row in enumerate(read_rows(data / "serving_silicon.csv.gz", silicon.COLUMNS, "serving runs")):
        if not silicon.reason(row):
            found.append(silicon.question(row, f"silicon-{index:04d}"))
    for row in read_rows(data / "serving.csv", published.COLUMNS, "serving runs"):
        if not published.reason(row):
            found.append(published.question(row, row["row_id"]))
    return found


def start() -> ServeTuning:
    """The prior as a tuning."""
    return ServeTuning()._replace(**BASE)


def posed_rows(questions: list[Question], shelf: catalog.Catalog) -> list[Posed]:
    """Rows that can be posed; layouts that a rule chose are held fast from here on."""
    out, lost = [], Counter[str]()
    for question in questions:
        try:
            found = pose(question, shelf, start())
        except Skip as skip:
            lost[f"{question.family}: {skip}"] += 1
            continue
        if question.replica is None:
            question = replace(question, replica=found.case.replica, replicas=found.copies)
            found = replace(found, question=question)
        out.append(found)
    for text, count in lost.items():
        print(f"not posed: {text} ({count} rows)")
    return out


# ------------------------------------------------------------------------------------------------- simulation

_held: dict[str, Any] = {}


def simulated(index: int) -> dict[str, float]:
    """Predictions of a row at its tuning, and its features for each quantity; {} where it cannot be predicted."""
    posed, values = _held["posed"][index], _held["values"][index]
    try:
        found = pose(posed.question, _held["shelf"], ServeTuning(*map(float, values)))
        told = dict(answers(found))
    except Skip:
        return {}
    return told


def simulate(posed: list[Posed], values: Array, shelf: catalog.Catalog, workers: int) -> list[dict[str, float]]:
    """Predictions of all rows at their tunings."""
    _held.update(posed=posed, values=values, shelf=shelf)
    simulated(next(i for i, p in enumerate(posed) if p.question.protocol.kind == "closed"))
    if workers < 2:
        return [simulated(index) for index in range(len(posed))]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return pool.map(simulated, range(len(posed)), chunksize=16)


# --------------------------------------------------------------------------------------------------- problem


class Problem:
    """Every quantity of every row that was simulated: its row, name, group, model and chip."""

    def __init__(self, posed: list[Posed], told: list[dict[str, float]]) -> None:
        seen = [
            (i, name)
            for i, (p, found) in enumerate(zip(posed, told, strict=True))
            for name in p.question.measured
            if np.isfinite(found.get(name, float("nan"))) and found[name] > 0.0
        ]
        self.posed, self.row = posed, [row for row, _ in seen]
        self.names = [name for _, name in seen]
        self.group = numbered([self._group(row, name) for row, name in seen])
        self.model = np.array([likeness(posed[row].case.model) for row in self.row])
        self.chip = np.array([posed[row].question.chip for row in self.row])

    def _group(self, row: int, name: str) -> str:
        """What errs as a whole: one table's rows of a model on a chip with an engine."""
        q = self.posed[row].question
        return f"{q.family}/{q.protocol.kind} {name} {q.model} {q.chip} {q.engine}"


def numbered(names: list[str]) -> NDArray[np.int64]:
    """A number for each different name."""
    known = {name: at for at, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names])


# ------------------------------------------------------------------------------------------------ correction


def table(rows: list[dict[str, float]]) -> tuple[Array, list[str]]:
    """Features as a matrix, and their names."""
    names = sorted({name for row in rows for name in row})
    return np.array([[row.get(name, 0.0) for name in names] for row in rows]), names


def ridge(
    x: Array, y: Array, group: NDArray[np.int64], spread: Array, noise: tuple[float, float], rounds: int = 5
) -> Array:
    """Coefficients of a regression with priors N(0, spread^2), where groups err as a whole; robust to both."""
    inside, between = noise
    coefficients = np.zeros(x.shape[1])
    count = np.maximum(1.0, np.bincount(group).astype(float))
    x_mean = np.zeros((len(count), x.shape[1]))
    np.add.at(x_mean, group, x)
    x_mean /= count[:, None]
    y_mean = np.bincount(group, y) / count
    x_in, y_in = x - x_mean[group], y - y_mean[group]
    variance = between**2 + inside**2 / count
    for _ in range(rounds):
        gap_in, gap = y_in - x_in @ coefficients, y_mean - x_mean @ coefficients
        w_in = np.minimum(1.0, 12.0 / count)[group] / np.sqrt(1.0 + (gap_in / inside) ** 2) / inside**2
        w = 1.0 / variance / np.sqrt(1.0 + gap**2 / variance)
        normal = (x_in * w_in[:, None]).T @ x_in + (x_mean * w[:, None]).T @ x_mean + np.diag(spread**-2.0)
        coefficients = np.linalg.solve(normal, x_in.T @ (w_in * y_in) + x_mean.T @ (w * y_mean))
    return coefficients


def spreads_of(names: list[str], kind: dict[str, float]) -> Array:
    """Spread of each coefficient: of the constant, of a yes or no, of a number."""
    flags = ("family=", "engine=", "experts", "blackwell", "fixed", "fixed trtllm", "apple", "quantised")
    picked = [
        kind["one"]
        if name == "one"
        else kind.get("family", kind["flag"])
        if name.startswith("family=")
        else kind["flag"]
        if name.startswith(flags) and name != "fixed users"
        else kind["number"]
        for name in names
    ]
    return np.array(picked)


def named(coefficients: Array, names: list[str]) -> dict[str, float]:
    """{feature: coefficient}, tiny ones left out."""
    return {name: round(float(value), 4) for name, value in zip(names, coefficients, strict=True) if abs(value) > 1e-3}


def corrections(
    names: list[str], told: list[dict[str, float]], errors: Array, group: NDArray[np.int64], kept: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """Quantity -> {feature: coefficient} from the kept observations."""
    out = {}
    for quantity, kind in CORRECTED.items():
        rows = np.flatnonzero(kept & (np.array(names) == quantity))
        if len(rows) < 30:
            continue
        x, columns = table([told[i] for i in rows])
        _, where = np.unique(group[rows], return_inverse=True)
        noise = NOISE["ttft"] if quantity.startswith("prefill") else NOISE.get(quantity, NOISE["other"])
        found = ridge(x, errors[rows], where, spreads_of(columns, kind), noise)
        out[quantity] = named(found, columns)
    return out


def sizes(
    names: list[str], told: list[dict[str, float]], errors: Array, group: NDArray[np.int64], kept: NDArray[np.bool_]
) -> dict[str, Any]:
    """Quantity -> {size: {feature: coefficient of log |error|}, factor that makes 80% of the errors lie inside}."""
    out: dict[str, Any] = {}
    for quantity in sorted(set(names)):
        rows = np.flatnonzero(kept & (np.array(names) == quantity) & np.isfinite(errors))
        if len(rows) < 8:
            continue
        x, columns = table([told[i] for i in rows])
        size = np.log(np.abs(errors[rows]) + 0.02)
        _, where = np.unique(group[rows], return_inverse=True)
        found = ridge(x, size, where, spreads_of(columns, SIZE), (0.7, 0.4))
        scaled = np.abs(errors[rows]) / np.exp(x @ found)
        rank = min(len(rows), int(np.ceil(0.8 * (len(rows) + 1))))
        out[quantity] = {"size": named(found, columns), "factor": round(float(np.sort(scaled)[rank - 1]), 4)}
    return out


# ----------------------------------------------------------------------------------------------------- folds


def cells(problem: Problem) -> list[tuple[str, str]]:
    """(model, chip) of every fold: the pairs that occur, and each model and each chip alone ("" = any)."""
    pairs = sorted(set(zip(problem.model.tolist(), problem.chip.tolist(), strict=True)))
    models, chips = sorted({model for model, _ in pairs}), sorted({chip for _, chip in pairs})
    return [*pairs, *((model, "") for model in models), *(("", chip) for chip in chips)]


def left_out(problem: Problem, cell: tuple[str, str]) -> NDArray[np.bool_]:
    """Observations that a fold must not learn from."""
    return np.asarray((problem.model == cell[0]) | (problem.chip == cell[1]))


class Rows:
    """All observations at each skew: what was simulated, its features and log(measured / simulated)."""

    def __init__(self, problem: Problem, told: dict[float, list[dict[str, float]]]) -> None:
        self.problem, self.told = problem, told
        questions = [problem.posed[i].question for i in problem.row]
        self.keys = [key_of(problem.posed[i], name) for i, name in zip(problem.row, problem.names, strict=True)]
        served = np.array([q.protocol.kind == "closed" and q.family == "silicon" for q in questions])
        self.learned = served | np.array([q.family == LOCAL for q in questions])
        mixtures = np.array([problem.posed[i].case.model.experts > 0 for i in problem.row])
        self.judged = served & mixtures & (np.array(problem.names) == "tpot")
        self.raw = {skew: self._raw(rows) for skew, rows in told.items()}
        self.features = {skew: features_of(problem, rows) for skew, rows in told.items()}

    def _raw(self, told: list[dict[str, float]]) -> Array:
        made = np.full(len(self.problem.names), np.nan)
        for at, (row, name) in enumerate(zip(self.problem.row, self.problem.names, strict=True)):
            value = told[row].get(name, 0.0)
            if np.isfinite(value) and value > 0.0:
                made[at] = np.log(self.problem.posed[row].question.measured[name] / value)
        return made

    def skew(self, out: NDArray[np.bool_]) -> float:
        """The skew with which time per token errs least on rows of mixtures that are not left out; each group of rows
        (model, chip, engine) counts once."""
        rows = np.flatnonzero(self.judged & ~out)
        _, group = np.unique(self.problem.group[rows], return_inverse=True)

        def error(skew: float) -> float:
            each = np.abs(np.exp(-self.raw[skew][rows]) - 1.0)
            return float(np.mean(np.bincount(group, each) / np.bincount(group)))

        return min(SKEWS, key=error)

    def fold(self, out: NDArray[np.bool_]) -> tuple[float, dict[str, Any]]:
        """(skew, corrections) from the rows that are not left out."""
        skew = self.skew(out)
        kept = ~out & self.learned & np.isfinite(self.raw[skew])
        return skew, corrections(self.keys, self.features[skew], self.raw[skew], self.problem.group, kept)


def describe(errors: Array) -> dict[str, float]:
    """n, median and mean absolute error, bias of predicted over measured."""
    ratio = np.exp(-errors) - 1.0
    told = {"median_abs": np.median(np.abs(ratio)), "mean_abs": np.mean(np.abs(ratio)), "bias": np.median(ratio)}
    return {"n": len(errors), **{name: round(float(value), 4) for name, value in told.items()}}


def score(problem: Problem, errors: Array) -> dict[str, dict[str, float]]:
    """Cross-validated errors by family, protocol and quantity."""
    kinds = [
        f"{p.question.family} {p.question.protocol.kind} {name}"
        for p, name in zip([problem.posed[i] for i in problem.row], problem.names, strict=True)
    ]
    return {kind: describe(errors[np.array(kinds) == kind]) for kind in sorted(set(kinds))}


def features_of(problem: Problem, told: list[dict[str, float]]) -> list[dict[str, float]]:
    """Features of every observation."""
    made = []
    for row, name in zip(problem.row, problem.names, strict=True):
        made.append(features(problem.posed[row], name, told[row]))
    return made


def weighed(coefficients: dict[str, dict[str, float]], name: str, row: dict[str, float]) -> float:
    """Correction of one observation (log)."""
    known = coefficients.get(name, {})
    return sum(known.get(key, 0.0) * value for key, value in row.items())


def main() -> None:
    """Fit, cross-validate, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="take every n-th row only (to try the tool)")
    parser.add_argument("--dry", action="store_true", help="print the score, write nothing")
    args = parser.parse_args()
    began, shelf = time.time(), catalog.load()
    _held["data"] = args.data / "runs"
    posed = posed_rows(load(args.data / "runs")[:: args.every], shelf)
    values = {skew: np.tile(np.array(start()._replace(skew=skew)), (len(posed), 1)) for skew in SKEWS}
    told = {skew: simulate(posed, each, shelf, args.workers) for skew, each in values.items()}
    print(f"simulated at {len(SKEWS)} skews: {time.time() - began:.0f} s", flush=True)
    rows = Rows(Problem(posed, told[SKEWS[0]]), told)
    problem = rows.problem
    found = {cell: rows.fold(left_out(problem, cell)) for cell in cells(problem)}
    print(f"{len(found)} folds: {time.time() - began:.0f} s", flush=True)
    errors, last = np.full(len(problem.names), np.nan), [dict[str, float]()] * len(problem.names)
    for at, key in enumerate(rows.keys):
        skew, correct = found[problem.model[at], problem.chip[at]]
        last[at] = rows.features[skew][at]
        errors[at] = rows.raw[skew][at] - weighed(correct, key, last[at])
    result = score(problem, errors)
    print(yaml.safe_dump(result, sort_keys=False), flush=True)
    if args.dry:
        return
    write(args.data / "runs", rows, found, last, errors, result)
    print(f"written: {time.time() - began:.0f} s")


def write(
    data: Path,
    rows: Rows,
    found: dict[tuple[str, str], tuple[float, dict[str, Any]]],
    last: list[dict[str, float]],
    errors: Array,
    result: dict[str, dict[str, float]],
) -> None:
    """data/fits/serving.yaml, serving_folds.json and serving_score.json."""
    digest = {
        name: hashlib.sha256((data / name).read_bytes()).hexdigest()
        for name in ("serving_silicon.csv.gz", "serving.csv")
    }
    problem, finite = rows.problem, np.isfinite(errors)
    skew, correct = rows.fold(np.zeros(len(errors), bool))
    shipped = sizes(problem.names, last, errors, problem.group, finite)
    record = {
        "method": (
            "tools/fit/serving.py: tuning at its priors (tools/fit/serving_priors.py) but for the skew of experts, "
            "chosen by its error on rows of other models and chips; corrections by regularised robust least squares"
        ),
        "date": date.today().isoformat(),
        "input": digest,
        "rows": len(problem.posed),
        "error": result,
        "coefficients": skewed(skew),
        "corrections": correct,
        "spreads": shipped,
        **ratios(problem, rows.raw[skew]),
    }
    (OUT / "serving.yaml").write_text(yaml.safe_dump(record, sort_keys=False, width=120))
    held = {}
    for cell, (chosen, made) in found.items():
        kept = ~left_out(problem, cell) & finite
        held["|".join(cell)] = {
            "coefficients": skewed(chosen),
            "corrections": made,
            "spreads": {**shipped, **sizes(problem.names, last, errors, problem.group, kept)},
        }
    folded = {"input": digest, "folds": held}
    _held["last"] = last
    keep_score(problem, told_errors(problem, errors), held)
    (OUT / "serving_folds.json").write_text(json.dumps(folded, separators=(",", ":"), sort_keys=True) + "\n")


def skewed(skew: float) -> dict[str, dict[str, float]]:
    """The priors as coefficients {field: {"base": log}}, with a skew."""
    return {
        name: {"base": round(float(np.log(value)), 4)} for name, value in start()._replace(skew=skew)._asdict().items()
    }


def told_errors(problem: Problem, errors: Array) -> list[tuple[int, str, float]]:
    """(row, quantity, log of measured over predicted) of all observations."""
    return [(int(i), name, float(e)) for i, name, e in zip(problem.row, problem.names, errors, strict=True)]


def keep_score(problem: Problem, seen: list[tuple[int, str, float]], held: dict[str, Any]) -> None:
    """data/fits/serving_score.json: both tables, each row by its fold."""
    made: dict[str, list[Outcome]] = {"serving_silicon.csv.gz": [], "serving.csv": []}
    for at, (row, name, error) in enumerate(seen):
        question = problem.posed[row].question
        fold = held[f"{problem.model[at]}|{problem.chip[at]}"]
        value = question.measured[name] * float(np.exp(-error))
        known = fold["spreads"][name]
        size = weighed({name: known["size"]}, name, _held["last"][at])
        width = min(WIDEST, known["factor"] * float(np.exp(size)))
        ends = (value * float(np.exp(-width)), value * float(np.exp(width)))
        table = "serving_silicon.csv.gz" if question.family == "silicon" else "serving.csv"
        made[table].append(Outcome(question, scored(question, name, Predicted(value, *ends, ""))))
    out = {}
    for table, outcomes in made.items():
        digest = hashlib.sha256((_held["data"] / table).read_bytes()).hexdigest()
        found = report(outcomes, (), Counter(), digest)
        out[table] = packed(found)
        for line in (*map(str, found.summary.items()), *found.notes[:12]):
            print(table, line)
    (OUT / "serving_score.json").write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


def ratios(problem: Problem, errors: Array) -> dict[str, Any]:
    """ranges: {all | engine=...: {quantity: [low, high] over the simulation}}, 10% and 90% quantiles of measured over
    simulated; centres: the same of its median, which plans multiply the simulated TTFT by."""
    engines = np.array([f"engine={problem.posed[i].question.engine}" for i in problem.row])
    families = np.array([problem.posed[i].question.family for i in problem.row])
    names = np.array(problem.names)
    spans: dict[str, dict[str, list[float]]] = {}
    centres: dict[str, dict[str, float]] = {}
    for key in ["all", *sorted(set(engines.tolist()))]:
        for name in ("ttft", "tpot", "throughput", "latency"):
            known = (names == name) & np.isfinite(errors) & ~np.isin(families, OUTSIDE)
            rows = known & ((engines == key) | (key == "all"))
            if rows.sum() < 20:
                continue
            low, middle, high = np.quantile(np.exp(errors[rows]), [0.1, 0.5, 0.9])
            spans.setdefault(key, {})[name] = [round(min(float(low), 0.97), 3), round(max(float(high), 1.03), 3)]
            if name == "ttft":
                centres.setdefault(key, {})[name] = round(float(middle), 3)
    return {"ranges": spans, "centres": centres}


if __name__ == "__main__":
    main()
