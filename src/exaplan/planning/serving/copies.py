"""Copies of a model as they would run: memory, table of iterations and the quick look at them, each made once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from exaplan.case import serving as cases
from exaplan.case.serving import ServeCase
from exaplan.errors import InputError
from exaplan.nouns import Cluster
from exaplan.nouns.serving import Replica, Settings
from exaplan.perf.serving.inputs import Policy, StepTable
from exaplan.planning.serving.demand import demand_of
from exaplan.planning.serving.kinds import Kind
from exaplan.planning.serving.layouts import space_of
from exaplan.planning.serving.pipeline import retrieval_of
from exaplan.planning.serving.question import Question, longest
from exaplan.planning.serving.screening import Bound, Demand, Looker, Point, greatest

CHUNKS = (512, 2048, 8192)  # tokens of an iteration that are tried beside the engine's own
WIDER = (2, 4)  # times the engine's own cap on sequences
MIXED, PREFILL, DECODE = "mixed", "prefill", "decode"  # what a copy does


@dataclass(frozen=True, eq=False)
class Copy:
    """One copy on its chips. role: mixed | prefill | decode; case: what ``case.serving`` made of it."""

    kind: Kind
    replica: Replica
    settings: Settings
    case: ServeCase
    demand: Demand
    table: StepTable
    role: str = MIXED

    @property
    def policy(self) -> Policy:
        """How it schedules."""
        return self.case.policy

    @cached_property
    def looker(self) -> Looker:
        """The quick formulas of it."""
        return Looker(self.table, self.policy, self.demand)

    @cached_property
    def curve(self) -> tuple[Point, ...]:
        """What it answers by sequences at a time."""
        return self.looker.curve()

    def greatest(self, bound: Bound) -> Point | None:
        """The point of the greatest rate that keeps bounds on the means; None: there is none."""
        return greatest(self.curve, bound, self.demand.output)

    @property
    def chips(self) -> int:
        """Chips of the copy."""
        return self.replica.chips


class Shop:
    """Makes copies, remembers them, and counts what was looked at and what was left out, by reason."""

    def __init__(self, asked: Question) -> None:
        self.asked = asked
        self.rejected: Counter[str] = Counter()
        self.considered = 0
        self.by_kind: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}
        self.spent = 0.0
        self.room = 1.0
        self._known: dict[tuple[object, ...], Copy | None] = {}
        self._tables: dict[tuple[object, ...], StepTable] = {}

    def copies(self, kind: Kind, role: str = MIXED) -> list[Copy]:
        """Every legal copy of a chip type that fits, with the engine's own settings."""
        began = time.process_time()
        part = self.asked.ask.layout.prefill if role == PREFILL else self.asked.ask.layout
        fixed = {name: value for name in ("tp", "pp", "cp", "ep", "dp") if (value := getattr(part, name)) is not None}
        prompt = longest(self.asked.seen.prompt)
        space = space_of(self.asked.model, kind.cluster, kind.most, fixed, prompt)
        self.rejected.update(space.rejected)
        found = [made for item in space.replicas if (made := self.copy(kind, item, self.asked.settings, role))]
        self.spent += time.process_time() - began
        return found

    def copy(self, kind: Kind, replica: Replica, settings: Settings, role: str = MIXED) -> Copy | None:
        """One copy, None where it does not fit."""
        key = (id(kind), replica, settings, role, self.room)
        if key not in self._known:
            self._known[key] = self._made(kind, replica, settings, role)
        return self._known[key]

    def _made(self, kind: Kind, replica: Replica, settings: Settings, role: str) -> Copy | None:
        asked, beside = self.asked, retrieval_of(self.asked, kind)
        cluster = self._cluster(kind, replica.chips, beside.memory(replica.chips) if beside else 0.0)
        self.considered += 1
        self.by_kind[kind.name] += 1
        try:
            case = cases.serve(asked.model, cluster, kind.engine, settings, replica, asked.seen, draft=asked.draft)
        except InputError as error:
            self.rejected[error.problem] += 1
            self.reasons[kind.name] = error.problem
            if asked.ask.chips and len(asked.ask.chips) == 1 and not asked.ask.fleet:
                raise
            return None
        demand = demand_of(asked.seen, bool(case.policy.prefix), beside.busy(replica.chips) if beside else 0.0)
        if role == DECODE:  # prompts are read elsewhere
            demand = demand._replace(read=0.0, spread=0.0)
        if case.kv_tokens < max(1.0, demand.longest):
            self.rejected["memory"] += 1
            return None
        return Copy(kind, replica, settings, case, demand, self._table(kind, replica, settings, case), role)

    def _table(self, kind: Kind, replica: Replica, settings: Settings, case: ServeCase) -> StepTable:
        """Time of every iteration: of a cut it is the same whatever the caps of the engine are, so it is made once, for
        the widest."""
        key = (id(kind), replica, replace(settings, max_seqs=None, max_tokens=None))
        if key not in self._tables:
            own = case.policy
            seqs = max(WIDER) * own.max_seqs if settings.max_seqs is None else own.max_seqs
            tokens = max(*CHUNKS, own.max_tokens)
            self._tables[key] = cases.step_table(replace(case, policy=own._replace(max_seqs=seqs, max_tokens=tokens)))
        return self._tables[key]

    def _cluster(self, kind: Kind, chips: int, taken: float) -> Cluster:
        """The chips of a copy without the memory that other work takes, and with that of a relief. [B per chip]"""
        cluster = kind.sized(chips)
        if not taken and self.room == 1.0:
            return cluster
        memory = max(1.0, cluster.chip.memory * self.room - taken)
        return replace(cluster, chip=replace(cluster.chip, memory=memory))

    def tuned(self, copy: Copy) -> Iterator[Copy]:
        """The same copy with other settings of the engine, where the ask leaves them open."""
        own, given = copy.policy, self.asked.settings
        seqs = [own.max_seqs * times for times in WIDER] if given.max_seqs is None and self._capped(copy) else []
        sizes = [size for size in CHUNKS if size != own.max_tokens] if given.max_tokens is None and own.chunked else []
        wider = [replace(copy.settings, max_seqs=one) for one in seqs]
        for settings in (*wider, *(replace(copy.settings, max_tokens=one) for one in sizes)):
            made = self.copy(copy.kind, copy.replica, settings, copy.role)
            if made:
                yield made

    def _capped(self, copy: Copy) -> bool:
        """Whether the engine's cap on sequences is what bounds the batch."""
        return copy.looker.most >= copy.policy.max_seqs
