"""From an ask to a Setting: every reference resolved to a noun, and the case made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from exaplan import case as cases
from exaplan.ask import Ask
from exaplan.case import Case
from exaplan.catalog import Catalog, tuning
from exaplan.errors import InputError
from exaplan.models.lora import DEFAULT_TARGETS, with_lora
from exaplan.models.spec import spec_from_mapping
from exaplan.models.transformer import build
from exaplan.nouns import Chip, Cluster, Layout, Model, Node


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
    """Model, cluster and case of an ask."""
    model = find_model(ask, catalog)
    notes = assumed(model)
    if ask.work.method == "lora":
        model = with_lora(model, ask.work.rank, ask.work.targets or DEFAULT_TARGETS)
    cluster = find_cluster(ask, catalog)
    training = ask.training()
    _check_framework(ask)
    if model.max_seq and training.seq_len > model.max_seq:
        notes = (*notes, f"seq_len {training.seq_len} is beyond the model's {model.max_seq} positions")
    _check_precision(ask, cluster)
    return Setting(ask, catalog, model, cluster, cases.make(model, training, cluster), notes)


def find_model(ask: Ask, catalog: Catalog) -> Model:
    """The model by name, file, or inline dimensions."""
    if isinstance(ask.model, Mapping):
        return build(spec_from_mapping(ask.model, ask.place("model")))
    return catalog.model(ask.model, near=ask.folder, place=ask.place("model"))


def assumed(model: Model) -> tuple[str, ...]:
    """What the reader of a user's model had to assume (its figures ``assumption.N``)."""
    found = [figure.note for name, figure in model.figures.items() if name.startswith("assumption.")]
    return tuple(f"model {model.name}: {note}" for note in found if note)


def find_cluster(ask: Ask, catalog: Catalog) -> Cluster:
    """The asked cluster, under its power cap where one is given."""
    return replace(_uncapped(ask, catalog), power_cap=ask.cluster.power_cap)


def _uncapped(ask: Ask, catalog: Catalog) -> Cluster:
    """A named cluster, or chips in their usual node, fabric and site unless the ask says otherwise."""
    part = ask.cluster
    text = {name: _reference(ask, name) for name in ("name", "chip", "node", "fabric", "site")}
    near = ask.folder
    if text["name"]:
        named = catalog.cluster(text["name"], near=near, place=ask.place("cluster", "name"))
        return replace(named, count=part.count or named.count)
    node = catalog.node(text["node"], near=near, place=ask.place("cluster", "node")) if text["node"] else None
    chip = _chip(ask, catalog, text["chip"], node)
    fabric = catalog.fabric(text["fabric"], near=near, place=ask.place("cluster", "fabric")) if text["fabric"] else None
    site = catalog.site(text["site"], near=near, place=ask.place("cluster", "site")) if text["site"] else None
    made = catalog.assemble(chip, part.count or 1, node, fabric, site)
    return made if part.count else replace(made, name=f"{made.node.chips}x {chip.name}", count=made.node.chips)


def _chip(ask: Ask, catalog: Catalog, name: str, node: Node | None) -> Chip:
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


def _reference(ask: Ask, name: str) -> str:
    value = getattr(ask.cluster, name)
    if isinstance(value, Mapping):
        raise InputError(
            f"cluster.{name} cannot be described inline",
            hint="put it into a file of its own and give its path",
            place=ask.place("cluster", name),
        )
    return value or ""


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


def fill(setting: Setting, layout: Layout) -> Layout:
    """A whole layout with what the ask left out: cp by the chips, etp by ep, the schedule of several chunks."""
    given = setting.ask.fixed()
    if "cp" not in given and setting.ask.cluster.count:
        cp = setting.cluster.count // max(1, layout.dp * layout.tp * layout.pp)
        layout = replace(layout, cp=max(1, cp))
    if "etp" not in given:
        layout = replace(layout, etp=1 if layout.ep > 1 else layout.tp)
    if layout.vpp > 1 and layout.schedule == "1f1b":
        layout = replace(layout, schedule="interleaved")
    return layout
