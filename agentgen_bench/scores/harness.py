"""One model under several harnesses (protocols, formats, hints) on the same levels: mean and variance of success.

Harness variance can exceed model variance (arXiv 2605.23950, 2605.26731), so a number without it says little about a
model. The variance is that between the harnesses played, each a condition of its own, not a draw from all there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agentgen_bench.episodes import Episode
from agentgen_bench.scores.base import NO_INTERVAL, Interval, Score, family, mean, undefined
from agentgen_bench.scores.bootstrap import percentile_interval, wilson
from agentgen_bench.scores.sampling import PolicyRates, sample

_DIGITS = 12  # numbers are rounded, so that no order of addition can change a digit
ALL = "mean over families"


class HarnessScores(NamedTuple):
    """What a grid says about one family, or about the mean over its families."""

    subject: str
    rates: dict[str, float]  # success of each harness
    scores: tuple[Score, ...]  # harness_mean, harness_variance


def harness_scores(runs: Mapping[str, Iterable[Episode]]) -> list[HarnessScores]:
    """Return the scores of a grid, by family and over all; rates rest on the levels that every harness has played.

    Args:
        runs: the episodes of each harness, by its name; at least two.
    """
    sampled = sample(runs, family).runs
    families = [name for name in next(iter(sampled.values())).rates if all(name in r.rates for r in sampled.values())]
    found = [_scores(name, sampled, [name]) for name in families]
    return [*found, _scores(ALL, sampled, families)] if len(families) > 1 else found


def _scores(subject: str, sampled: Mapping[str, PolicyRates], families: Sequence[str]) -> HarnessScores:
    rates = {name: mean([run.rates[family] for family in families]) for name, run in sampled.items()}
    draws = np.array([np.mean([run.draws[family] for family in families], axis=0) for run in sampled.values()])
    levels = sum(next(iter(sampled.values())).levels[family] for family in families)
    values = list(rates.values())
    return HarnessScores(subject, rates, (_mean(values, draws, levels), harness_variance(values, draws, levels)))


def _mean(rates: Sequence[float], draws: npt.NDArray[np.float64], levels: int) -> Score:
    value = mean(rates)
    interval = percentile_interval(np.round(draws.mean(axis=0), _DIGITS))
    if interval.low == interval.high:  # all levels alike
        interval = wilson(value * levels, levels)
    return Score("harness_mean", value, *interval, n=levels)


def harness_difference(a: Mapping[str, Iterable[Episode]], b: Mapping[str, Iterable[Episode]]) -> Score:
    """Return how much more B's grid solves than A's, as the mean over harnesses and families, paired by level.

    Both have the same harnesses. Where all redraws agree there is no interval; it is undefined where the runs, begun
    and not finished, have no family of which all played a level in common.
    """
    runs = {(side, name): played for side, grid in (("a", a), ("b", b)) for name, played in grid.items()}
    sampled = sample({f"{side} {name}": played for (side, name), played in runs.items()}, family).runs
    families = [name for name in next(iter(sampled.values())).rates if all(name in r.rates for r in sampled.values())]
    if not families:
        return undefined("difference", "there is no family of which all runs of both grids have played the same level")
    signs = {run: 1 if run.startswith("b ") else -1 for run in sampled}
    cells = [(signs[run], rates, name) for run, rates in sampled.items() for name in families]
    value = sum(sign * rates.rates[name] for sign, rates, name in cells) / (len(a) * len(families))
    draws = np.sum([sign * rates.draws[name] for sign, rates, name in cells], axis=0) / (len(a) * len(families))
    interval = percentile_interval(np.round(draws, _DIGITS))
    n = sum(next(iter(sampled.values())).levels[name] for name in families)
    return Score("difference", value, *(NO_INTERVAL if interval.low == interval.high else interval), n=n)


def harness_variance(rates: Sequence[float], draws: npt.NDArray[np.float64], n: int) -> Score:
    """Return the variance of success between harnesses, less what chance of the levels adds to it.

    With rates p_1 .. p_H on the same levels, S2 = sum (p_h - mean)^2 / (H - 1) is on average the true variance plus
    N = sum Var(p_h - mean) / (H - 1); Var is taken over redraws of the levels, together for all harnesses. The value is
    S2 - N, the estimate of a variance component by the analysis of variance (Searle, Casella and McCulloch 1992,
    Variance Components, section 3.5), with N by the bootstrap; below 0 it counts as 0. A redraw adds N once more, so
    the interval is that of S2 - 2 N over the redraws; it covers 92 to 100 % (`benchmarks/coverage.py`). The square
    root of the value is the standard deviation between harnesses.

    Args:
        rates: success under each harness.
        draws: the same in each redraw of the levels, shape (H, R).
        n: levels behind the rates.
    """
    name = "harness_variance"
    if len(rates) < 2:
        return undefined(name, "a variance needs two harnesses", n=n)
    defined = draws[:, ~np.isnan(draws).any(axis=0)]
    centred = defined - defined.mean(axis=0)
    chance = float(centred.var(axis=1, ddof=1).sum()) / (len(rates) - 1)
    observed = float(np.var(rates, ddof=1))
    redrawn = np.maximum(0.0, defined.var(axis=0, ddof=1) - 2 * chance)
    interval = percentile_interval(np.round(redrawn, _DIGITS))
    value = round(max(0.0, observed - chance), _DIGITS)
    return Score(name, value, *(NO_INTERVAL if interval.low == interval.high else _holding(interval, value)), n=n)


def _holding(interval: Interval, value: float) -> Interval:
    """Return the interval, widened to hold the value that it is of, from which rounding may keep it apart."""
    if interval.low is None or interval.high is None:
        return interval
    return Interval(min(interval.low, value), max(interval.high, value))
