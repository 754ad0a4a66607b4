"""Fields of a serving ask that are each possible, but not together; and what ``plan`` needs beyond what it reads."""

from __future__ import annotations

from exaplan.ask.common import check_common, refused
from exaplan.ask.serving import ServeAsk
from exaplan.ask.serving_parts import CopyAsk
from exaplan.errors import InputError

OF_A_TRACE = ("prompt", "output", "arrivals", "burst", "think", "turns", "history", "keep")


def check_serving(ask: ServeAsk) -> None:
    """Refuse what contradicts itself."""
    _check_load(ask)
    _check_arrivals(ask)
    _check_sessions(ask)
    _check_samples(ask)
    _check_documents(ask)
    _check_price(ask)
    check_common(ask)
    _check_copies(ask)
    _check_autoscale(ask)


def check_promised(ask: ServeAsk) -> None:
    """Refuse to size a service of which nothing is promised and nothing is wanted most."""
    if ask.work.slo.promising or "objective" in ask.model_fields_set:
        return
    hint = "add --ttft '1 s', --tpot '50 ms' or --latency '10 s' (work.slo), or --objective cost to promise nothing"
    raise refused(ask, "nothing is promised and no objective is given, so any cluster would do", hint, "work", "slo")


def check_loaded(ask: ServeAsk) -> None:
    """Refuse to simulate requests of which nobody says how they come."""
    if not ask.load:
        raise _no_load(ask)


def _no_load(ask: ServeAsk, more: str = "") -> InputError:
    hint = f"add work.rate (--rate 20/s), work.users (--users 200) or work.trace (--trace FILE.csv){more}"
    return refused(ask, "nothing says how requests come", hint, "work")


def _bounded(ask: ServeAsk) -> bool:
    """Whether chips, money or power are bounded, so that the most requests are a number."""
    limits = ask.limits
    return not ask.open_count or bool(ask.fleet or limits.count or limits.money or limits.power)


# ------------------------------------------------------------------------------------------------------ traffic


def _check_load(ask: ServeAsk) -> None:
    """Requests come in one way at most; in none only where something bounds the chips that could answer them."""
    given = ask.load
    if not given and not _bounded(ask):
        raise _no_load(ask, ", or a number of chips: then as many come as the promise leaves room for")
    if len(given) > 1:
        problem = f"`{given[0]}` and `{given[1]}` both say how requests come"
        raise refused(ask, problem, "keep one of them", "work", given[1])
    if ask.work.trace is None:
        return
    extra = [name for name in OF_A_TRACE if name in ask.work.model_fields_set]
    if extra:
        problem = f"the trace says of each request when it comes and how long it is, and so does `{extra[0]}`"
        raise refused(ask, problem, f"leave out work.{extra[0]}, or work.trace", "work", extra[0])


def _check_arrivals(ask: ServeAsk) -> None:
    work, said = ask.work, ask.work.model_fields_set
    if work.users is not None and "arrivals" in said:
        problem = "users ask again when they were answered, so `arrivals` says nothing"
        raise refused(ask, problem, "leave out work.arrivals, or give work.rate instead of users", "work", "arrivals")
    if "burst" in said and (work.rate is None or work.arrivals != "bursty"):
        raise refused(ask, "`burst` belongs to bursty arrivals", "add `arrivals: bursty`", "work", "burst")
    if "think" in said and work.rate is not None and work.turns == 1:
        problem = "at a given rate nobody waits before asking again, so `think` says nothing"
        raise refused(ask, problem, "give work.users, or work.turns of a session", "work", "think")


def _check_sessions(ask: ServeAsk) -> None:
    work, said = ask.work, ask.work.model_fields_set
    if "history" in said and work.turns == 1:
        raise refused(ask, "`history` is of earlier turns, and there is one", "add `turns: 8`", "work", "history")
    windowed = work.history == "window"
    if windowed and not work.keep:
        raise refused(ask, "a window of history has no size", "add `keep: 2048` (tokens)", "work", "history")
    if "keep" in said and not windowed:
        raise refused(ask, "`keep` is the size of a window of history", "add `history: window`", "work", "keep")


# ----------------------------------------------------------------------------------- samples, documents, price


