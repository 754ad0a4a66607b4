"""Inputs that are asked of a model, of an iteration that serves it, and of a serving plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exaplan import ask as asks
from exaplan.answers.serving import Served, ServePlan
from exaplan.case import architecture_of
from exaplan.case.serving import ServeCase, Shape, iteration, serve
from exaplan.catalog import serving_fits
from exaplan.catalog.engines import fitted
from exaplan.errors import InputError
from exaplan.models.count import parameters
from exaplan.models.serving import Cache, caches
from exaplan.nouns import Figure, Model
from exaplan.nouns.serving import Formats, Replica, Settings
from exaplan.planning.casebook.asking import Found, Question

CUTS = ("tp", "pp", "dp", "ep")
UNITS = {"cost": "USD", "energy": "J", "carbon": "kg", "power": "W", "capital": "USD", "memory": "B", "chips": "chips"}
METRICS = {"throughput": "tokens/s", "requests": "1/s", "capacity": "1/s", "goodput": "1/s"}


# ---------------------------------------------------------------------------------------------------------- model


def model(ask: Question) -> Found:
    """A figure of a model: parameters, active, a dimension, or of its cache at 16 bit: kv, kv_windowed [B per token in
    layers that see everything, and in those with a window], kv_window [tokens], kv_latent."""
    found, name = ask.catalog.model(ask.text("name"), near=ask.near, place=ask.place), ask.text("field")
    sources = _sources(found.figures)
    counted = _counted(found)
    if name in counted:
        return Found(counted[name][0], counted[name][1], sources=sources)
    value = found.spec.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ask.fail(f"`{found.name}` has no figure `{name}`", [*counted, *(str(key) for key in found.spec)])
    figure = found.figures.get(name)
    return Found(float(value), "1", sources=(figure.source,) if figure else sources)


def _counted(model: Model) -> dict[str, tuple[float, str]]:
    total, active = parameters(model)
    kept = caches(model)
    whole = sum(_bytes(kind) for kind in kept if not kind.window)
    windowed = sum(_bytes(kind) for kind in kept if kind.window)
    return {
        "parameters": (float(total), "1"),
        "active": (float(active), "1"),
        "kv": (whole, "B/token"),
        "kv_windowed": (windowed, "B/token"),
        "kv_window": (float(max((kind.window for kind in kept), default=0)), "tokens"),
    }


def _bytes(kind: Cache) -> float:
    """Bytes per token that layers of a kind keep at 16 bit; a recurrent state keeps none."""
    held = kind.latent + kind.rope if kind.latent else kind.kv_heads * (kind.key + kind.value)
    return 0.0 if kind.state else 2.0 * kind.layers * (held + kind.index)


def _sources(figures: Mapping[str, Figure]) -> tuple[str, ...]:
    """Sources of a model's dimensions, the one that states most first."""
    told = [figure.source for name, figure in figures.items() if not name.startswith("published.")]
    return tuple(sorted(dict.fromkeys(told), key=lambda source: -told.count(source)))[:3]


# ------------------------------------------------------------------------------------------------------ iteration


def step(ask: Question) -> Found:
    """One copy of a model on chips: what an iteration of ``seqs`` sequences of ``context`` tokens takes, or one that
    reads prompts of ``prompt`` tokens behind ``past`` cached ones (one on each of its attention ranks).

    Fields: time [s], rate [tokens/s of the copy], speed [tokens/s of a sequence], weights [B per chip], kv_token [B per
    token and chip], kv_tokens [tokens that fit in the copy], needs [B per chip at least].
    """
    case = ask.once("step", lambda: _case(ask))
    name, ranks = ask.text("field"), float(case.replica.dp)
    prompt = _number(ask, "prompt", 0.0)
    seqs, context = _number(ask, "seqs", 0.0 if prompt else 1.0), _number(ask, "context", 1024.0)
    if not prompt and not seqs:
        hint = "give `seqs` or `prompt`, one of them above zero"
        raise InputError("an iteration without sequences and prompts does nothing", hint=hint, place=ask.place)
    shape = Shape(prompt * ranks, _number(ask, "past", 0.0), ranks if prompt else 0.0, seqs, seqs * context)
    time = iteration(case, shape)
    work = prompt * ranks + seqs
    told = {
        "time": (time, "s"),
        "rate": (work / time, "tokens/s"),
        "speed": (1.0 / time, "tokens/s"),
        "weights": (case.weights, "B/chip"),
        "kv_token": (case.kv_token, "B/token"),
        "kv_tokens": (float(max(case.kv_tokens, 0)), "tokens"),
        "needs": (case.needs, "B/chip"),
    }
    if name not in told:
        raise ask.fail(f"an iteration has no `{name}`", told)
    low, high = _ends(case, name, told[name][0], bool(prompt))
    return Found(told[name][0], told[name][1], low, high, _origins(case))


