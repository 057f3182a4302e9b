"""Positions of many boards as rows of arrays, so that one array look-up advances all boards at once."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agentgen_bench.envs.sokoban.play import UNREAD, WORDS, Play, Position

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
WIDTH = UNREAD + 1  # a column per direction, and one, never filled, for words that have to be looked at first
UNKNOWN = -1


class Advanced(NamedTuple):
    """What one action on every board led to, arrays of shape (boards,): rows of the table, rewards, validity."""

    rows: Rows
    rewards: npt.NDArray[np.float64]
    is_valid: Flags


class PositionTable:
    """The positions met so far; filled in as they are met, forgotten as a whole when full."""

    def __init__(self, capacity: int) -> None:
        """Create an empty table of at most `capacity` positions."""
        self.capacity = capacity
        self._successor = np.empty(capacity * WIDTH, dtype=np.int64)
        self._reward = np.empty(capacity * WIDTH)
        self._is_valid = np.empty(capacity * WIDTH, dtype=np.bool_)
        self.success = np.empty(capacity, dtype=np.bool_)
        self.score = np.empty(capacity)
        self.texts, self.sections, self.commands = (np.empty(capacity, dtype=object) for _ in range(3))
        self.forget()

    def rows(self, positions: list[Position]) -> Rows:
        """Return the positions' rows, adding those that are new; there must be room for them."""
        return np.array([self._row(position) for position in positions], dtype=np.int64)

    def has_room(self, count: int) -> bool:
        """Return whether `count` more positions fit."""
        return len(self._positions) + count <= self.capacity

    def position(self, row: int) -> Position:
        """Return the position of a row."""
        return self._positions[row]

    def advance(self, rows: Rows, plays: Mapping[int, Play], actions: list[str]) -> Advanced:
        """Return where each board's action leads; `plays` work out what has not been met before."""
        slots = rows * WIDTH
        slots += [WORDS.get(action, UNREAD) for action in actions]
        after, rewards, is_valid = self._successor.take(slots), self._reward.take(slots), self._is_valid.take(slots)
        if after.min() == UNKNOWN:
            for i in np.flatnonzero(after == UNKNOWN).tolist():
                here = self._positions[rows[i]]
                there, outcome = plays[i].worked_out(here, actions[i])
                after[i], rewards[i], is_valid[i] = self._row(there), outcome.reward, outcome.is_action_valid
                if actions[i] in WORDS:
                    slot = slots[i]
                    self._successor[slot], self._reward[slot], self._is_valid[slot] = after[i], rewards[i], is_valid[i]
        return Advanced(after, rewards, is_valid)

    def _row(self, position: Position) -> int:
        row = self._row_of.get(position)
        if row is None:
            row = self._row_of[position] = len(self._positions)
            self._positions.append(position)
            self._successor[row * WIDTH : (row + 1) * WIDTH] = UNKNOWN
            self.success[row], self.score[row] = position.success, position.score
            self.texts[row], self.sections[row] = position.observation, position.sections
            self.commands[row] = position.commands
        return row

    def forget(self) -> None:
        """Empty the table; rows handed out before mean nothing from here on."""
        self._positions: list[Position] = []
        self._row_of: dict[Position, int] = {}
        for column in (self.texts, self.sections, self.commands):
            column[:] = None
