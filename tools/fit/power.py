"""Fit power: python tools/fit/power.py --data ../shared/data  ->  data/fits/power.yaml.

The chip's shares of its TDP come from power that was measured on chips alone, never on the training rows that are
scored: products (GEMM table, with power), generation of images and video on one GPU against several (serving rows).
What a node draws beside its chips comes from training rows, fitted again without each submitter's machines, and from
one published node. How much a timed run works beside its steps comes from published times to train, not from power.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import common
import numpy as np
import pandas as pd
from scipy.stats import t as student

from exaplan.catalog import Catalog, load
from exaplan.catalog.cooling import AIR, LIQUID, cooling
from exaplan.perf.power import PowerFit
from exaplan.truth import RUNS, fold_of
from exaplan.truth.metering import COLUMNS, Metered, lora_runs, metered, power_reason
from exaplan.truth.powering import Ran, average, ran
from exaplan.truth.reading import number, read_rows

GEMM, RUN_POWER = Path("kernels") / "gemm_aiconfigurator.csv.gz", Path("runs") / "power.csv"
PEAKS = {"bfloat16": ("bf16", 2.0), "fp8": ("fp8", 1.0), "fp8_block": ("fp8", 1.0), "nvfp4": ("nvfp4", 0.5625)}
TDP = {"H100": 700.0, "B200": 1000.0}  # W, as in data/chips
LONG, SHORT = 1e-3, 1e-4  # s: products that a power meter sees whole; those that still fill the memory bus
REST = 0.1  # share of the TDP at rest without a job: 60 to 75 W of 700 W
# Latif, Newkirk et al., arXiv:2412.08602: 8.4 kW at most at the node's input, eight H100 near full utilisation.
PUBLISHED = {"watts": 8400.0, "chips": 8.0, "tdp": 700.0, "rated": 10200.0}
PUBLISHED_BY = "latif-h100-node"
SUPPLY = 0.96  # 80 PLUS Titanium at half load, 230 V


def products(data: Path) -> pd.DataFrame:
    """Products with measured power: share of the power limit, of the peak and of the bandwidth, and seconds."""
    frame = pd.read_csv(data / GEMM)
    frame = frame[frame.power_w.notna() & (frame.latency_ms > 0)].copy()
    chip = frame.system.map(common.CHIPS)
    peak = [c.peak[PEAKS[d][0]] for c, d in zip(chip, frame.dtype, strict=True)]
    size = frame.dtype.map({name: width for name, (_, width) in PEAKS.items()})
    frame["seconds"] = frame.latency_ms / 1e3
    frame["share"] = frame.power_w / frame.power_limit_w
    frame["busy"] = 2.0 * frame.m * frame.n * frame.k / frame.seconds / peak
    moved = size * (frame.m * frame.k + frame.n * frame.k) + 2.0 * frame.m * frame.n
    frame["bus"] = moved / frame.seconds / np.array([c.bandwidth for c in chip])
    return frame


def of_products(frame: pd.DataFrame) -> tuple[dict[str, float], dict[str, Any]]:
    """Shares of the TDP in matrix work, memory-bound work and waiting: mean over chips of the median (waiting: the 5%
    quantile) of their products; and rows and shares by chip."""
    parts = {
        "product": frame[(frame.busy >= 0.5) & (frame.seconds >= LONG)],
        "memory": frame[(frame.busy <= 0.2) & (frame.bus >= 0.5) & (frame.seconds >= SHORT)],
        "waiting": frame,
    }
    quantile = {"product": 0.5, "memory": 0.5, "waiting": 0.05}
    chips = {name: part.groupby("system").share.quantile(quantile[name]) for name, part in parts.items()}
    shares = {name: float(found.mean()) for name, found in chips.items()}
    told = {
        name: {"rows": len(parts[name]), "by_chip": {k: round(float(v), 3) for k, v in found.items()}}
        for name, found in chips.items()
    }
    return shares, told


def generation(data: Path) -> pd.DataFrame:
    """The same generation work on several GPUs and on one: work (share of the time that one GPU would need) and power
    as shares of the TDP."""
    frame = pd.read_csv(data / RUN_POWER)
    frame = frame[(frame.kind == "gpu-average-power-serving") & frame.qa.isna()].copy()
    frame = frame[frame.scenario.str.contains("batch", na=False)]
    frame["rate"] = frame.notes.str.extract(r"throughput ([\d.e+-]+)/s").astype(float)
    frame["key"] = frame.model + "|" + frame.chip + "|" + frame.scenario
    frame["share"] = frame.value_per_chip / frame.chip.map(TDP)
    one = frame[frame.n_chips == 1].groupby("key").agg(rate_one=("rate", "median"), share_one=("share", "median"))
    many = frame[frame.n_chips > 1].merge(one, on="key")
    many["work"] = many.rate / (many.n_chips * many.rate_one)
    return many[many.work <= 1.0]


def traffic_of(frame: pd.DataFrame) -> float:
    """Share of the TDP while GPUs exchange data: mean over chips of the least-squares slope of what work leaves."""
    found = []
    for _, part in frame.groupby("chip"):
        idle, left = 1.0 - part.work, part.share - part.work * part.share_one
        found.append(float((idle * left).sum() / (idle**2).sum()))
    return float(np.mean(found))


def traffic_errors(frame: pd.DataFrame) -> dict[str, Any]:
    """Error of that share on each model's rows when it was fitted without them."""
    predicted = pd.Series(0.0, index=frame.index)
    for model, part in frame.groupby("model"):
        share = traffic_of(frame[frame.model != model])
        predicted[part.index] = part.work * part.share_one + (1.0 - part.work) * share
    return common.errors(predicted.to_numpy(), frame.share.to_numpy())


