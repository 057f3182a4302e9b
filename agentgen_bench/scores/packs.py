"""From recorded packs to the scores of long life cycles: what `scores/lifecycle.py` defines, per setting."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agentgen_bench.episodes import Episode, Step
from agentgen_bench.scores.base import Score, by_setting, level_key, mean, setting_label
from agentgen_bench.scores.bootstrap import ratio_interval
from agentgen_bench.scores.levels import but_context, pack_of, with_levels
from agentgen_bench.scores.lifecycle import (
    cod_effect,
    mean_change,
    mean_difference,
    mean_over_packs,
    position_curve,
    ralph_effect,
    stateful_gain,
)
from agentgen_bench.seeding import stream

Rows = Mapping[str, Sequence[float]]  # by level the mean score at each position


class PackScores(NamedTuple):
    """The scores of one setting that plays packs.

    `gain` stands with the context kept, where both were played; `memory` (what updates cost, and how many could not be
    read) where an agent writes and spends tokens, or writes in episodes of their own.
    """

    spec: Mapping[str, Any]
    curve: tuple[Score, ...]
    effect: Score
    gain: Score | None
    memory: tuple[Score, ...] = ()

    @property
    def setting(self) -> str:
        """The setting's name, for tables."""
        return setting_label(self.spec)

    @property
    def scores(self) -> tuple[Score, ...]:
        """All of them, in order."""
        return (*self.curve, self.effect, *([self.gain] if self.gain else []), *self.memory)


class PackChanges(NamedTuple):
    """What differs between two policies in one setting of packs, on the same packs."""

    spec: Mapping[str, Any]
    scores: tuple[Score, ...]

    @property
    def setting(self) -> str:
        """The setting's name, for tables."""
        return setting_label(self.spec)


def pack_scores(runs: Iterable[Iterable[Episode]]) -> list[PackScores]:
    """Return the scores of each setting of packs, over the runs of one policy or of its training seeds.

    A pack played several times counts once, with the mean of each position. A crashed one scores 0 throughout.
    """
    settings = episodes_of_packs(runs)
    packs = {key: pack_rows(episodes) for key, episodes in settings.items()}
    return [_scored(key, packs, settings[key]) for key in settings]


def pack_changes(a: Iterable[Iterable[Episode]], b: Iterable[Iterable[Episode]]) -> list[PackChanges]:
    """Return what differs between two policies, B - A, in each setting that both played, on the packs of both.

    The mean score of a pack and the effect within it; and where both played the twin without a context too, the gain.
    With A the policy before a training, B the one after, and a family or fact that it was not trained on, this is
    transfer.
    """
    first, second = list(a), list(b)
    played = with_levels([*first, *second])
    before, after = (
        {key: pack_rows(episodes) for key, episodes in episodes_of_packs(runs).items()}
        for runs in (played[: len(first)], played[len(first) :])
    )
    found = [(key, tuple(_changes(key, before, after))) for key in after if key in before]
    return [PackChanges(json.loads(key), scores) for key, scores in found if scores]


def task_scores(episode: Episode) -> tuple[float, ...]:
    """Return the score of each task of a pack, in [0, 1]; empty where the pack crashed."""
    return () if episode.ending == "error" else tuple(task.score for task in episode.tasks)


def episodes_of_packs(runs: Iterable[Iterable[Episode]]) -> dict[str, list[Episode]]:
    """Return the episodes of each setting of packs, those of all runs together."""
    settings: dict[str, list[Episode]] = {}
    for run in with_levels(runs):
        for key, episodes in by_setting(run).items():
            if "lifecycle" in episodes[0].spec:
                settings.setdefault(key, []).extend(episodes)
    return settings


def _scored(key: str, packs: Mapping[str, Rows], episodes: Sequence[Episode]) -> PackScores:
    rows = list(packs[key].values())
    pack = pack_of(json.loads(key))
    effect = cod_effect if pack.strategy == "cod" else ralph_effect
    twin = twin_of(key, packs) if pack.context == "kept" else None
    gain = None
    if twin is not None and (shared := [one for one in sorted(packs[key]) if packs[key][one] and packs[twin].get(one)]):
        kept, wiped = ([packs[setting][level] for level in shared] for setting in (key, twin))
        gain = stateful_gain(kept, wiped, stream("scores", "packs", key))
    return PackScores(
        json.loads(key),
        tuple(position_curve(rows, stream("scores", "packs", key))),
        effect(rows, stream("scores", "packs", key)),
        gain,
        tuple(_memory(key, episodes)),
    )


