"""Success rates of several policies by environment, observed and redrawn together, for intervals of any formula.

Levels are redrawn once for all policies and views of them, so differences between policies are paired. Rates use
only the settings and levels that every policy evaluated on the environment has played.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import (
    LEVELS_AND_SEEDS,
    NO_INTERVAL,
    Interval,
    Score,
    by_setting,
    level_key,
    mean,
    setting_label,
)
from agentgen_bench.scores.bootstrap import Clusters, Draws, drawn_together, percentile_interval, won_and_lost
from agentgen_bench.scores.levels import with_levels
from agentgen_bench.scores.ood import Rates
from agentgen_bench.scores.success import succeeded
from agentgen_bench.scores.training_seeds import Lineage, slope, widened

Environment = Callable[[Mapping[str, Any]], str | None]  # spec in JSON form -> name; None: not part of this table
Row = tuple[float, Draws, int, int]  # rate, redraws, episodes, distinct levels
Levels = Mapping[str, tuple[float, int]]  # level -> episodes solved, episodes
Outcomes = Mapping[str, tuple[Mapping[str, Any], Levels]]  # setting -> its spec, and what became of each level


@dataclass(frozen=True, slots=True)
class PolicyRates:
    """Success of one policy by environment: observed, and in each of R redraws."""

    rates: Rates
    draws: Mapping[str, Draws]  # each of shape (R,)
    episodes: Mapping[str, int]
    levels: Mapping[str, int]  # distinct levels behind each rate
    seeds: tuple["PolicyRates", ...] = ()  # of each training seed, where these are the mean over them
    lineage: str = ""  # which trainings were repeated together; "" for a policy that no training made

    def redrawn(self) -> list[dict[str, float]]:
        """Return the rates of each redraw."""
        columns = {name: draws.tolist() for name, draws in self.draws.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True, slots=True)
class Sample:
    """The rates of each run, and a line for each environment or level that had to be left out."""

    runs: dict[str, PolicyRates]
    notes: tuple[str, ...]


def sample(runs: Mapping[str, Iterable[Episode]], environment: Environment) -> Sample:
    """Return the success rates of each run by environment; an environment of several settings weighs them alike."""
    played = zip(runs, with_levels(runs.values()), strict=True)
    return sample_outcomes({run: _outcomes(episodes) for run, episodes in played}, environment)


def sample_outcomes(played: Mapping[str, Outcomes], environment: Environment) -> Sample:
    """Return what `sample` does, of runs whose outcomes are counted."""
    labels = {key: spec for outcomes in played.values() for key, (spec, _) in outcomes.items()}
    settings: dict[str, list[str]] = {}
    for key in sorted(labels):
        name = environment(labels[key])
        if name is not None:
            settings.setdefault(name, []).append(key)
    tables: dict[str, dict[str, Row]] = {run: {} for run in played}
    notes: list[str] = []
    for name, keys in settings.items():
        takers = {run: outcomes for run, outcomes in played.items() if any(key in outcomes for key in keys)}
        shared = [key for key in keys if all(key in outcomes for outcomes in takers.values())]
        cells = {key: _shared_cells(key, takers) for key in shared}
        notes += _notes(name, keys, cells, labels, takers)
        cells = {key: cell for key, cell in cells.items() if cell}
        if cells:
            for run, row in _environment_rates(cells, list(takers)).items():
                tables[run][name] = row
    return Sample({run: _policy_rates(table) for run, table in tables.items()}, tuple(notes))


def pooled(seeds: Sequence[PolicyRates], lineage: str) -> PolicyRates:
    """Return the mean over training seeds, which keeps the rates of each.

    Args:
        seeds: one per run, on the same levels.
        lineage: policies of one lineage were trained one from the other with the same seeds; "" names a fixed
            policy, that no training made.
    """
    names = [name for name in seeds[0].rates if all(name in seed.rates for seed in seeds)]
    draws = {}
    for name in names:
        total = seeds[0].draws[name]
        for seed in seeds[1:]:
            total = total + seed.draws[name]
        draws[name] = total / len(seeds)
    return PolicyRates(
        {name: mean([seed.rates[name] for seed in seeds]) for name in names},
        draws,
        {name: sum(seed.episodes[name] for seed in seeds) for name in names},
        {name: seeds[0].levels[name] for name in names},
        tuple(seeds),
        lineage,
    )


def bootstrapped(formula: Callable[..., Score], *policies: PolicyRates) -> Score:
    """Return `formula(rates of each policy)` with its interval over levels and, where each has several, over seeds.

    Over levels it is the percentile interval of the same formula over the redraws. Where every redraw gives the same
    value (all levels alike) there is no interval: it would claim certainty.
    """
    score = formula(*(policy.rates for policy in policies))
    if score.value is None:
        return score
    return over_seeds(score.within(_over_levels(formula, policies)), formula, policies)


def _over_levels(formula: Callable[..., Score], policies: Sequence[PolicyRates]) -> Interval:
    redrawn = zip(*(policy.redrawn() for policy in policies), strict=True)
    values = [formula(*rates).value for rates in redrawn]
    interval = percentile_interval(np.array([math.nan if value is None else value for value in values]))
    return NO_INTERVAL if interval.low == interval.high else interval


def over_seeds(score: Score, formula: Callable[..., Score], policies: Sequence[PolicyRates]) -> Score:
    """Return the score with its interval over levels widened by the spread between training seeds.

    Where a trained policy has one seed nothing is known of that spread, and the interval stays one over levels only.
    """
    trained = [policy for policy in policies if policy.lineage]
    if score.value is None or not trained or any(len(policy.seeds) < 2 for policy in trained):
        return score
    lineages = []
    for name in dict.fromkeys(policy.lineage for policy in trained):
        rates, draws, slopes = [], [], []
        for i, policy in enumerate(policies):
            if policy.lineage != name:
                continue
            for cell in policy.rates:
                rates.append([seed.rates[cell] for seed in policy.seeds])
                draws.append([seed.draws[cell] for seed in policy.seeds])
                slopes.append(slope(_in_one(formula, policies, i), policy.rates, cell))
        axes = np.array(rates).T, np.array(draws).transpose(1, 0, 2), np.array(slopes)
        lineages.append(Lineage(*axes))
    interval = widened(score.value, Interval(score.low, score.high), lineages)
    if _is_share(score.name) and interval.low is not None and interval.high is not None:
        interval = Interval(max(0.0, interval.low), min(1.0, interval.high))  # Student's t knows no end of a share
    return replace(score.within(interval), over=LEVELS_AND_SEEDS)


def _is_share(name: str) -> bool:
    """Return whether a score is a mean of rates, which none above 1 or below 0 can be; `retention` can be above 1."""
    return name in ("success", "average_accuracy") or name.startswith("success_")


def _in_one(
    formula: Callable[..., Score], policies: Sequence[PolicyRates], i: int
) -> Callable[[Mapping[str, float]], float | None]:
    """Return the formula's value as a function of the rates of policy i alone."""
    observed = [policy.rates for policy in policies]
    return lambda rates: formula(*observed[:i], rates, *observed[i + 1 :]).value


