"""Fresh levels in a study: how much of what its policies solve on frozen levels they solve on ones drawn later.

A condition's training seeds play the same levels, so their episodes are repeats of these; the change of success and its
interval over levels are those of `scores.fresh`, and the spread between the seeds' own changes is joined to it as in
every other score of a study (`scores.training_seeds`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from agentgen_bench.episodes import Episode, canonical_json
from agentgen_bench.scores.base import Score, ScoreJson, family, mean
from agentgen_bench.scores.fresh import FreshComparison, fresh_comparison
from agentgen_bench.scores.ood import Rates
from agentgen_bench.scores.sampling import PolicyRates, over_seeds, pooled, sample
from agentgen_bench.scores.study import Condition, Study
from agentgen_bench.scores.study_board import BoardScoreJson, BoardScoresJson, rate_json, score_json

Runs = Mapping[str, Sequence[Episode]]


class FreshSettingJson(TypedDict):
    """One setting: success on its frozen and on its fresh levels, and the change; over levels alone."""

    setting: str
    scores: dict[str, ScoreJson]


class FreshPolicyJson(TypedDict):
    """A policy on fresh levels; `left_out` names the settings that have none."""

    policy: str
    seeds: list[int]
    frozen: BoardScoreJson
    fresh: BoardScoreJson
    change: BoardScoreJson
    settings: list[FreshSettingJson]
    left_out: list[str]


class FreshStudyJson(TypedDict):
    """What `fresh.json` of a study's entry holds.

    `rows` has an item for each row of its `scores.json`, the change of the row's policy (in studies of difficulty on
    the row's family, in sequences after the last stage); null where that was not played on fresh levels.
    """

    policies: list[FreshPolicyJson]
    rows: list[BoardScoreJson | None]


def study_fresh(study: Study, frozen: Runs, fresh: Runs, scores: BoardScoresJson) -> FreshStudyJson:
    """Return what `fresh.json` holds, as plain values.

    Args:
        study: the roles.
        frozen: the episodes of each run that the study names, those of further checkpoints among them as repeats.
        fresh: the same on fresh levels; no episodes for runs that have none there.
        scores: of the frozen levels.

    Raises:
        ScoreError: a level is among the frozen and among the fresh ones.
    """
    played = {
        condition.label: (condition, [run.run for run in runs])
        for condition, runs in study.conditions.items()
        if all(fresh[run.run] for run in runs)
    }
    policies: list[FreshPolicyJson] = []
    for label, (condition, names) in played.items():
        comparison = fresh_comparison(_repeats(names, frozen), _repeats(names, fresh))
        known, new, _ = comparison.scores
        policies.append(
            {
                "policy": label,
                "seeds": [run.seed for run in study.conditions[condition]],
                "frozen": rate_json(known),
                "fresh": rate_json(new),
                "change": score_json(_over_seeds(comparison, condition, names, frozen, fresh)),
                "settings": [_setting(*setting) for setting in comparison.settings],
                "left_out": list(comparison.left_out),
            }
        )
    rows: list[BoardScoreJson | None] = []
    for row in scores["rows"]:
        label, name = _about(study, row)
        rows.append(None if label not in played else _change_on(name, *played[label], frozen, fresh))
    return {"policies": policies, "rows": rows}


def _about(study: Study, row: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the policy that a row of scores.json is about, and the family where it is about one."""
    if "order" in row:
        return study.stages[-1].label, None
    return str(row["policy"]), row.get("family")


def _setting(label: str, scores: Sequence[Score]) -> FreshSettingJson:
    return {"setting": label, "scores": {score.name: score.to_json() for score in scores}}


def _change_on(
    name: str | None, condition: Condition, runs: Sequence[str], frozen: Runs, fresh: Runs
) -> BoardScoreJson | None:
    """Return the change of a condition, on one family where a name is given; None where that has no fresh levels."""
    known, new = ({run: _of_family(name, side[run]) for run in runs} for side in (frozen, fresh))
    if not all(new.values()):
        return None
    comparison = fresh_comparison(_repeats(runs, known), _repeats(runs, new))
    return score_json(_over_seeds(comparison, condition, runs, known, new))


def _of_family(name: str | None, episodes: Sequence[Episode]) -> Sequence[Episode]:
    return episodes if name is None else [episode for episode in episodes if family(episode.spec) == name]


def _repeats(names: Sequence[str], played: Runs) -> list[Episode]:
    """Return the episodes of several runs on the same levels as repeats of these."""
    found: list[Episode] = []
    for name in names:
        first = 1 + max((episode.repeat for episode in found), default=-1)
        found += [replace(episode, repeat=first + episode.repeat) for episode in played[name]]
    return found


def _over_seeds(
    comparison: FreshComparison, condition: Condition, names: Sequence[str], frozen: Runs, fresh: Runs
) -> Score:
    """Return the change with its interval over levels widened by the spread between training seeds."""
    lineage = "" if condition.role == "initial" else condition.label
    return over_seeds(comparison.change, _change, [_pooled(names, side, lineage) for side in (frozen, fresh)])


def _pooled(names: Sequence[str], played: Runs, lineage: str) -> PolicyRates:
    return pooled(list(sample({name: played[name] for name in names}, canonical_json).runs.values()), lineage)


def _change(frozen: Rates, fresh: Rates) -> Score:
    shared = [name for name in frozen if name in fresh]
    return Score("change", mean(fresh[name] - frozen[name] for name in shared), n=len(shared))
