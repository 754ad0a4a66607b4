#!/usr/bin/env bash
# exaplan: small served by vLLM 0.11 on 1 host x 8 h100-sxm
# deployment: 2 x tp 4; fp8, KV fp8
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small}"
ARGS=(
  --tensor-parallel-size 4
  --quantization fp8
  --kv-cache-dtype fp8
  --max-model-len 1536
  --max-num-seqs 256
  --max-num-batched-tokens 8192
  --gpu-memory-utilization 0.9
  --enable-chunked-prefill
  --enable-prefix-caching
)

CUDA_VISIBLE_DEVICES=0,1,2,3 vllm serve "$MODEL" --port 8000 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=4,5,6,7 vllm serve "$MODEL" --port 8001 "${ARGS[@]}" &
wait
# router, pip install vllm-router: vllm-router --policy power_of_two --worker-urls http://HOST0:8000
# http://HOST0:8001
# see https://blog.vllm.ai/2025/12/13/vllm-router-release.html
