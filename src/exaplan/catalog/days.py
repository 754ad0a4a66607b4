"""Dates as tables write them: a day, a month or a year (ISO 8601), each a span of days."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable
from datetime import date
from typing import TypeVar

YEAR = 365.25 * 86400.0  # [s]
Row = TypeVar("Row")


def span(text: str) -> tuple[date, date]:
    """First and last day of ``2024``, ``2024-07`` or ``2024-07-31``; ValueError where it is none of these."""
    parts = [int(part) for part in text.split("-")] if text.replace("-", "").isdigit() else []
    if len(parts) == 1 and len(text) == 4:
        return date(parts[0], 1, 1), date(parts[0], 12, 31)
    if len(parts) == 2 and len(text) == 7:
        return date(parts[0], parts[1], 1), date(parts[0], parts[1], monthrange(parts[0], parts[1])[1])
    if len(parts) == 3 and len(text) == 10:
        return (day := date(*parts)), day
    raise ValueError(text)


def is_day(text: str) -> bool:
    """Whether a text is a year, a month or a day."""
    try:
        span(text)
    except (ValueError, IndexError):
        return False
    return True


def gap(dated: str, on: str) -> float:
    """Time between a dated fact and a day [s]; 0 where the spans meet, and where no day is asked ("")."""
    if not on:
        return 0.0
    (first, last), (start, end) = span(dated), span(on)
    days = max((start - last).days, (first - end).days, 0)
    return days * 86400.0


def holding(rows: Iterable[Row], dated: Callable[[Row], str], on: str) -> Row | None:
    """The row that holds on a day: the latest begun by then ("" = of all); the earliest where all come later."""
    found = sorted(rows, key=dated)
    before = [row for row in found if not on or dated(row) <= on]
    return before[-1] if before else found[0] if found else None