def bootstrapped_difference(formula: Callable[..., Score], before: PolicyRates, after: PolicyRates) -> Score:
    """Return `bootstrapped(formula, before, after)` of a formula that is linear in the differences after - before.

    Where redraws all give the same change, because no level changed or every one did, the interval is made of Wilson's
    bounds of levels won and lost in each environment, as in `bootstrap.difference_interval`: 500 levels that all end
    as before do not show that nothing changed, and a training that changes nothing has an interval as narrow as they
    allow, whatever its rate. For several environments it is conservative.
    """
    score = formula(before.rates, after.rates)
    if score.value is None:
        return score
    interval = _over_levels(formula, (before, after))
    if interval.low is None:
        interval = _between_paired_ends(formula, before, after)
    return over_seeds(score.within(interval), formula, (before, after))


def _between_paired_ends(formula: Callable[..., Score], before: PolicyRates, after: PolicyRates) -> Interval:
    """Return the formula's values where every environment has changed by the lower, and by the upper end of its own."""
    low, high = {}, {}
    for name in before.rates.keys() & after.rates.keys():
        change = _change_interval(before, after, name)
        if change.low is not None and change.high is not None:
            low[name], high[name] = before.rates[name] + change.low, before.rates[name] + change.high
    known = sorted(end for rates in (low, high) if (end := formula(before.rates, rates).value) is not None)
    return Interval(known[0], known[1]) if len(known) == 2 else NO_INTERVAL


