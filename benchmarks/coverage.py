"""How often the 95 % intervals hold the truth: simulated studies whose true scores are known.

    python benchmarks/coverage.py                    # 60 studies a setting, minutes on one core
    python benchmarks/coverage.py --studies 300      # the table of the issue; about five times as long

A study has an initial policy and trainings repeated with a few seeds, on four families. A seed's true success differs
from its recipe's by a normal deviate (`--spread`, 3 points), levels are harder and easier, and each level is played
once. Every score goes through the package's own formula and interval; the truth is the formula of the recipes' true
rates. An interval that covers 92 to 97 % is right; the standard error of a share of 300 is 1.3. The last columns are
the same scores from the first seed alone, whose interval says "levels only". Scores marked * have no interval in the
package: what stands here is what redraws would cover, and why they have none. A second table holds the scores of
single runs (coverage_runs.py), whose truth is over levels only, a third that of grids (coverage_harness.py).
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from coverage_harness import table as harness_table
from coverage_runs import table

from agentgen_bench.scores import difficulty, forgetting, ood
from agentgen_bench.scores.aggregate import interquartile_mean
from agentgen_bench.scores.base import Interval, Score
from agentgen_bench.scores.sampling import PolicyRates, bootstrapped, bootstrapped_difference, pooled
from agentgen_bench.seeding import stream

FAMILIES = ("A", "B", "C", "D")
STAGES = FAMILIES[:3]
GRADED = ("A easy", "A medium", "A hard")
INITIAL = dict(zip((*FAMILIES, *GRADED), (0.30, 0.40, 0.25, 0.50, 0.45, 0.30, 0.15), strict=True))
RECIPES = {  # true success by family and difficulty, in the order of INITIAL
    "on A": (0.60, 0.33, 0.20, 0.44, 0.80, 0.60, 0.40),
    "on A, augmented": (0.58, 0.40, 0.24, 0.50, 0.80, 0.58, 0.36),
    "on B": (0.30, 0.60, 0.20, 0.44, 0.45, 0.30, 0.15),
    "on A easy": (0.45, 0.40, 0.25, 0.50, 0.75, 0.42, 0.25),
    "on A hard": (0.50, 0.40, 0.25, 0.50, 0.70, 0.48, 0.40),
    "stage 1": (0.60, 0.40, 0.25, 0.50, 0.80, 0.60, 0.40),
    "stage 2": (0.60, 0.65, 0.25, 0.50, 0.80, 0.60, 0.40),
    "stage 3": (0.60, 0.65, 0.55, 0.50, 0.80, 0.60, 0.40),  # nothing is forgotten
    "joint": (0.62, 0.60, 0.52, 0.55, 0.80, 0.60, 0.40),
}
REDRAWS = 500


@dataclass(frozen=True)
class World:
    """How studies are drawn."""

    levels: int
    seeds: int
    spread: float


def study(world: World, rng: np.random.Generator) -> dict[str, list[PolicyRates]]:
    """Return the rates of each recipe's runs, on shared levels with shared redraws."""
    cells = list(INITIAL)
    counts = rng.multinomial(world.levels, np.full(world.levels, 1 / world.levels), size=(len(cells), REDRAWS))
    hardness = rng.uniform(-1, 1, (len(cells), world.levels))
    runs = {"initial": [_run(np.array(list(INITIAL.values())), hardness, counts, rng)]}
    for recipe, rates in RECIPES.items():
        truths = np.array(rates) + rng.normal(0, world.spread, (world.seeds, len(cells)))
        runs[recipe] = [_run(truth, hardness, counts, rng) for truth in truths]
    return runs


