"""The work that is taxed, made ready: the same model, amount, place and deadline for every chip of both sides."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from exaplan.ask import Ask, LawAsk, ServeAsk
from exaplan.catalog import Catalog
from exaplan.errors import InputError
from exaplan.nouns import Limits, Model, Site
from exaplan.planning.candidates import candidates
from exaplan.planning.choosing import holding
from exaplan.planning.drafts import Draft, Goal, goal_of
from exaplan.planning.legal import Law, law_of, settle
from exaplan.planning.limits import amount, chips_of
from exaplan.planning.refusals import refusal
from exaplan.planning.resolving import find_sites, subject
from exaplan.planning.solving import KEEP, Desk, solve


@dataclass(frozen=True)
class Question:
    """ask: as asked, settled; open: the same work with chips, counts and layouts left open, without a law; law; goal:
    the least cost within the deadline; site: of both sides; known: (model, what was assumed of it); notes."""

    ask: Ask | ServeAsk
    open: Ask | ServeAsk
    catalog: Catalog
    law: Law
    goal: Goal
    site: Site
    known: tuple[Model, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def serving(self) -> bool:
        """Whether the work is a service: its promise takes the place of a deadline."""
        return isinstance(self.ask, ServeAsk)

    @property
    def deadline(self) -> float:
        """Of both sides. [s]; inf for a service"""
        return math.inf if self.serving else float(self.goal.bounds.deadline or 0.0)


def question_of(ask: Ask, catalog: Catalog) -> Question:
    """The question of an ask; InputError where it names no destination or no amount of work."""
    _check(ask)
    ask = settle(ask, catalog)
    law = law_of(ask, catalog)
    if law is None:
        raise InputError(
            "the chips are there already, so nothing is taxed", hint="leave out cluster.fleet and terms: own"
        )
    whole = _opened(ask)
    asked, notes = _deadline(ask, catalog)
    bounds = Limits(None, ask.limits.power, asked, ask.limits.count)
    goal = replace(goal_of(ask), bounds=bounds, upper=_upper(ask), objective="cost", most=False, by_cash=False)
    site = min(find_sites(whole, catalog), key=lambda item: item.pue)
    return Question(ask, whole, catalog, law, goal, site, subject(whole, catalog), (*notes, *_left_open(ask)))


def _check(ask: Ask) -> None:
    if not ask.bound:
        hint = "give --to (law.to), the place that the chips go to"
        raise InputError("the AI tax is that of a destination, and none is given", hint=hint, place=ask.place("law"))
    if ask.tokens is None:
        hint = "give work.tokens or work.steps"
        raise InputError("the AI tax is that of a piece of work, and its amount is not given", hint=hint)
    if ask.observed.step_time is not None:
        hint = "leave out observed.step_time"
        problem = "a measurement on one kind of chip says nothing of the others that are compared"
        raise InputError(problem, hint=hint, place=ask.place("observed", "step_time"))


def _opened(ask: Ask) -> Ask:
    """The same work, its chips, counts and layouts left open, without a law and without a budget."""
    part = type(ask.cluster)(site=ask.cluster.site)
    limits = ask.limits.model_copy(update={"money": None, "deadline": None})
    new = {"cluster": part, "layout": type(ask.layout)(), "limits": limits, "law": LawAsk(), "objective": "cost"}
    return ask.model_copy(update=new)


def _left_open(ask: Ask) -> tuple[str, ...]:
    given = ask.fixed()
    told = ["the layout that was given is left open: other chips need other ones"] if given else []
    told += ["the budget is left out: costs are compared"] if ask.limits.money is not None else []
    return tuple(told)


def _deadline(ask: Ask, catalog: Catalog) -> tuple[float, tuple[str, ...]]:
    """(the deadline of the ask, else the time of its own plan without a law [s], where it is from)."""
    if ask.deadline is not None:
        return ask.deadline, ()
    best = own_plan(ask, catalog)
    time, end = (best.time_high, " by the upper end of its range") if _upper(ask) else (best.time, "")
    note = f"deadline of both sides: {amount('deadline', time)}, what {chips_of(best)} as asked take{end}"
    return time, (note,)


def _upper(ask: Ask) -> bool:
    """Whether the deadline is held by the upper end of the range: only where that was asked for, since the tax compares
    expected costs, and a chip that nobody measured has the wider range."""
    return ask.limits.hold == "upper" and "hold" in ask.limits.model_fields_set


def own_plan(ask: Ask, catalog: Catalog) -> Draft:
    """The best plan as asked, without a law."""
    bare = ask.model_copy(update={"law": LawAsk()})
    tried, desk, goal = candidates(bare, catalog).tried, Desk(bare, KEEP), goal_of(bare)
    held = holding(solve(desk, tried, goal), goal)
    if not held:
        raise refusal(desk, tried, goal)
    return held[0].best
