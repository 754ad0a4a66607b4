#!/usr/bin/env bash
# exaplan: small served by TensorRT-LLM 1.2 on 1 host x 8 h100-sxm
# deployment: 2 x tp 4; fp8, KV fp8
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small, quantised to fp8}"
cat > trtllm.yaml <<'TRTLLM_CONFIG'
enable_chunked_prefill: true
kv_cache_config:
  dtype: fp8
  enable_block_reuse: true
TRTLLM_CONFIG
ARGS=(
  --backend pytorch
  --tp_size 4
  --max_batch_size 256
  --max_num_tokens 8192
  --kv_cache_free_gpu_memory_fraction 0.9
  --max_seq_len 1536
  --config trtllm.yaml
)

CUDA_VISIBLE_DEVICES=0,1,2,3 trtllm-serve "$MODEL" --port 8000 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=4,5,6,7 trtllm-serve "$MODEL" --port 8001 "${ARGS[@]}" &
wait
# TensorRT-LLM brings no router for equal copies: send requests to the copy with the fewest requests (nginx:
# least_conn), to http://HOST0:8000 http://HOST0:8001
