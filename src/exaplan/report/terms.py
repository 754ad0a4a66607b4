"""Which functions of ``perf/`` compute which term: ``explain`` prints their docstrings as the formulas."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from exaplan.report.serving.terms import functions

#: term of the step, or ``memory.`` and term of the memory -> functions below ``exaplan.perf``
FORMULAS: Mapping[str, tuple[str, ...]] = {
    "product": ("roofline.matmul_time", "operators.product_forward", "operators.product_backward"),
    "attention": ("roofline.attention_time", "roofline.attention_backward_time"),
    "vector": ("roofline.vector_time", "operators.vector_bytes", "operators.scan_time"),
    "recompute": ("block.operator_cost", "stage.layer_cost"),
    "tp": ("parallel.tensor_forward", "parallel.tensor_backward"),
    "cp": ("parallel.context_forward",),
    "ep": ("parallel.expert_exchange",),
    "fsdp": ("stage.sharded_traffic", "stage.sharded_time", "parallel.gather_time"),
    "contention": ("stage.sharded_time", "stage.unhidden"),
    "bubble": ("pipeline.bubble",),
    "transfer": ("parallel.stage_transfer",),
    "dp": (
        "state.gradient_traffic",
        "state.exposed_gradients",
        "parallel.gradient_reduce",
        "parallel.parameter_gather",
    ),
    "optimizer": ("state.optimizer_time",),
    "host": ("step.host_time",),
    "straggle": ("step.step_terms",),
    "floor": ("step.step_terms",),
    "memory.weights": ("memory.weights_bytes", "memory.state_bytes"),
    "memory.gradients": ("memory.gradients_bytes", "memory.state_bytes"),
    "memory.optimizer": ("memory.optimizer_bytes", "memory.state_bytes"),
    "memory.activations": ("operators.saved_bytes", "pipeline.in_flight"),
    "memory.logits": ("memory.logits_bytes",),
    "memory.buffers": ("state.rank_memory",),
    "memory.reserve": ("memory.reserve_bytes",),
}

#: figure of the whole run -> functions below ``exaplan``; of the cost also by how it is paid
WHOLE: Mapping[str, tuple[str, ...]] = {
    "time": ("cost.run_time",),
    "goodput": ("perf.goodput.goodput", "perf.goodput.checkpoint_interval", "perf.goodput.mean_time_between_failures"),
    "power": ("perf.power.step_power", "perf.power.chip_power", "perf.power.wall_power"),
    "cost": ("planning.drafts.Bill.cost", "planning.drafts.Bill.paid"),
    "cost.rent": ("cost.rent_cost",),
    "cost.buy": (
        *("cost.server_price", "cost.network_price", "cost.annuity", "cost.financing", "cost.straight_line"),
        "cost.electricity_cost",
    ),
    "cost.own": ("cost.electricity_cost",),
    "energy": ("cost.energy_used",),
    "carbon": ("cost.carbon_emitted",),
}


def formulas(term: str, terms: str = "", kind: str = "training") -> list[tuple[str, str]]:
    """(path, docstring) of each function that computes a term of that kind of plan; empty where none is registered.

    ``terms``: rent, buy or own, how a cost is paid.
    """
    names = [f"perf.{name}" for name in FORMULAS.get(term, ())] if kind == "training" else [*functions(term)]
    names += [*WHOLE.get(term, ()), *WHOLE.get(f"{term}.{terms}", ())] if kind == "training" or not names else []
    return [(f"exaplan.{name}", _docstring(name)) for name in names]


def _docstring(name: str) -> str:
    """Of a function, or of a method of a class, by its path below ``exaplan``."""
    parts = name.split(".")
    depth = next((at for at, part in enumerate(parts) if part[0].isupper()), len(parts) - 1)
    body: Any = import_module(".".join(("exaplan", *parts[:depth])))
    for part in parts[depth:]:
        body = getattr(body, part)
    return inspect.getdoc(getattr(body, "py_func", body)) or ""
