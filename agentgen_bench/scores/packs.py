"""From recorded packs to the scores of long life cycles: what `scores/lifecycle.py` defines, per setting."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.scores.base import Score, by_setting, level_key, mean, setting_label
from agentgen_bench.scores.lifecycle import cod_effect, position_curve, stateful_gain
from agentgen_bench.seeding import stream


class PackScores(NamedTuple):
    """The scores of one setting that plays packs. `gain` stands with the context kept, where both were played."""

    spec: Mapping[str, Any]
    curve: tuple[Score, ...]
    effect: Score
    gain: Score | None

    @property
    def setting(self) -> str:
        """The setting's name, for tables."""
        return setting_label(self.spec)

    @property
    def scores(self) -> tuple[Score, ...]:
        """All of them, in order."""
        return (*self.curve, self.effect, *([self.gain] if self.gain else []))


def pack_scores(runs: Iterable[Iterable[Episode]]) -> list[PackScores]:
    """Return the scores of each setting of packs, over the runs of one policy or of its training seeds.

    A pack played several times counts once, with the mean of each position. A crashed one scores 0 throughout.
    """
    settings: dict[str, list[Episode]] = {}
    for run in runs:
        for key, episodes in by_setting(run).items():
            if "lifecycle" in episodes[0].spec:
                settings.setdefault(key, []).extend(episodes)
    packs = {key: _packs(episodes) for key, episodes in settings.items()}
    kept = {key for key, episodes in settings.items() if any(_has_notes(episode) for episode in episodes)}
    return [_scored(key, packs, kept) for key in settings]


def task_scores(episode: Episode) -> tuple[float, ...]:
    """Return the score of each task of a pack, in [0, 1]; empty where the pack crashed."""
    return () if episode.ending == "error" else tuple(task.score for task in episode.tasks)


def _has_notes(episode: Episode) -> bool:
    """Return whether the agent was asked for notes: the context is kept from task to task."""
    return any(task.note is not None for task in episode.tasks)


def _scored(key: str, packs: Mapping[str, Mapping[str, Sequence[float]]], kept: Collection[str]) -> PackScores:
    rows = list(packs[key].values())
    return PackScores(
        json.loads(key),
        tuple(position_curve(rows, stream("scores", "packs", key))),
        cod_effect(rows, stream("scores", "packs", key)),
        _gain(key, packs, kept) if key in kept else None,
    )


def _gain(key: str, packs: Mapping[str, Mapping[str, Sequence[float]]], kept: Collection[str]) -> Score | None:
    """Return the gain over the setting that differs in its wiped context alone, on the packs that both hold."""
    for wiped in [setting for setting in packs if setting not in kept and not _is_told(json.loads(setting))]:
        shared = sorted(set(packs[key]) & set(packs[wiped]))
        if shared and _without(json.loads(key)) == _without(json.loads(wiped)):
            rows, others = ([packs[setting][level] for level in shared] for setting in (key, wiped))
            return stateful_gain(rows, others, stream("scores", "packs", key))
    return None


def _packs(episodes: Sequence[Episode]) -> dict[str, list[float]]:
    """Return by level the mean score at each position."""
    played: dict[str, list[tuple[float, ...]]] = {}
    for episode in episodes:
        played.setdefault(level_key(episode), []).append(task_scores(episode))
    size = max((len(row) for rows in played.values() for row in rows), default=0)
    return {
        level: [mean(row[k] if row else 0.0 for row in rows) for k in range(size)]
        for level, rows in sorted(played.items())
    }


def _is_told(spec: Mapping[str, Any]) -> bool:
    """Return whether each task of the pack is headed by its fact: a bound, and no twin of the kept context."""
    pack = spec["lifecycle"]
    return str(pack["context"]) == "told" if isinstance(pack, Mapping) else str(pack).endswith("-told")


def _without(spec: Mapping[str, Any]) -> str:
    """Return what two settings share that differ in their context alone; packs of other sizes share no level."""
    return canonical_json({name: value for name, value in spec.items() if name != "lifecycle"})
