"""Reads levels from text files in the format of Boxoban (github.com/google-deepmind/boxoban-levels).

A file holds any number of boards in XSB notation, each after a line that starts with `;`. Boards are at most 10 x 10,
closed by walls, with as many boxes as targets.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agentgen_bench.envs.sokoban.bitboards import STRIDE
from agentgen_bench.envs.sokoban.moves import UNSOLVABLE, Starts, fewest_moves
from agentgen_bench.envs.sokoban.rules import Level
from agentgen_bench.envs.sokoban.settings import BOXES, SIZES
from agentgen_bench.envs.sokoban.solver import push_distances
from agentgen_bench.errors import DataError
from agentgen_bench.homes import expanded

_SOLVED_TOGETHER = 16  # levels whose tables lie in memory at once
Cells = dict[tuple[int, int], str]

_FLOOR, _TARGETS, _BOXES, _PLAYERS = " -_.$*@+", ".*+", "$*", "@+"


class Start(NamedTuple):
    """A start position as read, and where it was read: `file, level n` counted from 1."""

    size: int
    floor: int
    goals: int
    boxes: int
    player: int
    origin: str


def read_starts(path: str | Path) -> list[Start]:
    """Return the start positions of one file, or of all `*.txt` below a folder in the order of their paths.

    Raises:
        DataError: the path holds no levels, or a board that is malformed; the message names file and level.
    """
    path = expanded(path, DataError)
    files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
    starts = [start for file in files for start in _file_starts(file)]
    if not starts:
        raise DataError(f"no Sokoban levels in {path}; expected a text file, or a folder of .txt files, of XSB boards")
    return starts


@lru_cache(maxsize=16)
def check_playable(starts: tuple[Start, ...]) -> None:
    """Check that every level can be solved and is not solved yet: 0.1 to 3 ms each on one core of 2024.

    Raises:
        DataError: naming the first level, in the order given, of which that is not so.
    """
    bad: dict[int, str] = {i: "is solved at the start" for i, start in enumerate(starts) if start.boxes == start.goals}
    by_boxes: dict[int, list[int]] = {}
    for i, start in enumerate(starts):
        if i not in bad:
            by_boxes.setdefault(start.boxes.bit_count(), []).append(i)
    for n_boxes, places in by_boxes.items():
        for first in range(0, len(places), _SOLVED_TOGETHER):
            group = places[first : first + _SOLVED_TOGETHER]
            rows = np.array([starts[i][1:5] for i in group], dtype=np.uint64).T
            moves = fewest_moves(Starts(*rows), n_boxes)
            bad.update((group[j], "has no solution") for j in np.flatnonzero(moves == UNSOLVABLE).tolist())
    if bad:
        place = min(bad)
        raise DataError(f"{starts[place].origin} {bad[place]}; leave it out of the file")


@lru_cache(maxsize=4_096)
def solved_level(start: Start) -> Level:
    """Return the level with its optima, which are worked out now.

    Raises:
        DataError: the level has no solution, or is solved at the start.
    """
    floor, goals, boxes, player = start.floor, start.goals, start.boxes, start.player
    row = (np.array([cells], dtype=np.uint64) for cells in (floor, goals, boxes, player))
    moves = int(fewest_moves(Starts(*row), boxes.bit_count())[0])
    if moves == UNSOLVABLE:
        raise DataError(f"{start.origin} has no solution; leave it out of the file")
    pushes = push_distances(floor, goals, [(boxes, player)])[0]
    if not pushes:
        raise DataError(f"{start.origin} is solved at the start; leave it out of the file")
    return Level(start.size, floor, goals, boxes, player, pushes, moves)


def _file_starts(file: Path) -> list[Start]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read Sokoban levels from {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"cannot read Sokoban levels from {file}: it is no UTF-8 text") from None
    boards: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith(";") or not line.strip():
            boards.append([])
        else:
            boards[-1].append(line)
    return [start_of(board, f"{file}, level {n}") for n, board in enumerate(filter(None, boards), 1)]


def start_of(board: list[str], origin: str) -> Start:
    """Return the position of one board; floor that nothing can reach becomes wall."""
    size = max(len(board), *(len(row.rstrip()) for row in board), SIZES[0])
    if size > SIZES[1]:
        raise DataError(f"{origin} is {size} cells wide or high; at most {SIZES[1]} are possible")
    cells = {(r, c): char for r, row in enumerate(board) for c, char in enumerate(row.rstrip())}
    strange = sorted(set(cells.values()) - set("#" + _FLOOR))
    if strange:
        raise DataError(f"{origin} holds {strange[0]!r}; boards are drawn with: # (space) . $ * @ +")
    players = [cell for cell, char in sorted(cells.items()) if char in _PLAYERS]
    if len(players) != 1:
        raise DataError(f"{origin} has {len(players)} players; it must have exactly one")
    floor = _enclosed(cells, origin)
    goals, boxes, player = (
        _bits([cell for cell in floor if cells[cell] in kind]) for kind in (_TARGETS, _BOXES, _PLAYERS)
    )
    if boxes.bit_count() != goals.bit_count() or not BOXES[0] <= boxes.bit_count() <= BOXES[1]:
        raise DataError(
            f"{origin} has {boxes.bit_count()} boxes and {goals.bit_count()} targets; "
            f"they must be equally many, from {BOXES[0]} to {BOXES[1]}"
        )
    return Start(size, _bits(floor), goals, boxes, player, origin)


def _enclosed(cells: Cells, origin: str) -> list[tuple[int, int]]:
    """Return the cells that the player, the boxes and the targets stand on or are connected to."""
    found: set[tuple[int, int]] = set()
    coming = sorted(cell for cell, char in cells.items() if char in ".$*@+")
    while coming:
        r, c = coming.pop()
        if (r, c) in found or cells[r, c] == "#":
            continue
        around = [(r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)]
        if any(cell not in cells for cell in around):
            raise DataError(f"{origin} is open beside row {r}, column {c} (counted from 0); walls must close the board")
        found.add((r, c))
        coming += around
    return sorted(found)


def _bits(cells: list[tuple[int, int]]) -> int:
    return sum(1 << (STRIDE * (r - 1) + c - 1) for r, c in cells)
