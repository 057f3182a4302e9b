"""Sets of cells as 64-bit integers, in NumPy arrays: shifts, fills, symmetries and ranks of many boards at once.

The interior of a board of size s is s - 2 cells square, at most 8 x 8; interior cell (row, column) is bit
`8 * row + column`. The surrounding wall needs no bits. Every function takes and returns arrays of dtype uint64, one
entry per board; what a position means in Sokoban is not this file's business.
"""

import numpy as np
import numpy.typing as npt

Boards = npt.NDArray[np.uint64]
Ranks = npt.NDArray[np.int64]

STRIDE = 8
CELLS = STRIDE * STRIDE
DIRECTIONS = ("up", "down", "left", "right")
OPPOSITE = (1, 0, 3, 2)

_FIRST_COLUMN = 0x0101010101010101
_NOT_FIRST = np.uint64(~_FIRST_COLUMN & (1 << CELLS) - 1)
_NOT_LAST = np.uint64(~(_FIRST_COLUMN << 7) & (1 << CELLS) - 1)
_ROW, _COLUMN = np.uint64(STRIDE), np.uint64(1)
_ONE = np.uint64(1)

# A legal step of a single cell never wraps around an edge, so a left shift and then a right shift do for all four.
LEFT_SHIFT = np.array([0, STRIDE, 0, 1], dtype=np.uint64)
RIGHT_SHIFT = np.array([STRIDE, 0, 1, 0], dtype=np.uint64)

MAX_BOXES = 6
BINOMIALS = np.zeros((MAX_BOXES + 1, CELLS + 1), dtype=np.int64)  # BINOMIALS[k, n] = n choose k
BINOMIALS[0] = 1
for _k in range(1, MAX_BOXES + 1):
    BINOMIALS[_k, 1:] = np.cumsum(BINOMIALS[_k - 1, :-1])


def interior(size: int) -> int:
    """Return the cells inside the surrounding wall of a board of `size`."""
    row = (1 << (size - 2)) - 1
    return sum(row << STRIDE * r for r in range(size - 2))


def shifted(boards: Boards, direction: int) -> Boards:
    """Return every cell moved one step in a direction (index into DIRECTIONS); cells leaving the 8 x 8 are dropped."""
    if direction == 0:
        return boards >> _ROW
    if direction == 1:
        return boards << _ROW
    if direction == 2:
        return (boards & _NOT_FIRST) >> _COLUMN
    return (boards & _NOT_LAST) << _COLUMN


def dilated(cells: Boards, free: Boards) -> Boards:
    """Return `cells` and their free orthogonal neighbours."""
    grown = cells | (cells << _ROW)
    grown |= cells >> _ROW
    grown |= (cells & _NOT_FIRST) >> _COLUMN
    grown |= (cells & _NOT_LAST) << _COLUMN
    grown &= free
    return grown


def flooded(cells: Boards, free: Boards) -> Boards:
    """Return all free cells connected to `cells` through free cells; `cells` must be free."""
    while True:
        grown = cells | ((cells & _NOT_FIRST) >> _COLUMN)
        grown |= (cells & _NOT_LAST) << _COLUMN
        grown &= free
        grown |= (grown << _ROW) & free
        grown |= (grown >> _ROW) & free
        if (grown == cells).all():
            return grown
        cells = grown


def live_cells(floor: Boards, goals: Boards) -> Boards:
    """Return the cells from which a box, alone in the room, could be pushed to a goal by a player let anywhere.

    Found by pulling from the goals; a box anywhere else can never reach a goal.
    """
    room = [shifted(floor, OPPOSITE[d]) & floor for d in range(4)]  # a pull in d into c needs c and the cell beyond
    live = goals
    while True:
        grown = live.copy()
        for d in range(4):
            grown |= shifted(grown, d) & room[d]
        if (grown == live).all():
            return live
        live = grown


def ranks(boxes: Boards, live: Boards, n_boxes: int) -> Ranks:
    """Return each box configuration's place among all ways to put `n_boxes` on the live cells (combinadics)."""
    rank = np.zeros(boxes.shape, dtype=np.int64)
    rest = boxes.copy()
    for k in range(1, n_boxes + 1):
        below = rest - _ONE
        rank += BINOMIALS[k].take(np.bitwise_count(live & below & ~rest))
        rest &= below
    return rank


def canonical(floor: Boards, goals: Boards) -> tuple[Boards, Boards]:
    """Return one representative of each room's class under the 8 symmetries of the square and translation."""
    images = np.stack((floor, goals))[:, None]  # (floor or goals, image, room)
    for mirrored in (_transposed, _upside_down, _left_to_right):
        images = np.concatenate((images, mirrored(images)), axis=1)
    floors, targets = _to_corner(*images)
    best_floor = floors.min(axis=0)
    best_goals = np.where(floors == best_floor, targets, np.uint64(2**CELLS - 1)).min(axis=0)
    return best_floor, best_goals


def _upside_down(boards: Boards) -> Boards:
    return boards.byteswap()


def _left_to_right(boards: Boards) -> Boards:
    """Return the boards with every row reversed: neighbours, pairs and fours of columns change places."""
    for shift, mask in ((1, 0x5555555555555555), (2, 0x3333333333333333), (4, 0x0F0F0F0F0F0F0F0F)):
        boards = ((boards >> np.uint64(shift)) & np.uint64(mask)) | ((boards & np.uint64(mask)) << np.uint64(shift))
    return boards


def _transposed(boards: Boards) -> Boards:
    """Return the boards mirrored in the main diagonal (Warren, Hacker's Delight, 2nd ed., 7-3)."""
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0)):
        swap = (boards ^ (boards >> np.uint64(shift))) & np.uint64(mask)
        boards = boards ^ swap ^ (swap << np.uint64(shift))
    return boards


def _to_corner(floor: Boards, goals: Boards) -> tuple[Boards, Boards]:
    """Return both moved so that the floor touches the first row and the first column."""
    folded = floor | (floor >> np.uint64(32))
    folded |= folded >> np.uint64(16)
    folded |= folded >> np.uint64(8)
    up = np.uint64(STRIDE) * (_lowest(floor) // np.uint64(STRIDE))
    shift = up + _lowest(folded & np.uint64(0xFF))
    return floor >> shift, goals >> shift


def _lowest(boards: Boards) -> Boards:
    """Return the index of each board's lowest cell (64 where empty)."""
    return np.bitwise_count(~boards & (boards - _ONE)).astype(np.uint64)
