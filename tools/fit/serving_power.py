"""Fit the power of serving: python tools/fit/serving_power.py --data ../shared/data -> data/fits/serving_power.yaml.

Shares of the TDP, the pace and hosts of the measured runs, and the lengths of prompts that their tables leave out, all
at once, on the logs of measured power and (weighing less) of measured time per iteration; every family of models, then
every chip, is left out in turn. A row is predicted from its question alone: its own throughput is no input of its
prediction.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from exaplan.catalog import Catalog, load, serving_names
from exaplan.perf.serving.power import ServingPower, Spent, energy_drawn, share_drawn
from exaplan.truth.serving.power import shipped_rows
from exaplan.truth.serving.power_rows import Powered, powered
from exaplan.truth.serving.power_runs import Pace, Parts, Run, at_pace, parts, run_of

Array = NDArray[np.float64]
DATE = "2026-11-23"
SERVED = Path("runs") / "serving.csv"
POWERED = Path("runs") / "power.csv"
SECOND = "blackwell"  # running kernels draw another share of the TDP than on Hopper
SHARED = ("B200",)  # nodes on which engines of one chip shared the host: their steps take 30 ms whatever the model
GRID = (0.0, 250.0, 1000.0, 4000.0)  # lengths of prompts between which parts of an iteration are interpolated [tokens]
REST = 0.1  # as in power.yaml: 60 to 75 W of 700 W
SPREAD, TIME, TURN = 0.1, 0.1, 1.5  # scale of log errors; weight of time against power; where errors turn linear
TYPICAL = {"gpqa": 240.0}  # 841 characters of prompt (evalscope's documentation), about 3.5 to a token


class Knob(NamedTuple):
    """What is fitted: first guess, and the standard deviation of its log before any row is seen."""

    start: float
    spread: float


# Shares: of the training fit (data/fits/power.yaml), loosely. Factors: 1, by how far engines are from kernels. Host, in
# seconds, and tokens of prompts: own estimates of their order.
KNOBS = {
    "waiting": Knob(0.21, 0.3), "traffic": Knob(0.37, 0.3), "busy": Knob(0.35, 0.3), "compute": Knob(0.5, 0.5),
    "memory": Knob(0.35, 0.5), "experts": Knob(0.1, 0.7), "low": Knob(0.1, 0.7), "blackwell": Knob(1.0, 0.15),
    "pace.dense": Knob(1.0, 0.2), "pace.experts": Knob(1.0, 0.4), "pace.low": Knob(1.0, 0.4),
    "pace.attention": Knob(1.0, 0.3), "pace.prompt": Knob(1.0, 0.4), "pace.traffic": Knob(1.0, 0.4),
    "pace.base": Knob(1e-3, 0.7), "pace.sequence": Knob(1e-5, 1.0),
    "pace.request": Knob(1e-2, 1.0), "pace.image": Knob(3e-2, 1.0), "pace.video": Knob(1e-1, 1.0),
    "pace.shared_answer": Knob(1e-6, 1.5), "pace.shared_image": Knob(1e-1, 1.5), "pace.shared_video": Knob(1e-1, 1.5),
    "prompts.lm-arena-chat": Knob(500.0, 0.7), "prompts.image-chat": Knob(1000.0, 0.7),
    "prompts.video-chat": Knob(2000.0, 0.7),
}  # fmt: skip
NAMES = tuple(KNOBS)
START = np.log([knob.start for knob in KNOBS.values()])
WIDTH = np.array([knob.spread for knob in KNOBS.values()])


class Rows(NamedTuple):
    """The scoring rows: questions, parts of their iterations by length of prompt [rows, GRID, fields], what they held,
    whether the chip is of the second measured architecture, measured share of the TDP and time of an iteration [s]."""

    items: tuple[Powered, ...]
    grid: Array
    run: Run
    second: Array
    share: Array
    time: Array

    def only(self, keep: NDArray[np.bool_]) -> Rows:
        """Some of them."""
        items = tuple(item for item, kept in zip(self.items, keep, strict=True) if kept)
        run = Run(*(column[keep] for column in np.array(self.run)))
        return Rows(items, self.grid[keep], run, self.second[keep], self.share[keep], self.time[keep])


def answers(data: Path) -> dict[str, dict[str, float]]:
    """Task -> model -> tokens of an answer: median over its runs; "any": median over models."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (data / SERVED).open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["source"].startswith("ML.ENERGY"):
                found[row["scenario"].split()[-1]][row["model"]].append(float(row["osl"]))
    medians = {task: {model: float(np.median(v)) for model, v in models.items()} for task, models in found.items()}
    return {
        task: {"any": float(round(np.median(list(models.values()))))}
        | {k: float(round(v)) for k, v in sorted(models.items())}
        for task, models in sorted(medians.items())
    }


