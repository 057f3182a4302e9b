"""The Task API that OpenEnv shares with other servers of environments: splits, and their levels by number."""

from collections.abc import Mapping
from typing import Any

from agentgen_bench.errors import SpecError
from agentgen_bench.rows import LEVEL_FIELDS, LevelRow, split_names, split_row, split_size
from agentgen_bench.session import Session

PREVIEW = 100  # tasks of a split that are listed at once; `num_tasks` says how many there are
FIRST_SPLIT = "Sokoban-train"
FIELDS = (*LEVEL_FIELDS, "split", "prompt")


class TaskRow(LevelRow):
    """A level of a split, with a name of its own."""

    id: str


class TaskEnvironment:
    """The task methods of an environment, plain lookups that make no level, and the session that it holds."""

    session: Session | None = None

    def close(self) -> None:
        """Free the session's environment."""
        if self.session is not None:
            self.session.close()

    def list_splits(self) -> list[dict[str, str]]:
        """Return each family's splits, their levels easy, and the frozen suites, all of them for tests."""
        kinds = {"train": "train", "valid": "validation"}
        return [{"name": name, "type": kinds.get(name.partition("-")[2], "test")} for name in split_names()]

    def num_tasks(self, split: str) -> int:
        """Return how many levels a split has; a family's are decided by a seed each."""
        return split_size(split)

    def get_task(self, split: str, index: int) -> TaskRow:
        """Return the row of a level; raises IndexError where there is none of that number."""
        if not 0 <= index < split_size(split):
            raise IndexError(index)
        return {"id": f"{split}/{index}", **split_row(split, index)}

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[TaskRow]:
        """Return the rows of a slice, `PREVIEW` at most."""
        indices = range(split_size(split))[start:stop]
        return [self.get_task(split, index) for index in indices[:PREVIEW]]

    def list_tasks(self, split: str) -> list[TaskRow]:
        """Return the first rows of a split."""
        return self.get_task_range(split)


def asked_for(seed: int | None, level: Mapping[str, Any]) -> dict[str, object]:
    """Return the row that a reset asks for: a level of a split, or whatever else names a level in a row.

    Without an index, `seed` is the level's number. Beside one it numbers the episodes on that level, for the record:
    the worlds draw nothing of their own.

    Raises:
        SpecError: an argument that there is not, or a level that there is not.
    """
    if unknown := sorted(set(level) - set(FIELDS)):
        raise SpecError(f"unknown argument {unknown[0][:60]!r} of reset; choose from: seed, {', '.join(FIELDS)}")
    named = {name: value for name, value in level.items() if name not in ("split", "index") and value is not None}
    if {"env", "spec", "suite"} & named.keys():
        return {**named, "index": level.get("index"), "seed": None if "suite" in named else seed}
    split, index = level.get("split") or FIRST_SPLIT, level.get("index")
    repeat = 0 if index is None else seed or 0
    return {"repeat": repeat, **named, **split_row(split, (seed or 0) if index is None else index)}
