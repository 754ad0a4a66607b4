"""A serving ask with its references resolved: what is asked of every chip alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from exaplan import sim
from exaplan.ask.serving import ServeAsk
from exaplan.catalog import Catalog
from exaplan.errors import InputError, Place
from exaplan.nouns import Limits, Model
from exaplan.nouns.serving import Engine, Lengths, Promise, Settings, Traffic
from exaplan.planning.drafts import Goal
from exaplan.planning.legal import Law, counted, law_of, settle
from exaplan.planning.resolving import assumed, find_model

LOOKED_AT = 100_000  # requests of a trace that the quick look knows


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked. model: of the answers; engine: as the catalogue has it, before what a chip changes; settings: what
    the ask says of it; traffic: with the documents that a prompt takes along; seen: the same in
    numbers, with the mean rate and lengths of a trace; law: None where there is none; goal: the
    limits, for one period; draft: the model that drafts; notes: what had to be assumed."""

    ask: ServeAsk
    catalog: Catalog
    model: Model
    engine: Engine
    settings: Settings
    traffic: Traffic
    seen: Traffic
    promise: Promise
    law: Law | None
    goal: Goal
    draft: Model | None = None
    notes: tuple[str, ...] = ()

    @property
    def period(self) -> float:
        """Time that cost, energy and carbon are of. [s]"""
        return self.ask.work.period

    @property
    def upper(self) -> bool:
        """Whether a promise holds by the upper end of the range."""
        return self.goal.upper

    @property
    def open_load(self) -> bool:
        """Whether nobody says how many requests come: then as many as the promise leaves room for are answered."""
        work = self.ask.work
        return work.rate is None and work.users is None and work.trace is None

    @property
    def quantities(self) -> tuple[str, ...]:
        """What is promised: ttft, tpot, latency."""
        return tuple(self.promise.given)


def question_of(ask: ServeAsk, catalog: Catalog) -> Question:
    """The question of an ask; InputError where a prompt is longer than the model's context."""
    ask = counted(settle(ask, catalog))
    model = _model(ask, catalog)
    traffic = with_documents(ask)
    seen = seen_of(traffic, model.max_seq) if traffic.arrivals == "trace" else traffic
    _check_context(ask, model, traffic)
    engine = catalog.engine(ask.engine.name, near=ask.folder, place=ask.place("engine", "name"))
    return Question(
        ask=ask,
        catalog=catalog,
        model=model,
        engine=engine,
        settings=replace(ask.settings(), engine=engine.name),
        traffic=traffic,
        seen=seen,
        promise=ask.promise(),
        law=law_of(ask, catalog),
        goal=goal_of(ask),
        draft=_draft(ask, catalog),
        notes=assumed(model),
    )


def _model(ask: ServeAsk, catalog: Catalog) -> Model:
    """The model; of a queue of samples it is only a label, which the catalogue need not know."""
    if ask.work.generation is None or (isinstance(ask.model, str) and ask.model in catalog.models):
        return find_model(ask, catalog)
    return Model(str(ask.model), "", 0, 0, (), (), (), ())


def _draft(ask: ServeAsk, catalog: Catalog) -> Model | None:
    """The small model that drafts; None where the model drafts itself, or none does."""
    part = ask.work.speculative
    if part is None or part.draft in ("mtp", "ngram"):
        return None
    return catalog.model(part.draft, near=ask.folder, place=ask.place("work", "speculative", "draft"))


def goal_of(ask: ServeAsk) -> Goal:
    """Limits of one period: a purchase costs it what wears off, and its whole price is held against the money."""
    bounds = Limits(ask.limits.money, ask.limits.power, None, ask.most_chips)
    return Goal(bounds, ask.limits.hold == "upper", ask.objective, 1.0, False, 1.0)


def seen_of(traffic: Traffic, context: int = 0) -> Traffic:
    """The first requests of a trace as traffic with a rate and spreads of lengths, for the quick look; without those
    that are longer than the context, if known, which the engine refuses. [tokens]"""
    load = sim.traces.read(traffic.trace, LOOKED_AT)
    rows, whens = [], []
    for chunk in load.chunks():
        rows.append(chunk.rows)
        whens.append(chunk.whens)
    table, times = np.concatenate(rows), np.concatenate(whens)
    fits = table[:, 0] + table[:, 1] <= (context or sim.traces.MOST_TOKENS)
    if not fits.any():
        raise InputError(
            f"every request of the trace is longer than the context, {context:,} tokens",
            hint="take another model",
            place=Place(str(traffic.trace)),
        )
    table = table[fits]
    span = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    rate = (len(times) - 1) / span if span > 0.0 else 1.0
    return replace(
        traffic,
        prompt=_lengths(table[:, 0]),
        output=_lengths(table[:, 1]),
        rate=rate,
        arrivals="poisson",
        turns=1,
    )


def _lengths(values: np.ndarray[Any, Any]) -> Lengths:
    """Lengths with the mean, spread and ends of a sample. [tokens]"""
    mean, low, high = float(values.mean()), int(values.min()), int(values.max())
    spread = float(values.std()) / mean if mean else 0.0
    return Lengths("lognormal", mean, spread, low, high) if spread else Lengths("fixed", mean)


def with_documents(ask: ServeAsk) -> Traffic:
    """The traffic, each prompt with the pieces of documents that are put before it."""
    traffic, rag = ask.traffic(), ask.work.rag
    if rag is None or traffic.prompt.kind == "trace":
        return traffic
    return replace(traffic, prompt=longer(traffic.prompt, float(rag.top_k * rag.chunk)))


def longer(lengths: Lengths, more: float) -> Lengths:
    """Lengths with ``more`` tokens on each; the standard deviation stays."""
    mean = lengths.mean + more
    low, high = (int(end + more) if end else 0 for end in (lengths.low, lengths.high))
    return replace(lengths, mean=mean, cv=lengths.cv * lengths.mean / mean, low=low, high=high)


def longest(lengths: Lengths) -> float:
    """Tokens of the longest there can be; of an unbounded spread, its mean."""
    return float(lengths.high or lengths.mean)


def _check_context(ask: ServeAsk, model: Model, traffic: Traffic) -> None:
    """Refuse prompts that no request of the model can hold."""
    if not model.max_seq or traffic.prompt.kind == "trace" or ask.work.generation is not None:
        return
    need = least_context(traffic)
    if need > model.max_seq:
        raise InputError(
            f"a request of {need:,.0f} tokens is longer than the context of {model.name}, {model.max_seq:,} tokens",
            hint="shorten work.prompt and work.output, keep less history (work.history: window), or take another model",
            place=ask.place("work", "prompt"),
        )


def least_context(traffic: Traffic) -> float:
    """Tokens of the longest usual request, with the history of its session."""
    prompt, output = longest(traffic.prompt), longest(traffic.output)
    if traffic.turns > 1 and traffic.history == "full":
        return traffic.prefix + traffic.turns * (prompt + output)
    return traffic.prefix + prompt + output + (traffic.keep if traffic.turns > 1 and traffic.history == "window" else 0)
