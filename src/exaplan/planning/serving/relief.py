"""What loosening each promise and limit by one step is worth, solved again, and which hold the best plan back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from exaplan.answers import Relief
from exaplan.nouns.serving import Promise
from exaplan.planning.drafts import Goal
from exaplan.planning.limits import excess, given, needs
from exaplan.planning.relief import CLOSE, STEP, WORTH
from exaplan.planning.serving.kinds import Kind
from exaplan.planning.serving.paying import Drafted, rank_of
from exaplan.planning.serving.solving import Desk, Spot, best_of, solve

NEAR = 1.3  # chip types whose best comes this close to the best of all are solved again


@dataclass(frozen=True)
class Solved:
    """A question with its answer. free: the best deployment without the law, where the law keeps chips out."""

    desk: Desk
    tried: tuple[Kind, ...]
    spots: tuple[Spot, ...]
    best: Drafted
    free: Drafted | None = None

    @property
    def goal(self) -> Goal:
        """Limits and objective."""
        return self.desk.asked.goal


def relieve(solved: Solved) -> tuple[Relief, ...]:
    """What one step more of each promise, limit, of memory and of the law is worth."""
    found = [_law(solved), *(_promise(solved, name) for name in solved.desk.asked.quantities)]
    found += [*(_limit(solved, name) for name in ("money", "power", "count")), _memory(solved)]
    return tuple(item for item in found if item)


def binding(solved: Solved, relief: Sequence[Relief]) -> tuple[str, ...]:
    """What holds the best plan back: a step of it improves the objective, or the plan lies within 5% of it."""
    best, bounds = solved.best, solved.goal.bounds
    worth = {item.limit for item in relief if abs(item.after - item.before) > WORTH * abs(item.before)}
    close = {name for name, value in best.held.excess.items() if value > CLOSE}
    close |= {name for name in given(bounds) if excess(best.made, name, bounds) > CLOSE}
    if solved.desk.asked.ask.limits.count is None:
        close.discard("count")  # the most chips that are searched, which nobody asked for
    order = ("law", "ttft", "tpot", "latency", "money", "power", "memory", "count")
    return tuple(name for name in order if name in worth | close)


# ------------------------------------------------------------------------------------------------- each of them


def _law(solved: Solved) -> Relief | None:
    return None if solved.free is None else _compared(solved, "law", "no export rule", solved.goal, solved.free)


def _promise(solved: Solved, name: str) -> Relief | None:
    """A promise 10% later."""
    promise = solved.desk.asked.promise
    loose: Promise = replace(promise, **{name: promise.given[name] * STEP})
    best = best_of(solve(solved.desk, _near(solved), loose, solved.goal), solved.goal)
    return _compared(solved, name, "+10%", solved.goal, best) if best else None


def _limit(solved: Solved, name: str) -> Relief | None:
    """10% more money or power, twice the chips."""
    ask, bounds = solved.desk.asked.ask, solved.goal.bounds
    if getattr(ask.limits, name) is None or needs(solved.best.made, name) is None:
        return None
    times, step = (2, "x 2") if name == "count" else (STEP, "+10%")
    goal = replace(solved.goal, bounds=replace(bounds, **{name: times * getattr(bounds, name)}))
    tried = [replace(kind, most=2 * kind.most) for kind in solved.tried] if name == "count" else list(solved.tried)
    best = best_of(solve(solved.desk, tried, solved.desk.asked.promise, goal), goal)
    return _compared(solved, name, step, goal, best) if best else None


def _memory(solved: Solved) -> Relief | None:
    """Chips with 10% more memory, of the best plan's type."""
    desk = solved.desk
    desk.shop.room = STEP
    try:
        best = best_of(solve(desk, [solved.best.kind], desk.asked.promise, solved.goal), solved.goal)
    finally:
        desk.shop.room = 1.0
    return _compared(solved, "memory", "+10%", solved.goal, best) if best else None


# ------------------------------------------------------------------------------------------------- compare


def _near(solved: Solved) -> list[Kind]:
    """Chip types that may win once a promise is loosened."""
    top = shown_value(solved.best, solved.goal)
    near = [spot.kind for spot in solved.spots if any(_close(item, solved.goal, top) for item in spot.drafts)]
    return near or [solved.best.kind]


def _close(item: Drafted, goal: Goal, top: float) -> bool:
    value = shown_value(item, goal)
    return value >= top / NEAR if goal.objective == "throughput" else value <= top * NEAR


def _compared(solved: Solved, limit: str, step: str, goal: Goal, best: Drafted) -> Relief:
    """The objective before and after; the plan that holds today still holds, so relief never harms."""
    first = solved.best if rank_of(solved.best, solved.goal) <= rank_of(best, solved.goal) else best
    return Relief(limit, step, shown_value(solved.best, solved.goal), shown_value(first, solved.goal))


def shown_value(item: Drafted, goal: Goal) -> float:
    """The objective as it is told: USD, J, kg of a period (of a request, where no load is asked), chips, requests/s."""
    made = item.made
    if goal.objective == "throughput":
        return item.held.run.throughput["requests"]
    found = {"cost": made.cost, "energy": made.energy, "carbon": made.carbon}.get(goal.objective)
    return (float(item.cluster.count) if found is None else found) / item.work