def read(shelf: Catalog, outputs: Mapping[str, Mapping[str, float]]) -> Rows:
    """The rows with what each needs, computed once."""
    texts = shipped_rows()
    items = tuple(powered(row) for row in texts)
    lengths = [outputs[item.task][item.model] for item in items]
    grid = [[parts(item, shelf, prompt, out) for prompt in GRID] for item, out in zip(items, lengths, strict=True)]
    runs = [run_of(item, out, SHARED) for item, out in zip(items, lengths, strict=True)]
    chips = [shelf.chip(serving_names.chip(item.chip)) for item in items]
    tdp, second = np.array([chip.power for chip in chips]), np.array([chip.architecture == SECOND for chip in chips])
    share = np.array([item.measured for item in items]) / tdp
    rate = np.array([float(row["notes"].split("output tok/s ")[1].split(";")[0]) for row in texts])
    time = np.array([run.seqs for run in runs]) / rate
    return Rows(items, np.array(grid), Run(*np.array(runs).T), second.astype(float), share, time)


def values(point: Array) -> dict[str, float]:
    """Knobs by name."""
    return {name: math.exp(value) for name, value in zip(NAMES, point, strict=True)}


def shares(knobs: Mapping[str, float], second: float = 0.0) -> ServingPower:
    """Coefficients of power among the knobs; ``second``: 1 for a chip of the second architecture (an array will do)."""
    found = ServingPower(REST, *(knobs[name] for name in ServingPower._fields[1:]))
    return found._replace(busy=found.busy * (1.0 + second * (knobs[SECOND] - 1.0)))


def pace(knobs: Mapping[str, float]) -> Pace:
    """The runs' pace among the knobs."""
    return Pace(*(knobs[f"pace.{name}"] for name in Pace._fields))


def prompts(knobs: Mapping[str, float]) -> dict[str, float]:
    """Lengths of prompts, given and among the knobs. [tokens]"""
    return TYPICAL | {name[8:]: value for name, value in knobs.items() if name.startswith("prompts.")}


def spent(rows: Rows, knobs: Mapping[str, float]) -> Spent:
    """What the rows' iterations are spent in: arrays. [s]"""
    lengths = prompts(knobs)
    at = np.array([lengths[item.task] for item in rows.items])
    index = np.clip(np.searchsorted(GRID, at) - 1, 0, len(GRID) - 2)
    low, high = np.array(GRID)[index], np.array(GRID)[index + 1]
    share = ((at - low) / (high - low))[:, None]
    every = np.arange(len(at))
    between = rows.grid[every, index] * (1.0 - share) + rows.grid[every, index + 1] * share
    return at_pace(Parts(*between.T), rows.run, pace(knobs))


def ratios(rows: Rows, knobs: Mapping[str, float]) -> tuple[Array, Array]:
    """(predicted over measured power, the same of time), unbounded. [1]"""
    found = spent(rows, knobs)
    total = np.asarray(found.total)
    fit: Any = shares(knobs, rows.second)  # type: ignore[arg-type]
    return np.asarray(energy_drawn(found, fit)) / total / rows.share, total / rows.time


def fitted(rows: Rows) -> dict[str, float]:
    """Knobs of some rows: soft-L1 of the logs of power and time, and of how far knobs are from their first guess."""

    def residual(point: Array) -> Array:
        power, time = ratios(rows, values(point))
        drawn = np.log(np.minimum(np.maximum(power * rows.share, 0.05), 1.0) / rows.share)
        return np.concatenate([drawn / SPREAD, TIME * np.log(time) / SPREAD, (point - START) / WIDTH])

    return values(least_squares(residual, START, loss="soft_l1", f_scale=TURN).x)


def predicted(rows: Rows, knobs: Mapping[str, float]) -> Array:
    """Predicted over measured power of rows, with its bounds. [1]"""
    columns = zip(*(np.broadcast_to(column, len(rows.items)) for column in spent(rows, knobs)), strict=True)
    drawn = [
        share_drawn(Spent(*map(float, line)), shares(knobs, float(second)))
        for line, second in zip(columns, rows.second, strict=True)
    ]
    return np.array(drawn) / rows.share


def half_width(logs: Array, family: NDArray[np.str_]) -> float:
    """Log half-width of an 80% range: quantile 0.8 (1 + 1 / 2n) of absolute log errors over n families that weigh the
    same each. [1] Families are few: conformal prediction of a further one would take 1 + 1 / n, which held more than it
    should (V. Vovk et al. 2005, "Algorithmic learning in a random world")."""
    names, counts = np.unique(family, return_counts=True)
    weight = 1.0 / counts[np.searchsorted(names, family)]
    order = np.argsort(abs(logs))
    place = np.cumsum(weight[order]) / weight.sum()
    return float(np.interp(min(1.0, 0.8 * (1.0 + 0.5 / len(names))), place, abs(logs)[order]))


