"""The search of a question: every chip type is looked at, the best few copies of each are sized by simulation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from exaplan.nouns.serving import Promise
from exaplan.planning.drafts import Goal
from exaplan.planning.serving import apart
from exaplan.planning.serving.copies import Copy, Shop
from exaplan.planning.serving.doubt import margin_of
from exaplan.planning.serving.kinds import Kind
from exaplan.planning.serving.layouts import near
from exaplan.planning.serving.looking import KEEP, Looked, best_few, least_of, looked, others
from exaplan.planning.serving.paying import Drafted, drafted, rank_of, value_of
from exaplan.planning.serving.question import Question
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.sizing import Held, Sizer
from exaplan.planning.serving.trials import QUICK, Bench

FAR = 3.0  # times the best guess from which a chip type is not simulated
TIMES = 4  # the first number of copies from which on a copy is given up: others do with less
ALIKE = 0.02  # difference of the objective that is none
NEAR = 1.5  # and a further copy of the same chip type


@dataclass(frozen=True, eq=False)
class Spot:
    """A chip type: what the quick look left, best guess first, and what was sized of it, best first."""

    kind: Kind
    looked: tuple[Looked, ...]
    drafts: tuple[Drafted, ...]
    failed: tuple[Held, ...] = ()

    @property
    def holding(self) -> tuple[Drafted, ...]:
        """Deployments that keep every promise and limit."""
        return tuple(item for item in self.drafts if item.held.holds and not item.missed)


class Desk:
    """What a question is worked out with: copies, simulations, and the CPU time of it [s].

    keep: copies of a chip type that are simulated; requests: of each run of the search.
    """

    def __init__(self, asked: Question, keep: int = KEEP, requests: int = QUICK) -> None:
        self.asked, self.keep, self.requests = asked, keep, requests
        self.shop = Shop(asked)
        self.bench = Bench(asked)
        self.began = time.process_time()
        self._looks: dict[tuple[object, ...], list[Looked]] = {}

    @property
    def spent(self) -> float:
        """CPU time since it was opened. [s]"""
        return time.process_time() - self.began

    def looks(self, kind: Kind, promise: Promise) -> list[Looked]:
        """The quick look at a chip type, once."""
        key = (id(kind), promise, self.shop.room)
        if key not in self._looks:
            self._looks[key] = looked(self.asked, self.shop, kind, promise)
        return self._looks[key]


def solve(desk: Desk, tried: Sequence[Kind], promise: Promise, goal: Goal) -> list[Spot]:
    """A Spot for every chip type."""
    asked = replace(desk.asked, goal=goal, promise=promise)
    looks = [(kind, desk.looks(kind, promise)) for kind in tried]
    looks.sort(key=lambda pair: least_of(pair[1]))
    best = math.inf
    spots = []
    for kind, found in looks:
        close = len(tried) <= 6 or least_of(found) <= FAR * best
        spots.append(_spot(desk, asked, kind, found if close else [], found, promise))
        values = [value_of(item, goal) for item in spots[-1].holding]
        known = [value / _period(asked) for value in values if value is not None and value > 0.0]
        best = min([best, *known]) if goal.objective in ("cost", "chips") else min(best, least_of(found))
    return spots


def _period(asked: Question) -> float:
    return asked.period if asked.goal.objective == "cost" else 1.0


def _spot(desk: Desk, asked: Question, kind: Kind, close: list[Looked], found: list[Looked], promise: Promise) -> Spot:
    """A chip type whose most promising deployments are simulated; ``close`` is empty where none is."""
    sizer = Sizer(desk.bench, promise, desk.requests)
    if asked.ask.work.disaggregated:
        tested = list(apart.deployments(desk.shop, sizer, kind)) if close else []
    else:
        tested = _tested(desk, asked, sizer, close)
    drafts = [drafted(asked, held) for held in tested if held.holds]
    drafts.sort(key=lambda item: (len(item.missed), *rank_of(item, asked.goal)))
    return Spot(kind, tuple(found), tuple(drafts), tuple(held for held in tested if not held.holds))


def _tested(desk: Desk, asked: Question, sizer: Sizer, close: list[Looked]) -> list[Held]:
    """The most promising deployments, simulated; then further cuts that may do with fewer chips than all before them,
    since the quick look is not hopeful of all cuts alike."""
    first = _promising(close, desk.keep)
    tested = [held for item in first if (held := size(asked, sizer, item))]
    if asked.open_load or asked.ask.layout.replicas is not None or asked.ask.autoscale() is not None:
        return tested
    for item in others(close, first)[: desk.keep]:
        least = min((held.setup.chips for held in tested if held.holds), default=item.copy.kind.most + 1)
        hopeful = max(item.copy.chips, item.chips / margin_of(item.copy, asked.upper).slow)
        if not item.copy.kind.fixed and hopeful < least:
            held = size(asked, sizer, item, least - 1)
            tested += [held] if held else []
    return tested


def _promising(found: list[Looked], keep: int) -> list[Looked]:
    """The first few, none much dearer than the first by the quick look."""
    return [item for item in best_few(found, keep) if item.guess <= NEAR * found[0].guess]


def size(asked: Question, sizer: Sizer, item: Looked, chips: int | None = None) -> Held | None:
    """The fewest copies that keep the promise, on so many chips at most; the given number of them where the ask or the
    chips say it."""
    copy, margin = item.copy, margin_of(item.copy, asked.upper)
    most, scaled = (chips or copy.kind.most) // copy.chips, asked.ask.autoscale()
    if scaled is not None:
        return sizer.tested(Setup(copy, min(most, scaled.most)), margin)
    if asked.open_load:
        return greatest(asked, sizer, item)
    if asked.ask.layout.replicas is not None or copy.kind.fixed:
        return sizer.tested(Setup(copy, item.first), margin)
    return sizer.fewest(copy, margin, min(item.first, most), min(most, TIMES * item.first + TIMES))


def greatest(asked: Question, sizer: Sizer, item: Looked) -> Held | None:
    """A number of copies at the greatest rate that keeps the promise."""
    copy, margin = item.copy, margin_of(item.copy, asked.upper)
    copies = item.first if not asked.open_load else _copies(asked, copy)
    return sizer.greatest(Setup(copy, copies), margin, copies * item.point.rate)


def _copies(asked: Question, copy: Copy) -> int:
    """Copies where no load is asked: as many as given, or as one node holds."""
    if asked.ask.layout.replicas is not None:
        return asked.ask.layout.replicas
    chips = copy.kind.most if copy.kind.fixed or asked.ask.limits.count else near(copy.kind.cluster)
    return max(1, min(chips, copy.kind.most) // copy.chips)


def holding(spots: Sequence[Spot], goal: Goal) -> list[Drafted]:
    """Deployments that keep everything, best first."""
    return preferred([item for spot in spots for item in spot.holding], goal)


def preferred(items: Sequence[Drafted], goal: Goal) -> list[Drafted]:
    """Deployments in the order of the objective; of those that come within 2% of the best figure, less than any
    prediction tells apart, the one whose answers are done first is put in front."""
    found = sorted(items, key=lambda item: rank_of(item, goal))
    top = value_of(found[0], goal) if found else None
    if top is None:
        return found
    alike = [item for item in found if (value := value_of(item, goal)) is not None and value <= top + ALIKE * abs(top)]
    first = min(alike, key=lambda item: item.held.run.latency.mean)
    return [first, *(item for item in found if item is not first)]


def best_of(spots: Sequence[Spot], goal: Goal) -> Drafted | None:
    """The best deployment; None where none keeps everything."""
    return next(iter(holding(spots, goal)), None)
