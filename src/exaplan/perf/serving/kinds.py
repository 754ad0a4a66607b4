"""Kinds of attention layers as rows of numbers (perf/serving/attention.py), cut for one chip.

MLA decodes over its compressed cache as if one key/value head of rank + rope elements served all heads, and reads
prompts decompressed (DeepSeek-AI 2024, arXiv:2405.04434, section 2.1).
"""

from __future__ import annotations

import numpy as np

from exaplan.models.serving import Cache
from exaplan.perf.roofline import AttentionFit
from exaplan.perf.serving.attention import COLUMNS
from exaplan.perf.serving.inputs import DecodeFit, ServeHardware, ServeTuning, Table
from exaplan.perf.serving.memory import key_value_heads, token_bytes
from exaplan.perf.serving.pack import Cutting


def attention_table(
    kinds: tuple[Cache, ...],
    cut: Cutting,
    hw: ServeHardware,
    fit: AttentionFit,
    decode: DecodeFit,
    width: float,
    queries: float,
    tune: ServeTuning,
) -> Table:
    """One row per kind of layer, shape (kinds, COLUMNS); queries: tokens of a decoding sequence in an iteration."""
    rows = [kind_row(cache, cut, hw, fit, decode, width, queries, tune) for cache in kinds]
    return np.array(rows, dtype=np.float64).reshape(len(rows), COLUMNS)


def kind_row(
    cache: Cache,
    cut: Cutting,
    hw: ServeHardware,
    fit: AttentionFit,
    decode: DecodeFit,
    width: float,
    queries: float,
    tune: ServeTuning,
) -> list[float]:
    """One kind of layer on one chip."""
    tp = cut.replica.tp
    heads = max(1.0, cache.heads / tp)
    latent = cache.latent > 0
    key = cache.latent + cache.rope if latent else cache.key
    value = cache.latent if latent else cache.value
    token = token_bytes(cache, tp, width) - cache.index
    state = 8.0 * cache.state / tp if cache.state else 2.0 * queries * heads * (key + value)
    stream = hw.high.bandwidth * fit.memory
    dim = 0.5 * (cache.key + cache.value)
    rate = hw.high.peak * fit.peak * (128.0 + fit.size) / 128.0 * dim / (dim + fit.size)
    cp = float(cut.replica.cp)
    rate_out = hw.link if cut.replica.chips <= hw.domain else hw.network
    ring = (cp - 1.0) / cp * token_bytes(cache, tp, width) / rate_out
    together = 1.0 if latent or cache.state else key_value_heads(cache, tp)
    prompts = 0.0 if cache.state else heads
    reached = hw.high.peak * cut.estimates.decompression
    up = 2.0 * heads * cache.latent * 2.0 * cache.value / reached if latent else 0.0
    return [
        cache.layers, 0.0 if cache.state else heads, key, value, cache.window, cache.top, token, state, cache.index,
        decode.rate * hw.high.peak, decode.memory * hw.high.bandwidth, decode.floor, decode.corner,
        prompts, cache.key, cache.value, rate, fit.ramp, stream, fit.floor, fit.corner, fit.tile,
        fit.tail * hw.high.processors, up, queries, tune.attention_decode, tune.attention_prefill,
        together, decode.pad, decode.sequence, cp, ring, cache.scored,
    ]  # fmt: skip
