"""What the verbs give back, as frozen dataclasses: plain values in SI and USD. ``report/`` shows them.

They are filled by ``planning`` and ``truth`` and read by ``report/``; nobody writes into them after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from exaplan.nouns import Chip, Cluster, Estimate, Model, Node


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Priced:
    """One layout with what the whole work takes; None = unknown or not asked (no tokens, no price).

    nodes [count], time [s, whole run, restarts included], cost [USD], energy [J, wall: with PUE], carbon [kg CO2e],
    goodput [ratio: useful time over time]. ranges: name of a figure -> (low, high), the 80% interval; names are
    those of the JSON (time, cost, energy, carbon, memory, step_time, mfu, goodput). price_source: id of the source.
    """

    estimate: Estimate
    nodes: int
    time: float | None = None
    cost: float | None = None
    energy: float | None = None
    carbon: float | None = None
    goodput: float | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=_nothing)
    price_source: str = ""


@dataclass(frozen=True, slots=True)
class Relief:
    """What loosening one limit by one step is worth: the objective [SI or USD] re-solved."""

    limit: str
    step: str
    before: float
    after: float


@dataclass(frozen=True)
class Answer:
    """The answer of ``plan`` or ``estimate``: the best layouts first, and how they were chosen.

    kind: training. ask: the resolved question, defaults filled in. count [chips]. binding: names of the limits that
    hold the best plan back. rejected: reason -> layouts. considered [layouts]. rate [layouts/s] (None: not measured).
    defaults: "field = value" for what the ask left out. inputs: term -> {name: value} that its formula was given.
    provenance: what the verb adds to the provenance that ``report`` collects (fits used, correction, draws).
    """

    kind: str
    ask: Mapping[str, Any]
    model: Model
    chip: Chip
    node: Node
    cluster: Cluster
    count: int
    estimates: tuple[Priced, ...]
    binding: tuple[str, ...] = ()
    relief: tuple[Relief, ...] = ()
    rejected: Mapping[str, int] = field(default_factory=_nothing)
    considered: int = 1
    rate: float | None = None
    assumptions: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=_nothing)
    provenance: Mapping[str, Any] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Scored:
    """One published run beside its prediction, in SI; error = predicted / measured - 1; low, high: 80% interval.

    scored: whether the row counts in the summary (a row whose layout had to be chosen does not).
    """

    row_id: str
    quantity: str
    predicted: float
    measured: float
    error: float
    low: float
    high: float
    source: str = ""
    scored: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """How far n predictions are from measurements.

    Errors are ratios; bias is the median of error; coverage is the share of measurements inside the 80% interval;
    winkler is the mean interval score of log(measured), lower is better.
    """

    n: int
    median_abs_error: float
    mean_abs_error: float
    bias: float
    coverage: float
    winkler: float


@dataclass(frozen=True)
class Validation:
    """Predictions against published runs.

    summary: quantity -> Score; by_source: source -> Score; groups: name of a grouping (chip family, model family,
    precision...) -> group -> Score. skipped: (row id or line, reason). notes: what was chosen for blank fields.
    """

    rows: tuple[Scored, ...]
    summary: Mapping[str, Score]
    by_source: Mapping[str, Score] = field(default_factory=_nothing)
    groups: Mapping[str, Mapping[str, Score]] = field(default_factory=_nothing)
    skipped: tuple[tuple[str, str], ...] = ()
    publishers_mean: Mapping[str, float] = field(default_factory=_nothing)
    notes: tuple[str, ...] = ()
    input_hash: str = ""
