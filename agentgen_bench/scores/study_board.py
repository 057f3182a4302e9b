"""What the board shows of a study of a frozen protocol: `scores.json` of its entry, one shape per kind of study.

    {"scores_version": 1, "protocol": "transfer-v1", "kind": "transfer", "study": NAME, "seeds": 3, "episodes": 87500,
     "policies": [{"policy": "trained on Sokoban", "role": "trained", "source": "Sokoban", "difficulty": null,
                   "stage": null, "augmented": false, "seeds": [0, 1, 2], "families": {"Sokoban": S, ...},
                   "cells": {"Sokoban starter": S, ...}}, ...],
     "rows": [...]}

S is a score: `value`, `low`, `high` (95 %), `n`, `reason` where it has no value, `left_out`, and `over`: "levels only"
or "levels and seeds". Values are fractions. `rows` hold, by kind:

transfer    one per training: `policy`, `trained_on`, `distractors` (bool), `seeds`, and the scores `initial` (mean
            success over families before training), `held_in_gain`, `held_out_change`, `overall_gain`, `tax`,
            `retention`, `unseen_change` (on the families that no run of the study is trained on) and, with distractors,
            `distractors_change`: against the same training without them, relative; else null.
difficulty  one per family and difficulty trained on, and one per family for the initial policy (`trained_on` null):
            `policy`, `family`, `trained_on`, `seeds`, `cells` (by difficulty, its cell's `success`, and for a trained
            policy `transfer` and `recovery`, null where it was trained there), `gain_elsewhere`: mean over the cells of
            the difficulties not trained on, `difficulty_drop`: success on easy less that on hard.
sequence    one per study: `order` (families of the stages), `seeds`, the scores `initial`, `accuracy_end`,
            `backward_transfer`, `forgetting_end`, `forgetting_max`, `forward_transfer`, `mixture` (mean success over
            the stages' families after training on all at once), `against_mixture` (mean over the stages of what the
            mixture solves more than the stage did), `intransigence` (by family), `unseen_change` (after the last
            stage), `mixture_unseen_change`, and `matrix`: `policies` by `families`, scores.
lifecycle   one per training on packs: `policy`, `trained_on`, `seeds`, the scores of `scores.pack_transfer` and, of the
            trained policy over all families, its seeds pooled (`scores.pack_results`): `kept_score`, `cod_effect`,
            `stateful_gain`, `ralph_effect`; `initial`: the first of these before training.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypedDict

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import Interval, Score, ScoreJson, family, mean, undefined
from agentgen_bench.scores.difficulty import difficulty_slope, difficulty_transfer, recovery
from agentgen_bench.scores.levels import with_levels
from agentgen_bench.scores.lines import Table
from agentgen_bench.scores.ood import (
    Rates,
    delta_held_in,
    delta_held_out,
    delta_overall,
    generalization_tax,
    ood_change,
    retention,
)
from agentgen_bench.scores.pack_results import overall_of_packs
from agentgen_bench.scores.pack_transfer import pack_table, transfer_scores
from agentgen_bench.scores.packs import episodes_of_packs
from agentgen_bench.scores.sampling import PolicyRates, bootstrapped, bootstrapped_difference, sample
from agentgen_bench.scores.sequence import sequence_lines
from agentgen_bench.scores.study import Condition, Study
from agentgen_bench.scores.study_scores import rates_by_condition, success_on

SCORES_VERSION = 1

Label = Callable[[Mapping[str, Any]], str | None]  # spec in JSON form -> what its cell is called


class BoardScoreJson(ScoreJson):
    """A score as the board's files hold it."""

    over: str


class PolicyJson(TypedDict):
    """What a policy of the study solves, by family and by cell of the protocol."""

    policy: str
    role: str
    source: str | None
    difficulty: str | None
    stage: int | None
    augmented: bool
    seeds: list[int]
    families: dict[str, BoardScoreJson]
    cells: dict[str, BoardScoreJson]


class TransferJson(TypedDict):
    """A training of a study of transfer."""

    policy: str
    trained_on: str
    distractors: bool
    seeds: int
    initial: BoardScoreJson
    held_in_gain: BoardScoreJson
    held_out_change: BoardScoreJson
    overall_gain: BoardScoreJson
    tax: BoardScoreJson
    retention: BoardScoreJson
    unseen_change: BoardScoreJson
    distractors_change: BoardScoreJson | None


