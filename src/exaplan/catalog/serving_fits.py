"""Number formats of serving, the kernel curves that only serving needs, and the tuning of engines (data/fits)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from exaplan.catalog import fits
from exaplan.catalog.tuning import yaml_data
from exaplan.errors import InputError, Place
from exaplan.perf.roofline import GemmFit
from exaplan.perf.serving.inputs import DecodeFit, ExchangeFit, ReduceFit, ServeTuning


class WeightFormat(NamedTuple):
    """A row of data/formats.yaml: bytes [B per weight with scales], input [B per element multiplied with it]."""

    bytes: float
    input: float
    peak: str
    curve: str
    scope: str


@cache
def weight_format(name: str) -> WeightFormat:
    """A number format of weights by its name; unknown ones are refused."""
    known = yaml_data("formats.yaml")["weights"]
    if name not in known:
        hint = "known: " + ", ".join(known)
        raise InputError(f"unknown number format of weights {name!r}", hint=hint, place=Place(field="work.precision"))
    found = known[name]
    return WeightFormat(float(found["bytes"]), float(found["input"]), found["peak"], found["curve"], found["scope"])


@cache
def kv_bytes(name: str) -> float:
    """Bytes of one element of the KV cache [B]; unknown formats are refused."""
    known = yaml_data("formats.yaml")["kv"]
    if name not in known:
        hint = "known: " + ", ".join(known)
        raise InputError(f"unknown number format of the KV cache {name!r}", hint=hint, place=Place(field="work.kv"))
    return float(known[name])


# Architectures that were measured for serving under another name, or whose nearest measured relative differs from
# training's (catalog/fits.py INHERIT): consumer and embedded Blackwell chips have no tcgen05 matrix engine, and GDDR7
# or LPDDR5X, as the measured RTX PRO 6000.
NAMED = {
    "blackwell-consumer": "blackwell_rtx",
    "blackwell-embedded": "blackwell_rtx",
    "blackwell-ultra": "blackwell",
    "xe2": "battlemage",
}
# Number format -> what stands in where an architecture has no curve of its own.
STANDS_IN = {
    "fp8": ("bf16",),
    "fp8_block": ("fp8", "bf16"),
    "nvfp4": ("fp8", "bf16"),
    "sq": ("fp8", "bf16"),
    "int8_wo": ("bf16",),
    "int4_wo": ("int8_wo", "bf16"),
}
# Engine families without kernels of their own in the tables -> whose they share.
KERNELS_OF = {"sglang": "vllm", "tgi": "vllm"}


def own(curves: Mapping[str, Any], architecture: str) -> str:
    """The architecture whose curves stand for another's."""
    known = {key.split("/")[0] for key in curves}
    if architecture in known:
        return architecture
    named = NAMED.get(architecture, "")
    return named if named in known else fits.relative(architecture, known).source


def values_of(name: str, key: str) -> dict[str, float]:
    """Coefficients of one curve of data/fits/serving_*.yaml."""
    return {field: float(value) for field, value in fits.record(name)["curves"][key]["coefficients"].items()}


@cache
def product(architecture: str, curve: str, chip: str = "") -> GemmFit:
    """Curve of matrix products with weights in a format, few rows included (data/fits/serving_products.yaml).

    A chip that is not bound by power (catalog/fits.py) keeps its own share of peak; cards whose layers were timed by
    themselves their own shares of both roofs (data/fits/serving_cards.yaml).
    """
    curves = fits.record("serving_products")["curves"]
    source = own(curves, architecture)
    order = (curve, *STANDS_IN.get(curve, ()), "bf16")
    found = next(form for form in order if f"{source}/{form}" in curves)
    values = values_of("serving_products", f"{source}/{found}")
    usual, its = fits.matmul(architecture, curve), fits.matmul(architecture, curve, chip)
    values["peak"] = min(1.0, values["peak"] * its.peak / usual.peak)
    timed = fits.record("serving_cards")["curves"].get(chip)
    if timed:
        bare = values_of("serving_products", f"{source}/bf16")
        for field in ("peak", "memory"):
            values[field] = min(1.1, values[field] * float(timed[field]) / bare[field])
    return GemmFit(**values)


@cache
def decode_attention(architecture: str, cache_format: str, engine: str) -> DecodeFit:
    """Curve of decoding attention by format of the cache and engine family (data/fits/serving_attention.yaml)."""
    curves = fits.record("serving_attention")["curves"]
    source, family = own(curves, architecture), KERNELS_OF.get(engine, engine)
    form = "fp8" if kv_bytes(cache_format) < 2.0 else "bf16"
    tried = (f"{source}/{form}/{family}", f"{source}/{form}", f"{source}/bf16/{family}", f"{source}/bf16")
    return DecodeFit(**values_of("serving_attention", next(key for key in tried if key in curves)))


