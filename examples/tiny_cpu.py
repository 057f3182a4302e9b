"""A small model from random weights to GRPO on Sokoban, on two CPU cores, with the preset tiny-cpu.

    python examples/tiny_cpu.py [--folder runs/tiny-cpu] [--seeds 0,1,2] [--sft-steps 4500] [--grpo-steps 30]

Makes the model, records the oracle, clones it, trains with GRPO once per seed, and evaluates before, between and after
on the test split: the commands that it runs are printed, and each could be typed. Stopped at any moment, the same
command goes on. At the end: success with intervals, paired differences, and a chart of the reward as SVG.
"""

import argparse
import shlex
import time
from pathlib import Path

import numpy as np

from agentgen_bench.cli import main as agentgen
from agentgen_bench.evaluation.folder import read_run
from agentgen_bench.train.logs import read_log
from agentgen_bench.train.presets import load_preset

ENVS = ["--envs", "sokoban", "--difficulty", "paper", "--richness", "lean"]
PROMPT = ["--history-length", "0", "--action-hints", "none", "--no-thinking", "--max-tokens", "8"]


def command(*arguments: str) -> None:
    """Run one agentgen-bench command and stop where it fails."""
    print(f"\n$ agentgen-bench {shlex.join(arguments)}", flush=True)
    if agentgen(arguments) != 0:
        raise SystemExit("the command above failed")


def evaluate(model: Path, run: Path, episodes: int) -> None:
    """Evaluate a model on levels of the test split, greedily, where that is not done."""
    if (run / "results.json").exists():
        return
    env = ["--env", "AgentGen/Sokoban-lean-v0", "--difficulty", "paper", "--episodes", str(episodes)]
    resume = ["--resume"] if run.exists() else []
    where = ["--backend", "transformers", "--output", str(run), "--workers", "128", "--batch-size", "128", "--quiet"]
    command("evaluate", "--model", str(model), *env, *PROMPT, *where, *resume)


def train(trainer: str, model: Path, run: Path, steps: int, *more: str) -> Path:
    """Train where that is not done, and return the last checkpoint."""
    final = run / f"checkpoint-{steps:06d}"
    if not final.exists():
        resume = ["--resume"] if run.exists() else []
        where = ["--model", str(model), "--output", str(run), "--steps", str(steps)]
        command("train", trainer, "--preset", "tiny-cpu", *where, *more, *resume)
    return final


def rewards(run: Path) -> list[float]:
    """Return the mean reward of each training step."""
    return [line["reward/mean"] for line in read_log(run)]


def chart(curves: list[list[float]], path: Path) -> None:
    """Draw one line per seed and their mean as SVG."""
    width, height, margin = 640, 320, 40
    top = max(max(curve) for curve in curves) or 1.0

    def points(curve: list[float]) -> str:
        step = (width - 2 * margin) / max(1, len(curve) - 1)
        spots = [
            (margin + i * step, height - margin - value / top * (height - 2 * margin)) for i, value in enumerate(curve)
        ]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)

    shortest = min(map(len, curves))
    mean = np.mean([curve[:shortest] for curve in curves], axis=0).tolist()
    lines = [f'<polyline points="{points(curve)}" fill="none" stroke="#9ab" stroke-width="1"/>' for curve in curves]
    lines.append(f'<polyline points="{points(mean)}" fill="none" stroke="#024" stroke-width="2.5"/>')
    text = '<text x="{x}" y="{y}" font-family="sans-serif" font-size="12">{label}</text>'
    lines += [
        text.format(x=margin, y=margin - 14, label=f"mean reward of a GRPO step, {len(curves)} seeds and their mean"),
        text.format(x=4, y=margin + 4, label=f"{top:.2f}"),
        text.format(x=4, y=height - margin, label="0"),
        text.format(x=width - margin - 60, y=height - 12, label=f"step {shortest}"),
    ]
    body = "\n".join(lines)
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">\n{body}\n</svg>\n')


def main() -> None:
    """Run what is missing, then print and draw the results."""
    preset = load_preset("tiny-cpu")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/tiny-cpu"))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--levels", type=int, default=4000, help="levels of which the oracle's steps are cloned")
    parser.add_argument("--sft-steps", type=int, default=preset["sft"]["steps"])
    parser.add_argument("--grpo-steps", type=int, default=preset["grpo"]["steps"])
    parser.add_argument("--episodes", type=int, default=preset["evaluation"]["episodes"], help="test levels")
    args = parser.parse_args()
    folder, began = args.folder, time.process_time()
    model, data = folder / "model", folder / "oracle"
    if not (model / "config.json").exists():
        command("init-model", str(model), "--preset", "tiny-cpu", *ENVS)
    if not (data / "samples.jsonl").exists():
        resume = ["--resume"] if data.exists() else []
        command("collect", *ENVS, *PROMPT, "--levels", str(args.levels), "--output", str(data), "--quiet", *resume)
    evaluate(model, folder / "runs" / "random-weights", args.episodes)
    cloned = train("sft", model, folder / "sft", args.sft_steps, "--data", str(data))
    evaluate(cloned, folder / "runs" / "sft", args.episodes)
    seeds = args.seeds.split(",")
    for seed in seeds:
        run = folder / f"grpo-seed-{seed}"
        final = train("grpo", cloned, run, args.grpo_steps, *ENVS, "--seed", seed)
        evaluate(final, folder / "runs" / f"grpo-seed-{seed}", args.episodes)
    print(f"\nCPU seconds of this process: {time.process_time() - began:.0f}")
    report(folder, seeds)


def report(folder: Path, seeds: list[str]) -> None:
    """Print success and paired differences; draw the reward."""
    for name in ("random-weights", "sft", *(f"grpo-seed-{seed}" for seed in seeds)):
        episodes = read_run(folder / "runs" / name).episodes
        print(
            f"{name:<18} {sum(episode.success for episode in episodes) / len(episodes):.1%} of {len(episodes)} levels"
        )
    for seed in seeds:
        command("compare", str(folder / "runs" / "sft"), str(folder / "runs" / f"grpo-seed-{seed}"))
    chart([rewards(folder / f"grpo-seed-{seed}") for seed in seeds], folder / "reward.svg")
    print(f"chart: {folder / 'reward.svg'}")


if __name__ == "__main__":
    main()
