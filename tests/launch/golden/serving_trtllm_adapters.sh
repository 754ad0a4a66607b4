#!/usr/bin/env bash
# exaplan: small served by TensorRT-LLM 1.2 on 1 host x 3 h100-sxm
# deployment: 3 x tp 1; bf16, KV bf16
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small}"
cat > trtllm.yaml <<'TRTLLM_CONFIG'
enable_chunked_prefill: false
kv_cache_config:
  dtype: auto
  enable_block_reuse: true
  host_cache_size: 64000000000
lora_config:
  max_lora_rank: 20
  max_loras: 8
  max_cpu_loras: 8
speculative_config:
  decoding_type: NGram
  max_draft_len: 3
disable_overlap_scheduler: true
TRTLLM_CONFIG
ARGS=(
  --backend pytorch
  --tp_size 1
  --max_batch_size 256
  --max_num_tokens 8192
  --kv_cache_free_gpu_memory_fraction 0.9
  --max_seq_len 1536
  --config trtllm.yaml
)

CUDA_VISIBLE_DEVICES=0 trtllm-serve "$MODEL" --port 8000 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=1 trtllm-serve "$MODEL" --port 8001 "${ARGS[@]}" &
CUDA_VISIBLE_DEVICES=2 trtllm-serve "$MODEL" --port 8002 "${ARGS[@]}" &
wait
# TensorRT-LLM brings no router for equal copies: send requests with equal beginnings to the same copy, to
# http://HOST0:8000 http://HOST0:8001 http://HOST0:8002
