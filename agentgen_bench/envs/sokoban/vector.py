"""SokobanVectorEnv: many boards stepped together, with the same levels, texts, rewards and infos as one by one."""

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector.utils import batch_space

from agentgen_bench.checks import checked_actions, checked_mapping, checked_seed
from agentgen_bench.envs.base import SEEDS
from agentgen_bench.envs.sokoban.env import SokobanEnv
from agentgen_bench.envs.sokoban.play import Play
from agentgen_bench.envs.sokoban.rules import Level
from agentgen_bench.envs.sokoban.table import Flags, PositionTable
from agentgen_bench.errors import SpecError
from agentgen_bench.text import Richness

Texts = tuple[str, ...]
Infos = dict[str, Any]

# How many positions are remembered on average; a rich one holds about 10 kB of text.
POSITIONS_PER_BOARD = {Richness.LEAN: 256, Richness.BASE: 128, Richness.RICH: 32}


class SokobanVectorEnv(gym.vector.VectorEnv[Texts, Sequence[str], npt.NDArray[Any]]):
    """What `SyncVectorEnv` over SokobanEnv gives, faster.

    Made by `gym.make_vec("AgentGen/Sokoban-v0", 256, vectorization_mode="vector_entry_point")`.

    Board i of `reset(seed=s)` plays level s + i. A board whose episode has ended starts its next level at the next
    step, whose action it ignores (Gymnasium's NEXT_STEP); next levels are generated for many boards at once.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "autoreset_mode": gym.vector.AutoresetMode.NEXT_STEP}

    def __init__(self, num_envs: int = 1, **knobs: Any) -> None:
        """Create `num_envs` boards; the knobs are SokobanEnv's, which checks them."""
        self._one = SokobanEnv(**knobs)
        self.num_envs = num_envs
        self.render_mode: str | None = self._one.render_mode
        self.single_observation_space: gym.Space[str] = self._one.observation_space
        self.single_action_space: gym.Space[str] = self._one.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generators = [gym.utils.seeding.np_random()[0] for _ in range(num_envs)]
        self._upcoming: list[Level | None] = [None] * num_envs
        self._plays: dict[int, Play] = {}  # by board
        self._table = PositionTable(num_envs * POSITIONS_PER_BOARD[self._one.richness])
        self._rows = np.zeros(num_envs, dtype=np.int64)
        self._tasks, self._level_ids = np.empty(num_envs, dtype=object), np.empty(num_envs, dtype=object)
        self._elapsed, self._limits = np.zeros(num_envs, dtype=np.int64), np.zeros(num_envs, dtype=np.int64)
        self._ended = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Texts, Infos]:
        """Start a level on every board: seed + i on board i, the i-th of several seeds, or (None) its next one."""
        if options is not None and checked_mapping("options", options):
            raise SpecError(f"reset takes no options, got {sorted(options)}; settings belong to gym.make_vec")
        seeds = self._board_seeds(seed)
        given = [(i, checked_seed(one)) for i, one in enumerate(seeds) if one is not None]
        for (i, one), level in zip(given, self._one.levels_of([one for _, one in given]), strict=True):
            self._generators[i] = gym.utils.seeding.np_random(one)[0]
            self._upcoming[i] = level
        self._table.forget()
        self._start(list(range(self.num_envs)))
        self._ended[:] = False
        return self._observed(np.ones(self.num_envs, dtype=np.bool_))

    def step(self, actions: Sequence[str]) -> tuple[Texts, npt.NDArray[np.float64], Flags, Flags, Infos]:
        """Execute one action on every board; raises ActionError where there are fewer or more, or one is no string."""
        if not self._plays:
            raise gym.error.ResetNeeded("no level is being played; call reset first")
        given = checked_actions(actions, self.num_envs)
        if not self._table.has_room(2 * self.num_envs):  # every board's next position, or its next level's first
            positions = [self._table.position(row) for row in self._rows.tolist()]
            self._table.forget()
            self._rows = self._table.rows(positions)
        self._rows, rewards, valid = self._table.advance(self._rows, self._plays, given)
        self._elapsed += 1
        starting = np.flatnonzero(self._ended)
        if len(starting):
            self._start(starting.tolist())
            rewards[starting], valid[starting] = 0.0, True
        terminated = self._table.success.take(self._rows)
        truncated = (self._elapsed >= self._limits) & ~terminated
        self._ended = terminated | truncated
        texts, infos = self._observed(valid)
        return texts, rewards, terminated, truncated, infos

    def render(self) -> Texts | None:
        """Return the current observations in mode ansi, else None; raises ResetNeeded before the first reset."""
        if not self._plays:
            raise gym.error.ResetNeeded("no level is being played; call reset first")
        return tuple(self._table.texts.take(self._rows).tolist()) if self.render_mode == "ansi" else None

    def _board_seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            return [checked_seed(seed) + i for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise SpecError(f"got {len(seed)} seeds for {self.num_envs} boards; give one seed, or one for each")
        return list(seed)

    def _next_levels(self, boards: Iterable[int]) -> list[Level]:
        """Return the next level of each board; where one is not ready, the next ones of all boards are made at once."""
        if any(self._upcoming[i] is None for i in boards):
            missing = [i for i, level in enumerate(self._upcoming) if level is None]
            seeds = [int(self._generators[i].integers(SEEDS)) for i in missing]
            for i, level in zip(missing, self._one.levels_of(seeds), strict=True):
                self._upcoming[i] = level
        ready = [self._upcoming[i] for i in boards]
        for i in boards:
            self._upcoming[i] = None
        return [level for level in ready if level is not None]

    def _start(self, boards: list[int]) -> None:
        """Begin the next level on each of the boards."""
        for i, level in zip(boards, self._next_levels(boards), strict=True):
            self._plays[i] = self._one.new_play(level)
            self._tasks[i], self._level_ids[i] = self._plays[i].text.task, level.level_id
            self._limits[i] = self._one.step_limit(level)
        self._elapsed[boards] = 0
        self._rows[boards] = self._table.rows([self._plays[i].position for i in boards])

    def _observed(self, valid: Flags) -> tuple[Texts, Infos]:
        table, rows = self._table, self._rows
        infos: Infos = {
            "sections": table.sections.take(rows),
            "admissible_commands": table.commands.take(rows),
            "task": self._tasks.copy(),
            "success": table.success.take(rows),
            "score": table.score.take(rows),
            "is_action_valid": valid,
            "level_id": self._level_ids.copy(),
        }
        infos |= {f"_{key}": np.ones(self.num_envs, dtype=np.bool_) for key in infos}
        return tuple(table.texts.take(rows).tolist()), infos
