"""The orchestrator: an ask becomes a case, a case is searched or taken as it stands, and the best get prices and ranges."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from exaplan import case as cases
from exaplan import cost, draws
from exaplan.answers import Answer, Priced
from exaplan.ask import Ask
from exaplan.case import Case
from exaplan.catalog import Catalog, fits, tuning
from exaplan.errors import InputError, NoPlan
from exaplan.models import count as counting
from exaplan.models.lora import DEFAULT_TARGETS, with_lora
from exaplan.models.spec import spec_from_mapping
from exaplan.models.transformer import build
from exaplan.nouns import Cluster, Estimate, Figure, Layout, Model
from exaplan.perf.goodput import checkpoint_interval, goodput, mean_time_between_failures
from exaplan.perf.memory import total_memory
from exaplan.perf.power import PowerFit, chip_power, wall_power
from exaplan.perf.step import Terms, step_memory, step_terms
from exaplan.search import Found, arguments, search

HOUR = 3600.0
MEMORY_MARGIN = 0.95  # share of a chip's memory that a plan may fill; its own estimate already holds a reserve


@dataclass(frozen=True)
class Setting:
    """An ask with its references resolved."""

    ask: Ask
    catalog: Catalog
    model: Model
    cluster: Cluster
    case: Case
    assumptions: tuple[str, ...]


def plan(ask: Ask, catalog: Catalog, top: int = 5) -> Answer:
    """The best layouts of the asked cluster, by the upper end of their range."""
    setting = resolve(ask, catalog)
    start = clock.process_time()
    found = search(setting.case, setting.cluster.count, ask.fixed())
    if not found.layouts:
        raise _nothing_legal(setting, found)
    rejected, order = rank(setting, found)
    spent = clock.process_time() - start
    if not order:
        raise _nothing_fits(setting, found)
    best = [price(setting, found.layouts[i]) for i in order[: max(1, top)]]
    kept = within_limits(setting, best)
    return answer(setting, tuple(kept), rejected, len(found.layouts), len(found.layouts) / max(spent, 1e-9))


def estimate(ask: Ask, catalog: Catalog) -> Answer:
    """One layout, term by term: the asked one, or the best where some of it was left open."""
    layout = ask.whole_layout()
    if layout is None:
        return replace(plan(ask, catalog, 1), kind="training")
    setting = resolve(ask, catalog)
    layout = fill(setting, layout)
    check(setting, layout)
    priced = price(setting, layout)
    capacity = setting.case.hardware.memory
    if priced.estimate.memory > capacity:
        raise _too_big(setting, priced)
    kept = within_limits(setting, [priced])
    return answer(setting, tuple(kept), {}, 1, None)


# ------------------------------------------------------------------------------------------------- resolving


def resolve(ask: Ask, catalog: Catalog) -> Setting:
    """Model, cluster and case of an ask."""
    model, notes = find_model(ask, catalog)
    if ask.work.method == "lora":
        model = with_lora(model, ask.work.rank, ask.work.targets or DEFAULT_TARGETS)
    cluster = find_cluster(ask, catalog)
    training = ask.training()
    known = {str(entry[key]) for entry in tuning.frameworks() for key in ("generation", "family")}
    if training.framework and training.framework not in known:
        raise InputError(
            f"unknown framework {training.framework!r}",
            hint="known: " + ", ".join(sorted(known)) + "; leave it out for the pooled fit",
            place=ask.place("work", "framework"),
        )
    if model.max_seq and training.seq_len > model.max_seq:
        notes = (*notes, f"seq_len {training.seq_len} is beyond the model's {model.max_seq} positions")
    _check_precision(ask, cluster)
    return Setting(ask, catalog, model, cluster, cases.make(model, training, cluster), notes)


def find_model(ask: Ask, catalog: Catalog) -> tuple[Model, tuple[str, ...]]:
    """The model by name, file, or inline dimensions."""
    if isinstance(ask.model, Mapping):
        return build(spec_from_mapping(ask.model, ask.place("model"))), ()
    return catalog.model(ask.model, near=ask.folder, place=ask.place("model")), ()


def find_cluster(ask: Ask, catalog: Catalog) -> Cluster:
    """The cluster: a named one, or chips in their usual node, fabric and site unless the ask says otherwise."""
    part = ask.cluster
    text = {name: _reference(ask, name) for name in ("name", "chip", "node", "fabric", "site")}
    if text["name"]:
        named = catalog.cluster(text["name"], near=ask.folder, place=ask.place("cluster", "name"))
        return replace(named, count=part.count or named.count)
    near = ask.folder
    node = catalog.node(text["node"], near=near, place=ask.place("cluster", "node")) if text["node"] else None
    name = text["chip"] or (node.chip if node else "")
    chip = catalog.chip(name, near=near, place=ask.place("cluster", "chip"))
    if node and node.chip != chip.name:
        raise InputError(
            f"node {node.name} holds {node.chip}, not {chip.name}",
            hint="leave out one of cluster.chip and cluster.node",
            place=ask.place("cluster", "node"),
        )
    fabric = catalog.fabric(text["fabric"], near=near, place=ask.place("cluster", "fabric")) if text["fabric"] else None
    site = catalog.site(text["site"], near=near, place=ask.place("cluster", "site")) if text["site"] else None
    made = catalog.assemble(chip, part.count or 1, node, fabric, site)
    return made if part.count else replace(made, name=f"{made.node.chips}x {chip.name}", count=made.node.chips)


def _reference(ask: Ask, name: str) -> str:
    value = getattr(ask.cluster, name)
    if isinstance(value, Mapping):
        raise InputError(
            f"cluster.{name} cannot be described inline",
            hint="put it into a file of its own and give its path",
            place=ask.place("cluster", name),
        )
    return value or ""


def _check_precision(ask: Ask, cluster: Cluster) -> None:
    wanted = cases.PRECISIONS[ask.work.precision][0]
    if cluster.chip.peak.get(wanted) is None:
        known = sorted(p for p, (peak, _, _) in cases.PRECISIONS.items() if cluster.chip.peak.get(peak) is not None)
        raise InputError(
            f"chip {cluster.chip.name} has no known dense {wanted} rate, so precision {ask.work.precision} has no answer",
            hint="choose " + ", ".join(known),
            place=ask.place("work", "precision"),
        )


def fill(setting: Setting, layout: Layout) -> Layout:
    """A whole layout with what the ask left out: cp by the chips, etp by ep, dp checked against the count."""
    given = setting.ask.fixed()
    if "cp" not in given and setting.ask.cluster.count:
        cp = setting.cluster.count // max(1, layout.dp * layout.tp * layout.pp)
        layout = replace(layout, cp=max(1, cp))
    if "etp" not in given:
        layout = replace(layout, etp=1 if layout.ep > 1 else layout.tp)
    return layout


def check(setting: Setting, layout: Layout) -> None:
    """Refuse layouts that cannot exist, with the field and the remedy."""
    ask, model, count = setting.ask, setting.model, setting.cluster.count
    if layout.chips != count:
        raise _bad(ask, "layout", f"dp x tp x pp x cp = {layout.chips:,}, but the cluster has {count:,} chips",
                   "make the product equal to cluster.count")
    heads = [op for block in model.blocks for op in block.operators if op.kind in ("attention", "scan")]
    for op in heads:
        if op.heads % layout.tp:
            raise _bad(ask, "layout.tp", f"{op.heads} heads of {model.name} do not divide over tp = {layout.tp}",
                       f"use a tp that divides {op.heads}")
    if layout.pp * layout.vpp > len(model.layers):
        raise _bad(ask, "layout.pp", f"pp x vpp = {layout.pp * layout.vpp} exceeds {len(model.layers)} layers",
                   "use fewer stages or chunks")
    share = setting.case.training.global_batch / (layout.dp * layout.micro_batch)
    if share != int(share) or share < 1:
        raise _bad(ask, "work.global_batch",
                   f"global_batch {setting.case.training.global_batch} does not divide over dp {layout.dp} x micro_batch "
                   f"{layout.micro_batch}", "make global_batch a multiple of dp x micro_batch")
    ranks = layout.dp * layout.cp * layout.tp
    if layout.ep > 1 and (not model.experts or model.experts % layout.ep or ranks % (layout.ep * layout.etp)):
        raise _bad(ask, "layout.ep", f"ep = {layout.ep} does not divide {model.experts} experts over {ranks} ranks",
                   "use an ep that divides the experts and dp x cp x tp")
    _check_recompute(ask, layout)


def _check_recompute(ask: Ask, layout: Layout) -> None:
    try:
        cases.cut(layout)
    except (KeyError, ValueError) as error:
        raise _bad(ask, "layout.recompute", f"unknown recompute setting {layout.recompute!r}",
                   "none, selective, full, full:0.5, or module names: layernorm, core_attn, mlp, mlp_act, moe, ...") from error


def _bad(ask: Ask, field: str, problem: str, hint: str) -> InputError:
    place = ask.place(*field.split("."))
    return InputError(problem, hint=hint, place=place if place.field else replace(place, field=field))


# --------------------------------------------------------------------------------------------------- choosing


def rank(setting: Setting, found: Found) -> tuple[dict[str, int], list[int]]:
    """(rejected by reason, indices of layouts that fit the memory, best first).

    Cost, energy and carbon of one cluster grow with time, so every objective ranks by time; ties by memory.
    """
    limit = MEMORY_MARGIN * setting.case.hardware.memory
    fits_in = [i for i in range(len(found.layouts)) if found.memory[i] <= limit]
    rejected = dict(found.rejected)
    rejected["memory"] = len(found.layouts) - len(fits_in)
    shortlist = sorted(fits_in, key=lambda i: (found.time[i], found.memory[i]))[:64]
    upper = {i: layout_range(setting, found.layouts[i]).high for i in shortlist}
    return {k: v for k, v in rejected.items() if v}, sorted(shortlist, key=lambda i: (upper[i], found.memory[i]))


def layout_range(setting: Setting, layout: Layout) -> draws.Interval:
    """80% interval of a layout's step time."""
    return _interval(setting, layout, terms_of(setting.case, layout))


