"""Freezing suites: which settings each holds, and the levels their seeds give.

    python -m agentgen_bench.evaluation.freeze smoke core-v1

rewrites the files of the named suites. A released suite is never frozen again: a new version gets a new name.
"""

import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from agentgen_bench.make import make
from agentgen_bench.spec import TaskSpec
from agentgen_bench.suites import Cell, to_text

LEADERBOARD_LEVELS = 500  # half-width of a 95 % interval: 3.5 percentage points at a success rate of .2

SMOKE_LEVELS = {"ALFWorld": 10, "WebShop": 10, "SciWorld": 5}  # a SciWorld step costs a thousand times a Sokoban one

Definition = tuple[str, list[tuple[TaskSpec, int]]]


def definitions() -> dict[str, Definition]:
    """Return each suite's description and its cells as (setting, number of distinct levels)."""
    return {
        "smoke": (
            "A minute: a few easy levels of each family, to see that everything works",
            [
                *((_spec("Sokoban", "easy", richness), 10) for richness in ("lean", "base", "rich")),
                *((_spec(family, "easy"), n_levels) for family, n_levels in SMOKE_LEVELS.items()),
            ],
        ),
    }


def _spec(family: str, difficulty: str, richness: str = "base", split: str = "test") -> TaskSpec:
    return TaskSpec.from_env_id(f"AgentGen/{family}-{richness}-v0", difficulty=difficulty, split=split)


def frozen_cell(spec: TaskSpec, n_levels: int) -> Cell:
    """Return the cell with the first `n_levels` seeds, from 0 up, that give levels not seen before."""
    levels: dict[str, int] = {}
    for seed, level_id in _levels(spec):
        levels.setdefault(level_id, seed)
        if len(levels) == n_levels:
            break
    return Cell(spec, tuple(levels.values()), tuple(levels))


def changed_levels(cell: Cell) -> list[str]:
    """Return a line for each level of a frozen cell that its seed no longer gives."""
    env = make(cell.spec)
    try:
        found = [str(env.reset(seed=seed)[1]["level_id"]) for seed in cell.seeds]
    finally:
        env.close()
    return [
        f"{cell.spec.label} seed {seed}: frozen {frozen}, now {now}"
        for seed, frozen, now in zip(cell.seeds, cell.level_ids, found, strict=True)
        if frozen != now
    ]


def _levels(spec: TaskSpec) -> Iterator[tuple[int, str]]:
    env = make(spec)
    try:
        for seed in range(1_000_000):
            yield seed, str(env.reset(seed=seed)[1]["level_id"])
    finally:
        env.close()


def main() -> None:
    """Freeze the suites named on the command line."""
    folder = Path(str(resources.files("agentgen_bench.suites")))
    for name in sys.argv[1:]:
        description, cells = definitions()[name]
        frozen = tuple(frozen_cell(spec, n_levels) for spec, n_levels in cells)
        (folder / f"{name}.json").write_text(to_text(description, frozen), encoding="utf-8")


if __name__ == "__main__":
    main()
