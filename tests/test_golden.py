"""Golden runs on the real thing: what each command prints, held in ``tests/golden``.

After a change that is meant (a new fit, a new figure), run ``pytest tests/test_golden.py --regen`` and read the diff.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from exaplan.cli import app
from exaplan.report import schemas
from exaplan.truth import RUNS as SHIPPED
from exaplan.truth.rows import read_rows, scoring_reason

Golden = Callable[[str, str], None]
LAYOUT = ("--dp", "16", "--tp", "8", "--pp", "8", "--micro-batch", "1")
SMALL = ("--model", "llama-3.1-8b", "--chip", "h100-sxm", "--count", "64", "--tokens", "100B", "--seq-len", "8192")
SERVE = ("--model", "llama-3.1-8b", "--chip", "h100-sxm", "--rate", "20/s", "--prompt", "1024", "--output", "256")
FIXED = ("--count", "1", "--tp", "1", "--replicas", "1", "--requests", "2000")
RUNS: dict[str, tuple[str, ...]] = {
    "plan_small": ("plan", *SMALL, "--global-batch", "512", "--top", "3"),
    "plan_lora": ("plan", "llama-2-70b-lora", "--top", "2"),
    "estimate_gpt3": ("estimate", "gpt3-175b-1024-a100", *LAYOUT, "--recompute", "full"),
    "estimate_observed": ("estimate", "gpt3-175b-1024-a100", *LAYOUT, "--recompute", "full", "--step-time", "30 s"),
    "plan_law": ("plan", "llama-3.1-70b-pretrain", "--to", "CN", "--on", "2024-01-15", "--top", "2"),
    "tax": ("tax", *SMALL, "--to", "CN", "--on", "2024-01-15"),
    "plan_serving": ("plan", *SERVE, "--ttft", "1 s", "--top", "3"),
    "plan_subscription": ("plan", "chat-subscription", "--top", "2"),
    "estimate_serving": ("estimate", *SERVE, *FIXED),
    "simulate": ("simulate", *SERVE, *FIXED),
    "simulate_zh": ("simulate", *SERVE, *FIXED, "--lang", "zh"),
    "simulate_users": ("simulate", "memory-chat", "--count", "1", "--tp", "1", "--requests", "2000"),
    "simulate_overload": ("simulate", *SERVE, *FIXED, "--rate", "200/s"),
    "simulate_trace": ("simulate", "llama-3.1-8b-trace"),
    "simulate_pictures": ("simulate", "image-queue", "--requests", "2000"),
    "launch_vllm": ("plan", *SERVE, "--ttft", "1 s", "--launch", "vllm"),
    "launch_llama_cpp": ("simulate", "llama-3.1-8b-mac", "--requests", "50", "--launch", "llama.cpp"),
    "tax_serving": ("tax", "llama-3.1-70b-serve-china"),
    "engines": ("engines",),
    "show_engine": ("show", "vllm-v1"),
    "check_before": ("check", "A800", "--to", "CN", "--on", "2023-10-01"),
    "check": ("check", "A800", "--to", "CN", "--on", "2023-11-17"),
    "check_zh": ("check", "A800", "--to", "中国", "--on", "2023-11-17", "--lang", "zh"),
    "check_json": ("check", "H20", "--to", "China", "--on", "2025-05-01", "--json"),
    "timeline": ("check", "H20", "--to", "CN", "--timeline"),
    "chips_law": ("chips", "--to", "CN", "--on", "2024-01-15", "--find", "nvidia"),
    "rules": ("rules",),
    "prices": ("prices", "h800", "--on", "2024-01-15"),
    "own": ("own", "--chip", "h100", "--count", "1024", "--on", "2024-01-15"),
    "make": ("make", "dojo"),
    "cases": ("cases",),
    "cases_zh": ("cases", "--lang", "zh"),
    "chips": ("chips", "--find", "hopper"),
    "nodes": ("nodes", "--find", "h100"),
    "clusters": ("clusters",),
    "models": ("models", "--find", "deepseek"),
    "fabrics": ("fabrics", "--csv"),
    "sites": ("sites", "--json"),
    "asks": ("asks",),
    "show": ("show", "a100-sxm-80gb"),
    "schema": ("schema", "node"),
}
WRONG: dict[str, tuple[int, tuple[str, ...]]] = {
    "does_not_fit": (1, ("plan", "--model", "llama-3.1-405b", "--chip", "h100", "--count", "8")),
    "layout_does_not_fit": (1, ("estimate", *SMALL, "--dp", "64", "--tp", "1", "--pp", "1", "--zero", "0")),
    "deadline": (1, ("plan", *SMALL, "--deadline", "1 h")),
    "law": (1, ("estimate", *SMALL, "--to", "CN", "--on", "2024-01-15")),
    "place": (2, ("plan", *SMALL, "--to", "Chnia", "--on", "2024-01-15")),
    "day_without_a_place": (2, ("plan", *SMALL, "--on", "2024-01-15")),
    "unknown_rule": (2, ("check", "A800", "--to", "CN", "--without", "us-2023")),
    "unknown_chip": (2, ("plan", "--model", "llama-3.1-8b", "--chip", "h10", "--count", "8")),
    "unknown_model": (2, ("plan", "--model", "lama-3.1-8b", "--chip", "h100", "--count", "8")),
    "serve_promise": (1, ("plan", *SERVE, "--ttft", "1 ms")),
    "serve_does_not_fit": (
        1,
        ("plan", "--model", "llama-3.1-405b", "--chip", "l4", "--count", "4", "--rate", "1/s", "--ttft", "9 s"),
    ),
    "serve_no_promise": (2, ("plan", *SERVE)),
    "serve_rate": (2, ("plan", "--model", "llama-3.1-8b", "--rate", "20")),
    "serve_context": (2, ("plan", *SERVE, "--prompt", "500,000", "--ttft", "1 s")),
    "serve_engine": (2, ("plan", *SERVE, "--ttft", "1 s", "--engine", "vlm")),
    "serve_training_field": (2, ("plan", *SERVE, "--tokens", "1T")),
    "serve_launch": (2, ("plan", *SERVE, "--ttft", "1 s", "--launch", "megatron")),
    "unknown_site": (2, ("plan", *SMALL, "--site", "mars")),
    "heads": (2, ("estimate", *SMALL, "--count", "12", "--tp", "12", "--dp", "1", "--pp", "1")),
    "precision": (2, ("plan", *SMALL, "--chip", "v100-sxm-32gb", "--precision", "fp8")),
    "node_of_another_chip": (2, ("plan", *SMALL, "--node", "dgx-a100-80gb")),
}


@pytest.mark.parametrize("name", RUNS)
def test_each_command_prints_what_it_printed(name: str, golden: Golden) -> None:
    """Exit code 0 and the golden text on stdout."""
    done = CliRunner().invoke(app, list(RUNS[name]))
    assert done.exit_code == 0, done.stderr
    golden(f"{name}.txt", done.stdout)


@pytest.mark.parametrize("name", WRONG)
def test_each_refusal_says_what_it_said(name: str, golden: Golden) -> None:
    """Nothing on stdout, the golden message on stderr, and its exit code."""
    code, args = WRONG[name]
    done = CliRunner().invoke(app, list(args))
    assert (done.exit_code, done.stdout) == (code, "")
    golden(f"wrong_{name}.txt", done.stderr)


@pytest.fixture(scope="module")
def some_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six published rows as a user's file: four that are scored, one without a step time, one of an unknown chip."""
    rows = [dict(row) for row in read_rows(SHIPPED) if not scoring_reason(row)][:6]
    rows[4]["step_time_s"] = ""
    rows[5] |= {"chip": "abacus", "row_id": ""}
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if not name.startswith("_")], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_validate_scores_a_users_file(some_runs: Path, golden: Golden) -> None:
    """Each scored row with its range, every skipped row by name (or line) and reason."""
    runner = CliRunner()
    done = runner.invoke(app, ["validate", "--runs", str(some_runs), "--json"])
    assert done.exit_code == 0, done.stderr
    made = json.loads(done.stdout)
    jsonschema.validate(made, schemas.schema("validate"))
    assert len(made["rows"]) == 4 and all(row["low"] < row["predicted"] < row["high"] for row in made["rows"])
    assert len(made["skipped_rows"]) == 2 and sum(made["skipped"].values()) == 2
    assert any("line" in row["row"] for row in made["skipped_rows"])
    golden("validate.txt", runner.invoke(app, ["validate", "--runs", str(some_runs)]).stdout)