def terms_of(case: Case, layout: Layout) -> Terms:
    """All terms of one layout by the plain functions."""
    ops, blocks, kinds, cut, hw, job = arguments(case, layout)
    return step_terms(ops, blocks, kinds, cut, hw, job, case.tuning)


def _interval(setting: Setting, layout: Layout, terms: Terms) -> draws.Interval:
    case = setting.case
    _, _, _, cut, hw, job = arguments(case, layout)
    arch = cases.architecture_of(case.cluster)
    found = draws.features(terms, cut, hw, job, arch, case.framework, 0)
    return draws.interval(terms.total, found, arch)


def within_limits(setting: Setting, priced: list[Priced]) -> list[Priced]:
    """Those that meet every limit; NoPlan with the nearest miss where none does."""
    kept = [item for item in priced if not missed(setting, item)]
    if kept:
        return kept
    item = priced[0]
    limit, need = missed(setting, item)[0]
    raise NoPlan(
        f"no layout of {setting.cluster.count:,} x {setting.cluster.chip.name} meets the limits",
        limit=limit,
        nearest=need,
        hint="loosen the limit, or ask for another count or chip",
    )


def missed(setting: Setting, item: Priced) -> list[tuple[str, str]]:
    """(limit, what the plan needs instead) for every limit that a plan breaks."""
    bounds, out = setting.ask.bounds(), []
    if bounds.count is not None and setting.cluster.count > bounds.count:
        out.append(("count", f"{setting.cluster.count:,} chips against {bounds.count:,}"))
    if bounds.deadline is not None and item.time is not None and item.time > bounds.deadline:
        out.append(("deadline", f"{item.time / 86400:.3g} d against {bounds.deadline / 86400:.3g} d"))
    if bounds.money is not None and item.cost is not None and item.cost > bounds.money:
        out.append(("money", f"${item.cost:,.0f} against ${bounds.money:,.0f}"))
    power = item.estimate.power * setting.cluster.count
    if bounds.power is not None and power > bounds.power:
        out.append(("power", f"{power / 1e6:.3g} MW against {bounds.power / 1e6:.3g} MW"))
    return out


