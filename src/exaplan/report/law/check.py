"""What the export rules say of one chip, for the terminal: the verdict in words first, then what decided it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from exaplan import rules
from exaplan.catalog import Catalog
from exaplan.nouns import Clause, Deal, Missing, Verdict
from exaplan.report import citing
from exaplan.report.law.to_json import Steps
from exaplan.report.screen import amount, heading, indented, listed, percent, table
from exaplan.report.sheets import NONE
from exaplan.report.verdicts import decisive, verdict_word
from exaplan.report.words import phrase, rule_title, spoken, word

STYLES = {"free": "bold green", "notify": "bold yellow", "licence": "bold red", "denial": "bold red"}
FREE_CLASS = "not controlled"  # how the names of classes begin that no rule asks a licence for
SHORT = 90  # characters of a test that is still told where it does not hold
TRUTHS = ("data_center", "planar", "memory_package")  # facts that are yes (1) or no (0)


def number(value: float) -> str:
    """A plain number with thousands apart: 15,831 or 19.4."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"


#: fact or field -> how it is written
QUANTITIES: Mapping[str, Callable[[float], str]] = {
    "tpp": number,
    "pd": lambda value: f"{number(value)} /mm2",
    "io": lambda value: amount(value, "bandwidth"),
    "io_bandwidth": lambda value: amount(value, "bandwidth"),
    "dram_bandwidth": lambda value: amount(value, "bandwidth"),
    "bandwidth": lambda value: amount(value, "bandwidth"),
    "area": lambda value: amount(value, "area"),
    "applicable_area": lambda value: amount(value, "area"),
    "die_area": lambda value: amount(value, "area"),
    "memory": lambda value: amount(value, "bytes"),
}


def check_view(verdict: Verdict, catalog: Catalog) -> list[RenderableType]:
    """What ``exaplan check`` prints."""
    return [
        heading(asked_line(verdict.chip, verdict.deal, catalog)),
        Text(""),
        Text(sentence(verdict), style=STYLES.get(verdict.verdict, "bold")),
        Text(""),
        *clauses_view(verdict, catalog),
        *facts_view(verdict, catalog),
        *missing_view(verdict.missing),
        *listed(word("law.duties"), duty_lines(verdict), "yellow"),
        *citing.told("plan.warnings", verdict.warnings, "yellow"),
        *citing.told("law.assumes", verdict.assumes),
        *citing.sources((clause.source for clause in verdict.clauses if clause.holds is not False), catalog),
        Text(word("law.through", date=verdict.rules_through or NONE), style="dim"),
        citing.advice(),
    ]


def asked_line(chip: str, deal: Deal, catalog: Catalog) -> str:
    """Chip, destination and day; who is behind the recipient where that was said."""
    return word("law.asked", chip=chip, to=place_name(deal.to, catalog), on=deal.on) + behind(deal, catalog)


def behind(deal: Deal, catalog: Catalog) -> str:
    """In brackets who is behind a deal and what was changed in the rules; "" where nothing of it was said."""
    more = []
    if deal.headquarters and deal.headquarters != deal.to:
        more.append(word("law.headquarters", place=place_name(deal.headquarters, catalog)))
    more += [word("law.end_user", name=deal.end_user)] if deal.end_user else []
    more += [word("law.origin", place=place_name(deal.origin, catalog))] if deal.origin not in ("", "US") else []
    more += [word("law.without", names=", ".join(deal.without))] if deal.without else []
    more += [word("law.changed", name=name, value=number(value)) for name, value in deal.thresholds.items()]
    return f" ({'; '.join(more)})" if more else ""


def place_name(code: str, catalog: Catalog) -> str:
    """The place by its name, where the rules or the words know one, with its code."""
    place = catalog.rules.places.get(code)
    name = (place.zh if spoken() == "zh" else place.name) if place else ""
    return f"{name} ({code})" if name else code


def sentence(verdict: Verdict) -> str:
    """The verdict in words, with its class and the policy of the review."""
    told = word(f"law.says.{verdict.verdict}", chip=verdict.chip)
    more = []
    if verdict.class_name:
        more.append(word("law.class", name=phrase(verdict.class_name)))
    if verdict.review:
        more.append(word("law.review", policy=review(verdict)))
    return told + (word("law.detail", parts=word("law.comma").join(more)) if more else "")


