"""Which input explains a change: the questions are solved again with one input after the other moved."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from exaplan.answers import Answer
from exaplan.answers.serving import Served
from exaplan.ask import ServeAsk, parse
from exaplan.catalog import Catalog
from exaplan.errors import ExaplanError
from exaplan.planning.comparing.documents import FIGURES, figures_of
from exaplan.planning.comparing.parts import TOLERANCE, Figures, Flat, Moved, differ
from exaplan.planning.comparing.questions import Input, flat, movable, moved, nested

OTHER_KIND = "the question is then of another kind: one step only against a whole run"
EXPLAINED = ("time", "cost", "tokens", "step_time", "energy", "carbon")  # what shares are worked out of


class Explained(NamedTuple):
    """What was found out; as it stands, nothing."""

    reproduced: bool = True
    alone: tuple[Moved, ...] = ()
    path: tuple[Moved, ...] = ()
    notes: tuple[str, ...] = ()


Solve = Callable[[Flat], "Figures | str"]


def solver(catalog: Catalog, verb: str = "plan") -> Solve:
    """Question -> figures of its best plan, or why it has none; each is solved once."""
    known: dict[str, Figures | str] = {}

    def solve(question: Flat) -> Figures | str:
        key = json.dumps(nested(question), sort_keys=True, default=str)
        if key not in known:
            known[key] = _solved(nested(question), catalog, verb)
        return known[key]

    return solve


def _solved(question: Mapping[str, Any], catalog: Catalog, verb: str) -> Figures | str:
    from exaplan.planning import estimate, plan, simulate

    try:
        ask = parse(question)
        if isinstance(ask, ServeAsk):
            return served(simulate(ask, catalog) if verb == "simulate" else plan(ask, catalog, 1))
        whole = ask.whole_layout() is not None and not ask.open_count
        return answered(estimate(ask, catalog) if whole else plan(ask, catalog, 1))
    except ExaplanError as error:
        return str(error).splitlines()[0]


def answered(answer: Answer) -> Figures:
    """The figures of the best plan of an answer, by the names of the document."""
    best = answer.estimates[0]
    told = {name: getattr(best, name) for name in ("time", "cost", "capital", "energy", "carbon", "tokens", "goodput")}
    return told | {name: getattr(best.estimate, name) for name in ("memory", "power", "step_time", "mfu")}


def served(answer: Served) -> Figures:
    """The figures of the best plan of a serving answer, by the names of the document."""
    best = answer.plans[0]
    return {name: getattr(best, name) for name in FIGURES} | dict(best.metrics)


def explain(first: Mapping[str, Any], second: Mapping[str, Any], catalog: Catalog, files: tuple[str, str]) -> Explained:
    """Solve both questions again; where the numbers come out, move one input after the other."""
    solve = solver(catalog, str(first.get("verb", "plan")))
    questions = [flat(document["provenance"]["inputs"]) for document in (first, second)]
    again = [solve(question) for question in questions]
    told = [figures_of(document["plans"][0], first["kind"]) for document in (first, second)]
    notes = [text for each in zip(files, again, told, strict=True) if (text := _off(*each))]
    a, b = again
    if notes or isinstance(a, str) or isinstance(b, str):
        return Explained(False, notes=(*notes, _unexplained(questions[0] == questions[1], len(notes))))
    if _is_run(a) != _is_run(b):
        run, step = files if _is_run(a) else reversed(files)
        return Explained(notes=(f"{run} is a whole run, {step} one step only: no input is held to explain that",))
    inputs = movable(*questions)
    alone = [_alone(solve, questions, each, a) for each in inputs]
    return Explained(True, shared(alone, a, b), shared(list(_path(solve, questions, inputs, a, b)), a, b))


def _is_run(figures: Figures) -> bool:
    """Whether a whole run was asked, not one step only."""
    return figures["time"] is not None


def _unexplained(equal: bool, off: int) -> str:
    if equal and off == 1:
        return "the questions are equal: what differs comes from the version, the catalogue or the fits"
    return "so no input is held to explain anything: make both plans with one version and catalogue, then compare"


def _off(file: str, again: Figures | str, told: Figures) -> str:
    """Why a document is not reproduced; "" where it is."""
    if isinstance(again, str):
        return f"{file} cannot be solved again: {again}"
    wrong = next((name for name in again if name in told and differ(again[name], told[name])), "")
    if not wrong:
        return ""
    told_text, now = (_shown(value) for value in (told[wrong], again[wrong]))
    return f"{file} does not come out again with this version and catalogue: {wrong} is {told_text} in it, {now} now"


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"


def _alone(solve: Solve, questions: list[Flat], piece: Input, a: Figures) -> Moved:
    """The first question with one input of the second."""
    found = solve(moved(questions[0], questions[1], piece.fields))
    if isinstance(found, str):
        return Moved((piece.name,), refused=found)
    if _is_run(found) != _is_run(a):
        return Moved((piece.name,), refused=OTHER_KIND)
    return Moved((piece.name,), found, _factors(a, found))


def _path(solve: Solve, questions: list[Flat], inputs: list[Input], a: Figures, b: Figures) -> Iterator[Moved]:
    """One input after the other; one without an answer waits, and those that never get one go together at the end."""
    now, before, left = questions[0], a, list(inputs)
    while left:
        found = next(
            ((piece, step) for piece in left if (step := _step(solve, now, questions[1], piece, left, b))), None
        )
        if found is None:
            yield Moved(tuple(piece.name for piece in left), b, _factors(before, b))
            return
        piece, figures = found
        yield Moved((piece.name,), figures, _factors(before, figures))
        now, before = moved(now, questions[1], piece.fields), figures
        left.remove(piece)


def _step(solve: Solve, now: Flat, goal: Flat, piece: Input, left: list[Input], b: Figures) -> Figures | None:
    """Figures after one more input; None where that has no answer, or not one of the kind of ``b``.

    The last input leads to the second question.
    """
    if len(left) == 1:
        return b
    found = solve(moved(now, goal, piece.fields))
    return None if isinstance(found, str) or _is_run(found) != _is_run(b) else found


def _factors(start: Figures, end: Figures) -> dict[str, float]:
    """Figure -> its value at the end over that at the start; only where both are known and above 0. [ratio]"""
    pairs = {name: (start.get(name) or 0.0, end.get(name) or 0.0) for name in names_of(start, end)}
    return {name: after / before for name, (before, after) in pairs.items() if before > 0.0 and after > 0.0}


def names_of(a: Figures, b: Figures) -> list[str]:
    """The figures that shares are worked out of: of training a few, of serving all that there are."""
    return [*dict.fromkeys((*a, *b))] if "step_time" not in a else [*EXPLAINED]


def shared(moves: list[Moved], a: Figures, b: Figures) -> tuple[Moved, ...]:
    """The moves with each one's part of all their movement, for the figures that differ between a and b."""
    answered_ones = [item for item in moves if not item.refused]
    out = {id(item): dict[str, float]() for item in moves}
    for name in names_of(a, b):
        way = [abs(math.log(item.factor[name])) for item in answered_ones if name in item.factor]
        if differ(a.get(name), b.get(name)) and len(way) == len(answered_ones) and sum(way) > TOLERANCE:
            for item, length in zip(answered_ones, way, strict=True):
                out[id(item)][name] = length / sum(way)
    return tuple(replace(item, share=out[id(item)]) for item in moves)
