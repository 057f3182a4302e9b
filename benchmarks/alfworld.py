"""ALFWorld: our engine against the official stack (alfworld on textworld), on the same levels in the same run.

    python benchmarks/alfworld.py [--steps 20000] [--levels 40]

The rows of the official stack need the extra `alfworld` (or $AGENTGEN_ALFWORLD_PYTHON); its stock code runs, without
our speed-ups, one step at a time. Ours: CPU seconds of this process, median over rounds. Theirs: wall seconds of its
process answering, which is why its figures suffer on a busy machine and ours do not.
"""

import argparse
import pickle
import statistics
import time
import tracemalloc
from collections.abc import Callable

import gymnasium as gym

import agentgen_bench  # noqa: F401 - registers the ids
from agentgen_bench.envs.alfworld.engine import Engine
from agentgen_bench.envs.alfworld.gamefile import game_json
from agentgen_bench.envs.alfworld.generator import GeneratedLevel as Level
from agentgen_bench.envs.alfworld.generator import generate_level
from agentgen_bench.envs.alfworld.official import OfficialGame
from agentgen_bench.envs.alfworld.settings import PRESETS, LevelSettings
from agentgen_bench.errors import MissingDependencyError
from agentgen_bench.seeding import stream

ROUNDS = 5
OFFICIAL_STEPS = 40
ENV_ID = "AgentGen/ALFWorld-{}-v0"


def random_walk(level: Level, length: int) -> list[str]:
    """Return admissible commands of a random walk that starts anew whenever it wins."""
    rng, engine = stream("benchmark", "alfworld"), Engine(level.scene)
    walk = []
    for _ in range(length):
        commands = engine.admissible_commands()
        walk.append(commands[int(rng.integers(len(commands)))])
        engine.step(walk[-1])
        if engine.won:
            engine.reset()
    return walk


def per_second(units: int, work: Callable[[], None]) -> float:
    """Return the median, over rounds, of units per CPU-second of this process."""
    rates = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        rates.append(units / (time.process_time() - began))
    return statistics.median(rates)


def engine_rate(level: Level, walk: list[str]) -> float:
    """Return steps per second of the engine, admissible commands and goal check included."""
    engine = Engine(level.scene)

    def work() -> None:
        engine.reset()
        for command in walk:
            engine.step(command)
            engine.admissible_commands()
            if engine.won:
                engine.reset()

    return per_second(len(walk), work)


def env_rates(richness: str, seed: int, walk: list[str]) -> tuple[float, float]:
    """Return steps and resets per second through gym.make."""
    env = gym.make(ENV_ID.format(richness), difficulty="medium", max_steps=100_000)

    def work() -> None:
        env.reset(seed=seed)
        for command in walk:
            if env.step(command)[2]:
                env.reset(seed=seed)

    def resets() -> None:
        for _ in range(1000):
            env.reset(seed=seed)

    return per_second(len(walk), work), per_second(1000, resets)


def generation_ms(difficulty: str, n_levels: int) -> tuple[float, float]:
    """Return median and 90th percentile of the CPU milliseconds that a new level with plan and label takes."""
    generate_level(LevelSettings(difficulty), 10**6)  # fills the catalogue's caches
    times = []
    for seed in range(n_levels):
        began = time.process_time()
        generate_level(LevelSettings(difficulty), seed)
        times.append(1000 * (time.process_time() - began))
    return statistics.median(times), statistics.quantiles(times, n=10)[-1]


def kilobytes(level: Level) -> tuple[float, float]:
    """Return the memory of one more environment on a cached level, in use, and the pickled size of a scene, in KB."""
    envs = [gym.make(ENV_ID.format("base"), difficulty="medium") for _ in range(2)]
    envs[0].reset(seed=0)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    more = []
    for _ in range(200):
        env = gym.make(ENV_ID.format("base"), difficulty="medium")
        env.reset(seed=0)
        for _ in range(5):
            env.step("look")
        more.append(env)
    used = (tracemalloc.get_traced_memory()[0] - before) / len(more)
    tracemalloc.stop()
    return used / 1024, len(pickle.dumps(level.scene)) / 1024


def official_rates(level: Level, walk: list[str]) -> tuple[float, float] | None:
    """Return steps and resets (load included) per second of the official stack; None where it is missing."""
    try:
        official = OfficialGame(stock=True)
    except MissingDependencyError:
        return None
    game = game_json(level.game)
    official.load(game)
    began = time.perf_counter()
    official.load(game)
    load_s = time.perf_counter() - began
    began = time.perf_counter()
    for command in walk[:OFFICIAL_STEPS]:
        official.step(command)
    step_s = (time.perf_counter() - began) / OFFICIAL_STEPS
    official.close()
    return 1 / step_s, 1 / load_s


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000, help="steps of the random walk (default: 20000)")
    parser.add_argument("--levels", type=int, default=40, help="new levels per difficulty (default: 40)")
    args = parser.parse_args()
    level = generate_level(LevelSettings("medium"), 0)
    walk = random_walk(level, args.steps)
    official = official_rates(level, walk)

    print(f"{'steps, resets per second':<44}{'steps':>12}{'resets':>12}{'steps: x official':>20}")
    rows = [("engine, with admissible commands", engine_rate(level, walk), None)]
    for richness in ("lean", "base", "rich"):
        rows.append((f"gym.make {richness}", *env_rates(richness, 0, walk)))
    for name, steps, resets in rows:
        ratio = f"{steps / official[0]:.0f}" if official else "-"
        print(f"{name:<44}{steps:>12,.0f}{'' if resets is None else format(resets, ',.0f'):>12}{ratio:>20}")
    if official:
        print(f"{'official stack, stock':<44}{official[0]:>12,.1f}{official[1]:>12,.2f}{1:>20}")
    else:
        print("official stack: not here; pip install '.[alfworld]'")

    print(f"\n{'new level with plan and label, CPU ms':<44}{'median':>12}{'90 %':>12}")
    for difficulty in PRESETS:
        median, late = generation_ms(difficulty, args.levels)
        print(f"{difficulty:<44}{median:>12.1f}{late:>12.1f}")
    used, scene = kilobytes(level)
    print(f"\none more environment on a cached level: {used:.1f} KB; its scene, shared: {scene:.0f} KB pickled")


if __name__ == "__main__":
    main()
