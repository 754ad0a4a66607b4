"""Time of collectives and point-to-point transfers.

``size`` [B] always is the full, unsharded buffer: what every rank holds before an all-reduce, a reduce-scatter or an
all-to-all, and what every rank holds after an all-gather. ``bandwidth`` [B/s] is one direction of one rank's links.
Hockney's alpha-beta model (R. Hockney, "The communication challenge for MPP", Parallel Computing 20(3), 1994) with the
step counts and volumes of Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", IJHPCA 19(1), 2005, and a term for filling the pipeline of chunks.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class LinkFit(NamedTuple):
    """How one level of a network behaves, per architecture (scale-up) or fabric (scale-out).

    base [s per collective], hop [s per step], gather, reduce, exchange [fraction of ``bandwidth`` reached by
    all-gather, by reduce-scatter and all-reduce, by all-to-all and point to point, for large messages],
    chunk [s: handling of one chunk of the pipeline], in_network [fraction of bandwidth when the switch reduces (NVLS,
    SHARP); 0 = it does not], pair [0-1, what few ranks lose, see ``carried``], spread [relative standard deviation].
    """

    base: float
    hop: float
    gather: float
    reduce: float
    exchange: float
    chunk: float
    in_network: float
    pair: float
    spread: float


TREE_STEP = 2.5  # steps of a ring that one level of a tree costs: NCCL keeps rings up to 8 ranks (14 steps against 6)


def depth(ranks: float) -> float:
    """Levels of a binary tree over ``ranks`` [count]: ceil(log2 ranks), by doubling, so exact for powers of two."""
    levels, reach = 0.0, 1.0
    while reach < ranks:
        levels += 1.0
        reach *= 2.0
    return levels


def transfer(volume: float, rate: float, chunk: float) -> float:
    """Time [s] to stream ``volume`` bytes in chunks: v + 2 sqrt(v chunk), v = volume / rate.

    Cutting a message into c chunks costs c ``chunk`` seconds of handling and leaves v / c unoverlapped; the best c
    is sqrt(v / chunk), which gives this sum.
    """
    stream = volume / rate
    return stream + 2.0 * math.sqrt(stream * chunk)


def carried(size: float, ranks: float, pair: float) -> float:
    """Bytes through one rank's links when it passes on every shard but its own: size (p - 1) / (p - pair) [B].

    pair = 0 is the textbook (p - 1) / p; with few ranks fewer channels are busy and the own shard's copy counts too,
    which the measured tables show as pair of about 0.5 for p = 2, 4, 8.
    """
    return size * (ranks - 1.0) / (ranks - pair)


def steps(ranks: float) -> float:
    """Latency steps of a reduce-scatter or all-gather [count]: p - 1 around a ring, or a tree where that is less."""
    return min(ranks - 1.0, TREE_STEP * depth(ranks))


def ring_all_reduce(size: float, ranks: float, bandwidth: float, fit: LinkFit) -> float:
    """Ring: 2 (p-1) steps, 2 (p-1)/p size through every link [s]."""
    volume = 2.0 * carried(size, ranks, fit.pair)
    latency = fit.base + 2.0 * (ranks - 1.0) * fit.hop
    return latency + transfer(volume, bandwidth * fit.reduce, fit.chunk)


def tree_all_reduce(size: float, ranks: float, bandwidth: float, fit: LinkFit) -> float:
    """Double binary tree: 2 log2 p steps, twice the size through every link [s].

    P. Sanders, J. Speck and J. Traeff, "Two-tree algorithms for full bandwidth broadcast, reduction and scan",
    Parallel Computing 35(12), 2009.
    """
    latency = fit.base + 2.0 * TREE_STEP * depth(ranks) * fit.hop
    return latency + transfer(2.0 * size, bandwidth * fit.reduce, fit.chunk)


def switch_all_reduce(size: float, ranks: float, bandwidth: float, fit: LinkFit) -> float:
    """The switch reduces and multicasts: every rank sends size and receives size (1 + 1/p) [s].

    R. Graham et al., "Scalable hierarchical aggregation protocol (SHArP)", COM-HPC 2016.
    """
    volume = (1.0 + 1.0 / ranks) * size
    latency = fit.base + 2.0 * TREE_STEP * depth(ranks) * fit.hop
    return latency + transfer(volume, bandwidth * fit.in_network, fit.chunk)


def all_reduce(size: float, ranks: float, bandwidth: float, fit: LinkFit) -> float:
    """Time [s] of an all-reduce of ``size`` bytes over ``ranks``: the quickest of ring, tree and in-network."""
    if ranks <= 1.0 or size <= 0.0:
        return 0.0
    best = min(ring_all_reduce(size, ranks, bandwidth, fit), tree_all_reduce(size, ranks, bandwidth, fit))
    if fit.in_network > 0.0 and ranks > 2.0:
        best = min(best, switch_all_reduce(size, ranks, bandwidth, fit))
    return best


def reduce_scatter(size: float, ranks: float, bandwidth: float, fit: LinkFit) -> float:
    """Time [s] of a reduce-scatter; ``size`` [B] is the full buffer on every rank, each keeps 1/p: (p-1)/p size."""
    if ranks <= 1.0 or size <= 0.0:
        return 0.0
    volume = carried(size, ranks, fit.pair)
    return fit.base + steps(ranks) * fit.hop + transfer(volume, bandwidth * fit.reduce, fit.chunk)


def all_gather(size: float, ranks: float, bandwidth: float, fit: LinkFit) -> float:
    """Time [s] of an all-gather; ``size`` [B] is the full gathered buffer: (p-1)/p size through every link."""
    if ranks <= 1.0 or size <= 0.0:
        return 0.0
    volume = carried(size, ranks, fit.pair)
    return fit.base + steps(ranks) * fit.hop + transfer(volume, bandwidth * fit.gather, fit.chunk)


def all_to_all(size: float, ranks: float, bandwidth: float, fit: LinkFit) -> float:
    """Time [s] of an all-to-all; ``size`` [B] is what each rank holds, (p-1)/p of it leaves through its links."""
    if ranks <= 1.0 or size <= 0.0:
        return 0.0
    volume = carried(size, ranks, fit.pair)
    return fit.base + depth(ranks) * fit.hop + transfer(volume, bandwidth * fit.exchange, fit.chunk)


def send_receive(size: float, bandwidth: float, fit: LinkFit) -> float:
    """Time [s] to move ``size`` bytes to a neighbour: base + hop + size / bandwidth."""
    if size <= 0.0:
        return 0.0
    return fit.base + fit.hop + transfer(size, bandwidth * fit.exchange, fit.chunk)


def outer_bandwidth(network: float, rails: float, oversubscription: float) -> float:
    """Scale-out bandwidth for one rank of an inner group [B/s, one direction].

    network [B/s per chip], rails [NICs of the node that this chip's flow can use, at least 1: with one active chip per
    node all of them, with all chips active one each], oversubscription [ratio >= 1 of the fabric above the leaf].
    """
    return network * max(1.0, rails) / max(1.0, oversubscription)


def crossing(inner: float, outer: float) -> float:
    """Traffic over a node boundary in rings through all inner x outer ranks, over that of rings of nodes alone. [1]

    A ring through p ranks carries (p-1)/p of the buffer over every link, those between the nodes included, where one
    chip a node would carry (outer-1)/outer: measured bus bandwidth of NCCL across nodes is the line rate of the NICs.
    """
    ranks = inner * outer
    return (ranks - 1.0) / ranks * outer / (outer - 1.0) if outer > 1.0 else 1.0


def hierarchical_all_reduce(
    size: float, inner: float, outer: float, link: float, network: float, up: LinkFit, out: LinkFit
) -> float:
    """Time [s] of an all-reduce over ``inner`` x ``outer`` ranks: scatter inside, reduce outside, gather inside.

    link, network [B/s per rank, one direction]: scale-up, and scale-out after ``outer_bandwidth``. Every rank carries
    size / inner over the network. One flat ring would be bound by the network with the whole size; NCCL builds as
    many rings as there are NICs, which moves the same volume.
    """
    if outer <= 1.0:
        return all_reduce(size, inner, link, up)
    shard = crossing(inner, outer) * size / max(1.0, inner)
    inside = reduce_scatter(size, inner, link, up) + all_gather(size, inner, link, up)
    outside = all_reduce(shard, outer, network, out)
    return outside if inner <= 1.0 else overlapped(inside, outside, up.base + out.base)


def overlapped(inside: float, outside: float, base: float) -> float:
    """Time [s] of two stages that are pipelined chunk by chunk: the longer, and an eighth of the shorter.

    Collectives over two levels stream chunks through both; eight chunks in flight (NCCL_STEPS = 8) leave the first
    one unoverlapped. Never below ``base`` [s].
    """
    return max(base, max(inside, outside) + min(inside, outside) / 8.0)


def hierarchical_reduce_scatter(
    size: float, inner: float, outer: float, link: float, network: float, up: LinkFit, out: LinkFit
) -> float:
    """Time [s] of a reduce-scatter over inner x outer ranks; ``size`` [B] is the full buffer on every rank."""
    inside = reduce_scatter(size, inner, link, up)
    outside = reduce_scatter(crossing(inner, outer) * size / max(1.0, inner), outer, network, out)
    return inside + outside if outer <= 1.0 or inner <= 1.0 else overlapped(inside, outside, up.base + out.base)


def hierarchical_all_gather(
    size: float, inner: float, outer: float, link: float, network: float, up: LinkFit, out: LinkFit
) -> float:
    """Time [s] of an all-gather over inner x outer ranks; ``size`` [B] is the full gathered buffer."""
    inside = all_gather(size, inner, link, up)
    outside = all_gather(crossing(inner, outer) * size / max(1.0, inner), outer, network, out)
    return inside + outside if outer <= 1.0 or inner <= 1.0 else overlapped(inside, outside, up.base + out.base)


def hierarchical_all_to_all(
    size: float, inner: float, outer: float, link: float, network: float, up: LinkFit, out: LinkFit
) -> float:
    """Time [s] of an all-to-all over inner x outer ranks; ``size`` [B] is what each rank sends in all.

    (outer-1)/outer of it crosses the network, the rest of it stays inside; both go on at the same time, and what
    arrives from outside is handed on inside (rail-aligned), so all of it passes the scale-up links once.
    """
    if outer <= 1.0:
        return all_to_all(size, inner, link, up)
    outside = all_to_all(size, outer, network, out)
    if inner <= 1.0:
        return outside
    return overlapped(all_to_all(size, inner, link, up), outside, up.base + out.base)


class ExpertFit(NamedTuple):
    """How token exchange between experts (dispatch, combine; DeepEP) behaves, per architecture.

    base [s], token [s per token and rank: index and copy work of the exchange kernels], inner, outer [fraction of
    scale-up and scale-out bandwidth], spread [relative standard deviation].
    """

    base: float
    token: float
    inner: float
    outer: float
    spread: float


def distinct(bins: float, draws: float) -> float:
    """Expected number of different bins hit by ``draws`` uniform draws: b (1 - (1 - 1/b)^d). [count]"""
    return bins * (1.0 - math.pow(1.0 - 1.0 / bins, draws))


def expert_exchange(
    tokens: float,
    width: float,
    top_k: float,
    inner: float,
    outer: float,
    reach: float,
    link: float,
    network: float,
    fit: ExpertFit,
) -> float:
    """Time [s] to send every token to the ranks of its experts (dispatch), or its results back (combine).

    tokens [per rank], width [B of one token: hidden x bytes per element, 1 for fp8 dispatch, 2 for 16-bit combine],
    top_k [experts per token], inner x outer [ranks of the expert group: in a node, nodes], reach [nodes that routing
    lets a token go to, 0 = all: DeepSeek-V3 allows 4], link, network [B/s per rank, one direction].
    A token crosses the network once per node and the scale-up links once per rank, however many experts sit there:
    t = base + tokens cost + max(inside / (link e_in), outside / (network e_out)).
    DeepSeek-AI, "DeepSeek-V3 technical report", arXiv:2412.19437, section 3.2.2.
    """
    if inner * outer <= 1.0 or tokens <= 0.0:
        return 0.0
    nodes = outer if reach <= 0.0 else min(outer, reach)
    reached = nodes * distinct(inner, top_k / nodes) if nodes > 1.0 else distinct(inner, top_k)
    inside = tokens * width * reached * (inner - 1.0) / inner
    outside = tokens * width * distinct(nodes, top_k) * (outer - 1.0) / outer
    stream = max(inside / (link * fit.inner), outside / (network * fit.outer) if outer > 1.0 else 0.0)
    return fit.base + tokens * fit.token + stream
