"""From read files to Chip, Node, Fabric, Site and Cluster, every figure checked for unit, bounds and source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from exaplan.catalog.sheet import Bound, Sheet
from exaplan.nouns import Chip, Fabric, Figure, Node, Site

FORMATS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp6", "fp4", "int8", "int4")
PEAK = Bound("rate", 1e9, 1e18, " (dense, not sparse)")
LINK = Bound("bandwidth", 1e6, 1e14, " (one direction)")
CHIP = {
    "memory": Bound("bytes", 1e6, 1e15),
    "bandwidth": Bound("bandwidth", 1e8, 1e17),
    "link_bandwidth": LINK,
    "domain": Bound("count", 1, 1e5),
    "power": Bound("power", 1.0, 1e5),
    "die_area": Bound("area", 1e-6, 0.1),
    "processors": Bound("count", 1, 1e6),
    "applicable_area": Bound("area", 0.0, 0.1, " (logic dies of the package on a non-planar process; 0 = planar)"),
    "io_bandwidth": Bound("bandwidth", 1e6, 1e15, " (both directions together, without memory)"),
}
NODE = {
    "chips": Bound("count", 1, 1e5),
    "domain": Bound("count", 1, 1e5),
    "link_bandwidth": LINK,
    "network": LINK,
    "power": Bound("power", 1.0, 1e9),
    "rent": Bound("price_time", 1e-3 / 3600, 1e6 / 3600),
    "price": Bound("money", 1.0, 1e10),
}
FABRIC = {
    "oversubscription": Bound("ratio", 1.0, 100.0),
    "latency": Bound("time", 1e-8, 1e-2),
    "leaf": Bound("count", 0, 1e6),
}
SITE = {
    "pue": Bound("ratio", 1.0, 5.0),
    "electricity": Bound("price_energy", 0.0, 5.0 / 3.6e6),
    "carbon": Bound("carbon", 0.0, 2.0 / 3.6e6),
}
FABRIC_KINDS = ("rail", "fat-tree", "torus")
COMMON = ("name", "title", "aliases", "replaces", "note")

NAMES = ("data_center", "memory_kind", "parent", "package")  # plain values with a source, not quantities

Figures = dict[str, Figure]


def chip(sheet: Sheet) -> Chip:
    """A Chip out of its file; memory, memory bandwidth and at least one peak are required."""
    sheet.allow((*COMMON, "vendor", "architecture", "release", "peak", *NAMES, *CHIP))
    figures = _peaks(sheet) | _figures(sheet, CHIP, ("memory", "bandwidth"))
    release = _release(sheet, figures)
    data_center = _data_center(sheet, figures)
    get = _getter(figures)
    return Chip(
        name=sheet.text("name"),
        vendor=sheet.text("vendor", ""),
        architecture=sheet.text("architecture"),
        peak=MappingProxyType({f: v for f in FORMATS if (v := get(f"peak.{f}")) is not None}),
        memory=get("memory") or 0.0,
        bandwidth=get("bandwidth") or 0.0,
        link_bandwidth=get("link_bandwidth"),
        domain=int(get("domain") or 1),
        power=get("power"),
        die_area=get("die_area"),
        processors=int(get("processors") or 0),
        release=release,
        aliases=sheet.texts("aliases"),
        figures=MappingProxyType(figures),
        applicable_area=get("applicable_area"),
        io_bandwidth=get("io_bandwidth"),
        data_center=data_center,
        parent=_other(sheet, figures, "parent", "h100-sxm"),
        memory_kind=_memory_kind(sheet, figures),
        package=_other(sheet, figures, "package", "mi250x"),
    )


def node(sheet: Sheet, find_chip: Callable[[Sheet], tuple[str, Chip]]) -> Node:
    """A Node out of its file; link and domain default to those of the chip that ``find_chip`` finds.

    ``Node.chip`` is a name of the catalogue, or the path of the user's chip file: `Catalog.chip` takes both.
    """
    sheet.allow((*COMMON, "chip", "provider", *NODE))
    figures = _figures(sheet, NODE, ("chips",))
    get = _getter(figures)
    reference, found = find_chip(sheet)
    for field in ("domain", "link_bandwidth"):
        if field not in figures and field in found.figures:
            figures[field] = found.figures[field]
    if (rent := figures.get("rent")) and rent.value is not None:
        figures["rent"] = _per_hour(rent)
    return Node(
        name=sheet.text("name"),
        chip=reference,
        chips=int(get("chips") or 1),
        domain=int(get("domain") or found.domain),
        link_bandwidth=get("link_bandwidth"),
        network=get("network"),
        power=get("power"),
        rent=get("rent"),
        price=get("price"),
        provider=sheet.text("provider", ""),
        aliases=sheet.texts("aliases"),
        figures=MappingProxyType(figures),
    )


def fabric(sheet: Sheet) -> Fabric:
    """A Fabric out of its entry."""
    sheet.allow((*COMMON, "kind", "in_network", "torus", "source", *FABRIC))
    figures = _figures(sheet, FABRIC, ("oversubscription", "latency"))
    get = _getter(figures)
    kind = sheet.text("kind")
    if kind not in FABRIC_KINDS:
        sheet.fail(f"unknown kind of fabric `{kind}`", "kinds: " + ", ".join(FABRIC_KINDS), "kind")
    figures["kind"] = Figure(None, sheet.cite(sheet.body.get("source"), "source"), note=kind)
    return Fabric(
        name=sheet.text("name", str(sheet.root[-1]) if sheet.root else None),
        kind=kind,
        oversubscription=get("oversubscription") or 1.0,
        latency=get("latency") or 0.0,
        leaf=int(get("leaf") or 0),
        in_network=sheet.flag("in_network", False),
        torus=_torus(sheet),
        figures=MappingProxyType(figures),
    )


def site(sheet: Sheet) -> Site:
    """A Site out of its entry; PUE, electricity price and carbon intensity are required."""
    sheet.allow((*COMMON, "country", *SITE))
    figures = _figures(sheet, SITE, tuple(SITE))
    get = _getter(figures)
    country = sheet.text("country")
    if len(country) != 2 or not country.isalpha():
        sheet.fail(f"`{country}` is not a country code", "write two letters (ISO 3166), e.g. `country: US`", "country")
    return Site(
        name=sheet.text("name", str(sheet.root[-1]) if sheet.root else None),
        country=country.upper(),
        pue=get("pue") or 1.0,
        electricity=get("electricity") or 0.0,
        carbon=get("carbon") or 0.0,
        figures=MappingProxyType(figures),
    )


def _peaks(sheet: Sheet) -> Figures:
    sheet.allow(FORMATS, "peak")
    found = {f"peak.{name}": sheet.figure(PEAK, "peak", name) for name in FORMATS}
    figures = {key: figure for key, figure in found.items() if figure}
    if not any(figure.value for figure in figures.values()):
        hint = "write `peak: {bf16: 989 TFLOP/s}` (dense; formats: " + ", ".join(FORMATS) + ")"
        sheet.fail("the chip has no peak rate", hint, "peak")
    return figures


def _figures(sheet: Sheet, bounds: dict[str, Bound], required: tuple[str, ...]) -> Figures:
    found = {key: sheet.figure(bound, key, required=key in required) for key, bound in bounds.items()}
    return {key: figure for key, figure in found.items() if figure}


def _getter(figures: Figures) -> Callable[[str], float | None]:
    return lambda key: figures[key].value if key in figures else None


def _sourced(sheet: Sheet, key: str, what: str, example: str) -> tuple[object, str, str] | None:
    """A plain value with its source and note, ``{value, source, note}``; None where the field is absent.

    In a user's own file the bare value is enough.
    """
    raw = sheet.body.get(key)
    if raw is None:
        return None
    if not isinstance(raw, dict):
        if not sheet.own:
            sheet.fail(f"{what} has no source", f"write `{key}: {{value: {example}, source: id}}`", key)
        return raw, sheet.own, ""
    sheet.allow(("value", "source", "note"), key)
    return raw.get("value"), sheet.cite(raw.get("source"), key), str(raw.get("note") or "")


def _release(sheet: Sheet, figures: Figures) -> str:
    """The release date as text; its figure holds the year."""
    found = _sourced(sheet, "release", "the release date", "2022-09-20")
    if found is None:
        return ""
    text, source, note = str(found[0]), found[1], found[2]
    if not text[:4].isdigit():
        sheet.fail(f"`{text}` is not a date", "write a year or an ISO date, e.g. 2022-09-20", "release")
    figures["release"] = Figure(float(text[:4]), source, date=text, note=note)
    return text


def _data_center(sheet: Sheet, figures: Figures) -> bool | None:
    """Whether the chip is designed or marketed for data centres; its figure holds 1 or 0, None = unknown."""
    found = _sourced(sheet, "data_center", "`data_center`", "true")
    if found is None:
        return None
    value, source, note = found
    if not isinstance(value, bool):
        sheet.fail(f"`{value}` is not true or false", "write `true` or `false`; leave it out if unknown", "data_center")
    figures["data_center"] = Figure(float(value), source, note=note)
    return value


def _memory_kind(sheet: Sheet, figures: Figures) -> str:
    """HBM3, GDDR6, SRAM ... ("" = unknown); its figure holds it as a note."""
    found = _sourced(sheet, "memory_kind", "the kind of memory", "HBM3")
    if found is None:
        return ""
    value, source, note = found
    if not isinstance(value, str):
        sheet.fail(f"`{value}` is not a kind of memory", "write `memory_kind: HBM3`", "memory_kind")
    figures["memory_kind"] = Figure(None, source, note=f"{value}; {note}" if note else value)
    return value


def _other(sheet: Sheet, figures: Figures, key: str, example: str) -> str:
    """Name of another chip: the ``parent`` that this one is cut down from, the ``package`` that it is sold in.

    "" = none; its figure holds why.
    """
    found = _sourced(sheet, key, f"the {key}", example)
    if found is None:
        return ""
    value, source, note = found
    if not isinstance(value, str) or value == sheet.text("name"):
        sheet.fail(f"`{value}` is not the name of another chip", f"write `{key}: {example}`", key)
    figures[key] = Figure(None, source, note=note or value)
    return value


def _per_hour(figure: Figure) -> Figure:
    """A rent in USD per second as USD per hour, the unit of `Node.rent`."""
    value, low, high = (None if part is None else part * 3600.0 for part in (figure.value, figure.low, figure.high))
    return replace(figure, value=value, low=low, high=high)


def _torus(sheet: Sheet) -> tuple[int, ...]:
    value = sheet.body.get("torus") or []
    if not isinstance(value, list) or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in value):
        sheet.fail("`torus` is not a list of chips along each axis", "write `torus: [16, 16]`", "torus")
    return tuple(value)
