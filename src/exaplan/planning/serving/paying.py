"""What a deployment costs a period: chips that are paid, power at the meter, offers; reuses the drafts of planning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from exaplan import draws
from exaplan.case import serving_power as power_of
from exaplan.case import watts as rating
from exaplan.catalog import serving_power as fitted_power
from exaplan.nouns import Cluster, Layout, Site
from exaplan.perf.power import wall_power
from exaplan.planning.drafts import Draft, Goal, Option, draft
from exaplan.planning.limits import missed
from exaplan.planning.offers import Quote, fitted
from exaplan.planning.pricing import ranges_of
from exaplan.planning.serving.copies import PREFILL, Copy
from exaplan.planning.serving.kinds import Kind
from exaplan.planning.serving.question import Question
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.sizing import Held

FIRST = ("missed", "cost")


@dataclass(frozen=True, eq=False)
class Drafted:
    """A deployment that was sized, at one place, with what it takes of money and power.

    made: one period of it; missed: limits that it breaks; work: what its figures are compared by: the requests of the
    period where no load is asked, else one.
    """

    held: Held
    made: Draft
    missed: tuple[str, ...]
    work: float = 1.0

    @property
    def setup(self) -> Setup:
        """The deployment."""
        return self.held.setup

    @property
    def kind(self) -> Kind:
        """Its chip type."""
        return self.held.setup.copy.kind

    @property
    def cluster(self) -> Cluster:
        """Chips that are paid, where they stand."""
        return self.made.option.cluster


def drafted(asked: Question, held: Held) -> Drafted:
    """A deployment at the best of its places."""
    return min(everywhere(asked, held), key=lambda item: (len(item.missed), *rank_of(item, asked.goal)))


def everywhere(asked: Question, held: Held, quotes: tuple[Quote, ...] | None = None) -> Iterator[Drafted]:
    """A deployment at each of its places; ``quotes``: instead of the known ways to pay."""
    kind = held.setup.copy.kind
    chips = kind.cluster.count if kind.fixed else used(asked, held)
    each = chip_power(held)
    for site in kind.sites:
        cluster = placed(kind, chips, site)
        ways = kind.quotes[site.name] if quotes is None else quotes
        option = Option(
            cluster, nodes_of(held.setup, cluster), tuple(fitted(way, cluster) for way in ways), 1.0, 1.0, 0.0
        )
        watts = None if each is None else metered(cluster, each)
        made = _draft(asked, held, option, watts)
        work = held.run.throughput["requests"] * asked.period if asked.open_load else 1.0
        yield Drafted(held, made, missed(made, asked.goal.bounds), max(work, 1e-9))


def used(asked: Question, held: Held) -> int:
    """Chips that are paid: of all copies, or of those that are on in the mean where they come and go. [count]"""
    if asked.ask.autoscale() is None:
        return held.setup.chips
    return max(1, math.ceil(held.run.replicas.get("mean", held.setup.replicas) * held.setup.copy.chips))


def _draft(asked: Question, held: Held, option: Option, watts: float | None) -> Draft:
    period = asked.period
    return draft(option, layout_of(held.setup), period, period, memory_of(held.setup), watts, asked.goal)


def layout_of(setup: Setup) -> Layout:
    """A deployment as a layout, which tells the drafts of a chip type apart."""
    cut, seqs = setup.copy.replica, setup.copy.policy.max_seqs
    return Layout(dp=setup.replicas, tp=cut.tp, pp=cut.pp, cp=cut.cp, ep=cut.ep, vpp=cut.dp, micro_batch=seqs)


def placed(kind: Kind, chips: int, site: Site) -> Cluster:
    """The chips that are paid at a place."""
    return replace(kind.cluster, name=f"{chips}x {kind.name}", count=chips, site=site)


def nodes_of(setup: Setup, cluster: Cluster) -> int:
    """Nodes that the copies stand in: a copy is not torn apart where it fits into one. [count]"""
    size = cluster.node.chips
    found = -(-cluster.count // size)
    if setup.prefill is None and setup.copy.chips < size:
        found = max(found, -(-setup.replicas // (size // setup.copy.chips)))
    return found


def memory_of(setup: Setup) -> float:
    """Memory of the fullest chip, the cache as large as the engine makes it. [B]"""
    copies = [setup.copy] + ([setup.prefill] if setup.prefill else [])
    return max(sum(copy.case.memory_terms.values()) for copy in copies)


# ---------------------------------------------------------------------------------------------------- power


def chip_power(held: Held) -> float | None:
    """Mean power of a chip of a deployment. [W]; None where its rating is unknown."""
    setup, run = held.setup, held.run
    watts = copy_power(setup.copy, run.batch, run.busy)
    if watts is None or setup.prefill is None:
        return watts
    other = copy_power(setup.prefill, 1.0, run.replicas.get("prefill_busy", run.busy)) or 0.0
    mine, theirs = setup.copy.chips * setup.replicas, setup.prefill.chips * setup.prefill_replicas
    return (watts * mine + other * theirs) / (mine + theirs)


def copy_power(copy: Copy, batch: float, busy: float) -> float | None:
    """Mean power of a chip of a copy with ``batch`` sequences in an iteration, at work the share ``busy``. [W]"""
    demand = copy.demand
    output = 1.0 if copy.role == PREFILL else max(1.0, demand.output)
    seqs = max(1.0, batch)
    spent = power_of.steady(copy.case, seqs, demand.read, output)
    return power_of.chip_power(copy.case, spent, min(1.0, max(0.0, busy)))


def metered(cluster: Cluster, chip: float) -> float:
    """Power of all chips at the meter, each drawing ``chip``. [W]"""
    return float(wall_power(chip, rating(cluster)) * cluster.count)


# ------------------------------------------------------------------------------------------------- ranking


def value_of(item: Drafted, goal: Goal) -> float | None:
    """What the objective makes small: USD, chips, J or kg of a period (of a request, where no load is asked), or minus
    the requests/s. None: unknown."""
    if goal.objective == "throughput":
        return -item.held.run.throughput["requests"]
    made = item.made
    known = {"chips": float(item.cluster.count), "energy": made.energy, "carbon": made.carbon}
    found = known.get(goal.objective, made.cost_high)
    return None if found is None else found / item.work


def rank_of(item: Drafted, goal: Goal) -> tuple[float, ...]:
    """Sort key: the objective (unknown last), then chips, cost, and how near the promises are."""
    value, cost = value_of(item, goal), item.made.cost
    first = (1.0, 0.0) if value is None else (0.0, value)
    near = max(item.held.excess.values(), default=item.held.run.latency.mean)
    return (*first, float(item.cluster.count), math.inf if cost is None else cost, near)


def ranges(item: Drafted) -> dict[str, tuple[float, float]]:
    """80% intervals of cost, energy and carbon: by the price and the power."""
    made = item.made
    found = dict(ranges_of(made, draws.Interval(made.time, made.time)))
    if made.energy is not None:
        low, high = fitted_power.band()
        found["energy"] = draws.Interval(low * made.energy, high * made.energy)
    return {name: (span.low, span.high) for name, span in found.items() if name in ("cost", "energy", "carbon")}
