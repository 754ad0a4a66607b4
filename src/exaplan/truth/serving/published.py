"""Rows of published serving runs (serving.csv) as questions, by the measuring protocol of each source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from exaplan.catalog import serving_names
from exaplan.nouns.serving import Replica, Settings
from exaplan.truth.reading import Skip, cell, number
from exaplan.truth.serving.mlperf import mlperf
from exaplan.truth.serving.names import chip_name, formats_of, launch, model_name, protocols, tokens_of
from exaplan.truth.serving.questions import Protocol, Question

COLUMNS = ("model", "chip", "n_chips", "precision", "framework", "scenario", "isl", "osl", "batch", "output_tok_s")
STEADY = 4  # rounds of a closed loop after which its throughput is steady
SAMPLE = 500  # requests of the online serving table (its note says so)


def reason(row: Mapping[str, str]) -> str:
    """Why a row is not scored, or ""."""
    if (row.get("confidence") or "read") != "read":
        return "recalled, not read"
    qa = cell(row, "qa")
    return "qa: " + qa if qa and not qa.startswith(("fixed", "note")) else ""


def family_of(row: Mapping[str, str]) -> str:
    """Which set a row belongs to, by what its scenario says."""
    text = cell(row, "scenario").lower()
    for start, name in (
        ("mlperf", "mlperf"),
        ("offline max", "tables"),
        ("steady-state", "chat"),
        ("llama-bench", "llama.cpp"),
        ("closed-loop", "loop"),
        ("online", "triton"),
        ("static", "static"),
        ("first-token", "static"),
    ):
        if text.startswith(start):
            return name
    return "other"


def base_of(row: Mapping[str, str], row_id: str, family: str) -> dict[str, Any]:
    """What every question has."""
    model, chip = model_name(cell(row, "model")), chip_name(cell(row, "chip"), cell(row, "notes"))
    framework = cell(row, "framework")
    engine, release = serving_names.engine(framework, cell(row, "model"))
    lengths = f"{number(row, 'isl', 0.0):.0f}x{number(row, 'osl', 0.0):.0f} c{number(row, 'concurrency', 0.0):.0f}"
    cut = f"{cell(row, 'precision') or '-'} tp{number(row, 'tp', 0.0):.0f}"
    label = f"{family} {engine} {release or '-'} {model} {chip} {lengths} {cut}".lower()
    known = launch(label)
    settings = Settings(
        engine=engine,
        formats=formats_of(cell(row, "precision"), framework, cell(row, "model"), chip, known.get("kv")),
        max_seqs=known.get("max_seqs"),
        max_tokens=tokens_of(known.get("max_tokens"), number(row, "isl", 0.0), number(row, "osl", 0.0)),
        prefix_cache=False,
    )
    return {
        "row_id": row_id,
        "family": family,
        "model": model,
        "chip": chip,
        "chips": max(1, int(number(row, "n_chips"))),
        "engine": engine,
        "release": release,
        "settings": settings,
        "source": cell(row, "source"),
        "label": label,
        "graphs": known.get("graphs"),
        "node": serving_names.node(cell(row, "chip")),
    }


def question(row: Mapping[str, str], row_id: str) -> Question:
    """A row as a Question; raises Skip with the reason."""
    family = family_of(row)
    base = base_of(row, row_id, family)
    if family == "mlperf":
        return mlperf(row, base)
    return MAKERS[family](row, base)


def layout_of(row: Mapping[str, str], chips: int) -> Replica:
    """Layout of the one copy that a row runs: tp, pp; chips left over are data-parallel ranks of attention where the
    experts are spread over all, copies otherwise (the caller divides)."""
    tp, pp = max(1, int(number(row, "tp", 1.0))), max(1, int(number(row, "pp", 1.0)))
    ep = max(1, int(number(row, "ep", 1.0)))
    dp = max(1, chips // (tp * pp)) if ep > 1 else 1
    return Replica(tp=tp, pp=pp, dp=dp, ep=min(ep, tp * dp))


def _tables(row: Mapping[str, str], base: dict[str, Any]) -> Question:
    """TensorRT-LLM throughput tables: all requests at once; from 1.0 on, experts run with data-parallel attention over
    the ranks that the table calls tp."""
    isl, osl = number(row, "isl"), number(row, "osl")
    total = protocols()["requests"].get(f"{isl:.0f}x{osl:.0f}", 1500)
    replica = layout_of(row, base["chips"])
    mixture = 0.0 < number(row, "params_active", 0.0) < number(row, "params_total", 0.0)
    if base["engine"] == "trtllm" and mixture and replica.tp > 1:  # the tables run experts with attention ranks
        replica = Replica(tp=1, pp=replica.pp, dp=replica.tp, ep=replica.tp)
    return Question(
        **base,
        replica=replica,
        replicas=max(1, base["chips"] // replica.chips),
        protocol=Protocol("offline", isl, osl, requests=total),
        measured={"throughput": number(row, "output_tok_s")},
        usage="offline",
    )


def _chat(row: Mapping[str, str], base: dict[str, Any]) -> Question:
    """ML.ENERGY: output tokens/s at the mean number of sequences that it measured; prompts by task, unpublished."""
    task = cell(row, "scenario").split()[-1]
    prompt = protocols()["chat"].get(task)
    if prompt is None:
        raise Skip(f"unknown task {task!r}")
    replica = layout_of(row, base["chips"])
    batch = max(1, round(number(row, "batch")))
    return Question(
        **base,
        replica=replica,
        replicas=max(1, base["chips"] // replica.chips),
        protocol=Protocol("steady", float(prompt), number(row, "osl"), concurrency=batch, requests=STEADY * batch),
        measured={"throughput": number(row, "output_tok_s")},
        usage="offline",
        chosen=(f"prompt = {prompt} tokens ({task})",),
    )


def _bench(row: Mapping[str, str], base: dict[str, Any]) -> Question:
    """llama-bench: pp reads a prompt of isl tokens, tg writes osl tokens from an empty context; both alone."""
    isl, osl = number(row, "isl"), number(row, "osl")
    replica = layout_of(row, base["chips"])
    if osl > 0.0:
        protocol, measured = Protocol("decode", 0.0, osl), {"throughput": number(row, "output_tok_s")}
    else:
        protocol, measured = Protocol("first", isl, 1.0), {"prefill": number(row, "prefill_tok_s")}
    return Question(**base, replica=replica, replicas=1, protocol=protocol, measured=measured)


def _loop(row: Mapping[str, str], base: dict[str, Any]) -> Question:
    """A closed loop of InferenceX's experimental folder."""
    users = int(number(row, "concurrency"))
    replica = layout_of(row, base["chips"])
    protocol = Protocol("closed", number(row, "isl"), number(row, "osl"), concurrency=users, requests=10 * users)
    measured = {"throughput": number(row, "output_tok_s")}
    return Question(**base, replica=replica, replicas=1, protocol=protocol, measured=measured)


