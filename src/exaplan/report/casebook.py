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
from exaplan.report.words import HOME, local, phrase, word

STYLES = {"holds": "bold green", "wrong": "bold red", "garbled": "bold yellow", "misattributed": "bold yellow"}
DIGITS = 4
FEW = 2  # sources of an input that are named beside it
YEARS = ("year", "fiscal year")
PREFIXED = {"W": "power", "FLOP/s": "rate", "USD": "money"}  # units that are written with a prefix, as dimensions


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
    return [name, local(answer.title) or local(answer.claim), answer_text(answer), claimed_text(answer), told]


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
        Text(word("cases.answer", answer=answer_text(answer))),
        *([Text(word("cases.claimed", claimed=claimed_text(answer)))] if answer.claimed is not None else []),
        Text(word("cases.verdict", verdict=verdict_word(answer.verdict)), style=STYLES.get(answer.verdict, "bold")),
        Text(local(answer.reason)),
        Text(""),
        *listed(word("cases.computed"), ask_lines(answer.ask), ""),
        *_inputs(answer),
        *_results(answer),
        *citing.told("explain.notes", answer.notes),
        *citing.sources(answer.sources, catalog),
        citing.advice(),
    ]


def answer_text(answer: CaseAnswer) -> str:
    """The answer with its unit and its range."""
    told = value_text(answer.answer, answer.unit)
    if answer.low is None or answer.high is None or answer.low == answer.high:
        return told
    return word("cases.range", answer=told, low=_low_end(answer), high=value_text(answer.high, answer.unit))


def _low_end(answer: CaseAnswer) -> str:
    """The low end of the range, without a unit that the high end repeats."""
    return value_text(answer.low, answer.unit if answer.unit in (*PREFIXED, *YEARS) else "")


def claimed_text(answer: CaseAnswer) -> str:
    """What the text says, in the unit of the answer."""
    return NONE if answer.claimed is None else value_text(answer.claimed, answer.unit)


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
        return f"{value:.0f} {unit_text(unit)}" if unit != YEARS[0] else f"{value:.0f}"
    if unit in PREFIXED and value:
        return ("-" if value < 0 else "") + amount(abs(value), PREFIXED[unit], DIGITS)
    return f"{plain_number(value)} {unit_text(unit)}".rstrip()


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


def ask_lines(ask: Mapping[str, Any]) -> Iterator[str]:
    """What computes a case, one line for each part."""
    colon = word("law.colon")
    for key, value in ask.items():
        name = phrase(str(key).replace("_", " "))
        if isinstance(value, Mapping):
            yield f"{name}{colon.rstrip()}"
            yield from (f"  {item} = {_formula(how)}" for item, how in value.items())
        elif isinstance(value, (list, tuple)):
            yield f"{name}{colon.rstrip()}"
            yield from (f"  {_formula(item)}" for item in value)
        else:
            yield f"{name}{colon}{phrase(_formula(value))}"


def _formula(value: Any) -> str:
    """How a value is come by: a number, a formula, what it is asked of, or a rule of the verdict."""
    if not isinstance(value, Mapping):
        return value_text(value) if isinstance(value, (bool, int, float)) else str(value)
    if "then" in value:
        return word("cases.if", test=value.get("if"), verdict=verdict_word(str(value["then"])))
    if "else" in value:
        return word("cases.else", verdict=verdict_word(str(value["else"])))
    given = ", ".join(f"{name} {item}" for name, item in value.items() if name != "ask")
    return f"{value['ask']}({given})" if "ask" in value else given


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
    rows = [[Text(phrase(name), overflow="fold"), value_text(value)] for name, value in answer.results.items()]
    return [table(("step", "value"), rows, word("cases.results"), ("value",), tight=True)] if rows else []
