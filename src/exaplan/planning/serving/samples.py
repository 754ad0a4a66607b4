"""Images and clips instead of tokens: a queue of samples, each a given time on a copy (M/D/c).

The time of a batch on one copy is the asker's own figure, so it is the same on every chip that is named. A copy takes
``batch`` samples at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from exaplan import cost, sim
from exaplan.answers import Tried
from exaplan.answers.serving import Served, ServePlan, Simulated
from exaplan.ask.serving import ServeAsk
from exaplan.case import watts as rating
from exaplan.catalog import Catalog
from exaplan.errors import InputError, NoPlan
from exaplan.nouns import Layout
from exaplan.nouns.serving import Deployment, Promise, Replica
from exaplan.perf.power import chip_power, wall_power
from exaplan.planning.drafts import Draft, Option, draft
from exaplan.planning.limits import missed
from exaplan.planning.offers import fitted
from exaplan.planning.pricing import offers_of
from exaplan.planning.refusals import unmet
from exaplan.planning.serving import telling
from exaplan.planning.serving.answering import metrics_of
from exaplan.planning.serving.business import margin_of
from exaplan.planning.serving.doubt import EXPECTED
from exaplan.planning.serving.kinds import Kind, kinds
from exaplan.planning.serving.paying import placed
from exaplan.planning.serving.question import Question, question_of
from exaplan.planning.serving.sizing import excess_of

FULL = 0.98  # share of its time that a copy works at most


class Queue:
    """Copies of one kind of chip that make samples, tried in growing number."""

    def __init__(self, asked: Question) -> None:
        self.asked = asked
        part = asked.ask.work.generation
        if part is None:
            raise InputError("no sample is asked for", hint="give work.generation", place=asked.ask.place("work"))
        self.time, self.batch = part.time, part.batch
        self.replica = asked.ask.layout.replica() or Replica()
        self._known: dict[int, Simulated] = {}

    @property
    def rate(self) -> float:
        """Samples that come, for users at most. [1/s]"""
        traffic = self.asked.traffic
        return traffic.rate if traffic.rate is not None else (traffic.users or 0) / (traffic.think + self.time)

    def run(self, copies: int) -> Simulated:
        """A run with so many copies."""
        if copies not in self._known:
            station = sim.Station(name="sample", servers=copies * self.batch, mean=self.time)
            load = sim.traffic.make(self.asked.traffic, self.asked.ask.work.requests, self.asked.ask.seed)
            fleet = sim.Fleet(None, stations=(station,))
            self._known[copies] = sim.summary(sim.run(load, fleet, self.asked.ask.seed, promise=self.promise))
        return self._known[copies]

    def holds(self, copies: int) -> bool:
        """Whether so many copies keep the promise."""
        found = self.run(copies)
        return found.stable and all(value <= 1.0 for value in excess_of(found, self.promise, EXPECTED).values())

    @property
    def promise(self) -> Promise:
        """What is promised of a sample: its latency; a first token is the sample itself."""
        given = self.asked.promise
        return Promise(latency=min((value for value in (given.latency, given.ttft) if value), default=None),
                       percentile=given.percentile)  # fmt: skip

    def fewest(self, most: int) -> int | None:
        """The fewest copies that keep the promise; None where the sample itself takes too long, or too many do."""
        if self.promise.latency is not None and self.time > self.promise.latency:
            return None
        copies = max(1, math.ceil(self.rate * self.time / self.batch / FULL)) if self.asked.traffic.rate else 1
        while copies <= most:
            if self.holds(copies):
                return copies
            copies += max(1, copies // 16)
        return None


@dataclass(frozen=True, eq=False)
class Made:
    """So many copies of a chip type, with what a period of it takes."""

    kind: Kind
    copies: int
    run: Simulated
    draft: Draft
    missed: tuple[str, ...]


def made(asked: Question, queue: Queue, kind: Kind, copies: int) -> Made:
    """Copies on a chip type at its cheapest place."""
    run, chips = queue.run(copies), copies * queue.replica.chips
    found = []
    for site in kind.sites:
        cluster = placed(kind, kind.most if kind.fixed else chips, site)
        nodes = -(-cluster.count // cluster.node.chips)
        ways = tuple(fitted(way, cluster) for way in kind.quotes[site.name])
        watts = rating(cluster)
        power = chip_power(watts.tdp, run.busy, 0.0, 0.0, 1.0, watts.fit)
        whole = wall_power(power, watts) * cluster.count if watts.known else None
        option = Option(cluster, nodes, ways, 1.0, 1.0, 0.0)
        found.append(draft(option, Layout(), asked.period, asked.period, 0.0, whole, asked.goal))
    best = min(found, key=lambda item: (len(missed(item, asked.goal.bounds)), item.cost or math.inf))
    return Made(kind, copies, run, best, missed(best, asked.goal.bounds))


def value_of(asked: Question, item: Made) -> float:
    """What the objective makes small."""
    found = {"energy": item.draft.energy, "carbon": item.draft.carbon, "cost": item.draft.cost}
    value = found.get(asked.goal.objective, float(item.draft.option.cluster.count))
    return math.inf if value is None else value


def plan(ask: ServeAsk, catalog: Catalog, top: int = 5) -> Served:
    """The fewest copies of each chip type that keep the promise of a queue of samples, the cheapest first."""
    asked = question_of(ask, catalog)
    queue, choice = Queue(asked), kinds(asked)
    done, tried = [], list(choice.refused)
    for kind in choice.tried:
        most = kind.most // queue.replica.chips
        copies = asked.ask.layout.replicas or (most if kind.fixed else queue.fewest(most))
        found = made(asked, queue, kind, copies) if copies and queue.holds(copies) else None
        done += [found] if found else []
        reason = "" if found and not found.missed else "misses a limit" if found else "does not keep the promise"
        tried.append(
            Tried(kind.name, kind.cluster.node.name, (copies * queue.replica.chips,) if copies else (), 1, reason)
        )
    if not done:
        raise _too_slow(asked, queue, choice.tried[0])
    done.sort(key=lambda item: (len(item.missed), value_of(asked, item), item.copies))
    if done[0].missed:
        subject = f"no number of copies of {asked.model.name} meets"
        raise unmet([item.draft for item in done], asked.goal, subject)
    held = [item for item in done if not item.missed][: max(1, top)]
    return _answer(asked, queue, held, "plan", tuple(tried))


def simulate(ask: ServeAsk, catalog: Catalog) -> Served:
    """The given copies, or the fewest that keep the promise."""
    return _one(ask, catalog, "simulate")


def estimate(ask: ServeAsk, catalog: Catalog) -> Served:
    """One number of copies."""
    return _one(ask, catalog, "estimate")


def _one(ask: ServeAsk, catalog: Catalog, verb: str) -> Served:
    asked = question_of(ask, catalog)
    queue, kind = Queue(asked), kinds(asked).tried[0]
    most = kind.most // queue.replica.chips
    copies = asked.ask.layout.replicas or (most if kind.fixed else queue.fewest(most))
    if not copies:
        raise _too_slow(asked, queue, kind)
    return _answer(asked, queue, [made(asked, queue, kind, copies)], verb, ())


def _too_slow(asked: Question, queue: Queue, kind: Kind) -> NoPlan:
    promise = queue.promise.latency
    alone = f"a batch takes {queue.time:g} s on a copy, alone"
    if promise is not None and queue.time <= promise:
        alone = f"more than {kind.most // queue.replica.chips:,} copies are needed"
    return NoPlan(
        f"no number of copies of {asked.model.name} keeps the promise",
        limit="latency",
        nearest=alone,
        hint="promise more time, or cut a copy over more chips (layout.tp) and give the time that it takes then",
    )


def _answer(asked: Question, queue: Queue, shown: list[Made], verb: str, tried: tuple[Tried, ...]) -> Served:
    warned = () if shown[0].run.stable else (_overload(queue, shown[0].copies),)
    return Served(
        ask=asked.ask.resolved(),
        model=asked.model,
        engine=shown[0].kind.engine,
        traffic=asked.traffic,
        promise=asked.promise,
        plans=tuple(_shown(asked, queue, item) for item in shown),
        verb=verb,
        tried=tried,
        considered=len(queue._known),
        assumptions=(
            f"a copy makes {queue.batch:,} samples in {queue.time:g} s on every chip: that is the asker's figure",
        ),
        defaults=asked.ask.defaults(),
        warnings=warned,
        objective=asked.goal.objective,
    )


def _overload(queue: Queue, copies: int) -> str:
    most = copies * queue.batch / queue.time
    return f"{telling.OVERLOAD}; up to {most:.3g} requests/s are stable"


def _shown(asked: Question, queue: Queue, item: Made) -> ServePlan:
    run, bare = item.run, item.draft
    rate = run.throughput["requests"]
    excess = excess_of(run, queue.promise, EXPECTED)
    metrics = {name: value for name, value in metrics_of(asked, run).items() if not name.startswith(("ttft", "tpot"))}
    each = None if bare.cost is None else cost.per_token(bare.cost, rate, bare.time)
    return ServePlan(
        cluster=bare.option.cluster,
        deployment=Deployment(queue.replica, item.copies, asked.settings),
        memory=0.0,
        memory_terms={},
        metrics={**metrics, "throughput": rate, "capacity": item.copies * queue.batch / queue.time},
        time=bare.time,
        cost=bare.cost,
        energy=bare.energy,
        carbon=bare.carbon,
        power=bare.watts,
        breakdown={"sample": queue.time},
        run=run,
        per_token={
            "cost": each,
            "energy": None if bare.energy is None else cost.per_token(bare.energy, rate, bare.time),
        },
        offers=offers_of(bare) if bare.bill else (),
        terms=bare.bill.quote.terms if bare.bill else "",
        capital=bare.bill.base if bare.bill else None,
        margin=margin_of(asked, bare.cost, run),
        missed=(*(name for name, value in excess.items() if value > 1.0), *item.missed),
    )
