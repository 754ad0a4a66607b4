"""What the chips of a measured run were spent in: the replica's iteration at its own pace, on its own machine.

The runs had no promise to keep and wrote no step times down, so how far they departed from isolated kernels is fitted
on them (``Pace``), along with what their tables leave unsaid: lengths of prompts, and how slow the host was that one
chip of a shared node had. Everything is fitted on rows of other models (or of the other chip) than the row's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from exaplan.case.serving import ServeCase, Shape, serve, terms
from exaplan.case.serving_power import lagging_share, scaled, work
from exaplan.catalog import Catalog, serving_names
from exaplan.catalog.engines import fitted
from exaplan.errors import InputError
from exaplan.nouns.serving import Formats, Replica, Settings
from exaplan.perf.serving.inputs import ServeTuning
from exaplan.perf.serving.power import Spent
from exaplan.truth.reading import Skip
from exaplan.truth.serving.power_rows import Powered

# ML.ENERGY's runs: github.com/ml-energy/benchmark, docs/overview.md and configs/vllm (read 2026-11).
ENGINE, MAX_TOKENS = "vllm-v1", 8192
IMAGE, VIDEO = "image-chat", "video-chat"


class Pace(NamedTuple):
    """How the measured runs departed from isolated kernels, and their hosts.

    Factors on times [1]: dense (products, passes, head), experts, low (experts below 16 bit), attention, prompt
    (products and attention of prompts), traffic. Host: base [s per
    iteration], sequence [s per sequence in it], request, image, video [s per request that comes in]. shared_answer
    [s per iteration and output token of a request], shared_image, shared_video [s per request]: on top where an engine
    has one chip of a shared node of the kinds that ``data/fits/serving_power.yaml`` names.
    """

    dense: float
    experts: float
    low: float
    attention: float
    prompt: float
    traffic: float
    base: float
    sequence: float
    request: float
    image: float
    video: float
    shared_answer: float
    shared_image: float
    shared_video: float


class Parts(NamedTuple):
    """A mean iteration by isolated kernels [s], for one length of prompts; lag: share of the experts' time that
    the mean chip waits for the busiest [1]; low: 1 where experts run below 16 bit."""

    dense: float
    experts: float
    attention: float
    prompt: float
    traffic: float
    compute: float
    memory: float
    lag: float
    low: float


class Run(NamedTuple):
    """What a run held: sequences at a time, tokens of an answer; 1 or 0: whether requests bring an image or a video,
    and whether the engine had one chip of a shared node."""

    seqs: float
    output: float
    image: float
    video: float
    shared: float


@lru_cache(maxsize=1024)
def posed(model: str, chip: str, replica: Replica, formats: Formats, seqs: int, shelf: Catalog) -> ServeCase:
    """The replica of a run, by isolated kernels."""
    try:
        found = shelf.chip(serving_names.chip(chip) or chip)
        cluster = shelf.assemble(found, replica.chips, shelf.default_node(found))
        settings = Settings(ENGINE, formats, max_seqs=seqs, max_tokens=MAX_TOKENS)
        engine = fitted(shelf.engine(ENGINE), found)
        return serve(
            shelf.model(serving_names.model(model) or model), cluster, engine, settings, replica, tune=ServeTuning()
        )
    except InputError as error:
        raise Skip(error.problem) from error


def parts(item: Powered, shelf: Catalog, prompt: float, output: float) -> Parts:
    """A mean iteration of a row's replica while it holds all its sequences. [s]

    seqs / output requests come into an iteration; where that is fewer than one, such a share of the iterations reads
    one prompt. A sequence is half done on average.
    """
    case = posed(item.model, item.chip, item.replica, item.formats, item.seqs, shelf)
    seqs = float(item.seqs)
    came = seqs / output
    share = min(1.0, came)
    held = Shape(0.0, 0.0, 0.0, seqs, seqs * (prompt + 0.5 * output))
    mixed = held._replace(prefill_tokens=max(1.0, came) * prompt, chunks=max(1.0, came))
    before, after = terms(case, held), terms(case, mixed)
    mean = {name: (1.0 - share) * before[name] + share * after[name] for name in before}
    works = [(1.0 - share) * one + share * two for one, two in zip(work(case, held), work(case, mixed), strict=True)]
    return Parts(
        dense=before["products"] + mean["vector"] + mean["head"],
        experts=mean["experts"],
        attention=mean["attention_decode"],
        prompt=mean["products"] - before["products"] + mean["attention_prefill"],
        traffic=mean["tp"] + mean["ep"],
        compute=works[0],
        memory=works[1],
        lag=lagging_share(case, seqs),
        low=float(scaled(case)),
    )


def at_pace(found: Parts, run: Run, pace: Pace) -> Spent:
    """What the mean iteration of a run is spent in [s]. Plain arithmetic: arrays of runs will do, too."""
    experts = found.experts * (found.low * pace.low + (1.0 - found.low) * pace.experts)
    work = pace.dense * found.dense + pace.attention * found.attention + pace.prompt * found.prompt + experts
    lag, traffic = found.lag * experts, pace.traffic * found.traffic
    host, own = host_time(run, pace), experts - found.lag * experts
    return Spent(work + traffic + host, host, traffic + lag, found.compute, found.memory, own, own * found.low)


def host_time(run: Run, pace: Pace) -> float:
    """Time for which the chips of a run wait for their host in a mean iteration. [s]"""
    request = pace.request + run.image * pace.image + run.video * pace.video
    more = run.image * pace.shared_image + run.video * pace.shared_video
    return (
        pace.base
        + pace.sequence * run.seqs
        + run.seqs / run.output * (request + run.shared * more)
        + run.shared * pace.shared_answer * run.output
    )


def run_of(item: Powered, output: float, chips: tuple[str, ...]) -> Run:
    """The numbers of a row; ``chips``: whose nodes were shared by several engines."""
    shared = item.replica.chips == 1 and item.chip in chips
    return Run(float(item.seqs), output, float(item.task == IMAGE), float(item.task == VIDEO), float(shared))


def prompt_of(item: Powered, prompts: Mapping[str, float]) -> float:
    """Mean length of a task's prompts [tokens]."""
    if item.task not in prompts:
        raise Skip(f"task {item.task} is not known: its prompts have no length")
    return float(prompts[item.task])


def output_of(item: Powered, outputs: Mapping[str, Mapping[str, float]]) -> float:
    """Mean length of a model's answers in a task [tokens]; the task's median for a model that was not measured."""
    if item.task not in outputs:
        raise Skip(f"task {item.task} is not known: its answers have no length")
    of_task = outputs[item.task]
    return float(of_task.get(item.model, of_task["any"]))
