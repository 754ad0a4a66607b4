#!/usr/bin/env bash
# exaplan: small served by llama.cpp 2026 (commit 00dc805) on 1 host x 2 rtx-4090
# deployment: 2 x tp 1; q4_k_m, KV q8_0
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 24.0 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file

set -euo pipefail

MODEL="${MODEL:?set MODEL: GGUF file in Q4_K_M of small}"
ARGS=(
  --n-gpu-layers all
  --parallel 4
  --ctx-size 6144
  --cont-batching
  --batch-size 512
  --ubatch-size 512
  --cache-type-k q8_0
  --cache-type-v q8_0
  --flash-attn on
  --cache-prompt
  --cache-ram 0
)

CUDA_VISIBLE_DEVICES=0 llama-server --model "$MODEL" --port 8000 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=1 llama-server --model "$MODEL" --port 8001 "${ARGS[@]}" &
wait
# llama.cpp brings no router for equal copies: put one (nginx: least_conn) before http://HOST0:8000
# http://HOST0:8001
