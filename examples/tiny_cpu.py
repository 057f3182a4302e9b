"""A small model from random weights to GRPO on Sokoban, on two CPU cores, with the preset tiny-cpu.

    python examples/tiny_cpu.py [--folder runs/tiny-cpu] [--seeds 0,1,2]

Makes the model, records the oracle on the training split, clones it, trains with GRPO once per seed, and evaluates
random weights, the clone and each trained model on the test split. The oracle's levels are one-box rooms of 6x6 with
the family's own step limit. GRPO trains, and all models are tested, on those that take at most 8 moves, with 8 steps
allowed: a wrong step often costs the level. Models play as they are trained, at temperature 1.

The commands that it runs are printed, and each could be typed. Stopped at any moment, the same command goes on. At the
end: success with intervals, paired differences by seed and over seeds, CPU seconds, and the chart `tiny_cpu.svg` in
the folder.
"""

import argparse
import json
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agentgen_bench.cli import main as agentgen
from agentgen_bench.cli.table import aligned
from agentgen_bench.episodes import Episode
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.report.charts import Point, svg_file
from agentgen_bench.scores.base import Interval, Score, level_key
from agentgen_bench.scores.bootstrap import RESAMPLES, percentile_interval, resampled, wilson
from agentgen_bench.scores.comparison import compare
from agentgen_bench.seeding import stream
from agentgen_bench.train.logs import read_log
from agentgen_bench.train.presets import load_preset

PRESET = load_preset("tiny-cpu")
LEVELS = 6000  # whose optimal solutions are cloned
TIGHT = ["--set", "moves=[2,8]", "--set", "max_steps=8"]  # the family's own limit is 3 x the shortest solution
ENVS = ["--envs", "sokoban", "--difficulty", "paper", "--richness", "lean"]
PROMPT = ["--history-length", "0", "--action-hints", "none", "--no-thinking", "--max-tokens", "8"]
BINS = 6  # of GRPO steps, in the chart; a step plays 16 levels, too few to show a trend


def command(folder: Path, name: str, *arguments: str) -> None:
    """Run one agentgen-bench command, stop where it fails, and add its CPU seconds to those of this stage."""
    print(f"\n$ agentgen-bench {shlex.join(arguments)}", flush=True)
    began = time.process_time()
    try:
        if agentgen(arguments) != 0:
            raise SystemExit("the command above failed")
    finally:
        spent = cpu_seconds(folder)
        spent[name] = spent.get(name, 0.0) + time.process_time() - began
        (folder / "cpu_seconds.json").write_text(json.dumps(spent, indent=1) + "\n")


def cpu_seconds(folder: Path) -> dict[str, float]:
    """Return the CPU seconds of each stage, those of interrupted attempts included."""
    path = folder / "cpu_seconds.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def resuming(run: Path) -> list[str]:
    """Return the option that goes on with a run, where there is one to go on with."""
    return ["--resume"] if run.exists() else []


def evaluate(folder: Path, name: str, model: Path, episodes: int) -> None:
    """Evaluate a model on levels of the test split, where that is not done."""
    run = folder / "runs" / name
    if not (run / "results.json").exists():
        env = ["--env", "AgentGen/Sokoban-lean-v0", "--difficulty", "paper", *TIGHT, "--episodes", str(episodes)]
        how = ["--temperature", str(PRESET["evaluation"]["temperature"]), "--backend", "transformers", "--quiet"]
        where = ["--workers", "128", "--batch-size", "128", "--output", str(run)]
        command(
            folder, f"evaluate {name}", "evaluate", "--model", str(model), *env, *PROMPT, *how, *where, *resuming(run)
        )


def train(folder: Path, name: str, trainer: str, model: Path, steps: int, *more: str) -> Path:
    """Train where that is not done, and return the last checkpoint."""
    run = folder / name
    final = run / f"checkpoint-{steps:06d}"
    if not final.exists():
        where = ["--model", str(model), "--output", str(run), "--steps", str(steps)]
        command(folder, name, "train", trainer, "--preset", "tiny-cpu", *where, *more, *resuming(run))
    return final


