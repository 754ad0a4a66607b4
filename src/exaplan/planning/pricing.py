"""A layout with time, money, energy and carbon of the whole work, each with its range."""

from __future__ import annotations

import math

from exaplan import case as cases
from exaplan import draws
from exaplan.answers import Offer, Priced
from exaplan.case import Case
from exaplan.catalog import tuning
from exaplan.errors import InputError
from exaplan.models import count as counting
from exaplan.nouns import Estimate, Figure, Layout, Site
from exaplan.perf.memory import total_memory
from exaplan.perf.power import step_power
from exaplan.perf.step import Terms, step_memory, step_terms
from exaplan.planning.drafts import Bill, Draft, Goal, bills, draft, option_of
from exaplan.planning.legal import basis_of
from exaplan.planning.offers import Quote, billed, quotes
from exaplan.planning.resolving import Setting, fill
from exaplan.search import arguments, step_flops


def price(setting: Setting, layout: Layout, goal: Goal) -> tuple[Priced, Draft]:
    """A layout with time, money, energy and carbon of the whole work, each with its range; and its draft."""
    made, interval = assess(setting, layout)
    option = option_of(setting.cluster, quotes_of(setting), counting.parameters(setting.model)[0])
    item = draft(option, layout, made.step_time, made.high, made.memory, site_power(setting, made), goal)
    return priced(made, interval, item), item


def quotes_of(setting: Setting) -> tuple[Quote, ...]:
    """The known ways to pay for the cluster of a setting."""
    ask = setting.ask
    on = ask.start.isoformat() if ask.start else ""
    basis = basis_of(ask)
    return tuple(quotes(setting.catalog, setting.cluster, ask.cluster.terms, on, bool(ask.fleet), basis))


def priced(made: Estimate, interval: draws.Interval, item: Draft) -> Priced:
    """A draft with its estimate as an answer shows it."""
    option, good = item.option, item.option.goodput
    band = (good * math.exp(-item.option.lost), option.best_goodput)
    ranges: dict[str, tuple[float, float]] = {"goodput": band, "memory": memory_range(made)}
    if item.steps is None:
        return Priced(made, option.nodes, goodput=good, ranges=ranges, cluster=option.cluster)
    factor = draws.Interval(item.steps / band[1], item.steps / band[0])
    span = draws.product(interval, made.step_time, factor, item.steps / good)
    ranges |= {name: (found.low, found.high) for name, found in ranges_of(item, span).items()}
    bill = item.bill
    return Priced(
        made,
        option.nodes,
        time=item.time,
        cost=item.cost,
        energy=item.energy,
        carbon=item.carbon,
        goodput=good,
        ranges=ranges,
        price_source=_source(bill, option.cluster.site) if bill else "",
        cluster=option.cluster,
        terms=bill.quote.terms if bill else "",
        capital=bill.base if bill else None,
        offers=offers_of(item),
        tokens=item.tokens,
    )


def ranges_of(item: Draft, span: draws.Interval) -> dict[str, draws.Interval]:
    """80% intervals of time, cost, energy and carbon, by that of the time, the prices and the power.

    cost_quoted: of the cost at the quoted price, by the time alone; its upper end is what is ranked and what a budget
    is held against.
    """
    found, site = {"time": span}, item.option.cluster.site
    if item.watts is not None and item.energy is not None:
        low, high = power_band()
        band = draws.Interval(low * item.watts, high * item.watts)
        found["energy"] = draws.product(span, item.time, band, item.watts)
        grid = _interval_of(site.figures.get("carbon"), site.carbon)
        found["carbon"] = draws.product(found["energy"], item.energy, grid, site.carbon)
    if item.bill is not None and item.cost:
        found["cost"] = _cost_range(item, item.bill, span)
        found["cost_quoted"] = draws.Interval(item.bill.cost(span.low), item.bill.cost(span.high))
    return found


