"""CPU time of the package beside that of another checkout of it, in the same run: is anything slower than before?

    git worktree add /tmp/before COMMIT && python benchmarks/against.py /tmp/before [--only MEASURE ...]

Both are measured by the same program, in processes that take turns, so that a busy machine slows both. Printed for
each measure: microseconds of CPU before and now, each the median of the rounds, and how many times faster it is now,
the median over the pairs of neighbouring rounds. Measures: `reset` and `step` of each family and richness; `first met`,
Sokoban positions that no earlier step described; what a wrapper adds to a recorded step; `loop`, rollout with the
random policy, a step; `line`, an episode's line of JSON, a step; `import`, a fresh process. They are of the least that
each episode (of the loop: each run; of the import: each process) took in several passes, which other work on the
machine cannot make less; SciWorld's are means, with the CPU of its simulator, on Linux only.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROUNDS = 7
LEVELS = 12
PLANNED = 30
REPEATS = 25
FAMILIES = ("Sokoban", "WebShop", "ALFWorld", "SciWorld")
WRAPPED = (
    ("paper-v1", {"distractors": "paper-v1"}),
    ("cross-env-v1", {"distractors": "cross-env-v1"}),
    ("opaque", {"interface": "opaque"}),
)


def least(played: Callable[[], Iterator[float]]) -> float:
    """Return the seconds of the episodes together, each the least that it took in REPEATS passes over all."""
    return sum(map(min, zip(*(tuple(played()) for _ in range(REPEATS)), strict=True)))


def plan(env: Any, seed: int) -> list[str]:
    """Return the expert's first actions on a level."""
    env.reset(seed=seed)
    actions = []
    for _ in range(PLANNED):
        actions.append(env.get_wrapper_attr("expert_action")())
        if any(env.step(actions[-1])[2:4]):
            break
    return actions


def family_measures(family: str) -> Iterator[tuple[str, float]]:
    """Yield resets and steps of a family at each richness; of SciWorld with what its simulator's process takes."""
    from agentgen_bench import TaskSpec, make

    is_simulated = family == "SciWorld"
    for richness in ("lean", "base", "rich"):
        env = make(TaskSpec(family, richness=richness))
        plans = [plan(env, seed) for seed in range(LEVELS if not is_simulated else 2)]
        resets, steps = [], []
        for _ in range(REPEATS if not is_simulated else 4):
            times = [spent_on(env, seed, actions, is_simulated) for seed, actions in enumerate(plans)]
            resets.append([reset for reset, _ in times])
            steps.append([step for _, step in times])
        # The simulator's time is counted in hundredths of a second: there it is the sum that says something.
        together = statistics.fmean if is_simulated else min
        yield f"{family} {richness} reset", 1e6 * sum(map(together, zip(*resets, strict=True))) / len(plans)
        yield f"{family} {richness} step", 1e6 * sum(map(together, zip(*steps, strict=True))) / sum(map(len, plans))
        env.close()


def spent_on(env: Any, seed: int, actions: list[str], with_children: bool) -> tuple[float, float]:
    """Return the seconds of CPU of a level's reset, and of a plan's steps."""
    times = [cpu_s(with_children)]
    env.reset(seed=seed)
    times.append(cpu_s(with_children))
    for action in actions:
        env.step(action)
    times.append(cpu_s(with_children))
    return times[1] - times[0], times[2] - times[1]


def cpu_s(with_children: bool) -> float:
    """Return the seconds of CPU that this process has taken, with those of its running children where asked for."""
    own = time.process_time()
    if not with_children:
        return own
    (listed,) = Path("/proc/self/task").glob(f"{os.getpid()}/children")
    children = listed.read_text(encoding="ascii").split()
    fields = [Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split() for child in children]
    return own + sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def first_met() -> Iterator[tuple[str, float]]:
    """Yield the steps of the expert's plans on Sokoban levels that are played for the first time."""
    import gymnasium as gym

    import agentgen_bench  # noqa: F401

    for richness in ("lean", "base", "rich"):
        for difficulty in ("easy", "hard"):
            env = gym.make(f"AgentGen/Sokoban-{richness}-v0", difficulty=difficulty)
            plans = [plan(env, seed) for seed in range(25)]

            def played(env: Any = env, plans: list[list[str]] = plans) -> Iterator[float]:
                for seed, actions in enumerate(plans):
                    env.reset(seed=seed)
                    began = time.process_time()
                    for action in actions:
                        env.step(action)
                    yield time.process_time() - began

            yield f"Sokoban {richness} {difficulty} first met", 1e6 * least(played) / sum(map(len, plans))


def recorded(env: Any, answers: list[tuple[str, dict[str, Any]]]) -> Any:
    """Return an environment that gives back recorded answers, whatever the action."""
    try:
        from agentgen_bench.contract import TextWrapper as Wrapper
    except ImportError:  # a checkout from before the contract
        from gymnasium import Wrapper

    class Recorded(Wrapper):  # type: ignore[misc, valid-type]
        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            self.at = 0
            return answers[0]

        def step(self, action: str) -> Any:
            self.at = (self.at + 1) % len(answers)
            return (answers[self.at][0], 0.0, False, False, answers[self.at][1])

    return Recorded(env)


