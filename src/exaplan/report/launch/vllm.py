"""vLLM: ``vllm serve`` for every copy."""

from __future__ import annotations

import json
from collections.abc import Iterator

from exaplan.report.launch.script import READY, argument, array, checkpoint, on, policy, quoted, script, urls
from exaplan.report.launch.service import FIRST_PORT, Copy, Pool, Service, placed
from exaplan.report.launch.tables import table
from exaplan.units import parse

KV = {"bf16": "auto", "fp16": "auto", "fp8": "fp8"}
DTYPES = {"bf16": "bfloat16", "fp16": "float16"}
FIRST = "${FIRST:?set FIRST: address of the first host of this copy}"
RAY = 6379  # port of Ray on the first host of a copy
RPC = 13345  # port on the first host of a copy
SIDE = 5600  # first port for the exchange of KV
GIB = parse("1 GiB", "bytes")


def vllm_text(service: Service) -> str:
    """The script to start on every host."""
    check(service)
    before = [checkpoint(service)]
    for pool in service.pools:
        before += array(_args(pool), arguments(service, pool))
    return script(service, before, lambda copy, step: _line(service, copy, step), _notes(service))


def _args(pool: Pool) -> str:
    return f"{pool.role.upper()}_ARGS".lstrip("_")


def check(service: Service) -> None:
    """Refuse what vLLM has no word for."""
    settings = service.settings
    if settings.formats.weights not in (*DTYPES, "fp8", *READY):
        raise service.stop(f"work.precision = {settings.formats.weights}", "use --launch llama.cpp")
    if settings.formats.kv not in KV:
        raise service.stop(f"work.kv = {settings.formats.kv}", "add --kv fp8 or --kv bf16")
    for pool in service.pools:
        _check_cut(service, pool)
    if service.split and settings.offload:
        remedy = "drop engine.offload: a copy has one connector for its KV cache"
        raise service.stop("engine.offload where prompts are read by other copies", remedy)
    if settings.lora is not None and settings.lora[1] > max(table("vllm")["lora_ranks"]):
        raise service.stop(f"work.lora.rank = {settings.lora[1]}", f"take {max(table('vllm')['lora_ranks'])} or less")


def _check_cut(service: Service, pool: Pool) -> None:
    cut = pool.replica
    if cut.cp > 1:
        raise service.stop(f"layout.cp = {cut.cp}", "add --cp 1")
    if cut.ep not in (1, cut.tp * cut.dp):
        remedy = f"add --ep 1 or --ep {cut.tp * cut.dp}: with its experts spread, they are spread over all ranks"
        raise service.stop(f"layout.ep = {cut.ep} with tp x dp = {cut.tp * cut.dp}", remedy)
    if cut.dp > 1 and cut.tp * cut.pp > service.per_host:
        remedy = f"add --tp {service.per_host}, or --dp 1"
        raise service.stop(f"an attention rank of {cut.tp * cut.pp} chips on hosts of {service.per_host}", remedy)


def arguments(service: Service, pool: Pool) -> Iterator[str]:
    """What every copy of a pool is started with."""
    cut, values = pool.replica, service.values
    yield argument("--tensor-parallel-size", cut.tp)
    if cut.pp > 1:
        yield argument("--pipeline-parallel-size", cut.pp)
    if cut.dp > 1:
        yield argument("--data-parallel-size", cut.dp)
    if cut.ep > 1:
        yield "--enable-expert-parallel"
    yield from _formats(service)
    if service.longest:
        yield argument("--max-model-len", service.longest)
    named = {"max_seqs": "--max-num-seqs", "max_tokens": "--max-num-batched-tokens"}
    named |= {"memory_share": "--gpu-memory-utilization"}
    yield from (argument(flag, f"{values[name]:g}") for name, flag in named.items() if values[name] is not None)
    switches = {"chunked": "enable-chunked-prefill", "prefix_cache": "enable-prefix-caching"}
    for name, flag in switches.items():
        if values[name] is not None:
            yield f"--{flag}" if values[name] else f"--no-{flag}"
    yield from _extras(service)


def _formats(service: Service) -> Iterator[str]:
    formats = service.settings.formats
    if formats.weights in DTYPES:
        yield argument("--dtype", DTYPES[formats.weights])
    elif formats.weights == "fp8":
        yield argument("--quantization", "fp8")
    yield argument("--kv-cache-dtype", KV[formats.kv])


def _extras(service: Service) -> Iterator[str]:
    settings = service.settings
    if settings.offload:
        yield argument("--kv-offloading-size", f"{settings.offload / GIB:g}")
        yield argument("--kv-offloading-backend", "native")
    if settings.lora is not None:
        rank = next(rank for rank in table("vllm")["lora_ranks"] if rank >= settings.lora[1])
        yield "--enable-lora"
        yield argument("--max-loras", settings.lora[0])
        yield argument("--max-lora-rank", rank)
    if settings.speculative is not None:
        yield argument("--speculative-config", json.dumps(_drafting(service)))
    if service.split:
        transfer = {"kv_connector": "NixlConnector", "kv_role": "kv_both"}
        yield argument("--kv-transfer-config", json.dumps(transfer))


def _drafting(service: Service) -> dict[str, object]:
    drafts = service.settings.speculative
    if drafts is None:
        return {}
    length = {"num_speculative_tokens": drafts.length}
    if drafts.draft in ("mtp", "ngram"):
        return {"method": drafts.draft, **length}
    return {"method": "draft_model", "model": drafts.draft, **length}


def _line(service: Service, copy: Copy, step: int) -> str:
    """The command of a copy on its host number ``step``."""
    side = f"VLLM_NIXL_SIDE_CHANNEL_PORT={SIDE + copy.port - FIRST_PORT} " if service.split else ""
    if step and copy.pool.replica.dp == 1:
        return f'ray start --address "{FIRST}:{RAY}" --block'
    more = [argument("--port", copy.port), *_several(copy, step)]
    serve = f'{on(service, copy)}{side}vllm serve "$MODEL" {" ".join(more)} "${{{_args(copy.pool)}[@]}}"'
    joined = copy.hosts > 1 and copy.pool.replica.dp == 1
    return f"{{ ray start --head --port {RAY} && {serve}; }}" if joined else serve


def _several(copy: Copy, step: int) -> Iterator[str]:
    """What a copy on several hosts needs: Ray for one engine, an address for several attention ranks."""
    cut = copy.pool.replica
    if copy.hosts == 1:
        return
    if cut.dp == 1:
        yield argument("--distributed-executor-backend", "ray")
        return
    local = cut.dp // copy.hosts
    yield argument("--data-parallel-size-local", local)
    yield f'--data-parallel-address "{FIRST}"'
    yield argument("--data-parallel-rpc-port", RPC)
    if step:
        yield argument("--data-parallel-start-rank", local * step)
        yield "--headless"


def _notes(service: Service) -> list[str]:
    copies = placed(service)
    start = f"router, pip install vllm-router: vllm-router --policy {policy(service)}"
    told = []
    if service.split:
        prompts, decoding = ([copy for copy in copies if copy.pool is pool] for pool in service.pools)
        told.append(f"{start} --vllm-pd-disaggregation")
        told += [f"--prefill {quoted(url)}" for url in urls(prompts).split()]
        told += [f"--decode {quoted(url)}" for url in urls(decoding).split()]
    elif len(copies) > 1:
        told.append(
            f"router, pip install vllm-router: vllm-router --policy {policy(service)} --worker-urls {urls(copies)}"
        )
    return told + ([f"see {table('vllm')['router']['address']}"] if told and len(copies) > 1 else [])
