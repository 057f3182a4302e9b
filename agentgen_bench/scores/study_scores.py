"""Every score that the runs of a study allow, and for the others the run that is missing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import ScoreError
from agentgen_bench.scores import forgetting as sequence
from agentgen_bench.scores.aggregate import iqm
from agentgen_bench.scores.base import Interval, Score, family
from agentgen_bench.scores.bootstrap import wilson
from agentgen_bench.scores.difficulty import DIFFICULTIES, difficulty_slope, difficulty_transfer, recovery
from agentgen_bench.scores.missing import missing
from agentgen_bench.scores.ood import (
    Rates,
    delta_held_in,
    delta_held_out,
    delta_overall,
    generalization_tax,
    ood_change,
    ood_drop,
    ood_rank_scores,
    ranking_stability,
    retention,
    tax_reduction,
)
from agentgen_bench.scores.packs import pack_scores
from agentgen_bench.scores.sampling import PolicyRates, Sample, bootstrapped, bootstrapped_difference, pooled, sample
from agentgen_bench.scores.study import Condition, Study
from agentgen_bench.seeding import stream

Runs = Mapping[str, Sequence[Episode]]
Table = Mapping[Condition, PolicyRates]


class Line(NamedTuple):
    """One score of a study: the section it belongs to, what it is about, and the score."""

    section: str
    subject: str
    score: Score


@dataclass(frozen=True, slots=True)
class StudyScores:
    """What a study yields: scores in order, what is missing for others, and what was left out of the rates."""

    study: Study
    lines: tuple[Line, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "study": self.study.name,
            "runs": [{"run": run.run, "condition": run.condition.label, "seed": run.seed} for run in self.study.runs],
            "scores": [
                {"section": section, "subject": subject, "name": score.name, **score.to_json()}
                for section, subject, score in self.lines
            ],
            "missing": list(self.missing),
            "notes": list(self.notes),
        }


def score_study(study: Study, runs: Runs) -> StudyScores:
    """Return all scores that can be computed from the runs of a study.

    Args:
        study: the roles.
        runs: the episodes of each run that the study names.

    Raises:
        ScoreError: a run has no episodes.
    """
    empty = [run.run for run in study.runs if not runs.get(run.run)]
    if empty:
        raise ScoreError(f"no episodes of {', '.join(empty)}; evaluate the policy first")
    by_family = sample({run.run: runs[run.run] for run in study.runs}, family)
    by_difficulty = sample({run.run: runs[run.run] for run in study.runs}, _family_and_difficulty)
    families, difficulties = _table(study, by_family), _table(study, by_difficulty)
    lines = [
        *_success(families),
        *_aggregates(study, by_family),
        *_transfer(study, families),
        *_ranks(study, families),
        *_augmentation(study, families),
        *_difficulty(study, difficulties),
        *_slopes(difficulties),
        *_sequence(study, families, difficulties),
        *_life_cycles(study, runs),
    ]
    return StudyScores(study, tuple(lines), tuple(missing(study)), by_family.notes)


def _family_and_difficulty(spec: Mapping[str, Any]) -> str:
    return f"{family(spec)} {spec['difficulty']}"


def _table(study: Study, sampled: Sample) -> dict[Condition, PolicyRates]:
    return {
        condition: pooled([sampled.runs[run.run] for run in runs], condition.label)
        for condition, runs in study.conditions.items()
    }


def _success(table: Table) -> Iterable[Line]:
    for condition, policy in table.items():
        for environment, n in policy.episodes.items():
            score = bootstrapped(partial(_rate, environment), policy)
            if score.low is None:  # all levels alike
                levels = policy.levels[environment]
                score = score.within(wilson(policy.rates[environment] * levels, levels))
            yield Line("success", f"{condition.label}: {environment}", replace(score, n=n))


def _rate(environment: str, rates: Rates) -> Score:
    return Score("success", rates[environment])


def _aggregates(study: Study, sampled: Sample) -> Iterable[Line]:
    for condition, runs in study.conditions.items():
        score = iqm([sampled.runs[run.run].rates for run in runs], stream("scores", "iqm", condition.label))
        yield Line("aggregate", condition.label, score)


def _transfer(study: Study, table: Table) -> Iterable[Line]:
    """Yield what training on one family did to the others and to itself."""
    initial = study.only("initial")
    if initial is None:
        return
    for condition in [c for c in table if c.role == "trained"]:
        policies, source = (table[initial], table[condition]), str(condition.source)
        for formula in (generalization_tax, retention):
            yield Line("transfer", condition.label, bootstrapped(partial(formula, source=source), *policies))
        for formula in (delta_held_in, delta_held_out):
            score = bootstrapped_difference(partial(formula, source=source), *policies)
            yield Line("transfer", condition.label, score)
        yield Line("transfer", condition.label, bootstrapped_difference(delta_overall, *policies))


def _ranks(study: Study, table: Table) -> Iterable[Line]:
    """Yield rank scores of the models trained on one family each, plain and augmented apart."""
    for augmented in (False, True):
        conditions = study.trained(augmented)
        if len(conditions) < 2:
            continue
        sources = [str(condition.source) for condition in conditions]
        policies = [table[condition] for condition in conditions]
        for condition, source in zip(conditions, sources, strict=True):
            yield Line("transfer", condition.label, bootstrapped(partial(_rank_score, sources, source), *policies))
        subject = "all trained, augmented" if augmented else "all trained"
        yield Line("transfer", subject, _stability(sources, policies))


def _rank_score(sources: Sequence[str], source: str, *rates: Rates) -> Score:
    return ood_rank_scores(dict(zip(sources, rates, strict=True)))[source]


def _stability(sources: Sequence[str], policies: Sequence[PolicyRates]) -> Score:
    observed = _rank_values(sources, [policy.rates for policy in policies])
    redrawn = zip(*(policy.redrawn() for policy in policies), strict=True)
    return ranking_stability(observed, [_rank_values(sources, rates) for rates in redrawn])


def _rank_values(sources: Sequence[str], rates: Sequence[Rates]) -> dict[str, float]:
    scores = ood_rank_scores(dict(zip(sources, rates, strict=True)))
    return {source: score.value for source, score in scores.items() if score.value is not None}


def _augmentation(study: Study, table: Table) -> Iterable[Line]:
    """Yield what augmented training changes out of distribution against the same training without."""
    initial = study.only("initial")
    for condition in study.trained(augmented=True):
        reference = condition._replace(augmented=False)
        if reference not in table:
            continue
        source, new, ref = str(condition.source), table[condition], table[reference]
        yield Line("augmentation", condition.label, bootstrapped(partial(ood_change, source=source), new, ref))
        if initial is not None:
            drop = bootstrapped_difference(partial(ood_drop, source=source), table[initial], ref)
            yield Line("augmentation", condition.label, _tax_reduction(source, drop, new, ref, table[initial]))


def _tax_reduction(source: str, drop: Score, *policies: PolicyRates) -> Score:
    """Return the score, undefined where the observed drop's interval holds 0; redraws then need no such test."""
    rates = [policy.rates for policy in policies]
    score = tax_reduction(rates[0], rates[1], rates[2], source, Interval(drop.low, drop.high))
    if score.value is None:
        return score
    return bootstrapped(partial(tax_reduction, source=source), *policies)


