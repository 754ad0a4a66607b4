"""Rows of measured power: what is read, refused or skipped and why, whose fit predicts them, and their score."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exaplan import truth
from exaplan.answers import Validation
from exaplan.catalog import Catalog, load, tuning
from exaplan.catalog.cooling import AIR, LIQUID, cooling, entry
from exaplan.errors import InputError
from exaplan.perf.power import PowerFit, Watts
from exaplan.perf.step import Terms
from exaplan.truth import POWER, POWER_SERVING, RUNS, fold_of, metering, powering, validate
from exaplan.truth.metering import (
    Metered,
    direct_of,
    donor_of,
    metered,
    power_reason,
    round_of,
    submitter_of,
)
from exaplan.truth.powering import Ran, average, node_of, predict_power, ran, record, width_of
from exaplan.truth.reading import Skip, read_rows

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "runs" / "power.csv"
LORA = {
    "row_id": "P-1", "kind": metering.KIND, "model": "llama2-70b", "chip": "H100", "n_chips": "8",
    "value_per_chip": "895", "performance": "28.1", "performance_unit": "minutes",
    "scenario": "MLPerf training llama2_70b_lora", "notes": "reading side AC; conversion_eff field 1.00",
    "source": "MLPerf Training v4.0 power logs acme/results/1xACME/llama2_70b_lora", "confidence": "read", "qa": "",
}  # fmt: skip
BERT = LORA | {"model": "bert-large", "scenario": "MLPerf training bert", "performance": "5"}


@pytest.fixture(scope="module")
def shelf() -> Catalog:
    return load()


@pytest.fixture(scope="module")
def runs() -> list[dict[str, str]]:
    return read_rows(RUNS)


@pytest.fixture(scope="module")
def whole(shelf: Catalog) -> Validation:
    """The verb over the shipped rows of power."""
    return validate(shelf, POWER)


def test_a_row_without_a_word_of_confidence_was_read(runs: list[dict[str, str]]) -> None:
    """An empty cell counts as read, recalled does not; a single chip has a donor, none has not."""
    assert power_reason(LORA | {"confidence": ""}) == "" and power_reason(LORA | {"confidence": "recalled"})
    assert donor_of(LORA | {"n_chips": "1"}, runs)["chip"] == "H100"
    with pytest.raises(Skip, match="at least 1"):
        donor_of(LORA | {"n_chips": "0"}, runs)


def test_a_micro_batch_is_the_largest_that_fits(
    shelf: Catalog, runs: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried from above: one of 4,096 sequences is halved until it fits the memory of the chip, and no further."""
    monkeypatch.setattr(powering, "LARGEST", 4096)
    work = metered(BERT, runs).work
    case, layout = powering._posed(work, shelf, "")
    assert 64 <= layout.micro_batch < 4096 and layout.micro_batch.bit_count() == 1
    assert powering._fits(case, layout)
    more = replace(layout, micro_batch=2 * layout.micro_batch)
    assert not powering._fits(case, more)


