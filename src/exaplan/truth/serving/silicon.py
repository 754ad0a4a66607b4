"""Rows of measured TTFT and TPOT against concurrency (serving_silicon.csv.gz) as questions.

The protocol is that of vLLM's and InferenceX's benchmark client: a closed loop of ``concurrency`` users, twice as many
requests to warm up, then 10 x concurrency measured ones that start together; lengths uniform in 0.8-1.0 of nominal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from exaplan.catalog import serving_names
from exaplan.nouns.serving import Replica, Settings
from exaplan.truth.reading import Skip, cell, number
from exaplan.truth.serving.names import chip_name, formats_of, launch, model_name, tokens_of
from exaplan.truth.serving.questions import Protocol, Question

COLUMNS = ("model", "system", "backend", "precision", "mode", "tp", "moe_tp", "moe_ep", "isl", "osl", "concurrency")
LOW, REQUESTS = 0.8, 10  # the client's --random-range-ratio and --num-prompts over --max-concurrency


def reason(row: Mapping[str, str]) -> str:
    """Why a row is not scored, or ""."""
    qa = cell(row, "qa")
    if qa and not qa.startswith(("fixed", "note")):
        return "qa: " + qa
    if cell(row, "mode") not in ("agg", "disagg"):
        return "mode: " + (cell(row, "mode") or "not given")
    return "" if cell(row, "ttft_mean_ms") and cell(row, "tpot_mean_ms") else "no TTFT and TPOT"


def software_of(row: Mapping[str, str]) -> str:
    """Backend and release in one text."""
    return f"{cell(row, 'backend')} {cell(row, 'backend_version')}".strip()


def label_of(row: Mapping[str, str], model: str, chip: str) -> str:
    """What patterns of launch settings are matched with."""
    lengths = f"{number(row, 'isl'):.0f}x{number(row, 'osl'):.0f} c{number(row, 'concurrency', 0.0):.0f}"
    software = f"{cell(row, 'backend')} {cell(row, 'backend_version') or '-'}"
    return (
        f"silicon {software} {model} {chip} {lengths} {cell(row, 'precision')} tp{number(row, 'tp', 1.0):.0f}".lower()
    )


def settings_of(row: Mapping[str, str], engine: str, chip: str, known: Mapping[str, Any]) -> Settings:
    """Engine settings: what launch scripts tell, the engine's defaults otherwise."""
    users = int(number(row, "concurrency", 0.0)) or None
    seqs = users if known.get("max_seqs") == "concurrency" else known.get("max_seqs")
    return Settings(
        engine=engine,
        formats=formats_of(cell(row, "precision"), software_of(row), cell(row, "model"), chip, known.get("kv")),
        max_seqs=seqs,
        max_tokens=tokens_of(known.get("max_tokens"), number(row, "isl"), number(row, "osl")),
        prefix_cache=False,
    )


def replica_of(row: Mapping[str, str]) -> Replica:
    """The layout; ranks of data-parallel attention are those that the experts' layout has and tp does not."""
    tp = max(1, int(number(row, "tp", 1.0)))
    moe_tp, moe_ep = int(number(row, "moe_tp", 1.0)), int(number(row, "moe_ep", 1.0))
    dp = max(1, int(number(row, "dp", 0.0)), moe_tp * moe_ep // tp)
    return Replica(tp=tp, dp=dp, ep=max(1, moe_ep))


def question(row: Mapping[str, str], row_id: str) -> Question:
    """A row as a Question; raises Skip with the reason."""
    model, chip = model_name(cell(row, "model")), chip_name(cell(row, "system"))
    engine, release = serving_names.engine(software_of(row), cell(row, "model"))
    label = label_of(row, model, chip)
    known = launch(label)
    measured = {name: number(row, f"{name}_mean_ms") * 1e-3 for name in ("ttft", "tpot")}
    if min(measured.values()) <= 0.0:
        raise Skip("TTFT and TPOT must be above 0")
    base: dict[str, Any] = {
        "row_id": row_id,
        "family": "silicon",
        "model": model,
        "chip": chip,
        "engine": engine,
        "release": release,
        "settings": settings_of(row, engine, chip, known),
        "source": cell(row, "source"),
        "label": label,
        "graphs": known.get("graphs"),
    }
    shape: dict[str, Any] = {"prompt": number(row, "isl"), "output": number(row, "osl"), "low": LOW}
    if cell(row, "mode") == "disagg":
        return _disaggregated(row, base, shape, measured)
    replica, users = replica_of(row), int(number(row, "concurrency"))
    if users < 1:
        raise Skip("concurrency must be at least 1")
    protocol = Protocol(
        "closed", **shape, concurrency=users, requests=REQUESTS * users, poll=known.get("poll", 0.0),
        wait=known.get("wait", 0.0),
    )  # fmt: skip
    return Question(**base, chips=replica.chips, replica=replica, replicas=1, protocol=protocol, measured=measured)


def _disaggregated(
    row: Mapping[str, str], base: dict[str, Any], shape: dict[str, Any], measured: dict[str, float]
) -> Question:
    """A row whose prompts are read by workers of their own; their layouts stand in ``extra`` as JSON."""
    try:
        extra: dict[str, int] = json.loads(cell(row, "extra"))
        read, decode = _worker(extra, "prefill"), _worker(extra, "decode")
        copies, readers = extra["decode_num_workers"], extra["prefill_num_workers"]
    except (ValueError, KeyError) as error:
        raise Skip(f"disaggregated without the layout of its workers: {error}") from error
    chosen: tuple[str, ...] = ()
    users = int(number(row, "concurrency", 0.0))
    if not users:
        users, chosen = extra["decode_batch_size"] * copies * decode.dp, ("concurrency = decode batch x copies",)
    return Question(
        **base,
        chips=read.chips * readers + decode.chips * copies,
        replica=decode,
        replicas=copies,
        prefill=read,
        prefill_replicas=readers,
        protocol=Protocol("disagg", **shape, concurrency=users, requests=REQUESTS * users),
        measured={f"{name}_disagg": value for name, value in measured.items()},
        chosen=chosen,
    )


def _worker(extra: Mapping[str, int], kind: str) -> Replica:
    """Layout of a worker; its experts are spread over all of its ranks where ``moe_ep_size`` says so."""
    tp, pp = max(1, extra[f"{kind}_tp_size"]), max(1, extra[f"{kind}_pp_size"])
    dp = max(1, extra[f"{kind}_attention_dp_size"])
    return Replica(tp=tp, pp=pp, dp=dp, ep=max(1, min(extra[f"{kind}_moe_ep_size"], tp * dp)))
