"""Money: dated prices, the AI tax, what owning a cluster costs and what making a chip costs."""

from __future__ import annotations

from exaplan.report.money.files import tax_report
from exaplan.report.money.owning import made_view, mades_view, owned_view
from exaplan.report.money.prices import prices_view
from exaplan.report.money.taxes import tax_view
from exaplan.report.money.to_json import made_json, mades_json, owned_json, prices_json, tax_json

__all__ = [
    "made_json",
    "made_view",
    "mades_json",
    "mades_view",
    "owned_json",
    "owned_view",
    "prices_json",
    "prices_view",
    "tax_json",
    "tax_report",
    "tax_view",
]
