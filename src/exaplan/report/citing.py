"""Sources and reservations at the foot of a view."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from exaplan.catalog import Catalog
from exaplan.report.screen import listed
from exaplan.report.words import phrase, word

BRACKETS = re.compile(r"\s*\([^()]*\)")  # what a title says in brackets


def sources(used: Iterable[str], catalog: Catalog, short: bool = False) -> list[RenderableType]:
    """The sources spelled out, each once; one that the catalogue does not know is named as it is.

    short: a line each, cut at the edge of the screen, without address: for views with many.
    """
    if not short:
        return listed(word("explain.sources"), source_lines(used, catalog))
    lines = [Padding(_cut(line), (0, 0, 0, 2)) for line in short_lines(used, catalog)]
    return [Text(word("explain.sources_short") + word("law.colon").rstrip()), *lines] if lines else []


def _cut(line: str) -> Text:
    return Text(line, style="dim", no_wrap=True, overflow="ellipsis")


def source_ids(used: Iterable[str]) -> list[str]:
    """The ids in lists of them, each once, in order."""
    return sorted({part.strip() for item in used for part in item.replace(";", ",").split(",")} - {""})


def source_lines(used: Iterable[str], catalog: Catalog) -> Iterator[str]:
    """``id: title · address · date`` of each, in order."""
    for name in source_ids(used):
        if name in catalog.sources or name.startswith("user:"):
            source = catalog.source(name)
            yield " · ".join(part for part in (f"{name}: {source.title}", source.address, source.date) if part)
        else:
            yield name


def short_lines(used: Iterable[str], catalog: Catalog) -> Iterator[str]:
    """``id: title`` of each, in order, without what the title says in brackets."""
    for name in source_ids(used):
        known = name in catalog.sources or name.startswith("user:")
        yield f"{name}: {BRACKETS.sub('', catalog.source(name).title)}" if known else name


def told(title: str, lines: Iterable[str], style: str = "dim") -> list[RenderableType]:
    """A titled list of sentences that were made elsewhere, in the language that is spoken."""
    return listed(word(title), [phrase(line) for line in dict.fromkeys(lines)], style)


def advice() -> RenderableType:
    """That this is analysis, not legal advice."""
    return Text(word("law.advice"), style="yellow")
