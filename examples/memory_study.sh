#!/usr/bin/env bash
# What packs teach a small model (docs/lifecycle.md), from the base of examples/base_cpu.py: demonstrations of who finds
# out hidden names of Sokoban's moves and writes them down, the base with these names as words, a clone of them, GRPO
# with credit by task from the clone, three seeds, and all of them on packs of the test split, with the context kept and
# wiped. Run from the repository's root:
#
#   examples/memory_study.sh         in runs/memory-cpu; stopped at any moment, it goes on where it was
#   examples/memory_study.sh small   the same path in a minute or two, in runs/memory-cpu-small, from a model with random
#                                    weights: it shows the path, no result
set -euo pipefail
form=${1:-whole}
[ "$form" = whole ] || [ "$form" = small ] || { echo "usage: $0 [whole|small]" >&2; exit 2; }
packs=(--difficulty easy --set boxes=1 --set 'pushes=[1,1]' --set 'moves=[1,3]' --set max_steps=3 --interface opaque)
prompt=(--protocol chat --action-hints templates)
if [ "$form" = small ]; then
  folder=runs/memory-cpu-small base=$folder/base levels=6 steps=2 batch=4 study=examples/studies/memory-cpu-small.yaml
  [ -f "$base/config.json" ] || agentgen-bench init-model "$base" --envs sokoban --richness lean --tokenizer words \
    --layers 1 --hidden-size 64 --context-tokens 2048
else
  folder=runs/memory-cpu levels=1100 steps=260 batch=16 study=examples/studies/memory-cpu.yaml
  python examples/base_cpu.py --play sokoban
  base=runs/base-cpu/sft/checkpoint-002000
fi
clone=$folder/sft/checkpoint-$(printf %06d $steps)
mkdir -p "$folder"
resume() { [ ! -d "$1" ] || echo --resume; }
[ -f "$folder/packs/samples.jsonl" ] || agentgen-bench collect --env AgentGen/Sokoban-lean-v0 "${packs[@]}" \
  "${prompt[@]}" --lifecycle cod-4 --levels $levels --unsolved --policy sokoban-word-finder \
  --output "$folder/packs" --quiet $(resume "$folder/packs")
[ -f "$folder/words/training.json" ] || agentgen-bench init-model "$folder/words" --grow "$base" --data "$folder/packs"
[ -f "$clone/training.json" ] || agentgen-bench train sft --model "$folder/words" --data "$folder/packs" --steps $steps \
  --batch $batch --learning-rate 5e-4 --warmup-share 0.04 --max-sample-tokens 800 --bf16 --attention eager \
  --save-every 65 --output "$folder/sft" $(resume "$folder/sft")
agentgen-bench study "$study" --output "$folder/study"
