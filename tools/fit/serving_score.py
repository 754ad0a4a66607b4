"""Record the score of serving rows: writes data/fits/serving_score.json, which `exaplan validate` shows.

python tools/fit/serving_score.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from exaplan import catalog
from exaplan.truth.serving.recording import packed
from exaplan.truth.serving.scoring import of_serving

OUT = Path(__file__).resolve().parents[2] / "src" / "exaplan" / "data" / "fits" / "serving_score.json"
FILES = ("serving_silicon.csv.gz", "serving.csv")


def main() -> None:
    """Score both tables and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    args = parser.parse_args()
    shelf, made = catalog.load(), {}
    for name in FILES:
        found = of_serving(shelf, args.data / "runs" / name)
        made[name] = packed(found)
        for quantity, score in found.summary.items():
            print(name, quantity, score)
    OUT.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
