"""Inputs that are asked of owning a cluster, of making a chip, and of the AI tax of a work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from exaplan import ask as asks
from exaplan.answers import Priced
from exaplan.answers.owning import Item, Made, Owned
from exaplan.answers.serving import ServePlan
from exaplan.answers.tax import Tax
from exaplan.errors import InputError
from exaplan.nouns import Cluster
from exaplan.planning.casebook.asking import Found, Question

MOST = 10_000_000  # chips of one cluster


def own(ask: Question) -> Found:
    """One figure of owning ``count`` chips: power, it_power, water, capital[.part], running.part, per.unit, ..."""
    from exaplan.planning import owning  # imported when it is asked: most cases ask nothing of it

    number = ask.given.get("utilisation")
    used = None if number is None else float(number)
    found = ask.once(
        "own",
        lambda: owning.own(
            ask.catalog, _cluster(ask), on=ask.text("on"), cooling=ask.text("cooling"), utilisation=used
        ),
    )
    return _picked(ask, _owned(found), found.sources)


def _cluster(ask: Question) -> Cluster:
    catalog, place = ask.catalog, ask.place
    node = catalog.node(ask.text("node"), near=ask.near, place=place) if "node" in ask.given else None
    chip = catalog.chip(node.chip if node else ask.text("chip"), near=ask.near, place=place)
    site = catalog.site(ask.text("site"), near=ask.near, place=place) if "site" in ask.given else None
    return catalog.assemble(chip, _count(ask), node, site=site)


def _count(ask: Question) -> int:
    """A whole number of chips, at least one."""
    count = ask.given["count"]
    if not isinstance(count, int | float) or isinstance(count, bool) or not 1 <= count <= MOST:
        raise InputError(f"`count` = {count} is no number of chips", hint="write a whole number", place=ask.place)
    return int(count)


def _owned(found: Owned) -> dict[str, Found]:
    out = {
        "power": Found(found.power, "W"),
        "it_power": Found(found.it_power, "W"),
        "water": Found(found.water, "m3/s"),
        "rent": Found(found.rent, "USD/chip-h"),
        "break_even": Found(found.break_even, "s"),
        "capital": _total(found.capital, "USD"),
    }
    out |= {f"capital.{item.name}": _item(item, "USD") for item in found.capital}
    out |= {f"running.{item.name}": _item(item, "USD/s") for item in found.running}
    out |= {f"per.{name}": Found(value, "USD", low, high) for name, (value, low, high) in found.per.items()}
    return out | {f"carbon.{name}": Found(value, "kg/y") for name, value in found.carbon.items()}


def made(ask: Question) -> Found:
    """One figure of a chip of one's own: cost, once, volume, wafers, rival_price, ratio, dies, yield_share, part."""
    from exaplan.planning import designing

    volume = ask.given.get("volume")
    number = None if volume is None else float(volume)
    design, rival, on = ask.text("design"), ask.text("rival"), ask.text("on")
    found = ask.once("make", lambda: designing.make(ask.catalog, design, rival, number, on))
    return _picked(ask, _made(found), found.sources)


def _made(found: Made) -> dict[str, Found]:
    out = {
        "cost": Found(found.cost, "USD/chip", found.low, found.high),
        "volume": Found(found.volume, "chips", found.volume_low, found.volume_high),
        "once": _total(found.once, "USD"),
        "rival_price": Found(found.rival_price, "USD/chip"),
        "ratio": Found(found.ratio, "1"),
        "wafers": Found(found.wafers, "wafers"),
        "dies": Found(found.dies, "dies/wafer"),
        "yield_share": Found(found.yield_share, "1"),
    }
    out |= {f"once.{item.name}": _item(item, "USD") for item in found.once}
    return out | {f"unit.{item.name}": _item(item, "USD/chip") for item in found.unit}


def tax(ask: Question) -> Found:
    """One figure of the AI tax of a bundled ask: side.tax, side.part (side: buy or rent)."""
    from exaplan.planning import taxing

    document = ask.catalog.ask(ask.text("name"), place=ask.place)
    law = {"to": ask.text("to"), "on": ask.text("on")}
    cluster = {**(document.value.get("cluster") or {})}
    cluster |= {key: ask.given[key] for key in ("count", "terms") if key in ask.given}
    question = asks.parse({**document.value, "law": law, "cluster": cluster}, document.place)
    found = ask.once("tax", lambda: taxing.tax(question, ask.catalog))
    return _picked(ask, _taxed(found), _sources(found))


def _sources(found: Tax) -> list[str]:
    """Of the prices of both plans, and of the clauses that decided on their chips."""
    plans = [plan for side in found.sides.values() for plan in (side.reference, side.local) if plan]
    clauses = [clause for verdict in found.verdicts for clause in verdict.clauses if clause.holds]
    told = [*(source for plan in plans for source in _paid(plan)), *(clause.source for clause in clauses)]
    return [source for source in dict.fromkeys(told) if source]


def _paid(plan: Priced | ServePlan) -> tuple[str, ...]:
    """Sources of what a plan pays."""
    return tuple(offer.source for offer in plan.offers) if isinstance(plan, ServePlan) else (plan.price_source,)


def _taxed(found: Tax) -> dict[str, Found]:
    out: dict[str, Found] = {}
    for name, side in found.sides.items():
        out[f"{name}.tax"] = Found(side.tax, "1", side.low, side.high)
        out |= {f"{name}.{part}": Found(value, "1") for part, value in side.parts.items()}
    return out


def _total(items: Iterable[Item], unit: str) -> Found:
    """The sum of a bill, its ends the sums of the ends (no part is surer for being one of many)."""
    parts = list(items)
    return Found(
        sum(part.value for part in parts), unit, sum(part.low for part in parts), sum(part.high for part in parts)
    )


def _item(item: Item, unit: str) -> Found:
    return Found(item.value, unit, item.low, item.high, (item.source,) if item.source else ())


def _picked(ask: Question, found: Mapping[str, Found], sources: Iterable[str]) -> Found:
    name = ask.text("field")
    if name not in found:
        raise ask.fail(f"there is no figure `{name}` of that", found)
    chosen: Any = found[name]
    value = Found(chosen.value, chosen.unit, chosen.low, chosen.high, chosen.sources or tuple(sources))
    return value if value.value is not None else Found(None, sources=value.sources, note="not known there")
