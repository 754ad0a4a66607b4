"""A served model cut for one chip of a replica: rows of operators, kinds of attention, and the bytes of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np

from exaplan.models.serving import Cache, caches, drafting, head, served, whole
from exaplan.nouns import Model, Operator
from exaplan.nouns.serving import Replica
from exaplan.perf.serving.inputs import (
    ALL,
    COLUMNS,
    EXCHANGE,
    GATHER,
    GROUPED,
    OWN,
    PASS,
    PRODUCT,
    REDUCE,
    SCAN,
    SEND,
    TERMS,
    Table,
)

UNQUANTISED = ("head", "embedding", "router", "lora", "loss")  # matrices that checkpoints keep in 16 bit
MLPS = ("mlp", "moe", "shared_experts")
TERM = {name: float(number) for number, name in enumerate(TERMS)}


@dataclass(frozen=True, slots=True)
class Widths:
    """Bytes per weight and per element that it multiplies, below 16 bit and which matrices are stored so."""

    weight: float
    given: float
    scope: str


class Estimates(NamedTuple):
    """What no table tells (data/serving_estimates.yaml): logit [B that sampling moves of a logit], passes [kernels of
    a sampler], decompression [share of the 16-bit peak at which cached latents of MLA are decompressed]."""

    logit: float
    passes: float
    decompression: float


@dataclass(frozen=True, slots=True)
class Cutting:
    """How one replica is cut: its layout, the chips of a scale-up domain, the widths, estimates, adapters (count,
    rank)."""

    replica: Replica
    domain: int
    widths: Widths
    estimates: Estimates
    lora: tuple[int, int] = (0, 0)

    @property
    def ranks(self) -> int:
        """Chips that share the experts of a layer."""
        return self.replica.tp * self.replica.dp

    @property
    def inner_outer(self) -> tuple[float, float]:
        """Tensor ranks in a domain, and domains of a tensor group."""
        return split(self.replica.tp, self.domain)

    @property
    def pieces(self) -> float:
        """Chips that one expert is cut over."""
        return max(1.0, self.ranks / self.replica.ep)


def split(ranks: int, domain: int) -> tuple[float, float]:
    """(ranks in a domain, domains) of a group."""
    inner = min(ranks, max(1, domain))
    return float(inner), float(ceil(ranks / inner))


def row(kind: int, term: str, count: float, side: float = OWN, **values: float) -> list[float]:
    """One row; what is left out: 1 row per token, 1 group, 16-bit weights and inputs, 1 rank."""
    base = {"rows": 1.0, "n": 0.0, "k": 0.0, "groups": 1.0, "experts": 1.0, "top": 1.0, "low": 0.0, "weight": 2.0}
    full = base | {"given": 2.0, "moved": 0.0, "ranks": 1.0, "outer": 1.0} | values
    return [float(kind), TERM[term], count, float(side), *(float(full[name]) for name in ORDER)]


ORDER = ("rows", "n", "k", "groups", "experts", "top", "low", "weight", "given", "moved", "ranks", "outer")


def is_low(op: Operator, cut: Cutting, model: Model) -> bool:
    """Whether a matrix is stored in the format of the weights rather than in 16 bit."""
    scope = cut.widths.scope
    if scope == "all":
        return op.module != "router"
    if op.module in UNQUANTISED or cut.widths.weight >= 2.0:
        return False
    if scope == "experts" and model.experts:
        return op.cut == "expert"
    if scope == "mlp" and (whole(model, "kv_lora_rank") or model.experts):
        return op.module in MLPS and op.name not in ("shared_gate", "latent_down", "latent_up")
    return True


def widths(op: Operator, cut: Cutting, model: Model) -> dict[str, float]:
    """Columns LOW, WEIGHT and INPUT of a product."""
    low = is_low(op, cut, model)
    return {"low": float(low), "weight": cut.widths.weight, "given": cut.widths.given} if low else {}


def product_rows(op: Operator, times: float, cut: Cutting, model: Model, term: str) -> Iterator[list[float]]:
    """A dense product, its adapters, and the reduction after one that is cut along its inputs."""
    tp = cut.replica.tp
    n = op.n / tp if op.cut in ("column", "vocab", "heads") else op.n
    k = op.k / tp if op.cut == "row" else op.k
    yield row(PRODUCT, term, times, n=n, k=k, rows=op.rows, groups=op.groups, **widths(op, cut, model))
    adapters, rank = cut.lora
    if adapters and op.cut in ("column", "row") and term == "products":
        shared = {"groups": adapters, "experts": adapters, "top": 1.0}
        yield row(GROUPED, term, times, n=rank, k=k, **shared)
        yield row(GROUPED, term, times, n=n, k=rank, **shared)
    if op.cut == "row" and tp > 1 and not (op.module == "shared_experts" and cut.replica.dp == 1):
        yield reduction(model.hidden, times, cut)


def reduction(width: float, times: float, cut: Cutting) -> list[float]:
    """All-reduce of 16-bit activations over the tensor ranks."""
    inner, outer = cut.inner_outer
    return row(REDUCE, "tp", times, moved=2.0 * width, ranks=inner, outer=outer)


def expert_rows(op: Operator, times: float, cut: Cutting, model: Model, term: str) -> Iterator[list[float]]:
    """Grouped products of the experts that a chip holds, and what brings tokens to them and back."""
    ep, pieces = cut.replica.ep, cut.pieces
    down = "down" in op.name
    n = op.n if down else op.n / pieces
    k = op.k / pieces if down else op.k
    shape = {"rows": op.rows / ep, "n": n, "k": k, "groups": op.groups / ep}
    yield row(GROUPED, term, times, ALL, experts=op.groups, top=op.rows, **shape, **widths(op, cut, model))
    if down:
        yield from exchange_rows(op, times, cut, model)


def exchange_rows(op: Operator, times: float, cut: Cutting, model: Model) -> Iterator[list[float]]:
    """One rank group with all tokens reduces; attention ranks with tokens of their own send them to the experts."""
    if cut.replica.dp == 1:
        if cut.replica.tp > 1:
            yield reduction(op.n, times, cut)
        return
    inner, outer = split(cut.ranks, cut.domain)
    given = min(1.0, cut.widths.given) if cut.widths.given < 2.0 else 2.0
    top = op.rows if cut.replica.ep > 1 else 0.0
    shape = {"n": op.n, "groups": float(cut.ranks), "top": top, "given": given, "ranks": inner, "outer": outer}
    yield row(EXCHANGE, "ep", times, ALL, **shape)


def pass_rows(op: Operator, times: float, cut: Cutting, model: Model, term: str) -> Iterator[list[float]]:
    """A memory-bound pass; permuting for experts writes indices alone, as the grouped kernels gather their rows."""
    share, side = 1.0, OWN
    if op.cut == "expert":
        share, side = 1.0 / cut.ranks, ALL
    elif op.module == "moe":
        share, side = 1.0 / cut.replica.ep, ALL
    elif op.cut != "none":
        share = 1.0 / cut.replica.tp
    moved = 8.0 * model.top_k if op.name.endswith("dispatch") else 2.0 * op.moved * share
    yield row(PASS, "vector" if term != "draft" else term, times, side, moved=moved)


def scan_rows(op: Operator, times: float, cut: Cutting, model: Model, term: str) -> Iterator[list[float]]:
    """Chunked scan over prompt tokens (Dao and Gu 2024, arXiv:2405.21060, section 6); k: FLOP per token.

    Decoding steps read and write the state, which stands under attention.
    """
    heads, chunk = op.heads / cut.replica.tp, float(op.window or 256)
    flops = 2.0 * heads * (0.5 * chunk * (op.k + op.n) + 2.0 * op.k * op.n)
    moved = 2.0 * heads * (4.0 * op.n + 4.0 * op.n * op.k / chunk)
    yield row(SCAN, "vector" if term != "draft" else term, times, k=flops, moved=moved)


def operator_rows(op: Operator, times: float, cut: Cutting, model: Model, term: str = "") -> Iterator[list[float]]:
    """Rows of one counted operator that runs ``times`` times in an iteration."""
    if op.kind == "matmul" and op.cut == "expert":
        yield from expert_rows(op, times, cut, model, term or "experts")
    elif op.kind == "matmul":
        yield from product_rows(op, times, cut, model, term or "products")
    elif op.kind == "vector":
        yield from pass_rows(op, times, cut, model, term or "vector")
    elif op.kind == "scan":
        yield from scan_rows(op, times, cut, model, term or "vector")


def table(rows: list[list[float]]) -> Table:
    """Rows as an array, shape (n, COLUMNS)."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), COLUMNS)


