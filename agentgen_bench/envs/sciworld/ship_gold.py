"""Make the data file of gold paths, and show what it holds.

python -m agentgen_bench.envs.sciworld.ship_gold             # print the table of gold lengths
python -m agentgen_bench.envs.sciworld.ship_gold --generate test --jobs 2    # make the data file anew (hours)
"""

import argparse
import multiprocessing
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from agentgen_bench.envs.sciworld.gold import DATA, Gold, save, shipped
from agentgen_bench.envs.sciworld.levels import UNSOLVED, Level, variations
from agentgen_bench.envs.sciworld.planning import generate_gold
from agentgen_bench.envs.sciworld.settings import TASKS, Task, simplifications, task_named

SAVE_EVERY = 100


def levels_to_ship(split: str) -> list[Level]:
    """Return all levels of a split that a difficulty preset can reach: every task bare, the short ones also eased."""
    return [
        Level(task.name, variation, chosen)
        for task in TASKS
        for chosen in sorted({"", simplifications(task, "easy", None)} if task.group == "short" else {""})
        for variation in variations(task, split)
        if (task.name, variation) not in UNSOLVED
    ]


def generate(levels: Iterable[Level], jobs: int, path: Path) -> None:
    """Add the gold of `levels` to the data file, save every hundred; those it has already are kept."""
    gold = dict(shipped(path)) if path.exists() else {}
    missing = [level for level in levels if level not in gold]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for done, (level, found) in enumerate(zip(missing, pool.imap(generate_gold, missing), strict=True), start=1):
            gold[level] = found
            if done % SAVE_EVERY == 0 or done == len(missing):
                save(gold, path)
                sys.stderr.write(f"{done} of {len(missing)}\n")


def table(gold: Gold) -> str:
    """Return a table of gold lengths: per task and simplification the number of paths, mean, range, and unsolved."""
    lines = [f"{'id':5} {'task':50} {'eased':5} {'paths':>5} {'mean':>6} {'range':>9} {'below 100':>9}"]
    for task in TASKS:
        lines += [
            _row(task, chosen, gold) for chosen in sorted({k.simplifications for k in gold if k.task == task.name})
        ]
    return "\n".join(lines) + "\n"


def _row(task: Task, chosen: str, gold: Gold) -> str:
    paths = [path for level, path in gold.items() if (level.task, level.simplifications) == (task.name, chosen)]
    lengths = [len(path.actions) for path in paths]
    below = sum(path.score < 100 for path in paths)
    span = f"{min(lengths)}-{max(lengths)}"
    mean = sum(lengths) / len(lengths)
    return f"{task.id:5} {task.name:50} {'yes' if chosen else 'no':5} {len(paths):5} {mean:6.1f} {span:>9} {below:9}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command described at the top of this file."""
    parser = argparse.ArgumentParser(prog="python -m agentgen_bench.envs.sciworld.ship_gold", description=__doc__)
    parser.add_argument("--generate", metavar="SPLIT", choices=("train", "valid", "test"), help="add a split's gold")
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="names or ids; default: all 30")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with a JVM of about 0.3 GB; default: 1")
    parser.add_argument("--path", type=Path, default=DATA, help="data file; default: the package's own")
    options = parser.parse_args(arguments)
    if options.generate:
        names = {task_named(key).name for key in options.tasks or [task.name for task in TASKS]}
        levels = [level for level in levels_to_ship(options.generate) if level.task in names]
        generate(levels, options.jobs, options.path)
        shipped.cache_clear()
    sys.stdout.write(table(shipped(options.path)))


if __name__ == "__main__":
    main()
