"""Training health: does a run still learn, and does what it writes depend on what it reads?

A reward curve that stands still has many causes that look alike from outside. The numbers here are in every step's log
line; `diagnosis` reads a log and says in words what is wrong with its last steps. Limits are ours, chosen so that they
are far from what runs that learn show.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LAST_STEPS = 10  # that a diagnosis looks at
MIN_STEPS = 3
FLAT_GROUPS = 0.9
NO_UPDATES = 0.5
UNPARSED = 0.5
CUT_OFF = 0.2
FROZEN_ENTROPY = 0.005  # nats a token
DRIFT = 0.1  # nats a token
COLLAPSED = 0.01  # nats a token that a completion tells about its prompt


class CrossInput(NamedTuple):
    """How far completions depend on their prompts, over N of them with prompts of their own.

    `information` is in nats a token: 0 where every prompt makes every completion equally likely, at most log N over the
    mean length where each fits its own alone. `retrieval` is the share of completions whose own prompt makes them
    likelier than each other prompt does, 1 / N by chance.
    """

    information: float
    retrieval: float


def cross_input(logprobs: npt.NDArray[np.float64], lengths: Sequence[int]) -> CrossInput:
    """Return the measure of template collapse of a batch (arXiv 2604.06268: mutual information by cross-scoring).

    With s_ij the log-probability of completion i after prompt j, the information of a completion about its prompt is
    s_ii - log(mean_j exp s_ij); the batch stands for the distribution of prompts. It is summed over completions and
    divided by their tokens, so that batches of long and short completions compare. The paper scores thoughts alone and
    prompts of the first step; here whole completions, thoughts and actions, of any step.

    Args:
        logprobs: s, sums over the tokens of each completion, (N, N), N at least 2.
        lengths: tokens of each completion, (N,).

    Examples:
        >>> information, retrieval = cross_input(np.log([[0.8, 0.2], [0.4, 0.4]]), [1, 1])
        >>> round(information, 3), retrieval  # (log(.8 / .5) + log(.4 / .4)) / 2, (1 + 1/2) / 2
        (0.235, 0.75)
    """
    own = np.diagonal(logprobs)
    highest = logprobs.max(axis=1)
    marginal = highest + np.log(np.exp(logprobs - highest[:, None]).mean(axis=1))
    ties = np.isclose(logprobs, highest[:, None], rtol=0, atol=1e-6).sum(axis=1)
    is_best = np.isclose(own, highest, rtol=0, atol=1e-6)
    return CrossInput(float((own - marginal).sum() / sum(lengths)), float(np.where(is_best, 1 / ties, 0.0).mean()))


def diagnosis(log: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """Return what is wrong with the last steps of a run, worst first; nothing where nothing is.

    Args:
        log: lines as `read_log` gives them; numbers that a line lacks are not judged.
    """
    last = [line for line in log[-LAST_STEPS:] if "reward/mean" in line]
    if len(last) < MIN_STEPS:
        return ()
    found = []
    idle = [line["step"] for line in last if line.get("updates") == 0]
    if len(idle) >= NO_UPDATES * len(last):
        found.append(f"no update in {len(idle)} of the last {len(last)} steps: nothing was learned there")
    flat = _mean(last, "groups/without_variance")
    if flat >= FLAT_GROUPS:
        found.append(f"{flat:.0%} of groups without variance: all episodes of a level earn the same")
    unparsed = _mean(last, "action/unparsed")
    if unparsed >= UNPARSED:
        found.append(f"{unparsed:.0%} of completions hold no action")
    cut = _mean(last, "completion/cut_off")
    if cut >= CUT_OFF:
        found.append(f"{cut:.0%} of completions are cut off at max_tokens")
    entropy = _mean(last, "entropy")
    if entropy < FROZEN_ENTROPY:
        found.append(f"entropy {entropy:.2g} nats a token: completions do not vary any more")
    drift = _mean(last, "logprob_gap")
    if drift > DRIFT:
        found.append(f"sampler and trainer differ by {drift:.2g} nats a token")
    information, retrieval = _mean(last, "cross_input/information"), _mean(last, "cross_input/retrieval")
    if information < COLLAPSED:
        found.append(
            f"template collapse: a completion tells {information:.2g} nats a token about its prompt "
            f"(its own prompt fits best in {retrieval:.0%})"
        )
    return tuple(found)


def _mean(lines: Sequence[Mapping[str, float]], name: str) -> float:
    """Return the mean of a number over the lines that have it; not a number where none has."""
    values = [float(line[name]) for line in lines if name in line]
    return sum(values) / len(values) if values else math.nan
