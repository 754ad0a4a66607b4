"""Serving plans: the fewest chips or the cheapest cluster that keeps a promise, and simulations of one.

Every chip type is looked at with formulas, the best few copies of each are sized by simulation, and the plans that are
shown are confirmed by a longer run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from exaplan.answers.serving import Served
from exaplan.ask import check_promised
from exaplan.ask.serving import ServeAsk
from exaplan.catalog import Catalog
from exaplan.errors import ExaplanError, NoPlan
from exaplan.planning.legal import mindful
from exaplan.planning.opening import opened
from exaplan.planning.serving import samples, telling
from exaplan.planning.serving.answering import served
from exaplan.planning.serving.choosing import choose, confirmed, verdicts
from exaplan.planning.serving.doubt import margin_of
from exaplan.planning.serving.front import points
from exaplan.planning.serving.given import estimate_serving, simulate
from exaplan.planning.serving.kinds import kinds
from exaplan.planning.serving.lawful import best_free, chips_of, free_of, law_cost, said
from exaplan.planning.serving.paying import Drafted
from exaplan.planning.serving.question import question_of
from exaplan.planning.serving.refusals import refusal
from exaplan.planning.serving.relief import Solved, binding, relieve
from exaplan.planning.serving.sizing import Sizer
from exaplan.planning.serving.solving import Desk, Spot, holding, solve

__all__ = ["estimate_serving", "plan_serving", "simulate"]


def plan_serving(ask: ServeAsk, catalog: Catalog, top: int = 5) -> Served:
    """What to buy, rent or use to answer the asked requests and keep every promise and limit, best first.

    With what binds, what relief of each is worth, the front of throughput per chip against the speed that a user sees,
    and why each other chip lost. Where the ask names a law, only with chips that may be had under it.
    """
    check_promised(ask)
    if ask.work.generation is not None:
        return samples.plan(ask, catalog, top)
    first = question_of(ask, catalog)
    opening = opened(first.ask, catalog, first.law)
    asked = replace(first, ask=opening.ask)
    choice = kinds(asked)
    desk = Desk(asked)
    spots = solve(desk, choice.tried, asked.promise, asked.goal)
    free = best_free(desk, free_of(first, choice, opening.swapped))
    shown = confirmed(desk, choose(holding(spots, asked.goal), top))
    if not shown:
        raise _refused(desk, choice.tried, spots, free)
    rate = desk.shop.considered / max(desk.spent, 1e-9)
    solved = Solved(desk, choice.tried, tuple(spots), shown[0], free)
    relief = relieve(solved)
    plans = tuple(served(asked, item, _capacity(desk, item) if item is shown[0] else None) for item in shown)
    chips, site = [shown[0].kind.chip], shown[0].cluster.site
    return Served(
        ask=first.ask.resolved(),
        model=asked.model,
        engine=shown[0].kind.engine,
        traffic=asked.traffic,
        promise=asked.promise,
        plans=plans,
        binding=binding(solved, relief),
        relief=relief,
        rejected={reason: number for reason, number in desk.shop.rejected.items() if number},
        considered=desk.shop.considered,
        rate=rate,
        front=points(desk, spots),
        tried=(*verdicts(desk, spots, shown), *choice.refused),
        assumptions=(*opening.told, *law_cost(shown[0], free, asked), *telling.assumptions(asked, shown[0])),
        defaults=first.ask.defaults(),
        warnings=(*opening.warned, *mindful(first.law, chips, site), *telling.warnings(asked, shown[0], asked.goal)),
        inputs=telling.inputs_of(asked, shown[0], plans[0]),
        provenance=provenance(desk, shown[0]),
        objective=asked.goal.objective,
        verdicts=said(first.law, shown),
    )


def _refused(desk: Desk, tried: Sequence[Any], spots: Sequence[Spot], free: Drafted | None) -> ExaplanError:
    """Why nothing holds; the law is blamed, too, where the question has an answer without it."""
    error = refusal(desk, tried, spots)
    if free is None or not isinstance(error, NoPlan):
        return error
    return NoPlan(
        f"{error.problem} with the chips that the law leaves; without the law {chips_of(free)} would do",
        limit=f"{error.limit} and law",
        nearest=error.nearest,
        hint=error.hint,
    )


def _capacity(desk: Desk, item: Drafted) -> float | None:
    """The greatest rate at which the best plan keeps its promise. [requests/s]"""
    asked = desk.asked
    if asked.traffic.rate is None or asked.ask.autoscale() is not None:
        return item.held.rate
    margin = margin_of(item.setup.copy, asked.upper)
    found = Sizer(desk.bench, asked.promise).greatest(item.setup, margin, 1.1 * asked.traffic.rate)
    return max(found.rate or 0.0, asked.traffic.rate) if found else asked.traffic.rate


def provenance(desk: Desk, best: Drafted) -> dict[str, Any]:
    """What stands behind the numbers: engine, tuning, runs of the simulator."""
    case = best.setup.copy.case
    return {
        "engine": case.engine.name,
        "release": case.engine.release,
        "tuning": case.tuning._asdict(),
        "simulations": desk.bench.runs,
        "requests": best.held.run.requests,
    }
