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
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from serving_fluid import FIELDS, KINDS, Ask, make_batch
from serving_priors import CORRECTED, NOISE, SIZE, base, design_of
from serving_solver import Design, Seen, predicted, solve, tunings

from exaplan import catalog
from exaplan.case import architecture_of
from exaplan.catalog import serving_fits
from exaplan.perf.serving.inputs import ServeTuning
from exaplan.truth.reading import Skip, read_rows
from exaplan.truth.serving import published, silicon
from exaplan.truth.serving.correcting import WIDEST, features
from exaplan.truth.serving.posing import Posed, pose
from exaplan.truth.serving.predict import Predicted, likeness
from exaplan.truth.serving.questions import Question
from exaplan.truth.serving.recording import packed
from exaplan.truth.serving.running import answers
from exaplan.truth.serving.scoring import Outcome, report, scored

Array = NDArray[np.float64]
OUT = Path(__file__).resolve().parents[2] / "src" / "exaplan" / "data" / "fits"
PICKED = 6  # rows of a group that the tuning is fitted on
OUTSIDE = ("loop", "other")  # families that take no part in any fit
MAIN = ("silicon", "tables", "llama.cpp")


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
    return ServeTuning(**{name: base(name, value)[0] for name, value in ServeTuning()._asdict().items()})


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


def effects(posed: Posed) -> tuple[str, ...]:
    """Names of the effects that apply to a row."""
    case = posed.case
    weights, experts = case.settings.formats.weights, case.model.experts > 0
    return serving_fits.effects(case.engine.name, architecture_of(case.cluster), weights, experts)


def ask_of(posed: Posed) -> Ask:
    """Numbers of a row's protocol."""
    protocol, case, policy = posed.question.protocol, posed.case, posed.case.policy
    mean = 0.5 * (1.0 + protocol.low)
    burst = protocol.concurrency / protocol.requests if protocol.requests else 0.0
    numbers = (
        KINDS.get(protocol.kind, KINDS["first"]), protocol.prompt * mean, max(1.0, protocol.output * mean),
        protocol.concurrency, burst, posed.copies, policy.max_tokens, policy.max_seqs, policy.kv_tokens,
        policy.batching == 1, policy.chunked, protocol.poll, protocol.wait, protocol.rate, protocol.limits[1],
        max(1, protocol.requests), 0.0, case.graph, case.replica.dp, case.replica.pp,
    )  # fmt: skip
    return Ask(*map(float, numbers))


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


def observations(posed: list[Posed], told: list[dict[str, float]], fluid: Array) -> tuple[Seen, list[str], Array]:
    """(what is seen, quantity of each, index of rows); rates of prompts are taken as times."""
    rows: list[tuple[int, int, float, float, str, str]] = []
    for i, (p, found) in enumerate(zip(posed, told, strict=True)):
        for name, measured in p.question.measured.items():
            value = found.get(name, float("nan"))
            if not np.isfinite(value) or value <= 0.0:
                continue
            column, sign = int(name.startswith("tpot")), -1.0 if name == "prefill" else 1.0
            level = sign * np.log(value) - np.log(fluid[i, column])
            kind = f"{p.question.family}/{p.question.protocol.kind}"
            group = f"{kind} {name} {p.question.model} {p.question.chip} {p.question.engine}"
            rows.append((i, column, sign * float(np.log(measured)), float(level), group, name))
    names = [row[5] for row in rows]
    groups = {name: at for at, name in enumerate(dict.fromkeys(row[4] for row in rows))}
    family = [posed[row[0]].question.family for row in rows]
    kind = [posed[row[0]].question.protocol.kind for row in rows]
    weight = [0.0 if f in OUTSIDE or k == "disagg" else (1.0 if f in MAIN else 0.4) for f, k in zip(family, kind)]
    noise = [NOISE.get(name, NOISE["other"]) for name in names]
    seen = Seen(
        np.array([row[0] for row in rows]), np.array([row[1] for row in rows]), np.array([row[2] for row in rows]),
        np.array([row[3] for row in rows]), np.array([groups[row[4]] for row in rows]), np.array(weight),
        np.array([inside for inside, _ in noise]), np.array([between for _, between in noise]),
    )  # fmt: skip
    return seen, names, seen.row


