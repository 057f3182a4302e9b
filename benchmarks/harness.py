"""Cost of the harness without a model: prompts built, completions parsed, episodes recorded.

    python benchmarks/harness.py

A policy that answers from a prepared list stands in for the model. Printed: decisions per CPU-second of the whole
loop and of recording alone, with the bare environment as the limit; and the import time of the package beside that
of Gymnasium alone.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agentgen_bench.episodes import to_line
from agentgen_bench.evaluation.plan import single_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.make import make
from agentgen_bench.parsing import parse
from agentgen_bench.policies.base import Decision
from agentgen_bench.prompts import History, PromptConfig, messages
from agentgen_bench.rollout import Job, play
from agentgen_bench.spec import TaskSpec

SPEC = TaskSpec.from_env_id("AgentGen/Sokoban-base-v0", split="test")
EPISODES = 200
REPEATS = 5
ANSWER = "<think>The box stands left of the target, so I walk around it and push.</think><action>{}</action>"


class Prepared:
    """Builds every prompt and parses every answer as a model policy does; the answer is an admissible action."""

    name = "prepared"

    def act(self, histories: Sequence[History]) -> list[Decision]:
        """Return one decision per history."""
        return [self._decide(history) for history in histories]

    def describe(self) -> dict[str, Any]:
        """Return the kind."""
        return {"kind": "prepared"}

    def _decide(self, history: History) -> Decision:
        prompt = messages(history, PromptConfig())[0].content
        completion = ANSWER.format(history.admissible_commands[history.step % len(history.admissible_commands)])
        return Decision(completion, *parse(completion), prompt_chars=len(prompt))


def per_second(work: Callable[[], int]) -> float:
    """Return the median, over repeats, of how many units of work one CPU-second does."""
    rates = []
    for _ in range(REPEATS):
        began = time.process_time()
        units = work()
        rates.append(units / (time.process_time() - began))
    return statistics.median(rates)


def main() -> None:
    """Print the table."""
    episodes = list(play([Job(SPEC, seed) for seed in range(EPISODES)], Prepared()))
    n_steps = sum(len(episode.steps) for episode in episodes)

    def whole_loop() -> int:
        with tempfile.TemporaryDirectory() as folder:
            evaluate(single_plan([SPEC], EPISODES), Prepared(), PromptConfig(), Path(folder) / "run")
        return n_steps

    def bare_environment() -> int:
        env = make(SPEC)
        for episode in episodes:
            env.reset(seed=episode.seed)
            for step in episode.steps:
                env.step(step.action or "")
        return n_steps

    def recording() -> int:
        for episode in episodes:
            to_line(episode)
        return n_steps

    limit = per_second(bare_environment)
    rows = [
        ("bare environment, level generation included (limit)", limit),
        ("whole loop: environment, prompts, parsing, recording, results", per_second(whole_loop)),
        ("recording alone", per_second(recording)),
    ]
    print(f"{n_steps} steps of {EPISODES} episodes of {SPEC.label}, median of {REPEATS}, CPU time")
    for name, rate in rows:
        print(f"{rate:>12,.0f} steps/s  {rate / limit:>6.2f} of the limit  {name}")
    ours, gymnasium = (import_seconds(module) for module in ("agentgen_bench", "gymnasium"))
    print(f"import agentgen_bench: {ours:.2f} s, {ours / gymnasium:.2f} times import gymnasium ({gymnasium:.2f} s)")


def import_seconds(module: str) -> float:
    """Return the median CPU time of a fresh interpreter that imports the module, less that of an empty one."""
    program = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, check=True) for _ in range(REPEATS)]
    return statistics.median(float(run.stdout) for run in runs)


if __name__ == "__main__":
    main()
