"""Candidate rooms: a random walk carves floor, targets lie anywhere on it; and the split a room belongs to."""

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from agentgen_bench.envs.sokoban import bitboards as bb
from agentgen_bench.envs.sokoban.bitboards import CELLS, STRIDE, Boards

Draws = npt.NDArray[np.uint32]

# The walk and its five patterns are gym-sokoban's (gym_sokoban/envs/room_utils.py, room_topology_generation): at every
# step the walker turns with probability 0.35 and opens one of five patterns of 3 x 3 cells around it.
TURN_PROBABILITY = 0.35
PATTERNS = (
    ((0, -1), (0, 0), (0, 1)),
    ((-1, 0), (0, 0), (1, 0)),
    ((0, -1), (0, 0), (1, 0)),
    ((0, -1), (0, 0), (1, -1), (1, 0)),
    ((0, 0), (0, 1), (1, 0)),
)
SPARE = 4  # the walk's first cell; and the depth, configuration and player cell of the level made of the room

STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))

# Of the first digest byte's 256 values; unequal so that training has the most rooms.
SPLIT_SHARES = {"train": range(0, 128), "valid": range(128, 192), "test": range(192, 256)}


def draw(rng: np.random.Generator, count: int, walk_steps: int) -> Draws:
    """Return the random bits of `count` rooms, one row each: two per walk step, one per cell, and `SPARE` more."""
    return rng.integers(0, 1 << 32, size=(count, 2 * walk_steps + CELLS + SPARE), dtype=np.uint32)


def carve(draws: Draws, size: int, n_boxes: int, walk_steps: int) -> tuple[Boards, Boards]:
    """Return floor and goals of the rooms, shape (count,); rooms too small for the boxes and a player have no goals.

    Equal draws give equal rooms, whatever other rooms are in the batch.
    """
    inner = size - 2
    first, second = draws[:, :walk_steps], draws[:, walk_steps : 2 * walk_steps]
    positions, after, opened = _walk_tables(inner)
    turns = (first >> np.uint32(8)) < np.uint32(TURN_PROBABILITY * (1 << 24))
    turns[:, 0] = True
    last_turn = np.maximum.accumulate(np.where(turns, np.arange(walk_steps), 0), axis=1)
    direction = np.take_along_axis(first & np.uint32(3), last_turn, axis=1)
    pattern = (second >> np.uint32(8)) % np.uint32(len(PATTERNS))
    at = positions[draws[:, -SPARE] % np.uint32(len(positions))]
    floor = np.zeros(len(draws), dtype=np.uint64)
    for step in range(walk_steps):
        at = after[direction[:, step], at]
        floor |= opened[pattern[:, step], at]
    return floor, _goals(draws[:, 2 * walk_steps : -SPARE], floor, n_boxes)


@lru_cache(maxsize=16)
def _walk_tables(inner: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Return the interior's positions, the position after a step (4, 64), and the cells a pattern opens (5, 64)."""
    positions = np.array([STRIDE * r + c for r in range(inner) for c in range(inner)])
    after = np.zeros((4, CELLS), dtype=np.int64)
    opened = np.zeros((len(PATTERNS), CELLS), dtype=np.uint64)
    for r in range(inner):
        for c in range(inner):
            for d, (dr, dc) in enumerate(STEPS):
                row, column = min(max(r + dr, 0), inner - 1), min(max(c + dc, 0), inner - 1)
                after[d, STRIDE * r + c] = STRIDE * row + column
            for p, pattern in enumerate(PATTERNS):
                near = [(r + dr, c + dc) for dr, dc in pattern]
                cells = [1 << (STRIDE * y + x) for y, x in near if 0 <= y < inner and 0 <= x < inner]
                opened[p, STRIDE * r + c] = sum(cells)
    return positions, after, opened


def _goals(draws: Draws, floor: Boards, n_boxes: int) -> Boards:
    """Return `n_boxes` floor cells per room: those with the smallest draws."""
    bits = np.uint64(1) << np.arange(CELLS, dtype=np.uint64)
    is_floor = (floor[:, None] & bits) != 0
    order = np.argsort(np.where(is_floor, draws.astype(np.int64), 1 << 32), axis=1, kind="stable")
    goals = np.bitwise_or.reduce(bits[order[:, :n_boxes]], axis=1)
    return np.where(is_floor.sum(axis=1) > n_boxes + 1, goals, np.uint64(0))


def room_splits(floor: Boards, goals: Boards) -> list[str]:
    """Return each room's split, decided by the hash of floor and goals up to the 8 symmetries and translation.

    Rooms that are one another's mirror image, rotation or translation, also on boards of other sizes, are in the
    same split.
    """
    canonical_floor, canonical_goals = bb.canonical(floor, goals)
    names = [name for name, share in SPLIT_SHARES.items() for _ in share]
    rooms = zip(canonical_floor.tolist(), canonical_goals.tolist(), strict=True)
    return [names[hashlib.sha256(f"{f:016x} {g:016x}".encode()).digest()[0]] for f, g in rooms]
