"""Power of a served model: what an iteration of a replica is spent in, and what its chips draw."""

from __future__ import annotations

from exaplan.case.serving import ServeCase, Shape, loads, terms
from exaplan.catalog import serving_power as fitted
from exaplan.perf.serving.inputs import ALL, COUNT, GROUPED, KIND, LOW, OWN, SIDE, Table
from exaplan.perf.serving.power import Spent, decode_work, lagging, operator_work, prompt_work, serving_power

TRAFFIC = ("tp", "ep", "pp")  # terms of an iteration that are exposed traffic between chips


def spent(case: ServeCase, shape: Shape) -> Spent:
    """What one iteration of a chip of a replica is spent in. [s]"""
    found = terms(case, shape)
    compute, memory = work(case, shape)
    lag = lagging_share(case, loads(case, shape)["all"]) * found["experts"]
    experts = found["experts"] - lag
    traffic = sum(found[name] for name in TRAFFIC) + lag
    low = experts if scaled(case) else 0.0
    return Spent(sum(found.values()), found["host"], traffic, compute, memory, experts, low)


def lagging_share(case: ServeCase, tokens: float) -> float:
    """Share of the time of grouped products that the mean chip waits for the busiest [1]; 0 without any."""
    grouped = case.layers[case.layers[:, KIND] == GROUPED]
    return float(lagging(grouped[0], tokens, case.tuning.skew)) if len(grouped) and tokens > 0.0 else 0.0


def scaled(case: ServeCase) -> bool:
    """Whether grouped products run below 16 bit."""
    grouped = case.layers[case.layers[:, KIND] == GROUPED]
    return bool((grouped[:, LOW] > 0.0).any())


def work(case: ServeCase, shape: Shape) -> tuple[float, float]:
    """(at the peak, at full bandwidth): what the FLOPs and the bytes of a chip in one iteration take. [s]"""
    at = loads(case, shape)
    compute = memory = 0.0
    for rows, side, tokens in (
        (case.layers, OWN, at["own"]),
        (case.layers, ALL, at["all"]),
        (case.head, OWN, at["outputs"]),
        (case.draft, OWN, at["seqs"]),
    ):
        flops, moved = operators_work(case, rows, side, tokens)
        compute, memory = compute + flops, memory + moved
    flops, moved = attention_work(case, shape, at)
    rates = case.hardware.high
    return compute + flops / rates.peak, memory + moved / rates.bandwidth


def operators_work(case: ServeCase, rows: Table, side: int, tokens: float) -> tuple[float, float]:
    """The same of all operators of one side."""
    compute = memory = 0.0
    for row in rows:
        if row[SIDE] == side:
            flops, moved = operator_work(row, tokens, case.hardware, case.tuning.skew)
            compute, memory = compute + row[COUNT] * flops, memory + row[COUNT] * moved
    return float(compute), float(memory)


def attention_work(case: ServeCase, shape: Shape, at: dict[str, float]) -> tuple[float, float]:
    """(FLOPs, bytes) of attention on a chip in one iteration."""
    flops = moved = 0.0
    chunks = max(1.0, shape.chunks) if shape.prefill_tokens else 0.0
    share = chunks / max(1.0, min(at["ranks"], chunks))
    for row in case.attention:
        if shape.seqs > 0.0:
            one = decode_work(row, at["seqs"], shape.context / shape.seqs)
            flops, moved = flops + one[0], moved + one[1]
        if chunks:
            one = prompt_work(row, shape.prefill_tokens / chunks, shape.past)
            flops, moved = flops + share * one[0], moved + share * one[1]
    return float(flops), float(moved)


def steady(case: ServeCase, seqs: float, prompt: float, output: float) -> Spent:
    """Mean iteration of a replica that always holds ``seqs`` sequences of so many prompt and output tokens. [s]

    seqs / output prompts come into an iteration: fewer than one come into that share of the iterations. A sequence is
    half done on average.
    """
    came = seqs / output
    held = Shape(0.0, 0.0, 0.0, seqs, seqs * (prompt + 0.5 * output))
    mixed = held._replace(prefill_tokens=max(1.0, came) * prompt, chunks=max(1.0, came))
    share = min(1.0, came)
    pairs = zip(spent(case, held), spent(case, mixed), strict=True)
    return Spent(*((1.0 - share) * one + share * other for one, other in pairs))


def chip_power(case: ServeCase, run: Spent, used: float = 1.0) -> float | None:
    """Average power of a chip that runs such iterations the share ``used`` of the time [W]; None: its TDP is
    unknown."""
    chip = case.cluster.chip
    fit = fitted.coefficients(architecture=chip.architecture)
    return None if chip.power is None else serving_power(chip.power, run, fit, used)