class Problem:
    """All rows, ready to be solved with some of them left out."""

    def __init__(self, posed: list[Posed], told: list[dict[str, float]], values: Array) -> None:
        cases = [(p.case.layers, p.case.head, p.case.attention, p.case.hardware) for p in posed]
        asks = [ask_of(p) for p in posed]
        self.posed = posed
        self.whole = make_batch(list(zip(cases, asks, strict=True)))
        self.seen, self.names, _ = observations(posed, told, self.whole(values))
        self.plan = design_of([effects(p) for p in posed])
        self.model = np.array([likeness(posed[i].case.model) for i in self.seen.row])
        self.chip = np.array([posed[i].question.chip for i in self.seen.row])
        order = np.random.default_rng(0).permutation(len(self.seen.row))
        rank = np.zeros(len(order), int)
        count: Counter[int] = Counter()
        for at in order:
            rank[at] = count[self.seen.group[at]]
            count[self.seen.group[at]] += 1
        self.picked = (rank < PICKED) & (self.seen.weight > 0.0)
        rows, self.small_row = np.unique(self.seen.row[self.picked], return_inverse=True)
        self.small = make_batch([(cases[i], asks[i]) for i in rows])
        self.small_plan = replace(self.plan, mask=self.plan.mask[:, rows])
        pick = self.picked
        _, group = np.unique(self.seen.group[pick], return_inverse=True)
        s = self.seen
        self.small_seen = Seen(
            self.small_row, s.column[pick], s.target[pick], s.level[pick], group, s.weight[pick], s.noise[pick],
            s.between[pick],
        )  # fmt: skip

    def solve(self, left_out: NDArray[np.bool_], begin: Array | None = None, rounds: int = 8) -> Array:
        """theta from the rows that are not left out."""
        return solve(self.small_plan, self.small, self.small_seen, ~left_out[self.picked], begin, rounds)

    def errors(self, theta: Array) -> Array:
        """log(measured / predicted) of all observations in the mean-field form."""
        return np.asarray(self.seen.target - predicted(theta, self.plan, self.whole, self.seen))


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
    flags = ("family=", "engine=", "experts", "blackwell", "fixed", "fixed trtllm")
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
        found = ridge(x, errors[rows], where, spreads_of(columns, kind), NOISE.get(quantity, NOISE["other"]))
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


def coefficients(theta: Array, plan: Design) -> dict[str, dict[str, float]]:
    """{field: {"base": log, effect: log}}, tiny effects left out."""
    out: dict[str, dict[str, float]] = {field: {} for field in FIELDS}
    for value, (field, name) in zip(theta, plan.names, strict=True):
        if name == "base" or abs(value) > 4e-3:
            out[field][name] = round(float(value), 4)
    return out


def cells(problem: Problem) -> list[tuple[str, str]]:
    """(model, chip) of every fold: the pairs that occur, and each model and each chip alone ("" = any)."""
    pairs = sorted(set(zip(problem.model.tolist(), problem.chip.tolist(), strict=True)))
    models, chips = sorted({model for model, _ in pairs}), sorted({chip for _, chip in pairs})
    return [*pairs, *((model, "") for model in models), *(("", chip) for chip in chips)]


def folded(names: list[tuple[str, str]], workers: int) -> list[tuple[tuple[str, str], Array, dict[str, Any]]]:
    """Every fold solved."""
    if workers < 2:
        return [solve_cell(name) for name in names]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return pool.map(solve_cell, names, chunksize=4)


