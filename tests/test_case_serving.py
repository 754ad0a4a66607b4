"""A served model on chips: bytes by hand, laws of time and memory, tables, speculation, adapters, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan.case.serving import ServeCase, Shape, iteration, iterations, serve, step_table, terms
from exaplan.case.serving_parts import UNBOUND, longest
from exaplan.catalog import load, serving_fits, tuning
from exaplan.catalog.engines import fitted
from exaplan.errors import InputError
from exaplan.nouns import Cluster
from exaplan.nouns.serving import Formats, Lengths, Replica, Settings, Speculative, Traffic
from exaplan.perf.serving.inputs import ServeTuning

SHELF = load()
CLUSTERS: dict[tuple[str, int], Cluster] = {}


def cluster(chip: str = "h100-sxm", count: int = 8, **changes: Any) -> Cluster:
    """Chips in their usual node."""
    found = CLUSTERS.setdefault((chip, count), SHELF.assemble(SHELF.chip(chip), count))
    return replace(found, chip=replace(found.chip, **changes)) if changes else found


def case(
    model: str = "llama-3.1-70b",
    weights: str = "fp8",
    kv: str = "bf16",
    on: Cluster | None = None,
    engine: str = "vllm-v1",
    tune: ServeTuning | None = None,
    traffic: Traffic | None = None,
    settings_: dict[str, Any] | None = None,
    **cut: int,
) -> ServeCase:
    """A served case; what is left out: Llama 3.1 70B in FP8 on eight H100 under vLLM, one chip a copy."""
    where = on or cluster()
    found = fitted(SHELF.engine(engine), where.chip)
    wanted = Settings(engine, Formats(weights, kv), **(settings_ or {}))
    return serve(SHELF.model(model), where, found, wanted, Replica(**cut), traffic, tune)


# --------------------------------------------------------------------------------------------- bytes by hand


def test_weights_of_llama_70b_in_fp8_by_hand() -> None:
    """80 layers of 855.6 M one-byte weights and two norms, two 16-bit tables of 128,256 x 8,192, one norm."""
    layer = 8192 * 10240 + 8192 * 8192 + 8192 * 57344 + 28672 * 8192
    by_hand = 80 * (layer + 2 * 8192 * 2) + 2 * (128256 * 8192 * 2) + 8192 * 2
    assert case().weights == pytest.approx(by_hand, rel=1e-9)


def test_tensor_ranks_share_matrices_and_copy_norms() -> None:
    """Four ranks: a quarter of every matrix and table, whole norms."""
    layer = (8192 * 10240 + 8192 * 8192 + 8192 * 57344 + 28672 * 8192) / 4
    by_hand = 80 * (layer + 2 * 8192 * 2) + 2 * (128256 * 8192 * 2) / 4 + 8192 * 2
    assert case(tp=4).weights == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "size"), [("bf16", 2.0), ("int4-wo", 0.515625), ("nvfp4", 0.5625), ("q8_0", 1.0625), ("q4_k_m", 0.605)]
)
def test_formats_weigh_what_they_store(name: str, size: float) -> None:
    """Matrices take their format's bytes; GGUF formats store the tables in it too, others in 16 bit."""
    on = cluster("b200")
    layers, tables = 80 * (8192 * 10240 + 8192 * 8192 + 8192 * 57344 + 28672 * 8192), 2 * 128256 * 8192
    expected = layers * size + tables * (size if name.startswith("q") else 2.0)
    assert case(weights=name, on=on).weights == pytest.approx(expected, rel=1e-3)


def test_experts_alone_are_in_mxfp4() -> None:
    """gpt-oss-120b: 114.7 G expert weights of 117 G in all at 4.25 bits, the rest in 16 bit: about 61 + 4 GB."""
    assert case("gpt-oss-120b", "mxfp4", on=cluster("h200-sxm")).weights == pytest.approx(65.2e9, rel=0.02)


