#!/usr/bin/env bash
# exaplan: small served by TensorRT-LLM 1.2 on 2 hosts x 8 h100-sxm
# deployment: prefill 3 x tp 2, decode 1 x tp 8; fp8, KV fp8
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# copies come and go: 1 to 2, one more beyond 50 requests a copy, which the engine does not do itself: start and
# stop these lines from an orchestrator
# use: MODEL=... bash this-file on every host, with HOST=0, 1, ... in the environment

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small, quantised to fp8}"
cat > prefill-trtllm.yaml <<'TRTLLM_CONFIG'
enable_chunked_prefill: true
kv_cache_config:
  dtype: fp8
  enable_block_reuse: true
disable_overlap_scheduler: true
cache_transceiver_config:
  backend: UCX
  max_tokens_in_buffer: 2048
TRTLLM_CONFIG
PREFILL_ARGS=(
  --backend pytorch
  --tp_size 2
  --max_batch_size 256
  --max_num_tokens 8192
  --kv_cache_free_gpu_memory_fraction 0.9
  --max_seq_len 1536
  --config prefill-trtllm.yaml
)
cat > decode-trtllm.yaml <<'TRTLLM_CONFIG'
enable_chunked_prefill: true
kv_cache_config:
  dtype: fp8
  enable_block_reuse: true
cache_transceiver_config:
  backend: UCX
  max_tokens_in_buffer: 2048
TRTLLM_CONFIG
DECODE_ARGS=(
  --backend pytorch
  --tp_size 8
  --max_batch_size 256
  --max_num_tokens 8192
  --kv_cache_free_gpu_memory_fraction 0.9
  --max_seq_len 1536
  --config decode-trtllm.yaml
)
cat > disaggregated.yaml <<'TRTLLM_CONFIG'
hostname: localhost
port: 9000
backend: pytorch
context_servers:
  num_instances: 3
  urls:
  - HOST0:8000
  - HOST0:8001
  - HOST0:8002
generation_servers:
  num_instances: 1
  urls:
  - HOST1:8000
TRTLLM_CONFIG

case "${HOST:?set HOST: which host this is, 0 to 1}" in
0)
  CUDA_VISIBLE_DEVICES=0,1 trtllm-serve "$MODEL" --host 0.0.0.0 --port 8000 "${PREFILL_ARGS[@]}" &
  CUDA_VISIBLE_DEVICES=2,3 trtllm-serve "$MODEL" --host 0.0.0.0 --port 8001 "${PREFILL_ARGS[@]}" &
  CUDA_VISIBLE_DEVICES=4,5 trtllm-serve "$MODEL" --host 0.0.0.0 --port 8002 "${PREFILL_ARGS[@]}" &
  ;;
1)
  trtllm-serve "$MODEL" --host 0.0.0.0 --port 8000 "${DECODE_ARGS[@]}" &
  ;;
*) echo "HOST has to be 0 to 1" >&2; exit 2 ;;
esac
wait
# requests go to the orchestrator: trtllm-serve disaggregated -c disaggregated.yaml, with HOST0, HOST1, ... in
# that file replaced by the addresses of the hosts