class CellJson(TypedDict):
    """What a policy of a study of difficulty solves at one difficulty."""

    success: BoardScoreJson
    transfer: BoardScoreJson | None
    recovery: BoardScoreJson | None


class DifficultyJson(TypedDict):
    """A family and the difficulty trained on; `cells` by difficulty."""

    policy: str
    family: str
    trained_on: str | None
    seeds: int
    cells: dict[str, CellJson]
    gain_elsewhere: BoardScoreJson | None
    difficulty_drop: BoardScoreJson


class MatrixJson(TypedDict):
    """Success of each policy on each family."""

    policies: list[str]
    families: list[str]
    success: list[list[BoardScoreJson]]


class SequenceJson(TypedDict):
    """A study of a sequence."""

    order: list[str]
    seeds: int
    initial: BoardScoreJson
    accuracy_end: BoardScoreJson
    backward_transfer: BoardScoreJson
    forgetting_end: BoardScoreJson
    forgetting_max: BoardScoreJson
    forward_transfer: BoardScoreJson
    mixture: BoardScoreJson
    against_mixture: BoardScoreJson
    intransigence: dict[str, BoardScoreJson]
    unseen_change: BoardScoreJson
    mixture_unseen_change: BoardScoreJson
    matrix: MatrixJson


class LifecycleJson(TypedDict):
    """A training on packs."""

    policy: str
    trained_on: str
    seeds: int
    initial: BoardScoreJson
    held_in_score_change: BoardScoreJson
    held_in_gain_change: BoardScoreJson
    held_out_score_change: BoardScoreJson
    held_out_gain_change: BoardScoreJson
    kept_score: BoardScoreJson
    cod_effect: BoardScoreJson
    stateful_gain: BoardScoreJson
    ralph_effect: BoardScoreJson


RowsJson = list[TransferJson] | list[DifficultyJson] | list[SequenceJson] | list[LifecycleJson]


class BoardScoresJson(TypedDict):
    """What `scores.json` of a study's entry holds."""

    scores_version: int
    protocol: str
    kind: str
    study: str
    seeds: int
    episodes: int
    policies: list[PolicyJson]
    rows: RowsJson


def board_scores(
    protocol: str, kind: str, study: Study, runs: Mapping[str, Sequence[Episode]], label: Label
) -> BoardScoresJson:
    """Return what `scores.json` holds, as plain values.

    Args:
        protocol: its name.
        kind: transfer, difficulty, sequence or lifecycle.
        study: the roles.
        runs: the episodes of each run that the study names.
        label: what the cell of a spec is called, family first.
    """
    runs = dict(zip(runs, with_levels(runs.values()), strict=True))
    families = rates_by_condition(study, sample(runs, family))
    cells = rates_by_condition(study, sample(runs, label))
    trained = [entries for condition, entries in study.conditions.items() if condition.role != "initial"]
    return {
        "scores_version": SCORES_VERSION,
        "protocol": protocol,
        "kind": kind,
        "study": study.name,
        "seeds": min(map(len, trained), default=0),
        "episodes": sum(map(len, runs.values())),
        "policies": [_policy(condition, study, families, cells) for condition in study.conditions],
        "rows": list(_lifecycle(study, runs)) if kind == "lifecycle" else _rows(kind, study, families, cells),
    }


def _rows(kind: str, study: Study, families: Table, cells: Table) -> RowsJson:
    if kind == "transfer":
        return list(_transfer(study, families))
    return list(_difficulty(study, families, cells)) if kind == "difficulty" else [_sequence(study, families)]


def score_json(score: Score) -> BoardScoreJson:
    """Return a score as the board's files hold it."""
    return {**score.to_json(), "over": score.over}


def rate_json(score: Score) -> BoardScoreJson:
    """Return a success rate as the board's files hold it: no end of its interval lies outside [0, 1].

    Joined with the spread of few training seeds an interval may reach further; no rate does.
    """
    return {**score_json(score), "low": _within(score.low), "high": _within(score.high)}


def _within(end: float | None) -> float | None:
    return None if end is None else min(1.0, max(0.0, end))


