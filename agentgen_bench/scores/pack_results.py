"""What results.json and the board say of packs: each setting's scores, and their means over settings.

Definitions are those of `scores/lifecycle.py` and `scores/packs.py`. A mean over settings weighs each the same; its
interval redraws packs within each setting, as the overall success does with levels.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypedDict

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import Interval, Score, ScoreJson, mean, scores_json
from agentgen_bench.scores.bootstrap import (
    Clusters,
    difference_interval,
    level_picks,
    percentile_interval,
    weighing_alike,
    wilson,
)
from agentgen_bench.scores.levels import pack_of
from agentgen_bench.scores.packs import by_pack, pack_rows, pack_scores, twin_of, writing_tokens

# Means over the settings that keep a context: of different tasks, but for `ralph_effect`; tokens are of all of them.
OVERALL = (
    "kept_score",  # of a task, over all positions
    "first_position",
    "last_position",
    "cod_effect",
    "stateful_gain",
    "ralph_effect",
    "memory_tokens",  # prompts and completions of what writes the context, in a pack
)

Values = Mapping[str, float]  # of one setting, by level
Bound = Callable[[Sequence[float], Interval], Interval]  # what an interval without width is replaced by


class PackSettingJson(TypedDict):
    """The scores of one setting of packs: the positions, the effect, the gain, what memory costs."""

    setting: str
    spec: Mapping[str, Any]
    scores: dict[str, ScoreJson]


class PacksJson(TypedDict):
    """What results.json says of packs; `overall` has those of `OVERALL` that the settings give."""

    overall: dict[str, ScoreJson]
    settings: list[PackSettingJson]


def packs_json(settings: Mapping[str, Sequence[Episode]]) -> PacksJson | None:
    """Return the scores of those settings (by key) that play packs; None where none does."""
    packs = {key: episodes for key, episodes in settings.items() if "lifecycle" in episodes[0].spec}
    if not packs:
        return None
    return {
        "overall": scores_json(overall_of_packs(packs)),
        "settings": [
            {"setting": one.setting, "spec": dict(one.spec), "scores": scores_json(one.scores)}
            for one in pack_scores(packs.values())
        ],
    }


def overall_of_packs(settings: Mapping[str, Sequence[Episode]]) -> list[Score]:
    """Return the means over settings of packs, in the order of `OVERALL`; what no setting gives is left out."""
    rows = {key: pack_rows(episodes) for key, episodes in settings.items()}
    packs = {key: pack_of(json.loads(key)) for key in settings}
    kept = [key for key, pack in packs.items() if pack.context == "kept"]
    different = {key: rows[key] for key in kept if packs[key].strategy == "cod"}
    repeated = {key: rows[key] for key in kept if packs[key].strategy != "cod"}
    found = {
        "kept_score": [_each(own, mean) for own in different.values()],
        "first_position": [_each(own, lambda row: row[0]) for own in different.values()],
        "last_position": [_each(own, lambda row: row[-1]) for own in different.values()],
        "cod_effect": [_each(own, lambda row: row[-1] - row[0]) for own in different.values()],
        "stateful_gain": list(_gains(different, rows)),
        "ralph_effect": [_each(own, lambda row: row[-1] - row[0]) for own in repeated.values()],
        "memory_tokens": [tokens for key in kept if any((tokens := _tokens(settings[key])).values())],
    }
    bounds: dict[str, Bound] = {"kept_score": _rate, "first_position": _rate, "last_position": _rate}
    bounds["memory_tokens"] = lambda values, interval: interval
    return [
        _over_settings(name, [one for one in found[name] if one], bounds.get(name, difference_interval))
        for name in OVERALL
        if any(found[name])
    ]


def _each(rows: Mapping[str, Sequence[float]], value: Callable[[Sequence[float]], float]) -> Values:
    return {level: value(row) for level, row in rows.items() if row}


def _gains(
    kept: Mapping[str, Mapping[str, Sequence[float]]], rows: Mapping[str, Mapping[str, Sequence[float]]]
) -> Iterator[Values]:
    for key, own in kept.items():
        twin = twin_of(key, rows)
        if twin is not None:
            both = [level for level in own if own[level] and rows[twin].get(level)]
            yield {level: mean(own[level]) - mean(rows[twin][level]) for level in both}


def _tokens(episodes: Sequence[Episode]) -> Values:
    """Return by level, levels sorted, the tokens that writing took in a pack."""
    return dict(sorted(by_pack(episodes, writing_tokens).items()))


def _over_settings(name: str, settings: Sequence[Values], bound: Bound) -> Score:
    draws = [
        Clusters.of(list(values.values()), [1] * len(values)).draws(level_picks(list(values))) for values in settings
    ]
    total = draws[0]
    for more in draws[1:]:
        total = total + more
    interval = percentile_interval(total / len(draws))
    if interval.low is not None and interval.low == interval.high:
        interval = bound(list(weighing_alike(settings).values()), interval)
    n = sum(len(values) for values in settings)
    return Score(name, mean(map(mean, (values.values() for values in settings))), *interval, n=n)


def _rate(values: Sequence[float], interval: Interval) -> Interval:
    return wilson(min(1.0, mean(values)) * len(values), len(values))
