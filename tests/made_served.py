"""Hand-made answers of the serving verbs for tests of what is shown: every field has a value, figures are made up."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from exaplan.answers import Offer, Relief, Tried
from exaplan.answers.serving import Quantiles, Served, ServePlan, ServePoint, Simulated
from exaplan.catalog import Catalog
from exaplan.models.spec import Spec
from exaplan.models.transformer import build
from exaplan.nouns import Cluster, Figure
from exaplan.nouns.serving import (
    Autoscale,
    Deployment,
    Engine,
    Formats,
    Lengths,
    Promise,
    Replica,
    Settings,
    Speculative,
    Traffic,
)

SMALL = Spec(name="small", layers=4, hidden=512, heads=8, kv_heads=8, vocab=1000, ffn=2048, family="llama")
BREAKDOWN = {
    "products": 0.012, "attention_decode": 0.006, "attention_prefill": 0.002, "vector": 0.001, "tp": 0.003,
    "head": 0.0015, "host": 0.0035, "draft": 0.0,
}  # fmt: skip
MEMORY = {"weights": 35e9, "kv": 30e9, "activations": 4e9, "graphs": 1e9, "reserve": 2e9}
OFFERS = (
    Offer("rent", 4.1e4, 0.0, {"rent": 4.1e4}, 3.6e4, 5.2e4, "mercatus-2026", "2026-03", "US"),
    Offer("buy", 2.9e4, 3.2e5, {"chips": 2.2e4, "electricity": 7e3}, 2.4e4, 3.6e4, "epoch-prices", "2025"),
)


def engine(**changes: Any) -> Engine:
    """An engine like vLLM's of 2025."""
    made = Engine(
        name="vllm-v1", family="vllm", versions="0.8 to 0.11", batching="mixed", chunked=True, max_seqs=256,
        max_tokens=8192, block=16, memory_share=0.9, share_of_free=False, watermark=0.0, admission="now",
        preemption="recompute", prefix_cache=True, graphs=True, overlap=True, release="2025-01", aliases=("vllm",),
        figures={"max_seqs": Figure(256.0, "mercatus-2026")},
    )  # fmt: skip
    return replace(made, **changes)


def quantiles(middle: float, n: int = 9000, told: bool = True) -> Quantiles:
    """Percentiles around ``middle``; without confidence where nothing could tell."""
    error = {"mean": 0.02 * middle, "p50": 0.01 * middle, "p90": 0.04 * middle, "p99": 0.1 * middle}
    unknown = dict.fromkeys(error, math.nan)
    return Quantiles(
        n, 1.1 * middle, middle, 1.6 * middle, 2.0 * middle, 3.0 * middle, 5.0 * middle, error if told else unknown
    )


def simulated(**changes: Any) -> Simulated:
    """A steady run of 9,000 requests."""
    times = tuple(float(at) for at in range(0, 450, 10))
    made = Simulated(
        requests=9000, duration=450.0, warm=45.0, stable=True,
        throughput={"requests": 19.9, "output_tokens": 5094.0, "total_tokens": 25472.0},
        ttft=quantiles(0.12), tpot=quantiles(0.021), latency=quantiles(5.5), queue=quantiles(0.01),
        kv={"mean": 0.41, "peak": 0.78, "tokens": 412_000.0}, goodput=19.7, kept=0.993, batch=55.0, busy=0.82,
        preemptions=3, cached=0.31, little=1.0003, seed=7, refused={"longer than the context": 2}, unfinished=4,
        iterations=21_000,
        series={
            "time": times,
            "queue": tuple(math.sin(at / 40) ** 2 * 6 for at in times),
            "running": tuple(50 + 5 * math.sin(at / 30) for at in times),
            "kv": tuple(0.41 + 0.05 * math.sin(at / 30) for at in times),
        },
        by_stage={"embed": quantiles(0.004), "generate": quantiles(5.4)},
        replicas={"mean": 2.0, "starts": 1.0, "stops": 0.0, "tokens_computed": 1.02e7},
    )  # fmt: skip
    return replace(made, **changes)


def cluster(catalog: Catalog, chip: str = "h100-sxm", count: int = 8) -> Cluster:
    """So many chips of that type."""
    return catalog.assemble(catalog.chip(chip), count)


def settings(**changes: Any) -> Settings:
    """fp8 weights and KV, some values fixed."""
    made = Settings("vllm-v1", Formats("fp8", "fp8"), max_seqs=128, max_tokens=4096, prefix_cache=True)
    return replace(made, **changes)


