#!/usr/bin/env bash
# Remakes the study of docs/study.md from nothing, on CPU cores: the base, six trainings by GRPO, seven evaluations, the
# scores, the entry of the board and its figure. Run from the repository's root:
#
#   examples/reference_study.sh          the study, in runs/reference; stopped at any moment, it goes on where it was
#   examples/reference_study.sh small    the same path in minutes, in runs/reference-small; no entry
#   examples/reference_study.sh time     how long the study will take here, and nothing else
#
# Two policies are trained at a time, one core each; `time` counts with two cores and nothing else running.
set -euo pipefail
form=${1:-whole}
python examples/base_cpu.py --time
[ "$form" = time ] && exit
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
if [ "$form" = small ]; then
  folder=runs/reference-small study=examples/studies/transfer-base-cpu-small.yaml
  python examples/base_cpu.py --folder "$folder/base" --families sokoban,alfworld --play sokoban,alfworld \
    --levels 1000 --steps 150 --episodes 50
else
  folder=runs/reference study=examples/studies/transfer-base-cpu.yaml
  OMP_NUM_THREADS=2 python examples/base_cpu.py --folder runs/base-cpu
fi
piece() { agentgen-bench study "$study" --output "$folder/study" --only "$1" 2> "$folder/$1.log" || { cat "$folder/$1.log"; exit 1; }; }
piece initial
piece on-sokoban & first=$!
piece on-alfworld
wait "$first"
agentgen-bench study "$study" --output "$folder/study"
[ "$form" = small ] && exit
agentgen-bench submit "$folder/study" --org agentgen-bench --model base-cpu-1.4m
agentgen-bench leaderboard --update
python examples/study_figure.py leaderboards/transfer-mini-v1/*_agentgen-bench__base-cpu-1.4m --output docs/study.svg