def _nothing_legal(setting: Setting, found: Found) -> InputError:
    reasons = ", ".join(f"{reason}: {number}" for reason, number in found.rejected.items()) or "no degrees fit"
    return InputError(
        f"no legal layout of {setting.model.name} on {setting.cluster.count:,} chips ({reasons})",
        hint="change cluster.count or work.global_batch, or free a field of layout",
        place=setting.ask.place("layout"),
    )


def _nothing_fits(setting: Setting, found: Found) -> NoPlan:
    best = int(found.memory.argmin())
    layout, need, have = found.layouts[best], found.memory[best], setting.case.hardware.memory
    return NoPlan(
        f"{setting.model.name} does not fit on {setting.cluster.count:,} x {setting.cluster.chip.name}",
        limit="memory",
        nearest=f"tp {layout.tp}, pp {layout.pp}, dp {layout.dp}, cp {layout.cp}, ep {layout.ep}, recompute "
        f"{layout.recompute} needs {need / 2**30:.1f} GiB of {have / 2**30:.1f} GiB per chip",
        hint="use more chips, a chip with more memory, method: lora, or a smaller model",
    )


def _too_big(setting: Setting, priced: Priced) -> NoPlan:
    need, have = priced.estimate.memory, setting.case.hardware.memory
    terms = sorted(priced.estimate.memory_terms.items(), key=lambda item: -item[1])[:2]
    largest = " and ".join(f"{name} {value / 2**30:.1f} GiB" for name, value in terms)
    return NoPlan(
        f"this layout of {setting.model.name} does not fit: {need / 2**30:.1f} GiB of {have / 2**30:.1f} GiB per chip",
        limit="memory",
        nearest=f"{need / have - 1:.0%} too much; the largest parts are {largest}",
        hint="cut it over more chips (tp, pp, zero: 3), recompute: full, or leave the layout open for `exaplan plan`",
    )


