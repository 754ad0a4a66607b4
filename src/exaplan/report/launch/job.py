"""What is launched: the first plan of an Answer, with the sizes that launch files need, drawn out once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from exaplan.answers import Answer, Priced
from exaplan.ask import Ask, parse
from exaplan.catalog.tuning import generation_named
from exaplan.errors import InputError
from exaplan.models.lora import DEFAULT_TARGETS
from exaplan.models.spec import Spec, spec_from_mapping
from exaplan.nouns import Block, Chip, Estimate, Layout
from exaplan.report.launch.tables import WRAPS, host_chips, program

UNCHUNKED = ("zero-bubble", "dualpipe")


@dataclass(frozen=True)
class Job:
    """The facts of one training job.

    program: name and version of what reads the settings (what a format wraps, not the wrapper). rack: its hosts are
    joined by scale-up links. nodes x per_node = chips [count; hosts, and chips of a host]. steps: optimizer steps of
    the whole run (None: not asked). longest: upper end of the time of the whole run [s] (None: unknown). node_aware:
    the plan was costed with a dispatcher that sends a row to a node once (DeepEP and its like). targets, rank: LoRA's.
    save_every: steps between checkpoints in the plan's goodput (None: unknown). power_cap [W per chip; None: its own].
    """

    program: str
    name: str
    spec: Spec
    blocks: tuple[Block, ...]
    layout: Layout
    estimate: Estimate
    chip: Chip
    rack: bool
    nodes: int
    per_node: int
    seq_len: int
    global_batch: int
    precision: str
    method: str
    rank: int
    targets: tuple[str, ...]
    attention: str
    node_aware: bool
    steps: int | None
    longest: float | None
    save_every: int | None
    power_cap: float | None

    @property
    def micro_batches(self) -> int:
        """Micro-batches of one data rank in a step. [count]"""
        return self.global_batch // (self.layout.dp * self.layout.micro_batch)

    @property
    def chunks(self) -> int:
        """Model chunks of the pipeline; chunk c runs on rank c modulo pp. [count]"""
        return self.layout.pp * self.layout.vpp

    @property
    def interleaved(self) -> bool:
        """Whether ranks hold several model chunks."""
        return self.layout.vpp > 1 and self.layout.schedule not in UNCHUNKED

    @property
    def replicas(self) -> int:
        """Ranks over which optimizer states may be sharded: dp x cp. [count]"""
        return self.layout.dp * self.layout.cp

    @property
    def zero(self) -> int:
        """ZeRO stage; 0 where there is nothing to shard over."""
        return self.layout.zero if self.replicas > 1 else 0

    @property
    def copies(self) -> int:
        """Copies of the sharded states: dp x cp over the sharding group. [count]"""
        group = self.layout.zero_group
        return self.replicas // group if self.zero and 0 < group < self.replicas else 1

    @property
    def sequence_parallel(self) -> bool:
        """Norms and residuals are cut over the tensor ranks."""
        return self.layout.sequence_parallel and self.layout.tp > 1


def job_of(answer: Answer, format: str) -> Job:
    """The job of the answer's first plan, for a launch format."""
    plan = answer.estimates[0]
    ask, cluster = _training(answer), plan.cluster or answer.cluster
    work, tokens = ask.work, plan.tokens or ask.tokens
    host = host_chips(cluster.node.name, cluster.node.chips)
    per_node = _per_node(host, plan.estimate.layout.chips)
    return Job(
        program=program(WRAPS.get(format, format)),
        name=answer.model.name,
        spec=spec_from_mapping(answer.model.spec),
        blocks=answer.model.blocks,
        layout=plan.estimate.layout,
        estimate=plan.estimate,
        chip=cluster.chip,
        rack=host < cluster.node.domain,
        nodes=plan.estimate.layout.chips // per_node,
        per_node=per_node,
        seq_len=work.seq_len,
        global_batch=work.global_batch,
        precision=work.precision,
        method=work.method,
        rank=work.rank,
        targets=tuple(work.targets) or DEFAULT_TARGETS,
        attention=work.attention,
        node_aware=generation_named(work.framework).get("dispatcher") == "node-aware",
        steps=math.ceil(tokens / (work.global_batch * work.seq_len)) if tokens else None,
        longest=_longest(plan),
        save_every=_save_every(answer, plan),
        power_cap=cluster.power_cap,
    )


def _training(answer: Answer) -> Ask:
    """The question of an answer, which is one for training."""
    ask = parse(dict(answer.ask))
    if isinstance(ask, Ask):
        return ask
    raise InputError("these are the settings of a training job, and the question is one for serving")


def _per_node(host: int, count: int) -> int:
    """Chips of one host that the job uses: the most that divide the count evenly."""
    return next(size for size in range(min(host, count), 0, -1) if count % size == 0)


def _longest(plan: Priced) -> float | None:
    """Upper end of the time of the whole run. [s]"""
    if plan.time is None:
        return None
    return max(plan.ranges.get("time", (plan.time, plan.time)))


def _save_every(answer: Answer, plan: Priced) -> int | None:
    """Steps between two checkpoints: the interval that the plan's goodput reckons with, in whole steps."""
    interval = answer.provenance.get("checkpoint_interval")
    return max(1, round(float(interval) / plan.estimate.step_time)) if interval else None


def one_line(text: str) -> str:
    """Text that may stand in a comment: control characters and line ends become blanks."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()


def slug(text: str) -> str:
    """Text that may stand in the name of a job: letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()[:60].strip("-") or "exaplan"
