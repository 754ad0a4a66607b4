"""The schema of a question about serving: the traffic, what is promised, the engine and the layout of one copy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from exaplan.ask.base import MOST_CHIPS, BaseAsk, LimitsAsk
from exaplan.ask.lengths import TokenLengths
from exaplan.ask.serving_parts import (
    EngineAsk,
    Generation,
    LoraAsk,
    Price,
    Rag,
    ServeLayout,
    Slo,
    SpeculativeAsk,
)
from exaplan.ask.values import Count, Duration, Named, OrZero, measured, renamed, whole
from exaplan.ask.writing import Part
from exaplan.nouns.serving import Autoscale, Formats, Lengths, Promise, Replica, Settings, Speculative, Traffic

MONTH = 2_592_000.0  # s; 30 days
Rate = Annotated[float, *measured("frequency", 1e-9, 1e9)]
Pause = Annotated[float, *measured("time", 0.0, 3.2e10)]
ServePrecision = Annotated[
    Literal[
        "bf16",
        "fp16",
        "fp8",
        "fp8-block",
        "int8",
        "int8-wo",
        "int4-wo",
        "nvfp4",
        "mxfp4",
        "w4a8",
        "q4_0",
        "q4_k_m",
        "q8_0",
    ],
    renamed({"int4": "int4-wo", "awq": "int4-wo", "gptq": "int4-wo", "fp4": "nvfp4", "w4a16": "int4-wo"}),
]
KvFormat = Annotated[Literal["bf16", "fp8", "int8", "nvfp4", "q8_0"], renamed({"fp16": "bf16", "auto": "bf16"})]
Arrivals = Literal["poisson", "bursty", "uniform"]
History = Literal["full", "window", "none"]
ServeObjective = Literal["cost", "chips", "energy", "carbon", "throughput"]
ONE_LENGTH = Lengths("trace", 0.0)  # of each request its own, from the file


class ServeWork(Part):
    """What is done: requests are answered. One of ``rate``, ``users`` and ``trace`` says how they come.

    ``rate`` [requests/s, all turns counted] of open ``arrivals``; ``burst``: standard deviation of the gaps over their
    mean, of bursty ones. ``users``: so many people or programs, each asks again ``think`` (mean, exponential) after its
    answer. ``trace``: a CSV or Parquet file of requests. ``prompt``, ``output`` [tokens]: the new text of a request and
    its answer. ``turns``: requests of one session, with ``think`` between them. ``prefix`` [tokens], which all prompts
    share, and ``history``, what of the earlier turns the next prompt holds (``window``: the last ``keep`` tokens), come
    on top. ``slo``: what is promised. ``precision``: weights and products; ``kv``: the cache. ``requests``: how many
    are simulated. ``period``: cost, energy and carbon are of it. ``disaggregated``: prompts are read by copies of their
    own (layout.prefill).
    """

    kind: Literal["serving"] = "serving"
    rate: Rate | None = None
    users: Count | None = None
    trace: Named | None = None
    think: Pause = 0.0
    arrivals: Arrivals = "poisson"
    burst: Annotated[float, *measured("ratio", 1e-3, 1e3)] = 2.0
    prompt: TokenLengths = Lengths("fixed", 1024.0)
    output: TokenLengths = Lengths("fixed", 256.0)
    turns: Annotated[int, *whole(1, 100_000)] = 1
    prefix: OrZero = 0
    history: History = "full"
    keep: OrZero = 0
    slo: Slo = Field(default_factory=Slo)
    precision: ServePrecision = "bf16"
    kv: KvFormat = "bf16"
    requests: Annotated[int, *whole(1, 10**12)] = 10_000
    period: Duration = MONTH
    speculative: SpeculativeAsk | None = None
    lora: LoraAsk | None = None
    rag: Rag | None = None
    generation: Generation | None = None
    price: Price | None = None
    disaggregated: StrictBool = False

    def matters(self, name: str) -> bool:
        """A trace says when requests come and how long they are; other fields belong to one kind of traffic."""
        traced, sampled = self.trace is not None, self.generation is not None
        needed = {
            "arrivals": self.users is None and not traced,
            "burst": self.rate is not None and self.arrivals == "bursty",
            "think": self.users is not None or self.turns > 1,
            "prompt": not (traced or sampled),
            "output": not (traced or sampled),
            "turns": self.turns > 1,
            "prefix": self.prefix > 0,
            "history": self.turns > 1,
            "keep": self.turns > 1 and self.history == "window",
            "precision": not sampled,
            "kv": not sampled,
            "disaggregated": self.disaggregated,
        }
        return needed.get(name, True)


class ServeAsk(BaseAsk):
    """A question to exaplan about serving. Quantities are SI floats once it is read.

    ``objective``: cost (of ``work.period``), chips (the fewest), energy, carbon, or throughput. ``limits.money`` is for
    one ``work.period``. ``start``: the day whose prices count; left out, the day of the law.
    """

    work: ServeWork = Field(default_factory=ServeWork)
    layout: ServeLayout = Field(default_factory=ServeLayout)
    limits: LimitsAsk = Field(default_factory=LimitsAsk)
    objective: ServeObjective = "cost"
    engine: EngineAsk = Field(default_factory=EngineAsk)

    # ------------------------------------------------------------------------------------ what is in question

    @property
    def load(self) -> tuple[str, ...]:
        """What says how requests come: of rate, users and trace those that are given; () = as many as can be."""
        return tuple(name for name in ("rate", "users", "trace") if getattr(self.work, name) is not None)

    @property
    def copy_chips(self) -> int | None:
        """Chips of one copy, where the layout says it; None = open."""
        made = self.replica()
        return made.chips if made else None

    @property
    def fixed_count(self) -> int | None:
        """Chips in all: ``cluster.count``, or copies x chips of a copy where the layout says both; None = open."""
        if self.cluster.count is not None or self.layout.replicas is None or self.copy_chips is None:
            return self.cluster.count
        prompts = self.layout.prefill.replica()
        more = prompts.chips * (self.layout.prefill.replicas or 1) if prompts and self.work.disaggregated else 0
        return self.copy_chips * self.layout.replicas + more

    @property
    def open_count(self) -> bool:
        """Whether counts of chips are searched: neither a count, a cluster nor a whole layout is given."""
        return self.fixed_count is None and self.cluster.name is None

    @property
    def most_chips(self) -> int | None:
        """Counts stay at or below it [chips]: limits.count, else 16,384 where counts are searched freely."""
        return self.limits.count or (MOST_CHIPS if self.open_count and not self.fleet else None)

    @property
    def trace_path(self) -> Path | None:
        """The trace file, relative to the ask; None = no trace."""
        if self.work.trace is None:
            return None
        path, folder = Path(self.work.trace).expanduser(), self.folder
        return path if path.is_absolute() or folder is None else folder / path

    # ------------------------------------------------------------------------------------------------- nouns

    def traffic(self) -> Traffic:
        """The requests as a noun; of a trace the lengths are of kind ``trace``: each request has its own."""
        work, traced = self.work, self.trace_path
        arrivals = "trace" if traced else "closed" if work.users is not None else work.arrivals
        return Traffic(
            prompt=ONE_LENGTH if traced else work.prompt,
            output=ONE_LENGTH if traced else work.output,
            arrivals=arrivals,
            rate=work.rate,
            burst=work.burst if arrivals == "bursty" else 1.0,
            users=work.users,
            think=work.think,
            turns=work.turns,
            prefix=work.prefix,
            history=work.history,
            keep=work.keep,
            trace=str(traced) if traced else "",
        )

    def promise(self) -> Promise:
        """What is promised, as a noun."""
        slo = self.work.slo
        return Promise(slo.ttft, slo.tpot, slo.latency, slo.percentile)

    def formats(self) -> Formats:
        """The number formats, as a noun."""
        return Formats(self.work.precision, self.work.kv)

    def settings(self) -> Settings:
        """How the engine runs, as a noun; None inside = the engine's own default."""
        part, work = self.engine, self.work
        drafted, adapted = work.speculative, work.lora
        return Settings(
            engine=part.name,
            formats=self.formats(),
            max_seqs=part.max_seqs,
            max_tokens=part.max_tokens,
            chunked=part.chunked,
            prefix_cache=part.prefix_cache,
            memory_share=part.memory_share,
            speculative=Speculative(drafted.length, drafted.acceptance, drafted.draft) if drafted else None,
            lora=(adapted.adapters, adapted.rank) if adapted else None,
            router=part.router,
            offload=part.offload,
        )

    def fixed(self) -> dict[str, Any]:
        """Only the fields of the layout that were given; ``prefill`` where any of it was."""
        return {name: value for name, value in super().fixed().items() if value != {}}

    def replica(self) -> Replica | None:
        """The copy that the layout says (what it leaves out is 1); None where it says nothing of it."""
        return self.layout.replica()

    def prefill(self) -> Replica | None:
        """The copy that reads prompts, where the layout says it."""
        return self.layout.prefill.replica()

    def autoscale(self) -> Autoscale | None:
        """Copies that come and go, as a noun; None = their number stays."""
        part = self.engine.autoscale
        return Autoscale(part.least, part.most, part.target, part.delay, part.idle) if part else None

    # ----------------------------------------------------------------------------------------- written again

    def resolved(self) -> dict[str, Any]:
        """The whole question as plain values that can be asked again from anywhere (units and whole paths)."""
        made = super().resolved()
        if path := self.trace_path:
            made["work"]["trace"] = str(path.absolute())
        made["engine"]["name"] = self._whole(self.engine.name)
        return made
