"""Power of a replica: what its iterations are spent in, and what its chips draw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exaplan.case.serving import ServeCase, Shape, iteration, serve
from exaplan.case.serving_power import chip_power, lagging_share, scaled, spent, steady, work
from exaplan.catalog import Catalog, load, serving_power
from exaplan.catalog.engines import fitted
from exaplan.nouns.serving import Formats, Replica, Settings


@pytest.fixture(scope="module")
def shelf() -> Catalog:
    return load()


def made(shelf: Catalog, model: str, replica: Replica, weights: str = "bf16") -> ServeCase:
    """A replica on H100 under vLLM."""
    chip = shelf.chip("h100-sxm")
    cluster = shelf.assemble(chip, replica.chips, shelf.default_node(chip))
    settings = Settings("vllm-v1", Formats(weights))
    return serve(shelf.model(model), cluster, fitted(shelf.engine("vllm-v1"), chip), settings, replica)


@pytest.fixture(scope="module")
def dense(shelf: Catalog) -> ServeCase:
    return made(shelf, "llama-3.1-8b", Replica())


def test_an_iteration_is_spent_whole(dense: ServeCase) -> None:
    """Its total is the time of the iteration; waiting and traffic are parts of it; bytes and FLOPs take no longer."""
    shape = Shape(512.0, 0.0, 1.0, 16.0, 16e3)
    found = spent(dense, shape)
    assert found.total == pytest.approx(iteration(dense, shape))
    assert found.waiting >= 0.0 and found.traffic == 0.0 and found.experts == 0.0
    assert found.waiting + found.traffic < found.total and max(found.compute, found.memory) < found.total


def test_decoding_reads_weights_and_cache(dense: ServeCase) -> None:
    """Bytes over bandwidth: 16 GB of weights (the embedding is not read whole) and 131,072 B a token of cache."""
    bandwidth = dense.cluster.chip.bandwidth
    one = work(dense, Shape(0.0, 0.0, 0.0, 1.0, 1e3))[1] * bandwidth
    more = work(dense, Shape(0.0, 0.0, 0.0, 1.0, 101e3))[1] * bandwidth
    assert one == pytest.approx(15e9, rel=0.03) and more - one == pytest.approx(1e5 * 131072, rel=0.01)


def test_prompts_compute(dense: ServeCase) -> None:
    """A prompt of 1,000 tokens takes about 2 x 8e9 x 1,000 FLOPs."""
    peak = dense.cluster.chip.peak["bf16"]
    flops = work(dense, Shape(1000.0, 0.0, 1.0, 0.0, 0.0))[0] * peak
    assert flops == pytest.approx(2.0 * 7.0e9 * 1000, rel=0.1)


def test_spread_experts_make_chips_wait(shelf: Catalog) -> None:
    """Experts over eight chips: exposed traffic and a lag; below 16 bit they are told apart."""
    case = made(shelf, "qwen3-235b-a22b", Replica(tp=8, ep=8), "fp8-block")
    shape = Shape(0.0, 0.0, 0.0, 8.0, 8e3)
    found = spent(case, shape)
    assert 0.0 < lagging_share(case, 8.0) < 1.0 and found.traffic > 0.0
    assert scaled(case) and found.low == found.experts > 0.0
    assert not scaled(made(shelf, "qwen3-235b-a22b", Replica(tp=8, ep=8)))


def test_more_answers_bring_more_prompts(dense: ServeCase) -> None:
    """In steady state the mean iteration takes longer with longer prompts, and less so with longer answers."""
    short, long = (steady(dense, 32.0, prompt, 256.0).total for prompt in (128.0, 2048.0))
    assert long > short
    rare, often = (steady(dense, 32.0, 2048.0, output).compute for output in (2048.0, 64.0))
    assert often > rare


def test_a_steady_state_is_an_average(dense: ServeCase) -> None:
    """Fewer than one prompt an iteration: the mean of iterations with one and without, by their shares."""
    found = steady(dense, 8.0, 512.0, 80.0)
    held = Shape(0.0, 0.0, 0.0, 8.0, 8.0 * (512.0 + 40.0))
    one = held._replace(prefill_tokens=512.0, chunks=1.0)
    assert found.total == pytest.approx(0.9 * iteration(dense, held) + 0.1 * iteration(dense, one))


def test_power_follows_use(dense: ServeCase) -> None:
    """Between waiting and the TDP, more the more of the time it works; unknown where the TDP is."""
    run = steady(dense, 64.0, 512.0, 256.0)
    low, middle, high = (chip_power(dense, run, used) for used in (0.0, 0.5, 1.0))
    assert low is not None and middle is not None and high is not None
    assert low == pytest.approx(700.0 * serving_power.coefficients().waiting)
    assert low < middle < high <= 700.0 and middle == pytest.approx((low + high) / 2.0)
    nameless = replace(dense, cluster=replace(dense.cluster, chip=replace(dense.cluster.chip, power=None)))
    assert chip_power(nameless, run) is None


def test_a_measured_architecture_has_its_own_share() -> None:
    """Running kernels of Blackwell; any other chip is taken as Hopper."""
    plain = serving_power.coefficients()
    other = serving_power.coefficients(architecture="blackwell")
    assert serving_power.coefficients(architecture="cdna3") == plain != other
    assert other._replace(busy=plain.busy) == plain


def test_the_band_of_a_prediction() -> None:
    """Below and above 1; a chip that was not measured takes that of all."""
    low, high = serving_power.band()
    assert 0.6 < low < 1.0 < high < 1.6
    assert serving_power.band("no such chip") == (low, high) != serving_power.band("H100")
