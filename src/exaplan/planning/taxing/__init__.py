"""The AI tax: what a work costs under the rules of a place and a day, over what it costs free of them.

Same work, same place, same day, same deadline on both sides; the definition stands in docs/method/ai-tax.md. Every chip
is searched once: layouts depend on neither prices nor dates, so each day and each basis only prices them anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date

from exaplan.answers.tax import BreakEven, Tax, TaxPoint, TaxSide
from exaplan.ask import Ask, ServeAsk
from exaplan.catalog import Catalog
from exaplan.errors import NoPlan
from exaplan.nouns import Verdict
from exaplan.planning.legal import mindful, undecided
from exaplan.planning.taxing import service
from exaplan.planning.taxing.doubts import doubts, harmless, untold
from exaplan.planning.taxing.even import break_even, domestic
from exaplan.planning.taxing.field import Field, searched
from exaplan.planning.taxing.market import TERMS, Day, Market, on_day
from exaplan.planning.taxing.question import Question, question_of
from exaplan.planning.taxing.series import days
from exaplan.planning.taxing.sides import Cap, Costs, costs, side

__all__ = ["tax"]
TOLD = {"buy": "bought", "rent": "rented"}


def tax(ask: Ask | ServeAsk, catalog: Catalog, since: date | None = None, step: str = "quarter") -> Tax:
    """The AI tax of a work under the law of its ask; with ``since`` as a series from that day on, by ``step`` (month,
    quarter, year)."""
    dates = () if since is None else days(since, _last(ask, catalog), step)
    asked = service.question_of(ask, catalog) if isinstance(ask, ServeAsk) else question_of(ask, catalog)
    deal = asked.law.deal
    market = Market(catalog, deal.to, asked.ask.law.vat == "paid")
    field = _field(asked, market)
    day = on_day(asked.law, deal.on, market)
    cap, told = _cap(asked, field, day)
    made = {terms: costs(asked, field, day, terms, cap) for terms in TERMS}
    sides = {terms: side(asked, field, found) for terms, found in made.items()}
    series = tuple(_point(asked, field, on_day(asked.law, one, market)) for one in dates)
    _check_told(asked, sides, series)
    return Tax(
        ask=asked.ask.resolved(),
        deal=deal,
        headline=_headline(asked.ask, sides),
        sides=sides,
        break_even=_break_even(asked, field, day, made),
        series=series,
        verdicts=_verdicts(day, made),
        counterfactual=_counterfactual(asked.ask),
        assumptions=(*asked.notes, *_assumptions(field, day), *told, *_duties(day, made)),
        warnings=_warnings(asked, field, day, made),
        provenance={**_amount(asked), "chips": len(field.entries), "considered": field.scored},
    )


def _amount(asked: Question) -> dict[str, float]:
    """What both sides have in common: the deadline, or the period of a service. [s]"""
    return {"period": asked.ask.work.period} if isinstance(asked.ask, ServeAsk) else {"deadline": asked.deadline}


def _last(ask: Ask | ServeAsk, catalog: Catalog) -> date:
    """The day of the tax, and the last of a series."""
    return ask.dated(catalog.rules.through).law.on or date.fromisoformat(catalog.rules.through)


def _check_told(asked: Question, sides: Mapping[str, TaxSide], series: Sequence[TaxPoint]) -> None:
    """Refuse a question of which no side has a number on any day; each side says why."""
    every = [item for found in (sides, *(point.sides for point in series)) for item in found.values()]
    if any(item.tax is not None for item in every):
        return
    free = any(item.reference is not None for item in sides.values())
    raise NoPlan(
        "no AI tax can be told: " + "; ".join(f"{TOLD[terms]}, {item.why}" for terms, item in sides.items()),
        limit="law" if free else "promise" if asked.serving else "deadline",
        hint="ask for another day, place or deadline, for more chips to be had (--available), or accept what a licence "
        "may be had for (--accept licence)",
    )


def _field(asked: Question, market: Market) -> Field:
    """Every chip with a price, and the domestic ones, whose break-even needs none."""
    search = service.searched if asked.serving else searched
    return search(asked, market.priced, set(domestic(asked, asked.catalog.chips)))


def _point(asked: Question, field: Field, day: Day) -> TaxPoint:
    """The tax on one day of a series."""
    cap, _ = _cap(asked, field, day)
    return TaxPoint(
        day.on,
        {terms: side(asked, field, costs(asked, field, day, terms, cap)) for terms in TERMS},
    )


def _cap(asked: Question, field: Field, day: Day) -> tuple[Cap, tuple[str, ...]]:
    """(the most chips of a type that are to be had, what is to be said of it): law.count, else the supply table."""
    most = asked.ask.law.count
    if most is not None:
        return (lambda chip: float(most)), (f"quantity: at most {most:,} chips are to be had, as asked",)
    known: dict[str, float] = {}
    for name in field.entries:
        found = asked.catalog.supply.at(name, asked.law.deal.to, day.on)
        if found is not None and found.value is not None:
            known[name] = found.value
    told = ", ".join(
        f"{value:,.0f} {name}" for name, value in known.items() if day.usable(field.entries[name].chip, "buy")
    )
    table = f"quantity: {told} are to be had by the supply table" if told else "quantity: the supply table is silent"
    more = f"{table}; of other chips any number (--available, law.count)"
    return (lambda chip: known.get(chip.name, math.inf)), (more,)


def _headline(ask: Ask | ServeAsk, sides: Mapping[str, TaxSide]) -> str:
    """The way to pay that is told first: the asked one, else a purchase; the other where only that has a number."""
    first = "rent" if ask.cluster.terms == "rent" else "buy"
    other = "buy" if first == "rent" else "rent"
    return other if sides[first].tax is None and sides[other].tax is not None else first


def _break_even(asked: Question, field: Field, day: Day, made: Mapping[str, Costs]) -> tuple[BreakEven, ...]:
    return tuple(break_even(asked, field, day, made["buy"].reference))


def _verdicts(day: Day, made: Mapping[str, Costs]) -> tuple[Verdict, ...]:
    """What the rules say of the chips of all plans, once each."""
    best = [item for found in made.values() for item in (found.reference, found.local) if item]
    chips = {item.entry.chip.name: item.entry.chip for item in best}
    return tuple(day.law.verdict(chip) for chip in chips.values())


def _counterfactual(ask: Ask | ServeAsk) -> str:
    """What was changed in the rules, in words."""
    told = [f"without {name}" for name in ask.law.without]
    return "; ".join(told + [f"{name} = {value:g}" for name, value in sorted(ask.law.thresholds.items())])


def _assumptions(field: Field, day: Day) -> tuple[str, ...]:
    """What the comparison rests on: which chips are in it, and which are left out for want of a figure."""
    out = [entry.chip for entry in field.entries.values() if day.out(entry.chip)]
    doubtful = undecided([day.law.verdict(chip) for chip in out if not day.law.usable(chip)])
    bare = [item for item in field.refused if item.reason == "no price is known"]
    told = [
        f"{len(out)} chips were out by {day.on} and can do this work; {len(bare)} more of the catalogue have no price"
    ]
    if doubtful:
        told.append("not usable, since what the rules say is unknown: " + ", ".join(doubtful))
    away = [
        item.chip.name
        for item in field.entries.values()
        if day.out(item.chip) and not day.possible(item.cluster, "rent")
    ]
    if away:
        told.append(f"on no side for rent, being only in clouds of which no rent there is known: {', '.join(away)}")
    bare_ones = [
        item.chip.name
        for item in field.entries.values()
        if day.out(item.chip) and not any(day.quotes(item.cluster, day.market.taxed, terms) for terms in TERMS)
    ]
    if bare_ones:
        told.append(f"left out, as no price of them says something of {day.on}: {', '.join(bare_ones)}")
    there = [chip.name for chip in out if day.usable(chip, "rent") and not day.law.usable(chip)]
    if there:
        told.append(f"rented from what the law let in before: {', '.join(there)}")
    return tuple(told)


def _duties(day: Day, made: Mapping[str, Costs]) -> tuple[str, ...]:
    """What the rules themselves take of the chips of the local purchase, and who bears it."""
    best = made["buy"].local
    if best is None:
        return ()
    chip = best.entry.chip
    borne = {duty.name for duty in day.taken(chip)}
    return tuple(
        f"{chip.name}: {duty.rate:.0%} ({duty.note or duty.name}; {duty.base}) is "
        + ("in the duties" if duty.name in borne else "not counted: it is in the seller's price")
        for duty in day.law.verdict(chip).duties
    )


def _warnings(asked: Question, field: Field, day: Day, made: Mapping[str, Costs]) -> tuple[str, ...]:
    """What makes the tax less sure, and what a reader should know of the chips of the local plans."""
    best = [found.local.entry.chip for found in made.values() if found.local]
    return (
        *harmless(field, day),
        *untold(day),
        *doubts(made),
        *mindful(day.law, {chip.name: chip for chip in best}.values(), asked.site),
    )