def test_cache_of_grouped_heads_by_hand() -> None:
    """80 layers x 2 x 8 heads x 128 x 2 B = 327,680 B a token; four ranks a quarter, sixteen a head each."""
    assert case().kv_token == 327680.0
    assert case(tp=4).kv_token == 81920.0
    assert case(tp=16, on=cluster(count=16)).kv_token == 80 * 2 * 128 * 2
    assert case(kv="fp8").kv_token == 163840.0


def test_latent_cache_is_copied_by_every_tensor_rank() -> None:
    """DeepSeek-V3: 61 x 576 x 2 B = 70,272 B a token and chip, however many tensor ranks."""
    on = cluster("h200-sxm")
    assert {case("deepseek-v3", "fp8-block", on=on, tp=tp).kv_token for tp in (1, 4, 8)} == {70272.0}


def test_stages_and_attention_ranks_share_the_cache() -> None:
    """Two stages keep half of the layers each; eight attention ranks hold eight times the tokens of one."""
    assert case(pp=2).kv_token == 327680.0 / 2
    on = cluster("h200-sxm")
    ranks = case("deepseek-v3", "fp8-block", on=on, tp=1, dp=8, ep=8)
    room = ranks.memory_terms["kv"]
    assert ranks.kv_tokens == pytest.approx(8 * room / 70272.0, abs=8)


def test_windowed_layers_keep_their_window() -> None:
    """gpt-oss at 16k tokens: half of the layers keep 128 of them."""
    long = Traffic(Lengths("fixed", 16000), Lengths("fixed", 768))
    found = case("gpt-oss-120b", "mxfp4", on=cluster("h200-sxm"), traffic=long).kv_token
    full = 36 * 2 * 8 * 64 * 2
    assert found == pytest.approx(full / 2 * (1.0 + 128 / 16384), rel=1e-6)


def test_states_take_memory_by_sequence() -> None:
    """Mamba-2 layers hold a state for every sequence that may run and fits, and no tokens."""
    few, many = (case("nemotron-h-8b", "bf16", settings_={"max_seqs": n}) for n in (64, 256))
    assert many.memory_terms["state"] == pytest.approx(4 * few.memory_terms["state"])
    assert many.kv_token < 0.3 * case("llama-3.1-8b", "bf16").kv_token


def test_states_never_push_out_the_cache() -> None:
    """Of thousands of sequences only as many get a state as fit with their caches."""
    found = case("nemotron-nano-9b-v2", "bf16", settings_={"max_seqs": 2048})
    assert found.kv_tokens > 0 and found.policy.max_seqs < 2048


# --------------------------------------------------------------------------------------------------- memory


def test_memory_terms_stay_within_the_chip() -> None:
    """Weights, cache, activations, graphs and context of an engine are at most the chip's memory."""
    for engine in ("vllm-v1", "sglang", "trtllm"):
        found = case(engine=engine, tp=4)
        assert sum(found.memory_terms.values()) <= found.cluster.chip.memory
        assert found.kv_tokens > 0 and found.needs < found.cluster.chip.memory


def test_what_does_not_fit_is_data() -> None:
    """70B in 16 bit on one H100 leaves no room: no exception, a negative capacity, and what it would need."""
    found = case(weights="bf16")
    assert found.kv_tokens <= 0 and found.needs > 140e9


@given(st.floats(1.0, 3.0), st.integers(16, 512))
@settings(max_examples=25, deadline=None)
def test_more_memory_holds_more_tokens(more: float, seqs: int) -> None:
    """Capacity grows with the chip's memory and falls with the sequences that may run."""
    usual = case(tp=4, settings_={"max_seqs": seqs})
    assert (
        case(tp=4, on=cluster(memory=80e9 * more), settings_={"max_seqs": seqs}).kv_tokens
        >= case(tp=4, on=cluster(memory=80e9), settings_={"max_seqs": seqs}).kv_tokens
    )
    assert case(tp=4, settings_={"max_seqs": seqs + 64}).kv_tokens <= usual.kv_tokens


