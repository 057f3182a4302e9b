"""Which level a seed plays: the 30 tasks, their official splits, the difficulty presets.

A level is (task, variation, simplifications). Variation indices are split into contiguous ranges as the simulator
splits them (half train, a quarter valid, the rest test), so splits share no level.
"""

import functools
from typing import NamedTuple

from agentgen_bench.envs.sciworld.settings import PRESETS, TASKS, Task, task_named
from agentgen_bench.errors import SpecError
from agentgen_bench.seeding import stream

UNSOLVED = frozenset({("freeze", 11), ("freeze", 19)})  # the simulator's own gold path ends at 87 and 82 points


class Level(NamedTuple):
    """One level: task name, variation index, simplifications in the simulator's words ("" for none)."""

    task: str
    variation: int
    simplifications: str


def variations(task: Task, split: str) -> range:
    """Return the variation indices of a task in a split (PythonInterface.getSets of scienceworld 1.2.3)."""
    quarter = task.n_variations // 4  # every task has at least 10 variations, so the small cases do not arise
    bounds = {
        "train": (0, 2 * quarter),
        "valid": (2 * quarter, 3 * quarter),
        "test": (3 * quarter, task.n_variations),
    }
    return range(*bounds[split])


@functools.cache
def level_order(difficulty: str, split: str, task: str | None) -> tuple[tuple[str, int], ...]:
    """Return the (task name, variation) pairs of a setting in the order in which seeds 0, 1, 2 ... play them.

    Rounds over the tasks, each round in an order of its own, each task's variations in an order of their own; a task
    leaves the rounds when its variations are used up. So tasks are as balanced as can be, and no level comes twice
    before all have come once.
    """
    chosen = [task_named(task)] if task else [t for t in TASKS if t.group in PRESETS[difficulty]]
    remaining = {}
    for one in chosen:
        indices = [i for i in variations(one, split) if (one.name, i) not in UNSOLVED]
        remaining[one.name] = stream("sciworld", split, one.name).permutation(indices).tolist()
    order: list[tuple[str, int]] = []
    rounds = stream("sciworld", split, difficulty, "rounds")
    while remaining:
        names = sorted(remaining)
        for name in (names[i] for i in rounds.permutation(len(names))):
            order.append((name, remaining[name].pop(0)))
            if not remaining[name]:
                del remaining[name]
    return tuple(order)


def check_variation(task: Task, split: str, variation: int) -> int:
    """Return the variation as int; raises SpecError where the task has none such in the split."""
    allowed = variations(task, split)
    if isinstance(variation, bool) or not isinstance(variation, int) or variation not in allowed:
        ranges = ", ".join(
            f"{name} {variations(task, name)[0]} to {variations(task, name)[-1]}" for name in ("train", "valid", "test")
        )
        raise SpecError(f"variation={variation!r} of {task.name} is not in split {split!r}; its splits are: {ranges}")
    return variation
