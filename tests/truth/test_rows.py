"""Rows of published runs: what is read, what is refused or skipped and why, what is chosen where a cell is blank."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import pytest

from exaplan.errors import InputError
from exaplan.truth import reading
from exaplan.truth.cutting import layout_of, recompute_of, sequence_parallel_of, sharding_of
from exaplan.truth.modelling import hybrid_pattern, spec_of
from exaplan.truth.rows import (
    COLUMNS,
    Question,
    Skip,
    distinct,
    network_of,
    open_layout,
    precision_of,
    publisher_of,
    question,
    read_rows,
    row_name,
    scoring_reason,
)

DENSE = {
    "row_id": "T-1", "model": "toy-1b", "task": "pretrain", "layers": "16", "hidden": "2048", "ffn": "5632",
    "heads": "16", "kv_heads": "8", "head_dim": "128", "vocab": "32000", "seq_len": "4096", "mlp_kind": "swiglu",
    "precision": "bf16", "chip": "H100", "n_chips": "64", "tp": "2", "pp": "2", "vpp": "2", "cp": "1", "ep": "1",
    "zero_stage": "1", "recompute": "none", "micro_batch": "1", "global_batch": "256", "step_time_s": "1.5",
    "source": "mosaicml/llm-foundry README", "confidence": "read",
}  # fmt: skip
MOE = DENSE | {"experts": "16", "top_k": "4", "moe_ffn": "1024", "shared_experts": "1", "dense_layers": "2"}


def asked(**cells: str) -> Question:
    return question(DENSE | cells)


def write(path: Path, *rows: Mapping[str, str], header: list[str] | None = None) -> Path:
    """A CSV file of rows."""
    names = header or list(DENSE)
    lines = [",".join(names), *(",".join(row.get(name, "") for name in names) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------------- files


def test_rows_are_text_with_their_line(tmp_path: Path) -> None:
    """Cells as they stand, and the line number for rows without an id."""
    path = write(tmp_path / "runs.csv", DENSE, DENSE | {"row_id": ""})
    rows = read_rows(path)
    assert [row["tp"] for row in rows] == ["2", "2"]
    assert [row_name(row) for row in rows] == ["T-1", "line 3"]
    assert row_name({}) == "line ?"


def test_lines_count_what_quoted_cells_span(tmp_path: Path) -> None:
    """A line number is that of the file, not of the record."""
    path = tmp_path / "runs.csv"
    quoted = [DENSE[name] if name != "model" else '"two\nlines"' for name in DENSE]
    path.write_text(",".join(DENSE) + "\n" + ",".join(quoted) + "\n" + ",".join(DENSE.values()) + "\n")
    assert [row["_line"] for row in read_rows(path)] == ["3", "4"]


def test_gzip_and_byte_order_mark(tmp_path: Path) -> None:
    """CSV.gz and Excel's UTF-8 read the same."""
    plain = write(tmp_path / "runs.csv", DENSE)
    packed, marked = tmp_path / "runs.csv.gz", tmp_path / "marked.csv"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    assert read_rows(packed) == read_rows(marked) == read_rows(plain)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    """The file, its first line, and every column that is needed."""
    path = write(tmp_path / "runs.csv", DENSE, header=[name for name in DENSE if name != "tp"])
    with pytest.raises(InputError, match="needs the columns tp") as caught:
        read_rows(path)
    assert (caught.value.place.file, caught.value.place.line) == (str(path), 1) and caught.value.hint
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match=COLUMNS[0]):
        read_rows(tmp_path / "empty.csv")


