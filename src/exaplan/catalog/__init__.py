"""The catalogue: data files and users' files become nouns, every figure with its source.

``load()`` is cheap: nothing is parsed before it is asked for. Names may be a user's own file (a ``/`` or a suffix);
such a file is its own source. ``load(folder)`` lays a folder of the same layout over the catalogue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from exaplan.catalog import architectures, hardware
from exaplan.catalog.designs import Design, design
from exaplan.catalog.duties import DutyTable, read_duties
from exaplan.catalog.engines import engine
from exaplan.catalog.folder import Layer, Shelf, entries_of, is_path
from exaplan.catalog.laws import Book, read_rules
from exaplan.catalog.loader import Document, read_json, read_yaml
from exaplan.catalog.ownership import read_ownership
from exaplan.catalog.prices import HOME, Exchange, Price, Reading, Terms, read_fx, read_prices, read_volatility, reading
from exaplan.catalog.sheet import Bound, Sheet
from exaplan.catalog.supply import SupplyTable, read_supply
from exaplan.errors import CatalogError, InputError, Place
from exaplan.nouns import Chip, Cluster, Fabric, Figure, Model, Node, Site, Source
from exaplan.nouns.serving import Engine

__all__ = ["Catalog", "Document", "Price", "load", "read_json", "read_yaml"]

DATA = Path(__file__).resolve().parent.parent / "data"
SOURCE_KINDS = ("vendor", "paper", "regulation", "measurement", "estimate", "press", "dataset", "user")
COUNT = Bound("count", 1, 1e7)
Noun = TypeVar("Noun")


@dataclass(frozen=True)
class Catalog:
    """Everything that is known, by name. Mappings are lazy; the methods also take aliases and users' files."""

    layers: tuple[Layer, ...]

    # ------------------------------------------------------------------------------------------- mappings

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """Source id -> Source, of all layers (those that only model files cite are read when asked for)."""
        out: dict[str, Source] = {}
        for layer in self.layers:
            out |= _sources(layer)
        return architectures.Sources(out, lambda: map(self.models.sheet, self.models.entries.values()))

    @cached_property
    def chips(self) -> Shelf[Chip]:
        """Chip name -> Chip."""
        return self._shelf("chips", hardware.chip)

    @cached_property
    def nodes(self) -> Shelf[Node]:
        """Node name -> Node (servers, racks, cloud instances)."""
        return self._shelf("nodes", lambda sheet: hardware.node(sheet, self._chip_of))

    @cached_property
    def fabrics(self) -> Shelf[Fabric]:
        """Fabric name -> Fabric."""
        return Shelf("fabrics", self.layers, hardware.fabric, lambda: self.sources, entries_of)

    @cached_property
    def sites(self) -> Shelf[Site]:
        """Site name -> Site."""
        return Shelf("sites", self.layers, hardware.site, lambda: self.sources, entries_of)

    @cached_property
    def clusters(self) -> Shelf[Cluster]:
        """Cluster name -> Cluster (published ones)."""
        return self._shelf("clusters", self._build_cluster)

    @cached_property
    def models(self) -> Shelf[Model]:
        """Model name -> Model."""
        return self._shelf("models", architectures.model)

    @cached_property
    def asks(self) -> Shelf[Document]:
        """Name of a bundled ask -> its document (the schema is in `exaplan.ask`)."""
        return self._shelf("asks", lambda sheet: sheet.document)

    @cached_property
    def cases(self) -> Shelf[Document]:
        """Name of a case of the casebook -> its document (`exaplan.planning.casebook` computes it)."""
        return self._shelf("cases", lambda sheet: sheet.document)

    @cached_property
    def designs(self) -> Shelf[Design]:
        """Name of a chip of one's own -> Design (what making it takes)."""
        return self._shelf("designs", design)

    @cached_property
    def engines(self) -> Shelf[Engine]:
        """Engine name -> Engine (what serves models, with the defaults of its releases)."""
        return Shelf("engines", self.layers, engine, lambda: self.sources, entries_of)

    @cached_property
    def rules(self) -> Book:
        """The export rules, place groups and lists of all layers."""
        return read_rules(self.layers, self.sources)

    @cached_property
    def duties(self) -> DutyTable:
        """Import duties and VAT by place and day."""
        return read_duties(self.layers, self.sources)

    @cached_property
    def fx(self) -> Exchange:
        """Exchange rates by currency and day."""
        return read_fx(self.layers, self.sources)

    @cached_property
    def prices(self) -> tuple[Price, ...]:
        """All price rows of all layers, street prices too: `reading` picks among them."""
        files = [layer.folder / "prices.csv" for layer in self.layers]
        terms = Terms(self.fx, self.duties, read_volatility(self.layers), self.rules.places, self._items)
        read = (read_prices(file, self.sources, self._priced, terms) for file in files if file.is_file())
        return tuple(row for rows in read for row in rows)

    @cached_property
    def supply(self) -> SupplyTable:
        """Chips that can be had by year and place."""
        return read_supply(self.layers, self.sources, self.chips)

    def _items(self) -> tuple[str, ...]:
        """Names of what a price may be of."""
        return (*self.chips, *self.nodes)

    def _priced(self, item: str) -> bool:
        """Whether a price may name this: a chip or a node."""
        return bool(self.chips.resolve(item) or self.nodes.resolve(item))

    @cached_property
    def ownership(self) -> Mapping[str, Figure]:
        """Owning: ``lifetime`` [s], ``network_share`` [of the server price], ``host_share`` [of the chip price]."""
        return MappingProxyType(read_ownership(self.layers, self.sources))

    # -------------------------------------------------------------------------------------------- look-ups

    def chip(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Chip:
        """A chip by name, alias or file; ``near``: the folder that a relative path starts from."""
        return self._find(self.chips, hardware.chip, name, near, place)

    def sold(self, chip: Chip) -> Chip:
        """What is sold, and so judged by export rules: the package that a die belongs to, else the chip itself."""
        if not chip.package:
            return chip
        source = chip.figures["package"].source
        near = Path(source.removeprefix("user:")).parent if source.startswith("user:") else None
        return self.chip(chip.package, near=near)

    def node(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Node:
        """A node by name, alias or file."""
        return self._find(self.nodes, lambda sheet: hardware.node(sheet, self._chip_of), name, near, place)

    def fabric(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Fabric:
        """A fabric by name or file."""
        return self._find(self.fabrics, hardware.fabric, name, near, place)

    def site(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Site:
        """A site by name or file."""
        return self._find(self.sites, hardware.site, name, near, place)

    def cluster(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Cluster:
        """A published cluster by name, or a user's cluster file."""
        return self._find(self.clusters, self._build_cluster, name, near, place)

    def model(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Model:
        """A model by name, alias, model file, or a Hugging Face ``config.json``."""
        if not (is_path(name) and name.lower().endswith(".json")):
            return self._find(self.models, architectures.model, name, near, place)
        path = _path(name, near)
        return architectures.model_of_config(read_json(path), path.resolve().parent.name or "model", f"user:{path}")

    def ask(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Document:
        """An ask by bundled name or file, as read; validated by `exaplan.ask`."""
        return self._find(self.asks, lambda sheet: sheet.document, name, near, place)

    def case(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Document:
        """A case of the casebook by name or file, as read."""
        return self._find(self.cases, lambda sheet: sheet.document, name, near, place)

    def design(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Design:
        """A chip of one's own by name or file."""
        return self._find(self.designs, design, name, near, place)

    def engine(self, name: str, *, near: Path | None = None, place: Place | None = None) -> Engine:
        """An inference engine by name, alias or file; `exaplan.catalog.engines.fitted` starts it on a chip."""
        return self._find(self.engines, engine, name, near, place)

    def country(self, name: str, place: Place | None = None) -> str:
        """ISO 3166 code of a place by code, name or alias, or of a site by its name; XZ = international waters."""
        found = self.sites.resolve(name)
        return self.sites[found].country if found else self.rules.country(name, place)

    def source(self, identity: str) -> Source:
        """The source of that id; a user's file (``user:path``) is its own source."""
        if identity in self.sources:
            return self.sources[identity]
        if identity.startswith("user:"):
            return _own(identity)
        raise CatalogError(f"unknown source `{identity}`", hint="add it to sources.yaml")

    def price(self, item: str, kind: str = "rent", on: str = "", place: str = HOME) -> Figure | None:
        """The price on a day (ISO; "" = latest) in a country, without VAT: rent [USD/chip-hour], chip, server
        [USD/chip], system [USD], cost [USD/chip, no offer]; its range widens with the distance in time."""
        found = self.reading(item, kind, on, place)
        return found.figure if found else None

    def reading(self, item: str, kind: str = "rent", on: str = "", place: str = HOME) -> Reading | None:
        """What the series of a price reads on a day: the figure of `price`, its observation, its distance in time."""
        first, then = (self.nodes, self.chips) if kind == "system" else (self.chips, self.nodes)
        return reading(self.prices, first.resolve(item) or then.resolve(item) or item, kind, on, place)

    # ------------------------------------------------------------------------------------------- defaults

    @cached_property
    def defaults(self) -> Mapping[str, Mapping[str, str]]:
        """Chip name -> its usual ``node`` and ``fabric``; under ``""`` the default ``site``."""
        document = read_yaml(self.layers[0].folder / "defaults.yaml")
        out = {name: MappingProxyType(dict(entry)) for name, entry in document.value["chips"].items()}
        return MappingProxyType({**out, "": MappingProxyType({"site": document.value["site"]})})

    def default_node(self, chip: Chip) -> Node:
        """The usual node of a chip; a plain node of up to eight where none is known (a user's own chip)."""
        entry = self.defaults.get(chip.name)
        if entry and chip.name in self.chips and self.chips[chip.name] == chip:
            return self.nodes[entry["node"]]
        count = chip.domain if 1 < chip.domain < 8 else 8
        figures = {key: chip.figures[key] for key in ("link_bandwidth", "domain") if key in chip.figures}
        return Node(
            f"{chip.name}-node",
            chip.name,
            count,
            chip.domain,
            chip.link_bandwidth,
            None,
            None,
            None,
            None,
            figures=MappingProxyType(figures),
        )

    def default_fabric(self, chip: Chip) -> Fabric:
        """The usual fabric of a chip (a rail-optimised fat tree where none is known)."""
        return self.fabrics[self.defaults.get(chip.name, {}).get("fabric", "ndr-rail")]

    def default_site(self) -> Site:
        """Where a cluster stands when the ask does not say."""
        return self.sites[self.defaults[""]["site"]]

    def assemble(
        self, chip: Chip, count: int, node: Node | None = None, fabric: Fabric | None = None, site: Site | None = None
    ) -> Cluster:
        """A Cluster of ``count`` chips; what is not given takes the chip's defaults."""
        node = node or self.default_node(chip)
        name = f"{count}x {chip.name}"
        return Cluster(name, chip, node, fabric or self.default_fabric(chip), site or self.default_site(), count)

    # ----------------------------------------------------------------------------------------------- whole

    def digest(self) -> str:
        """SHA-256 over every data file of every layer (names and bytes)."""
        return _digest(self.layers)

    def _shelf(self, kind: str, build: Callable[[Sheet], Noun]) -> Shelf[Noun]:
        return Shelf(kind, self.layers, build, lambda: self.sources)

    def _find(
        self, shelf: Shelf[Noun], build: Callable[[Sheet], Noun], name: str, near: Path | None, place: Place | None
    ) -> Noun:
        if not is_path(name):
            return shelf.find(name, place)
        path = _path(name, near)
        own = f"user:{path}"
        return build(Sheet(read_yaml(path), self.sources, own))

    def _chip_of(self, sheet: Sheet) -> tuple[str, Chip]:
        """What a file's ``chip`` names: its catalogue name or the path of the user's file, and the chip."""
        name, near = sheet.text("chip"), Path(sheet.document.file).parent
        found = self.chip(name, near=near, place=sheet.place("chip"))
        return (str(_path(name, near)) if is_path(name) else found.name), found

    def _build_cluster(self, sheet: Sheet) -> Cluster:
        """A Cluster out of its file: ``node`` or ``chip``, ``count``; ``fabric`` and ``site`` have defaults."""
        sheet.allow((*hardware.COMMON, "chip", "node", "fabric", "site", "count"))
        near = Path(sheet.document.file).parent

        def find(look: Callable[..., Noun], key: str) -> Noun | None:
            return look(sheet.text(key), near=near, place=sheet.place(key)) if key in sheet.body else None

        node = find(self.node, "node")
        chip = self.chip(node.chip, near=near, place=sheet.place("node")) if node else self._chip_of(sheet)[1]
        if node and "chip" in sheet.body and self._chip_of(sheet)[1] != chip:
            sheet.fail(f"node `{node.name}` holds `{chip.name}`, not this chip", "leave `chip` out", "chip")
        count = sheet.figure(COUNT, "count", required=True)
        made = self.assemble(
            chip, int(count.value or 1) if count else 1, node, find(self.fabric, "fabric"), find(self.site, "site")
        )
        return replace(made, name=sheet.text("name"))


@cache
def load(overlay: Path | None = None) -> Catalog:
    """The catalogue, optionally with a user's folder over it; cached."""
    if overlay is None:
        return Catalog((Layer(DATA),))
    folder = Path(overlay)
    if not folder.is_dir():
        hint = "give a folder with chips/, nodes/, sites.yaml, ... like the catalogue's own"
        raise InputError("the overlay is not a folder", hint=hint, place=Place(str(overlay)))
    return Catalog((Layer(DATA), Layer(folder, f"user:{folder}")))


def _path(name: str, near: Path | None) -> Path:
    path = Path(name).expanduser()
    return path if path.is_absolute() or near is None else near / path


def _own(identity: str) -> Source:
    path = identity.removeprefix("user:")
    return Source(identity, path, path, "", "user")


def _sources(layer: Layer) -> dict[str, Source]:
    own = {layer.own: _own(layer.own)} if layer.own else {}
    file = layer.folder / "sources.yaml"
    if not file.is_file():
        return own
    document = read_yaml(file)
    return own | {name: _source(Sheet(document, {}, layer.own, (name,)), name) for name in document.value}


def _source(sheet: Sheet, name: str) -> Source:
    sheet.allow(("title", "address", "date", "kind"))
    kind = sheet.text("kind")
    if kind not in SOURCE_KINDS:
        sheet.fail(f"unknown kind of source `{kind}`", "kinds: " + ", ".join(SOURCE_KINDS), "kind")
    return Source(name, sheet.text("title"), sheet.text("address"), sheet.text("date", ""), kind)


@cache
def _digest(layers: tuple[Layer, ...]) -> str:
    sha = hashlib.sha256()
    for layer in layers:
        for file in sorted(layer.folder.rglob("*")):
            if file.is_file() and file.suffix in (".yaml", ".csv", ".json", ".gz"):
                content = file.read_bytes()
                sha.update(f"{file.relative_to(layer.folder).as_posix()}\0{len(content)}\0".encode())
                sha.update(content)
    return sha.hexdigest()
