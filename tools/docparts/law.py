"""Pages of the reference that are written from the data: every encoded rule, and every claim of the casebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from docparts.pages import MADE, cell, table

if TYPE_CHECKING:
    from exaplan.answers.casebook import CaseAnswer
    from exaplan.catalog import Catalog
    from exaplan.catalog.laws import Book, Provision, Rule

GRADES = {
    "text": "(the rule itself)",
    "quoted": "(its text inside another document)",
    "memo": "(law firm, agency summary, think tank)",
    "second-hand": "(press, public repository)",
    "recalled": "(not read)",
}
KINDS = {
    "class": "class",
    "requirement": "licence needed",
    "exception": "licence exception",
    "review": "review of licences",
    "duty": "duty",
    "note": "note",
}


# ------------------------------------------------------------------------------------------------- rules


def rules() -> str:
    """Every encoded rule: what it says, since when, read where and how, its numbers and its clauses."""
    from exaplan import load

    catalog = load()
    book = catalog.rules
    parts = [MADE, _about_rules(book), _overview(book)]
    parts += [_rule(rule, catalog) for rule in book.rules.values()]
    parts += [_groups(book), _listings(book)]
    return "\n".join(parts)


def _about_rules(book: Book) -> str:
    return f"""\
# Rules

The {len(book.rules)} encoded rules in the order in which they were announced, read to {book.through}. An analysis of
texts as they were encoded here, not legal advice. `exaplan rules NAME` prints one. How a verdict comes about:
[export rules](../method/export-rules.md); a rule of your own: [how to](../how-to/a-rule-of-your-own.md).

How its wording was read, best first: {"; ".join(f"*{grade}* {told}" for grade, told in GRADES.items())}.
A clause may be read less well than its rule: its own grade stands beside it. Tests use TPP [1], PD [1/mm²],
IO and DRAM_BW [GB/s]; other names are the numbers of the table above them.
"""


def _overview(book: Book) -> str:
    rows = [
        (f"[{name}](#{name})", cell(one.title), one.announced, ", ".join(one.effective), one.read, cell(one.status))
        for name, one in book.rules.items()
    ]
    return table(("rule", "title", "announced", "acts on", "read", "status"), rows)


def _rule(rule: Rule, catalog: Catalog) -> str:
    parts = [f"## {rule.name}\n", f"**{cell(rule.title)}.** {cell(rule.summary)}\n", _facts(rule, catalog)]
    if rule.thresholds:
        parts.append(table(("number", "value", "unit", "note"), list(_numbers(rule))))
    if rule.provisions:
        head = ("clause", "is", "since", "test", "read", "source")
        parts.append(table(head, [_clause(one) for one in rule.provisions]))
    return "\n".join([*parts, *([f"Note: {cell(rule.note)}\n"] if rule.note else [])])


def _facts(rule: Rule, catalog: Catalog) -> str:
    lines = [
        f"Citation: {cell(rule.citation)}",
        f"Announced {rule.announced}; acts on {', '.join(rule.effective) or 'no day of its own'}; {cell(rule.status)}",
        f"Read: *{rule.read}* {GRADES[rule.read]}; {_source(rule.source, catalog)}",
        *_changes(rule),
    ]
    return "\n".join(f"- {line}." for line in lines) + "\n"


def _changes(rule: Rule) -> Iterator[str]:
    for change in rule.changes:
        until = f" until {change.until}" if change.until else ""
        what = f"clause {change.clause} of `{change.rule}`" if change.clause else f"`{change.rule}`"
        yield f"{change.kind.capitalize()} {what} from {change.start}{until}"
    for member in rule.memberships:
        moves = ((member.add, "join"), (member.remove, "leave"))
        told = "; ".join(f"{', '.join(codes)} {verb}" for codes, verb in moves if codes)
        yield f"{member.group} from {member.start}: {told}"


def _numbers(rule: Rule) -> Iterator[tuple[str, ...]]:
    for one in rule.thresholds.values():
        unit = "" if one.unit == "1" else cell(one.unit)
        yield f"`{rule.name}.{one.name}`", f"{one.value:,.10g}", unit, cell(one.note)


def _clause(one: Provision) -> tuple[str, ...]:
    name = f"{cell(one.name)}: {cell(one.title)}" + (f" ({cell(one.note)})" if one.note else "")
    since = one.start if one.comply == one.start else f"{one.start}, binding {one.comply}"
    said = one.class_name or one.review or (one.policy if one.kind == "review" else "")
    kind = KINDS[one.kind] + (f": {cell(said)}" if said else "")
    return name, kind, since, f"`{cell(one.when.text)}`", one.read, f"`{one.source}`"


def _source(name: str, catalog: Catalog) -> str:
    """A source by its title, with its address where it has one."""
    found = catalog.source(name)
    linked = f"[{cell(found.title)}]({found.address})" if "://" in found.address else cell(found.title)
    return f"{linked} (`{name}`, {found.date})"


def _groups(book: Book) -> str:
    rows = [
        (cell(one.name), cell(one.title), ", ".join(sorted(one.members)), one.read, f"`{one.source}`", cell(one.note))
        for one in book.groups.values()
    ]
    head = ("group", "title", "countries before the first rule of the book", "read", "source", "note")
    return "## Groups of places\n\nRules above say who joined or left.\n\n" + table(head, rows)


def _listings(book: Book) -> str:
    rows = [
        tuple(map(cell, (one.name, ", ".join(one.aliases), one.country, one.listed, one.removed, one.read, one.source)))
        for one in sorted(book.listings, key=lambda one: (one.listed, one.name))
    ]
    head = ("company", "also", "country", "listed", "removed", "read", "source")
    about = "## Companies of the Entity List\n\nThose that make chips or are often named; not the whole list.\n\n"
    return about + table(head, rows)


# ---------------------------------------------------------------------------------------------- casebook


ABOUT_CASES = """\
# Casebook

