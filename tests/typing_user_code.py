"""A user's code, to be clean under mypy --strict and pyright; tests/test_typing.py checks it, and that it runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from agentgen_bench import (
    Decision,
    DistractorSpec,
    Episode,
    History,
    PromptConfig,
    Richness,
    Section,
    TaskSpec,
    evaluate,
    make,
    play,
    read_run,
    render,
    single_plan,
)
from agentgen_bench.contract import Info, TextTask, text_task
from agentgen_bench.rollout import Job

SPEC = TaskSpec("Sokoban", richness="rich")
LEVEL: Richness = SPEC.richness
DISTRACTED = TaskSpec("Sokoban", "lean", distractors=DistractorSpec(volume=40), knobs=[("boxes", 1)])


class First:
    """Takes the first admissible command."""

    name = "first"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history."""
        return [Decision(h.admissible_commands[0], h.admissible_commands[0]) for h in histories]

    def describe(self) -> dict[str, Any]:
        """Return what the manifest records."""
        return {"kind": "first"}


def by_hand() -> float:
    """Play an episode with the expert."""
    env: gym.Env[str, str] = make(SPEC)
    task: TextTask = text_task(env)
    observation, info = env.reset(seed=0)
    sections: tuple[Section, ...] = info["sections"]
    text: str = render(sections, Richness.LEAN)
    ended = text == observation
    total = 0.0
    while not ended:
        _, reward, terminated, truncated, _ = env.step(task.expert_action())
        total += float(reward)
        ended = terminated or truncated
    scores: list[float] = [record.score for record in task.tasks()]
    return total + sum(scores)


def score_of(info: Info) -> float:
    """Read what the environment says."""
    return info["score"] if info["success"] else 0.0


def by_the_loop(path: Path) -> list[Episode]:
    """Play, evaluate, read back."""
    episodes = list(play([Job(DISTRACTED, seed) for seed in range(2)], First()))
    evaluate(single_plan([SPEC], 2), First(), PromptConfig(), path)
    return [*episodes, *read_run(str(path)).episodes]
