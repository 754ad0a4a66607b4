"""Claims of the two articles (and of users) as cases: a claim, what computes it, the answer, and the verdict of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

VERDICTS = ("holds", "wrong", "garbled", "misattributed", "not sourced", "not computable")


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Given:
    """One input of a case. value: number (SI or the unit told), text, date or truth; low, high where sources differ.

    origin: "" for a figure of the case's own file, else what it was asked of (``check a800-sxm-80gb CN 2023-11-17``).
    """

    name: str
    value: Any
    unit: str = ""
    low: float | None = None
    high: float | None = None
    source: str = ""
    origin: str = ""
    note: str = ""


@dataclass(frozen=True)
class CaseAnswer:
    """A case, computed. title, claim, reason: language (en, zh) -> text. article: which text says it; kind.

    ask: what computes it, as plain values; inputs; results: name -> value of every step; answer: the one that the
    verdict is about, unit, low, high (80%, None where it is no number); claimed: what the text says. verdict: one of
    ``VERDICTS``, computed from the answer. sources: ids.
    """

    name: str
    title: Mapping[str, str]
    claim: Mapping[str, str]
    article: str
    ask: Mapping[str, Any]
    inputs: tuple[Given, ...]
    results: Mapping[str, Any]
    answer: Any
    unit: str
    low: float | None
    high: float | None
    claimed: Any
    verdict: str
    reason: Mapping[str, str]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=_nothing)