def test_policy_speaks_of_the_whole_replica() -> None:
    """Limits of a rank times the ranks; offload in tokens of the whole cache."""
    found = case("deepseek-v3", "fp8-block", on=cluster("h200-sxm"), dp=8, ep=8, settings_={"offload": 70272e4})
    one = case("deepseek-v3", "fp8-block", on=cluster("h200-sxm"), tp=8)
    assert found.policy.max_seqs == 8 * one.policy.max_seqs and found.policy.max_tokens == 8 * one.policy.max_tokens
    assert found.policy.host_tokens == 10000 and found.policy.host_rate > 0
    assert found.policy.max_context >= 131072


# ----------------------------------------------------------------------------------------------------- time

MODELS = {
    "dense": {"model": "llama-3.1-70b", "tp": 4},
    "experts": {"model": "qwen3-30b-a3b", "weights": "bf16", "tp": 2, "ep": 2},
    "latent": {"model": "deepseek-v3", "weights": "fp8-block", "tp": 1, "dp": 8, "ep": 8, "on": "h200-sxm"},
    "state": {"model": "nemotron-h-8b", "weights": "bf16"},
    "stages": {"model": "llama-3.1-70b", "tp": 2, "pp": 2},
    "sparse": {"model": "glm-5", "weights": "fp8-block", "tp": 8, "on": "h200-sxm"},
    "prompts cut": {"model": "llama-3.1-8b", "weights": "bf16", "cp": 2},
}


def named(name: str, **changes: Any) -> ServeCase:
    """One of ``MODELS``."""
    wanted: dict[str, Any] = dict(MODELS[name])
    chip = wanted.pop("on", "h100-sxm")
    return case(on=cluster(chip, **changes), **wanted)


SHAPES = np.array(
    [
        [0, 0, 0, 1, 100], [0, 0, 0, 64, 64 * 3000], [4096, 0, 1, 0, 0], [2048, 4096, 2, 64, 64 * 1000],
        [333, 100, 3, 33, 33333], [7000, 0, 1, 200, 200 * 500],
    ],
    dtype=float,
)  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_table_is_what_the_terms_sum_to(name: str) -> None:
    """Iterations from the table equal the sum of the terms, shape by shape."""
    found = named(name)
    direct = [iteration(found, Shape(*line)) for line in SHAPES]
    np.testing.assert_allclose(iterations(found, SHAPES), direct, rtol=1e-12)
    assert min(direct) > 0.0


