"""What the event loop is given of one replica: tables and numbers, so that every function of it compiles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Table = NDArray[np.float64]


class Host(NamedTuple):
    """What the host adds. base [s per iteration], sequence [s per running sequence], chunk [s per prompt chunk in the
    iteration], overlap [0-1: share of it that hides under the chip's work], request [s once per request before its
    first iteration: HTTP, tokenising, scheduling]."""

    base: float
    sequence: float
    chunk: float
    overlap: float
    request: float


class StepTable(NamedTuple):
    """What an iteration of one replica takes, ready for the event loop.

    linear: shape (T + 1,), s of everything that depends on the number of tokens in the iteration alone (products,
    passes, collectives, exchange of experts), all stages and layers; linear[0] = 0. head: shape (S + 1,), s of final
    norm, logits and sampling for so many sequences that yield a token. attention: shape (kinds, columns), what
    ``decode_attention_time`` and ``prefill_attention_time`` need of each kind of attention layer (columns are those of
    perf/serving/attention.py). host: see Host. draft: s of drafting per iteration with speculation, shape (S + 1,) by
    sequences, zeros without. dp: ranks that share an iteration, each with its own part of the sequences; stages: of the
    pipeline (an iteration holds the micro-batches of all stages once).
    """

    linear: Vector
    head: Vector
    attention: Table
    draft: Vector
    host: Host
    dp: float
    stages: float


class Policy(NamedTuple):
    """How an engine schedules, as numbers. batching: 0 mixed, 1 prefill-first, 2 static; the rest as in nouns.Engine.

    max_seqs, max_tokens are those of the replica (all dp ranks together). kv_tokens: capacity of the KV cache of a
    replica [tokens]; block [tokens]; watermark [tokens kept free at admission]; whole: 1 = admit only with room for the
    longest output; swap: 1 = preempted sequences go to host memory, 0 = computed again; prefix: 1 = prefix cache;
    host_tokens: KV that host memory holds [tokens], host_rate [tokens/s between host and chip]; draft [tokens drafted a
    step, 0 = none], accept [0-1, of each drafted token given those before it]; max_context [tokens; longer requests are
    refused].
    """

    batching: int
    chunked: int
    max_seqs: int
    max_tokens: int
    kv_tokens: int
    block: int
    watermark: int
    whole: int
    swap: int
    prefix: int
    host_tokens: int
    host_rate: float
    draft: int
    accept: float
    max_context: int
