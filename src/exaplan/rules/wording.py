"""The words of a verdict: clauses with the chip's numbers, what was taken for granted, what to beware of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from exaplan.catalog.laws import Active, Book, Regime
from exaplan.nouns import Clause, Deal
from exaplan.rules.deciding import Decision, Step
from exaplan.rules.facts import Facts

Values = Mapping[str, Any]


def clauses(steps: Iterable[Step], beside: Iterable[Active], values: Values) -> tuple[Clause, ...]:
    """The clauses that were looked at: those that decided first, then duties and notes that hold, then the rest."""
    told = [clause(active, holds, effect, values) for active, holds, effect in steps]
    extra = [clause(active, True, _effect(active), values) for active in beside]
    return (*(one for one in told if one.holds), *extra, *(one for one in told if not one.holds))


def _effect(active: Active) -> str:
    one = active.provision
    return f"duty: {active.rate:.0%} of {one.base}" if one.kind == "duty" else f"note: {one.title}"


def clause(active: Active, holds: bool | None, effect: str, values: Values) -> Clause:
    """One clause with its test and the numbers that entered it."""
    return _clause(active, holds, effect, tuple([values[name] for name in active.figures]))


@lru_cache(maxsize=65536)
def _clause(active: Active, holds: bool | None, effect: str, numbers: tuple[Any, ...]) -> Clause:
    """A clause as it is told; kept, since the same is told of a chip on many days."""
    one = active.provision
    note = "; ".join(part for part in (one.note, active.why) if part)
    shown = ", ".join(f"{name} = {_value(value)}" for name, value in zip(active.figures, numbers, strict=True))
    test = f"{active.test} [{shown}]" if shown else active.test
    return Clause(
        one.rule, one.name, one.title, one.comply, active.until, test, holds, effect, active.enforced,
        one.source, one.read, note,
    )  # fmt: skip


def sleeping(actives: Iterable[Active], values: Values) -> tuple[Clause, ...]:
    """Clauses that would hold but are not enforced, or do not bind yet."""
    return tuple(
        clause(active, True, f"not enforced: {active.provision.review or active.provision.title}", values)
        for active in actives
        if active.provision.kind != "review" and active.when(values) is True
    )


def _value(value: Any) -> str:
    if value is None:
        return "unknown"
    if value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def figures(found: Facts) -> Mapping[str, float | None]:
    """The quantities of the law: tpp [1], pd [1/mm2], area [m2], io and dram_bandwidth [B/s]; None = unknown."""
    return MappingProxyType(
        {
            "tpp": found.tpp,
            "pd": None if found.planar else found.pd,
            "area": None if found.area is None else found.area * 1e-6,
            "io": None if found.io is None else found.io * 1e9,
            "dram_bandwidth": None if found.dram is None else found.dram * 1e9,
            "data_center": None if found.data_center is None else float(found.data_center),
        }
    )


# ------------------------------------------------------------------------------------------------ in words


def assumes(deal: Deal, found: Facts, values: Values, decision: Decision) -> tuple[str, ...]:
    """What was taken for granted."""
    out = [
        f"headquarters of the buyer and its parents: {values['hq']}"
        + ("" if deal.headquarters else " (the destination)"),
        f"shipped from {deal.origin}; civil end use; end user {_end_user(deal, values)}",
    ]
    if deal.to in values.get("UnitedStates", ("US",)):
        out.append("a delivery within the United States is no export")
    elif values["domestic"]:
        out.append(f"the maker {found.vendor} has its headquarters in {deal.to}: a domestic purchase, no export")
    elif not values["maker_hq"]:
        out.append(f"headquarters of the maker {found.vendor or '(not named)'} unknown: taken as an import")
    if any(active.provision.addressees for active, _, _ in decision.steps):
        kind = "every maker" if deal.letters == "all" else "their addressees only"
        out.append(f"letters to single makers are read as binding {kind}")
    return tuple(out)


def _end_user(deal: Deal, values: Values) -> str:
    if not deal.end_user:
        return "not on the Entity List"
    return f"{deal.end_user} ({'on' if values['listed'] else 'not found on'} the Entity List as encoded)"


def warnings(deal: Deal, book: Book, regime: Regime, values: Values, notes: Iterable[Active]) -> tuple[str, ...]:
    """What to beware of: days outside of the rules, notes of rules, rules to come, groups that were only recalled."""
    out = []
    if not book.since or deal.on < book.since:
        out.append(f"{deal.on} is before the first encoded rule on chips")
    if book.through and deal.on > book.through:
        out.append(f"the rules were read up to {book.through}: later changes are not known here")
    if like := book.resembling(deal.end_user, deal.on):
        out.append(
            f"{deal.end_user} resembles {like.name}, on the Entity List since {like.listed}: taken as not listed"
        )
    out += [f"{one.provision.rule}: {one.provision.note or one.provision.title}" for one in notes]
    out += [f"announced, binding from {day}: {rule}" for rule, day in regime.upcoming]
    out += _doubtful(regime, values)
    if deal.without or deal.thresholds:
        changed = [*(f"without {name}" for name in deal.without)]
        changed += [f"{name} = {value:g}" for name, value in deal.thresholds.items()]
        out.append("counterfactual: " + ", ".join(changed))
    return tuple(out)


def unread(steps: Iterable[Step]) -> tuple[str, ...]:
    """A warning for each clause that holds and whose text was not read."""
    words = {"recalled": "recalled, not read", "second-hand": "known only second-hand"}
    held = [active.provision for active, holds, _ in steps if holds and active.provision.read in words]
    return tuple(f"{one.rule} ({one.name}): {words[one.read]}" for one in held)


def _doubtful(regime: Regime, values: Values) -> list[str]:
    """A warning where the answer hangs on members of a group that were recalled, not read."""
    place = values["to"]
    for active in regime.requirements:
        names = [name for name in regime.doubtful if name in active.when.names]
        if not names or active.when(values) is None:
            continue
        inside = any(place in regime.doubtful[name] for name in names)
        other = {name: regime.doubtful[name] - {place} if inside else regime.doubtful[name] | {place} for name in names}
        if active.when({**values, **other}) != active.when(values):
            groups = " or ".join(f"{name[0]}:{name[1:]}" for name in names)
            return [
                f"hangs on {place} {'being' if inside else 'not being'} in country group {groups}: recalled, not read"
            ]
    return []