def write(path: Path, *rows: Mapping[str, str], header: Sequence[str] = tuple(LORA)) -> Path:
    """A CSV file of measured power."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


# ------------------------------------------------------------------------------------------------------- rows


def test_only_clean_rows_of_training_nodes_count() -> None:
    """Other kinds, recalled rows and doubtful rows have a reason; what the table says of every wall reading is none."""
    assert power_reason(LORA) == power_reason(LORA | {"qa": "warn: node wall power (CPUs, fans)"}) == ""
    assert "gpu-average-power-serving" in power_reason(LORA | {"kind": "gpu-average-power-serving"})
    assert power_reason(LORA | {"confidence": "memory"}) == "recalled, not read"
    assert power_reason(LORA | {"qa": "meter broken"}) == "qa: meter broken"


def test_a_hundred_rows_ship() -> None:
    """All count."""
    rows = read_rows(POWER, metering.COLUMNS)
    assert len(rows) == 100 and not any(power_reason(row) for row in rows)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_file(), reason="the tables of ../shared/data are not beside this checkout")
def test_shipped_rows_of_power_are_those_of_the_table(shelf: Catalog) -> None:
    """Cell by cell the scoring rows of the table that the fit was made from; the whole table scores as both shipped
    files do."""
    rows, shipped = read_rows(SHARED, metering.COLUMNS), read_rows(POWER, metering.COLUMNS)
    strip = [{k: v for k, v in row.items() if k != "_line"} for row in rows if not power_reason(row)]
    assert strip == [{k: v for k, v in row.items() if k != "_line"} for row in shipped]
    assert hashlib.sha256(SHARED.read_bytes()).hexdigest() in record()["input"].values()
    table, both = validate(shelf, SHARED), truth.of_power(shelf, POWER, POWER_SERVING)
    assert table.summary == both.summary and len(table.skipped) == len(rows) - len(both.rows)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("MLPerf Training v4.0 power logs smc-ac-power/results/1xSMC/bert", "smc"),
        ("MLPerf Training v4.0 power logs smc-dc-power/results/8xSMC/bert", "smc"),
        ("MLPerf Training v4.1 power logs Dell/results/8xXE9680/lora", "dell"),
        ("my own meter", "my own meter"),
        ("", "unknown"),
    ],
)
def test_both_sides_of_a_machine_are_one_submitter(source: str, name: str) -> None:
    """AC and DC logs of one machine share a fold."""
    assert submitter_of(source) == name


def test_round_of_a_source() -> None:
    """v4.1, or nothing."""
    assert (round_of("MLPerf Training v4.1 power logs"), round_of("own")) == ("v4.1", "")


def test_side_of_a_reading() -> None:
    """DC where the row says so, or where its value has yet to be divided by an efficiency; else the node's input."""
    assert not direct_of(LORA)
    assert direct_of(LORA | {"notes": "reading side DC; conversion_eff field 1.00"})
    assert direct_of(LORA | {"notes": "reading side AC; conversion_eff field 0.94"})
    assert not direct_of(LORA | {"notes": ""})


@pytest.mark.parametrize(
    ("name", "kind"),
    [("hgx-h100", AIR), ("gb200-nvl72", LIQUID), ("smc-dc-power/results/1xSMC", LIQUID), ("Dell/8xXE9680x8H100", AIR)],
)
def test_cooling_by_name(name: str, kind: str) -> None:
    """Immersion and cold plates are one kind; a server of eight is cooled by air."""
    assert cooling(name) == kind


def test_cooling_names_its_source(shelf: Catalog) -> None:
    """Every line of the table has a source that is in the table of sources, or is our own estimate."""
    for name in ("smc-ac-power", "gb200-nvl72", "sr780a", "anything"):
        assert entry(name)["source"] and entry(name)["cooling"] in ("air", "liquid", "immersion")


# ------------------------------------------------------------------------------------------------------- layouts


def test_a_layout_comes_from_the_nearest_run_of_the_same_chip(runs: list[dict[str, str]]) -> None:
    """Count first, then round, then the first by id; measured power and times play no part."""
    found = donor_of(LORA, runs)
    assert (found["chip"], found["n_chips"], round_of(found["source"])) == ("H100", "8", "v4.0")
    assert donor_of(LORA | {"value_per_chip": "1", "performance": "99"}, runs) == found
    later = donor_of(LORA | {"source": LORA["source"].replace("v4.0", "v4.1")}, runs)
    assert round_of(later["source"]) == "v4.1" and later["n_chips"] == "8"
    assert donor_of(LORA | {"n_chips": "400"}, runs)["n_chips"] == "512"


def test_a_layout_is_scaled_by_its_replicas(runs: list[dict[str, str]]) -> None:
    """256 chips take the run on 128, or 512: the same tensor and context degrees, as many sequences a chip."""
    item, donor = metered(LORA | {"n_chips": "256"}, runs).work, donor_of(LORA | {"n_chips": "256"}, runs)
    assert (item.layout.chips, item.layout.tp, item.layout.cp) == (256, int(donor["tp"]), int(donor["cp"]))
    assert item.training.global_batch == 256 * int(donor["global_batch"]) // int(donor["n_chips"])


