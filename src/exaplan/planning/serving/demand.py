"""What a mean request takes of a copy, from the lengths, sessions and shared prefixes of the traffic."""

from __future__ import annotations

import math
from typing import NamedTuple

from exaplan.nouns.serving import Lengths, Traffic
from exaplan.planning.serving.screening import Demand


class Moments(NamedTuple):
    """mean [tokens], square: mean of the square [tokens2], most [tokens]."""

    mean: float
    square: float
    most: float


def moments(lengths: Lengths) -> Moments:
    """Mean and mean square of a length as it is drawn; a lognormal one before it is cut."""
    if lengths.kind == "uniform":
        low, high = float(lengths.low), float(lengths.high)
        mean, values = 0.5 * (low + high), high - low + 1.0
        return Moments(mean, mean * mean + (values * values - 1.0) / 12.0, high)
    mean, cv = lengths.mean, lengths.cv if lengths.kind == "lognormal" else 0.0
    most = float(lengths.high) if lengths.high else mean * math.exp(2.33 * math.sqrt(math.log1p(cv * cv)))
    return Moments(mean, mean * mean * (1.0 + cv * cv), most)


def demand_of(traffic: Traffic, cached: bool, extra: float = 0.0) -> Demand:
    """The mean request; ``cached``: a prefix cache keeps what earlier requests have read (a window of the history that
    slides begins anew each time); extra [s of the chips].

    A decoding sequence is met half-way through its answer, and long answers are met longer: its context is
    prompt + E[o^2] / (2 E[o]). Of n turns with full history, turn i's prompt holds prefix + i (p + o) + p tokens.
    """
    prompt, output = moments(traffic.prompt), moments(traffic.output)
    before, prefix = _history(traffic, prompt.mean, output.mean), float(traffic.prefix)
    whole = prefix + before + prompt.mean
    there = prefix + (before if traffic.history == "full" else 0.0) if cached else 0.0
    context = whole + 0.5 * output.square / max(1.0, output.mean)
    shared = prefix if cached else 0.0
    spread = prompt.square / (prompt.mean * prompt.mean) - 1.0 if prompt.mean > 0.0 else 0.0
    return Demand(
        read=max(1.0, whole - there),
        past=there,
        output=max(1.0, output.mean),
        context=context,
        held=max(1.0, context - shared),
        spread=spread,
        longest=prefix + _most(traffic, prompt.most, output.most),
        extra=extra,
    )


def _history(traffic: Traffic, prompt: float, output: float) -> float:
    """Tokens of earlier turns in a mean prompt."""
    if traffic.turns <= 1 or traffic.history == "none":
        return 0.0
    if traffic.history == "full":
        return 0.5 * (traffic.turns - 1) * (prompt + output)
    turns = range(traffic.turns)
    return sum(min(float(traffic.keep), turn * (prompt + output)) for turn in turns) / traffic.turns


def _most(traffic: Traffic, prompt: float, output: float) -> float:
    """Tokens of the longest request, without what all prompts share."""
    if traffic.turns <= 1 or traffic.history == "none":
        return prompt + output
    if traffic.history == "full":
        return traffic.turns * (prompt + output)
    return min(float(traffic.keep), (traffic.turns - 1) * (prompt + output)) + prompt + output