def _case(ask: Question) -> ServeCase:
    catalog, place = ask.catalog, ask.place
    replica = Replica(**{cut: int(_number(ask, cut, 1.0)) for cut in CUTS})
    chip = catalog.chip(ask.text("chip"), near=ask.near, place=place)
    node = catalog.node(ask.text("node"), near=ask.near, place=place) if "node" in ask.given else None
    engine = fitted(
        catalog.engine(ask.text("engine", "pooled"), place=place),
        chip,
        ask.text("usage", "server"),
        ask.text("release"),
    )
    settings = Settings(engine.name, Formats(ask.text("weights", "bf16"), ask.text("kv", "bf16")))
    found = catalog.model(ask.text("model"), near=ask.near, place=place)
    return serve(found, catalog.assemble(chip, replica.chips, node), engine, settings, replica)


def _number(ask: Question, key: str, default: float) -> float:
    value = ask.given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise InputError(f"`{key}` = {value} is no number", hint="write a number, zero or more", place=ask.place)
    return float(value)


def _ends(case: ServeCase, name: str, value: float, prompt: bool) -> tuple[float | None, float | None]:
    """The 80% interval of a time or rate, from the calibration of the engine on this kind of chip."""
    if name not in ("time", "rate", "speed"):
        return None, None
    kind = architecture_of(case.cluster)
    spread = serving_fits.ranges(case.engine.name, kind, case.settings.formats.weights, case.model.experts > 0)
    low, high = spread["ttft" if prompt else "tpot"]
    return (value * low, value * high) if name == "time" else (value / high, value / low)


def _origins(case: ServeCase) -> tuple[str, ...]:
    """Where chip and engine were read."""
    figures = (case.cluster.chip.figures.get("bandwidth"), case.engine.figures.get("max_seqs"))
    return tuple(dict.fromkeys(figure.source for figure in figures if figure))


# ----------------------------------------------------------------------------------------------------------- plan


def served(ask: Question) -> Found:
    """One figure of the best plan of a bundled serving ask: chips, cost, power, metrics.ttft, margin.break_even, ..."""
    from exaplan.planning.serving import plan_serving  # imported when it is asked: most cases ask nothing of it

    document = ask.catalog.ask(ask.text("name"), place=ask.place)
    question = asks.parse(document.value, document.place)
    if not isinstance(question, asks.ServeAsk):
        hint = "name a serving ask; `exaplan asks` lists them"
        raise InputError(f"`{ask.text('name')}` asks for no serving", hint=hint, place=ask.place)
    found: Served = ask.once("serve", lambda: plan_serving(question, ask.catalog, 1))
    told, name = _told(found.plans[0]), ask.text("field")
    if name not in told:
        raise ask.fail(f"a serving plan has no `{name}`", told)
    value, unit = told[name]
    low, high = found.plans[0].ranges.get(name.removeprefix("metrics."), (None, None))
    sources = tuple(dict.fromkeys(offer.source for offer in found.plans[0].offers if offer.source))
    return Found(value, unit, low, high, sources or _sources(found.model.figures))


def _told(plan: ServePlan) -> dict[str, tuple[Any, str]]:
    out: dict[str, tuple[Any, str]] = {name: (getattr(plan, name, None), unit) for name, unit in UNITS.items()}
    out |= {"chips": (float(plan.deployment.chips), "chips")}
    out |= {f"metrics.{name}": (value, METRICS.get(name, "s")) for name, value in plan.metrics.items()}
    out |= {f"per_million.{name}": (value, "USD") for name, value in plan.per_million.items()}
    out |= {f"margin.{name}": (value, "1") for name, value in plan.margin.items()}
    return out
