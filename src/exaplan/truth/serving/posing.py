"""A serving question -> a replica on its chips, ready to be predicted; what a row leaves open is chosen by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from exaplan.case.serving import ServeCase, iterations, serve
from exaplan.catalog import Catalog
from exaplan.catalog.engines import fitted
from exaplan.errors import InputError
from exaplan.nouns import Cluster, Model
from exaplan.nouns.serving import Engine, Replica
from exaplan.perf.serving.inputs import ServeTuning
from exaplan.truth.reading import Skip
from exaplan.truth.serving.questions import Question

DEGREES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Posed:
    """A question and its case; ``copies`` of it share the load. reader: the case that reads prompts (disaggregated)."""

    question: Question
    case: ServeCase
    copies: int
    reader: ServeCase | None = None
    readers: int = 0


@lru_cache(maxsize=256)
def cluster_of(shelf: Catalog, chip: str, count: int, node: str = "") -> Cluster:
    """Chips in their usual node, or in the named one."""
    try:
        return shelf.assemble(shelf.chip(chip), count, shelf.node(node) if node else None)
    except InputError as error:
        raise Skip(f"chip: {error.problem}") from error


@lru_cache(maxsize=256)
def model_of(shelf: Catalog, name: str) -> Model:
    """A model of the catalogue."""
    try:
        return shelf.model(name)
    except InputError as error:
        raise Skip(f"model: {error.problem}") from error


@lru_cache(maxsize=1024)
def engine_of(shelf: Catalog, name: str, chip: str, usage: str, release: str, graphs: bool | None) -> Engine:
    """The engine as it starts on a chip, without graphs where a row's launch says so."""
    found = fitted(shelf.engine(name), shelf.chip(chip), usage, release)
    return found if graphs is None else replace(found, graphs=graphs)


def pose(question: Question, shelf: Catalog, tune: ServeTuning | None = None) -> Posed:
    """The case of a row; raises Skip with the reason where it cannot be predicted."""
    model, engine = model_of(shelf, question.model), _engine(question, shelf)
    cluster = cluster_of(shelf, question.chip, question.chips, question.node)
    try:
        if question.replica is None:
            return chosen(question, model, cluster, engine, tune)
        case = serve(model, cluster, engine, question.settings, question.replica, tune=tune)
        if question.prefill is None:
            return Posed(question, roomy(case, question), question.replicas)
        reader = serve(model, cluster, engine, question.settings, question.prefill, tune=tune)
        return Posed(
            question, roomy(case, question), question.replicas, roomy(reader, question), question.prefill_replicas
        )
    except InputError as error:
        raise Skip(error.problem) from error


def _engine(question: Question, shelf: Catalog) -> Engine:
    return engine_of(shelf, question.engine, question.chip, question.usage, question.release, question.graphs)


def roomy(case: ServeCase, question: Question) -> ServeCase:
    """A row that was measured did fit: its cache holds at least the longest request, whatever the estimate says."""
    protocol = question.protocol
    least = int(1.1 * (protocol.prompt + protocol.output)) * case.replica.dp + case.policy.block * 4
    tokens = max(case.kv_tokens, least)
    budget = case.policy.max_tokens
    if not case.policy.chunked:
        budget = max(budget, int(protocol.prompt) + 1)
    longest = max(case.policy.max_context, 2 * int(protocol.prompt + protocol.output))
    policy = case.policy._replace(kv_tokens=tokens, max_tokens=budget, max_context=longest)
    return replace(case, kv_tokens=tokens, policy=policy)


def layouts(question: Question, model: Model) -> Iterator[Replica]:
    """Layouts that use whole nodes evenly: tensor parallel, for experts with data-parallel attention, too."""
    for tp in DEGREES:
        if question.chips % tp == 0 and tp <= question.chips:
            yield Replica(tp=tp)
    if model.experts:
        for ranks in DEGREES[1:]:
            if question.chips % ranks == 0 and model.experts % ranks == 0:
                yield Replica(tp=1, dp=ranks, ep=ranks)


def chosen(question: Question, model: Model, cluster: Cluster, engine: Engine, tune: ServeTuning | None) -> Posed:
    """The layout of most estimated throughput: submitters tune theirs."""
    best: tuple[float, Posed] | None = None
    for replica in layouts(question, model):
        case = serve(model, cluster, engine, question.settings, replica, tune=tune)
        need = question.protocol.prompt + question.protocol.output
        if case.kv_tokens < need:
            continue
        copies = question.chips // replica.chips
        worth = copies * offline_rate(case, question)
        if best is None or worth > best[0] * 1.001:
            best = worth, Posed(question, roomy(case, question), copies)
    if best is None:
        raise Skip("no layout of these chips holds the model")
    return best[1]


def offline_rate(case: ServeCase, question: Question) -> float:
    """Output tokens/s of one copy that is never short of requests, within the limit of time per token. [1/s]"""
    rate, seqs = offline_flow(case, question)
    limit = question.protocol.limits[1]
    return rate / max(1.0, seqs / rate / limit) if limit > 0.0 else rate


def offline_flow(case: ServeCase, question: Question) -> tuple[float, float]:
    """(output tokens/s of one copy that is never short of requests, sequences at a time), in the mean.

    B o / (o t_d + B t_p): B sequences at a time, t_d a step of theirs, t_p what a prompt adds.
    """
    prompt, output = question.protocol.prompt, question.protocol.output
    seqs = max(1.0, min(case.policy.max_seqs, case.kv_tokens / (prompt + 0.75 * output)))
    context = seqs * (prompt + 0.5 * output)
    shapes = np.array([[0.0, 0.0, 0.0, seqs, context], [prompt, 0.0, 1.0, seqs, context]])
    alone, both = iterations(case, shapes)
    return float(seqs * output / (output * alone + seqs * max(1e-9, both - alone))), seqs