def wrapper_measures(family: str) -> Iterator[tuple[str, float]]:
    """Yield what each wrapper adds to a step."""
    from dataclasses import asdict

    from agentgen_bench import TaskSpec, make
    from agentgen_bench.wrappers.distractors import Distractors
    from agentgen_bench.wrappers.interface import Interface

    for richness in ("base", "rich"):
        inner = make(TaskSpec(family, richness=richness))
        answers = [inner.reset(seed=3)]
        for _ in range(PLANNED):
            observation, _, terminated, truncated, info = inner.step(inner.get_wrapper_attr("expert_action")())
            answers.append((observation, info))
            if terminated or truncated:
                break
        env = recorded(inner, answers)

        def step_us(each: Any) -> float:
            def played() -> Iterator[float]:
                for seed in range(LEVELS):
                    each.reset(seed=seed)
                    began = time.process_time()
                    for _ in range(PLANNED):
                        each.step("x")
                    yield time.process_time() - began

            return 1e6 * least(played) / (LEVELS * PLANNED)

        bare = step_us(env)
        for name, knobs in WRAPPED:
            spec = TaskSpec(family, **knobs)
            own, renamed = spec.distractor_spec, spec.interface_spec
            wrapper = Distractors(env, **asdict(own)) if own else Interface(env, **asdict(renamed))  # type: ignore
            yield f"{family} {richness} {name}", step_us(wrapper) - bare
        inner.close()


def loop_measures() -> Iterator[tuple[str, float]]:
    """Yield a step of the rollout loop, and of its record's line."""
    from agentgen_bench.episodes import to_line
    from agentgen_bench.policies.names import scripted_policy
    from agentgen_bench.rollout import Job, play
    from agentgen_bench.spec import TaskSpec

    for family in FAMILIES[:3]:
        jobs = [Job(TaskSpec(family), seed) for seed in range(40)]
        episodes = list(play(jobs, scripted_policy("random", 0)))
        steps = sum(len(episode.steps) for episode in episodes)
        loops = []
        for _ in range(10):  # one sweep of the garbage collector is a quarter of such a short run
            gc.collect()
            began = time.process_time()
            list(play(jobs, scripted_policy("random", 0)))
            loops.append(1e6 * (time.process_time() - began) / steps)
        lines = []
        for _ in range(5):
            began = time.process_time()
            for episode in episodes:
                to_line(episode)
            lines.append(1e6 * (time.process_time() - began) / steps)
        yield f"{family} loop", min(loops)
        yield f"{family} line", min(lines)


def measures(name: str) -> Iterator[tuple[str, float]]:
    """Yield the measures of a name."""
    if name == "import":
        return
    if name == "loop":
        yield from loop_measures()
    elif name == "first-met":
        yield from first_met()
    elif name.startswith("wrappers-"):
        yield from wrapper_measures(name.partition("-")[2])
    else:
        yield from family_measures(name)


def once(checkout: Path, names: list[str]) -> dict[str, float]:
    """Return one round of a checkout's measures, from a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, __file__, "--worker", *names]
    done = subprocess.run(command, env=environment, cwd=checkout, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if "import" in names:
        program = "import time; t = time.process_time(); import agentgen_bench; print(time.process_time() - t)"
        command = [sys.executable, "-c", program]
        runs = [
            subprocess.run(command, env=environment, cwd=checkout, capture_output=True, text=True, check=True)
            for _ in range(5)
        ]
        found["import"] = 1e6 * min(float(each.stdout) for each in runs)
    return found


NAMES = ["import", "loop", "first-met", *FAMILIES, *(f"wrappers-{family}" for family in FAMILIES)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, nargs="?", help="a checkout of the commit to compare with")
    parser.add_argument("--only", nargs="*", metavar="MEASURE", help=f"some of: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each checkout (default: {ROUNDS})")
    parser.add_argument("--worker", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        print(json.dumps(dict(pair for name in options.worker for pair in measures(name))))
        return
    here, names = Path(__file__).resolve().parents[1], options.only or NAMES
    pairs = []
    for number in range(options.rounds):
        order = [options.before.resolve(), here][:: 1 if number % 2 else -1]
        found = {checkout: once(checkout, names) for checkout in order}
        pairs.append((found[options.before.resolve()], found[here]))
    print(f"{'CPU microseconds, median of ' + str(options.rounds):<44}{'before':>10}{'now':>10}{'times faster':>14}")
    for name in pairs[0][0]:
        before, now = (statistics.median(pair[i][name] for pair in pairs) for i in (0, 1))
        faster = statistics.median(old[name] / new[name] for old, new in pairs)
        print(f"{name:<44}{before:>10.1f}{now:>10.1f}{faster:>14.2f}{'  slower' if faster < 0.95 else ''}")


if __name__ == "__main__":
    main()