# --------------------------------------------------------------------------------------------------- pricing


def price(setting: Setting, layout: Layout) -> Priced:
    """A layout with time, money, energy and carbon of the whole work, each with its range."""
    made, interval = assess(setting, layout)
    site, chips = setting.cluster.site, setting.cluster.count
    good = useful_share(setting)
    tokens = setting.ask.tokens
    if tokens is None:
        return Priced(made, nodes_of(setting), goodput=good[0], ranges={"goodput": good[1], "memory": memory_range(made)})
    steps = tokens / (setting.case.training.seq_len * setting.case.training.global_batch)
    factor = steps / good[0]
    span = draws.product(interval, made.step_time, draws.Interval(steps / good[1][1], steps / good[1][0]), factor)
    time = made.step_time * factor
    joules = cost.energy_used(made.power, chips, time)
    band = power_band()
    energy = draws.product(span, time, draws.Interval(band[0] * made.power * chips, band[1] * made.power * chips),
                           made.power * chips)
    carbon = _times(energy, joules, site.figures.get("carbon"), site.carbon)
    rent = setting.catalog.price(setting.cluster.chip.name, "rent")
    money, money_range = _rent(setting, rent, time, span)
    ranges = {"time": span, "energy": energy, "carbon": carbon, "goodput": good[1], "memory": memory_range(made)}
    if money_range:
        ranges["cost"] = money_range
    return Priced(
        made,
        nodes_of(setting),
        time=time,
        cost=money,
        energy=joules,
        carbon=cost.carbon_emitted(joules, site.carbon),
        goodput=good[0],
        ranges={name: (value[0], value[1]) for name, value in ranges.items()},
        price_source=rent.source if rent else "",
    )


