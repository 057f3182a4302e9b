"""How often the 95 % interval of harness_variance holds the truth, and how far off its value is on average.

    python benchmarks/coverage_harness.py --studies 300

Harnesses have true rates of success; a level is solved under each with a chance that it shares with the others to a
share of `--shared` (a normal latent variable), so that harnesses mostly agree on levels, as one model under several
prompts does. Rates and redraws go through the package's own formula.
"""

import argparse
from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np

from agentgen_bench.scores.harness import harness_variance
from agentgen_bench.seeding import stream

RATES = {
    "three alike": (0.5, 0.5, 0.5),
    "six alike, rarely solved": (0.1,) * 6,
    "three, 10 points apart": (0.3, 0.4, 0.5),
    "six, 10 points apart": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "six, two of them off by 5": (0.45, 0.5, 0.5, 0.5, 0.5, 0.55),
    "one of four broken": (0.1, 0.6, 0.6, 0.6),
}
REDRAWS = 500


def row(name: str, rates: Sequence[float], levels: int, shared: float, studies: int) -> str:
    """Return the line of one world: coverage, mean width, mean error of the value."""
    truth = float(np.var(rates, ddof=1))
    borders = np.array([NormalDist().inv_cdf(rate) for rate in rates])
    held, widths, errors = [], [], []
    for study in range(studies):
        rng = stream("coverage", "harness", name, levels, study)
        latent = np.sqrt(shared) * rng.standard_normal((levels, 1))
        latent = latent + np.sqrt(1 - shared) * rng.standard_normal((levels, len(rates)))
        solved = (latent < borders).astype(float)  # (levels, H)
        draws = solved[rng.integers(levels, size=(REDRAWS, levels))].mean(axis=1).T  # (H, R)
        score = harness_variance(solved.mean(axis=0).tolist(), draws, levels)
        errors.append((score.value or 0.0) - truth)
        if score.low is not None and score.high is not None:
            held.append(score.low <= truth <= score.high)
            widths.append(score.high - score.low)
    numbers = f"{100 * np.mean(held):10.1f}{len(held):6}{np.mean(widths):11.4f}{np.mean(errors):10.5f}"
    return f"{name:28}{levels:8}{truth:10.4f}{numbers}"


def table(studies: int, shared: float = 0.4) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{'harness_variance':28}{'levels':>8}{'truth':>10}{'covers %':>10}{'of':>6}{'width':>11}{'bias':>10}"
    for levels in (20, 100, 400):
        for name, rates in RATES.items():
            yield row(name, rates, levels, shared, studies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=300, help="simulated grids a setting (default 300)")
    parser.add_argument("--shared", type=float, default=0.4, help="share of a level's latent variable that all share")
    args = parser.parse_args()
    for line in table(args.studies, args.shared):
        print(line, flush=True)


if __name__ == "__main__":
    main()
