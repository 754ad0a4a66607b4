"""How deployments, engines and promises are called on a screen, and the values that an engine runs with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exaplan.answers.serving import Served, ServePlan
from exaplan.nouns.serving import Deployment, Engine, Lengths, Promise, Replica, Settings
from exaplan.report.screen import amount
from exaplan.report.words import word

DEGREES = ("tp", "pp", "cp", "dp", "ep")
NAMES = ("ttft", "tpot", "latency")  # what can be promised
#: engine's field -> the setting of a plan that overrides it
OVERRIDES = ("max_seqs", "max_tokens", "chunked", "prefix_cache", "memory_share")
NONE = "–"  # noqa: RUF001


def replica_text(replica: Replica) -> str:
    """How a copy is cut, in as few words as there are: ``tp 4 pp 2``."""
    found = [(name, getattr(replica, name)) for name in DEGREES]
    return " ".join(f"{name} {degree}" for name, degree in found if degree > 1) or "tp 1"


def deployment_text(deployment: Deployment) -> str:
    """Copies and how each is cut: ``2 x tp 4``; with the copies that read prompts where there are such."""
    told = f"{deployment.replicas:,} x {replica_text(deployment.replica)}"
    if deployment.prefill is None:
        return told
    prompts = f"{deployment.prefill_replicas:,} x {replica_text(deployment.prefill)}"
    return word("serving.split", prefill=prompts, decode=told)


def formats_text(settings: Settings) -> str:
    """Number formats of weights and KV cache: ``fp8, KV fp8``."""
    return f"{settings.formats.weights}, KV {settings.formats.kv}"


def chosen(settings: Settings, engine: Engine | None) -> dict[str, Any]:
    """What the engine runs with: the plan's value, else the engine's own, else None."""
    found = {}
    for name in OVERRIDES:
        value = getattr(settings, name)
        found[name] = getattr(engine, name, None) if value is None else value
    return found


def engine_of(served: Served, plan: ServePlan, engines: Mapping[str, Engine] | None = None) -> Engine | None:
    """The engine of a plan: that of the answer where it bears its name, else the catalogue's; None: unknown."""
    name = plan.deployment.settings.engine
    if name in (served.engine.name, *served.engine.aliases):
        return served.engine
    return engines[name] if engines is not None and name in engines else None


def engine_text(settings: Settings, engine: Engine | None) -> str:
    """Everything that an engine is told, in one line."""
    return word("law.comma").join([settings.engine, formats_text(settings), *switches(settings, engine)])


def switches(settings: Settings, engine: Engine | None) -> list[str]:
    """Caps, and what is on, of an engine."""
    values = chosen(settings, engine)
    told = [word(f"serving.{name}", n=f"{values[name]:,}") for name in ("max_seqs", "max_tokens") if values[name]]
    told += [word(f"serving.{name}") for name in ("chunked", "prefix_cache") if values[name]]
    if settings.speculative is not None:
        told.append(word("serving.drafts", n=settings.speculative.length, draft=settings.speculative.draft))
    if settings.lora is not None:
        told.append(word("serving.lora", n=settings.lora[0], rank=settings.lora[1]))
    if settings.offload:
        told.append(word("serving.offload", size=amount(settings.offload, "bytes")))
    return told


def lengths_text(lengths: Lengths) -> str:
    """``1,024`` or ``256 (lognormal, cv 0.5)`` or ``1 to 100``; of a trace those of its file."""
    if lengths.kind == "trace":
        return word("serving.of_file")
    mean = f"{lengths.mean:,.0f}"
    if lengths.kind == "uniform":
        return word("serving.between", low=f"{lengths.low:,}", high=f"{lengths.high:,}")
    return mean if lengths.kind == "fixed" else f"{mean} ({lengths.kind}, cv {lengths.cv:g})"


def at_percentile(name: str, promise: Promise) -> str:
    """The name of a metric at the promise's percentile: ``ttft_p99``."""
    return f"{name}_p{promise.percentile:g}"


def metric_name(key: str) -> str:
    """A metric in words: ``p99 TTFT`` of ``ttft_p99``."""
    name, at, rank = key.rpartition("_p")
    if at and name in NAMES and rank.replace(".", "").isdigit():
        return word("serving.at", percentile=rank, name=word(f"serving.metrics.{name}"))
    return word(f"serving.metrics.{key}")
