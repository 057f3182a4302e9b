"""Generation of Sokoban levels: CPU time per level, against gym-sokoban and reasoning-gym.

    python benchmarks/sokoban_levels.py --gym-sokoban-python /path/to/python --reasoning-gym-python /path/to/python

Ours have exactly the stated number of optimal pushes, proven, with the fewest moves too; the peers' have whatever
comes out. `alone` is one level per call, as `reset(seed=n)` makes it; `together` many in one call. Nothing is cached.
The peers run in Pythons of their own, because gym-sokoban 0.0.6 needs an old gym and NumPy below 2; without one, the
peer's columns stay empty and a line says so.
"""

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentgen_bench.envs.sokoban.levels import generate
from agentgen_bench.envs.sokoban.settings import LevelSettings, level_settings

# size, boxes, pushes, our levels, gym-sokoban's levels (those of 4 boxes take it seconds each), reasoning-gym's
BOARDS = [
    (6, 1, 4, 200, 30, 100),
    (6, 2, 5, 200, 30, 100),
    (8, 2, 10, 200, 20, 100),
    (10, 4, 20, 200, 3, 50),
    (10, 4, 30, 60, 0, 0),
]
PEERS = ("gym-sokoban", "reasoning-gym")
WORKER = Path(__file__).with_name("sokoban_peer.py")


def measured(python: str | None, *arguments: str | int) -> Any:
    """Return what the worker prints in a peer's Python, or None where there is none."""
    if python is None:
        return None
    command = [python, str(WORKER), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def alone_ms(settings: LevelSettings, count: int) -> list[float]:
    """Return the CPU-milliseconds of each of `count` levels, generated one by one."""
    generate(settings, "train", [10**6])  # tables that are made once
    times = []
    for seed in range(count):
        began = time.process_time()
        generate(settings, "train", [seed])
        times.append((time.process_time() - began) * 1000)
    return times


def together_ms(settings: LevelSettings, count: int) -> float:
    """Return the CPU-milliseconds per level of `count` levels generated in one call."""
    began = time.process_time()
    generate(settings, "train", range(count))
    return (time.process_time() - began) * 1000 / count


def summary(times_ms: Sequence[float]) -> str:
    """Return median and 99th percentile (the maximum, below 100 values)."""
    ordered = sorted(times_ms)
    return f"{statistics.median(ordered):.1f} / {ordered[int(0.99 * len(ordered)) if len(ordered) >= 100 else -1]:.1f}"


def row(board: tuple[int, ...], pythons: dict[str, str | None]) -> list[str]:
    """Return one line of the table."""
    size, boxes, pushes, count, *peer_counts = board
    settings = level_settings("easy", size, boxes, pushes, None, None)
    ours = alone_ms(settings, count)
    cells = [f"{size}x{size}/{boxes}, {pushes}", summary(ours), f"{together_ms(settings, count):.2f}"]
    for peer, peer_count in zip(PEERS, peer_counts, strict=True):
        found = measured(pythons[peer], peer, "levels", size, boxes, peer_count) if peer_count else None
        if found is None:
            cells += ["-", "-"]
        else:
            ratio = statistics.median(found["result"]) / statistics.median(ours)
            cells += [f"{summary(found['result'])} (n={peer_count})", f"{ratio:.1f}x"]
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for peer in PEERS:
        parser.add_argument(f"--{peer}-python", metavar="PATH", help=f"a Python with {peer} installed")
    arguments = vars(parser.parse_args())
    pythons = {peer: arguments[f"{peer.replace('-', '_')}_python"] for peer in PEERS}
    for peer, python in pythons.items():
        if python is None:
            print(f"{peer}: not measured, --{peer}-python was not given")
    print("CPU ms per level, median / p99; the factor is the peer's median over ours alone")
    print("| board/boxes, pushes | ours alone | ours together | gym-sokoban | factor | reasoning-gym | factor |")
    print("|---|---|---|---|---|---|---|")
    for board in BOARDS:
        print(f"| {' | '.join(row(board, pythons))} |", flush=True)


if __name__ == "__main__":
    main()
