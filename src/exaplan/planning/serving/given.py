"""One deployment: simulated as it is asked, or as it would be planned where the ask leaves it open."""

from __future__ import annotations

from dataclasses import replace

from exaplan.answers.serving import Served
from exaplan.ask import check_loaded
from exaplan.ask.serving import ServeAsk
from exaplan.catalog import Catalog
from exaplan.nouns.serving import Promise
from exaplan.planning.legal import mindful
from exaplan.planning.opening import opened
from exaplan.planning.serving import samples, telling
from exaplan.planning.serving.answering import served
from exaplan.planning.serving.copies import DECODE, MIXED, PREFILL
from exaplan.planning.serving.doubt import EXPECTED, margin_of
from exaplan.planning.serving.kinds import Kind, kinds
from exaplan.planning.serving.lawful import check_lawful, said
from exaplan.planning.serving.paying import Drafted, drafted
from exaplan.planning.serving.question import question_of
from exaplan.planning.serving.refusals import does_not_fit, refusal
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.sizing import Held, Sizer
from exaplan.planning.serving.solving import Desk, holding, solve
from exaplan.planning.serving.trials import QUICK


def simulate(ask: ServeAsk, catalog: Catalog) -> Served:
    """A run of the asked deployment, or of the one that ``plan`` would take, by the simulator: percentiles over
    ``work.requests`` requests. A queue that grows is told as such, with the greatest rate that is stable."""
    check_loaded(ask)
    if ask.work.generation is not None:
        return samples.simulate(ask, catalog)
    return _answer(ask, catalog, "simulate", ask.work.requests)


def estimate_serving(ask: ServeAsk, catalog: Catalog) -> Served:
    """One deployment term by term: the typical iteration, memory, percentiles by a short run, money and energy."""
    check_loaded(ask)
    if ask.work.generation is not None:
        return samples.estimate(ask, catalog)
    return _answer(ask, catalog, "estimate", min(QUICK, ask.work.requests))


def _answer(ask: ServeAsk, catalog: Catalog, verb: str, requests: int) -> Served:
    first = question_of(ask, catalog)
    opening = opened(first.ask, catalog, first.law)
    asked = replace(first, ask=opening.ask)
    desk = Desk(asked)
    setup, kind = deployment(desk)
    check_lawful(asked.law, kind)
    margin = margin_of(setup.copy, asked.upper)
    held = Sizer(desk.bench, asked.promise).tested(setup, margin, requests)
    item = drafted(asked, held)
    plan = served(asked, item, None)
    return Served(
        ask=first.ask.resolved(),
        model=asked.model,
        engine=kind.engine,
        traffic=asked.traffic,
        promise=asked.promise,
        plans=(plan,),
        verb=verb,
        rejected=dict(desk.shop.rejected),
        considered=desk.shop.considered,
        assumptions=(*opening.told, *telling.assumptions(asked, item)),
        defaults=first.ask.defaults(),
        warnings=(
            *opening.warned,
            *_overload(desk, item),
            *mindful(asked.law, [kind.chip], item.cluster.site),
            *telling.warnings(asked, item, asked.goal),
        ),
        inputs=telling.inputs_of(asked, item, plan),
        provenance={"engine": kind.engine.name, "release": kind.engine.release, "requests": held.run.requests},
        objective=asked.goal.objective,
        verdicts=said(asked.law, [item]),
    )


def deployment(desk: Desk) -> tuple[Setup, Kind]:
    """(the deployment of an ask, its chip type): the given one, else the best that keeps the promise, or that is merely
    stable where none is promised."""
    asked = desk.asked
    choice = kinds(asked)
    fixed = _given(desk, choice.tried[0]) if len(choice.tried) == 1 else None
    if fixed:
        return fixed, choice.tried[0]
    spots = solve(desk, choice.tried, asked.promise, asked.goal)
    found = holding(spots, asked.goal)
    if found:
        return found[0].setup, found[0].kind
    if len(choice.tried) == 1 and choice.tried[0].fixed:
        setup = _roomiest(desk, choice.tried[0])
        if setup:
            return setup, choice.tried[0]
    raise refusal(desk, choice.tried, spots)


def _given(desk: Desk, kind: Kind) -> Setup | None:
    """The deployment that the ask says in full; None where some of it is open."""
    asked, layout = desk.asked, desk.asked.ask.layout
    replica = layout.replica()
    if replica is None:
        return None
    apart = asked.ask.work.disaggregated
    copy = desk.shop.copy(kind, replica, asked.settings, DECODE if apart else MIXED)
    if copy is None:
        raise does_not_fit(desk, [kind])
    scaled = asked.ask.autoscale()
    if scaled is not None:
        return Setup(copy, scaled.most)
    if not apart:
        copies = layout.replicas or (max(1, kind.most // copy.chips) if kind.fixed else None)
        return Setup(copy, copies) if copies else None
    prompts = layout.prefill.replica()
    if prompts is None or layout.replicas is None or layout.prefill.replicas is None:
        return None
    reader = desk.shop.copy(kind, prompts, asked.settings, PREFILL)
    if reader is None:
        raise does_not_fit(desk, [kind])
    return Setup(copy, layout.replicas, reader, layout.prefill.replicas)


def _roomiest(desk: Desk, kind: Kind) -> Setup | None:
    """The deployment of given chips that answers the most, where none keeps the promise."""
    copies = [copy for copy in desk.shop.copies(kind) if copy.curve]
    if not copies:
        return None
    best = max(copies, key=lambda copy: (kind.most // copy.chips) * copy.curve[-1].rate)
    return Setup(best, desk.asked.ask.layout.replicas or max(1, kind.most // best.chips))


def _overload(desk: Desk, item: Drafted) -> tuple[str, ...]:
    """That a queue grows without end, with the greatest rate at which it does not."""
    held, rate = item.held, desk.asked.seen.rate
    if held.run.stable:
        return ()
    most = stable_rate(desk, held) if rate else None
    told = f"; up to {most:.3g} requests/s are stable" if most else ""
    return (f"{telling.OVERLOAD}{told}",)


def stable_rate(desk: Desk, held: Held) -> float | None:
    """The greatest rate at which the queue does not grow. [requests/s]"""
    setup = held.setup
    about = setup.replicas * max((point.rate for point in setup.copy.curve), default=0.0)
    found = Sizer(desk.bench, Promise()).greatest(setup, EXPECTED, 0.95 * about) if about else None
    return found.rate if found else None
