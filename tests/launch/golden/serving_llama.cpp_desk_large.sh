#!/usr/bin/env bash
# exaplan: small served by llama.cpp 2026 (commit 00dc805) on 1 host x 2 rtx-4090
# deployment: 1 x tp 2; q8_0, KV fp16
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 24.0 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file

set -euo pipefail

MODEL="${MODEL:?set MODEL: GGUF file in Q8_0 of small}"
ARGS=(
  --n-gpu-layers all
  --split-mode row
  --parallel 1
  --ctx-size 1536
  --cont-batching
  --batch-size 8192
  --ubatch-size 8192
  --cache-type-k f16
  --cache-type-v f16
  --flash-attn on
  --no-cache-prompt
  --cache-ram 7629
  --lora "${LORA:?set LORA: the files of the adapters, with commas between them}"
  --lora-init-without-apply
  --spec-type draft-simple
  --model-draft "${DRAFT:?set DRAFT: GGUF file of the draft model}"
  --spec-draft-n-max 4
)

CUDA_VISIBLE_DEVICES=0,1 llama-server --model "$MODEL" --port 8000 "${ARGS[@]}" &
wait