def layer_table(model: Model, cut: Cutting) -> Table:
    """Everything that depends on the tokens of an iteration: embedding, layers, sends between stages."""
    rows = [line for op, times in served(model) for line in operator_rows(op, float(times), cut, model)]
    rows.append(row(PASS, "vector", 1.0, moved=4.0 * model.hidden))
    if cut.replica.tp > 1:
        rows.append(reduction(model.hidden, 1.0, cut))
    stages = cut.replica.pp
    if stages > 1:
        away = 1.0 if cut.replica.chips <= cut.domain else 2.0
        rows.append(row(SEND, "pp", stages - 1.0, moved=2.0 * model.hidden / cut.replica.tp, outer=away))
    return table(rows)


def head_rows(model: Model, ops: tuple[Operator, ...], cut: Cutting, times: float, term: str) -> list[list[float]]:
    """Norm, logits, gathering them over tensor ranks, and sampling, for each sequence that yields a token."""
    rows = [line for op in ops for line in operator_rows(op, times, cut, model, term) if line[0] != REDUCE]
    if cut.replica.tp > 1:
        inner, _ = cut.inner_outer
        rows.append(row(GATHER, term, times, moved=2.0 * model.vocab, ranks=inner))
    known = cut.estimates
    rows.append(row(PASS, term, known.passes * times, moved=known.logit * model.vocab / known.passes))
    return rows


