"""Out-of-distribution scores: what training on one environment costs or gives on the others.

Everything here takes success rates as fractions in [0, 1] by environment. An environment that a policy was not
evaluated on is absent from its rates: a missing cell is missing, never 0.

Source: arXiv 2601.18217 (A; its tables 2, 5 and 8 are our tests) and arXiv 2603.12011 (B; held-in, held-out).
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from agentgen_bench.errors import ScoreError
from agentgen_bench.scores.base import NO_INTERVAL, Interval, Score, mean, undefined

Rates = Mapping[str, float]  # environment -> success rate in [0, 1]

TIE = 0.005  # 0.5 percentage points: A's Table 8 ranks 20.0 and 19.8, and 15.2 and 15.0, alike
_ROUNDING = 1e-9  # nothing that episodes could tell from 0; a gap of exactly 0.5 points stays a gap


def generalization_tax(initial: Rates, trained: Rates, source: str) -> Score:
    """Return the mean loss on the environments not trained on: mean over e != source of initial[e] - trained[e].

    Positive means lost. A prints no formula; this one agrees with its numbers. Where `initial[e]` is 0 nothing can
    be lost, so e is left out and named.
    """
    name = "generalization_tax"
    shared, left_out = _shared(source, initial, trained)
    left_out += [f"{e}: initial success is 0" for e in shared if initial[e] == 0]
    kept = [e for e in shared if initial[e] > 0]
    if not kept:
        why = _nothing(shared, source, "the initial policy solves nothing on the other environments: nothing to lose")
        return undefined(name, why, left_out=left_out)
    value = mean([initial[e] - trained[e] for e in kept])
    return Score(name, value, n=len(kept), left_out=tuple(left_out))


def retention(initial: Rates, trained: Rates, source: str) -> Score:
    """Return the share of the initial success kept: sum over e != source of trained[e], over that of initial[e]."""
    name = "retention"
    shared, left_out = _shared(source, initial, trained)
    total = math.fsum(initial[e] for e in shared)
    if total < _ROUNDING:
        why = _nothing(shared, source, "the initial policy solves nothing on the other environments: nothing to keep")
        return undefined(name, why, left_out=left_out)
    value = math.fsum(trained[e] for e in shared) / total
    return Score(name, value, n=len(shared), left_out=tuple(left_out))


def ood_change(new: Rates, reference: Rates, source: str) -> Score:
    """Return the relative change out of distribution: sum of new[e] - reference[e], over the sum of reference[e].

    Undefined where the reference solves nothing there: there is no share of nothing.
    """
    name = "ood_change"
    shared, left_out = _shared(source, new, reference)
    total = math.fsum(reference[e] for e in shared)
    if total < _ROUNDING:
        why = _nothing(shared, source, "the reference policy solves nothing on the other environments")
        return undefined(name, why, left_out=left_out)
    value = math.fsum(new[e] - reference[e] for e in shared) / total
    return Score(name, value, n=len(shared), left_out=tuple(left_out))


def ood_drop(initial: Rates, reference: Rates, source: str) -> Score:
    """Return the sum over e != source of initial[e] - reference[e]: what `tax_reduction` divides by."""
    shared, left_out = _shared(source, initial, reference)
    if not shared:
        return undefined("ood_drop", "no environment was evaluated by both policies", left_out=left_out)
    value = math.fsum(initial[e] - reference[e] for e in shared)
    return Score("ood_drop", value, n=len(shared), left_out=tuple(left_out))


def tax_reduction(new: Rates, reference: Rates, initial: Rates, source: str, drop: Interval = NO_INTERVAL) -> Score:
    """Return the part of the loss that is won back: sum of new[e] - reference[e], over |sum of the reference's loss|.

    Undefined, never 0 or infinite, where `drop`, the interval of the loss, holds 0 or the loss itself is 0. A prints
    these numbers for its first model under the name "OOD change" (32.6, 35.5, 42.5; we get 32.8, 35.4, 42.5).
    """
    name = "tax_reduction"
    shared, left_out = _shared(source, new, reference, initial)
    loss = math.fsum(initial[e] - reference[e] for e in shared)
    if not shared:
        return undefined(name, "no environment was evaluated by all three policies", left_out=left_out)
    if abs(loss) < _ROUNDING or holds_zero(drop):
        return undefined(name, "the drop of the reference is not distinguishable from 0", left_out=left_out)
    value = math.fsum(new[e] - reference[e] for e in shared) / abs(loss)
    return Score(name, value, n=len(shared), left_out=tuple(left_out))


def delta_held_in(initial: Rates, trained: Rates, source: str) -> Score:
    """Return trained[source] - initial[source] (B)."""
    name = "delta_held_in"
    for rates, when in ((initial, "before"), (trained, "after")):
        if source not in rates:
            return undefined(name, f"{source} was not evaluated {when} training")
    return Score(name, trained[source] - initial[source], n=1)


def delta_held_out(initial: Rates, trained: Rates, source: str) -> Score:
    """Return the mean over e != source of trained[e] - initial[e] (B); nothing is left out where initial[e] is 0."""
    shared, left_out = _shared(source, initial, trained)
    return _mean_delta("delta_held_out", initial, trained, shared, left_out)


def delta_overall(initial: Rates, trained: Rates) -> Score:
    """Return the mean over all environments of trained[e] - initial[e] (B)."""
    shared, left_out = _shared(None, initial, trained)
    return _mean_delta("delta_overall", initial, trained, shared, left_out)


def ood_rank_scores(trained: Mapping[str, Rates]) -> dict[str, Score]:
    """Return each model's sum of ranks over the environments it was not trained on; lower is better.

    On each environment the models not trained on it are ranked by success, best = 1, with dense ranks; neighbours
    less than 0.5 percentage points apart tie (A, Table 8). Sums compare only between models ranked on equally many
    environments, so a model that lacks a cell has no score. Where no environment tells two models apart, none has.

    A rank says little: where two models are equal in truth an interval by redraws holds their tie in 20 to 58 %, so
    there is none, and nothing is ordered by these scores.

    Args:
        trained: rates by the environment each model was trained on.

    Returns:
        The score of each model, by the environment it was trained on, sorted.
    """
    environments = sorted({e for rates in trained.values() for e in rates})
    ranks = {e: dense_ranks({i: trained[i][e] for i in trained if i != e and e in trained[i]}) for e in environments}
    scores = {}
    for source in sorted(trained):
        others = [e for e in environments if e != source]
        missing = [e for e in others if e not in trained[source]]
        if not missing and others and max(rank for e in others for rank in ranks[e].values()) == 1:
            scores[source] = undefined("ood_rank_score", "no environment tells two models apart: all rates tie")
        elif missing or not others:
            reason = f"not evaluated on {', '.join(missing)}" if missing else "no other environment was evaluated"
            scores[source] = undefined("ood_rank_score", reason)
        else:
            scores[source] = Score("ood_rank_score", float(sum(ranks[e][source] for e in others)), n=len(others))
    return scores


def dense_ranks(values: Rates) -> dict[str, int]:
    """Return the rank of each key, highest value = 1, without gaps; neighbours less than `TIE` apart share a rank.

    Examples:
        >>> dense_ranks({"a": 0.200, "b": 0.198, "c": 0.170})
        {'a': 1, 'b': 1, 'c': 2}
    """
    ranks: dict[str, int] = {}
    rank, previous = 1, math.inf
    for key in sorted(values, key=lambda key: (-values[key], key)):
        if ranks and previous - values[key] >= TIE - _ROUNDING:
            rank += 1
        ranks[key], previous = rank, values[key]
    return ranks


def ranking(scores: Mapping[str, float]) -> tuple[tuple[str, ...], ...]:
    """Return the keys from lowest score to highest; keys with equal scores share a place.

    Examples:
        >>> ranking({"Sokoban": 5, "WebShop": 6, "SciWorld": 3, "ALFWorld": 6})
        (('SciWorld',), ('Sokoban',), ('ALFWorld', 'WebShop'))
    """
    return tuple(tuple(sorted(key for key in scores if scores[key] == value)) for value in sorted(set(scores.values())))


def ranking_stability(observed: Mapping[str, float], draws: Sequence[Mapping[str, float]]) -> Score:
    """Return the share of redraws whose whole ranking, ties included, is the observed one.

    Undefined where all tie: then there is no order that could come back. A redraw that leaves out a key, because its
    rates told no two models apart, does not have the observed ranking.

    Raises:
        ScoreError: there is no redraw.
    """
    if not draws:
        raise ScoreError("the stability of a ranking needs at least one redraw, got none")
    if len(set(observed.values())) < 2:
        return undefined("ranking_stability", "all tie: there is no order that could come back")
    # Neighbours in order decide it: a ranking is the same where each of them stands to the next as it did.
    neighbours = [(a, b, observed[a] == observed[b]) for a, b in pairwise(sorted(observed, key=observed.__getitem__))]
    same = sum(
        draw.keys() >= observed.keys()
        and all(draw[a] == draw[b] if tie else draw[a] < draw[b] for a, b, tie in neighbours)
        for draw in draws
    )
    return Score("ranking_stability", same / len(draws), n=len(draws))


def holds_zero(interval: Interval) -> bool:
    """Return whether 0 lies in the interval; False where there is none."""
    return interval.low is not None and interval.high is not None and interval.low <= 0 <= interval.high


def _nothing(shared: Sequence[str], source: str, at_zero: str) -> str:
    """Return why a share is undefined: nothing was evaluated by both, or all that was is at 0."""
    return at_zero if shared else f"no environment other than {source} was evaluated by both policies"


def _shared(source: str | None, *policies: Rates) -> tuple[list[str], list[str]]:
    """Return the environments other than `source` that all policies have, and a line for each that only some have."""
    everywhere = sorted({e for rates in policies for e in rates} - {source})
    shared = [e for e in everywhere if all(e in rates for rates in policies)]
    return shared, [f"{e}: not evaluated by every policy" for e in everywhere if e not in shared]


def _mean_delta(name: str, initial: Rates, trained: Rates, shared: Sequence[str], left_out: Sequence[str]) -> Score:
    if not shared:
        return undefined(name, "no environment was evaluated before and after training", left_out=left_out)
    value = mean([trained[e] - initial[e] for e in shared])
    return Score(name, value, n=len(shared), left_out=tuple(left_out))
