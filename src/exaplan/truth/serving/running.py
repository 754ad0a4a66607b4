"""What a posed row predicts: its measuring protocol run on the step model, in the simulator where requests queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from exaplan.case.serving import ServeCase, iterations, step_table
from exaplan.perf.serving.inputs import StepTable
from exaplan.sim import Bench, bench
from exaplan.truth.serving.posing import Posed, offline_flow
from exaplan.truth.serving.questions import Protocol

SHARE = 0.8  # mean time per token over its limit at the 99th percentile (own estimate: spread of mixed iterations)
ROUNDS = 4  # halvings of the search for the most users within the limits
ALONE = 1  # Policy.batching of engines whose prompts go alone
WAVES = 2.5  # rounds of an offline run that are simulated one by one
PIECE = 512  # tokens that llama.cpp reads at once (its default n_ubatch)


def answers(posed: Posed) -> Mapping[str, float]:
    """Quantity -> prediction in SI, of the quantities that the row measured."""
    return RUNNERS[posed.question.protocol.kind](posed)


def loop(case: ServeCase, table: StepTable, protocol: Protocol, users: int, requests: int) -> Bench:
    """A closed loop whose users start together; TTFT and TPOT are those of the measured requests."""
    # warm-ups end before the measured requests start: they change nothing but the random numbers
    return bench(
        table, case.policy, protocol.prompt, protocol.output, users, requests=requests, warm=0, low=protocol.low
    )


def held_back(protocol: Protocol, users: float, tpot: float) -> float:
    """What the server's look-out for new requests adds to the mean TTFT [s].

    Half of ``poll`` iterations pass until the next look; with ``wait`` W iterations for more prompts, a first one waits
    W and those that join it (users / output x W of them) half of that. The opening burst waits for neither.
    """
    steps = 0.5 * protocol.poll
    if protocol.wait > 0.0:
        joined = users / protocol.output * protocol.wait
        steps += protocol.wait * (1.0 + 0.5 * joined) / (1.0 + joined)
    burst = min(1.0, protocol.concurrency / max(1, protocol.requests))
    return (1.0 - burst) * steps * tpot


def _closed(posed: Posed) -> Mapping[str, float]:
    protocol, case = posed.question.protocol, posed.case
    users = max(1, round(protocol.concurrency / posed.copies))
    found = loop(case, step_table(case), protocol, users, max(1, protocol.requests // protocol.concurrency))
    ttft = found.ttft + held_back(protocol, users, found.tpot)
    return {"ttft": ttft, "tpot": found.tpot, "throughput": found.throughput * posed.copies}


def _offline(posed: Posed) -> Mapping[str, float]:
    """All requests at once: the first rounds and the end are simulated, rounds between them run at the steady rate."""
    protocol, case = posed.question.protocol, posed.case
    users = max(1, round(protocol.requests / posed.copies))
    steady, seqs = offline_flow(case, posed.question)
    run = max(1, min(users, round(WAVES * seqs)))
    found = loop(case, step_table(case), protocol, run, 1)
    time = run * protocol.output / found.throughput + (users - run) * protocol.output / steady
    return {"throughput": posed.copies * users * protocol.output / time / posed.question.units}


def _steady(posed: Posed) -> Mapping[str, float]:
    """As many sequences at any moment as the row states: every one that ends is followed by a prompt.

    t = t_d + (B - 1) / o x t_p: a step of B sequences, and what the prompts of the others add to it per token.
    """
    protocol, case = posed.question.protocol, posed.case
    seqs = max(1.0, protocol.concurrency / posed.copies)
    others, context = seqs - 1.0, protocol.prompt + 0.5 * protocol.output
    beside = 0.0 if case.policy.batching == ALONE else others
    room = max(64.0, case.policy.max_tokens - beside) if case.policy.chunked else protocol.prompt
    pieces = float(np.ceil(protocol.prompt / room))
    past = 0.5 * protocol.prompt * (1.0 - 1.0 / pieces)
    shapes = [[0.0, 0.0, 0.0, seqs, seqs * context], [0.0, 0.0, 0.0, beside, beside * context]]
    shapes += [[protocol.prompt / pieces, past, 1.0, beside, beside * context]]
    alone, without, both = iterations(case, np.array(shapes))
    token = alone + others / protocol.output * pieces * max(0.0, both - (without if beside else 0.0))
    return {"throughput": float(posed.copies * seqs / token)}


def _server(posed: Posed) -> Mapping[str, float]:
    """The most users of a copy whose means stay within ``SHARE`` of the limits."""
    protocol, case = posed.question.protocol, posed.case
    table = step_table(case)
    need = protocol.prompt + 0.6 * protocol.output
    low, high = 1.0, max(1.0, min(case.policy.max_seqs, case.kv_tokens / need))

    def run(users: float) -> tuple[bool, float]:
        found = bench(
            table, case.policy, protocol.prompt, protocol.output, max(1, round(users)), requests=2, warm=1, low=0.6,
            drained=False,
        )  # fmt: skip
        ttft, tpot = protocol.limits
        kept = (tpot <= 0.0 or found.tpot <= SHARE * tpot) and (ttft <= 0.0 or found.ttft <= SHARE * ttft)
        return kept, found.throughput

    kept, most = run(high)
    if kept:
        return {"throughput": most * posed.copies / posed.question.units}
    best = run(low)[1]
    for _ in range(ROUNDS):
        middle = float(np.sqrt(low * high))
        kept, rate = run(middle)
        if kept:
            low, best = middle, rate
        else:
            high = middle
    return {"throughput": best * posed.copies / posed.question.units}


def _open(posed: Posed) -> Mapping[str, float]:
    """Poisson arrivals below capacity: as many users as requests are in the system (Little's law)."""
    protocol, case = posed.question.protocol, posed.case
    table, users, latency = step_table(case), 1.0, 0.0
    for _ in range(6):
        found = bench(
            table, case.policy, protocol.prompt, protocol.output, max(1, round(users)), requests=10, warm=2,
            low=protocol.low, drained=False,
        )  # fmt: skip
        latency = found.ttft + (protocol.output - 1.0) * found.tpot if protocol.output > 1 else found.ttft
        users = 0.5 * users + 0.5 * protocol.rate * latency
    return {"latency": latency, "ttft": found.ttft, "tpot": found.tpot}


def _static(posed: Posed) -> Mapping[str, float]:
    """All prompts first, as many at a time as the token budget takes, then every step of the whole batch."""
    protocol, case = posed.question.protocol, posed.case
    seqs, prompt, output = float(protocol.concurrency), protocol.prompt, protocol.output
    rounds = max(1.0, np.ceil(seqs * prompt / case.policy.max_tokens))
    shapes = np.array(
        [
            [seqs * prompt / rounds, 0.0, seqs / rounds, 0.0, 0.0],
            [0.0, 0.0, 0.0, seqs, seqs * (prompt + 0.5 * output)],
        ]
    )
    read, write = iterations(case, shapes)
    return {"throughput": float(seqs * output / (rounds * read + output * write)) * posed.copies}


def _first(posed: Posed) -> Mapping[str, float]:
    """One prompt alone; a pipeline reads it in pieces, one stage behind the other."""
    protocol, case = posed.question.protocol, posed.case
    pieces = max(1.0, np.ceil(protocol.prompt / PIECE)) if case.replica.pp > 1 else 1.0
    time = float(iterations(case, np.array([[protocol.prompt, 0.0, pieces, 0.0, 0.0]]))[0])
    if "prefill" in posed.question.measured:
        return {"prefill": protocol.prompt / time}
    return {"latency": time + case.host.request}


def _decode(posed: Posed) -> Mapping[str, float]:
    """One sequence alone, from an empty context."""
    output = posed.question.protocol.output
    contexts = (np.arange(8) + 0.5) / 8.0 * output
    shapes = np.array([[0.0, 0.0, 0.0, 1.0, context] for context in contexts])
    return {"throughput": float(1.0 / iterations(posed.case, shapes).mean())}


def _single(posed: Posed) -> Mapping[str, float]:
    """One request at a time to its last token."""
    protocol, case = posed.question.protocol, posed.case
    found = loop(case, step_table(case), protocol, 1, 4)
    return {"latency": found.latency}


def _disagg(posed: Posed) -> Mapping[str, float]:
    """Readers take prompts in turn, writers decode; users start together. TTFT holds the readers' queue."""
    protocol = posed.question.protocol
    reader = posed.reader
    if reader is None:
        return {}
    writers = max(1, round(protocol.concurrency / posed.copies))
    readers = max(1.0, protocol.concurrency / posed.readers)
    mean = 0.5 * (1.0 + protocol.low)
    prompt, output = protocol.prompt * mean, protocol.output * mean
    dp = reader.replica.dp
    read = float(iterations(reader, np.array([[prompt * dp, 0.0, float(dp), 0.0, 0.0]]))[0]) / dp
    users = float(writers)
    tpot = 0.0
    for _ in range(12):
        tpot = float(
            iterations(posed.case, np.array([[0.0, 0.0, 0.0, max(1.0, users), users * (prompt + 0.5 * output)]]))[0]
        )
        cycle = max(output * tpot + read * dp, readers * read)
        queue = max(0.0, readers * read - output * tpot)
        waiting = readers * min(0.95, queue / max(cycle, 1e-9))
        users = 0.5 * users + 0.5 * max(1.0, (readers - waiting) * posed.readers / posed.copies)
    burst = 1.0 / max(1, protocol.requests // max(1, protocol.concurrency))
    start = read * dp + 0.5 * readers * read
    steady = read * dp + max(0.0, readers * read - output * tpot)
    request = reader.host.request
    return {"ttft_disagg": request + burst * start + (1.0 - burst) * steady, "tpot_disagg": tpot}


def _reading(posed: Posed) -> Mapping[str, float]:
    """Prompt tokens/s of a node when every rank reads its budget of tokens."""
    protocol, case = posed.question.protocol, posed.case
    ranks = case.replica.dp
    pieces = max(1.0, case.policy.max_tokens / ranks / protocol.prompt)
    tokens = ranks * pieces * protocol.prompt
    time = float(iterations(case, np.array([[tokens, 0.0, ranks * pieces, 0.0, 0.0]]))[0])
    return {"prefill": tokens / time / posed.question.units}


def _paced(posed: Posed) -> Mapping[str, float]:
    """Output tokens/s of a node at the stated time per token."""
    protocol, case = posed.question.protocol, posed.case
    low, high = 1.0, 1024.0
    for _ in range(20):
        middle = float(np.sqrt(low * high))
        seqs = middle * case.replica.dp
        time = float(iterations(case, np.array([[0.0, 0.0, 0.0, seqs, seqs * protocol.prompt]]))[0])
        low, high = (middle, high) if time < protocol.limits[1] else (low, middle)
    return {"throughput": low * case.replica.dp / protocol.limits[1] / posed.question.units}


RUNNERS: Mapping[str, Callable[[Posed], Mapping[str, float]]] = {
    "closed": _closed,
    "offline": _offline,
    "steady": _steady,
    "server": _server,
    "open": _open,
    "static": _static,
    "first": _first,
    "decode": _decode,
    "single": _single,
    "disagg": _disagg,
    "reading": _reading,
    "paced": _paced,
}
