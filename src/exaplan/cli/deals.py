"""From the flags about export rules to a Deal: who gets a chip, where, and on which day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from exaplan.errors import InputError, Place

if TYPE_CHECKING:
    from exaplan.catalog import Catalog
    from exaplan.nouns import Deal

FLAGS = {"end_user": "--end-user", "thresholds": "--threshold"}


def flag_of(*keys: str | int) -> Place:
    """The flag that a field of the law came from."""
    name = str(keys[1]) if len(keys) > 1 else "to"
    return Place(FLAGS.get(name, f"--{name}"))


def deal_of(said: Mapping[str, Any], catalog: Catalog) -> tuple[Deal, tuple[str, ...]]:
    """(the deal that the flags describe, what was left out and is taken for granted)."""
    from exaplan.ask import parse_law
    from exaplan.planning import legal

    given = {name: value for name, value in said.items() if value is not None}
    given |= {"thresholds": _named(given["thresholds"])} if given.get("thresholds") else {}
    if "to" not in given:
        hint = "add --to PLACE, like --to CN, --to China or --to 中国"
        raise InputError("it is not said where the chip goes", hint=hint, place=flag_of())
    law = parse_law(given, flag_of)
    deal = legal.deal(law, catalog, flag_of)
    told = f"no day was given: the rules as of {deal.on}, the last day to which they were read"
    return deal, () if law.on else (told,)


def _named(texts: list[str]) -> dict[str, str]:
    """``rule.name=4800`` as an entry, for each."""
    from exaplan.cli.question import named

    return dict(named(text, "--threshold") for text in texts)


def day_of(text: str | None, flag: str) -> date | None:
    """A day from a flag."""
    from exaplan.ask import parse_day

    return parse_day(text, Place(flag))
