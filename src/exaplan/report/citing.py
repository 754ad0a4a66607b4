"""Sources and reservations at the foot of a view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.text import Text

from exaplan.catalog import Catalog
from exaplan.report.screen import listed
from exaplan.report.words import phrase, word


def sources(used: Iterable[str], catalog: Catalog) -> list[RenderableType]:
    """The sources spelled out, each once; one that the catalogue does not know is named as it is."""
    return listed(word("explain.sources"), source_lines(used, catalog))


def source_lines(used: Iterable[str], catalog: Catalog) -> Iterator[str]:
    """``id: title · address · date`` of each, in order."""
    for name in sorted({part.strip() for item in used for part in item.replace(";", ",").split(",")} - {""}):
        if name in catalog.sources or name.startswith("user:"):
            source = catalog.source(name)
            yield " · ".join(part for part in (f"{name}: {source.title}", source.address, source.date) if part)
        else:
            yield name


def told(title: str, lines: Iterable[str], style: str = "dim") -> list[RenderableType]:
    """A titled list of sentences that were made elsewhere, in the language that is spoken."""
    return listed(word(title), [phrase(line) for line in dict.fromkeys(lines)], style)


def advice() -> RenderableType:
    """That this is analysis, not legal advice."""
    return Text(word("law.advice"), style="yellow")
