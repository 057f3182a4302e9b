"""Aggregates over training seeds and environments (Agarwal et al. 2021, arXiv 2108.13264, sections 4.1 and 4.3)."""

from collections.abc import Mapping, Sequence

import numpy as np

from agentgen_bench.scores.base import NO_INTERVAL, Score, mean, undefined
from agentgen_bench.scores.bootstrap import RESAMPLES, percentile_interval


def interquartile_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle half: a quarter of the values, rounded down, is cut off at each end.

    Examples:
        >>> interquartile_mean([0, 1, 2, 3, 4, 5, 6, 100])
        3.5
    """
    cut = len(values) // 4
    return mean(sorted(values)[cut : len(values) - cut])


def iqm(rates: Sequence[Mapping[str, float]], rng: np.random.Generator, resamples: int = RESAMPLES) -> Score:
    """Return the interquartile mean over all (seed, environment) cells, with a stratified bootstrap interval.

    Each environment is a stratum: its cells are redrawn among the seeds. The values are rates, never raw 0/1
    episodes, whose interquartile mean would be 0 at a success rate of .2. One seed leaves nothing to redraw: then
    there is a value without an interval.

    Args:
        rates: per training seed, success by environment; every seed has the same environments.
        rng: the generator that redraws.
        resamples: number of redraws.
    """
    name = "iqm_success"
    environments = sorted({environment for seed in rates for environment in seed})
    if not environments:
        return undefined(name, "there are no cells")
    holes = [f"seed {i} on {e}" for i, seed in enumerate(rates) for e in environments if e not in seed]
    if holes:
        return undefined(name, f"not evaluated: {', '.join(holes)}")
    cells = np.array([[seed[environment] for environment in environments] for seed in rates])  # (seeds, K)
    score = Score(name, interquartile_mean(cells.ravel().tolist()), n=cells.size)
    if len(rates) < 2:
        return score.within(NO_INTERVAL)
    picks = rng.integers(len(rates), size=(resamples, *cells.shape))  # (R, seeds, K)
    redrawn = cells[picks, np.arange(len(environments))].reshape(resamples, -1).tolist()
    return score.within(percentile_interval(np.array([interquartile_mean(row) for row in redrawn])))
