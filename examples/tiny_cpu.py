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
from dataclasses import replace
from pathlib import Path

import numpy as np

from agentgen_bench.cli import main as agentgen
from agentgen_bench.cli.table import aligned
from agentgen_bench.episodes import Episode
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.report.charts import Point, svg_file
from agentgen_bench.scores.base import Interval, Score, level_key
from agentgen_bench.scores.bootstrap import percentile_interval, resampled
from agentgen_bench.scores.comparison import compare
from agentgen_bench.seeding import stream
from agentgen_bench.train.logs import read_log
from agentgen_bench.train.presets import load_preset

PRESET = load_preset("tiny-cpu")
LEVELS = 6000  # whose optimal solutions are cloned
TIGHT = ["--set", "moves=[2,8]", "--set", "max_steps=8"]  # the family's own limit is 3 x the shortest solution
ENVS = ["--envs", "sokoban", "--difficulty", "paper", "--richness", "lean"]
PROMPT = ["--history-length", "0", "--action-hints", "none", "--no-thinking", "--max-tokens", "8"]
CHART = (0.4, 0.8)  # the shares that the chart shows
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
        how = ["--temperature", str(PRESET.evaluation["temperature"]), "--backend", "transformers", "--quiet"]
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
    parser.add_argument("--sft-steps", type=int, default=PRESET.sft["steps"])
    parser.add_argument("--grpo-steps", type=int, default=PRESET.grpo["steps"])
    parser.add_argument("--episodes", type=int, default=PRESET.evaluation["episodes"], help="test levels")
    args = parser.parse_args()
    folder, seeds = args.folder, args.seeds.split(",")
    folder.mkdir(parents=True, exist_ok=True)
    model, data = folder / "model", folder / "oracle"
    if not (model / "config.json").exists():
        command(folder, "model", "init-model", str(model), "--preset", "tiny-cpu", *ENVS)
    if not (data / "samples.jsonl").exists():
        levels = ["--levels", str(args.levels), "--output", str(data), "--quiet"]
        command(folder, "oracle", "collect", "--policy", "oracle", *ENVS, *PROMPT, *levels, *resuming(data))
    evaluate(folder, "random-weights", model, args.episodes)
    clone = train(folder, "sft", "sft", model, args.sft_steps, "--data", str(data))
    evaluate(folder, "sft", clone, args.episodes)
    for seed in seeds:
        final = train(folder, f"grpo-{seed}", "grpo", clone, args.grpo_steps, *ENVS, *TIGHT, "--seed", seed)
        evaluate(folder, f"grpo-{seed}", final, args.episodes)
    report(folder, seeds)


def success(folder: Path, name: str) -> Score:
    """Return the success of a run on the test split, as evaluate wrote it: levels are the unit of its interval."""
    score = json.loads((folder / "runs" / name / "results.json").read_text())["overall"]["success"]
    return Score(name, score["value"], score["low"], score["high"], n=score["n"])


def report(folder: Path, seeds: Sequence[str]) -> None:
    """Print success, paired differences and CPU time; draw the chart."""
    rates = [success(folder, name) for name in ("random-weights", "sft", *(f"grpo-{seed}" for seed in seeds))]
    print("\nsuccess on the test split")
    rows = [(rate.name, str(rate.n), f"{100 * (rate.value or 0):.1f} %", bounds(rate)) for rate in rates]
    print(*aligned([("run", "episodes", "success", "95 % interval"), *rows]), sep="\n")
    print("\nafter GRPO - after SFT, paired by level")
    print(
        *aligned([("", "levels", "points", "95 % interval"), *map(difference_row, differences(folder, seeds))]),
        sep="\n",
    )
    spent = cpu_seconds(folder)
    print("\nCPU seconds")
    print(*aligned([(name, f"{value:.0f}") for name, value in {**spent, "all": sum(spent.values())}.items()]), sep="\n")
    path = folder / "tiny_cpu.svg"
    panels = {
        "solved in training, % by steps": learning(folder, seeds),
        "solved on the test split, %": tested(rates[1], rates[2:], seeds),
    }
    path.write_text(svg_file(panels, CHART), encoding="utf-8")
    print(f"\nchart: {path}")


