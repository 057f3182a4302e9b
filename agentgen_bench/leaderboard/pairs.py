"""Paired intervals between the rows of a board: is the difference of two rows more than other levels would make?

The method is that of `agentgen-bench compare`: the mean over settings of the difference of success, with a percentile
interval over redraws of the levels, the same redraws for both rows; where all redraws agree, Wilson's bounds of levels
won and lost. The redraws are those that the ranks come from, so a pair costs one subtraction.
"""

from collections.abc import Sequence

from agentgen_bench.leaderboard.sums import Sums
from agentgen_bench.leaderboard.table import Board
from agentgen_bench.scores.base import Score, mean
from agentgen_bench.scores.bootstrap import difference_interval, percentile_interval

MAX_COMPARED = 250  # rows of a board, the best: 31,125 pairs, 400 KB of a page


def paired(board: Board, a: str, b: str) -> Score:
    """Return the difference of success, b's less a's, in [-1, 1]."""
    value = _overall(board.sums[b]) - _overall(board.sums[a])
    interval = percentile_interval(board.draws[b] - board.draws[a])
    if interval.low is None or interval.low == interval.high:
        interval = difference_interval(_by_level(board.sums[a], board.sums[b]), interval)
    return Score("difference", value, *interval, n=sum(sum(one.played) for one in board.sums[a].values()))


def compared(board: Board) -> list[str]:
    """Return the names of the rows that are compared with each other, best first."""
    return [row.entry for row in board.rows[:MAX_COMPARED]]


def tenths(board: Board) -> list[tuple[int, int]]:
    """Return the ends of the interval of each pair (a before b in `compared`), in tenths of a point."""
    names = compared(board)
    found = []
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            score = paired(board, a, b)
            found.append((_tenth(score.low), _tenth(score.high)))
    return found


def _tenth(end: float | None) -> int:
    return round(1000 * (end or 0.0))


def _overall(sums: Sums) -> float:
    return mean(sum(one.solved) / sum(one.played) for one in sums.values())


def _by_level(a: Sums, b: Sums) -> Sequence[float]:
    """Return per level the mean over settings of the difference."""
    found: dict[str, list[float]] = {}
    for key in a.keys() & b.keys():
        mine, theirs = _rates(a, key), _rates(b, key)
        for level in mine.keys() & theirs.keys():
            found.setdefault(level, []).append(theirs[level] - mine[level])
    return [mean(values) for _, values in sorted(found.items())]


def _rates(sums: Sums, key: str) -> dict[str, float]:
    one = sums[key]
    return {level: solved / played for level, solved, played in zip(one.levels, one.solved, one.played, strict=True)}
