"""Difficulty generalization: training on one difficulty, success on another (arXiv 2603.12011), and the plain slope."""

from collections.abc import Mapping

from agentgen_bench.families import DIFFICULTIES
from agentgen_bench.scores.base import NO_INTERVAL, Interval, Score, mean, undefined
from agentgen_bench.scores.ood import Rates, holds_zero


def difficulty_transfer(initial: Rates, trained: Rates, target: str) -> Score:
    """Return D[a][b] - D0[b]: what training on another difficulty gives on difficulty `target`.

    Args:
        initial: success of the initial policy by difficulty, D0.
        trained: success by difficulty after training on one difficulty a, D[a].
        target: the difficulty b.
    """
    name = "difficulty_transfer"
    for rates, when in ((initial, "before"), (trained, "after")):
        if target not in rates:
            return undefined(name, f"{target} was not evaluated {when} training")
    return Score(name, trained[target] - initial[target], n=1)


def recovery(
    initial: Rates, trained: Rates, trained_on_target: Rates, target: str, gain: Interval = NO_INTERVAL
) -> Score:
    """Return (D[a][b] - D0[b]) / (D[b][b] - D0[b]): the share of the gain of training on b that training on a gives.

    Undefined where `gain`, the interval of the denominator, holds 0, or the denominator is 0.
    """
    name = "recovery"
    for rates, which in ((initial, "initial policy"), (trained, "policy"), (trained_on_target, "policy trained there")):
        if target not in rates:
            return undefined(name, f"the {which} was not evaluated on {target}")
    denominator = trained_on_target[target] - initial[target]
    if abs(denominator) < 1e-9 or holds_zero(gain):
        return undefined(name, f"the gain of training on {target} itself is not distinguishable from 0")
    return Score(name, (trained[target] - initial[target]) / denominator, n=1)


def difficulty_slope(rates: Mapping[str, Rates]) -> tuple[dict[str, Score], Score]:
    """Return success per difficulty and the drop from the first to the last, paired over environments.

    Only environments evaluated on every difficulty count, so that each mean is over the same ones.

    Args:
        rates: success by environment and difficulty.
    """
    complete = [e for e in sorted(rates) if all(level in rates[e] for level in DIFFICULTIES)]
    left_out = tuple(f"{e}: not evaluated on every difficulty" for e in sorted(rates) if e not in complete)
    reason = f"no environment was evaluated on all of {', '.join(DIFFICULTIES)}"
    if not complete:
        levels = {level: undefined(f"success_{level}", reason, left_out=left_out) for level in DIFFICULTIES}
        return levels, undefined("difficulty_drop", reason, left_out=left_out)
    levels = {
        level: Score(f"success_{level}", mean([rates[e][level] for e in complete]), n=len(complete), left_out=left_out)
        for level in DIFFICULTIES
    }
    drop = mean([rates[e][DIFFICULTIES[0]] - rates[e][DIFFICULTIES[-1]] for e in complete])
    return levels, Score("difficulty_drop", drop, n=len(complete), left_out=left_out)
