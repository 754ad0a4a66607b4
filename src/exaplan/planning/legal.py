"""What export rules leave of a question: which chips may be planned with, where and when (analysis, not legal advice).

A chip is usable where its verdict is among those that the ask accepts (free and notify, unless it says otherwise), or
where its maker sits in the destination: then nothing is exported. An unknown verdict is not usable and says what is
missing. What is there already (a fleet) is not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

from exaplan.ask import LawAsk
from exaplan.ask.base import BaseAsk
from exaplan.catalog import Catalog
from exaplan.catalog.laws import Book
from exaplan.errors import InputError, NoPlan, Place
from exaplan.nouns import Chip, Deal, Site, Verdict
from exaplan.planning.offers import Basis
from exaplan.rules import check

AnyAsk = TypeVar("AnyAsk", bound=BaseAsk)
ORDER = ("free", "notify", "licence", "denial", "unknown")  # of verdicts, mildest first


def itself(chip: Chip) -> Chip:
    """A chip that is sold as it is."""
    return chip


@dataclass(frozen=True)
class Law:
    """The export rules that a question is held to: a deal, the rules, and the verdicts that are accepted. sold: what of
    a chip is sold and judged (the package of a die)."""

    deal: Deal
    book: Book
    accept: tuple[str, ...] = ("free", "notify")
    sold: Callable[[Chip], Chip] = itself

    @cached_property
    def _known(self) -> dict[str, tuple[Chip, Verdict]]:
        return {}

    def verdict(self, chip: Chip) -> Verdict:
        """What the rules say of a chip; worked out once."""
        known = self._known.get(chip.name)
        if known is None or known[0] is not chip:
            known = self._known[chip.name] = (chip, self._checked(chip))
        return known[1]

    def _checked(self, chip: Chip) -> Verdict:
        whole = self.sold(chip)
        found = check(whole, self.deal, self.book)
        if whole is chip:
            return found
        return replace(
            found, chip=chip.name, assumes=(*found.assumes, f"judged as the package {whole.name}, in which it is sold")
        )

    def on(self, day: str) -> Law:
        """The same law on another day (ISO)."""
        return replace(self, deal=replace(self.deal, on=day))

    def domestic(self, chip: Chip) -> bool:
        """Whether the maker sits in the destination, so that nothing is exported."""
        return self.book.domestic(chip.vendor, self.deal.to)

    def usable(self, chip: Chip) -> bool:
        """Whether a chip may be planned with."""
        return self.domestic(chip) or self.verdict(chip).verdict in self.accept

    def reason(self, chip: Chip) -> str:
        """The clause by which a chip may not be planned with; "" where it may."""
        return "" if self.usable(chip) else told(self.verdict(chip))


def settle(ask: AnyAsk, catalog: Catalog) -> AnyAsk:
    """The ask with what its law implies: the day of the rules, and the usual site of the destination. Both count as
    left out, so that the answer tells them as defaults."""
    if not ask.bound:
        return ask
    ask = ask.dated(catalog.rules.through)
    part = ask.cluster
    if part.site is not None or part.name is not None:
        return ask
    given = set(part.model_fields_set)
    made = part.model_copy(update={"site": usual_site(ask, catalog)})
    made.model_fields_set.intersection_update(given)
    whole = set(ask.model_fields_set)
    ask = ask.model_copy(update={"cluster": made})
    ask.model_fields_set.intersection_update(whole)
    return ask


def counted(ask: AnyAsk) -> AnyAsk:
    """The ask with the most chips to be had (law.count) as a limit on the count, where counts are searched or given."""
    most, limit = ask.law.count, ask.limits.count
    if not ask.bound or most is None or (limit is not None and limit <= most):
        return ask
    if not ask.open_count and ask.cluster.count is None and ask.cluster.name is None:
        return ask
    return ask.model_copy(update={"limits": ask.limits.model_copy(update={"count": most})})


def usual_site(ask: BaseAsk, catalog: Catalog) -> str:
    """The first site of the catalogue in the destination; the named one where the destination is a site."""
    name, place = ask.law.to or "", ask.place("law", "to")
    if found := catalog.sites.resolve(name):
        return found
    country = catalog.country(name, place)
    for site, known in catalog.sites.items():
        if known.country == country:
            return site
    law = law_of(ask, catalog)
    if law and not any(law.usable(chip) for chip in catalog.chips.values()):
        raise no_chip("the catalogue", [law.verdict(chip) for chip in catalog.chips.values()])
    raise InputError(f"no site in {country} is known", hint=_other_sites(country, catalog), place=place)


def _other_sites(country: str, catalog: Catalog) -> str:
    """The sites that may stand in for one in a country: those of the same country by the rules first (China's for Hong
    Kong), then the first of each other country. Which is nearest by wire is for the asker to say."""
    first: dict[str, str] = {}
    for name, site in catalog.sites.items():
        first.setdefault(site.country, name)
    near = [name for code, name in first.items() if code and catalog.rules.same(code, country)]
    others = [name for name in first.values() if name not in near]
    told = f"--site {near[0]} stands for the rest of the country; others: " if near else "one of "
    return f"give the site whose electricity and grid hold (--site, cluster.site): {told}{', '.join(others)}; or a file"


def law_of(ask: BaseAsk, catalog: Catalog) -> Law | None:
    """The law of a settled ask; None where it names none, or where the chips are there already."""
    deal = deal_of(ask, catalog)
    if deal is None or ask.terms == "own":
        return None
    return Law(deal, catalog.rules, accepted(ask.law.accept), catalog.sold)


def accepted(words: Sequence[str]) -> tuple[str, ...]:
    """The verdicts that an asker accepts who names some: whoever takes a licence takes what is free, too; what is
    unknown is no milder than any."""
    known = [ORDER.index(word) for word in words if word != "unknown"]
    found = ORDER[: max(known, default=1) + 1]
    return (*found, "unknown") if "unknown" in words else found


def deal_of(ask: BaseAsk, catalog: Catalog) -> Deal | None:
    """Who gets what, where and when; None where the ask names no destination."""
    return deal(ask.law, catalog, ask.place) if ask.bound else None


def deal(law: LawAsk, catalog: Catalog, place: Callable[..., Place]) -> Deal:
    """The deal of a law with a destination; ``place(*keys)`` tells where a value was written. Without a day, the last
    to which the rules were read."""
    seat = catalog.country(law.headquarters, place("law", "headquarters")) if law.headquarters else ""
    _check_names(law, catalog.rules, place)
    return Deal(
        to=catalog.country(law.to or "", place("law", "to")),
        on=law.on.isoformat() if law.on else catalog.rules.through,
        headquarters=seat,
        origin=catalog.country(law.origin, place("law", "origin")),
        end_user=law.end_user,
        buyer=law.buyer,
        letters=law.letters,
        without=tuple(law.without),
        thresholds=MappingProxyType(dict(law.thresholds)),
    )


def _check_names(law: LawAsk, book: Book, place: Callable[..., Place]) -> None:
    """Refuse a rule that is left out, or a threshold that is changed, and that nobody encoded."""
    for name in law.without:
        book.rule(name, place("law", "without"))
    for name in law.thresholds:
        if name not in book.threshold_names:
            near = get_close_matches(name, book.threshold_names, 3, 0.4)
            hint = f"did you mean {', '.join(near)}?" if near else "`exaplan rules NAME` lists those of a rule"
            raise InputError(f"unknown threshold {name!r}", hint=hint, place=place("law", "thresholds"))


def basis_of(ask: BaseAsk) -> Basis:
    """Whose prices hold: those of the site, with import duty and VAT where a law says that the chips go there."""
    return Basis(duties=True, vat=ask.law.vat == "paid") if ask.bound else Basis()


# ----------------------------------------------------------------------------------------------------- released


def mindful(law: Law | None, chips: Iterable[Chip], site: Site) -> tuple[str, ...]:
    """What a reader should know, once each: that the site is not in the destination, of chips that are planned with
    because they are made there, whatever the rules say, and what their verdicts warn of."""
    if law is None:
        return ()
    out: list[str] = []
    if site.country != law.deal.to:
        out.append(f"the law is that of chips that go to {law.deal.to}, and the site {site.name} is in {site.country}")
    for chip in chips:
        verdict = law.verdict(chip)
        if verdict.verdict not in law.accept and law.domestic(chip):
            out.append(f"{chip.name} is made in {law.deal.to} and was planned with, though {told(verdict)}")
        out += [f"{chip.name}: {line}" for line in verdict.warnings]
    return tuple(dict.fromkeys(out))


def released(chip: Chip, on: str) -> bool | None:
    """Whether a chip was out on a day (ISO); None where its release is unknown. A year or month counts from its start,
    as with prices."""
    return chip.release <= on if chip.release and on else None if on else True


def too_early(chip: Chip, on: str, named: bool) -> str:
    """Why a chip cannot be had on a day; "" where it can. One that the asker ``named`` may be of unknown release."""
    known = released(chip, on)
    if known is None:
        return "" if named else f"its release is unknown, so whether it was to be had on {on} is not known"
    return "" if known else f"not released by {on} (released {chip.release})"


# -------------------------------------------------------------------------------------------------------- told


def told(verdict: Verdict) -> str:
    """Why a chip may not be planned with: the verdict with the clause that decided, or what is missing."""
    deal = verdict.deal
    where = f"to {deal.to} on {deal.on}"
    if verdict.verdict == "unknown":
        missing = ", ".join(item.field.replace("_", " ") for item in verdict.missing) or "a figure of it"
        return f"law: unknown {where}, since its {missing} is not known"
    word = {"licence": "needs a licence", "denial": "would be denied"}.get(verdict.verdict, verdict.verdict)
    review = f" ({verdict.review})" if verdict.review and verdict.verdict == "licence" else ""
    return f"law: {word}{review} {where}: {clause_of(verdict)}"


def clause_of(verdict: Verdict) -> str:
    """The clause that decided: that of the chip's class with its numbers, else the first one that holds."""
    held = [item for item in verdict.clauses if item.holds and item.enforced]
    classed = [item for item in held if item.effect == f"class {verdict.class_name}"]
    if classed:
        first = classed[0]
        return f"{verdict.class_name}, {first.rule} {first.clause} ({first.test})"
    return f"{held[0].rule} {held[0].clause} ({held[0].title})" if held else verdict.class_name


def mildest(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that is nearest to usable: of the mildest kind, then of the least TPP."""
    rank = {name: index for index, name in enumerate(ORDER)}
    return min(
        verdicts,
        key=lambda item: (rank.get(item.verdict, len(ORDER)), item.facts.get("tpp") or 0.0, item.chip),
        default=None,
    )


def undecided(verdicts: Sequence[Verdict]) -> list[str]:
    """Chips whose verdict is unknown, each with what is missing."""
    return [
        f"{item.chip} ({', '.join(missing.field for missing in item.missing) or 'unknown'})"
        for item in verdicts
        if item.verdict == "unknown"
    ]


def no_chip(what: str, verdicts: Sequence[Verdict]) -> NoPlan:
    """The refusal where the law leaves no chip. what: chips in words."""
    best = mildest(verdicts)
    return NoPlan(
        f"the law leaves no chip of {what}",
        limit="law",
        nearest=f"{best.chip}: {told(best)}" if best else "",
        hint="--accept licence (law.accept) plans with what a licence may be had for; --without leaves a rule out; or "
        "ask for another day, place or chip",
    )
