"""The verbs estimate and plan: answers to what the first release must answer, limits, refusals, and the recentring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import exaplan
from exaplan.answers import Answer
from exaplan.catalog import Catalog, load, tuning
from exaplan.errors import InputError, NoPlan
from exaplan.nouns import Layout
from exaplan.perf.goodput import goodput

DAY = 86400.0
SMALL: dict[str, Any] = {
    "model": "llama-3.1-8b",
    "work": {"tokens": "100B", "seq_len": 8192, "global_batch": 512},
    "cluster": {"chip": "h100-sxm", "count": 64},
}
WIDE = {"global_batch": 96}  # divides over 24 chips
WHOLE = {"dp": 16, "tp": 4, "pp": 1, "micro_batch": 1}


@pytest.fixture(scope="module")
def shelf() -> Catalog:
    return load()


def asked(base: dict[str, Any] = SMALL, **parts: Any) -> exaplan.Ask:
    """An ask with groups of fields merged into ``base``."""
    merged = {**base}
    for name, part in parts.items():
        both = isinstance(part, dict) and isinstance(merged.get(name), dict)
        merged[name] = {**merged[name], **part} if both else part
    return exaplan.parse(merged)


def bundled(shelf: Catalog, name: str, **layout: Any) -> exaplan.Ask:
    """A bundled ask, with a layout if one is given."""
    value = {**shelf.ask(name).value}
    return exaplan.parse({**value, "layout": {**value.get("layout", {}), **layout}})


def sound(answer: Answer) -> Answer:
    """Every estimate of an answer is whole: terms add up, ranges hold their value, the memory fits."""
    for item in answer.estimates:
        made = item.estimate
        assert made.layout.chips == answer.count
        assert sum(made.breakdown.values()) == pytest.approx(made.step_time)
        assert sum(made.memory_terms.values()) == pytest.approx(made.memory)
        assert 0.0 < made.low < made.step_time < made.high
        assert made.memory <= answer.chip.memory and 0.0 < made.mfu < 0.8
        for name, value in (("time", item.time), ("cost", item.cost), ("energy", item.energy), ("carbon", item.carbon)):
            if value is not None:
                low, high = item.ranges[name]
                assert low < value < high, name
    return answer


# ----------------------------------------------------------------------------------------------- must be answered


def test_llama_405b_on_16384_h100(shelf: Catalog) -> None:
    """The published layout runs at 41% MFU (arXiv:2407.21783, table 4); so does ours, within a sixth."""
    answer = sound(exaplan.estimate(bundled(shelf, "llama-3.1-405b-as-published"), shelf))
    made = answer.estimates[0].estimate
    assert answer.count == 16384 and made.mfu == pytest.approx(0.41, rel=1 / 6)
    goodput_ = answer.estimates[0].goodput
    assert goodput_ is not None and 0.9 < goodput_ < 0.97


def test_deepseek_v3_on_2048_h800(shelf: Catalog) -> None:
    """2.664M H800 hours for 14.8T tokens (arXiv:2412.19437, table 1) are 19.9 s a step; ours within a quarter."""
    answer = sound(exaplan.estimate(bundled(shelf, "deepseek-v3-as-published"), shelf))
    step = 2.664e6 * 3600.0 / 2048 / (14.8e12 / (15360 * 4096))
    assert answer.estimates[0].estimate.step_time == pytest.approx(step, rel=0.25)


def test_gpt3_on_1024_a100(shelf: Catalog) -> None:
    """GPT-3 on 1,024 A100 in about a month (arXiv:2104.04473, section 5.1: 34 days at tp 8, pp 8, full recompute)."""
    layout = {"dp": 16, "tp": 8, "pp": 8, "vpp": 1, "micro_batch": 1, "recompute": "full"}
    answer = sound(exaplan.estimate(bundled(shelf, "gpt3-175b-1024-a100", **layout), shelf))
    time = answer.estimates[0].time
    assert time is not None and 22.0 * DAY < time < 40.0 * DAY
    planned = sound(exaplan.plan(bundled(shelf, "gpt3-175b-1024-a100"), shelf, 1)).estimates[0]
    assert planned.time is not None and planned.time < time


def test_lora_of_70b_on_one_node(shelf: Catalog) -> None:
    """LoRA fits where full training of 70B does not."""
    answer = sound(exaplan.plan(bundled(shelf, "llama-2-70b-lora"), shelf, 2))
    assert answer.count == 8 and len(answer.estimates) == 2
    value = shelf.ask("llama-2-70b-lora").value
    work = {k: v for k, v in value["work"].items() if k != "rank"} | {"method": "full"}
    with pytest.raises(NoPlan) as caught:
        exaplan.plan(exaplan.parse({**value, "work": work}), shelf)
    assert caught.value.limit == "memory"


def test_a_users_qwen3_moe_config(shelf: Catalog, tmp_path: Path) -> None:
    """A Hugging Face config.json beside the ask is a model like any other: 30.5B parameters of 128 experts."""
    config = {
        "model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "hidden_size": 2048,
        "intermediate_size": 6144, "moe_intermediate_size": 768, "num_hidden_layers": 48, "num_attention_heads": 32,
        "num_key_value_heads": 4, "head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8,
        "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [], "vocab_size": 151936,
        "max_position_embeddings": 40960, "hidden_act": "silu", "tie_word_embeddings": False, "attention_bias": False,
        "rms_norm_eps": 1e-6, "rope_theta": 1e6,
    }  # fmt: skip
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    own = sound(exaplan.plan(asked(model=str(path), work={"seq_len": 4096}), shelf, 1))
    named = exaplan.plan(asked(model="qwen3-30b-a3b", work={"seq_len": 4096}), shelf, 1)
    assert own.model.experts == 128 and own.estimates[0].estimate.layout.ep >= 1
    assert own.estimates[0].estimate.step_time == pytest.approx(named.estimates[0].estimate.step_time)


# ------------------------------------------------------------------------------------------------------ choosing


def test_plan_is_best_first_and_beats_what_it_left(shelf: Catalog) -> None:
    """Upper ends ascend; an estimate of any planned layout gives the same number."""
    answer = sound(exaplan.plan(asked(), shelf, 4))
    upper = [item.estimate.high for item in answer.estimates]
    assert upper == sorted(upper) and len(upper) == 4 and answer.considered > 100
    best = answer.estimates[0].estimate
    again = exaplan.estimate(asked(layout=_given(best.layout)), shelf).estimates[0].estimate
    assert again.layout == best.layout and again.step_time == best.step_time and again.memory == best.memory
    other = exaplan.estimate(asked(layout={"dp": 64, "tp": 1, "pp": 1, "zero": 3, "recompute": "full"}), shelf)
    assert best.high <= other.estimates[0].estimate.high


def _given(layout: Layout) -> dict[str, Any]:
    return {name: getattr(layout, name) for name in Layout.__dataclass_fields__}


def test_plan_keeps_what_the_ask_fixes(shelf: Catalog) -> None:
    """tp and recompute as asked in every plan."""
    answer = exaplan.plan(asked(layout={"tp": 2, "recompute": "full"}), shelf, 3)
    assert {(i.estimate.layout.tp, i.estimate.layout.recompute) for i in answer.estimates} == {(2, "full")}


def test_plan_counts_what_it_rejects(shelf: Catalog) -> None:
    """Layouts that do not fit or divide are counted by reason, and memory binds."""
    answer = exaplan.plan(asked(work={"global_batch": 96}), shelf, 1)
    assert answer.rejected["memory"] > 0 and answer.rejected["batch does not divide over dp"] > 0
    assert "chips" in answer.binding


def test_plan_leaves_a_margin_of_memory(shelf: Catalog) -> None:
    """No planned layout fills more than 95% of a chip."""
    answer = exaplan.plan(asked(), shelf, 20)
    assert max(item.estimate.memory for item in answer.estimates) <= 0.95 * answer.chip.memory


def test_open_estimate_is_the_best_plan(shelf: Catalog) -> None:
    """estimate without a layout answers with plan's first."""
    best = exaplan.plan(asked(), shelf, 1).estimates[0].estimate
    assert exaplan.estimate(asked(), shelf).estimates[0].estimate == best


