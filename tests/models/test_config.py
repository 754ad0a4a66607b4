"""Reading config.json: every known model_type, what is assumed, and every way to be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exaplan.errors import InputError, Place
from exaplan.models.config import KNOWN, SIZE, from_config, load_config, read_config
from exaplan.models.count import parameters
from exaplan.models.transformer import build

from .configs import CONFIGS, sizes

LLAMA = CONFIGS["llama-3.1-8b"][0]
EXPERTS = CONFIGS["qwen3-30b-a3b"][0]
HYBRID = CONFIGS["nemotron-3-nano"][0]

#: Known types that configs.py does not hold, with a config each and what is special in it.
OTHERS: dict[str, dict[str, Any]] = {
    "grok-1": {"model_type": "grok-1"},
    "gemma3": {"model_type": "gemma3", "text_config": CONFIGS["gemma-3-27b-text"][0]},
    "kimi_k2": CONFIGS["deepseek-v3"][0] | {"model_type": "kimi_k2"},
}


def refused(config: Any, field: str | None) -> str:
    """The message with which a config is refused; it must name the field."""
    with pytest.raises(InputError) as caught:
        read_config(config, "mine", Place(file="config.json"))
    assert caught.value.place.field == field
    assert caught.value.place.file == "config.json"
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("name", CONFIGS)
def test_known_types_have_the_published_number_of_parameters(name: str) -> None:
    """Each published config gives exactly the parameters of the published class."""
    config, total = CONFIGS[name]
    assert parameters(build(from_config(config, name)))[0] == total


def test_every_known_type_is_tested() -> None:
    """No reader is left without a test."""
    assert {config["model_type"] for config, _ in CONFIGS.values()} | set(OTHERS) == set(KNOWN)


def test_grok_is_as_published() -> None:
    """Grok-1's defaults are xai-org/grok-1's, 314 B parameters (published to three digits)."""
    reading = read_config(OTHERS["grok-1"])
    assert parameters(build(reading.spec))[0] == pytest.approx(314e9, rel=0.01)
    assert any("intermediate_size" in note for note in reading.assumptions)


def test_text_part_of_a_multimodal_config() -> None:
    """Gemma 3's text_config is counted, and the other towers are said to be left out."""
    reading = read_config(OTHERS["gemma3"])
    assert parameters(build(reading.spec))[0] == CONFIGS["gemma-3-27b-text"][1]
    assert "left out" in reading.assumptions[0]


def test_missing_fields_take_the_class_default_and_say_so() -> None:
    """A default of the transformers class is an assumption that the reading names."""
    config = {key: value for key, value in LLAMA.items() if key != "intermediate_size"}
    reading = read_config(config)
    assert reading.spec.ffn == 11008
    assert reading.assumptions == ("intermediate_size is not in the file: 11008, the default of llama",)


def test_missing_words_take_the_class_default_and_say_so() -> None:
    """An activation that the file leaves out is the class's, and the reading says so."""
    reading = read_config({key: value for key, value in LLAMA.items() if key != "hidden_act"})
    assert reading.spec.mlp == "swiglu"
    assert reading.assumptions == ("hidden_act is not in the file: 'silu', the default of llama",)


def test_complete_config_assumes_nothing() -> None:
    """Nothing is assumed where the file says everything."""
    assert read_config(LLAMA).assumptions == ()


def test_prediction_layers_are_left_out_and_named() -> None:
    """DeepSeek-V3's extra layer is not counted, as in transformers, and the reading says so."""
    reading = read_config(CONFIGS["deepseek-v3"][0])
    assert reading.spec.mtp_layers == 0
    assert "multi-token-prediction" in reading.assumptions[0]


def test_names() -> None:
    """The name given wins, then the file's own, then the model_type."""
    assert from_config(LLAMA, "mine").name == "mine"
    assert from_config(LLAMA | {"_name_or_path": "org/them"}).name == "org/them"
    assert from_config(LLAMA).name == "llama"


