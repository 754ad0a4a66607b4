"""Time of one iteration of an engine: what the event loop calls, compiled, some hundred nanoseconds each.

Iterations that mix prompt chunks and decoding sequences: Yu et al. 2022, "Orca", OSDI; Agrawal et al. 2023, "Sarathi"
(arXiv:2308.16369).
"""

from __future__ import annotations

import math

import numpy as np

from exaplan.perf.serving.attention import decode_time, prompt_time
from exaplan.perf.serving.inputs import Host, StepTable, Table, Vector


def looked_up(entries: Vector, tokens: float, knee: float, stride: float) -> float:
    """Entry of a table for ``tokens`` tokens, interpolated; beyond its end in proportion. [s]"""
    place = tokens if tokens <= knee else knee + (tokens - knee) / stride
    last = entries.shape[0] - 1
    if place >= last:
        end = last if last <= knee else knee + (last - knee) * stride
        return float(entries[last]) * max(1.0, tokens / end) if last > 0 else float(entries[last])
    low = int(place)
    return float(entries[low] + (place - low) * (entries[low + 1] - entries[low]))


def parts(table: StepTable, pieces: float) -> float:
    """Micro-batches of an iteration: as many as stages of the pipeline, where there are sequences enough. [count]"""
    return min(table.stages, max(1.0, pieces))


def decode_attention_time(table: StepTable, seqs: float, context: float) -> float:
    """Attention of an iteration for ``seqs`` decoding sequences whose contexts sum to ``context`` [tokens]. [s]

    Both are those of the replica; the fullest of its ranks and micro-batches takes ceil(seqs / ranks).
    """
    if seqs <= 0.0:
        return 0.0
    own = math.ceil(seqs / (table.dp * parts(table, seqs)))
    return decode_time(table.attention, own, context / seqs * own)


def prefill_attention_time(table: StepTable, chunk: float, past: float) -> float:
    """Attention for a chunk of a prompt, ``past`` tokens of which are cached already, on its rank. [s]"""
    return prompt_time(table.attention, chunk, past)


def host_time(host: Host, seqs: float, chunks: float, ranks: float) -> float:
    """What the host works for an iteration; every attention rank has a process and a schedule of its own. [s]"""
    return host.base + (host.sequence * math.ceil(seqs / ranks) + host.chunk * math.ceil(chunks / ranks))


def iteration_time(
    table: StepTable, tokens: float, outputs: float, seqs: float, context: float, prefill: float, chunks: float
) -> float:
    """Time [s] of an iteration of a replica.

    tokens [all, those of prompts and table.width of each decoding sequence], outputs [sequences that yield a token],
    seqs, context [decoding sequences, and the sum of their contexts in tokens], prefill [s, sum of
    ``prefill_attention_time`` over the prompt chunks], chunks [their number].

    t = max(chip + (1 - overlap) host, host); chip = linear(tokens of the fullest rank) + experts(tokens of all ranks)
    + attention + head + draft. With a pipeline every micro-batch passes all stages; a full pipeline finishes all of
    them in the time of one.
    """
    if tokens <= 0.0:
        return 0.0
    batches = parts(table, seqs + chunks)
    ranks = table.dp * batches
    own = math.ceil(seqs / ranks)
    prompts = max(0.0, tokens - seqs * table.width)
    rank_tokens = own * table.width + prompts / (table.cut * max(1.0, min(ranks, chunks)))
    chip = looked_up(table.linear, rank_tokens, table.knee, table.stride)
    chip += looked_up(table.experts, tokens / batches, table.knee, table.stride)
    chip += decode_attention_time(table, seqs, context) + prefill / max(1.0, min(ranks, chunks))
    chip += looked_up(table.head, math.ceil(outputs / ranks) * table.width, 1e12, 1.0)
    chip += looked_up(table.draft, own, 1e12, 1.0)
    host = host_time(table.host, seqs, chunks, table.dp)
    return max(chip + (1.0 - table.host.overlap) * host, host)


def shape_time(table: StepTable, prompt: float, past: float, chunks: float, seqs: float, context: float) -> float:
    """Time [s] of an iteration of ``prompt`` tokens in equal chunks behind ``past`` tokens, and decoding sequences."""
    pieces = max(1.0, chunks) if prompt > 0.0 else 0.0
    prefill = pieces * prefill_attention_time(table, prompt / pieces, past) if pieces > 0.0 else 0.0
    return iteration_time(table, prompt + seqs * table.width, seqs + pieces, seqs, context, prefill, pieces)


def shape_times(table: StepTable, shapes: Table) -> Vector:
    """``shape_time`` of every row of ``shapes`` (n, 5): prompt tokens, past, chunks, seqs, context. Shape (n,). [s]"""
    made = np.zeros(shapes.shape[0])
    for index in range(shapes.shape[0]):
        row = shapes[index]
        made[index] = shape_time(table, row[0], row[1], row[2], row[3], row[4])
    return made