def test_relief_never_harms(shelf: Catalog) -> None:
    """More memory or twice the chips: the objective re-solved is no worse, and twice the chips are much better."""
    relief = {item.limit: item for item in exaplan.plan(asked(), shelf, 1).relief}
    assert {"memory", "chips"} <= set(relief)
    assert all(item.after <= item.before for item in relief.values())
    assert relief["chips"].after < 0.7 * relief["chips"].before


# ------------------------------------------------------------------------------------------------------- pricing


def test_time_cost_energy_and_carbon_follow_from_the_step(shelf: Catalog) -> None:
    """steps / goodput x step time; rent x chips x time; power x chips x time; energy x intensity."""
    answer = exaplan.estimate(asked(layout=WHOLE, cluster={"terms": "rent"}), shelf)
    item = answer.estimates[0]
    made, good = item.estimate, item.goodput
    assert good is not None and item.time is not None and item.energy is not None
    assert item.time == pytest.approx(made.step_time * 100e9 / (8192 * 512) / good)
    assert item.energy == pytest.approx(made.power * 64 * item.time)
    assert item.carbon == pytest.approx(item.energy * answer.cluster.site.carbon)
    rent = shelf.price("h100-sxm", "rent")
    assert rent is not None and rent.value is not None
    assert item.cost == pytest.approx(rent.value / 3600.0 * 64 * item.time)
    assert item.price_source == rent.source and item.nodes == 8