WRONG_RUNS = {"columns": b"a,b\n1,2\n", "binary": b"\x00\xff\xfe", "empty": b"", "not gzip": b"\x1f\x8bnonsense"}


@pytest.mark.parametrize("name", WRONG_RUNS)
def test_a_wrong_file_of_runs_is_refused(name: str, tmp_path: Path) -> None:
    """Missing columns and files that are no table: exit 2, the file, and a hint."""
    path = tmp_path / ("runs.csv.gz" if name == "not gzip" else "runs.csv")
    path.write_bytes(WRONG_RUNS[name])
    done = CliRunner().invoke(app, ["validate", "--runs", str(path)])
    assert done.exit_code == 2, done.output
    assert str(path) in done.stderr and "hint:" in done.stderr and "internal" not in done.stderr


def test_explain_traces_a_real_plan(tmp_path: Path, golden: Golden) -> None:
    """plan.json passes its schema, is asked again with the same answer, and one term is explained to its sources."""
    first, second = tmp_path / "plan.json", tmp_path / "again.json"
    runner = CliRunner()
    assert runner.invoke(app, ["estimate", *RUNS["estimate_gpt3"][1:], "--out", str(first)]).exit_code == 0
    assert runner.invoke(app, ["estimate", str(first), "--out", str(second)]).exit_code == 0
    made, again = json.loads(first.read_text()), json.loads(second.read_text())
    jsonschema.validate(made, schemas.schema("estimate"))
    assert made["plans"] == again["plans"] and made["provenance"]["inputs"] == again["provenance"]["inputs"]
    assert sum(made["plans"][0]["breakdown"].values()) == pytest.approx(made["plans"][0]["metrics"]["step_time"])
    assert sum(made["plans"][0]["memory_breakdown"].values()) == pytest.approx(made["plans"][0]["memory"])
    done = runner.invoke(app, ["explain", str(first), "bubble"])
    assert done.exit_code == 0
    assert "tuning." in done.stdout and "epoch-chips: " in done.stdout
    golden("explain.txt", done.stdout[: done.stdout.index("fits and settings used")])


