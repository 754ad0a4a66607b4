"""The groups of fields of a serving ask: promises, engine, layout of a copy, adapters, documents, samples, prices."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, WithJsonSchema

from exaplan import units
from exaplan.ask.values import Count, Degree, Duration, Money, Named, measured, whole, wrong
from exaplan.ask.writing import Part
from exaplan.errors import InputError
from exaplan.nouns.serving import Replica

Router = Literal["round-robin", "least-loaded", "prefix"]
Share = Annotated[float, *measured("ratio", 1e-3, 1.0)]
PERCENTILE = "write it like 99 (of 100 requests 99 keep the promise), or p99"


def _percentile(value: Any) -> float | None:
    """A percentile between 0 and 100; 0.99 would be read as less than one in a hundred."""
    if value is None:
        return None
    text = value.strip().removeprefix("p") if isinstance(value, str) else value
    try:
        number = units.parse(text, "ratio")
    except InputError:
        raise wrong(f"{value!r} is not a percentile", PERCENTILE) from None
    if not 0 < number < 100:
        raise wrong(f"{value!r} is not between 0 and 100 (both are left out)", PERCENTILE)
    if number < 1:
        raise wrong(f"{value!r} is less than one request in a hundred", f"{number * 100:g} was meant? {PERCENTILE}")
    return number


def _acceptance(value: Any) -> float | None:
    """A chance between 0 and 1, both left out."""
    if value is None:
        return None
    hint = "write it like 0.7 or 70%: the chance that a drafted token is kept, given those before it"
    try:
        number = units.parse(value, "ratio")
    except InputError:
        raise wrong(f"{value!r} is not a chance", hint) from None
    if not 0 < number < 1:
        raise wrong(f"{value!r} is not between 0 and 1 (both are left out)", hint)
    return number


Percentile = Annotated[
    float,
    BeforeValidator(_percentile),
    WithJsonSchema({"type": ["number", "string"], "description": "percentile, like 99 or p99"}),
]
Acceptance = Annotated[
    float,
    BeforeValidator(_acceptance),
    WithJsonSchema({"type": ["number", "string"], "description": "chance between 0 and 1, like 0.7"}),
]


class Slo(Part):
    """What is promised, each at ``percentile`` of the requests.

    ``ttft``: time to the first token; ``tpot``: time per token after it, mean of a request; ``latency``: to the last.
    """

    ttft: Duration | None = None
    tpot: Duration | None = None
    latency: Duration | None = None
    percentile: Percentile = 99.0

    @property
    def promising(self) -> bool:
        """Whether anything is promised."""
        return any(value is not None for value in (self.ttft, self.tpot, self.latency))

    def matters(self, name: str) -> bool:
        """A percentile of nothing does not."""
        return name != "percentile" or self.promising


class SpeculativeAsk(Part):
    """Tokens that are drafted in each step, and the chance that each is kept, given those before it.

    ``draft``: mtp (the model's own extra layers), ngram (no model), or the name of a small model.
    """

    length: Annotated[int, *whole(1, 64)]
    acceptance: Acceptance
    draft: Named = "mtp"


class LoraAsk(Part):
    """Adapters that are in use at a time, and their rank."""

    adapters: Annotated[int, *whole(1, 100_000)]
    rank: Annotated[int, *whole(1, 65_536)] = 16


class Rag(Part):
    """Documents that are searched for each request. The prompt is ``work.prompt`` and ``top_k`` x ``chunk`` tokens.

    ``documents`` of ``chunks`` pieces of ``chunk`` [tokens]; ``dimension`` of a vector; ``index``: flat (every vector
    is read) or ivf (``lists``, of which ``probes`` are read; left out, by the root of the pieces). ``embed``: the
    model that makes vectors; ``rerank``: the one that reads ``candidates`` pieces again and keeps ``top_k`` (left out:
    none does).
    """

    documents: Annotated[int, *whole(1, 10**13)]
    chunk: Annotated[int, *whole(1, 1_000_000)] = 256
    chunks: Annotated[int, *whole(1, 1_000_000)] = 10
    dimension: Annotated[int, *whole(1, 100_000)] = 1024
    index: Literal["flat", "ivf"] = "flat"
    lists: Count | None = None
    probes: Count | None = None
    embed: Named | None = None
    rerank: Named | None = None
    top_k: Annotated[int, *whole(1, 100_000)] = 5
    candidates: Annotated[int, *whole(1, 1_000_000)] = 50

    def matters(self, name: str) -> bool:
        """Candidates are those of a reranker."""
        return name != "candidates" or self.rerank is not None


class Generation(Part):
    """Samples (images, clips) instead of tokens: ``time`` [s of one batch on one copy], ``batch`` [samples in it]."""

    time: Duration
    batch: Annotated[int, *whole(1, 100_000)] = 1


class Price(Part):
    """What is earned: ``subscription`` [USD per user and month] with ``queries`` [per user and day], or ``input`` and
    ``output`` [USD per million tokens]."""

    subscription: Money | None = None
    queries: Annotated[float, *measured("ratio", 1e-6, 1e9)] | None = None
    input: Money | None = None
    output: Money | None = None


class AutoscaleAsk(Part):
    """Copies that come and go: from ``least`` to ``most``; one more starts when the requests (waiting and running) of a
    copy pass ``target`` and is ready ``delay`` later; one stops after ``idle`` below half of it."""

    least: Annotated[int, *whole(1, 1_000_000)] = 1
    most: Annotated[int, *whole(1, 1_000_000)]
    target: Annotated[float, *measured("ratio", 1e-3, 1e9)]
    delay: Annotated[float, *measured("time", 0.0, 1e7)]
    idle: Annotated[float, *measured("time", 0.0, 1e9)] = 300.0


class EngineAsk(Part):
    """The engine (`exaplan engines`) and what overrides its own defaults.

    ``max_seqs`` [sequences], ``max_tokens`` [tokens] of an iteration; ``chunked``: prompts are cut to ``max_tokens``;
    ``memory_share`` of the chip's memory; ``router`` between copies; ``offload``: host memory for KV blocks, per copy.
    """

    name: Named = "vllm-v1"
    max_seqs: Annotated[int, *whole(1, 1_000_000)] | None = None
    max_tokens: Annotated[int, *whole(1, 100_000_000)] | None = None
    chunked: StrictBool | None = None
    prefix_cache: StrictBool | None = None
    memory_share: Share | None = None
    router: Router = "least-loaded"
    offload: Annotated[float, *measured("bytes", 0.0, 1e15)] = 0.0
    autoscale: AutoscaleAsk | None = None

    def matters(self, name: str) -> bool:
        """No offload is no assumption."""
        return name != "offload" or self.offload > 0


class CopyAsk(Part):
    """How one copy of a model is cut, and how many copies there are; what is left out is searched.

    ``dp``: ranks of a copy that hold whole attention and their own requests, and share the experts; ``ep``: ranks that
    the experts are spread over; ``replicas``: copies.
    """

    tp: Degree | None = None
    pp: Degree | None = None
    cp: Degree | None = None
    ep: Degree | None = None
    dp: Degree | None = None
    replicas: Degree | None = None

    def replica(self) -> Replica | None:
        """The copy as a noun (what is left out is 1); None where nothing is said of it."""
        given = {name: getattr(self, name) for name in ("tp", "pp", "cp", "ep", "dp") if getattr(self, name)}
        return Replica(**given) if given else None


class ServeLayout(CopyAsk):
    """How one copy of a model is cut, and how many copies there are; what is left out is searched.

    ``dp``: ranks of a copy that hold whole attention and their own requests, and share the experts; ``ep``: ranks that
    the experts are spread over; ``replicas``: copies. ``prefill``: the copies that read prompts, where
    ``work.disaggregated``; the others then only write answers.
    """

    prefill: CopyAsk = Field(default_factory=CopyAsk)