def _changes(key: str, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Iterator[Score]:
    own = [level for level in after[key] if level in before[key] and before[key][level] and after[key][level]]
    pairs = [(before[key][level], after[key][level]) for level in own]
    values = {
        "score_change": [mean(new) - mean(old) for old, new in pairs],
        "effect_change": [(new[-1] - new[0]) - (old[-1] - old[0]) for old, new in pairs],
    }
    twin = twin_of(key, after) if pack_of(json.loads(key)).context == "kept" else None
    if twin is not None and twin in before:
        both = [level for level in own if before[twin].get(level) and after[twin].get(level)]
        gains = [[mean(side[key][level]) - mean(side[twin][level]) for level in both] for side in (before, after)]
        values["gain_change"] = [new - old for old, new in zip(*gains, strict=True)]
    for name, changes in values.items():
        if changes:
            scored = mean_difference if name == "score_change" else mean_change
            yield scored(name, changes, stream("scores", "packs", "change", key))


def twin_of(key: str, packs: Iterable[str]) -> str | None:
    """Return of some settings (by key) the one that differs in its wiped context alone; None where it is not there."""
    own = but_context(json.loads(key))
    for other in packs:
        if pack_of(json.loads(other)).context == "wiped" and but_context(json.loads(other)) == own:
            return other
    return None


def _memory(key: str, episodes: Sequence[Episode]) -> Iterator[Score]:
    """Yield the share of contexts that could not be read, per pack, and the tokens that writing costs in a pack."""
    unread = list(by_pack(episodes, _unread).values())
    if unread:
        yield mean_over_packs("unread_contexts", unread, stream("scores", "packs", "memory", key))
    tokens = list(by_pack(episodes, writing_tokens).values())
    if any(tokens):
        interval = ratio_interval(tokens, [1] * len(tokens), stream("scores", "packs", "memory", key))
        yield Score("memory_tokens", mean(tokens), *interval, n=len(tokens))


def by_pack(episodes: Sequence[Episode], value: Callable[[Episode], float | None]) -> dict[str, float]:
    """Return by level, in the order of the episodes, the mean of a value over the times that the pack was played.

    Crashed episodes count for nothing, nor do those without a value.
    """
    packs: dict[str, list[float]] = {}
    for episode in episodes:
        found = None if episode.ending == "error" else value(episode)
        if found is not None:
            packs.setdefault(level_key(episode), []).append(found)
    return {level: mean(values) for level, values in packs.items()}


def _unread(episode: Episode) -> float | None:
    """Return the share of a pack's contexts that could not be read; None where it asks for none."""
    updates = _updates(episode)
    return mean([not step.is_action_valid for step in updates]) if updates else None


def _updates(episode: Episode) -> list[Step]:
    """Return the steps of a pack that are update episodes."""
    n_steps = len(episode.steps)
    return [
        episode.steps[part.start] for part in episode.parts if part.context_chars is not None and part.start < n_steps
    ]


def writing_tokens(episode: Episode) -> int:
    """Return the tokens read and generated in writing what the agent keeps of a pack."""
    steps = [episode.steps[place] for place in writing_places(episode)]
    return sum(step.prompt_tokens + step.completion_tokens for step in steps)


def writing_places(episode: Episode) -> list[int]:
    """Return which steps wrote what the agent keeps, a note or a context: the one before each later task."""
    notes = [task.note for task in episode.tasks[:-1]]
    later = [task.start for task in episode.tasks[1:]]
    return [
        start - 1
        for start, note in zip(later, notes, strict=True)
        if note is not None and 0 < start <= len(episode.steps)
    ]


def pack_rows(episodes: Sequence[Episode]) -> dict[str, list[float]]:
    """Return by level the mean score at each position, over the times that the pack was played.

    A task that a record does not hold has not been begun: it scores 0, as all of a crashed pack do.
    """
    played: dict[str, list[tuple[float, ...]]] = {}
    for episode in episodes:
        played.setdefault(level_key(episode), []).append(task_scores(episode))
    size = max((len(row) for rows in played.values() for row in rows), default=0)
    return {
        level: [mean(row[k] if k < len(row) else 0.0 for row in rows) for k in range(size)]
        for level, rows in sorted(played.items())
    }
