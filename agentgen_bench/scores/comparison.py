"""Two policies on the same levels: paired difference of success, and the share of levels won and lost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import (
    Score,
    ScoreJson,
    by_setting,
    level_key,
    mean,
    scores_json,
    setting_label,
)
from agentgen_bench.scores.bootstrap import (
    RESAMPLES,
    Clusters,
    difference_interval,
    level_picks,
    percentile_interval,
    rate_interval,
    ratio_interval,
    weighing_alike,
    wilson,
)
from agentgen_bench.scores.levels import VIEWS, but_views, with_levels
from agentgen_bench.scores.success import succeeded
from agentgen_bench.seeding import stream


class ComparisonJson(TypedDict):
    """A `Comparison` as plain values."""

    setting: str
    levels: int
    only_a: int
    only_b: int
    scores: dict[str, ScoreJson]


class ComparisonsJson(TypedDict):
    """`Comparisons` as plain values."""

    settings: list[ComparisonJson]
    difference: ScoreJson
    only_a: list[str]
    only_b: list[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs A and B on one environment setting; each score is over the levels that both have played."""

    setting: str
    levels: int
    only_a: int
    only_b: int
    scores: tuple[Score, ...]  # success_a, success_b, difference (b - a), won, lost

    def to_json(self) -> ComparisonJson:
        """Return plain values."""
        return {
            "setting": self.setting,
            "levels": self.levels,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "scores": scores_json(self.scores),
        }


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Runs A and B on every setting that both have played, and the mean difference over these settings."""

    settings: tuple[Comparison, ...]
    difference: Score
    only_a: tuple[str, ...]  # settings that B has not played
    only_b: tuple[str, ...]

    def to_json(self) -> ComparisonsJson:
        """Return plain values."""
        return {
            "settings": [comparison.to_json() for comparison in self.settings],
            "difference": self.difference.to_json(),
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
        }


def compare(a: Iterable[Episode], b: Iterable[Episode], across: Sequence[str] = ()) -> Comparisons:
    """Return the paired comparison of two runs.

    An episode that could not begin pairs as a failure on the level of its seed (`levels.with_levels`).

    Args:
        a: episodes of one run.
        b: episodes of the other.
        across: knobs that need not agree (of `VIEWS`): run A in lean text against run B in rich text, say.

    Raises:
        ScoreError: the runs share no level, or `across` makes two settings of one run the same.
    """
    cells_a, cells_b = (_cells(run, across) for run in with_levels([a, b]))
    shared = [key for key in cells_a if key in cells_b and set(cells_a[key].levels) & set(cells_b[key].levels)]
    if not shared:
        raise ScoreError("the two runs share no level; compare runs of the same suite, split and difficulty")
    pairs = [_pair(cells_a[key], cells_b[key]) for key in shared]
    return Comparisons(
        tuple(_comparison(key, cells_a[key], cells_b[key]) for key in shared),
        _mean_difference(pairs),
        tuple(cells_a[key].label for key in cells_a if key not in shared),
        tuple(cells_b[key].label for key in cells_b if key not in shared),
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    label: str
    levels: dict[str, float]  # mean success over the repeats of each level


def _cells(episodes: Iterable[Episode], across: Sequence[str]) -> dict[str, _Cell]:
    unknown = sorted(set(across) - set(VIEWS))
    if unknown:
        raise ScoreError(f"cannot pair across {unknown[0]!r}; choose among: {', '.join(VIEWS)}")
    cells: dict[str, _Cell] = {}
    for group in by_setting(episodes).values():
        key, label = but_views(group[0].spec, across), setting_label(group[0].spec)
        if key in cells:
            raise ScoreError(f"across {', '.join(across)} one run holds both {cells[key].label!r} and {label!r}")
        outcomes: dict[str, list[float]] = {}
        for episode in group:
            outcomes.setdefault(level_key(episode), []).append(succeeded(episode))
        cells[key] = _Cell(label, {level: mean(values) for level, values in sorted(outcomes.items())})
    return dict(sorted(cells.items()))


class _Pair(NamedTuple):
    """Success per shared level, of A and of B."""

    levels: list[str]
    a: list[float]
    b: list[float]

    @property
    def differences(self) -> list[float]:
        return [after - before for before, after in zip(self.a, self.b, strict=True)]


def _pair(a: _Cell, b: _Cell) -> _Pair:
    shared = [level for level in a.levels if level in b.levels]
    return _Pair(shared, [a.levels[level] for level in shared], [b.levels[level] for level in shared])


def _comparison(key: str, a: _Cell, b: _Cell) -> Comparison:
    pair = _pair(a, b)
    n, differences = len(pair.levels), pair.differences
    rng = stream("scores", "compare", key)
    won, lost = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    return Comparison(
        a.label if a.label == b.label else f"{a.label} / {b.label}",
        n,
        len(a.levels) - n,
        len(b.levels) - n,
        (
            Score("success_a", mean(pair.a), *rate_interval(pair.a, [1] * n, rng), n=n),
            Score("success_b", mean(pair.b), *rate_interval(pair.b, [1] * n, rng), n=n),
            Score(
                "difference",
                mean(differences),
                *difference_interval(differences, ratio_interval(differences, [1] * n, rng)),
                n=n,
            ),
            Score("won", won / n, *wilson(won, n), n=n),
            Score("lost", lost / n, *wilson(lost, n), n=n),
        ),
    )


def _mean_difference(pairs: Sequence[_Pair]) -> Score:
    """Return the mean over settings of the paired difference; levels are redrawn within each setting."""
    total = np.zeros(RESAMPLES)
    for pair in pairs:
        clusters = Clusters.of(pair.differences, [1] * len(pair.differences))
        total = total + clusters.draws(level_picks(pair.levels))
    by_level = weighing_alike([dict(zip(pair.levels, pair.differences, strict=True)) for pair in pairs])
    interval = difference_interval(list(by_level.values()), percentile_interval(total / len(pairs)))
    value = mean([mean(pair.differences) for pair in pairs])
    return Score("difference", value, *interval, n=sum(len(pair.levels) for pair in pairs))