@pytest.mark.parametrize("name", MODELS)
@given(st.floats(1.0, 3.0), st.integers(0, 4), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_more_of_anything_never_takes_less(name: str, more: float, column: int, line: int) -> None:
    """Time is monotone in prompt tokens, cached tokens, decoding sequences and contexts."""
    shape = SHAPES[line].copy()
    if column == 2:
        return  # more chunks share the work over ranks
    shape[column] = np.ceil(shape[column] * more)
    found = TABLES.setdefault(name, (named(name), step_table(named(name))))
    both = iterations(found[0], np.stack([SHAPES[line], shape]), found[1])
    assert both[1] >= both[0] * (1.0 - 1e-9)


TABLES: dict[str, Any] = {}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("field", ["bandwidth", "link_bandwidth"])
def test_faster_memory_and_links_are_never_slower(name: str, field: str) -> None:
    """Half as much bandwidth again never adds time."""
    usual, chip = named(name), cluster(MODELS[name].get("on", "h100-sxm")).chip  # type: ignore[arg-type]
    faster = named(name, **{field: 1.5 * getattr(chip, field)})
    assert (iterations(faster, SHAPES) <= iterations(usual, SHAPES) * (1.0 + 1e-12)).all()


def test_decoding_alone_reads_the_weights_once() -> None:
    """70B in FP8 on four H100: 18.2 GB a chip at 3.35 TB/s is 5.4 ms; a step is that by no more than double."""
    found = terms(case(tp=4, tune=ServeTuning(host_base=0.0)), Shape(0, 0, 0, 1, 100))
    streaming = 17.1e9 / 3.35e12
    assert streaming < found["products"] < 1.6 * streaming
    assert sum(found.values()) < 2.2 * streaming


def test_host_time_is_told_by_itself() -> None:
    """Without overlap the host's time comes on top; with full overlap a short one vanishes."""
    quiet = ServeTuning(host_base=1e-3, host_sequence=0.0, host_chunk=0.0, overlap=0.0)
    shape = Shape(0, 0, 0, 8, 800)
    assert terms(case(tp=4, tune=quiet), shape)["host"] == pytest.approx(1e-3)
    assert terms(case(tp=4, tune=quiet._replace(overlap=1.0)), shape)["host"] == pytest.approx(0.0, abs=1e-12)


def test_an_engine_without_graphs_waits_for_its_launches() -> None:
    """Every kernel of a decoding step is launched by the host."""
    found = case(tune=ServeTuning(launch=1e-3))
    eager = serve(
        found.model, found.cluster, replace(found.engine, graphs=False), found.settings, found.replica,
        tune=ServeTuning(launch=1e-3),
    )  # fmt: skip
    shape = Shape(0, 0, 0, 8, 800)
    assert iteration(eager, shape) > 0.5 > iteration(found, shape)
    assert eager.memory_terms["graphs"] == 0.0


# --------------------------------------------------------------------------- speculation, adapters, sharing


def test_verifying_drafts_reads_the_weights_once() -> None:
    """Three drafted tokens of 16 sequences: 64 rows, drafting and logits on top, less than twice the time of a step."""
    spec = {"speculative": Speculative(3, 0.7, "mtp")}
    on, shape = cluster("h200-sxm"), Shape(0, 0, 0, 4, 4000)
    plain = case("deepseek-v3", "fp8-block", on=on, tp=8)
    drafts = case("deepseek-v3", "fp8-block", on=on, tp=8, settings_=spec)
    assert drafts.width == 4.0 and drafts.policy.draft == 3 and drafts.policy.accept == 0.7
    assert terms(drafts, shape)["draft"] > 0.0 == terms(plain, shape)["draft"]
    assert iteration(plain, shape) < iteration(drafts, shape) < 4 * iteration(plain, shape)
    assert drafts.weights > plain.weights


def test_ngrams_draft_for_nothing_and_small_models_for_their_own_time() -> None:
    """No operators draft with n-grams; a small model passes all its layers for each drafted token."""
    shape = Shape(0, 0, 0, 4, 4000)
    grams = case(tp=4, settings_={"speculative": Speculative(3, 0.5, "ngram")})
    assert terms(grams, shape)["draft"] == 0.0
    small = SHELF.model("llama-3.1-8b")
    whole = serve(
        SHELF.model("llama-3.1-70b"), cluster(), grams.engine,
        Settings("vllm-v1", Formats("fp8"), speculative=Speculative(3, 0.7, "llama-3.1-8b")), Replica(tp=4),
        draft=small,
    )  # fmt: skip
    one = case("llama-3.1-8b", "fp8", tp=4)
    alone = sum(terms(one, shape)[name] for name in ("products", "vector", "tp", "head"))
    assert terms(whole, shape)["draft"] == pytest.approx(3 * alone, rel=0.35)
    assert whole.weights == pytest.approx(grams.weights + one.weights)


def test_a_model_without_extra_layers_drafts_with_one_of_its_own() -> None:
    """As an EAGLE head: one layer and the logits, for each drafted token."""
    found = case(tp=4, settings_={"speculative": Speculative(2, 0.7, "mtp")})
    assert 0.0 < terms(found, Shape(0, 0, 0, 4, 4000))["draft"] < 0.2 * iteration(found, Shape(0, 0, 0, 4, 4000))


def test_adapters_cost_memory_and_a_little_time() -> None:
    """Eight adapters of rank 16 beside the products of every layer."""
    plain, lora = case("llama-3.1-8b", "bf16"), case("llama-3.1-8b", "bf16", settings_={"lora": (8, 16)})
    width = 32 * ((4096 + 6144) + (4096 + 4096) + (4096 + 28672) + (14336 + 4096))
    assert lora.weights - plain.weights == pytest.approx(8 * 16 * 2 * width)
    shape = Shape(0, 0, 0, 32, 32000)
    assert iteration(plain, shape) < iteration(lora, shape) < 2.5 * iteration(plain, shape)


def test_experts_of_attention_ranks_exchange_tokens() -> None:
    """Attention ranks of their own exchange tokens (ep); tensor ranks with all tokens reduce (tp)."""
    on, shape = cluster("h200-sxm"), Shape(0, 0, 0, 64, 64000)
    ranks = terms(case("deepseek-v3", "fp8-block", on=on, dp=8, ep=8), shape)
    tensor = terms(case("deepseek-v3", "fp8-block", on=on, tp=8), shape)
    assert ranks["ep"] > 0.0 == ranks["tp"] and tensor["tp"] > 0.0 == tensor["ep"]
    assert ranks["attention_decode"] < 0.8 * tensor["attention_decode"]


def test_a_copy_over_two_nodes_pays_the_network() -> None:
    """Sixteen tensor ranks in two nodes of eight reduce over the network."""
    two = case(tp=16, on=cluster(count=16))
    assert terms(two, Shape(0, 0, 0, 8, 8000))["tp"] > 2 * terms(case(tp=8), Shape(0, 0, 0, 8, 8000))["tp"]


# --------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"weights": "int3"}, "work.precision"),
        ({"kv": "fp3"}, "work.kv"),
        ({"weights": "nvfp4"}, "work.precision"),
        ({"ep": 2}, "layout.ep"),
        ({"tp": 0}, "layout"),
    ],
)
def test_wrong_questions_name_their_field(change: dict[str, Any], field: str) -> None:
    """Unknown formats, formats that the chip lacks, and impossible layouts are refused by name."""
    with pytest.raises(InputError) as told:
        case(**change)
    assert told.value.place.field == field and told.value.hint


