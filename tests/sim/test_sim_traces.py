"""Trace files: usual spellings, pieces, sessions, and every mistake told with its file, line and remedy."""

from __future__ import annotations

import gzip
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sim import count, leaks, pool

from exaplan import sim
from exaplan.errors import InputError
from exaplan.sim import columns as at
from exaplan.sim.traces import date_of, key_of, read

HEAD = "timestamp,prompt,output,session\n"


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    """A trace file of this text."""
    path = folder / name
    path.write_text(text)
    return path


def first(path: Path) -> sim.Chunk:
    """The first piece of a trace."""
    return next(read(path).chunks())


def test_a_trace_is_read(tmp_path: Path) -> None:
    """Times count from the first row; the same session has the same number, an empty cell none."""
    chunk = first(written(tmp_path, HEAD + "10.5,100,20,a\n11,50,1,b\n11,5,7,a\n12,5,7,\n"))
    assert chunk.whens.tolist() == [0.0, 0.5, 0.5, 1.5]
    assert chunk.rows[:, at.ROW_PROMPT].tolist() == [100, 50, 5, 5]
    assert chunk.rows[:, at.ROW_OUTPUT].tolist() == [20, 1, 7, 7]
    keys = chunk.rows[:, at.ROW_KEY].tolist()
    assert keys[0] == keys[2] != keys[1] and keys[3] == at.NONE


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68000,10,2\n2023-11-16 18:15:47.68,3,4\n", 1.0),
        ("Timestamp,Model,Request tokens,Response tokens,Total tokens\n5,ChatGPT,10,2,12\n45,GPT-4,3,4,7\n", 40.0),
        ("arrival_time_ms,input_length,output_length\n0,10,2\n250,3,4\n", 0.25),
        ("time,num_prefill_tokens,num_decode_tokens\n1,10,2\n3,3,4\n", 2.0),
    ],
)  # fmt: skip
def test_usual_spellings_are_known(tmp_path: Path, text: str, gap: float) -> None:
    """Headers of public traces, dates with seven digits of a second, and milliseconds are understood."""
    chunk = first(written(tmp_path, text))
    assert chunk.rows[:, :2].tolist() == [[10, 2], [3, 4]]
    assert np.diff(chunk.whens).tolist() == pytest.approx([gap], abs=1e-3)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("2,10,5,\n1,10,5,\n", ":3: timestamp: '1' is earlier than the row before"),
        ("1,10,5,\n,10,5,\n", ":3: timestamp: no timestamp"),
        ("soon,10,5,\n", ":2: timestamp: 'soon' is no time"),
        ("nan,10,5,\n", ":2: timestamp: 'nan' is no time"),
        ("1,-10,5,\n", ":2: prompt: '-10' is no number of tokens"),
        ("1,ten,5,\n", ":2: prompt: 'ten' is no number of tokens"),
        ("1,10,5.5,\n", ":2: output: '5.5' is no number of tokens"),
        ("1,10,inf,\n", ":2: output: 'inf' is no number of tokens"),
        ("1,10\n", ":2: output: no output"),
    ],
)
def test_bad_rows_are_told_with_their_line(tmp_path: Path, rows: str, said: str) -> None:
    """The message names file, line, field, the value and what to do."""
    path = written(tmp_path, HEAD + rows)
    with pytest.raises(InputError) as caught:
        read(path)
    assert f"{path}{said}" in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "the trace is empty"),
        ("b.csv", HEAD, "the trace holds no requests"),
        ("c.csv", "time,input\n1,2\n", "no column output among time, input"),
        ("d.txt", HEAD, "a trace cannot be read from .txt"),
        ("e.csv.gz", "not gzip", "not readable as CSV"),
    ],
)
def test_bad_files_are_told(tmp_path: Path, name: str, text: str, said: str) -> None:
    """An empty file, a missing column, an unknown kind of file, a broken archive."""
    with pytest.raises(InputError, match=said) as caught:
        read(written(tmp_path, text, name))
    assert caught.value.hint and name in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A wrong path is a mistake of input."""
    with pytest.raises(InputError, match="no such trace file"):
        read(tmp_path / "none.csv")


def test_text_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    """Bytes that are no text are refused."""
    path = tmp_path / "bytes.csv"
    path.write_bytes(b"timestamp,prompt,output\n\xff\xfe,1,2\n")
    with pytest.raises(InputError, match="not readable as CSV"):
        read(path)


def test_parquet_without_pyarrow_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the package and the way around it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="needs pyarrow"):
        read(written(tmp_path, "", "trace.parquet"))


def test_parquet_is_read_through_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows come batch by batch, dates as dates."""
    from datetime import datetime

    class Column(list[Any]):
        def to_pylist(self) -> list[Any]:
            return list(self)

    batch = types.SimpleNamespace(columns=[Column([datetime(2024, 1, 1, 0, 0, second) for second in (1, 3)]),
                                           Column([10, 20]), Column([1, 2])])  # fmt: skip
    file = types.SimpleNamespace(
        schema_arrow=types.SimpleNamespace(names=["timestamp", "prompt", "output"]),
        iter_batches=lambda batch_size: iter([batch, batch]),
    )
    batch_two = types.SimpleNamespace(columns=[Column([datetime(2024, 1, 1, 0, 1)]), Column([5]), Column([6])])
    file.iter_batches = lambda batch_size: iter([batch, batch_two])
    parquet = types.SimpleNamespace(ParquetFile=lambda path: file)
    monkeypatch.setitem(sys.modules, "pyarrow", types.SimpleNamespace(parquet=parquet))
    chunk = first(written(tmp_path, "", "trace.parquet"))
    assert chunk.whens.tolist() == [0.0, 2.0, 59.0] and chunk.rows[:, at.ROW_OUTPUT].tolist() == [1, 2, 6]


