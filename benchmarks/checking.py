"""Verdicts of the whole catalogue on 60 dates: CPU time once everything is loaded.

python benchmarks/checking.py        JSON: cpu [s], verdicts, verdicts_per_second, chips, dates
"""

from __future__ import annotations

import json
import time
from datetime import date, timedelta

from exaplan.catalog import load
from exaplan.nouns import Deal
from exaplan.rules import check

FIRST, STEP, DATES = date(2022, 8, 1), timedelta(days=26), 60  # to the autumn of 2026
REPEATS = 3


def days() -> list[str]:
    """Sixty days over all the rules."""
    return [(FIRST + index * STEP).isoformat() for index in range(DATES)]


def main() -> None:
    """Measure and print; the least of a few repeats, each with deals of its own so that nothing is remembered."""
    catalog = load()
    chips, book, on = [catalog.chips[name] for name in sorted(catalog.chips)], catalog.rules, days()
    check(chips[0], Deal("CN", on[0]), book)
    spent = []
    for origin in ("US", "SG", "JP")[:REPEATS]:
        start = time.process_time()
        found = [check(chip, Deal("CN", day, origin=origin), book) for day in on for chip in chips]
        spent.append(time.process_time() - start)
    cpu = min(spent)
    count = len(found)
    print(json.dumps({"cpu": cpu, "verdicts": count, "chips": len(chips), "dates": DATES} | {
        "verdicts_per_second": count / cpu
    }))  # fmt: skip


if __name__ == "__main__":
    main()