def _cost_range(item: Draft, bill: Bill, span: draws.Interval) -> draws.Interval:
    """80% interval of the cost by those of the time and of the price. [USD]"""
    once = bill.whole and bill.base >= bill.wear * item.time
    chips = billed(bill.quote, item.option.cluster, item.option.nodes) if once and bill.base else 0
    rate = bill.running + (0.0 if once else bill.wear) + (0.0 if bill.whole else bill.more)
    low, high = bill.quote.least * chips, bill.quote.largest * chips
    used = draws.product(span, item.time, _running(item, bill, once), rate)
    return draws.Interval(low + used.low, high + used.high)


def cost_top(item: Draft) -> float | None:
    """Upper end of the 80% interval of the cost, what the sources of the price span included. [USD]"""
    if item.bill is None or not item.cost:
        return item.cost
    return _cost_range(item, item.bill, draws.Interval(item.time, item.time_high)).high


def _running(item: Draft, bill: Bill, once: bool) -> draws.Interval:
    """What the sources of a price span, electricity included; ``once``: without what wears off. [USD/s]"""
    quote, chips = bill.quote, billed(bill.quote, item.option.cluster, item.option.nodes)
    low, high = quote.low * chips, quote.high * chips
    if bill.whole and quote.electric:
        low, high = quote.upkeep[1] * chips, quote.upkeep[2] * chips
        if bill.base and not once:
            low += bill.wear * quote.least / quote.capital
            high += bill.wear * quote.largest / quote.capital
    site, band = item.option.cluster.site, power_band()
    if quote.electric and site.electricity:
        grid = _interval_of(site.figures.get("electricity"), site.electricity)
        paid = bill.running - quote.upkeep[0] * chips
        low += paid * band[0] * grid.low / site.electricity
        high += paid * band[1] * grid.high / site.electricity
    return draws.Interval(low, high)


def _interval_of(figure: Figure | None, value: float) -> draws.Interval:
    """What the sources of a figure span; the value alone where they agree."""
    low = value if figure is None or figure.low is None else min(figure.low, value)
    return draws.Interval(low, value if figure is None or figure.high is None else max(figure.high, value))


def offers_of(item: Draft) -> tuple[Offer, ...]:
    """Every known way to pay for a draft: the one that it takes, then by cost, a purchase spread over its life."""
    ways = list(bills(item.option, item.watts, by_cash=False))
    rent = next((bill.running for bill in ways if not bill.quote.electric), None)
    taken = item.bill.quote.terms if item.bill else ""
    made = [_offer(item, bill, rent) for bill in ways]
    return tuple(sorted(made, key=lambda offer: (offer.terms != taken, offer.cost)))


def _offer(item: Draft, bill: Bill, rent: float | None) -> Offer:
    """``rent`` [USD/s] of the same chips, where one is known."""
    quote, span, time = bill.quote, _running(item, bill, once=False), item.time
    chips, pue = billed(quote, item.option.cluster, item.option.nodes), item.option.cluster.site.pue
    parts = {name: rate * chips * time for name, rate in quote.parts.items()}
    if quote.electric:
        electricity = bill.running - quote.upkeep[0] * chips
        parts |= {"electricity": electricity / pue * time, "cooling": electricity * (1.0 - 1.0 / pue) * time}
    saved = 0.0 if rent is None or not bill.base else rent - bill.running
    return Offer(
        terms=quote.terms,
        cost=bill.cost(time),
        capital=bill.base,
        parts=parts,
        low=span.low * time,
        high=span.high * time,
        source=_source(bill, item.option.cluster.site),
        date=quote.figure.date,
        place=quote.place or item.option.cluster.site.country,
        break_even=bill.base / saved if saved > 0.0 else None,
    )


def _source(bill: Bill, site: Site) -> str:
    """Where the price was read: of the chips, or of the electricity where they are already there."""
    figure = site.figures.get("electricity") if bill.quote.terms == "own" else bill.quote.figure
    return figure.source if figure else ""


