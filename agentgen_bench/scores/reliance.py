"""Interface reliance: does an agent call actions by the names it was trained on, whatever the text in front of it says?

Under an interface that accepts both names (`InterfaceSpec(accepts="both")`) half the levels show the original names and
half the aliases, and either are actions. arXiv 2602.01611 measures reliance by aliases in counterbalanced roles; the
formula here is ours, for levels that show one name in the text and both in the list of actions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import NO_INTERVAL, Interval, Score, level_key, undefined
from agentgen_bench.scores.bootstrap import Clusters, percentile_interval, resampled, wilson

MIN_LEVELS = 30  # of a kind; redraws of 10 cover 87 to 89 % (benchmarks/coverage_runs.py), of 50 93 to 95
NAMES = ("interface_reliance", "originals_where_shown", "originals_where_aliases_are_shown")


class _Group(NamedTuple):
    """The levels that show one kind of name: per level, actions under the original name, and under either."""

    originals: list[float]
    named: list[int]

    @property
    def share(self) -> float:
        """Share of the actions under their original names."""
        return sum(self.originals) / sum(self.named)


def interface_reliance(group: Sequence[Episode], rng: np.random.Generator) -> list[Score]:
    """Return the reliance of the episodes of one setting, and the two shares that it is made of.

    With p the share of actions under their original names, where these are shown and where the aliases are, the
    reliance is p(originals shown) + p(aliases shown) - 1, in [-1, 1]: 0 for an agent that uses the names it is shown,
    or either at even odds; 1 for one that uses the originals whatever is shown; -1 for one that never does. What order
    or display does to both kinds of level alike cancels. The interval redraws levels within each kind; where all
    levels of both are alike, it lies between the ends of Wilson's intervals of the shares, with levels for n. Where not
    all are alike and a kind has fewer than `MIN_LEVELS`, there is none. Nothing for a setting whose records do not say
    which names were used.
    """
    shown = {kind: _group(group, kind) for kind in ("original", "alias")}
    if not any(found.named for found in shown.values()):
        return []
    n = sum(len(found.named) for found in shown.values())
    for kind, found in shown.items():
        if not found.named:
            return [
                undefined(name, f"no level shows the names of kind {kind!r}; play more levels", n=n) for name in NAMES
            ]
    both = [_share(found, rng) for found in shown.values()]
    value = both[0].value + both[1].value - 1
    interval = percentile_interval(both[0].draws + both[1].draws - 1)
    if interval.low == interval.high:
        ends = [(one.interval.low or 0.0, one.interval.high or 0.0) for one in both]
        interval = Interval(ends[0][0] + ends[1][0] - 1, ends[0][1] + ends[1][1] - 1)
    elif any(one.interval.low is None for one in both):
        interval = NO_INTERVAL
    reliance = Score(NAMES[0], value, *interval, n=n)
    shares = [
        Score(name, one.value, *one.interval, n=len(found.named))
        for name, one, found in zip(NAMES[1:], both, shown.values(), strict=True)
    ]
    return [reliance, *shares]


class _Share(NamedTuple):
    value: float
    draws: np.ndarray[tuple[int], np.dtype[np.float64]]  # (R,)
    interval: Interval


def _share(group: _Group, rng: np.random.Generator) -> _Share:
    levels = len(group.named)
    draws = Clusters.of(group.originals, group.named).draws(resampled(levels, rng))
    interval = percentile_interval(draws)
    if interval.low == interval.high:
        interval = wilson(group.share * levels, levels)
    elif levels < MIN_LEVELS:
        interval = NO_INTERVAL
    return _Share(group.share, draws, interval)


def _group(episodes: Sequence[Episode], shown: str) -> _Group:
    """Return the levels that show these names and on which some action was named."""
    levels: dict[str, tuple[int, int]] = {}
    for episode in episodes:
        counts = [episode.analysis.get(name) for name in ("named_original", "named_alias")]
        if episode.analysis.get("shown_names") != shown or not all(isinstance(count, int) for count in counts):
            continue
        original, alias = (int(count or 0) for count in counts)
        before = levels.get(level_key(episode), (0, 0))
        levels[level_key(episode)] = (before[0] + original, before[1] + original + alias)
    used = [counts for _, counts in sorted(levels.items()) if counts[1]]
    return _Group([float(original) for original, _ in used], [named for _, named in used])
