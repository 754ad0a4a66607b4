"""The schema of a question about serving: which kind an ask is of, its units and defaults, and every refusal."""

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaplan import ask
from exaplan.ask.lengths import read_lengths, written
from exaplan.catalog import load
from exaplan.errors import InputError, NoPlan
from exaplan.nouns import Limits
from exaplan.nouns.serving import (
    Autoscale,
    Formats,
    Lengths,
    Promise,
    Replica,
    Settings,
    Speculative,
    Traffic,
)

ROOT = Path(__file__).resolve().parents[1]
CATALOG = load()
BASE: dict[str, Any] = {"model": "llama-3.1-70b", "cluster": {"chip": "h100-sxm"}}


def served(work: dict[str, Any] | None = None, **more: Any) -> ask.ServeAsk:
    """A serving ask: 20 requests a second, with these fields of work and of the top level."""
    made = ask.parse({**BASE, "work": {"rate": "20/s", **(work or {})}, **more})
    assert isinstance(made, ask.ServeAsk)
    return made


# --------------------------------------------------------------------------------------------- which kind it is


@pytest.mark.parametrize("mark", [{"rate": "1/s"}, {"users": 8}, {"trace": "a.csv"}, {"rate": "1/s", "prompt": 7}])
def test_traffic_makes_an_ask_one_of_serving(mark: dict[str, Any]) -> None:
    """``rate``, ``users``, ``trace`` or ``prompt`` say what is asked; ``kind`` need not."""
    assert isinstance(ask.parse({"model": "m", "work": mark}), ask.ServeAsk)
    assert ask.kind_of({"work": mark}) == "serving"


def test_other_asks_are_about_training() -> None:
    """Without traffic nothing changed: an ask is about training."""
    assert isinstance(ask.parse({"model": "m"}), ask.Ask)
    assert ask.kind_of({"model": "m"}) == ask.kind_of({"work": {"tokens": "1T"}}) == "training"
    assert ask.kind_of({"work": {"kind": "training", "rate": "1/s"}}) == "training"


def test_other_spellings_mean_the_same() -> None:
    """Words of other tools, and ``engine: NAME``, are understood."""
    made = ask.parse({"model": "m", "work": {"kind": "serving", "qps": "2/s", "isl": 7, "osl": 9}, "engine": "sglang"})
    assert isinstance(made, ask.ServeAsk)
    assert (made.work.rate, made.work.prompt.mean, made.work.output.mean, made.engine.name) == (2.0, 7, 9, "sglang")
    made = ask.parse({"model": "m", "work": {"concurrency": 64, "kind": "serving", "precision": "int4", "kv": "auto"}})
    assert isinstance(made, ask.ServeAsk)
    assert (made.work.users, made.work.precision, made.work.kv) == (64, "int4-wo", "bf16")


# ------------------------------------------------------------------------------------------- units and defaults


RATES = [("20/s", 20.0), ("1200/min", 20.0), ("72,000/h", 20.0), ("5 requests/s", 5.0), ("3 qps", 3.0)]


@pytest.mark.parametrize(("text", "rate"), RATES)
def test_a_rate_has_its_unit(text: str, rate: float) -> None:
    """Requests per second, minute or hour are one number per second."""
    assert served({"rate": text}).work.rate == pytest.approx(rate)


def test_promises_are_seconds_at_a_percentile() -> None:
    """``slo`` in any unit of time; what is not promised is None."""
    made = served({"slo": {"ttft": "1 s", "tpot": "50 ms", "percentile": "p95"}})
    assert made.promise() == Promise(1.0, 0.05, None, 95.0)
    assert dict(made.promise().given) == {"ttft": 1.0, "tpot": 0.05}
    assert served().promise() == Promise()


def test_defaults_are_told_with_units() -> None:
    """Every default that matters is listed as ``field = value``; what cannot matter is not."""
    told = served({"slo": {"ttft": "1 s"}}).defaults()
    for line in ("work.prompt = 1024", "work.output = 256", "work.arrivals = poisson", "work.slo.percentile = 99"):
        assert line in told
    for line in ("work.period = 30 d", "engine.name = vllm-v1", "work.kv = bf16", "limits.count = 16384"):
        assert line in told
    assert not any(line.startswith(("work.burst", "work.keep", "work.think", "work.prefix")) for line in told)
    assert "work.slo.percentile = 99" not in served().defaults()
    traced = ask.parse({"model": "m", "work": {"trace": "a.csv"}}).defaults()
    assert not any(line.startswith(("work.prompt", "work.arrivals")) for line in traced)


