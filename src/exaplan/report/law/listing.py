"""Lists under the law: the chips of a day with their class, and the rules that are encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from exaplan.catalog import Catalog
from exaplan.catalog.laws import Book, Change, Membership, Provision, Rule
from exaplan.nouns import Verdict
from exaplan.report import citing
from exaplan.report.law.check import STYLES, number, place_name, quantity, read_as
from exaplan.report.law.to_json import chips_rows, sources_of
from exaplan.report.listings import Row
from exaplan.report.screen import heading, indented, listed, table
from exaplan.report.sheets import NONE
from exaplan.report.verdicts import is_later, verdict_word
from exaplan.report.words import phrase, rule_title, word

LATER = "*"  # of a chip that was not out on the day
REFUSED = {"denial": "presumption of denial"}  # verdict -> the policy that says no more than it
SURE = ("text", "quoted")  # how a wording was read that is not second-hand


def chips_view(
    rows: Sequence[Row], verdicts: Mapping[str, Verdict], catalog: Catalog | None = None
) -> list[RenderableType]:
    """The list of chips with the numbers of the rules, class and verdict."""
    found = chips_rows(rows, verdicts)
    columns = ("name", "release", "tpp", "pd", "class", "verdict", "review")
    any_verdict = next(iter(verdicts.values()), None)
    on = any_verdict.deal.on if any_verdict else ""
    cells = [_chip_row(row, on) for row in found]
    made: list[RenderableType] = [
        table(columns, cells, left=("class", "review"), fixed=("release", "verdict"), tight=True)
    ]
    counted = Counter(str(row["verdict"]) for row in found)
    sums = ", ".join(f"{verdict_word(name)} {count}" for name, count in counted.most_common())
    if any_verdict is not None:
        deal = any_verdict.deal
        to = place_name(deal.to, catalog) if catalog else deal.to
        made.insert(0, heading(word("law.chips", to=to, on=deal.on)))
        made.append(Text(word("law.counted", count=len(found), sums=sums)))
        if any(is_later(str(row.get("release") or ""), on) for row in found):
            made.append(Text(word("law.later", mark=LATER, on=on)))
        made += citing.told("plan.warnings", any_verdict.warnings, "yellow")
        made.append(Text(word("law.through", date=any_verdict.rules_through or NONE), style="dim"))
    return [*made, citing.advice()]


def _chip_row(row: Row, on: str) -> list[object]:
    told = Text(verdict_word(row["verdict"]), style=STYLES.get(row["verdict"], "bold"))
    tpp, pd = quantity("tpp", row["tpp"]), NONE if row["pd"] is None else number(row["pd"])
    release = str(row.get("release") or "")
    release = f"{release} {LATER}" if is_later(release, on) else release or NONE
    return [
        row["name"],
        release,
        tpp,
        pd,
        phrase(row["class"]),
        told,
        phrase(row["review"] if row["review"] != REFUSED.get(str(row["verdict"])) else "") or NONE,
    ]


def rules_view(book: Book) -> list[RenderableType]:
    """Every encoded rule: since when, what it is called, and how sure its wording is."""
    columns = ("name", "announced", "title", "read")
    rules = sorted(book.rules.values(), key=lambda rule: (rule.announced, rule.name))
    return [
        heading(word("law.rules", count=len(rules))),
        table(columns, map(_rule_row, rules), left=("title", "read"), fixed=("announced",), tight=True),
        *second_hand(book),
        Text(word("law.more"), style="dim"),
        Text(word("law.through", date=book.through or NONE), style="dim"),
        citing.advice(),
    ]


def _rule_row(rule: Rule) -> list[str]:
    return [rule.name, rule.announced, rule_title(rule.name, rule.title), read_as(rule.read)]


def second_hand(book: Book) -> list[RenderableType]:
    """How many texts were read, and how many were only found second-hand."""
    read = sum(rule.read in SURE for rule in book.rules.values())
    return [Text(word("law.were_read", read=read, others=len(book.rules) - read))]


def rule_view(rule: Rule, catalog: Catalog) -> list[RenderableType]:
    """One rule: what it says, since when, by what text, clause by clause."""
    days = word("law.comma").join(rule.effective)
    lines = {"citation": rule.citation, "announced": rule.announced, "effective": days, "read": read_as(rule.read)}
    told = [f"{word(f'columns.{key}')}{word('law.colon')}{phrase(value)}" for key, value in lines.items() if value]
    return [
        heading(f"{rule.name}{word('law.colon')}{rule_title(rule.name, rule.title)}"),
        *(Text(phrase(text)) for text in (rule.summary, rule.status) if text),
        *(Text(line) for line in told),
        *_clauses(rule),
        *_thresholds(rule),
        *listed(word("law.changes"), map(change_line, rule.changes)),
        *listed(word("law.memberships"), map(membership_line, rule.memberships)),
        *citing.told("law.notes", (rule.note,) if rule.note else ()),
        *citing.sources(sources_of(rule), catalog),
        citing.advice(),
    ]


def _clauses(rule: Rule) -> Iterator[RenderableType]:
    """Each clause: its kind and title, what it does since when, its test, its note."""
    if rule.provisions:
        yield heading(word("law.clauses"))
    for one in rule.provisions:
        kind = word(f"law.kinds.{one.kind}")
        yield indented(f"{one.name} ({kind}){word('law.colon')}{phrase(one.title)}", "bold")
        test = word("law.test", test=one.test)
        lines = (_does(one), test, phrase(one.note))
        yield from (Padding(Text(line, style="dim"), (0, 0, 0, 4)) for line in lines if line)


def _does(provision: Provision) -> str:
    """What a clause does where it holds, since when, and how sure its wording is."""
    since = provision.start
    if provision.comply > provision.start:
        since += f" ({word('law.binding', date=provision.comply)})"
    facts = {"since": since, "read": read_as(provision.read), "source": provision.source}
    return word("law.does", effect=effect_of(provision) or word(f"law.kinds.{provision.kind}"), **facts)


def effect_of(provision: Provision) -> str:
    """What a clause does where it holds."""
    parts = [word("law.class", name=phrase(provision.class_name))] if provision.class_name else []
    parts += [word("law.verdicts." + provision.gives)] if provision.gives else []
    policy = provision.review or provision.policy
    parts += [word("law.review", policy=phrase(policy))] if policy else []
    return "; ".join(parts)


def _thresholds(rule: Rule) -> list[RenderableType]:
    rows = [
        [f"{rule.name}.{name}", number(each.value), each.unit, phrase(each.note)]
        for name, each in rule.thresholds.items()
    ]
    columns = ("name", "value", "unit", "note")
    return [table(columns, rows, word("law.thresholds"), ("note",), fixed=("unit",))] if rows else []


def change_line(change: Change) -> str:
    """What a rule does to an earlier one."""
    what = f"{change.rule} {change.clause}".strip()
    until = word("law.until", date=change.until) if change.until else ""
    return word(f"law.change.{change.kind}", what=what, date=change.start) + until


def membership_line(membership: Membership) -> str:
    """Who joins or leaves a group of places."""
    parts = [word("law.joins", names=", ".join(membership.add))] if membership.add else []
    parts += [word("law.leaves", names=", ".join(membership.remove))] if membership.remove else []
    return f"{membership.group}, {membership.start}{word('law.colon')}{'; '.join(parts)}"
