"""The prefix cache: blocks of earlier requests that later ones share, on the chip and in host memory.

An entry holds the leading blocks of a session, or of the prefix that all prompts share; the session's stand behind the
prefix's. Entries that nobody uses are evicted least recently used first, from their end, block by block; with a host
tier the evicted blocks move there, so that an entry is always a run of chip blocks followed by a run of host blocks.
"""

from __future__ import annotations

from exaplan.sim.columns import (
    CACHED,
    CHAINS,
    CHAINS_AT,
    E_BLOCKS,
    E_CHAIN,
    E_HOST,
    E_HOST_OLDER,
    E_KEY,
    E_OLDER,
    E_REPLICA,
    E_USERS,
    ENTRIES_LEFT,
    HOST_BLOCKS,
    HOST_OLDEST,
    HOST_VACANT,
    NONE,
    OLDEST,
    PEAK,
    PREFIX,
    USED,
    VACANT,
    VACANT_ENTRY,
)
from exaplan.sim.state import State


def use(s: State, blocks: int) -> None:
    """Count blocks that requests use; fewer where negative."""
    used = s.whole[USED] + blocks
    s.whole[USED] = used
    s.whole[PEAK] = max(s.whole[PEAK], used)


def chain_of(s: State, replica: int, key: int) -> int:
    """Where the hash chain of a session on a replica begins."""
    return int(s.whole[CHAINS_AT] + (key % 2147483629 + replica * 1000003) % s.whole[CHAINS])


def find(s: State, replica: int, key: int) -> int:
    """Entry of a session on a replica, or NONE."""
    entry = s.whole[chain_of(s, replica, key)]
    while entry != NONE and (s.whole[entry + E_KEY] != key or s.whole[entry + E_REPLICA] != replica):
        entry = s.whole[entry + E_CHAIN]
    return int(entry)


def create(s: State, replica: int, key: int) -> int:
    """A new entry without blocks, used by one request; key NONE: the common prefix."""
    entry = s.whole[VACANT_ENTRY]
    s.whole[VACANT_ENTRY] = s.whole[entry + E_CHAIN]
    s.whole[ENTRIES_LEFT] -= 1
    s.whole[entry + E_KEY] = key
    s.whole[entry + E_REPLICA] = replica
    s.whole[entry + E_BLOCKS] = 0
    s.whole[entry + E_HOST] = 0
    s.whole[entry + E_USERS] = 1
    if key == NONE:
        s.whole[replica + PREFIX] = entry
    else:
        chain = chain_of(s, replica, key)
        s.whole[entry + E_CHAIN] = s.whole[chain]
        s.whole[chain] = entry
    return int(entry)


def forget(s: State, entry: int) -> None:
    """Delete an entry that holds nothing and that nobody uses."""
    replica, key = s.whole[entry + E_REPLICA], s.whole[entry + E_KEY]
    if key == NONE:
        s.whole[replica + PREFIX] = NONE
    else:
        chain = chain_of(s, replica, key)
        at = s.whole[chain]
        if at == entry:
            s.whole[chain] = s.whole[entry + E_CHAIN]
        else:
            while s.whole[at + E_CHAIN] != entry:
                at = s.whole[at + E_CHAIN]
            s.whole[at + E_CHAIN] = s.whole[entry + E_CHAIN]
    s.whole[entry + E_CHAIN] = s.whole[VACANT_ENTRY]
    s.whole[VACANT_ENTRY] = entry
    s.whole[ENTRIES_LEFT] += 1


def shelve(s: State, replica: int, entry: int, oldest: int, older: int) -> None:
    """Put an entry at the newest end of an LRU list (columns of its oldest end and of its older link)."""
    last = s.whole[replica + oldest + 1]
    s.whole[entry + older] = last
    s.whole[entry + older + 1] = NONE
    if last == NONE:
        s.whole[replica + oldest] = entry
    else:
        s.whole[last + older + 1] = entry
    s.whole[replica + oldest + 1] = entry


def unshelve(s: State, replica: int, entry: int, oldest: int, older: int) -> None:
    """Take an entry out of an LRU list."""
    before, after = s.whole[entry + older], s.whole[entry + older + 1]
    if before == NONE:
        s.whole[replica + oldest] = after
    else:
        s.whole[before + older + 1] = after
    if after == NONE:
        s.whole[replica + oldest + 1] = before
    else:
        s.whole[after + older] = before