def test_experts_need_ranks_that_they_divide() -> None:
    """Three groups of experts do not fit four ranks."""
    with pytest.raises(InputError, match="does not divide"):
        case("qwen3-30b-a3b", "bf16", tp=4, ep=3)


def test_unknown_networks_and_bandwidths_are_refused() -> None:
    """More chips than a node without a known network, and chips without a known bandwidth."""
    bare = cluster(count=16)
    apart = replace(bare, node=replace(bare.node, network=None))
    with pytest.raises(InputError, match="scale-out bandwidth"):
        case(tp=16, on=apart)
    with pytest.raises(InputError, match="memory bandwidth"):
        case(on=cluster(bandwidth=0.0))


# ----------------------------------------------------------------------------------------------------- fits


@pytest.mark.parametrize("architecture", ["hopper", "blackwell", "ada", "ampere", "apple", "xe2", "blackwell-consumer"])
def test_every_architecture_finds_its_curves(architecture: str) -> None:
    """Unmeasured architectures and formats take their relatives' curves."""
    for form in ("bf16", "fp8", "fp8_block", "nvfp4", "int4_wo", "int8_wo", "sq"):
        found = serving_fits.product(architecture, form)
        assert 0.1 < found.memory <= 1.0 and 1e-6 < found.floor < 3e-5
    for engine in ("vllm", "sglang", "trtllm", "llama.cpp"):
        assert 0.1 < serving_fits.decode_attention(architecture, "fp8", engine).memory <= 1.3
        assert 1e-6 < serving_fits.small_reduce(engine, architecture).base < 5e-5
    assert serving_fits.exchange(architecture).base > 5e-6
    assert 0.3 < serving_fits.latent_attention(architecture).rate < 1.0


def test_a_timed_card_keeps_its_own_shares() -> None:
    """The RTX 4090 reaches its published peak, which power-capped Ada cards do not."""
    assert serving_fits.product("ada", "bf16", "rtx-4090").peak > 1.5 * serving_fits.product("ada", "bf16").peak


def test_ranges_hold_the_prediction() -> None:
    """Every quantity has an interval around one, wherever it comes from."""
    for engine in ("vllm-v1", "llama.cpp", "somebody's"):
        found = serving_fits.ranges(engine, "hopper", "fp8", False)
        assert {"ttft", "tpot", "latency", "throughput"} <= set(found)
        assert all(0.0 < low < 1.0 < high for low, high in found.values())


