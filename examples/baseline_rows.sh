#!/usr/bin/env bash
# Makes the leaderboard rows of the policies that need no model, from evaluation to the replay. Run from the
# repository's root: examples/baseline_rows.sh [SUITE] [POLICY...]. Stopped halfway, it goes on where it was.
set -euo pipefail
suite=${1:-core-v1}
policies=("${@:2}")
[ ${#policies[@]} -gt 0 ] || policies=(oracle random noop alfworld-searcher webshop-first-hit webshop-read-all-ten)
for policy in "${policies[@]}"; do
  entries=(leaderboards/"$suite"/*_agentgen-bench__"$policy")
  if [ -d "${entries[0]}" ]; then echo "$policy has its row: ${entries[0]}"; continue; fi
  agentgen-bench evaluate --suite "$suite" --policy "$policy" --compact --quiet --resume --output "runs/${suite}_$policy"
  agentgen-bench submit "runs/${suite}_$policy" --org agentgen-bench --model "$policy" --record
done
agentgen-bench leaderboard --update
