"""What a row of the board cost, and how steady it is: steps, tokens and pass^k, from the sums of its entry.

Means are over settings, each weighing the same, as success is. Tokens are those that the policy generated, thinking
included, as in `scores.cost`; those that it read stand beside them. The counts of tokens are the submitter's word.
"""

from dataclasses import dataclass
from math import comb

from agentgen_bench.leaderboard.sums import SettingSums, Sums
from agentgen_bench.scores.base import NO_INTERVAL, Score, mean
from agentgen_bench.scores.bootstrap import Clusters, drawn_together, percentile_interval, wilson
from agentgen_bench.scores.reliability import repeat_counts


@dataclass(frozen=True, slots=True)
class Costs:
    """What an entry's episodes took.

    Attributes:
        steps: mean steps of an episode.
        generated: mean tokens that the policy generated in an episode; None where it counted none.
        read: mean tokens of the prompts of an episode; None where none were counted.
        per_success: all generated tokens over the number of solved episodes; None without either.
        pass_hat_k: the chance that k repeats of a level are all solved; None where levels were played once.
        k: the most repeats that every level has; a power of 2.
    """

    steps: float
    generated: float | None
    read: float | None
    per_success: float | None
    pass_hat_k: Score | None
    k: int


def costs(sums: Sums) -> Costs:
    """Return the costs of an entry of at least one episode."""
    settings = list(sums.values())
    generated, solved = sum(sum(one.completion_tokens) for one in settings), sum(sum(one.solved) for one in settings)
    k = repeat_counts([(0, played) for one in settings for played in one.played])[-1]
    fewest = min(played for one in settings for played in one.played)
    return Costs(
        steps=mean(sum(one.steps) / sum(one.played) for one in settings),
        generated=mean(sum(one.completion_tokens) / sum(one.played) for one in settings) if generated else None,
        read=mean(sum(one.prompt_tokens) / sum(one.played) for one in settings)
        if any(any(one.prompt_tokens) for one in settings)
        else None,
        per_success=generated / solved if generated and solved else None,
        pass_hat_k=_pass_hat_k(settings, k) if fewest >= k else None,
        k=k,
    )


def _pass_hat_k(settings: list[SettingSums], k: int) -> Score:
    """Return pass^k as `scores.reliability` defines it, the mean over settings; levels are redrawn in each."""
    values = [
        [comb(solved, k) / comb(played, k) for solved, played in zip(one.solved, one.played, strict=True)]
        for one in settings
    ]
    drawn = [
        drawn_together([Clusters.of(each, [1] * len(each))], one.levels)[0]
        for one, each in zip(settings, values, strict=True)
    ]
    total = drawn[0]
    for more in drawn[1:]:
        total = total + more
    interval = percentile_interval(total / len(drawn))
    value = mean(map(mean, values))
    if interval.low is not None and interval.low == interval.high:
        distinct = len({level for one in settings for level in one.levels})
        interval = wilson(min(1.0, value) * distinct, distinct) if distinct else NO_INTERVAL
    return Score(f"pass^{k}", value, *interval, n=sum(map(len, values)))
