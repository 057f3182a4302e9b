"""How far a policy reaches: the exact distance to the goal at which success is one half.

The distance is the least number of actions that solves the level (goal distance of arXiv 2605.02572), known exactly
where an environment's `analysis` holds it: `optimal_moves` (Sokoban), `plan_steps` (ALFWorld). The curve is the one of
Kwa et al. 2025 (arXiv 2503.14499): log-odds of success linear in the logarithm of the length; theirs is a person's
time, ours an exact count.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agentgen_bench.episodes import MAX_COUNT, Episode
from agentgen_bench.scores.base import Interval, Score, level_key, undefined
from agentgen_bench.scores.bootstrap import percentile_interval, resampled
from agentgen_bench.scores.success import succeeded

EXACT_DISTANCES = ("optimal_moves", "plan_steps")  # keys of analysis that hold a proven shortest length
STEEPEST = 30.0  # log-odds per doubling beyond which the fit runs away: solved and failed are parted by distance
_ROUNDS = 40  # of Newton's method; it converges in under 10 where the fit exists

Array = npt.NDArray[np.float64]


class Reach(NamedTuple):
    """The two numbers of one fitted curve."""

    horizon: Score  # in actions
    slope: Score  # log-odds per doubling of the distance; a quarter of it is the change of success around one half


def distance(episode: Episode) -> int | None:
    """Return the exact number of actions from the level's start to the goal; None where it is not known."""
    for key in EXACT_DISTANCES:
        value = episode.analysis.get(key)
        if isinstance(value, (int, float)) and 1 <= value <= MAX_COUNT:
            return round(value)
    return None


def reach(episodes: Sequence[Episode], rng: np.random.Generator) -> Reach:
    """Return horizon_50 and horizon_slope over levels of whatever difficulty, with intervals by redrawing levels.

    log-odds of success = a + b log2(distance), fitted by maximum likelihood; horizon_50 = 2^(-a / b), the slope is b.
    Undefined where success does not fall with the distance, or is one half at none of the distances played.
    """
    levels: dict[str, tuple[float, float, float]] = {}  # log2 of the distance, solved, played
    unknown = 0
    for episode in episodes:
        length = distance(episode)
        if length is None:
            unknown += 1
            continue
        _, solved, played = levels.get(level_key(episode), (0.0, 0.0, 0.0))
        levels[level_key(episode)] = (float(np.log2(length)), solved + succeeded(episode), played + 1)
    left_out = (f"{unknown} episodes whose distance is not known",) if unknown else ()
    rows = np.array([levels[key] for key in sorted(levels)]).reshape(-1, 3)
    return _reach(rows, left_out, rng)


def _reach(rows: Array, left_out: tuple[str, ...], rng: np.random.Generator) -> Reach:
    """Return the scores of rows (log2 distance, solved, played), one per level."""
    why = _why_not(rows)
    if why is None:
        points, where = np.unique(rows[:, 0], return_inverse=True)
        (a,), (b,) = _fit(points, *_summed(rows, where, np.arange(len(rows))[None]))
        why = _why_no_half(a, b, points)
    if why is not None:
        names = ("horizon_50", "horizon_slope")
        return Reach(*(undefined(name, why, n=len(rows), left_out=left_out) for name in names))
    a_draws, b_draws = _fit(points, *_summed(rows, where, resampled(len(rows), rng)))
    falling = np.where(b_draws < 0, b_draws, np.nan)
    halves = percentile_interval(-a_draws / falling)  # in log2, so that no end can overflow
    horizon = Score("horizon_50", float(2 ** (-a / b)), n=len(rows), left_out=left_out)
    slope = Score("horizon_slope", float(b), n=len(rows), left_out=left_out)
    ends = Interval(*(None if end is None else float(2 ** min(end, 60.0)) for end in halves))
    return Reach(horizon.within(ends), slope.within(percentile_interval(b_draws)))


def _why_not(rows: Array) -> str | None:
    if len(rows) == 0:
        return "no record holds the exact distance to the goal"
    if len(set(rows[:, 0].tolist())) < 2:
        return "all levels are equally far from the goal; play several difficulties"
    solved, played = rows[:, 1].sum(), rows[:, 2].sum()
    furthest = round(2 ** float(rows[:, 0].max()))
    if solved == 0:
        return "no episode was solved: one half lies below the distances played"
    return f"all were solved: one half lies beyond {furthest} actions" if solved == played else None


def _why_no_half(a: float, b: float, points: Array) -> str | None:
    if np.isnan(b):
        return "the distance parts solved and failed levels without overlap; play more levels"
    if b >= 0:
        return "success does not fall with the distance"
    near, far = round(2 ** float(points[0])), round(2 ** float(points[-1]))
    if not points[0] <= -a / b <= points[-1]:
        return f"success is one half at none of the distances played, {near} to {far} actions"
    return None


def _summed(rows: Array, where: npt.NDArray[np.intp], picks: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Return solved and played episodes per redraw and distance, both of shape (R, distances)."""
    n_points = int(where.max()) + 1
    out = []
    for column in (1, 2):
        flat = where[picks] + n_points * np.arange(len(picks))[:, None]
        sums = np.bincount(flat.ravel(), rows[picks, column].ravel(), n_points * len(picks))
        out.append(sums.reshape(len(picks), n_points).astype(np.float64))
    return out[0], out[1]


def _fit(points: Array, solved: Array, played: Array) -> tuple[Array, Array]:
    """Return a and b of each redraw by Newton's method; NaN where there is no finite fit.

    Args:
        points: log2 of the distances, shape (D,).
        solved: episodes, shape (R, D).
        played: episodes, shape (R, D).
    """
    x = points - points.mean()
    a, b = np.zeros(len(solved)), np.zeros(len(solved))
    with np.errstate(all="ignore"):
        for _ in range(_ROUNDS):
            chance = 1 / (1 + np.exp(-np.clip(a[:, None] + b[:, None] * x, -50, 50)))
            error, weight = solved - played * chance, played * chance * (1 - chance)
            g0, g1 = error.sum(1), error @ x
            h0, h1, h2 = weight.sum(1), weight @ x, weight @ (x * x)
            det = h0 * h2 - h1 * h1
            a = a + np.clip((h2 * g0 - h1 * g1) / det, -4, 4)
            b = b + np.clip((h0 * g1 - h1 * g0) / det, -4, 4)
    lost = ~np.isfinite(a) | ~np.isfinite(b) | (np.abs(b) > STEEPEST)
    a, b = np.where(lost, np.nan, a), np.where(lost, np.nan, b)
    return a - b * points.mean(), b
