"""What the two plans of a tax share, whatever they are for: chips, nodes, layout, and what they are paid by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exaplan.answers import Offer, Priced
from exaplan.answers.serving import ServePlan
from exaplan.report.serving.named import deployment_text, engine_text
from exaplan.report.serving.to_json import layout_json as serving_layout
from exaplan.report.serving.to_json import prefill_json
from exaplan.report.serving.told import nodes_of
from exaplan.report.sheets import short_text
from exaplan.report.to_json import layout_json

Paid = Priced | ServePlan


def chip_of(plan: Paid | None) -> str:
    """The chip of a plan; "" where there is none."""
    return plan.cluster.chip.name if plan and plan.cluster else ""


def chips_of(plan: Paid) -> int:
    """Chips that a plan takes. [count]"""
    return plan.deployment.chips if isinstance(plan, ServePlan) else plan.estimate.layout.chips


def nodes(plan: Paid) -> int:
    """Nodes that a plan takes. [count]"""
    return nodes_of(plan) if isinstance(plan, ServePlan) else plan.nodes


def layout_text(plan: Paid) -> str:
    """How a plan is laid out, in short."""
    return deployment_text(plan.deployment) if isinstance(plan, ServePlan) else short_text(plan.estimate.layout)


def extra_rows(plan: Paid) -> Mapping[str, str]:
    """What only some plans have: the engine of one that serves."""
    return {"engine": engine_text(plan.deployment.settings, None)} if isinstance(plan, ServePlan) else {}


def layout_of(plan: Paid) -> dict[str, Any]:
    """The keys that a plan has in the JSON for its layout."""
    if isinstance(plan, ServePlan):
        return {"layout": serving_layout(plan.deployment, None), "prefill": prefill_json(plan.deployment)}
    return {"layout": layout_json(plan.estimate.layout)}


def taken(plan: Paid) -> Offer | None:
    """The way to pay that a plan takes."""
    return next((offer for offer in plan.offers if offer.terms == plan.terms), None)


def price_source(plan: Paid) -> str:
    """The source of the price that a plan is paid by; "" where it names none."""
    if isinstance(plan, Priced):
        return plan.price_source
    offer = taken(plan)
    return offer.source if offer else ""


def sources(plan: Paid) -> Iterator[str]:
    """The sources of all prices of a plan."""
    yield price_source(plan)
    yield from (offer.source for offer in plan.offers)
