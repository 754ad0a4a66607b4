"""The tables of a replica, filled by looping over its operators; compiled, some milliseconds.

Iterations of few tokens are replayed from CUDA graphs (NVIDIA, "CUDA graphs"), others launched kernel by kernel.
"""

from __future__ import annotations

import numpy as np

from exaplan.perf.serving.inputs import (
    COUNT,
    SIDE,
    TERM,
    ServeHardware,
    ServeTuning,
    Table,
    Vector,
)
from exaplan.perf.serving.operators import operator_time


def tokens_at(index: float, knee: float, stride: float) -> float:
    """Tokens that entry ``index`` of a table stands for. [tokens]"""
    return index if index <= knee else knee + (index - knee) * stride


def rows_time(rows: Table, side: float, tokens: float, hw: ServeHardware, tune: ServeTuning) -> float:
    """All operators of one side for ``tokens`` tokens. [s]"""
    total = 0.0
    for index in range(rows.shape[0]):
        row = rows[index]
        if row[SIDE] == side:
            total += row[COUNT] * operator_time(row, tokens, hw, tune)
    return total


def launched(rows: Table, side: float) -> float:
    """Kernels of one side in an iteration [count]."""
    total = 0.0
    for index in range(rows.shape[0]):
        if rows[index][SIDE] == side:
            total += rows[index][COUNT]
    return total


def side_time(
    rows: Table, side: float, tokens: float, graph: float, launch: float, hw: ServeHardware, tune: ServeTuning
) -> float:
    """Operators of one side; beyond ``graph`` tokens no graph replays them and the host may be slower. [s]"""
    time = rows_time(rows, side, tokens, hw, tune)
    return time if tokens <= graph else max(time, launch)


def filled(
    rows: Table,
    side: float,
    entries: int,
    knee: float,
    stride: float,
    graph: float,
    hw: ServeHardware,
    tune: ServeTuning,
) -> Vector:
    """Entries of ``linear`` or ``experts``, shape (entries,). [s]"""
    made = np.zeros(entries)
    launch = launched(rows, side) * tune.launch
    for index in range(1, entries):
        made[index] = side_time(rows, side, tokens_at(index * 1.0, knee, stride), graph, launch, hw, tune)
    return made


def term_times(rows: Table, side: float, tokens: float, terms: int, hw: ServeHardware, tune: ServeTuning) -> Vector:
    """Time of the operators of one side by term, shape (terms,). [s]"""
    made = np.zeros(terms)
    for index in range(rows.shape[0]):
        row = rows[index]
        if row[SIDE] == side:
            made[int(row[TERM])] += row[COUNT] * operator_time(row, tokens, hw, tune)
    return made
