#!/usr/bin/env bash
# exaplan: small served by SGLang 0.5 on 2 hosts x 8 h100-sxm
# deployment: prefill 3 x tp 2, decode 1 x tp 8; fp8, KV fp8
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 79.6 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# copies come and go: 1 to 2, one more beyond 50 requests a copy, which the engine does not do itself: start and
# stop these lines from an orchestrator
# use: MODEL=... bash this-file on every host, with HOST=0, 1, ... in the environment

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small}"
PREFILL_ARGS=(
  --tp-size 2
  --quantization fp8
  --kv-cache-dtype fp8_e4m3
  --context-length 1536
  --max-running-requests 256
  --chunked-prefill-size 8192
  --mem-fraction-static 0.9
  --disaggregation-mode prefill
  --disaggregation-transfer-backend nixl
)
DECODE_ARGS=(
  --tp-size 8
  --quantization fp8
  --kv-cache-dtype fp8_e4m3
  --context-length 1536
  --max-running-requests 256
  --chunked-prefill-size 8192
  --mem-fraction-static 0.9
  --disaggregation-mode decode
  --disaggregation-transfer-backend nixl
)

case "${HOST:?set HOST: which host this is, 0 to 1}" in
0)
  CUDA_VISIBLE_DEVICES=0,1 python -m sglang.launch_server --model-path "$MODEL" --host 0.0.0.0 --port 8000 --disaggregation-bootstrap-port 8998 "${PREFILL_ARGS[@]}" &
  CUDA_VISIBLE_DEVICES=2,3 python -m sglang.launch_server --model-path "$MODEL" --host 0.0.0.0 --port 8001 --disaggregation-bootstrap-port 8999 "${PREFILL_ARGS[@]}" &
  CUDA_VISIBLE_DEVICES=4,5 python -m sglang.launch_server --model-path "$MODEL" --host 0.0.0.0 --port 8002 --disaggregation-bootstrap-port 9000 "${PREFILL_ARGS[@]}" &
  ;;
1)
  python -m sglang.launch_server --model-path "$MODEL" --host 0.0.0.0 --port 8000 "${DECODE_ARGS[@]}" &
  ;;
*) echo "HOST has to be 0 to 1" >&2; exit 2 ;;
esac
wait
# router, pip install sglang-router: python -m sglang_router.launch_router --policy power_of_two
# --pd-disaggregation
# --prefill http://HOST0:8000 8998
# --prefill http://HOST0:8001 8999
# --prefill http://HOST0:8002 9000
# --decode http://HOST1:8000
# see https://docs.sglang.io/docs/advanced_features/sgl_model_gateway
