#!/usr/bin/env bash
# exaplan: small served by vLLM 0.11 on 2 hosts x 8 h200-sxm
# deployment: 1 x dp 16 ep 16; fp8-block, KV bf16
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 140.4 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file on every host, with HOST=0, 1, ... in the environment

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small, quantised to fp8 in blocks}"
ARGS=(
  --tensor-parallel-size 1
  --data-parallel-size 16
  --enable-expert-parallel
  --kv-cache-dtype auto
  --max-model-len 1536
  --max-num-seqs 256
  --max-num-batched-tokens 8192
  --gpu-memory-utilization 0.9
  --enable-chunked-prefill
  --enable-prefix-caching
  --speculative-config '{"method": "mtp", "num_speculative_tokens": 1}'
)

case "${HOST:?set HOST: which host this is, 0 to 1}" in
0)
  vllm serve "$MODEL" --port 8000 --data-parallel-size-local 8 --data-parallel-address "${FIRST:?set FIRST: address of the first host of this copy}" --data-parallel-rpc-port 13345 "${ARGS[@]}" &
  ;;
1)
  vllm serve "$MODEL" --port 8000 --data-parallel-size-local 8 --data-parallel-address "${FIRST:?set FIRST: address of the first host of this copy}" --data-parallel-rpc-port 13345 --data-parallel-start-rank 8 --headless "${ARGS[@]}" &
  ;;
*) echo "HOST has to be 0 to 1" >&2; exit 2 ;;
esac
wait
