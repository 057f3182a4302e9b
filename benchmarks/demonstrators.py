"""What each family's demonstrator solves, and from which prompts it can be imitated.

    python benchmarks/demonstrators.py [--levels 200] [--split test] [--richness lean]

Success with 95 % Wilson intervals beside the random policy and the oracle on the same levels, steps of an episode,
words of a thought; then, for each family at its easiest, the shortest history in a `window` prompt (action hints as by
default) that shows all that the demonstrator goes by, and whether a `chat` does.
"""

import argparse
import statistics

from agentgen_bench.errors import SpecError
from agentgen_bench.families import DIFFICULTIES
from agentgen_bench.policies.base import Policy, PrivilegedPolicy
from agentgen_bench.policies.demonstrators import FAMILY_DEMONSTRATORS, Demonstrator, Imitable
from agentgen_bench.policies.scripted import OraclePolicy, RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.scores.bootstrap import wilson
from agentgen_bench.spec import TaskSpec

HISTORIES = (0, 1, 2, 5, 10, 100)
TRIED_LEVELS = 20


def row(spec: TaskSpec, policy: Policy | PrivilegedPolicy, levels: int) -> str:
    """Return a line of the table: success with its interval, mean score and steps, words of a thought."""
    episodes = list(play([Job(spec, seed) for seed in range(levels)], policy, record_text=False))
    crashed = sum(episode.ending == "error" for episode in episodes)
    solved = sum(episode.success for episode in episodes)
    low, high = wilson(solved, len(episodes))
    steps = statistics.mean(len(episode.steps) for episode in episodes)
    texts = [step.completion for episode in episodes for step in episode.steps]
    thoughts = [text.removeprefix("<think>").partition("</think>")[0] for text in texts if text.startswith("<think>")]
    words = f"{statistics.mean(len(thought.split()) for thought in thoughts):>8.1f}" if thoughts else f"{'-':>8}"
    rate = f"{100 * solved / len(episodes):>8.1f} %   {100 * low:>5.1f} - {100 * high:<5.1f}"
    return f"{spec.label:<28}{policy.name:<14}{rate}{steps:>8.1f}{words}" + (f"  {crashed} crashed" if crashed else "")


def can_be_imitated(spec: TaskSpec, prompt: PromptConfig) -> bool:
    """Return whether every answer on a few training levels rests on what the prompt shows."""
    try:
        list(play([Job(spec, seed) for seed in range(TRIED_LEVELS)], Imitable(Demonstrator(), prompt)))
    except SpecError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", type=int, default=200, help="levels per cell (default: 200)")
    parser.add_argument("--split", default="test", help="split whose levels are played (default: test)")
    parser.add_argument("--richness", default="lean", help="of the texts (default: lean)")
    args = parser.parse_args()
    print(f"{'setting':<28}{'policy':<14}{'success':>10}   {'95 % interval':<13}{'steps':>8}{'words':>8}")
    for family in FAMILY_DEMONSTRATORS:
        for difficulty in DIFFICULTIES:
            spec = TaskSpec(family, args.richness, difficulty, args.split)
            for policy in (RandomPolicy(), Demonstrator(), OraclePolicy()):
                print(row(spec, policy, args.levels), flush=True)
    for family in FAMILY_DEMONSTRATORS:
        for richness in ("lean", "base", "rich"):
            spec = TaskSpec(family, richness)
            shown = [length for length in HISTORIES if can_be_imitated(spec, PromptConfig(length))]
            chat = can_be_imitated(spec, PromptConfig(protocol="chat"))
            least = f"{shown[0]} past steps" if shown else "none that was tried"
            print(f"{spec.label:<28}shown by a window of {least}; by a chat: {'yes' if chat else 'no'}", flush=True)


if __name__ == "__main__":
    main()
