"""Nothing that is scored was fitted on: folds, merged configurations, skipped rows, and the verb validate."""

from __future__ import annotations

import csv
import gzip
import hashlib
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exaplan import truth
from exaplan.answers import Validation
from exaplan.catalog import Catalog, load, tuning
from exaplan.errors import CatalogError, InputError
from exaplan.nouns import Layout
from exaplan.truth import RUNS, fold_of, known, validate
from exaplan.truth.predict import case_of, cheapest, cluster_of, doubt_of, predict, ranked_first
from exaplan.truth.rows import Question, Skip, question, read_rows, scoring_reason

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "runs" / "training.csv"
OWN = {
    "row_id": "own-1", "model": "own-7b", "task": "pretrain", "layers": "32", "hidden": "4096", "ffn": "11008",
    "heads": "32", "kv_heads": "32", "head_dim": "128", "vocab": "32000", "seq_len": "4096", "mlp_kind": "swiglu",
    "precision": "bf16", "chip": "H100", "n_chips": "64", "tp": "2", "pp": "1", "vpp": "1", "cp": "1", "ep": "1",
    "zero_stage": "1", "recompute": "none", "micro_batch": "1", "global_batch": "256", "step_time_s": "2.5",
    "source": "own/repo", "notes": "", "qa": "", "confidence": "read", "group": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def shelf() -> Catalog:
    return load()


@pytest.fixture(scope="module")
def shipped() -> list[dict[str, str]]:
    return read_rows(RUNS)


@pytest.fixture(scope="module")
def whole(shelf: Catalog) -> Validation:
    """The verb over all shipped training runs (about a second)."""
    return validate(shelf, RUNS)


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The folds, to be changed by a test."""
    found = tuning.folds()
    changed = {**found, "folds": dict(found["folds"]), "ranges": dict(found["ranges"])}
    monkeypatch.setattr(tuning, "folds", lambda: changed)
    tuning.tuning.cache_clear()
    yield changed
    tuning.tuning.cache_clear()


def write(path: Path, *rows: Mapping[str, str]) -> Path:
    """A CSV file of runs."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(OWN))
        writer.writeheader()
        writer.writerows(rows)
    return path


def own(**cells: str) -> Question:
    return question(OWN | cells)


# ------------------------------------------------------------------------------------------------------- folds


def test_every_shipped_row_has_the_fold_of_its_publisher_and_group(shipped: list[dict[str, str]]) -> None:
    """No shipped row is predicted by the shipped fit, which saw it."""
    for row in shipped:
        item = question(row)
        name = fold_of(item)
        assert name == f"{item.publisher}|{item.group}"
        assert name in tuning.folds()["folds"] and name in tuning.folds()["ranges"]


def test_a_known_configuration_in_a_users_file_is_known_there_too(shipped: list[dict[str, str]]) -> None:
    """Renamed, remeasured and without qa columns it is the same run, and still predicted by its fold."""
    row = {**shipped[0], "row_id": "mine", "step_time_s": "123"}
    assert fold_of(question(row)) == fold_of(question(shipped[0])) != ""


def test_a_new_configuration_is_predicted_by_the_shipped_fit() -> None:
    """Nothing of it was fitted on."""
    assert fold_of(own()) == ""


def test_a_missing_fold_is_an_error(shipped: list[dict[str, str]], folds: dict[str, Any]) -> None:
    """Better no score than one by a fit that saw the row."""
    item = question(shipped[0])
    del folds["folds"][f"{item.publisher}|{item.group}"]
    with pytest.raises(CatalogError, match="has no fold") as caught:
        fold_of(item)
    assert item.row_id in caught.value.problem and "tools/fit/training.py" in caught.value.hint


def test_a_prediction_takes_the_coefficients_of_its_fold(shelf: Catalog, folds: dict[str, Any]) -> None:
    """Twice the overall factor in a fold is twice the work there, and no change elsewhere."""
    base = tuning.record()["coefficients"]
    some = next(iter(folds["folds"].values()))
    entry = {"base": some["overall"]["base"] + 0.6931471805599453}
    plain = {**some, "overall": {"base": some["overall"]["base"]}, "floor": {"base": -30.0}}
    folds["folds"] |= {"plain|x": plain, "double|x": {**plain, "overall": entry}}
    folds["ranges"] |= {"plain|x": {"factor": 1.0}, "double|x": {"factor": 2.0}}
    once, twice = predict(own(), shelf, "plain|x"), predict(own(), shelf, "double|x")
    assert twice.time == pytest.approx(2.0 * once.time)
    assert twice.high / twice.time == pytest.approx((once.high / once.time) ** 2)
    assert tuning.record()["coefficients"] is base


def test_folds_are_of_the_table_that_ships(shipped: list[dict[str, str]]) -> None:
    """Fit, folds and rows name the same input."""
    assert set(tuning.record()["input"].values()) == {tuning.folds()["input"]}
    cells = {f"{item.publisher}|{item.group}" for item in map(question, shipped)}
    assert cells == set(tuning.folds()["folds"]) == set(tuning.folds()["ranges"])


def test_folds_differ_from_the_shipped_fit() -> None:
    """Leaving rows out changes what is fitted: no fold is a copy of the shipped coefficients (but for the unfitted)."""
    fitted = tuning.record()["coefficients"]
    never = ("Korthikanti 2022",)
    copies = [name for name, entry in tuning.folds()["folds"].items() if entry == fitted]
    assert all(name.startswith(never) for name in copies)
    assert len(tuning.folds()["folds"]) - len(copies) > 40


# --------------------------------------------------------------------------------------------- the shipped rows


def test_shipped_rows_are_the_scoring_rows(shipped: list[dict[str, str]]) -> None:
    """The package ships rows that count, and only those."""
    assert len(shipped) > 500
    assert [row["row_id"] for row in shipped if scoring_reason(row)] == []


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_file(), reason="the tables of ../shared/data are not beside this checkout")
def test_shipped_rows_are_those_of_the_table(shipped: list[dict[str, str]]) -> None:
    """Cell by cell the scoring rows of ../shared/data/runs/training.csv, from which the fit was made."""
    strip = [{k: v for k, v in row.items() if k != "_line"} for row in shipped]
    table = [{k: v for k, v in row.items() if k != "_line"} for row in read_rows(SHARED) if not scoring_reason(row)]
    assert strip == table
    assert hashlib.sha256(SHARED.read_bytes()).hexdigest() in tuning.record()["input"].values()


