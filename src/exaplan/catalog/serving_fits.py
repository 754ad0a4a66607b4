"""Number formats of serving, the kernel curves that only serving needs, and the tuning of engines (data/fits)."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from exaplan.catalog import fits
from exaplan.catalog.tuning import yaml_data
from exaplan.errors import InputError, Place
from exaplan.perf.roofline import GemmFit
from exaplan.perf.serving.inputs import ReduceFit, ServeTuning


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


@cache
def product(architecture: str, curve: str, chip: str = "") -> GemmFit:
    """Curve of matrix products with weights in a format, few rows included."""
    return fits.matmul(architecture, curve if curve in ("bf16", "fp8", "fp8_block", "nvfp4") else "bf16", chip)


@cache
def small_reduce(engine: str, architecture: str) -> ReduceFit:
    """The all-reduce of small messages that an engine family brings with it."""
    return ReduceFit(4e-6, 0.6e-6, 0.5, 0.3)


def tuning(
    engine: str, architecture: str, formats: str = "bf16", experts: bool = False, fold: str = ""
) -> ServeTuning:
    """How an engine departs from isolated kernels (data/fits/serving.yaml); priors where nothing is fitted."""
    return ServeTuning()
