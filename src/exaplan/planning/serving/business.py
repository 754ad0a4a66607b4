"""What a service earns at a price: per period, per query, per subscriber, and the queries at which nothing is left."""

from __future__ import annotations

from exaplan import cost
from exaplan.answers.serving import Simulated
from exaplan.planning.serving.question import Question


def margin_of(asked: Question, spent: float | None, run: Simulated) -> dict[str, float | None]:
    """Business figures of a period; {} where no price is asked. ``spent`` [USD of the period]; None = unknown.

    revenue, cost, margin [USD of the period], margin_share [of the revenue], per_query [USD that a query costs],
    subscribers [count], per_subscriber [USD left of each a month], break_even [queries per subscriber and day].
    """
    price, rate = asked.ask.work.price, run.throughput["requests"]
    if price is None or rate <= 0.0:
        return {}
    read, written = run.throughput["total_tokens"] - run.throughput["output_tokens"], run.throughput["output_tokens"]
    sold = cost.token_revenue(read / rate, written / rate, price.input or 0.0, price.output or 0.0)
    queries = rate * asked.period
    known: dict[str, float | None] = {"per_query": None if spent is None else spent / queries}
    revenue = sold * queries
    if price.subscription is not None and price.queries is not None:
        people = cost.subscribers(rate, price.queries)
        revenue += people * price.subscription * asked.period / cost.MONTH
        known |= {"subscribers": people, **_subscribed(price.subscription, price.queries, known["per_query"], sold)}
    left = None if spent is None else revenue - spent
    share = None if left is None or not revenue else left / revenue
    return {"revenue": revenue, "cost": spent, "margin": left, "margin_share": share, **known}


def _subscribed(subscription: float, queries: float, per_query: float | None, sold: float) -> dict[str, float | None]:
    """What a subscriber leaves, and how many queries he may ask."""
    if per_query is None:
        return {"per_subscriber": None, "break_even": None}
    return {
        "per_subscriber": cost.margin(subscription, queries, per_query, sold),
        "break_even": cost.break_even_queries(subscription, per_query, sold),
    }
