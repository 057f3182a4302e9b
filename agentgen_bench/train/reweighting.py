"""Weights for steps whose gradient would push probabilities down more than up (arXiv 2606.20002's trainer).

A group's advantages sum to 0 over its episodes, but not over their tokens: where the worse episodes are the longer
ones, the token mean of a batch is negative, and many steps of such batches flatten what the model says. Each advantage
A is then weighted by exp(A / temperature), which favours what went well; the temperature is the highest under which the
weighted sum is not negative. Rewards are meant to lie in [0, 1], as the bounds of the temperature do.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LOWEST, HIGHEST = 0.8, 100.0  # of the temperature; below, the best few steps would be all that counts
PRECISION = 0.05


def weighted_sum(advantages: Sequence[float], tokens: Sequence[int], temperature: float | None) -> float:
    """Return the sum of A exp(A / temperature) over all tokens; without a temperature, of A.

    Args:
        advantages: of each step, (N,).
        tokens: completion tokens of each step, (N,).
        temperature: of the weights; None: no weights.
    """
    return float((reweighted(advantages, temperature) * np.array(tokens, dtype=np.float64)).sum())


def reweighted(advantages: Sequence[float], temperature: float | None) -> Array:
    """Return each advantage times exp(A / temperature), (N,); without a temperature, as it is."""
    a = np.array(advantages, dtype=np.float64)
    return a if temperature is None else a * np.exp(a / temperature)


def temperature_for(total: Callable[[float | None], float]) -> float | None:
    """Return the temperature under which the sum of a batch is not negative; None where no weights are needed.

    By bisection to 0.05. The sum falls as the temperature rises; where it is negative even under the lowest, that is
    returned. (The authors' code returns the last temperature tried, under which the sum may be negative by a hair.)

    Args:
        total: returns `weighted_sum` of the whole batch, over all processes.
    """
    if total(None) >= 0:
        return None
    low, high = LOWEST, HIGHEST
    while high - low > PRECISION:
        middle = (low + high) / 2
        if total(middle) < 0:
            high = middle
        else:
            low = middle
    return low
