"""The quick look at every copy of a chip type: how many of them an ask may need, and what that may cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from exaplan.nouns.serving import Promise
from exaplan.planning.serving.copies import Copy, Shop
from exaplan.planning.serving.doubt import centre_of, margin_of
from exaplan.planning.serving.kinds import Kind
from exaplan.planning.serving.question import Question
from exaplan.planning.serving.screening import Point, users
from exaplan.planning.serving.sizing import bound_of

KEEP = 4  # copies of a chip type that are put to the test
TUNED, WIDE = 6, 1.2  # cuts whose engine is tuned: about so many of the best, and those near them
PER_CUT = 2  # settings of one cut among them


class Looked(NamedTuple):
    """A copy with the point of its greatest load, the copies that the ask may need, and what they may cost by the
    objective (USD/s, chips, W; where the chips or the load are open to each other, per request/s): a guess, good for
    ranking alone."""

    copy: Copy
    point: Point
    first: int
    guess: float

    @property
    def chips(self) -> int:
        """Chips of so many copies."""
        return self.first * self.copy.chips


def looked(asked: Question, shop: Shop, kind: Kind, promise: Promise) -> list[Looked]:
    """The copies of a chip type that may keep the promise, the cheapest guess first."""
    own = [(copy, look(asked, copy, promise)) for copy in shop.copies(kind)]
    first = sorted(item.guess for _, item in own if item)
    near = WIDE * first[min(TUNED, len(first)) - 1] if first else math.inf
    found = []
    for copy, item in own:
        found += [item] if item else []
        if item is None or item.guess <= near:
            found += [more for other in shop.tuned(copy) if (more := look(asked, other, promise))]
    return sorted(found, key=lambda item: (item.guess, item.copy.chips, -item.point.rate))


def look(asked: Question, copy: Copy, promise: Promise) -> Looked | None:
    """One copy; None where even one request alone breaks the promise."""
    margin = margin_of(copy, asked.upper)
    bound = bound_of(promise, margin)
    point = copy.greatest(bound._replace(ttft=bound.ttft / centre_of(copy)))
    if point is None:
        return None
    first = copies_for(asked, copy, point)
    whole = first * copy.chips * unit(asked, copy.kind)
    by_rate = asked.open_load or copy.kind.fixed or asked.ask.layout.replicas is not None
    return Looked(copy, point, first, whole / (first * point.rate) if by_rate else whole)


def copies_for(asked: Question, copy: Copy, point: Point) -> int:
    """Copies that the asked load may need at such a load of each."""
    traffic = asked.seen
    scaled = asked.ask.autoscale()
    if asked.ask.layout.replicas is not None or scaled is not None:
        return asked.ask.layout.replicas or (scaled.most if scaled else 1)
    if copy.kind.fixed:
        return max(1, copy.kind.most // copy.chips)
    if traffic.users is not None:
        whole, each = float(traffic.users), users(point, copy.demand.output, traffic.think)
    else:
        whole, each = traffic.rate or 0.0, point.rate
    return max(1, math.ceil(whole / each * (1.0 - 1e-9))) if each > 0.0 else 1


def unit(asked: Question, kind: Kind) -> float:
    """What a chip may take of the objective: USD/s, W, or one chip."""
    objective = asked.goal.objective
    if objective in ("energy", "carbon"):
        return kind.chip.power or math.inf
    return (per_second(kind) or 1.0) if objective == "cost" else 1.0


def per_second(kind: Kind) -> float | None:
    """What a chip costs at the cheapest offer, electricity at its full rating with it. [USD/s]; None = unknown."""
    site = kind.cluster.site
    grid = (kind.chip.power or 0.0) * site.pue * site.electricity
    rates = [quote.rate + (grid if quote.electric else 0.0) for found in kind.quotes.values() for quote in found]
    return min(rates, default=None)


def best_few(found: Sequence[Looked], keep: int = KEEP) -> list[Looked]:
    """The first of a list, no cut more often than twice."""
    seen: Counter[object] = Counter()
    out: list[Looked] = []
    for item in found:
        if len(out) < keep and seen[item.copy.replica] < PER_CUT:
            seen[item.copy.replica] += 1
            out.append(item)
    return out


def others(found: Sequence[Looked], few: Sequence[Looked]) -> list[Looked]:
    """The first of each cut that is not among a few."""
    known = {item.copy.replica for item in few}
    out: list[Looked] = []
    for item in found:
        if item.copy.replica not in known:
            known.add(item.copy.replica)
            out.append(item)
    return out


def least_of(found: Iterable[Looked]) -> float:
    """The cheapest guess; inf where there is none."""
    return min((item.guess for item in found), default=math.inf)
