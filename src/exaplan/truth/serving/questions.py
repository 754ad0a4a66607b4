"""What a published serving row asks: how it was run and measured, as nouns of the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from exaplan.nouns.serving import Replica, Settings


def _nothing() -> Mapping[str, float]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a source drove the server.

    kind: closed (a closed loop of ``concurrency`` users), offline (all ``requests`` at once), static (one batch of
    ``concurrency`` to its end), steady (``concurrency`` sequences at any moment), open (Poisson arrivals at ``rate``
    [1/s]), server (the highest Poisson rate that keeps ``limits`` = 99th percentiles of TTFT and TPOT [s]; 0 = none),
    first (one prompt alone), decode (one sequence alone, from an empty context), disagg (closed loop; prompts are read
    by other copies).
    prompt, output [tokens]; low: lengths are uniform in [low, 1] x nominal. requests: measured ones. poll [iterations
    between two looks for new requests], wait [iterations that a lone prompt waits for others].
    """

    kind: str
    prompt: float
    output: float
    low: float = 1.0
    concurrency: int = 0
    requests: int = 0
    rate: float = 0.0
    limits: tuple[float, float] = (0.0, 0.0)
    poll: float = 0.0
    wait: float = 0.0


@dataclass(frozen=True)
class Question:
    """A row as a question. family: silicon | tables | mlperf | chat | llama.cpp | loop | triton | static | other.

    model, chip: names in the catalogue; chips: all that were used; engine, release; replica: how a copy is cut (None:
    chosen by rule), ``replicas`` copies share the load evenly. measured: quantity -> value in SI (s, or output
    tokens/s; `prefill`: prompt tokens/s). batch: sequences at a time that the row states (0 = not stated). chosen: what
    was filled in by rule. graphs: False = decode does not run from whole graphs. headline: the quantity that the row is
    scored on (others are shown).
    """

    row_id: str
    family: str
    model: str
    chip: str
    chips: int
    engine: str
    release: str
    settings: Settings
    replica: Replica | None
    replicas: int
    protocol: Protocol
    measured: Mapping[str, float]
    source: str
    label: str
    usage: str = "server"
    graphs: bool | None = None
    prefill: Replica | None = None
    prefill_replicas: int = 0
    chosen: tuple[str, ...] = ()
    units: float = 1.0
    node: str = ""
    figures: Mapping[str, float] = field(default_factory=_nothing)
