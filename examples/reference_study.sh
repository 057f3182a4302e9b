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
# Each part is shorter than two hours: the base, then its levels and pieces of the study, two at a time with a core each.
# Where vllm is installed it plays the evaluations, which takes less time. The entries are called base-cpu-1.4m, and after
# that what they are of; STUDY_NAME calls them otherwise.
set -euo pipefail
form=${1:-whole}
name=${STUDY_NAME:-base-cpu-1.4m}
case $form in whole | small | time) ;; *) echo "usage: $0 [whole|small|time]" >&2; exit 2 ;; esac

declare -A pieces=() # what runs: by process, where its messages are
stop_pieces() { # a shell's background jobs do not hear Ctrl-C; none may outlive the script
  trap - EXIT
  [ ${#pieces[@]} -eq 0 ] || kill "${!pieces[@]}" 2> /dev/null || true
  wait
}
trap stop_pieces EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
ended() { # waits for one of them; where it failed, says what it said last and stops the others
  local process status=0
  wait -n -p process "${!pieces[@]}" || status=$?
  [ $status -eq 0 ] || {
    echo "a piece failed; when it is mended, the same command goes on. It said: ${pieces[$process]}" >&2
    [ ! -f "${pieces[$process]}" ] || tail -n 3 "${pieces[$process]}" >&2
    exit 1
  }
  unset "pieces[$process]"
}
finish() { while [ ${#pieces[@]} -gt 0 ]; do ended; done; }
beside() { # LOG COMMAND: starts it as soon as a core is free
  [ ${#pieces[@]} -lt 2 ] || ended
  "${@:2}" 2> "$1" & pieces[$!]=$1
}
piece() { # NAME --only RUNS: of the study
  beside "$folder/$1.log" agentgen-bench study "$study" --output "$folder/study" "${@:2}"
}
alone() { "$@" & pieces[$!]="(above)"; finish; } # a command that the shell waits for hears signals at once

if [ "$form" = small ]; then
  folder=runs/reference-small study=examples/studies/transfer-base-cpu-small.yaml
  alone python examples/base_cpu.py --folder "$folder/base" --families sokoban --play '' --levels 600 --steps 60
  piece initial --only initial
  piece sokoban --only on-sokoban-seed-0
  finish
  alone agentgen-bench study "$study" --output "$folder/study"
  exit 0
fi
python examples/base_cpu.py --time
[ "$form" != time ] || exit 0
folder=runs/reference study=examples/studies/transfer-base-cpu.yaml task=examples/studies/sciworld-task-cpu.yaml
alone python examples/base_cpu.py --folder runs/base-cpu --play ''
export OMP_NUM_THREADS=1
mkdir -p "$folder"
plays() { beside "$folder/base-$1.log" python examples/base_cpu.py --folder runs/base-cpu --play "$1"; } # valid levels
for family in alfworld webshop sciworld sokoban; do plays "$family"; done
finish
alone python examples/base_cpu.py --folder runs/base-cpu # says what the base solves
[ -s "$folder/day" ] || date -u +%F > "$folder/day" # of the entries: after midnight they are not made a second time
day=$(cat "$folder/day")
submitted() { # makes the entry of the run $2 on board $1, model $3, where it is not there
  [ -d "leaderboards/$1/${day//-/}_agentgen-bench__$3" ] ||
    alone agentgen-bench submit "$2" --org agentgen-bench --model "$3" --date "$day"
}
for seed in 0 1 2; do
  first=on-alfworld-seed-$seed
  [ "$seed" != 0 ] || first=initial,$first
  piece "alfworld-$seed" --only "$first"
  piece "sciworld-$seed" --only "on-sciworld-seed-$seed"
done
for run in initial on-longest-seed-{0,1,2}; do
  beside "$folder/task-$run.log" agentgen-bench study "$task" --output "$folder/task" --only "$run"
done
finish
alone agentgen-bench study "$study" --output "$folder/study"
alone agentgen-bench study "$task" --output "$folder/task"
submitted transfer-mini-v2 "$folder/study" "$name"
alone agentgen-bench leaderboard --update
alone python examples/study_figure.py "leaderboards/transfer-mini-v2/${day//-/}_agentgen-bench__$name" \
  --output "$folder/study.svg"

row() { # plays core-mini-v1 with the model $2 and calls the run $1
  beside "$folder/row-$1.log" agentgen-bench evaluate --resume --model "$2" --suite core-mini-v1 --temperature 0 \
    --protocol chat --action-hints none --max-tokens 48 --max-model-len 1024 --batch-size 128 --workers 128 \
    --output "$folder/rows/$1"
}
for seed in 0 1 2; do
  row "grpo-alfworld-$seed" "$folder/study/train/on-alfworld-seed-$seed/checkpoint-000030"
  row "grpo-sciworld-$seed" "$folder/study/train/on-sciworld-seed-$seed/checkpoint-000030"
done
row base runs/base-cpu/sft/checkpoint-002000
finish
for run in "$folder"/rows/*; do
  submitted core-mini-v1 "$run" "$name-$(basename "$run")"
done
alone agentgen-bench leaderboard --update