def test_bert_sees_both_ways_and_is_replicated(runs: list[dict[str, str]]) -> None:
    """An encoder of 24 layers of 512 tokens, 0.3 billion parameters, on data parallelism alone; its steps are not
    known."""
    item = metered(BERT, runs)
    operators = [op for block in item.work.model.blocks for op in block.operators]
    assert not any(op.causal for op in operators) and any(op.kind == "attention" for op in operators)
    assert (len(item.work.model.layers), item.work.training.seq_len, item.work.layout.dp) == (24, 512, 8)
    assert item.steps is None and "largest micro-batch" in item.chosen


def test_steps_and_seconds_of_a_run(runs: list[dict[str, str]]) -> None:
    """3,072 sequences in steps of 8, in 28.1 minutes."""
    item = metered(LORA, runs)
    assert item.steps == 384.0 and item.duration == pytest.approx(28.1 * 60.0)
    assert metered(LORA | {"performance": "0.5", "performance_unit": "hours"}, runs).duration == 1800.0


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"chip": "Z9"}, "no published run of MLPerf's LoRA benchmark on Z9"),
        ({"chip": ""}, "an unnamed chip"),
        ({"n_chips": "0"}, "n_chips must be at least 1"),
        ({"n_chips": "eight"}, "n_chips is not a number"),
        ({"n_chips": "6"}, "do not hold whole replicas of 4"),
        ({"model": "gpt3", "scenario": "MLPerf training gpt3"}, "benchmark unknown"),
        ({"performance_unit": "fortnights"}, "performance_unit unknown: 'fortnights'"),
        ({"performance": ""}, "performance is blank"),
        ({"performance": "0"}, "must be above 0"),
        ({"value_per_chip": "-3"}, "value_per_chip must be a number of at least 0"),
        ({"value_per_chip": "nan"}, "value_per_chip must be a number"),
    ],
)
def test_rows_that_cannot_be_asked_say_why(runs: list[dict[str, str]], cells: dict[str, str], says: str) -> None:
    """The reason names the cell."""
    with pytest.raises(Skip, match=says):
        metered(LORA | cells, runs)


# ------------------------------------------------------------------------------------------------------- predictions

FIT = PowerFit(idle=0.1, product=0.9, memory=0.6, traffic=0.4, waiting=0.2)
RUN = Ran(
    Terms(*[0.0] * 17)._replace(product=10.0, total=10.0),
    Watts(1, 1000.0, math.inf, 12000.0, 8.0, 1.0, FIT, 0.0, 1.0),
    0.5,
)


def test_a_run_that_works_half_its_time() -> None:
    """Half at 900 W, half waiting at 200 W, 200 W of the node all the time; supplies take their part at the input."""
    assert average(RUN, FIT, 0.4, 1.0) == pytest.approx(550.0 + 200.0)
    assert average(RUN, FIT, 0.4, 0.96) == pytest.approx(750.0 / 0.96)


def test_busy_follows_steps_and_duration(shelf: Catalog, runs: list[dict[str, str]]) -> None:
    """Twice the time for the same steps is half as busy; never more than all of it; unknown steps work throughout."""

    def busy(row: Mapping[str, str], evaluation: float = 0.0) -> float:
        item = metered(row, runs)
        return ran(item, shelf, fold_of(item.donor), evaluation).busy

    once = busy(LORA | {"performance": "60"})
    assert busy(LORA | {"performance": "120"}) == pytest.approx(once / 2.0)
    assert busy(LORA | {"performance": "60"}, 0.1) == pytest.approx(1.1 * once)
    assert busy(LORA | {"performance": "1"}) == busy(BERT) == 1.0


def test_the_input_of_a_node_draws_more_than_what_is_behind_it(shelf: Catalog, runs: list[dict[str, str]]) -> None:
    """By the efficiency of the supplies, and by nothing else."""
    ac, dc = (metered(LORA | {"notes": f"reading side {side}"}, runs) for side in ("AC", "DC"))
    one, two = (predict_power(item, shelf, fold_of(item.donor)) for item in (ac, dc))
    assert two.time / one.time == pytest.approx(record()["node"]["supply"])


