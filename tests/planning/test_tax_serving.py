"""The AI tax of a service: the same traffic and promise on both sides."""

from __future__ import annotations

from functools import cache

import pytest

from exaplan.answers.serving import ServePlan
from exaplan.answers.tax import Tax
from exaplan.ask import ServeAsk, parse
from exaplan.catalog import load
from exaplan.errors import InputError, NoPlan
from exaplan.planning.taxing import tax

CATALOG = load()
WORK = {"kind": "serving", "rate": "20/s", "prompt": 512, "output": 64, "slo": {"ttft": "1 s", "percentile": 99}}


def asked(**parts: object) -> ServeAsk:
    """Llama 3.1 8B at 20 requests/s, to China in January 2024."""
    law = {"to": "CN", "on": "2024-01-15"}
    made = parse({"model": "llama-3.1-8b", "work": WORK, "cluster": {"chip": "h100-sxm"}, "law": law, **parts})
    assert isinstance(made, ServeAsk)
    return made


@cache
def china() -> Tax:
    """The tax of the ask, with a layout and a budget."""
    return tax(asked(layout={"tp": 1}, limits={"money": "$1M"}), CATALOG)


def test_the_parts_add_up_to_the_tax() -> None:
    """Capability, price, duties and quantity."""
    for side in china().sides.values():
        if side.tax is not None:
            assert sum(part or 0.0 for part in side.parts.values()) == pytest.approx(side.tax)


def test_both_sides_keep_the_same_promise() -> None:
    """Two serving plans of the same rate and period; only usable chips are on the local one."""
    side = china().sides[china().headline]
    assert isinstance(side.reference, ServePlan) and isinstance(side.local, ServePlan)
    assert side.reference.time == side.local.time == china().provenance["period"]
    assert side.reference.missed == side.local.missed == () and side.time_ratio is None
    for plan in (side.reference, side.local):
        assert plan.metrics["requests"] == pytest.approx(20.0, rel=0.15) and plan.metrics["ttft_p99"] <= 1.0


def test_the_tax_is_the_ratio_of_both_costs() -> None:
    """local / reference - 1, within its range."""
    side = china().sides[china().headline]
    assert side.reference and side.local and side.reference.cost and side.local.cost and side.tax is not None
    assert side.tax == pytest.approx(side.local.cost / side.reference.cost - 1.0)
    assert side.low is not None and side.high is not None and side.low <= side.tax <= side.high


def test_a_domestic_chip_has_its_break_even() -> None:
    """A price or a speed at which it costs what the reference costs."""
    found = {item.chip: item for item in china().break_even}
    chip = found["ascend-910b"]
    assert chip.now is not None and chip.throughput is not None
    assert ((chip.price or 0.0) < chip.now) == (chip.throughput > 1.0)


def test_without_a_destination_nothing_is_taxed() -> None:
    """--to is wanted."""
    with pytest.raises(InputError, match="destination"):
        tax(asked(law={}), CATALOG)


def test_without_a_load_nothing_is_taxed() -> None:
    """A rate, users or a trace is wanted."""
    work = {name: value for name, value in WORK.items() if name != "rate"}
    with pytest.raises(InputError, match="amount is not given"):
        tax(asked(work=work, cluster={"chip": "h100-sxm", "count": 8}), CATALOG)


@pytest.mark.slow
def test_a_promise_that_no_chip_keeps_has_no_tax() -> None:
    """1 ms to the first token: each side says why."""
    with pytest.raises(NoPlan) as caught:
        tax(asked(work={**WORK, "slo": {"ttft": "1 us"}}), CATALOG)
    assert caught.value.limit == "promise" or "no chip" in caught.value.problem


def test_what_was_given_is_left_open_and_told() -> None:
    """A layout and a budget."""
    assert any("layout that was given is left open" in line for line in china().assumptions)
    assert any("budget is left out" in line for line in china().assumptions)
