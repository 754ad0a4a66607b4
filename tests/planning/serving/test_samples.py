"""A queue of images: M/D/c on copies that take a given time."""

from __future__ import annotations

import pytest

from exaplan.ask import ServeAsk
from exaplan.errors import NoPlan
from exaplan.planning import plan, simulate

from .made import CATALOG, asked


def queue(**changes: object) -> ServeAsk:
    """2 images/s of 3 s each, within 10 s at p99."""
    work: dict[str, object] = {
        "rate": "2/s",
        "prompt": None,
        "output": None,
        "slo": {"latency": "10 s", "percentile": 99},
    }
    work |= {"generation": {"time": "3 s"}, "requests": 20_000, **changes}
    return asked(work, model="flux-1-dev")


def test_an_unknown_model_is_only_a_label() -> None:
    """The catalogue need not know what makes the samples."""
    found = plan(queue(), CATALOG)
    assert found.model.name == "flux-1-dev" and found.plans[0].missed == ()


def test_the_fewest_copies_are_more_than_the_work() -> None:
    """2 x 3 s = 6 copies would never catch up; the plan has a few more and keeps the promise."""
    best = plan(queue(), CATALOG).plans[0]
    assert 7 <= best.deployment.replicas <= 9 and best.metrics["latency_p99"] <= 10.0
    assert best.metrics["capacity"] == pytest.approx(best.deployment.replicas / 3.0)


def test_one_copy_waits_as_pollaczek_and_khinchine_say() -> None:
    """M/D/1 at half load: W = S rho / (2 (1 - rho)) = S / 2."""
    work = {"rate": "0.16666666666666666/s", "prompt": None, "output": None, "requests": 50_000, "slo": None}
    ask = asked({**work, "generation": {"time": "3 s"}}, model="flux-1-dev", layout={"replicas": 1})
    found = simulate(ask, CATALOG)
    assert found.plans[0].metrics["latency"] == pytest.approx(4.5, rel=0.04) and found.verb == "simulate"


def test_a_sample_that_takes_too_long_is_refused() -> None:
    """12 s against a promise of 10 s."""
    with pytest.raises(NoPlan) as caught:
        plan(queue(generation={"time": "12 s"}), CATALOG)
    assert caught.value.limit == "latency" and "12 s" in caught.value.nearest


def test_overload_of_given_copies_is_told() -> None:
    """3 copies answer 1 sample/s, and 2 come."""
    work = {"rate": "2/s", "prompt": None, "output": None, "generation": {"time": "3 s"}, "slo": None}
    found = simulate(asked(work, model="flux-1-dev", layout={"replicas": 3}), CATALOG)
    assert "up to 1 requests/s are stable" in found.warnings[0]


def test_samples_cost_and_take_energy() -> None:
    """Copies are paid for the period; each sample has its share."""
    best = plan(queue(), CATALOG).plans[0]
    assert best.cost and best.energy and best.per_token["cost"] == pytest.approx(best.cost / (2.0 * best.time), rel=0.1)
