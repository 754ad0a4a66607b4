"""Errors that other predictors of serving times publish, beside ours: ``data/peers.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from rich.console import RenderableType

from exaplan.answers import Score, Validation
from exaplan.catalog.tuning import yaml_data
from exaplan.report.screen import listed, percent, table
from exaplan.report.sheets import NONE
from exaplan.report.words import phrase, word

QUANTITIES = ("tpot", "ttft")


@cache
def peers() -> Mapping[str, Mapping[str, Any]]:
    """Name -> title, of (what it was measured on), address, and [low, high] of the mean absolute error by quantity."""
    found: Mapping[str, Mapping[str, Any]] = yaml_data("peers.yaml")
    return found


def peers_json(validation: Validation) -> dict[str, Any]:
    """The peers of an answer; {} where it scores none of what they predict."""
    if not compared(validation):
        return {}
    return {name: {key: value for key, value in peer.items() if key != "stated"} for name, peer in peers().items()}


def compared(validation: Validation) -> bool:
    """Whether an answer scores something that peers predict, too."""
    return any(_score(validation, name) for name in QUANTITIES)


def _score(validation: Validation, name: str) -> Score | None:
    """Our score of a quantity: of the rows at hand, or a recorded one that stands in a group under that name."""
    places = (group.get(name) for group in (validation.summary, *validation.groups.values()))
    return next((score for score in places if score is not None and score.n), None)


def peers_view(validation: Validation) -> list[RenderableType]:
    """Our mean absolute errors above those of the peers, and where theirs stand."""
    if not compared(validation):
        return []
    ours = [word("validate.ours"), word("validate.our_rows")]
    rows = [[*ours, *(_ours(_score(validation, name)) for name in QUANTITIES)]]
    rows += [
        [str(peer["title"]), phrase(str(peer["of"])), *(_theirs(peer.get(name)) for name in QUANTITIES)]
        for peer in peers().values()
    ]
    known = [f"{peer['title']}: {peer['address'] or word('validate.no_address')}" for peer in peers().values()]
    made = table(("predictor", "measured_on", *QUANTITIES), rows, word("validate.peers"), left=("measured_on",))
    return [made, *listed(word("explain.sources"), known)]


def _ours(score: Score | None) -> str:
    if score is None:
        return NONE
    return word("validate.mean_median", mean=percent(score.mean_abs_error), median=percent(score.median_abs_error))


def _theirs(ends: list[float] | None) -> str:
    if not ends:
        return NONE
    low, high = (f"{end * 100:.0f}%" for end in ends)
    return low if low == high else f"{low} … {high}"