def _check_samples(ask: ServeAsk) -> None:
    """A sample has no tokens."""
    work = ask.work
    if work.generation is None:
        return
    for name in ("ttft", "tpot"):
        if getattr(work.slo, name) is not None:
            problem = f"samples of `generation` have no tokens, so no `{name}` can be promised"
            raise refused(ask, problem, "promise work.slo.latency", "work", "slo", name)
    for name in ("prompt", "output", "turns", "prefix", "speculative", "lora", "rag", "disaggregated"):
        if name in work.model_fields_set and getattr(work, name):
            problem = f"`generation` makes samples, and `{name}` is about tokens"
            raise refused(ask, problem, "keep one of them", "work", name)


def _check_documents(ask: ServeAsk) -> None:
    rag = ask.work.rag
    if rag is None:
        return
    for name in ("lists", "probes"):
        if getattr(rag, name) is not None and rag.index != "ivf":
            raise refused(ask, f"`{name}` belongs to index ivf", "add `index: ivf`", "work", "rag", name)
    if rag.lists and rag.probes and rag.probes > rag.lists:
        problem = f"{rag.probes:,} lists are read, and there are {rag.lists:,}"
        raise refused(ask, problem, "lower probes", "work", "rag", "probes")
    if "candidates" in rag.model_fields_set and rag.rerank is None:
        raise refused(ask, "`candidates` are those of a reranker", "add `rerank: MODEL`", "work", "rag", "candidates")
    if rag.rerank and rag.candidates < rag.top_k:
        problem = f"{rag.top_k} pieces are kept out of {rag.candidates}"
        raise refused(ask, problem, "raise candidates or lower top_k", "work", "rag", "top_k")


def _check_price(ask: ServeAsk) -> None:
    price = ask.work.price
    if price is None:
        return
    tokens = price.input is not None or price.output is not None
    if price.subscription is not None and tokens:
        problem = "a subscription and a price per token both say what is earned"
        raise refused(ask, problem, "keep one of them", "work", "price", "subscription")
    if price.subscription is None and not tokens:
        hint = "add `subscription: $20` (per user and month), or `output: $10` (per million tokens)"
        raise refused(ask, "the price says nothing of what is earned", hint, "work", "price")
    if price.queries is not None and price.subscription is None:
        problem = "`queries` are those of a subscriber in a day"
        raise refused(ask, problem, "add `subscription: $20`", "work", "price", "queries")


# -------------------------------------------------------------------------------------------------------- copies


def _check_copies(ask: ServeAsk) -> None:
    """The degrees of a copy fit together, and all copies fill the chips that are given."""
    _check_experts(ask, ask.layout, "layout", "ep")
    _check_experts(ask, ask.layout.prefill, "layout", "prefill", "ep")
    count, chips, copies = ask.cluster.count, ask.copy_chips, ask.layout.replicas
    if ask.layout.prefill.model_fields_set and not ask.work.disaggregated:
        hint = "add `disaggregated: true` under work, or leave out layout.prefill"
        raise refused(ask, "`prefill` is of copies that only read prompts", hint, "layout", "prefill")
    if count is None or chips is None or ask.work.disaggregated:
        return
    if chips > count or (copies is not None and chips * copies > count):
        told = f"{copies:,} copies of {chips:,} chips" if copies else f"one copy of {chips:,} chips"
        problem = f"{told} need {chips * (copies or 1):,} chips, and the cluster has {count:,}"
        raise refused(ask, problem, "raise cluster.count (or leave it out), or lower a degree", "layout")


def _check_experts(ask: ServeAsk, part: CopyAsk, *keys: str) -> None:
    """Experts live on the tp x dp ranks of a stage."""
    ranks = (part.tp or 1) * (part.dp or 1)
    if part.ep and (part.tp or part.dp) and ranks % part.ep:
        problem = f"ep {part.ep} does not divide the {ranks} ranks of a stage (tp x dp)"
        raise refused(ask, problem, "make ep a divisor of tp x dp", *keys)


def _check_autoscale(ask: ServeAsk) -> None:
    part, copies = ask.engine.autoscale, ask.layout.replicas
    if part is None:
        return
    if part.least > part.most:
        problem = f"least {part.least:,} is above most {part.most:,}"
        raise refused(ask, problem, "swap them", "engine", "autoscale", "least")
    if copies is not None and not part.least <= copies <= part.most:
        problem = f"{copies:,} copies are outside {part.least:,} to {part.most:,}, between which they come and go"
        raise refused(ask, problem, "leave out layout.replicas, or widen the bounds", "layout", "replicas")
