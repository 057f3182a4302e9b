"""How often the 95 % interval of the change from frozen to fresh levels holds the truth, and what a bootstrap would do.

    python benchmarks/coverage_fresh.py --studies 1000

A simulated policy meets nine settings of different difficulty; a level is harder or easier than its setting. Frozen and
fresh levels are drawn anew in each study. `gain` is what the policy gained on the frozen levels by having seen them: 0
is the claim that nothing was learnt, and `below 0` is how often its interval says otherwise. Rates of 1.0 and 0.0 stand
for models that solve or fail everything. `bootstrap` redraws levels within each setting, for percentiles of the mean.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from agentgen_bench.scores.base import Score
from agentgen_bench.scores.bootstrap import RESAMPLES, percentile_interval, rate_interval
from agentgen_bench.scores.fresh import Term, weighted_interval
from agentgen_bench.seeding import stream

MIXED = (0.95, 0.7, 0.4, 0.6, 0.3, 0.1, 0.5, 0.2, 0.02)
WORLDS = {"mixed": MIXED, "all solved": (1.0,) * 9, "all failed": (0.0,) * 9, "near 0": (0.01,) * 9, "one": (0.3,)}


def solved(rate: float, n_levels: int, repeats: int, rng: np.random.Generator) -> np.ndarray:
    """Return outcomes (levels, repeats); levels differ by up to six tenths of what keeps their chance in [0, 1]."""
    chance = rate + 0.6 * min(rate, 1 - rate) * rng.uniform(-1, 1, n_levels)
    return rng.random((n_levels, repeats)) < chance[:, None]


def success(outcomes: np.ndarray, rng: np.random.Generator) -> Score:
    """Return the success of outcomes with its interval over levels, as the package's scores have it."""
    levels, repeats = outcomes.shape
    interval = rate_interval(outcomes.sum(axis=1).astype(float).tolist(), [repeats] * levels, rng)
    return Score("success", float(outcomes.mean()), *interval, n=outcomes.size)


def bootstrap(sides: Sequence[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator) -> tuple[float, float]:
    total = np.zeros(RESAMPLES)
    for frozen, fresh in sides:
        total += (redrawn(fresh, rng) - redrawn(frozen, rng)) / len(sides)
    low, high = percentile_interval(total)
    return low, high


def redrawn(outcomes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return means over redrawn levels; of levels played once they are binomial."""
    levels, repeats = outcomes.shape
    if repeats == 1:
        return rng.binomial(levels, outcomes.mean(), size=RESAMPLES) / levels
    return outcomes.mean(axis=1)[rng.integers(levels, size=(RESAMPLES, levels))].mean(axis=1)


def row(world: str, n_levels: int, repeats: int, gain: float, studies: int) -> str:
    rates, held, below, widths, other = WORLDS[world], [], [], [], []
    truth = -float(np.mean([min(1.0, rate + gain) - rate for rate in rates]))
    for number in range(studies):
        rng = stream("coverage", "fresh", world, n_levels, repeats, str(gain), number)
        sides = [
            (solved(min(1.0, rate + gain), n_levels, repeats, rng), solved(rate, n_levels, repeats, rng))
            for rate in rates
        ]
        signed = [(sign, side) for pair in sides for sign, side in zip((-1, 1), pair, strict=True)]
        terms = [Term(sign / len(rates), success(side, rng)) for sign, side in signed]
        low, high = weighted_interval(terms)
        held.append(low <= truth <= high)
        below.append(high < 0)
        widths.append(high - low)
        low, high = bootstrap(sides, rng)
        other.append(low <= truth <= high)
    cells = (100 * np.mean(held), 100 * np.mean(other), 100 * np.mean(below), 100 * np.mean(widths))
    return f"{world:12}{n_levels:7}{repeats:9}{100 * gain:7.0f}" + "".join(f"{cell:12.1f}" for cell in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated entries a row (default 1000)")
    args = parser.parse_args()
    print(f"{'rates':12}{'levels':>7}{'repeats':>9}{'gain':>7}" + "".join(
        f"{title:>12}" for title in ("covers %", "bootstrap %", "below 0 %", "width, pp")
    ))  # fmt: skip
    for world in WORLDS:
        for n_levels, repeats in ((50, 1), (50, 3), (500, 1)):
            print(row(world, n_levels, repeats, 0.0, args.studies), flush=True)
    for gain in (0.02, 0.05):
        print(row("mixed", 500, 1, gain, args.studies), flush=True)


if __name__ == "__main__":
    main()
