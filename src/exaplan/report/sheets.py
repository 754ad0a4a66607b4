"""The tables of an answer as plain cells, so that the terminal and the page show the same figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from exaplan.answers import Answer, Offer, Priced, Tried
from exaplan.nouns import Cluster, Layout
from exaplan.report.asked import several, tokens_open
from exaplan.report.screen import amount, percent
from exaplan.report.words import phrase, word

FIXED = ("rank", "layout", "micro_batch", "recompute", "zero", "step_time", "mfu", "memory", "time", "cost", "energy")
WHOLE = (("time", "time"), ("cost", "money"), ("energy", "energy"), ("carbon", "mass"))
LEFT = ("chip", "layout", "recompute", "site")
POINT = ("time", "cost", "energy", "carbon")
SMALL = 0.02  # share of a cost below which its parts are told together
ALIKE = 3
RUNNING = ("electricity", "cooling", "facility", "staff", "maintenance", "water")  # parts of a cost, paid as they come
NO_CASH = ("financing", "residual")  # parts of a cost that nobody pays out
NONE = "–"  # noqa: RUF001


class Sheet(NamedTuple):
    """A table: keys of its columns, rows of cells, the columns that align left, and whether it needs the room."""

    columns: tuple[str, ...]
    rows: list[list[str]]
    title: str = ""
    left: Sequence[str] = ()
    tight: bool = False


def cluster_of(answer: Answer, priced: Priced) -> Cluster:
    """Where a plan runs."""
    return priced.cluster or answer.cluster


def layout_text(layout: Layout, everything: bool = False) -> str:
    """A layout in one line; degrees of 1 are left out except dp, tp and pp."""
    degrees = [f"{name} {getattr(layout, name)}" for name in ("dp", "tp", "pp")]
    degrees += _more(layout)
    if not everything:
        return " ".join(degrees)
    named = [f"{word(f'columns.{name}')} {getattr(layout, name)}" for name in ("micro_batch", "recompute", "zero")]
    return ", ".join([" ".join(degrees), *named, layout.schedule, *_switches(layout)])


def short_text(layout: Layout) -> str:
    """A layout in as few words as there are: every degree of 1 is left out."""
    degrees = [f"{name} {getattr(layout, name)}" for name in ("dp", "tp", "pp") if getattr(layout, name) > 1]
    return " ".join([*degrees, *_more(layout)]) or "dp 1"


def _more(layout: Layout) -> list[str]:
    """The degrees that few layouts use."""
    names = ("vpp", "cp", "ep", "etp") if layout.ep > 1 else ("vpp", "cp")
    return [f"{name} {getattr(layout, name)}" for name in names if getattr(layout, name) > 1]


def _switches(layout: Layout) -> list[str]:
    on = [("sequence parallel", layout.sequence_parallel and layout.tp > 1), ("offload", layout.offload)]
    return [name for name, held in on if held] + ([f"cp {layout.cp_kind}"] if layout.cp > 1 else [])


# --------------------------------------------------------------------------------------------------- plans


def plans_sheet(answer: Answer) -> Sheet:
    """The plans, best first: by layout on one cluster, by chip and count where those were open."""
    row = _open_row if several(answer) else _fixed_row
    made = [row(rank, priced, answer) for rank, priced in enumerate(answer.estimates, start=1)]
    columns = tuple(made[0]) if made else FIXED
    return Sheet(columns, [list(cells.values()) for cells in made], left=LEFT, tight=several(answer))


def _fixed_row(rank: int, priced: Priced, answer: Answer) -> dict[str, str]:
    estimate, layout = priced.estimate, priced.estimate.layout
    return {
        "rank": str(rank),
        "layout": layout_text(layout),
        "micro_batch": str(layout.micro_batch),
        "recompute": layout.recompute.replace(",", ", "),
        "zero": str(layout.zero),
        "step_time": amount(estimate.step_time, "time"),
        "mfu": percent(estimate.mfu),
        "memory": amount(estimate.memory, "bytes"),
        **({"tokens_run": amount(priced.tokens, "tokens")} if tokens_open(answer) else {}),
        "time": amount(priced.time, "time"),
        "cost": amount(priced.cost, "money"),
        **_last(priced, answer),
    }


def _open_row(rank: int, priced: Priced, answer: Answer) -> dict[str, str]:
    estimate, cluster = priced.estimate, cluster_of(answer, priced)
    sites = {cluster_of(answer, item).site.name for item in answer.estimates}
    return {
        "rank": str(rank),
        "chip": cluster.chip.name,
        "chips": f"{estimate.layout.chips:,}",
        "nodes": f"{priced.nodes:,}",
        **({"site": cluster.site.name} if len(sites) > 1 else {}),
        "layout": short_text(estimate.layout),
        "step_time": amount(estimate.step_time, "time"),
        "mfu": percent(estimate.mfu),
        **({"tokens_run": amount(priced.tokens, "tokens")} if tokens_open(answer) else {}),
        "time_high": _with_upper(priced, "time", "time"),
        "cost_high": _with_upper(priced, "cost", "money", "cost_quoted"),
        "terms": priced.terms or NONE,
        **_last(priced, answer),
    }


def _last(priced: Priced, answer: Answer) -> dict[str, str]:
    """The energy, or the carbon where that was to be small."""
    if answer.objective == "carbon":
        return {"carbon": amount(priced.carbon, "mass")}
    return {"energy": amount(priced.energy, "energy")}


def _with_upper(priced: Priced, name: str, dimension: str, span: str = "") -> str:
    """A figure with the upper end of its range, or of ``span``: ``27.1 d (30 d)``."""
    high = priced.ranges.get(span or name, (None, None))[1]
    value = amount(getattr(priced, name), dimension)
    return value if high is None else f"{value} ({amount(high, dimension)})"


# ------------------------------------------------------------------------------------------------ one plan


def whole_sheet(priced: Priced, title: str) -> Sheet:
    """The figures of one plan with their 80% intervals."""
    estimate = priced.estimate
    ranges = {"step_time": (estimate.low, estimate.high)} | dict(priced.ranges)
    rows = [_range_row("step_time", estimate.step_time, ranges, "time"), _ratio_row("mfu", estimate.mfu, ranges)]
    rows.append(_range_row("memory", estimate.memory, ranges, "bytes"))
    rows.append(_range_row("power", estimate.power, ranges, "power"))
    rows += [_ratio_row("goodput", priced.goodput, ranges)] if priced.goodput is not None else []
    rows += [_range_row("tokens", priced.tokens, ranges, "tokens")] if "tokens" in ranges else []
    rows += [row for name, dimension in WHOLE for row in _whole_rows(priced, name, ranges, dimension)]
    rows += [_range_row("capital", priced.capital, ranges, "money")] if priced.capital else []
    return Sheet(("", "value", "low", "high"), rows, title)


def _whole_rows(
    priced: Priced, name: str, ranges: Mapping[str, tuple[float, float]], dimension: str
) -> list[list[str]]:
    """A figure of the whole run; the cost by the time alone, and by what the sources of its price span as well."""
    value = getattr(priced, name)
    if name != "cost" or "cost_quoted" not in ranges:
        return [_range_row(name, value, ranges, dimension)]
    spanned = {"cost_spanned": ranges["cost"]} if "cost" in ranges else {}
    quoted, *more = (_range_row(key, value, {**ranges, **spanned}, dimension) for key in ("cost_quoted", *spanned))
    return [quoted, *(row for row in more if row[1:] != quoted[1:])]


def _range_row(name: str, value: float | None, ranges: Mapping[str, tuple[float, float]], dimension: str) -> list[str]:
    low, high = ranges.get(name, (None, None))
    shown = (amount(value, dimension), *(amount(end, dimension) if end is not None else "" for end in (low, high)))
    return [word(f"whole.{name}"), *shown]


def _ratio_row(name: str, value: float | None, ranges: Mapping[str, tuple[float, float]]) -> list[str]:
    low, high = ranges.get(name, (None, None))
    return [word(f"whole.{name}"), percent(value), *(percent(end) if end is not None else "" for end in (low, high))]


def offers_sheet(priced: Priced) -> Sheet:
    """Every known way to pay for a plan, the chosen one marked, with the source, day and place of its price."""
    rows = [_offer_row(offer, offer.terms == priced.terms) for offer in priced.offers]
    columns = ("terms", "paid", "capital", "share_of_run", "low", "high", "parts", "price")
    return Sheet(columns, rows, word("plan.offers"), ("parts", "price"), tight=True)


def _offer_row(offer: Offer, chosen: bool) -> list[str]:
    shown = parts_text(offer)
    if offer.break_even is not None:
        shown += "; " + word("plan.break_even", time=amount(offer.break_even, "time"))
    ends = ("" if end is None else amount(end, "money") for end in (offer.low, offer.high))
    price = ", ".join(part for part in (offer.source, offer.date, offer.place) if part)
    mark = "> " if chosen else ""
    upfront = amount(offer.capital, "money") if offer.capital else ""
    share = amount(offer.cost, "money")
    return [f"{mark}{offer.terms}", amount(paid_for(offer), "money"), upfront, share, *ends, shown, price]


def parts_text(offer: Offer) -> str:
    """What a cost is made of, the largest first; those below ``SMALL`` of it together."""
    parts = sorted(offer.parts.items(), key=lambda item: -item[1])
    large = {name: value for name, value in parts if abs(value) >= SMALL * abs(offer.cost)}
    few = [value for name, value in parts if name not in large and value]
    if len(few) > 1:
        large["other"] = sum(few)
    else:
        large = dict(parts)
    told = (f"{word(f'parts.{name}')} {signed_money(value)}" for name, value in large.items() if value)
    return word("law.comma").join(told)


def signed_money(value: float) -> str:
    """A part of a cost; what is got back has a minus."""
    return ("-" if value < 0 else "") + amount(abs(value), "money", 2)


def paid_for(offer: Offer) -> float:
    """Cash that a run takes: a purchase in full, again for each lifetime it wears out, and what running it takes;
    neither financing nor what the hardware is worth afterwards. [USD]"""
    running = sum(value for name, value in offer.parts.items() if name in RUNNING)
    worn = sum(value for name, value in offer.parts.items() if name not in (*RUNNING, *NO_CASH))
    return max(offer.capital, worn) + running


# --------------------------------------------------------------------------------------------- what was tried


def tried_sheet(answer: Answer, most: int | None = None) -> Sheet:
    """The chip types that were in question, the nearest first, and why each is not among the plans.

    Reasons that many share are told in ``tried_alike``. most: rows beyond which the rest is only counted.
    """
    shared = alike(answer)
    told = sorted((item for item in answer.tried if item.reason not in shared), key=_nearness(answer))
    rows = [
        [item.chip, item.node, _counts(item), f"{item.considered:,}", phrase(item.reason) or word("plan.shown")]
        for item in told[:most]
    ]
    if most is not None and len(told) > most:
        rows.append([word("plan.tried_more", count=f"{len(told) - most:,}"), "", "", "", ""])
    return Sheet(("chip", "node", "searched", "considered", "outcome"), rows, word("plan.tried"), ("node", "outcome"))


def alike(answer: Answer) -> dict[str, list[str]]:
    """Reason -> chips, for reasons without a figure that at least ``ALIKE`` chips share."""
    found: dict[str, list[str]] = {}
    for item in answer.tried:
        found.setdefault(item.reason, []).append(item.chip)
    plain = {reason: chips for reason, chips in found.items() if reason and not any(map(str.isdigit, reason))}
    return {reason: chips for reason, chips in plain.items() if len(chips) >= ALIKE}


def tried_alike(answer: Answer, most: int | None = None) -> list[str]:
    """One line for each reason that many chips share. most: chips that are named."""
    return [
        f"{phrase(reason)}{word('law.colon')}{', '.join(_some(chips, most))}" for reason, chips in alike(answer).items()
    ]


def _some(names: list[str], most: int | None) -> list[str]:
    if most is None or len(names) <= most:
        return names
    return [*names[:most], word("plan.tried_more", count=f"{len(names) - most:,}")]


def _nearness(answer: Answer) -> Callable[[Tried], tuple[bool, bool, float]]:
    """Sorting key: chips among the plans, then those that hold the limits, each by their best figure."""
    figure = "tokens" if tokens_open(answer) else answer.objective if answer.objective in POINT else "time"
    sign = -1.0 if figure == "tokens" else 1.0
    best: dict[str, tuple[bool, float]] = {}
    for point in answer.front:
        value = getattr(point, figure)
        mine = (bool(point.missed), math.inf if value is None else sign * float(value))
        best[point.chip] = min(mine, best.get(point.chip, mine))
    return lambda item: (bool(item.reason), *best.get(item.chip, (True, math.inf)))


def _counts(tried: Tried) -> str:
    """The chip counts that were searched: all of a few, else the ends and how many."""
    counts = [f"{count:,}" for count in tried.counts]
    if len(counts) <= 3:
        return ", ".join(counts) or NONE
    return word("plan.counts", low=counts[0], high=counts[-1], n=len(counts))
