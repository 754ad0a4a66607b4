"""Rows of published serving runs as questions: parsing, launch settings, layouts, and what is skipped."""

from __future__ import annotations

import pytest

from exaplan.nouns.serving import Replica
from exaplan.truth.reading import Skip
from exaplan.truth.serving import published, silicon
from exaplan.truth.serving.names import launch, tokens_of
from exaplan.truth.serving.questions import Protocol
from exaplan.truth.serving.running import held_back

SILICON = {
    "source": "made up",
    "model": "openai/gpt-oss-120b",
    "system": "h200_sxm",
    "backend": "vllm",
    "backend_version": "0.18.0",
    "precision": "fp4",
    "mode": "agg",
    "tp": "2",
    "dp": "1",
    "moe_tp": "2",
    "moe_ep": "1",
    "isl": "1024",
    "osl": "1024",
    "concurrency": "16",
    "ttft_mean_ms": "100",
    "tpot_mean_ms": "10",
    "extra": "",
    "qa": "",
}
EXTRA = (
    '{"prefill_num_workers": 2, "prefill_tp_size": 4, "prefill_pp_size": 1, "prefill_attention_dp_size": 1, '
    '"prefill_moe_ep_size": 4, "decode_num_workers": 3, "decode_batch_size": 8, "decode_tp_size": 8, '
    '"decode_pp_size": 1, "decode_attention_dp_size": 1, "decode_moe_ep_size": 8}'
)
PUBLISHED = {
    "row_id": "S-1",
    "model": "llama3-8b",
    "precision": "fp8",
    "chip": "H200",
    "n_chips": "1",
    "tp": "1",
    "pp": "1",
    "framework": "TensorRT-LLM 0.17",
    "scenario": "offline max throughput (infinite rate)",
    "isl": "128",
    "osl": "128",
    "output_tok_s": "29526",
    "confidence": "read",
    "source": "made up",
    "notes": "",
    "qa": "",
}


def silicon_question(**cells: str) -> silicon.Question:
    return silicon.question({**SILICON, **cells}, "silicon-0000")


def published_question(**cells: str) -> published.Question:
    return published.question({**PUBLISHED, **cells}, "S-1")


def test_silicon_row_is_read_in_si_with_its_protocol() -> None:
    """A row of silicon becomes a closed loop of ten times its users, in seconds, by catalogue names."""
    found = silicon_question()
    assert dict(found.measured) == pytest.approx({"ttft": 0.1, "tpot": 0.01})
    assert (found.model, found.chip, found.engine) == ("gpt-oss-120b", "h200-sxm", "vllm-v1")
    assert found.protocol == Protocol("closed", 1024.0, 1024.0, 0.8, 16, 160)


def test_launch_settings_of_the_sweep_replace_defaults() -> None:
    """InferenceX starts vLLM on Hopper with as many sequences as users and 8,192 tokens an iteration."""
    settings = silicon_question().settings
    assert (settings.max_seqs, settings.max_tokens, settings.formats.kv) == (16, 8192, "bf16")


def test_first_matching_launch_entry_counts() -> None:
    """TensorRT-LLM on H200 waits for prompts at 1024 x 1024 below eight chips only."""
    start = "silicon trtllm - llama-3.1-70b h200-sxm 1024x1024 c4 fp8"
    assert launch(f"{start} tp4")["wait"] == 20
    assert "wait" not in launch(f"{start} tp8")
    assert launch("silicon nothing known") == {}


@pytest.mark.parametrize(
    ("value", "tokens"), [(None, None), (8192, 8192), ({"isl": 2}, 200), ({"osl": 1, "plus": 5}, 55)]
)
def test_token_budgets_are_numbers_or_sums(value: object, tokens: int | None) -> None:
    """A launch script's token budget may depend on the lengths of the sweep."""
    assert tokens_of(value, 100.0, 50.0) == tokens


def test_ranks_of_attention_follow_from_the_experts_layout() -> None:
    """Where dp is blank, the ranks that the experts have and tp has not are data-parallel attention."""
    assert silicon.replica_of({**SILICON, "tp": "1", "dp": "", "moe_tp": "4"}) == Replica(tp=1, dp=4, ep=1)
    assert silicon.replica_of({**SILICON, "tp": "4", "dp": "", "moe_tp": "1", "moe_ep": "4"}) == Replica(
        tp=4, dp=1, ep=4
    )


def test_disaggregated_row_takes_the_layouts_of_its_workers() -> None:
    """A disaggregated row has readers and writers of their own, and measured quantities of their own names."""
    found = silicon_question(mode="disagg", extra=EXTRA, concurrency="24")
    assert (found.replicas, found.prefill_replicas, found.chips) == (3, 2, 32)
    assert found.prefill == Replica(tp=4, ep=4)
    assert set(found.measured) == {"ttft_disagg", "tpot_disagg"}
    assert silicon_question(mode="disagg", extra=EXTRA, concurrency="").protocol.concurrency == 24


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"model": "nobody/knows"}, "no model"),
        ({"system": "abacus"}, "no chip"),
        ({"concurrency": "0"}, "concurrency"),
        ({"tpot_mean_ms": "0"}, "above 0"),
        ({"precision": "fp3"}, "precision"),
        ({"mode": "disagg", "extra": "{}"}, "workers"),
        ({"isl": "-4"}, "isl"),
    ],
)
def test_silicon_row_that_cannot_be_asked_says_why(cells: dict[str, str], said: str) -> None:
    """A row without a known name, number or layout is skipped with its reason."""
    with pytest.raises(Skip, match=said):
        silicon_question(**cells)


