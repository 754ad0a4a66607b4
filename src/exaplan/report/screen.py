"""The console, and the small pieces that all tables share. Text is never read as markup."""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from exaplan import units
from exaplan.report.words import word

WIDTH = 120  # columns where the output is no terminal
BAR = 20
DASH = "–"  # what is unknown, or no number  # noqa: RUF001


def draw(parts: Iterable[RenderableType]) -> str:
    """The parts as text for stdout: coloured only on a terminal, ``WIDTH`` wide elsewhere."""
    terminal = sys.stdout.isatty()
    target = io.StringIO()
    width = None if terminal or "COLUMNS" in os.environ else WIDTH
    console = Console(file=target, force_terminal=terminal, width=width, markup=False, highlight=False, emoji=False)
    console.print(Group(*parts))
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()) + "\n"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    title: str = "",
    left: Sequence[str] = (),
    tight: bool = False,
    fixed: Sequence[str] = (),
) -> Table:
    """A plain table; columns are keys of ``columns`` in the words; those in ``left`` (and the first) align left.

    Columns in ``left`` wrap where the table is too wide; those in ``fixed`` align left, too, and do not wrap. tight:
    two spaces between columns instead of three.
    """
    padding = (0, 1, 0, 0) if tight else (0, 1)
    style: dict[str, Any] = {"title": title or None, "title_justify": "left", "title_style": "bold"}
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=padding, **style)
    for number, name in enumerate(columns):
        side = name in left or name in fixed or number == 0
        wrap = name in left
        made.add_column(word(f"columns.{name}"), justify="left" if side else "right", no_wrap=not wrap, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made


def heading(text: str) -> Text:
    """A title line."""
    return Text(text, style="bold")


def listed(title: str, lines: Iterable[str], style: str = "dim") -> list[RenderableType]:
    """A title with indented lines under it; nothing where there are no lines."""
    found = list(lines)
    return [Text(title + word("law.colon").rstrip()), *(indented(line, style) for line in found)] if found else []


def indented(text: str, style: str = "dim") -> RenderableType:
    """Text two columns in, all of its lines."""
    return Padding(Text(text, style=style), (0, 0, 0, 2))


def line(title: str, values: Iterable[str]) -> list[RenderableType]:
    """A title with short values after it, in one line; nothing where there are no values."""
    found = ", ".join(values)
    return [Text(f"{title}{word('law.colon')}{found}")] if found else []


def bar(share: float) -> Text:
    """A horizontal bar for a share of one."""
    return Text("█" * max(0, min(BAR, round(share * BAR))), style="cyan")


def amount(value: float | None, dimension: str, digits: int = 3) -> str:
    """A quantity for people; a dash where it is unknown."""
    return DASH if value is None or math.isnan(value) else units.show(value, dimension, digits)


def percent(value: float | None, digits: int = 1) -> str:
    """A ratio as percent."""
    return DASH if value is None or math.isnan(value) else f"{value * 100:.{digits}f}%"
