"""One deployment, as it is asked: simulated, estimated, overloaded, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exaplan.answers.serving import Served
from exaplan.errors import InputError, NoPlan
from exaplan.planning import estimate, simulate

from .made import CATALOG, asked

ONE = {"tp": 1, "replicas": 1}
LARGE = {"model": "llama-3.1-70b", "cluster": {"chip": "h100-sxm"}}


def ran(work: dict[str, Any] | None = None, **parts: Any) -> Served:
    """A simulation of an ask."""
    return simulate(asked(work, **parts), CATALOG)


def test_the_given_deployment_is_simulated() -> None:
    """One copy on one chip, as many requests as are asked; Little's law holds."""
    found = ran({"rate": "5/s", "requests": 1500}, layout=ONE)
    best = found.plans[0]
    assert found.verb == "simulate" and best.cluster.count == 1 and best.deployment.replicas == 1
    assert best.run is not None and best.run.stable and best.run.requests <= 1500
    assert best.run.little == pytest.approx(1.0, rel=0.05)
    assert best.metrics["requests"] == pytest.approx(5.0, rel=0.15)


def test_an_open_layout_is_planned_first() -> None:
    """Without a layout the deployment of the plan is run."""
    best = ran({"rate": "60/s"}).plans[0]
    assert best.missed == () and best.deployment.chips == best.cluster.count


def test_given_chips_are_all_used() -> None:
    """8 chips with copies of 2: four copies."""
    best = ran({"rate": "5/s"}, layout={"tp": 2}, cluster={"chip": "h100-sxm", "count": 8}).plans[0]
    assert best.deployment.replicas == 4 and best.cluster.count == 8


def test_overload_is_told_with_the_greatest_stable_rate() -> None:
    """500 requests/s on one chip: the queue grows, and the answer says what is stable."""
    found = ran({"rate": "500/s"}, layout=ONE)
    assert found.plans[0].run is not None and not found.plans[0].run.stable
    (told,) = [line for line in found.warnings if line.startswith("overload")]
    rate = float(told.split("up to ")[1].split(" ")[0])
    assert 5.0 < rate < 200.0


def test_a_missed_promise_is_shown_not_refused() -> None:
    """A simulation of a given deployment tells what it misses."""
    best = ran({"rate": "5/s", "slo": {"ttft": "1 ms", "percentile": 99}}, layout=ONE).plans[0]
    assert best.missed == ("ttft",)


def test_an_estimate_is_one_deployment_term_by_term() -> None:
    """The same deployment by a short run, with the terms of its typical iteration."""
    found = estimate(asked({"rate": "5/s"}, layout=ONE), CATALOG)
    best = found.plans[0]
    assert found.verb == "estimate" and best.breakdown["products"] > 0.0
    assert sum(best.breakdown.values()) < best.metrics["latency"]


def test_more_copies_are_never_worse() -> None:
    """At one rate the p99 of the latency does not grow with the copies, within the noise of a run."""
    runs = [ran({"rate": "60/s", "requests": 4000}, layout={"tp": 1, "replicas": n}).plans[0] for n in (2, 4, 8)]
    values = [item.metrics["latency_p99"] for item in runs]
    assert values[1] <= values[0] * 1.05 and values[2] <= values[1] * 1.05


def test_a_model_that_does_not_fit_the_given_layout_is_refused() -> None:
    """70B in 16 bit on one chip: two chips would do."""
    with pytest.raises(NoPlan) as caught:
        ran(layout=ONE, **LARGE)
    assert caught.value.limit == "memory" and "x h100-sxm" in caught.value.nearest


def test_nothing_to_simulate_without_requests() -> None:
    """No rate, users or trace."""
    with pytest.raises(InputError, match="how requests come"):
        ran({"rate": None}, cluster={"chip": "h100-sxm", "count": 8})


def test_the_same_seed_gives_the_same_figures() -> None:
    """Two runs of one ask are equal, another seed is another run."""
    first, again = (ran({"rate": "20/s"}, layout=ONE).plans[0].metrics for _ in range(2))
    other = ran({"rate": "20/s"}, layout=ONE, seed=7).plans[0].metrics
    assert first == again and other["ttft_p99"] != first["ttft_p99"]


def test_documents_are_stations_before_the_model() -> None:
    """The time of the search comes before the first token, and is told apart."""
    rag = {"documents": 1_000_000, "chunks": 10, "dimension": 1024, "top_k": 2}
    bare = ran({"rate": "2/s", "prompt": 1024}, layout=ONE).plans[0]
    found = ran({"rate": "2/s", "prompt": 512, "rag": rag}, layout=ONE)
    best = found.plans[0]
    assert best.metrics["ttft"] > bare.metrics["ttft"] + 0.01
    assert best.run is not None and best.run.by_stage["search"].mean > 0.01
    assert any("holds the whole index" in line for line in found.assumptions)
    assert best.memory_terms["kv"] < bare.memory_terms["kv"] - 30e9


def test_a_session_finds_its_history_in_the_cache() -> None:
    """With a prefix cache most of a later prompt is there already; without one it is read again."""
    chat = {"rate": "5/s", "turns": 6, "think": "5 s"}
    warm = ran(chat, layout=ONE).plans[0]
    cold = ran(chat, layout=ONE, engine={"prefix_cache": False}).plans[0]
    assert warm.run is not None and cold.run is not None
    assert warm.run.cached > 0.4 and cold.run.cached == 0.0
    assert warm.metrics["ttft"] < cold.metrics["ttft"]


def test_a_law_opens_the_choice_of_chips() -> None:
    """H100 may not go to China: another chip is simulated, and the answer says so first."""
    found = ran({"rate": "5/s"}, law={"to": "CN", "on": "2024-01-15"}, limits={"count": 64})
    assert found.warnings[0].startswith("NOT THE ASKED CHIP: h100-sxm")
    assert found.plans[0].cluster.chip.name != "h100-sxm"


def trace_of(folder: Path, *prompts: int) -> dict[str, Any]:
    """Work of a trace with these prompts, one a second."""
    path = folder / "made.csv"
    rows = "".join(f"{second},{prompt},10\n" for second, prompt in enumerate(prompts))
    path.write_text("timestamp,prompt,output\n" + rows)
    return {"trace": str(path), "rate": None, "prompt": None, "output": None, "slo": None}


def test_a_prompt_of_a_trace_beyond_the_context_is_refused_alone(tmp_path: Path) -> None:
    """The others run; where none is left, the context is named."""
    run = ran(trace_of(tmp_path, 100, 500_000, 100), layout=ONE).plans[0].run
    assert run is not None and run.refused == {"longer than the context": 1} and run.requests == 2
    with pytest.raises(InputError, match="every request of the trace is longer than the context"):
        ran(trace_of(tmp_path, 500_000, 600_000), layout=ONE)
