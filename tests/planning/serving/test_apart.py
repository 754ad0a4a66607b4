"""Prompts and answers on copies of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exaplan.planning import plan, simulate
from exaplan.planning.serving.apart import deployments, prompt_time, readers_for
from exaplan.planning.serving.copies import DECODE, PREFILL
from exaplan.planning.serving.doubt import margin_of
from exaplan.planning.serving.kinds import kinds
from exaplan.planning.serving.question import question_of
from exaplan.planning.serving.setups import Setup
from exaplan.planning.serving.sizing import Sizer
from exaplan.planning.serving.solving import Desk
from exaplan.planning.serving.wiring import transfer_of

from .made import CATALOG, asked

APART = {"disaggregated": True, "rate": "60/s", "slo": {"ttft": "1 s", "tpot": "30 ms", "percentile": 99}}


def desk() -> Desk:
    """The desk of an ask with prompts apart."""
    return Desk(question_of(asked(APART), CATALOG))


def test_readers_keep_their_wait_within_the_promise() -> None:
    """M/D/1: at the busy share that is allowed, prompt and mean wait fit into the promise."""
    made = desk()
    reader = made.shop.copies(kinds(made.asked).tried[0], PREFILL)[0]
    each = prompt_time(reader)
    for ttft in (1.2 * each, 2.0 * each):
        rate = 1000.0
        busy = rate * each / readers_for(rate, reader, ttft)
        assert each + 0.5 * each * busy / (1.0 - busy) <= ttft * (1.0 + 1e-9)
    assert readers_for(0.001, reader, None) == 1


def test_the_cache_goes_over_at_the_rate_of_the_link() -> None:
    """Inside a node at the link of each chip, beyond it at the network."""
    made = desk()
    kind = kinds(made.asked).tried[0]
    reader = next(copy for copy in made.shop.copies(kind, PREFILL) if copy.chips == 1)
    writer = next(copy for copy in made.shop.copies(kind, DECODE) if copy.chips == 1)
    token = 32 * 2 * 8 * 128 * 2  # layers, K and V, heads, width, B: Llama 3.1 8B in 16 bit
    near, far = Setup(writer, 1, reader, 1), Setup(writer, 16, reader, 4)
    assert transfer_of(near).rate == pytest.approx(kind.cluster.node.link_bandwidth / token)
    assert transfer_of(far).rate == pytest.approx(kind.cluster.node.network / token)


def test_a_plan_with_prompts_apart_keeps_its_promise() -> None:
    """Both pools are sized; the chips of both are paid."""
    best = plan(asked(APART), CATALOG).plans[0]
    made = best.deployment
    assert made.prefill is not None and made.prefill_replicas >= 1 and made.replicas >= 1
    assert best.cluster.count == made.chips and best.missed == ()


def test_given_pools_are_simulated_as_they_are() -> None:
    """One reader and two writers."""
    layout = {"tp": 1, "replicas": 2, "prefill": {"tp": 1, "replicas": 1}}
    best = simulate(asked({**APART, "rate": "10/s"}, layout=layout), CATALOG).plans[0]
    assert best.deployment.prefill_replicas == 1 and best.deployment.replicas == 2 and best.cluster.count == 3


def test_no_copy_is_bought_that_the_promise_does_without() -> None:
    """One writer or one reader less than planned breaks the promise; writers are not charged for prompts."""
    made = desk()
    kind = kinds(made.asked).tried[0]
    assert all(copy.demand.read == 0.0 for copy in made.shop.copies(kind, DECODE))
    sizer = Sizer(made.bench, made.asked.promise)
    held = next(iter(deployments(made.shop, sizer, kind)))
    margin = margin_of(held.setup.copy, made.asked.upper)
    assert held.holds
    for role in ("replicas", "prefill_replicas"):
        less = int(getattr(held.setup, role)) - 1
        assert less == 0 or not sizer.tested(replace(held.setup, **{role: less}), margin).holds
