"""What the event loop is given of one replica: tables and numbers, so that every function of it compiles.

Rows of operators (``Rows``) are those of one chip: everything is cut already, so that formulas know no layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exaplan.perf.network import ExpertFit, LinkFit
from exaplan.perf.roofline import ChipRates, GemmFit, VectorFit

Vector = NDArray[np.float64]
Table = NDArray[np.float64]
NOTHING: Vector = np.zeros(1)


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

    experts: like ``linear``, s of what depends on the tokens of all dp ranks together (routed experts and the exchange
    of tokens). knee, stride: entry i of ``linear`` and ``experts`` stands for i tokens up to ``knee``, beyond it for
    knee + (i - knee) stride tokens; between entries time is interpolated. width: tokens that a decoding sequence brings
    to an iteration (1 + drafted ones). cut: ranks that share the tokens of a prompt (context parallelism).
    """

    linear: Vector
    head: Vector
    attention: Table
    draft: Vector
    host: Host
    dp: float
    stages: float
    experts: Vector = NOTHING
    knee: float = 1e12
    stride: float = 1.0
    width: float = 1.0
    cut: float = 1.0


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


class ServeTuning(NamedTuple):
    """How a running engine departs from isolated kernels; fitted on published serving rows (data/fits/serving.yaml).

    Factors [1] on the time of: products (16-bit matrix products), products_low (those below 16 bit), compute (the
    compute roof of all products on top: prompts), experts (grouped products of routed experts), attention_decode,
    attention_prefill, vector (memory-bound passes), collective (reductions of tensor parallelism), exchange (tokens to
    experts and back). imbalance: rows of the busiest expert rank over the mean [1]. launch [s per kernel where no graph
    replays it]. Host: host_base [s per iteration], host_sequence [s per sequence in it], host_chunk [s per prompt
    chunk], overlap [0-1, share that hides under the chip's work], request [s once per request]. stream [B/s that one
    processor streams at most in matrix-vector kernels of engines that are bound by it (llama.cpp)]. packing [1]:
    compute roof of grouped products over that of ordinary ones (some hundred rows an expert, uneven, padded to tiles).
    """

    products: float = 1.0
    products_low: float = 1.0
    compute: float = 1.0
    experts: float = 1.0
    attention_decode: float = 1.0
    attention_prefill: float = 1.0
    vector: float = 1.0
    collective: float = 1.0
    exchange: float = 1.0
    imbalance: float = 1.0
    skew: float = 0.2
    grouped: float = 5e-6
    launch: float = 5e-6
    host_base: float = 1e-3
    host_sequence: float = 1e-5
    host_chunk: float = 1e-4
    overlap: float = 0.5
    request: float = 1e-2
    stream: float = 1e10
    packing: float = 1.5


# Columns of a row: an operator on one chip, ``COUNT`` times in an iteration.
(KIND, TERM, COUNT, SIDE, ROWS, N, K, GROUPS, EXPERTS, TOP, LOW, WEIGHT, INPUT, MOVED, RANKS, OUTER) = range(16)
COLUMNS = 16
PRODUCT, GROUPED, PASS, REDUCE, GATHER, EXCHANGE, SEND, SCAN = range(8)
TERMS = ("products", "experts", "vector", "tp", "ep", "pp", "head", "draft")
OWN, ALL = range(2)  # SIDE: rows by the tokens of this rank, or by those of all attention ranks together

Row = Sequence[float]


class DecodeFit(NamedTuple):
    """Attention of decoding sequences over a paged cache.

    memory [fraction of bandwidth], rate [fraction of the 16-bit peak], pad [query heads a tile takes at least], floor
    [s], sequence [s per sequence], corner [exponent of the smooth maximum], spread [relative standard deviation].
    """

    memory: float
    rate: float
    pad: float
    floor: float
    sequence: float
    corner: float
    spread: float


class ReduceFit(NamedTuple):
    """All-reduce kernels that engines bring for small messages inside a scale-up domain.

    One shot (every rank reads every peer's buffer): base [s], hop [s per further rank], one [fraction of link
    bandwidth]. Two shots (scatter, then gather): late [s], late_hop [s per further rank], two [fraction]. limit [B of
    size x ranks up to which an engine takes one shot; 0 = it takes the quicker]. spread [relative standard deviation].
    """

    base: float
    hop: float
    one: float
    late: float
    late_hop: float
    two: float
    limit: float
    spread: float


class ExchangeFit(NamedTuple):
    """Low-latency exchange of tokens between experts, one way (dispatch or combine).

    base [s], node [s per doubling of nodes], inner, outer [fraction of scale-up and scale-out bandwidth], spread
    [relative standard deviation]. Every copy of a token is sent by itself.
    """

    base: float
    node: float
    inner: float
    outer: float
    spread: float


class ServeHardware(NamedTuple):
    """One chip and its links, for serving.

    high, low: rates for 16-bit products and for those in the format of the weights; gemm, gemm_low, grouped: their
    curves. small: engine's own all-reduce; inner, outer: NCCL in and beyond the scale-up domain; experts, quick:
    exchange of tokens, normal and low-latency. domain [chips], link, network [B/s per chip, one direction]. cores:
    processors whose own reach bounds an engine's matrix-vector kernels (llama.cpp); 0 = no such bound.
    """

    high: ChipRates
    low: ChipRates
    gemm: GemmFit
    gemm_low: GemmFit
    grouped: GemmFit
    vector: VectorFit
    small: ReduceFit
    inner: LinkFit
    outer: LinkFit
    experts: ExpertFit
    quick: ExchangeFit
    domain: float
    link: float
    network: float
    cores: float
