"""What a context is worth where update episodes write it: told, written down, and never kept, on the same packs.

    python benchmarks/cycles.py --packs 100

Scripted policies play a task in the same way whatever the context is; they differ in what they have at its start.
Told: the fact. Written down: the context that the policy wrote in the update episodes before, from the task as such an
episode shows it. Never: nothing. Also one task again and again (`ralph_sample`) with what was written down. Success in
%, by position, with 95 % intervals over packs (`scores/lifecycle.py`); then the characters of the contexts.
"""

import argparse

from facts import SETTINGS, played, shown, successes

from agentgen_bench.scores.lifecycle import mean_over_packs, position_curve, stateful_gain
from agentgen_bench.seeding import stream

ROWS = {"told": "cod-4-told", "written down": "cod-4", "never": "cod-4-wiped", "one task, written": "ralph-sample-4"}


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=int, default=100, help="packs of four tasks per row (default: 100)")
    n_packs = parser.parse_args().packs
    for setting in SETTINGS:
        print(f"\n{setting.family} {setting.difficulty}, fact={setting.fact}, {setting.player}, {n_packs} packs")
        packs = {}
        for name, lifecycle in ROWS.items():
            episodes = played(setting, lifecycle, n_packs)
            packs[name] = successes(episodes)
            means = [sum(pack) / len(pack) for pack in packs[name]]
            curve = position_curve(packs[name], stream("benchmark", name))
            chars = [len(task.note) for episode in episodes for task in episode.tasks if task.note]
            of_contexts = f"  contexts of {sum(chars) / len(chars):.0f} characters" if chars else ""
            total = mean_over_packs("mean", means, stream("benchmark", name))
            positions = ", ".join(f"{100 * (score.value or 0):.0f}" for score in curve)
            print(f"  {name:18} {shown(total)}  positions {positions}{of_contexts}", flush=True)
        gain = stateful_gain(packs["written down"], packs["never"], stream("benchmark", "gain"))
        print(f"  stateful gain      {shown(gain)} points")
        same = [a[0] == b[0] for a, b in zip(packs["written down"], packs["never"], strict=True)]
        print(f"  first position the same in {sum(same)} of {len(same)} packs")


if __name__ == "__main__":
    main()
