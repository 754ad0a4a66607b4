"""Tables of published runs: read as text, and the cells of a row as numbers. Blank means unknown."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from exaplan.errors import InputError, Place

LAYOUT_COLUMNS = ("tp", "pp", "micro_batch")
REQUIRED = ("step_time_s", "n_chips", "tp", "pp", "global_batch", "micro_batch")
MODEL_COLUMNS = ("layers", "hidden", "heads", "seq_len")
COLUMNS = ("model", "chip", "precision", *MODEL_COLUMNS, *REQUIRED)
SIZE_LIMIT = 64 * 2**20
TRUE, FALSE = ("true", "yes", "1", "1.0"), ("false", "no", "0", "0.0")


class Skip(Exception):
    """A row that does not count, with the reason."""


def read_rows(path: Path, needed: Sequence[str] = COLUMNS, what: str = "training runs") -> list[dict[str, str]]:
    """Rows of a CSV or CSV.gz as text; refuses what is not one of ``what`` for want of a column. Adds ``_line``."""
    reader = csv.DictReader(io.StringIO(_read_text(path), newline=""))
    if missing := [column for column in needed if column not in (reader.fieldnames or [])]:
        raise InputError(
            f"a file of {what} needs the columns {', '.join(missing)}",
            hint=f"blank cells are allowed; needed are: {', '.join(needed)}",
            place=Place(str(path), 1),
        )
    rows = []
    for row in reader:
        if None in row or None in row.values():
            hint = "each row needs as many cells as the header; quote cells that hold commas"
            raise InputError("wrong number of cells", hint=hint, place=Place(str(path), reader.line_num))
        rows.append({**row, "_line": str(reader.line_num)})
    return rows


def header(path: Path) -> tuple[str, ...]:
    """Names of the columns of a CSV or CSV.gz; () of an empty file."""
    return tuple(csv.DictReader(io.StringIO(_read_text(path), newline="")).fieldnames or ())


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise InputError("this is a directory", hint="give a CSV or CSV.gz file", place=Place(str(path)))
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            raw = stream.read(SIZE_LIMIT + 1)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read it: {reason}", hint="check the path", place=Place(str(path))) from error
    if len(raw) > SIZE_LIMIT:
        raise InputError(f"larger than {SIZE_LIMIT} bytes", hint="split the file", place=Place(str(path)))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", hint="give a CSV or CSV.gz file", place=Place(str(path))) from error


def row_name(row: Mapping[str, str]) -> str:
    """row_id, or the line where a file has none."""
    return row.get("row_id") or f"line {row.get('_line', '?')}"


def cell(row: Mapping[str, str], column: str) -> str:
    """The text of a cell without blanks around it; "" where it is unknown."""
    return (row.get(column) or "").strip()


def number(row: Mapping[str, str], column: str, default: float | None = None) -> float:
    """A numeric cell; blank takes the default; NaN, infinity, text and negatives are refused."""
    text = (row.get(column) or "").strip()
    if not text:
        if default is None:
            raise Skip(f"{column} is blank")
        return default
    try:
        value = float(text)
    except ValueError:
        raise Skip(f"{column} is not a number: {text!r}") from None
    if not math.isfinite(value) or value < 0:
        raise Skip(f"{column} must be a number of at least 0: {text!r}")
    return value


def whole(row: Mapping[str, str], column: str, default: int | None = None) -> int:
    """A whole-number cell."""
    value = number(row, column, None if default is None else float(default))
    if value != int(value):
        raise Skip(f"{column} is not a whole number: {value}")
    return int(value)


def blank_layout(row: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of the layout that a row leaves blank."""
    return tuple(column for column in LAYOUT_COLUMNS if not cell(row, column))