def test_the_traffic_of_a_rate() -> None:
    """The noun holds what was asked; bursts only of bursty arrivals."""
    made = served({"prompt": [512, 2048], "output": {"mean": 256, "cv": 0.5, "high": 4096}, "prefix": 100})
    prompt, output = Lengths("uniform", 1280.0, 0.0, 512, 2048), Lengths("lognormal", 256.0, 0.5, 0, 4096)
    assert made.traffic() == Traffic(prompt, output, "poisson", 20.0, prefix=100)
    bursty = served({"arrivals": "bursty", "burst": 3}).traffic()
    assert (bursty.arrivals, bursty.burst) == ("bursty", 3.0)


def test_the_traffic_of_users() -> None:
    """Users are a closed loop: each asks again after its answer and a pause; sessions have turns and history."""
    work = {"users": 200, "think": "10 s", "turns": 8, "history": "window", "keep": 2048}
    made = ask.parse({**BASE, "work": work})
    assert isinstance(made, ask.ServeAsk)
    got = made.traffic()
    assert (got.arrivals, got.users, got.rate, got.think, got.turns) == ("closed", 200, None, 10.0, 8)
    assert (got.history, got.keep) == ("window", 2048)


def test_a_trace_is_a_file_beside_the_ask(tmp_path: Path) -> None:
    """Its path is relative to the ask, also without a slash; lengths are those of the file; it stays whole again."""
    made = ask.parse({**BASE, "work": {"trace": "monday.csv"}}, folder=tmp_path)
    assert isinstance(made, ask.ServeAsk)
    assert made.trace_path == tmp_path / "monday.csv"
    got = made.traffic()
    assert (got.arrivals, got.trace, got.prompt.kind) == ("trace", str(tmp_path / "monday.csv"), "trace")
    assert made.resolved()["work"]["trace"] == str(tmp_path / "monday.csv")
    far = ask.parse({**BASE, "work": {"trace": "/data/t.parquet"}}, folder=tmp_path)
    assert isinstance(far, ask.ServeAsk) and str(far.trace_path) == "/data/t.parquet"
    assert served().trace_path is None


def test_the_engine_and_its_settings() -> None:
    """Only what was said overrides the engine's own defaults; drafts and adapters are handed on."""
    assert served().settings() == Settings("vllm-v1", Formats())
    made = served(
        {
            "precision": "fp8",
            "kv": "fp8",
            "speculative": {"length": 3, "acceptance": "70%"},
            "lora": {"adapters": 8, "rank": 32},
        },
        engine={"name": "sglang", "max_seqs": 256, "chunked": False, "memory_share": "90%", "offload": "64 GiB"},
    )
    got = made.settings()
    assert (got.engine, got.max_seqs, got.max_tokens, got.chunked, got.memory_share) == (
        "sglang",
        256,
        None,
        False,
        0.9,
    )
    assert (got.formats, got.speculative, got.lora) == (Formats("fp8", "fp8"), Speculative(3, 0.7, "mtp"), (8, 32))
    assert got.offload == 64 * 1024**3


def test_a_layout_is_of_one_copy() -> None:
    """Degrees of a copy make a replica, the rest of it is 1; nothing said is nothing fixed."""
    assert served().replica() is None and served(layout={"replicas": 4}).replica() is None
    made = served(layout={"tp": 4, "replicas": 6})
    assert (made.replica(), made.copy_chips, made.fixed_count) == (Replica(tp=4), 4, 24)
    assert made.fixed() == {"tp": 4, "replicas": 6}
    split = served({"disaggregated": True}, layout={"tp": 4, "replicas": 2, "prefill": {"tp": 2, "replicas": 3}})
    assert (split.prefill(), split.fixed_count) == (Replica(tp=2), 14)


def test_autoscaling_is_a_noun() -> None:
    """Copies that come and go, with their delay in seconds; None without it."""
    made = served(engine={"autoscale": {"most": 8, "target": 16, "delay": "90 s"}})
    assert made.autoscale() == Autoscale(1, 8, 16.0, 90.0, 300.0)
    assert served().autoscale() is None