@pytest.mark.parametrize("extra", [",surplus", ""])
def test_ragged_rows_are_refused_with_their_line(tmp_path: Path, extra: str) -> None:
    """One cell too many or too few is an error, as every later cell would be another's."""
    path = write(tmp_path / "runs.csv", DENSE)
    cells = list(DENSE.values())
    ragged = ",".join(cells) + extra if extra else ",".join(cells[:-1])
    path.write_text(path.read_text() + ragged + "\n")
    with pytest.raises(InputError, match="wrong number of cells") as caught:
        read_rows(path)
    assert caught.value.place.line == 3


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """With what to give instead."""
    with pytest.raises(InputError, match="this is a directory") as caught:
        read_rows(tmp_path)
    assert caught.value.place.file == str(tmp_path) and "CSV" in caught.value.hint


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """No such file, a gzip that is none, and one that ends early."""
    with pytest.raises(InputError, match="No such file"):
        read_rows(tmp_path / "none.csv")
    fake, short = tmp_path / "fake.csv.gz", tmp_path / "short.csv.gz"
    fake.write_bytes(b"not gzip")
    short.write_bytes(gzip.compress(b"a" * 1000)[:-8])
    for path in (fake, short):
        with pytest.raises(InputError, match="cannot read it"):
            read_rows(path)


def test_binary_is_refused(tmp_path: Path) -> None:
    """Bytes that are no text."""
    path = tmp_path / "runs.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="not UTF-8"):
        read_rows(path)


def test_huge_files_are_refused_before_they_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds for what a gzip unpacks to as well."""
    monkeypatch.setattr(reading, "SIZE_LIMIT", 1000)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"a" * 1001))
    with pytest.raises(InputError, match="larger than 1000 bytes"):
        read_rows(path)
    (tmp_path / "fine.csv").write_text("a" * 1000)
    with pytest.raises(InputError, match="needs the columns"):
        read_rows(tmp_path / "fine.csv")


# ------------------------------------------------------------------------------------------------ scoring rule


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({}, ""),
        ({"confidence": ""}, ""),
        ({"confidence": "memory"}, "recalled, not read"),
        ({"step_time_s": ""}, "blank: step_time_s"),
        ({"tp": " ", "pp": ""}, "blank: tp, pp"),
        ({"global_batch": ""}, "blank: global_batch"),
        ({"qa": "fixed: units"}, ""),
        ({"qa": "note: odd"}, ""),
        ({"qa": "flops ratio 3.1"}, "qa: flops ratio 3.1"),
        ({"notes": "WARNING: recalled"}, "notes: not for scoring"),
        ({"notes": "batch ambiguous"}, "notes: not for scoring"),
        ({"notes": "a warning in words"}, ""),
    ],
    ids=str,
)
def test_the_scoring_rule(cells: dict[str, str], reason: str) -> None:
    """Read, complete, clean: the one rule of the data's README."""
    assert scoring_reason(DENSE | cells) == reason


def test_rows_that_lack_only_a_layout_are_open() -> None:
    """Blank tp, pp or micro_batch alone: predicted with a chosen layout; anything else wrong: not."""
    assert open_layout(DENSE | {"tp": "", "micro_batch": ""})
    assert not open_layout(DENSE)
    assert not open_layout(DENSE | {"tp": "", "step_time_s": ""})
    assert not open_layout(DENSE | {"tp": "", "confidence": "memory"})


@pytest.mark.parametrize("column", ["step_time_s", "n_chips", "global_batch", "layers", "hidden", "heads", "seq_len"])
@pytest.mark.parametrize("text", ["nan", "inf", "-1", "many", "1e999"])
def test_impossible_numbers_skip_the_row(column: str, text: str) -> None:
    """NaN, infinity, negatives and words: the reason names the column."""
    with pytest.raises(Skip, match=column):
        asked(**{column: text})


@pytest.mark.parametrize("column", ["step_time_s", "n_chips", "global_batch", "micro_batch", "seq_len", "layers"])
def test_zeros_skip_the_row(column: str) -> None:
    """Nothing of these can be zero; no division by it, either."""
    with pytest.raises(Skip):
        asked(**{column: "0"})