def test_every_shipped_row_is_predicted(whole: Validation, shipped: list[dict[str, str]]) -> None:
    """At least 97% is asked for; all are."""
    assert whole.skipped == () and len(whole.rows) == len(shipped)
    assert [row.row_id for row in whole.rows] == [row["row_id"] for row in shipped]
    assert all(0.0 < row.low < row.predicted < row.high for row in whole.rows)
    assert all(row.error == pytest.approx(row.predicted / row.measured - 1.0) for row in whole.rows)


def test_the_score_is_what_was_promised(whole: Validation) -> None:
    """Median error at most 9%, mean at most 14%; 80% ranges cover 75 to 88%."""
    found = whole.summary["step_time"]
    assert found.median_abs_error <= 0.09 and found.mean_abs_error <= 0.14
    assert 0.75 <= found.coverage <= 0.88


def test_groups_hold_every_configuration_once(whole: Validation) -> None:
    """Each grouping and the publishers sum to the distinct configurations; the hash is of the file."""
    n = whole.summary["step_time"].n
    assert n < len(whole.rows)
    assert sum(part.n for part in whole.by_source.values()) == n
    assert {"chip family", "model family", "precision", "task", "experts", "chip seen"} <= set(whole.groups)
    for name, parts in whole.groups.items():
        assert sum(part.n for part in parts.values()) == n, name
    assert whole.input_hash == hashlib.sha256(RUNS.read_bytes()).hexdigest()
    assert set(whole.groups["experts"]) == {"dense", "moe"} and "lora" in whole.groups["task"]


