"""Time of attention over a paged KV cache: decoding sequences, and chunks of prompts behind what is cached already.

One row per kind of attention layer (columns below), of one chip. Pure scalar functions, fitted on measured kernels.
Paged caches: Kwon et al. 2023 (arXiv:2309.06180); decoding split over the cache: Dao et al. 2023, "Flash-Decoding",
which keeps all processors busy at any batch, so that bytes and FLOPs alone bound it.
"""

from __future__ import annotations

from exaplan.perf.roofline import smooth_max
from exaplan.perf.serving.inputs import Row, Table

# COUNT layers; HEADS, KEY [elements of q and k], VALUE [of v] in decode; WINDOW, TOP [tokens, 0 = all];
# CACHE [B of cache per token], STATE [B per sequence beside: q, output, recurrent state], INDEX [B per token that a
# sparse indexer reads], and the curves: RATE [FLOP/s], STREAM [B/s], FLOOR [s], CORNER, PAD [query heads that a tile
# takes at least], SEQUENCE [s per sequence] of decode, WIDTH [tokens per sequence], SCALE, P_SCALE [factors of tuning];
# P_* of prompts: HEADS, KEY, VALUE, RATE, RAMP [keys], STREAM, FLOOR, CORNER, TILE, TAIL [blocks], UP [s per past
# token], CUT [ranks that share a prompt], RING [s per token whose keys and values go round them];
# SCORED [elements that a sparse indexer multiplies per query and key]
(
    COUNT,
    HEADS,
    KEY,
    VALUE,
    WINDOW,
    TOP,
    CACHE,
    STATE,
    INDEX,
    RATE,
    STREAM,
    FLOOR,
    CORNER,
    P_HEADS,
    P_KEY,
    P_VALUE,
    P_RATE,
    P_RAMP,
    P_STREAM,
    P_FLOOR,
    P_CORNER,
    P_TILE,
    P_TAIL,
    P_UP,
    WIDTH,
    SCALE,
    P_SCALE,
    KV_HEADS,
    PAD,
    SEQUENCE,
    P_CUT,
    P_RING,
    SCORED,
) = range(33)
COLUMNS = 33


def seen(context: float, window: float, top: float) -> float:
    """Tokens of ``context`` that a query reads: those of a window, or the top ones of a sparse layer. [tokens]"""
    if window > 0.0:
        context = min(context, window)
    return min(context, top) if top > 0.0 else context


def decode_kind_time(row: Row, seqs: float, context: float) -> float:
    """One layer of a kind for ``seqs`` decoding sequences of ``context`` tokens each. [s]

    t = floor + seqs sequence + smooth_max(bytes / stream, FLOPs / rate); bytes = seqs (keys cache + state + context
    index), FLOPs = 2 seqs keys kv_heads max(width heads / kv_heads, pad) (key + value): the query heads of one
    key/value head fill a tile of the matrix engine together.
    """
    if seqs <= 0.0:
        return 0.0
    keys = seen(context, row[WINDOW], row[TOP])
    moved = seqs * (keys * row[CACHE] + row[STATE] + context * row[INDEX])
    together = max(row[WIDTH] * row[HEADS] / row[KV_HEADS], row[PAD])
    flops = 2.0 * seqs * keys * row[KV_HEADS] * together * (row[KEY] + row[VALUE])
    flops += 2.0 * seqs * context * row[WIDTH] * row[SCORED]
    fixed = row[FLOOR] + seqs * row[SEQUENCE]
    return fixed + smooth_max(moved / row[STREAM], flops / row[RATE], row[CORNER])


def decode_time(table: Table, seqs: float, context: float) -> float:
    """Attention of all layers for ``seqs`` sequences of one rank whose contexts sum to ``context`` tokens. [s]"""
    if seqs <= 0.0:
        return 0.0
    total = 0.0
    for index in range(table.shape[0]):
        row = table[index]
        total += row[COUNT] * row[SCALE] * decode_kind_time(row, seqs, context / seqs)
    return total


def prompt_keys(chunk: float, past: float, window: float, top: float, tile: float) -> float:
    """Mean keys that a query of a chunk works on [tokens]: causal, behind ``past`` cached tokens."""
    keys = past + 0.5 * chunk + 0.5 * min(tile, chunk)
    if window > 0.0:
        keys = min(keys, window + tile)
    return min(keys, top) if top > 0.0 else keys


def prompt_kind_time(row: Row, chunk: float, past: float) -> float:
    """One layer of a kind for ``chunk`` prompt tokens behind ``past`` cached ones. [s]

    As ``roofline.attention_time``: t = floor + smooth_max(FLOPs / (rate keys / (keys + ramp)) idle, bytes / stream),
    and what is cached in compressed form (MLA) is decompressed: past x P_UP. Ranks that share a prompt (context
    parallelism) do equal parts while keys and values go round: max(t / ranks, ring).
    """
    if chunk <= 0.0 or row[P_HEADS] <= 0.0:
        return 0.0
    ring = seen(past + chunk, row[WINDOW], row[TOP]) * row[P_RING]
    keys = prompt_keys(chunk, past, row[WINDOW], row[TOP], row[P_TILE])
    flops = 2.0 * row[P_HEADS] * chunk * keys * (row[P_KEY] + row[P_VALUE])
    flops += 2.0 * chunk * (past + 0.5 * chunk) * row[SCORED]
    rate = row[P_RATE] * keys / (keys + row[P_RAMP])
    blocks = row[P_HEADS] * max(1.0, chunk / row[P_TILE])
    idle = 1.0 + row[P_TAIL] / blocks
    moved = 2.0 * chunk * row[P_HEADS] * (row[P_KEY] + row[P_VALUE]) + past * row[CACHE]
    time = row[P_FLOOR] + smooth_max(flops / rate * idle, moved / row[P_STREAM], row[P_CORNER])
    time += seen(past, row[WINDOW], row[TOP]) * row[P_UP] + (past + chunk) * row[INDEX] / row[P_STREAM]
    return max(time / row[P_CUT], ring)


def prompt_time(table: Table, chunk: float, past: float) -> float:
    """Attention of all layers for one chunk of a prompt on one rank. [s]"""
    total = 0.0
    for index in range(table.shape[0]):
        row = table[index]
        total += row[COUNT] * row[P_SCALE] * prompt_kind_time(row, chunk, past)
    return total
