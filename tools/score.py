"""Records the score of step time and power in docs/score.json, from which README.md and docs/method/scoring.md have
their tables.

    python tools/score.py                             the rows that ship with the package
    python tools/score.py --data ../shared/data       and the vTrain rows, which do not ship

Says which rows were scored (hash of the input), by which program (version, commit) and when.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from exaplan import truth
from exaplan.answers import Score
from exaplan.catalog import load, tuning
from exaplan.report.to_json import validation_json
from exaplan.truth.metering import metered
from exaplan.truth.powering import record as power_record
from exaplan.truth.rows import question, read_rows
from exaplan.truth.score import score

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "score.json"
# Sets that are reported apart: name -> start of their row ids.
APART = {"vTrain, multi-node": "vtrain-multi", "vTrain, single node": "vtrain-single"}
# This set again without the one fact of a generation that was read off it (data/frameworks.yaml, `host`).
LOOKED_AT = "vTrain, single node"
KEPT = ("row_id", "quantity", "predicted", "measured", "low", "high")


def commit() -> str:
    """The commit that is checked out, marked where the tree differs from it."""
    words = ("describe", "--always", "--abbrev=12", "--dirty", "--exclude=*")
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def hash_of(path: Path) -> str:
    """sha256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rounded(value: Any) -> Any:
    """Numbers to five significant digits, so that the record shows no noise of the last bit."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


@contextmanager
def without_host() -> Iterator[None]:
    """Framework generations as they are, but for ``host``, which takes the fitted value of other software."""
    entries = [entry for entry in tuning.yaml_data("frameworks.yaml") if "host" in entry]
    held = [entry.pop("host") for entry in entries]
    tuning.tuning.cache_clear()
    try:
        yield
    finally:
        for entry, value in zip(entries, held, strict=True):
            entry["host"] = value
        tuning.tuning.cache_clear()


def scores_of(path: Path) -> Iterator[tuple[str, Score, str]]:
    """(name, score, hash of the input) of the sets of a file."""
    found = truth.validate(load(), path)
    for name, start in APART.items():
        yield name, score([row for row in found.rows if row.row_id.startswith(start)]), found.input_hash


def apart(data: Path) -> Iterator[tuple[str, Score, str]]:
    """Sets that are not part of the headline, and the one that was looked at as if it had not been."""
    path = data / "runs" / "training_vtrain.csv"
    yield from scores_of(path)
    with without_host():
        bare = {name: (found, digest) for name, found, digest in scores_of(path)}
    yield f"{LOOKED_AT}, without the host figure", *bare[LOOKED_AT]


def unfolded() -> list[str]:
    """Rows that the package ships and that no fold leaves out: a fit that has seen them would predict them."""
    shipped, folds = read_rows(truth.RUNS), power_record()["folds"]
    power = [metered(row, shipped) for row in truth.power_rows()]
    steps = [item.row_id for item in map(question, shipped) if not truth.fold_of(item)]
    return steps + [item.row_id for item in power if item.submitter not in folds]


def record(data: Path | None) -> dict[str, Any]:
    """The whole record; sets that cannot be scored now keep what was recorded before."""
    made = validation_json(truth.validate(load()))
    old = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.is_file() else {}
    sets = dict(old.get("apart", {}))
    for name, found, digest in apart(data) if data else ():
        sets[name] = asdict(found) | {"input_hash": digest}
    made["rows"] = [{key: row[key] for key in KEPT} for row in made["rows"]]
    head = {"commit": commit(), "date": date.today().isoformat(), "power_hash": hash_of(truth.POWER)}
    whole: dict[str, Any] = rounded({**head, **made, "apart": sets})
    return whole


def main() -> None:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with runs/training_vtrain.csv")
    if seen := unfolded():
        sys.exit(
            f"not recorded: {len(seen)} rows would be predicted by a fit that has seen them: {', '.join(seen[:5])} ..."
        )
    text = json.dumps(record(parser.parse_args().data), indent=1, ensure_ascii=False, allow_nan=False)
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}; now run python tools/docs.py")


if __name__ == "__main__":
    main()
