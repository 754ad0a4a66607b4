"""Rows of power that was measured while chips served: what is read, skipped and why, whose fit predicts them, their
score."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest

from exaplan import truth
from exaplan.case.serving_power import lagging_share
from exaplan.catalog import Catalog, load, serving_power
from exaplan.nouns.serving import Replica
from exaplan.truth.reading import Skip, read_rows
from exaplan.truth.serving import power as scores
from exaplan.truth.serving.power import PowerScore, fold_of, power_serving, predict_power, shipped_rows
from exaplan.truth.serving.power_joined import CHIPS, NODES
from exaplan.truth.serving.power_rows import COLUMNS, KIND, family_of, format_of, power_reason, powered, replica_of
from exaplan.truth.serving.power_runs import (
    Pace,
    Parts,
    Run,
    at_pace,
    host_time,
    output_of,
    parts,
    posed,
    prompt_of,
    run_of,
)

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "runs" / "power.csv"
CUT = (
    'output tok/s 1.0; parallelization {"data_parallel": 1, "expert_parallel": %d, "notes": "", "tensor_parallel": %d}'
)
ROW = {
    "row_id": "P-1", "kind": KIND, "model": "Qwen3-14B", "chip": "H100", "n_chips": "1", "value_per_chip": "525",
    "scenario": "lm-arena-chat max_num_seqs 64", "notes": CUT % (1, 1), "source": "ML.ENERGY", "confidence": "read",
    "qa": "",
}  # fmt: skip
STILL = Pace(*(1.0 for _ in range(6)), *(0.0 for _ in range(8)))
PARTS = Parts(
    dense=4.0, experts=2.0, attention=1.0, prompt=1.0, traffic=1.0, compute=0.5, memory=3.0, lag=0.5, low=0.0
)  # fmt: skip
RUN = Run(seqs=10.0, output=100.0, image=0.0, video=0.0, shared=0.0)


@pytest.fixture(scope="module")
def shelf() -> Catalog:
    return load()


@pytest.fixture(scope="module")
def whole(shelf: Catalog) -> PowerScore:
    """The score of the shipped rows."""
    return power_serving(shipped_rows(), shelf)


# ------------------------------------------------------------------------------------------------------- rows


def test_only_rows_of_language_models_count() -> None:
    """Other kinds, generated images and videos, recalled and doubtful rows are left out, each with its reason."""
    assert power_reason(ROW) == power_reason(ROW | {"qa": "note: two runs"}) == ""
    assert "tdp" in power_reason(ROW | {"kind": "tdp"})
    assert "images or videos" in power_reason(ROW | {"scenario": "text-to-video batch 2 steps 50 1280x720"})
    assert power_reason(ROW | {"confidence": "memory"}) == "recalled, not read"
    assert power_reason(ROW | {"qa": "meter broken"}) == "qa: meter broken"
    assert "scenario" in power_reason(ROW | {"scenario": "something else"})


def test_what_looks_at_images_is_a_language_model() -> None:
    """Images and videos that are asked about count; those that are made do not."""
    for task in ("image-chat", "video-chat"):
        assert power_reason(ROW | {"scenario": f"{task} max_num_seqs 8"}) == ""
    assert power_reason(ROW | {"scenario": "text-to-image batch 1 steps 20 1024x1024"})


def test_a_row_as_a_question() -> None:
    """Model, chip, cut, task and sequences are read; the format follows from the checkpoint's name."""
    item = powered(ROW | {"model": "Qwen3-235B-A22B-Instruct-2507-FP8", "n_chips": "4", "notes": CUT % (4, 1)})
    assert (item.task, item.seqs, item.measured) == ("lm-arena-chat", 64, 525.0)
    assert item.replica == Replica(tp=4, ep=4) and item.formats.weights == "fp8-block"
    assert item.family == "qwen3-235b-a22b" and item.kind == "H100 together"
    assert powered(ROW).kind == "H100 alone"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scenario": "lm-arena-chat max_num_seqs 0"}, "at least 1"),
        ({"scenario": "lm-arena-chat"}, "max_num_seqs"),
        ({"n_chips": "0"}, "above 0"),
        ({"value_per_chip": "0"}, "above 0"),
        ({"value_per_chip": ""}, "blank"),
        ({"n_chips": "2"}, "does not fill 2 chips"),
        ({"notes": "parallelization {broken}"}, "is not read"),
        ({"notes": 'parallelization {"tensor_parallel": null}'}, "is not read"),
        ({"notes": 'parallelization {"tensor_parallel": 0}'}, "does not fill"),
        ({"notes": 'parallelization {"data_parallel": 0}'}, "does not fill"),
    ],
)
def test_rows_that_say_nothing_sound_are_skipped(change: dict[str, str], words: str) -> None:
    """With what is wrong."""
    with pytest.raises(Skip, match=words):
        powered(ROW | change)


