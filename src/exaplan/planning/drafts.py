"""Drafts: a layout at a count, a place and a price, in plain numbers, quick enough for thousands of them.

Limits are held against the upper end of the 80% range of the time (``Goal.upper``) at the quoted price; the objective
is always that upper end, since the least of many noisy predictions flatters itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from exaplan.ask import Ask
from exaplan.cost import carbon_emitted, electricity_cost, energy_used, rent_cost, run_time
from exaplan.nouns import Cluster, Layout, Limits
from exaplan.planning.failures import useful_share
from exaplan.planning.offers import Quote, billed, fitted

SLACK = 1.0 + 1e-9  # rounding that no limit is missed by


@dataclass(frozen=True)
class Goal:
    """What is asked. upper: limits hold by the upper end; steps of the run (None: one step is answered, or the most).

    most: as many steps as the limits leave room for; step_tokens [tokens per step]. by_cash: a purchase costs the run
    its whole price (terms any), not the share of its lifetime that the run uses.
    """

    bounds: Limits
    upper: bool
    objective: str
    steps: float | None
    most: bool
    step_tokens: float
    by_cash: bool = False


@dataclass(frozen=True)
class Option:
    """Chips of one type at one count and place, and the ways to pay for them.

    goodput, best_goodput: its upper end [ratio]; lost: log of goodput over its low end, how much longer a run may take.
    """

    cluster: Cluster
    nodes: int
    quotes: tuple[Quote, ...]
    goodput: float
    best_goodput: float
    lost: float


class Bill(NamedTuple):
    """A quote for all chips: base [USD up front], wear [USD/s of the base over its lifetime], running [USD/s, rent or
    upkeep and electricity], more [USD/s that is no cash: interest on the base less its resale]. whole: the run is
    charged the base, and again for each further lifetime; else what wears off and the interest."""

    quote: Quote
    base: float
    wear: float
    running: float
    whole: bool
    more: float = 0.0

    def paid(self, time: float) -> float:
        """Cash that a run of ``time`` [s] takes: max(base, wear time) + running time. [USD]"""
        return max(self.base, self.wear * time) + self.running * time

    def cost(self, time: float) -> float:
        """Of a run of ``time`` [s]: what is paid where it is charged whole, else (wear + more + running) time. [USD]"""
        return self.paid(time) if self.whole else (self.wear + self.more + self.running) * time

    def affords(self, money: float) -> float:
        """Time that the money pays for; 0 where it does not pay the base. [s]"""
        if money < self.base:
            return 0.0
        spare = (money - self.base) / self.running if self.running > 0.0 else math.inf
        whole = self.wear + self.running
        return min(spare, money / whole if whole > 0.0 else math.inf)


@dataclass(frozen=True, slots=True)
class Draft:
    """A layout with what its run takes. step, high [s, upper end]; memory [B per chip]; watts [W, all chips, meter].

    steps of the run (None: not asked; then time and money are those of one step); time, time_high, held [s, what a
    deadline is held against]; bill: how it is paid; cost [USD], cost_high [USD, at time_high], cash [USD that a money
    limit is held against], tokens.
    """

    option: Option
    layout: Layout
    step: float
    high: float
    memory: float
    watts: float | None
    steps: float | None
    time: float
    time_high: float
    held: float
    bill: Bill | None
    tokens: float | None

    @property
    def cost(self) -> float | None:
        """Of the run. [USD]"""
        return None if self.bill is None else self.bill.cost(self.time)

    @property
    def cost_high(self) -> float | None:
        """At the upper end of the time, at the quoted price. [USD]"""
        return None if self.bill is None else self.bill.cost(self.time_high)

    @property
    def cash(self) -> float | None:
        """What is paid out: a purchase in full. [USD]"""
        return None if self.bill is None else self.bill.paid(self.held)

    @property
    def energy(self) -> float | None:
        """At the meter. [J]"""
        return None if self.watts is None else energy_used(self.watts, self.time)

    @property
    def carbon(self) -> float | None:
        """Of that energy on the grid of the place. [kg CO2e]"""
        return None if self.energy is None else carbon_emitted(self.energy, self.option.cluster.site.carbon)


def goal_of(ask: Ask) -> Goal:
    """The limits, objective and amount of work of an ask."""
    step_tokens = float(ask.work.seq_len * ask.work.global_batch)
    steps = None if ask.tokens is None else ask.tokens / step_tokens
    most = steps is None and ask.objective == "throughput"
    by_cash = ask.cluster.terms == "any"
    return Goal(ask.bounds(), ask.limits.hold == "upper", ask.objective, steps, most, step_tokens, by_cash)


def option_of(cluster: Cluster, quotes: tuple[Quote, ...], parameters: float) -> Option:
    """Nodes, goodput and prices of a cluster; ``parameters`` [count] of the model set the size of its checkpoints."""
    good, (low, high) = useful_share(parameters, cluster.count)
    nodes = -(-cluster.count // cluster.node.chips)
    return Option(cluster, nodes, tuple(fitted(quote, cluster) for quote in quotes), good, high, math.log(good / low))


def bills(option: Option, watts: float | None, by_cash: bool) -> Iterator[Bill]:
    """The quotes of an option for all its chips; those that need electricity of unknown power have no price."""
    for quote in option.quotes:
        if quote.electric and watts is None:
            continue
        chips = billed(quote, option.cluster, option.nodes)
        if not quote.electric:
            yield Bill(quote, 0.0, 0.0, rent_cost(quote.rate, chips, 1.0), by_cash)
        else:
            running = electricity_cost(watts or 0.0, option.cluster.site.electricity) + quote.upkeep[0] * chips
            more = (quote.rate - quote.wear - quote.upkeep[0]) * chips
            yield Bill(quote, quote.capital * chips, quote.wear * chips, running, by_cash, more)


def draft(
    option: Option, layout: Layout, step: float, high: float, memory: float, watts: float | None, goal: Goal
) -> Draft:
    """The draft of a layout whose step is known, paid in the cheapest way that holds the money."""
    per = run_time(1.0, step, option.goodput)
    high_per = per * math.exp(math.hypot(math.log(high / step), option.lost))
    held = high_per if goal.upper else per
    ways = list(bills(option, watts, goal.by_cash))
    steps, bill = (
        _most(ways, held, goal) if goal.most else (goal.steps, _cheapest(ways, held * (goal.steps or 1.0), goal))
    )
    n = steps or 1.0
    tokens = None if steps is None else steps * goal.step_tokens
    return Draft(option, layout, step, high, memory, watts, steps, per * n, high_per * n, held * n, bill, tokens)


def _cheapest(ways: list[Bill], held: float, goal: Goal) -> Bill | None:
    """The least cost among the bills whose cash the limit holds; the least cash where it holds none."""
    money = goal.bounds.money
    within = [bill for bill in ways if money is None or bill.paid(held) <= money * SLACK]
    if within:
        return min(within, key=lambda bill: bill.cost(held))
    return min(ways, key=lambda bill: bill.paid(held)) if ways else None


def _most(ways: list[Bill], held: float, goal: Goal) -> tuple[float | None, Bill | None]:
    """(the most whole steps of ``held`` seconds within deadline and money, how they are paid); at least one step.

    None where nothing bounds them: money is the only limit, and no price is known.
    """
    deadline, money = goal.bounds.deadline, goal.bounds.money
    by_time = math.inf if deadline is None else deadline / held
    found = [(by_time if money is None else min(by_time, bill.affords(money) / held), bill) for bill in ways]
    if not found:
        return (None if math.isinf(by_time) else max(1.0, float(math.floor(by_time)))), None
    most = max(steps for steps, _ in found)
    bill = _cheapest(
        [bill for steps, bill in found if steps >= most], most * held if math.isfinite(most) else held, goal
    )
    return (None if math.isinf(most) else max(1.0, float(math.floor(most)))), bill


def value_of(item: Draft, goal: Goal) -> float | None:
    """What the objective makes small: upper end of time, cost, energy or carbon, or minus the tokens; None: unknown."""
    if goal.most:
        return None if item.tokens is None else -item.tokens
    name = goal.objective
    if name == "cost":
        return item.cost_high
    if name in ("energy", "carbon"):
        joules = None if item.watts is None else energy_used(item.watts, item.time_high)
        if joules is None or name == "energy":
            return joules
        return carbon_emitted(joules, item.option.cluster.site.carbon)
    return item.time_high


def rank_of(item: Draft, goal: Goal) -> tuple[float, ...]:
    """Sort key: the objective (unknown last, then by time); of equals fewer chips, less memory, cost and carbon."""
    value = value_of(item, goal)
    first = (1.0, item.time_high) if value is None else (0.0, value)
    cost, carbon = item.cost_high, item.carbon
    return (*first, item.option.cluster.count, item.memory, math.inf if cost is None else cost, carbon or 0.0)


def shown_value(item: Draft, goal: Goal) -> float:
    """The objective as it is told: expected time [s], cost [USD], energy [J], carbon [kg], tokens or tokens per second.

    The time of a step where no run was asked or the figure is unknown.
    """
    if goal.objective == "throughput" and item.tokens is not None:
        return item.tokens if goal.most else item.tokens / item.time
    if item.steps is None:
        return item.step
    found = {"cost": item.cost, "energy": item.energy, "carbon": item.carbon}.get(goal.objective, item.time)
    return item.time if found is None else found
