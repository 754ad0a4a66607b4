"""From a chip and a deal to a Verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from typing import Any

from exaplan.catalog.laws import Active, Book, Regime
from exaplan.errors import InputError, Place
from exaplan.nouns import Chip, Deal, Duty, Verdict
from exaplan.rules import wording
from exaplan.rules.deciding import holding
from exaplan.rules.facts import Facts, facts
from exaplan.rules.resolving import resolve

BUYERS = ("private", "state-funded")
LETTERS = ("all", "addressees")


def check(chip: Chip, deal: Deal, book: Book) -> Verdict:
    """What the encoded rules say of this chip in this deal: analysis, not legal advice."""
    _validate(deal, book)
    regime = book.regime(deal.on, deal.without, deal.thresholds)
    found = facts(chip)
    values = values_of(found, deal, regime, book)
    decision, missing = resolve(regime, values, deal.letters)
    seen = {**values, **(decision.values or {})}
    notes = holding(regime.notes, seen, deal.letters)
    duties = holding(regime.duties, seen) if decision.verdict != "denial" else ()
    sleeping = wording.sleeping(regime.dormant, seen)
    return Verdict(
        chip=chip.name,
        deal=deal,
        verdict=decision.verdict,
        review=decision.review,
        class_name=decision.class_name,
        clauses=(*wording.clauses(decision.steps, (*duties, *notes), seen), *sleeping),
        missing=missing,
        rules_through=book.through,
        assumes=wording.assumes(deal, found, seen, decision),
        warnings=(
            *wording.warnings(deal, book, regime, seen, notes),
            *wording.unread(decision.steps),
            *_open_question(found, values, regime, deal, decision.verdict, decision.review, decision.class_name),
        ),
        duties=tuple(map(_duty, duties)),
        facts=wording.figures(found),
    )


def timeline(chip: Chip, deal: Deal, book: Book, since: str = "2022-08-01") -> tuple[tuple[str, Verdict], ...]:
    """The days on which verdict, class or review change, from ``since`` to the last day of the rules."""
    days = [since, *(day for day in book.days if since < day <= book.through)]
    out: list[tuple[str, Verdict]] = []
    for day in days:
        verdict = check(chip, replace(deal, on=day), book)
        if not out or _gist(verdict) != _gist(out[-1][1]):
            out.append((day, verdict))
    return tuple(out)


def _gist(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.verdict, verdict.class_name, verdict.review


# ------------------------------------------------------------------------------------------------- the deal


def _validate(deal: Deal, book: Book) -> None:
    for name in ("to", "headquarters", "origin"):
        code = getattr(deal, name)
        if code not in book.places and not (name == "headquarters" and not code):
            book.country(code, Place(field=f"law.{name}"))
            hint = f"write its ISO code, {book.country(code)}"
            raise InputError(f"`{code}` is not a country code", hint=hint, place=Place(field=f"law.{name}"))
    _day(deal.on)
    for name, known in (("buyer", BUYERS), ("letters", LETTERS)):
        value = getattr(deal, name)
        if value not in known:
            near = get_close_matches(value, known, 1)
            hint = f"did you mean `{near[0]}`?" if near else "one of: " + ", ".join(known)
            raise InputError(f"unknown {name} `{value}`", hint=hint, place=Place(field=f"law.{name}"))


def _day(text: str) -> None:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return
    except (ValueError, TypeError):
        pass
    raise InputError(f"`{text}` is not a day", hint="write it as 2023-11-17", place=Place(field="law.on"))


def values_of(found: Facts, deal: Deal, regime: Regime, book: Book) -> dict[str, Any]:
    """Facts of chip and deal by the names that tests use, with the members of the place groups on that day."""
    home, domestic = book.maker_country(found.vendor), book.domestic(found.vendor, deal.to)
    return {
        **regime.groups,
        "TPP": found.tpp,
        "PD": found.pd,
        "AREA": found.area,
        "IO": found.io,
        "DRAM_BW": found.dram,
        "DENSITY": found.density,
        "data_center": found.data_center,
        "planar": found.planar,
        "memory_package": found.memory_package,
        "chip": found.chip,
        "maker": found.vendor,
        "maker_hq": home,
        "maker_listed": book.listing(found.vendor, deal.on) is not None,
        "to": deal.to,
        "hq": deal.headquarters or deal.to,
        "origin": deal.origin,
        "buyer": deal.buyer,
        "end_user": deal.end_user,
        "listed": book.listing(deal.end_user, deal.on) is not None,
        "domestic": domestic,
        "export": not book.same("US", deal.to) and not domestic,
        "transfer": book.same(deal.origin, deal.to),
    }


def _duty(active: Active) -> Duty:
    """What a rule takes on top of the price."""
    one = active.provision
    return Duty(one.title, active.rate, one.base, one.source, one.rule)


def _open_question(found: Facts, values: dict[str, Any], regime: Regime, deal: Deal, *known: str) -> tuple[str, ...]:
    """A warning where an unsettled reading of the number formats would change the answer."""
    if found.open_tpp is None:
        return ()
    density = found.open_tpp / found.area if found.area else values["PD"]
    other = resolve(regime, {**values, "TPP": found.open_tpp, "PD": density}, deal.letters)[0]
    if (other.verdict, other.review, other.class_name) == known:
        return ()
    return (
        f"not settled in the texts read: if {found.open_question}, TPP is {found.open_tpp:.0f} and the answer is "
        f"{other.verdict} ({other.class_name}{', ' + other.review if other.review else ''})",
    )