def test_chips_are_searched_until_something_fixes_them() -> None:
    """A count, a cluster or a whole layout ends the search of counts."""
    assert served().open_count and served().bounds() == Limits(count=16_384)
    assert not served(cluster={"chip": "a", "count": 8}).open_count
    assert not served(cluster="frontier").open_count
    assert not served(layout={"tp": 4, "replicas": 2}).open_count
    assert served(layout={"tp": 4}).open_count
    assert served(limits={"count": 64, "money": "$5"}).bounds() == Limits(5.0, count=64)
    assert served(cluster={"fleet": "8xa"}).most_chips is None and served().deadline is None


def test_the_law_dates_the_prices() -> None:
    """As with training: the day of the law is the day of the prices."""
    made = served(law={"to": "CN", "on": "2024-01-15"})
    assert made.bound and made.start == date(2024, 1, 15)
    assert served(law={"to": "CN"}, start="2025-01-01").law.on == date(2025, 1, 1)


EVERYTHING: dict[str, Any] = {
    "model": "m",
    "work": {
        "kind": "serving",
        "users": 300,
        "think": "7.25 s",
        "prompt": {"mean": 700, "cv": 0.75, "low": 16, "high": 8000},
        "output": [16, 512],
        "turns": 4,
        "prefix": 64,
        "history": "window",
        "keep": 4096,
        "slo": {"ttft": "0.7 s", "tpot": "33 ms", "latency": "20 s", "percentile": 95},
        "precision": "nvfp4",
        "kv": "fp8",
        "requests": 5000,
        "period": "7 d",
        "speculative": {"length": 2, "acceptance": 0.8, "draft": "ngram"},
        "lora": {"adapters": 4, "rank": 8},
        "rag": {"documents": 1000000, "index": "ivf", "lists": 4096, "probes": 32, "rerank": "r", "candidates": 40},
        "price": {"subscription": "$20", "queries": 30},
        "disaggregated": True,
    },
    "cluster": {"chip": ["a", "b"], "site": "x"},
    "layout": {"tp": 4, "dp": 2, "ep": 8, "replicas": 3, "prefill": {"tp": 8}},
    "limits": {"power": "1 MW", "hold": "expected"},
    "objective": "chips",
    "engine": {
        "name": "sglang",
        "max_seqs": 128,
        "router": "prefix",
        "offload": "1.5 GB",
        "autoscale": {"least": 2, "most": 9, "target": 8, "delay": "2 min", "idle": "10 min"},
    },
    "seed": 7,
}


def test_a_resolved_ask_can_be_asked_again() -> None:
    """resolved() is a fixed point of parse with every field given, so that a plan.json reproduces its run."""
    made = ask.parse(EVERYTHING)
    again = ask.parse(made.resolved())
    assert isinstance(made, ask.ServeAsk) and isinstance(again, ask.ServeAsk)
    assert again.resolved() == made.resolved()
    assert (again.traffic(), again.promise(), again.settings()) == (made.traffic(), made.promise(), made.settings())
    assert (again.work.price, again.work.rag, again.autoscale()) == (made.work.price, made.work.rag, made.autoscale())


