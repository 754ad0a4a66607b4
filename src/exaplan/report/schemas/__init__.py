"""The JSON schemas that ``exaplan schema NAME`` prints: of answers, of listings, and of the files a user may write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from exaplan import ask
from exaplan.errors import InputError, Place
from exaplan.report.schemas import answers, cases, files, law, money, serving
from exaplan.report.schemas.parts import Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
LISTS = ("nodes", "clusters", "models", "engines", "fabrics", "sites", "asks")


def schema(name: str) -> Schema:
    """The schema of that name; InputError with the nearest names otherwise."""
    if name not in SCHEMAS:
        near = get_close_matches(name, list(SCHEMAS), 3, 0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "known: " + ", ".join(SCHEMAS)
        raise InputError(f"there is no schema `{name}`", hint=hint, place=Place("NAME"))
    made = SCHEMAS[name]()
    return {"$schema": DIALECT, "title": f"exaplan {name}", **{key: made[key] for key in made if key != "title"}}


SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "ask": ask.json_schema,
    "plan": lambda: serving.either(answers.plan(), serving.plan()),
    "simulate": serving.simulate,
    "estimate": answers.plan,
    "compare": answers.compare,
    "validate": answers.validate,
    "check": law.check,
    "checks": law.checks,
    "timeline": law.timeline,
    "timelines": law.timelines,
    "rules": law.rules,
    "rule": law.rule,
    "prices": money.prices,
    "tax": money.tax,
    "own": money.own,
    "make": money.make,
    "designs": money.makes,
    "case": cases.case,
    "cases": cases.cases,
    "chip": files.chip,
    "node": files.node,
    "cluster": files.cluster,
    "model": files.model,
    "design": files.design,
    "run": files.run,
    "chips": law.chips,
    **{kind: answers.listing(kind) for kind in LISTS},
}