def _difficulty(study: Study, table: Table) -> Iterable[Line]:
    """Yield transfer and recovery between the difficulties of a family that policies were trained on."""
    initial = study.only("initial")
    if initial is None:
        return
    for condition in [c for c in table if c.role == "trained" and c.difficulty is not None]:
        for target in [name for name in table[condition].rates if name.startswith(f"{condition.source} ")]:
            subject = f"{condition.label} -> {target}"
            formula = partial(difficulty_transfer, target=target)
            transfer = bootstrapped_difference(formula, table[initial], table[condition])
            yield Line("difficulty", subject, transfer)
            there = condition._replace(difficulty=target.partition(" ")[2])
            if there in table and there != condition:
                yield Line("difficulty", subject, _recovery(target, table[initial], table[condition], table[there]))


def _recovery(target: str, initial: PolicyRates, trained: PolicyRates, there: PolicyRates) -> Score:
    gain = bootstrapped_difference(partial(difficulty_transfer, target=target), initial, there)
    score = recovery(initial.rates, trained.rates, there.rates, target, Interval(gain.low, gain.high))
    if score.value is None:
        return score
    return bootstrapped(partial(recovery, target=target), initial, trained, there)


def _slopes(table: Table) -> Iterable[Line]:
    """Yield success per difficulty and the drop, for each policy that met an environment at all difficulties."""
    for condition, policy in table.items():
        if difficulty_slope(_by_environment(policy.rates))[1].value is None:
            continue
        for level in (*DIFFICULTIES, None):
            yield Line("difficulty slope", condition.label, bootstrapped(partial(_slope, level), policy))