def _policy(condition: Condition, study: Study, families: Table, cells: Table) -> PolicyJson:
    return {
        "policy": condition.label,
        "role": condition.role,
        "source": condition.source,
        "difficulty": condition.difficulty,
        "stage": condition.stage,
        "augmented": condition.augmented,
        "seeds": [run.seed for run in study.conditions[condition]],
        "families": {name: rate_json(success_on(name, families[condition])) for name in families[condition].rates},
        "cells": {name: rate_json(success_on(name, cells[condition])) for name in cells[condition].rates},
    }


def _initial(study: Study) -> Condition:
    return study.only("initial") or Condition("initial")


def _mean_over(names: Sequence[str], rates: Rates) -> Score:
    return Score("success", mean([rates[name] for name in names]), n=len(names))


def _change_on(names: Sequence[str], before: Rates, after: Rates) -> Score:
    if not names:
        return undefined("change", "no family here is one that nobody trains on")
    return Score("change", mean([after[name] - before[name] for name in names]), n=len(names))


def _unseen(study: Study, families: Table) -> list[str]:
    """Return the families that no run of the study was trained on."""
    trained = {run.source for run in study.runs if run.source is not None}
    return [name for name in families[_initial(study)].rates if name not in trained]


def _transfer(study: Study, families: Table) -> Iterator[TransferJson]:
    start, unseen = families[_initial(study)], _unseen(study, families)
    everywhere = list(start.rates)
    for condition in [c for c in families if c.role == "trained"]:
        policy, source = families[condition], str(condition.source)
        plain = families.get(condition._replace(augmented=False)) if condition.augmented else None
        against_plain = None if plain is None else bootstrapped(partial(ood_change, source=source), policy, plain)
        yield {
            "policy": condition.label,
            "trained_on": source,
            "distractors": condition.augmented,
            "seeds": len(study.conditions[condition]),
            "initial": rate_json(bootstrapped(partial(_mean_over, everywhere), start)),
            "held_in_gain": score_json(bootstrapped_difference(partial(delta_held_in, source=source), start, policy)),
            "held_out_change": score_json(
                bootstrapped_difference(partial(delta_held_out, source=source), start, policy)
            ),
            "overall_gain": score_json(bootstrapped_difference(delta_overall, start, policy)),
            "tax": score_json(bootstrapped(partial(generalization_tax, source=source), start, policy)),
            "retention": score_json(bootstrapped(partial(retention, source=source), start, policy)),
            "unseen_change": score_json(bootstrapped_difference(partial(_change_on, unseen), start, policy)),
            "distractors_change": None if against_plain is None else score_json(against_plain),
        }


def _lifecycle(study: Study, runs: Mapping[str, Sequence[Episode]]) -> Iterator[LifecycleJson]:
    initial = _initial(study)
    played = {c: [runs[run.run] for run in entries] for c, entries in study.conditions.items()}
    before = pack_table(*played[initial])
    for condition in [c for c in study.conditions if c.role == "trained"]:
        source, after = str(condition.source), played[condition]
        changes = {
            score.name: score_json(score) for score in transfer_scores(before, list(map(pack_table, after)), source)
        }
        own = {score.name: score for score in overall_of_packs(episodes_of_packs(after))}
        yield {
            "policy": condition.label,
            "trained_on": source,
            "seeds": len(after),
            "initial": _of_packs(
                "kept_score", {s.name: s for s in overall_of_packs(episodes_of_packs(played[initial]))}
            ),
            "held_in_score_change": changes["held_in_score_change"],
            "held_in_gain_change": changes["held_in_gain_change"],
            "held_out_score_change": changes["held_out_score_change"],
            "held_out_gain_change": changes["held_out_gain_change"],
            "kept_score": _of_packs("kept_score", own),
            "cod_effect": _of_packs("cod_effect", own),
            "stateful_gain": _of_packs("stateful_gain", own),
            "ralph_effect": _of_packs("ralph_effect", own),
        }


def _of_packs(name: str, scores: Mapping[str, Score]) -> BoardScoreJson:
    return score_json(scores.get(name) or undefined(name, "no packs of such settings were played"))