def test_publishers_mean_weighs_each_publisher_once(whole: Validation) -> None:
    """The mean over publishers of their means, beside that over rows."""
    means = [part.mean_abs_error for part in whole.by_source.values()]
    medians = [part.median_abs_error for part in whole.by_source.values()]
    assert whole.publishers_mean["mean_abs_error"] == pytest.approx(statistics.fmean(means))
    assert whole.publishers_mean["median_abs_error"] == pytest.approx(statistics.fmean(medians))


# ------------------------------------------------------------------------------------------------ a user's file


def test_repeats_count_once_with_their_median(shelf: Catalog, tmp_path: Path) -> None:
    """Three repeats and one other run: two configurations, the first measured as 3 s."""
    rows = [OWN | {"row_id": f"r{t}", "step_time_s": t} for t in ("2", "9", "3")]
    found = validate(shelf, write(tmp_path / "runs.csv", *rows, OWN | {"tp": "4"}))
    summary, predicted = found.summary["step_time"], found.rows[0].predicted
    assert len(found.rows) == 4 and summary.n == 2
    expected = (abs(predicted / 3.0 - 1.0) + abs(found.rows[3].error)) / 2.0
    assert summary.mean_abs_error == pytest.approx(expected)
    assert found.notes[0].startswith("4 rows, 2 distinct configurations, 0 scoring rows not predicted")


def test_every_skipped_row_is_named_with_its_reason(shelf: Catalog, tmp_path: Path) -> None:
    """By row_id, or the line; scoring rows that cannot be predicted cost 100% each, others nothing."""
    rows = [
        OWN,
        OWN | {"row_id": "recalled", "confidence": "memory"},
        OWN | {"row_id": "", "chip": "abacus"},
        OWN | {"row_id": "", "qa": "odd"},
        OWN | {"row_id": "format", "precision": "fp4"},
        OWN | {"row_id": "negative", "step_time_s": "-2"},
    ]
    found = validate(shelf, write(tmp_path / "runs.csv", *rows))
    reasons = dict(found.skipped)
    assert list(reasons) == ["recalled", "line 4", "line 5", "format", "negative"]
    assert reasons["line 4"].startswith("chip: ") and reasons["line 5"] == "qa: odd"
    assert "no known dense peak" in reasons["format"] and "step_time_s" in reasons["negative"]
    summary = found.summary["step_time"]
    assert summary.n == 4 and summary.mean_abs_error == pytest.approx((abs(found.rows[0].error) + 3.0) / 4.0)
    assert found.by_source["own/repo"].n == 4


def test_rows_without_a_layout_are_predicted_but_not_scored(shelf: Catalog, tmp_path: Path) -> None:
    """Blank tp, pp and micro_batch: the layout that the search ranks first, marked as unscored, its choice told."""
    path = write(tmp_path / "runs.csv", OWN, OWN | {"row_id": "open", "tp": "", "pp": "", "micro_batch": ""})
    found = validate(shelf, path)
    assert [(row.row_id, row.scored) for row in found.rows] == [("own-1", True), ("open", False)]
    assert found.summary["step_time"].n == 1
    assert any("not scored" in note for note in found.notes)
    assert any("search ranks first" in note for note in found.notes)


def test_blanks_widen_the_range(shelf: Catalog, tmp_path: Path) -> None:
    """A row with chosen fields is less sure than the same row with all of them stated."""
    path = write(tmp_path / "runs.csv", OWN, OWN | {"row_id": "blank", "zero_stage": "", "cp": "", "recompute": ""})
    told, blank = validate(shelf, path).rows
    assert blank.high / blank.predicted > told.high / told.predicted


def test_gzip_and_wrong_files(shelf: Catalog, tmp_path: Path) -> None:
    """CSV.gz scores like CSV; a file of something else is bad input."""
    path = write(tmp_path / "runs.csv", OWN)
    packed = tmp_path / "runs.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert validate(shelf, packed).rows == validate(shelf, path).rows
    with pytest.raises(InputError, match="needs the columns"):
        validate(shelf, Path(__file__))


def test_a_file_with_nothing_to_score(shelf: Catalog, tmp_path: Path) -> None:
    """All skipped: no rows, n = 0, and no crash."""
    found = validate(shelf, write(tmp_path / "runs.csv", OWN | {"confidence": "memory"}))
    assert found.rows == () and found.summary["step_time"].n == 0 and found.publishers_mean["mean_abs_error"] == 0.0


