"""The bash script around launch lines of a server: what it says on top, its arguments, one line for each copy."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap

from exaplan import units
from exaplan.report.launch.job import one_line
from exaplan.report.launch.service import Copy, Service, by_host, placed
from exaplan.report.launch.tables import table
from exaplan.report.serving.named import at_percentile, deployment_text, formats_text

WIDTH = 110
UNSAID = "where the checkpoint is, TLS, keys, templates, health checks, restarts"
#: formats of weights that a checkpoint must already have; others are in 16 bit, or made so when they are loaded
READY: dict[str, str] = {
    "fp8-block": "quantised to fp8 in blocks",
    "int8": "quantised to int8 (weights and activations)",
    "int8-wo": "quantised to int8 weights",
    "int4-wo": "quantised to int4 weights (AWQ, GPTQ)",
    "nvfp4": "quantised to NVFP4",
    "mxfp4": "quantised to MXFP4",
    "w4a8": "quantised to int4 weights and fp8 activations",
}

PLAIN: Mapping[str, str] = {}

Line = Callable[[Copy, int], str]


def quoted(value: object) -> str:
    """A value as one word of a shell."""
    return shlex.quote(str(value))


def argument(flag: str, value: object = None) -> str:
    """A flag with its value as a line of the script."""
    return flag if value is None else f"{flag} {quoted(value)}"


def array(name: str, arguments: Iterable[str]) -> list[str]:
    """A bash array of arguments, one flag a line."""
    return [f"{name}=(", *(f"  {line}" for line in arguments), ")"]


def checkpoint(service: Service, what: str = "folder or Hugging Face name", more: Mapping[str, str] = PLAIN) -> str:
    """The line that asks for the checkpoint, and in which format it has to be (more: further such formats)."""
    need = {**READY, **more}.get(service.settings.formats.weights)
    told = f"{what} of {one_line(service.model)}" + (f", {need}" if need else "")
    clean = "".join(sign for sign in told if sign not in "\"'`$\\{}")
    return f'MODEL="${{MODEL:?set MODEL: {clean}}}"'


def script(service: Service, before: Sequence[str], line: Line, notes: Sequence[str]) -> str:
    """The whole script. before: what all lines share; line: (copy, host of it from 0) -> the command of a copy."""
    copies = placed(service)
    parts = ["#!/usr/bin/env bash", *header(service, copies), "", "set -euo pipefail", "", *before, ""]
    parts += [*_hosts(copies, line), "wait", *(f"# {note}" for note in _broken(notes))]
    return "\n".join(parts) + "\n"


def _hosts(copies: list[Copy], line: Line) -> list[str]:
    """The lines of every host; those of one only where there is no other."""
    count = hosts_of(copies)
    if count == 1:
        return [_started(copy, line(copy, 0)) for copy in copies]
    out = [f'case "${{HOST:?set HOST: which host this is, 0 to {count - 1}}}" in']
    for host, here in by_host(copies):
        for step in range(max(copy.hosts for copy in here)):
            out += [f"{host + step})", *(f"  {_started(copy, line(copy, step))}" for copy in here), "  ;;"]
    return [*out, f'*) echo "HOST has to be 0 to {count - 1}" >&2; exit 2 ;;', "esac"]


def _started(copy: Copy, command: str) -> str:
    return f"{command} &"


def hosts_of(copies: list[Copy]) -> int:
    """Hosts that all copies take. [count]"""
    return max(copy.host + copy.hosts for copy in copies)


def on(service: Service, copy: Copy) -> str:
    """What stands before a command so that it sees the chips of its copy alone; "" where it has all of them."""
    if len(copy.devices) == service.per_host:
        return ""
    if not service.visible:
        if any(pool.copies > 1 for pool in service.pools) or service.split:
            raise service.stop(
                f"several copies on one host with chips of {service.chip.vendor}", "add --replicas 1, or a host each"
            )
        return ""
    return f"{service.visible}={','.join(map(str, copy.devices))} "


# -------------------------------------------------------------------------------------------------- on top


def header(service: Service, copies: list[Copy]) -> list[str]:
    """Comment lines: which plan this is, for which version, what to expect of it, what it leaves open."""
    hosts, put = hosts_of(copies), service.plan.deployment
    where = (
        f"{hosts:,} host{'s' if hosts > 1 else ''} x {min(service.per_host, put.chips)} {one_line(service.chip.name)}"
    )
    lines = [
        f"exaplan: {one_line(service.model)} served by {service.program} on {where}",
        f"deployment: {deployment_text(put)}; {formats_text(service.settings)}",
        f"expected: {_expected(service)}",
        f"not part of the plan: {UNSAID}",
        *_outside(service),
    ]
    use = "use: MODEL=... bash this-file"
    use += " on every host, with HOST=0, 1, ... in the environment" if hosts > 1 else ""
    return [f"# {line}" for line in _broken([*lines, use])]


def _broken(lines: Iterable[str]) -> list[str]:
    """Lines as comments are: not longer than ``WIDTH``."""
    return [part for line in lines for part in wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False)]


def _expected(service: Service) -> str:
    """What the plan promises itself, so that a run can be held against it."""
    plan, promise = service.plan, service.served.promise
    keys = [key for name in ("ttft", "tpot") for key in (at_percentile(name, promise), name) if key in plan.metrics]
    told = [f"{key.replace('_', ' ')} {units.show(plan.metrics[key], 'time', 3)}" for key in keys]
    if "throughput" in plan.metrics:
        told.append(f"{plan.metrics['throughput']:,.0f} output tokens/s")
    memory = f"{plan.memory / 2**30:.1f} of {service.chip.memory / 2**30:.1f} GiB a chip"
    return ", ".join([*told, memory])


def _outside(service: Service) -> list[str]:
    """What of the plan is set beside the engine."""
    scale = service.plan.deployment.autoscale
    told = []
    if scale is not None:
        told.append(
            f"copies come and go: {scale.least} to {scale.most}, one more beyond {scale.target:g} requests a copy, "
            "which the engine does not do itself: start and stop these lines from an orchestrator"
        )
    if service.plan.cluster.power_cap:
        told.append(f"power: the plan caps each chip at {service.plan.cluster.power_cap:.0f} W; set it on the hosts")
    return told


def listening(service: Service) -> list[str]:
    """That a copy is to be reached from other hosts, where there are such; else it listens on its own host alone."""
    return [argument("--host", "0.0.0.0")] if hosts_of(placed(service)) > 1 else []


def policy(service: Service) -> str:
    """What the router of the engine calls the plan's way to choose a copy."""
    return str(table(service.form)["router"]["policies"][service.settings.router])


def urls(copies: Iterable[Copy]) -> str:
    """Addresses of copies, for notes and for files."""
    return " ".join(f"http://{address(copy)}" for copy in copies)


def address(copy: Copy) -> str:
    """Where a copy answers; its host is to be filled in."""
    return f"HOST{copy.host}:{copy.port}"
