"""Measures how long exaplan takes, and holds it to its bars.

    python benchmarks/run.py                     every benchmark
    python benchmarks/run.py estimate --json     one of them, as JSON
    python benchmarks/run.py help --check        exit 1 where a bar is missed

Each command runs in a process of its own, as a user's would: wall time, and CPU time of the process with its children.
``cold`` starts with an empty compile cache, ``warm`` is the median of several runs after it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

LAYOUT = ("--dp", "128", "--tp", "8", "--pp", "16", "--seq-len", "8192", "--global-batch", "2048")
MODEL = ("--model", "llama-3.1-405b", "--chip", "H100", "--count", "16384")


class Benchmark(NamedTuple):
    """A command, what is measured of it, and the most that it may take [s wall; None = no bar]."""

    words: tuple[str, ...]
    repeats: int
    warm: float | None
    cold: float | None


BENCHMARKS: Mapping[str, Benchmark] = {
    "help": Benchmark(("--help",), 9, 0.4, None),
    "chips": Benchmark(("chips", "--json"), 5, None, None),
    "estimate": Benchmark(("estimate", *MODEL, *LAYOUT, "--json"), 5, 1.0, 20.0),
    "plan": Benchmark(("plan", "llama-3.1-8b-pretrain", "--json"), 3, None, None),
    "validate": Benchmark(("validate", "--json"), 1, None, None),
}


class Timing(NamedTuple):
    """One run of a command [s]."""

    wall: float
    cpu: float


def once(words: tuple[str, ...], cache: str) -> Timing:
    """Run the command in a process of its own; a failure ends the benchmark with its message."""
    before, start = _children(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "exaplan", *words],
        env=os.environ | {"EXAPLAN_CACHE": cache},
        capture_output=True,
        text=True,
        check=False,
    )
    wall, cpu = time.perf_counter() - start, _children() - before
    if done.returncode != 0:
        sys.exit(f"exaplan {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return Timing(wall, cpu)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(benchmark: Benchmark) -> dict[str, Any]:
    """Cold once, then warm: medians of wall and CPU time [s], and whether the bars hold."""
    with tempfile.TemporaryDirectory(prefix="exaplan-bench-") as cache:
        cold = once(benchmark.words, cache)
        runs = [once(benchmark.words, cache) for _ in range(benchmark.repeats)]
    wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
    held = (benchmark.warm is None or wall <= benchmark.warm) and (
        benchmark.cold is None or cold.wall <= benchmark.cold
    )
    return {
        "command": " ".join(benchmark.words),
        "repeats": benchmark.repeats,
        "cold": cold._asdict(),
        "warm": {"wall": wall, "cpu": cpu},
        "bar": {"cold": benchmark.cold, "warm": benchmark.warm},
        "held": held,
    }


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {"python": platform.python_version(), "processor": platform.machine(), "cores": os.cpu_count()}


def shown(name: str, found: Mapping[str, Any]) -> str:
    """One line for people."""
    bars = ", ".join(f"{key} <= {bar:g} s" for key, bar in found["bar"].items() if bar is not None)
    warm = found["warm"]
    times = f"cold {found['cold']['wall']:6.2f} s, warm {warm['wall']:6.3f} s wall, {warm['cpu']:6.3f} s CPU"
    return f"{name:9} {times}" + (f"  ({bars}: {'held' if found['held'] else 'MISSED'})" if bars else "")


def main() -> int:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="JSON instead of lines")
    parser.add_argument("--check", action="store_true", help="exit 1 where a bar is missed")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}")
    found = {}
    for name in arguments.names or BENCHMARKS:
        found[name] = measure(BENCHMARKS[name])
        if not arguments.json:
            print(shown(name, found[name]), flush=True)
    if arguments.json:
        print(json.dumps({"machine": machine(), "benchmarks": found}, indent=2))
    return int(arguments.check and not all(item["held"] for item in found.values()))


if __name__ == "__main__":
    sys.exit(main())
