"""A layout with time, money, energy and carbon of the whole work, each with its range."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from exaplan import case as cases
from exaplan import cost, draws
from exaplan.answers import Priced
from exaplan.case import Case
from exaplan.catalog import tuning
from exaplan.errors import InputError
from exaplan.models import count as counting
from exaplan.nouns import Estimate, Figure, Layout
from exaplan.perf.goodput import checkpoint_interval, goodput, mean_time_between_failures
from exaplan.perf.memory import total_memory
from exaplan.perf.power import PowerFit, chip_power, wall_power
from exaplan.perf.step import Terms, step_memory, step_terms
from exaplan.planning.resolving import Setting, fill
from exaplan.search import arguments

HOUR = 3600.0


class Rent(NamedTuple):
    """Rent of one chip [USD/s] with the figure that it came from (USD per chip-hour or node-hour)."""

    rate: float
    figure: Figure
    unit: float  # USD per chip-second in one unit of the figure


def price(setting: Setting, layout: Layout) -> Priced:
    """A layout with time, money, energy and carbon of the whole work, each with its range."""
    made, interval = assess(setting, layout)
    good, band = useful_share(setting)
    nodes, memory = nodes_of(setting), memory_range(made)
    if setting.ask.tokens is None:
        return Priced(made, nodes, goodput=good, ranges={"goodput": band, "memory": memory})
    steps = setting.ask.tokens / (setting.case.training.seq_len * setting.case.training.global_batch)
    time = made.step_time * steps / good
    span = draws.product(interval, made.step_time, draws.Interval(steps / band[1], steps / band[0]), steps / good)
    site, chips = setting.cluster.site, setting.cluster.count
    ranges = {"time": span, "goodput": band, "memory": memory}
    joules = None if made.power is None else cost.energy_used(made.power, chips, time)
    if made.power is not None and joules is not None:
        energy = _energy(span, time, made.power * chips)
        ranges |= {"energy": energy, "carbon": _times(energy, joules, site.figures.get("carbon"), site.carbon)}
    rent = rent_of(setting)
    if rent:
        ranges["cost"] = _times(span, time, rent.figure, rent.rate * chips, rent.unit * chips)
    return Priced(
        made,
        nodes,
        time=time,
        cost=cost.rent_cost(rent.rate, chips, time) if rent else None,
        energy=joules,
        carbon=None if joules is None else cost.carbon_emitted(joules, site.carbon),
        goodput=good,
        ranges={name: (value[0], value[1]) for name, value in ranges.items()},
        price_source=rent.figure.source if rent else "",
    )


def rent_of(setting: Setting) -> Rent | None:
    """Rent of the node where it is an offer with a rent of its own, else the usual rent of the chip, else None."""
    node = setting.cluster.node
    if node.rent is not None and "rent" in node.figures:
        unit = 1.0 / node.chips / HOUR
        return Rent(node.rent * unit, node.figures["rent"], unit)
    figure = setting.catalog.price(setting.cluster.chip.name, "rent")
    if figure is None or figure.value is None:
        return None
    return Rent(figure.value / HOUR, figure, 1.0 / HOUR)


def _energy(span: draws.Interval, time: float, power: float) -> draws.Interval:
    low, high = power_band()
    return draws.product(span, time, draws.Interval(low * power, high * power), power)


def _times(
    first: draws.Interval, value: float, figure: Figure | None, factor: float, unit: float = 1.0
) -> draws.Interval:
    """Interval of value x factor, widened by what the figure's sources span."""
    second = None
    if figure and figure.low is not None and figure.high is not None:
        second = draws.Interval(min(figure.low * unit, factor), max(figure.high * unit, factor))
    return draws.product(first, value, second, factor)


def site_power(setting: Setting, made: Estimate) -> float | None:
    """Power of all chips at the meter. [W]; None = unknown."""
    return None if made.power is None else made.power * setting.cluster.count


