"""The AI tax of a service: the same traffic, promise, place and period on both sides, sized anew on every chip.

Every chip is sized once, with the fewest copies that keep the promise; days and bases of prices only price it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from exaplan.answers import Tried
from exaplan.answers.serving import ServePlan
from exaplan.ask import LawAsk, ServeAsk
from exaplan.catalog import Catalog
from exaplan.catalog.engines import fitted as engine_on
from exaplan.errors import InputError
from exaplan.nouns import Cluster, Limits
from exaplan.planning.candidates import clusters_of
from exaplan.planning.drafts import Draft, Option, draft
from exaplan.planning.legal import law_of, settle
from exaplan.planning.offers import Quote, fitted
from exaplan.planning.resolving import find_sites, sized
from exaplan.planning.serving import question as serving
from exaplan.planning.serving.answering import served
from exaplan.planning.serving.kinds import Kind
from exaplan.planning.serving.paying import Drafted, layout_of
from exaplan.planning.serving.question import Question as Served
from exaplan.planning.serving.solving import Desk, solve
from exaplan.planning.taxing.field import MOST, Entry, Field, Row, front
from exaplan.planning.taxing.question import Question

KEEP, REQUESTS = 2, 1500  # copies of each chip that are simulated, and requests of a run: every chip is in question


@dataclass(frozen=True)
class Service(Entry):
    """A chip with the deployments that keep the promise on it."""

    asked: Served
    kind: Kind
    drafts: tuple[Drafted, ...]

    @property
    def cluster(self) -> Cluster:
        """The chip in its usual node, at the place."""
        return self.kind.cluster

    def bought(self, row: Row, quotes: Sequence[Quote], asked: Question) -> Draft:
        """A deployment with what a period of it costs."""
        item = row.bare
        cluster = item.option.cluster
        option = Option(cluster, item.option.nodes, tuple(fitted(way, cluster) for way in quotes), 1.0, 1.0, 0.0)
        return draft(option, item.layout, item.step, item.high, item.memory, item.watts, asked.goal)

    def told(self, made: Draft) -> ServePlan:
        """A deployment as it is shown."""
        own = next(item for item in self.drafts if layout_of(item.setup) == made.layout)
        return served(self.asked, replace(own, made=made))


def question_of(ask: ServeAsk, catalog: Catalog) -> Question:
    """The question of a serving ask; InputError where it names no destination or no load."""
    _check(ask)
    ask = settle(ask, catalog)
    law = law_of(ask, catalog)
    if law is None:
        hint = "leave out cluster.fleet and terms: own"
        raise InputError("the chips are there already, so nothing is taxed", hint=hint)
    whole = _opened(ask)
    goal = replace(
        serving.goal_of(whole),
        bounds=Limits(None, ask.limits.power, None, ask.limits.count or MOST),
        upper=ask.limits.hold == "upper" and "hold" in ask.limits.model_fields_set,
    )
    site = min(find_sites(whole, catalog), key=lambda item: item.pue)
    asked = serving.question_of(whole, catalog)
    return Question(ask, whole, catalog, law, goal, site, (asked.model, asked.notes), tuple(_left_open(ask)))


def _check(ask: ServeAsk) -> None:
    if not ask.bound:
        hint = "give --to (law.to), the place that the chips go to"
        raise InputError("the AI tax is that of a destination, and none is given", hint=hint, place=ask.place("law"))
    if ask.work.rate is None and ask.work.users is None and ask.work.trace is None:
        hint = "give work.rate, work.users or work.trace"
        raise InputError("the AI tax is that of a piece of work, and its amount is not given", hint=hint)
    if ask.work.generation is not None:
        problem = "the time of a sample on one kind of chip says nothing of the others that are compared"
        raise InputError(problem, hint="leave out work.generation", place=ask.place("work", "generation"))


def _opened(ask: ServeAsk) -> ServeAsk:
    """The same traffic and promise; chips, counts, layouts and settings left open, without a law and a budget."""
    part = type(ask.cluster)(site=ask.cluster.site)
    limits = ask.limits.model_copy(update={"money": None})
    engine = ask.engine.model_copy(update={"max_seqs": None, "max_tokens": None})
    new = {"cluster": part, "layout": type(ask.layout)(), "limits": limits, "law": LawAsk(), "objective": "cost"}
    return ask.model_copy(update={**new, "engine": engine})


def _left_open(ask: ServeAsk) -> Iterator[str]:
    if ask.fixed():
        yield "the layout that was given is left open: other chips need other ones"
    if ask.limits.money is not None:
        yield "the budget is left out: costs are compared"
    if not ask.promise().given:
        yield "nothing is promised: both sides only answer all requests"


def searched(asked: Question, priced: Callable[[Cluster], bool], wide: set[str]) -> Field:
    """The field of the chips that are ``priced``, and of those in ``wide``, which need no price."""
    one = replace(serving.question_of(_serving(asked), asked.catalog), goal=asked.goal)
    desk, entries, refused = Desk(one, KEEP, REQUESTS), dict[str, Entry](), []
    for usual in clusters_of(asked.open, asked.catalog):
        cluster, name = sized(usual, usual.count, asked.site), usual.chip.name
        if name not in wide and not priced(cluster):
            refused.append(Tried(name, cluster.node.name, (), 0, "no price is known"))
            continue
        kind = Kind(cluster, engine_on(one.engine, cluster.chip), (asked.site,), {asked.site.name: ()}, _most(asked))
        entry, reason = _entry(one, desk, kind)
        if entry:
            entries[name] = entry
        else:
            refused.append(Tried(name, cluster.node.name, (), 0, reason))
    return Field(entries, tuple(refused), desk.shop.considered)


def _serving(asked: Question) -> ServeAsk:
    if not isinstance(asked.open, ServeAsk):
        raise InputError("the work is no service")
    return asked.open


def _most(asked: Question) -> int:
    return asked.ask.limits.count or MOST


def _entry(one: Served, desk: Desk, kind: Kind) -> tuple[Entry | None, str]:
    """(a chip with its deployments, why there is none)."""
    try:
        (spot,) = solve(desk, [kind], one.promise, one.goal)
    except InputError as error:
        return None, error.problem
    rows = tuple(Row(item.made, item.made.energy or 0.0) for item in spot.drafts)
    if not rows:
        return None, "no deployment keeps the promise" if desk.shop.copies(
            kind
        ) else "the model does not fit its memory"
    kept = front(rows, timed=False)
    return Service(kept, kept, one, kind, spot.drafts), ""
