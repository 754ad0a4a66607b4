#!/usr/bin/env bash
# exaplan: small served by SGLang 0.5 on 1 host x 3 h100-sxm
# deployment: 3 x tp 1; bf16, KV bf16
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small}"
ARGS=(
  --tp-size 1
  --dtype bfloat16
  --kv-cache-dtype auto
  --context-length 1536
  --max-running-requests 256
  --chunked-prefill-size -1
  --max-prefill-tokens 8192
  --mem-fraction-static 0.9
  --enable-hierarchical-cache
  --hicache-size 64
  --enable-lora
  --max-loras-per-batch 8
  --max-lora-rank 20
  --lora-target-modules all
  --speculative-algorithm NGRAM
  --speculative-num-draft-tokens 4
)

CUDA_VISIBLE_DEVICES=0 python -m sglang.launch_server --model-path "$MODEL" --port 8000 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=1 python -m sglang.launch_server --model-path "$MODEL" --port 8001 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=2 python -m sglang.launch_server --model-path "$MODEL" --port 8002 "${ARGS[@]}" &
wait
# router, pip install sglang-router: python -m sglang_router.launch_router --policy cache_aware --worker-urls
# http://HOST0:8000 http://HOST0:8001 http://HOST0:8002
# see https://docs.sglang.io/docs/advanced_features/sgl_model_gateway
