"""Pictures of the policies of inference engines: one chart for each, drawn from runs of exaplan's own simulator.

python docs/pictures/policies.py            runs the simulator, writes docs/serving-policies.json and the pictures
python docs/pictures/policies.py NAME ...   the same for some of them

All are of Llama 3.1 8B in 16 bit on H100 under vLLM's policy, each with one thing changed, by kernels alone (no fitted
tuning), so that the pictures tell of policies and not of a release.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import lines

from exaplan import sim
from exaplan.answers.serving import Simulated
from exaplan.case.serving import ServeCase, serve, step_table
from exaplan.catalog import Catalog, load
from exaplan.catalog.engines import fitted
from exaplan.nouns.serving import Autoscale, Formats, Lengths, Promise, Replica, Settings, Speculative, Traffic
from exaplan.perf.serving.inputs import Policy, ServeTuning, StepTable

FOLDER = Path(__file__).resolve().parent
RECORD = FOLDER.parent / "serving-policies.json"
SEED, REQUESTS = 1, 4000
CHAT = Traffic(Lengths("lognormal", 1024, cv=1.0, low=16, high=8192), Lengths("lognormal", 256, cv=0.7, low=8, high=2048))

Chart = dict[str, Any]
Points = list[list[float]]


class Server(NamedTuple):
    """One replica: its table and policy."""

    table: StepTable
    policy: Policy

    def but(self, **changes: Any) -> Server:
        """The same replica under another policy."""
        return Server(self.table, self.policy._replace(**changes))


@cache
def shelf() -> Catalog:
    return load()


def case(speculative: Speculative | None = None, **settings: Any) -> ServeCase:
    """Llama 3.1 8B on one H100."""
    known = shelf()
    chip = known.chip("h100-sxm")
    cluster = known.assemble(chip, 1, known.default_node(chip))
    draft = known.model(speculative.draft) if speculative and speculative.draft not in ("mtp", "ngram") else None
    asked = Settings("vllm-v1", Formats(), speculative=speculative, **settings)
    model, engine = known.model("llama-3.1-8b"), fitted(known.engine("vllm-v1"), chip)
    return serve(model, cluster, engine, asked, Replica(), CHAT, ServeTuning(), draft)


@cache
def server(speculative: Speculative | None = None) -> Server:
    """That replica, ready to run; without a prefix cache unless a picture is of it."""
    made = case(speculative)
    return Server(step_table(made), made.policy._replace(prefix=0))


def ran(fleet: sim.Fleet, traffic: Traffic, count: int = REQUESTS) -> Simulated:
    """A run of ``count`` requests, the same ones for the same traffic."""
    made = sim.traffic.make(traffic, count, SEED)
    return sim.summary(sim.run(made, fleet, SEED))


def alone(one: Server, traffic: Traffic, **pool: Any) -> Simulated:
    """A run on equal replicas of one pool."""
    return ran(sim.Fleet(sim.Pool(one.table, one.policy, **pool)), traffic)


def over(rates: list[float], run: Callable[[float], Simulated]) -> list[tuple[float, Simulated]]:
    """Runs at rising rates [requests/s], up to the first that no longer keeps up."""
    found = []
    for rate in rates:
        made = run(rate)
        if not made.stable:
            break
        found.append((rate, made))
    return found


def curve(runs: list[tuple[float, Simulated]], of: Callable[[Simulated], float]) -> Points:
    """Points of a line."""
    return [[round(x, 4), round(of(made), 5)] for x, made in runs]


def panel(title: str, x: str, y: str, series: Mapping[str, Points], **more: Any) -> Chart:
    """One panel of a chart."""
    return {"title": title, "x": x, "y": y, "series": dict(series), **more}


def ttft(made: Simulated) -> float:
    """99th percentile. [s]"""
    return made.ttft.p99


def tpot(made: Simulated) -> float:
    """99th percentile. [ms]"""
    return 1e3 * made.tpot.p99


RATE, SECONDS, MILLI = "requests/s", "s, 99th percentile", "ms, 99th percentile"


def two(title: str, x: str, runs: Mapping[str, list[tuple[float, Simulated]]]) -> Chart:
    """Time to the first token and time per token, side by side."""
    first = panel("Time to first token", x, SECONDS, {name: curve(one, ttft) for name, one in runs.items()}, log=True)
    other = panel("Time per token", x, MILLI, {name: curve(one, tpot) for name, one in runs.items()})
    return {"title": title, "panels": [first, other]}


# --------------------------------------------------------------------------------------------------- pictures


def batching() -> Chart:
    """A batch run to its end, prompts first, and both in one iteration."""
    ways = {
        "static": server().but(batching=2, chunked=0, max_seqs=64),
        "prompts first": server().but(batching=1, chunked=0),
        "mixed, in chunks": server(),
    }
    rates = [2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0]
    runs = {name: over(rates, lambda r, one=one: alone(one, replace(CHAT, rate=r))) for name, one in ways.items()}
    return two("Continuous batching serves more, sooner", RATE, runs)


def chunks() -> Chart:
    """Tokens of an iteration: few keep the time per token, many the time to the first token."""
    long = replace(CHAT, prompt=Lengths("lognormal", 4096, cv=0.8, low=256, high=16384), rate=5.0)
    sizes = [256, 512, 1024, 2048, 4096, 8192, 16384]
    whole = alone(server().but(batching=1, chunked=0, max_tokens=16384), long)
    runs = {
        "prompts in chunks": [(float(n), alone(server().but(max_tokens=n), long)) for n in sizes],
        "whole prompts, first": [(float(n), whole) for n in (sizes[0], sizes[-1])],
    }
    return two("Chunked prefill trades one wait for the other", "tokens of an iteration", runs)


def admission() -> Chart:
    """Little cache: let in what fits now and evict, or only what fits to its end."""
    tight = {"kv_tokens": 24_000}
    ways = {
        "now; evicted are computed again": server().but(whole=0, swap=0, **tight),
        "now; evicted wait in host memory": server().but(whole=0, swap=1, host_tokens=10**6, host_rate=2e5, **tight),
        "only with room to the end": server().but(whole=1, **tight),
    }
    rates = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    runs = {name: over(rates, lambda r, one=one: alone(one, replace(CHAT, rate=r))) for name, one in ways.items()}
    evicted = {name: curve(one, lambda m: 100.0 * m.preemptions / m.requests) for name, one in runs.items()}
    late = {name: curve(one, lambda m: m.latency.p99) for name, one in runs.items()}
    panels = [
        panel("Evictions", RATE, "per 100 requests", evicted),
        panel("Time to last token", RATE, SECONDS, late, log=True),
    ]
    return {"title": "A full cache: evict, or wait at the door", "panels": panels}


def prefix() -> Chart:
    """A system prompt of 2,000 tokens, and conversations of five turns, with and without a prefix cache."""
    told = replace(CHAT, prefix=2000, turns=5, think=10.0, prompt=Lengths("lognormal", 200, cv=1.0, low=8, high=2048))
    rates = [2.0, 4.0, 6.0, 8.0, 10.0, 14.0, 18.0, 22.0]
    ways = {"without": server(), "with a prefix cache": server().but(prefix=1)}
    runs = {name: over(rates, lambda r, one=one: alone(one, replace(told, rate=r))) for name, one in ways.items()}
    found = {name: curve(one, lambda m: 100.0 * m.cached) for name, one in runs.items()}
    chart = two("A prefix cache spares prompts that were read before", RATE, runs)
    chart["panels"][1] = panel("Prompt tokens found in the cache", RATE, "%", found)
    return chart


def disaggregation() -> Chart:
    """Four chips that do both, or two that read prompts and two that write."""
    one = server()
    long = replace(CHAT, prompt=Lengths("lognormal", 3072, cv=0.6, low=256, high=12288))
    cache = case().kv_token
    link = sim.Transfer(rate=50e9 / cache, latency=1e-3)
    apart = sim.Fleet(sim.Pool(one.table, one.policy, replicas=2), sim.Pool(one.table, one.policy, replicas=2), link)
    both = sim.Fleet(sim.Pool(one.table, one.policy, replicas=4))
    rates = [4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0]
    ways = {"4 chips do both": both, "2 read prompts, 2 write": apart}
    runs = {n: over(rates, lambda r, fleet=fleet: ran(fleet, replace(long, rate=r))) for n, fleet in ways.items()}
    return two("Reading and writing apart: even time per token", RATE, runs)


def routers() -> Chart:
    """Four replicas with prefix caches, conversations of six turns."""
    told = replace(CHAT, turns=6, think=10.0, prompt=Lengths("lognormal", 600, cv=1.0, low=8, high=4096))
    one = server().but(prefix=1, kv_tokens=120_000)
    rates = [4.0, 8.0, 12.0, 16.0, 20.0, 28.0, 36.0, 44.0]
    names = ("round-robin", "least-loaded", "prefix")
    runs = {
        name: over(rates, lambda r, name=name: alone(one, replace(told, rate=r), replicas=4, router=name))
        for name in names
    }
    found = {name: curve(made, lambda m: 100.0 * m.cached) for name, made in runs.items()}
    chart = two("Where a request goes decides what its replica remembers", RATE, runs)
    chart["panels"][1] = panel("Prompt tokens found in the cache", RATE, "%", found)
    return chart


def speculation() -> Chart:
    """Four tokens drafted by Llama 3.2 1B, 70% of them accepted, against none: closed loops of users."""
    users = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    ways = {"without": server(), "4 tokens drafted": server(Speculative(4, 0.7, "llama-3.2-1b"))}
    found = {
        name: [(n, sim.bench(one.table, one.policy, 512, 256, n, SEED, requests=4, warm=1)) for n in users]
        for name, one in ways.items()
    }
    each = {name: [[n, round(1e3 * b.tpot, 4)] for n, b in made] for name, made in found.items()}
    whole = {name: [[n, round(b.throughput, 2)] for n, b in made] for name, made in found.items()}
    panels = [
        panel("Time per token", "users at a time", "ms, mean", each, logx=True),
        panel("Throughput", "users at a time", "output tokens/s", whole, log=True, logx=True),
    ]
    return {"title": "Speculation pays while the chip has time to spare", "panels": panels}


PICTURES: Mapping[str, Callable[[], Chart]] = {
    "batching": batching,
    "chunks": chunks,
    "admission": admission,
    "prefix": prefix,
    "disaggregation": disaggregation,
    "routers": routers,
    "autoscaling": autoscaling,
    "speculation": speculation,
}


def recorded() -> dict[str, Chart]:
    """Charts as they were last run, by name."""
    found: dict[str, Chart] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    return found


def main(names: list[str]) -> None:
    """Run the simulator for some pictures, or all, and draw them."""
    kept = recorded()
    for name in names or PICTURES:
        kept[name] = PICTURES[name]()
        print(f"ran {name}", flush=True)
    charts = {name: kept[name] for name in PICTURES if name in kept}
    RECORD.write_text(json.dumps(charts, indent=1) + "\n", encoding="utf-8")
    for name, chart in charts.items():
        (FOLDER / f"{name}.svg").write_text(lines.draw(chart), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
