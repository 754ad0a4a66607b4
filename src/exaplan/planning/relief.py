"""What loosening each limit by one step is worth: the objective, solved again."""

from __future__ import annotations

from dataclasses import replace

from exaplan import case as cases
from exaplan.answers import Priced, Relief
from exaplan.errors import InputError
from exaplan.nouns import Limits
from exaplan.planning.choosing import best_of, rank
from exaplan.planning.pricing import site_power
from exaplan.planning.resolving import Setting
from exaplan.search import Found, search

STEP = 1.1  # one step of a limit on memory, money, power or time
QUICK = 10_000  # layouts (a second or two) beyond which the search is not done again for twice the chips


def relieve(setting: Setting, found: Found, best: Priced) -> tuple[tuple[Relief, ...], tuple[str, ...]]:
    """(what relief of each limit is worth, notes on what was not worked out).

    Memory, money, power and deadline are ranked again among the layouts already scored; chips are searched again.
    """
    out = [
        _loosened(setting, found, best, name) for name in ("deadline", "money", "power") if _near(setting, best, name)
    ]
    out.append(_more_memory(setting, found, best))
    if len(found.layouts) > QUICK:
        note = f"relief of `chips` is not worked out: {len(found.layouts):,} layouts take too long to score twice"
        return tuple(item for item in out if item), (note,)
    out.append(_more_chips(setting, best))
    return tuple(item for item in out if item), ()


def objective(setting: Setting, item: Priced) -> float:
    """What the ask minimises: time [s], cost [USD], energy [J], carbon [kg]; throughput is its inverse, so time."""
    name = setting.ask.objective
    value = {"cost": item.cost, "energy": item.energy, "carbon": item.carbon}.get(name, item.time)
    return item.estimate.step_time if value is None else value


def _near(setting: Setting, best: Priced, name: str) -> bool:
    """Whether the ask has that limit and the best plan comes within one step of it."""
    limit = getattr(setting.ask.bounds(), name)
    power = site_power(setting, best.estimate)
    value = {"deadline": best.time, "money": best.cost, "power": power}[name]
    return limit is not None and value is not None and value * STEP > limit


def _loosened(setting: Setting, found: Found, best: Priced, name: str) -> Relief | None:
    bounds = setting.ask.bounds()
    loose: Limits = replace(bounds, **{name: getattr(bounds, name) * STEP})
    _, order = rank(setting, found)
    return _relief(setting, name, "+10%", best, best_of(setting, found, order, 1, loose))


def _more_memory(setting: Setting, found: Found, best: Priced) -> Relief | None:
    _, order = rank(setting, found, STEP)
    return _relief(setting, "memory", "+10%", best, best_of(setting, found, order, 1))


def _more_chips(setting: Setting, best: Priced) -> Relief | None:
    """The same work on twice the chips; None where no layout divides over them, or the degrees are all given."""
    count, fixed = 2 * setting.cluster.count, setting.ask.fixed()
    if setting.ask.bounds().count is not None and setting.ask.observed.step_time is not None:
        return None
    cluster = replace(setting.cluster, name=f"{count}x {setting.cluster.chip.name}", count=count)
    try:
        case = cases.make(setting.model, setting.case.training, cluster)
    except InputError:
        return None  # e.g. a second node whose network is unknown
    twice = replace(setting, cluster=cluster, case=case)
    found = search(case, count, fixed)
    if not found.layouts or len(found.layouts) > 2 * QUICK:
        return None
    bounds = replace(setting.ask.bounds(), count=None)
    return _relief(setting, "chips", "x 2", best, best_of(twice, found, rank(twice, found)[1], 1, bounds))


def _relief(setting: Setting, limit: str, step: str, best: Priced, then: list[Priced]) -> Relief | None:
    """Before and after; the plan that holds today still holds, so relief never harms."""
    if not then:
        return None
    before = objective(setting, best)
    return Relief(limit, step, before, min(before, objective(setting, then[0])))