def test_goodput_is_that_of_the_record(shelf: Catalog) -> None:
    """Failures of 64 chips, checkpoints of 14 B a parameter at the record's storage rate."""
    answer = exaplan.estimate(asked(layout=WHOLE), shelf)
    record = tuning.yaml_data("fits/goodput.yaml")
    params = sum(op.params for i in answer.model.layers for op in answer.model.blocks[i].operators)
    params += sum(op.params for op in (*answer.model.embedding, *answer.model.head))
    write = float(record["state"]["value"]) * params / (float(record["storage"]["value"]) * 64)
    mtbf = 1.0 / (record["interruptions"]["value"] * 64)
    assert answer.estimates[0].goodput == pytest.approx(goodput(write, record["restart"]["value"], mtbf), rel=1e-6)


def test_one_step_has_no_price(shelf: Catalog) -> None:
    """Without tokens or steps only the step is answered."""
    ask = {**SMALL, "work": {"seq_len": 8192, "global_batch": 512}, "layout": WHOLE}
    item = exaplan.estimate(exaplan.parse(ask), shelf).estimates[0]
    assert (item.time, item.cost, item.energy, item.carbon) == (None, None, None, None)
    assert item.estimate.step_time > 0.0 and item.ranges["memory"][0] < item.estimate.memory < item.ranges["memory"][1]


def test_unknown_rent_is_no_cost(shelf: Catalog) -> None:
    """A chip that nobody rents out has no cost under terms `rent`, and the answer says what to give."""
    names = [name for name in shelf.chips if shelf.price(name, "rent") is None]
    chip = next(shelf.chip(n) for n in names if shelf.chip(n).memory > 60e9 and shelf.chip(n).peak.get("bf16"))
    cluster = {"chip": chip.name, "count": 8, "terms": "rent"}
    answer = exaplan.plan(asked(cluster=cluster, work={"global_batch": 64}), shelf, 1)
    assert answer.estimates[0].cost is None and "cost" not in answer.estimates[0].ranges
    assert any("no rent of" in note for note in answer.assumptions)


def test_power_lies_between_idle_and_the_node(shelf: Catalog) -> None:
    """Wall power per chip: PUE times at most the node's share."""
    answer = exaplan.estimate(asked(layout=WHOLE), shelf)
    node, site = answer.node, answer.cluster.site
    assert node.power is not None and answer.chip.power is not None
    assert 0.4 * answer.chip.power < answer.estimates[0].estimate.power <= site.pue * node.power / node.chips


def test_mfu_counts_model_flops_over_the_peak(shelf: Catalog) -> None:
    """Recompute lowers MFU by its time: the FLOPs in the numerator stay."""
    plain, full = (
        exaplan.estimate(asked(layout={**WHOLE, "recompute": r}), shelf).estimates[0].estimate
        for r in ("selective", "full")
    )
    assert plain.flops == full.flops and full.step_time > 1.15 * plain.step_time
    assert plain.mfu * plain.step_time == pytest.approx(full.mfu * full.step_time)
    assert plain.mfu == pytest.approx(plain.flops / (plain.step_time * 64 * shelf.chip("h100-sxm").peak["bf16"]))


def test_unknown_power_is_no_energy(shelf: Catalog) -> None:
    """A chip and node of unknown power have unknown energy and carbon, not none at all."""
    every = (c for c in map(shelf.chip, shelf.chips) if c.memory > 16e9)
    chip = next(c for c in every if c.power is None and shelf.default_node(c).power is None)
    item = exaplan.plan(asked(cluster={"chip": chip.name, "count": 64}), shelf, 1).estimates[0]
    assert item.energy is None and item.carbon is None and "energy" not in item.ranges