def hold(s: State, replica: int, entry: int) -> None:
    """A request uses an entry: it cannot be evicted."""
    if s.whole[entry + E_USERS] == 0 and s.whole[entry + E_BLOCKS] > 0:
        unshelve(s, replica, entry, OLDEST, E_OLDER)
        s.whole[replica + CACHED] -= s.whole[entry + E_BLOCKS]
        use(s, s.whole[entry + E_BLOCKS])
    s.whole[entry + E_USERS] += 1


def let_go(s: State, replica: int, entry: int) -> None:
    """A request needs an entry no more; the last one leaves it as the most recently used."""
    s.whole[entry + E_USERS] -= 1
    if s.whole[entry + E_USERS] > 0:
        return
    blocks = s.whole[entry + E_BLOCKS]
    if blocks > 0:
        shelve(s, replica, entry, OLDEST, E_OLDER)
        s.whole[replica + CACHED] += blocks
        use(s, -blocks)
    elif s.whole[entry + E_HOST] == 0:
        forget(s, entry)


def drop_host(s: State, replica: int, entry: int, blocks: int) -> None:
    """Take blocks of an entry out of host memory."""
    if blocks == 0:
        return
    s.whole[entry + E_HOST] -= blocks
    s.whole[replica + HOST_VACANT] += blocks
    if s.whole[entry + E_HOST] == 0:
        unshelve(s, replica, entry, HOST_OLDEST, E_HOST_OLDER)


def vacate_host(s: State, replica: int, blocks: int) -> bool:
    """Make room in host memory, least recently used first; False where that cannot be."""
    while s.whole[replica + HOST_VACANT] < blocks:
        entry = s.whole[replica + HOST_OLDEST]
        if entry == NONE:
            return False
        drop_host(s, replica, entry, min(s.whole[entry + E_HOST], blocks - s.whole[replica + HOST_VACANT]))
        if s.whole[entry + E_HOST] + s.whole[entry + E_BLOCKS] + s.whole[entry + E_USERS] == 0:
            forget(s, entry)
    return True


def to_host(s: State, replica: int, entry: int, blocks: int) -> None:
    """Move the last chip blocks of an entry before its host blocks. The entry counts as used while room is made."""
    s.whole[entry + E_USERS] += 1
    if s.whole[entry + E_HOST] > 0:
        unshelve(s, replica, entry, HOST_OLDEST, E_HOST_OLDER)
        shelve(s, replica, entry, HOST_OLDEST, E_HOST_OLDER)
    kept = min(blocks, s.whole[replica + HOST_BLOCKS] - s.whole[entry + E_HOST])
    if kept == blocks and vacate_host(s, replica, kept):
        if s.whole[entry + E_HOST] == 0:
            shelve(s, replica, entry, HOST_OLDEST, E_HOST_OLDER)
        s.whole[entry + E_HOST] += kept
        s.whole[replica + HOST_VACANT] -= kept
    else:
        drop_host(s, replica, entry, s.whole[entry + E_HOST])
    s.whole[entry + E_USERS] -= 1


def evict(s: State, replica: int, blocks: int) -> None:
    """Take blocks from the cache until so many are free; the caller knows that there are enough."""
    while s.whole[replica + VACANT] < blocks:
        entry = s.whole[replica + OLDEST]
        taken = min(s.whole[entry + E_BLOCKS], blocks - s.whole[replica + VACANT])
        s.whole[entry + E_BLOCKS] -= taken
        s.whole[replica + CACHED] -= taken
        s.whole[replica + VACANT] += taken
        if s.whole[entry + E_BLOCKS] == 0:
            unshelve(s, replica, entry, OLDEST, E_OLDER)
        if s.whole[replica + HOST_BLOCKS] > 0:
            to_host(s, replica, entry, taken)
        if s.whole[entry + E_BLOCKS] + s.whole[entry + E_HOST] == 0:
            forget(s, entry)


def clear(s: State, replica: int) -> None:
    """Empty the cache of a replica that is switched off."""
    while s.whole[replica + OLDEST] != NONE:
        entry = s.whole[replica + OLDEST]
        unshelve(s, replica, entry, OLDEST, E_OLDER)
        s.whole[replica + CACHED] -= s.whole[entry + E_BLOCKS]
        s.whole[replica + VACANT] += s.whole[entry + E_BLOCKS]
        s.whole[entry + E_BLOCKS] = 0
        if s.whole[entry + E_HOST] == 0:
            forget(s, entry)
    while s.whole[replica + HOST_OLDEST] != NONE:
        entry = s.whole[replica + HOST_OLDEST]
        drop_host(s, replica, entry, s.whole[entry + E_HOST])
        forget(s, entry)