@pytest.mark.parametrize("column", ["n_chips", "tp", "global_batch", "layers"])
def test_parts_of_chips_skip_the_row(column: str) -> None:
    """Counts are whole; 8.0 is 8."""
    with pytest.raises(Skip, match=f"{column} is not a whole number"):
        asked(**{column: "2.5"})
    assert asked(n_chips="64.0").layout.chips == 64


def test_impossible_models_and_layouts_are_skipped_with_the_reason() -> None:
    """A model that cannot be, and degrees that leave no whole dp."""
    with pytest.raises(Skip, match=r"model: .*heads"):
        asked(heads="16", kv_heads="7")
    with pytest.raises(Skip, match="layout does not use 64 chips: tp 3 x pp 2 x cp 1"):
        asked(tp="3")
    with pytest.raises(Skip, match="leaves no whole dp"):
        asked(n_chips="2")


# --------------------------------------------------------------------------------------------------- precision


@pytest.mark.parametrize(
    ("text", "chip", "found"),
    [
        ("bf16", "H100", "bf16"), ("BFloat16", "H100", "bf16"), ("fp16", "A100", "fp16"), ("F16", "V100", "fp16"),
        ("half", "V100", "fp16"), ("tf32", "A100", "tf32"), ("fp32", "V100", "fp32"), ("FP8", "H100", "fp8"),
        ("f8-delayed", "H100", "fp8"), ("fp8-block", "H100", "fp8-block"), ("fp8-subchannel", "H100", "fp8-block"),
        ("fp8-mx", "GB200", "mxfp8"), ("mxfp8", "B300", "mxfp8"), ("fp8 blockwise", "MI355X", "mxfp8"),
        ("nvfp4", "GB300", "nvfp4"), ("fp4", "B200", "nvfp4"), ("", "H100", "bf16"), ("", "V100-32GB", "fp16"),
    ],
)  # fmt: skip
def test_spellings_of_precision(text: str, chip: str, found: str) -> None:
    """Finer-grained FP8 is mxfp8 on chips with such units, blocks before; blank is the custom of the chip."""
    assert precision_of(text, chip) == found


def test_unknown_precisions_are_skipped() -> None:
    """With the text that was not understood."""
    with pytest.raises(Skip, match="int3"):
        asked(precision="int3")


def test_blank_precision_is_told() -> None:
    """Chosen by rule, and said so."""
    assert "precision = bf16" in asked(precision="").chosen
    assert not any("precision" in text for text in asked().chosen)


# ------------------------------------------------------------------------------------------------------ layout


@pytest.mark.parametrize(
    ("zero", "fsdp", "found"),
    [
        ("", "", (1, 0)), ("", "true", (3, 0)), ("", "1.0", (3, 0)), ("", "no", (1, 0)), ("fsdp-zero3", "", (3, 0)),
        ("3", "", (3, 0)), ("3.0", "", (3, 0)), ("megatron-fsdp", "", (3, 0)), ("fsdp+dp", "true", (3, 0)),
        ("shard group 16", "", (3, 16)), ("HSDP", "", (3, 8)), ("zero2", "", (2, 0)), ("2.0", "", (2, 0)),
        ("none", "", (0, 0)), ("0", "", (0, 0)), ("ddp", "", (0, 0)), ("distributed optimizer", "", (1, 0)),
        ("1", "", (1, 0)),
    ],
)  # fmt: skip
def test_spellings_of_sharding(zero: str, fsdp: str, found: tuple[int, int]) -> None:
    """(stage, group) of every spelling that the tables have."""
    assert sharding_of({"zero_stage": zero, "fsdp": fsdp}, 8)[:2] == found


