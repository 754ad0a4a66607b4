"""What an input may be asked of: chips, nodes, models, prices of a day, checks and rules, owning, making, tax, serving.

Each look-up gives a value with its range and the ids of its sources. A `Desk` remembers what was asked, so that cases
that share a question compute it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from exaplan import rules
from exaplan.catalog.cases import Input
from exaplan.catalog.prices import HOME
from exaplan.nouns import Chip, Clause, Deal, Figure, Verdict
from exaplan.planning.casebook import paying, serving
from exaplan.planning.casebook.asking import Desk, Found, Question, figured
from exaplan.planning.casebook.values import Known, given_of, kind_of

UNITS: Mapping[str, str] = {
    "memory": "B", "bandwidth": "B/s", "link_bandwidth": "B/s", "io_bandwidth": "B/s", "network": "B/s",
    "power": "W", "die_area": "m2", "applicable_area": "m2", "electricity": "USD/J", "carbon": "kg/J",
    "rent": "USD/s", "price": "USD",
}  # fmt: skip
PRICES = {"rent": "USD/chip-h", "system": "USD", "street-server": "USD/chip"}


def look(item: Input, desk: Desk, before: Mapping[str, Known]) -> Known:
    """The value of an input that is asked of the catalogue."""
    values = given_of(before)
    given = {key: _put(value, values) for key, value in item.given.items()}
    found = ASKED[item.ask](Question(desk, given, item.place))
    note = "; ".join(part for part in (item.note, found.note) if part)
    origin = " ".join((item.ask, *(_word(value) for value in given.values())))
    return Known(
        item.name, kind_of(found.value), found.value, found.unit, found.low, found.high, found.sources, found.date,
        note, origin,
    )  # fmt: skip


def _put(value: Any, values: Mapping[str, Any]) -> Any:
    return values[value[1:]] if isinstance(value, str) and value.startswith("=") else value


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else f"{value:g}" if isinstance(
        value, float
    ) else str(value)  # fmt: skip


# --------------------------------------------------------------------------------------------------- hardware


def _chip(ask: Question) -> Found:
    chip, name = ask.catalog.chip(ask.text("name"), near=ask.near, place=ask.place), ask.text("field")
    if name == "release":
        return _release(chip)
    if name == "tpp":
        return Found(rules.tpp(chip)[0], "1", sources=_sources(chip, "peak."))
    return _field(ask, chip.figures, name)


def _sources(chip: Chip, start: str) -> tuple[str, ...]:
    found = (figure.source for key, figure in chip.figures.items() if key.startswith(start))
    return tuple(dict.fromkeys(found))


def _release(chip: Chip) -> Found:
    """The day of release; where only the month or year is known, its first day (and a note)."""
    missing = ("-01-01", "-01")[len(chip.release) > 4] if len(chip.release) < 10 else ""
    note = "the day of release is not known: the first of its month or year" if missing else ""
    value = chip.release + missing if chip.release else None
    return Found(value, sources=_sources(chip, "release"), note=note)


def _field(ask: Question, figures: Mapping[str, Figure], name: str) -> Found:
    if name not in figures:
        raise ask.fail(f"`{ask.text('name')}` has no figure `{name}`", figures)
    unit = "FLOP/s" if name.startswith("peak.") else UNITS.get(name, "1")
    return figured(figures[name], unit)


def _node(ask: Question) -> Found:
    return _field(ask, ask.catalog.node(ask.text("name"), near=ask.near, place=ask.place).figures, ask.text("field"))


def _site(ask: Question) -> Found:
    return _field(ask, ask.catalog.site(ask.text("name"), near=ask.near, place=ask.place).figures, ask.text("field"))


# ----------------------------------------------------------------------------------------------------- prices


def _price(ask: Question) -> Found:
    """The reading of a price on a day, in USD without VAT; its range widens with the distance in time."""
    kind, place, on = ask.text("kind"), ask.catalog.country(ask.text("place", HOME), ask.place), ask.text("on")
    reading = ask.catalog.reading(ask.text("item"), kind, on, place)
    if reading is None:
        raise ask.fail(f"no price of kind `{kind}` is known for `{ask.text('item')}`", ["`exaplan prices` lists them"])
    found, where = figured(reading.figure, PRICES.get(kind, "USD/chip")), reading.price.place
    note = f"price of {where}: none of {place} is known" if where != place else ""
    return replace(found, note="; ".join(part for part in (found.note, note) if part))


def _fx(ask: Question) -> Found:
    currency = ask.text("currency")
    return figured(ask.catalog.fx.rate(currency, ask.text("on")), f"USD/{currency}")


def _duty(ask: Question) -> Found:
    place = ask.catalog.country(ask.text("place"), ask.place)
    found, name = ask.catalog.duties.at(place, ask.text("on")), ask.text("field")
    if found is None or name not in ("vat", "customs"):
        raise ask.fail(f"no `{name}` is known for {place}", ["vat", "customs"])
    return figured(getattr(found, name), "1")


# -------------------------------------------------------------------------------------------------------- law


def _deal(ask: Question) -> Deal:
    country = ask.catalog.country
    headquarters = ask.text("headquarters")
    return Deal(
        to=country(ask.text("to"), ask.place),
        on=ask.text("on"),
        headquarters=country(headquarters, ask.place) if headquarters else "",
        origin=country(ask.text("origin", "US"), ask.place),
        end_user=ask.text("end_user"),
        buyer=ask.text("buyer", "private"),
        letters=ask.text("letters", "all"),
        without=ask.texts("without"),
    )


def _verdict(ask: Question, chip: Chip) -> Verdict:
    return rules.check(ask.catalog.sold(chip), _deal(ask), ask.catalog.rules)


def _clauses(verdict: Verdict) -> tuple[Clause, ...]:
    """The clauses that hold and are enforced; all that were looked at where none does."""
    held = tuple(item for item in verdict.clauses if item.holds and item.enforced)
    return held or verdict.clauses


def _check(ask: Question) -> Found:
    """One field of a verdict: verdict, class, review, rules (that hold), or a fact (tpp, pd, io, ...)."""
    verdict, name = _verdict(ask, ask.catalog.chip(ask.text("chip"), near=ask.near, place=ask.place)), ask.text("field")
    clauses = _clauses(verdict)
    held = sorted({item.rule for item in clauses if item.holds})
    fields: dict[str, Any] = {"verdict": verdict.verdict, "class": verdict.class_name, "review": verdict.review}
    fields |= {"rules": ", ".join(held), **verdict.facts}
    if name not in fields:
        raise ask.fail(f"a verdict has no `{name}`", fields)
    value = fields[name] if fields[name] != "" else "none"
    sources = tuple(dict.fromkeys(item.source for item in clauses if item.source))
    return Found(value, "1" if isinstance(value, float) else "", sources=sources)


def _checks(ask: Question) -> Found:
    """The chips (of a list, or all) whose verdict, class or rule is as asked, by name, as one text."""
    catalog = ask.catalog
    chips = [catalog.chip(name, near=ask.near, place=ask.place) for name in ask.texts("chips")] or [
        *catalog.chips.values()
    ]
    verdicts = {chip.name: _verdict(ask, chip) for chip in chips}
    names = sorted(name for name, verdict in verdicts.items() if _fits(ask, verdict))
    sources = {item.source for name in names for item in _clauses(verdicts[name]) if item.source}
    return Found(", ".join(names) or "none", sources=tuple(sorted(sources)))


def _fits(ask: Question, verdict: Verdict) -> bool:
    held = {item.rule for item in verdict.clauses if item.holds and item.enforced}
    return (
        (not ask.texts("verdict") or verdict.verdict in ask.texts("verdict"))
        and (not ask.texts("class") or verdict.class_name in ask.texts("class"))
        and (not ask.texts("rule") or bool(held & set(ask.texts("rule"))))
    )


def _rule(ask: Question) -> Found:
    """A field of an encoded rule: announced, effective (its first day), title, citation, status, a threshold."""
    rule, name = ask.catalog.rules.rule(ask.text("name")), ask.text("field")
    fields: dict[str, Any] = {"announced": rule.announced, "effective": min(rule.effective, default="")}
    fields |= {"title": rule.title, "citation": rule.citation, "status": rule.status}
    fields |= {key: threshold.value for key, threshold in rule.thresholds.items()}
    if name not in fields:
        raise ask.fail(f"the rule `{rule.name}` has no `{name}`", fields)
    unit = rule.thresholds[name].unit if name in rule.thresholds else ""
    return Found(fields[name] or None, unit, sources=(rule.source,))


def _rules(ask: Question) -> Found:
    """Of all rules: through (the day up to which they were read), since, count."""
    book, name = ask.catalog.rules, ask.text("field")
    fields: dict[str, Any] = {"through": book.through, "since": book.since, "count": float(len(book.rules))}
    if name not in fields:
        raise ask.fail(f"the rules have no `{name}`", fields)
    return Found(fields[name], "rules" if name == "count" else "")


def _entity(ask: Question) -> Found:
    """The company of the Entity List that a name means on a day; the text `none` where it is not on the list."""
    found = ask.catalog.rules.listing(ask.text("name"), ask.text("on"))
    source = found.source if found else ask.catalog.rules.rule("entity-list").source
    return Found(found.name if found else "none", sources=(source,))


ASKED: Mapping[str, Callable[[Question], Found]] = {
    "chip": _chip,
    "node": _node,
    "site": _site,
    "price": _price,
    "fx": _fx,
    "duty": _duty,
    "check": _check,
    "checks": _checks,
    "rule": _rule,
    "rules": _rules,
    "entity": _entity,
    "own": paying.own,
    "make": paying.made,
    "tax": paying.tax,
    "model": serving.model,
    "step": serving.step,
    "serve": serving.served,
}