def left_out(problem: Problem, cell: tuple[str, str]) -> NDArray[np.bool_]:
    """Observations that a fold must not learn from."""
    return (problem.model == cell[0]) | (problem.chip == cell[1])


def solve_cell(cell: tuple[str, str]) -> tuple[tuple[str, str], Array, dict[str, Any]]:
    problem, theta, feature_rows = _held["problem"], _held["theta"], _held["features"]
    out = left_out(problem, cell)
    found = problem.solve(out, theta, 2) if _held["tune"] else theta
    made = corrections(problem.names, feature_rows, problem.errors(found), problem.seen.group, ~out & _held["closed"])
    return cell, found, made


def describe(errors: Array) -> dict[str, float]:
    """n, median and mean absolute error, bias of predicted over measured."""
    ratio = np.exp(-errors) - 1.0
    told = {"median_abs": np.median(np.abs(ratio)), "mean_abs": np.mean(np.abs(ratio)), "bias": np.median(ratio)}
    return {"n": len(errors), **{name: round(float(value), 4) for name, value in told.items()}}


def score(problem: Problem, errors: Array) -> dict[str, dict[str, float]]:
    """Cross-validated errors by family, protocol and quantity."""
    kinds = [
        f"{p.question.family} {p.question.protocol.kind} {name}"
        for p, name in zip([problem.posed[i] for i in problem.seen.row], problem.names, strict=True)
    ]
    return {kind: describe(errors[np.array(kinds) == kind]) for kind in sorted(set(kinds))}


def features_of(problem: Problem, told: list[dict[str, float]]) -> list[dict[str, float]]:
    """Features of every observation."""
    made = []
    for row, name in zip(problem.seen.row, problem.names, strict=True):
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
    parser.add_argument("--tune", action="store_true", help="fit the tuning, too (it lost in cross-validation)")
    parser.add_argument("--dry", action="store_true", help="print the score, write nothing")
    args = parser.parse_args()
    began, shelf = time.time(), catalog.load()
    _held["data"] = args.data / "runs"
    posed = posed_rows(load(args.data / "runs")[:: args.every], shelf)
    values = np.tile(np.array(start()), (len(posed), 1))
    told = simulate(posed, values, shelf, args.workers)
    print(f"simulated at the prior: {time.time() - began:.0f} s", flush=True)
    problem = Problem(posed, told, values)
    feature_rows = features_of(problem, told)
    seen = [posed[i].question for i in problem.seen.row]
    closed = np.array([q.protocol.kind == "closed" and q.family == "silicon" for q in seen])
    nothing = np.zeros(len(problem.names), bool)
    theta = problem.solve(nothing) if args.tune else problem.plan.mean
    _held.update(problem=problem, theta=theta, features=feature_rows, closed=closed, tune=args.tune)
    print(f"fitted: {time.time() - began:.0f} s", flush=True)
    found = folded(cells(problem), args.workers if args.tune else 1)
    print(f"{len(found)} folds: {time.time() - began:.0f} s", flush=True)
    thetas = {cell: value for cell, value, _ in found}
    correct = {cell: made for cell, _, made in found}
    of_row = {int(i): (problem.model[at], problem.chip[at]) for at, i in enumerate(problem.seen.row)}
    if args.tune:
        held = values.copy()
        for cell in set(of_row.values()):
            rows = [i for i, own in of_row.items() if own == cell]
            held[rows] = tunings(thetas[cell], problem.plan)[rows]
        told = simulate(posed, held, shelf, args.workers)
        print(f"simulated by folds: {time.time() - began:.0f} s", flush=True)
    errors, raw = np.full(len(problem.names), np.nan), np.full(len(problem.names), np.nan)
    for at, (row, name) in enumerate(zip(problem.seen.row, problem.names, strict=True)):
        value = told[row].get(name, float("nan"))
        if np.isfinite(value) and value > 0.0:
            fix = weighed(correct[of_row[int(row)]], name, features(posed[row], name, told[row]))
            raw[at] = np.log(posed[row].question.measured[name] / value)
            errors[at] = raw[at] - fix
    last = features_of(problem, told)
    _held.update(last=last, raw=raw)
    whole = corrections(problem.names, feature_rows, problem.errors(theta), problem.seen.group, closed)
    finite = np.isfinite(errors)
    shipped = sizes(problem.names, last, errors, problem.seen.group, finite)
    result = score(problem, errors)
    print(yaml.safe_dump(result, sort_keys=False), flush=True)
    if args.dry:
        return
    write(args.data / "runs", problem, theta, whole, shipped, result, thetas, correct, last, errors)
    print(f"written: {time.time() - began:.0f} s")


