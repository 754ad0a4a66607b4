"""Stations before the model: embedding, search, reranking, or any server with given service times."""

from __future__ import annotations

from exaplan.sim.chance import drawn
from exaplan.sim.columns import (
    AHEAD,
    AT_STATION,
    BEHIND,
    BUCKETS,
    ENTERED,
    NONE,
    NOW,
    NUMBER,
    S_BUSY,
    S_CV,
    S_HEAD,
    S_LAW,
    S_MEAN,
    S_SERVERS,
    S_SKETCH_AT,
    S_TAIL,
    SERVED,
    STATE,
    STATION,
    STATION_COLUMNS,
    V_COUNT,
    V_SUM_LATENCY,
    V_SUM_QUEUE,
    WARM,
)
from exaplan.sim.queues import push_event
from exaplan.sim.record import bucket
from exaplan.sim.state import State


def visit(s: State, slot: int, station: int) -> None:
    """A request comes to a station: it is served at once, or waits its turn."""
    s.whole[slot + STATE] = AT_STATION
    s.whole[slot + STATION] = station
    s.real[slot + ENTERED] = s.real[NOW]
    if s.whole[station + S_BUSY] < s.whole[station + S_SERVERS]:
        s.whole[station + S_BUSY] += 1
        serve(s, slot, station)
        return
    tail = s.whole[station + S_TAIL]
    s.whole[slot + AHEAD] = tail
    s.whole[slot + BEHIND] = NONE
    if tail == NONE:
        s.whole[station + S_HEAD] = slot
    else:
        s.whole[tail + BEHIND] = slot
    s.whole[station + S_TAIL] = slot


def serve(s: State, slot: int, station: int) -> None:
    """Start the service of a request; its wait is booked."""
    time = drawn(s, s.whole[station + S_LAW], s.real[station + S_MEAN], s.real[station + S_CV])
    if s.whole[slot + NUMBER] >= s.whole[WARM]:
        s.real[station + V_SUM_QUEUE] += s.real[NOW] - s.real[slot + ENTERED]
    push_event(s, s.real[NOW] + time, SERVED, slot)


def served(s: State, slot: int) -> int:
    """A service ends and the next begins. The station that the request goes to now."""
    station = int(s.whole[slot + STATION])
    if s.whole[slot + NUMBER] >= s.whole[WARM]:
        stay = s.real[NOW] - s.real[slot + ENTERED]
        s.real[station + V_COUNT] += 1.0
        s.real[station + V_SUM_LATENCY] += stay
        s.whole[s.whole[station + S_SKETCH_AT] + bucket(stay, s.whole[BUCKETS])] += 1
    head = s.whole[station + S_HEAD]
    if head == NONE:
        s.whole[station + S_BUSY] -= 1
    else:
        behind = s.whole[head + BEHIND]
        s.whole[station + S_HEAD] = behind
        if behind == NONE:
            s.whole[station + S_TAIL] = NONE
        serve(s, head, station)
    return station + STATION_COLUMNS
