"""Long life cycles: packs of tasks that share a hidden fact, and the credit that such packs give (arXiv 2606.20002)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import Score, mean, undefined
from agentgen_bench.scores.bootstrap import difference_interval, rate_interval, ratio_interval

Packs = Sequence[Sequence[float]]  # reward of each task in [0, 1], by pack and position
Array = npt.NDArray[np.float64]


def position_curve(packs: Packs, rng: np.random.Generator) -> list[Score]:
    """Return the mean reward at each position of the packs, intervals by resampling packs."""
    return [mean_over_packs(f"position_{k + 1}", [pack[k] for pack in packs], rng) for k in range(_pack_size(packs))]


def cod_effect(packs: Packs, rng: np.random.Generator) -> Score:
    """Return the mean reward at the last position minus that at the first, paired within packs."""
    if _pack_size(packs) < 2:
        return undefined("cod_effect", "needs packs of at least 2 tasks")
    return mean_difference("cod_effect", [pack[-1] - pack[0] for pack in packs], rng)


def ralph_effect(packs: Packs, rng: np.random.Generator) -> Score:
    """Return the same where all tasks of a pack are one: the mean reward of the last attempt minus that of the first.

    The curve of such packs (arXiv 2606.20002's Ralph loops) is `position_curve`, by attempt.
    """
    if _pack_size(packs) < 2:
        return undefined("ralph_effect", "needs packs of at least 2 tasks")
    return mean_difference("ralph_effect", [pack[-1] - pack[0] for pack in packs], rng)


def stateful_gain(kept: Packs, wiped: Packs, rng: np.random.Generator) -> Score:
    """Return the mean reward with the context kept minus that of the same tasks with it wiped before each.

    Row p of both is the same pack.
    """
    if [len(pack) for pack in kept] != [len(pack) for pack in wiped]:
        raise ScoreError(f"{len(kept)} packs kept and {len(wiped)} wiped do not hold the same tasks")
    _pack_size(kept)
    return mean_difference("stateful_gain", [mean(a) - mean(b) for a, b in zip(kept, wiped, strict=True)], rng)


class CodAdvantages(NamedTuple):
    """Advantages of solving, shape (G, S), and of updating the context, shape (G, S - 1)."""

    solve: Array
    update: Array


def cod_advantages(solve_rewards: Array, update_rewards: Array) -> CodAdvantages:
    """Return the advantages of G rollouts of one pack of S tasks.

    A solve is credited with the mean of its own and all later solve rewards; a context update before task j also
    with its own reward. The mean over the rollouts at the same kind and position is taken off; there is no division
    by a standard deviation.

    Args:
        solve_rewards: x, shape (G, S).
        update_rewards: z, shape (G, S - 1): of the context written before task j = 1 .. S - 1.
    """
    x, z = np.asarray(solve_rewards, dtype=np.float64), np.asarray(update_rewards, dtype=np.float64)
    if x.ndim != 2 or z.shape != (x.shape[0], x.shape[1] - 1):
        raise ScoreError(f"solve rewards of shape {x.shape} need update rewards of one column less, got {z.shape}")
    left = np.arange(x.shape[1], 0, -1)  # tasks from j to the end
    later = np.cumsum(x[:, ::-1], axis=1)[:, ::-1]  # (G, S) sum of x[g, j:]
    solve, update = later / left, (z + later[:, 1:]) / (left[1:] + 1)
    return CodAdvantages(solve - solve.mean(axis=0), update - update.mean(axis=0))


def _pack_size(packs: Packs) -> int:
    sizes = sorted({len(pack) for pack in packs})
    if len(sizes) > 1:
        raise ScoreError(f"packs of {sizes} tasks cannot be averaged by position; give packs of one size")
    return sizes[0] if sizes else 0


def mean_over_packs(name: str, values: Sequence[float], rng: np.random.Generator) -> Score:
    """Return the mean of rewards in [0, 1]; packs that are all alike give Wilson's interval, not one without width."""
    if not values:
        return undefined(name, "there are no packs")
    return Score(name, mean(values), *rate_interval(values, [1] * len(values), rng), n=len(values))


def mean_change(name: str, changes: Sequence[float], rng: np.random.Generator) -> Score:
    """Return the mean of changes of a difference between rewards, each of one pack and in [-2, 2]."""
    half = mean_difference(name, [change / 2 for change in changes], rng)
    if half.value is None or half.low is None or half.high is None:
        return half if half.value is None else Score(name, 2 * half.value, n=half.n)
    return Score(name, 2 * half.value, 2 * half.low, 2 * half.high, n=half.n)


def mean_difference(name: str, differences: Sequence[float], rng: np.random.Generator) -> Score:
    """Return the mean of differences in [-1, 1] between rewards of one pack."""
    if not differences:
        return undefined(name, "there are no packs")
    bootstrap = ratio_interval(differences, [1] * len(differences), rng)
    return Score(name, mean(differences), *difference_interval(differences, bootstrap), n=len(differences))
