"""Launch files: the settings that make a plan so, for the programs that train and those that serve.

``launch_text(format, answer)`` writes them for the answer's first plan. Every flag stands in data/launch/FORMAT.yaml
with what it sets, where it is documented and for which version; what a program cannot express is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

from exaplan.answers import Answer
from exaplan.answers.serving import Served
from exaplan.errors import InputError, Place
from exaplan.report.launch.deepspeed import deepspeed_text
from exaplan.report.launch.job import Job, job_of
from exaplan.report.launch.llamacpp import llamacpp_text
from exaplan.report.launch.megatron import megatron_text
from exaplan.report.launch.nemo import nemo_text
from exaplan.report.launch.refusal import FIELD, refused, unsupported
from exaplan.report.launch.service import Service, family_of, service_of
from exaplan.report.launch.sglang import sglang_text
from exaplan.report.launch.skypilot import skypilot_text
from exaplan.report.launch.slurm import slurm_text
from exaplan.report.launch.tables import NAMES, SERVERS, elsewhere, formats_for, program, taken, vendors
from exaplan.report.launch.torchtitan import torchtitan_text
from exaplan.report.launch.trtllm import trtllm_text
from exaplan.report.launch.vllm import vllm_text

_WRITERS: Mapping[str, Callable[[Job], str]] = {
    "megatron": megatron_text,
    "torchtitan": torchtitan_text,
    "deepspeed": deepspeed_text,
    "nemo": nemo_text,
    "slurm": slurm_text,
    "skypilot": skypilot_text,
}

_SERVERS: Mapping[str, Callable[[Service], str]] = {
    "vllm": vllm_text,
    "sglang": sglang_text,
    "trtllm": trtllm_text,
    "llama.cpp": llamacpp_text,
}
#: format -> the engines of the catalogue whose plans it makes so; a plan for any engine (pooled) is written for all
ENGINES: Mapping[str, tuple[str, ...]] = {
    "vllm": ("vllm-v1",),
    "sglang": ("sglang",),
    "trtllm": ("trtllm",),
    "llama.cpp": ("llama.cpp",),
}
ANY = "pooled"


class _Formats(Mapping[str, str]):
    """Name -> the program and version that it was checked against, read when asked for."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        return program(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


FORMATS: Mapping[str, str] = _Formats(NAMES)  # of what trains
SERVING: Mapping[str, str] = _Formats(SERVERS)  # of what serves


def check_format(name: str) -> str:
    """The name, or an InputError that lists the known ones."""
    every = (*NAMES, *SERVERS)
    if name in every:
        return name
    near = get_close_matches(name.lower(), every, 1, 0.5)
    guess = f"did you mean {near[0]}? " if near else ""
    raise InputError(
        f"unknown launch format {name!r}", hint=f"{guess}known: {', '.join(every)}", place=Place(field=FIELD)
    )


def check_kind(name: str, kind: str) -> None:
    """Refuse a format of the other kind: training or serving."""
    serves = check_format(name) in SERVERS
    if serves == (kind == "serving"):
        return
    what = "trains" if kind == "serving" else "serves"
    others = ", ".join(SERVERS if kind == "serving" else NAMES)
    problem = f"{program(name)} {what}, and this plan is one for {kind}"
    raise InputError(problem, hint=f"for {kind}: --launch {others}", place=Place(field=FIELD))


def version_of(name: str) -> str:
    """Program and version that the format was checked against."""
    return program(check_format(name))


def launch_text(name: str, answer: Answer | Served) -> str:
    """The launch file of the answer's first plan; InputError where the program cannot express it."""
    check_kind(name, "serving" if isinstance(answer, Served) else "training")
    return _serving(name, answer) if isinstance(answer, Served) else _training(name, answer)


def _serving(name: str, served: Served) -> str:
    service = service_of(served, name)
    vendor = service.chip.vendor
    if vendor and vendor not in vendors(name):
        raise unsupported(program(name), service.chip.name, vendor, formats_for(vendor, SERVERS), "")
    engine, found = family_of(served, service.plan)
    names = (engine, *((found.name,) if found else ()))
    if not {*names} & {*ENGINES[name], ANY}:
        others = [form for form, known in ENGINES.items() if {*names} & {*known}]
        way = f", or use --launch {others[0]}" if others else ""
        raise refused(program(name), f"engine.name = {engine}", f"add --engine {ENGINES[name][0]}{way}")
    return _SERVERS[name](service)


def _training(name: str, answer: Answer) -> str:
    job = job_of(answer, check_format(name))
    _check_chip(name, job)
    try:
        return _WRITERS[name](job)
    except InputError as error:
        if " layout." not in error.problem:
            raise
        hint = f"{error.hint}; what it always takes: {taken(name)}"
        raise InputError(error.problem, hint=hint, place=error.place) from None


def _check_chip(name: str, job: Job) -> None:
    """Refuse chips on which the program does not run; of an own chip without a vendor nothing is known."""
    vendor = job.chip.vendor
    if vendor and vendor not in vendors(name):
        raise unsupported(program(name), job.chip.name, vendor, formats_for(vendor), elsewhere(vendor))


__all__ = ["FORMATS", "SERVING", "check_format", "check_kind", "launch_text", "version_of"]
