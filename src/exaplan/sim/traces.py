"""Traces of real requests: CSV, CSV.gz or Parquet, read in pieces, so that a file of any size needs little memory.

A column of arrival times, one of prompt tokens and one of output tokens are needed, one of sessions may be there; other
usual spellings are known (NAMES). Times are numbers [s, or ms where the header says so] or dates as ISO 8601 writes
them; they never go back. A length of 0 counts as 1: an engine computes and makes no less.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from exaplan.errors import InputError, Place
from exaplan.sim import columns as at
from exaplan.sim.nouns import WITHOUT_END, Chunk, Load

SIZE = 65_536  # rows read at a time
MOST_TOKENS = 2**31
NAMES: Mapping[str, tuple[str, ...]] = {
    "timestamp": ("timestamp", "time", "arrival", "arrivaltime", "arrivedat", "arrival", "starttime", "timestamps",
                  "timestampms", "timems", "arrivalms", "arrivaltimems"),
    "prompt": ("prompt", "prompttokens", "input", "inputtokens", "inputlength", "contexttokens", "requesttokens",
               "promptlength", "promptlen", "inputlen", "numprefilltokens", "numprompttokens", "isl"),
    "output": ("output", "outputtokens", "outputlength", "generatedtokens", "responsetokens", "completiontokens",
               "outputlen", "numdecodetokens", "completion", "osl"),
    "session": ("session", "sessionid", "conversation", "conversationid", "chatid", "user", "userid"),
}  # fmt: skip
OPTIONAL = ("session",)
Row = tuple[Any, Any, Any, Any]


class Columns(NamedTuple):
    """Where each column stands (-1: it is missing), and what a unit of time is. [s]"""

    timestamp: int
    prompt: int
    output: int
    session: int
    unit: float


def read(path: str | Path, limit: int = WITHOUT_END, size: int = SIZE) -> Load:
    """The requests of a trace file, ``limit`` of them at most; time begins with the first.

    The header and the first rows are read at once, so that most mistakes show before anything runs; a mistake further
    down shows when it is reached.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            "no such trace file", hint="give the path of a CSV, CSV.gz or Parquet file", place=at_file(path)
        )
    opened = opener(path)
    first = next(chunks(path, opened, limit, size), None)
    if first is None:
        raise InputError(
            "the trace holds no requests", hint="one row per request below the header", place=at_file(path)
        )
    return Load(chunks=lambda: chunks(path, opened, limit, size), limit=limit, traced=True)


def at_file(path: Path, line: int | None = None, field: str | None = None) -> Place:
    """A place in a trace."""
    return Place(file=str(path), line=line, field=field)


def opener(path: Path) -> Callable[[Path], Iterator[Sequence[Any]]]:
    """How a file is read, by its ending: an iterator of rows, the header first."""
    if path.suffix in (".parquet", ".pq"):
        return parquet_rows
    if path.suffix == ".csv" or path.suffixes[-2:] == [".csv", ".gz"]:
        return csv_rows
    raise InputError(f"a trace cannot be read from {path.suffix or 'a file without an ending'}",
                     hint="write it as .csv, .csv.gz or .parquet", place=at_file(path))  # fmt: skip


def csv_rows(path: Path) -> Iterator[Sequence[Any]]:
    """Rows of a CSV file."""
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            yield from csv.reader(file)
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error, csv.Error) as error:
        raise InputError(f"not readable as CSV: {error}", hint="UTF-8 text with commas", place=at_file(path)) from error


def parquet_rows(path: Path) -> Iterator[Sequence[Any]]:
    """Rows of a Parquet file, in batches; needs pyarrow."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            "reading Parquet needs pyarrow, which is not installed",
            hint="pip install pyarrow, or write the trace as CSV",
            place=at_file(path),
        ) from error
    try:
        file = parquet.ParquetFile(path)
        yield file.schema_arrow.names
        for batch in file.iter_batches(batch_size=SIZE):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
    except (OSError, ValueError) as error:  # pyarrow's own errors are among these
        raise InputError(
            f"not readable as Parquet: {error}", hint="write it again, or as CSV", place=at_file(path)
        ) from error


def plain_name(name: str) -> str:
    """A column's name without case, spaces and signs."""
    return "".join(sign for sign in name.lower() if sign.isalnum())


