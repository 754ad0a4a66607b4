"""Lists of what the catalogue holds: as tables, JSON objects and CSV, from one description of the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from rich.console import RenderableType

from exaplan.answers import SCHEMA_VERSION
from exaplan.ask import parse
from exaplan.catalog import Catalog
from exaplan.nouns import Cluster, Model
from exaplan.nouns.serving import Engine
from exaplan.report.screen import amount, table
from exaplan.report.to_json import plain

Row = dict[str, Any]
HIDDEN = ("figures", "blocks", "embedding", "head", "spec")


class Listing(NamedTuple):
    """A list of one kind: how its rows are made, and the columns of its table with their dimensions."""

    rows: Callable[[Catalog], Iterator[Row]]
    columns: Mapping[str, str]
    left: Sequence[str] = ()


def rows_of(kind: str, catalog: Catalog, having: str = "") -> list[Row]:
    """The objects of a list, in order of name; ``having``: only those with this text in a name or word."""
    found = sorted(LISTINGS[kind].rows(catalog), key=lambda row: str(row["name"]).lower())
    needle = having.lower()
    return [row for row in found if not needle or needle in " ".join(_texts(row.values())).lower()]


def listing_json(kind: str, rows: list[Row]) -> Row:
    """One key of the list's name, holding its objects."""
    return {"schema_version": SCHEMA_VERSION, kind: rows}


def listing_view(kind: str, rows: list[Row]) -> list[RenderableType]:
    """The list as a table."""
    listing = LISTINGS[kind]
    cells = [[_cell(row, column, dimension) for column, dimension in listing.columns.items()] for row in rows]
    return [table(tuple(listing.columns), cells, left=listing.left)]


def listing_csv(rows: list[Row]) -> str:
    """The list as CSV in SI; inner objects become columns like ``peak.bf16``."""
    flat = [dict(_flat(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def noun_json(noun: Any) -> Row:
    """The plain fields of a noun."""
    return {item.name: plain(getattr(noun, item.name)) for item in fields(noun) if item.name not in HIDDEN}


def _chips(catalog: Catalog) -> Iterator[Row]:
    for chip in catalog.chips.values():
        yield noun_json(chip) | {"node": catalog.defaults.get(chip.name, {}).get("node")}


def _nodes(catalog: Catalog) -> Iterator[Row]:
    return (noun_json(node) for node in catalog.nodes.values())


def _models(catalog: Catalog) -> Iterator[Row]:
    return (model_json(model) for model in catalog.models.values())


def model_json(model: Model) -> Row:
    """A model with its size: layers, parameters in all and active per token."""
    from exaplan.models.count import parameters

    total, active = parameters(model)
    sizes = {"layers": len(model.layers), "params": total, "active": active}
    return {key: value for key, value in noun_json(model).items() if key != "layers"} | sizes


def _asks(catalog: Catalog) -> Iterator[Row]:
    for name, document in catalog.asks.items():
        made = parse(document.value, document.place)
        cluster = made.cluster
        yield {
            "name": name,
            "title": str(document.value.get("title", "")),
            "kind": made.work.kind,
            "model": made.model,
            "chip": _hardware(cluster),
            "count": cluster.count,
            "ask": made.resolved(),
        }


def _hardware(cluster: Any) -> str | None:
    """The chip, node or cluster that an ask names, several with commas between them; None: all that there are."""
    named = cluster.chip or cluster.node or cluster.name
    return ", ".join(map(str, named)) if isinstance(named, (list, tuple)) else named


def _clusters(catalog: Catalog) -> Iterator[Row]:
    for cluster in catalog.clusters.values():
        yield cluster_json(cluster)


def cluster_json(cluster: Cluster) -> Row:
    """A cluster with the names of what it is made of."""
    parts = {name: getattr(cluster, name).name for name in ("chip", "node", "fabric", "site")}
    return {"name": cluster.name, **parts, "count": cluster.count}


def _fabrics(catalog: Catalog) -> Iterator[Row]:
    return (noun_json(fabric) for fabric in catalog.fabrics.values())


def _engines(catalog: Catalog) -> Iterator[Row]:
    return (engine_json(engine) for engine in catalog.engines.values())


def engine_json(engine: Engine) -> Row:
    """An engine with its defaults, and in ``variants`` those that hold on some chips, releases or uses only."""
    return noun_json(engine) | {"variants": [noun_json(variant) for variant in engine.variants]}


def _sites(catalog: Catalog) -> Iterator[Row]:
    return (noun_json(site) for site in catalog.sites.values())


def _cell(row: Row, column: str, dimension: str) -> str:
    value: Any = row
    for key in COLUMN_PATHS.get(column, (column,)):
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None or value == "":
        return "–"  # noqa: RUF001
    if dimension == "hourly":
        return f"${value:,.2f}"
    return amount(float(value), dimension) if dimension else str(value)


COLUMN_PATHS = {"bf16": ("peak", "bf16"), "fp8": ("peak", "fp8")}

LISTINGS: Mapping[str, Listing] = {
    "chips": Listing(
        _chips,
        {
            "name": "",
            "vendor": "",
            "release": "",
            "bf16": "rate",
            "fp8": "rate",
            "memory": "bytes",
            "bandwidth": "bandwidth",
            "link_bandwidth": "bandwidth",
            "domain": "count",
            "power": "power",
        },
        ("vendor", "release"),
    ),
    "nodes": Listing(
        _nodes,
        {
            "name": "",
            "chip": "",
            "chips": "count",
            "domain": "count",
            "link_bandwidth": "bandwidth",
            "network": "bandwidth",
            "power": "power",
            "rent": "hourly",
            "provider": "",
        },
        ("chip", "provider"),
    ),
    "models": Listing(
        _models,
        {
            "name": "",
            "family": "",
            "params": "tokens",
            "active": "tokens",
            "layers": "count",
            "hidden": "count",
            "experts": "count",
            "vocab": "count",
            "max_seq": "count",
        },
        ("family",),
    ),
    "clusters": Listing(
        _clusters,
        {"name": "", "count": "count", "chip": "", "node": "", "fabric": "", "site": ""},
        ("chip", "node", "fabric", "site"),
    ),
    "fabrics": Listing(
        _fabrics,
        {"name": "", "kind": "", "oversubscription": "ratio", "latency": "time", "leaf": "count"},
        ("kind",),
    ),
    "sites": Listing(
        _sites,
        {"name": "", "country": "", "pue": "ratio", "electricity": "price_energy", "carbon": "carbon"},
        ("country",),
    ),
    "engines": Listing(
        _engines,
        {
            "name": "",
            "family": "",
            "versions": "",
            "batching": "",
            "max_seqs": "count",
            "max_tokens": "count",
            "memory_share": "ratio",
            "admission": "",
        },
        ("family", "versions", "batching", "admission"),
    ),
    "asks": Listing(
        _asks, {"name": "", "title": "", "model": "", "chip": "", "count": "count"}, ("title", "model", "chip")
    ),
}


def _flat(row: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list):
            yield name, "; ".join(str(item) for item in value)
        else:
            yield name, "" if value is None else value


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _texts(value)
