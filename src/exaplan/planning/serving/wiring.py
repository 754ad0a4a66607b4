"""A deployment as the simulator takes it: pools, the transfer between them, and the stations before the model."""

from __future__ import annotations

from exaplan import sim
from exaplan.perf.serving.attention import P_SCALE, SCALE
from exaplan.perf.serving.inputs import StepTable
from exaplan.planning.serving.pipeline import retrieval_of
from exaplan.planning.serving.question import Question
from exaplan.planning.serving.setups import Setup

FULLEST = 0.95  # share of a copy's time that documents may take; beyond it the model never gets on


def fleet_of(asked: Question, setup: Setup, rate: float | None) -> sim.Fleet:
    """A deployment that answers ``rate`` [requests/s; None = closed loop] as the simulator takes it."""
    router, ask = setup.copy.settings.router, asked.ask
    taken = _taken(asked, setup, rate)
    pool = sim.Pool(slowed(setup.copy.table, taken), setup.copy.policy, setup.replicas, router)
    stations = stations_of(asked, setup)
    if setup.prefill is None:
        return sim.Fleet(pool, autoscale=ask.autoscale(), stations=stations)
    prompts = sim.Pool(setup.prefill.table, setup.prefill.policy, setup.prefill_replicas, router)
    return sim.Fleet(pool, prefill=prompts, transfer=transfer_of(setup), stations=stations)


def stations_of(asked: Question, setup: Setup) -> tuple[sim.Station, ...]:
    """What a question passes before the model: a small model on each chip of the copies, a search on each copy."""
    found = retrieval_of(asked, setup.copy.kind)
    if found is None:
        return ()
    chips = setup.copy.chips
    return tuple(
        sim.Station(name=name, servers=setup.replicas * (1 if name == "search" else chips), mean=time)
        for name, (time, _) in found.times(chips).items()
    )


def _taken(asked: Question, setup: Setup, rate: float | None) -> float:
    """Share of a copy's time that documents take from the model. [1]"""
    found = retrieval_of(asked, setup.copy.kind)
    if found is None:
        return 0.0
    if rate is None and asked.seen.rate is not None:
        rate = asked.seen.rate
    if rate is None:
        users, think = float(asked.traffic.users or 0), asked.traffic.think
        alone = setup.copy.curve[0]
        rate = users / (think + alone.ttft + alone.tpot * setup.copy.demand.output)
    return min(FULLEST, found.busy(setup.copy.chips) * rate / setup.replicas)


def slowed(table: StepTable, taken: float) -> StepTable:
    """Iterations of chips that work on something else the share ``taken`` of the time: each takes 1 / (1 - taken)."""
    if taken <= 0.0:
        return table
    times, attention = 1.0 / (1.0 - taken), table.attention.copy()
    attention[:, SCALE] *= times
    attention[:, P_SCALE] *= times
    return table._replace(
        linear=table.linear * times,
        head=table.head * times,
        experts=table.experts * times,
        draft=table.draft * times,
        attention=attention,
    )


def transfer_of(setup: Setup) -> sim.Transfer:
    """How the KV cache of a prompt goes over: every chip that reads sends its part at the rate of its link. [tokens/s]

    Inside a scale-up domain that is the link, beyond it the network of the node.
    """
    reader = setup.prefill or setup.copy
    cluster = reader.case.cluster
    inside = setup.chips <= cluster.node.domain
    fast = cluster.node.link_bandwidth or cluster.chip.link_bandwidth
    each = (fast if inside and fast else cluster.node.network or fast) or 1.0
    senders = min(reader.chips, setup.copy.chips)
    whole = max(1.0, reader.case.kv_token * reader.replica.tp * reader.replica.pp)
    latency = cluster.fabric.latency
    return sim.Transfer(rate=each * senders / whole, latency=latency)
