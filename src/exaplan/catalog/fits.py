"""The fitted efficiency curves of data/fits, by architecture and number format, with inheritance for the unmeasured.

A chip without measurements takes the curve of the nearest measured architecture (``INHERIT``) and a wider spread.
What one memory, one bandwidth and one peak per chip cannot describe has no curve: it is refused (``INEXPRESSIBLE``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, cast

import yaml

from exaplan.errors import CatalogError, InputError, Place
from exaplan.perf.network import ExpertFit, LinkFit
from exaplan.perf.roofline import AttentionFit, GemmFit, VectorFit


class Heir(NamedTuple):
    """Whose curve an unmeasured architecture takes, and by how much its spread grows [relative std dev, added]."""

    source: str
    widening: float


# Nearest measured relative of each architecture of the catalogue that has no rows of its own. The widening is a
# judgement: small for a sister of the same vendor, 0.25 for another vendor's matrix engine of the data centre, more
# where its software is young or its figures are announcements, most where nothing alike was measured.
INHERIT = {
    "volta": Heir("ampere", 0.12),
    "turing": Heir("ampere", 0.15),
    "pascal": Heir("ampere", 0.30),
    "ampere-embedded": Heir("ampere", 0.20),
    "blackwell-ultra": Heir("blackwell", 0.08),
    "blackwell-embedded": Heir("blackwell", 0.25),
    "blackwell-consumer": Heir("hopper", 0.25),
    "rubin": Heir("blackwell", 0.20),
    "cdna1": Heir("cdna2", 0.15),
    "cdna3": Heir("cdna2", 0.20),
    "cdna4": Heir("cdna2", 0.25),
    **{name: Heir("hopper", 0.25) for name in ("gaudi2", "gaudi3", "trainium1", "trainium2", "trainium3", "ascend")},
    **{f"tpu-{name}": Heir("hopper", 0.25) for name in ("v2", "v3", "v4", "v5e", "v5p", "v6e", "v7")},
    **{name: Heir("hopper", 0.35) for name in ("ascend-950", "biren", "moore-threads", "cambricon")},
    "apple": Heir("hopper", 0.40),
    "xe2": Heir("hopper", 0.40),
}
# Architectures that the roofline cannot express: why. They are listed, and refused when something is planned on them.
INEXPRESSIBLE = {
    "cerebras": "its weights stream from an outside store through SRAM on the wafer",
    "groq": "it is an inference chip with SRAM only, scheduled step by step by its compiler; it does not train",
    "tesla-dojo": "its cores hold SRAM only and are fed through the edges of a tile of 25; it was never sold",
    "tesla-fsd": "it is an inference chip for cars that multiplies INT8 only; it does not train",
}
POOLED = Heir("hopper", 0.25)
FORMATS = {
    "fp16": "bf16", "tf32": "bf16", "fp32": "bf16", "fp64": "bf16", "int8": "fp8", "mxfp8": "fp8",
    "fp8-block": "fp8_block", "fp8-delayed": "fp8", "fp8-current": "fp8", "mxfp4": "nvfp4", "fp4": "nvfp4",
}  # fmt: skip
FORMAT_WIDENING = 0.05  # spread added where a number format takes another format's curve


@cache
def record(name: str) -> Mapping[str, Any]:
    """One fit record of data/fits as it stands: gemm, attention, vector or collectives."""
    text = files("exaplan").joinpath("data", "fits", f"{name}.yaml").read_text(encoding="utf-8")
    content = yaml.load(text, Loader=yaml.CSafeLoader)
    if not isinstance(content, dict) or "curves" not in content:
        raise CatalogError(f"fit record {name} has no curves", hint=f"run tools/fit/{name}.py again")
    return cast(Mapping[str, Any], content)


def refuse(architecture: str) -> None:
    """InputError for what one memory, one bandwidth and one peak per chip cannot describe."""
    if reason := INEXPRESSIBLE.get(architecture):
        hint = "choose another chip; `exaplan chips` lists all"
        problem = f"{architecture} chips cannot be planned: {reason}"
        raise InputError(problem, hint=hint, place=Place(field="cluster.chip"))


def relative(architecture: str, known: set[str]) -> Heir:
    """The architecture itself if measured, else its heir, else the pooled curve; the inexpressible are refused."""
    refuse(architecture)
    if architecture in known:
        return Heir(architecture, 0.0)
    heir = INHERIT.get(architecture, POOLED)
    return heir if heir.source in known else POOLED


def measured(architecture: str) -> bool:
    """Whether matrix products of that very architecture were measured."""
    return architecture in {key.split("/")[0] for key in record("gemm")["curves"]}


def coefficients(name: str, key: str) -> dict[str, float]:
    """Coefficients of one curve as floats."""
    return {field: float(value) for field, value in record(name)["curves"][key]["coefficients"].items()}


@cache
def matmul(architecture: str, form: str, chip: str = "") -> GemmFit:
    """Curve of matrix products in a number format (bf16, fp8, fp8_block, nvfp4, mxfp8, ...) on an architecture.

    ``chip`` names a chip whose own share of peak was measured apart (H20: not bound by power, hence nearer its peak).
    """
    form = FORMATS.get(form, form)
    curves = record("gemm")["curves"]
    heir = relative(architecture, {key.split("/")[0] for key in curves})
    order = [form, *{"nvfp4": ("fp8", "bf16"), "fp8_block": ("fp8", "bf16"), "fp8": ("bf16",)}.get(form, ("bf16",))]
    found = next(other for other in order if f"{heir.source}/{other}" in curves)
    key = f"{heir.source}/{found}"
    widening = heir.widening + (0.0 if found == form else FORMAT_WIDENING)
    values = coefficients("gemm", key)
    peak = float(curves[key].get("chip_peak", {}).get(chip, values["peak"]))
    return GemmFit(**values | {"peak": peak, "spread": values["spread"] + widening})


@cache
def attention(architecture: str) -> AttentionFit:
    """Curve of fused attention (16-bit) on an architecture."""
    heir = relative(architecture, set(record("attention")["curves"]))
    values = coefficients("attention", heir.source)
    return AttentionFit(**values | {"spread": values["spread"] + heir.widening})


@cache
def vector(architecture: str) -> VectorFit:
    """Curve of memory-bound passes on an architecture."""
    heir = relative(architecture, set(record("vector")["curves"]))
    values = coefficients("vector", heir.source)
    return VectorFit(**values | {"spread": values["spread"] + heir.widening})


@cache
def link(architecture: str) -> LinkFit:
    """Curve of the scale-up level (NVLink, PCIe, xGMI, ICI) of an architecture."""
    heir = relative(architecture, set(record("collectives")["curves"]))
    values = coefficients("collectives", heir.source)
    if heir.widening > 0.0 and heir.source != architecture:
        values["in_network"] = values["in_network"] if architecture in SWITCHED else 0.0
    return LinkFit(**values | {"spread": values["spread"] + heir.widening})


SWITCHED = {"blackwell-ultra", "rubin"}  # scale-up switches that reduce in the network (NVLS), by architecture


@cache
def experts(architecture: str) -> ExpertFit:
    """Curve of the exchange of tokens between experts on an architecture."""
    heir = relative(architecture, set(record("experts")["curves"]))
    values = coefficients("experts", heir.source)
    return ExpertFit(**values | {"spread": values["spread"] + heir.widening})


@cache
def fabric(kind: str, in_network: bool = False) -> LinkFit:
    """Prior of a scale-out fabric (infiniband, roce, efa, ethernet, torus); unknown kinds take roce's."""
    priors = record("collectives")["priors"]
    values = {k: float(v) for k, v in priors.get(kind, priors["roce"])["coefficients"].items()}
    if not in_network:
        values["in_network"] = 0.0
    return LinkFit(**values)


@cache
def kernel_share(architecture: str, kernel: str) -> float:
    """Rate of an older fused attention kernel over that of the measured one (data/fits/attention_kernels.yaml). [1]"""
    shares = record("attention_kernels")["curves"].get(architecture, {})
    return float(shares.get(kernel, {"share": 1.0})["share"])