def evaluation() -> tuple[float, int]:
    """What a timed run adds to its steps: median of time to train / (steps x step time) - 1 on one node, and rows."""
    found = []
    for row in lora_runs(read_rows(RUNS)):
        steps = number(row, "samples_to_target") / number(row, "global_batch")
        if number(row, "n_chips") <= 8 and row["minutes_to_train"]:
            found.append(60.0 * number(row, "minutes_to_train") / (steps * number(row, "step_time_s")) - 1.0)
    return float(np.median(found)), len(found)


def beside(shelf: Catalog) -> float:
    """What a node is rated for beside its chips over their TDP: median over nodes of eight that are rated. [1]"""
    found = []
    for node in shelf.nodes.values():
        chip = shelf.chip(node.chip)
        if node.power and chip.power and node.chips == 8:
            found.append(node.power / node.chips / chip.power - 1.0)
    return float(np.median(found))


# ------------------------------------------------------------------------------------------------ nodes


class Row:
    """A measured row with what its run did: ``direct``: the measured power behind the power supplies. [W per chip]"""

    def __init__(self, item: Metered, run: Ran, supply: float) -> None:
        self.item, self.run = item, run
        self.direct = item.measured * (1.0 if item.direct else supply)
        self.cooling = cooling(item.machine)

    def host(self, fit: PowerFit) -> float:
        """Share of the rating beside the chips that the rest of the node drew."""
        rated = self.run.watts.node / self.run.watts.chips - self.run.watts.tdp
        return (self.direct - average(self.run, fit, 0.0, 1.0)) / rated

    def ratio(self, fit: PowerFit, node: Mapping[str, float], kind: str = "") -> float:
        """Predicted over measured; ``kind``: a cooling other than the machine's own."""
        return average(self.run, fit, node[kind or self.cooling], 1.0) / self.direct


def read(data: Path, extra: float) -> list[Row]:
    """The scoring rows, predicted by the training fit that never saw their publisher."""
    shelf, shipped, found = load(), read_rows(RUNS), []
    for row in read_rows(data / RUN_POWER, COLUMNS, "measured power"):
        if not power_reason(row):
            item = metered(row, shipped)
            found.append(Row(item, ran(item, shelf, fold_of(item.donor), extra), SUPPLY))
    return found


def published(fit: PowerFit) -> float:
    """The same share of the published node."""
    chip = PUBLISHED["tdp"] * fit.product
    each = PUBLISHED["watts"] / PUBLISHED["chips"] * SUPPLY
    return float((each - chip) / (PUBLISHED["rated"] / PUBLISHED["chips"] - PUBLISHED["tdp"]))


def hosts(rows: Sequence[Row], fit: PowerFit) -> dict[str, float]:
    """Share by cooling: mean over submitters of the median of their groups; the published node counts as one (air)."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {AIR: {}, LIQUID: {}}
    for row in rows:
        groups = found[row.cooling].setdefault(row.item.submitter, {})
        groups.setdefault(row.item.group, []).append(row.host(fit))
    means = {
        kind: [float(np.median([np.median(g) for g in groups.values()])) for groups in submitters.values()]
        for kind, submitters in found.items()
    }
    means[AIR].append(published(fit))
    return {kind: float(np.mean(values)) for kind, values in means.items()}


def folds(rows: Sequence[Row], fit: PowerFit) -> dict[str, dict[str, float]]:
    """The shares without each submitter's machines."""
    names = sorted({row.item.submitter for row in rows})
    return {name: hosts([row for row in rows if row.item.submitter != name], fit) for name in names}


def by_group(rows: Sequence[Row], values: Sequence[float]) -> dict[str, list[float]]:
    """Values of the rows of each group."""
    found: dict[str, list[float]] = {}
    for row, value in zip(rows, values, strict=True):
        found.setdefault(row.item.group, []).append(value)
    return found


def half_width(groups: Mapping[str, list[float]]) -> float:
    """Log half-width of the 80% interval of one more group: t(0.9; n - 1) sqrt(1 + 1 / n) x root mean square of the log
    errors of n groups, each weighing the same. [1] The interval of a further normal observation from few."""
    count = len(groups)
    square = np.mean([np.mean(np.log(values) ** 2) for values in groups.values()])
    return float(student.ppf(0.9, count - 1) * math.sqrt((1.0 + 1.0 / count) * square))


