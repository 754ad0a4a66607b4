"""Average electrical power of a running step. Pure scalar functions.

P_chip = TDP sum_k share_k c_k over what the step's time is spent in: matrix work, memory-bound passes, exposed traffic
of the network, waiting; within [idle, TDP] and a cap. P_wall = PUE (P_chip + h (P_node / chips - TDP)) / s: what stands
in the node beside its chips draws the share h of its rating, and its power supplies deliver the share s of what they
take. The coefficients stand in data/fits/power.yaml with their rows, sources and errors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from exaplan.perf.step import Terms


class PowerFit(NamedTuple):
    """Share of the TDP drawn at rest, in matrix work, in memory-bound work, while data cross the network, and while
    waiting with a job loaded. [1]"""

    idle: float
    product: float
    memory: float
    traffic: float
    waiting: float


class Watts(NamedTuple):
    """What the power of a step follows from. known: 0 where neither the chip's nor the node's rating is known.

    tdp, cap [W per chip], node [W], chips [per node], pue [ratio], host: drawn share of what a node is rated for beside
    its chips [1], supply: efficiency of the power supplies [1].
    """

    known: int
    tdp: float
    cap: float
    node: float
    chips: float
    pue: float
    fit: PowerFit
    host: float
    supply: float


def step_power(terms: Terms, watts: Watts) -> float:
    """Average power at the meter per chip over a step. [W]; nan where it is unknown.

    What is computed again is split as the rest. Only exposed traffic counts: what hides under work takes no time.
    """
    if watts.known == 0:
        return math.nan
    matrix, passes = terms.product + terms.attention, terms.vector + terms.optimizer
    again = 1.0 + terms.recompute / (matrix + passes)
    traffic = terms.tp + terms.cp + terms.ep + terms.fsdp + terms.contention + terms.transfer + terms.dp
    chip = chip_power(watts.tdp, again * matrix, again * passes, traffic, terms.total, watts.fit)
    return wall_power(min(chip, watts.cap), watts)


def capped_clock(cap: float, tdp: float, idle: float) -> float:
    """Clock at a power limit over the clock at the TDP, in (0, 1]. [1]

    cap, tdp [W], idle: share of the TDP drawn idle. Dynamic power goes with f V^2 and voltage with f, so
    f = ((cap - idle TDP) / (TDP - idle TDP))^(1/3). T. Mudge 2001, "Power: a first-class architectural design
    constraint", doi:10.1109/2.917539. Holds near the top of the curve; matrix work slows by it, memory does not.
    """
    spare = (cap - idle * tdp) / (tdp * (1.0 - idle))
    return float(max(1e-3, min(1.0, spare)) ** (1.0 / 3.0))


def chip_power(tdp: float, product: float, memory: float, traffic: float, total: float, fit: PowerFit) -> float:
    """Average power of a chip over a step. [W]

    product, memory, traffic: seconds of matrix and attention work, of memory-bound work and of exposed traffic, out of
    ``total``; the rest waits.
    """
    if total <= 0.0:
        return tdp * fit.idle
    waiting = max(0.0, total - product - memory - traffic)
    spent = product * fit.product + memory * fit.memory + traffic * fit.traffic + waiting * fit.waiting
    return tdp * min(1.0, max(fit.idle, spent / total))


def wall_power(chip: float, watts: Watts) -> float:
    """Power at the meter per chip that draws ``chip``. [W]

    P = PUE (P_chip + host max(0, node / chips - TDP)) / supply.
    """
    beside = max(0.0, watts.node / watts.chips - watts.tdp)
    return watts.pue * (chip + watts.host * beside) / watts.supply
