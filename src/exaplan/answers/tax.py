"""What the AI tax is made of: the best plan under a rule against the best plan free of it, for the same work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from exaplan.answers import Priced
from exaplan.answers.serving import ServePlan
from exaplan.nouns import Deal, Verdict

PARTS = ("capability", "price", "duties", "quantity")


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class BreakEven:
    """Where a domestic chip ends the tax. price [USD per chip, server included where it is sold so] at which its plan
    costs what the reference costs (None: not even free of charge), now [USD, today's price]; throughput: times its own
    speed at today's price (None: no speed does)."""

    chip: str
    price: float | None
    now: float | None
    throughput: float | None
    note: str = ""


@dataclass(frozen=True)
class TaxSide:
    """The tax by one way to pay. terms: buy | rent. tax: local cost / reference cost - 1 (None: no plan on a side).

    parts: name of ``PARTS`` -> share of the reference cost, adding up to tax; low, high: 80% interval of tax.
    reference, local: the two best plans; time_ratio: local time / reference time; why: why there is no tax to tell.
    """

    terms: str
    tax: float | None
    parts: Mapping[str, float | None] = field(default_factory=_nothing)
    low: float | None = None
    high: float | None = None
    reference: Priced | ServePlan | None = None
    local: Priced | ServePlan | None = None
    time_ratio: float | None = None
    why: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaxPoint:
    """The tax on one day of a series, per way to pay."""

    on: str
    sides: Mapping[str, TaxSide]


@dataclass(frozen=True)
class Tax:
    """The AI tax for a work. deal: the law that it is computed for; headline: the way to pay that is told first.

    sides: buy, rent; break_even: per domestic chip; series: by day, where asked; verdicts: of the chips of both plans;
    counterfactual: what was changed in the rules ("" = nothing).
    """

    ask: Mapping[str, Any]
    deal: Deal
    headline: str
    sides: Mapping[str, TaxSide]
    break_even: tuple[BreakEven, ...] = ()
    series: tuple[TaxPoint, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    counterfactual: str = ""
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=_nothing)
