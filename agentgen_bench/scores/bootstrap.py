"""Intervals. Levels are the unit of resampling, never the episodes of one level (its repeats).

The generator is handed in, or named by the levels; the same generator state gives the same interval on every
machine: sums over a resample are taken in whole numbers (fixed point), so no order of addition and no vector
instruction can change a digit.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import NO_INTERVAL, Interval
from agentgen_bench.seeding import stream

Draws = npt.NDArray[np.float64]  # one value per resample; NaN where the score is undefined in that resample

RESAMPLES = 2000
Z_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution
FIXED_POINT = 2**24  # resolution of a sum: 6e-8; 2**63 / 2**24 leaves room for 5e11 units per resample
MIN_DEFINED = 0.95  # an interval over resamples of which more than 5 % are undefined would hide how often


class Clusters(NamedTuple):
    """A ratio estimated over levels: `sum(sums) / sum(counts)`; level k contributes `sums[k]` and `counts[k]`."""

    sums: npt.NDArray[np.int64]  # (levels,) in units of 1 / FIXED_POINT
    counts: npt.NDArray[np.int64]  # (levels,) episodes, or steps for a rate per step

    @classmethod
    def of(cls, sums: Sequence[float], counts: Sequence[int]) -> "Clusters":
        """Return the clusters of per-level sums and counts.

        Raises:
            ScoreError: a resample's sum might not fit into 64 bits, where it would silently become another number.
        """
        fixed = [round(value * FIXED_POINT) for value in sums]
        largest, levels = max(map(abs, (*fixed, *counts)), default=0), len(fixed)
        if largest * levels >= 2**63:
            raise ScoreError(
                f"a level's sum is {largest / FIXED_POINT:.3g}; redraws of {levels} levels are exact below "
                f"{2**63 / FIXED_POINT / levels:.3g}"
            )
        return cls(np.array(fixed, dtype=np.int64), np.array(counts, dtype=np.int64))

    def draws(self, picks: npt.NDArray[np.int64]) -> Draws:
        """Return the ratio of each resample; `picks` has shape (R, levels), NaN where nothing was counted."""
        sums, counts = self.sums[picks].sum(axis=1), self.counts[picks].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio: Draws = sums / FIXED_POINT / counts
        ratio[counts == 0] = np.nan
        return ratio


def resampled(levels: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return indices of levels drawn with replacement, shape (RESAMPLES, levels)."""
    return rng.integers(levels, size=(RESAMPLES, levels), dtype=np.int64)


