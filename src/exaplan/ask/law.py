"""The part of an ask that is about export rules: who gets the chips, where, when, and what is to be supposed.

Places and rules stay as they were written: the catalogue knows them, and refuses an unknown one with its nearest names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from exaplan.ask.values import Count, Day, wrong
from exaplan.ask.writing import Part

ACCEPTABLE = ("free", "notify", "licence", "unknown")  # verdicts under which an asker may say that he would buy
USUAL = ("free", "notify")
OTHER_WORDS = {"license": "licence", "notice": "notify", "notification": "notify"}
PLACES = "CN, China or 中国"  # an example, for messages
THRESHOLD = "advanced-computing-2023.tpp=4800"

Buyer = Literal["private", "state-funded"]
Letters = Literal["all", "addressees"]
Vat = Literal["paid", "recovered"]


def _place(value: Any) -> str | None:
    """A place as it was written."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise wrong(f"{value!r} is not a place", f"write a country, its ISO code or a site of yours: {PLACES}")
    return value.strip()


def _elsewhere(usual: str) -> Any:
    """A place that may be left out: then it is ``usual``."""
    return PlainValidator(lambda value: _place(value) or usual)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(f"{value!r} is not a text", "see `exaplan schema ask`")
    return value.strip()


def _listed(value: Any, what: str, example: str) -> tuple[str, ...]:
    """A list of words, or a text of them with commas; each once."""
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        raise wrong(f"{value!r} is not a list of {what}", f"write it like {example}")
    odd = [word for word in words if not isinstance(word, str) or not word.strip()]
    if odd:
        raise wrong(f"{odd[0]!r} is not one of {what}", f"write it like {example}")
    return tuple(dict.fromkeys(word.strip() for word in words))


def _accepted(value: Any) -> tuple[str, ...]:
    """The verdicts under which a chip may be planned with."""
    words = _listed(USUAL if value is None else value, "verdicts", "[free, notify]")
    known = tuple(OTHER_WORDS.get(word.lower(), word.lower()) for word in words)
    for word, written in zip(known, words, strict=True):
        if word == "denial":
            problem = "a chip whose licence would be denied cannot be had, so `denial` cannot be accepted"
            raise wrong(problem, "leave rules out instead (law.without, --without), or ask without `law`")
        if word not in ACCEPTABLE:
            raise wrong(f"{written!r} is not a verdict", f"choose among {', '.join(ACCEPTABLE)}")
    if not known:
        raise wrong("the list is empty: nothing could be bought", "write it like [free, notify]")
    return tuple(dict.fromkeys(known))


def _rules(value: Any) -> tuple[str, ...]:
    example = "[advanced-computing-2023]; `exaplan rules` lists them"
    return _listed(() if value is None else value, "names of rules", example)


def _thresholds(value: Any) -> dict[str, Any]:
    """``rule.name`` -> what was written; a mapping inside a mapping means the same."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong(f"{value!r} is not a group of thresholds", f"write it like {THRESHOLD} (`exaplan rules` has them)")
    return dict(_flat(value, ""))


def _flat(value: Mapping[Any, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if not str(key).strip():
            raise wrong(f"{key!r} is not the name of a threshold", f"write it like {THRESHOLD}")
        name = f"{above}{str(key).strip()}"
        if isinstance(item, Mapping):
            yield from _flat(item, f"{name}.")
        else:
            yield name, item


def _number(value: Any) -> float:
    """A threshold in the unit of its rule, as a plain number."""
    hint = f"write a plain number in the rule's own unit, like {THRESHOLD} (`exaplan rules` tells it)"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise wrong(f"{value!r} is not a number", hint)
    try:
        number = float(value.replace(",", "").replace("_", "") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        raise wrong(f"{value!r} is not a number", hint) from None
    if not math.isfinite(number) or number < 0:
        raise wrong(f"{value!r} is not a finite number, 0 or more", hint)
    return number


def _described(kind: str | list[str], text: str, **more: Any) -> Any:
    return WithJsonSchema({"type": kind, "description": text, **more})


_WORDS = {"items": {"type": "string"}}
_NUMBERS = {"additionalProperties": {"type": ["number", "string", "object"]}}
_PLACE = _described("string", f"a place, like {PLACES}")
PlaceName = Annotated[str, PlainValidator(_place), _PLACE]
Headquarters = Annotated[str, _elsewhere(""), _PLACE]
Home = Annotated[str, _elsewhere("US"), _PLACE]
Text = Annotated[str, PlainValidator(_text), _described("string", "a name")]
Accept = Annotated[
    tuple[str, ...],
    PlainValidator(_accepted),
    _described(["array", "string"], f"verdicts under which a chip is planned with: {', '.join(ACCEPTABLE)}", **_WORDS),
]
Rules = Annotated[
    tuple[str, ...],
    PlainValidator(_rules),
    _described(["array", "string"], "names of `exaplan rules` that are left out", **_WORDS),
]
Thresholds = Annotated[
    dict[str, Annotated[float, PlainValidator(_number)]],
    BeforeValidator(_thresholds),
    _described("object", f"rule.name -> number instead of the encoded one, like {THRESHOLD}", **_NUMBERS),
]


class LawAsk(Part):
    """The export rules that the answer is held to. Without ``to`` none are.

    ``to``: the place that the chips go to. ``on``: the day whose rules hold; left out, the start of the run, else the
    last day to which the rules were read. ``headquarters``: of the receiving company or its ultimate parent; left out,
    the destination. ``origin``: whence the chips are shipped. ``end_user``: a name for the entity list. ``letters``:
    whether letters to single makers are read as if they bound all. ``accept``: the verdicts under which a chip is
    planned with. ``without``, ``thresholds``: rules left out, or read with another number (counterfactuals).
    ``count`` [chips]: the most that are to be had there. ``vat``: whether value-added tax is a cost of the buyer.
    """

    to: PlaceName | None = None
    headquarters: Headquarters = ""
    on: Day | None = None
    origin: Home = "US"
    end_user: Text = ""
    buyer: Buyer = "private"
    letters: Letters = "all"
    accept: Accept = USUAL
    without: Rules = ()
    thresholds: Thresholds = Field(default_factory=dict)
    count: Count | None = None
    vat: Vat = "paid"

    def matters(self, name: str) -> bool:
        """Nothing of it does where no destination is given."""
        return self.to is not None
