"""What a reader should mind of a tax: prices of another season or country, chips that nobody has measured, a place that
loses no chip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from exaplan.catalog import fits
from exaplan.catalog.days import gap
from exaplan.planning.offers import Quote
from exaplan.planning.standing import DAY, season
from exaplan.planning.taxing.field import Field
from exaplan.planning.taxing.market import Day
from exaplan.planning.taxing.sides import WORD, Best, Costs


def doubts(made: Mapping[str, Costs]) -> tuple[str, ...]:
    """One sentence for each price that is far from the day or of another country, and each chip whose speed is
    inherited; once each."""
    found = [line for costs in made.values() for best in (costs.reference, costs.local) if best
             for line in _of(best, costs)]  # fmt: skip
    abroad = [line for costs in made.values() if costs.local for line in _abroad(costs.local, costs)]
    return tuple(dict.fromkeys([*found, *abroad]))


def _of(best: Best, costs: Costs) -> Iterator[str]:
    chip, quote = best.entry.chip, quote_of(best)
    if quote is not None and quote.figure.date:
        away = gap(quote.figure.date, costs.day.on)
        if away > season():
            place = f" in {quote.place}" if quote.place else ""
            side = "after" if quote.figure.date > costs.day.on else "before"
            yield (
                f"the {WORD[costs.terms]} of {chip.name}{place} is of {quote.figure.date}, {away / DAY:.0f} d {side} "
                f"{costs.day.on}: its range is widened"
            )
    if not fits.measured(chip.architecture):
        yield f"no kernel of {chip.name} was measured: its speed is inherited from a relative, and its range widened"


def _abroad(best: Best, costs: Costs) -> Iterator[str]:
    """That the local plan is priced by another country, so that the price part says nothing of it."""
    quote, country = quote_of(best), costs.day.market.country
    if quote is not None and quote.place not in ("", country):
        what = WORD[costs.terms]
        yield (
            f"no {what} of {best.entry.chip.name} in {country} of that time is known: that of {quote.place} was taken, "
            "so its price part is unknown (told as 0)"
        )


def untold(day: Day) -> tuple[str, ...]:
    """That the duties of a place are not known, so that none is counted."""
    country = day.market.country
    known = day.market.catalog.duties.at(country, day.on)
    return () if known else (f"import duty and VAT of {country} are not known: counted as 0",)


def quote_of(best: Best) -> Quote | None:
    """How the plan of a side is paid."""
    return best.draft.bill.quote if best.draft.bill else None


def harmless(field: Field, day: Day) -> tuple[str, ...]:
    """That the rules take no chip away from a place, so that what it pays more is not theirs."""
    chips = [entry.chip for entry in field.entries.values() if day.out(entry.chip)]
    if not chips or not all(day.law.usable(chip) for chip in chips):
        return ()
    if any(day.taken(chip) for chip in chips):
        return ()
    place = f"{day.law.deal.to} on {day.on}"
    return (f"the rules keep no chip from {place}: what is dearer or cheaper there is its prices, duties and VAT",)