def _triton(row: Mapping[str, str], base: dict[str, Any]) -> Question:
    """TensorRT-LLM behind Triton at a request rate, 500 requests: mean TTFT and TPOT."""
    protocol = Protocol(
        "open", number(row, "isl"), number(row, "osl"), requests=SAMPLE, rate=number(row, "request_rate")
    )
    replica = layout_of(row, base["chips"])
    latency = (number(row, "ttft_ms_mean") + (number(row, "osl") - 1.0) * number(row, "tpot_ms_mean")) * 1e-3
    return Question(**base, replica=replica, replicas=1, protocol=protocol, measured={"latency": latency})


def _static(row: Mapping[str, str], base: dict[str, Any]) -> Question:
    """TensorRT-LLM 0.5 and 0.6: a static batch to its end, or the first token of one prompt."""
    isl, osl = number(row, "isl"), number(row, "osl")
    replica = layout_of(row, base["chips"])
    if cell(row, "ttft_ms_mean"):
        measured = {"latency": number(row, "ttft_ms_mean") * 1e-3}
        return Question(**base, replica=replica, replicas=1, protocol=Protocol("first", isl, 1.0), measured=measured)
    chips = base["chips"]
    whole = number(row, "output_tok_s", number(row, "output_tok_s_per_chip", 0.0) * chips)
    protocol = Protocol("static", isl, osl, concurrency=int(number(row, "batch")))
    return Question(**base, replica=replica, replicas=1, protocol=protocol, measured={"throughput": whole})


def _other(row: Mapping[str, str], base: dict[str, Any]) -> Question:
    """Large clusters that published throughput per node: reading prompts, or writing at a stated time per token."""
    ranks = max(1, int(number(row, "ep", number(row, "n_chips"))))
    node = 8.0
    base = {**base, "chips": ranks, "units": ranks / node}
    replica = Replica(tp=1, dp=ranks, ep=ranks)
    if cell(row, "output_tok_s") and cell(row, "tpot_ms_mean"):
        protocol = Protocol("paced", number(row, "isl"), 1000.0, limits=(0.0, number(row, "tpot_ms_mean") * 1e-3))
        measured = {"throughput": number(row, "output_tok_s")}
    else:
        protocol = Protocol("reading", number(row, "isl", 4096.0), 1.0)
        measured = {"prefill": number(row, "prefill_tok_s")}
    return Question(**base, replica=replica, replicas=1, protocol=protocol, measured=measured)


MAKERS: Mapping[str, Callable[[Mapping[str, str], dict[str, Any]], Question]] = {
    "tables": _tables,
    "chat": _chat,
    "llama.cpp": _bench,
    "loop": _loop,
    "triton": _triton,
    "static": _static,
    "other": _other,
}
