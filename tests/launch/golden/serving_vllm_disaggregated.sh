#!/usr/bin/env bash
# exaplan: small served by vLLM 0.11 on 2 hosts x 8 h100-sxm
# deployment: prefill 3 x tp 2, decode 1 x tp 8; fp8, KV fp8
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# copies come and go: 1 to 2, one more beyond 50 requests a copy, which the engine does not do itself: start and
# stop these lines from an orchestrator
# use: MODEL=... bash this-file on every host, with HOST=0, 1, ... in the environment

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small}"
PREFILL_ARGS=(
  --tensor-parallel-size 2
  --quantization fp8
  --kv-cache-dtype fp8
  --max-model-len 1536
  --max-num-seqs 256
  --max-num-batched-tokens 8192
  --gpu-memory-utilization 0.9
  --enable-chunked-prefill
  --enable-prefix-caching
  --kv-transfer-config '{"kv_connector": "NixlConnector", "kv_role": "kv_both"}'
)
DECODE_ARGS=(
  --tensor-parallel-size 8
  --quantization fp8
  --kv-cache-dtype fp8
  --max-model-len 1536
  --max-num-seqs 256
  --max-num-batched-tokens 8192
  --gpu-memory-utilization 0.9
  --enable-chunked-prefill
  --enable-prefix-caching
  --kv-transfer-config '{"kv_connector": "NixlConnector", "kv_role": "kv_both"}'
)

case "${HOST:?set HOST: which host this is, 0 to 1}" in
0)
  CUDA_VISIBLE_DEVICES=0,1 VLLM_NIXL_SIDE_CHANNEL_PORT=5600 vllm serve "$MODEL" --port 8000 "${PREFILL_ARGS[@]}" &
  CUDA_VISIBLE_DEVICES=2,3 VLLM_NIXL_SIDE_CHANNEL_PORT=5601 vllm serve "$MODEL" --port 8001 "${PREFILL_ARGS[@]}" &
  CUDA_VISIBLE_DEVICES=4,5 VLLM_NIXL_SIDE_CHANNEL_PORT=5602 vllm serve "$MODEL" --port 8002 "${PREFILL_ARGS[@]}" &
  ;;
1)
  VLLM_NIXL_SIDE_CHANNEL_PORT=5600 vllm serve "$MODEL" --port 8000 "${DECODE_ARGS[@]}" &
  ;;
*) echo "HOST has to be 0 to 1" >&2; exit 2 ;;
esac
wait
# router, pip install vllm-router: vllm-router --policy power_of_two --vllm-pd-disaggregation
# --prefill http://HOST0:8000
# --prefill http://HOST0:8001
# --prefill http://HOST0:8002
# --decode http://HOST1:8000
# see https://blog.vllm.ai/2025/12/13/vllm-router-release.html
