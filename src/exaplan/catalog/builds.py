"""What servers are put together from (data/builds.yaml): parts beside the chips, each with price and power."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exaplan.catalog.folder import Layer
from exaplan.catalog.loader import read_yaml
from exaplan.catalog.sheet import Bound, Sheet
from exaplan.nouns import Figure, Source

FILE = "builds.yaml"
COUNT = Bound("count", 1, 1e4)
PRICE = Bound("money", 0.0, 1e8)
POWER = Bound("power", 0.0, 1e6)


@dataclass(frozen=True)
class Component:
    """A part of a server: how many of it, price [USD each] and power [W each]; a value of None: nobody published it."""

    name: str
    count: int
    price: Figure
    power: Figure


def read_builds(layers: tuple[Layer, ...], sources: Mapping[str, Source]) -> dict[str, tuple[Component, ...]]:
    """Name of a node -> its parts beside the chips; a later layer replaces a whole node."""
    out: dict[str, tuple[Component, ...]] = {}
    for layer in layers:
        if (layer.folder / FILE).is_file():
            document = read_yaml(layer.folder / FILE)
            out |= {name: _build(Sheet(document, sources, layer.own, (name,))) for name in document.value}
    return out


def _build(sheet: Sheet) -> tuple[Component, ...]:
    sheet.allow(("parts",))
    names = sheet.body.get("parts") or sheet.fail("the field `parts` is missing", "list the parts below it", "parts")
    return tuple(
        _component(Sheet(sheet.document, sheet.sources, sheet.own, (*sheet.root, "parts", name))) for name in names
    )


def _component(sheet: Sheet) -> Component:
    sheet.allow(("count", "price", "power"))
    price, power = sheet.figure(PRICE, "price"), sheet.figure(POWER, "power")
    if price is None or power is None:
        sheet.fail("a part needs a price and a power", "write `value: null` with a note where nobody published it")
    count = sheet.body.get("count")
    if not isinstance(count, int) or isinstance(count, bool) or not COUNT.least <= count <= COUNT.most:
        sheet.fail(f"`{count}` is not a number of parts", "write `count: 8`", "count")
    return Component(str(sheet.root[-1]), count, price, power)
