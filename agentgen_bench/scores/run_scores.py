"""What one run says beyond results.json: reliability, cost, reach, and what is left of success where steps fail.

A score of a single run, over its settings, joins here: `study_scores`, the export and the report take all of them.
Everything ranges over levels only, for these very weights.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.scores.base import Score, by_setting, setting_label
from agentgen_bench.scores.cost import budget_curve, tokens_per_success
from agentgen_bench.scores.horizon import distance, reach
from agentgen_bench.scores.reliability import consistency, pass_hat_k, repeat_counts
from agentgen_bench.scores.reliance import interface_reliance
from agentgen_bench.scores.robustness import robustness
from agentgen_bench.scores.success import by_level, succeeded
from agentgen_bench.seeding import stream


class RunScores(NamedTuple):
    """Scores of one kind about one setting, or about settings that differ in their difficulty alone."""

    section: str  # a key of PER_SETTING, horizon or robustness
    setting: str
    spec: Mapping[str, Any] | None  # None where several settings stand together
    episodes: int  # of the setting, or of all that stand together
    scores: tuple[Score, ...]


def run_scores(episodes: Iterable[Episode]) -> list[RunScores]:
    """Return the scores of one run of one policy; kinds that its records do not allow at all are left out.

    Reliability needs a setting whose levels were repeated, cost a policy that generates tokens, the interface one that
    accepts two names of each action, the horizon an environment that knows the exact distance to the goal, robustness a
    setting played with faults and without. Packs of tasks have none of them.
    """
    settings = {key: group for key, group in by_setting(episodes).items() if "lifecycle" not in group[0].spec}
    found = [
        RunScores(section, setting_label(group[0].spec), group[0].spec, len(group), tuple(scores_of(group, key)))
        for section, scores_of in PER_SETTING.items()
        for key, group in settings.items()
    ]
    return [one for one in (*found, *_horizons(settings), *_robustness(settings)) if one.scores]


def _reliability(group: Sequence[Episode], key: str) -> list[Score]:
    solved, played = by_level(group, [succeeded(episode) for episode in group])
    if max(played) < 2:
        return []
    levels = [(round(c), n) for c, n in zip(solved, played, strict=True)]
    scores = [pass_hat_k(levels, k, stream("scores", "reliability", key, k)) for k in repeat_counts(levels)]
    return [*scores, consistency(levels, stream("scores", "reliability", key))]


def _cost(group: Sequence[Episode], key: str) -> list[Score]:
    curve = budget_curve(group, stream("scores", "cost", key))
    return [*curve, tokens_per_success(group, stream("scores", "cost", key))] if curve else []


def _interface(group: Sequence[Episode], key: str) -> list[Score]:
    return interface_reliance(group, stream("scores", "interface", key))


# By section: the scores of one setting's episodes, none where they do not allow any. The setting's key names the
# random numbers.
PER_SETTING: dict[str, Callable[[Sequence[Episode], str], list[Score]]] = {
    "reliability": _reliability,
    "cost": _cost,
    "interface": _interface,
}


def _horizons(settings: Mapping[str, Sequence[Episode]]) -> Iterator[RunScores]:
    """Yield one curve per family and view of it, over all its difficulties."""
    together: dict[str, list[Episode]] = {}
    for group in settings.values():
        spec = {name: value for name, value in group[0].spec.items() if name != "difficulty"}
        together.setdefault(canonical_json(spec), []).extend(group)
    for key, group in together.items():
        if not any(distance(episode) for episode in group):
            continue
        spec = {name: value for name, value in group[0].spec.items() if name != "difficulty"}
        scores = tuple(reach(group, stream("scores", "horizon", key)))
        yield RunScores("horizon", setting_label(spec), None, len(group), scores)


def _robustness(settings: Mapping[str, Sequence[Episode]]) -> Iterator[RunScores]:
    """Yield a pair of scores for each setting with faults that was played without them too."""
    for key, group in settings.items():
        spec = group[0].spec
        clean = settings.get(canonical_json({name: value for name, value in spec.items() if name != "faults"}))
        if "faults" in spec and clean is not None:
            scores = robustness(clean, group, stream("scores", "robustness", key))
            yield RunScores("robustness", setting_label(spec), spec, len(group), scores)