def site_power(setting: Setting, made: Estimate) -> float | None:
    """Power of all chips at the meter. [W]; None = unknown."""
    return None if made.power is None else made.power * setting.cluster.count


def memory_range(made: Estimate) -> tuple[float, float]:
    """Memory as the allocator may use it: without the reserve, and with twice the reserve. [B]"""
    reserve = made.memory_terms.get("reserve", 0.0)
    return made.memory - reserve, made.memory + reserve


# ------------------------------------------------------------------------------------------------- one step


def terms_of(case: Case, layout: Layout) -> Terms:
    """All terms of one layout by the plain functions."""
    ops, blocks, kinds, cut, hw, job = arguments(case, layout)
    return step_terms(ops, blocks, kinds, cut, hw, job, case.tuning)


def _interval(setting: Setting, layout: Layout, terms: Terms) -> draws.Interval:
    training = setting.case.training
    doubt = draws.Doubt(cases.architecture_of(setting.cluster), training.attention, training.method == "lora", 0)
    return draws.interval(terms, draws.doubts(cases.job(setting.case, layout), doubt))


def assess(setting: Setting, layout: Layout) -> tuple[Estimate, draws.Interval]:
    """The Estimate of a layout, recentred on the asker's own measurement if there is one, and its interval."""
    case = setting.case
    terms = terms_of(case, layout)
    factor, interval = 1.0, _interval(setting, layout, terms)
    if setting.ask.observed.step_time is not None:
        step, interval = recentred(setting, layout, terms.total)
        factor = step / terms.total
    ops, blocks, kinds, cut, hw, job = arguments(case, layout)
    memory = step_memory(ops, blocks, kinds, case.model.vocab, cut, hw, job, case.tuning)
    step = float(terms.total * factor)
    training = case.training
    flops = step_flops(case.model, training.seq_len, training.global_batch)
    peak = cases.peak_of(case.cluster, cases.PRECISIONS[case.training.precision][0])
    made = Estimate(
        layout=layout,
        step_time=step,
        low=float(interval.low),
        high=float(interval.high),
        memory=float(total_memory(memory)),
        mfu=flops / (step * peak * layout.chips),
        power=power_of(setting, terms),
        flops=flops,
        breakdown={name: float(value * factor) for name, value in terms._asdict().items() if name != "total"},
        memory_terms={name: float(value) for name, value in memory._asdict().items()},
        assumptions=setting.assumptions,
    )
    return made, draws.Interval(made.low, made.high)


def recentred(setting: Setting, layout: Layout, step: float) -> tuple[float, draws.Interval]:
    """(step time scaled by observed over predicted of the asker's own layout, its interval). [s]"""
    observed, own = setting.ask.observed.step_time, setting.ask.whole_layout()
    if own is None or observed is None:
        raise InputError(
            "an observed step time needs the layout that it was measured with",
            hint="give layout.dp, layout.tp and layout.pp",
            place=setting.ask.place("observed", "step_time"),
        )
    own = fill(setting, own)
    step *= observed / terms_of(setting.case, own).total
    return step, draws.observed_interval(step, layout == own)


# ---------------------------------------------------------------------------------------------------- power


def power_band() -> tuple[float, float]:
    """Relative 80% band of the power estimate. [ratio]"""
    record = tuning.yaml_data("fits/power.yaml")
    return float(record["low"]), float(record["high"])


def power_known(setting: Setting) -> bool:
    """Whether the rating of the chip or of its node is known."""
    return bool(setting.cluster.chip.power or setting.cluster.node.power)


def power_of(setting: Setting, terms: Terms) -> float | None:
    """Average power at the meter per chip. [W]; None where the rating of chip and node is unknown."""
    found = step_power(terms, cases.watts(setting.cluster))
    return None if math.isnan(found) else found
