"""What published serving rows call models, chips, engines and number formats (data/serving_names.yaml)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from exaplan.catalog.tuning import yaml_data
from exaplan.errors import InputError, Place
from exaplan.nouns.serving import Formats


def _table(part: str) -> Any:
    return yaml_data("serving_names.yaml")[part]


def model(published: str) -> str:
    """Catalogue name of a published model; "" where it has none."""
    return str(_table("models").get(published, ""))


def chip(published: str, notes: str = "") -> str:
    """Catalogue name of a published chip, with what the row's notes say of its version; "" where it has none."""
    lowered = notes.lower()
    for entry in _table("refined"):
        if entry["chip"] == published and re.search(entry["notes"], lowered):
            return str(entry["name"])
    return str(_table("chips").get(published, ""))


def node(published: str) -> str:
    """Catalogue name of the node that a published chip stands in, where it is not the usual one; else ""."""
    return str(_table("nodes").get(published, ""))


@lru_cache(maxsize=4096)
def engine(framework: str, model: str = "") -> tuple[str, str]:
    """(engine of the catalogue, release) of a framework's text, e.g. "TensorRT-LLM 0.17"; release "" = none named,
    "nightly" = a build between releases (the newest)."""
    software, of = framework.lower(), model.lower()
    entry = next(
        entry
        for entry in _table("engines")
        if re.search(entry["match"], software) and re.search(entry.get("model", ""), of)
    )
    return str(entry["engine"]), str(entry.get("release") or _release(software))


@lru_cache(maxsize=4096)
def formats(precision: str, framework: str = "", model: str = "", chip: str = "") -> Formats:
    """How weights and KV cache were stored, by what a row states and, where it states nothing, what its kind ran."""
    entry = formats_entry(precision, framework, model, chip)
    return Formats(str(entry["weights"]), str(entry["kv"]))


def formats_entry(precision: str, framework: str = "", model: str = "", chip: str = "") -> Mapping[str, Any]:
    """The entry that decides ``formats``; its ``source`` names where what the row leaves open comes from.

    An unknown precision raises InputError: nothing is guessed where a row states something.
    """
    said = {
        "precision": precision.lower(),
        "framework": framework.lower(),
        "model": model.lower(),
        "chip": chip.lower(),
    }
    for entry in _table("formats"):
        if all(re.search(entry[part], text) for part, text in said.items() if part in entry):
            return dict(entry)
    hint = "add an entry under `formats` of data/serving_names.yaml"
    raise InputError(f"`{precision}` is no precision that is known", hint=hint, place=Place(field="precision"))


def _release(text: str) -> str:
    """The first number of a release in a text ("vllm 0.19.0" -> "0.19.0"); "nightly" for builds without one."""
    if "nightly" in text:
        return "nightly"
    found = re.search(r"(?<!cuda )\b\d+\.\d+(?:\.\d+)*(?:rc\d+)?(?:\.?post\d+)?", text)
    return found.group() if found else ""
