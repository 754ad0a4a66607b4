"""The tax by one way to pay: five costs of the same work, from free of every rule to what is really to be had.

C0  every chip that was released, at home prices, before duties and taxes
C1  only the chips that may be had in the destination, still at home prices          C1 - C0  capability
C2  at the prices of the destination                                                 C2 - C1  price
C3  with import duty and value-added tax                                             C3 - C2  duties
C4  with no more chips than are to be had                                            C4 - C3  quantity
tax = C4 / C0 - 1; each part over C0. Each cost is the expected one of the plan whose upper end is least, over chips,
counts and layouts that meet the deadline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from exaplan import draws
from exaplan.answers import Priced
from exaplan.answers.serving import ServePlan
from exaplan.answers.tax import TaxSide
from exaplan.catalog import fits
from exaplan.nouns import Chip
from exaplan.planning.drafts import Draft
from exaplan.planning.limits import amount, chips_of
from exaplan.planning.offers import Basis
from exaplan.planning.pricing import cost_top
from exaplan.planning.taxing.field import Entry, Field
from exaplan.planning.taxing.market import Day
from exaplan.planning.taxing.question import Question

WORD = {"buy": "purchase price", "rent": "rent"}
Cap = Callable[[Chip], float]
SAME = 1e-3  # costs that differ by less are told as the same [ratio]


@dataclass(frozen=True)
class Best:
    """The plan of a side. cost: what it is expected to cost [USD]; top: its upper end, by which it was chosen."""

    entry: Entry
    draft: Draft
    cost: float
    top: float


def expected(made: Draft) -> float | None:
    """What a draft is expected to cost. [USD]"""
    return made.cost


def least(
    asked: Question,
    entries: Sequence[Entry],
    day: Day,
    basis: Basis,
    terms: str,
    cap: Cap,
    by: Callable[[Draft], float | None] = cost_top,
) -> Best | None:
    """The least upper end of the cost over chips, counts and layouts that meet the deadline; None where nothing does.

    As ``plan`` ranks: the least of many noisy expectations flatters what nobody has measured. by: what is to be least
    instead, no less than the expected cost; it is the ``top`` of what is found.
    """
    best: Best | None = None
    for entry in entries:
        paid = day.quotes(entry.cluster, basis, terms)
        for row in entry.fit if paid else ():
            if row.count > cap(entry.chip):
                continue
            made = entry.bought(row, paid, asked)
            if best is not None and (made.cost is None or made.cost >= best.top):
                continue
            top = by(made)
            if made.cost is not None and top is not None and (best is None or top < best.top):
                best = Best(entry, made, made.cost, top)
    return best


@dataclass(frozen=True)
class Costs:
    """C0 to C4 of one way to pay on one day; None where there is no plan. measured: the reference among chips whose
    kernels were measured, where it is none of them itself; hopeful: the local plan of the least expected cost."""

    terms: str
    day: Day
    steps: tuple[Best | None, ...]
    measured: Best | None = None
    hopeful: Best | None = None

    @property
    def reference(self) -> Best | None:
        """The best plan free of every rule."""
        return self.steps[0]

    @property
    def local(self) -> Best | None:
        """The best plan of what is to be had."""
        return self.steps[4]


def costs(asked: Question, field: Field, day: Day, terms: str, cap: Cap) -> Costs:
    """The five costs of a side."""
    out = entries_of(field, day, terms)
    own = [entry for entry in out if day.usable(entry.chip, terms)]
    market = day.market
    ways = ((out, market.home, free), (own, market.home, free), (own, market.local, free), (own, market.taxed, free),
            (own, market.taxed, cap))  # fmt: skip
    steps = tuple(least(asked, chips, day, basis, terms, most) for chips, basis, most in ways)
    sure = [entry for entry in out if fits.measured(entry.chip.architecture)]
    doubtful = steps[0] is not None and steps[0].entry not in sure
    measured = least(asked, sure, day, market.home, terms, free) if doubtful else None
    return Costs(terms, day, steps, measured, least(asked, own, day, market.taxed, terms, cap, by=expected))


def entries_of(field: Field, day: Day, terms: str) -> list[Entry]:
    """The chips that could be had on a day were there no rule."""
    return [entry for entry in field.entries.values() if day.possible(entry.cluster, terms)]


def free(chip: Chip) -> float:
    """No limit on the number of chips."""
    return math.inf


def side(asked: Question, field: Field, made: Costs) -> TaxSide:
    """The tax of a side with its parts, its range and both plans."""
    reference, local = made.reference, made.local
    parts, notes = _parts(made), _notes(made)
    first, second = _shown(reference), _shown(local)
    if reference is None or local is None or first is None or second is None:
        reason = why(asked, field, made)
        return TaxSide(made.terms, None, parts, reference=first, local=second, why=reason, notes=notes)
    tax = local.cost / reference.cost - 1.0
    same = reference.entry is local.entry
    low, high = (tax, tax) if same and _one_price(reference, local) else _range(first, second, same_chip=same)
    return TaxSide(
        made.terms,
        tax,
        parts,
        low=low,
        high=high,
        reference=first,
        local=second,
        time_ratio=None if asked.serving else local.draft.time / reference.draft.time,
        notes=notes,
    )


def _shown(best: Best | None) -> Priced | ServePlan | None:
    return None if best is None else best.entry.told(best.draft)


def _parts(made: Costs) -> dict[str, float | None]:
    """Differences of the costs over C0. [ratio]"""
    known = [None if best is None else best.cost for best in made.steps]
    first = known[0]
    names = ("capability", "price", "duties", "quantity")
    return {
        name: None if first is None or now is None or before is None else (now - before) / first
        for name, before, now in zip(names, known, known[1:], strict=False)
    }


def _one_price(first: Best, second: Best) -> bool:
    """Whether two plans of a chip are of one size at one published price: only duties and VAT are between them."""
    mine, other = (item.draft.bill.quote if item.draft.bill else None for item in (first, second))
    if mine is None or other is None or first.entry.chip.name != second.entry.chip.name:
        return False
    sizes = {(item.draft.option.cluster.count, item.draft.layout) for item in (first, second)}
    return len(sizes) == 1 and (mine.figure.source, mine.figure.date, mine.place) == (
        other.figure.source,
        other.figure.date,
        other.place,
    )


def _range(reference: Priced | ServePlan, local: Priced | ServePlan, same_chip: bool) -> tuple[float, float]:
    """80% interval of the tax: the intervals of both costs in quadrature. Of one and the same chip the time is that of
    both sides, and only the prices are uncertain; one and the same offer has no range."""
    first, second = _interval(reference, same_chip), _interval(local, same_chip)
    mine, other = local.cost or 0.0, reference.cost or 1.0
    if same_chip and first == second and mine == other:
        return 0.0, 0.0
    found = draws.product(second, mine, draws.Interval(1.0 / first.high, 1.0 / first.low), 1.0 / other)
    return found.low - 1.0, found.high - 1.0


def _interval(plan: Priced | ServePlan, by_price: bool) -> draws.Interval:
    """Of the cost of a plan, by all that is uncertain or by its prices alone. [USD]"""
    cost = plan.cost or 0.0
    offer = next((item for item in plan.offers if item.terms == plan.terms), None)
    if by_price and offer is not None and offer.low is not None and offer.high is not None:
        return draws.Interval(min(offer.low, cost), max(offer.high, cost))
    return draws.Interval(*plan.ranges["cost"])


# -------------------------------------------------------------------------------------------------------- told


def why(asked: Question, field: Field, made: Costs) -> str:
    """Why a side has no plan: no chip, no price, or none that meets the deadline."""
    day, terms, free_side = made.day, made.terms, made.reference is None
    place = "" if free_side else f" in {day.law.deal.to}"
    entries = [item for item in entries_of(field, day, terms) if free_side or day.usable(item.chip, terms)]
    if not entries:
        return f"no chip that can do this work may be had{place} on {day.on}"
    basis = day.market.home if free_side else day.market.taxed
    priced = [item for item in entries if day.quotes(item.cluster, basis, terms)]
    if not priced:
        return f"no {WORD[terms]} is known of any chip that may be had{place} on {day.on}"
    if not free_side and made.steps[3] is not None:
        return f"not enough chips are to be had{place}: the least plan takes {chips_of(made.steps[3].draft)}"
    if asked.serving:
        return f"no deployment with a known {WORD[terms]}{place} was found that keeps the promise"
    best = min((row for item in priced for row in item.rows), key=lambda row: row.bare.held, default=None)
    near = f": the quickest, {chips_of(best.bare)}, takes {amount('deadline', best.bare.held)}" if best else ""
    late = f"that meets the deadline of {amount('deadline', asked.deadline)}{near}"
    return f"no plan with a known {WORD[terms]}{place} was found {late}"


STEPS = (
    "free of every rule, home prices",
    "capability: chips that may be had, home prices",
    "price: local prices",
    "duties: with import duty and VAT",
    "quantity: with what is to be had",
)


def _notes(made: Costs) -> tuple[str, ...]:
    """The plan behind each of the five costs."""
    told = tuple(
        f"C{index} {name}: " + ("no plan" if best is None else f"{chips_of(best.draft)}, {_paid(best)}")
        for index, (name, best) in enumerate(zip(STEPS, made.steps, strict=True))
    )
    return (*told, *_beside(made))


def _beside(made: Costs) -> Iterator[str]:
    """What the tax would be against a measured reference, and by the expected cost alone."""
    reference, local, sure, hopeful = made.reference, made.local, made.measured, made.hopeful
    if reference is None or local is None:
        return
    if sure is not None:
        what = f"{sure.entry.chip.name}, {amount('money', sure.cost)}"
        share = local.cost / sure.cost - 1.0
        yield f"against the best chip whose kernels were measured ({what}): {share:+.0%}"
    if hopeful is not None and hopeful.cost < local.cost * (1.0 - SAME):
        what = f"{chips_of(hopeful.draft)}, {amount('money', hopeful.cost)}"
        share = hopeful.cost / reference.cost - 1.0
        yield f"by the expected cost alone, whatever its upper end ({what}): {share:+.0%}"


def _paid(best: Best) -> str:
    """What a plan costs, and whose price it is."""
    bill = best.draft.bill
    quote = bill.quote if bill else None
    place = f" of {quote.place}" if quote and quote.place else ""
    dated = f" of {quote.figure.date}" if quote and quote.figure.date else ""
    return f"{amount('money', best.cost)}" + (f", price{place}{dated}" if place or dated else "")
