#!/usr/bin/env bash
# exaplan: small served by SGLang 0.5 on 2 hosts x 8 h200-sxm
# deployment: 1 x dp 16 ep 16; fp8-block, KV bf16
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 140.4 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file on every host, with HOST=0, 1, ... in the environment

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small, quantised to fp8 in blocks}"
ARGS=(
  --tp-size 16
  --dp-size 16
  --enable-dp-attention
  --ep-size 16
  --moe-a2a-backend deepep
  --kv-cache-dtype auto
  --context-length 1536
  --max-running-requests 4096
  --chunked-prefill-size 131072
  --mem-fraction-static 0.9
  --speculative-algorithm EAGLE
  --speculative-num-steps 1
  --speculative-eagle-topk 1
  --speculative-num-draft-tokens 2
)

case "${HOST:?set HOST: which host this is, 0 to 1}" in
0)
  python -m sglang.launch_server --model-path "$MODEL" --host 0.0.0.0 --port 8000 --nnodes 2 --node-rank 0 --dist-init-addr "${FIRST:?set FIRST: address of the first host of this copy}:20000" "${ARGS[@]}" &
  ;;
1)
  python -m sglang.launch_server --model-path "$MODEL" --host 0.0.0.0 --port 8000 --nnodes 2 --node-rank 1 --dist-init-addr "${FIRST:?set FIRST: address of the first host of this copy}:20000" "${ARGS[@]}" &
  ;;
*) echo "HOST has to be 0 to 1" >&2; exit 2 ;;
esac
wait
