"""From an ask to a Setting: every reference resolved to a noun, and the case made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from exaplan import case as cases
from exaplan.ask import Ask
from exaplan.ask.base import BaseAsk
from exaplan.case import Case
from exaplan.catalog import Catalog, fits, tuning
from exaplan.errors import InputError
from exaplan.models.lora import DEFAULT_TARGETS, with_lora
from exaplan.models.spec import spec_from_mapping
from exaplan.models.transformer import build
from exaplan.nouns import Chip, Cluster, Layout, Model, Node, Site


@dataclass(frozen=True)
class Setting:
    """An ask with its references resolved."""

    ask: Ask
    catalog: Catalog
    model: Model
    cluster: Cluster
    case: Case
    assumptions: tuple[str, ...]


def resolve(ask: Ask, catalog: Catalog) -> Setting:
    """Model, cluster and case of an ask for one cluster."""
    model, notes = subject(ask, catalog)
    return setting_of(ask, catalog, model, notes, find_cluster(ask, catalog))


def subject(ask: Ask, catalog: Catalog) -> tuple[Model, tuple[str, ...]]:
    """(the model that is trained, what had to be assumed of it)."""
    model = find_model(ask, catalog)
    notes = assumed(model)
    if ask.work.method == "lora":
        model = with_lora(model, ask.work.rank, ask.work.targets or DEFAULT_TARGETS)
    _check_framework(ask)
    if model.max_seq and ask.work.seq_len > model.max_seq:
        notes = (*notes, f"seq_len {ask.work.seq_len} is beyond the model's {model.max_seq} positions")
    return model, notes


def setting_of(ask: Ask, catalog: Catalog, model: Model, notes: tuple[str, ...], cluster: Cluster) -> Setting:
    """The case of a model on a cluster; refuses a precision that the chip has no rate for."""
    fits.refuse(cluster.chip.architecture)
    _check_precision(ask, cluster)
    return Setting(ask, catalog, model, cluster, cases.make(model, ask.training(), cluster), notes)


def resized(setting: Setting, count: int, site: Site | None = None) -> Setting:
    """The same question on another number of chips, or at another site."""
    made = sized(setting.cluster, count, site)
    if made is setting.cluster:
        return setting
    training = setting.case.training
    hardware = cases.hardware(made, training.precision, training.attention)
    return replace(setting, cluster=made, case=replace(setting.case, cluster=made, hardware=hardware))


def sized(cluster: Cluster, count: int, site: Site | None = None) -> Cluster:
    """The same chips in another number, or at another site."""
    site = site or cluster.site
    if count == cluster.count:
        return cluster if site is cluster.site else replace(cluster, site=site)
    return replace(cluster, name=f"{count}x {cluster.chip.name}", count=count, site=site)


def find_model(ask: BaseAsk, catalog: Catalog) -> Model:
    """The model by name, file, or inline dimensions."""
    if isinstance(ask.model, Mapping):
        return build(spec_from_mapping(ask.model, ask.place("model")))
    return catalog.model(ask.model, near=ask.folder, place=ask.place("model"))


def assumed(model: Model) -> tuple[str, ...]:
    """What the reader of a user's model had to assume (its figures ``assumption.N``)."""
    found = [figure.note for name, figure in model.figures.items() if name.startswith("assumption.")]
    return tuple(f"model {model.name}: {note}" for note in found if note)


def find_cluster(ask: BaseAsk, catalog: Catalog) -> Cluster:
    """The asked cluster, under its power cap where one is given."""
    return replace(_uncapped(ask, catalog), power_cap=ask.cluster.power_cap)