# -------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        ({"money": "$100"}, "money"),
        ({"deadline": "1 h"}, "deadline"),
        ({"power": "1 kW"}, "power"),
        ({"count": 32}, "count"),
    ],
)
def test_a_limit_that_nothing_meets_is_named(shelf: Catalog, limits: dict[str, Any], limit: str) -> None:
    """NoPlan with the limit and what would be needed instead, from plan and from estimate."""
    for verb, layout in ((exaplan.plan, {}), (exaplan.estimate, WHOLE)):
        with pytest.raises(NoPlan) as caught:
            verb(asked(limits=limits, layout=layout), shelf)
        assert caught.value.limit == limit and "against" in caught.value.nearest and caught.value.hint


def test_limits_that_hold_change_nothing(shelf: Catalog) -> None:
    """Generous limits: the same plan; near ones bind."""
    free = exaplan.plan(asked(), shelf, 1).estimates[0]
    assert free.time is not None
    wide = exaplan.plan(asked(limits={"money": "$1B", "deadline": "9000 d", "power": "1 GW", "count": 64}), shelf, 1)
    assert wide.estimates[0].estimate == free.estimate and "deadline" not in wide.binding
    near = exaplan.plan(asked(limits={"deadline": f"{free.ranges['time'][1] * 1.01:.0f} s"}), shelf, 1)
    assert "deadline" in near.binding


def test_does_not_fit_says_by_how_much(shelf: Catalog) -> None:
    """405B on eight H100: memory binds, and the leanest layout is the nearest miss."""
    with pytest.raises(NoPlan, match="does not fit") as caught:
        exaplan.plan(asked(model="llama-3.1-405b", cluster={"count": 8}), shelf)
    assert caught.value.limit == "memory" and "GiB" in caught.value.nearest and caught.value.hint


def test_a_layout_that_does_not_fit_names_its_largest_parts(shelf: Catalog) -> None:
    """One chip each and no sharding: optimizer and weights."""
    with pytest.raises(NoPlan, match="this layout of") as caught:
        exaplan.estimate(asked(layout={"dp": 64, "tp": 1, "pp": 1, "zero": 0}), shelf)
    assert caught.value.limit == "memory" and "optimizer" in caught.value.nearest


# ------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("parts", "field", "says"),
    [
        ({"layout": {"dp": 1, "tp": 64, "pp": 1}}, "layout.tp", "heads"),
        ({"layout": {"dp": 1, "tp": 1, "pp": 64}}, "layout.pp", "exceeds"),
        ({"layout": {"dp": 16, "tp": 2, "pp": 2, "vpp": 20}}, "layout.pp", "exceeds"),
        ({"layout": {"dp": 2, "tp": 2, "pp": 2, "cp": 2}}, "layout", "chips"),
        ({"layout": {"dp": 64, "tp": 1, "pp": 1}, "work": {"global_batch": 96}}, "work.global_batch", "divide"),
        ({"layout": {"dp": 64, "tp": 1, "pp": 1, "micro_batch": 16}}, "work.global_batch", "divide"),
        ({"layout": {"dp": 64, "tp": 1, "pp": 1, "ep": 8}}, "layout.ep", "experts"),
        ({"layout": {**WHOLE, "recompute": "everything"}}, "layout.recompute", "everything"),
        ({"layout": {**WHOLE, "recompute": "full:much"}}, "layout.recompute", "full:much"),
        ({"work": {"framework": "theano"}}, "work.framework", "theano"),
        ({"work": {"precision": "nvfp4"}}, "work.precision", "nvfp4"),
        ({"cluster": {"chip": "h10"}}, "cluster.chip", "h10"),
        ({"cluster": {"node": "dgx-a100-80gb"}}, "cluster.node", "a100"),
        ({"cluster": {"site": {"pue": 1.1}}}, "cluster.site", "inline"),
        ({"model": "lama-3.1-8b"}, "model", "lama"),
        ({"observed": {"step_time": "4 s"}}, "observed.step_time", "layout"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input_is_refused_with_field_and_remedy(
    shelf: Catalog, parts: dict[str, Any], field: str, says: str
) -> None:
    """InputError: the field, the value, and what to do about it."""
    with pytest.raises(InputError) as caught:
        exaplan.estimate(asked(**parts), shelf)
    assert caught.value.place.field == field
    assert says in caught.value.problem and caught.value.hint


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"layout": {"ep": 3}, "model": "mixtral-8x7b", "cluster": {"count": 24}, "work": WIDE}, "expert"),
        ({"layout": {"ep": 8}}, "expert"),
        ({"layout": {"tp": 3}, "cluster": {"count": 24}, "work": WIDE}, "head"),
        ({"layout": {"vpp": 40}}, "chunk"),
        ({"layout": {"recompute": "everything"}}, "everything"),
    ],
    ids=str,
)  # fmt: skip
def test_partly_fixed_layouts_are_checked_too(shelf: Catalog, parts: dict[str, Any], says: str) -> None:
    """A fixed field that no legal layout can keep is refused by plan, too."""
    with pytest.raises(InputError, match=says):
        exaplan.plan(asked(**parts), shelf)