def test_how_an_engine_is_cut() -> None:
    """Experts are spread over the ranks that cut attention; without a word, all chips cut every product."""
    assert replica_of(CUT % (1, 4), 4) == Replica(tp=4)
    assert replica_of(CUT % (8, 1), 8) == Replica(tp=8, ep=8)
    assert replica_of("", 2) == Replica(tp=2)


@pytest.mark.parametrize(
    ("model", "form", "family"),
    [
        ("Qwen3-235B-A22B-Thinking-2507-FP8", "fp8-block", "qwen3-235b-a22b"),
        ("Qwen3-Omni-30B-A3B-Instruct", "bf16", "qwen3-30b-a3b"),
        ("Qwen3-VL-8B-Instruct", "bf16", "qwen3-8b"),
        ("Llama-3.1-405B-Instruct-FP8", "fp8", "llama-3-405b"),
        ("Llama-3.3-70B-Instruct", "bf16", "llama-3-70b"),
        ("DeepSeek-V3.1", "fp8-block", "deepseek"),
        ("DeepSeek-R1-0528", "fp8-block", "deepseek"),
        ("NVIDIA-Nemotron-Nano-12B-v2-VL-BF16", "bf16", "nvidia-nemotron-nano-12b"),
        ("gpt-oss-20b", "mxfp4", "gpt-oss-20b"),
        ("gemma-3-27b-it", "bf16", "gemma-3-27b"),
    ],
)
def test_format_and_fold_of_a_name(model: str, form: str, family: str) -> None:
    """Checkpoints of one architecture and size share a fold, whatever they were tuned for or stored in."""
    assert (format_of(model), family_of(model)) == (form, family)


def test_the_shipped_rows_all_count() -> None:
    """456, of 15 families on two chips."""
    items = [powered(row) for row in shipped_rows() if not power_reason(row)]
    assert len(items) == len(shipped_rows()) == 456
    assert len({item.family for item in items}) == 15 and {item.chip for item in items} == {"H100", "B200"}


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_file(), reason="the tables of ../shared/data are not beside this checkout")
def test_shipped_rows_are_those_of_the_table() -> None:
    """Cell by cell, from the table that the fit names by its hash; 651 of images and videos are left out with a
    word."""
    rows = read_rows(SHARED, COLUMNS)
    kept = [{k: v for k, v in row.items() if k != "_line"} for row in rows if not power_reason(row)]
    assert kept == [{k: v for k, v in row.items() if k != "_line"} for row in shipped_rows()]
    assert sum("images or videos" in power_reason(row) for row in rows) == 651
    assert hashlib.sha256(SHARED.read_bytes()).hexdigest() == serving_power.record()["input"]["power.csv"]


# ------------------------------------------------------------------------------------------------------- runs


def test_a_run_at_the_pace_of_kernels_is_its_parts() -> None:
    """Parts add up; the busiest chip's experts are waited for like traffic; counted work stays as counted."""
    spent = at_pace(PARTS, RUN, STILL)
    assert spent.total == pytest.approx(4 + 2 + 1 + 1 + 1)
    assert spent.traffic == pytest.approx(1 + 0.5 * 2) and spent.waiting == 0.0
    assert (spent.compute, spent.memory, spent.experts, spent.low) == (0.5, 3.0, 1.0, 0.0)


def test_experts_below_16_bit_have_a_pace_of_their_own() -> None:
    """Theirs alone counts, and their time is told apart."""
    pace = STILL._replace(experts=5.0, low=3.0)
    assert at_pace(PARTS._replace(low=1.0), RUN, pace).low == pytest.approx(3.0)
    assert at_pace(PARTS, RUN, pace).experts == pytest.approx(5.0)


def test_the_host_is_waited_for() -> None:
    """Base, each sequence, and each request that comes in, by hand; a shared host adds its own."""
    pace = STILL._replace(
        base=1e-3,
        sequence=1e-4,
        request=1e-2,
        image=0.2,
        video=0.4,
        shared_answer=1e-5,
        shared_image=0.5,
        shared_video=1.0,
    )
    assert host_time(RUN, pace) == pytest.approx(1e-3 + 10 * 1e-4 + 0.1 * 1e-2)
    assert host_time(RUN._replace(image=1.0), pace) == pytest.approx(1e-3 + 1e-3 + 0.1 * 0.21)
    alone = RUN._replace(video=1.0, shared=1.0)
    assert host_time(alone, pace) == pytest.approx(1e-3 + 1e-3 + 0.1 * (0.41 + 1.0) + 1e-5 * 100)


