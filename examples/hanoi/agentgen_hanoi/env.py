"""HanoiEnv: Gymnasium around rules, levels and text."""

import re
from collections.abc import Collection
from typing import ClassVar

from agentgen_bench.envs.base import Outcome, TextEnv, checked_range
from agentgen_bench.text import Richness, Section
from agentgen_hanoi import text
from agentgen_hanoi.family import FAMILY
from agentgen_hanoi.levels import Level, generated_level
from agentgen_hanoi.rules import PEGS, Arrangement, best_move, distances, moved, moves

MAX_STEPS = 500
_MOVE = re.compile(r"move ([A-Z]) to ([A-Z])", re.IGNORECASE)


class HanoiEnv(TextEnv):
    """Tower of Hanoi between any two arrangements.

    Description:
        Disks of different sizes stand on three pegs, none on a smaller one. Move one disk at a time until they stand
        as the goal says. Start and goal are any two arrangements, so that the way between is not the one of the books.

    Observation:
        lean: a line for each peg with its disks from bottom to top, and the goal in the same form.
        base: the task and the rules in words, and what actions look like.
        rich: where each disk is and belongs, and what every possible move would do.

    Actions:
        `move A to C` takes the uppermost disk of peg A to peg C; `undo` takes back the last move not yet taken back.

    Reward:
        1 when the goal is reached, else 0.

    Episode end:
        Terminated when the goal is reached; truncated after `max_steps` steps.

    Info:
        `score` is how much of the fewest moves from the start has been saved: 1 - moves left / moves at the start, not
        below 0.

    Knobs:
        difficulty: easy (3 disks, 3 to 7 moves), medium (4 disks, 8 to 15), hard (5 disks, 16 to 31); the number is the
            fewest that suffice, proven for each level.
        split: train, valid, test; they share no level.
        max_steps: steps after which the episode is truncated (default: twice the fewest moves and ten more).

    Version history:
        v0: first version.
    """

    family: ClassVar[str] = FAMILY.name
    difficulties: ClassVar[tuple[str, ...]] = FAMILY.difficulties
    action_templates: ClassVar[tuple[str, ...]] = text.TEMPLATES
    max_observation_chars: ClassVar[int] = 4096

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
        return text.command(best_move(self._disks, self._level.goal))

    @property
    def expert_length(self) -> int | None:
        """The fewest moves from the start to the goal."""
        return self._level.distance

    def names(self) -> Collection[str]:
        """Return the names of disks and pegs."""
        pegs = [f"peg {peg.lower()}" for peg in PEGS]
        return frozenset([*pegs, *(f"disk {number + 1}" for number in range(len(self._disks)))])

    def analysis(self) -> dict[str, float | int | None]:
        """Return the fewest moves of the level and those still left."""
        return {"optimal_moves": self._level.distance, "moves_left": distances(self._level.goal)[self._disks]}

    def _start(self, level_seed: int) -> None:
        self._level: Level = generated_level(self.difficulty, self.split, level_seed)
        self._disks: Arrangement = self._level.start
        self._past: list[Arrangement] = []
        self._feedback = ""
        self.task, self.level_id = text.task(self._level.goal), self._level.level_id
        self.success, self.score = False, 0.0
        self.max_steps = 2 * self._level.distance + 10 if self._limit is None else self._limit

    def _apply(self, action: str) -> Outcome:
        after = self._after(action.strip())
        if after is None:
            return Outcome(0.0, False, False)
        self._disks, self._feedback = after, ""
        left = distances(self._level.goal)[after]
        self.success, self.score = left == 0, max(0.0, 1 - left / self._level.distance)
        return Outcome(float(self.success), self.success, True)

    def _after(self, action: str) -> Arrangement | None:
        """Return the arrangement that an action leads to; None, and why, where it does nothing."""
        if action.lower() == "undo":
            self._feedback = "Nothing happens: no move is left to take back."
            return self._past.pop() if self._past else None
        match = _MOVE.fullmatch(action)
        pegs = tuple(PEGS.find(peg.upper()) for peg in match.groups()) if match else ()
        if len(pegs) != 2 or -1 in pegs:
            self._feedback = "Nothing happens: that is no action."
            return None
        move = pegs[0], pegs[1]
        after = moved(self._disks, move)
        if after is None:
            self._feedback = text.why_not(self._disks, move)
        else:
            self._past.append(self._disks)
        return after

    def _sections(self) -> tuple[Section, ...]:
        every = text.sections(self._disks, self._level.goal, bool(self._past), self._feedback)
        return tuple([section for section in every if section.richness <= self.richness])

    def _admissible_commands(self) -> tuple[str, ...]:
        return (*[text.command(move) for move in moves(self._disks)], *(["undo"] if self._past else []))
