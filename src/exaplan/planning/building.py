"""A server held against its parts: what they cost and draw together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from exaplan import cost
from exaplan.answers.owning import Item
from exaplan.catalog import Catalog
from exaplan.catalog.builds import Component, read_builds
from exaplan.nouns import Figure, Node
from exaplan.planning.burden import Span, scaled, span_of


@dataclass(frozen=True)
class Built:
    """A server out of its parts. items [USD]; price: their sum; power: of the parts [W, None: not published for all].

    unpriced: parts that nobody prices apart (they are in the price of others, or missing).
    """

    node: Node
    items: tuple[Item, ...]
    price: Span
    power: Span | None
    unpriced: tuple[str, ...]


@lru_cache(maxsize=8)
def _builds(catalog: Catalog) -> dict[str, tuple[Component, ...]]:
    return read_builds(catalog.layers, catalog.sources)


def built(catalog: Catalog, node: Node, on: str = "") -> Built | None:
    """A node out of its chips at their own price of the day and its other parts; None: its parts are not known."""
    parts = _builds(catalog).get(node.name)
    chip = catalog.price(node.chip, "chip", on)
    if parts is None or chip is None:
        return None
    items = (_item("chips", node.chips, chip), *(_item(part.name, part.count, part.price) for part in parts))
    known = tuple(item for item in items if item.source != "not-found")
    power = [scaled(span_of(part.power), part.count) for part in parts if part.power.value is not None]
    return Built(
        node=node,
        items=known,
        price=cost.spread([(item.value, item.low, item.high) for item in known]),
        power=cost.spread(power) if len(power) == len(parts) else None,
        unpriced=tuple(item.name for item in items if item.source == "not-found"),
    )


def _item(name: str, count: int, figure: Figure) -> Item:
    return Item(name, *scaled(span_of(figure), count), figure.source, f"{count:,} at their price")
