"""Every score that the runs of a study allow, and for the others the run that is missing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypedDict

from agentgen_bench.episodes import Episode
from agentgen_bench.errors import ScoreError
from agentgen_bench.families import DIFFICULTIES
from agentgen_bench.scores.aggregate import iqm
from agentgen_bench.scores.base import Interval, Score, family
from agentgen_bench.scores.bootstrap import wilson
from agentgen_bench.scores.difficulty import difficulty_slope, difficulty_transfer, recovery
from agentgen_bench.scores.harness import harness_scores
from agentgen_bench.scores.levels import with_levels
from agentgen_bench.scores.lines import Line, LineJson, Table
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
from agentgen_bench.scores.pack_transfer import pack_table, transfer_scores
from agentgen_bench.scores.packs import pack_changes, pack_scores
from agentgen_bench.scores.run_scores import run_scores
from agentgen_bench.scores.sampling import (
    PolicyRates,
    Sample,
    bootstrapped,
    bootstrapped_difference,
    over_seeds,
    pooled,
    sample,
)
from agentgen_bench.scores.sequence import sequence_lines
from agentgen_bench.scores.study import Condition, Study

Runs = Mapping[str, Sequence[Episode]]


class ScoredRunJson(TypedDict):
    """A run of a study, by what it stands for."""

    run: str
    condition: str
    seed: int


class StudyScoresJson(TypedDict):
    """The scores of a study as `score --json` writes them."""

    study: str
    runs: list[ScoredRunJson]
    scores: list[LineJson]
    missing: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class StudyScores:
    """What a study yields: scores in order, what is missing for others, and what was left out of the rates."""

    study: Study
    lines: tuple[Line, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> StudyScoresJson:
        """Return plain values."""
        return {
            "study": self.study.name,
            "runs": [{"run": run.run, "condition": run.condition.label, "seed": run.seed} for run in self.study.runs],
            "scores": [line.to_json() for line in self.lines],
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
    runs = dict(zip(runs, with_levels(runs.values()), strict=True))
    by_family = sample({run.run: runs[run.run] for run in study.runs}, family)
    by_difficulty = sample({run.run: runs[run.run] for run in study.runs}, _family_and_difficulty)
    families, difficulties = rates_by_condition(study, by_family), rates_by_condition(study, by_difficulty)
    lines = [
        *_success(families, difficulties),
        *_aggregates(study, by_family),
        *_transfer(study, families),
        *_ranks(study, families),
        *_augmentation(study, families),
        *_difficulty(study, difficulties),
        *_slopes(difficulties),
        *sequence_lines(study, families, difficulties),
        *_life_cycles(study, runs),
        *_single_runs(study, runs),
        *_harnesses(study, runs),
    ]
    return StudyScores(study, tuple(lines), tuple(missing(study)), by_family.notes)


def _family_and_difficulty(spec: Mapping[str, Any]) -> str:
    return f"{family(spec)} {spec['difficulty']}"


def rates_by_condition(study: Study, sampled: Sample) -> dict[Condition, PolicyRates]:
    """Return the rates of each condition: the mean over its training seeds, which keeps those of each."""
    chained = len({tuple(run.seed for run in study.conditions[stage]) for stage in study.stages}) == 1
    return {
        condition: pooled([sampled.runs[run.run] for run in runs], _lineage(condition, len(runs), chained))
        for condition, runs in study.conditions.items()
    }


def _lineage(condition: Condition, n_seeds: int, chained: bool) -> str:
    """Return which trainings share their seeds: the stages of a sequence go on from one another, seed by seed."""
    if condition.role == "initial" and n_seeds == 1:
        return ""
    return "stages" if condition.role == "stage" and chained else condition.label


def _success(families: Table, difficulties: Table) -> Iterable[Line]:
    """Yield success per family, and per difficulty of those that were played at several."""
    for condition, policy in families.items():
        yield from _success_lines(condition, policy, list(policy.rates))
        graded = difficulties[condition]
        played = Counter(name.partition(" ")[0] for name in graded.rates)
        yield from _success_lines(condition, graded, [e for e in graded.rates if played[e.partition(" ")[0]] > 1])


def _success_lines(condition: Condition, policy: PolicyRates, environments: Sequence[str]) -> Iterable[Line]:
    for environment in environments:
        yield Line("success", f"{condition.label}: {environment}", success_on(environment, policy))


def success_on(environment: str, policy: PolicyRates) -> Score:
    """Return a policy's success on an environment with its interval; `n` counts episodes."""
    formula = partial(_rate, environment)
    score = bootstrapped(formula, policy)
    if score.low is None:  # all levels alike
        levels = policy.levels[environment]
        score = score.within(wilson(policy.rates[environment] * levels, levels))
        score = over_seeds(score, formula, [policy])
    return replace(score, n=policy.episodes[environment])


def _rate(environment: str, rates: Rates) -> Score:
    return Score("success", rates[environment])


def _aggregates(study: Study, sampled: Sample) -> Iterable[Line]:
    for condition, runs in study.conditions.items():
        yield Line("aggregate", condition.label, iqm([sampled.runs[run.run].rates for run in runs]))


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
            score = _rank_score(sources, source, *(policy.rates for policy in policies))
            yield Line("transfer", condition.label, score)
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


def _single_runs(study: Study, runs: Runs) -> Iterable[Line]:
    """Yield the scores of each run by itself; runs of several checkpoints repeat no policy, so have none."""
    for condition, entries in study.conditions.items():
        for entry in [entry for entry in entries if not entry.also]:
            label = condition.label if len(entries) == 1 else f"{condition.label}, seed {entry.seed}"
            for one in run_scores(runs[entry.run]):
                for score in one.scores:
                    yield Line(one.section, f"{label}: {one.setting}", score)


def _harnesses(study: Study, runs: Runs) -> Iterable[Line]:
    """Yield mean and variance of each grid's success over its harnesses, per family and over all."""
    for grid, names in study.grids.items():
        for one in harness_scores({name: runs[name] for name in names}) if len(names) > 1 else ():
            for score in one.scores:
                yield Line("harness", f"{grid}: {one.subject}", score)


def _life_cycles(study: Study, runs: Runs) -> Iterable[Line]:
    """Yield how the score moves within packs, and what the kept context is worth, per setting of packs."""
    for condition, entries in study.conditions.items():
        for packs in pack_scores([runs[entry.run] for entry in entries]):
            for score in packs.scores:
                yield Line("life cycle", f"{condition.label}: {packs.setting}", score)
    initial = study.only("initial")
    if initial is None:
        return
    before = [runs[entry.run] for entry in study.conditions[initial]]
    for condition in [c for c in study.conditions if c.role not in ("initial", "policy")]:
        for changes in pack_changes(before, [runs[entry.run] for entry in study.conditions[condition]]):
            for score in changes.scores:
                yield Line("life cycle: change by training", f"{condition.label}: {changes.setting}", score)
    yield from _pack_transfer(study, runs, initial)


def _pack_transfer(study: Study, runs: Runs, initial: Condition) -> Iterable[Line]:
    """Yield what training on the packs of one family gave on its own and on those of the others."""
    before = pack_table(*(runs[entry.run] for entry in study.conditions[initial]))
    for condition in [c for c in study.conditions if c.role == "trained"] if before else []:
        after = [pack_table(runs[entry.run]) for entry in study.conditions[condition]]
        for score in transfer_scores(before, after, str(condition.source)):
            yield Line("life cycle: transfer", condition.label, score)