def test_effects_shift_logarithms() -> None:
    """Base and effects of a field add up as logarithms; shares stay shares; what is left out keeps its prior."""
    made = serving_fits.composed(
        {"experts": {"base": np.log(1.2), "engine=sglang": np.log(2.0)}, "overlap": {"base": 0.5}}, ("engine=sglang",)
    )
    assert made.experts == pytest.approx(2.4) and made.overlap == 1.0 and made.products == ServeTuning().products


def test_every_format_names_its_source() -> None:
    """Bytes of a format come from somewhere: its source stands in the catalogue's list."""
    formats = tuning.yaml_data("formats.yaml")["weights"]
    assert {entry["source"] for entry in formats.values()} <= set(SHELF.sources)
    assert tuning.yaml_data("serving_memory.yaml")["source"] in SHELF.sources


@pytest.mark.parametrize("name", ["products", "attention", "reduce", "exchange", "cards", "grouped"])
def test_fit_records_tell_their_input_and_error(name: str) -> None:
    """A fit of kernels keeps the hash of its tables, the rows of each curve and its error."""
    record = tuning.yaml_data(f"fits/serving_{name}.yaml")
    assert all(len(digest) == 64 for digest in record["input"].values())
    for curve in record["curves"].values():
        assert curve["rows"] > 30 and "error" in curve


# --------------------------------------------------------------------------------------- what an engine is told


def test_an_engine_keeps_a_share_of_the_cache_free() -> None:
    """The watermark of vLLM is a share of the capacity."""
    found = case(tp=4)
    marked = serve(
        found.model, found.cluster, replace(found.engine, watermark=0.01), found.settings, found.replica
    )  # fmt: skip
    assert marked.policy.watermark == int(0.01 * marked.kv_tokens) > 1000


def test_short_first_contexts_are_served_longer() -> None:
    """A model of 8,192 positions is served to 131,072; one of 163,840 to its own."""
    short = replace(SHELF.model("llama-3.1-8b"), max_seq=8192)
    assert longest(short) == 131072 and longest(replace(short, max_seq=163840)) == 163840
    assert longest(replace(short, max_seq=0)) == UNBOUND


def test_every_chip_has_its_own_link_to_the_host() -> None:
    """Four chips bring four times as many tokens a second."""
    one, four = case(tp=1).policy.host_rate, case(tp=4).policy.host_rate
    assert four == pytest.approx(4.0 * one)


def test_cores_bound_llama_cpp_alone() -> None:
    """Its matrix-vector kernels are bound by each of the 132 processors of an H100."""
    assert case("llama-3.1-8b", "q8_0", engine="llama.cpp").hardware.cores == 132.0
    assert case("llama-3.1-8b", "fp8").hardware.cores == 0.0


def test_a_capped_chip_has_a_lower_peak() -> None:
    """At 500 of 700 W the clock falls, and with it the peak of every format."""
    usual, capped = (case(on=replace(cluster(), power_cap=cap)).hardware for cap in (None, 500.0))
    assert 0.5 * usual.high.peak < capped.high.peak < 0.99 * usual.high.peak
    assert capped.low.peak / usual.low.peak == pytest.approx(capped.high.peak / usual.high.peak)


def test_what_runs_beside_the_static_share_of_sglang() -> None:
    """Its share holds weights and cache; vLLM's holds activations, graphs and context as well."""
    found = case(engine="sglang", tp=4, settings_={"memory_share": 0.5})
    memory = found.cluster.chip.memory
    assert found.memory_terms["weights"] + found.memory_terms["kv"] == pytest.approx(0.5 * memory)
    inside = case(tp=4, settings_={"memory_share": 0.5}).memory_terms
    assert sum(inside.values()) == pytest.approx(0.5 * memory)


def test_estimates_name_their_source() -> None:
    """What no table tells is marked as our own estimate, each figure with its range."""
    known = tuning.yaml_data("serving_estimates.yaml")
    assert known["source"] == "own-estimate" and "own-estimate" in SHELF.sources
    for name in ("logit", "passes", "decompression", "served_context"):
        assert known[name]["low"] <= known[name]["value"] <= known[name]["high"]