def main() -> None:
    """Run what is missing, then print and draw the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/tiny-cpu"))
    parser.add_argument("--seeds", default="0,1,2", help="of GRPO; all start from the one clone")
    parser.add_argument("--levels", type=int, default=LEVELS, help="levels whose optimal solutions are cloned")
    parser.add_argument("--sft-steps", type=int, default=PRESET["sft"]["steps"])
    parser.add_argument("--grpo-steps", type=int, default=PRESET["grpo"]["steps"])
    parser.add_argument("--episodes", type=int, default=PRESET["evaluation"]["episodes"], help="test levels")
    args = parser.parse_args()
    folder, seeds = args.folder, args.seeds.split(",")
    folder.mkdir(parents=True, exist_ok=True)
    model, data = folder / "model", folder / "oracle"
    if not (model / "config.json").exists():
        command(folder, "model", "init-model", str(model), "--preset", "tiny-cpu", *ENVS)
    if not (data / "samples.jsonl").exists():
        levels = ["--levels", str(args.levels), "--output", str(data), "--quiet"]
        command(folder, "oracle", "collect", *ENVS, *PROMPT, *levels, *resuming(data))
    evaluate(folder, "random-weights", model, args.episodes)
    clone = train(folder, "sft", "sft", model, args.sft_steps, "--data", str(data))
    evaluate(folder, "sft", clone, args.episodes)
    for seed in seeds:
        final = train(folder, f"grpo-{seed}", "grpo", clone, args.grpo_steps, *ENVS, *TIGHT, "--seed", seed)
        evaluate(folder, f"grpo-{seed}", final, args.episodes)
    report(folder, seeds)


class Rate(NamedTuple):
    """Success of a run with its 95 % interval (Wilson; one episode a level)."""

    name: str
    value: float
    interval: Interval
    n: int


def success(folder: Path, name: str) -> Rate:
    """Return the success of a run on the test split."""
    episodes = read_run(folder / "runs" / name).episodes
    solved = sum(episode.success for episode in episodes)
    return Rate(name, solved / len(episodes), wilson(solved, len(episodes)), len(episodes))


def report(folder: Path, seeds: Sequence[str]) -> None:
    """Print success, paired differences and CPU time; draw the chart."""
    names = ["random-weights", "sft", *(f"grpo-{seed}" for seed in seeds)]
    rates = [success(folder, name) for name in names]
    print("\nsuccess on the test split")
    print(*aligned([("run", "levels", "success", "95 % interval"), *map(_rate_row, rates)]), sep="\n")
    before = read_run(folder / "runs" / "sft").episodes
    after = [read_run(folder / "runs" / f"grpo-{seed}").episodes for seed in seeds]
    print("\nafter GRPO - after SFT, on the same levels")
    rows = [(f"seed {seed}", *_difference(before, run)) for seed, run in zip(seeds, after, strict=True)]
    rows.append(("all seeds, levels redrawn", *_difference(before, [episode for run in after for episode in run])))
    interval = over_seeds_and_levels(before, after)
    rows.append(("all seeds, seeds and levels redrawn", rows[-1][1], _bounds(interval, 100)))
    print(*aligned([("", "points", "95 % interval"), *rows]), sep="\n")
    spent = cpu_seconds(folder)
    print("\nCPU seconds")
    print(
        *aligned([*((name, f"{value:.0f}") for name, value in spent.items()), ("all", f"{sum(spent.values()):.0f}")]),
        sep="\n",
    )
    path = folder / "tiny_cpu.svg"
    path.write_text(
        svg_file(
            {"solved by training episodes, %": learning(folder, seeds), "solved on the test split, %": tested(rates)}
        )
    )
    print(f"\nchart: {path}")


def _rate_row(rate: Rate) -> tuple[str, ...]:
    return rate.name, str(rate.n), f"{100 * rate.value:.1f} %", _bounds(rate.interval, 100)


def _bounds(interval: Interval, scale: float) -> str:
    return (
        "-"
        if interval.low is None or interval.high is None
        else f"{scale * interval.low:.1f} to {scale * interval.high:.1f}"
    )


def _difference(before: Sequence[Episode], after: Sequence[Episode]) -> tuple[str, str]:
    score: Score = compare(before, after).difference
    return f"{100 * (score.value or 0.0):+.1f}", _bounds(Interval(score.low, score.high), 100)


def over_seeds_and_levels(before: Sequence[Episode], after: Sequence[Sequence[Episode]]) -> Interval:
    """Return the interval of the mean paired difference when seeds and levels are both redrawn with replacement."""
    first = {level_key(episode): float(episode.success) for episode in before}
    by_seed = [{level_key(episode): float(episode.success) for episode in run} for run in after]
    differences = np.array([[run[level] - first[level] for level in sorted(first)] for run in by_seed])  # (S, K)
    rng = stream("tiny-cpu", "seeds and levels")
    seed_picks = resampled(len(after), rng)  # (R, S)
    level_picks = resampled(len(first), rng)  # (R, K)
    draws = [differences[np.ix_(seed_picks[r], level_picks[r])].mean() for r in range(RESAMPLES)]
    return percentile_interval(np.array(draws))


def learning(folder: Path, seeds: Sequence[str]) -> list[Point]:
    """Return success of the training episodes by bin of steps: a line per seed, and their mean."""
    curves = [[line["success/mean"] for line in read_log(folder / f"grpo-{seed}")] for seed in seeds]
    parts = np.array_split(np.arange(len(curves[0])), min(BINS, len(curves[0])))
    lines = {f"seed {seed}": np.array(curve) for seed, curve in zip(seeds, curves, strict=True)}
    lines["mean of seeds"] = np.mean(curves, axis=0)
    return [
        Point(f"{part[0] + 1}-{part[-1] + 1}", name, *[float(values[part].mean())] * 3, 0)
        for name, values in lines.items()
        for part in parts
    ]


def tested(rates: Sequence[Rate]) -> list[Point]:
    """Return success on the test split with intervals."""
    return [
        Point(rate.name, "test split", rate.value, rate.interval.low or 0.0, rate.interval.high or 0.0, rate.n)
        for rate in rates
    ]


if __name__ == "__main__":
    main()
