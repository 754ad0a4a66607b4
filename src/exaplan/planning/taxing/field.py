"""What every chip of the catalogue takes for the work, searched once: layouts depend on neither prices nor dates.

Of all layouts and counts of a chip only those are kept that may be the cheapest at some price, expected or at the upper
end of the range: none other takes fewer paid chip-seconds, less energy and fewer chips, and is done sooner.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from exaplan.answers import Priced, Tried
from exaplan.answers.serving import ServePlan
from exaplan.ask import MOST_CHIPS, Ask
from exaplan.errors import InputError
from exaplan.nouns import Chip, Cluster, Layout
from exaplan.planning.candidates import Candidate, candidate_of, clusters_of, open_counts
from exaplan.planning.drafts import Draft, draft, option_of
from exaplan.planning.offers import Quote
from exaplan.planning.resolving import sized
from exaplan.planning.showing import shown
from exaplan.planning.solving import KEEP, Desk
from exaplan.planning.taxing.question import Question

WIDEST = 16  # counts from the least that the peak rate allows up to this many times as many are searched
MOST = 8 * MOST_CHIPS  # and never more chips than that, unless limits.count says otherwise


@dataclass(frozen=True)
class Row:
    """One layout at one count. bare: its draft without prices."""

    bare: Draft
    joules: float

    @property
    def count(self) -> int:
        """Chips."""
        return self.bare.option.cluster.count


@dataclass(frozen=True)
class Entry(ABC):
    """A chip with its rows, ``fit``: those that meet the deadline."""

    rows: tuple[Row, ...]
    fit: tuple[Row, ...]

    @property
    @abstractmethod
    def cluster(self) -> Cluster:
        """The chip in its usual node, at the place."""

    @property
    def chip(self) -> Chip:
        """The chip."""
        return self.cluster.chip

    @abstractmethod
    def told(self, made: Draft) -> Priced | ServePlan:
        """A draft of the chip as it is shown."""

    @abstractmethod
    def bought(self, row: Row, quotes: Sequence[Quote], asked: Question) -> Draft:
        """A row with what it costs."""


@dataclass(frozen=True)
class Trained(Entry):
    """A chip with its layouts of a training run."""

    candidate: Candidate

    @property
    def cluster(self) -> Cluster:
        """The chip in its usual node, at the place."""
        return self.candidate.setting.cluster

    def told(self, made: Draft) -> Priced:
        """A draft of the chip as it is shown."""
        return shown(self.candidate, made)

    def bought(self, row: Row, quotes: Sequence[Quote], asked: Question) -> Draft:
        """A row with what it costs."""
        item = row.bare
        option = option_of(item.option.cluster, tuple(quotes), self.candidate.parameters)
        return draft(option, item.layout, item.step, item.high, item.memory, item.watts, asked.goal)


@dataclass(frozen=True)
class Field:
    """Every chip that can do the work, by name; refused: those that cannot, with the reason; scored layouts."""

    entries: dict[str, Entry]
    refused: tuple[Tried, ...]
    scored: int


def searched(asked: Question, priced: Callable[[Cluster], bool], wide: set[str]) -> Field:
    """The field of the chips that are ``priced``; ``wide``: those whose counts below the deadline's matter, too, and
    that need no price."""
    desk, entries, refused = Desk(_training(asked), KEEP), dict[str, Entry](), []
    for usual in clusters_of(asked.open, asked.catalog):
        cluster, name = sized(usual, usual.count, asked.site), usual.chip.name
        if name not in wide and not priced(cluster):
            refused.append(Tried(name, cluster.node.name, (), 0, "no price is known"))
            continue
        try:
            candidate = _candidate(asked, cluster)
        except InputError as error:
            refused.append(Tried(name, cluster.node.name, (), 0, error.problem))
            continue
        rows = tuple(_rows(asked, desk, candidate, name in wide))
        held = tuple(row for row in rows if row.bare.held <= asked.deadline)
        entries[name] = Trained(front(rows, timed=True), front(held, timed=False), candidate)
    return Field(entries, tuple(refused), desk.scored)


def _training(asked: Question) -> Ask:
    """The work, which is a training run."""
    if not isinstance(asked.open, Ask):
        raise InputError("the work is no training run")
    return asked.open


def _candidate(asked: Question, cluster: Cluster) -> Candidate:
    """A chip at all counts, without prices."""
    ask = _training(asked)
    counts = open_counts(ask, cluster, asked.ask.limits.count or MOST)
    paid: dict[str, tuple[Quote, ...]] = {asked.site.name: ()}
    return candidate_of(ask, asked.catalog, asked.known, cluster, counts, (asked.site,), paid)


def _rows(asked: Question, desk: Desk, candidate: Candidate, wide: bool) -> Iterator[Row]:
    """Every layout that the search keeps at the counts that may be the cheapest."""
    least = candidate.chip_seconds * (asked.goal.steps or 1.0) / asked.deadline
    low, high = least / (WIDEST if wide else 1.0), least * WIDEST
    counts = [n for n in candidate.counts if low <= n <= high]
    power = asked.goal.bounds.power or math.inf
    for found in desk.founds(candidate, counts, 1.0, power):
        cluster = sized(candidate.setting.cluster, found.count, asked.site)
        option = option_of(cluster, (), candidate.parameters)
        seen: set[Layout] = set()
        for layouts, columns in (
            (found.layouts, (found.time, found.high, found.memory, found.power)),
            (found.frugal, (found.frugal_time, found.frugal_high, found.frugal_memory, found.frugal_power)),
        ):
            for layout, step, high_, memory, watt in zip(layouts, *(part.tolist() for part in columns), strict=True):
                if layout in seen:
                    continue
                seen.add(layout)
                watts = None if math.isnan(watt) else watt * found.count
                made = draft(option, layout, step, high_, memory, watts, asked.goal)
                yield Row(made, made.energy or 0.0)


def front(rows: Sequence[Row], timed: bool) -> tuple[Row, ...]:
    """Rows that no other one beats in paid chip-seconds and energy, each expected and at the upper end of the time, and
    in chips, and with ``timed`` in time."""
    if not rows:
        return ()
    table = np.array([_figures(row, timed) for row in rows])
    kept = []
    for index, row in enumerate(table):
        better = (table <= row).all(axis=1)
        same = (table == row).all(axis=1)
        first = int(np.flatnonzero(same)[0])
        if index == first and not (better & ~same).any():
            kept.append(rows[index])
    return tuple(kept)


def _figures(row: Row, timed: bool) -> tuple[float, ...]:
    item, option = row.bare, row.bare.option
    whole, late = option.nodes * option.cluster.node.chips, item.time_high / item.time
    used = (whole * item.time, row.count * item.time, row.joules)
    return (*used, *(late * value for value in used), float(row.count), item.held if timed else 0.0)