def ranges(rows: Rows, left: Array, keep: NDArray[np.bool_]) -> dict[str, list[float]]:
    """80% range by chip, over the predicted value, from errors ``left`` (predicted over measured) of rows left out."""
    family, chip = np.array([item.family for item in rows.items]), np.array([item.chip for item in rows.items])
    found = {}
    for name in ["all", *sorted(set(chip.tolist()))]:
        chosen = keep & ((chip == name) | (name == "all"))
        if chosen.any():
            width = half_width(np.log(left[chosen]), family[chosen])
            found[name] = [round(math.exp(-width), 4), round(math.exp(width), 4)]
    return found


def told(knobs: Mapping[str, float]) -> dict[str, Any]:
    """A fit as it is written down."""
    return {
        "coefficients": common.rounded(shares(knobs)._asdict()),
        "busy": {SECOND: round(knobs[SECOND], 3)},
        "pace": common.rounded(pace(knobs)._asdict()),
        "prompts": {name: round(value) for name, value in prompts(knobs).items()},
    }


def unshared(knobs: Mapping[str, float]) -> dict[str, float]:
    """Knobs without what was learnt of shared hosts: nothing is known of those of a chip that was left out."""
    return {name: 0.0 if name.startswith("pace.shared") else value for name, value in knobs.items()}


def grouped(labels: Sequence[str], ratio: Array) -> dict[str, Any]:
    """Errors by label."""
    names = np.array(labels)
    return {
        name: common.errors(ratio[names == name], np.ones(int((names == name).sum()))) for name in sorted(set(labels))
    }


def left_out(rows: Rows, labels: Sequence[str], shared: bool) -> tuple[Array, dict[str, dict[str, float]]]:
    """Predicted over measured power of each row without its label's rows; the fits."""
    names, ratio, fits = np.array(labels), np.zeros(len(labels)), {}
    for name in sorted(set(labels)):
        knobs = fitted(rows.only(names != name))
        fits[name] = knobs if shared else unshared(knobs)
        ratio[names == name] = predicted(rows.only(names == name), fits[name])
    return ratio, fits


def plain(rows: Rows, labels: Sequence[str]) -> Array:
    """Predicted over measured power of each row without its label's rows, by a regression of log power on logs of the
    sequences and the chips, the chip, experts and formats below 16 bit: what has to be beaten. [1]"""
    names, ratio = np.array(labels), np.zeros(len(labels))
    design = np.array(
        [
            (1.0, math.log(item.seqs), math.log(item.replica.chips), item.chip == "B200", part[0][1] > 0.0, part[0][-1])
            for item, part in zip(rows.items, rows.grid, strict=True)
        ],
        dtype=float,
    )
    for name in sorted(set(labels)):
        left = names == name
        fit = np.linalg.lstsq(design[~left], np.log(rows.share[~left]), rcond=None)[0]
        ratio[left] = np.minimum(1.0, np.exp(design[left] @ fit)) / rows.share[left]
    return ratio


METHOD = """tools/fit/serving_power.py: least squares (soft L1) of log power, with a tenth of the weight log time per
iteration, and of the distance of each knob from its first guess, at once over the shares of the TDP, the pace and hosts
of the runs, and lengths of prompts. Folds leave out a family of models (one architecture of a size, whatever it was
tuned for) or a chip (then nothing is known of its hosts). Ranges by chip: 80% quantile of absolute log errors of
families left out, each weighing the same, widened for a further family; a fold's own range is of the other families'
errors."""


def main() -> None:
    """Write the record."""
    data = common.arguments("serving power")
    outputs = answers(data)
    rows = read(load(), outputs)
    families, chips = [item.family for item in rows.items], [item.chip for item in rows.items]
    ratio, fits = left_out(rows, families, True)
    by_chip, of_chips = left_out(rows, chips, False)
    names, one = np.array(families), np.ones(len(families))
    whole = fitted(rows)
    record = {
        "date": DATE,
        "method": " ".join(METHOD.split()),
        "source": "mlenergy-v3",
        "rows": len(families),
        "input": {path.name: common.digest(data / path) for path in (POWERED, SERVED)},
        **told(whole),
        "ranges": ranges(rows, ratio, one > 0.0),
        "shared": list(SHARED),
        "outputs": outputs,
        "folds": {n: told(fits[n]) | {"ranges": ranges(rows, ratio, names != n)} for n in fits}
        | {n: told(of_chips[n]) for n in of_chips},
        "errors": {
            "in_sample": common.errors(predicted(rows, whole), one),
            "family_left_out": common.errors(ratio, one),
            "regression": common.errors(plain(rows, families), one),
            "tdp": common.errors(1.0 / rows.share, one),
            "by_family": grouped(families, ratio),
            "by_kind": grouped([item.kind for item in rows.items], ratio),
            "by_task": grouped([item.task for item in rows.items], ratio),
            "chip_left_out": grouped(chips, by_chip),
            "chip_left_out_by_kind": grouped([item.kind for item in rows.items], by_chip),
            "time": common.errors(ratios(rows, whole)[1], one),
        },
    }
    common.write("serving_power", record)
    print(
        record["errors"]["in_sample"], record["errors"]["family_left_out"], record["errors"]["chip_left_out"], sep="\n"
    )


if __name__ == "__main__":
    main()
