"""Environments made, played and thrown away for half an hour: nothing may grow.

    python benchmarks/churn.py [--minutes 30]

A round makes every family under every kind of wrapper and plays some random steps in it: alone, half-way (closed with
an episode under way), copied by pickle, in a `SyncVectorEnv`, and in an `AsyncVectorEnv`, which forks while garbage
waits to be collected. After each round everything is counted: this process's memory, descriptors, threads and child
processes, the JVM's memory, and objects that Python's collector knows. Printed are the medians over the rounds after
the warm-up (its first quarter) and over those at the end, and their limits; exit code 1 where one is exceeded. Caches
(of levels, translators, searches) are bounded; that they fill is no leak, so rounds take the levels of the warm-up in
turn, and the caches are full when it ends.
"""

import argparse
import gc
import os
import pickle
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from agentgen_bench.make import make
from agentgen_bench.seeding import stream
from agentgen_bench.spec import DistractorSpec, TaskSpec

FAMILIES = ("Sokoban", "WebShop", "ALFWorld", "SciWorld", "Blocks")
WRAPPERS: tuple[dict[str, Any], ...] = (
    {},
    {"richness": "rich", "distractors": DistractorSpec("contextual", 60)},
    {"distractors": "cross-env-v1"},
    {"interface": "opaque", "faults": "mixed-v1"},
    {"interface": "synonym", "lifecycle": "pack-4"},
)
CONTEXTUAL = 1
LEVELS = 2  # with five ways, ten rounds are all that is ever made
STEPS = 8
VECTOR_STEPS = 3
MIB = 2**20


class Count(NamedTuple):
    """What is in use after a round."""

    memory_mib: float
    jvm_mib: float
    descriptors: int
    threads: int
    processes: int
    objects: int


# What the end may have more than the warm-up left: a share of it, and a constant. Memory because allocators keep free
# pages, in Java up to the ratio of its options; objects for caches of levels, which are bounded; all else not at all.
LIMITS = {
    "memory_mib": (0.03, 8.0),
    "jvm_mib": (0.15, 48.0),
    "descriptors": (0.0, 0.0),
    "threads": (0.0, 0.0),
    "processes": (0.0, 0.0),
    "objects": (0.02, 2000.0),
}


def random_steps(env: gym.Env[str, str], seed: int, n_steps: int) -> None:
    """Reset and take random admissible commands, to the end of the episode at most."""
    draw = stream("churn", seed)
    _, info = env.reset(seed=seed)
    for _ in range(n_steps):
        commands = info["admissible_commands"] or ("",)
        _, _, terminated, truncated, info = env.step(commands[draw.integers(len(commands))])
        if terminated or truncated:
            return


def alone(spec: TaskSpec, seed: int) -> None:
    env = make(spec)
    random_steps(env, 0, STEPS)
    random_steps(env, seed, STEPS)
    env.close()


def copied(spec: TaskSpec, seed: int) -> None:
    env = make(spec)
    random_steps(env, seed, STEPS)
    copy = pickle.loads(pickle.dumps(env))
    copy.step("look")
    copy.close()
    env.close()


def never_closed(spec: TaskSpec, seed: int) -> None:
    random_steps(make(spec), seed, 2)


def vector(kind: Callable[[Sequence[Callable[[], gym.Env[str, str]]]], gym.vector.VectorEnv]) -> "Way":
    """Return a way of playing in a vector environment of that kind."""

    def play(spec: TaskSpec, seed: int) -> None:
        envs = kind([lambda: make(spec)] * 2)
        try:
            envs.reset(seed=[seed, seed + 1])
            for _ in range(VECTOR_STEPS):
                envs.step(np.array(["look", "up"], dtype=object))
        finally:
            envs.close()

    return play


Way = Callable[[TaskSpec, int], None]
WAYS: tuple[Way, ...] = (
    alone,
    copied,
    never_closed,
    vector(gym.vector.SyncVectorEnv),
    vector(gym.vector.AsyncVectorEnv),
)


def one_round(number: int, families: Sequence[str]) -> None:
    """Play every family under every wrapper, each in one way, which changes from round to round."""
    for i, family in enumerate(families):
        for j, knobs in enumerate(WRAPPERS):
            if family == "Blocks" and j == CONTEXTUAL:
                continue  # it has no style of its own
            spec = TaskSpec(family, **{"split": "test", **knobs})
            WAYS[(number + i + j) % len(WAYS)](spec, number % LEVELS)
            # Cyclic garbage with environments in it, collected whenever Python likes: in a fork, too.
            cycle: list[object] = [make(spec)]
            cycle.append(cycle)


def count() -> Count:
    """Return what is in use now."""
    gc.collect()
    children = list(child_processes())
    java = sum(memory_mib(pid) for pid in children if "java" in command(pid))
    return Count(
        memory_mib=memory_mib(os.getpid()),
        jvm_mib=java,
        descriptors=len(os.listdir("/proc/self/fd")) - 1,  # but for the one that lists them
        threads=threading.active_count(),
        processes=len(children),
        objects=len(gc.get_objects()),
    )


def child_processes() -> Iterator[int]:
    """Yield the processes below this one."""
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            yield int(pid)


def memory_mib(pid: int) -> float:
    """Return a process's resident memory, 0 where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def churn(
    seconds: float, families: Sequence[str] = FAMILIES, fewest: int = 8, say: Callable[[str], None] = print
) -> list[Count]:
    """Return the counts after each round, of as many rounds as begin within the time, but at least the fewest."""
    counts: list[Count] = []
    began = said = time.monotonic()
    while time.monotonic() - began < seconds or len(counts) < fewest:
        one_round(len(counts), families)
        counts.append(count())
        if time.monotonic() - said >= 60:
            said = time.monotonic()
            say(f"{(said - began) / 60:5.1f} min, {len(counts)} rounds: {shown(counts[-1])}")
    return counts


def shown(counted: Count) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in counted._asdict().items())


def medians(counts: Sequence[Count]) -> Count:
    return Count(*(statistics.median(values) for values in zip(*counts, strict=True)))


def judged(counts: Sequence[Count], say: Callable[[str], None] = print) -> bool:
    """Print what was in use after the warm-up and at the end; return whether nothing grew."""
    quarter = max(1, len(counts) // 4)
    # Of the quarter after the warm-up, and of the last one: what the ways of playing leave differs from round to round.
    before, after = medians(counts[quarter : 2 * quarter]), medians(counts[-quarter:])
    is_fine = True
    say(f"{'':12} {'after warm-up':>13} {'at the end':>11} {'limit':>9}")
    for name, (share, constant) in LIMITS.items():
        start, end = getattr(before, name), getattr(after, name)
        limit = start * (1 + share) + constant
        is_fine = is_fine and end <= limit
        say(f"{name:12} {start:13.1f} {end:11.1f} {limit:9.1f} {'' if end <= limit else '  GREW'}")
    return is_fine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--families", default=",".join(FAMILIES), help=f"default: {','.join(FAMILIES)}")
    args = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    counts = churn(args.minutes * 60, args.families.split(","), say=say)
    say(f"{len(counts)} rounds of {len(args.families.split(','))} families under {len(WRAPPERS)} sets of wrappers")
    return 0 if judged(counts, say) else 1


if __name__ == "__main__":
    sys.exit(main())
