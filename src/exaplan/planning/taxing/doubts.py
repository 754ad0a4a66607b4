"""What makes a tax less sure than its number: prices of another season, and chips that nobody has measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from exaplan.catalog import fits
from exaplan.catalog.days import gap
from exaplan.planning.taxing.sides import WORD, Best, Costs

DAY = 86400.0
SEASON = 90.0 * DAY  # a price that is told to be of another time [s]


def doubts(made: Mapping[str, Costs]) -> tuple[str, ...]:
    """One sentence for each price that is far from the day, and each chip whose speed is inherited; once each."""
    found = [line for costs in made.values() for best in (costs.reference, costs.local) if best
             for line in _of(best, costs)]  # fmt: skip
    return tuple(dict.fromkeys(found))


def _of(best: Best, costs: Costs) -> Iterator[str]:
    chip, bill = best.entry.chip, best.draft.bill
    figure = bill.quote.figure if bill else None
    if figure is not None and figure.date:
        away = gap(figure.date, costs.day.on)
        if away > SEASON:
            place = f" in {bill.quote.place}" if bill and bill.quote.place else ""
            side = "after" if figure.date > costs.day.on else "before"
            yield (
                f"the {WORD[costs.terms]} of {chip.name}{place} is of {figure.date}, {away / DAY:.0f} d {side} "
                f"{costs.day.on}: its range is widened"
            )
    if not fits.measured(chip.architecture):
        yield f"no kernel of {chip.name} was measured: its speed is inherited from a relative, and its range widened"
