"""Strict reading of data/rules/: unknown keys, missing dates, citations or grades are refused with file and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType

from exaplan.catalog.folder import Layer, fold
from exaplan.catalog.laws.book import Book, names_of
from exaplan.catalog.laws.nouns import (
    FLAGS,
    GRADES,
    KINDS,
    POLICIES,
    Change,
    Country,
    Group,
    Listing,
    Membership,
    Provision,
    Rule,
    Threshold,
)
from exaplan.catalog.loader import read_text, read_yaml
from exaplan.catalog.sheet import Sheet
from exaplan.errors import CatalogError, Place
from exaplan.expressions import FUNCTIONS, WORDS, Expression, parse
from exaplan.nouns import Source

FOLDER = "rules"
RULE_KEYS = (
    "name", "title", "summary", "citation", "announced", "status", "source", "read", "note", "replaces", "thresholds",
    "ends", "suspends", "groups", "clauses",
)  # fmt: skip
CLAUSE_KEYS = (
    "name", "kind", "title", "from", "comply", "when", "control", "policy", "gives", "review", "class", "family",
    "addressees", "rate", "base", "read", "source", "note",
)  # fmt: skip
NEEDED = {
    "class": ("class",),
    "requirement": ("control", "policy"),
    "exception": ("control", "gives"),
    "review": ("control", "policy"),
    "duty": ("rate", "base"),
}
GIVES = ("free", "notify")
STATUSES = ("in force", "superseded", "not enforced", "suspended", "guidance", "reported", "unclear")


def read_rules(layers: tuple[Layer, ...], sources: Mapping[str, Source]) -> Book:
    """The rules, place groups, countries, makers and lists of all layers; a later layer adds to an earlier one."""
    tables = [_Tables(layer.folder / FOLDER / "tables", layer, sources) for layer in layers]
    places = {code: one for table in tables for code, one in table.countries().items()}
    groups = {name: one for table in tables for name, one in table.groups(places).items()}
    makers = {name: one for table in tables for name, one in table.makers(places).items()}
    listings = tuple(one for table in tables for one in table.listings(places))
    through = next((text for table in reversed(tables) if (text := table.through())), "")
    rules = _rules(layers, sources, groups, places)
    return Book(
        MappingProxyType(rules),
        MappingProxyType(places),
        MappingProxyType(groups),
        MappingProxyType(makers),
        listings,
        through,
    )


def _rules(
    layers: tuple[Layer, ...], sources: Mapping[str, Source], groups: Mapping[str, Group], places: Iterable[str]
) -> dict[str, Rule]:
    readers: dict[str, _RuleFile] = {}
    for layer in layers:
        for file in sorted((layer.folder / FOLDER).glob("*.yaml")):
            reader = _RuleFile(Sheet(read_yaml(file), sources, layer.own), groups, places)
            reader.check_name(file.stem, readers)
            readers[file.stem] = reader
    found = sorted((reader.rule() for reader in readers.values()), key=lambda rule: (rule.announced, rule.name))
    for reader in readers.values():
        reader.check_changes({rule.name: rule for rule in found})
    return {rule.name: rule for rule in found}


class _RuleFile:
    """One file of data/rules/ being read."""

    def __init__(self, sheet: Sheet, groups: Mapping[str, Group], places: Iterable[str]) -> None:
        self.sheet, self.groups, self.places = sheet, groups, frozenset(places)

    def check_name(self, stem: str, known: Mapping[str, object]) -> None:
        """The name is that of the file; shadowing needs `replaces:`."""
        self.sheet.allow(RULE_KEYS)
        if self.sheet.text("name") != stem:
            self.sheet.fail(f"the name differs from the file name `{stem}`", f"write `name: {stem}`", "name")
        if stem in known and self.sheet.text("replaces", "") != stem:
            hint = f"rename it, or say so with a line `replaces: {stem}`"
            self.sheet.fail(f"`{stem}` would shadow a rule of the catalogue", hint, "name")

    def rule(self) -> Rule:
        """The rule that the file describes."""
        sheet = self.sheet
        announced = day(sheet, "announced")
        status = self._one_of(sheet, "status", STATUSES)
        thresholds = self._thresholds()
        numbers = {name: one.value for name, one in thresholds.items()}
        return Rule(
            name=sheet.text("name"),
            title=sheet.text("title"),
            summary=sheet.text("summary"),
            citation=sheet.text("citation"),
            announced=announced,
            status=status,
            source=sheet.cite(sheet.body.get("source"), "source"),
            read=self._one_of(sheet, "read", GRADES),
            thresholds=MappingProxyType(thresholds),
            provisions=tuple(self._provision(part, announced, numbers) for part in self._parts("clauses")),
            changes=(*self._changes("ends", "end", announced), *self._changes("suspends", "suspend", announced)),
            memberships=tuple(self._membership(part, announced) for part in self._parts("groups")),
            note=sheet.text("note", ""),
        )

    def check_changes(self, rules: Mapping[str, Rule]) -> None:
        """Clauses that a rule ends or suspends exist, and no rule is ended by one that it ends itself."""
        own = self.sheet.text("name")
        for key in ("ends", "suspends"):
            for part in self._parts(key):
                rule = rules.get(part.text("rule"))
                if rule is None:
                    part.fail(f"unknown rule `{part.text('rule')}`", "name a file of rules/ without .yaml", "rule")
                first = min((one.start for one in rule.provisions), default="")
                if rule.name == own and day(part, "from") <= first:
                    part.fail("the rule ends itself before it begins", "a rule ends itself on a later day", "from")
                if rule.name != own and any(change.rule == own for change in rule.changes):
                    part.fail(f"`{own}` and `{rule.name}` end each other", "only the later one ends the other", "rule")
                clause = part.text("clause", "")
                if clause and clause not in {one.name for one in rule.provisions}:
                    known = ", ".join(one.name for one in rule.provisions)
                    part.fail(f"the rule `{rule.name}` has no clause `{clause}`", f"its clauses: {known}", "clause")

    # ------------------------------------------------------------------------------------------------ parts

    def _parts(self, key: str) -> list[Sheet]:
        """The entries of a list as sheets of their own."""
        value = self.sheet.body.get(key) or []
        if not isinstance(value, list):
            self.sheet.fail(f"`{key}` is not a list", f"write `{key}:` and lines that start with `- `", key)
        sheet = self.sheet
        return [Sheet(sheet.document, sheet.sources, sheet.own, (*sheet.root, key, n)) for n in range(len(value))]

    @staticmethod
    def _one_of(sheet: Sheet, key: str, known: tuple[str, ...], default: str | None = None) -> str:
        value = sheet.text(key, default)
        if value not in known and value != default:
            sheet.fail(f"unknown `{key}`: {value}", "one of: " + ", ".join(known), key)
        return value

    def _thresholds(self) -> dict[str, Threshold]:
        body = self.sheet.body.get("thresholds") or {}
        return {name: self._threshold(str(name)) for name in body}

    def _threshold(self, name: str) -> Threshold:
        sheet = Sheet(self.sheet.document, self.sheet.sources, self.sheet.own, (*self.sheet.root, "thresholds", name))
        sheet.allow(("value", "unit", "note"))
        if name in names_of(self.groups) or name in FUNCTIONS or name.lower() in WORDS:
            sheet.fail(f"`{name}` is a name of its own in tests", "call the threshold otherwise, e.g. `line`")
        value = sheet.body.get("value")
        if isinstance(value, bool) or not isinstance(value, int | float):
            sheet.fail(f"the threshold `{name}` has no number", "write `value: 4800`", "value")
        if value < 0:
            sheet.fail(f"the threshold `{name}` is negative", "no quantity of a rule is below zero", "value")
        return Threshold(name, float(value), sheet.text("unit"), sheet.text("note", ""))

    def _provision(self, sheet: Sheet, announced: str, numbers: Mapping[str, float]) -> Provision:
        sheet.allow(CLAUSE_KEYS)
        kind = self._one_of(sheet, "kind", KINDS)
        for key in NEEDED.get(kind, ()):
            sheet.text(key)
        start = self._after(sheet, "from", announced)
        comply = self._after(sheet, "comply", start) if "comply" in sheet.body else start
        rate = sheet.text("rate", "")
        if rate and rate not in numbers:
            sheet.fail(f"`rate: {rate}` is not a threshold of this rule", "name one of `thresholds`", "rate")
        where = sheet.place("when")
        return Provision(
            rule=self.sheet.text("name"),
            name=sheet.text("name"),
            kind=kind,
            title=sheet.text("title"),
            start=start,
            comply=comply,
            when=self._test(sheet, numbers),
            read=self._one_of(sheet, "read", GRADES, self.sheet.text("read")),
            source=sheet.cite(sheet.body.get("source") or self.sheet.body.get("source"), "source"),
            control=sheet.text("control", ""),
            policy=self._one_of(sheet, "policy", POLICIES, ""),
            gives=self._one_of(sheet, "gives", GIVES, ""),
            review=sheet.text("review", ""),
            class_name=sheet.text("class", ""),
            family=sheet.text("family", ""),
            addressees=sheet.texts("addressees"),
            rate=rate,
            base=sheet.text("base", ""),
            note=sheet.text("note", ""),
            place=where,
        )

    def _test(self, sheet: Sheet, numbers: Mapping[str, float]) -> Expression:
        """The test of a clause, which comes to true, false or unknown."""
        found = parse(sheet.text("when"), names_of(self.groups), constants=numbers, place=sheet.place("when"))
        if found.kind == "value" or (found.kind == "name" and not found.names <= FLAGS):
            sheet.fail(f"`{found.text}` is no test", "a test is true or false: compare, e.g. `TPP >= 4800`", "when")
        return found

    def _after(self, sheet: Sheet, key: str, least: str) -> str:
        """A day that is not before another: a rule cannot bind before it is known."""
        found = day(sheet, key)
        if found < least:
            sheet.fail(f"`{key}: {found}` is before {least}", "a rule takes effect on or after it is announced", key)
        return found

    def _changes(self, key: str, kind: str, announced: str) -> list[Change]:
        out = []
        for part in self._parts(key):
            part.allow(("rule", "clause", "from", "until"))
            start = self._after(part, "from", announced)
            until = self._after(part, "until", start) if "until" in part.body else ""
            out.append(Change(kind, part.text("rule"), part.text("clause", ""), start, until, self.sheet.text("name")))
        return out

    def _membership(self, sheet: Sheet, announced: str) -> Membership:
        sheet.allow(("group", "add", "remove", "from"))
        group = sheet.text("group")
        if group not in self.groups:
            sheet.fail(f"unknown group `{group}`", "groups: " + ", ".join(self.groups), "group")
        add, remove = sheet.texts("add"), sheet.texts("remove")
        check_codes(sheet, (*add, *remove), self.places)
        return Membership(group, add, remove, self._after(sheet, "from", announced), self.sheet.text("name"))


class _Tables:
    """The tables of one layer: countries.csv, groups.yaml, makers.yaml, entities.yaml, book.yaml (all optional)."""

    def __init__(self, folder: Path, layer: Layer, sources: Mapping[str, Source]) -> None:
        self.folder, self.layer, self.sources = folder, layer, sources

    def _sheets(self, name: str) -> dict[str, Sheet]:
        file = self.folder / name
        if not file.is_file():
            return {}
        document = read_yaml(file)
        whole = Sheet(document, self.sources, self.layer.own)
        return {key: Sheet(document, self.sources, self.layer.own, (key,)) for key in whole.body}

    def through(self) -> str:
        """The day to which sources were read."""
        file = self.folder / "book.yaml"
        if not file.is_file():
            return ""
        sheet = Sheet(read_yaml(file), self.sources, self.layer.own)
        sheet.allow(("through", "note", "sources"))
        for source in sheet.texts("sources"):
            sheet.cite(source, "sources")
        return day(sheet, "through")

    def countries(self) -> dict[str, Country]:
        """countries.csv: code, name, zh, aliases (separated by `|`)."""
        file = self.folder / "countries.csv"
        if not file.is_file():
            return {}
        out: dict[str, Country] = {}
        for number, row in enumerate(csv.DictReader(io.StringIO(read_text(file))), start=2):
            code, name, zh = (str(row.get(key) or "").strip() for key in ("code", "name", "zh"))
            if len(code) != 2 or not name or not zh:
                hint = "columns: code (two letters), name, zh, aliases"
                raise CatalogError("a country without code or name", hint=hint, place=Place(str(file), number))
            aliases = tuple(part.strip() for part in str(row.get("aliases") or "").split("|") if part.strip())
            out[code] = Country(code, name, zh, aliases)
        return out

    def groups(self, places: Iterable[str]) -> dict[str, Group]:
        """groups.yaml: name -> title, members, source, read."""
        out = {}
        for name, sheet in self._sheets("groups.yaml").items():
            sheet.allow(("title", "members", "source", "read", "note", "one"))
            members = sheet.texts("members")
            check_codes(sheet, members, places)
            read = _RuleFile._one_of(sheet, "read", GRADES)
            source = sheet.cite(sheet.body.get("source"), "source")
            note, one = sheet.text("note", ""), sheet.flag("one", False)
            out[name] = Group(name, sheet.text("title"), frozenset(members), source, read, note, one)
        return out

    def makers(self, places: Iterable[str]) -> dict[str, str]:
        """makers.yaml: vendor -> country, aliases."""
        out = {}
        for name, sheet in self._sheets("makers.yaml").items():
            sheet.allow(("country", "aliases", "source", "note"))
            check_codes(sheet, (sheet.text("country"),), places)
            for spelling in (name, *sheet.texts("aliases")):
                out[fold(spelling)] = sheet.text("country")
        return out

    def listings(self, places: Iterable[str]) -> list[Listing]:
        """entities.yaml: name -> aliases, country, listed, removed, source, read."""
        out = []
        for name, sheet in self._sheets("entities.yaml").items():
            sheet.allow(("aliases", "country", "listed", "removed", "source", "read", "note"))
            check_codes(sheet, (sheet.text("country"),), places)
            removed = day(sheet, "removed") if "removed" in sheet.body else ""
            source = sheet.cite(sheet.body.get("source"), "source")
            read = _RuleFile._one_of(sheet, "read", GRADES)
            facts = (sheet.text("country"), day(sheet, "listed"), removed, source, read, sheet.text("note", ""))
            out.append(Listing(name, sheet.texts("aliases"), *facts))
        return out


def day(sheet: Sheet, key: str) -> str:
    """An ISO day of a file."""
    text = sheet.text(key)
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        sheet.fail(f"`{text}` is not a day", f"write `{key}: 2023-11-17`", key)


def check_codes(sheet: Sheet, codes: Iterable[str], places: Iterable[str]) -> None:
    """Country codes exist."""
    known = frozenset(places)
    for code in codes:
        if code not in known:
            sheet.fail(f"unknown country code `{code}`", "two letters of ISO 3166, as in countries.csv")
