#!/usr/bin/env bash
# exaplan: small served by SGLang 0.5 on 1 host x 8 h100-sxm
# deployment: 2 x tp 4; fp8, KV fp8
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small}"
ARGS=(
  --tp-size 4
  --quantization fp8
  --kv-cache-dtype fp8_e4m3
  --context-length 1536
  --max-running-requests 256
  --chunked-prefill-size 8192
  --mem-fraction-static 0.9
)

CUDA_VISIBLE_DEVICES=0,1,2,3 python -m sglang.launch_server --model-path "$MODEL" --port 8000 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=4,5,6,7 python -m sglang.launch_server --model-path "$MODEL" --port 8001 "${ARGS[@]}" &
wait
# router, pip install sglang-router: python -m sglang_router.launch_router --policy power_of_two --worker-urls
# http://HOST0:8000 http://HOST0:8001
# see https://docs.sglang.io/docs/advanced_features/sgl_model_gateway