def test_chosen_sharding_is_told() -> None:
    """Blank is ZeRO-1, an HSDP without a group shards within a node: both are said."""
    assert sharding_of({}, 8)[2] == "zero = 1"
    assert "node of 8" in sharding_of({"zero_stage": "hsdp"}, 8)[2]
    assert sharding_of({"zero_stage": "1"}, 8)[2] == ""
    assert "zero = 1" in asked(zero_stage="").chosen


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None), ("none", "none"), ("no", "none"), ("full", "full"), ("full, uniform", "full"),
        ("selective", "selective"), ("Selective", "selective"), ("selective-op", "layernorm,mlp_act,attn_proj"),
        ("selective-layer 2", "full:0.5"), ("modules: core_attn, mlp", "core_attn,mlp"),
        ("modules:out_proj,mlp_wi,attn,moe_layer", "attn_proj,mlp_act,core_attn,moe"),
    ],
)  # fmt: skip
def test_spellings_of_recompute(text: str, found: str | None) -> None:
    """Settings of the frameworks as ours; blank is unknown."""
    assert recompute_of({"recompute": text}) == found


def test_blank_recompute_is_left_open() -> None:
    """Unknown, to be chosen as the cheapest that fits."""
    item = asked(recompute="")
    assert not item.recompute_known and "recompute = cheapest that fits" in item.chosen
    assert asked().recompute_known


@pytest.mark.parametrize(
    ("text", "tp", "found"),
    [
        ("", 2, True), ("", 1, False), ("true", 2, True), ("false", 2, False), ("No", 4, False), ("0", 2, False),
    ],
)  # fmt: skip
def test_sequence_parallelism(text: str, tp: int, found: bool) -> None:
    """On wherever tp > 1 unless the row says no."""
    assert sequence_parallel_of({"sequence_parallel": text}, tp) is found


def test_layout_of_a_whole_row() -> None:
    """dp is what is left; nothing was chosen but nothing was blank."""
    item = asked()
    found = item.layout
    assert (found.dp, found.tp, found.pp, found.vpp, found.cp, found.ep, found.etp) == (16, 2, 2, 2, 1, 1, 2)
    assert (found.micro_batch, found.recompute, found.zero, found.sequence_parallel) == (1, "none", 1, True)
    assert item.chosen == () and item.stated == ()


def test_chunks_without_a_pipeline_are_one() -> None:
    """vpp counts only with pp > 1."""
    assert asked(pp="1", vpp="4").layout.vpp == 1


def test_expert_tensor_ranks() -> None:
    """Blank etp is tp where the ranks of a stage divide by tp x ep, else 1; never more than tp."""
    assert layout_of(MOE | {"ep": "16"})[0].etp == 2
    assert layout_of(MOE | {"ep": "32"})[0].etp == 1
    assert layout_of(MOE | {"ep": "8", "etp": "1"})[0].etp == 1
    assert layout_of(MOE | {"ep": "8", "etp": "4"})[0].etp == 2


def test_blank_degrees_are_told() -> None:
    """vpp, cp and ep count as 1 where blank, and the row says so."""
    assert {"vpp = 1", "cp = 1"} <= set(asked(vpp="", cp="").chosen)
    assert "vpp = 1" not in asked(pp="1", vpp="").chosen
    assert "ep = 1" in question(MOE | {"ep": ""}).chosen and "ep = 1" not in asked(ep="").chosen


def test_open_layouts_keep_what_is_stated() -> None:
    """Blank tp: a search fills it in, and keeps pp, micro_batch and the sharding of the row."""
    item = asked(tp="")
    stated = dict(item.stated)
    assert stated["pp"] == 2 and stated["micro_batch"] == 1 and stated["zero"] == 1 and stated["recompute"] == "none"
    assert "tp" not in stated and any(text.startswith("tp = those of the layout") for text in item.chosen)
    assert "recompute" not in dict(asked(tp="", recompute="").stated)


# ------------------------------------------------------------------------------------------------------- model


