"""What loosening each limit by one step is worth: the question is searched again with that limit loosened.

A step is 10% of money, power, deadline and memory, twice the chips, the fleet or the batch, and no export rule at all.
The search is done again where it can matter: at the counts near the best plan, and at those that the limit had ruled
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from exaplan import case as cases
from exaplan.answers import Relief
from exaplan.ask import Ask
from exaplan.nouns import Limits
from exaplan.planning.candidates import Candidate, asked_counts, widened
from exaplan.planning.choosing import holding
from exaplan.planning.drafts import Draft, Goal, rank_of, shown_value, value_of
from exaplan.planning.limits import excess, given, needs
from exaplan.planning.resolving import sized
from exaplan.planning.sense import batch_sense
from exaplan.planning.solving import Desk, Spot, solve

STEP = 1.1  # one step of a limit on memory, money, power or time
NEAR = 1.3  # chips and counts whose objective comes this close to the best are searched again for memory, power, batch
CLOSE = 0.95  # share of a limit from which it binds even where one step of it brings nothing
WORTH = 1e-2  # relative gain below which a limit does not hold the plan back


@dataclass(frozen=True)
class Solved:
    """A question with its answer: what was tried, every spot, and the best draft; free: the best one without the law,
    where the law keeps chips out."""

    desk: Desk
    tried: tuple[Candidate, ...]
    goal: Goal
    spots: tuple[Spot, ...]
    best: Draft
    free: Draft | None = None

    @property
    def ask(self) -> Ask:
        """The question."""
        return self.desk.ask


def relieve(solved: Solved) -> tuple[tuple[Relief, ...], tuple[str, ...]]:
    """(what one step more of each limit is worth, notes on what was not worked out)."""
    found = [_law(solved), *(_loosened(solved, name) for name in ("deadline", "money", "power"))]
    found += [_memory(solved), _chips(solved)]
    batch, notes = _batch(solved)
    found.append(batch)
    if sum(len(item.counts) for item in solved.tried) > 1:
        where = f"at chips and counts within {NEAR - 1.0:.0%} of the best"
        notes = (*notes, f"relief of memory, power and batch was worked out {where}")
    return tuple(item for item in found if item), notes


def binding(solved: Solved, relief: Sequence[Relief]) -> tuple[str, ...]:
    """Limits that hold the best plan back: one step more improves the objective, or it lies within 5% of them."""
    worth = {item.limit for item in relief if abs(item.after - item.before) > WORTH * abs(item.before)}
    bounds = solved.goal.bounds
    close = {name for name in given(bounds) if excess(solved.best, name, bounds) > CLOSE}
    if solved.ask.limits.count is None:
        close.discard("count")  # the most chips that are searched, which nobody asked for
    order = ("law", "deadline", "money", "power", "memory", "count", "chips", "fleet", "batch")
    return tuple(name for name in order if name in worth | close)


# ------------------------------------------------------------------------------------------------- each limit


def _law(solved: Solved) -> Relief | None:
    """No export rule at all: what the law cost."""
    return None if solved.free is None else _compared(solved, "law", "no export rule", solved.goal, solved.free)


def _loosened(solved: Solved, name: str) -> Relief | None:
    """One step more time, money or power."""
    bounds = solved.goal.bounds
    limit = getattr(bounds, name)
    if limit is None or needs(solved.best, name) is None:  # no limit, or one that could not be checked
        return None
    loose: Limits = replace(bounds, **{name: limit * STEP})
    goal = replace(solved.goal, bounds=loose)
    only = _near(solved) if name == "power" else None
    return _relief(solved, name, "+10%", goal, solve(solved.desk, solved.tried, goal, only=only))


def _memory(solved: Solved) -> Relief | None:
    spots = solve(solved.desk, solved.tried, solved.goal, room=STEP, only=_near(solved))
    return _relief(solved, "memory", "+10%", solved.goal, spots)


def _chips(solved: Solved) -> Relief | None:
    """Twice the chips: of the given number, of the fleet, or of the most that are searched."""
    ask, bounds = solved.ask, solved.goal.bounds
    capped = ask.limits.count is not None and ask.limits.count < max((item.count for item in ask.fleet), default=0)
    name = "fleet" if ask.fleet and not capped else "count" if ask.open_count else "chips"
    if ask.observed.step_time is not None:
        return None
    wide = [_wider(ask, item) for item in solved.tried]
    loose = [item for item in wide if item]
    if not loose:
        return None
    goal = replace(solved.goal, bounds=replace(bounds, count=None))
    return _relief(solved, name, "x 2", goal, solve(solved.desk, loose, goal))


def _wider(ask: Ask, item: Candidate) -> Candidate | None:
    """A candidate at the counts that twice the chips add."""
    return widened(item, asked_counts(ask, sized(item.setting.cluster, item.counts[-1]), 2))


def _batch(solved: Solved) -> tuple[Relief | None, tuple[str, ...]]:
    """(twice the batch for the same tokens, what is to be said of it).

    Only where the data ranks leave less than two micro-batches for each stage; elsewhere the batch is no limit.
    """
    best, goal, layout = solved.best, solved.goal, solved.best.layout
    setting = solved.tried[0].setting
    batch = setting.case.training.global_batch
    if best.tokens is None or solved.ask.observed.step_time is not None:
        return None, ()
    if batch >= 2 * layout.dp * layout.micro_batch * layout.pp:
        return None, ()
    wide = [_batched(item, 2 * batch) for item in solved.tried]
    steps = None if goal.steps is None else goal.steps / 2.0
    loose = replace(goal, steps=steps, step_tokens=2.0 * goal.step_tokens)
    spots = solve(solved.desk, wide, loose, only=_near(solved, 2))
    warned = tuple(f"relief of batch: {line}" for line in batch_sense(setting, best.tokens, 2))
    return _relief(solved, "batch", "x 2", loose, spots), warned


def _batched(item: Candidate, batch: int) -> Candidate:
    setting = item.setting
    training = replace(setting.case.training, global_batch=batch)
    made = cases.make(setting.model, training, setting.cluster, setting.case.tuning)
    return replace(item, setting=replace(setting, case=made), chip_seconds=2.0 * item.chip_seconds)


# ------------------------------------------------------------------------------------------------- compare


def _near(solved: Solved, times: int = 1) -> dict[int, set[int]]:
    """Index of a candidate -> counts whose objective comes near the best, those beside them, and ``times`` as many."""
    best = rank_of(solved.best, solved.goal)
    top = value_of(solved.best, solved.goal)
    out: dict[int, set[int]] = {}
    for index, item in enumerate(solved.tried):
        mine = [found for found in solved.spots if found.candidate is item]
        for place, found in enumerate(mine):
            if found.holds and (rank_of(found.best, solved.goal) == best or _close(found, solved.goal, top)):
                least = mine[max(0, place - 1)].found.count
                most = max(mine[min(len(mine), place + 2) - 1].found.count, times * found.found.count)
                out.setdefault(index, set()).update(n for n in item.counts if least <= n <= most)
    return out


def _close(found: Spot, goal: Goal, top: float | None) -> bool:
    value = value_of(found.best, goal)
    if value is None or top is None:
        return True
    return value <= top * NEAR if top >= 0.0 else value <= top / NEAR


def _relief(solved: Solved, limit: str, step: str, goal: Goal, spots: Sequence[Spot]) -> Relief | None:
    """Before and after; None where nothing was found."""
    found = holding(spots, goal)
    return _compared(solved, limit, step, goal, found[0].best) if found else None


def _compared(solved: Solved, limit: str, step: str, goal: Goal, best: Draft) -> Relief:
    """The objective before and after; the plan that holds today still holds, so relief never harms."""
    before, after = shown_value(solved.best, solved.goal), shown_value(best, goal)
    better = max if solved.goal.objective == "throughput" else min
    return Relief(limit, step, before, better(before, after))
