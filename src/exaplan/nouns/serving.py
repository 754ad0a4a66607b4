"""The nouns of serving: lengths, promises, engines, and how a model is put on chips to answer requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Lengths:
    """Distribution of a number of tokens. kind: fixed | uniform | lognormal.

    mean [tokens]; uniform: even over the whole numbers of [low, high]; lognormal: ``cv`` [standard deviation over mean]
    before it is cut to [low, high] (0 = no bound).
    """

    kind: str
    mean: float
    cv: float = 0.0
    low: int = 0
    high: int = 0


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised (SLO), each at a percentile of the requests; None = not promised.

    ttft [s to the first token], tpot [s per token after the first, mean of a request], latency [s to the last token],
    percentile [0-100], goodput: a request is good when it keeps every promise.
    """

    ttft: float | None = None
    tpot: float | None = None
    latency: float | None = None
    percentile: float = 99.0

    @property
    def given(self) -> Mapping[str, float]:
        """The promises that are made: name -> s."""
        every = {"ttft": self.ttft, "tpot": self.tpot, "latency": self.latency}
        return {name: value for name, value in every.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests as they come. arrivals: poisson | bursty | uniform | closed | trace.

    rate [requests/s; open arrivals], burst [standard deviation of gaps over their mean; bursty, gamma gaps], users
    [closed loop: each asks again after its answer and ``think`` s], think [s, mean of an exponential], turns [requests
    of a session, one after the other; 1 = no sessions], prefix [tokens that all prompts share: the system prompt],
    history: full (the next prompt holds all earlier turns), window, none; keep [tokens of history that ``window``
    keeps], trace: path of a file.
    """

    prompt: Lengths
    output: Lengths
    arrivals: str = "poisson"
    rate: float | None = None
    burst: float = 1.0
    users: int | None = None
    think: float = 0.0
    turns: int = 1
    prefix: int = 0
    history: str = "full"
    keep: int = 0
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Speculative:
    """Tokens drafted per step, and the chance [0-1] that a drafted token is accepted, given those before it.

    draft: mtp (the model's own extra layers), ngram (no model), or the name of a small model.
    """

    length: int
    acceptance: float
    draft: str = "mtp"


@dataclass(frozen=True)
class Variant:
    """Defaults of an engine that hold only on some chips, in some releases or uses: ``changes``, field of `Engine` ->
    value, where every condition holds.

    usage: server | offline ("" = both); memory: the chip's memory [B], from and below (0 = no bound); since, before:
    releases ("" = no bound); chip: pattern found in the chip's name ("" = any), without: pattern that must not be.
    """

    changes: Mapping[str, Any] = field(hash=False)
    usage: str = ""
    memory: tuple[float, float] = (0.0, 0.0)
    since: str = ""
    before: str = ""
    chip: str = ""
    without: str = ""
    figures: Mapping[str, Any] = field(default_factory=_nothing, repr=False, hash=False)


@dataclass(frozen=True)
class Engine:
    """An inference engine, a version of it, and what it does where nobody says otherwise (data/engines.yaml).

    family: vllm | sglang | trtllm | llama.cpp | tgi ...; versions: which releases this entry stands for.
    batching: mixed (prefill chunks and decode in one iteration) | prefill-first (an iteration holds prompts or decodes;
    prompts go first) | static (a batch runs to its end).
    chunked: prompts are cut to ``max_tokens``; max_seqs [sequences in an iteration], max_tokens [tokens in an
    iteration], block [tokens of a KV block], memory_share [share of the chip's memory that the engine may take; of
    what is left after weights where ``share_of_free``], watermark [share of KV blocks kept free at admission],
    admission: now (a prompt is let in when it fits now) | whole (when its longest output fits too: no eviction),
    preemption: recompute | swap; prefix_cache: on by default; graphs: decode runs from CUDA graphs; overlap: the host
    prepares the next iteration while the chip works. variants: defaults that hold only somewhere
    (`exaplan.catalog.engines.fitted` applies them).
    """

    name: str
    family: str
    versions: str
    batching: str
    chunked: bool
    max_seqs: int
    max_tokens: int
    block: int
    memory_share: float
    share_of_free: bool
    watermark: float
    admission: str
    preemption: str
    prefix_cache: bool
    graphs: bool
    overlap: bool
    release: str = ""
    aliases: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=_nothing, repr=False, hash=False)


@dataclass(frozen=True, slots=True)
class Formats:
    """Number formats. weights: bf16 fp16 fp8 fp8-block int8 int8-wo int4-wo nvfp4 mxfp4 w4a8, or GGUF's q4_0 q4_k_m
    q8_0; the -wo ones multiply in 16 bit. kv: bf16 fp8 int8 nvfp4 q8_0."""

    weights: str = "bf16"
    kv: str = "bf16"


@dataclass(frozen=True, slots=True)
class Replica:
    """How one copy of a model is cut: tp, pp, cp (prompts cut over ranks), dp (ranks that hold whole attention and
    their own requests and share the experts), ep (ranks that the experts are spread over; 1 = every expert is
    cut by tp).

    The experts of a copy live on tp x dp ranks a stage: ep divides that, each expert is cut over tp dp / ep ranks.
    """

    tp: int = 1
    pp: int = 1
    cp: int = 1
    dp: int = 1
    ep: int = 1

    @property
    def chips(self) -> int:
        """Chips of one copy."""
        return self.tp * self.pp * self.cp * self.dp


@dataclass(frozen=True, slots=True)
class Settings:
    """How an engine runs: its name and what overrides its defaults (None = the engine's own).

    router: round-robin | least-loaded | prefix; lora: (adapters that are in use at a time, rank), offload [B of host
    memory per replica for KV blocks; 0 = none].
    """

    engine: str
    formats: Formats = Formats()
    max_seqs: int | None = None
    max_tokens: int | None = None
    chunked: bool | None = None
    prefix_cache: bool | None = None
    memory_share: float | None = None
    speculative: Speculative | None = None
    lora: tuple[int, int] | None = None
    router: str = "least-loaded"
    offload: float = 0.0


@dataclass(frozen=True, slots=True)
class Autoscale:
    """Replicas that come and go: between least and most, started when the queue per replica passes ``target``
    [requests waiting or running], ready ``delay`` [s] later, stopped after ``idle`` [s] below half of it."""

    least: int
    most: int
    target: float
    delay: float
    idle: float = 300.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """What serves: ``replicas`` equal copies; with ``prefill`` these only decode, and prompts are read by
    ``prefill_replicas`` copies cut so, which send the KV cache over."""

    replica: Replica
    replicas: int
    settings: Settings
    prefill: Replica | None = None
    prefill_replicas: int = 0
    autoscale: Autoscale | None = None

    @property
    def chips(self) -> int:
        """Chips of all copies."""
        more = self.prefill.chips * self.prefill_replicas if self.prefill else 0
        return self.replica.chips * self.replicas + more
