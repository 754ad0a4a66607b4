"""Typed access to a config.json's fields, with defaults that are reported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from exaplan.errors import InputError, Place

#: Activation function of a config -> (kind without gate, kind with gate).
ACTIVATIONS = {
    "silu": ("", "swiglu"),
    "swish": ("", "swiglu"),
    "gelu": ("gelu", "geglu"),
    "gelu_new": ("gelu", "geglu"),
    "gelu_fast": ("gelu", "geglu"),
    "gelu_pytorch_tanh": ("gelu", "geglu"),
    "relu": ("relu", ""),
    "relu2": ("relu2", ""),
    "xielu": ("xielu", ""),
}


class Fields:
    """Reads fields of one config; ``notes`` collects what was assumed, ``said`` maps our names to the file's."""

    def __init__(self, config: Mapping[str, Any], place: Place, notes: list[str]) -> None:
        self.config, self.place, self.notes = config, place, notes
        self._names: dict[str, str] = {}

    def said(self, ours: str) -> str:
        """The file's name of one of our fields."""
        return self._names.get(ours, ours)

    def wrong(self, key: str, problem: str, hint: str = "correct the file") -> InputError:
        """An InputError at ``key``."""
        return InputError(problem, hint=hint, place=replace(self.place, field=key))

    def whole(self, key: str, default: int | None, ours: str = "", *others: str) -> int:
        """A whole number >= 0 under ``key`` (or ``others``); missing: ``default``, reported; null counts as missing."""
        for name in (key, *others):
            value = self.config.get(name)
            if value is not None:
                self._names[ours or name] = name
                return self._number(name, value)
        if default is None:
            raise self.wrong(key, f"is missing, and {self.config.get('model_type')} has no default for it")
        self._names[ours or key] = key
        self._assume(key, default)
        return default

    def optional(self, key: str, ours: str = "") -> int:
        """A whole number, 0 where the file has none or null (no assumption: absence is an answer)."""
        value = self.config.get(key)
        self._names[ours or key] = key
        return 0 if value is None else self._number(key, value)

    def _number(self, key: str, value: object) -> int:
        real = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not real or not math.isfinite(value) or value != int(value):  # type: ignore[arg-type, call-overload]
            raise self.wrong(key, f"needs a whole number, got {value!r}")
        if value < 0:  # type: ignore[operator]
            raise self.wrong(key, f"needs a positive number, got {value!r}")
        return int(value)  # type: ignore[call-overload, no-any-return]

    def flag(self, key: str, default: bool) -> bool:
        """true or false; missing: the class's default (not reported: classes and files agree to leave flags out)."""
        value = self.config.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, f"needs true or false, got {value!r}")
        return value

    def text(self, key: str, default: str, ours: str = "") -> str:
        """Text; missing: ``default``, reported."""
        value = self.config.get(key)
        self._names[ours or key] = key
        if value is None:
            self._assume(key, default)
            return default
        if not isinstance(value, str):
            raise self.wrong(key, f"needs text, got {value!r}")
        return value

    def activation(self, key: str, default: str, gated: bool) -> str:
        """Our name of the MLP."""
        name = self.text(key, default)
        found = ACTIVATIONS.get(name, ("", ""))[int(gated)]
        if not found:
            known = ", ".join(item for item, kinds in ACTIVATIONS.items() if kinds[int(gated)])
            raise self.wrong(key, f"unknown activation {name!r}", f"known here: {known}")
        return found

    def inner(self, key: str) -> Fields:
        """The object under ``key`` (empty where there is none)."""
        value = self.config.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise self.wrong(key, f"needs an object, got {value!r}")
        return Fields(value or {}, self.place, self.notes)

    def fraction(self, key: str, default: float) -> float:
        """A number from 0 to 1."""
        value = self.config.get(key)
        if value is None:
            value = self.inner("rope_parameters").config.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise self.wrong(key, f"needs a number from 0 to 1, got {value!r}")
        return float(value)

    def kinds(self, key: str = "layer_types") -> list[str]:
        """A list of texts, one a layer; empty where there is none."""
        value = self.config.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "needs a list of texts, one a layer")
        return value

    def _assume(self, key: str, default: object) -> None:
        self.notes.append(
            f"{key} is not in the file: {default!r}, the default of {self.config.get('model_type', 'its class')}"
        )
