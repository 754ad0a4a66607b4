"""The flags of a question: the field of the ask that each sets, and what ``--help`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Flag(NamedTuple):
    """One flag of a question: the field of the ask that it sets, and what ``--help`` says."""

    keys: tuple[str, ...]
    help: str
    panel: str
    also: str = ""  # another spelling of the flag
    many: bool = False  # it may stand several times
    kind: str = ""  # training or serving, where only such an ask has the field


MODEL, WORK, CLUSTER, LAYOUT, LIMITS = "Model", "Work", "Cluster", "Layout (fixed where given)", "Limits and choice"
TRAFFIC, PROMISE, ENGINE = "Serving: traffic", "Serving: what is promised and paid", "Serving: engine"
LAW = "Law: only what may be had there (analysis, not legal advice)"


def _of_serving(help: str, panel: str, *keys: str) -> Flag:
    """A flag of a field under ``work`` that only a serving ask has."""
    return Flag(("work", *keys), help, panel, kind="serving")


def _of_engine(help: str, name: str) -> Flag:
    return Flag(("engine", name), help, ENGINE, kind="serving")


FLAGS: Mapping[str, Flag] = {
    "model": Flag(("model",), "Name of `exaplan models`, or path of a config.json or model file.", MODEL),
    "tokens": Flag(("work", "tokens"), "Tokens of the whole run, like 15T.", WORK, kind="training"),
    "steps": Flag(("work", "steps"), "Or its steps.", WORK, kind="training"),
    "seq_len": Flag(("work", "seq_len"), "Tokens in a sequence.", WORK, kind="training"),
    "global_batch": Flag(("work", "global_batch"), "Sequences in a step.", WORK, kind="training"),
    "precision": Flag(
        ("work", "precision"),
        "bf16, fp16, fp8, fp8-block, mxfp8, nvfp4, fp32, tf32; to serve also int8, int4-wo, q4_k_m, ...",
        WORK,
    ),
    "method": Flag(("work", "method"), "full or lora.", WORK, kind="training"),
    "rank": Flag(("work", "rank"), "Rank of the LoRA adapters.", WORK, kind="training"),
    "framework": Flag(("work", "framework"), "Generation of the training framework.", WORK, kind="training"),
    "attention": Flag(("work", "attention"), "fused or unfused.", WORK, kind="training"),
    "chip": Flag(("cluster", "chip"), "Names of `exaplan chips`, or files; a,b to choose from. None: all.", CLUSTER),
    "count": Flag(("cluster", "count"), "Chips in the cluster; searched if left out and limits are given.", CLUSTER),
    "node": Flag(("cluster", "node"), "Name of `exaplan nodes`, or path of a node file.", CLUSTER),
    "fabric": Flag(("cluster", "fabric"), "The network between nodes.", CLUSTER),
    "fleet": Flag(("cluster", "fleet"), "What you have, like 64xA100,8xH100; the best of them is chosen.", CLUSTER),
    "site": Flag(
        ("cluster", "site"), "Where it stands: PUE, electricity, carbon; a,b to choose from.", CLUSTER, "--place"
    ),
    "terms": Flag(("cluster", "terms"), "any (the offer of least cash), rent, buy, or own (already there).", CLUSTER),
    "dp": Flag(("layout", "dp"), "Data-parallel replicas; to serve: attention ranks inside one copy.", LAYOUT),
    "tp": Flag(("layout", "tp"), "Tensor parallelism.", LAYOUT),
    "pp": Flag(("layout", "pp"), "Pipeline stages.", LAYOUT),
    "vpp": Flag(("layout", "vpp"), "Model chunks per stage.", LAYOUT, kind="training"),
    "cp": Flag(("layout", "cp"), "Context parallelism.", LAYOUT),
    "ep": Flag(("layout", "ep"), "Expert parallelism.", LAYOUT),
    "etp": Flag(("layout", "etp"), "Tensor parallelism inside experts.", LAYOUT, kind="training"),
    "micro_batch": Flag(("layout", "micro_batch"), "Sequences in a micro-batch.", LAYOUT, kind="training"),
    "recompute": Flag(("layout", "recompute"), "none, selective, full, or module names.", LAYOUT, kind="training"),
    "zero": Flag(("layout", "zero"), "Sharding of states, 0 to 3 (3 = FSDP).", LAYOUT, kind="training"),
    "schedule": Flag(("layout", "schedule"), "1f1b, interleaved, zero-bubble or dualpipe.", LAYOUT, kind="training"),
    "budget": Flag(("limits", "money"), "Money at most, like $2M.", LIMITS),
    "power": Flag(("limits", "power"), "Power at most, like 10 MW.", LIMITS),
    "deadline": Flag(
        ("limits", "deadline"), "Time at most, like 90 d, or a day like 2027-03-01.", LIMITS, kind="training"
    ),
    "max_count": Flag(("limits", "count"), "Chips at most where counts are searched (16,384).", LIMITS),
    "hold": Flag(("limits", "hold"), "A limit holds at the upper end of the range (upper), or expected.", LIMITS),
    "start": Flag(("start",), "Day on which the run starts and whose prices count.", LIMITS),
    "objective": Flag(
        ("objective",),
        "time, cost, energy, carbon or throughput; by what is limited if left out. To serve: cost, chips, ...",
        LIMITS,
    ),
    "to": Flag(("law", "to"), "Where the chips go, like CN, China or 中国.", LAW),
    "on": Flag(("law", "on"), "Day whose rules (and, without --start, prices) count, like 2024-01-15.", LAW),
    "headquarters": Flag(("law", "headquarters"), "Of the buyer or its parent; the destination if left out.", LAW),
    "origin": Flag(("law", "origin"), "Whence the chips are shipped; the US if left out.", LAW),
    "end_user": Flag(("law", "end_user"), "Name to look up in the entity list.", LAW),
    "buyer": Flag(("law", "buyer"), "private or state-funded.", LAW),
    "letters": Flag(("law", "letters"), "Letters to single makers bind all makers, or the addressees.", LAW),
    "accept": Flag(("law", "accept"), "Verdicts that are planned with: free,notify, or with licence, unknown.", LAW),
    "without": Flag(("law", "without"), "Rules that are left out: names of `exaplan rules`, a,b.", LAW),
    "threshold": Flag(
        ("law", "thresholds"), "RULE.NAME=NUMBER instead of the encoded number; may be repeated.", LAW, many=True
    ),
    "available": Flag(("law", "count"), "The most chips that are to be had there.", LAW),
    "vat": Flag(("law", "vat"), "Value-added tax is paid, or recovered by the buyer.", LAW),
    "step_time": Flag(
        ("observed", "step_time"), "Your own measured step time; recentres the answer.", LIMITS, kind="training"
    ),
    "seed": Flag(("seed",), "Seed of the draws.", LIMITS),
    "rate": _of_serving("Requests that come, like 20/s or 1200/min.", TRAFFIC, "rate"),
    "users": _of_serving("Or so many users, each asks again after its answer.", TRAFFIC, "users"),
    "trace": _of_serving("Or a file of requests: CSV or Parquet.", TRAFFIC, "trace"),
    "think": _of_serving("Pause of a user between an answer and the next request, like 10 s.", TRAFFIC, "think"),
    "arrivals": _of_serving("poisson, bursty or uniform.", TRAFFIC, "arrivals"),
    "burst": _of_serving("Of bursty arrivals: standard deviation of the gaps over their mean.", TRAFFIC, "burst"),
    "prompt": _of_serving("Tokens of a prompt: 1024, 512-2048 or '{mean: 1024, cv: 0.8}'.", TRAFFIC, "prompt"),
    "output": _of_serving("Tokens of an answer, written like those of a prompt.", TRAFFIC, "output"),
    "turns": _of_serving("Requests of one session.", TRAFFIC, "turns"),
    "prefix": _of_serving("Tokens that all prompts share.", TRAFFIC, "prefix"),
    "history": _of_serving("What of earlier turns a prompt holds: full, window, none.", TRAFFIC, "history"),
    "requests": _of_serving("How many requests are simulated (10,000).", TRAFFIC, "requests"),
    "ttft": _of_serving("Time to the first token, at most, like '1 s'.", PROMISE, "slo", "ttft"),
    "tpot": _of_serving("Time per token after it, at most, like '50 ms'.", PROMISE, "slo", "tpot"),
    "latency": _of_serving("Time to the last token, at most, like '10 s'.", PROMISE, "slo", "latency"),
    "percentile": _of_serving("Percent of the requests that keep it (99).", PROMISE, "slo", "percentile"),
    "period": _of_serving("Time that cost, energy and carbon are of (30 d).", PROMISE, "period"),
    "subscription": _of_serving("What a user pays in a month, like $20.", PROMISE, "price", "subscription"),
    "queries": _of_serving("Queries of a user in a day.", PROMISE, "price", "queries"),
    "engine": _of_engine("Name of `exaplan engines`, like vllm, sglang, trtllm.", "name"),
    "kv": _of_serving("Number format of the KV cache: bf16, fp8, int8, nvfp4, q8_0.", ENGINE, "kv"),
    "max_seqs": _of_engine("Sequences in an iteration.", "max_seqs"),
    "max_tokens": _of_engine("Tokens in an iteration.", "max_tokens"),
    "memory_share": Flag(
        ("engine", "memory_share"), "Share of the chip's memory that it may take.", ENGINE, kind="serving"
    ),
    "router": _of_engine("Between copies: round-robin, least-loaded, prefix.", "router"),
    "replicas": Flag(("layout", "replicas"), "Copies of the model.", LAYOUT, kind="serving"),
    "disaggregated": _of_serving("true: prompts are read by copies of their own.", ENGINE, "disaggregated"),
    "documents": _of_serving("Documents that are searched for each request.", TRAFFIC, "rag", "documents"),
    "draft": _of_serving("Tokens drafted per step (speculative decoding).", ENGINE, "speculative", "length"),
    "acceptance": _of_serving("Chance that a drafted token is kept.", ENGINE, "speculative", "acceptance"),
}


def flags_of(kind: str) -> dict[str, Flag]:
    """The flags of an ask of one kind, serving or training."""
    return {name: flag for name, flag in FLAGS.items() if flag.kind in ("", kind)}
