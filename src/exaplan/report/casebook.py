"""The casebook: claims with what computes them, as a table, one by one, and as JSON; in every language of the words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from exaplan.answers import SCHEMA_VERSION
from exaplan.answers.casebook import CaseAnswer, Given
from exaplan.catalog import Catalog
from exaplan.report import citing
from exaplan.report.provenance import source_json
from exaplan.report.screen import amount, heading, listed, table
from exaplan.report.sheets import NONE
from exaplan.report.to_json import fields_of, finite, plain
from exaplan.report.words import HOME, local, phrase, spoken, word

STYLES = {"holds": "bold green", "wrong": "bold red", "garbled": "bold yellow", "misattributed": "bold yellow"}
DIGITS = 4
FEW = 2  # sources of an input that are named beside it
YEARS = ("year", "fiscal year")
SHARES = ("1", "ratio")  # units of an answer that is told in percent
#: units that are written with a prefix, as dimensions
PREFIXED = {"W": "power", "FLOP/s": "rate", "USD": "money", "B/s": "bandwidth", "B": "bytes", "m2": "area"}
MILLIONS = {"million ": 1e6, "billion ": 1e9, "trillion ": 1e12}  # what a unit of money may begin with
MYRIADS = ((1e12, "万亿"), (1e8, "亿"), (1e4, "万"))  # by which Chinese counts, large to small
LEAST = 1e4  # from which on it does
NO_COUNTS = ("year", "fiscal year", "h", "d", "y", "s")  # units whose numbers are written out


# --------------------------------------------------------------------------------------------------- JSON


def cases_json(answers: Sequence[CaseAnswer], catalog: Catalog) -> dict[str, Any]:
    """The whole casebook."""
    return {"schema_version": SCHEMA_VERSION, "cases": [_case_json(answer, catalog) for answer in answers]}


def case_json(answer: CaseAnswer, catalog: Catalog) -> dict[str, Any]:
    """One case."""
    return {"schema_version": SCHEMA_VERSION, **_case_json(answer, catalog)}


def _case_json(answer: CaseAnswer, catalog: Catalog) -> dict[str, Any]:
    texts = {"title": answer.title, "claim": answer.claim, "reason": answer.reason}
    return {
        "name": answer.name,
        **{name: _english(text) for name, text in texts.items()},
        "article": answer.article,
        "ask": plain(answer.ask),
        "inputs": [plain(fields_of(given)) for given in answer.inputs],
        "results": plain(answer.results),
        "answer": plain(answer.answer),
        "unit": answer.unit,
        "range": [finite(answer.low), finite(answer.high)],
        "claimed": plain(answer.claimed),
        "verdict": answer.verdict,
        "sources": [{"id": name} | _spelled(name, catalog) for name in answer.sources],
        "notes": list(answer.notes),
        "figures": plain(answer.figures),
        "texts": {name: dict(text) for name, text in texts.items()},
    }


def _english(texts: Mapping[str, str]) -> str:
    return texts.get(HOME) or next(iter(texts.values()), "")


def _spelled(name: str, catalog: Catalog) -> dict[str, str]:
    return source_json(catalog.source(name)) if name in catalog.sources or name.startswith("user:") else {}


def matches(answer: CaseAnswer, text: str) -> bool:
    """Whether a text stands in the name, the title, the claim, the article or the verdict, in any language."""
    said = (answer.name, answer.article, answer.verdict, *answer.title.values(), *answer.claim.values())
    return any(text.lower() in one.lower() for one in (*said, *answer.reason.values()))


# -------------------------------------------------------------------------------------------------- views


def cases_view(answers: Sequence[CaseAnswer]) -> list[RenderableType]:
    """Every case in one table: claim, answer with its range, what was claimed, verdict."""
    columns = ("case", "claim", "answer", "claimed", "verdict")
    made: list[RenderableType] = []
    for article in dict.fromkeys(answer.article for answer in answers):
        rows = [_row(answer) for answer in answers if answer.article == article]
        made.append(table(columns, rows, article_name(article), ("claim", "answer", "claimed", "verdict"), tight=True))
    counted = Counter(answer.verdict for answer in answers)
    sums = word("law.comma").join(f"{verdict_word(name)} {count}" for name, count in counted.most_common())
    return [
        heading(word("cases.title", count=len(answers))),
        *made,
        Text(word("cases.counted", sums=sums or NONE)),
        Text(word("cases.more"), style="dim"),
        citing.advice(),
    ]


def _row(answer: CaseAnswer) -> list[object]:
    told = Text(verdict_word(answer.verdict), style=STYLES.get(answer.verdict, "bold"))
    name = Text(answer.name, overflow="fold")
    return [name, local(answer.title) or local(answer.claim), named_text(answer), claimed_text(answer), told]


def article_name(article: str) -> str:
    """The text that a claim stands in."""
    return word(f"cases.articles.{article}") if article else word("cases.own")


def verdict_word(verdict: str) -> str:
    """A verdict of the casebook in words."""
    return word(f"cases.verdicts.{verdict.replace(' ', '_')}")


def case_view(answer: CaseAnswer, catalog: Catalog) -> list[RenderableType]:
    """One case: the claim, the verdict, what it was computed from, step by step, and the sources."""
    return [
        heading(local(answer.title) or answer.name),
        Text(f"{answer.name} · {article_name(answer.article)}", style="dim"),
        Text(""),
        Text(word("cases.claim", claim=local(answer.claim))),
        Text(word("cases.answer", answer=named_text(answer))),
        *([Text(word("cases.claimed", claimed=claimed_text(answer)))] if answer.claimed is not None else []),
        Text(word("cases.verdict", verdict=verdict_word(answer.verdict)), style=STYLES.get(answer.verdict, "bold")),
        Text(local(answer.reason)),
        Text(""),
        *_inputs(answer),
        *_results(answer),
        *listed(word("cases.decided"), verdict_lines(answer.ask), ""),
        *citing.told("explain.notes", answer.notes),
        *citing.sources(answer.sources, catalog, short=True),
        citing.advice(),
    ]


def named_text(answer: CaseAnswer) -> str:
    """The answer with the name of what it is, where its unit does not tell that."""
    named = answer.unit in ("", "x", *SHARES) and isinstance(answer.answer, (int, float))
    what = str(answer.ask.get("answer", ""))
    told = answer_text(answer)
    return f"{step_name(what)}{word('law.colon')}{told}" if named and what.isidentifier() else told


def step_name(name: str) -> str:
    """The name of a step or input for people."""
    return phrase(name.replace("_", " "))


def answer_text(answer: CaseAnswer) -> str:
    """The answer with its unit and its range."""
    told = _in_unit(answer, answer.answer)
    if answer.low is None or answer.high is None or answer.low == answer.high:
        return told
    return word("cases.range", answer=told, low=_low_end(answer), high=_in_unit(answer, answer.high))


def _in_unit(answer: CaseAnswer, value: Any) -> str:
    """A value in the unit of the answer; a ratio in percent."""
    if answer.unit in SHARES and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{plain_number(100 * value)}%"
    return value_text(value, answer.unit)


def _low_end(answer: CaseAnswer) -> str:
    """The low end of the range, without a unit that the high end repeats."""
    told = _in_unit(answer, answer.low)
    unit = unit_text(answer.unit)
    if _money(answer.unit) or answer.unit in (*PREFIXED, *YEARS, *SHARES) or not unit:
        return told
    return told if _myriad(answer.low or 0.0, answer.unit) else told.removesuffix(unit).rstrip()


def claimed_text(answer: CaseAnswer) -> str:
    """What the text says, in the unit of the answer."""
    return NONE if answer.claimed is None else _in_unit(answer, answer.claimed)


def value_text(value: Any, unit: str = "") -> str:
    """Any value for people: numbers to four digits with their unit, yes and no, lists, text."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return word("law.yes" if value else "law.no")
    if isinstance(value, (int, float)):
        return number_text(float(value), unit)
    if isinstance(value, (list, tuple)):
        return word("law.comma").join(value_text(item, unit) for item in value)
    if isinstance(value, Mapping):
        return word("law.comma").join(f"{key} {value_text(item)}" for key, item in value.items())
    return phrase(str(value))


