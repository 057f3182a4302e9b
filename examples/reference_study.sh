#!/usr/bin/env bash
# Remakes the study of docs/study.md from nothing, on two CPU cores: the base, six trainings by GRPO, seven
# evaluations, the scores, three trainings on one task, the entry of the board and its figure, and the rows of
# core-mini-v1 of the base and the six trained models, each level once, greedily. Run from the repository's root:
#
#   examples/reference_study.sh          the study, in runs/reference; stopped at any moment, it goes on where it was
#   examples/reference_study.sh small    the same path in minutes, in runs/reference-small, from a base that has only
#                                        learned to walk about in Sokoban; no entry
#   examples/reference_study.sh time     how long the study will take here, and nothing else
#
# Each part is shorter than two hours: the base, then pieces of the study, two at a time with a core each. Where vllm is
# installed it plays the evaluations, which takes less time.
set -euo pipefail
form=${1:-whole}
if [ "$form" = small ]; then
  folder=runs/reference-small
  python examples/base_cpu.py --folder "$folder/base" --families sokoban --play '' --levels 600 --steps 60
  agentgen-bench study examples/studies/transfer-base-cpu-small.yaml --output "$folder/study"
  exit 0
fi
python examples/base_cpu.py --time
[ "$form" != time ] || exit 0
submitted() { # makes the entry of the run $2 on board $1, model $3, where today's is not there
  [ -d "leaderboards/$1/$(date -u +%Y%m%d)_agentgen-bench__$3" ] || agentgen-bench submit "$2" --org agentgen-bench --model "$3"
}
folder=runs/reference study=examples/studies/transfer-base-cpu.yaml
python examples/base_cpu.py --folder runs/base-cpu
export OMP_NUM_THREADS=1
mkdir -p "$folder"
for seed in 0 1 2; do
  first=on-alfworld-seed-$seed
  [ "$seed" != 0 ] || first=initial,$first
  agentgen-bench study "$study" --output "$folder/study" --only "$first" 2> "$folder/alfworld-$seed.log" & other=$!
  agentgen-bench study "$study" --output "$folder/study" --only "on-sciworld-seed-$seed" 2> "$folder/sciworld-$seed.log"
  wait "$other"
done
agentgen-bench study "$study" --output "$folder/study"
agentgen-bench study examples/studies/sciworld-task-cpu.yaml --output "$folder/task"
submitted transfer-mini-v2 "$folder/study" base-cpu-1.4m
agentgen-bench leaderboard --update
entry=$(ls -d leaderboards/transfer-mini-v2/*_agentgen-bench__base-cpu-1.4m | tail -n 1) # the newest: names begin with the day
python examples/study_figure.py "$entry" --output docs/study.svg

row() { # plays core-mini-v1 with the model $2 and calls the run $1
  local resume=
  [ ! -d "$folder/rows/$1" ] || resume=--resume
  agentgen-bench evaluate --model "$2" --suite core-mini-v1 --temperature 0 --protocol chat --action-hints none \
    --max-tokens 48 --max-model-len 1024 --batch-size 128 --workers 128 --output "$folder/rows/$1" $resume \
    2> "$folder/row-$1.log"
}
for seed in 0 1 2; do
  row "grpo-alfworld-$seed" "$folder/study/train/on-alfworld-seed-$seed/checkpoint-000030" & other=$!
  row "grpo-sciworld-$seed" "$folder/study/train/on-sciworld-seed-$seed/checkpoint-000030"
  wait "$other"
done
row base runs/base-cpu/sft/checkpoint-002000
for run in "$folder"/rows/*; do
  submitted core-mini-v1 "$run" "base-cpu-1.4m-$(basename "$run")"
done
agentgen-bench leaderboard --update
