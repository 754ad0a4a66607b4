"""The rule book: all encoded rules, and what stands on a day."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from types import MappingProxyType

from exaplan.catalog.folder import fold
from exaplan.catalog.laws.nouns import (
    CHIP_NAMES,
    CLASS_NAMES,
    DEAL_NAMES,
    FIGURES,
    NO_THRESHOLDS,
    SHOWN,
    Active,
    Change,
    Country,
    Group,
    Listing,
    Membership,
    Provision,
    Regime,
    Rule,
    spelt,
)
from exaplan.errors import InputError, Place
from exaplan.expressions import Expression, parse


@dataclass(frozen=True)
class Book:
    """All encoded rules.

    rules by name, in order of announcement; places by ISO code; makers: folded vendor name -> country of its
    headquarters; through: the day to which the sources of the rules were read.
    """

    rules: Mapping[str, Rule] = field(default_factory=lambda: MappingProxyType({}))
    places: Mapping[str, Country] = field(default_factory=lambda: MappingProxyType({}))
    groups: Mapping[str, Group] = field(default_factory=lambda: MappingProxyType({}))
    makers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    listings: tuple[Listing, ...] = ()
    through: str = ""
    _regimes: dict[object, Regime] = field(default_factory=dict, repr=False, compare=False)
    _actives: dict[object, Active] = field(default_factory=dict, repr=False, compare=False)

    # ------------------------------------------------------------------------------------------- look-ups

    @cached_property
    def spellings(self) -> Mapping[str, str]:
        """Every accepted spelling of a place (folded) -> code."""
        out: dict[str, str] = {}
        for country in self.places.values():
            for name in (country.code, country.name, country.zh, *country.aliases):
                out.setdefault(fold(name), country.code)
        return out

    def country(self, name: str, place: Place | None = None) -> str:
        """ISO code of a place by code, English or Chinese name, or alias; InputError with the nearest names."""
        found = self.spellings.get(fold(name))
        if found:
            return found
        near = get_close_matches(fold(name), list(self.spellings), 6, 0.6)
        names = list(dict.fromkeys(self._shown(self.spellings[spelling]) for spelling in near))[:3]
        hint = f"did you mean {', '.join(names)}?" if names else "name a country or its ISO code, e.g. CN or China"
        raise InputError(f"unknown place `{name}`", hint=hint, place=place)

    def _shown(self, code: str) -> str:
        return f"{self.places[code].name} ({code})"

    def rule(self, name: str, place: Place | None = None) -> Rule:
        """A rule by name; InputError with the nearest names."""
        if name in self.rules:
            return self.rules[name]
        near = get_close_matches(name, list(self.rules), 3, 0.4)
        hint = f"did you mean {', '.join(near)}?" if near else "rules: " + ", ".join(self.rules)
        raise InputError(f"unknown rule `{name}`", hint=hint + " `exaplan rules` lists all", place=place)

    def maker_country(self, vendor: str) -> str:
        """Where a maker has its headquarters; "" when unknown."""
        return self.makers.get(fold(vendor), "")

    def domestic(self, vendor: str, to: str) -> bool:
        """Whether a maker has its headquarters in the destination, so that buying there is no export."""
        home = self.maker_country(vendor)
        return bool(home) and self.same(home, to)

    def same(self, one: str, other: str) -> bool:
        """Whether two places count as one country (Hong Kong is China, Guam the United States)."""
        return one == other or any({one, other} <= group.members for group in self.groups.values() if group.one)

    @cached_property
    def _entities(self) -> Mapping[str, tuple[Listing, ...]]:
        out: dict[str, tuple[Listing, ...]] = {}
        for listing in self.listings:
            for name in (listing.name, *listing.aliases):
                out[fold(name)] = (*out.get(fold(name), ()), listing)
        return out

    def listing(self, name: str, on: str) -> Listing | None:
        """The entry of the Entity List that holds for a name on a day."""
        found = self._entities.get(fold(name), ()) if name else ()
        return next((one for one in found if one.listed <= on and not (one.removed and one.removed <= on)), None)

    def resembling(self, name: str, on: str) -> Listing | None:
        """A listed company whose name stands inside of another name, or is nearly the same; None if that is listed."""
        if not name or self.listing(name, on):
            return None
        words = fold(re.sub(r"[^\w]", " ", name))
        near = [one for one in self._entities if _within(one, words)] or get_close_matches(
            words, self._entities, 1, 0.8
        )
        return next((found for one in near if (found := self.listing(one, on))), None)

    def group(self, name: str, on: str) -> frozenset[str]:
        """The members of a place group on a day."""
        return self._members(name, [m for rule in self.rules.values() for m in rule.memberships if m.start <= on])

    def _members(self, name: str, changes: Iterable[Membership]) -> frozenset[str]:
        members = self.groups[name].members
        for change in sorted((one for one in changes if one.group == name), key=lambda one: one.start):
            members = (members | set(change.add)) - set(change.remove)
        return members

    # ------------------------------------------------------------------------------------------------ time

    @cached_property
    def days(self) -> tuple[str, ...]:
        """Every day on which something changes, in order."""
        days = {day for rule in self.rules.values() for day in (*rule.effective, rule.announced)}
        days |= {one.listed for one in self.listings} | {one.removed for one in self.listings if one.removed}
        return tuple(sorted(days))

    @cached_property
    def since(self) -> str:
        """The day on which the first rule that looks at figures of a chip was announced; "" without one."""
        tested = (rule for rule in self.rules.values() if any(p.when.names & FIGURES for p in rule.provisions))
        return min((rule.announced for rule in tested), default="")

    def known(self, on: str) -> Book:
        """The book as it could be written on a day: without every rule that was announced later."""
        kept = {name: rule for name, rule in self.rules.items() if rule.announced <= on}
        return replace(self, rules=MappingProxyType(kept), _regimes={}, _actives={})

    def regime(self, on: str, without: tuple[str, ...] = (), thresholds: Mapping[str, float] = NO_THRESHOLDS) -> Regime:
        """What stands on a day, leaving out some rules and replacing some thresholds ("rule.name" -> value)."""
        key = (bisect_right(self.days, on), without, tuple(sorted(thresholds.items())) if thresholds else ())
        if key not in self._regimes:
            self._regimes[key] = self._regime(on, without, thresholds)
        return self._regimes[key]

    def _regime(self, on: str, without: tuple[str, ...], thresholds: Mapping[str, float]) -> Regime:
        rules = self._standing(on, without)
        self._check(thresholds)
        changes = [change for rule in rules for change in rule.changes]
        actives = [
            self._once(_active(provision, rule, on, changes, thresholds))
            for rule in rules
            for provision in rule.provisions
            if provision.start <= on and not _ended(provision, changes, on)
        ]
        memberships = [m for rule in rules for m in rule.memberships if m.start <= on]
        members = {group.key: self._members(name, memberships) for name, group in self.groups.items()}
        doubtful = {group.key: members[group.key] for group in self.groups.values() if group.read == "recalled"}
        awaited = sorted((p for rule in rules for p in rule.provisions if p.comply > on), key=lambda p: p.comply)
        upcoming = {
            p.rule: p.comply for p in reversed(awaited) if not (_ended(p, changes, on) or _halted(p, changes, on))
        }
        return _sorted(actives, members, doubtful, tuple(sorted(upcoming.items())))

    def _once(self, active: Active) -> Active:
        """One object for a clause that stands unchanged on many days, so that what is said of it can be kept."""
        one = active.provision
        return self._actives.setdefault(
            (one.rule, one.name, active.until, active.why, active.test, active.rate), active
        )

    def _standing(self, on: str, without: tuple[str, ...]) -> list[Rule]:
        for name in without:
            self.rule(name, Place(field="law.without"))
        return [rule for name, rule in self.rules.items() if name not in without and rule.announced <= on]

    @cached_property
    def threshold_names(self) -> tuple[str, ...]:
        """All thresholds as "rule.name"."""
        return tuple(f"{rule.name}.{name}" for rule in self.rules.values() for name in rule.thresholds)

    def _check(self, thresholds: Mapping[str, float]) -> None:
        for name, value in thresholds.items():
            if not math.isfinite(value):
                hint = "write a finite number, or leave the rule out (--without)"
                raise InputError(f"`{name}` is {value:g}", hint=hint, place=Place(field="law.thresholds"))
            if name not in self.threshold_names:
                near = get_close_matches(name, self.threshold_names, 3, 0.4)
                hint = f"did you mean {', '.join(near)}?" if near else "`exaplan rules NAME` lists those of a rule"
                raise InputError(f"unknown threshold `{name}`", hint=hint, place=Place(field="law.thresholds"))


def _within(part: str, words: str) -> bool:
    """Whether a folded name stands inside of another: whole words, or anywhere where words are not parted."""
    return f"-{part}-" in f"-{words}-" if part.isascii() else part in words


def names_of(groups: Iterable[str]) -> frozenset[str]:
    """Every name that the test of a clause may mention, beside the thresholds of its own rule."""
    return frozenset((*CHIP_NAMES, *DEAL_NAMES, *CLASS_NAMES, *(name.replace(":", "") for name in groups)))


def _touches(change: Change, provision: Provision) -> bool:
    return change.rule == provision.rule and change.clause in ("", provision.name)


def _ended(provision: Provision, changes: Iterable[Change], on: str) -> bool:
    return any(change.kind == "end" and change.start <= on and _touches(change, provision) for change in changes)


def _halted(provision: Provision, changes: Iterable[Change], on: str) -> list[Change]:
    """The suspensions of a clause that hold on a day."""
    mine = (change for change in changes if change.kind == "suspend" and _touches(change, provision))
    return [change for change in mine if change.start <= on and not (change.until and change.until <= on)]


def _active(
    provision: Provision, rule: Rule, on: str, changes: Iterable[Change], thresholds: Mapping[str, float]
) -> Active:
    """The clause with the numbers that hold; suspended or not yet binding clauses stand, but are not enforced."""
    halted = _halted(provision, changes, on)
    waiting = f"binding from {provision.comply}" if provision.comply > on else ""
    why = f"not enforced from {halted[0].start} ({halted[0].by})" if halted else waiting
    until = min((c.start for c in changes if c.start > on and _touches(c, provision)), default="")
    numbers = {name: thresholds.get(f"{rule.name}.{name}", each.value) for name, each in rule.thresholds.items()}
    changed = any(f"{rule.name}.{name}" in thresholds for name in numbers)
    when = _again(provision, numbers) if changed else provision.when
    figures = tuple(name for name in SHOWN if name in when.names)
    return Active(provision, when, not why, until, numbers.get(provision.rate, 0.0), why, spelt(when.shown), figures)


def _again(provision: Provision, numbers: Mapping[str, float]) -> Expression:
    """The test parsed anew with other numbers."""
    return parse(provision.when.text, provision.when.names, constants=numbers, place=provision.place)


def _sorted(
    actives: list[Active],
    groups: Mapping[str, frozenset[str]],
    doubtful: Mapping[str, frozenset[str]],
    upcoming: tuple[tuple[str, str], ...],
) -> Regime:
    def of(kind: str, enforced: bool = True) -> tuple[Active, ...]:
        return tuple(one for one in actives if one.provision.kind == kind and one.enforced == enforced)

    reviews = sorted(of("review"), key=lambda one: one.provision.start, reverse=True)
    dormant = tuple(one for one in actives if not one.enforced)
    return Regime(
        classes=of("class"),
        requirements=of("requirement"),
        exceptions=_by_control(of("exception")),
        reviews=_by_control(reviews),
        duties=of("duty"),
        notes=of("note"),
        dormant=dormant,
        groups=MappingProxyType(dict(groups)),
        doubtful=MappingProxyType(dict(doubtful)),
        upcoming=upcoming,
    )


def _by_control(actives: Iterable[Active]) -> Mapping[str, tuple[Active, ...]]:
    out: dict[str, tuple[Active, ...]] = {}
    for one in actives:
        out[one.provision.control] = (*out.get(one.provision.control, ()), one)
    return MappingProxyType(out)
