"""What the export rules say, as JSON: the keys are a contract (``report/schemas/law.py``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exaplan.answers import SCHEMA_VERSION
from exaplan.catalog import Catalog
from exaplan.catalog.laws import Book, Provision, Rule
from exaplan.nouns import Verdict
from exaplan.report.listings import Row
from exaplan.report.provenance import source_json
from exaplan.report.to_json import advice, deal_json, fields_of, finite, plain, verdict_json

Steps = Sequence[tuple[str, Verdict]]


def check_json(verdict: Verdict) -> dict[str, Any]:
    """The answer of ``check``."""
    return {"schema_version": SCHEMA_VERSION, **verdict_json(verdict)}


def checks_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Several answers of ``check``."""
    made = [verdict_json(verdict) for verdict in verdicts]
    return {"schema_version": SCHEMA_VERSION, "checks": made, "advice": advice()}


def timeline_json(steps: Steps) -> dict[str, Any]:
    """The days on which the verdict of a chip changed; ``on`` of each step is that day."""
    last = steps[-1][1] if steps else None
    return {
        "schema_version": SCHEMA_VERSION,
        "chip": last.chip if last else "",
        "to": last.deal.to if last else "",
        "headquarters": (last.deal.headquarters or last.deal.to) if last else "",
        "rules_through": last.rules_through if last else "",
        "steps": [verdict_json(verdict) | {"on": day} for day, verdict in steps],
        "advice": advice(),
    }


def timelines_json(chips: Mapping[str, Steps]) -> dict[str, Any]:
    """The timelines of several chips."""
    made = [{**timeline_json(steps), "chip": chip} for chip, steps in chips.items()]
    for one in made:
        del one["schema_version"]
    return {"schema_version": SCHEMA_VERSION, "timelines": made, "advice": advice()}


def chips_rows(rows: Sequence[Row], verdicts: Mapping[str, Verdict]) -> list[Row]:
    """Rows of the list of chips with what the rules say of each; those without a verdict are left out."""
    return [dict(row) | _judged(verdicts[str(row["name"])]) for row in rows if row["name"] in verdicts]


def _judged(verdict: Verdict) -> Row:
    numbers = {name: finite(verdict.facts.get(name)) for name in ("tpp", "pd")}
    return {"class": verdict.class_name, "verdict": verdict.verdict, "review": verdict.review, **numbers}


def chips_json(rows: Sequence[Row], verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """The list of chips with class and verdict, and what was asked."""
    any_verdict = next(iter(verdicts.values()), None)
    asked = deal_json(any_verdict.deal) if any_verdict else {}
    through = {"rules_through": any_verdict.rules_through} if any_verdict else {}
    return {
        "schema_version": SCHEMA_VERSION,
        **asked,
        **through,
        "advice": advice(),
        "chips": chips_rows(rows, verdicts),
    }


def rules_json(book: Book) -> dict[str, Any]:
    """Every rule that is encoded."""
    made = [rule_fields(rule) for rule in book.rules.values()]
    return {"schema_version": SCHEMA_VERSION, "rules": made, "rules_through": book.through, "advice": advice()}


def rule_json(rule: Rule, catalog: Catalog) -> dict[str, Any]:
    """One rule, with the sources that it was read in."""
    known = sorted(name for name in sources_of(rule) if name in catalog.sources)
    return {
        "schema_version": SCHEMA_VERSION,
        "rule": rule_fields(rule),
        "sources": {name: source_json(catalog.source(name)) for name in known},
        "rules_through": catalog.rules.through,
        "advice": advice(),
    }


def rule_fields(rule: Rule) -> dict[str, Any]:
    """A rule as plain values: tests as text, days in order."""
    texts = ("name", "title", "citation", "summary", "announced", "status", "source", "read", "note")
    return {
        **{name: getattr(rule, name) for name in texts},
        "effective": list(rule.effective),
        "thresholds": {name: plain(fields_of(each)) for name, each in rule.thresholds.items()},
        "clauses": [clause_fields(provision) for provision in rule.provisions],
        "changes": [plain(fields_of(change)) for change in rule.changes],
        "memberships": [plain(fields_of(membership)) for membership in rule.memberships],
    }


def clause_fields(provision: Provision) -> dict[str, Any]:
    """One clause as its file has it; ``test``: with the numbers of the thresholds put in."""
    texts = ("kind", "title", "comply", "control", "policy", "gives", "review", "family", "rate", "base")
    return {
        "clause": provision.name,
        **{name: getattr(provision, name) for name in texts},
        "effective": provision.start,
        "class": provision.class_name,
        "test": provision.test,
        "addressees": list(provision.addressees),
        "read": provision.read,
        "source": provision.source,
        "note": provision.note,
    }


def sources_of(rule: Rule) -> set[str]:
    """Ids of the sources that a rule and its clauses were read in."""
    return {rule.source, *(provision.source for provision in rule.provisions)} - {""}