def nodes_of(setting: Setting) -> int:
    """Nodes that the chips fill."""
    return -(-setting.cluster.count // setting.cluster.node.chips)


def memory_range(made: Estimate) -> tuple[float, float]:
    """Memory as the allocator may use it: without the reserve, and with twice the reserve. [B]"""
    reserve = made.memory_terms.get("reserve", 0.0)
    return made.memory - reserve, made.memory + reserve


# ------------------------------------------------------------------------------------------------- one step


def terms_of(case: Case, layout: Layout) -> Terms:
    """All terms of one layout by the plain functions."""
    ops, blocks, kinds, cut, hw, job = arguments(case, layout)
    return step_terms(ops, blocks, kinds, cut, hw, job, case.tuning)


def layout_range(setting: Setting, layout: Layout) -> draws.Interval:
    """80% interval of a layout's step time."""
    return _interval(setting, layout, terms_of(setting.case, layout))


def _interval(setting: Setting, layout: Layout, terms: Terms) -> draws.Interval:
    training = setting.case.training
    doubt = draws.Doubt(cases.architecture_of(setting.cluster), training.attention, training.method == "lora", 0)
    return draws.interval(terms.total, draws.parts(terms, cases.job(setting.case, layout), doubt))


def assess(setting: Setting, layout: Layout) -> tuple[Estimate, draws.Interval]:
    """The Estimate of a layout, recentred on the asker's own measurement if there is one, and its interval."""
    case = setting.case
    terms = terms_of(case, layout)
    factor, interval = _recentred(setting, layout, terms)
    ops, blocks, kinds, cut, hw, job = arguments(case, layout)
    memory = step_memory(ops, blocks, kinds, case.model.vocab, cut, hw, job, case.tuning)
    step = float(terms.total * factor)
    flops = step_flops(setting)
    peak = cases.peak_of(case.cluster, cases.PRECISIONS[case.training.precision][0])
    made = Estimate(
        layout=layout,
        step_time=step,
        low=float(interval.low),
        high=float(interval.high),
        memory=float(total_memory(memory)),
        mfu=flops / (step * peak * layout.chips),
        power=power_of(setting, terms),
        flops=flops,
        breakdown={name: float(value * factor) for name, value in terms._asdict().items() if name != "total"},
        memory_terms={name: float(value) for name, value in memory._asdict().items()},
        assumptions=setting.assumptions,
    )
    return made, draws.Interval(made.low, made.high)


def _recentred(setting: Setting, layout: Layout, terms: Terms) -> tuple[float, draws.Interval]:
    """(observed over predicted step time of the asker's own layout, else 1; interval of this layout's time)."""
    observed = setting.ask.observed.step_time
    if observed is None:
        return 1.0, _interval(setting, layout, terms)
    own = setting.ask.whole_layout()
    if own is None:
        raise InputError(
            "an observed step time needs the layout that it was measured with",
            hint="give layout.dp, layout.tp and layout.pp",
            place=setting.ask.place("observed", "step_time"),
        )
    own = fill(setting, own)
    factor = observed / terms_of(setting.case, own).total
    return factor, draws.observed_interval(terms.total * factor, layout == own)


def step_flops(setting: Setting) -> float:
    """Model FLOPs of a step in the MFU convention: 6 N D + causal attention, nothing recomputed. [FLOP]"""
    training = setting.case.training
    tokens = training.seq_len * training.global_batch
    return float(counting.model_flops(setting.model, training.seq_len, tokens, causal=True))


# --------------------------------------------------------------------------------------------- power, failures


@lru_cache(maxsize=1)
def _power_record() -> Mapping[str, Any]:
    found: Mapping[str, Any] = tuning.yaml_data("fits/power.yaml")
    return found


def power_band() -> tuple[float, float]:
    """Relative 80% band of the power estimate. [ratio]"""
    record = _power_record()
    return float(record["low"]), float(record["high"])


def power_known(setting: Setting) -> bool:
    """Whether the rating of the chip or of its node is known."""
    return bool(setting.cluster.chip.power or setting.cluster.node.power)


def power_of(setting: Setting, terms: Terms) -> float | None:
    """Average power at the meter per chip. [W]; the TDP of a chip whose power is unknown is taken from its node.

    None where neither is known.
    """
    cluster = setting.cluster
    node = cluster.node.power
    tdp = cluster.chip.power or (node / cluster.node.chips if node else None)
    if tdp is None:
        return None
    fit = PowerFit(**{name: float(value) for name, value in _power_record()["coefficients"].items()})
    matrix, passes = terms.product + terms.attention, terms.vector + terms.optimizer
    again = 1.0 + terms.recompute / (matrix + passes)  # what is computed again is split as the rest
    chip = chip_power(tdp, again * matrix, again * passes, terms.total, fit)
    chip = min(chip, cluster.power_cap or chip)
    return wall_power(chip, tdp, node if node else tdp * cluster.node.chips, cluster.node.chips, cluster.site.pue)


def _checkpoint_time(setting: Setting, record: Mapping[str, Any]) -> float:
    """Time to write one checkpoint of the whole state. [s]"""
    total, _ = counting.parameters(setting.model)
    return float(record["state"]["value"]) * total / (float(record["storage"]["value"]) * setting.cluster.count)


def useful_share(setting: Setting) -> tuple[float, tuple[float, float]]:
    """Goodput and its range from failures, checkpoints and restarts (data/fits/goodput.yaml). [ratio]"""
    record = tuning.yaml_data("fits/goodput.yaml")
    write = _checkpoint_time(setting, record)

    def share(end: str) -> float:
        between = mean_time_between_failures(float(record["interruptions"][end]), setting.cluster.count)
        return goodput(write, float(record["restart"][end]), between)

    return share("value"), (share("high"), share("low"))


def checkpoint_every(setting: Setting) -> float:
    """Work between two checkpoints that loses least. [s]"""
    record = tuning.yaml_data("fits/goodput.yaml")
    between = mean_time_between_failures(float(record["interruptions"]["value"]), setting.cluster.count)
    return checkpoint_interval(_checkpoint_time(setting, record), between)
