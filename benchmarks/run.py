"""Measures how long exaplan takes, and holds it to its bars.

    python benchmarks/run.py                     every benchmark
    python benchmarks/run.py search --json       one of them, as JSON (its figures stand at the top level as well)
    python benchmarks/run.py help --check        exit 1 where a bar is missed

Each command runs in a process of its own, as a user's would: wall time, and CPU time of the process with its children.
``cold`` starts with an empty compile cache, ``warm`` is the median of several runs after it. ``search`` is the scan of
layouts alone (benchmarks/searching.py), checked against the plain path; ``choice`` is the whole of ``exaplan plan``
over five chip types; ``law`` is verdicts alone (benchmarks/checking.py). ``serving`` is the simulator of an engine
(benchmarks/serving.py), ``capacity`` the whole of ``exaplan plan`` for a promise over five chip types.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

LAYOUT = ("--dp", "128", "--tp", "8", "--pp", "16", "--seq-len", "8192", "--global-batch", "2048")
MODEL = ("--model", "llama-3.1-405b", "--chip", "H100", "--count", "16384")


FIVE = "a100-sxm-80gb,h100-sxm,h200-sxm,b200,mi300x"
CHOICE = (
    "--tokens",
    "15.6T",
    "--seq-len",
    "8192",
    "--global-batch",
    "2048",
    "--deadline",
    "90d",
    "--max-count",
    "16384",
)
LEAST_RATE, MOST_MEMORY = 2e6, 500e6  # bars of the search: layouts per CPU second and core, B
PROMISE = ("--rate", "20/s", "--prompt", "1024", "--output", "256", "--ttft", "1 s", "--percentile", "99")
LEAST_REQUESTS = 2e5  # bar of the simulator: requests per CPU second and core
LAW_TIME = 1.0  # bar of the law: the whole catalogue on 60 dates [s of CPU]


class Benchmark(NamedTuple):
    """A command, what is measured of it, and the most that it may take [s wall; B; None = no bar]."""

    words: tuple[str, ...]
    repeats: int
    warm: float | None
    cold: float | None
    memory: float | None = None


BENCHMARKS: Mapping[str, Benchmark] = {
    "help": Benchmark(("--help",), 9, 0.4, None),
    "chips": Benchmark(("chips", "--json"), 5, None, None),
    "estimate": Benchmark(("estimate", *MODEL, *LAYOUT, "--json"), 5, 1.0, 20.0),
    "plan": Benchmark(("plan", "llama-3.1-8b-pretrain", "--json"), 3, None, None),
    "choice": Benchmark(
        ("plan", "--model", "llama-3.1-405b", "--chip", FIVE, *CHOICE, "--json"), 5, 3.0, None, MOST_MEMORY
    ),
    "capacity": Benchmark(("plan", "--model", "llama-3.1-70b", "--chip", FIVE, *PROMISE, "--json"), 3, 10.0, None),
    "tax": Benchmark(("tax", "llama-3.1-70b-pretrain", "--to", "CN", "--on", "2024-01-15", "--json"), 1, None, None),
    "cases": Benchmark(("cases", "--json"), 1, None, None),
    "validate": Benchmark(("validate", "--json"), 1, None, None),
}
NAMES = (*BENCHMARKS, "search", "law", "serving")


class Timing(NamedTuple):
    """One run of a command [s], and the most memory that it took [B]."""

    wall: float
    cpu: float
    memory: float


def once(words: tuple[str, ...], cache: str) -> Timing:
    """Run the command in a process of its own; a failure ends the benchmark with its message."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        made = subprocess.Popen(
            [sys.executable, "-m", "exaplan", *words],
            env=os.environ | {"EXAPLAN_CACHE": cache},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, used = os.wait4(made.pid, 0)
        wall = time.perf_counter() - start
        made.returncode = os.waitstatus_to_exitcode(status)
        if made.returncode != 0:
            errors.seek(0)
            sys.exit(f"exaplan {' '.join(words)} ended with {made.returncode}:\n{errors.read().decode()}")
    return Timing(wall, used.ru_utime + used.ru_stime, 1024.0 * used.ru_maxrss)


