"""How the result of a command leaves: its tables in a language, its JSON, its files, and its warnings."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from exaplan.cli.output import check_out, emit, say, write
from exaplan.errors import InputError, Place

if TYPE_CHECKING:
    from rich.console import RenderableType

P = ParamSpec("P")
Document = Callable[[], Mapping[str, Any]]
View = Callable[[], "Sequence[RenderableType]"]


def spoken(command: Callable[P, None]) -> Callable[P, None]:
    """Run a command in the language of its ``--lang``."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with _speaking(kwargs.get("lang")):
            command(*args, **kwargs)

    return run


def _speaking(language: object) -> contextlib.AbstractContextManager[None]:
    if language is None:
        return contextlib.nullcontext()
    from exaplan.report.words import speaking

    return speaking(str(language))


def check_report(path: Path | None, out: Path | None) -> None:
    """Refuse a report that cannot be written before anything is computed."""
    if path is None:
        return
    from exaplan.report.page import suffix_of

    suffix_of(path)
    check_out(path, "--report")
    if out and os.path.realpath(path) == os.path.realpath(out):
        problem = f"--report and --out would both write {path}"
        raise InputError(problem, hint="give them two names", place=Place("--report"))


def show(document: Document, view: View, as_json: bool, out: Path | None = None) -> None:
    """JSON to the file and to stdout where they are wanted, else tables."""
    from exaplan.report import to_json

    text = to_json.text(dict(document())) if as_json or out else ""
    told = text if as_json else _drawn(view)
    if out:
        write(out, text)
    emit(told)


def one_form(as_json: bool, as_csv: bool) -> None:
    """Refuse two forms at once."""
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other", hint="keep one of them", place=Place("--csv"))


def show_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """A list as CSV in SI; inner objects become columns like ``usd.value``."""
    from exaplan.report import listings

    emit(listings.listing_csv([dict(row) for row in rows]))


def _drawn(view: View) -> str:
    from exaplan.report.screen import draw

    return draw(list(view()))


def warn(lines: Iterable[str]) -> None:
    """Each warning once, on stderr."""
    for line in dict.fromkeys(lines):
        say(f"warning: {line}")
