"""How one copy of a model may be cut to serve: the degrees that divide it, on no more chips than are to be had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from exaplan.nouns import Cluster, Model
from exaplan.nouns.serving import Replica
from exaplan.search.space import tensor_degrees

NAMES = ("tp", "pp", "cp", "ep", "dp")
MOST_RANKS = 1024  # chips of one copy that are searched at most
WIDEST = 64  # ranks that the experts of a copy are spread over at most, beyond a node too
DEEPEST = 16  # pipeline stages that are searched at most
CHUNK = 1024  # tokens of a prompt that context parallelism leaves a rank at least


class Space(NamedTuple):
    """Copies that may be tried, and how many were left out by reason."""

    replicas: tuple[Replica, ...]
    rejected: Mapping[str, int]


def space_of(model: Model, cluster: Cluster, most: int, fixed: Mapping[str, int], prompt: float = 0.0) -> Space:
    """Every legal cut of one copy on up to ``most`` chips of a cluster's type, smallest first; ``fixed``: degrees that
    are given; prompt: tokens of the longest one, which context parallelism cuts."""
    found: list[Replica] = []
    left: Counter[str] = Counter()
    for replica in _every(model, cluster, min(most, MOST_RANKS), fixed, prompt):
        reason = unlawful(model, replica, cluster, most)
        if reason:
            left[reason] += 1
        else:
            found.append(replica)
    return Space(tuple(sorted(found, key=lambda item: (item.chips, item.pp, item.dp, item.ep, item.cp))), left)


def _every(model: Model, cluster: Cluster, most: int, fixed: Mapping[str, int], prompt: float) -> Iterator[Replica]:
    """Degrees in powers of two where none are given: tensor ranks inside a domain, the others beyond it, too."""
    inside = min(near(cluster), most)
    for tp in _given(fixed, "tp", _twos(inside)):
        for dp in _given(fixed, "dp", _twos(min(WIDEST, most) // tp) if model.experts else [1]):
            for pp in _given(fixed, "pp", _stages(model, cluster, most, tp * dp)):
                for cp in _given(fixed, "cp", _cuts(prompt, max(1, inside // (tp * dp)))):
                    for ep in _given(fixed, "ep", _spread(model, tp * dp)):
                        yield Replica(tp=tp, pp=pp, cp=cp, dp=dp, ep=ep)


def _given(fixed: Mapping[str, int], name: str, usual: list[int]) -> list[int]:
    return [fixed[name]] if name in fixed else usual


def _twos(most: int) -> list[int]:
    """Powers of two up to a number."""
    return [1 << k for k in range(max(1, most).bit_length()) if 1 << k <= max(1, most)]


def _stages(model: Model, cluster: Cluster, most: int, inside: int) -> list[int]:
    """Pipeline stages: inside a node any, beyond it only of whole nodes, since tensor ranks are quicker inside."""
    if inside > near(cluster):
        return [1]
    deep = [pp for pp in _twos(most // inside) if pp <= min(DEEPEST, len(model.layers))]
    return [pp for pp in deep if inside * pp <= near(cluster) or 2 * inside > near(cluster)] or [1]


def _cuts(prompt: float, most: int) -> list[int]:
    return [cp for cp in _twos(most) if cp == 1 or prompt / cp >= 8 * CHUNK]


def _spread(model: Model, ranks: int) -> list[int]:
    """Expert ranks: none, or all of a copy's."""
    return [1, *([ranks] if ranks > 1 and model.experts % ranks == 0 else [])] if model.experts else [1]


def unlawful(model: Model, replica: Replica, cluster: Cluster, most: int) -> str:
    """Why a cut is not legal; "" where it is."""
    if replica.tp not in tensor_degrees(model, replica.tp):
        return "tp does not divide the model"
    if replica.pp > len(model.layers):
        return "more pipeline stages than layers"
    if replica.ep > 1 and (not model.experts or model.experts % replica.ep):
        return "experts do not divide over ranks"
    if (replica.tp * replica.dp) % replica.ep:
        return "ep does not divide the ranks of a stage"
    if replica.dp > 1 and not model.experts:
        return "attention ranks need experts to share"
    if replica.chips > most:
        return "more chips than are to be had"
    if replica.chips > near(cluster) and cluster.node.network is None:
        return "the network is unknown"
    return ""


def near(cluster: Cluster) -> int:
    """Chips that reach each other without the scale-out network: of a domain, or of a node over its bus."""
    return max(cluster.node.domain, cluster.node.chips)