def test_windows() -> None:
    """layer_types, sliding_window and each family's own pattern give the layers with a window."""
    kinds = ["full_attention", "sliding_attention"]
    tiny = sizes("gemma2", 100, 64, 2, 8, 96, 2, head_dim=8, sliding_window=4096) | {"hidden_activation": "gelu"}
    assert from_config(tiny).window_pattern == "WF"
    assert from_config(tiny | {"layer_types": kinds}).window_pattern == "FW"
    assert from_config(LLAMA | {"model_type": "mistral", "sliding_window": None}).window == 0
    upper = LLAMA | {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 4096, "max_window_layers": 30}
    assert from_config(upper).window_pattern == "F" * 30 + "WW"
    assert from_config(upper | {"use_sliding_window": False}).window == 0
    assert "WWWWWF" in from_config(CONFIGS["gemma-3-27b-text"][0]).window_pattern
    refused(tiny | {"layer_types": ["chunked_attention"] * 2}, "layer_types")
    refused(tiny | {"layer_types": kinds * 2}, "layer_types")


def test_mpt_positions_and_heads() -> None:
    """MPT: alibi or learned positions; one, some or all key/value heads."""
    mpt = CONFIGS["mpt-7b"][0]
    assert from_config(mpt).position == "alibi"
    learned = from_config(mpt | {"attn_config": {"alibi": False}, "learned_pos_emb": True})
    assert learned.position == "learned"
    none = mpt | {"attn_config": {"alibi": False}, "learned_pos_emb": False}
    assert from_config(none).position == "none"
    assert from_config(mpt | {"attn_config": {"attn_type": "multiquery_attention"}}).kv_heads == 1
    grouped = {"attn_type": "grouped_query_attention", "kv_n_heads": 8}
    assert from_config(mpt | {"attn_config": grouped}).kv_heads == 8
    refused(mpt | {"attn_config": {"attn_type": "grouped_query_attention"}}, "kv_n_heads")
    refused(mpt | {"attn_config": [1]}, "attn_config")


def test_hybrid_layers() -> None:
    """Nemotron-H's layers come from the pattern or from the list of types; a wrong type is refused."""
    listed = {key: value for key, value in HYBRID.items() if key != "hybrid_override_pattern"}
    reading = from_config(listed | {"layers_block_type": ["mamba", "moe", "attention", "mlp"]})
    assert reading.pattern == "ME*-"
    refused(listed | {"layers_block_type": ["wavelet"]}, "layers_block_type")
    refused(HYBRID | {"hybrid_override_pattern": "MXM"}, "hybrid_override_pattern")


def test_unknown_type_names_the_known_ones_nearest_first() -> None:
    """An unknown model_type is refused with all known ones, the nearest first, and the way by hand."""
    text = refused({"model_type": "qwen3_mo"}, "model_type")
    assert "unknown model_type 'qwen3_mo'" in text
    assert "nearest first: qwen3_moe" in text
    assert all(kind in text for kind in KNOWN)
    assert "exaplan schema model" in text
    refused({"model_type": 7}, "model_type")


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"tokenizer_class": "LlamaTokenizer"}, "tokenizer"),
        ({"image_processor_type": "ViT"}, "image processor"),
        ({"peft_type": "LORA", "r": 16}, "LoRA adapter"),
        ({"_diffusers_version": "0.30"}, "diffusion"),
        ({"weight_map": {}}, "index of weights"),
        ({"hidden_size": 4096}, "has no model_type"),
        ({}, "has no model_type"),
    ],
)
def test_files_of_another_kind(config: dict[str, Any], what: str) -> None:
    """A JSON file that is no model's config is refused with what it looks like."""
    assert what in refused(config, "model_type")


def test_vision_config_is_refused() -> None:
    """A vision model's type is unknown, not half read."""
    assert "clip_vision_model" in refused({"model_type": "clip_vision_model", "hidden_size": 768}, "model_type")


@pytest.mark.parametrize("config", [[1, 2], "text", None, 3.5])
def test_not_an_object(config: object) -> None:
    """A list, text, nothing or a number is refused."""
    assert "holds an object" in refused(config, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, True, "many", 1.5, [32], 10**9])
def test_wrong_numbers(value: object) -> None:
    """NaN, infinite, negative, true, text, a fraction, a list and absurd sizes are refused by field."""
    assert "num_hidden_layers" in refused(LLAMA | {"num_hidden_layers": value}, "num_hidden_layers")


def test_zero_is_no_size() -> None:
    """Zero layers or heads are refused by the file's own name of the field."""
    refused(LLAMA | {"num_hidden_layers": 0}, "num_hidden_layers")
    refused(LLAMA | {"num_attention_heads": 0}, "num_attention_heads")