def test_one_chip_of_a_shared_node() -> None:
    """Only where the engine has one chip, of a kind whose nodes were shared."""
    item = powered(ROW | {"scenario": "image-chat max_num_seqs 8"})
    assert run_of(item, 50.0, ("H100",)) == Run(8.0, 50.0, 1.0, 0.0, 1.0)
    assert run_of(item, 50.0, ("B200",)).shared == 0.0
    assert run_of(powered(ROW | {"n_chips": "2", "notes": CUT % (1, 2)}), 50.0, ("H100",)).shared == 0.0


def test_longer_prompts_are_more_work(shelf: Catalog) -> None:
    """No prompt takes no time; twice the tokens about twice the FLOPs, and time between those of a law with an offset
    and of attention's square."""
    item = powered(ROW)
    none, one, two = (parts(item, shelf, length, 500.0) for length in (0.0, 1000.0, 2000.0))
    assert none.prompt == 0.0 and none.dense <= one.dense < 1.1 * none.dense
    assert 1.5 * one.prompt < two.prompt < 2.5 * one.prompt
    assert two.compute - none.compute == pytest.approx(2.0 * (one.compute - none.compute), rel=0.05)


def test_weights_are_read_once_an_iteration(shelf: Catalog) -> None:
    """14.8 billion parameters of 2 bytes take 8.8 ms of 3.35 TB/s; eight short sequences hardly add."""
    item = powered(ROW | {"scenario": "lm-arena-chat max_num_seqs 8"})
    assert parts(item, shelf, 0.0, 100.0).memory == pytest.approx(14.8e9 * 2 / 3.35e12, rel=0.06)


def test_only_spread_experts_lag(shelf: Catalog) -> None:
    """Experts of one chip lag behind nobody; those on eight do, the less the more tokens."""
    name = "Qwen3-235B-A22B-Instruct-2507"
    spread = powered(ROW | {"model": name, "n_chips": "8", "notes": CUT % (8, 1)})
    cut = powered(ROW | {"model": name, "n_chips": "8", "notes": CUT % (1, 8)})
    few, whole = (posed(i.model, i.chip, i.replica, i.formats, i.seqs, shelf) for i in (spread, cut))
    assert lagging_share(whole, 8.0) == 0.0 and lagging_share(few, 8.0) > lagging_share(few, 64.0) > 0.0
    dense = powered(ROW)
    assert lagging_share(posed(dense.model, dense.chip, dense.replica, dense.formats, 8, shelf), 8.0) == 0.0


def test_lengths_by_rule() -> None:
    """Prompts by task, answers by task and model; an unknown task is skipped, an unknown model takes the median."""
    outputs = {"lm-arena-chat": {"any": 600.0, "Qwen3-14B": 618.0}}
    assert output_of(powered(ROW), outputs) == 618.0
    assert output_of(powered(ROW | {"model": "Qwen9-1B"}), outputs) == 600.0
    assert prompt_of(powered(ROW), {"lm-arena-chat": 500.0}) == 500.0
    with pytest.raises(Skip, match="audio-chat"):
        prompt_of(powered(ROW | {"scenario": "audio-chat max_num_seqs 8"}), {"gpqa": 1.0})
    with pytest.raises(Skip, match="audio-chat"):
        output_of(powered(ROW | {"scenario": "audio-chat max_num_seqs 8"}), outputs)


def test_what_no_engine_runs_is_skipped(shelf: Catalog) -> None:
    """A model or a chip that the catalogue does not know."""
    for change in ({"model": "no such model"}, {"chip": "no such chip"}):
        item = powered(ROW | change)
        with pytest.raises(Skip):
            predict_power(item, shelf, "")


# ------------------------------------------------------------------------------------------------------- score


def test_every_row_is_predicted(whole: PowerScore) -> None:
    """None is lost, and the mean error of rows whose model was left out stays below the bar of 11%."""
    assert (whole.whole.n, whole.failed, whole.skipped) == (456, (), ())
    assert whole.whole.mean_abs_error < 0.11
    assert all(row.quantity == "power" and row.low < row.predicted < row.high for row in whole.rows)


def test_ranges_hold_four_of_five(whole: PowerScore) -> None:
    """75% to 88% over all rows; 70% to 90% on each chip; narrower by their score than one constant ratio."""
    assert 0.75 <= whole.whole.coverage <= 0.88
    for score in whole.groups["power of serving, by chip"].values():
        assert 0.70 <= score.coverage <= 0.90