def told(name: str, *words: str) -> dict[str, Any]:
    """What a script beside this one prints as JSON, run in a process of its own; {} where it prints nothing."""
    script = Path(__file__).with_name(name)
    done = subprocess.run([sys.executable, str(script), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{script.name} ended with {done.returncode}:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return found


def law() -> dict[str, Any]:
    """Verdicts of the whole catalogue on 60 dates, once it is loaded."""
    found = told("checking.py")
    return found | {"bar": {"cpu": LAW_TIME}, "held": found["cpu"] <= LAW_TIME}


def search() -> dict[str, Any]:
    """The scan of layouts in a process of its own: rate, layouts, memory, and whether each equals the plain path."""
    told("searching.py", "--warm")  # compiling takes memory of its own, so it happens in another process
    found = told("searching.py")
    bar = {"layouts_per_second_per_core": LEAST_RATE, "peak_memory": MOST_MEMORY}
    quick, small = found["layouts_per_second_per_core"] >= LEAST_RATE, found["peak_memory"] <= MOST_MEMORY
    return found | {"bar": bar, "held": quick and small and found["wrong"] == 0}


def serving() -> dict[str, Any]:
    """The simulator in a process of its own: requests per CPU second, and memory of a million of them."""
    told("serving.py", "--warm")  # compiling takes memory of its own, so it happens in another process
    found = told("serving.py")
    bar = {"requests_per_second_per_core": LEAST_REQUESTS, "peak_memory": MOST_MEMORY}
    quick = found["requests_per_second_per_core"] >= LEAST_REQUESTS
    return found | {"bar": bar, "held": quick and found["peak_memory"] <= MOST_MEMORY}


def measure(benchmark: Benchmark) -> dict[str, Any]:
    """Cold once, then warm: medians of wall and CPU time [s], and whether the bars hold."""
    with tempfile.TemporaryDirectory(prefix="exaplan-bench-") as cache:
        cold = once(benchmark.words, cache)
        runs = [once(benchmark.words, cache) for _ in range(benchmark.repeats)]
    wall, cpu, memory = (statistics.median(column) for column in zip(*runs, strict=True))
    pairs = ((wall, benchmark.warm), (cold.wall, benchmark.cold), (memory, benchmark.memory))
    held = all(bar is None or value <= bar for value, bar in pairs)
    return {
        "command": " ".join(benchmark.words),
        "repeats": benchmark.repeats,
        "cold": cold._asdict(),
        "warm": {"wall": wall, "cpu": cpu},
        "peak_memory": memory,
        "bar": {"cold": benchmark.cold, "warm": benchmark.warm, "memory": benchmark.memory},
        "held": held,
    }


OTHERS: Mapping[str, Callable[[], dict[str, Any]]] = {"search": search, "law": law, "serving": serving}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {"python": platform.python_version(), "processor": platform.machine(), "cores": os.cpu_count()}


def shown(name: str, found: Mapping[str, Any]) -> str:
    """One line for people."""
    if name == "search":
        rate, layouts, memory = found["layouts_per_second_per_core"], found["considered"], found["peak_memory"]
        figures = f"{rate / 1e6:.2f}M layouts/s and core, {layouts:,} layouts, {memory / 1e6:.0f} MB"
        equal = f"{found['checked'] - found['wrong']} of {found['checked']} equal to the plain path"
        return f"{name:9} {figures}, {equal} (>= 2M/s: {'held' if found['held'] else 'MISSED'})"
    if name == "law":
        figures = f"{found['verdicts']:,} verdicts in {found['cpu']:.2f} s CPU ({found['chips']} chips)"
        return f"{name:9} {figures} (<= {LAW_TIME:g} s: {'held' if found['held'] else 'MISSED'})"
    if name == "serving":
        figures = f"{found['requests_per_second_per_core']:,.0f} requests/s and core, "
        figures += f"{found['requests']:,} requests in {found['peak_memory'] / 1e6:.0f} MB"
        return f"{name:9} {figures} (>= {LEAST_REQUESTS:,.0f}/s: {'held' if found['held'] else 'MISSED'})"
    bars = ", ".join(f"{key} <= {bar:g}" for key, bar in found["bar"].items() if bar is not None)
    warm = found["warm"]
    times = f"cold {found['cold']['wall']:6.2f} s, warm {warm['wall']:6.3f} s wall, {warm['cpu']:6.3f} s CPU"
    return f"{name:9} {times}" + (f"  ({bars}: {'held' if found['held'] else 'MISSED'})" if bars else "")


def main() -> int:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", action="store_true", help="JSON instead of lines")
    parser.add_argument("--check", action="store_true", help="exit 1 where a bar is missed")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(NAMES)}")
    found = {}
    for name in arguments.names or NAMES:
        found[name] = OTHERS[name]() if name in OTHERS else measure(BENCHMARKS[name])
        if not arguments.json:
            print(shown(name, found[name]), flush=True)
    if arguments.json:
        alone = next(iter(found.values())) if len(found) == 1 else {}
        print(json.dumps({"machine": machine(), "benchmarks": found} | alone, indent=2))
    return int(arguments.check and not all(item["held"] for item in found.values()))


if __name__ == "__main__":
    sys.exit(main())
