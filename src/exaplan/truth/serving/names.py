"""Names that sources use -> names in the catalogue, and launch settings that their scripts tell (data/)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from exaplan.catalog.tuning import yaml_data
from exaplan.truth.reading import Skip


@cache
def names() -> Mapping[str, Mapping[str, str]]:
    """data/serving_names.yaml: published name -> name in the catalogue, of models and chips."""
    found: Mapping[str, Mapping[str, str]] = yaml_data("serving_names.yaml")
    return found


@cache
def protocols() -> Mapping[str, Any]:
    """data/serving_protocols.yaml: what launch scripts and rules of the sources tell."""
    found: Mapping[str, Any] = yaml_data("serving_protocols.yaml")
    return found


def model_name(published: str) -> str:
    """Catalogue name of a model as a source calls it."""
    return _named("models", published)


def chip_name(published: str) -> str:
    """Catalogue name of a chip as a source calls it."""
    return _named("chips", published)


def _named(kind: str, published: str) -> str:
    found = names()[kind].get(published)
    if not found:
        raise Skip(f"no {kind[:-1]} of the catalogue is called {published!r} (data/serving_names.yaml)")
    return found


@lru_cache(maxsize=8192)
def launch(label: str) -> Mapping[str, Any]:
    """Launch settings of the first entry whose pattern is found in a row's label; {} where none is known."""
    for entry in protocols()["launch"]:
        if re.search(entry["match"], label):
            return entry  # type: ignore[no-any-return]
    return {}


def tokens_of(value: Any, isl: float, osl: float) -> int | None:
    """Token budget of an iteration: a number, or a sum {isl: a, osl: b, plus: c}."""
    if value is None or isinstance(value, int):
        return value
    return int(value.get("isl", 0) * isl + value.get("osl", 0) * osl + value.get("plus", 0))


def engine_of(backend: str, release: str) -> str:
    """Engine of the catalogue for what a source calls its software."""
    text = f"{backend} {release}".lower()
    if "vllm" in text:
        return "vllm-v0" if re.search(r"\b0\.[0-7]\.", text) else "vllm-v1"
    if "sglang" in text:
        return "sglang"
    if "llama.cpp" in text:
        return "llama.cpp"
    if "pytorch backend" in text or backend == "trtllm":
        return "trtllm"
    if "tensorrt" in text:
        return "trtllm-cpp"
    return "pooled"


def release_of(text: str) -> str:
    """The number of a release in a text such as "TensorRT-LLM 0.17"; "" where it names none."""
    found = re.search(r"\d+\.\d+(\.\d+)?(rc\d+)?(\.?post\d+)?", text)
    return found.group() if found else ""
