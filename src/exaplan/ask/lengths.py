"""Lengths of prompts and answers: one number, an even range, or a mean with its spread; and how they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from exaplan import units
from exaplan.ask.values import wrong
from exaplan.errors import InputError
from exaplan.nouns.serving import Lengths

LONGEST = 100_000_000  # tokens
WIDEST = 100.0  # standard deviations over mean that are still read as meant
FIELDS = ("mean", "cv", "low", "high")
EXAMPLE = "1024, [512, 2048] or {mean: 1024, cv: 0.8, low: 16, high: 8192}"

_RANGE = re.compile(r"(?P<low>[\d_.]+[kK]?)\s*(?:-|\.\.|,)\s*(?P<high>[\d_.]+[kK]?)\Z")


def read_lengths(value: Any) -> Lengths:
    """Lengths [tokens] out of a number, a pair or a mapping."""
    if isinstance(value, Lengths):
        return value
    if value is None:
        raise wrong("no length stands here", f"write it like {EXAMPLE}, or leave the field out")
    if isinstance(value, str) and (found := _RANGE.match(value.strip())) and not _thousands(value):
        value = [found["low"], found["high"]]
    if isinstance(value, Mapping):
        return _spread(value)
    if isinstance(value, (list, tuple)):
        return _even(value)
    return Lengths("fixed", float(_tokens(value)))


def _thousands(text: str) -> bool:
    """Whether a comma stands between thousands: 1,024 is one number."""
    return re.fullmatch(r"\d{1,3}(,\d{3})+", text.strip()) is not None


def _tokens(value: Any, least: int = 1) -> int:
    """A whole number of tokens."""
    try:
        number = units.parse(value, "tokens")
    except InputError as error:
        raise wrong(error.problem.replace("tokens", "a number of tokens", 1), f"write it like {EXAMPLE}") from None
    if number != int(number) or not least <= number <= LONGEST:
        problem = "zero, and it must be more" if number == 0 else f"no whole number from {least} to {LONGEST:,}"
        raise wrong(f"{value!r} is {problem}", f"write it like {EXAMPLE}")
    return int(number)


def _even(value: list[Any] | tuple[Any, ...]) -> Lengths:
    """``[low, high]``: every whole number from low to high is as likely."""
    if len(value) != 2:
        raise wrong(f"{list(value)!r} is not a pair of lengths", f"write it like {EXAMPLE}")
    low, high = (_tokens(item) for item in value)
    if low > high:
        raise wrong(f"the range starts at {low} and ends at {high}", f"write [{high}, {low}]")
    return Lengths("fixed", float(low)) if low == high else Lengths("uniform", (low + high) / 2, 0.0, low, high)


def _spread(value: Mapping[Any, Any]) -> Lengths:
    """``{mean, cv, low, high}``: lognormal, or even where only the ends are given."""
    odd = [key for key in value if key not in FIELDS]
    if odd:
        raise wrong(f"`{odd[0]}` is not part of a length", f"write it like {EXAMPLE}")
    if value.get("mean") is None:
        if value.get("low") is None or value.get("high") is None or value.get("cv"):
            raise wrong("a spread of lengths has no mean", f"write it like {EXAMPLE}")
        return _even([value["low"], value["high"]])
    mean = float(_tokens(value["mean"]))
    low, high = (_tokens(value.get(name) or 0, 0) for name in ("low", "high"))
    if high and low > high:
        raise wrong(f"low {low} is above high {high}", "swap them")
    if mean < low or (high and mean > high):
        raise wrong(f"the mean {mean:g} is outside [{low}, {high or 'no bound'}]", "widen the bounds or move the mean")
    cv = _cv(value.get("cv", 0))
    return Lengths("lognormal", mean, cv, low, high) if cv else Lengths("fixed", mean)


def _cv(value: Any) -> float:
    hint = "cv is the standard deviation over the mean, like 0.8; 0 = all are alike"
    try:
        number = units.parse(0 if value is None else value, "ratio")
    except InputError as error:
        raise wrong(f"cv: {error.problem}", hint) from None
    if not math.isfinite(number) or number > WIDEST:
        raise wrong(f"cv {value!r} is above what is possible ({WIDEST:g})", hint)
    return number


def written(lengths: Lengths) -> Any:
    """Lengths as a file holds them; reads back the same."""
    if lengths.kind == "fixed":
        return int(lengths.mean)
    if lengths.kind == "uniform":
        return [lengths.low, lengths.high]
    ends = {name: getattr(lengths, name) for name in ("low", "high") if getattr(lengths, name)}
    return {"mean": int(lengths.mean), "cv": lengths.cv, **ends}


_SCHEMA = {
    "type": ["integer", "string", "array", "object"],
    "description": f"tokens: {EXAMPLE}",
    "items": {"type": ["integer", "string"]},
}
TokenLengths = Annotated[Lengths, PlainValidator(read_lengths), WithJsonSchema(_SCHEMA)]
