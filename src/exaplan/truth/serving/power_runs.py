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
from exaplan.case.serving_power import scaled, work
from exaplan.catalog import Catalog
from exaplan.catalog.engines import fitted
from exaplan.errors import InputError
from exaplan.nouns.serving import Settings
from exaplan.perf.serving.inputs import EXPERTS, GROUPED, GROUPS, KIND, TOP, ServeTuning
from exaplan.perf.serving.power import Spent, busiest
from exaplan.truth.reading import Skip
from exaplan.truth.serving.names import chip_name, model_name
from exaplan.truth.serving.power_rows import Powered

# ML.ENERGY's runs: github.com/ml-energy/benchmark, docs/overview.md and configs/vllm (read 2026-11).
ENGINE, MAX_TOKENS = "vllm-v1", 8192
IMAGE, VIDEO = "image-chat", "video-chat"


class Pace(NamedTuple):
    """How the measured runs departed from isolated kernels, and their hosts.

    Factors on times [1]: dense (products, passes, head), experts, low (experts below 16 bit), attention, prompt
    (products and attention of prompts), traffic; lag (on what the busiest chip takes longer). Host: base [s per
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
    lag: float
    base: float
    sequence: float
    request: float
    image: float
    video: float
    shared_answer: float
    shared_image: float
    shared_video: float


class Parts(NamedTuple):
    """A mean iteration by isolated kernels [s], for one length of prompts; ``lag``: share by which the busiest chip's
    experts take longer [1]; low: 1 where experts run below 16 bit."""

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


def posed(item: Powered, shelf: Catalog) -> ServeCase:
    """The replica of a row, by isolated kernels."""
    return _posed(item.model, item.chip, item.replica, item.formats, item.seqs, shelf)


@lru_cache(maxsize=1024)
def _posed(model: str, chip: str, replica: object, formats: object, seqs: int, shelf: Catalog) -> ServeCase:
    try:
        found = shelf.chip(chip_name(chip))
        cluster = shelf.assemble(found, replica.chips, shelf.default_node(found))  # type: ignore[attr-defined]
        settings = Settings(ENGINE, formats, max_seqs=seqs, max_tokens=MAX_TOKENS)  # type: ignore[arg-type]
        engine = fitted(shelf.engine(ENGINE), found)
        return serve(shelf.model(model_name(model)), cluster, engine, settings, replica, tune=ServeTuning())  # type: ignore[arg-type]
    except InputError as error:
        raise Skip(error.problem) from error


def parts(item: Powered, shelf: Catalog, prompt: float, output: float) -> Parts:
    """A mean iteration of a row's replica while it holds all its sequences. [s]

    seqs / output requests come into an iteration; where that is fewer than one, such a share of the iterations reads
    one prompt. A sequence is half done on average.
    """
    case, seqs = posed(item, shelf), float(item.seqs)
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
        lag=lag(case, seqs),
        low=float(scaled(case)),
    )


def lag(case: ServeCase, tokens: float) -> float:
    """Share by which the busiest chip's experts take longer than the mean chip's [1]; 0 without experts spread."""
    grouped = case.layers[case.layers[:, KIND] == GROUPED]
    if case.replica.ep == 1 or not len(grouped):
        return 0.0
    row = grouped[0]
    return busiest(float(row[GROUPS]), float(row[EXPERTS]), float(row[TOP]), tokens, float(case.replica.ep))


def at_pace(found: Parts, run: Run, pace: Pace) -> Spent:
    """What the mean iteration of a run is spent in [s]. Plain arithmetic: arrays of runs will do, too."""
    experts = found.experts * (found.low * pace.low + (1.0 - found.low) * pace.experts)
    work = pace.dense * found.dense + pace.attention * found.attention + pace.prompt * found.prompt + experts
    traffic = pace.traffic * found.traffic + pace.lag * found.lag * experts
    host = host_time(run, pace)
    return Spent(work + traffic + host, host, traffic, found.compute, found.memory, experts, experts * found.low)


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
    of_task = outputs[item.task]
    return float(of_task.get(item.model, of_task["any"]))

