"""KV cache blocks of a replica: claimed at admission, grown by decode steps, given back at the end."""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy
from exaplan.sim.columns import CACHED, HIT, NEED, OUTPUT, USED, VACANT
from exaplan.sim.state import State


def blocks_of(tokens: int, block: int) -> int:
    """Blocks that hold so many tokens."""
    return (tokens + block - 1) // block


def room(s: State, replica: int) -> int:
    """Blocks that a request may still claim: free ones and those of the cache that nobody uses."""
    return int(s.replicas[replica, VACANT] + s.replicas[replica, CACHED])


def claim(s: State, replica: int, blocks: int) -> None:
    """Take blocks into use; the caller has looked whether there is room."""
    s.replicas[replica, VACANT] -= blocks
    s.counts[USED] += blocks


def release(s: State, replica: int, blocks: int) -> None:
    """Give blocks back."""
    s.replicas[replica, VACANT] += blocks
    s.counts[USED] -= blocks


def wanted(s: State, slot: int, made: int, policy: Policy) -> int:
    """Blocks that a waiting request needs to be let in, beside those that it finds in the cache."""
    tokens = s.slots[slot, NEED]
    if policy.whole == 1:
        tokens += s.slots[slot, OUTPUT] - made
    return blocks_of(tokens, policy.block) - s.slots[slot, HIT] // policy.block
