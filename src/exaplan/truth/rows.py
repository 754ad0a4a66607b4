"""Rows of published runs: which count, what they ask, and what was chosen where a column is blank.

The columns are those of data/runs/training.csv; blank means unknown. Nothing is chosen by looking at the measurement.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from exaplan.catalog import tuning
from exaplan.errors import InputError, Place
from exaplan.models.lora import with_lora
from exaplan.models.spec import Spec
from exaplan.models.transformer import build
from exaplan.nouns import Layout, Model, Training

REQUIRED = ("step_time_s", "n_chips", "tp", "pp", "global_batch", "micro_batch")
MODEL_COLUMNS = ("layers", "hidden", "heads", "seq_len")
COLUMNS = ("model", "chip", "precision", *MODEL_COLUMNS, *REQUIRED)
SIZE_LIMIT = 64 * 2**20
TRUE, FALSE = ("true", "yes", "1", "1.0"), ("false", "no", "0", "0.0")


@dataclass(frozen=True)
class Question:
    """A row as a question: model, work, chip, layout; ``chosen`` says what was filled in by rule, ``publisher`` and
    ``group`` name its fold, ``network`` [B/s per chip] is what the row states (None: the chip's usual node)."""

    row_id: str
    model: Model
    training: Training
    chip: str
    layout: Layout
    measured: float
    publisher: str
    group: str
    source: str
    task: str
    dropout: bool
    graphs: bool
    recompute_known: bool
    network: float | None
    chosen: tuple[str, ...]

    @property
    def configuration(self) -> tuple[object, ...]:
        """What makes two rows the same configuration."""
        return (self.publisher, self.group, self.task, self.training, self.chip, self.layout, self.graphs, self.network)


class Skip(Exception):
    """A row that does not count, with the reason."""


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV or CSV.gz as text; refuses what is not one. Adds ``_line``."""
    text = _read_text(path)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
    if missing:
        raise InputError(
            f"a file of training runs needs the columns {', '.join(missing)}",
            hint="`exaplan schema run` lists every column; blank cells are allowed",
            place=Place(str(path), 1),
        )
    rows = []
    for row in reader:
        if None in row or None in row.values():
            hint = "each row needs as many cells as the header; quote cells that hold commas"
            raise InputError("wrong number of cells", hint=hint, place=Place(str(path), reader.line_num))
        rows.append({**row, "_line": str(reader.line_num)})
    return rows


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise InputError("this is a directory", hint="give a CSV or CSV.gz file", place=Place(str(path)))
    try:
        with (gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as stream:
            raw = stream.read(SIZE_LIMIT + 1)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read it: {reason}", hint="check the path", place=Place(str(path))) from error
    if len(raw) > SIZE_LIMIT:
        raise InputError(f"larger than {SIZE_LIMIT} bytes", hint="split the file", place=Place(str(path)))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", hint="give a CSV or CSV.gz file", place=Place(str(path))) from error


def row_name(row: Mapping[str, str]) -> str:
    """row_id, or the line where a file has none."""
    return row.get("row_id") or f"line {row.get('_line', '?')}"


def number(row: Mapping[str, str], column: str, default: float | None = None) -> float:
    """A numeric cell; blank takes the default; NaN, infinity, text and negatives are refused."""
    text = (row.get(column) or "").strip()
    if not text:
        if default is None:
            raise Skip(f"{column} is blank")
        return default
    try:
        value = float(text)
    except ValueError:
        raise Skip(f"{column} is not a number: {text!r}") from None
    if not math.isfinite(value) or value < 0:
        raise Skip(f"{column} must be a number of at least 0: {text!r}")
    return value


def whole(row: Mapping[str, str], column: str, default: int | None = None) -> int:
    """A whole-number cell."""
    value = number(row, column, None if default is None else float(default))
    if value != int(value):
        raise Skip(f"{column} is not a whole number: {value}")
    return int(value)


def scoring_reason(row: Mapping[str, str]) -> str:
    """Why a row is not scored, or "" (the one rule of the data's README)."""
    if (row.get("confidence") or "read") != "read":
        return "recalled, not read"
    blank = [column for column in REQUIRED if not (row.get(column) or "").strip()]
    if blank:
        return "blank: " + ", ".join(blank)
    qa = (row.get("qa") or "").strip()
    if qa and not qa.startswith(("fixed", "note")):
        return "qa: " + qa
    notes = row.get("notes") or ""
    return "notes: not for scoring" if "WARNING" in notes or "ambiguous" in notes else ""


def precision_of(text: str, chip: str) -> str:
    """Number format of the matrix products. Finer-grained FP8 is mxfp8 on Blackwell and CDNA4, blocks before."""
    lowered = text.strip().lower()
    fine = "mxfp8" if re.search(r"b200|b300|mi35", chip.lower()) else "fp8-block"
    for pattern, found in (
        (r"nvfp4|fp4", "nvfp4"),
        (r"mxfp8|fp8-mx|alternate|subchannel|block", fine),
        (r"fp8|f8", "fp8"),
        (r"bf16|bfloat", "bf16"),
        (r"fp16|f16|half", "fp16"),
        (r"tf32", "tf32"),
        (r"fp32", "fp32"),
    ):
        if re.search(pattern, lowered):
            return found
    raise Skip(f"precision unknown: {text!r}")


def publisher_of(source: str) -> str:
    """Who published a row, all versions merged: the organisation's repository, benchmark or paper."""
    text = source.lower()
    for pattern, name in (
        ("mlperf", "MLCommons"),
        ("dgxc-benchmarking", "NVIDIA dgxc-benchmarking"),
        ("megatron-bridge|nvidia/nemo|automodel", "NVIDIA NeMo"),
        ("llm-foundry", "MosaicML"),
        ("korthikanti", "Korthikanti 2022"),
        ("vtrain", "vTrain"),
    ):
        if re.search(pattern, text):
            return name
    return re.split(r"[ ,(]", source.strip())[0] or "unknown"


def spec_of(row: Mapping[str, str]) -> Spec:
    """Dimensions of a row's model. Biases, norms and positions follow the MLP kind (gelu: GPT; gated: Llama)."""
    mlp = (row.get("mlp_kind") or "").strip() or "swiglu"
    gpt = mlp in ("gelu", "relu")
    attention = (row.get("attention_kind") or "").strip()
    hidden, heads, experts = whole(row, "hidden"), whole(row, "heads"), whole(row, "experts", 0)
    ffn = whole(row, "ffn", 0) or (4 * hidden if gpt else 0)
    dims: dict[str, object] = {
        "name": row.get("model") or "model",
        "layers": whole(row, "layers"),
        "hidden": hidden,
        "ffn": ffn,
        "heads": heads,
        "kv_heads": whole(row, "kv_heads", 0),
        "head_dim": whole(row, "head_dim", 0),
        "vocab": whole(row, "vocab", 50304),
        "mlp": mlp,
        "norm": "layernorm" if gpt else "rmsnorm",
        "attention_bias": gpt,
        "mlp_bias": gpt,
        "tied": gpt,
        "position": "alibi" if "alibi" in attention else ("learned" if gpt else "rope"),
        "max_positions": whole(row, "seq_len") if gpt else 0,
        "parallel_block": "parallel" in attention,
    }
    if experts:
        dims |= expert_fields(row, experts)
    if attention == "mla":
        dims |= latent_fields(hidden, heads)
    if attention.startswith("hybrid-mamba2"):
        dims |= hybrid_fields(row)
    return Spec(**dims)  # type: ignore[arg-type]


def expert_fields(row: Mapping[str, str], experts: int) -> dict[str, object]:
    """Routed experts of a row."""
    width = whole(row, "moe_ffn", 0) or whole(row, "ffn", 0)
    return {
        "experts": experts,
        "top_k": whole(row, "top_k", 2),
        "expert_ffn": width,
        "shared_experts": whole(row, "shared_experts", 0),
        "dense_layers": whole(row, "dense_layers", 0),
    }


def latent_fields(hidden: int, heads: int) -> dict[str, object]:
    """MLA ranks, which the columns lack: DeepSeek-V2/V3's own (arXiv:2412.19437, section 4.2), queries direct if small."""
    return {
        "q_lora_rank": 1536 if hidden >= 5120 else 0,
        "kv_lora_rank": 512,
        "qk_nope_dim": 128,
        "qk_rope_dim": 64,
        "v_dim": 128,
        "head_dim": 0,
        "kv_heads": heads,
    }


def hybrid_fields(row: Mapping[str, str]) -> dict[str, object]:
    """A hybrid's layer pattern and Mamba-2 sizes, which the columns lack: those of the bundled model of that size."""
    pattern = hybrid_pattern(whole(row, "layers"), whole(row, "experts", 0) > 0)
    hidden = whole(row, "hidden")
    heads = max(8, hidden * 2 // 64 // 8 * 8) if hidden != 2688 else 64
    return {
        "pattern": pattern,
        "mamba_heads": heads,
        "mamba_head_dim": 64,
        "state_dim": 128,
        "mamba_groups": 8,
        "position": "none",
    }


def hybrid_pattern(layers: int, experts: bool) -> str:
    """Share of layer kinds as Nemotron-H and Nemotron 3 publish it: about 8% attention, the rest half Mamba-2.

    Nemotron 3 Nano: 52 layers = 23 Mamba-2, 23 expert, 6 attention (its technical report, table 1).
    """
    attention = max(1, round(layers * 6 / 52))
    mamba = (layers - attention + 1) // 2
    rest = layers - attention - mamba
    return "M" * mamba + ("E" if experts else "-") * rest + "*" * attention


def method_of(row: Mapping[str, str], model: Model) -> tuple[Model, str, str]:
    """(model, method, what was chosen): LoRA rows carry adapters. MLPerf: rank 16 on attention; elsewhere rank 8 on all."""
    task = (row.get("task") or "").lower()
    if "lora" not in task:
        return model, "full", ""
    if "mlperf" in task:
        return with_lora(model, 16), "lora", "LoRA rank 16 on qkv and projection (MLPerf rules)"
    targets = ("linear_qkv", "linear_proj", "linear_fc1", "linear_fc2")
    return with_lora(model, 8, targets), "lora", "LoRA rank 8 on all linear layers (NeMo default)"


def sharding_of(row: Mapping[str, str], dp: int) -> tuple[int, int, str]:
    """(ZeRO stage, group, what was chosen). Blank: 1, the default of Megatron's distributed optimizer."""
    text = (row.get("zero_stage") or "").strip().lower()
    if (row.get("fsdp") or "").strip().lower() in TRUE and not text.startswith("fsdp+"):
        return 3, 0, ""
    if found := re.search(r"shard group (\d+)", text):
        return 3, int(found.group(1)), ""
    if "hsdp" in text:
        return 3, 8, "HSDP shards within a node of 8"
    if "zero3" in text or "fsdp+dp" in text or "megatron-fsdp" in text or text in ("3", "3.0"):
        return 3, 0, ""
    if "zero2" in text or text in ("2", "2.0"):
        return 2, 0, ""
    if text in ("none", "0", "0.0", "ddp"):
        return 0, 0, ""
    if text:
        return 1, 0, ""
    return 1, 0, "zero = 1"


def recompute_of(row: Mapping[str, str]) -> str | None:
    """Recompute setting, or None where unknown (then the cheapest that fits is chosen)."""
    text = (row.get("recompute") or "").strip().lower()
    if not text:
        return None
    if text.startswith("modules:"):
        names = [part.strip() for part in text.removeprefix("modules:").split(",")]
        known = {"out_proj": "attn_proj", "mlp_wi": "mlp_act", "attn": "core_attn", "moe_layer": "moe"}
        return ",".join(known.get(name, name) for name in names)
    if text.startswith("selective-op"):
        return "layernorm,mlp_act,attn_proj"
    if text.startswith("selective-layer"):
        return "full:0.5"
    if text.startswith("full"):
        return "full"
    if text.startswith("selective"):
        return "selective"
    return "none"


def sequence_parallel_of(row: Mapping[str, str], tp: int) -> bool:
    """Blank: on wherever tp > 1."""
    text = (row.get("sequence_parallel") or "").strip().lower()
    return tp > 1 and not text.startswith(FALSE)


def layout_of(row: Mapping[str, str]) -> tuple[Layout, list[str]]:
    """The row's layout and what was chosen for blanks."""
    chips, tp, pp = whole(row, "n_chips"), max(1, whole(row, "tp")), max(1, whole(row, "pp"))
    cp, chosen = max(1, whole(row, "cp", 1)), []
    dp = chips // (tp * pp * cp)
    if dp < 1 or dp * tp * pp * cp != chips:
        raise Skip(f"layout does not use {chips} chips: tp {tp} x pp {pp} x cp {cp} leaves no whole dp")
    ep = max(1, whole(row, "ep", 1))
    if whole(row, "experts", 0) and not (row.get("ep") or "").strip():
        chosen.append("ep = 1")
    etp_text = (row.get("etp") or "").strip()
    etp = int(float(etp_text)) if etp_text else (tp if (chips // pp) % (tp * ep) == 0 else 1)
    zero, group, said = sharding_of(row, dp)
    recompute = recompute_of(row)
    for column in ("vpp", "cp"):
        if not (row.get(column) or "").strip() and (column == "cp" or pp > 1):
            chosen.append(f"{column} = 1")
    chosen += [said] if said else []
    chosen += [] if recompute is not None else ["recompute = cheapest that fits"]
    layout = Layout(
        dp=dp,
        tp=tp,
        pp=pp,
        vpp=max(1, whole(row, "vpp", 1)) if pp > 1 else 1,
        cp=cp,
        ep=ep,
        etp=min(etp, tp),
        micro_batch=whole(row, "micro_batch"),
        recompute=recompute or "none",
        zero=zero,
        zero_group=group,
        sequence_parallel=sequence_parallel_of(row, tp),
    )
    return layout, chosen


def network_of(row: Mapping[str, str]) -> float | None:
    """Scale-out bandwidth that the row's notes state per node of eight, else None. [B/s per chip]"""
    notes = row.get("notes") or ""
    found = re.search(r"(\d+)\s*Gb(?:ps|/s)\s+(?:node-node|per node between nodes)", notes)
    return float(found.group(1)) * 1e9 / 8 / 8 if found else None


@lru_cache(maxsize=1024)
def _built(spec: Spec) -> Model:
    return build(spec)


def question(row: Mapping[str, str]) -> Question:
    """A row as a Question; raises Skip with the reason."""
    try:
        spec = spec_of(row)
    except InputError as error:
        raise Skip(f"model: {error.problem}") from error
    source = row.get("source") or ""
    software = tuning.generation(f"{row.get('framework') or ''} | {source}")
    model, method, said = method_of(row, _built(spec))
    layout, chosen = layout_of(row)
    chip = (row.get("chip") or "").strip()
    precision = precision_of(row.get("precision") or "", chip)
    training = Training(
        seq_len=whole(row, "seq_len"),
        global_batch=whole(row, "global_batch"),
        precision=precision,
        method=method,
        framework=str(software.get("generation", "")),
        attention=str(software.get("attention", "fused")),
    )
    if min(training.seq_len, training.global_batch, layout.micro_batch) < 1:
        raise Skip("seq_len, global_batch and micro_batch must be at least 1")
    return Question(
        row_id=row_name(row),
        model=model,
        training=training,
        chip=chip,
        layout=layout,
        measured=number(row, "step_time_s"),
        publisher=publisher_of(source),
        group=row.get("group") or f"{row.get('model') or ''}|{chip}",
        source=source,
        task=row.get("task") or "",
        dropout=bool(software.get("dropout", False)),
        graphs=(row.get("cuda_graph") or "").strip().lower() in TRUE,
        recompute_known=recompute_of(row) is not None,
        network=network_of(row),
        chosen=tuple(chosen + ([said] if said else [])),
    )


def distinct(questions: Iterable[Question]) -> list[Question]:
    """Each configuration once, with the median of its repeats."""
    groups: dict[tuple[object, ...], list[Question]] = {}
    for item in questions:
        groups.setdefault(item.configuration, []).append(item)
    return [replace(items[0], measured=statistics.median(i.measured for i in items)) for items in groups.values()]
