"""Blocks and towers. An arrangement gives for each block, by its number, the block that it stands on, or the table.

Distances are taken between an arrangement and a goal that was renumbered: towers from highest to lowest, blocks from
bottom to top. So there is one table of distances for each list of tower heights, of which six blocks have eleven.
"""

from collections import deque
from functools import cache
from typing import NamedTuple

TABLE = -1
Arrangement = tuple[int, ...]
Heights = tuple[int, ...]  # of the towers, highest first


class Move(NamedTuple):
    """A block and what it is put on: another block, or the table."""

    block: int
    target: int


def clear_blocks(blocks: Arrangement) -> list[int]:
    """Return the blocks that nothing lies on, in order."""
    return [block for block in range(len(blocks)) if block not in blocks]


def moved(blocks: Arrangement, move: Move) -> Arrangement | None:
    """Return the arrangement after a move; None where the rules forbid it, or it would change nothing."""
    free = clear_blocks(blocks)
    if move.block not in free or move.target == move.block or blocks[move.block] == move.target:
        return None
    if move.target != TABLE and move.target not in free:
        return None
    return (*blocks[: move.block], move.target, *blocks[move.block + 1 :])


def moves(blocks: Arrangement) -> list[Move]:
    """Return the legal moves, block by block, those to the table last."""
    free = clear_blocks(blocks)
    every = [Move(block, target) for block in free for target in (*free, TABLE)]
    return [move for move in every if moved(blocks, move) is not None]


def towers(blocks: Arrangement) -> list[tuple[int, ...]]:
    """Return the towers, each from bottom to top, in the order of their bottom blocks."""
    above = {below: block for block, below in enumerate(blocks) if below != TABLE}
    found = []
    for bottom in (block for block, below in enumerate(blocks) if below == TABLE):
        tower = [bottom]
        while tower[-1] in above:
            tower.append(above[tower[-1]])
        found.append(tuple(tower))
    return found


class Numbering(NamedTuple):
    """A goal's tower heights, and the number that each block has in the goal renumbered."""

    heights: Heights
    numbers: tuple[int, ...]

    def renumbered(self, blocks: Arrangement) -> Arrangement:
        """Return an arrangement under the new numbers."""
        pairs = {self.numbers[block]: below for block, below in enumerate(blocks)}
        return tuple(TABLE if pairs[new] == TABLE else self.numbers[pairs[new]] for new in range(len(blocks)))

    def as_before(self, blocks: Arrangement) -> Arrangement:
        """Return an arrangement of new numbers under the old ones."""
        old = {new: block for block, new in enumerate(self.numbers)}
        pairs = {old[new]: below for new, below in enumerate(blocks)}
        return tuple(TABLE if pairs[block] == TABLE else old[pairs[block]] for block in range(len(blocks)))


@cache
def numbering(goal: Arrangement) -> Numbering:
    """Return the numbering that a goal decides."""
    ordered = sorted(towers(goal), key=lambda tower: (-len(tower), tower))
    numbers = {block: number for number, block in enumerate(block for tower in ordered for block in tower)}
    return Numbering(tuple(map(len, ordered)), tuple(numbers[block] for block in range(len(goal))))


@cache
def distances(heights: Heights) -> dict[Arrangement, int]:
    """Return the fewest moves from every arrangement to the renumbered goal; moves go both ways."""
    goal: list[int] = []
    for height in heights:
        goal += [TABLE if level == 0 else len(goal) + level - 1 for level in range(height)]
    found, queue = {tuple(goal): 0}, deque([tuple(goal)])
    while queue:
        blocks = queue.popleft()
        for move in moves(blocks):
            after = moved(blocks, move)
            if after is not None and after not in found:
                found[after] = found[blocks] + 1
                queue.append(after)
    return found


def distance(blocks: Arrangement, goal: Arrangement) -> int:
    """Return the fewest moves from an arrangement to the goal."""
    names = numbering(goal)
    return distances(names.heights)[names.renumbered(blocks)]


def best_move(blocks: Arrangement, goal: Arrangement) -> Move:
    """Return the first move, in the order of `moves`, of a shortest way to the goal."""
    return min(moves(blocks), key=lambda move: distance(moved(blocks, move) or blocks, goal))
