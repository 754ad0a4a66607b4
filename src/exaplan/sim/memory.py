"""KV cache blocks of a replica: looked up, claimed at admission, grown by decode steps, cached or freed at the end."""

from __future__ import annotations

from exaplan.perf.serving.inputs import Policy
from exaplan.sim.cache import create, drop_host, evict, find, hold, let_go, use
from exaplan.sim.columns import (
    BROUGHT,
    CACHED,
    E_BLOCKS,
    E_HOST,
    E_USERS,
    HIT,
    KEY,
    MADE,
    MATCH,
    NEED,
    NONE,
    OUTPUT,
    OWN,
    PREFIX,
    PREFIX_TOKENS,
    PRIVATE,
    SENDER,
    SHARED,
    STATE,
    SWAPPED,
    VACANT,
)
from exaplan.sim.state import State


def blocks_of(tokens: int, block: int) -> int:
    """Blocks that hold so many tokens."""
    return (tokens + block - 1) // block


def room(s: State, replica: int) -> int:
    """Blocks that a running request may still claim: free ones and those of the cache that nobody uses."""
    return int(s.whole[replica + VACANT] + s.whole[replica + CACHED])


def claim(s: State, replica: int, blocks: int) -> None:
    """Take blocks into use; the caller has looked whether there is room."""
    if s.whole[replica + VACANT] < blocks:
        evict(s, replica, blocks)
    s.whole[replica + VACANT] -= blocks
    use(s, blocks)


def release(s: State, replica: int, blocks: int) -> None:
    """Give blocks back."""
    s.whole[replica + VACANT] += blocks
    use(s, -blocks)


def look(s: State, replica: int, slot: int, policy: Policy) -> None:
    """Find what the cache holds of a waiting request: whole blocks of the prefix, then of its session.

    At least one token is computed, so that there is something to sample from. A cache that is on its way from a prefill
    replica, or that was swapped out, comes whole.
    """
    s.whole[slot + SHARED] = NONE
    s.whole[slot + OWN] = NONE
    s.whole[slot + HIT] = 0
    s.whole[slot + BROUGHT] = 0
    if policy.prefix == 0 or s.whole[slot + STATE] == SWAPPED or s.whole[slot + SENDER] != NONE:
        return
    most = (s.whole[slot + NEED] - 1) // policy.block
    common = s.whole[PREFIX_TOKENS] // policy.block
    hit = 0
    if common > 0 and s.whole[replica + PREFIX] != NONE:
        hit = min(most, common, s.whole[s.whole[replica + PREFIX] + E_BLOCKS])
        if hit > 0:
            s.whole[slot + SHARED] = s.whole[replica + PREFIX]
    if hit == common and s.whole[slot + KEY] != NONE:
        most = min(most, s.whole[slot + MATCH] // policy.block)
        hit += look_up(s, replica, slot, most - hit, policy.block)
    s.whole[slot + HIT] = hit * policy.block


def look_up(s: State, replica: int, slot: int, most: int, block: int) -> int:
    """Blocks of its session's entry that a request shares; those in host memory are noted as BROUGHT."""
    own = find(s, replica, s.whole[slot + KEY])
    if own == NONE or most <= 0:
        return 0
    hit = min(most, s.whole[own + E_BLOCKS])
    if hit == s.whole[own + E_BLOCKS]:
        s.whole[slot + BROUGHT] = min(most - hit, s.whole[own + E_HOST]) * block
    if hit > 0 or s.whole[slot + BROUGHT] > 0:
        s.whole[slot + OWN] = own
    return int(hit)


def spare(s: State, replica: int, slot: int) -> int:
    """Blocks that a waiting request may claim beside those that it shares. [blocks]"""
    free = room(s, replica)
    for entry in (s.whole[slot + SHARED], s.whole[slot + OWN]):
        if entry != NONE and s.whole[entry + E_USERS] == 0:
            free -= s.whole[entry + E_BLOCKS]
    return int(free)


def wanted(s: State, slot: int, policy: Policy) -> int:
    """Blocks that a waiting request needs to be let in, beside those that it shares."""
    tokens = s.whole[slot + NEED]
    if policy.whole == 1:
        tokens += s.whole[slot + OUTPUT] - s.whole[slot + MADE]
    return int(blocks_of(tokens, policy.block) - s.whole[slot + HIT] // policy.block)


def take(s: State, replica: int, slot: int, policy: Policy) -> None:
    """Claim the blocks of a request that is let in; what comes from host memory leaves it."""
    blocks = wanted(s, slot, policy)
    if s.whole[slot + SHARED] != NONE:
        hold(s, replica, s.whole[slot + SHARED])
    if s.whole[slot + OWN] != NONE:
        hold(s, replica, s.whole[slot + OWN])
        drop_host(s, replica, s.whole[slot + OWN], s.whole[slot + BROUGHT] // policy.block)
    claim(s, replica, blocks)
    s.whole[slot + PRIVATE] = blocks


def untake(s: State, replica: int, slot: int) -> None:
    """Give back all that a request holds."""
    release(s, replica, s.whole[slot + PRIVATE])
    s.whole[slot + PRIVATE] = 0
    s.whole[slot + HIT] = 0
    if s.whole[slot + OWN] != NONE:
        let_go(s, replica, s.whole[slot + OWN])
        s.whole[slot + OWN] = NONE
    if s.whole[slot + SHARED] != NONE:
        let_go(s, replica, s.whole[slot + SHARED])
        s.whole[slot + SHARED] = NONE


def adopt(s: State, replica: int, slot: int, policy: Policy) -> None:
    """The prefix that a request has computed becomes the one that all share, unless another was first."""
    common, hit = s.whole[PREFIX_TOKENS] // policy.block, s.whole[slot + HIT] // policy.block
    if policy.prefix == 0 or hit >= common:
        return
    entry = s.whole[replica + PREFIX]
    if entry == NONE:
        entry = create(s, replica, NONE)
        s.whole[slot + SHARED] = entry
    elif s.whole[entry + E_BLOCKS] != hit:
        return
    elif s.whole[slot + SHARED] == NONE:
        hold(s, replica, entry)
        s.whole[slot + SHARED] = entry
    drop_host(s, replica, entry, s.whole[entry + E_HOST])
    s.whole[entry + E_BLOCKS] = common
    s.whole[slot + PRIVATE] -= common - hit
    s.whole[slot + HIT] = common * policy.block


def keep(s: State, replica: int, slot: int, policy: Policy) -> None:
    """The full blocks that a request has made of its session go into the cache, in place of what stood there."""
    if policy.prefix == 0 or s.whole[slot + KEY] == NONE:
        return
    common, hit = s.whole[PREFIX_TOKENS] // policy.block, s.whole[slot + HIT] // policy.block
    fresh = s.whole[slot + NEED] // policy.block - max(hit, common)
    if fresh <= 0:
        return
    own = s.whole[slot + OWN]
    if own == NONE:
        own = find(s, replica, s.whole[slot + KEY])
        if own == NONE:
            own = create(s, replica, s.whole[slot + KEY])
        else:
            hold(s, replica, own)
        s.whole[slot + OWN] = own
    stale = s.whole[own + E_BLOCKS] - max(0, hit - common)
    if stale > 0 and s.whole[own + E_USERS] > 1:
        return
    drop_host(s, replica, own, s.whole[own + E_HOST])
    release(s, replica, stale)
    s.whole[own + E_BLOCKS] += fresh - stale
    s.whole[slot + PRIVATE] -= fresh
