"""Steps per CPU-second of the Sokoban environments, with text and info, on one core, against gym-sokoban.

    python benchmarks/sokoban_steps.py --gym-sokoban-python /path/to/python

Positions of a level are remembered while it is played, so three figures are given, through `gym.make` and, for 256
boards, through `gym.make_vec(..., vectorization_mode="vector_entry_point")`:
    met before   every position has been met: a random walk over one level, after the same walk;
    first met    no position has been met: the oracle's plan on levels made beforehand; each step makes its text;
    whole        random episodes with everything in it, resets and the generation of new levels included.
"""

import argparse
import itertools
import random
import statistics
import time
from collections.abc import Callable, Sequence

import gymnasium as gym
from sokoban_levels import measured

from agentgen_bench.envs.sokoban.env import SokobanEnv
from agentgen_bench.seeding import seed_from
from agentgen_bench.text import Richness

WORDS = ("up", "down", "left", "right")
BOARDS = 256
REPEATS = 3
WALK = 20_000
VECTOR_WALK = 100  # steps of every board
WARMING_WALKS = 10
PLANNED_LEVELS = 40
WHOLE_EPISODES = 20
DIFFICULTIES = ("easy", "hard")
PEER_STEPS = 3_000


def rate(work: Callable[[], int], before: Callable[[], object] = lambda: None) -> float:
    """Return the median, over repeats, of units of `work` per CPU-second; `before` runs untimed ahead of each."""
    rates = []
    for _ in range(REPEATS):
        before()
        began = time.process_time()
        units = work()
        rates.append(units / (time.process_time() - began))
    return statistics.median(rates)


def plan(env: SokobanEnv, seed: int) -> list[str]:
    """Return the oracle's actions on a level."""
    env.reset(seed=seed)
    actions = []
    while not env.success:
        actions.append(env.expert_action())
        env.step(actions[-1])
    return actions


def scalar_rates(env_id: str, difficulty: str) -> list[float]:
    """Return the three figures of one environment."""
    env = gym.make(env_id, difficulty=difficulty)
    endless = gym.make(env_id, difficulty=difficulty, max_steps=10_000)
    walk = random.Random(0).choices(WORDS, k=WALK)
    plans = [plan(env.unwrapped, seed) for seed in range(PLANNED_LEVELS)]

    def met_before() -> int:
        endless.reset(seed=0)
        for action in walk:
            if endless.step(action)[2]:
                endless.reset(seed=0)
        return WALK

    def first_met() -> float:
        spent = 0.0
        for seed, actions in enumerate(plans):
            env.reset(seed=seed)
            began = time.process_time()
            for action in actions:
                env.step(action)
            spent += time.process_time() - began
        return sum(map(len, plans)) / spent

    def whole() -> int:
        steps = 0
        for _ in range(WHOLE_EPISODES):
            env.reset()
            ended = False
            while not ended:
                ended = any(env.step(walk[steps % WALK])[2:4])
                steps += 1
        return steps

    met_before()
    met, first = rate(met_before), statistics.median(first_met() for _ in range(REPEATS))
    env.reset(seed=seed_from(env_id, difficulty))  # the levels drawn from here on are new to this process
    return [met, first, rate(whole)]


def vector_rates(env_id: str, difficulty: str) -> list[float]:
    """Return the three figures of 256 boards stepped together."""
    envs = gym.make_vec(env_id, BOARDS, "vector_entry_point", difficulty=difficulty)
    endless = gym.make_vec(env_id, BOARDS, "vector_entry_point", difficulty=difficulty, max_steps=10_000)
    generator = random.Random(0)
    walk = [generator.choices(WORDS, k=BOARDS) for _ in range(VECTOR_WALK)]
    scalar = gym.make(env_id, difficulty=difficulty).unwrapped
    together = list(zip(*(plan(scalar, seed) for seed in range(BOARDS)), strict=False))  # until the shortest ends

    def steps_of(vector: gym.vector.VectorEnv, rows: Sequence[Sequence[str]]) -> int:
        for row in rows:
            vector.step(row)
        return len(rows) * BOARDS

    endless.reset(seed=0)
    for _ in range(WARMING_WALKS):
        steps_of(endless, walk)
    met_before = rate(lambda: steps_of(endless, walk))
    first_met = rate(lambda: steps_of(envs, together), before=lambda: envs.reset(seed=0))
    return [met_before, first_met, rate(lambda: steps_of(envs, walk))]


def thousands(rates: list[float]) -> str:
    """Return the rates as table cells, in thousands."""
    return " | ".join(f"{value / 1000:,.0f}" for value in rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gym-sokoban-python", metavar="PATH", help="a Python with gym-sokoban installed")
    python = parser.parse_args().gym_sokoban_python
    print("thousand steps per CPU-second")
    print("| environment | difficulty | met before | first met | whole | 256 boards: met before | first met | whole |")
    print("|---|---|---|---|---|---|---|---|")
    for richness, difficulty in itertools.product(Richness, DIFFICULTIES):
        env_id = f"AgentGen/Sokoban-{richness.label}-v0"
        scalar, vector = scalar_rates(env_id, difficulty), vector_rates(env_id, difficulty)
        print(f"| {richness.label} | {difficulty} | {thousands(scalar)} | {thousands(vector)} |", flush=True)
    if python is None:
        print("gym-sokoban: not measured, --gym-sokoban-python was not given")
        return
    for size in (6, 10):
        found = measured(python, "gym-sokoban", "steps", size, 2, PEER_STEPS)
        modes = ", ".join(f"{mode} {value:,.0f}" for mode, value in found["result"].items())
        print(f"gym-sokoban {found['version']}, {size}x{size}, steps per CPU-second by observation: {modes}")


if __name__ == "__main__":
    main()