def test_the_schema_knows_both_kinds() -> None:
    """What parses passes the published schema; a field of neither kind does not."""
    schema = ask.json_schema()
    jsonschema.validate(EVERYTHING, schema)
    jsonschema.validate({"model": "m", "work": {"tokens": "1T"}}, schema)
    jsonschema.validate(EVERYTHING, ask.json_schema("serving"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**EVERYTHING, "trafic": 1}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(EVERYTHING, ask.json_schema("training"))


def test_paths_are_those_of_both_kinds() -> None:
    """Groups that may be left out are listed by their fields."""
    assert {"work.rate", "work.slo.ttft", "work.rag.documents", "engine.autoscale.most"} <= set(ask.paths("serving"))
    assert "work.seq_len" not in ask.paths("serving") and "work.rate" not in ask.paths("training")
    assert set(ask.paths()) == {*ask.paths("training"), *ask.paths("serving")}


# ------------------------------------------------------------------------------------------------------ lengths


LENGTHS: list[tuple[Any, Lengths]] = [
    (1024, Lengths("fixed", 1024.0)),
    ("1,024", Lengths("fixed", 1024.0)),
    ("8k", Lengths("fixed", 8000.0)),
    ("512-2048", Lengths("uniform", 1280.0, 0.0, 512, 2048)),
    ("1..3", Lengths("uniform", 2.0, 0.0, 1, 3)),
    ("100,300", Lengths("fixed", 100_300.0)),
    ("16,512", Lengths("fixed", 16_512.0)),
    ("1000,3000", Lengths("uniform", 2000.0, 0.0, 1000, 3000)),
    ([5, 5], Lengths("fixed", 5.0)),
    ({"low": 2, "high": 4}, Lengths("uniform", 3.0, 0.0, 2, 4)),
    ({"mean": 10}, Lengths("fixed", 10.0)),
    ({"mean": 10, "cv": "80%"}, Lengths("lognormal", 10.0, 0.8)),
]


@pytest.mark.parametrize(("value", "lengths"), LENGTHS, ids=str)
def test_lengths_are_read_as_people_write_them(value: Any, lengths: Lengths) -> None:
    """A number, an even range, or a mean with its spread."""
    assert read_lengths(value) == lengths


@given(
    mean=st.integers(10, 10**6),
    cv=st.floats(0, 50, allow_nan=False),
    below=st.integers(0, 9),
    above=st.integers(0, 9),
)
@settings(max_examples=50, deadline=None)
def test_written_lengths_read_back(mean: int, cv: float, below: int, above: int) -> None:
    """What a file is given of lengths is read as the same lengths."""
    for value in (mean, [mean - below, mean + above], {"mean": mean, "cv": cv, "low": mean - below, "high": 0}):
        made = read_lengths(value)
        assert read_lengths(written(made)) == made


# ------------------------------------------------------------------------------------------------------ refusals

RATE = {"rate": "20/s"}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"work": {"rate": 20}}, "work.rate: 20 has no unit", "20/s or 1200/min"),
    ({"work": {"rate": "20 GB/s"}}, "is not a unit of frequency", "20/s"),
    ({"work": {"rate": "0/s"}}, "zero, and it must be more", "20/s"),
    ({"work": {"rate": "-2/s"}}, "is negative", "20/s"),
    ({"work": {**RATE, "users": 5}}, "`rate` and `users` both say", "keep one"),
    ({"work": {**RATE, "trace": "a.csv"}}, "`rate` and `trace` both say", "keep one"),
    ({"work": {"kind": "serving"}}, "nothing says how requests come", "--rate 20/s"),
    ({"work": {"prompt": 512}}, "nothing says how requests come", "--users 200"),
    ({"work": {"kind": "generation"}}, "not answered by this version", "training and serving work"),
    ({"work": {"kind": 5}}, "5 is not one of 'training', 'serving'", "choose one"),
    ({"work": {"users": 0}}, "work.users: 0 is zero", "write it like"),
    ({"work": {"trace": "a.csv", "prompt": 5}}, "and so does `prompt`", "leave out work.prompt"),
    ({"work": {"users": 5, "arrivals": "bursty"}}, "so `arrivals` says nothing", "leave out work.arrivals"),
    ({"work": {**RATE, "burst": 2}}, "`burst` belongs to bursty", "arrivals: bursty"),
    ({"work": {**RATE, "think": "5 s"}}, "so `think` says nothing", "work.turns"),
    ({"work": {**RATE, "history": "none"}}, "`history` is of earlier turns", "turns: 8"),
    ({"work": {**RATE, "turns": 4, "history": "window"}}, "has no size", "keep: 2048"),
    ({"work": {**RATE, "turns": 4, "keep": 5}}, "`keep` is the size", "history: window"),
    ({"work": {**RATE, "prompt": 0}}, "work.prompt: 0 is zero", "1024, [512, 2048]"),
    ({"work": {**RATE, "prompt": -5}}, "is negative", "1024, [512, 2048]"),
    ({"work": {**RATE, "output": 1.5}}, "no whole number", "1024"),
    ({"work": {**RATE, "output": "long"}}, "does not start with a number", "1024"),
    ({"work": {**RATE, "prompt": [1, 2, 3]}}, "is not a pair", "[512, 2048]"),
    ({"work": {**RATE, "prompt": [9, 2]}}, "starts at 9 and ends at 2", "[2, 9]"),
    ({"work": {**RATE, "prompt": {"cv": 2}}}, "has no mean", "mean: 1024"),
    ({"work": {**RATE, "prompt": {"mean": 5, "sd": 2}}}, "`sd` is not part", "mean: 1024"),
    ({"work": {**RATE, "prompt": {"mean": 5, "cv": -2}}}, "cv:", "standard deviation"),
    ({"work": {**RATE, "prompt": {"mean": 5, "cv": 200}}}, "above what is possible", "standard deviation"),
    ({"work": {**RATE, "prompt": {"mean": 5, "low": 6}}}, "outside [6, no bound]", "widen"),
    ({"work": {**RATE, "prompt": {"mean": 5, "low": 9, "high": 6}}}, "low 9 is above high 6", "swap"),
    ({"work": {**RATE, "slo": {"percentile": 100}}}, "not between 0 and 100", "p99"),
    ({"work": {**RATE, "slo": {"percentile": 0}}}, "not between 0 and 100", "p99"),
    ({"work": {**RATE, "slo": {"percentile": 0.99}}}, "less than one request in a hundred", "99 was meant?"),
    ({"work": {**RATE, "slo": {"percentile": "most"}}}, "is not a percentile", "p99"),
    ({"work": {**RATE, "slo": {"ttft": 1}}}, "has no unit", "4.1 s"),
    ({"work": {**RATE, "slo": {"ttft": "0 s"}}}, "zero, and it must be more", "4.1 s"),
    ({"work": {**RATE, "slo": {"tftt": "1 s"}}}, "`tftt` is not a field of work.slo", "did you mean `ttft`"),
    ({"work": {**RATE, "speculative": {"length": 3, "acceptance": 1}}}, "not between 0 and 1", "0.7 or 70%"),
    ({"work": {**RATE, "speculative": {"length": 3, "acceptance": 0}}}, "not between 0 and 1", "0.7 or 70%"),
    ({"work": {**RATE, "speculative": {"length": 3, "acceptance": "x"}}}, "is not a chance", "0.7 or 70%"),
    ({"work": {**RATE, "speculative": {"acceptance": 0.5}}}, "`work.speculative.length` is missing", "schema ask"),
    ({"work": {**RATE, "precision": "fp7"}}, "'fp7' is not one of", "choose one"),
    ({"work": {**RATE, "kv": "int2"}}, "'int2' is not one of", "choose one"),
    ({"work": {**RATE, "seq_len": 5}}, "`work.seq_len` is a field of a training ask", "work.prompt and work.output"),
    ({"work": {**RATE, "tokens": "1T"}}, "`work.tokens` is a field of a training ask", "work.requests"),
    ({"work": {**RATE, "method": "lora"}}, "`work.method` is a field of a training ask", "work.lora"),
    ({"work": RATE, "limits": {"deadline": "9 d"}}, "`limits.deadline` is a field of a training", "work.slo.latency"),
    ({"work": RATE, "layout": {"micro_batch": 2}}, "`layout.micro_batch` is a field of a training", "engine.max_seqs"),
    ({"work": RATE, "layout": {"zero": 2}}, "`layout.zero` is a field of a training ask", "leave it out"),
    ({"work": RATE, "observed": {"step_time": "1 s"}}, "`observed` is a field of a training ask", "leave it out"),
    ({"work": {"kind": "training", **RATE}}, "`work.rate` is a field of a serving ask", "kind: serving"),
    ({"engine": "vllm"}, "`engine` is a field of a serving ask", "--rate 20/s"),
    ({"layout": {"replicas": 2}}, "`layout.replicas` is a field of a serving ask", "kind: serving"),
    ({"work": {**RATE, "generation": {"time": "3 s"}, "slo": {"ttft": "1 s"}}}, "no `ttft` can be", "slo.latency"),
    ({"work": {**RATE, "generation": {"time": "3 s"}, "prompt": 5}}, "`prompt` is about tokens", "keep one"),
    ({"work": {**RATE, "rag": {"documents": 5, "probes": 3}}}, "`probes` belongs to index ivf", "index: ivf"),
    (
        {"work": {**RATE, "rag": {"documents": 5, "index": "ivf", "lists": 2, "probes": 3}}},
        "3 lists are read, and there are 2",
        "lower probes",
    ),
    ({"work": {**RATE, "rag": {"documents": 5, "candidates": 9}}}, "those of a reranker", "rerank: MODEL"),
    (
        {"work": {**RATE, "rag": {"documents": 5, "rerank": "m", "candidates": 3}}},
        "5 pieces are kept out of 3",
        "raise candidates",
    ),
    ({"work": {**RATE, "rag": {"documents": 0}}}, "zero, and it must be more", "write it like"),
    ({"work": {**RATE, "price": {}}}, "says nothing of what is earned", "subscription: $20"),
    ({"work": {**RATE, "price": {"subscription": 20}}}, "has no currency", "$129k"),
    ({"work": {**RATE, "price": {"subscription": "$20", "output": "$1"}}}, "both say what is earned", "keep one"),
    ({"work": {**RATE, "price": {"output": "$1", "queries": 5}}}, "those of a subscriber", "subscription: $20"),
    ({"work": RATE, "layout": {"tp": 4, "ep": 3}}, "ep 3 does not divide the 4 ranks", "divisor of tp x dp"),
    ({"work": RATE, "layout": {"prefill": {"tp": 2}}}, "copies that only read prompts", "disaggregated: true"),
    (
        {"work": RATE, "cluster": {"chip": "a", "count": 8}, "layout": {"tp": 4, "replicas": 3}},
        "3 copies of 4 chips need 12 chips, and the cluster has 8",
        "cluster.count",
    ),
    ({"work": RATE, "cluster": {"chip": "a", "count": 2}, "layout": {"tp": 4}}, "one copy of 4 chips", "degree"),
    (
        {"work": RATE, "engine": {"autoscale": {"least": 9, "most": 8, "target": 4, "delay": "1 s"}}},
        "least 9 is above most 8",
        "swap",
    ),
    (
        {"work": RATE, "layout": {"replicas": 9}, "engine": {"autoscale": {"most": 8, "target": 4, "delay": "1 s"}}},
        "9 copies are outside 1 to 8",
        "widen the bounds",
    ),
    ({"work": RATE, "engine": {"memory_share": 1.5}}, "above what is possible", "85%"),
    ({"work": RATE, "engine": {"chunked": "maybe"}}, "neither true nor false", "true or false"),
    ({"work": RATE, "engine": {"router": "random"}}, "'random' is not one of", "choose one"),
    ({"work": RATE, "objective": "time"}, "'time' is not one of", "choose one"),
    ({"work": RATE, "law": {"on": "2024-01-15"}}, "`law.to` is missing", "--to"),
    ({"work": {**RATE, "requests": 0}}, "zero, and it must be more", "write it like"),
    ({"work": {**RATE, "ttft": "1 s"}}, "`ttft` is not a field of work", "it stands under `work.slo:`"),
]


