"""How much of its success a policy keeps where steps fail: the same levels with faults and without."""

from collections.abc import Sequence

import numpy as np

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import Score, level_key, mean, undefined
from agentgen_bench.scores.bootstrap import Clusters, difference_interval, percentile_interval, resampled
from agentgen_bench.scores.success import succeeded


def robustness(clean: Sequence[Episode], faulty: Sequence[Episode], rng: np.random.Generator) -> tuple[Score, Score]:
    """Return the robustness ratio and the change by faults, over the levels that both groups played.

    ratio = mean over levels of the success with faults, over that without; change = the first minus the second. The
    ratio is that of arXiv 2605.11928; it says nothing where nothing is solved without faults, and the change then
    shows what little there is. Levels are redrawn in pairs.

    Args:
        clean: episodes of a setting without faults, repeats of a level in any number.
        faulty: episodes of the same setting with faults.
        rng: redraws the levels.
    """
    rates = [_by_level(group) for group in (clean, faulty)]
    shared = [level for level in rates[0] if level in rates[1]]
    if not shared:
        why = "no level was played both with faults and without"
        return undefined("robustness_ratio", why), undefined("fault_change", why)
    without, under = ([rate[level] for level in shared] for rate in rates)
    picks = resampled(len(shared), rng)
    ones = [1] * len(shared)
    differences = [b - a for a, b in zip(without, under, strict=True)]
    moved = percentile_interval(Clusters.of(differences, ones).draws(picks))
    change = Score("fault_change", mean(differences), *difference_interval(differences, moved), n=len(shared))
    if not any(without):
        why = "nothing is solved without faults: there is no share of nothing"
        return undefined("robustness_ratio", why, n=len(shared)), change
    bottom = Clusters.of(without, ones).draws(picks)
    bottom[bottom == 0] = np.nan
    draws = Clusters.of(under, ones).draws(picks) / bottom
    interval = percentile_interval(draws)
    is_flat = interval.low is not None and interval.low == interval.high  # all levels alike says little of others
    ratio = Score("robustness_ratio", sum(under) / sum(without), n=len(shared))
    return (ratio if is_flat else ratio.within(interval)), change


def _by_level(episodes: Sequence[Episode]) -> dict[str, float]:
    """Return each level's share of solved episodes, in the order of the episodes."""
    outcomes: dict[str, list[float]] = {}
    for episode in episodes:
        outcomes.setdefault(level_key(episode), []).append(float(succeeded(episode)))
    return {level: mean(values) for level, values in outcomes.items()}