def _run(truth: np.ndarray, hardness: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> PolicyRates:
    """Return one run; a level is easier or harder by up to six tenths of what keeps its chance within 0 and 1."""
    truth = np.clip(truth, 0.01, 0.99)
    chance = truth[:, None] + 0.6 * np.minimum(truth, 1 - truth)[:, None] * hardness
    solved = (rng.random(chance.shape) < chance).astype(float)  # (cells, levels)
    levels = solved.shape[1]
    draws = np.einsum("crl,cl->cr", counts, solved) / levels
    each = dict.fromkeys(INITIAL, levels)
    return PolicyRates(
        dict(zip(INITIAL, solved.mean(1).tolist(), strict=True)), dict(zip(INITIAL, draws, strict=True)), each, each
    )


Formula = Callable[..., Score]


def formulas() -> Iterator[tuple[Formula, tuple[str, ...], bool]]:
    """Yield each formula with the recipes it takes, and whether it is linear (Wilson's ends where levels are alike)."""
    families = partial(_only, FAMILIES)
    yield partial(families, _success("B")), ("on A",), False
    for formula in (ood.generalization_tax, ood.retention):
        yield partial(families, partial(formula, source="A")), ("initial", "on A"), False
    for formula in (ood.delta_held_in, ood.delta_held_out):
        yield partial(families, partial(formula, source="A")), ("initial", "on A"), True
    yield partial(families, ood.delta_overall), ("initial", "on A"), True
    yield partial(families, partial(ood.ood_change, source="A")), ("on A, augmented", "on A"), False
    tax_reduction = partial(ood.tax_reduction, source="A")
    yield partial(families, tax_reduction), ("on A, augmented", "on A", "initial"), False
    transfer = partial(difficulty.difficulty_transfer, target="A hard")
    yield partial(_only, GRADED, transfer), ("initial", "on A easy"), True
    recovery = partial(difficulty.recovery, target="A hard")
    yield partial(_only, GRADED, recovery), ("initial", "on A easy", "on A hard"), False
    yield _drop, ("on A easy",), False
    stages = ("stage 1", "stage 2", "stage 3")
    for formula in (forgetting.average_accuracy, forgetting.backward_transfer, forgetting.forgetting_end):
        yield partial(_of_matrix, formula), stages, False
    yield _forward_transfer, ("initial", *stages), False
    for k in range(2):
        yield partial(_intransigence, k), ("joint", *stages), False
    yield partial(_of_matrix, forgetting.forgetting_max), stages, False


def _only(cells: Sequence[str], formula: Formula, *rates: Mapping[str, float]) -> Score:
    return formula(*({cell: row[cell] for cell in cells} for row in rates))


def _success(cell: str) -> Formula:
    return lambda rates: Score("success", rates[cell])


def _drop(rates: Mapping[str, float]) -> Score:
    return difficulty.difficulty_slope({"A": {name[2:]: rates[name] for name in GRADED}})[1]


def _matrix(rates: Sequence[Mapping[str, float]]) -> list[list[float]]:
    return [[row[stage] for stage in STAGES] for row in rates]


def _of_matrix(formula: Formula, *rates: Mapping[str, float]) -> Score:
    return formula(_matrix(rates))


def _forward_transfer(initial: Mapping[str, float], *rates: Mapping[str, float]) -> Score:
    return forgetting.forward_transfer(_matrix(rates), [initial[stage] for stage in STAGES])


def _intransigence(k: int, joint: Mapping[str, float], *rates: Mapping[str, float]) -> Score:
    return forgetting.intransigence(_matrix(rates), [joint[stage] for stage in STAGES])[k]


DENOMINATORS: dict[str, tuple[Formula, str, str]] = {
    "tax_reduction": (partial(_only, FAMILIES, partial(ood.ood_drop, source="A")), "initial", "on A"),
    "recovery": (
        partial(_only, GRADED, partial(difficulty.difficulty_transfer, target="A hard")),
        "initial",
        "on A hard",
    ),
}
BARE = ("forgetting_max", "iqm_success")  # published without an interval


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=60, help="simulated studies a setting (default 60)")
    parser.add_argument("--seeds", type=int, default=3, help="training seeds of a recipe (default 3)")
    parser.add_argument("--spread", type=float, default=3.0, help="of true success between seeds, points (default 3)")
    parser.add_argument("--levels", type=int, nargs="+", default=[100, 500], help="levels a family (default 100 500)")
    args = parser.parse_args()
    titles = ("levels", "seeds", "covers %", "of", "width, pp", "bias, pp", "one seed %")
    widths = (8, 7, 10, 6, 11, 10, 12)
    print(f"{'score':22}" + "".join(f"{title:>{width}}" for title, width in zip(titles, widths, strict=True)))
    for levels in args.levels:
        world = World(levels, args.seeds, args.spread / 100)
        tallies = [_Tally(*entry) for entry in formulas()]
        iqms: list[tuple[bool, float, float]] = []
        for number in range(args.studies):
            runs = study(world, stream("coverage", levels, args.seeds, number))
            for tally in tallies:
                tally.add(runs)
            iqms.append(_iqm(runs["on A"], stream("coverage", "iqm", number)))
        for tally in tallies:
            print(tally.row(world), flush=True)
        print(_row("iqm_success", world, *np.array(iqms).T, None))
    for line in (*table(args.studies, args.levels[0]), *harness_table(args.studies)):
        print(line, flush=True)


