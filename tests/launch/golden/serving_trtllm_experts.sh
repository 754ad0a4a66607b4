#!/usr/bin/env bash
# exaplan: small served by TensorRT-LLM 1.2 on 2 hosts x 8 h200-sxm
# deployment: 1 x dp 16 ep 16; fp8-block, KV bf16
# expected: ttft p99 360 ms, ttft 132 ms, tpot p99 63 ms, tpot 23.1 ms, 5,094 output tokens/s, 67.1 of 140.4 GiB
# a chip
# not part of the plan: where the checkpoint is, TLS, keys, templates, health checks, restarts
# use: MODEL=... bash this-file on every host, with HOST=0, 1, ... in the environment

set -euo pipefail

MODEL="${MODEL:?set MODEL: folder or Hugging Face name of small, quantised to fp8 in blocks}"
cat > trtllm.yaml <<'TRTLLM_CONFIG'
enable_chunked_prefill: true
enable_attention_dp: true
kv_cache_config:
  dtype: auto
  enable_block_reuse: true
speculative_config:
  decoding_type: MTP
  max_draft_len: 1
TRTLLM_CONFIG
ARGS=(
  --backend pytorch
  --tp_size 16
  --ep_size 16
  --max_batch_size 256
  --max_num_tokens 8192
  --kv_cache_free_gpu_memory_fraction 0.9
  --max_seq_len 1536
  --config trtllm.yaml
)

case "${HOST:?set HOST: which host this is, 0 to 1}" in
0)
  srun --nodes 2 --ntasks 16 --ntasks-per-node 8 --mpi=pmix trtllm-llmapi-launch trtllm-serve "$MODEL" --host 0.0.0.0 --port 8000 --gpus_per_node 8 "${ARGS[@]}" &
  ;;
1)
  true &
  ;;
*) echo "HOST has to be 0 to 1" >&2; exit 2 ;;
esac
wait
