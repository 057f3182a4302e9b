"""verifiers: the levels of a split as a taskset (docs/adapters/verifiers.md)."""

from collections.abc import Iterator
from typing import Any

import verifiers.v1 as vf

from agentgen_bench.adapters import CHAT
from agentgen_bench.prompts import PromptConfig
from agentgen_bench.rows import split_rows
from agentgen_bench.suites import suite_names


class LevelsConfig(vf.TasksetConfig):  # type: ignore[misc]
    """Which levels: a suite or a family's split (`Sokoban-train`), and prompt settings other than those of a chat."""

    split: str = "core-v1"
    prompt: dict[str, Any] = {}


class LevelData(vf.TaskData):  # type: ignore[misc]
    """A level's row and its prompt settings."""

    level: dict[str, Any]
    settings: dict[str, Any]


class LevelTask(vf.Task[LevelData]):  # type: ignore[misc]
    """A level."""


class Levels(vf.Taskset[LevelTask, LevelsConfig]):  # type: ignore[misc]
    """The levels of a split; those of a family are too many to be held at once."""

    def __init__(self, config: LevelsConfig) -> None:
        super().__init__(config)
        self.INFINITE = config.split not in suite_names()

    def load(self) -> Iterator[LevelTask]:
        """Yield a task for each level."""
        settings = PromptConfig.from_json({**CHAT.to_json(), **self.config.prompt}).to_json()
        for number, row in enumerate(split_rows(self.config.split)):
            yield LevelTask(
                LevelData(name=f"{self.config.split}/{number}", level=row, settings=settings), self.config.task
            )
