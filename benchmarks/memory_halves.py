"""Packs that a model solves and a scripted player writes the contexts of: which half of remembering the model lacks.

    python benchmarks/memory_halves.py runs/memory-cpu/sft-8/checkpoint-001800 --packs 60

The packs are those of examples/studies/memory-cpu.yaml, of the test split. `sokoban-word-finder` writes the contexts,
from the model's own play; prints the score at each position, the CoD effect, and the gain over the same packs wiped.
"""

import argparse
from collections.abc import Sequence

from agentgen_bench.policies.base import Decision, Description, Policy
from agentgen_bench.policies.loading import load_policy
from agentgen_bench.policies.pack_frames import frame_of
from agentgen_bench.policies.sampling import Sampling
from agentgen_bench.policies.sokoban_word_finder import SokobanWordFinder
from agentgen_bench.prompts import History, PromptConfig
from agentgen_bench.rollout import Job, play
from agentgen_bench.scores.lifecycle import cod_effect, position_curve, stateful_gain
from agentgen_bench.seeding import stream
from agentgen_bench.spec import TaskSpec

KNOBS = (("boxes", 1), ("pushes", (1, 1)), ("moves", (1, 3)), ("max_steps", 3))


class Halves:
    """One policy for solve episodes, the word finder for update episodes."""

    name = "halves"

    def __init__(self, solver: Policy) -> None:
        """Keep the policy that solves."""
        self.solver, self.writer = solver, SokobanWordFinder()

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history, from the one or the other."""
        writing = [frame_of(history).is_writing for history in histories]
        asked = {half: [h for h, w in zip(histories, writing, strict=True) if w is half] for half in (True, False)}
        answers = {True: iter(self.writer.act(asked[True])), False: iter(self.solver.act(asked[False]))}
        return [next(answers[half]) for half in writing]

    def describe(self) -> Description:
        """Return the kind."""
        return {"kind": self.name}


def scores(policy: Policy, lifecycle: str, n_packs: int) -> list[list[float]]:
    """Return the score of each task, by pack and position."""
    spec = TaskSpec("Sokoban", "lean", "easy", split="test", interface="opaque", lifecycle=lifecycle, knobs=KNOBS)
    played = play([Job(spec, pack) for pack in range(n_packs)], policy, record_text=False)
    return [[task.score for task in pack.tasks] for pack in sorted(played, key=lambda pack: pack.seed)]


def main() -> None:
    """Play the packs with the contexts kept and wiped, and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model folder")
    parser.add_argument("--packs", type=int, default=60)
    parser.add_argument("--temperature", type=float, default=0.4)
    args = parser.parse_args()
    prompt = PromptConfig(protocol="chat", action_hints="templates", thinking=True)
    policy = Halves(load_policy(args.model, prompt, Sampling(args.temperature, max_tokens=110)))
    kept, wiped = (scores(policy, name, args.packs) for name in ("cod-4", "cod-4-wiped"))
    rng = stream("memory-halves")
    for score in (*position_curve(kept, rng), cod_effect(kept, rng), stateful_gain(kept, wiped, rng)):
        print(f"{score.name:14} {100 * score.value:6.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]")


if __name__ == "__main__":
    main()