def number_text(value: float, unit: str) -> str:
    """A number with its unit: with a prefix where the unit takes one, a year without thousands apart."""
    if unit in YEARS:
        year = f"{value:.1f}".removesuffix(".0")
        return year if unit == YEARS[0] else f"{year} {unit_text(unit)}"
    counted = _myriad(value, unit)
    if counted:
        return counted
    dimension, scale = PREFIXED.get(unit), 1.0
    if dimension is None and _money(unit):
        dimension, scale = "money", _money(unit)
    if dimension and value:
        return ("-" if value < 0 else "") + amount(scale * abs(value), dimension, DIGITS)
    return f"{plain_number(value)} {unit_text(unit)}".rstrip()


def _money(unit: str) -> float:
    """How many dollars a unit of money is; 0 for any other unit."""
    if unit == "USD":
        return 1.0
    return next((scale for name, scale in MILLIONS.items() if unit == f"{name}USD"), 0.0)


def _myriad(value: float, unit: str) -> str:
    """A large amount of money or number of things as Chinese counts it; "" elsewhere."""
    scale = _money(unit) or 1.0
    size = abs(value) * scale
    if spoken() != "zh" or size < LEAST or unit in NO_COUNTS or (unit in PREFIXED and not _money(unit)):
        return ""
    step, name = next((step, name) for step, name in MYRIADS if size >= step)
    unit = phrase("USD" if _money(unit) else unit) if unit not in ("", *SHARES) else ""
    return f"{'-' if value < 0 else ''}{plain_number(size / step)} {name}{unit}"