def plan(catalog: Catalog, deployment: Deployment | None = None, chip: str = "h100-sxm", **changes: Any) -> ServePlan:
    """Two copies of tp 4 on eight chips, for 30 days."""
    put = deployment or Deployment(Replica(tp=4), 2, settings())
    made = ServePlan(
        cluster=cluster(catalog, chip, put.chips), deployment=put, memory=72e9, memory_terms=MEMORY,
        metrics={
            "ttft": 0.132, "tpot": 0.0231, "latency": 6.05, "ttft_p99": 0.36, "tpot_p99": 0.063, "latency_p99": 16.5,
            "throughput": 5094.0, "requests": 20.0, "capacity": 23.4, "goodput": 19.7,
        },
        time=2.592e6, cost=4.1e4, energy=2.0e10, carbon=2.2e3, power=7.7e3, breakdown=BREAKDOWN, run=simulated(),
        per_token={"cost": 3.1e-6, "energy": 1.5}, per_million={"output": 3.1, "total": 0.62},
        ranges={
            "ttft_p99": (0.2, 0.6), "tpot_p99": (0.05, 0.08), "ttft": (0.1, 0.2), "tpot": (0.018, 0.03),
            "latency_p99": (13.0, 21.0),
            "throughput": (4000.0, 6000.0), "cost": (3.6e4, 5.2e4), "energy": (1.7e10, 2.3e10), "power": (6.6e3, 8.8e3),
            "per_million_output": (2.7, 3.9), "capacity": (19.0, 27.0),
        },
        offers=OFFERS, terms="rent", capital=0.0,
        margin={"revenue": 6.0e4, "cost": 4.1e4, "margin": 1.9e4, "margin_share": 0.317, "break_even": 61.0},
    )  # fmt: skip
    return replace(made, **changes)


def points(catalog: Catalog) -> tuple[ServePoint, ...]:
    """Throughput against speed of two chips; three points of each are beaten by nothing."""
    made = []
    for chip, chips, fast in (("h100-sxm", 4, 1.0), ("a100-sxm-80gb", 8, 0.5)):
        put = Deployment(Replica(tp=chips), 1, settings())
        for load in (1, 4, 16, 64, 256):
            tpot = 0.012 / fast * (1 + load / 64)
            rate = load / tpot / chips
            made.append(ServePoint(chip, chips, put, load, rate, 1 / tpot, 0.1 * (1 + load / 32), tpot,
                                   2.5 / 3600 / rate * 1e6, chip == "h100-sxm"))  # fmt: skip
    return tuple(made)


def served(catalog: Catalog, verb: str = "plan", **changes: Any) -> Served:
    """Two plans for 20 requests per second at p99."""
    first = plan(catalog)
    second = plan(
        catalog, Deployment(Replica(tp=8), 1, settings(formats=Formats())), "a100-sxm-80gb", cost=5.2e4, offers=(),
        per_million={"output": 3.9, "total": 0.8}, ranges={}, run=None,
    )  # fmt: skip
    made = Served(
        ask={"model": "small", "work": {"kind": "serving", "rate": "20/s", "period": "30 d"}, "seed": 7},
        model=build(SMALL), engine=engine(),
        traffic=Traffic(Lengths("fixed", 1024.0), Lengths("lognormal", 256.0, 0.5, 1, 2048), rate=20.0),
        promise=Promise(ttft=1.0, tpot=0.1, percentile=99.0), plans=(first, second), verb=verb,
        binding=("ttft", "kv"), relief=(Relief("ttft", "+10%", 4.1e4, 3.7e4), Relief("kv", "+10%", 4.1e4, 4.1e4)),
        rejected={"the weights do not fit": 12, "the promise is not kept": 31}, considered=64, rate=1.2e4,
        front=points(catalog),
        tried=(
            Tried("h100-sxm", "hgx-h100", (4, 8), 30),
            Tried("a100-sxm-80gb", "hgx-a100", (8,), 20),
            Tried("v100-sxm-32gb", "dgx-v100", (8,), 14, "it cannot multiply fp8"),
        ),
        assumptions=("requests come by themselves",), defaults=("work.period = 30 d",), warnings=("mind the gap",),
        inputs={"products": {"tokens": 55.0, "source": "mercatus-2026"}},
        provenance={"fits": {"kernels": "abc"}},
    )  # fmt: skip
    return replace(made, **changes)


def disaggregated(catalog: Catalog) -> Served:
    """Prompts on two copies of tp 2, decoding on one of tp 4; grows with the queue; drafts; adapters."""
    put = Deployment(
        Replica(tp=4, dp=2, ep=8), 1,
        settings(speculative=Speculative(2, 0.8), lora=(8, 16), offload=64e9, router="prefix"),
        Replica(tp=2, pp=2), 2, Autoscale(1, 4, 40.0, 90.0),
    )  # fmt: skip
    return served(catalog, plans=(plan(catalog, put),))


def overloaded(catalog: Catalog) -> Served:
    """A simulation that was cut off while its queue grew."""
    run = simulated(
        stable=False, partial="interrupted after 9,000 of 20,000 requests", preemptions=312, refused={},
        ttft=quantiles(9.0, told=False), queue=quantiles(8.0, told=False), by_stage={}, replicas={},
    )  # fmt: skip
    made = plan(catalog, run=run, missed=("ttft",), cost=None, energy=None, carbon=None, power=None, per_million={},
                per_token={}, ranges={}, margin={}, offers=(), terms="")  # fmt: skip
    return served(catalog, "simulate", plans=(made,), front=(), tried=(), relief=(), binding=(), rejected={})