def head_table(model: Model, cut: Cutting) -> Table:
    """What yields a token."""
    return table(head_rows(model, head(model), cut, 1.0, "head"))


def draft_table(model: Model, cut: Cutting, length: int, own: bool) -> Table:
    """Drafting ``length`` tokens one after the other: by the extra prediction layer, or by a whole small model.

    A model without extra layers drafts with one of its own layers, as EAGLE heads are built (arXiv:2401.15077).
    """
    if not own:
        rows = [line for op, times in served(model) for line in operator_rows(op, float(times * length), cut, model)]
        rows += head_rows(model, head(model), cut, float(length), "draft")
        return table([as_draft(line) for line in rows])
    ops = drafting(model)
    if not ops:
        ops = (*model.blocks[model.layers[-1]].operators, *head(model))
    rows = [line for op in ops for line in operator_rows(op, float(length), cut, model, "draft")]
    return table([as_draft(line) for line in rows])


def as_draft(line: list[float]) -> list[float]:
    """A row under the term of drafting, by the sequences of its own rank."""
    return [line[0], TERM["draft"], line[2], float(OWN), *line[4:]]


def kinds(model: Model) -> tuple[Cache, ...]:
    """Kinds of layers that keep something per sequence."""
    return caches(model)


def local_share(op: Operator, cut: Cutting) -> float:
    """Part of an operator's weights that one chip of a stage holds. [1]"""
    if op.cut == "expert":
        return 1.0 / cut.ranks
    return 1.0 if op.cut == "none" else 1.0 / cut.replica.tp


def weight_bytes(model: Model, cut: Cutting, draft: int = 0) -> float:
    """Weights on the fullest chip [B]: its share of the layers, embedding and logits, the drafting layers."""

    def size(op: Operator) -> float:
        width = cut.widths.weight if op.kind in ("matmul", "lookup") and is_low(op, cut, model) else 2.0
        return op.params * width * local_share(op, cut)

    stages = cut.replica.pp
    full = ceil(len(model.layers) / stages) / max(1, len(model.layers))
    layers = sum(times * size(op) for op, times in served(model)) * full
    ends = [sum(size(op) for op in model.embedding), sum(size(op) for op in head(model))]
    extra = sum(size(op) for op in drafting(model)) if draft else 0.0
    adapters, rank = cut.lora
    lora = adapters * rank * 2.0 * sum(times * lora_width(op, cut) for op, times in served(model)) * full
    if stages == 1:
        return layers + sum(ends) + extra + lora
    # stages are balanced with both ends counted, so the fullest holds its even part or its whole layers
    return max(layers, (layers / full + sum(ends)) / stages) + extra + lora


def lora_width(op: Operator, cut: Cutting) -> float:
    """Elements of an adapter of rank 1 on one chip beside a product."""
    if op.kind != "matmul" or op.cut not in ("column", "row"):
        return 0.0
    n = op.n / cut.replica.tp if op.cut == "column" else op.n
    return n + (op.k / cut.replica.tp if op.cut == "row" else op.k)
