"""The JSON schemas of the casebook."""

from __future__ import annotations

from exaplan.answers.casebook import VERDICTS
from exaplan.report.schemas.law import VERSION
from exaplan.report.schemas.parts import MAYBE, OPEN, RANGE, TEXT, WORDS, Schema, listed, named, record


def _case() -> Schema:
    said = named(TEXT)
    source = record({"id": TEXT}, dict.fromkeys(("title", "address", "date", "kind"), TEXT))
    given = record(
        {"name": TEXT, "value": {}, "unit": TEXT, "low": MAYBE, "high": MAYBE, "source": TEXT, "origin": TEXT},
        {"note": TEXT},
    )
    return record(
        {"name": TEXT, "title": TEXT, "claim": TEXT, "article": TEXT, "ask": OPEN, "inputs": listed(given)}
        | {"results": OPEN, "answer": {}, "unit": TEXT, "range": RANGE, "claimed": {}, "reason": TEXT}
        | {"verdict": {"enum": list(VERDICTS)}, "sources": listed(source), "notes": WORDS}
        | {"texts": record({"title": said, "claim": said, "reason": said})}
    )


def case() -> Schema:
    """One case."""
    made = _case()
    return made | {"properties": {**VERSION, **made["properties"]}, "required": [*VERSION, *made["required"]]}


def cases() -> Schema:
    """The whole casebook."""
    return record(VERSION | {"cases": listed(_case())})
