"""``exaplan compare``: two plans side by side, what differs, and which input explains it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from exaplan.answers import SCHEMA_VERSION
from exaplan.planning.comparing import Change, Comparison, Difference, Moved, differ
from exaplan.report.screen import amount, heading, listed, percent, table
from exaplan.report.serving.named import metric_name
from exaplan.report.to_json import fields_of, plain
from exaplan.report.words import word

DIMENSIONS: Mapping[str, str] = {
    "time": "time",
    "step_time": "time",
    "cost": "money",
    "capital": "money",
    "energy": "energy",
    "carbon": "mass",
    "memory": "bytes",
    "power": "power",
    "tokens": "tokens",
}
NOTABLE = 0.01  # change of energy or carbon beyond which it is told, where nothing told before goes the same way
GIVEN = ("work.tokens", "work.steps")  # inputs that say how long the run is
ABREAST = 3  # figures in one table
SERVING = "serving"
TIMES, RATES = ("ttft", "tpot", "latency"), ("throughput", "requests", "capacity", "goodput")  # of a service
TOLD = 4  # figures of a service that are told in a line each
NONE = "–"  # noqa: RUF001


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON, values in SI and USD."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": found.kind,
        "same": found.same,
        **{name: [_plain(item) for item in getattr(found, name)] for name in ("choices", "figures", "inputs", "made")},
        "reproduced": found.reproduced,
        **{name: [_plain(item) for item in getattr(found, name)] for name in ("alone", "path")},
        "notes": list(found.notes),
    }


def _plain(item: Change | Difference | Moved) -> dict[str, Any]:
    return {name: plain(value) for name, value in fields_of(item).items()}


def comparison_view(found: Comparison) -> list[RenderableType]:
    """The comparison for people."""
    if found.same:
        return [heading(word("compare.same")), *_tables(found), *listed(word("compare.notes"), found.notes)]
    return [
        heading(word("compare.title" if found.choices or moved(found) else "compare.unmoved")),
        *(Text(line) for line in headlines(found)),
        *_tables(found),
        *_explained(found),
        *listed(word("compare.notes"), found.notes, "yellow"),
    ]


def moved(found: Comparison) -> bool:
    """Whether any figure of the best plans changed."""
    return any(differ(item.a, item.b) for item in found.figures)


def headlines(found: Comparison) -> Iterator[str]:
    """In one line each: how the figures that are told change, and what moves them most."""
    figures = {item.name: item for item in found.figures}
    for name in explained_of(found):
        change = figures[name]
        most = max(found.path, key=lambda item: item.share.get(name, 0.0))
        ends = {
            "a": _shown(name, change.a, found.kind),
            "b": _shown(name, change.b, found.kind),
            "ratio": times(change.ratio),
        }
        cause = {"input": _names(most), "factor": times(most.factor.get(name)), "share": percent(most.share[name], 0)}
        yield word("compare.headline", figure=_figure(found.kind, name), **ends, **cause)


def explained_of(found: Comparison) -> list[str]:
    """The figures whose change is told: the tokens where they were searched for, the length of the run, its cost.

    Energy and CO2e where they move otherwise than those.
    """
    shared = {name for step in found.path for name in step.share}
    if found.kind == SERVING:
        return ranked((item.name for item in found.figures), shared)[:TOLD]
    given = any(item.name in GIVEN for item in found.inputs)
    ratios = {item.name: item.ratio for item in found.figures}
    length = "step_time" if ratios.get("time") is None else "time"
    told = [name for name in ("" if given else "tokens", length, "cost") if name in shared]
    for name in ("energy", "carbon"):
        if name in shared and _apart(ratios, name, told):
            told.append(name)
    return told


def ranked(names: Iterable[str], shared: Collection[str]) -> list[str]:
    """Of the figures of a service that an input explains: its cost first, then what was promised, then the rest."""
    found = [name for name in names if name in shared and name not in ("memory", "time")]
    order = {"cost": 0, "throughput": 2, "capacity": 2, "energy": 3}
    return sorted(found, key=lambda name: (order.get(name, 1 if "_p" in name else 4), found.index(name)))


def _apart(ratios: Mapping[str, float | None], name: str, told: list[str]) -> bool:
    """Whether a figure changes notably, and not as one that is told already."""
    change = ratios[name] or 1.0
    same = (1.0, *(ratios[other] or 1.0 for other in told))
    return all(abs(change / other - 1.0) > NOTABLE for other in same)


def _tables(found: Comparison) -> Iterator[RenderableType]:
    if found.inputs:
        rows = [[item.name, _text(item.a), _text(item.b)] for item in found.inputs]
        yield from _titled("inputs", table(("input", "a", "b"), rows, left=("a", "b")))
    if found.choices:
        rows = [[_choice(item.name), _text(item.a), _text(item.b)] for item in found.choices]
        yield from _titled("choices", table(("choice", "a", "b"), rows, left=("a", "b")))
    rows = [_figure_row(found, item) for item in found.figures]
    yield from _titled("figures", table(("figure", "a", "b", "ratio", "ranges"), rows))


def _titled(key: str, shown: RenderableType) -> Iterator[RenderableType]:
    """A table under its title, which may be wider than the table."""
    yield heading(word(f"compare.{key}"))
    yield shown


def _choice(name: str) -> str:
    """What was chosen, in words; of the copies that read prompts with their name in front."""
    part, _, field = name.rpartition(".")
    told = word(f"columns.{field}")
    return f"{word('compare.prefill')} {told}" if part == "prefill" else told


def _figure(kind: str, name: str) -> str:
    """A figure in words."""
    return metric_name(name) if kind == SERVING else word(f"whole.{name}")


def _figure_row(found: Comparison, item: Change) -> list[str]:
    ranges = {True: word("compare.overlap"), False: word("compare.apart"), None: ""}[item.overlap]
    ends = (_shown(item.name, item.a, found.kind), _shown(item.name, item.b, found.kind))
    return [_figure(found.kind, item.name), *ends, times(item.ratio), ranges]


def _explained(found: Comparison) -> Iterator[RenderableType]:
    """Each input alone, and all of them in order."""
    names = explained_of(found)
    if not names:
        return
    yield from _moves("path", found.path, names, found.kind)
    if len(found.alone) > 1:
        yield from _moves("alone", found.alone, names, found.kind)
    refused = [f"{_names(item)}: {item.refused}" for item in found.alone if item.refused]
    yield from listed(word("compare.refused"), refused)


def _moves(key: str, moves: Sequence[Moved], names: list[str], kind: str) -> Iterator[RenderableType]:
    """Moves and what each does to the named figures, a few of them in a table."""
    yield heading(word(f"compare.{key}"))
    for at in range(0, len(names), ABREAST):
        few = names[at : at + ABREAST]
        columns = ["input", *(column for name in few for column in (name, "times", "share"))]
        yield table(columns, [_moved_row(item, few, kind) for item in moves])


def _moved_row(item: Moved, names: list[str], kind: str) -> list[str]:
    cells = [_names(item)]
    for name in names:
        share = percent(item.share[name]) if name in item.share else NONE
        cells += [_shown(name, item.figures.get(name), kind), times(item.factor.get(name)), share]
    return cells


def times(ratio: float | None) -> str:
    """A ratio as a factor."""
    if ratio is None:
        return NONE
    return f"{ratio:.2f}" if 0.1 <= ratio < 100.0 else f"{ratio:.3g}"


def _names(item: Moved) -> str:
    return " + ".join(item.inputs)


def _shown(name: str, value: float | None, kind: str) -> str:
    if name.partition("_p")[0] in TIMES:
        return amount(value, "time")
    if name in RATES and kind == SERVING:
        return NONE if value is None else word("serving.per_second", rate=amount(value, "tokens"))
    return amount(value, DIMENSIONS[name]) if name in DIMENSIONS else percent(value)


def _text(value: Any) -> str:
    """A value of a question or a layout for people."""
    if value is None:
        return NONE
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