def review(verdict: Verdict) -> str:
    """The policy of the licence review."""
    return phrase(verdict.review)


def clauses_view(verdict: Verdict, catalog: Catalog) -> list[RenderableType]:
    """The clauses that decided, with their numbers, dates, and how sure their wording is; then the others in short."""
    clauses = list(dict.fromkeys(verdict.clauses))
    met = [clause for clause in clauses if clause.holds is not False and clause.enforced]
    asleep = [clause for clause in clauses if clause.holds is not False and not clause.enforced]
    others = [clause for clause in clauses if clause.holds is False]
    return [
        *([heading(word("law.hangs" if verdict.verdict == "unknown" else "law.decided"))] if met else []),
        *([] if met else [Text(word("law.no_clause"))]),
        *_blocks(met, catalog),
        *([heading(word("law.asleep"))] if asleep else []),
        *_blocks(asleep, catalog),
        *listed(word("law.unmet"), map(unmet_line, others)),
        Text(""),
    ]


def _blocks(clauses: Sequence[Clause], catalog: Catalog) -> Iterator[RenderableType]:
    """Each clause: its title, what it does since when, its test with the chip's numbers, its note; a rule is cited
    once."""
    cited: set[str] = set()
    for clause in clauses:
        yield indented(clause_name(clause, catalog), "bold")
        source = "" if clause.rule in cited else citation(clause.rule, catalog)
        cited.add(clause.rule)
        test = word("law.tested", holds=held(clause.holds), test=clause.test)
        lines = (does_line(clause), source, test, phrase(clause.note))
        yield from (Padding(Text(line, style="dim"), (0, 0, 0, 4)) for line in lines if line)


def does_line(clause: Clause) -> str:
    """What a clause does, since when, and how sure its wording is."""
    until = word("law.until", date=clause.until) if clause.until else ""
    facts = {"since": clause.effective + until, "read": read_as(clause.read), "source": clause.source or NONE}
    return word("law.does", effect=effect_text(clause.effect), **facts)


def clause_name(clause: Clause, catalog: Catalog) -> str:
    """Rule, clause, and the title of the clause."""
    name = f"{clause.rule} {clause.clause}".strip()
    return f"{name}{word('law.colon')}{phrase(clause.title)}" if clause.title else name


def citation(rule: str, catalog: Catalog) -> str:
    """The title of a rule and where it is published."""
    found = catalog.rules.rules.get(rule)
    if found is None:
        return ""
    return word("law.cited", title=rule_title(rule, found.title), citation=phrase(found.citation) or NONE)


def effect_text(effect: str) -> str:
    """What a clause does: a kind, and what it comes to, each in the language that is spoken."""
    kind, colon, rest = effect.partition(": ")
    return f"{phrase(kind)}{word('law.colon')}{phrase(rest)}" if colon else phrase(effect)


def unmet_line(clause: Clause) -> str:
    """A clause that was looked at and does not hold; with its numbers where these are short."""
    name = f"{clause.rule} {clause.clause}".strip()
    told = f"{name}{word('law.colon')}{phrase(clause.title)}" if clause.title else name
    return f"{told} [{clause.test}]" if len(clause.test) <= SHORT else told


def held(holds: bool | None) -> str:
    """Whether a test holds: yes, no, or not decidable."""
    return word("law.open" if holds is None else "law.yes" if holds else "law.no")


def read_as(grade: str) -> str:
    """How sure a wording is."""
    return word(f"law.read.{grade or 'unknown'}")


def facts_view(verdict: Verdict, catalog: Catalog) -> list[RenderableType]:
    """The chip's numbers that the rules look at, and the lines that they are held against on that day."""
    lines = threshold_texts(verdict.deal, catalog)
    rows = [[fact_name(name), quantity(name, value), lines.get(name, "")] for name, value in verdict.facts.items()]
    return [table(("figure", "value", "thresholds"), rows, word("law.facts"), left=("thresholds",))] if rows else []


def fact_name(name: str) -> str:
    """A fact or field of a chip, spelled out."""
    return word(f"facts.{name}")


