"""Mean-field forms of the measuring protocols: what the fit differentiates in place of the simulator.

Every row of serving runs is given by its operators and a few numbers of its protocol; one compiled call evaluates all
rows under given tunings. The simulator tells the level (its ratio to these forms at the last tuning is kept), these
forms tell how it moves with the tuning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exaplan.perf.kernel import compiled, numba
from exaplan.perf.serving.attention import P_SCALE, SCALE, decode_time, prompt_time
from exaplan.perf.serving.inputs import ALL, OWN, ServeTuning
from exaplan.perf.serving.table import launched, rows_time

Array = NDArray[np.float64]
FIELDS = ServeTuning._fields
CLOSED, OFFLINE, STATIC, STEADY, OPEN, SERVER, FIRST, DECODE, DISAGG, SINGLE = range(10)
KINDS = {
    "closed": CLOSED,
    "offline": OFFLINE,
    "static": STATIC,
    "steady": STEADY,
    "open": OPEN,
    "server": SERVER,
    "first": FIRST,
    "decode": DECODE,
    "disagg": DISAGG,
    "single": SINGLE,
}


class Ask(NamedTuple):
    """Numbers of a protocol.

    prompt, output [tokens, means]; users; burst: share of the measured requests that
    start at once; copies: that share the load; budget [tokens of an iteration], slots [sequences], room [tokens of cache];
    first: prompts go alone; poll, wait [iterations]; rate [1/s], limit [s per token]; number [requests]; read: readers of
    prompts (disaggregated)."""

    kind: float
    prompt: float
    output: float
    users: float
    burst: float
    copies: float
    budget: float
    slots: float
    room: float
    first: float
    chunked: float
    poll: float
    wait: float
    rate: float
    limit: float
    number: float
    read: float
    graph: float
    dp: float
    pp: float


_rows, _launched = compiled(rows_time), compiled(launched)
_decode, _prompt = compiled(decode_time), compiled(prompt_time)
_njit = numba().njit(error_model="numpy")


@_njit  # type: ignore[untyped-decorator]
def step(
    case: Any, ask: Any, tune: Any, prompt: float, chunks: float, past: float, seqs: float, context: float
) -> float:
    """Time of one iteration of a replica; prompt [tokens of all chunks], context [mean tokens of a sequence]."""
    layers, head, attention, hw = case
    batches = min(ask.pp, max(1.0, seqs + chunks))
    ranks = ask.dp * batches
    own = math.ceil(seqs / ranks)
    share = max(1.0, min(ranks, chunks))
    mine, whole = own + prompt / share, (prompt + seqs) / batches
    slow = tune.launch
    part = _rows(layers, OWN * 1.0, mine, hw, tune)
    chip = part if mine <= ask.graph else max(part, _launched(layers, OWN * 1.0) * slow)
    part = _rows(layers, ALL * 1.0, whole, hw, tune)
    chip += part if whole <= ask.graph else max(part, _launched(layers, ALL * 1.0) * slow)
    chip += _rows(head, OWN * 1.0, math.ceil((seqs + chunks) / ranks), hw, tune)
    if seqs > 0.0:
        chip += tune.attention_decode * _decode(attention, own, context * own)
    if chunks > 0.0:
        chip += tune.attention_prefill * _prompt(attention, prompt / chunks, past) * chunks / share
    host = tune.host_base + tune.host_sequence * seqs + tune.host_chunk * chunks
    return max(chip + (1.0 - min(1.0, tune.overlap)) * host, host)


@_njit  # type: ignore[untyped-decorator]
def reading(case: Any, ask: Any, tune: Any, seqs: float, context: float) -> Any:
    """(time of one prompt's iterations, those iterations, decode steps that they hold) beside ``seqs`` sequences."""
    beside = 0.0 if ask.first > 0.0 else seqs
    room = max(64.0, ask.budget - beside)
    if ask.prompt <= room or ask.chunked <= 0.0:
        return step(case, ask, tune, ask.prompt, 1.0, 0.0, beside, context), 1.0, 0.0 if ask.first > 0.0 else 1.0
    parts = math.ceil(ask.prompt / room)
    size, total = ask.prompt / parts, 0.0
    for i in range(int(parts)):
        total += step(case, ask, tune, size, 1.0, size * i, beside, context)
    return total, parts, 0.0 if ask.first > 0.0 else parts


@_njit  # type: ignore[untyped-decorator]
def flow(case: Any, ask: Any, tune: Any, seqs: float) -> Any:
    """(s per token, s of a prompt) with ``seqs`` sequences at any moment."""
    context = ask.prompt + 0.5 * ask.output
    alone = step(case, ask, tune, 0.0, 0.0, 0.0, seqs, context)
    read, parts, held = reading(case, ask, tune, max(0.0, seqs - 1.0), context)
    token = alone + max(0.0, seqs - 1.0) / ask.output * max(0.0, read - held * alone)
    return token, read


@_njit  # type: ignore[untyped-decorator]
def closed(case: Any, ask: Any, tune: Any) -> Any:
    """(TTFT, TPOT) of a closed loop."""
    users = ask.users / ask.copies
    seqs = max(1.0, min(users, ask.slots, ask.room / (ask.prompt + 0.75 * ask.output)))
    token, read = flow(case, ask, tune, seqs)
    life = ask.output * token + read
    busy = min(0.9, users * read / life)
    steady = tune.request + 0.6 * token + read * (1.0 + 0.5 * busy / (1.0 - busy)) + 0.5 * ask.poll * token
    if ask.wait > 0.0:
        joined = users / ask.output * ask.wait
        steady += token * ask.wait * (1.0 + 0.5 * joined) / (1.0 + joined)
    steady += max(0.0, users - seqs) / seqs * life
    together = max(1.0, min(users, math.floor(ask.budget / ask.prompt)))
    beside = 0.0 if ask.first > 0.0 else 0.5 * users
    one = step(case, ask, tune, together * ask.prompt, together, 0.0, beside, ask.prompt)
    if ask.prompt > ask.budget and ask.chunked > 0.0:
        one = read
    start = tune.request + one * 0.5 * (users / together + 1.0)
    return ask.burst * start + (1.0 - ask.burst) * steady, token


@_njit  # type: ignore[untyped-decorator]
def offline(case: Any, ask: Any, tune: Any) -> float:
    """Output tokens/s of all copies, of requests that all wait from the start."""
    number = ask.number / ask.copies
    seqs = max(1.0, min(number, ask.slots, ask.room / (ask.prompt + 0.75 * ask.output)))
    token, read = flow(case, ask, tune, seqs)
    whole = number / seqs * ask.output * token + 0.5 * ask.output * token
    return ask.copies * number * ask.output / whole


@_njit  # type: ignore[untyped-decorator]
def server(case: Any, ask: Any, tune: Any) -> float:
    """Output tokens/s of all copies at the most sequences that keep the limit of time per token."""
    most = max(1.0, min(ask.slots, ask.room / (ask.prompt + 0.6 * ask.output)))
    low, high = 1.0, most
    token, read = flow(case, ask, tune, most)
    if ask.limit > 0.0 and token > 0.8 * ask.limit:
        for _ in range(12):
            middle = math.sqrt(low * high)
            token, read = flow(case, ask, tune, middle)
            if token > 0.8 * ask.limit:
                high = middle
            else:
                low = middle
        token, read = flow(case, ask, tune, low)
        most = low
    return ask.copies * most / token


@_njit  # type: ignore[untyped-decorator]
def asked(case: Any, ask: Any, tune: Any) -> Any:
    """(first, second) quantity of a row: TTFT and TPOT, or one quantity twice."""
    kind = ask.kind
    if kind == CLOSED:
        return closed(case, ask, tune)
    if kind == OFFLINE:
        found = offline(case, ask, tune)
        return found, found
    if kind == SERVER:
        found = server(case, ask, tune)
        return found, found
    if kind == STEADY:
        seqs = max(1.0, ask.users / ask.copies)
        token, read = flow(case, ask, tune, seqs)
        found = ask.copies * seqs / token
        return found, found
    if kind == DECODE:
        found = step(case, ask, tune, 0.0, 0.0, 0.0, 1.0, 0.5 * ask.output)
        return 1.0 / found, 1.0 / found
    if kind == FIRST:
        found = tune.request + step(case, ask, tune, ask.prompt, 1.0, 0.0, 0.0, 0.0)
        return found, found
    if kind == STATIC:
        seqs = ask.users
        rounds = max(1.0, math.ceil(seqs * ask.prompt / ask.budget))
        one = step(case, ask, tune, seqs * ask.prompt / rounds, seqs / rounds, 0.0, 0.0, 0.0)
        token = step(case, ask, tune, 0.0, 0.0, 0.0, seqs, ask.prompt + 0.5 * ask.output)
        found = seqs * ask.output / (rounds * one + ask.output * token)
        return found, found
    if kind == SINGLE:
        read = reading(case, ask, tune, 0.0, 0.0)[0]
        token = step(case, ask, tune, 0.0, 0.0, 0.0, 1.0, ask.prompt + 0.5 * ask.output)
        found = tune.request + read + (ask.output - 1.0) * token
        return found, found
    seqs = 1.0
    token, read = flow(case, ask, tune, seqs)
    for _ in range(8):
        seqs = max(1.0, ask.rate * ask.output * token)
        token, read = flow(case, ask, tune, seqs)
    found = tune.request + 0.5 * token + read + (ask.output - 1.0) * token
    return found, found


def tuner() -> Any:
    """Compiled: tuning values (fields,) -> ServeTuning, whatever fields it has."""
    listed = ", ".join(f"t[{i}]" for i in range(len(FIELDS)))
    scope: dict[str, Any] = {"ServeTuning": ServeTuning}
    exec(f"def made(t):\n    return ServeTuning({listed})", scope)
    return _njit(scope["made"])


def make_batch(rows: Sequence[tuple[Any, Ask]]) -> Any:
    """A callable(tunings (n, fields)) -> quantities (n, 2), for rows of ((layers, head, attention, hardware), ask)."""
    typed = numba().typed.List
    cases, asks = typed(), typed()
    made = tuner()
    for case, ask in rows:
        layers, head, attention, hw = case
        attention = attention.copy()
        attention[:, SCALE] = attention[:, P_SCALE] = 1.0
        cases.append((layers, head, attention, hw))
        asks.append(ask)

    @_njit  # type: ignore[untyped-decorator]
    def loop(cases: Any, asks: Any, tunings: Array, out: Array) -> None:
        for i in range(len(cases)):
            tune = made(tunings[i])
            out[i, 0], out[i, 1] = asked(cases[i], asks[i], tune)

    def evaluate(tunings: Array) -> Array:
        out = np.empty((len(cases), 2))
        loop(cases, asks, np.ascontiguousarray(tunings), out)
        return out

    return evaluate
