"""The Answer: everything that report/ shows, with what binds, what was assumed and where the numbers came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exaplan import case as cases
from exaplan.answers import Answer, Priced, Relief
from exaplan.catalog import fits, tuning
from exaplan.planning.pricing import checkpoint_every, power_known, rent_of, site_power
from exaplan.planning.resolving import Setting
from exaplan.planning.tracing import inputs_of


def answer(
    setting: Setting,
    priced: tuple[Priced, ...],
    rejected: Mapping[str, int],
    considered: int,
    rate: float | None,
    relief: tuple[Relief, ...] = (),
) -> Answer:
    """Everything that report/ shows."""
    ask, cluster = setting.ask, setting.cluster
    resolved = ask.resolved()
    resolved.setdefault("cluster", {})["count"] = cluster.count
    return Answer(
        kind="training",
        ask=resolved,
        model=setting.model,
        chip=cluster.chip,
        node=cluster.node,
        cluster=cluster,
        count=cluster.count,
        estimates=priced,
        binding=binding(setting, priced[0], rejected),
        relief=relief,
        rejected=rejected,
        considered=considered,
        rate=rate,
        assumptions=(*setting.assumptions, *assumptions(setting)),
        defaults=ask.defaults(),
        inputs=inputs_of(setting, priced[0].estimate),
        warnings=unchecked(setting, priced[0]),
        provenance=provenance(setting),
    )


def unchecked(setting: Setting, best: Priced) -> tuple[str, ...]:
    """Limits of the ask that could not be held against anything, because their figure is unknown."""
    values = {"deadline": best.time, "money": best.cost, "power": best.estimate.power}
    found = [
        name for name, value in values.items() if value is None and getattr(setting.ask.bounds(), name) is not None
    ]
    why = {"deadline": "give work.tokens or work.steps", "money": "cost is unknown", "power": "power is unknown"}
    return tuple(f"the limit on {name} was not checked: {why[name]}" for name in found)


def assumptions(setting: Setting) -> list[str]:
    """What had to be assumed, and what could not be told."""
    chip, notes = setting.cluster.chip, []
    if not setting.case.framework:
        notes.append("framework unknown: the pooled fit over all frameworks; the range is that of software never seen")
    if not fits.measured(cases.architecture_of(setting.cluster)):
        notes.append(f"no kernel of {chip.architecture} was measured: curves inherited, range widened")
    if not power_known(setting):
        notes.append(f"the power of {chip.name} and of its node is unknown, so energy and carbon are unknown")
    if setting.ask.tokens is not None and rent_of(setting) is None:
        notes.append(
            f"no rent of {chip.name} is known, so cost is unknown: give cluster.node a node file with `rent`, or "
            "--catalog a folder with prices.csv"
        )
    return notes


def binding(setting: Setting, best: Priced, rejected: Mapping[str, int]) -> tuple[str, ...]:
    """Limits that hold the best plan back: those it comes within 5% of, and memory where it shut out layouts."""
    bounds, out = setting.ask.bounds(), []
    if rejected.get("memory"):
        out.append("memory")
    power = site_power(setting, best.estimate)
    pairs = (
        ("deadline", best.time, bounds.deadline),
        ("money", best.cost, bounds.money),
        ("power", power, bounds.power),
    )
    out += [name for name, value, limit in pairs if value is not None and limit is not None and value > 0.95 * limit]
    return (*out, "chips")


def provenance(setting: Setting) -> dict[str, Any]:
    """Fits, tuning and failure record behind the numbers."""
    arch = cases.architecture_of(setting.cluster)
    return {
        "fits": {"architecture": arch, "gemm": fits.record("gemm")["input"], "training": tuning.record()["input"]},
        "tuning": setting.case.tuning._asdict(),
        "framework": setting.case.framework or "pooled",
        "checkpoint_interval": checkpoint_every(setting),
    }