def quantity(name: str, value: float | None) -> str:
    """A fact with its unit; a dash where it is unknown."""
    if value is None:
        return NONE
    if isinstance(value, bool) or name in TRUTHS:
        return held(bool(value))
    return QUANTITIES.get(name, number)(value)


def threshold_texts(deal: Deal, catalog: Catalog) -> dict[str, str]:
    """tpp and pd -> the lines of that day, one below the other, each with its classes."""
    boxes = rules.thresholds(deal, catalog.rules)
    found: dict[str, list[str]] = {"tpp": [], "pd": []}
    for name, texts in found.items():
        named: dict[float, dict[str, None]] = {}
        for box in boxes:
            if not str(box["class"]).startswith(FREE_CLASS):
                named.setdefault(float(box[f"{name}_low"]), {})[phrase(str(box["class"]))] = None
        for low in sorted(named):
            classes = word("law.comma").join(sorted(named[low], key=lambda name: (len(name), name)))
            texts += [f"{number(low)}{word('law.colon')}{classes}"] if low > 0 else []
    return {name: "\n".join(texts) for name, texts in found.items()}


def missing_view(missing: Sequence[Missing]) -> list[RenderableType]:
    """What is unknown and decides, and what each value of it would mean."""
    rows = [row for one in missing for row in _outcomes(one)]
    columns = ("missing", "if_in", "class", "verdict")
    return [table(columns, rows, word("law.missing"), fixed=columns)] if rows else []


def _outcomes(missing: Missing) -> Iterator[list[str]]:
    name = fact_name(missing.field)
    if not missing.outcomes:
        yield [f"{name} [{missing.unit}]" if missing.unit else name, NONE, NONE, NONE]
    for one in missing.outcomes:
        within = span(missing.field, one.low, one.high, missing.unit)
        yield [name, within, phrase(one.class_name), verdict_word(one.verdict)]


def span(field: str, low: float, high: float, unit: str = "") -> str:
    """From low to high, in words; an end that is not finite (or a low of 0) is no end. A single value is that value."""
    write = QUANTITIES.get(field) or (lambda value: f"{number(value)} {unit}".rstrip())
    if low == high:
        return word("law.planar") if field == "applicable_area" and not low else quantity(field, low)
    if not math.isfinite(high):
        return word("law.any") if low <= 0 else word("law.at_least", low=write(low))
    if low <= 0:
        return word("law.below", high=write(high))
    return word("law.between", low=write(low), high=write(high))


def duty_lines(verdict: Verdict) -> Iterator[str]:
    """What a rule takes on top of a price."""
    for duty in verdict.duties:
        told = word("law.duty", name=phrase(duty.name), rate=percent(duty.rate, 0), base=phrase(duty.base))
        yield f"{told} ({'; '.join(part for part in (duty.source, phrase(duty.note)) if part)})"


# ----------------------------------------------------------------------------------------------- timeline


def timeline_view(steps: Steps, catalog: Catalog) -> list[RenderableType]:
    """The days on which the verdict of a chip changed."""
    if not steps:
        return [Text(word("law.no_steps")), citing.advice()]
    last = steps[-1][1]
    title = word("law.timeline", chip=last.chip, to=place_name(last.deal.to, catalog)) + behind(last.deal, catalog)
    return [
        heading(title),
        table(
            ("since", "verdict", "class", "review", "decided_by"),
            [_step(day, verdict) for day, verdict in steps],
            left=("class", "review", "decided_by"),
            fixed=("verdict",),
            tight=True,
        ),
        *citing.told("law.assumes", last.assumes),
        *citing.sources((clause.source for _, verdict in steps if (clause := decisive(verdict))), catalog),
        Text(word("law.through", date=last.rules_through or NONE), style="dim"),
        citing.advice(),
    ]


def _step(day: str, verdict: Verdict) -> list[object]:
    clause = decisive(verdict)
    told = Text(verdict_word(verdict.verdict), style=STYLES.get(verdict.verdict, "bold"))
    by = f"{clause.rule} {clause.clause}".strip() if clause else NONE
    return [day, told, phrase(verdict.class_name) or NONE, review(verdict) or NONE, by]
