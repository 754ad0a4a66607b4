"""What a run says: percentiles with their confidence, rates, shares, the course of time, and whether it was steady."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from exaplan.answers.serving import Quantiles, Simulated
from exaplan.errors import InputError
from exaplan.nouns.serving import Promise
from exaplan.sim import columns as at
from exaplan.sim.nouns import Result
from exaplan.sim.record import LEAST, STEPS_PER_E
from exaplan.sim.state import Real, State, Whole
from exaplan.sim.trends import grows, half_width, start_up

GROUPS = 16  # of batches, whose means are nearly independent
TAIL = 5  # requests beyond a percentile in each group, for its confidence to tell anything
PERCENTILES = (50.0, 90.0, 95.0, 99.0)
FEW = 100  # requests below which a run has no steady part
FILLED = 0.5  # share of a run that may pass until rates are counted
POINTS = 128  # of the time series in an answer
KINDS: Mapping[str, tuple[int, int, int]] = {
    "ttft": (at.TTFT, at.SUM_TTFT, at.COUNT),
    "tpot": (at.TPOT, at.SUM_TPOT, at.SPACED),
    "latency": (at.LATENCY, at.SUM_LATENCY, at.COUNT),
    "queue": (at.QUEUE, at.SUM_QUEUE, at.COUNT),
}


class Records(NamedTuple):
    """Batches after the start-up: tallies (batches, columns), sketches (batches, kinds, buckets); start-up [s]."""

    tallies: Real
    sketches: Whole
    warm: float


def reals(s: State, column: int, *shape: int) -> Real:
    """The times and sums that begin where ``column`` says, in their own shape."""
    start = int(s.whole[column])
    return s.real[start : start + math.prod(shape)].reshape(shape)


def wholes(s: State, column: int, *shape: int) -> Whole:
    """The counts that begin where ``column`` says, in their own shape."""
    start = int(s.whole[column])
    return s.whole[start : start + math.prod(shape)].reshape(shape)


def records(result: Result) -> Records:
    """What was recorded, without the batches in which the system was still filling."""
    s = result.state
    batches, buckets = int(s.whole[at.BATCHES]), int(s.whole[at.BUCKETS])
    tallies = reals(s, at.TALLIES_AT, batches, at.TALLY_COLUMNS)
    sketches = wholes(s, at.SKETCHES_AT, batches, at.SKETCHES, buckets)
    used = int(np.count_nonzero(tallies[:, at.COUNT]))
    full = int(np.count_nonzero(tallies[:, at.COUNT] >= s.whole[at.BATCH_SIZE]))
    means = tallies[:full, at.SUM_LATENCY] / np.maximum(1.0, tallies[:full, at.COUNT])
    first = start_up(means)
    warm = float(tallies[first - 1, at.UNTIL]) if first > 0 else 0.0
    return Records(tallies[first:used], sketches[first:used], warm)


def middle(bucket: int) -> float:
    """The value that a bucket stands for: its geometric middle. [s]"""
    return 0.0 if bucket == 0 else LEAST * math.exp((bucket - 0.5) / STEPS_PER_E)


def quantile_of(counts: Whole, percentile: float) -> float:
    """Percentile [0-100] of a sketch [s]: the value of rank ceil(p n)."""
    total = int(counts.sum())
    if total == 0:
        return math.nan
    rank = max(1, math.ceil(percentile / 100.0 * total))
    return middle(int(np.searchsorted(np.cumsum(counts), rank)))


def quantile(result: Result, name: str, percentile: float) -> float:
    """Percentile of ttft, tpot, latency or queue [s], after the start-up."""
    return quantile_of(records(result).sketches[:, KINDS[name][0]].sum(axis=0), percentile)


def groups(count: int) -> list[slice]:
    """Batches in groups of equal size, from the end; none where there are too few."""
    size = count // GROUPS
    return [slice(count - (index + 1) * size, count - index * size) for index in range(GROUPS)] if size else []


def errors(kept: Records, name: str) -> dict[str, float]:
    """Half-widths of the 95% confidence intervals of mean and percentiles, from the means of groups of batches."""
    kind, total, count = KINDS[name]
    parts = groups(len(kept.tallies))
    found = {"mean": math.nan} | {f"p{percentile:g}": math.nan for percentile in PERCENTILES}
    sizes = np.array([kept.tallies[part, count].sum() for part in parts])
    if len(parts) < 2 or sizes.min() < 1:
        return found
    found["mean"] = half_width(np.array([kept.tallies[part, total].sum() for part in parts]) / sizes)
    for percentile in PERCENTILES:
        if sizes.min() * (1.0 - percentile / 100.0) >= TAIL:
            values = [quantile_of(kept.sketches[part, kind].sum(axis=0), percentile) for part in parts]
            found[f"p{percentile:g}"] = half_width(np.array(values))
    return found


def quantiles(kept: Records, name: str) -> Quantiles:
    """Mean and percentiles of a quantity, with their confidence."""
    kind, total, count = KINDS[name]
    n = int(kept.tallies[:, count].sum())
    counts = kept.sketches[:, kind].sum(axis=0)
    mean = float(kept.tallies[:, total].sum() / n) if n else math.nan
    return made(n, mean, counts, errors(kept, name))


def made(n: int, mean: float, counts: Whole, wrong: Mapping[str, float]) -> Quantiles:
    """Quantiles from a sketch."""
    p50, p90, p95, p99 = (quantile_of(counts, percentile) for percentile in PERCENTILES)
    largest = middle(int(np.flatnonzero(counts)[-1])) if n else math.nan
    return Quantiles(n, mean, p50, p90, p95, p99, largest, wrong)


class Window(NamedTuple):
    """Integrals and counters over the time from the end of the start-up to the last arrival, and its length [s]."""

    sums: Real
    span: float


def bins(s: State) -> Real:
    """Snapshots of the run, the last one as it ended."""
    rows = reals(s, at.SERIES_AT, int(s.whole[at.BINS]), at.BIN_COLUMNS)
    return rows[: int(s.whole[at.BIN])]


def window(result: Result, kept: Records, stable: bool) -> Window:
    """The steady part of a run; all of it where there is none."""
    s = result.state
    rows = np.vstack((np.zeros((1, at.BIN_COLUMNS)), bins(s), last_snapshot(s)))
    start, end = steady(s, rows, kept) if stable and s.whole[at.FINISHED] >= FEW else (0.0, float(s.real[at.NOW]))
    edges = [[np.interp(time, rows[:, at.B_TIME], column) for column in rows.T] for time in (start, end)]
    return Window(np.array(edges[1]) - np.array(edges[0]), end - start)


def steady(s: State, rows: Real, kept: Records) -> tuple[float, float]:
    """(first, last) time of the steady part [s]: without what drains after the last arrival, unless that is most of it,
    and without the time of a mean request, before which hardly one can be done."""
    end = float(s.real[at.CLOSE])
    done = float(np.interp(end, rows[:, at.B_TIME], rows[:, at.B_FINISHED]))
    if 2.0 * done < s.whole[at.FINISHED]:
        end = float(s.real[at.NOW])
    stay = float(kept.tallies[:, at.SUM_LATENCY].sum() / max(1.0, kept.tallies[:, at.COUNT].sum()))
    return (stay if kept.warm < stay < FILLED * end else kept.warm), end


def last_snapshot(s: State) -> Real:
    """Integrals and counters as the run left them."""
    whole = (at.TOKENS_OUT, at.TOKENS_IN, at.FINISHED, at.ISSUED, at.ITERATIONS, at.STEPS)
    areas = (at.NOW, at.AREA_INSIDE, at.AREA_WAITING, at.AREA_RUNNING, at.AREA_USED, at.AREA_WORKING, at.AREA_ACTIVE)
    return np.array([*(s.real[column] for column in areas), *(float(s.whole[column]) for column in whole)])


def course(result: Result) -> dict[str, tuple[float, ...]]:
    """Time series: what was in the system in each bin, the share of the cache in use, and what it gave a second."""
    s = result.state
    rows = np.vstack((np.zeros((1, at.BIN_COLUMNS)), bins(s), last_snapshot(s)))
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, POINTS + 1).round().astype(int))]
    steps = np.diff(rows, axis=0)
    steps = steps[steps[:, at.B_TIME] > 0.0]
    if not len(steps):
        return {}
    spans = steps[:, at.B_TIME]
    columns = {"queue": at.B_WAITING, "running": at.B_RUNNING, "replicas": at.B_ACTIVE}
    columns |= {"requests": at.B_FINISHED, "arrivals": at.B_ISSUED, "output_tokens": at.B_OUT}
    found = {"time": np.cumsum(spans)} | {name: steps[:, column] / spans for name, column in columns.items()}
    found["kv"] = steps[:, at.B_USED] / spans / max(1.0, float(s.whole[at.CAPACITY]))
    return {name: tuple(float(value) for value in values) for name, values in found.items()}


def is_stable(result: Result) -> bool:
    """Whether the requests in the system stop growing before the last one comes. See ``trends.grows``."""
    s = result.state
    if result.load.users > 0:
        return True
    rows = np.vstack((np.zeros((1, at.BIN_COLUMNS)), bins(s), last_snapshot(s)))
    close = float(s.real[at.CLOSE])
    edges = np.linspace(0.0, close, 41)
    areas = np.interp(edges, rows[:, at.B_TIME], rows[:, at.B_INSIDE])
    arrived = np.interp(edges, rows[:, at.B_TIME], rows[:, at.B_ISSUED])
    if close <= 0.0 or arrived[-1] < FEW:
        return True
    if waited(result) > close:  # the mean request waits for longer than requests come: the snapshots may be too coarse
        return False
    width = edges[1]
    return not grows(np.diff(areas)[20:] / width, float(arrived[-1] - arrived[20]))


def waited(result: Result) -> float:
    """Mean wait in the queue, of all requests. [s]"""
    s = result.state
    tallies = reals(s, at.TALLIES_AT, int(s.whole[at.BATCHES]), at.TALLY_COLUMNS)
    return float(tallies[:, at.SUM_QUEUE].sum() / max(1.0, tallies[:, at.COUNT].sum()))


def little(s: State) -> float:
    """Arrival rate x mean time in the system over the mean number in it; who is still there counts until now."""
    area = float(s.real[at.AREA_INSIDE])
    return (float(s.real[at.STAYS]) + unfinished_stays(s)) / area if area > 0.0 else 1.0


def unfinished_stays(s: State) -> float:
    """Times in the system, so far, of the requests that are still there. [s]"""
    if s.whole[at.INSIDE] == 0:
        return 0.0
    places = np.array(inside(s))
    return float((s.real[at.NOW] - s.real[places + at.ARRIVED]).sum())


def inside(s: State) -> list[int]:
    """Requests in the system when the run was cut off: in queues, in iterations, on their way, at stations."""
    found: set[int] = set()
    heads = [(replica, head) for replica in all_replicas(s) for head in (at.WAIT_HEAD, at.LAND_HEAD)]
    heads += [(station, at.S_HEAD) for station in all_stations(s)]
    for row, head in heads:
        found |= set(chain(s, int(s.whole[row + head]), at.BEHIND))
    for replica in all_replicas(s):
        found |= set(chain(s, int(s.whole[replica + at.RUN_HEAD]), at.NEWER))
    first = int(s.whole[at.EVENTS_AT])
    for event in range(first, first + int(s.whole[at.HEAP]) * at.EVENT_COLUMNS, at.EVENT_COLUMNS):
        if s.whole[event + at.V_KIND] in (at.LOADED, at.SERVED):
            found.add(int(s.whole[event + at.V_WHO]))
    return sorted(found)


def chain(s: State, slot: int, link: int) -> list[int]:
    """Requests of a linked list."""
    found = []
    while slot != at.NONE:
        found.append(slot)
        slot = int(s.whole[slot + link])
    return found


def all_replicas(s: State) -> range:
    """Addresses of the replicas."""
    first = int(s.whole[at.REPLICAS_AT])
    return range(first, first + int(s.whole[at.REPLICAS]) * at.REPLICA_COLUMNS, at.REPLICA_COLUMNS)


def all_stations(s: State) -> range:
    """Addresses of the stations."""
    first = int(s.whole[at.STATIONS_AT])
    return range(first, first + int(s.whole[at.STATIONS]) * at.STATION_COLUMNS, at.STATION_COLUMNS)


def by_stage(result: Result) -> dict[str, Quantiles]:
    """Time in each station: wait and service. [s]"""
    s, found = result.state, {}
    for name, row in zip(result.stages, all_stations(s), strict=True):
        n = int(s.real[row + at.V_COUNT])
        counts = wholes(s, row + at.S_SKETCH_AT, int(s.whole[at.BUCKETS]))
        mean = float(s.real[row + at.V_SUM_LATENCY] / n) if n else math.nan
        found[name] = made(n, mean, counts, {})
    return found


def summary(result: Result, promise: Promise | None = None) -> Simulated:
    """A run as an answer. ``promise`` may only be that of the run, which counts the requests that keep it."""
    s, kept = result.state, records(result)
    if promise is not None and promise.given != result.promise.given:
        raise InputError("the run counted another promise", hint="give the promise to sim.run")
    stable = is_stable(result)
    part = window(result, kept, stable)
    span = max(part.span, 1e-12)
    count = float(kept.tallies[:, at.COUNT].sum())
    good = float(kept.tallies[:, at.GOOD].sum()) / count if count else math.nan
    requests = float(part.sums[at.B_FINISHED]) / span
    active = max(float(part.sums[at.B_ACTIVE]), 1e-12)
    tokens_in = max(1, int(s.whole[at.TOKENS_IN]))
    return Simulated(
        requests=int(s.whole[at.FINISHED]),
        duration=float(s.real[at.NOW]),
        warm=kept.warm,
        stable=stable,
        throughput={
            "requests": requests,
            "output_tokens": float(part.sums[at.B_OUT]) / span,
            "total_tokens": float(part.sums[at.B_OUT] + part.sums[at.B_IN]) / span,
        },
        ttft=quantiles(kept, "ttft"),
        tpot=quantiles(kept, "tpot"),
        latency=quantiles(kept, "latency"),
        queue=quantiles(kept, "queue"),
        kv=cache_shares(result, part),
        goodput=requests * good,
        kept=good,
        batch=float(part.sums[at.B_RUNNING]) / max(float(part.sums[at.B_WORKING]), 1e-12),
        busy=float(part.sums[at.B_WORKING]) / active,
        preemptions=int(s.whole[at.PREEMPTIONS]),
        cached=float(s.whole[at.TOKENS_HIT]) / tokens_in,
        little=little(s),
        seed=result.seed,
        refused=refusals(s),
        unfinished=int(s.whole[at.INSIDE]),
        iterations=int(s.whole[at.ITERATIONS]),
        partial=result.partial,
        series=course(result),
        by_stage=by_stage(result),
        replicas=fleet_figures(result, part),
    )


def refusals(s: State) -> dict[str, int]:
    """Requests that can never be served, by reason."""
    found = {"longer than the context": at.REFUSED_CONTEXT, "longer than the KV cache": at.REFUSED_CACHE}
    return {reason: int(s.whole[column]) for reason, column in found.items() if s.whole[column] > 0}


def cache_shares(result: Result, part: Window) -> dict[str, float]:
    """Share of the KV cache that requests use, and what it holds [tokens]."""
    s, pool = result.state, result.fleet.pool
    blocks = float(s.whole[at.CAPACITY])
    if pool is None or blocks == 0.0:
        return {}
    mean = float(part.sums[at.B_USED]) / max(part.span, 1e-12) / blocks
    return {"mean": mean, "peak": float(s.whole[at.PEAK]) / blocks, "tokens": float(pool.policy.kv_tokens)}


def fleet_figures(result: Result, part: Window) -> dict[str, float]:
    """Replicas on [mean], starts and stops; tokens that came from host memory, were sent, or swapped."""
    s = result.state
    names = {"starts": at.STARTS, "stops": at.STOPS, "swaps": at.SWAPS, "tokens_from_host": at.TOKENS_HOST}
    names |= {"tokens_sent": at.TOKENS_SENT, "tokens_computed": at.TOKENS_COMPUTED}
    found = {name: float(s.whole[column]) for name, column in names.items()}
    return {"mean": float(part.sums[at.B_ACTIVE]) / max(part.span, 1e-12)} | found