@pytest.mark.parametrize(
    ("cells", "said"),
    [({}, ""), ({"qa": "fixed: layout"}, ""), ({"qa": "leak: twin"}, "qa"), ({"mode": "prefill-only"}, "mode"),
     ({"ttft_mean_ms": ""}, "no TTFT")],
)  # fmt: skip
def test_which_silicon_rows_count(cells: dict[str, str], said: str) -> None:
    """Clean and fixed rows of both modes count; others do not."""
    assert said in silicon.reason({**SILICON, **cells})
    assert bool(silicon.reason({**SILICON, **cells})) == bool(said)


def test_throughput_table_is_an_offline_run() -> None:
    """A row of TensorRT-LLM's tables has all its 30,000 requests at once."""
    found = published_question()
    assert (found.protocol.kind, found.protocol.requests, found.usage) == ("offline", 30000, "offline")
    assert dict(found.measured) == {"throughput": 29526.0}


def test_experts_of_the_tables_of_1_0_run_with_data_parallel_attention() -> None:
    """From 1.0 on the tables' tp of a model with experts counts attention ranks."""
    row = {"model": "qwen3-235b-a22b", "framework": "TensorRT-LLM 1.0 (PyTorch backend)", "n_chips": "8", "tp": "8"}
    found = published_question(**row, params_total="235e9", params_active="22e9")
    assert found.replica == Replica(tp=1, dp=8, ep=8)
    assert published_question(**row, params_total="235e9", params_active="235e9").replica == Replica(tp=8)


def test_mlperf_rows_take_data_set_and_limits() -> None:
    """A server row of MLPerf is asked for the highest rate within the benchmark's limits, its layout is chosen."""
    found = published_question(
        model="llama2-70b", scenario="MLPerf Server", framework="TensorRT 10.2.0", isl="", osl="294"
    )
    assert found.protocol.kind == "server"
    assert found.protocol.limits == (2.0, 0.2)
    assert found.replica is None


def test_token_rate_in_the_column_of_requests() -> None:
    """Llama 3.1 8B Interactive carries tokens/s in the column of requests; other rows times the output length."""
    cells = {"model": "llama3-8b", "framework": "TensorRT 10.8", "output_tok_s": "", "requests_s": "100", "osl": "73"}
    assert published_question(scenario="MLPerf Interactive", **cells).measured["throughput"] == 100.0
    assert published_question(scenario="MLPerf Offline", **cells).measured["throughput"] == 7300.0


def test_llama_bench_reads_and_writes_alone() -> None:
    """pp measures prompt tokens/s, tg output tokens/s, both of one sequence."""
    cells = {"precision": "Q4_K_M", "framework": "llama.cpp (May 2024)", "prefill_tok_s": "3000"}
    read = published_question(scenario="llama-bench pp", isl="512", osl="0", **cells)
    write = published_question(scenario="llama-bench tg (batch 1)", isl="0", osl="512", **cells)
    assert (read.protocol.kind, dict(read.measured)) == ("first", {"prefill": 3000.0})
    assert (write.protocol.kind, dict(write.measured)) == ("decode", {"throughput": 29526.0})


@pytest.mark.parametrize(("cells", "said"), [({"confidence": "memory"}, "recalled"), ({"qa": "warn: power"}, "qa")])
def test_which_published_rows_count(cells: dict[str, str], said: str) -> None:
    """Recalled rows and rows with a warning are left out."""
    assert said in published.reason({**PUBLISHED, **cells})
    assert published.reason(PUBLISHED) == ""


def test_unknown_task_and_data_set_are_skipped() -> None:
    """A chat task without known prompts and a benchmark without a data set are not guessed."""
    with pytest.raises(Skip, match="task"):
        published_question(scenario="steady-state chess", framework="vLLM", batch="4")
    with pytest.raises(Skip, match="data set"):
        published_question(scenario="MLPerf Offline", model="mistral-7b")


def test_waiting_for_requests_is_half_the_interval() -> None:
    """A server that looks every 30 iterations adds 15 to nine of ten requests; one that never waits adds none."""
    loop = Protocol("closed", 1024.0, 1024.0, 0.8, 10, 100)
    assert held_back(loop, 10.0, 0.01) == 0.0
    polled = Protocol("closed", 1024.0, 1024.0, 0.8, 10, 100, poll=30.0)
    assert held_back(polled, 10.0, 0.01) == pytest.approx(0.9 * 15 * 0.01)
    waited = Protocol("closed", 1024.0, 1e9, 0.8, 10, 100, wait=20.0)
    assert held_back(waited, 10.0, 0.01) == pytest.approx(0.9 * 20 * 0.01, rel=1e-3)