def unit_text(unit: str) -> str:
    """A unit in the language that is spoken; those that are no words stay as they are."""
    return "" if unit in ("", "1", "ratio") else phrase(unit)


def plain_number(value: float) -> str:
    """A number to four digits; with thousands apart, and as a power of ten beyond a thousand billion."""
    if value == 0:
        return "0"
    if abs(value) >= 1e12 or abs(value) < 1e-4:
        return f"{value:.{DIGITS}g}"
    if abs(value) >= 10 ** (DIGITS - 1):
        return f"{value:,.0f}"
    return f"{value:.{DIGITS}g}"


def verdict_lines(ask: Mapping[str, Any]) -> Iterator[str]:
    """How the verdict follows from the answer, rule by rule."""
    for rule in ask.get("verdict", ()):
        if "then" in rule:
            yield word("cases.if", test=rule.get("if"), verdict=verdict_word(str(rule["then"])))
        else:
            yield word("cases.else", verdict=verdict_word(str(rule["else"])))


def _inputs(answer: CaseAnswer) -> list[RenderableType]:
    if not answer.inputs:
        return []
    rows = [_given(given) for given in answer.inputs]
    left = ("value", "range", "source", "note")
    return [table(("input", "value", "range", "source", "note"), rows, word("cases.inputs"), left, tight=True)]


def _given(given: Given) -> list[object]:
    known = given.low is not None and given.high is not None
    ends = [value_text(end, given.unit if given.unit in PREFIXED else "") for end in (given.low, given.high)]
    span = f"{ends[0]} … {ends[1]}" if known else ""
    note = word("law.comma").join(part for part in (_origin(given.origin), phrase(given.note)) if part)
    return [Text(given.name, overflow="fold"), value_text(given.value, given.unit), span, _short(given.source), note]


def _short(sources: str) -> str:
    """The first few of many sources; all of them are spelled out below."""
    names = [name.strip() for name in sources.split(",") if name.strip()]
    return ", ".join(names[:FEW]) + (f" +{len(names) - FEW}" if len(names) > FEW else "")


def _origin(origin: str) -> str:
    return word("cases.origin", what=origin) if origin else ""


def _results(answer: CaseAnswer) -> list[RenderableType]:
    """Every step with its formula; the one that is the answer is marked."""
    hows, asked = answer.ask.get("steps", {}), answer.ask.get("answer")
    rows = [
        [
            Text(name if name in hows else step_name(name), overflow="fold", style="bold" if name == asked else ""),
            Text(str(hows.get(name) or word(f"cases.hows.{name}")), overflow="fold"),
            value_text(value, answer.unit if name == asked else ""),
        ]
        for name, value in answer.results.items()
    ]
    columns = ("step", "formula", "value")
    return [table(columns, rows, word("cases.results"), ("formula", "value"), tight=True)] if rows else []