@cache
def latent_attention(architecture: str) -> DecodeFit:
    """Curve of decoding over a compressed cache (MLA), measured on Hopper alone; others take its shares of peak."""
    curves = fits.record("serving_attention")["curves"]
    key = f"{own(curves, architecture)}/mla"
    return DecodeFit(**values_of("serving_attention", key if key in curves else "hopper/mla"))


@cache
def grouped(architecture: str, curve: str, chip: str = "") -> GemmFit:
    """Curve of grouped products of experts: weight-only formats run in the engines' own fused kernels, which stream
    weights as plain 16-bit products do, not as the measured weight-only libraries."""
    return product(architecture, "bf16" if curve.endswith("_wo") else curve, chip)


@cache
def exchange(architecture: str) -> ExchangeFit:
    """Low-latency exchange of tokens between experts (data/fits/serving_exchange.yaml)."""
    curves = fits.record("serving_exchange")["curves"]
    known = architecture if architecture in curves else own(curves, architecture)
    return ExchangeFit(**values_of("serving_exchange", known))


@cache
def small_reduce(engine: str, architecture: str) -> ReduceFit:
    """The all-reduce of small messages that an engine family brings with it (data/fits/serving_reduce.yaml)."""
    curves = fits.record("serving_reduce")["curves"]
    known = architecture if architecture in curves else own(curves, architecture)
    family = f"{known}/{engine}"
    return ReduceFit(**values_of("serving_reduce", family if family in curves else known))


def effects(engine: str, architecture: str, formats: str, experts: bool) -> tuple[str, ...]:
    """Names of the fitted effects that apply to a case."""
    return (
        f"engine={engine}",
        f"architecture={architecture}",
        f"format={formats}",
        f"experts={experts}".lower(),
        f"stack={engine}/{architecture}",
    )


@cache
def calibration(fold: str = "") -> Mapping[str, Any]:
    """What was fitted on published serving rows, of a cross-validation fold where one is named; {} before any fit."""
    folder = files("exaplan").joinpath("data", "fits")
    path = folder.joinpath("serving_folds.json" if fold else "serving.yaml")
    if not path.is_file():
        return {}
    found: Mapping[str, Any] = (
        json.loads(path.read_text("utf-8"))["folds"][fold] if fold else yaml_data("fits/serving.yaml")
    )
    return found


def composed(coefficients: Mapping[str, Mapping[str, float]], applying: tuple[str, ...]) -> ServeTuning:
    """ServeTuning from {field: {"base": log, effect: log, ...}}; a field that was not fitted keeps its prior."""
    values = {}
    for field, entry in coefficients.items():
        value = math.exp(entry["base"] + sum(entry.get(effect, 0.0) for effect in applying))
        values[field] = min(1.0, value) if field == "overlap" else value
    return ServeTuning(**values)


@cache
def priors() -> ServeTuning:
    """Tuning before any serving row is seen: kernels as measured, grouped products as timed layers of experts tell.

    The timed layers show no fixed time beside their passes; the default of ``grouped`` stays as a prior above zero.
    """
    return ServeTuning(experts=values_of("serving_grouped", "blackwell_rtx")["factor"])


@lru_cache(maxsize=4096)
def tuning(engine: str, architecture: str, formats: str = "bf16", experts: bool = False, fold: str = "") -> ServeTuning:
    """How an engine departs from isolated kernels (data/fits/serving.yaml); priors where nothing is fitted."""
    found = calibration(fold)
    if not found:
        return priors()
    return composed(found["coefficients"], effects(engine, architecture, formats, experts))


@lru_cache(maxsize=4096)
def ranges(
    engine: str, architecture: str, formats: str = "bf16", experts: bool = False, fold: str = ""
) -> Mapping[str, tuple[float, float]]:
    """Quantity -> 80% interval over its prediction [ratios]; of the engine and architecture, else of the engine, else
    of all (data/fits/serving.yaml: ranges {key: {quantity: [low, high]}})."""
    known: Mapping[str, Any] = calibration(fold).get("ranges", {})
    applying = effects(engine, architecture, formats, experts)
    wide = yaml_data("serving_estimates.yaml")["ranges"]  # where no calibrated run tells
    made = {name: (float(low), float(high)) for name, (low, high) in wide.items()}
    for key in ("all", f"engine={engine}", applying[-1]):
        made |= {name: (float(pair[0]), float(pair[1])) for name, pair in known.get(key, {}).items()}
    return made


@lru_cache(maxsize=4096)
def centre(engine: str, architecture: str, formats: str = "bf16", experts: bool = False) -> float:
    """Measured over simulated TTFT, the median of published runs of the engine, else of all [ratio]: what plans expect
    is the simulated one times it (data/fits/serving.yaml: centres {key: {ttft: ratio}})."""
    known: Mapping[str, Any] = calibration("").get("centres", {})
    applying = effects(engine, architecture, formats, experts)
    found = 1.0
    for key in ("all", f"engine={engine}", applying[-1]):
        found = float(known.get(key, {}).get("ttft", found))
    return found
