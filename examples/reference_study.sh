#!/usr/bin/env bash
# Remakes the study of docs/study.md from nothing, on two CPU cores: the base, six trainings by GRPO, seven
# evaluations, the scores, three trainings on one task, the entry of the board and its figure. Run from the repository's
# root:
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
agentgen-bench submit "$folder/study" --org agentgen-bench --model base-cpu-1.4m
agentgen-bench leaderboard --update
entry=$(ls -d leaderboards/transfer-mini-v2/*_agentgen-bench__base-cpu-1.4m | tail -n 1) # the newest: names begin with the day
python examples/study_figure.py "$entry" --output docs/study.svg
