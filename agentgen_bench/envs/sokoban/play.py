"""One level being played: its position, what actions do, and the positions met so far.

Positions of the level that have been met are remembered (at most MAX_POSITIONS), with their text and the positions
their actions lead to, so that meeting one again costs a look-up.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from agentgen_bench.envs.base import Outcome, read_action
from agentgen_bench.envs.sokoban.bitboards import DIRECTIONS
from agentgen_bench.envs.sokoban.rules import USUAL, Level, neighbours, open_directions
from agentgen_bench.envs.sokoban.text import LevelText, level_text
from agentgen_bench.envs.sokoban.variants import RULES
from agentgen_bench.text import Richness, Section

MAX_POSITIONS = 512
BUDGET_FACTOR = 3  # steps allowed per move of the optimum


class RewardScheme(NamedTuple):
    """What a step, a box pushed onto a target (or, with the sign turned, off one), and solving are worth."""

    step: float
    box: float
    solved: float


REWARDS = {
    "gym-sokoban": RewardScheme(step=-0.1, box=1.0, solved=10.0),
    "sparse": RewardScheme(step=0.0, box=0.0, solved=1.0),
}

WORDS = {word: d for d, name in enumerate(DIRECTIONS) for word in (name, name[0], str(d + 1))}
UNREAD = len(DIRECTIONS)  # the place in Position.outcomes that is never filled: the word has to be looked at first

_COMMANDS = [tuple([name for d, name in enumerate(DIRECTIONS) if directions >> d & 1]) for directions in range(16)]


def direction_of(action: str) -> int | None:
    """Return the direction an action names, or None: `up`, `u` or `1` and so on, read by `read_action`."""
    return WORDS.get(read_action(action))


class Position:
    """A position of a level: what is read there, and where each direction leads (filled in as it is asked for)."""

    boxes: int
    player: int
    n_placed: int
    score: float
    success: bool
    sections: tuple[Section, ...]
    commands: tuple[str, ...]

    __slots__ = ("boxes", "commands", "n_placed", "observation", "outcomes", "player", "score", "sections", "success")

    def __init__(self, text: LevelText, boxes: int, player: int, commands: tuple[str, ...]) -> None:
        """Describe the position; `commands` are those that change something there."""
        self.boxes, self.player = boxes, player
        placed = text.placed.get(boxes) or text.place(boxes)
        _, self.n_placed, self.score, self.success, _ = placed
        self.sections = shown = text.sections(boxes, player, placed)  # all are at this richness
        self.observation: str = shown[0][0] if len(shown) == 1 else "".join([section[0] for section in shown])
        self.commands = commands
        self.outcomes: list[tuple[Position, Outcome] | None] = [None, None, None, None, None]  # by direction, UNREAD


def _open(rule: str, around: Mapping[int, tuple[int, ...]], boxes: int, player: int) -> int:
    """Return what `open_directions` does, under another rule than the usual one."""
    step = RULES[rule].step
    return sum([1 << d for d in range(len(DIRECTIONS)) if step(around, boxes, player, d) is not None])


class Play:
    """A level being played, in one vocabulary, at one richness, with one reward scheme."""

    level: Level

    def __init__(self, level: Level, board: str, richness: Richness, reward: str, paraphrase: int) -> None:
        """Prepare the level; `restart` sets up its start position."""
        self.level, self._board, self._richness, self._reward = level, board, richness, reward
        self._paraphrase = paraphrase
        self.text: LevelText = level_text(level, board, richness, paraphrase)
        self._around = neighbours(level.floor)
        self._step = RULES[level.rule].step
        self._open = open_directions if level.rule == USUAL else partial(_open, level.rule)
        self._outcomes: dict[tuple[int, bool], Outcome] = {}  # by boxes that came onto targets, and whether all are
        self._usual, self._blocked = (Outcome(REWARDS[reward].step, False, is_valid) for is_valid in (True, False))
        self._met: dict[tuple[int, int], Position] = {}
        self.restart()

    def restart(self) -> None:
        """Go back to the level's start."""
        self.position: Position = self.at(self.level.boxes, self.level.player)
        self.history: list[Position] = [self.position]

    def act(self, action: str) -> Outcome:
        """Execute one action; one that names no direction, or is blocked, changes nothing."""
        position = self.position
        self.position, outcome = position.outcomes[WORDS.get(action, UNREAD)] or self.worked_out(position, action)
        self.history.append(self.position)
        return outcome

    def worked_out(self, here: Position, action: str) -> tuple[Position, Outcome]:
        """Return where an action leads from a position and what that is worth; directions are remembered there."""
        direction = WORDS.get(action)
        if direction is None:
            direction = direction_of(action)
            if direction is None:
                return here, self._blocked
        after = self._step(self._around, here.boxes, here.player, direction)
        if after is None:
            found = here, self._blocked
        else:
            there = self._met.get(after) or self._meet(after)
            if there.n_placed == here.n_placed and not there.success:
                found = there, self._usual
            else:
                gain = there.n_placed - here.n_placed, there.success
                found = there, self._outcomes.get(gain) or self._outcome(*gain)
        here.outcomes[direction] = found
        return found

    def _outcome(self, onto: int, is_solved: bool) -> Outcome:
        """Return what a valid step is worth that brings so many boxes onto targets, and remember it."""
        scheme = REWARDS[self._reward]
        reward = scheme.step + onto * scheme.box + is_solved * scheme.solved
        outcome = self._outcomes[onto, is_solved] = Outcome(reward, is_solved, True)
        return outcome

    def at(self, boxes: int, player: int) -> Position:
        """Return a position of this level, described."""
        return self._met.get((boxes, player)) or self._meet((boxes, player))

    def _meet(self, state: tuple[int, int]) -> Position:
        """Describe the position of boxes and player, and remember it."""
        if len(self._met) >= MAX_POSITIONS:
            self._met.clear()  # a new position leads nowhere yet, so the old ones can be freed
        boxes, player = state
        commands = _COMMANDS[self._open(self._around, boxes, player)]
        position = self._met[state] = Position(self.text, boxes, player, commands)
        return position

    def __getstate__(self) -> dict[str, object]:
        """Return the level and the states of the history; positions are made anew from them."""
        states = [(position.boxes, position.player) for position in self.history]
        return {
            "arguments": (self.level, self._board, self._richness, self._reward, self._paraphrase),
            "history": states,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuild from `__getstate__`."""
        self.__init__(*state["arguments"])  # type: ignore[misc]
        self.history = [self.at(*pair) for pair in state["history"]]
        self.position = self.history[-1]
