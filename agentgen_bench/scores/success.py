"""What results.json holds: success, score, length, tokens, invalid actions of one policy, per environment setting."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import numpy as np

from agentgen_bench.episodes import ENDINGS, Episode, canonical_json
from agentgen_bench.scores.base import (
    Score,
    ScoreJson,
    by_setting,
    family,
    is_crash,
    level_key,
    mean,
    one_policy,
    scores_json,
    setting_label,
    undefined,
)
from agentgen_bench.scores.bootstrap import (
    RESAMPLES,
    Clusters,
    Draws,
    level_picks,
    percentile_interval,
    rate_interval,
    ratio_interval,
    wilson,
)
from agentgen_bench.scores.pack_results import PacksJson, packs_json
from agentgen_bench.seeding import stream

RESULTS_VERSION = 1

Measure = Callable[[Episode], float]


class CrashJson(TypedDict):
    """An episode that ended in an error of ours."""

    seed: int
    repeat: int
    error: str


class SettingJson(TypedDict):
    """What results.json says of one environment setting."""

    setting: str
    spec: Mapping[str, Any]
    episodes: int
    levels: int
    scores: dict[str, ScoreJson]
    endings: dict[str, int]
    parse_reasons: dict[str, int]
    errors: dict[str, int]
    crashed: list[CrashJson]


class ResultsJson(TypedDict):
    """What results.json says of a policy; `families` by name, scores by theirs."""

    results_version: int
    policy: str | None  # None where there are no episodes
    episodes: int
    overall: dict[str, ScoreJson]
    families: dict[str, dict[str, ScoreJson]]
    settings: list[SettingJson]
    packs: NotRequired[PacksJson]  # where packs of tasks were played


@dataclass(frozen=True, slots=True)
class SettingSummary:
    """One policy on one environment setting."""

    spec: Mapping[str, Any]
    episodes: int
    levels: int
    scores: tuple[Score, ...]
    endings: dict[str, int]
    parse_reasons: dict[str, int]  # steps whose completion held no action, by reason
    errors: dict[str, int]  # crashed episodes by the name of the error
    crashed: tuple[tuple[int, int, str], ...]  # (seed, repeat, error) of each

    def score(self, name: str) -> Score:
        """Return the score of that name."""
        return next(score for score in self.scores if score.name == name)

    def to_json(self) -> SettingJson:
        """Return plain values, always the same keys in the same order."""
        return {
            "setting": setting_label(self.spec),
            "spec": dict(self.spec),
            "episodes": self.episodes,
            "levels": self.levels,
            "scores": scores_json(self.scores),
            "endings": self.endings,
            "parse_reasons": self.parse_reasons,
            "errors": self.errors,
            "crashed": [{"seed": seed, "repeat": repeat, "error": error} for seed, repeat, error in self.crashed],
        }


def results(episodes: Iterable[Episode]) -> ResultsJson:
    """Return the summary of one policy's episodes as plain JSON values.

    The same episodes in any order give the same bytes. No episodes give an empty list of settings and overall
    scores that are undefined, with the reason.

    Raises:
        ScoreError: episodes of several policies, or one (setting, seed, repeat) twice.
    """
    episodes = list(episodes)
    policy = one_policy(episodes)
    settings = by_setting(episodes)
    packs = packs_json(settings)
    found: ResultsJson = {
        "results_version": RESULTS_VERSION,
        "policy": policy,
        "episodes": len(episodes),
        "overall": scores_json(overall(settings)),
        "families": {name: scores_json(overall(own)) for name, own in _by_family(settings).items()},
        "settings": [summary(group).to_json() for group in settings.values()],
    }
    return found if packs is None else {**found, "packs": packs}


def _by_family(settings: Mapping[str, list[Episode]]) -> dict[str, dict[str, list[Episode]]]:
    """Return the settings of each family, families sorted."""
    families: dict[str, dict[str, list[Episode]]] = {}
    for key, group in settings.items():
        families.setdefault(family(group[0].spec), {})[key] = group
    return {name: families[name] for name in sorted(families)}


def summary(episodes: Sequence[Episode]) -> SettingSummary:
    """Return the summary of the episodes (at least one) of one setting."""
    spec = episodes[0].spec
    rng = stream("scores", "results", canonical_json(spec))
    crashed = [episode for episode in episodes if is_crash(episode)]
    endings: Counter[str] = Counter(episode.ending for episode in episodes)
    reasons = Counter(step.parse_reason for episode in episodes for step in episode.steps if step.parse_reason)
    return SettingSummary(
        spec=spec,
        episodes=len(episodes),
        levels=len({level_key(episode) for episode in episodes}),
        scores=(
            rate("success", episodes, [succeeded(episode) for episode in episodes], rng),
            rate("score", episodes, [progress(episode) for episode in episodes], rng),
            per_episode("episode_return", episodes, [episode_return(episode) for episode in episodes], rng),
            per_episode("steps", episodes, [len(episode.steps) for episode in episodes], rng),
            *_per_step_scores(episodes, rng),
        ),
        endings={ending: endings[ending] for ending in ENDINGS},
        parse_reasons=dict(sorted(reasons.items())),
        errors=dict(sorted(Counter(error_name(episode) for episode in crashed).items())),
        crashed=tuple((episode.seed, episode.repeat, episode.error or "") for episode in crashed),
    )


def _per_step_scores(episodes: Sequence[Episode], rng: np.random.Generator) -> tuple[Score, ...]:
    """Return the ratios whose denominator is the number of steps."""
    measures: dict[str, Measure] = {
        "prompt_tokens_per_step": lambda episode: sum(step.prompt_tokens for step in episode.steps),
        "completion_tokens_per_step": lambda episode: sum(step.completion_tokens for step in episode.steps),
        "invalid_action_rate": lambda episode: sum(not step.is_action_valid for step in episode.steps),
        "unparsed_rate": lambda episode: sum(step.action is None for step in episode.steps),
    }
    return tuple(
        per_step(name, episodes, [measure(episode) for episode in episodes], rng) for name, measure in measures.items()
    )


def overall(settings: Mapping[str, Sequence[Episode]]) -> tuple[Score, ...]:
    """Return success and score averaged over settings, each setting weighing the same.

    Intervals come from a bootstrap that redraws levels within each setting, and together where settings hold the
    same levels; where that has no width, from Wilson's formula with the number of distinct levels.
    """
    return tuple(_overall(name, settings, measure) for name, measure in (("success", succeeded), ("score", progress)))


def _overall(name: str, settings: Mapping[str, Sequence[Episode]], measure: Measure) -> Score:
    if not settings:
        return undefined(name, "there are no episodes")
    values = [[measure(episode) for episode in group] for group in settings.values()]
    clusters = [by_level(group, each) for group, each in zip(settings.values(), values, strict=True)]
    value, n = mean([mean(each) for each in values]), sum(len(each) for each in values)
    if len(clusters) == 1:
        return Score(name, value, *rate_interval(*clusters[0], stream("scores", "overall", *settings)), n=n)
    levels = [sorted({level_key(episode) for episode in group}) for group in settings.values()]
    interval = percentile_interval(_mean_draws(clusters, levels))
    if interval.low is not None and interval.low == interval.high:  # every setting all solved or all failed
        distinct = len({level for group in levels for level in group})
        interval = wilson(value * distinct, distinct)
    return Score(name, value, *interval, n=n)


def _mean_draws(clusters: Sequence[tuple[list[float], list[int]]], levels: Sequence[list[str]]) -> Draws:
    """Return draws of the mean over settings."""
    total = np.zeros(RESAMPLES)
    for (sums, counts), names in zip(clusters, levels, strict=True):
        total = total + Clusters.of(sums, counts).draws(level_picks(names))
    return total / len(clusters)


def rate(name: str, episodes: Sequence[Episode], values: Sequence[float], rng: np.random.Generator) -> Score:
    """Return the mean over episodes of their values, each in [0, 1]."""
    if not episodes:
        return undefined(name, "there are no episodes")
    return Score(name, mean(values), *rate_interval(*by_level(episodes, values), rng), n=len(episodes))


def per_episode(name: str, episodes: Sequence[Episode], values: Sequence[float], rng: np.random.Generator) -> Score:
    """Return the mean over episodes of their values, in whatever unit."""
    if not episodes:
        return undefined(name, "there are no episodes")
    return Score(name, mean(values), *ratio_interval(*by_level(episodes, values), rng), n=len(episodes))


def per_step(name: str, episodes: Sequence[Episode], totals: Sequence[float], rng: np.random.Generator) -> Score:
    """Return the sum of the episodes' totals over the number of their steps."""
    lengths = [len(episode.steps) for episode in episodes]
    if sum(lengths) == 0:
        return undefined(name, "no episode has a step" if episodes else "there are no episodes")
    sums, _ = by_level(episodes, totals)
    steps, _ = by_level(episodes, lengths)
    interval = ratio_interval(sums, [int(count) for count in steps], rng)
    return Score(name, math.fsum(totals) / sum(lengths), *interval, n=sum(lengths))


def succeeded(episode: Episode) -> float:
    """Return 1.0 for a solved episode, 0.0 for a failed or crashed one."""
    return float(episode.success and not is_crash(episode))


def progress(episode: Episode) -> float:
    """Return the episode's score in [0, 1]; 0.0 where it crashed, whatever it had reached."""
    return 0.0 if is_crash(episode) else episode.score


def episode_return(episode: Episode) -> float:
    """Return the exactly rounded sum of the rewards (`sum` rounds differently in Python 3.11 and 3.12)."""
    return math.fsum(step.reward for step in episode.steps)


def error_name(episode: Episode) -> str:
    """Return the name of the error that ended the episode: what stands before the first colon of its text."""
    return (episode.error or "unknown").partition(":")[0].strip() or "unknown"


def by_level(episodes: Sequence[Episode], values: Sequence[float]) -> tuple[list[float], list[int]]:
    """Return per level, levels sorted, the sum of the values and the number of episodes."""
    levels: dict[str, list[float]] = {}
    for episode, value in zip(episodes, values, strict=True):
        levels.setdefault(level_key(episode), []).append(value)
    ordered = [levels[level] for level in sorted(levels)]
    return [math.fsum(level) for level in ordered], [len(level) for level in ordered]
