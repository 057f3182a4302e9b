"""How often the 95 % intervals of one run's scores hold the truth, over other levels, for the same policy.

    python benchmarks/coverage_runs.py --studies 300

A simulated policy solves a level with a chance whose log-odds fall by 1 with each doubling of its exact distance, four
times over; an episode has 1 to 4 steps of 40 tokens, solved or not. Records go through the package's own results, run
scores and comparison. `coverage.py` prints this table after its own.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from agentgen_bench.episodes import Episode, Step
from agentgen_bench.scores.base import Score
from agentgen_bench.scores.comparison import compare
from agentgen_bench.scores.lifecycle import cod_effect, position_curve, stateful_gain
from agentgen_bench.scores.reliance import interface_reliance
from agentgen_bench.scores.robustness import robustness
from agentgen_bench.scores.run_scores import run_scores
from agentgen_bench.scores.success import overall, summary
from agentgen_bench.seeding import stream
from agentgen_bench.spec import TaskSpec

DISTANCES = {"easy": np.array([2, 3, 4, 6]), "hard": np.array([8, 12, 16, 24])}
HORIZON, SLOPE = 8.0, -1.0
REPEATS, MAX_STEPS, TOKENS = 4, 4, 40
INVALID = 0.1
FAULTS = -0.7  # what steps that fail take from the log-odds
ORIGINALS = {"original": 0.8, "alias": 0.3}  # share of actions under their original names, by which names are shown
SPECS = {difficulty: TaskSpec("Sokoban", difficulty=difficulty).to_json() for difficulty in DISTANCES}
PACK = np.array([0.3, 0.4, 0.5, 0.6])  # chance of each task of a pack with its context kept; wiped: the first


def chances(distance: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """Return the chance of success at these distances; `shift` adds to the log-odds."""
    return 1 / (1 + np.exp(-(SLOPE * np.log2(distance / HORIZON) + shift)))


def truths() -> dict[str, float]:
    """Return the true value of each score."""
    by_setting = {name: chances(distance) for name, distance in DISTANCES.items()}
    easy, other = by_setting["easy"], chances(DISTANCES["easy"], 0.5)
    p = float(easy.mean())
    return {
        "success": p,
        "score": p + 0.4 * (1 - p),
        "steps": (1 + MAX_STEPS) / 2,
        "prompt_tokens_per_step": 100.0,
        "invalid_action_rate": INVALID,
        "overall success": float(np.mean([rate.mean() for rate in by_setting.values()])),
        "pass^2": float((easy**2).mean()),
        "pass^4": float((easy**4).mean()),
        "consistency": float((1 - 4 * easy * (1 - easy)).mean()),
        "success_within_64_tokens": p / 4,
        "success_within_128_tokens": 3 * p / 4,
        "tokens_per_success": TOKENS * (1 + MAX_STEPS) / 2 / p,
        "horizon_50": HORIZON,
        "horizon_slope": SLOPE,
        "difference": float((other - easy).mean()),
        "won": float((other * (1 - easy)).mean()),
        "lost": float((easy * (1 - other)).mean()),
        "robustness_ratio": float(chances(DISTANCES["easy"], FAULTS).mean() / p),
        "fault_change": float((chances(DISTANCES["easy"], FAULTS) - easy).mean()),
        "position_4": float(PACK[3]),
        "cod_effect": float(PACK[3] - PACK[0]),
        "stateful_gain": float(PACK.mean() - PACK[0]),
        "interface_reliance": sum(ORIGINALS.values()) - 1,
        "originals_where_shown": ORIGINALS["original"],
        "originals_where_aliases_are_shown": ORIGINALS["alias"],
    }


def scores(n_levels: int, rng: np.random.Generator) -> Iterator[tuple[str, Score]]:
    """Yield the scores of one simulated run, and of another one compared with it."""
    run: dict[str, list[Episode]] = {}
    for difficulty, distances in DISTANCES.items():
        drawn = distances[rng.integers(len(distances), size=n_levels)]
        run[difficulty] = list(_episodes(difficulty, drawn, chances(drawn), REPEATS, rng))
    easy = summary(run["easy"])
    for name in ("success", "score", "steps", "prompt_tokens_per_step", "invalid_action_rate"):
        yield name, easy.score(name)
    yield "overall success", overall(run)[0]
    for one in run_scores([episode for group in run.values() for episode in group]):
        if one.spec is None or one.spec["difficulty"] == "easy":
            for score in one.scores:
                yield score.name, score
    drawn = DISTANCES["easy"][rng.integers(4, size=n_levels)]
    a, b = (list(_episodes("easy", drawn, chances(drawn, shift), 1, rng)) for shift in (0.0, 0.5))
    for score in compare(a, b).settings[0].scores[2:]:
        yield score.name, score
    drawn = DISTANCES["easy"][rng.integers(4, size=n_levels)]
    clean, faulty = (list(_episodes("easy", drawn, chances(drawn, shift), 1, rng)) for shift in (0.0, FAULTS))
    for score in robustness(clean, faulty, rng):
        yield score.name, score
    kept, wiped = (rng.random((n_levels, 4)) < row for row in (PACK, np.full(4, PACK[0])))
    packs = [rows.astype(float).tolist() for rows in (kept, wiped)]
    yield "position_4", position_curve(packs[0], rng)[3]
    yield "cod_effect", cod_effect(packs[0], rng)
    yield "stateful_gain", stateful_gain(*packs, rng)
    for score in interface_reliance([_named(seed, rng) for seed in range(n_levels)], rng):
        yield score.name, score


def _episodes(
    difficulty: str, distances: np.ndarray, chance: np.ndarray, repeats: int, rng: np.random.Generator
) -> Iterator[Episode]:
    for seed, (distance, p) in enumerate(zip(distances.tolist(), chance.tolist(), strict=True)):
        for repeat in range(repeats):
            solved = bool(rng.random() < p)
            steps = tuple(_step(rng) for _ in range(rng.integers(1, MAX_STEPS + 1)))
            score = 1.0 if solved else 0.8 * rng.random()
            yield _episode(difficulty, seed, repeat, distance, solved, score, steps)


def _named(seed: int, rng: np.random.Generator) -> Episode:
    """Return an episode under an interface that accepts both names; levels differ in which the policy takes."""
    shown = "alias" if rng.integers(2) else "original"
    n = int(rng.integers(1, 21))
    originals = int(rng.binomial(n, rng.beta(2 * ORIGINALS[shown], 2 * (1 - ORIGINALS[shown]))))
    analysis = {"named_original": originals, "named_alias": n - originals, "shown_names": shown}
    return replace(_episode("easy", seed, 0, 2, False, 0.0, ()), analysis=analysis)


def _step(rng: np.random.Generator) -> Step:
    valid = bool(rng.random() >= INVALID)
    return Step("up", "", None, 0.0, 0.0, valid, "", {}, 4, 0, int(rng.integers(50, 151)), TOKENS, 0)


def _episode(
    difficulty: str, seed: int, repeat: int, distance: int, solved: bool, score: float, steps: tuple[Step, ...]
) -> Episode:
    return Episode(
        spec=SPECS[difficulty],
        seed=seed,
        repeat=repeat,
        policy="simulated",
        level_id=f"{difficulty} {seed}",
        task="",
        max_steps=MAX_STEPS,
        first_hash="",
        first_chars={},
        first_admissible=4,
        steps=steps,
        ending="terminated" if solved else "truncated",
        success=solved,
        score=score,
        expert_length=distance,
        analysis={"optimal_moves": distance},
    )


def table(studies: int, n_levels: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{'score of one run':34}{'levels':>8}{'covers %':>10}{'of':>6}{'truth':>10}{'mean width':>12}"
    true = truths()
    held: Mapping[str, list[bool]] = {name: [] for name in true}
    widths: Mapping[str, list[float]] = {name: [] for name in true}
    for number in range(studies):
        for name, score in scores(n_levels, stream("coverage", "runs", n_levels, number)):
            if name in true and score.low is not None and score.high is not None:
                held[name].append(score.low <= true[name] <= score.high)
                widths[name].append(score.high - score.low)
    for name, value in true.items():
        numbers = f"{100 * np.mean(held[name]):10.1f}{len(held[name]):6}{value:10.3f}{np.mean(widths[name]):12.3f}"
        yield f"{name:34}{n_levels:8}{numbers}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=60, help="simulated runs (default 60)")
    parser.add_argument("--levels", type=int, nargs="+", default=[100], help="levels a setting (default 100)")
    args = parser.parse_args()
    for n_levels in args.levels:
        for line in table(args.studies, n_levels):
            print(line, flush=True)


if __name__ == "__main__":
    main()
