#!/usr/bin/env bash
# exaplan: small served by SGLang 0.5 on 2 hosts x 8 h100-sxm
# deployment: 1 x tp 8 pp 2; bf16, KV bf16
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file on every host, with HOST=0, 1, ... in the environment

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small}"
ARGS=(
  --tp-size 8
  --pp-size 2
  --dtype bfloat16
  --kv-cache-dtype auto
  --context-length 1536
  --max-running-requests 256
  --chunked-prefill-size 8192
  --mem-fraction-static 0.9
  --disable-radix-cache
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
