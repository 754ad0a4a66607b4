"""Write the scoring rows of a table of training runs into the package: `python tools/ship_runs.py ../shared/data`."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from pathlib import Path

from exaplan.truth.rows import read_rows, scoring_reason

OUT = Path(__file__).resolve().parents[1] / "src" / "exaplan" / "data" / "runs" / "training.csv.gz"


def main() -> None:
    """All columns of all scoring rows; gzip without a time stamp, so that the same rows give the same bytes."""
    rows = [row for row in read_rows(Path(sys.argv[1]) / "runs" / "training.csv") if not scoring_reason(row)]
    columns = [name for name in rows[0] if name != "_line"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    with OUT.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
        stream.write(text.getvalue().encode())
    print(f"{len(rows)} rows, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
