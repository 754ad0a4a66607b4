"""What is launched to serve: the first plan of an answer, with the sizes that launch lines need, drawn out once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from exaplan.answers.serving import Served, ServePlan
from exaplan.errors import InputError
from exaplan.nouns import Chip
from exaplan.nouns.serving import Engine, Lengths, Replica, Settings, Traffic
from exaplan.report.launch.refusal import refused
from exaplan.report.launch.tables import host_chips, program
from exaplan.report.serving.named import chosen

FIRST_PORT = 8000
#: vendor -> the variable that names the chips which a process may see
VISIBLE: Mapping[str, str] = {"NVIDIA": "CUDA_VISIBLE_DEVICES", "AMD": "HIP_VISIBLE_DEVICES"}


@dataclass(frozen=True, slots=True)
class Pool:
    """Equal copies. role: "" (prompts and decoding), prefill or decode."""

    role: str
    replica: Replica
    copies: int


@dataclass(frozen=True)
class Service:
    """The facts of one deployment.

    form: the launch format; model: its name in the catalogue; pools: copies that read prompts first. values: what the
    engine runs with (max_seqs, max_tokens [of each attention rank], chunked, prefix_cache, memory_share; None: its
    own). per_host: chips of a host [count]. longest: tokens of the longest request [None: unbounded or unknown].
    """

    form: str
    model: str
    pools: tuple[Pool, ...]
    settings: Settings
    values: Mapping[str, Any]
    plan: ServePlan
    served: Served
    chip: Chip
    per_host: int
    longest: int | None

    @property
    def program(self) -> str:
        """The program with its version."""
        return program(self.form)

    @property
    def split(self) -> bool:
        """Prompts are read by other copies than those that decode."""
        return len(self.pools) > 1

    @property
    def visible(self) -> str:
        """The variable that names the chips of a process; "" where the vendor has none."""
        return VISIBLE.get(self.chip.vendor, "")

    def stop(self, what: str, remedy: str) -> InputError:
        """The refusal of something that the program has no word for."""
        return refused(self.program, what, remedy)


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy where it runs: on ``hosts`` hosts from ``host`` on, on the chips ``devices`` of each, at ``port``."""

    pool: Pool
    number: int
    host: int
    hosts: int
    devices: tuple[int, ...]
    port: int


def service_of(served: Served, form: str) -> Service:
    """The service of the answer's first plan, for a launch format."""
    plan = served.plans[0]
    put, cluster = plan.deployment, plan.cluster
    engine = served.engine if put.settings.engine in (served.engine.name, *served.engine.aliases) else None
    decode = Pool("decode" if put.prefill else "", put.replica, put.replicas)
    pools = (Pool("prefill", put.prefill, put.prefill_replicas), decode) if put.prefill else (decode,)
    return Service(
        form=form,
        model=served.model.name,
        pools=pools,
        settings=put.settings,
        values=chosen(put.settings, engine),
        plan=plan,
        served=served,
        chip=cluster.chip,
        per_host=host_chips(cluster.node.name, cluster.node.chips),
        longest=_longest(served),
    )


def family_of(served: Served, plan: ServePlan) -> tuple[str, Engine | None]:
    """The name of a plan's engine, and the engine where it is known."""
    name = plan.deployment.settings.engine
    return name, served.engine if name in (served.engine.name, *served.engine.aliases) else None


def _longest(served: Served) -> int | None:
    """Tokens of the longest request, with the turns before it; None where nothing bounds them.

    Where documents are put into prompts, their length is not that of the traffic.
    """
    traffic, work = served.traffic, served.ask.get("work")
    ends = [_bound(lengths) for lengths in (traffic.prompt, traffic.output)]
    if traffic.arrivals == "trace" or None in ends or (isinstance(work, Mapping) and work.get("rag")):
        return None
    return traffic.prefix + _with_history(traffic, sum(end for end in ends if end is not None))


def _with_history(traffic: Traffic, turn: int) -> int:
    """Tokens of the last request of a session."""
    if traffic.turns > 1 and traffic.history == "full":
        return turn * traffic.turns
    return turn + (traffic.keep if traffic.turns > 1 and traffic.history == "window" else 0)


def _bound(lengths: Lengths) -> int | None:
    """The largest number of tokens; None: without a bound."""
    if lengths.kind == "fixed":
        return math.ceil(lengths.mean)
    return lengths.high or None


# ------------------------------------------------------------------------------------------------ on hosts


def placed(service: Service) -> list[Copy]:
    """Every copy on its host: one after the other, those that are larger than a host on hosts of their own."""
    found: list[Copy] = []
    host, used = 0, 0
    for pool in service.pools:
        for number in range(pool.copies):
            chips, hosts = pool.replica.chips, _hosts(pool.replica, service)
            if used and used + chips > service.per_host:
                host, used = host + 1, 0
            each = chips // hosts
            port = FIRST_PORT + sum(copy.host == host for copy in found)
            found.append(Copy(pool, number, host, hosts, tuple(range(used, used + each)), port))
            host, used = (host + hosts, 0) if hosts > 1 else (host, used + chips)
    return found


def _hosts(replica: Replica, service: Service) -> int:
    """Hosts of one copy: as few as hold it evenly. [count]"""
    least = math.ceil(replica.chips / service.per_host)
    return next(hosts for hosts in range(least, replica.chips + 1) if replica.chips % hosts == 0)


def by_host(copies: list[Copy]) -> Iterator[tuple[int, list[Copy]]]:
    """(host, the copies that start on it), in order."""
    for host in dict.fromkeys(copy.host for copy in copies):
        yield host, [copy for copy in copies if copy.host == host]
