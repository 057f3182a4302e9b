#!/usr/bin/env bash
# What packs teach a small model (docs/lifecycle.md), from the base of examples/base_cpu.py: demonstrations of who finds
# out hidden names of Sokoban's moves and writes them down, the base with these names as words, a clone of them, first of
# packs of four tasks, then of eight, in which more is known; GRPO with credit by task from the clone, three seeds, and
# all of them on packs of the test split, with the context kept and wiped. Run from the repository's root:
#
#   examples/memory_study.sh         in runs/memory-cpu; stopped at any moment, it goes on where it was
#   examples/memory_study.sh small   the same path in a minute or two, in runs/memory-cpu-small, from a model with random
#                                    weights: it shows the path, no result
set -euo pipefail
form=${1:-whole}
[ "$form" = whole ] || [ "$form" = small ] || { echo "usage: $0 [whole|small]" >&2; exit 2; }
cell=(--difficulty easy --set boxes=1 --set 'pushes=[1,1]' --set 'moves=[1,3]' --set max_steps=3 --interface opaque)
prompt=(--protocol chat --action-hints templates)
if [ "$form" = small ]; then
  folder=runs/memory-cpu-small base=$folder/base like=() study=examples/studies/memory-cpu-small.yaml
  fours=6 four_steps=2 eights=3 eight_steps=2
  [ -f "$base/config.json" ] || agentgen-bench init-model "$base" --envs sokoban --richness lean --tokenizer words \
    --layers 1 --hidden-size 64 --context-tokens 2048
else
  folder=runs/memory-cpu study=examples/studies/memory-cpu.yaml
  fours=1100 four_steps=1200 eights=550 eight_steps=1800
  python examples/base_cpu.py --play sokoban
  base=runs/base-cpu/sft/checkpoint-002000 like=(--like runs/base-cpu/demonstrations-{alfworld,sciworld})
fi
resume() { [ ! -d "$1" ] || echo --resume; }
collect() { # TASKS PACKS
  local packs=$folder/packs-$1
  [ -f "$packs/samples.jsonl" ] || agentgen-bench collect --env AgentGen/Sokoban-lean-v0 "${cell[@]}" "${prompt[@]}" \
    --lifecycle "cod-$1" --levels "$2" --unsolved --policy sokoban-word-finder --output "$packs" --quiet \
    $(resume "$packs")
}
clone() { # TASKS STEPS BATCH MODEL
  local trained=$folder/sft-$1
  [ -f "$trained/checkpoint-$(printf %06d "$2")/training.json" ] || agentgen-bench train sft --model "$4" \
    --data "$folder/packs-$1" --steps "$2" --batch "$3" --learning-rate 1e-3 --warmup-share 0.04 \
    --max-sample-tokens 600 --bf16 --attention eager --save-every 50 --output "$trained" $(resume "$trained")
}
mkdir -p "$folder"
collect 4 $fours
collect 8 $eights
[ -f "$folder/words/training.json" ] || agentgen-bench init-model "$folder/words" --grow "$base" \
  --data "$folder/packs-4" "${like[@]}"
clone 4 $four_steps 16 "$folder/words"
clone 8 $eight_steps 8 "$folder/sft-4/checkpoint-$(printf %06d $four_steps)"
agentgen-bench study "$study" --output "$folder/study"
