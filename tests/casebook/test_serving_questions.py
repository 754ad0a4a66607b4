"""Questions about serving that a case may ask: of models, of one iteration, of a serving plan."""

from __future__ import annotations

from typing import Any

import pytest

from exaplan.case.serving import Shape, iteration, serve
from exaplan.catalog import load
from exaplan.catalog.cases import Input
from exaplan.catalog.engines import fitted
from exaplan.errors import InputError, Place
from exaplan.models.count import parameters
from exaplan.nouns.serving import Formats, Replica, Settings
from exaplan.planning.casebook.asking import Desk
from exaplan.planning.casebook.looking import look
from exaplan.planning.casebook.values import Known

CATALOG = load()


def ask(kind: str, /, **given: Any) -> Known:
    return look(Input("it", None, ask=kind, given=given, place=Place("made.yaml", 7)), Desk(CATALOG), {})


# model: B per token of the cache at 16 bit in layers that see all, and in layers with a window; by hand:
# 2 B x 2 x kv heads x head size x layers (grouped), 2 B x (512 + 64) x 61 (latent), 12 and 36 of 48 layers (Scout).
CACHES = [
    ("llama-3.1-70b", 2 * 2 * 8 * 128 * 80, 0),
    ("deepseek-v3", 2 * 576 * 61, 0),
    ("llama-4-scout", 2 * 2 * 8 * 128 * 12, 2 * 2 * 8 * 128 * 36),
    ("mistral-7b", 0, 2 * 2 * 8 * 128 * 32),
    ("nemotron-nano-9b-v2", 2 * 2 * 8 * 128 * 4, 0),
]


@pytest.mark.parametrize(("name", "whole", "windowed"), CACHES)
def test_the_cache_of_a_model_is_counted(name: str, whole: int, windowed: int) -> None:
    """Bytes per token of grouped, latent, windowed and hybrid models are those that one reckons by hand."""
    assert ask("model", name=name, field="kv").value == whole
    assert ask("model", name=name, field="kv_windowed").value == windowed


def test_a_model_tells_its_dimensions_with_their_source() -> None:
    """Parameters are counted, dimensions cite the source that states them; what it has not is refused."""
    found = ask("model", name="qwen3-14b", field="parameters")
    assert found.value == parameters(CATALOG.model("qwen3-14b"))[0] and found.sources
    layers = ask("model", name="qwen3-14b", field="layers")
    assert (layers.value, layers.sources) == (40.0, ("litgpt-config",))
    with pytest.raises(InputError, match="has no figure `colour`"):
        ask("model", name="qwen3-14b", field="colour")


def test_an_iteration_is_that_of_the_step_model() -> None:
    """Time, rate and speed of a copy agree with case/serving, and lie within their range."""
    chip, engine = CATALOG.chip("h100-sxm"), fitted(CATALOG.engine("vllm-v1"), CATALOG.chip("h100-sxm"))
    settings = Settings("vllm-v1", Formats("fp8", "fp8"))
    case = serve(CATALOG.model("llama-3.1-70b"), CATALOG.assemble(chip, 4), engine, settings, Replica(tp=4))
    time = iteration(case, Shape(0.0, 0.0, 0.0, 32.0, 32.0 * 2000.0))
    given: dict[str, Any] = {
        "model": "llama-3.1-70b", "chip": "h100-sxm", "engine": "vllm-v1", "weights": "fp8", "kv": "fp8", "tp": 4,
        "seqs": 32, "context": 2000,
    }  # fmt: skip
    found = ask("step", **given, field="time")
    assert found.value == pytest.approx(time) and found.low is not None and found.high is not None
    assert found.low < found.value < found.high
    rate = ask("step", **given, field="rate")
    assert rate.value == pytest.approx(32.0 / time) and rate.low is not None and rate.low < rate.value
    assert ask("step", **given, field="speed").value == pytest.approx(1.0 / time)
    assert ask("step", **given, field="kv_tokens").value == case.kv_tokens
    assert ask("step", **given, field="weights").value == pytest.approx(case.weights)


def test_prompts_are_read_on_every_rank() -> None:
    """With attention ranks each reads a prompt; more cached tokens before it make reading slower."""
    given: dict[str, Any] = {
        "model": "deepseek-v3", "chip": "h200-sxm", "engine": "sglang", "weights": "fp8-block", "dp": 8, "ep": 8,
        "prompt": 2048, "field": "rate",
    }  # fmt: skip
    alone, behind = ask("step", **given).value, ask("step", **given, past=65536).value
    assert 1e3 < behind < alone < 1e6


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"field": "colour"}, "an iteration has no `colour`"),
        ({"field": "time", "seqs": "many"}, "`seqs` = many is no number"),
        ({"field": "time", "seqs": 0}, "does nothing"),
        ({"field": "time", "tp": -1}, "`tp` = -1 is no number"),
        ({"field": "time", "engine": "vlm"}, "unknown engine `vlm`"),
        ({"field": "time", "weights": "fp3"}, "fp3"),
    ],
)
def test_wrong_questions_about_a_step_are_refused(given: dict[str, Any], problem: str) -> None:
    """A wrong field, number, engine or format is named."""
    with pytest.raises(InputError, match=problem):
        ask("step", **{"model": "mistral-7b", "chip": "rtx-4090", **given})


def test_a_plan_is_asked_only_of_serving() -> None:
    """An ask that trains is no answer to what serving costs."""
    with pytest.raises(InputError, match="asks for no serving"):
        ask("serve", name="llama-2-70b-lora", field="cost")