def _rent(
    setting: Setting, rent: Figure | None, time: float, span: draws.Interval
) -> tuple[float | None, draws.Interval | None]:
    """Rent of the chips, or of the node where the cluster's node is an instance with its own rent."""
    node, chips = setting.cluster.node, setting.cluster.count
    if node.rent is not None and node.provider:
        rate = node.rent / node.chips / HOUR
        return cost.rent_cost(rate, chips, time), draws.Interval(span.low * rate * chips, span.high * rate * chips)
    if rent is None or rent.value is None:
        return None, None
    rate = rent.value / HOUR
    return cost.rent_cost(rate, chips, time), _times(span, time, rent, rate * chips, chips / HOUR)


def _times(
    first: draws.Interval, value: float, figure: Figure | None, factor: float, unit: float = 1.0
) -> draws.Interval:
    """Interval of value x factor, widened by what the figure's sources span."""
    second = None
    if figure and figure.low is not None and figure.high is not None:
        second = draws.Interval(min(figure.low * unit, factor), max(figure.high * unit, factor))
    return draws.product(first, value, second, factor)


def nodes_of(setting: Setting) -> int:
    """Nodes that the chips fill."""
    return -(-setting.cluster.count // setting.cluster.node.chips)


def memory_range(made: Estimate) -> tuple[float, float]:
    """Memory as the allocator may use it: without the reserve, and with twice the reserve."""
    reserve = made.memory_terms.get("reserve", 0.0)
    return made.memory - reserve, made.memory + reserve


def assess(setting: Setting, layout: Layout) -> tuple[Estimate, draws.Interval]:
    """The Estimate of a layout, recentred on the asker's own measurement if there is one, and its interval."""
    case = setting.case
    ops, blocks, kinds, cut, hw, job = arguments(case, layout)
    terms = step_terms(ops, blocks, kinds, cut, hw, job, case.tuning)
    interval, factor = _interval(setting, layout, terms), 1.0
    if (observed := setting.ask.observed.step_time) is not None:
        own = setting.ask.whole_layout()
        if own is None:
            raise InputError(
                "an observed step time needs the layout that it was measured with",
                hint="give layout.dp, layout.tp and layout.pp",
                place=setting.ask.place("observed", "step_time"),
            )
        factor = observed / terms_of(case, fill(setting, own)).total
        interval = draws.observed_interval(terms.total * factor, layout == fill(setting, own))
    memory = step_memory(ops, blocks, kinds, case.model.vocab, cut, hw, job, case.tuning)
    step = terms.total * factor
    flops = step_flops(setting)
    peak = cases.peak_of(case.cluster, cases.PRECISIONS[case.training.precision][0])
    made = Estimate(
        layout=layout,
        step_time=step,
        low=interval.low,
        high=interval.high,
        memory=total_memory(memory),
        mfu=flops / (step * peak * layout.chips),
        power=power_of(setting, terms),
        flops=flops,
        breakdown={name: value * factor for name, value in terms._asdict().items() if name != "total"},
        memory_terms=memory._asdict(),
        assumptions=setting.assumptions,
    )
    return made, interval


def step_flops(setting: Setting) -> float:
    """Model FLOPs of a step in the MFU convention: 6 N D + causal attention, nothing recomputed. [FLOP]"""
    training = setting.case.training
    tokens = training.seq_len * training.global_batch
    return float(counting.model_flops(setting.model, training.seq_len, tokens, causal=True))


@lru_cache(maxsize=1)
def _power_record() -> Mapping[str, Any]:
    return tuning.yaml_data("fits/power.yaml")


def power_band() -> tuple[float, float]:
    """Relative 80% band of the power estimate."""
    record = _power_record()
    return float(record["low"]), float(record["high"])


def power_of(setting: Setting, terms: Terms) -> float:
    """Average power at the meter per chip. [W]; the TDP of a chip whose power is unknown is taken from its node."""
    cluster = setting.cluster
    node = cluster.node.power
    tdp = cluster.chip.power or (node / cluster.node.chips if node else 0.0)
    fit = PowerFit(**{name: float(value) for name, value in _power_record()["coefficients"].items()})
    matrix = terms.product + terms.attention + 0.7 * terms.recompute
    chip = chip_power(tdp, matrix, terms.vector + terms.optimizer + 0.3 * terms.recompute, terms.total, fit)
    return wall_power(chip, tdp, node if node else tdp * cluster.node.chips, cluster.node.chips, cluster.site.pue)


def useful_share(setting: Setting) -> tuple[float, tuple[float, float]]:
    """Goodput and its range from failures, checkpoints and restarts (data/fits/goodput.yaml)."""
    record = tuning.yaml_data("fits/goodput.yaml")
    chips = setting.cluster.count
    total, _ = counting.parameters(setting.model)
    write = float(record["state"]["value"]) * total / (float(record["storage"]["value"]) * chips)

    def share(rate: float, restart: float) -> float:
        return goodput(write, restart, mean_time_between_failures(rate, chips))

    rate, restart = record["interruptions"], record["restart"]
    worst, best = share(rate["high"], restart["high"]), share(rate["low"], restart["low"])
    return share(rate["value"], restart["value"]), (worst, best)


# ---------------------------------------------------------------------------------------------------- answering


def answer(
    setting: Setting, priced: tuple[Priced, ...], rejected: Mapping[str, int], considered: int, rate: float | None
) -> Answer:
    """Everything that report/ shows."""
    ask, cluster = setting.ask, setting.cluster
    resolved = ask.resolved()
    resolved.setdefault("cluster", {})["count"] = cluster.count
    arch = cases.architecture_of(cluster)
    notes = list(setting.assumptions)
    if not setting.case.framework:
        notes.append("framework unknown: the pooled fit over all frameworks, with a wider range")
    if arch not in draws.MEASURED:
        notes.append(f"no kernel of {cluster.chip.architecture} was measured: curves inherited, range widened")
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
        rejected=rejected,
        considered=considered,
        rate=rate,
        assumptions=tuple(notes),
        defaults=ask.defaults(),
        provenance=provenance(setting),
    )


