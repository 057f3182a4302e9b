"""Transfer of what training on packs gave: to the family and fact trained on, and to those of the other families.

Each family has a fact of its own, so training on one and playing all asks both: what carries over to another fact, and
to another world. Of a pack count its mean score with the context kept, and its gain: that less the mean score of the
same pack with the context wiped before each task (`scores/lifecycle.py`). A policy that merely plays better has a
change of score; one that got better at keeping what matters has a change of gain too.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import LEVELS_AND_SEEDS, NO_INTERVAL, Interval, Score, family, mean, undefined
from agentgen_bench.scores.bootstrap import (
    Clusters,
    Draws,
    difference_interval,
    level_picks,
    percentile_interval,
    weighing_alike,
)
from agentgen_bench.scores.levels import pack_of
from agentgen_bench.scores.packs import Rows, episodes_of_packs, pack_rows, twin_of
from agentgen_bench.scores.training_seeds import Lineage, widened

MEASURES = ("score", "gain")
LARGEST = {"score": 1.0, "gain": 2.0}  # change of a pack, either way

Table = Mapping[str, Rows]  # by setting


class _Changes(NamedTuple):
    """One setting: its levels, and per training seed the change of each, (seeds, levels)."""

    levels: list[str]
    values: list[list[float]]


def pack_table(*runs: Iterable[Episode]) -> Table:
    """Return of each setting of packs the mean score at each position, by level, over the runs of one policy."""
    return {key: pack_rows(episodes) for key, episodes in episodes_of_packs(runs).items()}


def transfer_scores(before: Table, after: Sequence[Table], source: str) -> list[Score]:
    """Return the changes by training on the packs of one family: on its own packs and on those of all others.

    `held_in_score_change`, `held_in_gain_change`, `held_out_score_change`, `held_out_gain_change`: means over the
    settings of different tasks that keep a context (in the gain, of those with a twin), each weighing the same.
    Intervals redraw packs, and with several training seeds hold their spread too.

    Args:
        before: the policy before training.
        after: the trained one, by training seed.
        source: the family trained on.
    """
    settings = [key for key in sorted(before) if _is_kept(key) and all(key in table for table in after)]
    is_own = {key: family(json.loads(key)) == source for key in settings}
    found = []
    for where in ("held_in", "held_out"):
        own = [key for key in settings if is_own[key] == (where == "held_in")]
        for measure in MEASURES:
            changes = [one for key in own if (one := _changes(key, measure, before, after)).levels]
            found.append(_mean_change(f"{where}_{measure}_change", changes, LARGEST[measure]))
    return found


def _is_kept(key: str) -> bool:
    pack = pack_of(json.loads(key))
    return pack.context == "kept" and pack.strategy == "cod"


def _changes(key: str, measure: str, before: Table, after: Sequence[Table]) -> _Changes:
    """Return the changes of a setting, on the levels that all played (with their twins, for the gain)."""
    tables = (before, *after)
    twin = twin_of(key, before) if measure == "gain" else key
    if twin is None or any(twin not in table for table in tables):
        return _Changes([], [])
    levels = [level for level in before[key] if all(table[at].get(level) for table in tables for at in (key, twin))]
    worth = [list(_worth(table[key], table[twin] if measure == "gain" else None, levels)) for table in tables]
    return _Changes(levels, [[new - old for old, new in zip(worth[0], own, strict=True)] for own in worth[1:]])


def _worth(kept: Rows, wiped: Rows | None, levels: Iterable[str]) -> Iterator[float]:
    for level in levels:
        yield mean(kept[level]) - (0.0 if wiped is None else mean(wiped[level]))


def _mean_change(name: str, settings: Sequence[_Changes], largest: float) -> Score:
    if not settings:
        return undefined(name, "no packs of such settings were played before and after the training")
    draws = np.stack([_draws(one) for one in settings], axis=1)  # (seeds, settings, R)
    rates = np.array([[mean(values) for values in one.values] for one in settings]).T  # (seeds, settings)
    value = mean(rates.flatten().tolist())
    interval = percentile_interval(draws.mean(axis=(0, 1)))
    if interval.low is not None and interval.low == interval.high:
        each = weighing_alike([_over_seeds(one) for one in settings])
        low, high = difference_interval([change / largest for change in each.values()], NO_INTERVAL)
        interval = Interval(None if low is None else low * largest, None if high is None else high * largest)
    score = Score(name, value, *interval, n=sum(len(one.levels) for one in settings))
    if len(rates) < 2:
        return score
    spread = Lineage(rates, draws, np.full(len(settings), 1 / len(settings)))
    wider = widened(value, interval, [spread])
    return Score(name, value, *wider, n=score.n, over=LEVELS_AND_SEEDS)


def _over_seeds(one: _Changes) -> dict[str, float]:
    """Return the change of each level of a setting, the mean over the training seeds."""
    return {level: mean(changes) for level, changes in zip(one.levels, zip(*one.values, strict=True), strict=True)}


def _draws(one: _Changes) -> Draws:
    """Return the redrawn mean changes of a setting, (seeds, R); the same redraws for each seed."""
    picks = level_picks(one.levels)
    drawn: Draws = np.stack([Clusters.of(values, [1] * len(values)).draws(picks) for values in one.values])
    return drawn