def ranges(groups: Mapping[str, list[float]]) -> dict[str, Any]:
    """Half-width from all groups, and for each group from the others alone."""
    left = {name: half_width({k: v for k, v in groups.items() if k != name}) for name in groups}
    return {"whole": round(half_width(groups), 4), "groups": {name: round(v, 4) for name, v in left.items()}}


def band(rows: Sequence[Row], fit: PowerFit, node: Mapping[str, float], width: float) -> tuple[float, float]:
    """(low, high) of a plan's power over its value, where the node is a kind of server and not a known machine: the
    width, and below also what liquid cooling saves, in quadrature. [ratio]"""
    saved = [math.log(row.ratio(fit, node, AIR) / row.ratio(fit, node, LIQUID)) for row in rows]
    return math.exp(-math.hypot(width, float(np.mean(saved)))), math.exp(width)


def without(rows: Sequence[Row], fit: PowerFit, left: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Errors of the same rows where the machine's cooling is not known (air), and where every run is all steps."""
    measured = np.ones(len(rows))
    air = [row.ratio(fit, left[row.item.submitter], AIR) for row in rows]
    for row in rows:
        row.run = replace(row.run, busy=1.0)
    steps = [row.ratio(fit, left[row.item.submitter]) for row in rows]
    return {
        "cooling_unknown": common.errors(np.array(air), measured),
        "steps_alone": common.errors(np.array(steps), measured),
    }


def told_of(rows: Sequence[Row], ratios: Sequence[float], widths: Mapping[str, float]) -> dict[str, Any]:
    """Errors of rows predicted without their submitter, over all, by submitter and by group; coverage."""
    whole, measured = np.array(ratios), np.ones(len(rows))
    names = np.array([row.item.submitter for row in rows])
    inside = [abs(math.log(r)) <= widths[row.item.group] for r, row in zip(ratios, rows, strict=True)]
    return {
        "all": common.errors(whole, measured),
        "coverage": round(float(np.mean(inside)), 3),
        "by_submitter": {
            n: common.errors(whole[names == n], measured[names == n]) for n in sorted(set(names.tolist()))
        },
        "by_group": {n: common.errors(np.array(v), np.ones(len(v))) for n, v in sorted(by_group(rows, ratios).items())},
    }


METHOD = """tools/fit/power.py: product, memory, waiting: shares of the power limit in measured matrix products (median
of long products at half the peak and more; of those at half the bandwidth and more with at most a fifth of the peak; 5%
quantile of all), mean over chips; traffic: image and video generation on several GPUs against one, power that its share
of work does not explain; host by cooling: measured nodes less their predicted chips, mean over submitters; evaluation:
published times to train over steps x step time on one node. No share of a chip was fitted on a training row."""


def main() -> None:
    """Write the record."""
    data = common.arguments("power")
    shares, told = of_products(products(data))
    pairs, extra = generation(data), evaluation()
    shares["traffic"] = traffic_of(pairs)
    coefficients = common.rounded({name: {"idle": REST, **shares}[name] for name in PowerFit._fields})
    fit = PowerFit(**coefficients)
    rows = read(data, round(extra[0], 3))
    left = {name: common.rounded(values) for name, values in folds(rows, fit).items()}
    ratios = [row.ratio(fit, left[row.item.submitter]) for row in rows]
    widths = ranges(by_group(rows, ratios))
    node = common.rounded(hosts(rows, fit)) | {"supply": SUPPLY, "beside": round(beside(load()), 3)}
    low, high = band(rows, fit, node, widths["whole"])
    errors = told_of(rows, ratios, widths["groups"])
    record = {
        "date": common.DATE,
        "method": " ".join(METHOD.split()),
        "source": "kernel-table-power",
        "input": {Path(name).name: common.digest(data / name) for name in (GEMM, RUN_POWER)}
        | {RUNS.name: common.digest(RUNS)},
        "coefficients": coefficients,
        "low": round(low, 3),
        "high": round(high, 3),
        "rows": told
        | {"traffic": {"rows": len(pairs), "source": "mlenergy-v3", "left_out_model": traffic_errors(pairs)}},
        "idle": "60 to 75 W of 700 W; own-estimate",
        "node": node,
        "node_sources": {
            "air": ["mlperf-training-power", PUBLISHED_BY],
            "liquid": ["mlperf-training-power"],
            "supply": "80plus-titanium",
            "beside": "vendors' ratings of the nodes of eight in data/nodes",
        },
        "run": {"evaluation": round(extra[0], 3), "rows": extra[1], "of": "MLPerf LoRA runs in data/runs"},
        "folds": left,
        "ranges": widths,
        "errors": errors | without(rows, fit, left),
    }
    common.write("power", record)
    print(errors["all"], "coverage", errors["coverage"])


if __name__ == "__main__":
    main()
