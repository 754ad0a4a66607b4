"""An ask back as plain values: what was left out, and the whole question in units that read back the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from exaplan import units
from exaplan.ask import lengths
from exaplan.ask.values import Keys
from exaplan.nouns.serving import Lengths

NOTHING: tuple[Any, ...] = (None, "", (), {})
DIMENSION: Mapping[Keys, str] = {
    ("work", "tokens"): "tokens",
    ("limits", "money"): "money",
    ("limits", "power"): "power",
    ("cluster", "power_cap"): "power",
    ("limits", "deadline"): "time",
    ("observed", "step_time"): "time",
    ("work", "rate"): "frequency",
    ("work", "think"): "time",
    ("work", "period"): "time",
    ("work", "slo", "ttft"): "time",
    ("work", "slo", "tpot"): "time",
    ("work", "slo", "latency"): "time",
    ("work", "generation", "time"): "time",
    ("work", "price", "subscription"): "money",
    ("work", "price", "input"): "money",
    ("work", "price", "output"): "money",
    ("engine", "offload"): "bytes",
    ("engine", "autoscale", "delay"): "time",
    ("engine", "autoscale", "idle"): "time",
}


class Part(BaseModel):
    """Strict and frozen: a key that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)

    def matters(self, name: str) -> bool:
        """Whether that field can change the answer."""
        return True


def left_out(part: Part, above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every field that was not given and has a default."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Part):
            yield from left_out(value, (*above, name)) if part.matters(name) else ()
        elif name not in part.model_fields_set and value not in NOTHING and part.matters(name):
            yield (*above, name), value


def plain(part: Part, above: Keys = ()) -> dict[str, Any]:
    """The fields that hold something, as text, numbers, lists and mappings."""
    out: dict[str, Any] = {}
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Part):
            inner = plain(value, (*above, name))
            out |= {name: inner} if inner else {}
        elif value not in NOTHING and part.matters(name):
            out[name] = shown(value, (*above, name))
    return out


def shown(value: Any, keys: Keys) -> Any:
    """A value of a field as a file holds it."""
    if isinstance(value, Lengths):
        return lengths.written(value)
    if isinstance(value, tuple):
        return [plain(item) if isinstance(item, Part) else item for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return exact(value, DIMENSION[keys]) if keys in DIMENSION else value


def exact(value: float, dimension: str) -> str:
    """The quantity in as few digits as read back the same number: 14.8T, not 14.800000000000001T.

    Where no scaled text reads back to the last bit, the SI unit does: a change of unit rounds.
    """
    for digits in range(4, 17):
        text = units.show(value, dimension, digits)
        if units.parse(text, dimension) == value:
            return text
    return f"{value!r} {units.DIMENSIONS[dimension].si}"
