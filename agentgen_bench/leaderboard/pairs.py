"""Paired intervals between the rows of a board: is the difference of two rows more than other levels would make?

The method is that of `agentgen-bench compare`: the mean over settings of the difference of success, with a percentile
interval over redraws of the levels, the same redraws for both rows; where all redraws agree, Wilson's bounds of levels
won and lost. The redraws are those that the ranks come from, so a pair costs one subtraction.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agentgen_bench.leaderboard.sums import Sums
from agentgen_bench.leaderboard.table import Board
from agentgen_bench.scores.base import NO_INTERVAL, Score, mean
from agentgen_bench.scores.bootstrap import difference_interval, percentile_interval, weighing_alike

MAX_COMPARED = 250  # rows of a board, the best: 31,125 pairs, 400 KB of a page

Array = npt.NDArray[np.float64]


class Side(NamedTuple):
    """A row as it is compared: overall success, its redraws (R,), and of each level what it adds (`weighing_alike`)."""

    value: float
    draws: Array
    levels: Array
    episodes: int


def side(board: Board, entry: str) -> Side:
    """Return a row of the board, to be compared with others of it."""
    sums = board.sums[entry]
    value = mean(sum(one.solved) / sum(one.played) for one in sums.values())
    return Side(value, board.draws[entry], _by_level(sums), sum(sum(one.played) for one in sums.values()))


def paired(a: Side, b: Side) -> Score:
    """Return the difference of success, b's less a's, in [-1, 1]; both have played the same levels."""
    interval = percentile_interval(b.draws - a.draws)
    if interval.low is None or interval.low == interval.high:
        differences = np.round(b.levels - a.levels, 12).tolist()
        interval = difference_interval(differences, NO_INTERVAL)
    return Score("difference", b.value - a.value, *interval, n=a.episodes)


def compared(board: Board) -> list[str]:
    """Return the names of the rows that are compared with each other, best first: those of the same levels."""
    names = [row.entry for row in board.rows[:MAX_COMPARED]]
    return [name for name in names if _places(board.sums[name]) == _places(board.sums[names[0]])]


def tenths(board: Board) -> Iterator[tuple[int, int]]:
    """Yield the ends of the interval of each pair (a before b in `compared`), in tenths of a point."""
    sides = [side(board, name) for name in compared(board)]
    for i, a in enumerate(sides):
        for b in sides[i + 1 :]:
            score = paired(a, b)
            yield _tenth(score.low), _tenth(score.high)


def _tenth(end: float | None) -> int:
    return round(1000 * (end or 0.0))


def _places(sums: Sums) -> Sequence[tuple[str, tuple[str, ...]]]:
    return [(key, one.levels) for key, one in sums.items()]


def _by_level(sums: Sums) -> Array:
    """Return the success of each level, levels sorted; their mean is the overall success where repeats are as many."""
    rates = [
        {level: solved / played for level, solved, played in zip(one.levels, one.solved, one.played, strict=True)}
        for one in sums.values()
    ]
    return np.array([value for _, value in sorted(weighing_alike(rates).items())])
