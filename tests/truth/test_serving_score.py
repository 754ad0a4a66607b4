"""Predictions of serving rows, their folds, groups and record."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from test_serving_questions import PUBLISHED, SILICON

from exaplan import catalog
from exaplan.answers import Score, Validation
from exaplan.truth import validate
from exaplan.truth.serving import correcting, predict, published, recording, scoring, silicon
from exaplan.truth.serving.posing import Posed, offline_flow, pose
from exaplan.truth.serving.questions import Question
from exaplan.truth.serving.running import answers


@pytest.fixture(scope="module")
def shelf() -> catalog.Catalog:
    return catalog.load()


def ask(**cells: str) -> Question:
    return published.question({**PUBLISHED, **cells}, "S-1")


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_file_of_silicon_rows_is_scored_by_its_columns(shelf: catalog.Catalog, tmp_path: Path) -> None:
    """A file with the columns of measured TTFT and TPOT gets both quantities, with intervals around them."""
    found = validate(shelf, table(tmp_path / "rows.csv", [SILICON, {**SILICON, "qa": "leak: twin"}]))
    assert set(found.summary) == {"ttft", "tpot"}
    assert [row.low < row.predicted < row.high for row in found.rows] == [True, True]
    assert len(found.skipped) == 1
    assert "9-32" in found.groups["tpot, by concurrency"]


def test_row_that_cannot_be_predicted_counts_as_whole_error(shelf: catalog.Catalog, tmp_path: Path) -> None:
    """A scoring row of an unknown chip is an error of 100% in each quantity that it measures."""
    found = validate(shelf, table(tmp_path / "rows.csv", [{**SILICON, "system": "abacus"}]))
    assert {name: score.mean_abs_error for name, score in found.summary.items()} == {"ttft": 1.0, "tpot": 1.0}


def test_published_rows_are_scored_as_throughput(shelf: catalog.Catalog, tmp_path: Path) -> None:
    """A file with the columns of serving.csv is scored on output tokens/s by set, engine and chip."""
    row = {**PUBLISHED, "batch": "", "concurrency": ""}
    found = validate(shelf, table(tmp_path / "rows.csv", [row]))
    assert found.summary["throughput"].n == 1
    assert "h200-sxm" in found.groups["throughput, by chip"]


def test_training_files_are_not_taken_for_serving(tmp_path: Path) -> None:
    """Only files with all columns of a serving table are serving files."""
    assert not scoring.is_serving(table(tmp_path / "a.csv", [{"model": "x", "chip": "y"}]))
    assert scoring.is_serving(table(tmp_path / "b.csv", [SILICON]))


def test_models_of_equal_dimensions_are_one(shelf: catalog.Catalog) -> None:
    """Llama 3 and 3.1 of 70B cannot stand in each other's fits; 8B is another model."""
    names = [predict.likeness(shelf.model(name)) for name in ("llama-3-70b", "llama-3.1-70b", "llama-3.1-8b")]
    assert names[0] == names[1] != names[2]


def test_every_fold_leaves_its_model_and_chip_out(shelf: catalog.Catalog) -> None:
    """A row of a published table is predicted by the fold named after its model and its chip."""
    question = silicon.question(SILICON, "silicon-0000")
    model = predict.likeness(shelf.model("gpt-oss-120b"))
    assert predict.folds(), "no folds are recorded"
    assert predict.fold_of(question, shelf) == f"{model}|h200-sxm"


def test_more_bandwidth_writes_faster(shelf: catalog.Catalog) -> None:
    """The same table row on H200 writes more tokens/s than on H100, which has less memory and bandwidth."""
    rates = [
        answers(pose(ask(chip=chip, model="llama3-70b", n_chips="4", tp="4"), shelf))["throughput"]
        for chip in ("H100", "H200")
    ]
    assert rates[1] > rates[0]


def test_offline_run_lies_near_its_steady_rate(shelf: catalog.Catalog) -> None:
    """30,000 requests at once run within a third of the rate of a server that is never short of requests."""
    posed = pose(ask(), shelf)
    steady, seqs = offline_flow(posed.case, posed.question)
    assert seqs > 1.0
    assert answers(posed)["throughput"] == pytest.approx(steady, rel=0.34)


def test_layout_of_an_mlperf_row_is_chosen(shelf: catalog.Catalog) -> None:
    """A blank layout becomes one that uses all chips of the row."""
    posed = pose(
        ask(model="llama2-70b", scenario="MLPerf Offline", framework="TensorRT 10.2.0", isl="", n_chips="8"), shelf
    )
    assert isinstance(posed, Posed)
    assert posed.copies * posed.case.replica.chips == 8


def test_correction_of_a_quantity_without_record_is_one(shelf: catalog.Catalog) -> None:
    """Nothing is corrected where no fit says so, and features of a closed loop are finite."""
    posed = pose(silicon.question(SILICON, "silicon-0000"), shelf)
    found = answers(posed)
    assert correcting.correction(posed, "nothing", found) == 1.0
    values = correcting.features(posed, "ttft", found)
    assert values["users"] == pytest.approx(-0.2274, abs=1e-3)
    assert all(abs(value) < 20.0 for value in values.values())
    low, high = correcting.spread(posed, "tpot", found)
    assert 0.0 < low < 1.0 < high


def test_record_comes_back_as_it_was_packed() -> None:
    """A recorded score keeps its numbers, NaN among them, and says that it is a record."""
    bad = Score(1, 1.0, 1.0, float("nan"), 0.0, float("nan"))
    found = Validation(rows=(), summary={"ttft": Score(2, 0.1, 0.2, 0.0, 0.8, 1.5), "tpot": bad}, input_hash="abc")
    back = recording.unpacked("rows.csv", recording.packed(found))
    assert back.summary["ttft"] == found.summary["ttft"]
    assert str(back.summary["tpot"].winkler) == "nan"
    assert "as recorded for rows.csv" in back.notes[0]
