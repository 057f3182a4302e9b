#!/usr/bin/env bash
# GRPO on one machine with 8 Hopper GPUs: vLLM on four, TRL's asynchronous trainer on the other four. Untested on GPUs.
# Run from the repository's root: examples/scale_out/train_8gpus.sh MODEL OUTPUT [OPTIONS OF `agentgen-bench train trl`].
# Needs: pip install '.[trl]' kernels vllm
set -euo pipefail
model=$1 output=$2
shift 2

# Dev mode opens the addresses through which the trainer sends its weights; processed log-probabilities are those of the
# distribution at the sampling temperature.
CUDA_VISIBLE_DEVICES=4,5,6,7 VLLM_SERVER_DEV_MODE=1 vllm serve "$model" --port 8000 --tensor-parallel-size 4 \
  --dtype bfloat16 --max-model-len 5120 --enable-scale-out --logprobs-mode processed_logprobs \
  --weight-transfer-config '{"backend": "nccl"}' &
server=$!
trap 'kill $server' EXIT
until curl -sf http://localhost:8000/health > /dev/null; do
  kill -0 $server || { echo "vLLM did not start"; exit 1; }
  sleep 5
done

CUDA_VISIBLE_DEVICES=0,1,2,3 accelerate launch --config_file examples/scale_out/fsdp2_4gpus.yaml \
  -m agentgen_bench train trl --preset paper-2601.18217 --model "$model" --envs webshop --steps 600 \
  --server http://localhost:8000 --play-processes 8 --workers 32 --max-prompt-tokens 4096 --max-tokens 1024 \
  --bf16 --gradient-checkpointing --save-every 60 --output "$output" "$@"