def test_dimensions_of_a_row() -> None:
    """Columns as they stand; a gated model has no biases and rotary positions."""
    spec = spec_of(DENSE)
    assert (spec.layers, spec.hidden, spec.ffn, spec.heads, spec.kv_heads, spec.vocab) == (16, 2048, 5632, 16, 8, 32000)
    assert (spec.mlp, spec.norm, spec.position, spec.tied, spec.mlp_bias) == ("swiglu", "rmsnorm", "rope", False, False)
    blank = spec_of(DENSE | {"mlp_kind": "", "vocab": "", "kv_heads": "", "head_dim": ""})
    assert (blank.mlp, blank.vocab, blank.kv_heads, blank.head_dim) == ("swiglu", 50304, 16, 128)


def test_gpt_models_have_biases_and_learned_positions() -> None:
    """gelu: layer norm, biases, tied table, learned positions, four times the width where ffn is blank."""
    spec = spec_of(DENSE | {"mlp_kind": "gelu", "ffn": "", "kv_heads": ""})
    assert (spec.ffn, spec.norm, spec.position, spec.max_positions) == (8192, "layernorm", "learned", 4096)
    assert spec.tied and spec.mlp_bias and spec.attention_bias
    assert spec_of(DENSE | {"attention_kind": "mha-alibi"}).position == "alibi"
    assert spec_of(DENSE | {"attention_kind": "parallel"}).parallel_block


def test_experts_of_a_row() -> None:
    """Routed experts with their width, that of the MLP where it is blank; two of them where top_k is."""
    spec = spec_of(MOE)
    assert (spec.experts, spec.top_k, spec.expert_ffn, spec.shared_experts, spec.dense_layers) == (16, 4, 1024, 1, 2)
    blank = spec_of(MOE | {"moe_ffn": "", "top_k": ""})
    assert (blank.expert_ffn, blank.top_k) == (5632, 2)


def test_latent_attention_takes_deepseeks_ranks() -> None:
    """The columns lack them; queries are compressed in the large models only."""
    small = spec_of(DENSE | {"attention_kind": "mla", "head_dim": "", "kv_heads": ""})
    assert (small.kv_lora_rank, small.qk_nope_dim, small.qk_rope_dim, small.v_dim, small.q_lora_rank) == (
        512,
        128,
        64,
        128,
        0,
    )
    large = spec_of(DENSE | {"attention_kind": "mla", "hidden": "7168", "heads": "128", "head_dim": "", "kv_heads": ""})
    assert large.q_lora_rank == 1536


def test_hybrids_take_nemotrons_shares() -> None:
    """52 layers: 23 Mamba-2, 23 expert or MLP, 6 attention."""
    pattern = hybrid_pattern(52, True)
    assert (pattern.count("M"), pattern.count("E"), pattern.count("*")) == (23, 23, 6)
    assert hybrid_pattern(52, False).count("-") == 23
    assert len(hybrid_pattern(3, False)) == 3 and "*" in hybrid_pattern(3, False)
    spec = spec_of(DENSE | {"attention_kind": "hybrid-mamba2", "hidden": "2048"})
    assert spec.pattern.count("M") + spec.pattern.count("-") + spec.pattern.count("*") == 16
    assert (spec.mamba_heads, spec.position) == (64, "none")


def test_a_hybrid_of_a_bundled_size_takes_its_pattern_and_mamba_sizes() -> None:
    """Nemotron 3 Nano: 64 Mamba-2 heads and its own order of layers, which no proportion of the width gives."""
    sizes = {"layers": "52", "hidden": "2688", "heads": "32", "kv_heads": "2", "experts": "128", "moe_ffn": "1856"}
    spec = spec_of(DENSE | sizes | {"attention_kind": "hybrid-mamba2", "top_k": "6", "mlp_kind": "relu2"})
    assert spec.mamba_heads == 64 and spec.pattern.startswith("MEMEM*")
    other = spec_of(DENSE | sizes | {"attention_kind": "hybrid-mamba2", "experts": "", "mlp_kind": "relu2"})
    assert other.mamba_heads == 80 and other.pattern.startswith("MM")