def test_parquet_that_is_none_is_told(tmp_path: Path) -> None:
    """A file of another kind behind the ending is refused by its name, not by pyarrow."""
    pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match=r"trace.parquet: not readable as Parquet"):
        read(written(tmp_path, "timestamp", "trace.parquet"))


def test_a_trace_runs_in_pieces(tmp_path: Path) -> None:
    """A gzipped trace in pieces of 7 rows gives the run of the whole; sessions are found in the cache."""
    rows = "".join(f"{0.2 * line},{50 + line % 90},{1 + line % 20},user{line % 9}\n" for line in range(300))
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress((HEAD + rows).encode()))
    fleet = sim.Fleet(pool(2, "prefix", prefix=1))
    whole, pieces = sim.run(read(path), fleet), sim.run(read(path, size=7), fleet)
    assert count(whole, at.FINISHED) == count(pieces, at.FINISHED) == 300
    assert sim.summary(whole).latency.mean == sim.summary(pieces).latency.mean
    assert sim.summary(whole).cached > 0.1 and list(leaks(pieces)) == []


def test_a_mistake_far_down_shows_when_it_is_reached(tmp_path: Path) -> None:
    """The first piece is fine; the run meets the bad row."""
    rows = "".join(f"{line},50,5,\n" for line in range(20)) + "1,50,5,\n"
    load = read(written(tmp_path, HEAD + rows), size=10)
    with pytest.raises(InputError, match=":22: timestamp"):
        sim.run(load, sim.Fleet(pool()))


def test_only_so_many_rows_are_read(tmp_path: Path) -> None:
    """The limit of requests ends a trace early; blank lines and zero lengths do no harm."""
    path = written(tmp_path, HEAD + "1,0,0,\n\n2,3,4,\n3,3,4,\n")
    rows = np.concatenate([chunk.rows for chunk in read(path, limit=3).chunks()])
    assert rows[:, :2].tolist() == [[1, 1], [3, 4]]


def test_dates_and_sessions_as_numbers() -> None:
    """Dates with a zone, without one, and text that is none; names of sessions give steady numbers."""
    assert date_of("2024-01-01T01:00:00+01:00") == date_of("2024-01-01 00:00:00") == 1704067200.0
    assert np.isnan(date_of("yesterday"))
    assert key_of("a") == key_of("a") != key_of("b") and key_of(None) == at.NONE
