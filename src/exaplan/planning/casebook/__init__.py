"""The casebook: claims as questions, answered with the same catalogue, rules and costs as every other question.

``answer`` computes one case, ``every`` all of them; ``changes`` gives inputs other values (what if it were not so?).
A verdict is never written down: it follows from the answer by the rules in the case's own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from exaplan.answers.casebook import CaseAnswer, Given
from exaplan.catalog import Catalog
from exaplan.catalog.cases import Claim, Input, claim
from exaplan.catalog.folder import is_path
from exaplan.catalog.sheet import Sheet
from exaplan.errors import InputError, Place
from exaplan.nouns import Figure
from exaplan.planning.casebook.asking import Desk
from exaplan.planning.casebook.computing import rule_on, run, span, told
from exaplan.planning.casebook.looking import look
from exaplan.planning.casebook.values import Known, changed, entering, number, own, shown, sources_of

__all__ = ["answer", "every", "read"]

NOTHING: Mapping[str, Any] = MappingProxyType({})


def answer(catalog: Catalog, name: str, changes: Mapping[str, Any] = NOTHING, near: Path | None = None) -> CaseAnswer:
    """One case of the casebook, or of a user's file, computed. changes: input -> new value."""
    return _solved(read(catalog, name, near), _desk(catalog), changes)


def every(catalog: Catalog) -> tuple[CaseAnswer, ...]:
    """All cases of the casebook, by name; what they share is computed once."""
    return tuple(_solved(read(catalog, name), _desk(catalog), NOTHING) for name in sorted(catalog.cases))


@lru_cache(maxsize=4)
def _desk(catalog: Catalog) -> Desk:
    """The desk of a catalogue: what one case asked another need not compute again."""
    return Desk(catalog)


def read(catalog: Catalog, name: str, near: Path | None = None) -> Claim:
    """A case as written."""
    if is_path(name):
        document = catalog.case(name, near=near)
        return claim(Sheet(document, catalog.sources, f"user:{document.file}"))
    catalog.cases.find(name)
    shelf = catalog.cases
    return claim(shelf.sheet(shelf.entries[shelf.resolve(name) or name]))


def _solved(case: Claim, desk: Desk, changes: Mapping[str, Any]) -> CaseAnswer:
    known = _gathered(case, desk, changes)
    values = run(case, entering(known.values()))
    low, high = span(case, known)
    found, unit = values[case.answer], _unit(case, known)
    claimed = case.claimed(values) if case.claimed else None
    values |= {"answer": found, "claimed": claimed}
    values |= {"answer.low": found if low is None else low, "answer.high": found if high is None else high}
    verdict, reason = rule_on(case, values, _dates(case, known, unit))
    return CaseAnswer(
        name=case.name,
        title=case.title,
        claim=case.claim,
        article=case.article,
        ask=_ask(case, known),
        inputs=tuple(_given(item) for item in known.values()),
        results=told(case, values, found, claimed),
        answer=shown(found, unit),
        unit=unit,
        low=low,
        high=high,
        claimed=shown(claimed, unit),
        verdict=verdict,
        reason=reason,
        sources=tuple(dict.fromkeys((case.article, *sources_of(known.values())))),
        notes=case.notes,
        figures={item.name: _figure(item) for item in known.values() if item.kind == "number"},
    )


def _gathered(case: Claim, desk: Desk, changes: Mapping[str, Any]) -> dict[str, Known]:
    """Every input with its value; later ones may ask with the values of earlier ones."""
    _check_changes(case, changes)
    out: dict[str, Known] = {}
    for item in case.inputs:
        found = look(item, desk, out) if item.ask else own(item)
        out[item.name] = changed(found, changes[item.name], item.place) if item.name in changes else found
    return out


def _dates(case: Claim, known: Mapping[str, Known], unit: str) -> set[str]:
    """Names whose values are counts of days."""
    out = {name for name, item in known.items() if item.kind == "date"}
    out |= {step.name for step in case.steps if step.unit == "date"}
    return out | ({"answer", "claimed"} if unit == "date" else set())


def _check_changes(case: Claim, changes: Mapping[str, Any]) -> None:
    names = [item.name for item in case.inputs]
    for name in changes:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean `{near[0]}`?" if near else "inputs: " + ", ".join(names)
            raise InputError(f"the case `{case.name}` has no input `{name}`", hint=hint, place=Place(case.file))


def _unit(case: Claim, known: Mapping[str, Known]) -> str:
    """Unit of the answer: what the case says, else that of the step or input that it is."""
    if case.unit:
        return case.unit
    if case.answer in known:
        item = known[case.answer]
        return "date" if item.kind == "date" else item.unit
    return next(step.unit for step in case.steps if step.name == case.answer)


def _given(item: Known) -> Given:
    source = ", ".join(item.sources)
    return Given(item.name, item.value, item.unit, item.low, item.high, source, item.origin, item.note)


def _figure(item: Known) -> Figure:
    source = item.sources[0] if item.sources else ""
    return Figure(number(item.value), source, item.low, item.high, item.date, item.note)


def _ask(case: Claim, known: Mapping[str, Known]) -> dict[str, Any]:
    """What computes the case, as plain values."""
    return {
        "topic": case.topic,
        "inputs": {item.name: _question(item, known) for item in case.inputs},
        "steps": {step.name: step.formula.text for step in case.steps},
        "answer": case.answer,
        "verdict": [
            {"if": item.when.text, "then": item.verdict} if item.when else {"else": item.verdict}
            for item in case.rulings
        ],
    }


def _question(item: Input, known: Mapping[str, Known]) -> Any:
    return {"ask": item.ask, **item.given} if item.ask else known[item.name].value
