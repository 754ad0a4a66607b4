"""What the verbs give back, as frozen dataclasses: plain values in SI and USD. ``report/`` shows them.

They are filled by ``planning`` and ``truth`` and read by ``report/``; nobody writes into them after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from exaplan.nouns import Chip, Cluster, Estimate, Layout, Model, Node, Verdict

SCHEMA_VERSION = 1  # of every JSON document that is written


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Offer:
    """One way to pay for a plan. terms: rent | buy | own (already there: electricity only).

    cost [USD of this run], capital [USD paid up front, 0 for rent], parts: name -> USD of this run, adding up to cost
    (rent; chips, network, electricity ...), low, high: cost over what the price's sources span. source: id, date: ISO
    or a prefix of it, of the price; place: where it was asked. break_even [s of full use after which buying is cheaper
    than renting; None: not a purchase, or no rent is known].
    """

    terms: str
    cost: float
    capital: float = 0.0
    parts: Mapping[str, float] = field(default_factory=_nothing)
    low: float | None = None
    high: float | None = None
    source: str = ""
    date: str = ""
    place: str = ""
    break_even: float | None = None


@dataclass(frozen=True, slots=True)
class Nearest:
    """The published run most like a plan. distance [doublings, root of the sum of squares over what differs].

    differs: name -> (plan's value, run's value). error: prediction of that run over its measurement - 1, by a fit that
    saw no row of its publisher (None: not scored).
    """

    row_id: str
    source: str
    title: str
    distance: float
    differs: Mapping[str, tuple[Any, Any]] = field(default_factory=_nothing)
    error: float | None = None


@dataclass(frozen=True)
class Priced:
    """One layout with what the whole work takes; None = unknown or not asked (no tokens, no price).

    nodes [count], time [s, whole run, restarts included], cost [USD], energy [J, wall: with PUE], carbon [kg CO2e],
    goodput [ratio: useful time over time]. ranges: name of a figure -> (low, high), the 80% interval; names are
    those of the JSON (time, cost, energy, carbon, memory, step_time, mfu, goodput; cost_quoted: of the cost at the
    quoted price, by the time alone). price_source: id of the source.
    cluster: where it runs (None: that of the answer). terms: how it is paid (rent, buy, own; "" = no price is known),
    capital [USD up front], offers: every known way to pay, the taken one first. tokens: of the whole run, given or the
    most that the limits leave room for. nearest: the published run most like it.
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
    cluster: Cluster | None = None
    terms: str = ""
    capital: float | None = None
    offers: tuple[Offer, ...] = ()
    tokens: float | None = None
    nearest: Nearest | None = None


@dataclass(frozen=True)
class Point:
    """The best layout of one chip type at one count, for the front of cost against time (energy, carbon).

    Figures as in Priced; time_high: upper end of its 80% interval; cost_high: the cost at that time and the quoted
    price (what is ranked and held against a budget), cost_top: with what the sources of the price span. missed: names
    of the limits that it breaks (() = it holds them all). front: no other point that holds the limits is better in one
    of time, cost, energy and carbon and at least as good in the rest.
    """

    chip: str
    count: int
    nodes: int
    node: str
    layout: Layout
    time: float | None
    time_high: float | None
    cost: float | None
    cost_high: float | None
    energy: float | None
    carbon: float | None
    step_time: float
    memory: float
    terms: str = ""
    tokens: float | None = None
    missed: tuple[str, ...] = ()
    front: bool = False
    cost_top: float | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one chip type. counts: chips that were searched; considered [layouts]; reason: why none of it is
    among the plans ("" where one is)."""

    chip: str
    node: str
    counts: tuple[int, ...]
    considered: int
    reason: str = ""


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

    kind: training. ask: the resolved question, defaults filled in. chip, node, cluster, count [chips]: of the best
    plan. binding: names of the limits that hold the best plan back. rejected: reason -> layouts. considered [layouts].
    rate [layouts/s of CPU time] (None: not measured). defaults: "field = value" for what the ask left out. inputs: term
    -> {name: value} that its formula was given. provenance: what the verb adds to the provenance that ``report``
    collects (fits used, correction, draws). objective: what was minimised (or tokens, with ``throughput``). searched:
    whether chips or counts were open. front: the best point of every chip type and count. tried: every chip type.
    verdicts: what the export rules say of the chips of the plans, where the ask names a law.
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
    objective: str = "time"
    searched: bool = False
    front: tuple[Point, ...] = ()
    tried: tuple[Tried, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


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
