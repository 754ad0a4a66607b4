"""Write the scoring rows of the tables of runs into the package: `python tools/ship_runs.py ../shared/data`."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from exaplan.truth import metering
from exaplan.truth.rows import read_rows, scoring_reason

OUT = Path(__file__).resolve().parents[1] / "src" / "exaplan" / "data" / "runs"


def ship(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """All columns of the rows; gzip without a time stamp, so that the same rows give the same bytes."""
    columns = [name for name in rows[0] if name != "_line"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
        stream.write(text.getvalue().encode())
    print(f"{path.name}: {len(rows)} rows, {path.stat().st_size} bytes")


def main() -> None:
    """The training runs and the measured power that count."""
    runs = Path(sys.argv[1]) / "runs"
    steps = read_rows(runs / "training.csv")
    ship([row for row in steps if not scoring_reason(row)], OUT / "training.csv.gz")
    power = read_rows(runs / "power.csv", metering.COLUMNS, "measured power")
    ship([row for row in power if not metering.power_reason(row)], OUT / "power.csv.gz")


if __name__ == "__main__":
    main()