Every claim of the casebook with what was computed, in English and Chinese. `exaplan cases NAME` shows inputs, steps
and sources of one. How a case is made, what the verdicts mean: [check a claim](../how-to/casebook.md). What is said of
the law is analysis, not legal advice; street prices are published facts, which no plan pays.
"""


def casebook() -> str:
    """Every case: claim, answer, verdict and reason in all languages, with the titles of its sources."""
    from exaplan import load
    from exaplan.planning.casebook import every

    catalog = load()
    answers = every(catalog)
    parts = [MADE, ABOUT_CASES, _verdicts(answers)]
    for article in dict.fromkeys(answer.article for answer in answers):
        mine = [answer for answer in answers if answer.article == article]
        parts += [f"## {_article(article)}\n", _source(article, catalog) + "\n", _short(mine)]
        parts += [_case(answer, catalog) for answer in mine]
    return "\n".join([*parts, _sources(answers, catalog)])


def _verdicts(answers: Iterable[CaseAnswer]) -> str:
    counted = Counter(answer.verdict for answer in answers)
    return table(("verdict", "claims"), [(name, str(count)) for name, count in counted.most_common()])


def _article(article: str) -> str:
    from exaplan.report.casebook import article_name

    return article_name(article)


def _short(answers: Iterable[CaseAnswer]) -> str:
    rows = [(f"[{cell(one.title['en'])}](#{one.name})", _answer(one), one.verdict) for one in answers]
    return table(("claim", "answer", "verdict"), rows)


def _answer(answer: CaseAnswer) -> str:
    from exaplan.report.casebook import answer_text

    return cell(answer_text(answer))


def _case(answer: CaseAnswer, catalog: Catalog) -> str:
    from exaplan.report.casebook import claimed_text

    lines = [f"- Claim: {cell(answer.claim['en'])} · {cell(answer.claim.get('zh', ''))}"]
    told = f"; the text says {cell(claimed_text(answer))}" if answer.claimed is not None else ""
    lines += [
        f"- Answer: {_answer(answer)}{told}",
        f"- Verdict: **{answer.verdict}**. {cell(answer.reason['en'])} · {cell(answer.reason.get('zh', ''))}",
        *(f"- Note: {cell(note)}" for note in answer.notes),
        "- Sources: " + ", ".join(_linked(name, catalog) for name in answer.sources),
    ]
    title = f"{cell(answer.title['en'])} · {cell(answer.title.get('zh', ''))}"
    return f"### {answer.name}\n\n**{title}**\n\n" + "\n".join(lines) + "\n"


def _linked(name: str, catalog: Catalog) -> str:
    address = catalog.source(name).address
    return f"[{name}]({address})" if "://" in address else f"`{name}`"


def _sources(answers: Iterable[CaseAnswer], catalog: Catalog) -> str:
    names = sorted({name for answer in answers for name in answer.sources})
    rows = [
        (_linked(name, catalog), cell(found.title), found.kind, found.date)
        for name, found in ((name, catalog.source(name)) for name in names)
    ]
    return "## Sources\n\n" + table(("source", "title", "kind", "date"), rows)
