"""The rules of Sokoban on one board: where a move leads, and what a level is.

Sets of cells are integers over the board's interior, as in bitboards.py, here as plain Python integers.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from agentgen_bench.envs.sokoban.bitboards import CELLS, STRIDE

UP, DOWN, LEFT, RIGHT = range(4)
USUAL = "push"  # the rule of how boxes move; others are in variants.py
_FIRST_COLUMN = 0x0101010101010101
_LAST_COLUMN = _FIRST_COLUMN << (STRIDE - 1)
_ALL = (1 << CELLS) - 1


class Level(NamedTuple):
    """A start position with its proven optima. `player` is one cell; boxes and goals are as many.

    Each optimum is on its own: a solution with the fewest pushes may need more moves than `optimal_moves`.
    """

    size: int
    floor: int
    goals: int
    boxes: int
    player: int
    optimal_pushes: int
    optimal_moves: int
    rule: str = USUAL

    @property
    def level_id(self) -> str:
        """`sokoban:` and 16 hex digits decided by the start position and the rule alone."""
        start = f"{self.size} {self.floor:x} {self.goals:x} {self.boxes:x} {self.player:x}"
        if self.rule != USUAL:
            start = f"{start} {self.rule}"
        return f"sokoban:{hashlib.sha256(start.encode()).hexdigest()[:16]}"


class Move(NamedTuple):
    """Where a move leads: the boxes, the player's cell, and the cell a pushed box went to (0: none was pushed)."""

    boxes: int
    player: int
    pushed_to: int


def neighbour(cell: int, direction: int) -> int:
    """Return the cell one step away, or 0 off the 8 x 8 interior."""
    if direction == UP:
        return cell >> STRIDE
    if direction == DOWN:
        return (cell << STRIDE) & _ALL
    if direction == LEFT:
        return (cell & ~_FIRST_COLUMN) >> 1
    return (cell & ~_LAST_COLUMN) << 1


@lru_cache(maxsize=4_096)
def neighbours(floor: int) -> dict[int, tuple[int, ...]]:
    """Return, for each floor cell, the floor cells around it by direction; 0 stands for a wall."""
    return {cell: tuple([neighbour(cell, d) & floor for d in range(4)]) for cell in cells_of(floor)}


def step_from(around: Mapping[int, tuple[int, ...]], boxes: int, player: int, direction: int) -> tuple[int, int] | None:
    """Return the boxes and the player's cell after a move, where `around` are the floor's `neighbours`.

    It is what `moved` returns, for those who ask at every step of a level.
    """
    ahead = around[player][direction]
    if not ahead:
        return None
    if not ahead & boxes:
        return boxes, ahead
    beyond = around[ahead][direction]
    return None if not beyond or beyond & boxes else (boxes ^ ahead | beyond, ahead)


def moved(floor: int, boxes: int, player: int, direction: int) -> Move | None:
    """Return what a move does; None where a wall, or a box that cannot give way, blocks it."""
    after = step_from(neighbours(floor), boxes, player, direction)
    return None if after is None else Move(*after, after[0] & ~boxes)


def open_directions(around: Mapping[int, tuple[int, ...]], boxes: int, player: int) -> int:
    """Return the directions in which a step is possible, as a set of bits: bit d for direction d."""
    up, down, left, right = around[player]
    found = 0
    if up and (not up & boxes or ((beyond := around[up][UP]) and not beyond & boxes)):
        found = 1 << UP
    if down and (not down & boxes or ((beyond := around[down][DOWN]) and not beyond & boxes)):
        found |= 1 << DOWN
    if left and (not left & boxes or ((beyond := around[left][LEFT]) and not beyond & boxes)):
        found |= 1 << LEFT
    if right and (not right & boxes or ((beyond := around[right][RIGHT]) and not beyond & boxes)):
        found |= 1 << RIGHT
    return found


def cells_of(cells: int) -> list[int]:
    """Return the single cells of a set, in row-major order."""
    found = []
    while cells:
        found.append(cells & -cells)
        cells &= cells - 1
    return found


def position(cell: int) -> tuple[int, int]:
    """Return a cell's row and column on the whole board, counted from 0, the surrounding wall included."""
    row, column = divmod(cell.bit_length() - 1, STRIDE)
    return row + 1, column + 1