def test_groups_hold_every_row(whole: PowerScore) -> None:
    """Each grouping adds up to all rows."""
    for groups in whole.groups.values():
        assert sum(score.n for score in groups.values()) == 456


def test_the_fit_that_predicts_saw_no_row_of_the_family(shelf: Catalog) -> None:
    """Every family has its fold, whose coefficients differ from those of all rows; another model has none."""
    record = serving_power.record()
    families = {powered(row).family for row in shipped_rows()}
    assert families | {"H100", "B200"} == set(record["folds"])
    for name in families:
        assert record["folds"][name]["coefficients"] != record["coefficients"]
        assert serving_power.coefficients(name) != serving_power.coefficients()
    assert fold_of(powered(ROW)) == "qwen3-14b" and fold_of(powered(ROW | {"model": "Qwen9-1B"})) == ""


def test_the_record_says_what_is_scored(whole: PowerScore) -> None:
    """Errors in the record are those of validate, but for lengths of prompts being interpolated."""
    record = serving_power.record()["errors"]["family_left_out"]
    assert record["n"] == 456 and record["mean"] == pytest.approx(whole.whole.mean_abs_error, abs=0.004)


def test_measured_throughput_is_no_input(shelf: Catalog) -> None:
    """Another throughput, another prediction: no."""
    row = shipped_rows()[0]
    other = row | {"notes": row["notes"].replace("output tok/s ", "output tok/s 9")}
    one, two = (power_serving([r], shelf).rows[0] for r in (row, other))
    assert one == two


def test_skipped_scoring_rows_count_in_full(shelf: Catalog) -> None:
    """A row that cannot be predicted is an error of 100%; one that does not count is none."""
    rows = [ROW, ROW | {"row_id": "P-2", "model": "no such model"}, ROW | {"row_id": "P-3", "kind": "tdp"}]
    found = power_serving(rows, shelf)
    assert (len(found.rows), len(found.failed), len(found.skipped), found.whole.n) == (1, 1, 2, 2)
    assert found.whole.mean_abs_error > 0.5


def test_no_rows_no_words(shelf: Catalog) -> None:
    """An empty table has no score and no notes."""
    found = power_serving([], shelf)
    assert found.rows == () and found.notes == () and math.isnan(found.whole.mean_abs_error)


def test_more_sequences_draw_no_less_on_the_whole(shelf: Catalog) -> None:
    """From 8 to 256 sequences the predicted power of a dense model rises, and stays within its TDP."""
    drawn = [
        predict_power(powered(ROW | {"scenario": f"lm-arena-chat max_num_seqs {n}"}), shelf, "").time
        for n in (8, 32, 128, 256)
    ]
    assert drawn == sorted(drawn) and 0.3 * 700.0 < drawn[0] < drawn[-1] <= 700.0


def test_bands_of_sequences() -> None:
    """Ends belong to the band below."""
    assert [scores.band_of(n) for n in (8, 16, 17, 128, 129)] == [
        "up to 16", "up to 16", "17 to 128", "17 to 128", "above 128",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------- both kinds


def test_power_of_both_kinds_is_one_quantity(shelf: Catalog, whole: PowerScore) -> None:
    """556 rows: 100 of nodes that train, 456 of chips that serve; each side is scored apart, too."""
    found = truth.of_power(shelf, truth.POWER, truth.POWER_SERVING)
    sides = found.groups["power, by what was metered"]
    assert {name: side.n for name, side in sides.items()} == {NODES: 100, CHIPS: 456}
    assert found.summary["power"].n == len(found.rows) == 556 and sides[CHIPS] == whole.whole
    assert set(whole.groups) < set(found.groups) and "measured machine" in found.groups


def test_a_file_of_one_kind_says_nothing_of_the_other(shelf: Catalog) -> None:
    """Groups and notes are of the rows that are there."""
    nodes, chips = truth.of_power(shelf, truth.POWER), truth.of_power(shelf, truth.POWER_SERVING)
    assert list(nodes.groups) == ["measured machine"] and not any("serving" in note for note in nodes.notes)
    assert "measured machine" not in chips.groups and all("serving" in note for note in chips.notes)


def test_sources_count_what_was_lost(shelf: Catalog) -> None:
    """A row that is not predicted counts in full where it is from."""
    found = power_serving([ROW, ROW | {"row_id": "P-2", "model": "no such model"}], shelf)
    assert found.by_source["power: ML.ENERGY"].n == 2