def test_fans_draw_more_than_cold_plates(shelf: Catalog, runs: list[dict[str, str]]) -> None:
    """The same work on a machine that is known to be liquid-cooled draws 10 to 25% less."""
    air, wet = metered(LORA, runs), metered(LORA | {"source": LORA["source"].replace("1xACME", "ACME-LCC")}, runs)
    one, two = (predict_power(item, shelf, fold_of(item.donor)) for item in (air, wet))
    assert 0.75 < two.time / one.time < 0.90


def test_a_prediction_takes_nothing_from_the_measurement(shelf: Catalog, runs: list[dict[str, str]]) -> None:
    """Ten times the measured power is the same prediction."""
    one, two = (metered(LORA | {"value_per_chip": value}, runs) for value in ("90", "900"))
    assert predict_power(one, shelf, "") == predict_power(two, shelf, "")


# ------------------------------------------------------------------------------------------------------- folds


def test_every_shipped_row_has_the_fold_of_its_submitter(runs: list[dict[str, str]]) -> None:
    """No shipped row is predicted by coefficients or by a range that saw its machine, or a training fit that saw it."""
    for row in read_rows(POWER, metering.COLUMNS):
        item = metered(row, runs)
        assert item.submitter in record()["folds"] and item.group in record()["ranges"]["groups"]
        assert fold_of(item.donor).startswith("MLCommons|")


def test_a_fold_replaces_what_the_submitter_took_part_in() -> None:
    """Dell's air-cooled machine is predicted without it; a stranger by all."""
    shipped, dell = node_of("somebody"), node_of("dell")
    assert shipped == record()["node"] and dell["air"] != shipped["air"]
    assert dell["supply"] == shipped["supply"]
    assert width_of("somebody|x|8 H100") == record()["ranges"]["whole"]


def test_a_known_row_under_another_name_keeps_its_fold(shelf: Catalog, tmp_path: Path) -> None:
    """What was measured tells it, whatever its source is called: the same prediction and range as under its own."""
    rows = read_rows(POWER, metering.COLUMNS)
    own = next(row for row in rows if "Dell" in row["source"])
    path = write(tmp_path / "mine.csv", own | {"source": "my meter", "row_id": "mine"}, header=tuple(rows[0])[:-1])
    (found,) = validate(shelf, path).rows
    (first,) = (row for row in validate(shelf, POWER).rows if row.row_id == own["row_id"])
    assert (found.predicted, found.low, found.high) == (first.predicted, first.low, first.high)
    assert (found.row_id, found.source) == ("mine", "my meter")


# ------------------------------------------------------------------------------------------------------- the score


def test_the_bar_is_held(whole: Validation) -> None:
    """100 rows: mean error at most 12%, 80% range over 75 to 88% of them."""
    score = whole.summary["power"]
    assert score.n == 100 and score.mean_abs_error <= 0.12
    assert 0.75 <= score.coverage <= 0.88


def test_the_record_says_what_validate_says(whole: Validation) -> None:
    """The errors by left-out group in data/fits/power.yaml are those of the verb (else: python tools/fit/power.py)."""
    told, score = record()["errors"], whole.summary["power"]
    assert told["all"]["mean"] == pytest.approx(score.mean_abs_error, abs=2e-4)
    assert told["coverage"] == pytest.approx(score.coverage, abs=1e-3)
    groups = whole.groups["measured machine"]
    assert set(told["by_group"]) == set(groups)
    for name, entry_ in told["by_group"].items():
        assert entry_["mean"] == pytest.approx(groups[name].mean_abs_error, abs=2e-4)


def test_power_stands_beside_step_time(shelf: Catalog, whole: Validation) -> None:
    """Without a file both quantities are scored, and neither changes the other."""
    both, power = validate(shelf), truth.of_power(shelf, POWER, POWER_SERVING)
    assert {"step_time", "power"} <= set(both.summary) and both.summary["power"] == power.summary["power"]
    assert both.groups["power, by what was metered"]["nodes that train"] == whole.summary["power"]
    assert both.summary["step_time"] == validate(shelf, RUNS).summary["step_time"]
    assert both.input_hash == validate(shelf, RUNS).input_hash
    assert {name: both.groups["power, by submitter"][name] for name in whole.by_source} == whole.by_source
    assert any(power.input_hash in note for note in both.notes)


