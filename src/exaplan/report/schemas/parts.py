"""The pieces that every JSON schema is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
MAYBE: Schema = {"type": ["number", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
WRITTEN: Schema = {"type": ["string", "number"]}  # a word in a file: YAML reads a plain year as a number
WORDS: Schema = {"type": "array", "items": TEXT}
OPEN: Schema = {"type": "object"}
OPEN_FIGURE: Schema = {"type": ["number", "object"]}
RANGE: Schema = {"type": "array", "items": MAYBE, "minItems": 2, "maxItems": 2}
TERMS: Schema = {"enum": ["rent", "buy", "own"]}
MAYBE_TERMS: Schema = {"enum": ["rent", "buy", "own", None]}
TYPES: Mapping[str, Schema] = {"int": COUNT, "float": NUMBER, "str": TEXT, "bool": {"type": "boolean"}}


def record(
    required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, closed: bool = False
) -> Schema:
    """An object; keys may be added later unless ``closed``."""
    made: Schema = {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}
    return made | ({"additionalProperties": False} if closed else {})


def listed(items: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items}


def named(values: Schema) -> Schema:
    """An object from any name to such values."""
    return {"type": "object", "additionalProperties": values}
