"""Pictures of the policies of inference engines: one chart for each, drawn from runs of exaplan's own simulator.

python docs/pictures/policies.py            runs the simulator, writes docs/serving-policies.json and the pictures
python docs/pictures/policies.py NAME ...   the same for some of them

All are of Llama 3.1 8B in 16 bit on H100 under vLLM's policy, each with one thing changed, by kernels alone (no fitted
tuning), so that the pictures tell of policies and not of a release.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import lines
from exaplan import sim
from exaplan.answers.serving import Simulated
from exaplan.case.serving import ServeCase, serve, step_table
from exaplan.catalog import Catalog, load
from exaplan.catalog.engines import fitted
from exaplan.nouns.serving import Autoscale, Formats, Lengths, Replica, Settings, Speculative, Traffic
from exaplan.perf.serving.inputs import Policy, ServeTuning, StepTable

FOLDER = Path(__file__).resolve().parent
RECORD = FOLDER.parent / "serving-policies.json"
SEED, REQUESTS = 1, 20_000
KEPT_UP = 0.9  # of the asked rate; a run that starts and ends empty serves somewhat less
CHAT = Traffic(
    Lengths("lognormal", 1024, cv=1.0, low=16, high=8192), Lengths("lognormal", 256, cv=0.7, low=8, high=2048)
)

Chart = dict[str, Any]
Points = list[list[float]]
Runs = list[tuple[float, Simulated]]


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


def fleet(one: Server, **pool: Any) -> sim.Fleet:
    """Equal replicas of one pool."""
    return sim.Fleet(sim.Pool(one.table, one.policy, **pool))


def ran(served: sim.Fleet, traffic: Traffic) -> Simulated:
    """A run of many requests, the same ones for the same traffic."""
    return sim.summary(sim.run(sim.traffic.make(traffic, REQUESTS, SEED), served, SEED))


def rising(served: sim.Fleet, traffic: Traffic, rates: Sequence[float]) -> Runs:
    """Runs at rising rates [requests/s], up to the last that keeps up."""
    found = []
    for rate in rates:
        made = ran(served, replace(traffic, rate=rate))
        if not made.stable or made.throughput["requests"] < KEPT_UP * rate:
            break
        found.append((rate, made))
    return found


def each(ways: Mapping[str, sim.Fleet], traffic: Traffic, rates: Sequence[float]) -> dict[str, Runs]:
    """The same for each of several fleets."""
    return {name: rising(served, traffic, rates) for name, served in ways.items()}


def curve(runs: Runs, of: Callable[[Simulated], float]) -> Points:
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


def two(title: str, x: str, runs: Mapping[str, Runs], **more: Any) -> Chart:
    """Time to the first token and time per token, side by side."""
    first = panel(
        "Time to first token", x, SECONDS, {name: curve(one, ttft) for name, one in runs.items()}, log=True, **more
    )
    other = panel("Time per token", x, MILLI, {name: curve(one, tpot) for name, one in runs.items()}, **more)
    return {"title": title, "panels": [first, other]}


# --------------------------------------------------------------------------------------------------- pictures


def batching() -> Chart:
    """A batch run to its end, prompts first, and both in one iteration."""
    ways = {
        "static": fleet(server().but(batching=2, chunked=0, max_seqs=64)),
        "prompts first": fleet(server().but(batching=1, chunked=0)),
        "mixed, in chunks": fleet(server()),
    }
    runs = each(ways, CHAT, (1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 18.0, 20.0, 22.0, 24.0))
    return two("Continuous batching serves more, sooner", RATE, runs)


def chunks() -> Chart:
    """Tokens of an iteration: few keep the time per token, many the time to the first token."""
    long = replace(CHAT, prompt=Lengths("lognormal", 4096, cv=0.8, low=256, high=16384), rate=5.0)
    sizes = (256, 512, 1024, 2048, 4096, 8192, 16384)
    whole = ran(fleet(server().but(batching=1, chunked=0, max_tokens=16384)), long)
    pieces = [(float(n), ran(fleet(server().but(max_tokens=n)), long)) for n in sizes]
    runs = {
        "prompts in chunks": [(n, made) for n, made in pieces if made.stable],
        "whole prompts, first": [(float(n), whole) for n in (sizes[1], sizes[-1])],
    }
    return two("Chunked prefill trades one wait for the other", "tokens of an iteration", runs, logx=True)


def admission() -> Chart:
    """Little cache: let in what fits now and evict, or only what fits to its end."""
    room, host = 24_000, {"host_tokens": 10**6, "host_rate": 2e5}
    ways = {
        "now; evicted are computed again": fleet(server().but(whole=0, swap=0, kv_tokens=room)),
        "now; evicted wait in host memory": fleet(server().but(whole=0, swap=1, kv_tokens=room, **host)),
        "only with room to the end": fleet(server().but(whole=1, kv_tokens=room)),
    }
    runs = each(ways, CHAT, (1.0, 2.0, 3.0, 4.0, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5))
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
    ways = {"without": fleet(server()), "with a prefix cache": fleet(server().but(prefix=1))}
    runs = each(ways, told, (2.0, 4.0, 5.0, 6.0, 7.0, 8.0, 12.0, 16.0, 20.0, 24.0))
    found = {name: curve(one, lambda m: 100.0 * m.cached) for name, one in runs.items()}
    chart = two("A prefix cache spares prompts that were read before", RATE, runs)
    chart["panels"][1] = panel("Prompt tokens found in the cache", RATE, "%", found)
    return chart


LINK = 50e9  # B/s of a network of 400 Gbit/s


def disaggregation() -> Chart:
    """Four chips that do both, or two that read prompts and two that write."""
    one = server()
    long = replace(CHAT, prompt=Lengths("lognormal", 3072, cv=0.6, low=256, high=12288))
    link = sim.Transfer(rate=LINK / case().kv_token, latency=1e-3)
    apart = sim.Fleet(sim.Pool(one.table, one.policy, replicas=2), sim.Pool(one.table, one.policy, replicas=2), link)
    ways = {"4 chips do both": fleet(one, replicas=4), "2 read prompts, 2 write": apart}
    runs = each(ways, long, (4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 26.0, 28.0))
    return two("Reading and writing apart: even time per token", RATE, runs)


def routers() -> Chart:
    """Four replicas with prefix caches, conversations of six turns."""
    told = replace(CHAT, turns=6, think=10.0, prompt=Lengths("lognormal", 600, cv=1.0, low=8, high=4096))
    one = server().but(prefix=1, kv_tokens=120_000)
    names = ("round-robin", "least-loaded", "prefix")
    ways = {name: fleet(one, replicas=4, router=name) for name in names}
    runs = each(ways, told, (4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0, 32.0))
    found = {name: curve(made, lambda m: 100.0 * m.cached) for name, made in runs.items()}
    chart = two("Where a request goes decides what its replica remembers", RATE, runs)
    chart["panels"][1] = panel("Prompt tokens found in the cache", RATE, "%", found)
    return chart


def rush() -> sim.Load:
    """Half an hour: 5 requests/s, 50 from the fifth minute to the fifteenth, then 5 again."""
    chance = np.random.default_rng(SEED)
    spans = ((0.0, 300.0, 5.0), (300.0, 900.0, 50.0), (900.0, 1800.0, 5.0))
    counts = [chance.poisson((end - start) * rate) for start, end, rate in spans]
    whens = np.concatenate(
        [np.sort(chance.uniform(start, end, n)) for (start, end, _), n in zip(spans, counts, strict=True)]
    )
    rows = np.full((len(whens), 3), -1, np.int64)
    rows[:, 0] = np.clip(chance.lognormal(np.log(1024.0) - 0.35, 0.83, len(whens)), 16, 8192)
    rows[:, 1] = np.clip(chance.lognormal(np.log(256.0) - 0.2, 0.63, len(whens)), 8, 2048)
    return sim.fixed_load(rows, whens=whens)


def autoscaling() -> Chart:
    """One to eight replicas through a rush, by how long a start takes."""
    one, load = server(), rush()
    replicas: dict[str, Points] = {}
    waiting: dict[str, Points] = {}
    for delay in (15.0, 60.0, 240.0):
        scale = Autoscale(least=1, most=8, target=32.0, delay=delay, idle=120.0)
        made = sim.summary(sim.run(load, sim.Fleet(sim.Pool(one.table, one.policy), autoscale=scale), SEED))
        minutes = [round(at / 60.0, 3) for at in made.series["time"]]
        name = f"ready after {delay:.0f} s"
        replicas[name] = [[x, round(y, 3)] for x, y in zip(minutes, made.series["replicas"], strict=True)]
        waiting[name] = [[x, round(y, 3)] for x, y in zip(minutes, made.series["queue"], strict=True)]
    panels = [
        panel("Replicas", "minutes", "working or starting", replicas, steps=True),
        panel("Requests that wait", "minutes", "at a time", waiting),
    ]
    return {"title": "A late start is paid for with a queue", "panels": panels}


USERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def speculation(users: Sequence[int] = USERS) -> Chart:
    """Four tokens drafted by Llama 3.2 1B, 70% of them accepted, against none: closed loops of users."""
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