def test_nothing_legal_is_bad_input(shelf: Catalog) -> None:
    """A batch of seven sequences over 64 replicas' worth of chips in one stage and no tensor or context cut."""
    with pytest.raises(InputError, match="no legal layout") as caught:
        exaplan.plan(asked(layout={"pp": 1, "tp": 1, "cp": 1}, work={"global_batch": 7}), shelf)
    assert caught.value.place.field == "layout" and "divide" in caught.value.problem


def test_long_sequences_are_noted(shelf: Catalog) -> None:
    """Beyond the positions of the model: answered, with a note."""
    model = shelf.model("llama-2-7b")
    seq = 2 * model.max_seq
    answer = exaplan.estimate(
        asked(model="llama-2-7b", work={"seq_len": seq}, layout={"dp": 8, "tp": 8, "pp": 1}), shelf
    )
    assert any(f"beyond the model's {model.max_seq} positions" in note for note in answer.assumptions)


# ------------------------------------------------------------------------------------------------------- observed


def test_observed_recentres_on_the_measurement(shelf: Catalog) -> None:
    """The asker's own layout now takes what was measured, term by term, with a narrow range."""
    free = exaplan.estimate(asked(layout=WHOLE), shelf).estimates[0].estimate
    seen = 1.3 * free.step_time
    item = exaplan.estimate(asked(layout=WHOLE, observed={"step_time": f"{float(seen)!r} s"}), shelf).estimates[0]
    made = item.estimate
    assert made.step_time == pytest.approx(seen) and made.low < seen < made.high
    assert made.high / made.low < free.high / free.low
    assert made.mfu == pytest.approx(free.mfu / 1.3)
    for name, value in free.breakdown.items():
        assert made.breakdown[name] == pytest.approx(1.3 * value), name
    assert made.memory == free.memory


# ------------------------------------------------------------------------------------------------------ resolving


def test_a_node_brings_its_chip_and_a_count_of_one_node(shelf: Catalog) -> None:
    """cluster: {node: ...} alone is one such node."""
    ask = {**SMALL, "cluster": {"node": "hgx-h100"}, "work": {"tokens": "1B", "seq_len": 4096, "global_batch": 64}}
    answer = exaplan.plan(exaplan.parse(ask), shelf, 1)
    assert answer.count == 8 and answer.chip.name == "h100-sxm" and answer.node.name == "hgx-h100"


def test_a_named_cluster_may_be_resized(shelf: Catalog) -> None:
    """A bundled cluster's name, with another count."""
    name = next(iter(shelf.clusters))
    base = shelf.cluster(name)
    ask = {**SMALL, "cluster": {"name": name, "count": 64}}
    answer = exaplan.plan(exaplan.parse(ask), shelf, 1)
    assert answer.count == 64 and answer.chip == base.chip and answer.cluster.fabric == base.fabric


def test_inline_dimensions_are_a_model(shelf: Catalog) -> None:
    """A mapping under `model` is a Spec."""
    dims = {"name": "own", "layers": 16, "hidden": 2048, "heads": 16, "kv_heads": 8, "vocab": 32000, "ffn": 8192}
    answer = sound(exaplan.plan(asked(model=dims, work={"seq_len": 4096}), shelf, 1))
    assert answer.model.name == "own" and len(answer.model.layers) == 16


def test_known_frameworks_are_taken(shelf: Catalog) -> None:
    """A generation changes the tuning, and its absence is an assumption that is told."""
    entry = str(tuning.frameworks()[0]["generation"])
    named = exaplan.estimate(asked(layout=WHOLE, work={"framework": entry}), shelf)
    pooled = exaplan.estimate(asked(layout=WHOLE), shelf)
    assert any("framework unknown" in note for note in pooled.assumptions)
    assert not any("framework unknown" in note for note in named.assumptions)
    assert named.provenance["framework"] == entry and pooled.provenance["framework"] == "pooled"


