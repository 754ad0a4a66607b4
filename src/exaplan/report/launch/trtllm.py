"""TensorRT-LLM, PyTorch flow: ``trtllm-serve`` for every copy, with the YAML file of what its flags do not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from exaplan.report.launch.script import READY, address, argument, array, checkpoint, listening, on, script, urls
from exaplan.report.launch.service import Copy, Pool, Service, placed

KV = {"bf16": "auto", "fp16": "auto", "fp8": "fp8", "nvfp4": "nvfp4"}
QUANTISED = {"fp8": "quantised to fp8"}  # of every format but 16 bit, the checkpoint has to be so
PLAIN = ("bf16", "fp16")
END = "TRTLLM_CONFIG"
LEAST_BUFFER = 2048  # tokens, as in the documentation of its exchange of KV
ORCHESTRATOR = 9000  # its port


def trtllm_text(service: Service) -> str:
    """The script to start on every host."""
    check(service)
    before = [checkpoint(service, more=QUANTISED)]
    for pool in service.pools:
        before += _file(_config(pool), options(service, pool))
        before += array(_args(pool), arguments(service, pool))
    if service.split:
        before += _file("disaggregated.yaml", _orchestra(service))
    return script(service, before, lambda copy, step: _line(service, copy, step), _notes(service))


def _args(pool: Pool) -> str:
    return f"{pool.role.upper()}_ARGS".lstrip("_")


def _config(pool: Pool) -> str:
    return f"{pool.role}-trtllm.yaml".lstrip("-")


def _file(name: str, content: Mapping[str, Any]) -> list[str]:
    """The lines that write a YAML file."""
    text = yaml.safe_dump(dict(content), sort_keys=False).rstrip("\n")
    return [f"cat > {name} <<'{END}'", text, END]


def check(service: Service) -> None:
    """Refuse what TensorRT-LLM has no word for."""
    settings = service.settings
    if settings.formats.weights not in (*PLAIN, *QUANTISED, *READY):
        raise service.stop(f"work.precision = {settings.formats.weights}", "use --launch llama.cpp")
    if settings.formats.kv not in KV:
        raise service.stop(f"work.kv = {settings.formats.kv}", "add --kv fp8 or --kv bf16")
    for pool in service.pools:
        cut = pool.replica
        if cut.cp > 1:
            raise service.stop(f"layout.cp = {cut.cp}", "add --cp 1")
        if cut.dp > 1 and cut.tp > 1:
            remedy = f"add --tp 1 --dp {cut.tp * cut.dp}: each rank then holds whole attention"
            raise service.stop(f"layout.tp = {cut.tp} with dp = {cut.dp}", remedy)


def arguments(service: Service, pool: Pool) -> Iterator[str]:
    """What every copy of a pool is started with."""
    cut, values = pool.replica, service.values
    yield argument("--backend", "pytorch")
    yield argument("--tp_size", cut.tp * cut.dp)
    if cut.pp > 1:
        yield argument("--pp_size", cut.pp)
    if cut.ep > 1:
        yield argument("--ep_size", cut.ep)
    named = {"max_seqs": "--max_batch_size", "max_tokens": "--max_num_tokens"}
    named |= {"memory_share": "--kv_cache_free_gpu_memory_fraction"}
    yield from (argument(flag, f"{values[name]:g}") for name, flag in named.items() if values[name] is not None)
    if service.longest:
        yield argument("--max_seq_len", service.longest)
    yield argument("--config", _config(pool))


def options(service: Service, pool: Pool) -> dict[str, Any]:
    """The YAML file of a pool."""
    values, settings = service.values, service.settings
    found: dict[str, Any] = {}
    if values["chunked"] is not None:
        found["enable_chunked_prefill"] = bool(values["chunked"])
    if pool.replica.dp > 1:
        found["enable_attention_dp"] = True
    found["kv_cache_config"] = {"dtype": KV[settings.formats.kv], **_cache(service, pool)}
    if settings.lora is not None:
        adapters, rank = settings.lora
        found["lora_config"] = {"max_lora_rank": rank, "max_loras": adapters, "max_cpu_loras": adapters}
    if settings.speculative is not None:
        found["speculative_config"] = _drafting(service)
        if settings.speculative.draft != "mtp":
            found["disable_overlap_scheduler"] = True
    if service.split:
        found |= {"disable_overlap_scheduler": True} if pool.role == "prefill" else {}
        buffer = max(LEAST_BUFFER, service.longest or LEAST_BUFFER)
        found["cache_transceiver_config"] = {"backend": "UCX", "max_tokens_in_buffer": buffer}
    return found


def _cache(service: Service, pool: Pool) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if service.values["prefix_cache"] is not None:
        out["enable_block_reuse"] = bool(service.values["prefix_cache"])
    if service.settings.offload:
        out["host_cache_size"] = int(service.settings.offload / pool.replica.chips)
    return out


def _drafting(service: Service) -> dict[str, Any]:
    drafts = service.settings.speculative
    if drafts is None:
        return {}
    kinds = {"mtp": "MTP", "ngram": "NGram"}
    found = {"decoding_type": kinds.get(drafts.draft, "DraftTarget"), "max_draft_len": drafts.length}
    return found if drafts.draft in kinds else {**found, "speculative_model": drafts.draft}


def _orchestra(service: Service) -> dict[str, Any]:
    """The file that names the copies to the one that sends requests on."""
    copies = placed(service)
    out: dict[str, Any] = {"hostname": "localhost", "port": ORCHESTRATOR, "backend": "pytorch"}
    for pool, name in zip(service.pools, ("context_servers", "generation_servers"), strict=True):
        found = [address(copy) for copy in copies if copy.pool is pool]
        out[name] = {"num_instances": len(found), "urls": found}
    return out


def _line(service: Service, copy: Copy, step: int) -> str:
    """The command of a copy; of one on several hosts Slurm starts the ranks from the first."""
    cut, per = copy.pool.replica, len(copy.devices)
    more = " ".join(['"$MODEL"', *listening(service), argument("--port", copy.port)])
    if copy.hosts == 1:
        return f'{on(service, copy)}trtllm-serve {more} "${{{_args(copy.pool)}[@]}}"'
    if step:
        return "true"
    ranks = " ".join(
        [argument("--nodes", copy.hosts), argument("--ntasks", cut.chips), argument("--ntasks-per-node", per)]
    )
    inner = f"trtllm-llmapi-launch trtllm-serve {more} {argument('--gpus_per_node', per)}"
    return f'srun {ranks} --mpi=pmix {inner} "${{{_args(copy.pool)}[@]}}"'


def _notes(service: Service) -> list[str]:
    copies = placed(service)
    if service.split:
        return [
            "requests go to the orchestrator: trtllm-serve disaggregated -c disaggregated.yaml, with HOST0, HOST1, ... "
            "in that file replaced by the addresses of the hosts"
        ]
    if len(copies) == 1:
        return []
    ways = {"round-robin": "in turn", "least-loaded": "to the copy with the fewest requests (nginx: least_conn)"}
    how = ways.get(service.settings.router, "with equal beginnings to the same copy")
    return [f"TensorRT-LLM brings no router for equal copies: send requests {how}, to {urls(copies)}"]