def test_a_users_own_config_is_planned(tmp_path: Path) -> None:
    """A Hugging Face config.json beside an ask is found, read and answered; another kind is refused by its name."""
    config = {
        "model_type": "qwen3_moe", "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32,
        "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 6144, "moe_intermediate_size": 768,
        "num_experts": 128, "num_experts_per_tok": 8, "vocab_size": 151936, "max_position_embeddings": 40960,
        "decoder_sparse_step": 1, "mlp_only_layers": [], "tie_word_embeddings": False, "hidden_act": "silu",
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "ask.yaml").write_text("model: ./config.json\ncluster: {chip: h100-sxm, count: 16}\n")
    done = CliRunner().invoke(app, ["plan", str(tmp_path / "ask.yaml"), "--json", "--top", "1"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["plans"][0]["layout"]["ep"] > 1
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    done = CliRunner().invoke(app, ["plan", str(tmp_path / "ask.yaml")])
    assert done.exit_code == 2 and "unknown model_type 'bert'" in done.stderr and "qwen3_moe" in done.stderr


def test_an_own_chip_file_is_its_own_source(tmp_path: Path) -> None:
    """A chip of the asker's, in a file beside the ask, is planned with, and named as the source of its figures."""
    mine = "name: mine\narchitecture: hopper\npeak: {bf16: 500 TFLOP/s}\nmemory: 120 GiB\nbandwidth: 3 TB/s\n"
    (tmp_path / "mine.yaml").write_text(mine + "link_bandwidth: 300 GB/s\ndomain: 8\npower: 600 W\n")
    (tmp_path / "ask.yaml").write_text("model: llama-3.1-8b\ncluster: {chip: mine.yaml, count: 8}\n")
    done = CliRunner().invoke(app, ["plan", str(tmp_path / "ask.yaml"), "--json", "--top", "1"])
    assert done.exit_code == 0, done.stderr
    provenance = json.loads(done.stdout)["provenance"]
    own = [figure["source"] for figure in provenance["figures"] if figure["kind"] == "chip"]
    assert own and all(source.startswith("user:") for source in own)
    assert provenance["sources"][own[0]]["kind"] == "user"