def _iqm(runs: Sequence[PolicyRates], rng: np.random.Generator) -> tuple[bool, float, float]:
    """Return what the stratified bootstrap over seeds gives (Agarwal et al. 2021): held, width, error."""
    cells = np.array([[run.rates[family] for family in FAMILIES] for run in runs])
    picks = rng.integers(len(runs), size=(REDRAWS, *cells.shape))
    redrawn = cells[picks, np.arange(len(FAMILIES))].reshape(REDRAWS, -1)
    low, high = np.percentile([interquartile_mean(row.tolist()) for row in redrawn], [2.5, 97.5])
    truth = interquartile_mean([rate for rate in RECIPES["on A"][:4] for _ in runs])
    return low <= truth <= high, high - low, interquartile_mean(cells.ravel().tolist()) - truth


class _Tally:
    """Counts how often the intervals of one formula hold its truth."""

    def __init__(self, formula: Formula, recipes: tuple[str, ...], linear: bool) -> None:
        self.formula, self.recipes = formula, recipes
        self.interval = bootstrapped_difference if linear else bootstrapped
        truths = {"initial": INITIAL} | {name: dict(zip(INITIAL, row, strict=True)) for name, row in RECIPES.items()}
        self.truth = formula(*(truths[recipe] for recipe in recipes))
        self.held: list[bool] = []
        self.widths: list[float] = []
        self.errors: list[float] = []
        self.alone: list[bool] = []

    def add(self, runs: Mapping[str, Sequence[PolicyRates]]) -> None:
        score = self._score(runs)
        if score.low is None or not self._is_defined(runs):
            return
        self.held.append(score.low <= self.truth.value <= score.high)
        self.widths.append(score.high - score.low)
        self.errors.append(score.value - self.truth.value)
        one = self._score({recipe: seeds[:1] for recipe, seeds in runs.items()})
        self.alone.append(one.low is not None and one.low <= self.truth.value <= one.high)

    def _is_defined(self, runs: Mapping[str, Sequence[PolicyRates]]) -> bool:
        """Return whether a share of a gain or loss is published: its denominator's interval does not hold 0."""
        if self.truth.name not in DENOMINATORS:
            return True
        formula, *recipes = DENOMINATORS[self.truth.name]
        below = bootstrapped_difference(formula, *(pooled(runs[r], "" if r == "initial" else r) for r in recipes))
        return not ood.holds_zero(Interval(below.low, below.high))

    def _score(self, runs: Mapping[str, Sequence[PolicyRates]]) -> Score:
        lineages = {r: "stages" if r.startswith("stage") else "" if r == "initial" else r for r in self.recipes}
        return self.interval(self.formula, *(pooled(runs[r], lineages[r]) for r in self.recipes))

    def row(self, world: World) -> str:
        return _row(self.truth.name, world, self.held, self.widths, self.errors, self.alone)


def _row(name: str, world: World, held: object, widths: object, errors: object, alone: object) -> str:
    one = "" if alone is None else f"{100 * np.mean(alone):12.1f}"
    numbers = f"{100 * np.mean(held):10.1f}{len(held):6}{100 * np.mean(widths):11.1f}{100 * np.mean(errors):10.2f}{one}"
    return f"{name + ('*' if name in BARE else ''):22}{world.levels:8}{world.seeds:7}{numbers}"


if __name__ == "__main__":
    main()
