"""Serving plans: sized, priced, explained; laws that hold whatever the fits say."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from exaplan.answers.serving import Served
from exaplan.errors import InputError, NoPlan
from exaplan.planning import plan

from .made import CATALOG, asked

LARGE = {"model": "llama-3.1-70b", "cluster": {"chip": "h100-sxm"}}
SLO = {"ttft": "1 s", "percentile": 99}


@cache
def planned(rate: str = "20/s", ttft: str = "1 s", tpot: str = "", chip: str = "h100-sxm") -> Served:
    """The plan of Llama 3.1 8B at a rate and promise."""
    slo = {"ttft": ttft, "percentile": 99, **({"tpot": tpot} if tpot else {})}
    return plan(asked({"rate": rate, "slo": slo}, cluster={"chip": chip.split(",") if "," in chip else chip}), CATALOG)


def refused(work: dict[str, Any] | None = None, **parts: Any) -> NoPlan:
    """The refusal of an ask."""
    with pytest.raises(NoPlan) as caught:
        plan(asked(work, **parts), CATALOG)
    return caught.value


# ------------------------------------------------------------------------------------------------- one plan


def test_a_plan_keeps_its_promise_by_the_upper_end() -> None:
    """p99 of the first token times the upper end of its range is within a second, and the queue does not grow."""
    best = planned().plans[0]
    assert best.run is not None and best.run.stable and best.missed == ()
    assert best.ranges["ttft_p99"][1] <= 1.0 < 1.0 + best.metrics["ttft_p99"]
    assert best.metrics["requests"] == pytest.approx(20.0, rel=0.15) and best.metrics["capacity"] >= 20.0


def test_money_adds_up() -> None:
    """Tokens of a period times their price are its cost; power times the period is the energy."""
    best = planned().plans[0]
    assert best.cost is not None and best.power is not None
    written = best.metrics["throughput"] * best.time
    assert best.per_million["output"] == pytest.approx(1e6 * best.cost / written)
    assert best.per_token["cost"] == pytest.approx(best.cost / written)
    assert best.energy == pytest.approx(best.power * best.time)
    assert best.carbon == pytest.approx(best.energy * best.cluster.site.carbon)
    assert next(offer for offer in best.offers if offer.terms == best.terms).cost == pytest.approx(best.cost)
    low, high = best.ranges["cost"]
    assert low <= best.cost <= high


def test_a_plan_says_what_it_is_made_of() -> None:
    """Memory by term, the typical iteration by term, and what each was worked out from."""
    found = planned()
    best = found.plans[0]
    assert best.memory == pytest.approx(sum(best.memory_terms.values()))
    assert sum(best.breakdown.values()) > 0.0 and set(best.breakdown) <= set(found.inputs)
    assert best.deployment.settings.max_seqs and best.deployment.settings.max_tokens
    assert best.cluster.count == best.deployment.chips
    assert found.considered >= len(found.plans) and found.engine.name == "vllm-v1" and found.verb == "plan"


def test_the_front_trades_throughput_for_speed() -> None:
    """Along the marked points of a chip throughput per chip falls as speed rises."""
    marked = sorted((point for point in planned().front if point.front), key=lambda point: point.speed)
    assert len(marked) >= 2
    assert all(a.throughput >= b.throughput for a, b in pairwise(marked))


def test_relief_never_harms() -> None:
    """A looser promise, or more memory, is never dearer."""
    found = planned("60/s", "0.2 s")
    assert {item.limit for item in found.relief} >= {"ttft", "memory"}
    assert all(item.after <= item.before * (1.0 + 1e-9) for item in found.relief)


def test_of_several_chips_each_says_why_it_lost() -> None:
    """Every chip type is tried; those that are no plan say by how much they are dearer."""
    found = planned(chip="h100-sxm,a100-sxm-80gb,l40s")
    names = {item.cluster.chip.name for item in found.plans}
    assert {item.chip for item in found.tried} == {"h100-sxm", "a100-sxm-80gb", "l40s"}
    assert all(bool(item.reason) != (item.chip in names) for item in found.tried)


# ------------------------------------------------------------------------------------------------------ laws


def test_more_requests_never_need_fewer_chips() -> None:
    """Chips of the cheapest plan grow with the rate."""
    counts = [planned(rate).plans[0].cluster.count for rate in ("20/s", "60/s", "180/s")]
    assert counts == sorted(counts) and counts[0] < counts[2]


def test_a_tighter_promise_is_never_cheaper() -> None:
    """Cost grows as the promise shrinks."""
    costs = [planned("60/s", ttft).plans[0].cost or 0.0 for ttft in ("2 s", "0.2 s")]
    costs.append(planned("60/s", "0.2 s", "12 ms").plans[0].cost or 0.0)
    assert costs[0] <= costs[1] * 1.02 and costs[1] <= costs[2] * 1.02


def test_expected_values_never_cost_more_than_upper_ends() -> None:
    """hold: expected leaves more room."""
    hopeful = plan(asked({"rate": "60/s"}, limits={"hold": "expected"}), CATALOG)
    assert (hopeful.plans[0].cost or 0.0) <= (planned("60/s").plans[0].cost or 0.0) * 1.02


def test_the_fewest_chips_are_no_more_than_the_cheapest_take() -> None:
    """objective: chips."""
    few = plan(asked({"rate": "60/s"}, objective="chips"), CATALOG)
    assert few.plans[0].cluster.count <= planned("60/s").plans[0].cluster.count


def test_without_a_load_the_greatest_rate_is_found() -> None:
    """On 8 chips so many requests come as the promise leaves room for; a tighter one leaves less."""
    found = [
        plan(
            asked({"rate": None, "slo": {"ttft": ttft, "percentile": 99}}, cluster={"chip": "h100-sxm", "count": 8}),
            CATALOG,
        )
        for ttft in ("2 s", "0.2 s")
    ]
    rates = [item.plans[0].metrics["requests"] for item in found]
    assert rates[0] >= rates[1] * 0.97 > 20.0 and found[0].plans[0].cluster.count == 8


def test_users_in_a_closed_loop_are_served() -> None:
    """200 people who think 10 s ask about 20 requests/s."""
    found = plan(asked({"rate": None, "users": 200, "think": "10 s"}), CATALOG)
    assert 12.0 < found.plans[0].metrics["requests"] <= 20.5


# -------------------------------------------------------------------------------------------------- refusals


def test_an_impossible_promise_names_the_best_that_can_be_had() -> None:
    """5 ms to the first token of 70B: the best value and its deployment stand in the refusal, exit 1."""
    error = refused({"slo": {"ttft": "5 ms", "percentile": 99}}, **LARGE)
    assert error.limit == "ttft" and error.exit_code == 1
    assert "against 5 ms" in error.nearest and "h100-sxm (tp" in error.nearest


def test_a_model_that_does_not_fit_names_the_smallest_cluster() -> None:
    """405B in 16 bit has no room on 8 H100 and some on 16."""
    error = refused(model="llama-3.1-405b", cluster={"chip": "h100-sxm", "count": 8})
    assert error.limit == "memory" and "16 x h100-sxm" in error.nearest


def test_too_few_chips_say_how_many_are_needed() -> None:
    """limits.count of 8 at 200 requests/s of 70B."""
    error = refused({"rate": "200/s"}, limits={"count": 8}, **LARGE)
    assert error.limit == "count" and "against 8 chips" in error.nearest


def test_too_little_money_says_what_the_cheapest_costs() -> None:
    """100 USD a month."""
    error = refused({}, limits={"money": "$100"})
    assert error.limit == "money" and "$100" in error.nearest


def test_a_promise_missed_on_given_chips_tells_the_rate_that_keeps_it() -> None:
    """8 chips at 500 requests/s of 70B."""
    error = refused({"rate": "500/s"}, model="llama-3.1-70b", cluster={"chip": "h100-sxm", "count": 8})
    assert "it keeps the promise up to" in error.nearest


def test_a_prompt_beyond_the_context_is_refused_at_its_place() -> None:
    """200,000 tokens against 131,072."""
    with pytest.raises(InputError, match="longer than the context"):
        plan(asked({"prompt": 200_000}), CATALOG)


def test_a_layout_that_no_model_can_have_is_refused() -> None:
    """tp 3 does not divide the heads."""
    with pytest.raises(InputError, match="tp does not divide the model"):
        plan(asked(layout={"tp": 3}), CATALOG)


def test_a_format_that_the_chip_lacks_is_refused() -> None:
    """nvfp4 on H100."""
    with pytest.raises(InputError, match="fp4"):
        plan(asked({"precision": "nvfp4"}), CATALOG)


# ------------------------------------------------------------------------------------------------------- law


def test_a_law_leaves_other_chips_and_says_what_it_cost() -> None:
    """H100 may not go to China: another chip is planned with, and the answer says so first."""
    found = plan(asked(law={"to": "CN", "on": "2024-01-15"}), CATALOG)
    assert found.warnings[0].startswith("NOT THE ASKED CHIP: h100-sxm")
    assert found.plans[0].cluster.chip.name != "h100-sxm" and found.verdicts
    assert any(item.limit == "law" for item in found.relief)


def test_a_load_beyond_all_chips_names_how_many_it_takes() -> None:
    """1e9 requests/s: the count is what lacks, not the promise."""
    with pytest.raises(NoPlan, match="at the asked load") as caught:
        plan(asked({"rate": "1000000000/s"}), CATALOG)
    assert caught.value.limit == "count" and "chips would be needed" in caught.value.nearest


def test_no_cut_that_was_left_out_does_with_half_the_chips() -> None:
    """On H20 the quick look prefers small copies, which break the promise; wide ones keep it with fewer chips."""
    work = {"rate": "20/s", "prompt": 1024, "output": 256, "precision": "fp8"}
    given = {"model": "llama-3.1-70b", "cluster": {"chip": "h20"}}
    best = plan(asked(work, **given), CATALOG).plans[0].cluster.count
    wide = plan(asked(work, **given, layout={"tp": 8}), CATALOG).plans[0].cluster.count
    assert best <= wide
