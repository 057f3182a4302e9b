"""What a fact of the world is worth to who knows it: told, found out and written down, or never kept.

    python benchmarks/facts.py                      # the fact alone: 100 packs of four tasks per family
    python benchmarks/facts.py --family WebShop --difficulty medium # at another difficulty than the one it is shown at
    python benchmarks/facts.py --streams --packs 40 # an irrelevant task, a changing fact; packs of 4, 8 and 16 tasks

One scripted policy per family plays the same packs in three contexts: its note kept, wiped, or the fact told. What it
does within a task is the same in all three. Intervals of 95 % are those of `scores/lifecycle.py`: over packs, which are
resampled whole. A token of a note is a word or a mark here; a model's are in its record (`completion_tokens`).
"""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

from agentgen_bench import LifecycleSpec, TaskSpec, scripted_policy
from agentgen_bench.episodes import Episode
from agentgen_bench.knobs import CONTEXTS, STREAMS
from agentgen_bench.rollout import Job, play
from agentgen_bench.scores.base import Score
from agentgen_bench.scores.lifecycle import position_curve, stateful_gain
from agentgen_bench.seeding import stream

LABELS = {"told": "told", "kept": "infers", "wiped": "never"}
LENGTHS = (4, 8, 16)


class Setting(NamedTuple):
    """A family's fact, the difficulty it is shown at, and who finds it out."""

    family: str
    fact: str
    difficulty: str
    player: str


SETTINGS = (
    Setting("Sokoban", "rule", "easy", "sokoban-rule-finder"),
    Setting("ALFWorld", "house", "hard", "alfworld-housekeeper"),
    Setting("WebShop", "shelf", "hard", "webshop-regular"),
    Setting("SciWorld", "substances", "easy", "sciworld-assayer"),
)


def played(setting: Setting, pack: LifecycleSpec | str, n_packs: int) -> list[Episode]:
    """Return the packs 0 to n_packs - 1 of the test split, in order."""
    knobs = (("fact", setting.fact),)
    spec = TaskSpec(setting.family, difficulty=setting.difficulty, split="test", knobs=knobs, lifecycle=pack)
    episodes = play([Job(spec, seed) for seed in range(n_packs)], scripted_policy(setting.player), record_text=False)
    return sorted(episodes, key=lambda episode: episode.seed)


def successes(episodes: Sequence[Episode]) -> list[list[float]]:
    """Return whether each task was solved, by pack and position."""
    return [[float(task.success) for task in episode.tasks] for episode in episodes]


def mean_over_tasks(packs: Sequence[Sequence[float]]) -> Score:
    """Return the mean success over all tasks, its interval over packs."""
    return position_curve([[sum(pack) / len(pack)] for pack in packs], stream("benchmarks", "facts"))[0]


def note_tokens(episodes: Sequence[Episode]) -> float:
    """Return the words and marks of all notes of a pack, on average."""
    notes = [task.note or "" for episode in episodes for task in episode.tasks]
    return sum(len(re.findall(r"\w+|[^\w\s]", note)) for note in notes) / len(episodes)


def shown(score: Score) -> str:
    """Return a rate with its interval, in percent."""
    return f"{100 * score.value:5.1f} [{100 * score.low:5.1f}, {100 * score.high:5.1f}]"


def fact_alone(setting: Setting, n_packs: int) -> bool:
    """Print the position curve of each context; return whether the means lie apart and begin alike."""
    packs = {context: successes(played(setting, LifecycleSpec(4, context), n_packs)) for context in LABELS}
    print(f"\n{setting.family} {setting.difficulty}, fact={setting.fact}: success in %, {n_packs} packs of 4 tasks")
    for context, label in LABELS.items():
        curve = position_curve(packs[context], stream("benchmarks", "facts"))
        print(f"  {label:7}{shown(mean_over_tasks(packs[context]))}  by position: {'  '.join(map(shown, curve))}")
    told, kept, wiped = (mean_over_tasks(packs[context]) for context in LABELS)
    apart = told.low > kept.high and kept.low > wiped.high
    alike = [pack[0] for pack in packs["kept"]] == [pack[0] for pack in packs["wiped"]]
    print(f"  told > infers > never, intervals apart: {apart}; infers = never at the first position: {alike}")
    return apart and alike


def streams(setting: Setting, n_packs: int) -> None:
    """Print what the note gains over the wiped twin in each stream and length, and its tokens."""
    print(f"\n{setting.family} {setting.difficulty}, fact={setting.fact}: success in %, {n_packs} packs")
    print("  tasks stream      told                  infers                never                 gain of the note      "
          "tokens  gain per 100 tokens")  # fmt: skip
    for tasks in LENGTHS:
        for kind in STREAMS:
            episodes = {c: played(setting, LifecycleSpec(tasks, c, kind), n_packs) for c in CONTEXTS}
            packs = {context: successes(found) for context, found in episodes.items()}
            gain = stateful_gain(packs["kept"], packs["wiped"], stream("benchmarks", "facts"))
            tokens = note_tokens(episodes["kept"])
            solved_more = gain.value * tasks
            means = "  ".join([shown(mean_over_tasks(packs[context])) for context in LABELS])
            print(
                f"  {tasks:5} {kind:11} {means}  {shown(gain)} {tokens:7.0f}  {100 * solved_more / tokens:6.2f} tasks",
                flush=True,
            )


def main() -> int:
    """Print what is asked for; fail where a fact does not show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=int, default=100, help="packs per setting (default: 100)")
    parser.add_argument("--streams", action="store_true", help="all streams and lengths, with the tokens of the notes")
    parser.add_argument("--family", choices=[setting.family for setting in SETTINGS], help="one family only")
    parser.add_argument("--difficulty", help="for all, in place of the one that each is shown at: easy, medium or hard")
    args = parser.parse_args()
    chosen = [
        setting._replace(difficulty=args.difficulty or setting.difficulty)
        for setting in SETTINGS
        if args.family in (None, setting.family)
    ]
    if args.streams:
        for setting in chosen:
            streams(setting, args.packs)
        return 0
    shows = [fact_alone(setting, args.packs) for setting in chosen]
    return 0 if all(shows) else 1


if __name__ == "__main__":
    sys.exit(main())
