"""Names of published serving rows: all of them lead into the catalogue."""

from __future__ import annotations

import pytest

from exaplan.catalog import load, serving_names
from exaplan.catalog.tuning import yaml_data
from exaplan.errors import InputError

CATALOG = load()
NAMES = yaml_data("serving_names.yaml")
FORMATS = yaml_data("formats.yaml")


def test_every_name_leads_to_an_entry() -> None:
    """Models, chips, nodes and engines on the right-hand side are names of the catalogue, not aliases."""
    assert all(name in CATALOG.models.entries for name in NAMES["models"].values())
    assert all(name in CATALOG.chips.entries for name in NAMES["chips"].values())
    assert all(entry["name"] in CATALOG.chips.entries for entry in NAMES["refined"])
    assert all(entry["engine"] in CATALOG.engines.entries for entry in NAMES["engines"])
    for published, node in NAMES["nodes"].items():
        assert CATALOG.nodes[node].chip == serving_names.chip(published)


def test_every_format_is_one_that_steps_know() -> None:
    """Formats are keys of data/formats.yaml, and what a row does not state has a source."""
    for entry in NAMES["formats"]:
        assert entry["weights"] in FORMATS["weights"] and entry["kv"] in FORMATS["kv"]
        assert "source" not in entry or CATALOG.source(entry["source"]).title
    assert all("source" in entry for entry in NAMES["formats"] if "framework" in entry or "chip" in entry)


@pytest.mark.parametrize(
    ("framework", "model", "engine", "release"),
    [
        ("vllm 0.19.0", "MiniMaxAI/MiniMax-M2.5", "vllm-v1", "0.19.0"),
        ("vLLM 0.6.5.dev964+mlperf50, Pytorch 2.7.0a0", "mixtral-8x7b", "vllm-v0", "0.6.5"),
        ("vLLM (ML.ENERGY benchmark)", "Qwen3-8B", "vllm-v1", ""),
        ("sglang 0.5.6.post2", "", "sglang", "0.5.6.post2"),
        ("sglang nightly-dev-20260402-d7256eb6", "", "sglang", "nightly"),
        ("trtllm 1.0.0rc3", "Qwen/Qwen3-32B", "trtllm", "1.0.0rc3"),
        ("TensorRT-LLM 1.0 (PyTorch backend)", "llama3-8b", "trtllm", "1.0"),
        ("TensorRT-LLM 0.17", "llama3-8b", "trtllm-cpp", "0.17"),
        ("TensorRT 10.11, CUDA 12.9", "llama2-70b", "trtllm-cpp", "0.18.0"),
        ("TensorRT 10.11, CUDA 12.9", "deepseek-v3", "trtllm", "1.0.0"),
        ("TensorRT 10.2.0, CUDA 12.4", "llama2-70b", "trtllm-cpp", "0.11.0"),
        ("llama.cpp (May 2024)", "llama3-8b", "llama.cpp", "b3000"),
        ("SAX", "gptj-6b", "pooled", ""),
    ],
)
def test_software_is_recognised(framework: str, model: str, engine: str, release: str) -> None:
    """A framework's text gives the engine and the release that it names."""
    assert serving_names.engine(framework, model) == (engine, release)


@pytest.mark.parametrize(
    ("precision", "framework", "model", "chip", "weights", "kv"),
    [
        ("fp4", "vllm 0.15.1", "openai/gpt-oss-120b", "b200", "mxfp4", "fp8"),
        ("fp4", "vllm 0.18.0", "openai/gpt-oss-120b", "h100-sxm", "mxfp4", "bf16"),
        ("fp4", "TensorRT-LLM 1.0 (PyTorch backend)", "llama3-405b", "gb200", "nvfp4", "fp8"),
        ("fp8", "TensorRT-LLM 0.17", "llama3-70b", "h100-sxm", "fp8", "fp8"),
        ("fp8", "sglang 0.5.9", "deepseek-ai/DeepSeek-R1", "h200-sxm", "fp8-block", "bf16"),
        ("Q4_K_M", "llama.cpp (May 2024)", "llama3-8b", "rtx-3090", "q4_k_m", "fp16"),
        ("", "TensorRT 9.3.0, CUDA 12.2", "llama2-70b", "h100-sxm", "fp8", "fp8"),
        ("UNSET", "vLLM v0.9.2", "llama2-70b", "h200-sxm", "bf16", "bf16"),
    ],
)
def test_number_formats_are_recognised(
    precision: str, framework: str, model: str, chip: str, weights: str, kv: str
) -> None:
    """Precision, framework, model and chip of a row give how weights and KV cache were stored."""
    made = serving_names.formats(precision, framework, model, chip)
    assert (made.weights, made.kv) == (weights, kv)


def test_what_is_unknown_is_said() -> None:
    """Unknown names are empty, an unknown precision is an error; notes refine a chip."""
    assert serving_names.model("gpt-9") == "" == serving_names.chip("abacus") == serving_names.node("H100")
    assert serving_names.chip("GH200", "NVIDIA GH200 144GB HBM3e") == "gh200-144gb"
    assert serving_names.chip("GH200") == "gh200"
    with pytest.raises(InputError, match="`fp3` is no precision"):
        serving_names.formats("fp3")
