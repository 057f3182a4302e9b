"""A base model for studies, from random weights, on CPU cores: the preset base-cpu, one resumable command.

    python examples/base_cpu.py [--folder runs/base-cpu] [--families sokoban,alfworld,webshop,sciworld] [--steps 2000]
        [--play sokoban,alfworld,webshop,sciworld]

Records each family's demonstrator on its starter cell (growing chat, thoughts, no list of actions in the prompt), makes
a model whose tokens are whole words, clones, and plays levels of the split valid greedily. Stopped at any moment, the
same command goes on; the commands that it runs are printed, and each could be typed. A checkpoint of the last step that
is there already, copied from elsewhere too, is not trained again. First it says how long training will take here, by
this machine's rate of float32 products; recording and playing come on top.
"""

import argparse
import json
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from agentgen_bench.cli import main as agentgen
from agentgen_bench.cli.table import aligned
from agentgen_bench.spec import TaskSpec
from agentgen_bench.train.presets import load_preset

PRESET = load_preset("base-cpu")
FAMILIES = {name.lower(): name for name in PRESET.environments}
LEVELS = 9000  # that each demonstrator plays
ALL_LEVELS = {"sciworld": 1098}  # of this family's training split there are no more
PROMPT = ["--protocol", "chat", "--action-hints", "none"]
TOKENS_PER_ROW = 600  # of a demonstration on average
# Operations of a token in products: 6 for each parameter used, and attention over about 500 tokens in 4 layers.
OPERATIONS_PER_TOKEN = 6 * 1.34e6 + 1.5e6
SHARE = 0.55  # of the product rate that training reaches at this size, with logits for all tokens
# What the trainings, evaluations and rows of examples/reference_study.sh take of one core of an AMD EPYC (Zen 4,
# AVX-512) with transformers, and what a thread of it computes in a second.
STUDY_CORE_MINUTES = 400
STUDY_RATE = 90e9


def command(*arguments: str) -> None:
    """Run one agentgen-bench command and stop where it fails."""
    print(f"\n$ agentgen-bench {shlex.join(arguments)}", flush=True)
    if agentgen(arguments) != 0:
        raise SystemExit("the command above failed")


def product_rate() -> float:
    """Return how many operations a second float32 products take on torch's threads, from 1 s of them."""
    a = torch.randn(1024, 1024)
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < 1.0:
        a @ a
        count += 1
    return count * 2 * 1024**3 / spent


def training_seconds(steps: int, rate: float) -> float:
    """Return about how long training will take where products go at this rate."""
    return steps * float(PRESET.sft["batch"]) * TOKENS_PER_ROW * OPERATIONS_PER_TOKEN / (SHARE * rate)


def study_seconds(rate: float) -> float:
    """Return about how long the study from the base will take on two cores of such threads."""
    return 60 * STUDY_CORE_MINUTES * STUDY_RATE * torch.get_num_threads() / rate / 2


def resuming(run: Path) -> list[str]:
    """Return the option that goes on with a run, where there is one to go on with."""
    return ["--resume"] if run.exists() else []


def cell(family: str) -> list[str]:
    """Return the options that name the starter cell of a family, for collect and evaluate."""
    own: Mapping[str, Any] = PRESET.environments[FAMILIES[family]]
    knobs = [f"--set={name}={json.dumps(value)}" for name, value in own.get("knobs", {}).items()]
    return ["--difficulty", str(own["difficulty"]), *knobs]


def demonstrations(folder: Path, family: str, levels: int) -> Path:
    """Record the demonstrations of a family, where that is not done, and return their folder."""
    data = folder / f"demonstrations-{family}"
    if not (data / "samples.jsonl").exists():
        where = [
            "--levels",
            str(min(levels, ALL_LEVELS.get(family, levels))),
            "--output",
            str(data),
            "--quiet",
            *resuming(data),
        ]
        command("collect", "--envs", family, "--richness", "lean", *cell(family), *PROMPT, *where)
    return data


def trained(folder: Path, families: list[str], levels: int, steps: int) -> None:
    """Record the demonstrations, make the model and clone them, as far as that is not done."""
    data = [demonstrations(folder, family, levels) for family in families]
    model, run = folder / "model", folder / "sft"
    if not (model / "config.json").exists():
        texts = ["--envs", ",".join(families), "--richness", "lean", "--data", *map(str, data)]
        command("init-model", str(model), "--preset", "base-cpu", *texts)
    weights = dict(part.split("=") for part in PRESET.sft["mix"].split(","))
    mix = ",".join(f"{family}={weights[family]}" for family in families)
    sources = [option for path in data for option in ("--data", str(path))]
    where = ["--model", str(model), "--output", str(run), "--steps", str(steps), *resuming(run)]
    command("train", "sft", "--preset", "base-cpu", *sources, "--mix", mix, *where)


def evaluated(folder: Path, family: str, model: Path, episodes: int) -> dict[str, Any]:
    """Play levels of the split valid, where that is not done, and return the success."""
    run = folder / f"valid-{family}"
    if not (run / "results.json").exists():
        name = TaskSpec(FAMILIES[family], richness="lean").env_id
        how = ["--temperature", "0", "--max-tokens", str(PRESET.evaluation["max_tokens"]), "--quiet"]
        what = ["--env", name, "--split", "valid", *cell(family), "--episodes", str(episodes), *PROMPT]
        where = ["--backend", "transformers", "--batch-size", "64", "--workers", "64", "--output", str(run)]
        command("evaluate", "--model", str(model), *what, *how, *where, *resuming(run))
    return dict(json.loads((run / "results.json").read_text())["overall"]["success"])


def main() -> None:
    """Run what is missing, then print the success of each family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/base-cpu"))
    parser.add_argument("--families", default=",".join(FAMILIES), help="that it learns")
    parser.add_argument("--levels", type=int, default=LEVELS, help="of each family, for demonstrations")
    parser.add_argument("--steps", type=int, default=PRESET.sft["steps"])
    parser.add_argument("--episodes", type=int, default=PRESET.evaluation["episodes"], help="valid levels of each")
    parser.add_argument("--play", default=",".join(FAMILIES), help="families that are evaluated; none where empty")
    parser.add_argument("--time", action="store_true", help="say how long base and study would take, and stop")
    args = parser.parse_args()
    rate = product_rate()
    said = f"training: about {training_seconds(args.steps, rate) / 60:.0f} minutes, if nothing else runs here"
    if args.time:
        print(f"{said}; the study after it: about {study_seconds(rate) / 60:.0f} minutes of two cores")
        return
    print(said, flush=True)
    folder, families = args.folder, args.families.split(",")
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / "sft" / f"checkpoint-{args.steps:06d}"
    if not final.exists():
        trained(folder, families, args.levels, args.steps)
    played = [family for family in args.play.split(",") if family]
    rates = {family: evaluated(folder, family, final, args.episodes) for family in played}
    rows = [
        (family, str(rate["n"]), f"{100 * rate['value']:.1f} %", f"{100 * rate['low']:.1f} to {100 * rate['high']:.1f}")
        for family, rate in rates.items()
    ]
    if not rows:
        return
    print(f"\n{final}: success on the split valid, greedy")
    print(*aligned([("family", "levels", "success", "95 % interval"), *rows]), sep="\n")


if __name__ == "__main__":
    main()
