"""The nouns of export law: a deal, what a rule says of it, and the verdict: analysis, not legal advice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Deal:
    """Who gets a chip, where and when. to, headquarters, origin: ISO 3166 codes (XZ = international waters).

    on: ISO date. headquarters: of the receiving entity or its ultimate parent ("" = the destination). origin: whence it
    is shipped. end_user: a name to look up in the entity list. buyer: private | state-funded. letters: all | addressees
    (whether letters to single makers are read as if they bound every maker). without: rules that are left out;
    thresholds: "rule.name" -> value instead of the encoded one (both: counterfactuals).
    """

    to: str
    on: str
    headquarters: str = ""
    origin: str = "US"
    end_user: str = ""
    buyer: str = "private"
    letters: str = "all"
    without: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=_nothing, hash=False)


@dataclass(frozen=True)
class Clause:
    """One clause of a rule that was looked at. test: its text with the chip's numbers; holds: None = not decidable.

    effect: what it does where it holds (class 3A090.a.1, licence, exception NAC, review case-by-case, duty ...);
    enforced: False for text that stands but is not enforced. source: id; read: text | quoted | memo | second-hand |
    recalled (how sure its wording is).
    """

    rule: str
    clause: str
    title: str
    effective: str
    until: str
    test: str
    holds: bool | None
    effect: str
    enforced: bool
    source: str
    read: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a missing figure would mean: where it lies in [low, high] (SI), the class and verdict that follow."""

    low: float
    high: float
    class_name: str
    verdict: str


@dataclass(frozen=True)
class Missing:
    """A figure that is unknown and decides. field: of the chip; unit; outcomes: by what it might be."""

    field: str
    unit: str
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Duty:
    """What a rule takes on top of a price. rate [1], base: what it is a share of; payer."""

    name: str
    rate: float
    base: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the encoded rules say of a chip and a deal: analysis, not legal advice.

    verdict: free | notify | licence | denial | unknown. review: policy of the licence review ("" = none is needed).
    class_name: export class (3A090.a.1, 3A090 (of 2022), not controlled, not controlled (Note 2), PD needed ...).
    clauses: the ones that decided first. missing: what is unknown and decides. rules_through: ISO date to which the
    rules were read. assumes: what was taken for granted; warnings; duties; facts: tpp [1], pd [1/mm2], io [B/s], ...
    """

    chip: str
    deal: Deal
    verdict: str
    review: str
    class_name: str
    clauses: tuple[Clause, ...] = ()
    missing: tuple[Missing, ...] = ()
    rules_through: str = ""
    assumes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    duties: tuple[Duty, ...] = ()
    facts: Mapping[str, float | None] = field(default_factory=_nothing, hash=False)