def level_picks(levels: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return redraws of these levels that are the same wherever the same levels occur.

    Settings that show one set of levels in several views (richness, distractors) are then redrawn together, and so
    are several policies on one setting: their differences are paired.
    """
    return resampled(len(levels), stream("scores", "levels", *levels))


def drawn_together(clusters: Sequence[Clusters], levels: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the draws of many ratios over the same levels, shape (clusters, R): each as `Clusters.draws` gives it.

    How often each level was drawn, times the levels' numbers, is one product of matrices. All its sums are whole
    numbers below 2**53, so it is exact in whatever order it is taken.

    Raises:
        ScoreError: the numbers are too large for that.
    """
    sums = np.array([each.sums for each in clusters], dtype=np.int64)  # (clusters, levels)
    counts = np.array([each.counts for each in clusters], dtype=np.int64)
    largest = max(int(np.abs(sums).max(initial=0)), int(np.abs(counts).max(initial=0)))
    if largest * len(levels) >= 2**53:
        raise ScoreError(f"a level's sum is {largest / FIXED_POINT:.3g}; redraws are exact below {2**29 / len(levels)}")
    picks = level_picks(levels)
    rows = np.arange(len(picks))[:, None] * len(levels)
    often = np.bincount((picks + rows).ravel(), minlength=picks.size).reshape(picks.shape).astype(np.float64)
    below = counts @ often.T if (counts != counts[0, 0]).any() else np.full((1, 1), float(counts[0, 0] * len(levels)))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: npt.NDArray[np.float64] = (sums.astype(np.float64) @ often.T) / FIXED_POINT / below
    ratio[np.broadcast_to(below == 0, ratio.shape)] = np.nan
    return ratio


def percentile_interval(draws: Draws) -> Interval:
    """Return the central 95 % of the draws; no interval where more than 5 % of them are undefined.

    Percentiles are order statistics (no interpolation), so they are values that were drawn.
    """
    defined = np.sort(draws[~np.isnan(draws)])
    if defined.size == 0 or defined.size < MIN_DEFINED * draws.size:
        return NO_INTERVAL
    return Interval(
        float(defined[math.floor(0.025 * (defined.size - 1))]), float(defined[math.ceil(0.975 * (defined.size - 1))])
    )


def wilson(successes: float, n: int) -> Interval:
    """Return the 95 % Wilson score interval of a rate (Wilson 1927); no interval for n = 0.

    `successes` may be fractional, a sum of values in [0, 1]: their variance is at most that of 0/1 outcomes with
    the same mean, so the interval is then conservative.

    Examples:
        >>> [round(end, 4) for end in wilson(8, 10)]
        [0.4902, 0.9433]
    """
    if n == 0:
        return NO_INTERVAL
    if not 0 <= successes <= n:
        raise ScoreError(f"{successes} successes of {n}; a rate needs 0 <= successes <= n")
    rate, z2 = successes / n, Z_95 * Z_95
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return Interval(low, 1.0 if successes == n else min(1.0, centre + half))


def rate_interval(sums: Sequence[float], counts: Sequence[int], rng: np.random.Generator) -> Interval:
    """Return the interval of a mean of values in [0, 1], given per level their sum and their number.

    One 0/1 value a level: Wilson. Otherwise a percentile bootstrap over levels, and where that has no width
    (all levels alike, which says little when levels are few) Wilson with the number of levels as n.
    """
    singles = all(count == 1 for count in counts)
    if not sums or (singles and all(value in (0, 1) for value in sums)):
        return wilson(math.fsum(sums), sum(counts))
    interval = percentile_interval(Clusters.of(sums, counts).draws(resampled(len(sums), rng)))
    if interval.low is not None and interval.low == interval.high:
        rate = min(1.0, math.fsum(sums) / sum(counts))
        return wilson(rate * len(sums), len(sums))
    return interval


def ratio_interval(sums: Sequence[float], counts: Sequence[int], rng: np.random.Generator) -> Interval:
    """Return the bootstrap interval over levels of `sum(sums) / sum(counts)`; none for fewer than two levels."""
    if len(sums) < 2:
        return NO_INTERVAL
    return percentile_interval(Clusters.of(sums, counts).draws(resampled(len(sums), rng)))


def difference_interval(differences: Sequence[float], bootstrap: Interval) -> Interval:
    """Return the bootstrap's interval, or where it has no width one from Wilson's bounds of levels won and lost.

    Three levels that all tie do not show that two policies are the same. A level on which one solves a quarter of the
    repeats more counts as a quarter won, so that the interval holds the mean of the differences.

    Args:
        differences: per level, each in [-1, 1] (or as `weighing_alike` gives them).
        bootstrap: the interval of their mean.
    """
    if bootstrap.low is not None and bootstrap.low != bootstrap.high:
        return bootstrap
    won, lost = (math.fsum(max(0.0, sign * d) for d in differences) for sign in (1, -1))
    n = len(differences)
    return won_and_lost(min(won, n), min(lost, n), n)  # rounding may sum to more than n


def weighing_alike(settings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return per level a number such that the mean over levels is the mean over settings of the mean over theirs.

    With D distinct levels, S settings and n_s levels of setting s, that of a level is the sum of its values D / n_s,
    over S. Where all settings show the same levels it is the level's mean, and where each has as many of its own it is
    the level's value.

    Args:
        settings: of each, a value per level; at least one level each.
    """
    distinct = len({level for values in settings for level in values})
    parts: dict[str, list[float]] = {}
    for values in settings:
        for level, value in values.items():
            parts.setdefault(level, []).append(value * (distinct / len(values)))
    return {level: math.fsum(own) / len(settings) for level, own in parts.items()}


def won_and_lost(levels_won: float, levels_lost: float, n: int) -> Interval:
    """Return the interval of a difference of success between Wilson's bounds of n levels won and lost.

    Levels may be won and lost in part (see `wilson`). The interval holds (levels_won - levels_lost) / n.
    """
    won, lost = wilson(levels_won, n), wilson(levels_lost, n)
    if won.low is None or won.high is None or lost.low is None or lost.high is None:
        return NO_INTERVAL
    return Interval(won.low - lost.high, won.high - lost.low)
