#!/usr/bin/env bash
# exaplan: small served by vLLM 0.11 on 2 hosts x 8 h100-sxm
# deployment: 1 x tp 8 pp 2; bf16, KV bf16
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file on every host, with HOST=0, 1, ... in the environment

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small}"
ARGS=(
  --tensor-parallel-size 8
  --pipeline-parallel-size 2
  --dtype bfloat16
  --kv-cache-dtype auto
  --max-model-len 1536
  --max-num-seqs 256
  --max-num-batched-tokens 8192
  --gpu-memory-utilization 0.9
  --enable-chunked-prefill
  --no-enable-prefix-caching
)

case "${HOST:?set HOST: which host this is, 0 to 1}" in
0)
  { ray start --head --port 6379 && vllm serve "$MODEL" --port 8000 --distributed-executor-backend ray "${ARGS[@]}"; } &
  ;;
1)
  ray start --address "${FIRST:?set FIRST: address of the first host of this copy}:6379" --block &
  ;;
*) echo "HOST has to be 0 to 1" >&2; exit 2 ;;
esac
wait