# ----------------------------------------------------------------------------------------------- how rows are posed


def test_a_stated_network_replaces_the_nodes(shelf: Catalog) -> None:
    """Gb/s in the notes are those of the run."""
    plain, stated = cluster_of(own(), shelf), cluster_of(own(notes="800 Gbps node-node"), shelf)
    assert stated.node.network == 12.5e9 != plain.node.network
    assert stated.count == plain.count == 64
    with pytest.raises(Skip, match="chip: "):
        cluster_of(own(chip="abacus"), shelf)


def test_unknown_recompute_becomes_the_cheapest_that_fits(shelf: Catalog) -> None:
    """Little memory: full; plenty: none; as stated where it is known."""
    open_, known_ = own(recompute=""), own(recompute="selective")
    roomy = case_of(open_, shelf)
    assert roomy.layout.recompute == "none" and case_of(known_, shelf).layout.recompute == "selective"
    tight = replace(roomy.case, hardware=roomy.case.hardware._replace(memory=1e9))
    assert cheapest(open_, tight).recompute == "full"


def test_what_a_row_leaves_in_doubt(shelf: Catalog) -> None:
    """Architecture, attention kernel, adapters and the number of chosen fields."""
    plain, lora = own(), own(task="lora", cp="")
    assert doubt_of(plain, case_of(plain, shelf).case) == ("hopper", plain.training.attention, False, 0)
    found = doubt_of(lora, case_of(lora, shelf).case)
    assert found.lora and found.blanks == len(lora.chosen) == 2


def test_open_layouts_keep_what_fits_and_is_quickest(shelf: Catalog) -> None:
    """The search's first among those that fit; the leanest where none does; none legal is a skip."""
    item = own(tp="", micro_batch="")
    posed = case_of(item, shelf)
    assert isinstance(posed.layout, Layout) and posed.layout.pp == 1 and posed.layout.chips == 64
    tight = replace(posed.case, hardware=posed.case.hardware._replace(memory=1e9))
    lean = ranked_first(item, tight)
    assert (lean.tp, lean.micro_batch) == (8, 1)
    with pytest.raises(Skip, match="no legal layout"):
        case_of(own(tp="", pp="64", n_chips="64"), shelf)


@pytest.mark.parametrize(
    ("chip", "family"), [("H100", "H100"), ("A100-80GB", "A100"), ("GB200 NVL72", "GB200"), ("TPU v5p", "TPU V5P")]
)
def test_chip_families(chip: str, family: str) -> None:
    """A chip without memory size or board; TPUs by generation."""
    assert truth.chip_family(replace(own(), chip=chip)) == family


@pytest.mark.parametrize(
    ("group", "family"), [("llama-3.1-8b|H100", "llama"), ("MPT-7b|A100", "mpt"), ("7b|H100", "7b|H100")]
)
def test_model_families(group: str, family: str) -> None:
    """The leading letters of a model's name."""
    assert truth.model_family(replace(own(), group=group)) == family


def test_kinds_of_kernels_and_seen_chips() -> None:
    """Dense or MoE, on a chip whose kernels were measured; chips that other publishers and groups ran on are seen."""
    assert truth.kernels_of(own()) == "dense, kernels measured"
    assert truth.kernels_of(replace(own(), chip="MI355X")) == "dense, no kernels measured"
    assert truth.seen(own()) == "seen chip"
    assert truth.seen(replace(own(), chip="abacus")) == "unseen chip"
    assert len(known()) > 400


def test_a_run_that_the_fit_saw_is_known_under_other_labels(shipped: list[dict[str, str]]) -> None:
    """Without its source and group a shipped row still has its fold; with another measurement it is not known."""
    for row in shipped[::25]:
        bare = row | {"source": "", "group": "", "row_id": ""}
        assert fold_of(question(bare)) == fold_of(question(row)) != ""
        assert fold_of(question(bare | {"step_time_s": str(1.37 * float(row["step_time_s"]))})) == ""
