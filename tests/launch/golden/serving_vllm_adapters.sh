#!/usr/bin/env bash
# exaplan: small served by vLLM 0.11 on 1 host x 3 h100-sxm
# deployment: 3 x tp 1; bf16, KV bf16
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small}"
ARGS=(
  --tensor-parallel-size 1
  --dtype bfloat16
  --kv-cache-dtype auto
  --max-model-len 1536
  --max-num-seqs 256
  --max-num-batched-tokens 8192
  --gpu-memory-utilization 0.9
  --no-enable-chunked-prefill
  --enable-prefix-caching
  --kv-offloading-size 59.6046
  --kv-offloading-backend native
  --enable-lora
  --max-loras 8
  --max-lora-rank 32
  --speculative-config '{"method": "ngram", "num_speculative_tokens": 3}'
)

CUDA_VISIBLE_DEVICES=0 vllm serve "$MODEL" --port 8000 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=1 vllm serve "$MODEL" --port 8001 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=2 vllm serve "$MODEL" --port 8002 "${ARGS[@]}" &
wait
# router, pip install vllm-router: vllm-router --policy cache_aware --worker-urls http://HOST0:8000
# http://HOST0:8001 http://HOST0:8002
# see https://blog.vllm.ai/2025/12/13/vllm-router-release.html
