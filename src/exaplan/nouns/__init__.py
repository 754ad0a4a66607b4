"""The nouns of exaplan, as frozen dataclasses. Plain SI floats inside; units stand in the docstrings.

Verbs live elsewhere. A noun that comes from data carries ``figures``: field name -> Figure, so that every
number can be traced to its source after loading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from exaplan.nouns.law import Clause as Clause
from exaplan.nouns.law import Deal as Deal
from exaplan.nouns.law import Duty as Duty
from exaplan.nouns.law import Missing as Missing
from exaplan.nouns.law import Outcome as Outcome
from exaplan.nouns.law import Verdict as Verdict


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact was read. ``kind``: vendor, paper, regulation, measurement, estimate, press, dataset, user."""

    id: str
    title: str
    address: str
    date: str
    kind: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One number (SI) with its source; ``low``/``high`` where sources differ, ``value`` None = unknown."""

    value: float | None
    source: str
    low: float | None = None
    high: float | None = None
    date: str = ""
    note: str = ""


# --------------------------------------------------------------------------------------------- hardware


@dataclass(frozen=True)
class Chip:
    """One accelerator package as software sees it (one CUDA device, one TPU chip).

    peak: dense FLOP/s by number format (keys fp64 fp32 tf32 fp16 bf16 fp8 fp4 int8; absent = unknown or unsupported).
    memory [B], bandwidth [B/s], link_bandwidth [B/s, one direction, scale-up], domain [chips in a scale-up domain],
    power [W, TDP], die_area [m2], processors [SMs, CUs or tensor cores; 0 = unknown], release [ISO date or year].
    ``None`` = unknown. ``architecture`` names the family whose fits a chip inherits (volta, ampere, hopper,
    blackwell...).
    What export rules look at: applicable_area [m2, logic dies on a non-planar process, summed over the package; 0 =
    made on a planar process], io_bandwidth [B/s, both directions together, to chips other than memory: the test of
    2022], data_center [designed or marketed for data centres], parent: name of the chip that it is cut down from,
    memory_kind: HBM3, GDDR6, LPDDR5X, SRAM ... ("" = unknown), package: name of the chip that is sold and judged where
    this is a part of one (a die that software sees as a device of its own).
    """

    name: str
    vendor: str
    architecture: str
    peak: Mapping[str, float] = field(hash=False)
    memory: float
    bandwidth: float
    link_bandwidth: float | None
    domain: int
    power: float | None
    die_area: float | None
    processors: int
    release: str
    aliases: tuple[str, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=_nothing, repr=False, hash=False)
    applicable_area: float | None = None
    io_bandwidth: float | None = None
    data_center: bool | None = None
    parent: str = ""
    memory_kind: str = ""
    package: str = ""


@dataclass(frozen=True)
class Node:
    """A server, rack slice or cloud instance.

    chips [count], domain [chips joined by scale-up links; may exceed one server, as in NVL72],
    network [B/s per chip, one direction, scale-out; None = unknown], power [W, whole node at full load; None =
    unknown], rent [USD per node-hour; None = not offered], price [USD per node; None = unknown].
    """

    name: str
    chip: str
    chips: int
    domain: int
    link_bandwidth: float | None
    network: float | None
    power: float | None
    rent: float | None
    price: float | None
    provider: str = ""
    aliases: tuple[str, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=_nothing, repr=False, hash=False)


@dataclass(frozen=True)
class Fabric:
    """The scale-out network. kind: rail (rail-optimised fat tree), fat-tree, torus.

    oversubscription >= 1 [ratio], latency [s, one hop between nodes], leaf [chips under one leaf switch or pod; 0 =
    all], in_network: reductions done by the switches. torus: dims by ``torus`` (chips along each axis).
    """

    name: str
    kind: str
    oversubscription: float
    latency: float
    leaf: int = 0
    in_network: bool = False
    torus: tuple[int, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=_nothing, repr=False, hash=False)


@dataclass(frozen=True)
class Site:
    """Where a cluster stands: PUE [ratio], electricity [USD/J], carbon [kg CO2e/J], country (ISO 3166 alpha-2)."""

    name: str
    country: str
    pue: float
    electricity: float
    carbon: float
    figures: Mapping[str, Figure] = field(default_factory=_nothing, repr=False, hash=False)


@dataclass(frozen=True)
class Cluster:
    """``count`` chips of one type in equal nodes on one fabric at one site; power_cap [W per chip; None = its TDP]."""

    name: str
    chip: Chip
    node: Node
    fabric: Fabric
    site: Site
    count: int
    power_cap: float | None = None


# ------------------------------------------------------------------------------------------------ models


@dataclass(frozen=True, slots=True)
class Operator:
    """One counted operator of a block; everything is per token unless said otherwise.

    kind:
      matmul     y[rows, n] = x[rows, k] W[k, n]; ``rows`` input rows per token (1; top_k for routed experts);
                 ``groups`` weight matrices (1; number of experts). FLOPs forward = 2 rows n k per token.
      attention  softmax(QK')V over the sequence; ``heads`` query heads, ``kv_heads``, ``n`` = dim of q and k per
                 head, ``k`` = dim of v per head, ``window`` tokens (0 = all). Causal unless ``causal`` is False.
                 FLOPs forward of full (not causal-skipped) attention = 2 heads (n + k) seq per token.
      vector     memory-bound pass (norm, activation, rotary, residual, softmax of router): moves ``moved`` elements
                 per token (reads + writes, forward); no FLOPs counted.
      lookup     embedding row gather; ``n`` = width, ``k`` = rows of the table (vocabulary).
      scan       state-space scan (Mamba-2 SSD); ``heads``, ``n`` = head dim, ``k`` = state size, ``groups`` = B/C
                 groups, ``window`` = chunk length.
    cut: how tensor/expert parallelism divides it
      none       replicated on every tensor rank (its tokens are divided by sequence parallelism where that is on)
      column     n / tp      row  k / tp      heads  heads / tp
      expert     groups / ep (and n or k / etp);  vocab  table rows or n / tp
    params: trainable-or-not parameters of this operator (all groups), biases included.
    trained: False for frozen weights (no weight gradient, no optimizer state).
    saved: bytes per token kept for the backward pass (16-bit training, fused attention, no recompute), and
    saved_cut: none | tp | sp (divided by tp always / divided by tp only with sequence parallelism); routed experts:
    saved counts all top_k copies and is divided as their tokens are.
    module: the name that recompute settings use: layernorm, qkv, core_attn, attn_proj, mlp, mlp_act, moe, moe_act,
    router, mla_up_proj, mamba, embedding, head, loss, lora.
    """

    name: str
    kind: str
    module: str
    cut: str = "none"
    rows: float = 1.0
    n: int = 0
    k: int = 0
    groups: int = 1
    heads: int = 0
    kv_heads: int = 0
    window: int = 0
    causal: bool = True
    moved: float = 0.0
    params: int = 0
    trained: bool = True
    saved: float = 0.0
    saved_cut: str = "none"


@dataclass(frozen=True)
class Block:
    """A kind of layer: its operators in execution order."""

    name: str
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Model:
    """An architecture as counted operators.

    blocks: the kinds of layer; ``layers``: for each layer, in order, the index of its kind.
    embedding, head: operators before the first and after the last layer (the head holds final norm, logits, loss).
    hidden: width of the residual stream [elements]; vocab; experts (0 = dense), top_k.
    tied: the logits matrix is the embedding table (its params are counted once, on the embedding operator).
    """

    name: str
    family: str
    hidden: int
    vocab: int
    blocks: tuple[Block, ...]
    layers: tuple[int, ...]
    embedding: tuple[Operator, ...]
    head: tuple[Operator, ...]
    tied: bool = False
    experts: int = 0
    top_k: int = 0
    max_seq: int = 0
    spec: Mapping[str, object] = field(default_factory=_nothing, repr=False, hash=False)
    figures: Mapping[str, Figure] = field(default_factory=_nothing, repr=False, hash=False)


# ------------------------------------------------------------------------------------------- work and plan


@dataclass(frozen=True, slots=True)
class Training:
    """Training work. tokens [whole run; None = one step only], seq_len [tokens], global_batch [sequences].

    precision: number format of the matrix products (bf16, fp16, fp8, fp8-block, mxfp8, nvfp4, fp32, tf32).
    method: full | lora. framework: name of the fitted framework generation ("" = the pooled one).
    """

    seq_len: int
    global_batch: int
    precision: str = "bf16"
    method: str = "full"
    tokens: float | None = None
    framework: str = ""
    attention: str = "fused"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a model is cut over chips; dp counts replicas: chips = dp tp pp cp. ep divides dp x cp (x tp when etp = 1).

    vpp: model chunks per pipeline rank. zero: 0-3 (3 = FSDP); zero_group: ranks over which states are sharded
    (0 = all dp x cp). recompute: none | selective | full | comma-separated module names. schedule: 1f1b | interleaved |
    zero-bubble | dualpipe. cp_kind: ring | ulysses.
    """

    dp: int = 1
    tp: int = 1
    pp: int = 1
    vpp: int = 1
    cp: int = 1
    ep: int = 1
    etp: int = 1
    micro_batch: int = 1
    recompute: str = "none"
    zero: int = 1
    zero_group: int = 0
    sequence_parallel: bool = True
    schedule: str = "1f1b"
    cp_kind: str = "ring"
    offload: bool = False

    @property
    def chips(self) -> int:
        """Chips that the layout occupies."""
        return self.dp * self.tp * self.pp * self.cp


@dataclass(frozen=True)
class Estimate:
    """Time, memory and energy of one layout, term by term. Times [s], memory [B per chip], power [W per chip; None =
    unknown].

    breakdown: {term: s} sums to step_time; memory_terms: {term: B} sums to memory. mfu: model FLOPs (6ND + causal
    attention, no recompute) over peak of ``precision`` x time; ``low``/``high``: the 80% interval of step_time.
    """

    layout: Layout
    step_time: float
    low: float
    high: float
    memory: float
    mfu: float
    power: float | None
    flops: float
    breakdown: Mapping[str, float]
    memory_terms: Mapping[str, float]
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What must hold at once; None = no limit. money [USD], power [W], deadline [s], count [chips]."""

    money: float | None = None
    power: float | None = None
    deadline: float | None = None
    count: int | None = None


@dataclass(frozen=True)
class Run:
    """One published measurement: the question it answers and the value measured, with its source."""

    row_id: str
    quantity: str
    measured: float
    source: str
    columns: Mapping[str, str]