def _uncapped(ask: BaseAsk, catalog: Catalog) -> Cluster:
    """A named cluster, or chips in their usual node, fabric and site unless the ask says otherwise."""
    part, near = ask.cluster, ask.folder
    if name := reference(ask, part.name, "name"):
        named = catalog.cluster(name, near=near, place=ask.place("cluster", "name"))
        return replace(named, count=part.count or named.count)
    node_name, fabric_name = reference(ask, part.node, "node"), reference(ask, part.fabric, "fabric")
    node = catalog.node(node_name, near=near, place=ask.place("cluster", "node")) if node_name else None
    chip = _chip(ask, catalog, reference(ask, part.chip, "chip"), node)
    fabric = catalog.fabric(fabric_name, near=near, place=ask.place("cluster", "fabric")) if fabric_name else None
    made = catalog.assemble(chip, part.count or 1, node, fabric, find_sites(ask, catalog)[0])
    return made if part.count else replace(made, name=f"{made.node.chips}x {chip.name}", count=made.node.chips)


def find_sites(ask: BaseAsk, catalog: Catalog) -> tuple[Site, ...]:
    """The asked sites, or the usual one."""
    if isinstance(ask.cluster.site, Mapping):
        reference(ask, ask.cluster.site, "site")
    place = ask.place("cluster", "site")
    return tuple(catalog.site(name, near=ask.folder, place=place) for name in ask.sites) or (catalog.default_site(),)


def _chip(ask: BaseAsk, catalog: Catalog, name: str, node: Node | None) -> Chip:
    """The asked chip, else the one that the node holds; a node of another chip is refused."""
    held = catalog.chip(node.chip, place=ask.place("cluster", "node")) if node else None
    if held and not name:
        return held
    chip = catalog.chip(name, near=ask.folder, place=ask.place("cluster", "chip"))
    if node and held and held.name != chip.name:
        raise InputError(
            f"node {node.name} holds {held.name}, not {chip.name}",
            hint="leave out one of cluster.chip and cluster.node",
            place=ask.place("cluster", "node"),
        )
    return chip


def reference(ask: BaseAsk, value: object, *keys: str | int) -> str:
    """The name or path that stands in the ask under cluster; one described inline is refused. "" where none is."""
    if value is None or isinstance(value, str):
        return value or ""
    several = isinstance(value, tuple)
    field = "cluster." + ".".join(str(key) for key in keys)
    problem = f"{field} names several, and one is needed" if several else f"{field} cannot be described inline"
    hint = "name one of them, or ask `exaplan plan`" if several else "put it into a file of its own and give its path"
    raise InputError(problem, hint=hint, place=ask.place("cluster", *keys))


def _check_framework(ask: Ask) -> None:
    name = ask.work.framework
    known = {str(entry[key]) for entry in tuning.frameworks() for key in ("generation", "family")}
    if name and name not in known:
        raise InputError(
            f"unknown framework {name!r}",
            hint="known: " + ", ".join(sorted(known)) + "; leave it out for the pooled fit",
            place=ask.place("work", "framework"),
        )


def _check_precision(ask: Ask, cluster: Cluster) -> None:
    precision = ask.work.precision
    wanted = cases.PRECISIONS[precision][0]
    if cluster.chip.peak.get(wanted) is None:
        known = sorted(p for p, (peak, _, _) in cases.PRECISIONS.items() if cluster.chip.peak.get(peak) is not None)
        raise InputError(
            f"chip {cluster.chip.name} has no known dense {wanted} rate, so precision {precision} has no answer",
            hint="choose " + ", ".join(known),
            place=ask.place("work", "precision"),
        )


def fixed_of(ask: Ask) -> dict[str, Any]:
    """Fields of the layout that are not searched: those the named software had no choice in, and the given ones."""
    return cases.software_layout(ask.work.framework) | ask.fixed()


def fill(setting: Setting, layout: Layout) -> Layout:
    """A whole layout with what the ask left out: cp by the chips, etp by ep, the schedule of several chunks."""
    given = setting.ask.fixed()
    bound = {name: value for name, value in fixed_of(setting.ask).items() if name not in given}
    layout = replace(layout, **bound)
    if "cp" not in given and setting.ask.cluster.count:
        cp = setting.cluster.count // max(1, layout.dp * layout.tp * layout.pp)
        layout = replace(layout, cp=max(1, cp))
    if "etp" not in given:
        layout = replace(layout, etp=1 if layout.ep > 1 else layout.tp)
    if layout.vpp > 1 and layout.schedule == "1f1b":
        layout = replace(layout, schedule="interleaved")
    return layout
