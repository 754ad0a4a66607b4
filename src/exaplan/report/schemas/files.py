"""The JSON schemas of the files that a user may write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from exaplan import units
from exaplan.catalog import designs, hardware
from exaplan.catalog.sheet import Bound
from exaplan.report.schemas.parts import (
    NUMBER,
    OPEN_FIGURE,
    TEXT,
    TYPES,
    WRITTEN,
    Schema,
    listed,
    record,
)


def _figure(bound: Bound) -> Schema:
    """A figure: a quantity, or one with its source and range."""
    dimension = units.DIMENSIONS[bound.dimension]
    kind: Any = ["string", "number"] if dimension.bare else "string"
    value = {"type": kind, "description": f"{bound.dimension}{bound.note}, like {dimension.example}"}
    unknown: Schema = {"anyOf": [value, {"type": "null"}]}
    sourced = record(
        {"value": unknown}, {"source": TEXT, "low": value, "high": value, "date": WRITTEN, "note": WRITTEN}, True
    )
    return {"anyOf": [value, {"type": "null"}, sourced]}


def _file(
    words: Iterable[str], bounds: Mapping[str, Bound], required: Iterable[str], more: Schema | None = None
) -> Schema:
    """A file of the catalogue: words, figures, and what every file may have."""
    common: Schema = {"name": WRITTEN, "title": WRITTEN, "aliases": listed(WRITTEN), "replaces": TEXT, "note": WRITTEN}
    known = (
        common | dict.fromkeys(words, WRITTEN) | {name: _figure(bound) for name, bound in bounds.items()} | (more or {})
    )
    needed = {name: known[name] for name in ("name", *required)}
    return record(needed, {name: value for name, value in known.items() if name not in needed}, closed=True)


def chip() -> Schema:
    """A chip file."""
    peaks = record({}, {name: _figure(hardware.PEAK) for name in hardware.FORMATS}, closed=True)
    any_figure = {"type": ["string", "number", "object", "null"]}
    words, needed = ("vendor", "architecture"), ("architecture", "memory", "bandwidth", "peak")
    stated = {
        "data_center": _stated(TYPES["bool"]),
        **dict.fromkeys(("parent", "package", "memory_kind"), _stated(TEXT)),
    }
    return _file(words, hardware.CHIP, needed, {"peak": peaks, "release": any_figure, **stated})


def _stated(plain: Schema) -> Schema:
    """A word or truth: bare (in a user's own file), or with its source."""
    words = {"source": TEXT, "date": WRITTEN, "note": WRITTEN}
    return {"anyOf": [plain, {"type": "null"}, record({"value": plain}, words, closed=True)]}


def node() -> Schema:
    """A node file."""
    return _file(("chip", "provider"), hardware.NODE, ("chip", "chips"))


def cluster() -> Schema:
    """A cluster file."""
    return _file(("chip", "node", "fabric", "site"), {"count": Bound("count", 1, 1e7)}, ("count",))


def design() -> Schema:
    """A chip of one's own: every figure of the design, of what is paid once and per chip."""
    once, unit = (
        record({name: _figure(designs.MONEY) for name in names}, closed=True) for names in (designs.ONCE, designs.UNIT)
    )
    plain = {name: bound for name, bound in designs.DESIGN.items() if "." not in name}
    words = ("process", "chip", "rival", "measure", "source")
    return _file(words, plain, (*plain, "process", "rival", "once", "unit"), {"once": once, "unit": unit})


def model() -> Schema:
    """A model file: the fields at the top (a user's file), or grouped by the source that states them (ours)."""
    from exaplan.models.spec import Spec

    stated = {item.name: _dimension(str(item.type).partition(" ")[0], item.default) for item in fields(Spec)}
    plain = {name: made for name, made in stated.items() if name not in ("name", "family")}
    source = record(dict.fromkeys(("id", "title", "address", "date", "kind"), WRITTEN), closed=True)
    group = record({}, {"source": TEXT, **plain}, closed=True)
    counts = record({}, {"source": TEXT, "parameters": OPEN_FIGURE, "active": OPEN_FIGURE}, closed=True)
    header = {"family": TEXT, "aliases": listed(WRITTEN), "replaces": TEXT, "note": WRITTEN, "sources": listed(source)}
    groups: Schema = {"dimensions": {"anyOf": [listed(group), group]}, "published": {"anyOf": [listed(counts), counts]}}
    made = record({"name": WRITTEN}, {**header, **groups, **plain}, closed=True)
    return made | {"description": Spec.__doc__ or ""}


def _dimension(kind: str, default: Any) -> Schema:
    """One dimension: plain, or with its range; a field without default is needed, and so it names none."""
    value = TYPES[kind] | ({} if default is MISSING else {"default": default})
    words = {"low": NUMBER, "high": NUMBER, "date": WRITTEN, "note": WRITTEN}
    return {"anyOf": [value, record({"value": TYPES[kind]}, words, closed=True)]}


#: column of a row of measured power -> what stands in it
MEASURED = {
    "row_id": "name of the row",
    "source": "where it is published",
    "confidence": "read; anything else: the row does not count",
    "qa": "why the row does not count; blank, `fixed ...`, `note ...`: it counts",
    "value_per_chip": "W per chip",
    "performance": "time of the run, in performance_unit",
    "performance_unit": "minutes, seconds or hours",
}


def run() -> Schema:
    """A row of a file for ``validate --runs``, a training run or a measured power: cells are text, blank: unknown."""
    from exaplan.truth import RUNS, metering
    from exaplan.truth.rows import COLUMNS, read_rows

    known = next(iter(read_rows(RUNS)))
    more = {name: TEXT for name in known if name not in COLUMNS and not name.startswith("_")}
    trained = record(dict.fromkeys(COLUMNS, TEXT), more) | {"description": "A training run; SI units."}
    measured = {name: TEXT | {"description": told} for name, told in MEASURED.items()}
    needed = dict.fromkeys(metering.COLUMNS, TEXT) | {"kind": {"const": metering.KIND}}
    power = record({name: value | measured.pop(name, {}) for name, value in needed.items()}, measured)
    told = "CSV or CSV.gz, one row a run: a training run, or the measured power of one."
    return {"anyOf": [trained, power | {"description": "A measured power."}], "description": told}
