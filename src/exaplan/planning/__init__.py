"""The orchestrator: an ask becomes candidates, every count of them is searched, the best that holds gets an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

from exaplan.answers import Answer
from exaplan.answers.serving import Served
from exaplan.ask import Ask, ServeAsk, check_single
from exaplan.catalog import Catalog
from exaplan.errors import NoPlan
from exaplan.nouns import Layout, Verdict
from exaplan.planning.answering import answer, budget_notes
from exaplan.planning.candidates import Candidate, candidates
from exaplan.planning.checking import check, check_recompute, too_big
from exaplan.planning.choosing import choose, holding
from exaplan.planning.drafts import Draft, Goal, goal_of
from exaplan.planning.front import points
from exaplan.planning.legal import Law, counted, law_of, mindful, settle
from exaplan.planning.limits import missed
from exaplan.planning.nearest import nearest as nearest_run
from exaplan.planning.opening import blamed, check_lawful, free_of, law_cost, opened
from exaplan.planning.pricing import memory_range, price
from exaplan.planning.refusals import refusal, unmet
from exaplan.planning.relief import Solved, binding, relieve
from exaplan.planning.resolving import Setting, fill, find_cluster, resolve
from exaplan.planning.sense import batch_sense, hold_sense, release_sense, room_sense, standing_sense, steps_sense
from exaplan.planning.serving import estimate_serving, plan_serving, simulate
from exaplan.planning.showing import setting_at, shown
from exaplan.planning.solving import KEEP, Desk, Spot, merged, solve
from exaplan.planning.verdicts import verdicts

__all__ = ["Setting", "estimate", "plan", "resolve", "simulate"]


@overload
def plan(ask: Ask, catalog: Catalog, top: int = 5) -> Answer:
    """Of a training run."""


@overload
def plan(ask: ServeAsk, catalog: Catalog, top: int = 5) -> Served:
    """Of a service."""


@overload
def plan(ask: Ask | ServeAsk, catalog: Catalog, top: int = 5) -> Answer | Served:
    """Of either."""


def plan(ask: Ask | ServeAsk, catalog: Catalog, top: int = 5) -> Answer | Served:
    """What to buy, rent or use: the chips, counts and layouts that hold every limit, best first."""
    return plan_serving(ask, catalog, top) if isinstance(ask, ServeAsk) else plan_training(ask, catalog, top)


@overload
def estimate(ask: Ask, catalog: Catalog) -> Answer:
    """Of a training run."""


@overload
def estimate(ask: ServeAsk, catalog: Catalog) -> Served:
    """Of a service."""


@overload
def estimate(ask: Ask | ServeAsk, catalog: Catalog) -> Answer | Served:
    """Of either."""


def estimate(ask: Ask | ServeAsk, catalog: Catalog) -> Answer | Served:
    """One layout, term by term: the asked one, or the best where some of it was left open."""
    return estimate_serving(ask, catalog) if isinstance(ask, ServeAsk) else estimate_training(ask, catalog)


def plan_training(ask: Ask, catalog: Catalog, top: int = 5) -> Answer:
    """The layouts of a training run that hold every limit, best upper end first.

    With what binds, what relief of each limit is worth, the front of cost against time, and why each other chip lost.
    Where the ask names a law, only with chips that may be had under it, and with what that cost.
    """
    check_recompute(ask, Layout(recompute=ask.fixed().get("recompute", "none")))
    ask = counted(settle(ask, catalog))
    law = law_of(ask, catalog)
    opening = opened(ask, catalog, law)
    whole = opening.ask
    choice = candidates(whole, catalog, law=law)
    tried, free = choice.tried, free_of(ask, catalog, law, choice, opening.swapped)
    single = len(tried) == 1 and len(tried[0].counts) == 1
    desk = Desk(whole, max(8, top) if single else KEEP)
    goal = goal_of(whole)
    spots = solved_spots(desk, tried, goal, free)
    chosen = choose(holding(spots, goal), goal, top)
    rate = desk.scored / max(desk.spent, 1e-9)
    best = chosen[0][1]
    made = Solved(desk, tuple(tried), goal, tuple(spots), best, best_of(desk, free, goal))
    relief, notes = relieve(made)
    setting = replace(setting_at(chosen[0][0].candidate, best), ask=ask)
    budget = budget_notes([found for _, found in chosen], goal)
    found = answer(
        setting,
        tuple(shown(item.candidate, found) for item, found in chosen),
        best,
        goal,
        rejected=merged(spots),
        considered=sum(item.found.considered for item in spots),
        rate=rate,
        binding=binding(made, relief),
        relief=relief,
        front=points(spots, goal),
        tried=(*verdicts(tried, spots, chosen, goal), *choice.refused),
        notes=(*budget, *notes),
        warnings=(
            *mindful(law, [setting.cluster.chip], setting.cluster.site),
            *_warnings(setting, best, goal),
        ),
        verdicts=_verdicts(law, chosen),
    )
    return replace(
        found,
        assumptions=(*opening.told, *law_cost(best, made.free, goal), *found.assumptions),
        warnings=(*opening.warned, *found.warnings),
    )


def estimate_training(ask: Ask, catalog: Catalog) -> Answer:
    """One layout of a training run, term by term."""
    check_single(ask)
    ask = counted(settle(ask, catalog))
    law, layout = law_of(ask, catalog), ask.whole_layout()
    if layout is None:
        return _open_estimate(ask, catalog, law)
    setting, goal = resolve(ask, catalog), goal_of(ask)
    check_lawful(law, setting.cluster)
    layout = fill(setting, layout)
    check(setting, layout)
    made, item = price(setting, layout, goal)
    if memory_range(made.estimate)[0] > setting.case.hardware.memory:
        raise too_big(setting, made)
    if missed(item, goal.bounds):
        chips = f"{setting.cluster.count:,} x {setting.cluster.chip.name}"
        raise unmet([item], goal, f"this layout of {setting.model.name} on {chips} does not meet")
    made = replace(made, nearest=nearest_run(setting, layout))
    said = (law.verdict(setting.cluster.chip),) if law else ()
    warned = (*mindful(law, [setting.cluster.chip], setting.cluster.site), *_warnings(setting, item, goal))
    return answer(setting, (made,), item, goal, rejected={}, warnings=warned, verdicts=said)


def _warnings(setting: Setting, best: Draft, goal: Goal) -> tuple[str, ...]:
    """What a reader should mind of the best plan."""
    batch, room = batch_sense(setting, best.tokens), room_sense(setting, best.memory)
    return (
        *release_sense(setting),
        *standing_sense(setting, best),
        *batch,
        *steps_sense(setting, best.steps),
        *room,
        *hold_sense(best, goal),
    )


def _open_estimate(ask: Ask, catalog: Catalog, law: Law | None) -> Answer:
    """The best layout of the one asked cluster."""
    check_recompute(ask, Layout(recompute=ask.fixed().get("recompute", "none")))
    check_lawful(law, find_cluster(ask, catalog))
    tried = candidates(ask, catalog, searched=False).tried
    desk = Desk(ask, 8, may_compile=False)
    goal = goal_of(ask)
    spots = solved_spots(desk, tried, goal)
    item, found = choose(holding(spots, goal), goal, 1)[0]
    rate = desk.scored / max(desk.spent, 1e-9)
    made, setting = (shown(item.candidate, found),), setting_at(item.candidate, found)
    return answer(
        setting,
        made,
        found,
        goal,
        rejected=merged(spots),
        considered=item.found.considered,
        rate=rate,
        warnings=(*mindful(law, [setting.cluster.chip], setting.cluster.site), *release_sense(setting)),
        verdicts=_verdicts(law, [(item, found)]),
    )


def solved_spots(desk: Desk, tried: list[Candidate], goal: Goal, free: Sequence[Candidate] = ()) -> list[Spot]:
    """Every spot of a question, of which one holds; else the refusal, from a search that no limit cut short. ``free``:
    what would be tried without the law."""
    spots = solve(desk, tried, goal)
    if any(item.holds for item in spots):
        return spots
    error = refusal(desk, tried, goal)
    raise blamed(error, best_of(desk, free, goal)) if isinstance(error, NoPlan) else error


def best_of(desk: Desk, tried: Sequence[Candidate], goal: Goal) -> Draft | None:
    """The best plan out of candidates; None where none holds the limits."""
    held = holding(solve(desk, tried, goal), goal)
    return held[0].best if held else None


def _verdicts(law: Law | None, chosen: Sequence[tuple[Spot, Draft]]) -> tuple[Verdict, ...]:
    """What the rules say of each chip of the plans, once."""
    chips = {item.candidate.chip: item.candidate.setting.cluster.chip for item, _ in chosen}
    return tuple(law.verdict(chip) for chip in chips.values()) if law else ()