def differences(folder: Path, seeds: Sequence[str]) -> list[Score]:
    """Return the paired difference of each seed and of all; the last interval has seeds redrawn as well as levels."""
    before = read_run(folder / "runs" / "sft").episodes
    after = [read_run(folder / "runs" / f"grpo-{seed}").episodes for seed in seeds]
    by_seed = [compare(before, run).difference for run in after]
    as_repeats = [replace(episode, repeat=number) for number, run in enumerate(after) for episode in run]
    pooled = compare(before, as_repeats).difference
    named = [replace(score, name=f"seed {seed}") for seed, score in zip(seeds, by_seed, strict=True)]
    low, high = over_seeds_and_levels(before, after)
    if low == high:  # every level ties: the interval without a width says less than that of the comparison
        low, high = pooled.low, pooled.high
    return [
        *named,
        replace(pooled, name="all seeds, levels redrawn"),
        replace(pooled, name="all seeds, seeds and levels redrawn", low=low, high=high),
    ]


def over_seeds_and_levels(before: Sequence[Episode], after: Sequence[Sequence[Episode]]) -> Interval:
    """Return the interval of the mean paired difference when seeds and levels are both redrawn with replacement."""
    first, trained = success_by_level(before), [success_by_level(run) for run in after]
    gains = np.array([[run[level] - first[level] for level in sorted(first)] for run in trained])  # (S, K)
    rng = stream("tiny-cpu", "seeds and levels")
    seed_picks, level_picks = resampled(len(gains), rng), resampled(gains.shape[1], rng)  # (R, S), (R, K)
    picks = zip(seed_picks, level_picks, strict=True)
    return percentile_interval(np.array([gains[np.ix_(chosen, levels)].mean() for chosen, levels in picks]))


def success_by_level(episodes: Sequence[Episode]) -> dict[str, float]:
    """Return the mean success of each level; two seeds of the environment may give one level."""
    outcomes: dict[str, list[bool]] = {}
    for episode in episodes:
        outcomes.setdefault(level_key(episode), []).append(episode.success)
    return {level: sum(values) / len(values) for level, values in outcomes.items()}


def difference_row(score: Score) -> tuple[str, ...]:
    """Return a row of the table of differences."""
    return score.name, str(score.n), f"{100 * (score.value or 0):+.1f}", bounds(score)


def bounds(score: Score) -> str:
    """Return the interval in percent."""
    return "-" if score.low is None or score.high is None else f"{100 * score.low:.1f} to {100 * score.high:.1f}"


def learning(folder: Path, seeds: Sequence[str]) -> list[Point]:
    """Return success of the training episodes by bin of steps: a line per seed, and their mean."""
    curves = [[line["success/mean"] for line in read_log(folder / f"grpo-{seed}")] for seed in seeds]
    parts = np.array_split(np.arange(len(curves[0])), min(BINS, len(curves[0])))
    lines = {f"seed {seed}": np.array(curve) for seed, curve in zip(seeds, curves, strict=True)}
    lines["mean"] = np.mean(curves, axis=0)
    return [
        Point(f"{part[0] + 1}-{part[-1] + 1}", name, *[float(values[part].mean())] * 3, 0)
        for name, values in lines.items()
        for part in parts
    ]


def tested(before: Score, after: Sequence[Score], seeds: Sequence[str]) -> list[Point]:
    """Return success on the test split with intervals: before and after GRPO, by seed."""
    named = [("after SFT", [before] * len(after)), ("after GRPO", after)]
    return [
        Point(f"seed {seed}", name, rate.value or 0, rate.low or 0, rate.high or 0, rate.n)
        for name, rates in named
        for seed, rate in zip(seeds, rates, strict=True)
    ]


if __name__ == "__main__":
    main()