def test_lora_rows_carry_adapters() -> None:
    """MLPerf: rank 16 on attention; elsewhere rank 8 on every linear layer; base weights frozen."""
    full, mlperf, nemo = asked(), asked(task="mlperf-lora"), asked(task="lora")
    assert (full.training.method, mlperf.training.method, nemo.training.method) == ("full", "lora", "lora")
    trained = {
        item.task: sum(op.params for op in item.model.blocks[0].operators if op.trained)
        for item in (full, mlperf, nemo)
    }
    assert trained["mlperf-lora"] == 16 * (2048 + 4096 + 2048 + 2048)
    assert trained["lora"] == 8 * (2048 + 4096 + 2048 + 2048 + 2048 + 2 * 5632 + 5632 + 2048)
    assert any("rank 16" in text for text in mlperf.chosen) and any("rank 8" in text for text in nemo.chosen)


# ---------------------------------------------------------------------------------------------------- the rest


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("MLPerf Training v4.1", "MLCommons"), ("NVIDIA/dgxc-benchmarking 25.05", "NVIDIA dgxc-benchmarking"),
        ("NVIDIA-NeMo/Megatron-Bridge docs", "NVIDIA NeMo"), ("NVIDIA/NeMo 24.09", "NVIDIA NeMo"),
        ("NVIDIA-NeMo/Automodel", "NVIDIA NeMo"), ("mosaicml/llm-foundry README", "MosaicML"),
        ("Korthikanti et al. 2022, Table 5", "Korthikanti 2022"), ("vTrain artifact", "vTrain"),
        ("pytorch/torchtitan docs", "pytorch/torchtitan"), ("a,b", "a"), ("", "unknown"),
    ],
)  # fmt: skip
def test_publishers_with_all_versions_merged(source: str, name: str) -> None:
    """One name for one organisation's tables, so that no fold holds a near-twin."""
    assert publisher_of(source) == name


@pytest.mark.parametrize(
    ("notes", "found"),
    [
        ("", None), ("400 Gb/s NIC", None), ("1600 Gbps node-node", 25e9), ("800 Gb/s per node between nodes", 12.5e9),
    ],
)  # fmt: skip
def test_network_that_a_row_states(notes: str, found: float | None) -> None:
    """Gb/s of a node of eight as B/s of a chip."""
    assert network_of({"notes": notes}) == found
    assert asked(notes=notes).network == found


def test_groups_and_flags() -> None:
    """The stated group, else model and chip; CUDA graphs; source and measurement."""
    item = asked(cuda_graph="True")
    assert (item.group, item.graphs, item.measured, item.publisher) == ("toy-1b|H100", True, 1.5, "MosaicML")
    assert asked(group="given").group == "given" and not asked(cuda_graph="").graphs


def test_distinct_merges_repeats_by_their_median() -> None:
    """Three repeats of one configuration are one row with the median; another layout is another row."""
    repeats = [asked(row_id=str(i), step_time_s=text) for i, text in enumerate(("3", "1", "2"))]
    found = distinct([*repeats, asked(tp="4", step_time_s="9")])
    assert [(item.row_id, item.measured) for item in found] == [("0", 2.0), ("T-1", 9.0)]


@pytest.mark.parametrize(
    "cells",
    [
        {"tp": "4"}, {"chip": "H200"}, {"global_batch": "512"}, {"precision": "fp8"}, {"cuda_graph": "true"},
        {"notes": "800 Gbps node-node"}, {"recompute": "full"}, {"task": "sft"}, {"group": "x"}, {"source": "other"},
    ],
    ids=str,
)  # fmt: skip
def test_configurations_differ_by_what_was_run(cells: dict[str, str]) -> None:
    """Anything that was run otherwise is another configuration; the measurement is not part of it."""
    assert asked(**cells).configuration != asked().configuration
    assert asked(step_time_s="7", row_id="x").configuration == asked().configuration
