"""The arrays of a run: laid out, and enlarged when the loop asks for more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exaplan.perf.serving.inputs import Policy
from exaplan.sim import columns as at
from exaplan.sim.cache import chain_of
from exaplan.sim.chance import MODULUS_1, MODULUS_2
from exaplan.sim.nouns import WITHOUT_END, Chunk
from exaplan.sim.routing import replica_at
from exaplan.sim.state import Real, State, Whole

BUCKETS = 3200  # 1 us to more than a year, 1% each
BATCHES = 64
BINS = 512
FIRST_BATCH = 16  # requests
FIRST_BIN = 1 / 64  # s


def room_for(s: State, size: int) -> tuple[State, int]:
    """The arrays with ``size`` more places, and where these begin."""
    old = len(s.whole)
    whole, real = np.zeros(old + size, np.int64), np.zeros(old + size)
    whole[:old], real[:old] = s.whole, s.real
    return State(whole, real), old


def linked(s: State, first: int, count: int, width: int, link: int, rest: int) -> None:
    """Chain ``count`` rows from ``first`` on as free ones, before the free row ``rest``."""
    rows = first + width * np.arange(count)
    s.whole[rows[:-1] + link] = rows[1:]
    s.whole[rows[-1] + link] = rest


def state(
    policies: Sequence[Policy],
    pools: Sequence[int],
    *,
    seed: int = 0,
    slots: int = 1024,
    batches: int = BATCHES,
    buckets: int = BUCKETS,
    bins: int = BINS,
    stations: int = 0,
    lines: int = 0,
) -> State:
    """An empty system of replicas, one policy and one pool each."""
    most = 1 + max((policy.max_seqs for policy in policies), default=1)
    events, entries = slots + 2 * most * max(1, len(policies)) + 64, 4 * most
    phases = sum(policy.block for policy in policies)
    regions = {
        at.REPLICAS_AT: len(policies) * at.REPLICA_COLUMNS,
        at.STATIONS_AT: stations * at.STATION_COLUMNS,
        at.DUE_AT: 4 * len(policies) + 4,
        at.EVENTS_AT: events * at.EVENT_COLUMNS,
        at.CHAINS_AT: 2 * entries,
        at.TALLIES_AT: batches * at.TALLY_COLUMNS,
        at.SKETCHES_AT: batches * at.SKETCHES * buckets,
        at.SERIES_AT: bins * at.BIN_COLUMNS,
        at.LOG_AT: lines * at.LOG_COLUMNS,
    }
    own = phases + 2 * most * len(policies) + stations * buckets
    rows = slots * at.SLOT_COLUMNS + entries * at.ENTRY_COLUMNS
    size = at.COUNT_COLUMNS + sum(regions.values()) + own + rows
    s = State(np.zeros(size, np.int64), np.zeros(size))
    place = at.COUNT_COLUMNS
    for column, width in regions.items():
        s.whole[column] = place
        place += width
    sizes = {at.REPLICAS: len(policies), at.STATIONS: stations, at.EVENTS: events, at.CHAINS: 2 * entries}
    sizes |= {at.BATCHES: batches, at.BUCKETS: buckets, at.BINS: bins, at.LINES: lines, at.MOST_SEQS: most}
    for column, count in sizes.items():
        s.whole[column] = count
    put_first(s, seed)
    place = put_replicas(s, policies, pools, most, place)
    for station in range(stations):
        s.whole[s.whole[at.STATIONS_AT] + station * at.STATION_COLUMNS + at.S_SKETCH_AT] = place
        place += buckets
    place = put_free(s, place, slots, at.SLOT_COLUMNS, at.BEHIND, at.VACANT_SLOT, at.SLOTS_LEFT)
    put_free(s, place, entries, at.ENTRY_COLUMNS, at.E_CHAIN, at.VACANT_ENTRY, at.ENTRIES_LEFT)
    chains = s.whole[at.CHAINS_AT]
    s.whole[chains : chains + 2 * entries] = at.NONE
    return s


def put_free(s: State, place: int, count: int, width: int, link: int, vacant: int, left: int) -> int:
    """Free rows from ``place`` on; where they end."""
    linked(s, place, count, width, link, int(s.whole[vacant]) if s.whole[left] > 0 else at.NONE)
    s.whole[vacant] = place
    s.whole[left] += count
    return place + count * width


def put_first(s: State, seed: int) -> None:
    """Counters and clocks before anything has happened."""
    first, second = np.random.SeedSequence(seed).generate_state(2)
    s.whole[at.SEED_1] = 1 + int(first) % (MODULUS_1 - 1)
    s.whole[at.SEED_2] = 1 + int(second) % (MODULUS_2 - 1)
    s.whole[at.BATCH_SIZE], s.whole[at.LIMIT] = FIRST_BATCH, WITHOUT_END
    for column in (at.TURNS, at.MODEL, at.LAST_ROWS, at.LAST_WHENS):
        s.whole[column] = 1
    s.real[at.FIRST_START] = np.inf
    s.real[at.BIN_END] = s.real[at.BIN_WIDTH] = FIRST_BIN
    s.real[at.LOW_SINCE] = -1.0
    s.real[at.PROMISED : at.PROMISED + 3] = np.inf


def put_replicas(s: State, policies: Sequence[Policy], pools: Sequence[int], most: int, place: int) -> int:
    """Replicas that have nothing to do, all on; where their own regions end."""
    for index, policy in enumerate(policies):
        row = replica_at(s, index)
        s.whole[row : row + at.HOST_NEWEST + 1] = at.NONE
        s.whole[row + at.PREFIX], s.whole[row + at.STATUS], s.whole[row + at.POOL] = at.NONE, at.ON, pools[index]
        s.whole[row + at.BLOCKS] = s.whole[row + at.VACANT] = policy.kv_tokens // policy.block
        s.whole[row + at.HOST_BLOCKS] = s.whole[row + at.HOST_VACANT] = policy.host_tokens // policy.block
        s.whole[row + at.PHASE_AT], s.whole[row + at.FINISH_AT] = place, place + policy.block
        s.whole[at.CAPACITY] += s.whole[row + at.BLOCKS]
        place += policy.block + 2 * most
    s.whole[at.ACTIVE] = len(policies)
    return place


def with_slots(s: State) -> State:
    """More rows for requests: a quarter of the arrays, a thousand at least."""
    count = max(1024, len(s.whole) // (4 * at.SLOT_COLUMNS))
    s, place = room_for(s, count * at.SLOT_COLUMNS)
    put_free(s, place, count, at.SLOT_COLUMNS, at.BEHIND, at.VACANT_SLOT, at.SLOTS_LEFT)
    return s


def with_events(s: State) -> State:
    """Twice the room for events."""
    old, size = int(s.whole[at.EVENTS_AT]), int(s.whole[at.EVENTS]) * at.EVENT_COLUMNS
    s, place = room_for(s, 2 * size)
    for values in s:
        values[place : place + size] = values[old : old + size]
    s.whole[at.EVENTS_AT], s.whole[at.EVENTS] = place, 2 * s.whole[at.EVENTS]
    return s


def with_entries(s: State) -> State:
    """More entries of the prefix cache, in more chains, so that these stay short."""
    live = entries_of(s)
    chains = int(s.whole[at.CHAINS])
    s, place = room_for(s, 2 * chains + chains * at.ENTRY_COLUMNS)
    s.whole[at.CHAINS_AT], s.whole[at.CHAINS] = place, 2 * chains
    s.whole[place : place + 2 * chains] = at.NONE
    for entry in live:
        chain = chain_of(s, int(s.whole[entry + at.E_REPLICA]), int(s.whole[entry + at.E_KEY]))
        s.whole[entry + at.E_CHAIN] = s.whole[chain]
        s.whole[chain] = entry
    put_free(s, place + 2 * chains, chains, at.ENTRY_COLUMNS, at.E_CHAIN, at.VACANT_ENTRY, at.ENTRIES_LEFT)
    return s


def entries_of(s: State) -> list[int]:
    """Entries of sessions, chain by chain."""
    found: list[int] = []
    base = int(s.whole[at.CHAINS_AT])
    for entry in s.whole[base : base + s.whole[at.CHAINS]]:
        while entry != at.NONE:
            found.append(int(entry))
            entry = s.whole[entry + at.E_CHAIN]
    return found


def with_chunk(s: State, chunk: Chunk) -> State:
    """What is left of the requests to come, and more of them, in the place of the old where they fit."""
    old_rows, old_thinks, old_whens = left_over(s)
    rows, thinks = np.concatenate((old_rows, chunk.rows)), np.concatenate((old_thinks, chunk.thinks))
    whens = np.concatenate((old_whens, chunk.whens))
    s = with_place(s, at.ROWS_AT, at.ROWS_LENGTH, rows.size)
    s = with_place(s, at.WHENS_AT, at.WHENS_LENGTH, len(whens))
    base, first = int(s.whole[at.ROWS_AT]), int(s.whole[at.WHENS_AT])
    s.whole[base : base + rows.size] = rows.ravel()
    s.real[base : base + rows.size : at.ROW_COLUMNS] = thinks
    s.real[first : first + len(whens)] = whens
    s.whole[at.ROW] = s.whole[at.WHEN] = 0
    s.whole[at.ROWS], s.whole[at.WHENS] = len(rows), len(whens)
    return s


def left_over(s: State) -> tuple[Whole, Real, Real]:
    """Rows, think times and arrival times that nothing has used yet."""
    base, width = int(s.whole[at.ROWS_AT]), at.ROW_COLUMNS
    here = slice(base + int(s.whole[at.ROW]) * width, base + int(s.whole[at.ROWS]) * width)
    first = int(s.whole[at.WHENS_AT])
    whens = s.real[first + int(s.whole[at.WHEN]) : first + int(s.whole[at.WHENS])]
    return s.whole[here].reshape(-1, width).copy(), s.real[here][::width].copy(), whens.copy()


def with_place(s: State, start: int, length: int, size: int) -> State:
    """The arrays with a region of ``size`` at least, whose start and length stand in these columns."""
    if size > s.whole[length]:
        s, place = room_for(s, 2 * size)
        s.whole[start], s.whole[length] = place, 2 * size
    return s