def _slope(level: str | None, rates: Rates) -> Score:
    """Return success on a difficulty, or for None the drop from the first to the last."""
    levels, drop = difficulty_slope(_by_environment(rates))
    return drop if level is None else levels[level]


def _by_environment(rates: Rates) -> dict[str, dict[str, float]]:
    """Return rates by family and difficulty from rates by "family difficulty"."""
    nested: dict[str, dict[str, float]] = {}
    for name, rate in rates.items():
        environment, _, difficulty = name.partition(" ")
        nested.setdefault(environment, {})[difficulty] = rate
    return nested


def _sequence(study: Study, families: Table, difficulties: Table) -> Iterable[Line]:
    """Yield forgetting and transfer over the stages."""
    stages = study.stages
    if not stages:
        return
    table = difficulties if any(stage.difficulty for stage in stages) else families
    order = [" ".join(part for part in (stage.source, stage.difficulty) if part) for stage in stages]
    policies = [table[stage] for stage in stages]
    subject = " -> ".join(order)
    for formula in (
        sequence.average_accuracy,
        sequence.backward_transfer,
        sequence.forgetting,
        sequence.forgetting_end,
    ):
        yield Line("sequence", subject, bootstrapped(partial(_of_matrix, formula, order), *policies))
    initial, joint = study.only("initial"), study.only("joint")
    if initial is not None:
        score = bootstrapped(partial(_forward_transfer, order), table[initial], *policies)
        yield Line("sequence", subject, score)
    if joint is not None:
        for k, name in enumerate(order):
            yield Line("sequence", name, bootstrapped(partial(_intransigence, order, k), table[joint], *policies))


def _life_cycles(study: Study, runs: Runs) -> Iterable[Line]:
    """Yield how the score moves within packs, and what the kept context is worth, per setting of packs."""
    for condition, entries in study.conditions.items():
        for packs in pack_scores([runs[entry.run] for entry in entries]):
            for score in packs.scores:
                yield Line("life cycle", f"{condition.label}: {packs.setting}", score)


def _of_matrix(formula: Callable[[sequence.Matrix], Score], order: Sequence[str], *rates: Rates) -> Score:
    return formula([_row(order, row) for row in rates])


def _forward_transfer(order: Sequence[str], initial: Rates, *rates: Rates) -> Score:
    return sequence.forward_transfer([_row(order, row) for row in rates], _row(order, initial))


def _intransigence(order: Sequence[str], k: int, joint: Rates, *rates: Rates) -> Score:
    return sequence.intransigence([_row(order, row) for row in rates], _row(order, joint))[k]


def _row(order: Sequence[str], rates: Rates) -> list[float | None]:
    return [rates.get(name) for name in order]
