"""The nouns of the rule book: what a file of data/rules/ says, before any day or deal is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from exaplan.errors import Place
from exaplan.expressions import Expression

# How sure the wording is: rule text read | quoted inside another document | memo (law firm, agency summary, think tank)
# | second-hand (press, public repository) | recalled (not read).
GRADES = ("text", "quoted", "memo", "second-hand", "recalled")
KINDS = ("class", "requirement", "exception", "review", "duty", "note")
POLICIES = ("denial", "case-by-case", "approval", "licence")
CHIP_NAMES = ("TPP", "PD", "IO", "DRAM_BW", "DENSITY", "data_center", "planar", "memory_package", "chip", "maker")
DEAL_NAMES = (
    "to", "hq", "origin", "buyer", "end_user", "listed", "maker_hq", "maker_listed", "domestic", "export", "transfer",
)  # fmt: skip
FLAGS = frozenset(
    ("data_center", "planar", "memory_package", "listed", "maker_listed", "domestic", "export", "transfer")
)  # the names that are true or false
FIGURES = frozenset(("TPP", "PD", "IO", "DRAM_BW", "DENSITY"))
SHOWN = (*CHIP_NAMES, "family", *DEAL_NAMES)  # in the order in which a test tells its figures
CLASS_NAMES = ("cls", "family")
NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Threshold:
    """A named number of a rule, so that a counterfactual can replace it; value in the unit of the law itself."""

    name: str
    value: float
    unit: str
    note: str = ""


@dataclass(frozen=True)
class Provision:
    """One clause as its file has it; days are ISO dates.

    kind: class (what the chip is), requirement (a licence is needed), exception (it is lifted), review (how an
    application is looked at), duty (money), note (a warning). start: in effect; comply: binding (= start where the
    file does not say). control: the requirement that an exception or review belongs to. policy: of the review. gives:
    verdict of an exception. addressees: makers that a letter went to (empty = everybody).
    """

    rule: str
    name: str
    kind: str
    title: str
    start: str
    comply: str
    when: Expression
    read: str
    source: str
    control: str = ""
    policy: str = ""
    gives: str = ""
    review: str = ""
    class_name: str = ""
    family: str = ""
    addressees: tuple[str, ...] = ()
    rate: str = ""
    base: str = ""
    note: str = ""
    place: Place = NOWHERE

    @property
    def test(self) -> str:
        """The test as it is told: with its numbers, and groups as the law spells them."""
        return spelt(self.when.shown)


def spelt(test: str) -> str:
    """A test with the groups as the law spells them (D:5 for D5)."""
    return re.sub(r"\b([AD])(\d)\b", r"\1:\2", test)


@dataclass(frozen=True, slots=True)
class Change:
    """What a later rule does to clauses of an earlier one ("" = all): ends or suspends them from a day (until one)."""

    kind: str
    rule: str
    clause: str
    start: str
    until: str
    by: str


@dataclass(frozen=True, slots=True)
class Membership:
    """Countries that join or leave a group on a day."""

    group: str
    add: tuple[str, ...]
    remove: tuple[str, ...]
    start: str
    by: str


@dataclass(frozen=True)
class Rule:
    """One rule: a file of data/rules/. announced: the day on which its text became known."""

    name: str
    title: str
    summary: str
    citation: str
    announced: str
    status: str
    source: str
    read: str
    thresholds: Mapping[str, Threshold]
    provisions: tuple[Provision, ...]
    changes: tuple[Change, ...] = ()
    memberships: tuple[Membership, ...] = ()
    note: str = ""

    @property
    def effective(self) -> tuple[str, ...]:
        """The days on which it changes something, in order."""
        days = {d for p in self.provisions for d in (p.start, p.comply)}
        days |= {c.start for c in self.changes} | {c.until for c in self.changes if c.until}
        return tuple(sorted(days | {m.start for m in self.memberships}))


@dataclass(frozen=True, slots=True)
class Country:
    """A place: ISO 3166 code (XZ = international waters), English and Chinese name, other spellings."""

    code: str
    name: str
    zh: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """A group of places, as it stood before the first rule of the book; changes come from rule files.

    one: its members count as a single destination (Hong Kong is China for the EAR).
    """

    name: str
    title: str
    members: frozenset[str]
    source: str
    read: str
    note: str = ""
    one: bool = False

    @property
    def key(self) -> str:
        """The name as expressions write it (`D5` for `D:5`)."""
        return self.name.replace(":", "")


@dataclass(frozen=True, slots=True)
class Listing:
    """An entry of the Entity List: names, country, the day it was listed (and removed)."""

    name: str
    aliases: tuple[str, ...]
    country: str
    listed: str
    removed: str
    source: str
    read: str
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Active:
    """A clause on a day: until when it stands (as known that day), whether it binds and why not.

    test: its text with thresholds put in and groups as the law spells them; figures: the names whose values it shows.
    """

    provision: Provision
    when: Expression
    enforced: bool
    until: str
    rate: float = 0.0
    why: str = ""
    test: str = ""
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Regime:
    """Everything that stands on a day, sorted by what it does; later rules come first among reviews."""

    classes: tuple[Active, ...]
    requirements: tuple[Active, ...]
    exceptions: Mapping[str, tuple[Active, ...]]
    reviews: Mapping[str, tuple[Active, ...]]
    duties: tuple[Active, ...]
    notes: tuple[Active, ...]
    dormant: tuple[Active, ...]
    groups: Mapping[str, frozenset[str]]
    doubtful: Mapping[str, frozenset[str]]
    upcoming: tuple[tuple[str, str], ...]


NO_THRESHOLDS: Mapping[str, float] = MappingProxyType({})
