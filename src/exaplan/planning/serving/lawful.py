"""What a law does to a serving ask: other chips than the named ones where it keeps them out, and what that cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from exaplan.errors import InputError
from exaplan.nouns import Verdict
from exaplan.planning.candidates import early
from exaplan.planning.legal import Law, no_chip
from exaplan.planning.limits import amount
from exaplan.planning.serving.kinds import Kind, Kinds, kinds
from exaplan.planning.serving.paying import Drafted, rank_of
from exaplan.planning.serving.question import Question
from exaplan.planning.serving.solving import Desk, best_of, solve


def free_of(asked: Question, choice: Kinds, swapped: bool) -> tuple[Kind, ...]:
    """What would be tried without the law; () where it keeps nothing out. ``asked``: as it was asked."""
    if asked.law is None or not (swapped or choice.barred):
        return ()
    if not swapped:
        return (*choice.tried, *choice.barred)
    try:
        found = kinds(replace(asked, law=None)).tried
    except InputError:  # the asked chips could not be tried anyway, e.g. for want of a price
        return ()
    return tuple(kind for kind in found if not early(asked.ask, kind.chip, bound=True, several=False))


def best_free(desk: Desk, free: Sequence[Kind]) -> Drafted | None:
    """The best deployment without the law; None where it keeps nothing out, or nothing holds."""
    if not free:
        return None
    return best_of(solve(desk, free, desk.asked.promise, desk.asked.goal), desk.asked.goal)


def check_lawful(law: Law | None, kind: Kind) -> None:
    """Refuse one chip type that the law keeps out."""
    if law and law.reason(kind.chip):
        raise no_chip(f"the cluster: {kind.name}", [law.verdict(kind.chip)])


def law_cost(best: Drafted, free: Drafted | None, asked: Question) -> tuple[str, ...]:
    """What the law did to the chips and the cost, in words; () where it kept nothing better out."""
    if free is None or rank_of(free, asked.goal) >= rank_of(best, asked.goal):
        return ()
    parts = [f"{chips_of(best)} instead of {chips_of(free)}"]
    mine, other = best.made.cost, free.made.cost
    if mine is not None and other:
        parts.append(f"{amount('money', mine)} instead of {amount('money', other)} ({mine / other - 1.0:+.0%})")
    return (f"what the law cost: {'; '.join(parts)}",)


def chips_of(item: Drafted) -> str:
    """Chips of a deployment in words."""
    return f"{item.cluster.count:,} x {item.kind.name}"


def said(law: Law | None, shown: Sequence[Drafted]) -> tuple[Verdict, ...]:
    """What the rules say of each chip of the plans, once."""
    chips = {item.kind.name: item.kind.chip for item in shown}
    return tuple(law.verdict(chip) for chip in chips.values()) if law else ()