def test_unmeasured_architectures_are_told(shelf: Catalog) -> None:
    """A TPU inherits curves: said so, and with a wider range than an H100's."""
    ask = {**SMALL, "cluster": {"chip": "tpu-v5p", "count": 64}, "work": {"seq_len": 8192, "global_batch": 512}}
    answer = exaplan.plan(exaplan.parse(ask), shelf, 1)
    assert any("no kernel of tpu-v5p was measured" in note for note in answer.assumptions)
    made, best = answer.estimates[0].estimate, exaplan.plan(asked(), shelf, 1).estimates[0].estimate
    assert made.high / made.low > 1.2 * best.high / best.low


def test_layouts_are_filled_from_the_chips(shelf: Catalog) -> None:
    """dp, tp and pp given: cp takes the rest of the chips, dense layers' experts follow tp, chunks are interleaved."""
    found = exaplan.estimate(asked(layout={"dp": 4, "tp": 4, "pp": 2, "vpp": 2}), shelf).estimates[0].estimate.layout
    assert (found.cp, found.etp, found.schedule) == (2, 4, "interleaved")
    moe = asked(model="mixtral-8x7b", layout={"dp": 32, "tp": 2, "pp": 1, "ep": 8}, work={"seq_len": 4096})
    assert exaplan.estimate(moe, shelf).estimates[0].estimate.layout.etp == 1


def test_inputs_explain_every_term(shelf: Catalog) -> None:
    """Each term of the best plan that takes time has the numbers it was worked out from."""
    answer = exaplan.estimate(asked(layout={"dp": 8, "tp": 4, "pp": 2}), shelf)
    made = answer.estimates[0].estimate
    heavy = {name for name, value in made.breakdown.items() if value > 0.0} - {"contention", "straggle", "floor"}
    assert heavy <= set(answer.inputs) and all(answer.inputs[name] for name in heavy)


def test_a_users_chip_without_a_network_is_one_node(shelf: Catalog, tmp_path: Path) -> None:
    """Eight such chips are answered, without relief by more of them; sixteen need a network, and the field is named."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nvendor: me\narchitecture: hopper\npeak: {bf16: 500 TFLOP/s}\nmemory: 96 GiB\nbandwidth: 3 TB/s\n"
        "domain: 8\nlink_bandwidth: 450 GB/s\n"
    )
    ask = {**SMALL, "cluster": {"chip": str(path), "count": 8}, "work": {"seq_len": 4096, "global_batch": 64}}
    answer = exaplan.plan(exaplan.parse(ask), shelf, 1)
    assert answer.chip.name == "mine" and "chips" not in {item.limit for item in answer.relief}
    with pytest.raises(InputError, match="scale-out bandwidth") as caught:
        exaplan.plan(exaplan.parse({**ask, "cluster": {"chip": str(path), "count": 16}}), shelf)
    assert caught.value.place.field == "cluster.node"


def test_a_power_cap_slows_matrix_work_and_bounds_the_power(shelf: Catalog) -> None:
    """At 500 of 700 W products take (630/430)^(1/3) times as long at most, passes as long, and less power is drawn."""
    full = exaplan.estimate(asked(layout=WHOLE), shelf).estimates[0].estimate
    capped = exaplan.estimate(asked(layout=WHOLE, cluster={"power_cap": "500 W"}), shelf).estimates[0].estimate
    slower = capped.breakdown["product"] / full.breakdown["product"]
    assert 1.05 < slower <= (630.0 / 430.0) ** (1.0 / 3.0)
    assert capped.breakdown["vector"] == pytest.approx(full.breakdown["vector"])
    assert full.power is not None and capped.power is not None and capped.power < full.power


@pytest.mark.parametrize(
    ("chip", "cap", "says"),
    [("h100-sxm", "900 W", "70 W idle and 700 W"), ("tpu-v5p", "100 W", "TDP of tpu-v5p is unknown")],
)
def test_impossible_power_caps_are_refused(shelf: Catalog, chip: str, cap: str, says: str) -> None:
    """A cap above the TDP, or on a chip whose TDP is unknown, names the field and the remedy."""
    with pytest.raises(InputError, match=says) as caught:
        exaplan.plan(asked(cluster={"chip": chip, "power_cap": cap}), shelf)
    assert caught.value.place.field == "cluster.power_cap" and caught.value.hint
