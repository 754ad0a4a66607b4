"""Which deployments are shown, each confirmed by a longer run, and why each other chip type is not among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from exaplan.answers import Tried
from exaplan.planning.choosing import PER_CHIP
from exaplan.planning.drafts import Goal
from exaplan.planning.limits import excess, given, told
from exaplan.planning.serving.doubt import margin_of
from exaplan.planning.serving.looking import unit
from exaplan.planning.serving.paying import Drafted, drafted
from exaplan.planning.serving.relief import shown_value
from exaplan.planning.serving.sizing import Sizer
from exaplan.planning.serving.solving import Desk, Spot, preferred

LONGEST = 20_000  # requests of a run that confirms a deployment, at most
MORE = 4  # copies that a longer run may add


def choose(found: Sequence[Drafted], top: int) -> list[Drafted]:
    """The first ``top``, two of a chip type before a third."""
    top, found = max(1, top), _distinct(found)
    seen: Counter[str] = Counter()
    first: list[Drafted] = []
    for item in found:
        if len(first) < top and seen[item.kind.name] < PER_CHIP:
            seen[item.kind.name] += 1
            first.append(item)
    rest = [item for item in found if item not in first]
    return sorted([*first, *rest[: top - len(first)]], key=found.index)


def _distinct(found: Sequence[Drafted]) -> list[Drafted]:
    """The first of each cut and number of copies, whatever the settings of the engine."""
    known: dict[tuple[object, ...], Drafted] = {}
    for item in found:
        setup = item.setup
        known.setdefault((item.kind.name, setup.copy.replica, setup.prefill and setup.prefill.replica), item)
    return list(known.values())


def confirmed(desk: Desk, chosen: Sequence[Drafted]) -> list[Drafted]:
    """The deployments by a run of as many requests as are asked; one that fails then gets further copies, or goes."""
    out = [item for one in chosen if (item := _confirmed(desk, one))]
    return preferred(out, desk.asked.goal)


def _confirmed(desk: Desk, item: Drafted) -> Drafted | None:
    asked, setup = desk.asked, item.setup
    requests = min(LONGEST, asked.ask.work.requests)
    rate = item.held.run.throughput["requests"] if asked.open_load else None
    sizer, margin = Sizer(desk.bench, asked.promise), margin_of(setup.copy, asked.upper)
    for more in range(MORE):
        now = replace(setup, replicas=setup.replicas + more)
        if now.chips > setup.copy.kind.most:
            return None
        held = sizer.tested(now, margin, requests, item.held.rate)
        if held.holds:
            made = drafted(asked, held)
            return None if made.missed else made
        if rate is not None or asked.ask.layout.replicas is not None or setup.copy.kind.fixed:
            return item  # the number of copies is given: the shorter run stands
    return None


def verdicts(desk: Desk, spots: Sequence[Spot], shown: Sequence[Drafted]) -> tuple[Tried, ...]:
    """A Tried for every chip type."""
    names = {item.kind.name for item in shown}
    out = []
    for spot in spots:
        counts = tuple(sorted({item.cluster.count for item in spot.drafts}))
        reason = "" if spot.kind.name in names else why(desk, spot, shown[0])
        out.append(
            Tried(spot.kind.name, spot.kind.cluster.node.name, counts, desk.shop.by_kind[spot.kind.name], reason)
        )
    return tuple(out)


def why(desk: Desk, spot: Spot, best: Drafted) -> str:
    """Why no deployment of a chip type is among the plans."""
    goal = desk.asked.goal
    if spot.holding:
        return _behind(spot.holding[0], best, goal)
    if spot.drafts:
        item = min(spot.drafts, key=lambda one: max(excess(one.made, name, goal.bounds) for name in given(goal.bounds)))
        worst = max(given(goal.bounds), key=lambda name: excess(item.made, name, goal.bounds))
        return f"misses {worst}: {told(item.made, worst, goal)} at the nearest, {item.cluster.count:,} chips"
    if not desk.shop.copies(spot.kind):
        return desk.shop.reasons.get(spot.kind.name, "the model does not fit its memory")
    if spot.failed:
        worst = max(spot.failed[0].excess, key=lambda name: spot.failed[0].excess[name], default="throughput")
        return f"misses the promise of {worst} on the chips that are to be had"
    if not spot.looked:
        return "not even one request at a time keeps the promise"
    ratio = spot.looked[0].guess / (best.setup.chips * unit(desk.asked, best.kind))
    return f"about {ratio:.2g} times the {_word(goal)} by the quick look, not simulated"


def _behind(mine: Drafted, best: Drafted, goal: Goal) -> str:
    """By how much the best of a chip type is worse than the best plan."""
    own, first = shown_value(mine, goal), shown_value(best, goal)
    if not first:
        return "its figure of the objective is unknown"
    if goal.objective == "throughput":
        return f"{own / first:.0%} of the throughput"
    return f"{own / first:.3g} times the {_word(goal)}"


def _word(goal: Goal) -> str:
    return goal.objective
