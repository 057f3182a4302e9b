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
            the difficulties not trained on.
sequence    one per study: `order` (families of the stages), `seeds`, the scores `initial`, `accuracy_end`,
            `backward_transfer`, `forgetting_end`, `forgetting_max`, `forward_transfer`, `mixture` (mean success over
            the stages' families after training on all at once), `against_mixture` (mean over the stages of what the
            mixture solves more than the stage did), `intransigence` (by family), `unseen_change` (after the last
            stage), `mixture_unseen_change`, and `matrix`: `policies` by `families`, scores.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import Interval, Score, family, mean, undefined
from agentgen_bench.scores.difficulty import difficulty_transfer, recovery
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
from agentgen_bench.scores.sampling import PolicyRates, bootstrapped, bootstrapped_difference, sample
from agentgen_bench.scores.sequence import sequence_lines
from agentgen_bench.scores.study import Condition, Study
from agentgen_bench.scores.study_scores import rates_by_condition, success_on

SCORES_VERSION = 1

Label = Callable[[Mapping[str, Any]], str | None]  # spec in JSON form -> what its cell is called


def board_scores(
    protocol: str, kind: str, study: Study, runs: Mapping[str, Sequence[Episode]], label: Label
) -> dict[str, Any]:
    """Return what `scores.json` holds, as plain values.

    Args:
        protocol: its name.
        kind: transfer, difficulty or sequence.
        study: the roles.
        runs: the episodes of each run that the study names.
        label: what the cell of a spec is called, family first.
    """
    families = rates_by_condition(study, sample(runs, family))
    cells = rates_by_condition(study, sample(runs, label))
    rows = {"transfer": _transfer, "difficulty": _difficulty, "sequence": _sequence}[kind]
    trained = [entries for condition, entries in study.conditions.items() if condition.role != "initial"]
    return {
        "scores_version": SCORES_VERSION,
        "protocol": protocol,
        "kind": kind,
        "study": study.name,
        "seeds": min(map(len, trained), default=0),
        "episodes": sum(map(len, runs.values())),
        "policies": [_policy(condition, study, families, cells) for condition in study.conditions],
        "rows": list(rows(study, families, cells)),
    }


def score_json(score: Score) -> dict[str, Any]:
    """Return a score as the board's files hold it."""
    return {**score.to_json(), "over": score.over}


def rate_json(score: Score) -> dict[str, Any]:
    """Return a success rate as the board's files hold it: no end of its interval lies outside [0, 1].

    Joined with the spread of few training seeds an interval may reach further; no rate does.
    """
    ends = {
        name: None if end is None else min(1.0, max(0.0, end))
        for name, end in (("low", score.low), ("high", score.high))
    }
    return {**score_json(score), **ends}


def _policy(condition: Condition, study: Study, families: Table, cells: Table) -> dict[str, Any]:
    return {
        "policy": condition.label,
        **{name: getattr(condition, name) for name in ("role", "source", "difficulty", "stage", "augmented")},
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


def _transfer(study: Study, families: Table, cells: Table) -> Iterator[dict[str, Any]]:
    start, unseen = families[_initial(study)], _unseen(study, families)
    everywhere = list(start.rates)
    for condition in [c for c in families if c.role == "trained"]:
        policy, source = families[condition], str(condition.source)
        plain = families.get(condition._replace(augmented=False)) if condition.augmented else None
        scores = {
            "initial": bootstrapped(partial(_mean_over, everywhere), start),
            "held_in_gain": bootstrapped_difference(partial(delta_held_in, source=source), start, policy),
            "held_out_change": bootstrapped_difference(partial(delta_held_out, source=source), start, policy),
            "overall_gain": bootstrapped_difference(delta_overall, start, policy),
            "tax": bootstrapped(partial(generalization_tax, source=source), start, policy),
            "retention": bootstrapped(partial(retention, source=source), start, policy),
            "unseen_change": bootstrapped_difference(partial(_change_on, unseen), start, policy),
        }
        yield {
            "policy": condition.label,
            "trained_on": source,
            "distractors": condition.augmented,
            "seeds": len(study.conditions[condition]),
            **{name: (rate_json if name == "initial" else score_json)(score) for name, score in scores.items()},
            "distractors_change": None
            if plain is None
            else score_json(bootstrapped(partial(ood_change, source=source), policy, plain)),
        }


def _difficulty(study: Study, families: Table, cells: Table) -> Iterator[dict[str, Any]]:
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
            }


def _cell(cell: str, condition: Condition, initial: Condition, cells: Table) -> dict[str, Any]:
    """Return success on a cell, and what training gave there: transfer, and its share of training there itself."""
    found: dict[str, Any] = {"success": rate_json(success_on(cell, cells[condition])), "transfer": None}
    found["recovery"] = None
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


def _sequence(study: Study, families: Table, cells: Table) -> Iterator[dict[str, Any]]:
    initial, joint, stages = _initial(study), study.only("joint"), study.stages
    start, order, unseen = families[initial], [str(stage.source) for stage in stages], _unseen(study, families)
    lines = list(sequence_lines(study, families, families))
    scores = {line.score.name: line.score for line in lines}
    mixture = undefined("success", "the study has no mixture") if joint is None else None
    yield {
        "order": order,
        "seeds": min(len(study.conditions[stage]) for stage in stages),
        "initial": rate_json(bootstrapped(partial(_mean_over, order), start)),
        "accuracy_end": rate_json(scores["average_accuracy"]),
        **{
            name: score_json(scores[name])
            for name in ("backward_transfer", "forgetting_end", "forgetting_max", "forward_transfer")
        },
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


def _matrix(policies: Sequence[Condition], columns: Sequence[str], families: Table) -> dict[str, Any]:
    return {
        "policies": [policy.label for policy in policies],
        "families": list(columns),
        "success": [[rate_json(success_on(name, families[policy])) for name in columns] for policy in policies],
    }
