"""Two plans held against each other: what differs, and which input of theirs explains it.

Both questions are asked again with the catalogue at hand. Where that gives the documents' own numbers, one differing
input after the other is moved from the first question to the second: each alone, and all of them in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exaplan.catalog import Catalog
from exaplan.errors import InputError, Place
from exaplan.planning.comparing.documents import changes_of, check, choices_of, made_notes, made_of
from exaplan.planning.comparing.explaining import Explained, explain
from exaplan.planning.comparing.parts import Change, Comparison, Difference, Moved, differ
from exaplan.planning.comparing.questions import inputs_of

__all__ = ["Change", "Comparison", "Difference", "Moved", "compare", "differ"]


def compare(
    a: Mapping[str, Any], b: Mapping[str, Any], catalog: Catalog, files: tuple[str, str] = ("A", "B")
) -> Comparison:
    """Hold two plan.json documents against each other; ``files``: their names, for messages."""
    first, second = check(a, files[0]), check(b, files[1])
    if first["kind"] != second["kind"]:
        problem = f"{files[0]} is a plan for {first['kind']}, {files[1]} one for {second['kind']}"
        raise InputError(problem, hint="compare two plans of one kind", place=Place(files[1], field="kind"))
    if first.get("verb") != second.get("verb"):
        problem = f"{files[0]} is a {first.get('verb')} document, {files[1]} a {second.get('verb')} document"
        raise InputError(problem, hint="compare two of one verb", place=Place(files[1], field="verb"))
    choices, figures = choices_of(first, second), changes_of(first, second)
    inputs, made = inputs_of(first, second), made_of(first, second)
    parts = (choices, tuple(item for item in figures if differ(item.a, item.b)), inputs)
    same = not any(parts)
    found = Explained() if same else explain(first, second, catalog, files)
    notes = (*found.notes, *(made_notes(made) if not same else ()))
    return Comparison(
        first["kind"], same, choices, figures, inputs, made, found.reproduced, found.alone, found.path, notes
    )