def _difficulty(study: Study, families: Table, cells: Table) -> Iterator[DifficultyJson]:
    initial = _initial(study)
    for name in families[initial].rates:
        own = [cell for cell in cells[initial].rates if cell.partition(" ")[0] == name]
        trained = [c for c in cells if c.role == "trained" and c.source == name]
        for condition in (initial, *trained) if trained else ():
            graded = {cell.partition(" ")[2]: _cell(cell, condition, initial, cells) for cell in own}
            elsewhere = [cell for cell in own if cell.partition(" ")[2] != condition.difficulty]
            gain = bootstrapped_difference(partial(_change_on, elsewhere), cells[initial], cells[condition])
            yield {
                "policy": condition.label,
                "family": name,
                "trained_on": condition.difficulty,
                "seeds": len(study.conditions[condition]),
                "cells": graded,
                "gain_elsewhere": None if condition == initial else score_json(gain),
                "difficulty_drop": score_json(bootstrapped(partial(_drop, name), cells[condition])),
            }


def _drop(name: str, rates: Rates) -> Score:
    """Return what success loses from easy to hard in one family."""
    own = {cell.partition(" ")[2]: rate for cell, rate in rates.items() if cell.partition(" ")[0] == name}
    return difficulty_slope({name: own})[1]


def _cell(cell: str, condition: Condition, initial: Condition, cells: Table) -> CellJson:
    """Return success on a cell, and what training gave there: transfer, and its share of training there itself."""
    success = rate_json(success_on(cell, cells[condition]))
    found: CellJson = {"success": success, "transfer": None, "recovery": None}
    if condition == initial:
        return found
    start, policy = cells[initial], cells[condition]
    found["transfer"] = score_json(bootstrapped_difference(partial(difficulty_transfer, target=cell), start, policy))
    there = condition._replace(difficulty=cell.partition(" ")[2])
    if there in cells and there != condition:
        found["recovery"] = score_json(_recovery(cell, start, policy, cells[there]))
    return found


def _recovery(cell: str, start: PolicyRates, policy: PolicyRates, there: PolicyRates) -> Score:
    gain = bootstrapped_difference(partial(difficulty_transfer, target=cell), start, there)
    score = recovery(start.rates, policy.rates, there.rates, cell, Interval(gain.low, gain.high))
    return score if score.value is None else bootstrapped(partial(recovery, target=cell), start, policy, there)


def _sequence(study: Study, families: Table) -> SequenceJson:
    initial, joint, stages = _initial(study), study.only("joint"), study.stages
    start, order, unseen = families[initial], [str(stage.source) for stage in stages], _unseen(study, families)
    lines = list(sequence_lines(study, families, families))
    scores = {line.score.name: line.score for line in lines}
    mixture = undefined("success", "the study has no mixture") if joint is None else None
    return {
        "order": order,
        "seeds": min(len(study.conditions[stage]) for stage in stages),
        "initial": rate_json(bootstrapped(partial(_mean_over, order), start)),
        "accuracy_end": rate_json(scores["average_accuracy"]),
        "backward_transfer": score_json(scores["backward_transfer"]),
        "forgetting_end": score_json(scores["forgetting_end"]),
        "forgetting_max": score_json(scores["forgetting_max"]),
        "forward_transfer": score_json(scores["forward_transfer"]),
        "mixture": rate_json(mixture or bootstrapped(partial(_mean_over, order), families[joint or initial])),
        "against_mixture": score_json(
            mixture
            or bootstrapped(partial(_behind, order), families[joint or initial], *(families[stage] for stage in stages))
        ),
        "intransigence": {
            line.subject: score_json(line.score) for line in lines if line.score.name.startswith("intransigence")
        },
        "unseen_change": score_json(bootstrapped_difference(partial(_change_on, unseen), start, families[stages[-1]])),
        "mixture_unseen_change": score_json(
            mixture or bootstrapped_difference(partial(_change_on, unseen), start, families[joint or initial])
        ),
        "matrix": _matrix((initial, *stages, *([joint] if joint else [])), list(start.rates), families),
    }


def _behind(order: Sequence[str], joint: Rates, *rates: Rates) -> Score:
    """Return the mean over the stages of R_joint[k] - R[k][k]: intransigence, all stages."""
    gaps = [joint[name] - row[name] for name, row in zip(order, rates, strict=True)]
    return Score("intransigence", mean(gaps), n=len(gaps))


def _matrix(policies: Sequence[Condition], columns: Sequence[str], families: Table) -> MatrixJson:
    return {
        "policies": [policy.label for policy in policies],
        "families": list(columns),
        "success": [[rate_json(success_on(name, families[policy])) for name in columns] for policy in policies],
    }
