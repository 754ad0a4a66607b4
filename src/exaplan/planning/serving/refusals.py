"""Why nothing holds: a model that does not fit, a promise that no deployment keeps, or a limit that all miss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from exaplan import units
from exaplan.ask import MOST_CHIPS
from exaplan.errors import ExaplanError, InputError, NoPlan
from exaplan.nouns.serving import Promise, Replica
from exaplan.planning.refusals import unmet
from exaplan.planning.serving.copies import Copy
from exaplan.planning.serving.doubt import margin_of
from exaplan.planning.serving.kinds import Kind
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.sizing import Held, Sizer, excess_of
from exaplan.planning.serving.solving import Desk, Spot, solve

LONGER = {"ttft": "time to first token", "tpot": "time per token", "latency": "time to the last token"}
IDLE = 0.02  # share of what a copy can answer at which nobody waits


def refusal(desk: Desk, tried: Sequence[Kind], spots: Sequence[Spot]) -> ExaplanError:
    """The error of a question that no deployment answers."""
    asked = desk.asked
    copies = [copy for kind in tried for copy in desk.shop.copies(kind)]
    subject = f"no deployment of {asked.model.name} on {chips_told(tried)}"
    if not copies:
        return does_not_fit(desk, tried)
    drafts = [item for spot in spots for item in spot.drafts]
    if drafts:
        return unmet([item.made for item in drafts], replace(asked.goal, upper=False), f"{subject} meets")
    if any(spot.looked for spot in spots) or asked.ask.work.disaggregated:
        return _too_few(desk, tried, spots, subject)
    return _too_slow(desk, copies, subject)


def chips_told(tried: Sequence[Kind]) -> str:
    """Chip types in words."""
    names = [kind.name for kind in tried]
    if len(tried) == 1 and tried[0].fixed:
        return f"{tried[0].most:,} x {names[0]}"
    return " or ".join(names) if len(names) <= 3 else f"any of {len(names)} chip types"


# ------------------------------------------------------------------------------------------------ does not fit


def does_not_fit(desk: Desk, tried: Sequence[Kind]) -> ExaplanError:
    """A model that has no room, with the smallest cluster that it has room on."""
    asked = desk.asked
    if "memory" not in desk.shop.rejected:
        reasons = "; ".join(f"{reason}: {number}" for reason, number in desk.shop.rejected.items())
        hint = "leave out layout.tp, pp, ep, dp or cp, or choose others"
        return InputError(
            f"no layout of {asked.model.name} is possible on {chips_told(tried)} ({reasons})",
            hint=hint,
            place=asked.ask.place("layout"),
        )
    room = smallest(desk, tried)
    weights = asked.settings.formats.weights
    near = f"it has room on {room.chips:,} x {room.kind.name} ({cut_told(room.replica)})" if room else ""
    return NoPlan(
        f"{asked.model.name} in {weights} does not fit on {chips_told(tried)} with the longest request",
        limit="memory",
        nearest=near,
        hint="use more chips or chips with more memory, another work.precision or work.kv, or shorter requests",
    )


def smallest(desk: Desk, tried: Iterable[Kind]) -> Copy | None:
    """The copy of the fewest chips that fits, on any number of chips and with any layout."""
    asked = desk.asked
    free = replace(asked, ask=asked.ask.model_copy(update={"layout": type(asked.ask.layout)()}))
    found = []
    for kind in tried:
        shop = type(desk.shop)(free)
        found += shop.copies(replace(kind, most=MOST_CHIPS, fixed=False))
    return min(found, key=lambda copy: (copy.chips, copy.replica.pp), default=None)


def cut_told(replica: Replica) -> str:
    """A cut in words: tp 8 pp 2."""
    given = {name: getattr(replica, name) for name in ("tp", "pp", "cp", "dp", "ep")}
    return " ".join(f"{name} {value}" for name, value in given.items() if value > 1) or "one chip"


# ------------------------------------------------------------------------------------------------ too slow, too few


def _too_slow(desk: Desk, copies: Sequence[Copy], subject: str) -> NoPlan:
    """A promise that not even a request alone is kept: the best that can be had of it, and how."""
    asked = desk.asked
    sizer = Sizer(desk.bench, Promise(percentile=asked.promise.percentile))
    told, limits = [], []
    for name, allowed in asked.promise.given.items():
        held = _alone(desk, sizer, copies, name)
        best = held.excess[name] * allowed
        if best > allowed or len(asked.promise.given) == 1:
            limits.append(name)
            told.append(f"{LONGER[name]}: {_promised(desk, name, best)} at the best, with {setup_told(held.setup)}")
    return NoPlan(
        f"{subject} keeps the promise, not even for one request at a time",
        limit=" and ".join(limits) or " and ".join(asked.promise.given),
        nearest="; ".join(told) or "each alone can be kept, and not all of them by one deployment",
        hint="promise more time, name other chips, or take another engine, precision or work.speculative",
    )


def _alone(desk: Desk, sizer: Sizer, copies: Sequence[Copy], name: str) -> Held:
    """The copy that is quickest at one promise with one request at a time, simulated."""

    def quick(copy: Copy) -> float:
        first = copy.curve[0]
        whole = first.ttft + first.tpot * max(0.0, copy.demand.output - 1.0)
        value = {"ttft": first.ttft, "tpot": first.tpot, "latency": whole}[name]
        return value * margin_of(copy, desk.asked.upper).of(name)

    copy = min((item for item in copies if item.curve), key=quick)
    rate = IDLE * copy.curve[0].rate
    setup, margin = Setup(copy, 1), margin_of(copy, desk.asked.upper)
    run = desk.bench.run(setup, 500, rate)
    return Held(setup, run, excess_of(run, desk.asked.promise, margin))


def _too_few(desk: Desk, tried: Sequence[Kind], spots: Sequence[Spot], subject: str) -> ExaplanError:
    """More chips than are to be had are needed; or a promise is missed on the chips that are given."""
    asked = desk.asked
    tested = [held for spot in spots for held in spot.failed]
    if tested and (tried[0].fixed or asked.ask.layout.replicas is not None):
        return _missed(desk, tested, subject)
    free = [replace(kind, most=max(MOST_CHIPS, kind.most)) for kind in tried]
    goal = replace(asked.goal, bounds=replace(asked.goal.bounds, count=None))
    wide = [item for spot in solve(desk, free, asked.promise, goal) for item in spot.drafts]
    if wide:
        bounds = replace(asked.goal.bounds, count=max(kind.most for kind in tried))
        return unmet([item.made for item in wide], replace(asked.goal, bounds=bounds, upper=False), f"{subject} meets")
    guesses = [item.chips for spot in spots for item in spot.looked]
    if not tested and guesses and min(guesses) > max(kind.most for kind in tried):
        return _too_many(tried, min(guesses), subject)
    return (
        _missed(desk, tested, subject)
        if tested
        else _too_slow(desk, [c for k in tried for c in desk.shop.copies(k)], subject)
    )


def _too_many(tried: Sequence[Kind], chips: int, subject: str) -> NoPlan:
    """A load beyond all the chips that are searched, by the quick look."""
    most = max(kind.most for kind in tried)
    return NoPlan(
        f"{subject} keeps the promise at the asked load with {most:,} chips or fewer",
        limit="count",
        nearest=f"some {chips:,} chips would be needed",
        hint="ask for less load, name larger chips, or raise limits.count",
    )


def _missed(desk: Desk, tested: Sequence[Held], subject: str) -> NoPlan:
    """The deployment that comes nearest, what it misses, and the greatest rate that it keeps the promise at."""
    held = min(tested, key=lambda item: (not item.run.stable, max(item.excess.values(), default=0.0)))
    missed = [name for name, value in held.excess.items() if value > 1.0]
    told = "; ".join(
        f"{LONGER[name]}: {_promised(desk, name, held.excess[name] * desk.asked.promise.given[name])}"
        for name in missed
    )
    if not held.run.stable:
        told = "the queue grows without end"
    sizer = Sizer(desk.bench, desk.asked.promise)
    rate = desk.asked.traffic.rate
    best = sizer.greatest(held.setup, margin_of(held.setup.copy, desk.asked.upper), 0.7 * rate) if rate else None
    most = f"; it keeps the promise up to {best.run.throughput['requests']:.3g} requests/s" if best else ""
    return NoPlan(
        f"{subject} keeps the promise at the asked load",
        limit=" and ".join(missed) or "throughput",
        nearest=f"{told}, with {setup_told(held.setup)}{most}",
        hint="use more chips, promise more time, or ask for less load",
    )


def _promised(desk: Desk, name: str, value: float) -> str:
    """A value against what is promised of it."""
    asked = desk.asked
    how = " (upper end of the range)" if asked.upper else ""
    allowed = asked.promise.given[name]
    return (
        f"{units.show(value, 'time', 3)} at p{asked.promise.percentile:g}{how} against {units.show(allowed, 'time', 3)}"
    )


def setup_told(setup: Setup) -> str:
    """A deployment in words."""
    copies = (
        f"{setup.replicas:,} copies of {cut_told(setup.copy.replica)}"
        if setup.replicas > 1
        else cut_told(setup.copy.replica)
    )
    return f"{setup.chips:,} x {setup.copy.kind.name} ({copies})"
