"""The made-up trace beside the bundled asks: ``python tools/made_up_trace.py`` writes it again, byte for byte.

No service ever saw these requests. Sessions start as a Poisson process that is twice as busy in the middle as at the
ends; each has one turn or more, a user thinks between them, and each prompt holds the turns before it. Lengths are
lognormal. Columns: timestamp [s since the first], prompt and output [tokens; a prompt with its history], session.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "src/exaplan/data/asks/made-up-trace.csv"
HEAD = ("timestamp", "prompt", "output", "session")
SEED, SPAN = 20240115, 600.0  # s
SESSIONS, TURNS, THINK = 1.2, 0.45, 20.0  # sessions/s at the ends; chance of one turn more; s
NEW, OUT = (180.0, 1.0), (220.0, 0.7)  # mean [tokens] and standard deviation over mean

Row = tuple[float, int, int, int]


def rows(seed: int = SEED) -> list[Row]:
    """All requests in order of time."""
    dice = random.Random(seed)
    found = [row for session, start in enumerate(_starts(dice)) for row in _session(dice, session, start)]
    return sorted(found)


def _starts(dice: random.Random) -> Iterator[float]:
    """Starts of sessions: gaps at the double rate, thinned out towards the ends."""
    clock = 0.0
    while (clock := clock + dice.expovariate(2.0 * SESSIONS)) < SPAN:
        if dice.random() < 0.5 + 0.5 * math.sin(math.pi * clock / SPAN):
            yield clock


def _session(dice: random.Random, session: int, start: float) -> Iterator[Row]:
    clock, history = start, 0
    while clock < SPAN:
        asked, answered = _length(dice, *NEW), _length(dice, *OUT)
        yield round(clock, 3), history + asked, answered, session
        history += asked + answered
        if dice.random() > TURNS:
            return
        clock += 0.02 * answered + dice.expovariate(1.0 / THINK)


def _length(dice: random.Random, mean: float, cv: float) -> int:
    """A lognormal number of tokens with that mean and spread, from 4 to 4,000."""
    sigma = math.sqrt(math.log1p(cv * cv))
    return round(min(4000.0, max(4.0, dice.lognormvariate(math.log(mean) - sigma * sigma / 2, sigma))))


def write(path: Path) -> int:
    """Write the trace; the number of its requests."""
    made = rows()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        writer.writerows(made)
    return len(made)


if __name__ == "__main__":
    print(f"{write(FILE):,} requests in {FILE.name}")