def columns_of(path: Path, header: Sequence[Any]) -> Columns:
    """Find the columns in a header."""
    names = [plain_name(str(name)) for name in header]
    found = {}
    for column, spellings in NAMES.items():
        places = [names.index(spelling) for spelling in spellings if spelling in names]
        if not places and column not in OPTIONAL:
            raise InputError(
                f"no column {column} among {', '.join(map(str, header))}",
                hint=f"name a column {column}",
                place=at_file(path, 1, column),
            )
        found[column] = places[0] if places else -1
    unit = 1e-3 if names[found["timestamp"]].endswith("ms") else 1.0
    return Columns(**found, unit=unit)


def chunks(path: Path, opened: Callable[[Path], Iterator[Sequence[Any]]], limit: int, size: int) -> Iterator[Chunk]:
    """The requests, some at a time."""
    rows = opened(path)
    header = next(rows, None)
    if header is None:
        raise InputError("the trace is empty", hint="a header, and one row per request", place=at_file(path))
    columns = columns_of(path, header)
    start, last, done = math.nan, -math.inf, 0
    while done < limit:
        part = list(islice(rows, min(size, limit - done)))
        if not part:
            return
        chunk = parsed(path, columns, part, done + 2, last)
        if not len(chunk.rows):
            continue
        start = chunk.whens[0] if math.isnan(start) else start
        last, done = float(chunk.whens[-1]), done + len(part)
        yield chunk._replace(whens=chunk.whens - start)


def parsed(path: Path, columns: Columns, part: Sequence[Sequence[Any]], line: int, last: float) -> Chunk:
    """Rows as numbers; blank lines are left out."""
    numbered = [(line + index, row) for index, row in enumerate(part) if row]
    whens = np.empty(len(numbered))
    rows = np.full((len(numbered), at.ROW_COLUMNS), at.NONE, np.int64)
    for index, (here, row) in enumerate(numbered):
        when = time_of(path, here, cell(path, here, row, columns.timestamp, "timestamp"), columns.unit)
        if when < last:
            raise InputError(
                f"{row[columns.timestamp]!r} is earlier than the row before",
                hint="sort the rows by time",
                place=at_file(path, here, "timestamp"),
            )
        whens[index] = last = when
        rows[index, at.ROW_PROMPT] = tokens_of(path, here, cell(path, here, row, columns.prompt, "prompt"), "prompt")
        rows[index, at.ROW_OUTPUT] = tokens_of(path, here, cell(path, here, row, columns.output, "output"), "output")
        if 0 <= columns.session < len(row):
            rows[index, at.ROW_KEY] = key_of(row[columns.session])
    return Chunk(rows, np.zeros(len(rows)), whens)


def cell(path: Path, line: int, row: Sequence[Any], column: int, field: str) -> Any:
    """A value that must be there."""
    value = row[column] if column < len(row) else None
    if value is None or value == "":
        raise InputError(f"no {field}", hint="every request needs one", place=at_file(path, line, field))
    return value


def time_of(path: Path, line: int, value: Any, unit: float) -> float:
    """A time [s]: a number, or a date."""
    try:
        when = float(value) * unit
    except (TypeError, ValueError):
        when = date_of(value)
    if not math.isfinite(when):
        raise InputError(
            f"{value!r} is no time",
            hint="seconds as a number, or a date such as 2024-05-10 12:00:00.5",
            place=at_file(path, line, "timestamp"),
        )
    return when


def date_of(value: Any) -> float:
    """A date in seconds, NaN where it is none. Seven digits of a second, as Azure writes them, are cut to six."""
    if isinstance(value, datetime):
        return (value.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()
    text = str(value).strip()
    head, dot, digits = text.partition(".")
    count = len(digits) - len(digits.lstrip("0123456789"))
    try:
        moment = datetime.fromisoformat(
            head + dot + digits[: min(6, count)].ljust(6, "0") + digits[count:] if dot else text
        )
    except ValueError:
        return math.nan
    offset = moment.utcoffset()
    return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds() - (
        offset.total_seconds() if offset else 0.0
    )


def tokens_of(path: Path, line: int, value: Any, field: str) -> int:
    """A number of tokens, 1 at least."""
    try:
        count = float(value)
    except (TypeError, ValueError):
        count = math.nan
    if not 0.0 <= count < MOST_TOKENS or count != int(count):
        raise InputError(
            f"{value!r} is no number of tokens",
            hint="a whole number that is not negative",
            place=at_file(path, line, field),
        )
    return max(1, int(count))


def key_of(value: Any) -> int:
    """A number for a session: by its name, so that it is the same in every piece of the file; none where empty."""
    if value is None or value == "":
        return at.NONE
    name = str(value).encode()
    return zlib.crc32(name) * 65_536 + zlib.adler32(name) % 65_536