@pytest.mark.parametrize(("value", "problem", "remedy"), REFUSED, ids=[item[1] for item in REFUSED])
def test_each_wrong_ask_is_refused_with_its_remedy(value: dict[str, Any], problem: str, remedy: str) -> None:
    """The message names field and value, the hint says what to write instead."""
    with pytest.raises(InputError) as caught:
        ask.parse({**BASE, **value})
    assert problem in str(caught.value)
    assert remedy in caught.value.hint


def test_a_count_above_its_limit_has_no_plan() -> None:
    """As with training, that is an answer: exit code 1."""
    with pytest.raises(NoPlan, match="at most 4 are allowed"):
        served(cluster={"chip": "a", "count": 8}, limits={"count": 4})


def test_a_plan_needs_a_promise_or_an_objective() -> None:
    """With neither, any cluster would do; either is enough."""
    with pytest.raises(InputError, match="nothing is promised and no objective is given"):
        ask.check_promised(served())
    ask.check_promised(served({"slo": {"latency": "9 s"}}))
    ask.check_promised(served(objective="cost"))


def test_without_traffic_the_most_is_asked_where_chips_are_bounded() -> None:
    """A number of chips, or a limit, bounds the requests; to simulate them, somebody must say how they come."""
    bounds = ({"cluster": {"chip": "a", "count": 8}}, {"limits": {"money": "$5"}}, {"cluster": {"fleet": "8xa"}})
    for bound in bounds:
        made = ask.parse({"model": "m", "work": {"kind": "serving", "slo": {"ttft": "1 s"}}, **bound})
        assert isinstance(made, ask.ServeAsk) and made.load == ()
        assert (made.traffic().rate, made.traffic().users, made.traffic().arrivals) == (None, None, "poisson")
        with pytest.raises(InputError, match="nothing says how requests come"):
            ask.check_loaded(made)
    ask.check_loaded(served())


