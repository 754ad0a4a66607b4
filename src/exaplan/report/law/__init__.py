"""What the export rules say: of a chip, over time, of all chips of a day, and the rules themselves."""

from __future__ import annotations

from exaplan.report.law.check import check_view, timeline_view
from exaplan.report.law.files import chips_report, timeline_report
from exaplan.report.law.listing import chips_view, rule_view, rules_view
from exaplan.report.law.to_json import (
    check_json,
    checks_json,
    chips_json,
    chips_rows,
    rule_json,
    rules_json,
    timeline_json,
    timelines_json,
)

__all__ = [
    "check_json",
    "check_view",
    "checks_json",
    "chips_json",
    "chips_report",
    "chips_rows",
    "chips_view",
    "rule_json",
    "rule_view",
    "rules_json",
    "rules_view",
    "timeline_json",
    "timeline_report",
    "timeline_view",
    "timelines_json",
]
