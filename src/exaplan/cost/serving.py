"""Money and energy of a service: per token, per query, per subscriber. Pure functions; s, USD, J, W, tokens."""

from __future__ import annotations

from exaplan.cost.finance import YEAR

DAY = 86400.0  # [s]
MONTH = YEAR / 12.0  # [s], what a subscription is paid by
MILLION = 1e6  # tokens that prices are quoted for


def per_token(amount: float, rate: float, time: float) -> float | None:
    """amount [USD or J] of a time [s] over the tokens that come at ``rate`` [tokens/s] in it; None where none do.

    x = amount / (rate time).
    """
    return amount / (rate * time) if rate > 0.0 and time > 0.0 else None


def per_million(cost: float, rate: float, time: float) -> float | None:
    """Cost of a million tokens: 1e6 cost / (rate time), cost [USD] of ``time`` [s] at ``rate`` [tokens/s]. [USD]"""
    found = per_token(cost, rate, time)
    return None if found is None else MILLION * found


def token_revenue(read: float, written: float, read_price: float, written_price: float) -> float:
    """What a request sold by the token brings. [USD]

    r = (read p_in + written p_out) / 1e6, with read, written [tokens], p [USD per million tokens].
    """
    return (read * read_price + written * written_price) / MILLION


def subscribers(rate: float, queries: float) -> float:
    """Subscribers whose questions come at ``rate`` [1/s], each asking ``queries`` times a day. [count]"""
    return rate * DAY / queries


def margin(subscription: float, queries: float, cost_per_query: float, revenue_per_query: float = 0.0) -> float:
    """What a subscriber leaves a month. [USD]

    m = s + q d (r - c): s [USD per month], q [queries a day], d = 30.44 days a month, c cost and r revenue of a query
    beside the subscription [USD].
    """
    return subscription + queries * MONTH / DAY * (revenue_per_query - cost_per_query)


def break_even_queries(subscription: float, cost_per_query: float, revenue_per_query: float = 0.0) -> float | None:
    """Queries per subscriber and day at which the margin is zero: s / (d (c - r)), see ``margin``.

    None where every further query pays for itself.
    """
    lost = (cost_per_query - revenue_per_query) * MONTH / DAY
    return subscription / lost if lost > 0.0 else None
