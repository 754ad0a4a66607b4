"""Reads a Hugging Face ``config.json`` (already parsed) into a Spec, by its ``model_type``.

A field that the file leaves out takes the default of that type's transformers class (v5.23), and the reading says so.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exaplan.errors import InputError, Place
from exaplan.models import config_dense, config_moe
from exaplan.models.config_fields import Fields
from exaplan.models.spec import Spec

READERS = {**config_dense.READERS, **config_moe.READERS}
KNOWN = tuple(sorted(READERS))
BY_HAND = "describe the model by hand in a YAML file (`exaplan schema model` shows the fields)"

#: Largest config.json that is read [B].
SIZE = 4 * 1024 * 1024

#: Keys that betray another kind of file.
FOREIGN = {
    "tokenizer_class": "a tokenizer's config",
    "added_tokens_decoder": "a tokenizer's config",
    "feature_extractor_type": "a feature extractor's config",
    "image_processor_type": "an image processor's config",
    "_diffusers_version": "a diffusion pipeline's config",
    "peft_type": "a LoRA adapter's config",
    "_from_model_config": "a generation config",
    "weight_map": "an index of weights",
}


@dataclass(frozen=True)
class Reading:
    """A Spec and what had to be assumed to read it."""

    spec: Spec
    assumptions: tuple[str, ...]


def from_config(mapping: object, name: str = "", place: Place | None = None) -> Spec:
    """The Spec of ``read_config``."""
    return read_config(mapping, name, place).spec


def read_config(mapping: object, name: str = "", place: Place | None = None) -> Reading:
    """Spec and assumptions from a parsed config.json; InputError names the field, the value and the remedy."""
    at = place or Place()
    if not isinstance(mapping, Mapping):
        raise InputError(f"a config.json holds an object, not {_kind(mapping)}", hint=BY_HAND, place=at)
    config, notes = _text_part(mapping)
    fields = Fields(config, at, notes)
    reader = READERS[_model_type(config, at)]
    sizes = reader(fields)
    label = name or str(mapping.get("_name_or_path") or "") or str(config["model_type"])
    try:
        return Reading(Spec(name=label, **sizes), tuple(fields.notes))
    except InputError as error:
        field = fields.said(error.place.field or "")
        raise InputError(error.problem, hint=error.hint, place=replace(at, field=field)) from None


def load_config(path: Path, name: str = "") -> Reading:
    """Reads the file; one clear InputError for a folder, an unreadable, huge, binary or malformed file."""
    place = Place(file=str(path))
    try:
        if path.stat().st_size > SIZE:
            raise InputError(f"larger than {SIZE // 2**20} MiB, so no config.json", hint=BY_HAND, place=place)
        value = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", hint="give the path of a config.json", place=place
        ) from None
    except UnicodeDecodeError:
        raise InputError("is not text", hint="give the path of a config.json", place=place) from None
    except json.JSONDecodeError as error:
        spot = replace(place, line=error.lineno, column=error.colno)
        raise InputError(f"is not JSON: {error.msg}", hint="repair the file", place=spot) from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"is not a usable JSON file: {error}", hint="repair the file", place=place) from None
    return read_config(value, name or path.parent.name, place)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = sorted({key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1})
        raise ValueError(f"key {twice[0]!r} stands twice")
    return made


def _kind(value: object) -> str:
    return {list: "a list", str: "text", type(None): "nothing"}.get(type(value), f"{type(value).__name__} {value!r}")


def _text_part(mapping: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """The language model inside a multimodal config."""
    inner = mapping.get("text_config")
    if not isinstance(inner, Mapping):
        return mapping, []
    kind = inner.get("model_type") or mapping.get("model_type")
    tied = {"tie_word_embeddings": mapping["tie_word_embeddings"]} if "tie_word_embeddings" in mapping else {}
    note = "only text_config, the language model, is counted; other towers are left out"
    return {**tied, **inner, "model_type": kind}, [note]


def _model_type(config: Mapping[str, Any], at: Place) -> str:
    kind = config.get("model_type")
    if kind is None:
        foreign = next((text for key, text in FOREIGN.items() if key in config), "")
        what = (
            f"looks like {foreign}, not a model's" if foreign else "has no model_type, so is not a model's config.json"
        )
        raise InputError(
            what, hint=f"give a config.json with model_type, or {BY_HAND}", place=replace(at, field="model_type")
        )
    if not isinstance(kind, str) or kind not in READERS:
        near = difflib.get_close_matches(str(kind), KNOWN, n=3, cutoff=0.4)
        rest = [name for name in KNOWN if name not in near]
        known = ", ".join(near + rest)
        hint = f"known, nearest first: {known}; or {BY_HAND}"
        raise InputError(f"unknown model_type {kind!r}", hint=hint, place=replace(at, field="model_type"))
    return kind
