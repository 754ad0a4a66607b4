"""Answers with fixed deployments for tests of launch lines of servers, and readers that take the scripts apart."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml
from made_served import engine, plan, served

from exaplan.answers.serving import Served
from exaplan.catalog import Catalog
from exaplan.nouns.serving import (
    Autoscale,
    Deployment,
    Formats,
    Lengths,
    Replica,
    Settings,
    Speculative,
    Traffic,
)

ENGINES = {"vllm": "vllm-v1", "sglang": "sglang", "trtllm": "trtllm", "llama.cpp": "llama.cpp"}
FLAG = re.compile(r"(?<![\w-])--?[a-z][a-zA-Z0-9_-]*(?![\w-])")
FIXED = Traffic(Lengths("fixed", 1024.0), Lengths("uniform", 200.0, low=1, high=512), rate=20.0)


def made(
    catalog: Catalog,
    form: str,
    deployment: Deployment,
    chip: str = "h100-sxm",
    traffic: Traffic = FIXED,
    **changes: Any,
) -> Served:
    """The answer that has exactly this deployment on the engine of that format; its figures are made up."""
    name = ENGINES[form]
    put = replace(deployment, settings=replace(deployment.settings, engine=name))
    return served(
        catalog, plans=(plan(catalog, put, chip),), engine=engine(name=name, aliases=()), traffic=traffic, **changes
    )


def settings(**changes: Any) -> Settings:
    """fp8 weights and KV; the caps are the engine's own."""
    return replace(Settings("x", Formats("fp8", "fp8")), **changes)


#: name -> (formats that can say it, deployment, chip): the deployments whose scripts are kept as goldens.
DEPLOYMENTS: dict[str, tuple[tuple[str, ...], Deployment, str]] = {
    "two_copies": (("vllm", "sglang", "trtllm"), Deployment(Replica(tp=4), 2, settings()), "h100-sxm"),
    "one_large": (
        ("vllm", "sglang", "trtllm"),
        Deployment(Replica(tp=8, pp=2), 1, settings(formats=Formats("bf16", "bf16"), prefix_cache=False)),
        "h100-sxm",
    ),
    "experts": (
        ("vllm", "sglang", "trtllm"),
        Deployment(
            Replica(dp=16, ep=16), 1, settings(formats=Formats("fp8-block", "bf16"), speculative=Speculative(1, 0.8))
        ),
        "h200-sxm",
    ),
    "disaggregated": (
        ("vllm", "sglang", "trtllm"),
        Deployment(Replica(tp=8), 1, settings(), Replica(tp=2), 3, Autoscale(1, 2, 50.0, 60.0)),
        "h100-sxm",
    ),
    "adapters": (
        ("vllm", "sglang", "trtllm"),
        Deployment(
            Replica(), 3, settings(formats=Formats(), lora=(8, 20), offload=64e9, router="prefix", chunked=False,
                                   speculative=Speculative(3, 0.7, "ngram"))
        ),
        "h100-sxm",
    ),
    "desk": (
        ("llama.cpp",),
        Deployment(Replica(), 2, Settings("x", Formats("q4_k_m", "q8_0"), max_seqs=4, max_tokens=512)),
        "rtx-4090",
    ),
    "desk_large": (
        ("llama.cpp",),
        Deployment(
            Replica(tp=2), 1, Settings("x", Formats("q8_0", "fp16"), max_seqs=1, lora=(2, 16), offload=8e9,
                                       prefix_cache=False, speculative=Speculative(4, 0.6, "llama-3.2-1b"))
        ),
        "rtx-4090",
    ),
}  # fmt: skip


def answer(catalog: Catalog, form: str, name: str) -> Served:
    """One of ``DEPLOYMENTS`` in that format."""
    _, deployment, chip = DEPLOYMENTS[name]
    return made(catalog, form, deployment, chip)


# ------------------------------------------------------------------------------------------------- taking apart


def files_of(text: str) -> dict[str, Any]:
    """The YAML files that a script writes."""
    found = re.findall(r"cat > (\S+) <<'TRTLLM_CONFIG'\n(.*?)\nTRTLLM_CONFIG\n", text, re.S)
    return {name: yaml.safe_load(content) for name, content in found}


def code(text: str) -> str:
    """A script without its comments and without the files inside it."""
    text = re.sub(r"<<'TRTLLM_CONFIG'\n.*?\nTRTLLM_CONFIG\n", "\n", text, flags=re.S)
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _keys(tree: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _keys(value, f"{above}{key}.")
        else:
            yield above + key


def flags_of(form: str, text: str) -> set[str]:
    """Every setting that a script names: flags of commands, variables, keys of files."""
    body = code(text).replace("set -euo pipefail", "").replace(" -m sglang.launch_server", "")
    found = set(FLAG.findall(re.sub(r"'[^']*'|\"\$\{[^\"]*\"", "''", body)))
    found |= set(re.findall(r"\b(VLLM_[A-Z_]+)=", body))
    found |= {key for tree in files_of(text).values() for key in _keys(tree)}
    if form == "trtllm" and "disaggregated -c" in text:
        found.add("-c")
    return found


def started(text: str, host: int = 0) -> list[list[str]]:
    """The words of every server that bash starts on a host; the commands themselves are replaced by a printer."""
    names = ("vllm", "python", "trtllm-serve", "srun", "llama-server", "ray")
    show = 'show() { flock out.lock printf "%s\\n" "START" "${CUDA_VISIBLE_DEVICES:-all}" "$@" "END"; }'
    stubs = "\n".join(f'{name}() {{ show {name} "$@"; }}' for name in names)
    around = {"PATH": "/usr/bin:/bin", "MODEL": "a model; touch x", "HOST": str(host), "FIRST": "first", "LORA": "a,b"}
    out = subprocess.run(
        ["bash", "-c", f'cd "$(mktemp -d)"\n{show}\n{stubs}\n{text}'], env={**around, "DRAFT": "d.gguf"},
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    return [part.split("\n")[1:-1] for part in out.split("END\n") if part]


def valid(text: str) -> None:
    """Raise where the script is no bash."""
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")
