"""Bytes of a chip while it serves: cache per token and per sequence, activations, and what is left for the cache."""

from __future__ import annotations

from exaplan.models.serving import Cache


def key_value_heads(cache: Cache, tp: int) -> float:
    """Key/value heads on one chip: copied where there are fewer than tensor ranks. [count]"""
    return max(1.0, cache.kv_heads / tp)


def token_bytes(cache: Cache, tp: int, width: float) -> float:
    """Cache per token of one layer on one chip [B]; latent attention keeps its compressed form on every tensor rank.

    Grouped heads: kv_heads / tp (key + value) width; MLA: (rank + rope) width (DeepSeek-AI 2024, arXiv:2405.04434).
    """
    if cache.state:
        return 0.0
    index = 1.0 * cache.index
    if cache.latent:
        return (cache.latent + cache.rope) * width + index
    return key_value_heads(cache, tp) * (cache.key + cache.value) * width + index


def kept_share(cache: Cache, context: float) -> float:
    """Part of a sequence's tokens that a layer keeps: a window's, where the engine frees the rest. [1]"""
    return min(1.0, cache.window / context) if cache.window and context > 0.0 else 1.0


def cache_token(caches: tuple[Cache, ...], tp: int, stages: int, width: float, context: float) -> float:
    """Cache per token on one chip [B] for sequences of ``context`` tokens, all layers of its stage."""
    return sum(c.layers * token_bytes(c, tp, width) * kept_share(c, context) for c in caches) / stages


def running(room: float, state: float, sequence: float, most: float) -> float:
    """Sequences that may run at once [count]: ``most``, or as many as recurrent states and caches find room for.

    room [B], state, sequence [B of one sequence: its recurrent state, and its cache]. Engines page states from the same
    pool and let in what fits, so states of sequences that never run are not set aside.
    """
    if state <= 0.0 or room <= 0.0:
        return most
    return max(1.0, min(most, room // (state + sequence)))


def state_bytes(caches: tuple[Cache, ...], tp: int, stages: int) -> float:
    """Recurrent state per sequence on one chip [B], in 32 bit as the kernels keep it."""
    return sum(4.0 * c.layers * c.state / tp for c in caches) / stages


def activation_bytes(tokens: float, hidden: float, widest: float, seqs: float, vocab: float) -> float:
    """Peak of an iteration [B]: residual stream and its norm, input and output of the widest product in 16 bit; logits
    of the sequences in 16 and 32 bit, twice for sampling.

    tokens [of the largest iteration of a rank], widest, vocab [elements on this chip].
    """
    return tokens * 2.0 * (3.0 * hidden + 1.5 * widest) + seqs * vocab * 10.0


def cache_room(
    memory: float, share: float, of_free: bool, weights: float, activations: float, reserve: float, inside: bool
) -> float:
    """What is left for the cache. [B]

    of_free (TensorRT-LLM): share (memory - weights - activations - reserve). Else the share is of the whole memory, and
    weights, and where ``inside`` activations and reserve (vLLM), come out of it; SGLang's static share holds weights
    and cache alone, the rest runs beside it.
    """
    if of_free:
        return share * (memory - weights - activations - reserve)
    if inside:
        return share * memory - weights - activations - reserve
    return min(share * memory - weights, memory - weights - activations - reserve)