def write(
    data: Path,
    problem: Problem,
    theta: Array,
    whole: dict[str, dict[str, float]],
    shipped: dict[str, Any],
    result: dict[str, dict[str, float]],
    thetas: dict[tuple[str, str], Array],
    correct: dict[tuple[str, str], dict[str, Any]],
    told: list[dict[str, float]],
    errors: Array,
) -> None:
    """data/fits/serving.yaml and serving_folds.json."""
    digest = {
        name: hashlib.sha256((data / name).read_bytes()).hexdigest()
        for name in ("serving_silicon.csv.gz", "serving.csv")
    }
    finite = np.isfinite(errors)
    record = {
        "method": (
            "tools/fit/serving.py: regularised robust least squares of log TTFT, TPOT and rates over the tuning; priors "
            "in tools/fit/serving_priors.py"
        ),
        "date": "2026-11-23",
        "input": digest,
        "rows": len(problem.posed),
        "error": result,
        "coefficients": coefficients(theta, problem.plan),
        "corrections": whole,
        "spreads": shipped,
        "ranges": ratios(problem, _held["raw"]),
    }
    (OUT / "serving.yaml").write_text(yaml.safe_dump(record, sort_keys=False, width=120))
    held = {}
    for cell, found in thetas.items():
        kept = ~left_out(problem, cell) & finite
        held["|".join(cell)] = {
            "coefficients": coefficients(found, problem.plan),
            "corrections": correct[cell],
            "spreads": {**shipped, **sizes(problem.names, told, errors, problem.seen.group, kept)},
        }
    folded = {"input": digest, "folds": held}
    keep_score(problem, told_errors(problem, errors), held)
    (OUT / "serving_folds.json").write_text(json.dumps(folded, separators=(",", ":"), sort_keys=True) + "\n")


def told_errors(problem: Problem, errors: Array) -> list[tuple[int, str, float]]:
    """(row, quantity, log of measured over predicted) of all observations."""
    return [(int(i), name, float(e)) for i, name, e in zip(problem.seen.row, problem.names, errors, strict=True)]


def keep_score(problem: Problem, seen: list[tuple[int, str, float]], held: dict[str, Any]) -> None:
    """data/fits/serving_score.json: both tables, each row by its fold."""
    made = {"serving_silicon.csv.gz": [], "serving.csv": []}
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


def ratios(problem: Problem, errors: Array) -> dict[str, dict[str, list[float]]]:
    """{all | engine=...: {quantity: [low, high] over the prediction}}: 10% and 90% quantiles of measured / simulated (plans are
    not corrected)."""
    engines = np.array([f"engine={problem.posed[i].question.engine}" for i in problem.seen.row])
    names, out = np.array(problem.names), {}
    for key in ["all", *sorted(set(engines.tolist()))]:
        found = {}
        for name in ("ttft", "tpot", "throughput", "latency"):
            rows = (names == name) & np.isfinite(errors) & ((engines == key) | (key == "all"))
            if rows.sum() >= 20:
                low, high = np.quantile(np.exp(errors[rows]), [0.1, 0.9])
                found[name] = [round(min(float(low), 0.97), 3), round(max(float(high), 1.03), 3)]
        if found:
            out[key] = found
    return out


if __name__ == "__main__":
    main()