def test_heads_must_divide() -> None:
    """Heads that do not divide the hidden size, or key/value heads that do not divide heads, are refused."""
    assert "do not divide hidden = 4096" in refused(LLAMA | {"num_attention_heads": 33}, "num_attention_heads")
    assert "do not divide 32 heads" in refused(LLAMA | {"num_key_value_heads": 5}, "num_key_value_heads")


def test_more_experts_active_than_there_are() -> None:
    """top_k beyond the experts is refused."""
    refused(EXPERTS | {"num_experts_per_tok": 129}, "num_experts_per_tok")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"hidden_act": "mish"}, "hidden_act"),
        ({"hidden_act": 3}, "hidden_act"),
        ({"vocab_size": 10**12}, "vocab_size"),
        ({"layer_types": "full", "model_type": "gemma2"}, "layer_types"),
        ({"head_dim": "wide"}, "head_dim"),
    ],
)
def test_wrong_words_and_flags(changed: dict[str, Any], field: str) -> None:
    """Flags, activations and vocabularies that make no sense are refused by field."""
    refused(LLAMA | changed, field)


def test_shapes_that_are_not_supported_are_refused() -> None:
    """What the counts could not represent is refused, not approximated."""
    opt = CONFIGS["opt-6.7b"][0]
    refused(opt | {"word_embed_proj_dim": 512}, "word_embed_proj_dim")
    refused(opt | {"do_layer_norm_before": False}, "do_layer_norm_before")
    refused(EXPERTS | {"mlp_only_layers": [3]}, "mlp_only_layers")
    refused(EXPERTS | {"mlp_only_layers": "first"}, "mlp_only_layers")
    refused(CONFIGS["phi-2"][0] | {"partial_rotary_factor": 4}, "partial_rotary_factor")


def test_partial_rotary_in_rope_parameters() -> None:
    """Newer files keep the rotating part of a head inside rope_parameters."""
    config = {key: value for key, value in CONFIGS["phi-2"][0].items() if key != "partial_rotary_factor"}
    assert from_config(config | {"rope_parameters": {"partial_rotary_factor": 0.25}}).rope_fraction == 0.25
    assert from_config(config).rope_fraction == 0.5


def test_deepseek_lite_has_direct_queries() -> None:
    """q_lora_rank null means one direct query product; missing means the class default."""
    config = CONFIGS["deepseek-v2"][0]
    assert from_config(config | {"q_lora_rank": None}).q_lora_rank == 0
    assert from_config({key: value for key, value in config.items() if key != "q_lora_rank"}).q_lora_rank == 1536
    refused({key: value for key, value in config.items() if key != "num_experts_per_tok"}, "num_experts_per_tok")


# ------------------------------------------------------------------------------------------------------ files


def test_file_is_read(tmp_path: Path) -> None:
    """A config.json in a folder is read, and named after the folder."""
    folder = tmp_path / "my-model"
    folder.mkdir()
    file = folder / "config.json"
    file.write_text(json.dumps(LLAMA))
    assert load_config(file).spec.name == "my-model"
    assert load_config(file, "other").spec.name == "other"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{\x80\xff", "not text"),
        (b'{"a": 1,\n "b": }', "not JSON"),
        (b'{"model_type": "llama", "model_type": "gpt2"}', "twice"),
        (b"[" * 200_000, "not a usable JSON file"),
        (b" " * (SIZE + 1), "larger than 4 MiB"),
        (b"", "not JSON"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, what: str) -> None:
    """Binary, malformed, ambiguous, nested without end or huge: one clear message with the file's name."""
    file = tmp_path / "config.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=what) as caught:
        load_config(file)
    assert caught.value.place.file == str(file)


def test_json_errors_have_line_and_column(tmp_path: Path) -> None:
    """Where the JSON breaks is said."""
    file = tmp_path / "config.json"
    file.write_text('{"a": 1,\n "b": }')
    with pytest.raises(InputError) as caught:
        load_config(file)
    assert (caught.value.place.line, caught.value.place.column) == (2, 7)


def test_unreadable(tmp_path: Path) -> None:
    """A folder and a missing file are refused with the reason."""
    with pytest.raises(InputError, match="directory"):
        load_config(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        load_config(tmp_path / "none.json")