def _change_interval(before: PolicyRates, after: PolicyRates, name: str) -> Interval:
    """Return the interval of the change of one environment's rate; where no redraw moves it, all levels moved alike."""
    redrawn = percentile_interval(after.draws[name] - before.draws[name])
    if redrawn.low is not None and redrawn.low != redrawn.high:
        return redrawn
    n = before.levels[name]
    change = after.rates[name] - before.rates[name]
    return won_and_lost(max(0.0, change) * n, max(0.0, -change) * n, n)


def _outcomes(episodes: Iterable[Episode]) -> Outcomes:
    """Return per setting its spec and, per level, how many episodes were solved and played."""
    outcomes: dict[str, tuple[Mapping[str, Any], Levels]] = {}
    for key, group in by_setting(episodes).items():
        levels: dict[str, tuple[float, int]] = {}
        for episode in group:
            solved, played = levels.get(level_key(episode), (0.0, 0))
            levels[level_key(episode)] = (solved + succeeded(episode), played + 1)
        outcomes[key] = (group[0].spec, levels)
    return outcomes


def _shared_cells(key: str, takers: Mapping[str, Outcomes]) -> dict[str, Levels]:
    """Return per run its outcomes on the levels that all have played; empty where there are none."""
    levels = set.intersection(*(set(outcomes[key][1]) for outcomes in takers.values()))
    if not levels:
        return {}
    ordered = sorted(levels)
    return {run: {level: outcomes[key][1][level] for level in ordered} for run, outcomes in takers.items()}


def _environment_rates(cells: Mapping[str, Mapping[str, Levels]], runs: Sequence[str]) -> dict[str, Row]:
    """Return per run its rate on an environment, the redraws and the numbers behind them."""
    total, rates, episodes = np.zeros(()), {run: list[float]() for run in runs}, dict.fromkeys(runs, 0)
    for cell in cells.values():
        clusters = []
        for run in runs:
            solved, played = zip(*cell[run].values(), strict=True)
            rates[run].append(math.fsum(solved) / sum(played))
            episodes[run] += sum(played)
            clusters.append(Clusters.of(solved, played))
        total = total + drawn_together(clusters, list(cell[runs[0]]))  # (runs, R)
    distinct = len({level for cell in cells.values() for level in cell[runs[0]]})
    draws = dict(zip(runs, total / len(cells), strict=True))
    return {run: (mean(rates[run]), draws[run], episodes[run], distinct) for run in runs}


def _policy_rates(table: Mapping[str, Row]) -> PolicyRates:
    return PolicyRates(
        {name: row[0] for name, row in table.items()},
        {name: row[1] for name, row in table.items()},
        {name: row[2] for name, row in table.items()},
        {name: row[3] for name, row in table.items()},
    )


def _notes(
    name: str,
    keys: Sequence[str],
    cells: Mapping[str, Mapping[str, Levels]],
    labels: Mapping[str, Mapping[str, Any]],
    takers: Mapping[str, Outcomes],
) -> list[str]:
    """Return a line for each setting or part of its levels that not every run has played."""
    notes = []
    for key in keys:
        label = setting_label(labels[key])
        if key not in cells:
            notes.append(f"{name}: {label} is left out, not every run has played it")
            continue
        everything = {level for outcomes in takers.values() for level in outcomes[key][1]}
        kept = len(next(iter(cells[key].values()), {}))
        if kept < len(everything):
            notes.append(
                f"{name}: {len(everything) - kept} of {len(everything)} levels of {label} are left out, "
                "not every run has played them"
            )
    return notes
