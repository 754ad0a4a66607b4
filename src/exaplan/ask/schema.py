"""The schema of a question about training: what may be asked, in which units, with which defaults."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from exaplan.ask.base import BaseAsk, LimitsAsk
from exaplan.ask.values import Count, Deadline, Degree, Duration, OrZero, Reference, SeqLen, Tokens, whole
from exaplan.ask.writing import Part
from exaplan.nouns import Layout, Training

DAY = 86400.0

Precision = Literal["bf16", "fp16", "fp8", "fp8-block", "mxfp8", "nvfp4", "fp32", "tf32"]
Objective = Literal["time", "cost", "energy", "carbon", "throughput"]
Schedule = Literal["1f1b", "interleaved", "zero-bubble", "dualpipe"]


class Work(Part):
    """What is done: a training run. ``tokens`` or ``steps`` say how much.

    With neither, one step is answered, or (with a deadline or a budget) the most tokens that the limits leave room for.
    """

    kind: Literal["training"] = "training"
    tokens: Tokens | None = None
    steps: Annotated[int, *whole(1, 10**12)] | None = None
    seq_len: SeqLen = 4096
    global_batch: Count = 1024
    precision: Precision = "bf16"
    method: Literal["full", "lora"] = "full"
    rank: Annotated[int, *whole(1, 65_536)] = 16
    targets: tuple[str, ...] = ()
    framework: str = ""
    attention: Literal["fused", "unfused"] = "fused"

    def matters(self, name: str) -> bool:
        """The rank is one of LoRA adapters."""
        return name != "rank" or self.method == "lora"


class LayoutAsk(Part):
    """How the model is cut; each field that is given is kept fixed, the rest is searched."""

    dp: Degree | None = None
    tp: Degree | None = None
    pp: Degree | None = None
    vpp: Degree | None = None
    cp: Degree | None = None
    ep: Degree | None = None
    etp: Degree | None = None
    micro_batch: Degree | None = None
    recompute: str | None = None
    zero: Annotated[int, *whole(0, 3)] | None = None
    zero_group: OrZero | None = None
    sequence_parallel: StrictBool | None = None
    schedule: Schedule | None = None
    cp_kind: Literal["ring", "ulysses"] | None = None
    offload: StrictBool | None = None


class TrainingLimits(LimitsAsk):
    """What must hold at once.

    ``deadline``: a duration [s] or a day. ``count`` [chips]: searched counts stay at or below it. ``hold``: a limit
    holds when the upper end of the 80% range (upper) or the expected value (expected) is within it.
    """

    deadline: Deadline | None = None

    @property
    def bounding(self) -> bool:
        """Whether a limit is given whose value has a range."""
        return bool(self.money or self.power or self.deadline)


class Observed(Part):
    """The asker's own measurement of this very work; the answer is recentred on it."""

    step_time: Duration | None = None


def _usual_objective(given: Mapping[str, Any]) -> Objective:
    """Without an amount of work, the most of it within the limits; with only a deadline, the cheapest; else time."""
    work, limits = given.get("work"), given.get("limits")
    if not isinstance(work, Work) or not isinstance(limits, TrainingLimits):
        return "time"
    bounded = bool(limits.deadline or limits.money)
    if bounded and work.tokens is None and work.steps is None:
        return "throughput"
    return "cost" if limits.deadline and limits.money is None else "time"


class Ask(BaseAsk):
    """A question to exaplan. Quantities are SI floats once it is read.

    ``objective``, where left out: throughput (the most tokens) for a deadline or budget without tokens and steps, cost
    for a deadline without a budget, else time. ``start``: the day on which the run starts and whose prices count;
    left out, the day of the law. ``law``: the export rules that are held to.
    """

    model: Reference
    work: Work = Field(default_factory=Work)
    layout: LayoutAsk = Field(default_factory=LayoutAsk)
    limits: TrainingLimits = Field(default_factory=TrainingLimits)
    objective: Objective = Field(default_factory=_usual_objective)
    observed: Observed = Field(default_factory=Observed)

    # ------------------------------------------------------------------------------------ what is in question

    @property
    def tokens(self) -> float | None:
        """Tokens of the whole run: given, or steps x global batch x sequence length; None = not said."""
        if self.work.tokens is not None or self.work.steps is None:
            return self.work.tokens
        return float(self.work.steps) * self.work.global_batch * self.work.seq_len

    @property
    def deadline(self) -> float | None:
        """Time that the run may take [s]; a day counts from the start."""
        given = self.limits.deadline
        if not isinstance(given, date):
            return given
        return (given - self.start).days * DAY if self.start else None

    @property
    def open_count(self) -> bool:
        """Whether counts of chips are searched: none is given, and limits, several chips or a fleet call for it."""
        part, limits = self.cluster, self.limits
        if part.count is not None or part.name is not None:
            return False
        bounded = any((limits.money, limits.deadline, limits.power, limits.count))
        return bounded or self.every_chip or len(self.chips) > 1 or bool(part.fleet)

    # ------------------------------------------------------------------------------------------------- nouns

    def training(self) -> Training:
        """The work as a noun."""
        work = self.work
        return Training(
            seq_len=work.seq_len,
            global_batch=work.global_batch,
            precision=work.precision,
            method=work.method,
            tokens=self.tokens,
            framework=work.framework,
            attention=work.attention,
        )

    def whole_layout(self) -> Layout | None:
        """The layout where dp, tp and pp are all given (the rest by the noun's defaults), else None."""
        given = self.fixed()
        return Layout(**given) if {"dp", "tp", "pp"} <= given.keys() else None
