"""The front of throughput per chip against the speed that a user sees, over chip types, cuts and loads."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from exaplan import cost
from exaplan.answers.serving import ServePoint
from exaplan.nouns.serving import Deployment
from exaplan.planning.front import undominated
from exaplan.planning.serving.answering import settled
from exaplan.planning.serving.copies import Copy
from exaplan.planning.serving.doubt import centre_of
from exaplan.planning.serving.looking import per_second
from exaplan.planning.serving.screening import Point
from exaplan.planning.serving.solving import Desk, Spot

MOST = 24  # points of a chip type that are kept


def points(desk: Desk, spots: Iterable[Spot]) -> tuple[ServePoint, ...]:
    """Points of every chip type on its own front; ``front`` marks those that none of any chip type beats in throughput
    per chip and speed, nor in cost where it is known, without losing in the rest."""
    found = [point for spot in spots for point in _kind(desk.shop.copies(spot.kind))]
    flags = undominated([_figures(point) for point in found])
    return tuple(replace(point, front=flag) for point, flag in zip(found, flags, strict=True))


def _kind(copies: Iterable[Copy]) -> list[ServePoint]:
    """The front of one chip type, thinned evenly where it is long."""
    every = [_point(copy, at) for copy in copies for at in copy.curve]
    flags = undominated([(-point.throughput, -point.speed) for point in every])
    best = sorted((point for point, flag in zip(every, flags, strict=True) if flag), key=lambda point: point.speed)
    if len(best) <= MOST:
        return best
    return [best[round(index * (len(best) - 1) / (MOST - 1))] for index in range(MOST)]


def _point(copy: Copy, at: Point) -> ServePoint:
    written = at.rate * copy.demand.output
    price = per_second(copy.kind)
    return ServePoint(
        chip=copy.kind.name,
        chips=copy.chips,
        deployment=Deployment(copy.replica, 1, settled(copy)),
        load=round(at.batch),
        throughput=written / copy.chips,
        speed=1.0 / at.tpot,
        ttft=at.ttft * centre_of(copy),
        tpot=at.tpot,
        cost=None if price is None else cost.per_million(price * copy.chips, written, 1.0),
    )


def _figures(point: ServePoint) -> tuple[float, ...]:
    """What is compared, each the smaller the better; unknown is worst."""
    return (-point.throughput, -point.speed, math.inf if point.cost is None else point.cost)