def test_a_row_that_cannot_be_predicted_is_an_error_of_all(shelf: Catalog, tmp_path: Path) -> None:
    """A scoring row on an unknown chip counts 100% under its submitter; a row of another kind is only skipped."""
    odd = LORA | {"row_id": "P-2", "chip": "Z9"}
    found = validate(shelf, write(tmp_path / "p.csv", LORA, odd, LORA | {"kind": "tdp", "row_id": "P-3"}))
    assert found.summary["power"].n == 2 and [name for name, _ in found.skipped] == ["P-2", "P-3"]
    error = abs(found.rows[0].error)
    assert found.summary["power"].mean_abs_error == pytest.approx((error + 1.0) / 2.0)
    assert found.by_source["power: acme"].n == 2


def test_a_chip_without_ratings_is_skipped(
    shelf: Catalog, runs: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown power is no prediction."""
    item = metered(LORA, runs)
    none = Ran(RUN.terms, RUN.watts._replace(known=0), 1.0)
    monkeypatch.setattr("exaplan.truth.powering.ran", lambda *_: none)
    with pytest.raises(Skip, match="neither the power of H100 nor that of its node"):
        predict_power(item, shelf, "")


def test_a_file_without_a_needed_column_is_refused(shelf: Catalog, tmp_path: Path) -> None:
    """The columns that are missing are named, with the place."""
    path = write(tmp_path / "p.csv", LORA, header=[name for name in LORA if name not in ("performance", "notes")])
    with pytest.raises(InputError, match="measured power needs the columns performance, notes") as caught:
        validate(shelf, path)
    assert caught.value.place.file == str(path) and caught.value.hint


def test_files_are_told_apart_by_their_columns(tmp_path: Path) -> None:
    """Power per chip and no step time: power; all else is a file of training runs, with its own error."""
    assert truth.is_power(write(tmp_path / "p.csv", LORA)) and truth.is_power(POWER)
    assert not truth.is_power(RUNS)
    both = write(tmp_path / "b.csv", LORA, header=[*LORA, "step_time_s"])
    assert not truth.is_power(both)


def test_notes_say_what_was_chosen(whole: Validation) -> None:
    """Whose layout each work took, and how many rows that is."""
    assert any("llama2-70b on 64: layout of T-" in note and "20 rows" in note for note in whole.notes)
    assert any("100 rows of 6 works and machines of 3 submitters" in note for note in whole.notes)


# ------------------------------------------------------------------------------------------------------- sanity


def test_coefficients_are_physical() -> None:
    """Rest < waiting < traffic < memory < product <= the limit; hosts draw less than they are rated for, more with
    fans; a plan's band holds 1."""
    shares = PowerFit(**{name: float(value) for name, value in record()["coefficients"].items()})
    assert 0.0 < shares.idle < shares.waiting < shares.traffic < shares.memory < shares.product <= 1.0
    node: Any = record()["node"]
    assert 0.0 < node["liquid"] < node["air"] < 1.0 and 0.9 < node["supply"] <= 1.0
    assert record()["low"] < 1.0 < record()["high"]


def test_record_names_its_inputs() -> None:
    """Hashes of the tables, rows and source of every share; the band that pricing reads."""
    found = tuning.yaml_data("fits/power.yaml")
    assert set(found["input"]) == {"gemm_aiconfigurator.csv.gz", "power.csv", "training.csv.gz"}
    assert all(len(value) == 64 for value in found["input"].values())
    assert {"product", "memory", "waiting", "traffic"} == set(found["rows"])


def test_a_published_node_is_near_its_reading(runs: list[dict[str, str]]) -> None:
    """8.4 kW at most of an air-cooled node of eight H100 near full use (Latif et al., arXiv:2412.08602), within 8%: a
    part of the fit, so a check of arithmetic, not a score."""
    node = record()["node"]
    found = Watts(1, 700.0, math.inf, 10200.0, 8.0, 1.0, FIT, node["air"], node["supply"])
    full = Ran(RUN.terms, found, 1.0)
    shares = PowerFit(**record()["coefficients"])
    assert 8.0 * average(full, shares, node["air"], node["supply"]) == pytest.approx(8400.0, rel=0.08)
    assert isinstance(metered(LORA, runs), Metered)
