"""Verification by replay: a submission of 10,000 episodes, per family, on one core and on all.

    python benchmarks/replay_verification.py [--episodes 10000] [--families Sokoban,WebShop,ALFWorld] [--sciworld 60]

Levels are drawn and played by the random policy first (not timed), then the entry is verified as a stranger's would
be: parsed, replayed, scored. CPU seconds are those of all processes, so that a busy machine does not spoil them;
SciWorld runs in a JVM, whose time they leave out, and is reported apart. The limit to compare with is 5 minutes for
10,000 episodes on 2 cores.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from agentgen_bench.evaluation.freeze import frozen_cell
from agentgen_bench.evaluation.plan import suite_plan
from agentgen_bench.evaluation.run import evaluate
from agentgen_bench.families import DIFFICULTIES
from agentgen_bench.leaderboard.submit import submit
from agentgen_bench.leaderboard.verify import verify
from agentgen_bench.policies.scripted import RandomPolicy
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Suite, from_text, to_text

LIMIT_S = 300.0


def main() -> None:
    """Print a row per family and one for all but SciWorld together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=10_000, help="episodes of the families in Python together")
    parser.add_argument("--families", default="Sokoban,WebShop,ALFWorld", help="families in Python")
    parser.add_argument("--sciworld", type=int, default=60, help="SciWorld episodes; 0 for none")
    args = parser.parse_args()
    families = args.families.split(",")
    levels = args.episodes // (len(families) * len(DIFFICULTIES))
    columns = f"{'submission':<24}{'episodes':>9}{'steps':>9}{'MB':>7}{'workers':>9}{'wall s':>9}{'CPU s':>8}"
    print(columns + f"{'10,000 in min CPU':>19}{'on 2 cores':>12}")
    with tempfile.TemporaryDirectory() as folder:
        path = entry(Path(folder), "python-families", families, levels)
        for workers in sorted({1, os.cpu_count() or 1}):
            row("+".join(families), path, workers)
        if args.sciworld:
            path = entry(Path(folder), "sciworld", ["SciWorld"], args.sciworld // len(DIFFICULTIES))
            row("SciWorld", path, os.cpu_count() or 1)
    print(f"limit: {LIMIT_S / 60:.0f} minutes for 10,000 episodes on 2 cores, SciWorld apart")


def suite_of(name: str, families: list[str], levels: int) -> Suite:
    """Return a suite of this many levels per family and difficulty."""
    specs = [
        TaskSpec(family, difficulty=difficulty, split="test") for family in families for difficulty in DIFFICULTIES
    ]
    return from_text(name, to_text("for the benchmark", tuple(frozen_cell(spec, levels) for spec in specs)))


SUITES: dict[Path, Suite] = {}


def entry(folder: Path, name: str, families: list[str], levels: int) -> Path:
    """Return an entry of the random policy over a new suite."""
    suite = suite_of(name, families, levels)
    evaluate(suite_plan(suite), RandomPolicy(), PromptConfig(), folder / "runs" / name, record_text=False)
    path = submit(
        folder / "runs" / name, org="o", model="random", date="2026-01-01", leaderboards=folder / "board", suite=suite
    )
    SUITES[path] = suite
    return path


def row(label: str, path: Path, workers: int) -> None:
    """Verify once and print how long it took."""
    began, cpu_began = time.perf_counter(), cpu_seconds()
    found = verify(path, suite=SUITES[path], workers=workers)
    seconds, cpu = time.perf_counter() - began, cpu_seconds() - cpu_began
    if not found.holds:
        raise SystemExit(f"{label} does not hold: {found.problems}")
    size = (path / "episodes.jsonl.gz").stat().st_size / 1e6
    minutes = cpu * 10_000 / found.episodes / 60
    print(
        f"{label:<24}{found.episodes:>9}{found.steps:>9}{size:>7.1f}{workers:>9}{seconds:>9.1f}{cpu:>8.1f}"
        f"{minutes:>19.2f}{minutes / 2:>12.2f}",
        flush=True,
    )


def cpu_seconds() -> float:
    """Return the CPU time of this process and of the workers that have ended, the shared JVM's not among them."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
