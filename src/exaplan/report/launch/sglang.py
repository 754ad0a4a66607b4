"""SGLang: ``python -m sglang.launch_server`` for every copy."""

from __future__ import annotations

from collections.abc import Iterator

from exaplan.report.launch.script import READY, argument, array, checkpoint, listening, on, policy, quoted, script, urls
from exaplan.report.launch.service import FIRST_PORT, Copy, Pool, Service, placed
from exaplan.report.launch.tables import table
from exaplan.units import parse

KV = {"bf16": "auto", "fp16": "auto", "fp8": "fp8_e4m3"}
DTYPES = {"bf16": "bfloat16", "fp16": "float16"}
INIT = 20000  # port on the first host of a copy
BOOTSTRAP = 8998  # first port of copies that read prompts
GB = parse("1 GB", "bytes")


def sglang_text(service: Service) -> str:
    """The script to start on every host."""
    check(service)
    before = [checkpoint(service)]
    for pool in service.pools:
        before += array(_args(pool), arguments(service, pool))
    return script(service, before, lambda copy, step: _line(service, copy, step), _notes(service))


def _args(pool: Pool) -> str:
    return f"{pool.role.upper()}_ARGS".lstrip("_")


def check(service: Service) -> None:
    """Refuse what SGLang has no word for."""
    formats = service.settings.formats
    if formats.weights not in (*DTYPES, "fp8", *READY):
        raise service.stop(f"work.precision = {formats.weights}", "use --launch llama.cpp")
    if formats.kv not in KV:
        raise service.stop(f"work.kv = {formats.kv}", "add --kv fp8 or --kv bf16")
    for pool in service.pools:
        if pool.replica.cp > 1:
            raise service.stop(f"layout.cp = {pool.replica.cp}", "add --cp 1")


def arguments(service: Service, pool: Pool) -> Iterator[str]:
    """What every copy of a pool is started with; its caps are those of all attention ranks together."""
    cut = pool.replica
    yield argument("--tp-size", cut.tp * cut.dp)
    if cut.pp > 1:
        yield argument("--pp-size", cut.pp)
    if cut.dp > 1:
        yield argument("--dp-size", cut.dp)
        yield "--enable-dp-attention"
    if cut.ep > 1:
        yield argument("--ep-size", cut.ep)
        if cut.ep == cut.tp * cut.dp and service.chip.vendor == "NVIDIA":
            yield argument("--moe-a2a-backend", "deepep")
    yield from _formats(service)
    if service.longest:
        yield argument("--context-length", service.longest)
    yield from _caps(service, cut.dp)
    yield from _extras(service, cut.chips)
    if service.split:
        yield argument("--disaggregation-mode", pool.role)
        yield argument("--disaggregation-transfer-backend", "nixl")


def _formats(service: Service) -> Iterator[str]:
    formats = service.settings.formats
    if formats.weights in DTYPES:
        yield argument("--dtype", DTYPES[formats.weights])
    elif formats.weights == "fp8":
        yield argument("--quantization", "fp8")
    yield argument("--kv-cache-dtype", KV[formats.kv])


def _caps(service: Service, ranks: int) -> Iterator[str]:
    values = service.values
    if values["max_seqs"] is not None:
        yield argument("--max-running-requests", values["max_seqs"] * ranks)
    if values["chunked"] is False:
        yield argument("--chunked-prefill-size", -1)
    if values["max_tokens"] is not None:
        flag = "--max-prefill-tokens" if values["chunked"] is False else "--chunked-prefill-size"
        yield argument(flag, values["max_tokens"] * ranks)
    if values["memory_share"] is not None:
        yield argument("--mem-fraction-static", f"{values['memory_share']:g}")
    if values["prefix_cache"] is False:
        yield "--disable-radix-cache"


def _extras(service: Service, ranks: int) -> Iterator[str]:
    settings = service.settings
    if settings.offload:
        if service.values["prefix_cache"] is False:
            remedy = "add --set engine.prefix_cache=true: what is kept in host memory is its prefix cache"
            raise service.stop("engine.offload without a prefix cache", remedy)
        yield "--enable-hierarchical-cache"
        yield argument("--hicache-size", max(1, round(settings.offload / ranks / GB)))
    if settings.lora is not None:
        yield "--enable-lora"
        yield argument("--max-loras-per-batch", settings.lora[0])
        yield argument("--max-lora-rank", settings.lora[1])
        yield argument("--lora-target-modules", "all")
    yield from _drafting(service)


def _drafting(service: Service) -> Iterator[str]:
    drafts = service.settings.speculative
    if drafts is None:
        return
    if drafts.draft == "ngram":
        yield argument("--speculative-algorithm", "NGRAM")
    else:
        yield argument("--speculative-algorithm", "EAGLE" if drafts.draft == "mtp" else "STANDALONE")
        if drafts.draft != "mtp":
            yield argument("--speculative-draft-model-path", drafts.draft)
        yield argument("--speculative-num-steps", drafts.length)
        yield argument("--speculative-eagle-topk", 1)
    yield argument("--speculative-num-draft-tokens", drafts.length + 1)


def _line(service: Service, copy: Copy, step: int) -> str:
    """The command of a copy on its host number ``step``."""
    more = [*listening(service), argument("--port", copy.port)]
    if copy.pool.role == "prefill":
        more.append(argument("--disaggregation-bootstrap-port", _bootstrap(copy)))
    if copy.hosts > 1:
        more += [argument("--nnodes", copy.hosts), argument("--node-rank", step)]
        more.append(f'--dist-init-addr "${{FIRST:?set FIRST: address of the first host of this copy}}:{INIT}"')
    command = 'python -m sglang.launch_server --model-path "$MODEL"'
    return f'{on(service, copy)}{command} {" ".join(more)} "${{{_args(copy.pool)}[@]}}"'


def _bootstrap(copy: Copy) -> int:
    return BOOTSTRAP + copy.port - FIRST_PORT


def _notes(service: Service) -> list[str]:
    copies = placed(service)
    if len(copies) == 1:
        return []
    start = f"router, pip install sglang-router: python -m sglang_router.launch_router --policy {policy(service)}"
    if service.split:
        prompts, decoding = ([copy for copy in copies if copy.pool is pool] for pool in service.pools)
        told = [f"{start} --pd-disaggregation"]
        told += [f"--prefill {quoted(urls([copy]))} {_bootstrap(copy)}" for copy in prompts]
        told += [f"--decode {quoted(urls([copy]))}" for copy in decoding]
    else:
        told = [f"{start} --worker-urls {urls(copies)}"]
    return [*told, f"see {table('sglang')['router']['address']}"]
