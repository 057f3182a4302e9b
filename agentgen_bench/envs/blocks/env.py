"""BlocksEnv: Gymnasium around rules, levels and text."""

import re
from collections.abc import Collection
from typing import ClassVar

from agentgen_bench.envs.base import Outcome, TextEnv, checked_range, read_action
from agentgen_bench.envs.blocks import FAMILY, text
from agentgen_bench.envs.blocks.levels import Level, generated_level
from agentgen_bench.envs.blocks.rules import TABLE, Arrangement, Move, best_move, distance, moved, moves
from agentgen_bench.text import Richness, Section

MAX_STEPS = 200
_MOVE = re.compile(r"stack (\w+) on (\w+)|lower (\w+)")


class BlocksEnv(TextEnv):
    """Blocks world between any two arrangements, for evaluation only.

    Description:
        Coloured blocks stand on a table and on one another. Move one block at a time, and only one that nothing lies
        on, until the towers are those of the goal. The puzzle is the one of Winograd's SHRDLU and of many planning
        competitions. No training of this package takes its levels, so it is out of distribution for every model that
        was trained with it, one trained on all other families too.

    Observation:
        lean: a line for each tower with its blocks from bottom to top, and the goal in the same form.
        base: the task and the rules in words, and what actions look like.
        rich: where each block is and belongs, and what every possible move would do.

    Actions:
        `stack red on blue` puts a block on another, `lower red` puts one on the table. Read without regard to case,
        runs of white space and a full stop at the end.

    Reward:
        1 when the goal is reached, else 0.

    Episode end:
        Terminated when the goal is reached; truncated after `max_steps` steps.

    Info:
        `score` is how much of the fewest moves from the start has been saved: 1 - moves left / moves at the start, not
        below 0.

    Knobs:
        difficulty: easy (4 blocks, 1 or 2 moves), medium (5 blocks, 3 or 4), hard (6 blocks, 5 to 10); the number is
            the fewest that suffice, proven for each level.
        split: train, valid, test; they share no level, and most are of the split test. Train and valid are there to
            try things out by hand: trainers refuse the family.
        max_steps: steps after which the episode is truncated (default: twice the fewest moves and four more).

    Version history:
        v0: first version.
    """

    family: ClassVar[str] = FAMILY.name
    difficulties: ClassVar[tuple[str, ...]] = FAMILY.difficulties
    action_templates: ClassVar[tuple[str, ...]] = text.TEMPLATES
    max_observation_chars: ClassVar[int] = 8192

    def __init__(
        self,
        *,
        richness: str | Richness = "base",
        difficulty: str = "easy",
        split: str = "train",
        max_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Check the settings; the knobs are described above."""
        super().__init__(richness=richness, difficulty=difficulty, split=split, render_mode=render_mode)
        self._limit = None if max_steps is None else checked_range("max_steps", max_steps, 1, MAX_STEPS)

    def expert_action(self) -> str:
        """Return the first move of a shortest way to the goal."""
        return text.command(best_move(self._blocks, self._level.goal))

    @property
    def expert_length(self) -> int | None:
        """The fewest moves from the start to the goal."""
        return self._level.distance

    def names(self) -> Collection[str]:
        """Return the colours of the blocks, and the table."""
        return frozenset([*text.COLOURS[: len(self._blocks)], "table"])

    def analysis(self) -> dict[str, float | int | None]:
        """Return the fewest moves of the level and those still left."""
        return {"optimal_moves": self._level.distance, "moves_left": distance(self._blocks, self._level.goal)}

    def _start(self, level_seed: int) -> None:
        self._level: Level = generated_level(self.difficulty, self.split, level_seed)
        self._blocks: Arrangement = self._level.start
        self._feedback = ""
        self.task, self.level_id = text.task(self._level.goal), self._level.level_id
        self.success, self.score = False, 0.0
        self.max_steps = 2 * self._level.distance + 4 if self._limit is None else self._limit

    def _apply(self, action: str) -> Outcome:
        after = self._after(read_action(action))
        if after is None:
            return Outcome(0.0, False, False)
        self._blocks, self._feedback = after, ""
        left = distance(after, self._level.goal)
        self.success, self.score = left == 0, max(0.0, 1 - left / self._level.distance)
        return Outcome(float(self.success), self.success, True)

    def _after(self, action: str) -> Arrangement | None:
        """Return the arrangement that an action leads to; None, and why, where it does nothing."""
        match = _MOVE.fullmatch(action)
        colours = text.COLOURS[: len(self._blocks)]
        named = [colour for colour in match.groups() if colour is not None] if match else []
        if match is None or not all(colour in colours for colour in named):
            self._feedback = "Nothing happens: that is no action."
            return None
        block, target = (*map(colours.index, named), TABLE)[:2]
        after = moved(self._blocks, move := Move(block, target))
        if after is None:
            self._feedback = text.why_not(self._blocks, move)
        return after

    def _sections(self) -> tuple[Section, ...]:
        every = text.sections(self._blocks, self._level.goal, self._feedback)
        return tuple([section for section in every if section.richness <= self.richness])

    def _admissible_commands(self) -> tuple[str, ...]:
        return tuple(text.command(move) for move in moves(self._blocks))
