"""Seeded chance inside the event loop, the same in compiled and in plain code.

[1] P. L'Ecuyer, "Efficient and portable combined random number generators", Communications of the ACM 31 (1988) 742:
two multiplicative generators whose difference has a period of 2.3e18; every product stays below 2^53.
"""

from __future__ import annotations

import math

from exaplan.sim.columns import EXPONENTIAL, FIXED, SEED_1, SEED_2
from exaplan.sim.state import State

MODULUS_1, FACTOR_1 = 2147483563, 40014
MODULUS_2, FACTOR_2 = 2147483399, 40692


def uniform(s: State) -> float:
    """A number in (0, 1): z / m1 of [1]."""
    first = s.whole[SEED_1] * FACTOR_1 % MODULUS_1
    second = s.whole[SEED_2] * FACTOR_2 % MODULUS_2
    s.whole[SEED_1] = first
    s.whole[SEED_2] = second
    difference = first - second
    if difference < 1:
        difference += MODULUS_1 - 1
    return float(difference / MODULUS_1)


def exponential(s: State, mean: float) -> float:
    """An exponential of this mean."""
    return -mean * math.log(uniform(s))


def normal(s: State) -> float:
    """A standard normal (Box-Muller, one of the pair)."""
    return math.sqrt(-2.0 * math.log(uniform(s))) * math.cos(2.0 * math.pi * uniform(s))


def accepted(s: State, drafted: int, chance: float) -> int:
    """Drafted tokens that are accepted: each with this chance, up to the first that is not."""
    count = 0
    while count < drafted and uniform(s) < chance:
        count += 1
    return count


def drawn(s: State, law: int, mean: float, cv: float) -> float:
    """A service time [s] of this mean: fixed, exponential, or lognormal with ``cv`` = standard deviation over mean."""
    if law == FIXED:
        return mean
    if law == EXPONENTIAL:
        return exponential(s, mean)
    variance = math.log(1.0 + cv * cv)
    return mean * math.exp(math.sqrt(variance) * normal(s) - 0.5 * variance)
