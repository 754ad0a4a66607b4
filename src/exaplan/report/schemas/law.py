"""The JSON schemas of what the export rules say: verdicts, timelines, the chips of a day, the rules themselves."""

from __future__ import annotations

from exaplan.answers import SCHEMA_VERSION
from exaplan.report.schemas.parts import (
    MAYBE,
    NUMBER,
    OPEN,
    TEXT,
    TYPES,
    WORDS,
    Schema,
    listed,
    named,
    record,
)

VERDICTS: Schema = {"enum": ["free", "notify", "licence", "denial", "unknown"]}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
FLAG: Schema = {"type": ["boolean", "null"]}
VERSION: Schema = {"schema_version": {"const": SCHEMA_VERSION}}
READ = "how sure its wording is: text, quoted, memo, second-hand or recalled"


def verdict() -> Schema:
    """What the rules say of one chip and deal."""
    texts = dict.fromkeys(("rule", "clause", "title", "effective", "until", "test", "effect", "source"), TEXT)
    clause = record(
        texts | {"holds": FLAG, "enforced": TYPES["bool"], "read": TEXT | {"description": READ}}, {"note": TEXT}
    )
    outcome = record({"low": MAYBE, "high": MAYBE, "class": TEXT, "verdict": VERDICTS})
    missing = record({"field": TEXT, "unit": TEXT, "outcomes": listed(outcome)})
    duty = record({"name": TEXT, "rate": NUMBER, "base": TEXT, "source": TEXT, "note": TEXT})
    deal = dict.fromkeys(("to", "on", "headquarters", "origin", "end_user", "buyer", "letters"), TEXT)
    return record(
        {"chip": TEXT, **deal, "verdict": VERDICTS, "review": TEXT, "class": TEXT, "clauses": listed(clause)}
        | {"missing": listed(missing), "rules_through": TEXT, "assumes": WORDS, "warnings": WORDS}
        | {"duties": listed(duty), "facts": named(MAYBE), "advice": TEXT},
        {"without": WORDS, "thresholds": named(NUMBER)},
    )


def check() -> Schema:
    """The answer of ``check``."""
    return _with(VERSION, verdict())


def checks() -> Schema:
    """Several verdicts."""
    return record(VERSION | {"checks": listed(verdict()), "advice": TEXT})


def timeline() -> Schema:
    """How the verdict of a chip changed, by the day."""
    return record(VERSION | _timeline())


def timelines() -> Schema:
    """How the verdicts of several chips changed."""
    return record(VERSION | {"timelines": listed(record(_timeline())), "advice": TEXT})


def _timeline() -> Schema:
    shared = dict.fromkeys(("chip", "to", "headquarters", "rules_through", "advice"), TEXT)
    return shared | {"steps": listed(verdict())}


def chips() -> Schema:
    """The list of chips; with a place and a day also their class and verdict."""
    law = {"class": TEXT, "verdict": VERDICTS, "review": TEXT, "tpp": MAYBE, "pd": MAYBE}
    chip = record({"name": TEXT}, law)
    asked = dict.fromkeys(("to", "on", "headquarters", "rules_through", "advice"), TEXT)
    return record(VERSION | {"chips": listed(chip)}, asked)


def one_rule() -> Schema:
    """A rule: what it says, since when, by what text, clause by clause."""
    texts = ("name", "title", "citation", "summary", "announced", "status", "source", "read")
    said = ("clause", "kind", "title", "effective", "comply", "test", "class", "review", "read", "source")
    threshold = record({"value": NUMBER, "unit": TEXT}, {"note": TEXT})
    return record(
        {**dict.fromkeys(texts, TEXT), "effective": WORDS, "thresholds": named(threshold)}
        | {"clauses": listed(record(dict.fromkeys(said, TEXT))), "changes": listed(OPEN)},
        {"memberships": listed(OPEN), "note": TEXT},
    )


def rules() -> Schema:
    """All encoded rules."""
    return record(VERSION | {"rules": listed(one_rule()), "rules_through": TEXT, "advice": TEXT})


def rule() -> Schema:
    """One encoded rule, with the sources that it was read in."""
    return record(VERSION | {"rule": one_rule(), "sources": OPEN, "rules_through": TEXT, "advice": TEXT})


def _with(more: Schema, made: Schema) -> Schema:
    """A record with more required keys in front."""
    return made | {"properties": {**more, **made["properties"]}, "required": [*more, *made["required"]]}
