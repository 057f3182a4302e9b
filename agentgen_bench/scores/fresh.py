"""Frozen against fresh: how success changes from a suite's known levels to ones drawn after the weights were fixed.

Settings are paired, levels are not: no fresh level is a frozen one, and both are draws from one setting. The change is
the mean over S settings of fresh minus frozen success, d = sum_s (q_s - p_s) / S; how hard a setting is cancels. All
2 S rates are of different levels and so independent, and each has its own interval [l, u] over levels:
Wilson's where each level was played once, else a bootstrap that redraws levels. They are put together as Zou and Donner
2008 (Statistics in Medicine 27:1693, "MOVER") do, which for one setting is Newcombe's method 10 (1998, 17:873):

    low = d - sqrt(sum_s (q_s - l(q_s))^2 + (u(p_s) - p_s)^2) / S
    high = d + sqrt(sum_s (u(q_s) - q_s)^2 + (p_s - l(p_s))^2) / S

Nothing is redrawn as a whole, so settings that are all solved or all failed still have a width. Views of a setting
(richness, distractors) share their levels and are one rate, weighing as many times.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import NO_INTERVAL, Interval, Score, ScoreJson, by_setting, level_key, setting_label
from agentgen_bench.scores.success import overall, rate, succeeded
from agentgen_bench.seeding import stream


class Term(NamedTuple):
    """An estimate in a weighted sum of independent ones."""

    weight: float
    estimate: Score


class FreshSettingJson(TypedDict):
    """What fresh.json says of one setting."""

    setting: str
    frozen: ScoreJson
    fresh: ScoreJson
    change: ScoreJson


class FreshJson(TypedDict):
    """What fresh.json holds; the scores are means over the settings."""

    frozen: ScoreJson
    fresh: ScoreJson
    change: ScoreJson
    settings: list[FreshSettingJson]
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class FreshComparison:
    """One policy on frozen and on fresh levels; each has the scores `frozen`, `fresh` and `change` (fresh - frozen)."""

    settings: tuple[tuple[str, tuple[Score, ...]], ...]  # label, scores
    scores: tuple[Score, ...]  # over the settings, each weighing the same
    left_out: tuple[str, ...]  # settings that have no fresh levels

    @property
    def change(self) -> Score:
        """The mean change over the settings."""
        return self.scores[-1]

    def to_json(self) -> FreshJson:
        """Return plain values."""
        frozen, fresh, change = [score.to_json() for score in self.scores]
        settings = [_setting_json(label, scores) for label, scores in self.settings]
        return {
            "frozen": frozen,
            "fresh": fresh,
            "change": change,
            "settings": settings,
            "left_out": list(self.left_out),
        }


def _setting_json(label: str, scores: Iterable[Score]) -> FreshSettingJson:
    frozen, fresh, change = [score.to_json() for score in scores]
    return {"setting": label, "frozen": frozen, "fresh": fresh, "change": change}


def fresh_comparison(frozen: Iterable[Episode], fresh: Iterable[Episode]) -> FreshComparison:
    """Return how one policy's success changes from frozen levels to fresh ones.

    Raises:
        ScoreError: the episodes share no setting, or a level of one setting is among both.
    """
    known, new = by_setting(frozen), by_setting(fresh)
    shared = [key for key in known if key in new]
    if not shared:
        raise ScoreError("the frozen and the fresh episodes share no setting; compare runs of one suite's settings")
    for key in shared:
        if both := _levels(known[key]) & _levels(new[key]):
            raise ScoreError(f"{setting_label(known[key][0].spec)}: level {min(both)} is not fresh, it is frozen too")
    means = [overall({key: side[key] for key in shared})[0] for side in (known, new)]
    terms = [
        Term(sign * len(keys) / len(shared), _rate([episode for key in keys for episode in side[key]]))
        for keys in _views(known, shared)
        for sign, side in ((-1, known), (1, new))
    ]
    return FreshComparison(
        settings=tuple((setting_label(known[key][0].spec), _scores(known[key], new[key])) for key in shared),
        scores=_named(means[0], means[1], weighted_interval(terms)),
        left_out=tuple(setting_label(group[0].spec) for key, group in known.items() if key not in new),
    )


def weighted_interval(terms: Sequence[Term]) -> Interval:
    """Return the 95 % interval of a weighted sum of independent estimates from theirs (Zou and Donner 2008)."""
    value = math.fsum(weight * _value(estimate) for weight, estimate in terms)
    below, above = [], []
    for weight, estimate in terms:
        if estimate.low is None or estimate.high is None:
            return NO_INTERVAL
        ends = sorted((weight * estimate.low, weight * estimate.high))
        below.append((weight * _value(estimate) - ends[0]) ** 2)
        above.append((ends[1] - weight * _value(estimate)) ** 2)
    return Interval(value - math.sqrt(math.fsum(below)), value + math.sqrt(math.fsum(above)))


def _scores(frozen: Sequence[Episode], fresh: Sequence[Episode]) -> tuple[Score, ...]:
    known, new = _rate(frozen), _rate(fresh)
    return _named(known, new, weighted_interval([Term(-1, known), Term(1, new)]))


def _named(frozen: Score, fresh: Score, interval: Interval) -> tuple[Score, ...]:
    change = Score("change", _value(fresh) - _value(frozen), *interval, n=frozen.n + fresh.n)
    return (
        Score("frozen", frozen.value, frozen.low, frozen.high, frozen.n),
        Score("fresh", fresh.value, fresh.low, fresh.high, fresh.n),
        change,
    )


def _rate(episodes: Sequence[Episode]) -> Score:
    """Return the success of episodes of one setting, or of views of one."""
    rng = stream("scores", "fresh", *sorted(_levels(episodes)))
    return rate("success", episodes, [succeeded(episode) for episode in episodes], rng)


def _views(settings: Mapping[str, Sequence[Episode]], keys: Sequence[str]) -> list[list[str]]:
    """Return the keys in groups of settings that hold the same levels."""
    groups: dict[frozenset[str], list[str]] = {}
    for key in keys:
        groups.setdefault(_levels(settings[key]), []).append(key)
    return list(groups.values())


def _levels(episodes: Sequence[Episode]) -> frozenset[str]:
    return frozenset(level_key(episode) for episode in episodes)


def _value(score: Score) -> float:
    if score.value is None:
        raise ScoreError(f"{score.name} is undefined: {score.reason}")
    return score.value
