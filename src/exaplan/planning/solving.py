"""The search over chips, counts, layouts, places and offers together: every (chip, count) becomes a Spot of drafts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exaplan.ask import Ask
from exaplan.catalog import tuning
from exaplan.nouns import Cluster, Layout
from exaplan.planning.candidates import Candidate
from exaplan.planning.drafts import SLACK, Draft, Goal, draft, option_of, rank_of
from exaplan.planning.limits import missed
from exaplan.planning.offers import billed, least_cash
from exaplan.planning.pricing import recentred
from exaplan.planning.resolving import Setting, fixed_of, sized
from exaplan.search import MEMORY_MARGIN, Found, search

FRUGAL = ("energy", "carbon")  # objectives that a slower layout of less power may win
KEEP = 4  # layouts kept per chip and count where many counts are searched


@dataclass(frozen=True)
class Spot:
    """One chip type at one count: what the search kept, as drafts, the best that holds every limit first."""

    candidate: Candidate
    found: Found
    drafts: tuple[Draft, ...]
    missed: tuple[str, ...]

    @property
    def best(self) -> Draft:
        """The first draft; only where there is one."""
        return self.drafts[0]

    @property
    def holds(self) -> bool:
        """Whether a layout fits and holds every limit."""
        return bool(self.drafts) and not self.missed


class Desk:
    """Runs searches, remembers what they found, and counts the work: layouts scored, CPU time of their scans [s]."""

    def __init__(self, ask: Ask, keep: int, may_compile: bool = True) -> None:
        self.ask, self.keep, self.may_compile = ask, keep, may_compile
        self.given = ask.whole_layout() is not None
        self.spent = 0.0
        self.scored = 0
        self._known: dict[tuple[int, int, float, float], Found] = {}
        self._held: list[Setting] = []

    def margin(self, candidate: Candidate) -> float:
        """Share of a chip's memory that a layout may fill: one that is given may be too big by the reserve, which is an
        estimate. [ratio]"""
        hw = candidate.setting.case.hardware
        return 1.0 + hw.fragmentation + hw.context / hw.memory if self.given else MEMORY_MARGIN

    def founds(self, candidate: Candidate, counts: Sequence[int], room: float, power: float) -> list[Found]:
        """What the search keeps of a candidate at each count; ``room``: times the memory that a plan fills. Candidates
        of one setting share it: layouts do not depend on prices."""
        self._held.append(candidate.setting)  # its id stays its own
        keys = {count: (id(candidate.setting), count, room, power) for count in counts}
        new = [count for count in counts if keys[count] not in self._known]
        if new:
            found = search(
                candidate.setting.case,
                new,
                fixed_of(self.ask),
                keep=self.keep,
                room=self.margin(candidate) * room,
                power=power,
                may_compile=self.may_compile,
            )
            self.spent += sum(item.spent for item in found)
            self.scored += sum(item.considered for item in found)
            self._known |= {keys[item.count]: item for item in found}
        return [self._known[keys[count]] for count in counts]


def solve(
    desk: Desk,
    tried: Sequence[Candidate],
    goal: Goal,
    *,
    room: float = 1.0,
    skip: bool = True,
    hot: bool = False,
    only: dict[int, set[int]] | None = None,
) -> list[Spot]:
    """A Spot for every candidate and count.

    ``skip`` leaves out counts that a bound rules out; ``hot`` keeps layouts beyond the power limit; ``only``: index of
    a candidate -> counts to try.
    """
    spots = []
    for index, candidate in enumerate(tried):
        counts = [n for n in candidate.counts if only is None or n in only.get(index, ())]
        if skip and not candidate.fixed:
            counts = [n for n in counts if possible(candidate, n, goal)]
        power = math.inf if goal.bounds.power is None or hot else goal.bounds.power * SLACK
        spots += [spot(candidate, found, goal) for found in desk.founds(candidate, counts, room, power)]
    return spots


def spot(candidate: Candidate, found: Found, goal: Goal) -> Spot:
    """The drafts of one count over all places, best first: those that hold the limits before those that miss some."""
    clusters = (sized(candidate.setting.cluster, found.count, site) for site in candidate.sites)
    items = [item for cluster in clusters for item in _drafts(candidate, found, cluster, goal)]
    broken = {id(item): missed(item, goal.bounds) for item in items}
    items.sort(key=lambda item: (len(broken[id(item)]), rank_of(item, goal)))
    return Spot(candidate, found, tuple(items), broken[id(items[0])] if items else ())


def _drafts(candidate: Candidate, found: Found, cluster: Cluster, goal: Goal) -> Iterator[Draft]:
    option = option_of(cluster, candidate.quotes[cluster.site.name], candidate.parameters)
    pue = cluster.site.pue / candidate.setting.cluster.site.pue
    for layout, step, high, memory, power in _kept(candidate, found, goal):
        watts = None if math.isnan(power) else power * pue * found.count
        yield draft(option, layout, step, high, memory, watts, goal)


def _kept(candidate: Candidate, found: Found, goal: Goal) -> Iterator[tuple[Layout, float, float, float, float]]:
    """(layout, step time, its upper end, memory, power per chip) of what was kept, recentred on a measurement."""
    setting = candidate.setting
    observed = setting.ask.observed.step_time is not None
    rows = list(_rows(found.layouts, found.time, found.high, found.memory, found.power))
    if goal.objective in FRUGAL or goal.bounds.power is not None or candidate.own:
        seen = set(found.layouts)
        more = (found.frugal_time, found.frugal_high, found.frugal_memory, found.frugal_power)
        rows += [row for row in _rows(found.frugal, *more) if row[0] not in seen]
    for layout, step, high, memory, power in rows:
        if observed:
            step, (_, high) = recentred(setting, layout, step)
        yield layout, step, high, memory, power


def _rows(
    layouts: Sequence[Layout], *columns: NDArray[np.float64]
) -> Iterator[tuple[Layout, float, float, float, float]]:
    time, high, memory, power = (column.tolist() for column in columns)
    return zip(layouts, time, high, memory, power, strict=True)


# ---------------------------------------------------------------------------------------------------- bounds


def possible(candidate: Candidate, count: int, goal: Goal) -> bool:
    """False where even the peak rate misses a deadline or budget, or even idle chips draw more than the power limit."""
    setting, bounds = candidate.setting, goal.bounds
    if bounds.power is not None and _least_power(setting) * count > bounds.power:
        return False
    if goal.steps is None or setting.ask.observed.step_time is not None:
        return True
    time = candidate.chip_seconds * goal.steps / count
    if bounds.deadline is not None and time > bounds.deadline:
        return False
    return bounds.money is None or _least_cash(candidate, count, time) <= bounds.money


def _least_cash(candidate: Candidate, count: int, time: float) -> float:
    """Cash of the cheapest offer for a run at the peak rate, without electricity: a lower bound. [USD]"""
    cluster = candidate.setting.cluster
    nodes = -(-count // cluster.node.chips)
    whole = sized(cluster, count)
    paid = ((quote, billed(quote, whole, nodes)) for found in candidate.quotes.values() for quote in found)
    return min((chips * least_cash(quote, time) for quote, chips in paid), default=0.0)


def _least_power(setting: Setting) -> float:
    """What an idle chip draws at the meter at the place of least PUE; 0 where its rating is unknown. [W]"""
    tdp = setting.cluster.chip.power or 0.0
    idle = float(tuning.yaml_data("fits/power.yaml")["coefficients"]["idle"])
    return setting.cluster.site.pue * idle * tdp


def merged(spots: Sequence[Spot]) -> dict[str, int]:
    """Rejected layouts by reason, over all searches."""
    total: Counter[str] = Counter()
    for item in spots:
        total.update(item.found.rejected)
    return {reason: number for reason, number in total.items() if number}