def test_only_plan_chooses_among_chips() -> None:
    """One cluster is simulated: several chips, or none, are refused as with ``estimate``."""
    with pytest.raises(InputError, match="leaves a choice"):
        ask.check_single(served(cluster={"chip": ["a", "b"]}))
    with pytest.raises(InputError, match=r"`cluster\.chip` is missing"):
        ask.check_single(ask.parse({"model": "m", "work": RATE}))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**9),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["20/s", "1 s", "$20", "50 ms", "512-2048", "p99", "70%", "64 GiB", "bf16", "ivf", "window"]),
    st.lists(st.integers(-1, 5000), max_size=3),
    st.dictionaries(st.sampled_from(["mean", "cv", "low", "high"]), st.integers(-1, 5000), max_size=3),
)


@given(fields=st.dictionaries(st.sampled_from(ask.paths("serving")), JUNK, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_no_values_of_any_fields_crash(fields: dict[str, Any]) -> None:
    """Whatever stands in some fields: the ask is read, and asks the same when written, or is refused as bad input."""
    value: dict[str, Any] = {**BASE, "cluster": dict(BASE["cluster"]), "work": {"kind": "serving", "users": 8}}
    for path, junk in fields.items():
        *above, name = path.split(".")
        group = value
        for key in above:
            group = group.setdefault(key, {})
            if not isinstance(group, dict):
                return
        group[name] = junk
    try:
        made = ask.parse(value)
    except (InputError, NoPlan) as error:
        assert error.hint
        return
    assert ask.parse(made.resolved()).resolved() == made.resolved()
    made.defaults()
    if isinstance(made, ask.ServeAsk):
        assert made.traffic() and made.settings() and made.promise()


# ---------------------------------------------------------------------------------------------------- bundled

BUNDLED = {
    "llama-3.1-70b-serve",
    "llama-3.1-70b-serve-china",
    "mistral-7b-int4-4090-documents",
    "chat-subscription",
    "memory-chat",
    "image-queue",
    "deepseek-v3-disaggregated",
    "llama-3.1-8b-trace",
    "llama-3.1-8b-mac",
    "llama-3.1-8b-adapters",
}


def bundled(name: str) -> ask.ServeAsk:
    """A serving ask of the catalogue."""
    document = CATALOG.asks[name]
    made = ask.parse(document.value, document.place, Path(document.file).parent)
    assert isinstance(made, ask.ServeAsk)
    return made


def test_all_serving_asks_of_the_catalogue_are_known_here() -> None:
    """Those below are tested; a new one joins them."""
    assert {name for name, item in CATALOG.asks.items() if ask.kind_of(item.value) == "serving"} == BUNDLED


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_bundled_serving_asks_can_be_planned_and_simulated(name: str) -> None:
    """Each has a title, a load and a promise, chips and an engine that exist, and asks the same when written again."""
    made, value = bundled(name), CATALOG.asks[name].value
    ask.check_promised(made)
    ask.check_loaded(made)
    ask.check_single(made)
    assert value["name"] == name and value["title"]
    assert all(CATALOG.chips.resolve(chip) for chip in made.chips)
    assert CATALOG.engine(made.engine.name)
    assert made.work.generation or CATALOG.models.resolve(str(made.model))
    again = ask.parse(made.resolved())
    assert again.resolved() == made.resolved()


def test_the_made_up_trace_is_what_its_generator_writes(tmp_path: Path) -> None:
    """It is seeded, sorted by time, whole numbers of tokens, and says that it is made up in its name."""
    spec = importlib.util.spec_from_file_location("made_up_trace", ROOT / "tools" / "made_up_trace.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    path = bundled("llama-3.1-8b-trace").trace_path
    assert path is not None and path.name == "made-up-trace.csv"
    number = tool.write(tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()
    rows = tool.rows()
    assert len(rows) == number > 1000
    times = [row[0] for row in rows]
    assert times == sorted(times) and times[0] >= 0 and times[-1] < 600
    assert all(isinstance(size, int) and size >= 4 for row in rows for size in row[1:3])
    assert len({row[3] for row in rows}) < len(rows)
