"""SciWorld beside the stock ScienceWorldEnv: start, memory and cost of a step.

    python benchmarks/sciworld.py
    python benchmarks/sciworld.py --environments 16 --stock 16 --steps 30

Each row is a process of its own that makes its environments, resets them and steps them in turn with the same
actions on the same levels (seeds 0, 1, 2 ... of medium, test). CPU is that of Python and of every JVM together
(Linux: /proc), so a busy machine changes little. Memory is resident memory, Python and JVMs. Stock environments start
a JVM each and list all valid actions at every step; fewer of them are run, the ratios are per environment.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

ACTIONS = ("look around", "open door to hallway", "go to hallway", "open door to kitchen", "go to kitchen", "wait1")
WARM_UP = 6  # steps of each environment before the count begins: the JVM compiles what is used
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Row(NamedTuple):
    """What one process measured."""

    start_cpu_s: float
    memory_mb: float
    step_cpu_ms: float


def cpu_s(jvms: list[int]) -> float:
    """Return the CPU time spent so far by this process and by the JVMs."""
    total = time.process_time()
    for jvm in jvms:
        fields = Path(f"/proc/{jvm}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    return total


def memory_mb(processes: list[int]) -> float:
    """Return the resident memory of the processes together."""
    statuses = [Path(f"/proc/{process}/status").read_text() for process in processes]
    return sum(int(status.split("VmRSS:")[1].split()[0]) for status in statuses) / 1024


def measure(make: Any, n: int, steps: int) -> Row:
    """Make and reset `n` environments, step them in turn; `make(i)` returns (step function, JVM process id)."""
    began = time.process_time()
    made = [make(i) for i in range(n)]
    jvms = sorted({jvm for _, jvm in made})
    start = cpu_s(jvms) - began
    play(made, WARM_UP)
    before = cpu_s(jvms)
    play(made, steps)
    return Row(start, memory_mb([os.getpid(), *jvms]), 1000 * (cpu_s(jvms) - before) / (n * steps))


def play(made: list[Any], steps: int) -> None:
    for i in range(steps):
        for step, _ in made:
            step(ACTIONS[i % len(ACTIONS)])


def ours(richness: str, admissible: str) -> Any:
    from agentgen_bench.envs.scienceworld.backend import shared_jvm
    from agentgen_bench.envs.scienceworld.env import SciWorldEnv

    def make(seed: int) -> tuple[Any, int]:
        env = SciWorldEnv(richness=richness, difficulty="medium", split="test", admissible=admissible)
        env.reset(seed=seed)
        return env.step, shared_jvm().process_id

    return make


def stock() -> Any:
    from scienceworld import ScienceWorldEnv

    from agentgen_bench.envs.scienceworld.levels import level_order

    def make(seed: int) -> tuple[Any, int]:
        task, variation = level_order("medium", "test", None)[seed]
        env = ScienceWorldEnv("", envStepLimit=10_000)
        env.load(task, variation, "")
        env.reset()
        return env.step, env._gateway.java_process.pid

    return make


ROWS = {
    "ours, lean, no commands listed": ("lean", "none"),
    "ours, lean": ("lean", "visible"),
    "ours, base, no commands listed": ("base", "none"),
    "ours, base": ("base", "visible"),
    "ours, rich": ("rich", "visible"),
    "stock, look + inventory + all valid actions": None,
}


def in_a_process(name: str, n: int, steps: int) -> Row:
    """Measure a row in a fresh process."""
    command = [sys.executable, __file__, "--row", name, "--environments", str(n), "--steps", str(steps)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Row(*json.loads(output.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=int, default=16, help="of ours; default: 16")
    parser.add_argument("--stock", type=int, default=3, help="stock environments, a JVM each; default: 3")
    parser.add_argument("--steps", type=int, default=18, help="counted steps of each environment; default: 18")
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        made = ROWS[options.row]
        print(json.dumps(measure(ours(*made) if made else stock(), options.environments, options.steps)))
        return
    counts = {name: options.environments if made else options.stock for name, made in ROWS.items()}
    rows = {name: in_a_process(name, counts[name], options.steps) for name in ROWS}
    peer, n_peer = rows[list(ROWS)[-1]], options.stock
    print(
        f"{'':44} {'envs':>4} {'start, CPU s':>12} {'memory, MB':>10} {'step, CPU ms':>12} {'stock/ours per env':>30}"
    )
    for name, row in rows.items():
        n = counts[name]
        ratios = (
            f"start {peer.start_cpu_s / n_peer / (row.start_cpu_s / n):.0f}x, "
            f"memory {peer.memory_mb / n_peer / (row.memory_mb / n):.0f}x, "
            f"step {peer.step_cpu_ms / row.step_cpu_ms:.0f}x"
        )
        print(f"{name:44} {n:4} {row.start_cpu_s:12.1f} {row.memory_mb:10.0f} {row.step_cpu_ms:12.1f} {ratios:>30}")


if __name__ == "__main__":
    main()
