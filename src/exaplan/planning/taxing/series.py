"""The days of a series: the first one, every quarter (month, year) that begins up to the last day, and that day."""

from __future__ import annotations

from datetime import date

from exaplan.errors import InputError, Place

MONTHS = {"month": 1, "quarter": 3, "year": 12}
MOST = 120  # days of a series at most: ten years of months


def days(since: date, last: date, step: str) -> tuple[str, ...]:
    """ISO dates, ascending."""
    if step not in MONTHS:
        hint = f"choose {', '.join(MONTHS)}"
        raise InputError(f"unknown step of a series {step!r}", hint=hint, place=Place("--step"))
    if since > last:
        hint = f"give a day up to {last.isoformat()} (law.on)"
        problem = f"the series begins on {since.isoformat()}, after its last day"
        raise InputError(problem, hint=hint, place=Place("--from"))
    found = {since, last} | {day for day in _begins(since, last, MONTHS[step]) if since < day < last}
    if len(found) > MOST:
        hint = "take a coarser step, or a later first day"
        raise InputError(f"the series has {len(found)} days, more than {MOST}", hint=hint, place=Place("--from"))
    return tuple(day.isoformat() for day in sorted(found))


def _begins(since: date, last: date, months: int) -> list[date]:
    """First days of the periods from that of ``since`` on."""
    first = since.year * 12 + (since.month - 1) // months * months
    end = last.year * 12 + last.month - 1
    return [date(at // 12, at % 12 + 1, 1) for at in range(first, end + 1, months)]