def binding(setting: Setting, best: Priced, rejected: Mapping[str, int]) -> tuple[str, ...]:
    """Limits that hold the best plan back: those it comes within 5% of, and memory where it shut out layouts."""
    bounds, out = setting.ask.bounds(), []
    if rejected.get("memory"):
        out.append("memory")
    pairs = (("deadline", best.time, bounds.deadline), ("money", best.cost, bounds.money))
    out += [name for name, value, limit in pairs if value is not None and limit is not None and value > 0.95 * limit]
    return tuple([*out, "chips"])


def provenance(setting: Setting) -> dict[str, Any]:
    """Fits, tuning and failure record behind the numbers."""
    arch = cases.architecture_of(setting.cluster)
    return {
        "fits": {"architecture": arch, "gemm": fits.record("gemm")["input"], "training": tuning.record()["input"]},
        "tuning": setting.case.tuning._asdict(),
        "framework": setting.case.framework or "pooled",
        "checkpoint_interval": _interval_of(setting),
    }


def _interval_of(setting: Setting) -> float:
    record = tuning.yaml_data("fits/goodput.yaml")
    chips = setting.cluster.count
    total, _ = counting.parameters(setting.model)
    write = float(record["state"]["value"]) * total / (float(record["storage"]["value"]) * chips)
    return checkpoint_interval(write, mean_time_between_failures(float(record["interruptions"]["value"]), chips))




__all__ = ["Setting", "estimate", "plan", "resolve"]
