"""llama.cpp: ``llama-server`` for every copy."""

from __future__ import annotations

from collections.abc import Iterator

from exaplan.report.launch.script import argument, array, checkpoint, listening, on, script, urls
from exaplan.report.launch.service import Copy, Service, placed
from exaplan.units import parse

KV = {"bf16": "bf16", "fp16": "f16", "q8_0": "q8_0"}
GGUF = {"bf16": "BF16", "fp16": "F16", "q4_0": "Q4_0", "q4_k_m": "Q4_K_M", "q8_0": "Q8_0"}
CONTEXT = 4096  # tokens of a slot where nothing bounds the requests: the smallest that its --fit goes down to
MIB = parse("1 MiB", "bytes")


def llamacpp_text(service: Service) -> str:
    """The script to start on every host."""
    check(service)
    kind = GGUF[service.settings.formats.weights]
    before = [checkpoint(service, f"GGUF file in {kind}"), *array("ARGS", arguments(service))]
    return script(service, before, lambda copy, step: _line(service, copy), _notes(service))


def check(service: Service) -> None:
    """Refuse what llama.cpp has no word for."""
    settings, cut = service.settings, service.pools[-1].replica
    if settings.formats.weights not in GGUF:
        raise service.stop(f"work.precision = {settings.formats.weights}", f"add --precision {' or '.join(GGUF)}")
    if settings.formats.kv not in KV:
        raise service.stop(f"work.kv = {settings.formats.kv}", f"add --kv {' or '.join(KV)}")
    if service.split:
        raise service.stop("prompts read by other copies", "drop work.disaggregated, or use --launch vllm")
    for name in ("cp", "dp", "ep"):
        if getattr(cut, name) > 1:
            raise service.stop(f"layout.{name} = {getattr(cut, name)}", f"add --{name} 1")
    if cut.tp > 1 and cut.pp > 1:
        raise service.stop(f"layout.tp = {cut.tp} together with pp = {cut.pp}", "add --tp 1 or --pp 1")
    if cut.chips > service.per_host:
        raise service.stop(f"a copy of {cut.chips} chips on hosts of {service.per_host}", "use --launch vllm")
    if service.values["chunked"] is False:
        raise service.stop("engine.chunked = false", "drop engine.chunked: its prompts are cut to --batch-size")


def arguments(service: Service) -> Iterator[str]:
    """What every copy is started with."""
    cut, values, settings = service.pools[-1].replica, service.values, service.settings
    yield argument("--n-gpu-layers", "all")
    if cut.chips > 1:
        yield argument("--split-mode", "row" if cut.tp > 1 else "layer")
    slots = values["max_seqs"] or 1
    yield argument("--parallel", slots)
    yield argument("--ctx-size", slots * (service.longest or CONTEXT))
    yield "--cont-batching"
    if values["max_tokens"] is not None:
        yield from (argument(flag, values["max_tokens"]) for flag in ("--batch-size", "--ubatch-size"))
    yield from (argument(flag, KV[settings.formats.kv]) for flag in ("--cache-type-k", "--cache-type-v"))
    yield argument("--flash-attn", "on")
    if values["prefix_cache"] is not None:
        yield "--cache-prompt" if values["prefix_cache"] else "--no-cache-prompt"
    yield argument("--cache-ram", int(settings.offload / MIB))
    if settings.lora is not None:
        yield '--lora "${LORA:?set LORA: the files of the adapters, with commas between them}"'
        yield "--lora-init-without-apply"
    yield from _drafting(service)


def _drafting(service: Service) -> Iterator[str]:
    drafts = service.settings.speculative
    if drafts is None:
        return
    if drafts.draft == "ngram":
        yield argument("--spec-type", "ngram-simple")
        yield argument("--spec-ngram-simple-size-m", drafts.length)
        return
    yield argument("--spec-type", "draft-mtp" if drafts.draft == "mtp" else "draft-simple")
    if drafts.draft != "mtp":
        yield '--model-draft "${DRAFT:?set DRAFT: GGUF file of the draft model}"'
    yield argument("--spec-draft-n-max", drafts.length)


def _line(service: Service, copy: Copy) -> str:
    more = " ".join([*listening(service), argument("--port", copy.port)])
    return f'{on(service, copy)}llama-server --model "$MODEL" {more} "${{ARGS[@]}}"'


def _notes(service: Service) -> list[str]:
    copies = placed(service)
    told = []
    if service.longest is None:
        told.append(f"nothing bounds the requests: a slot holds {CONTEXT} tokens; raise --ctx-size for longer ones")
    if len(copies) > 1:
        told.append(f"llama.cpp brings no router for equal copies: put one (nginx: least_conn) before {urls(copies)}")
    return told
